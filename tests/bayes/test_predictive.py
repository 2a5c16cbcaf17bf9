import numpy as np
import pytest
from scipy import sparse, stats

from skreg import Ridge, energy_of
from skreg.bayes import predictive
from skreg.bayes.draws import Draws
from skreg.bayes.predictive import expected_value, pointwise_log_likelihood, posterior_predictive


def some_draws(n_chains=2, n_draws=50, p=3):
    rng = np.random.default_rng(0)
    shape = (n_chains, n_draws)
    coef, sigma = rng.normal(size=(*shape, p)), rng.uniform(0.5, 2.0, shape)
    return Draws(coef=coef, intercept=rng.normal(size=shape), sigma=sigma, method="exact")


@pytest.mark.parametrize("block", [1, 40, 2**18])
def test_the_log_likelihood_is_the_normal_density_with_weights_as_precisions(small, monkeypatch, block):
    monkeypatch.setattr(predictive, "_BLOCK_SIZE", block)
    X, y, weights = small
    energy, draws = energy_of(Ridge(), X, y, weights), some_draws()
    found = pointwise_log_likelihood(draws, energy)
    mean = draws.coef @ energy.X.T + draws.intercept[:, :, None]
    np.testing.assert_allclose(expected_value(draws, energy.X), mean, rtol=1e-13)
    sd = draws.sigma[:, :, None] / np.sqrt(energy.sample_weight)
    assert found.shape == (2, 50, 10)  # the rows of weight zero are left out
    np.testing.assert_allclose(found, stats.norm(mean, sd).logpdf(energy.y), rtol=1e-12)


def test_sparse_rows_mean_the_same(small):
    X, y, _ = small
    X = np.where(np.abs(X) < 1, 0.0, X)
    draws = some_draws()
    for make in (sparse.csr_array, sparse.csc_matrix):
        np.testing.assert_allclose(expected_value(draws, make(X)), expected_value(draws, X), rtol=1e-13)
        logs = (pointwise_log_likelihood(draws, energy_of(Ridge(), data, y)) for data in (X, make(X)))
        np.testing.assert_allclose(*logs, rtol=1e-12)


def test_new_observations_scatter_about_their_mean_by_sigma_over_root_weight():
    draws = some_draws(n_draws=20_000)
    X = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, -1.0]])
    new = posterior_predictive(draws, X, sample_weight=[1.0, 4.0], random_state=0)
    z = (new - expected_value(draws, X)) / draws.sigma[:, :, None] * [1.0, 2.0]
    assert stats.kstest(z[:, :, 0].ravel(), "norm").pvalue > 0.01
    assert stats.kstest(z[:, :, 1].ravel(), "norm").pvalue > 0.01
    assert abs(np.corrcoef(z.reshape(-1, 2).T)[0, 1]) < 0.02


def test_the_same_seed_gives_the_same_observations_in_blocks_of_any_size(monkeypatch):
    draws, X = some_draws(), np.eye(3)
    first = posterior_predictive(draws, X, random_state=3)
    monkeypatch.setattr(predictive, "_BLOCK_SIZE", 10)
    np.testing.assert_array_equal(posterior_predictive(draws, X, random_state=3), first)
    assert np.all(posterior_predictive(draws, X, random_state=4) != first)


def test_a_seed_makes_other_random_numbers_here_than_in_the_draws_themselves():
    # Or the noise of the intercept would be that of the first new observations.
    from skreg.bayes.draws import chain_generators

    draws = some_draws()
    noise = posterior_predictive(draws, np.eye(3), random_state=3) - expected_value(draws, np.eye(3))
    used = np.stack([rng.standard_normal((50, 3)) for rng in chain_generators(3, 2)])
    assert abs(np.corrcoef(noise.ravel(), used.ravel())[0, 1]) < 0.2
