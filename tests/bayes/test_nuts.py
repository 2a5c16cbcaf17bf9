import importlib.util

import numpy as np
import pytest

from skreg import Ridge, energy_of
from skreg.bayes import nuts
from skreg.bayes.noise import noise_model
from skreg.bayes.nuts import draw_nuts

pytest.importorskip("pymc")


def ridge(small):
    X, y, weights = small
    energy = energy_of(Ridge(alpha=2.0), X, y, weights)
    return energy, noise_model(1.5, None, energy)


def assert_is_the_conjugate_posterior(energy, drawn, sigma):
    s = energy.sample_weight
    X = energy.X - energy.X_mean
    covariance = np.linalg.inv((X.T * s) @ X + 2.0 * np.eye(3)) * sigma**2
    coef = drawn.coef.reshape(-1, 3)
    sd = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(coef.mean(axis=0), energy.coef, atol=0.2 * sd.max())
    np.testing.assert_allclose(coef.std(axis=0), sd, rtol=0.2)
    # b | w ~ N(ȳ − x̄ᵀw, σ²/S)
    centred = drawn.intercept - energy.y_mean + drawn.coef @ energy.X_mean
    assert abs(centred.mean()) < 0.2 * sigma / np.sqrt(energy.total_weight)
    assert centred.std() == pytest.approx(sigma / np.sqrt(energy.total_weight), rel=0.2)


def test_nuts_draws_the_conjugate_posterior_of_ridge_quietly(small, capfd, caplog):
    caplog.set_level("INFO", "pymc")  # as PyMC sets it where nobody else handles logs
    energy, noise = ridge(small)
    options = {"draws": 400, "tune": 300, "chains": 2, "compile_kwargs": {"mode": "FAST_COMPILE"}}
    drawn = draw_nuts(energy, noise, seed=1, **options)
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert drawn.method == "nuts"
    assert drawn.coef.shape == (2, 400, 3)
    assert drawn.intercept.shape == drawn.sigma.shape == (2, 400)
    assert np.all(drawn.sigma == 1.5)
    assert_is_the_conjugate_posterior(energy, drawn, 1.5)
    assert {"diverging", "lp", "tree_depth", "acceptance_rate"} <= set(drawn.stats)
    assert all(value.shape == (2, 400) for value in drawn.stats.values())
    assert drawn.stats["diverging"].dtype == bool
    again = draw_nuts(energy, noise, seed=1, **options)
    np.testing.assert_array_equal(again.coef, drawn.coef)


@pytest.mark.slow
def test_nuts_draws_are_the_same_whatever_n_jobs_is(small):
    energy, noise = ridge(small)
    options = {"draws": 50, "tune": 50, "chains": 2, "seed": 3}
    one, two = (draw_nuts(energy, noise, n_jobs=n_jobs, **options) for n_jobs in (1, 2))
    np.testing.assert_array_equal(one.coef, two.coef)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of numba's, while it compiles
def test_nutpie_draws_the_same_posterior(small):
    pytest.importorskip("nutpie")
    energy, noise = ridge(small)
    drawn = draw_nuts(energy, noise, draws=400, tune=300, chains=2, seed=1, nuts_sampler="nutpie")
    assert drawn.settings["nuts_sampler"] == "nutpie"
    assert "diverging" in drawn.stats
    assert_is_the_conjugate_posterior(energy, drawn, 1.5)


@pytest.mark.filterwarnings("ignore:.*(More chains|Found chain dimension).*draw:UserWarning")
def test_an_interrupted_run_gives_no_draws(small):
    # PyMC itself returns those made so far.
    def interrupt(trace, draw):
        if draw.draw_idx >= 20:
            raise KeyboardInterrupt

    options = {"compile_kwargs": {"mode": "FAST_COMPILE"}, "callback": interrupt}
    with pytest.raises(KeyboardInterrupt):
        draw_nuts(*ridge(small), draws=100, tune=10, chains=2, seed=1, **options)


def test_a_sampler_that_is_not_installed_is_named(small, monkeypatch):
    monkeypatch.setattr(nuts, "find_spec", lambda name: None)
    assert importlib.util.find_spec("skreg") is not None
    with pytest.raises(ImportError, match=r'nuts_sampler="nutpie" needs nutpie: pip install nutpie'):
        draw_nuts(*ridge(small), draws=1, tune=1, chains=1, nuts_sampler="nutpie")
