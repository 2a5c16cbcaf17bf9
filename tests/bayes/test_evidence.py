import numpy as np
import pytest
from scipy import integrate, sparse, stats
from sklearn.linear_model import ElasticNet as SklearnElasticNet

from skreg import Lasso, Ridge, energy_of
from skreg.bayes.evidence import log_evidence, maximize_evidence
from skreg.bayes.exact import RidgePosterior
from skreg.bayes.noise import NoiseModel

KNOWN = NoiseModel("known", 0.8)
SCALED = NoiseModel("variance-scaled", None, (3.0, 2.0))
IMPROPER = NoiseModel("variance-scaled", None, (0.0, 0.0))
PLUG_IN = NoiseModel("plug-in", 0.7, (3.0, 2.0))
ALPHAS = np.array([1e-6, 0.03, 1.0, 20.0, 1e5])


def data(n, p, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 1.0
    return X, X @ rng.normal(size=p) + rng.normal(size=n), rng.uniform(0.3, 3.0, n)


@pytest.mark.parametrize(("n", "p"), [(7, 1), (12, 4), (5, 9), (4, 4)])
def test_evidence_is_the_density_of_y_under_the_prior(n, p):
    X, y, weights = data(n, p)
    factors = np.linspace(0.5, 2.0, p)
    energy = energy_of(Ridge(fit_intercept=False, penalty_weights=factors), X, y, weights)
    shapes = [np.diag(1 / weights) + (X / (alpha * factors)) @ X.T for alpha in ALPHAS]

    known = [stats.multivariate_normal(cov=0.8**2 * V).logpdf(y) for V in shapes]
    np.testing.assert_allclose(log_evidence(energy, KNOWN, ALPHAS), known, rtol=1e-8)
    # σ² ~ InvGamma(a, b) makes a Student-t of 2a degrees of freedom and scale b/a.
    scaled = [stats.multivariate_t(shape=2.0 / 3.0 * V, df=6).logpdf(y) for V in shapes]
    np.testing.assert_allclose(log_evidence(energy, SCALED, ALPHAS), scaled, rtol=1e-8)

    def plug_in(alpha):
        D, V = np.diag(1 / weights), (X / (alpha * factors)) @ X.T

        def density(t):
            normal = stats.multivariate_normal(cov=np.exp(t) * D + 0.7**2 * V)
            return np.exp(normal.logpdf(y) + stats.invgamma(3, scale=2).logpdf(np.exp(t)) + t)

        return np.log(integrate.quad(density, -8, 8, epsabs=0, epsrel=1e-10, limit=200)[0])

    alphas = ALPHAS[1:4]
    found = log_evidence(energy, PLUG_IN, alphas)
    np.testing.assert_allclose(found, [plug_in(alpha) for alpha in alphas], rtol=1e-8)


def test_an_intercept_and_flat_features_are_integrated_with_density_one():
    X, y, weights = data(8, 3)
    factors = [0.0, 1.0, 2.0]
    energy = energy_of(Ridge(penalty_weights=factors), X, y, weights)
    flat = np.column_stack([np.ones(8), X[:, 0]])
    for alpha, found in zip(ALPHAS, log_evidence(energy, KNOWN, ALPHAS), strict=True):
        V = 0.8**2 * (np.diag(1 / weights) + (X[:, 1:] / (alpha * np.array([1.0, 2.0]))) @ X[:, 1:].T)
        # ∫ N(y; Fβ, V) dβ, completing the square by hand
        P = flat.T @ np.linalg.solve(V, flat)
        beta = np.linalg.solve(P, flat.T @ np.linalg.solve(V, y))
        expected = stats.multivariate_normal(cov=V).logpdf(y - flat @ beta)
        expected += np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(P)[1]
        assert found == pytest.approx(expected, rel=1e-8)


def test_a_wide_gaussian_prior_of_the_intercept_tends_to_the_flat_one():
    X, y, _ = data(8, 2)
    flat = log_evidence(energy_of(Ridge(), X, y), KNOWN, [1.0])[0]
    width = 1e4
    wide = stats.multivariate_normal(cov=0.8**2 * (np.eye(8) + X @ X.T) + width**2).logpdf(y)
    assert wide + np.log(width * np.sqrt(2 * np.pi)) == pytest.approx(flat, abs=1e-6)


@pytest.mark.parametrize("factors", [None, [0.0, 1.0, 1.0]])
def test_an_unknown_sigma_is_a_known_one_averaged_over_its_prior(factors):
    X, y, weights = data(9, 3)
    energy = energy_of(Ridge(penalty_weights=factors), X, y, weights)
    for noise, log_prior in (
        (SCALED, stats.invgamma(3, scale=2).logpdf),
        (IMPROPER, lambda variance: -np.log(variance)),
    ):
        log_variance = np.linspace(-8, 8, 801)
        known = [log_evidence(energy, NoiseModel("known", np.exp(t / 2)), [1.5])[0] for t in log_variance]
        joint = np.exp(known + log_prior(np.exp(log_variance)) + log_variance)
        expected = np.log(integrate.simpson(joint, x=log_variance))
        assert log_evidence(energy, noise, [1.5])[0] == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("noise", [KNOWN, SCALED, PLUG_IN], ids=lambda noise: noise.contract)
def test_the_posterior_of_alpha_is_the_prior_times_the_evidence(noise):
    X, y, weights = data(9, 3)
    energy = energy_of(Ridge(), X, y, weights)
    prior = stats.gamma(2.0, scale=1 / 0.5)
    grid = np.linspace(-12, 5, 1001)
    log_p = log_evidence(energy, noise, np.exp(grid)) + prior.logpdf(np.exp(grid)) + grid
    weight = np.exp(log_p - log_p.max())
    posterior = RidgePosterior(energy, noise, alpha_prior=(2.0, 0.5))
    draws = posterior.draw(4000, [np.random.default_rng(0)])
    cdf = integrate.cumulative_simpson(weight, x=grid, initial=0.0)
    assert stats.kstest(np.log(draws.alpha[0]), lambda x: np.interp(x, grid, cdf / cdf[-1])).pvalue > 1e-3
    total = np.log(integrate.simpson(weight, x=grid)) + log_p.max()
    assert posterior.log_evidence == pytest.approx(total, abs=1e-6)
    fixed = RidgePosterior(energy, noise).log_evidence
    assert fixed == pytest.approx(log_evidence(energy, noise, [1.0])[0], rel=1e-12)


def test_evidence_scales_as_a_density_of_y_does():
    X, y, weights = data(9, 3)
    for c in (1e-120, 7.0, 1e120):
        for noise, scaled in (
            (KNOWN, NoiseModel("known", 0.8 * c)),
            (SCALED, NoiseModel("variance-scaled", None, (3.0, 2.0 * c * c))),
            (IMPROPER, IMPROPER),
        ):
            here = log_evidence(energy_of(Ridge(), X, y, weights), noise, ALPHAS)
            there = log_evidence(energy_of(Ridge(), X, c * y, weights), scaled, ALPHAS)
            # Nine rows, less one for the intercept, whose density 1 scales too.
            np.testing.assert_allclose(there + 8 * np.log(c), here, rtol=1e-9)


def test_weights_are_precisions_in_the_evidence():
    X, y, weights = data(9, 3)
    fourfold = energy_of(Ridge(fit_intercept=False), X, y, 4 * weights)
    plain = energy_of(Ridge(fit_intercept=False), X, y, weights)
    # Four times the weight is half the σ, and the prior of the coefficients, σ²/α, along with it.
    found = log_evidence(fourfold, NoiseModel("known", 1.6), 4 * ALPHAS)
    np.testing.assert_allclose(found, log_evidence(plain, KNOWN, ALPHAS), rtol=1e-9)


def test_sparse_data_and_elastic_nets_have_the_same_evidence():
    X, y, _ = data(9, 3)
    dense = log_evidence(energy_of(Ridge(), X, y), SCALED, ALPHAS)
    np.testing.assert_allclose(
        log_evidence(energy_of(Ridge(), sparse.csr_array(X), y), SCALED, ALPHAS), dense, rtol=1e-9
    )
    net = SklearnElasticNet(l1_ratio=0.0, alpha=1.0, max_iter=100_000)
    np.testing.assert_allclose(log_evidence(energy_of(net, X, y), SCALED, ALPHAS / 9), dense, rtol=1e-9)


@pytest.mark.parametrize("noise", [KNOWN, SCALED, IMPROPER], ids=["known", "scaled", "improper"])
@pytest.mark.parametrize(("n", "p", "seed"), [(30, 5, 0), (12, 30, 1), (60, 20, 2), (8, 8, 3)])
def test_no_alpha_beats_the_maximum(noise, n, p, seed):
    X, y, weights = data(n, p, seed)
    energy = energy_of(Ridge(), X, y, weights)
    best = maximize_evidence(energy, noise)
    grid = log_evidence(energy, noise, np.geomspace(1e-9, 1e12, 4000))
    assert best.log_evidence >= grid.max() - 1e-9
    if best.where == "interior":
        assert best.log_evidence == pytest.approx(log_evidence(energy, noise, [best.alpha])[0], abs=1e-9)
        nearby = best.alpha * np.array([0.99, 1.01])
        assert np.all(log_evidence(energy, noise, nearby) < best.log_evidence)


def test_the_best_alpha_is_the_ratio_of_variances_that_made_the_data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 400))
    y = X @ rng.normal(size=400) * 0.5 + 2.0 * rng.normal(size=800)
    energy = energy_of(Ridge(), X, y)
    for noise in (NoiseModel("known", 2.0), IMPROPER):
        assert maximize_evidence(energy, noise).alpha == pytest.approx(16.0, rel=0.25)


def test_features_that_explain_nothing_have_their_maximum_at_infinity():
    X = np.random.default_rng(0).normal(size=(40, 3))
    y = np.random.default_rng(1).normal(size=40)
    y -= (X - X.mean(axis=0)) @ np.linalg.lstsq(X - X.mean(axis=0), y, rcond=None)[0]
    energy = energy_of(Ridge(), X, y)
    for noise in (KNOWN, SCALED):
        best = maximize_evidence(energy, noise)
        assert (best.where, best.alpha) == ("infinity", np.inf)
        assert best.log_evidence == pytest.approx(log_evidence(energy, noise, [1e14])[0], abs=1e-8)
        assert best.log_evidence == pytest.approx(log_evidence(energy, noise, [np.inf])[0], rel=1e-14)
    constant = energy_of(Ridge(), np.ones((40, 2)), y)
    assert maximize_evidence(constant, KNOWN).where == "infinity"


def test_a_target_without_noise_has_its_maximum_at_zero():
    X = np.diag([3.0, 1.0])
    energy = energy_of(Ridge(fit_intercept=False), X, X @ [1.0, 1.0])
    best = maximize_evidence(energy, IMPROPER)
    assert (best.where, best.alpha) == ("zero", 0.0)
    values = log_evidence(energy, IMPROPER, np.geomspace(1e-12, 1e12, 2000))
    assert np.all(np.diff(values) < 1e-12)
    assert best.log_evidence == pytest.approx(values[0], abs=1e-6)


@pytest.mark.parametrize(
    ("estimator", "noise", "alphas", "message"),
    [
        (Lasso(alpha=0.1), KNOWN, [1.0], "L1 penalty"),
        (Ridge(), KNOWN, [0.0], "alphas must be numbers > 0"),
        (Ridge(), KNOWN, [np.nan], "alphas must be numbers > 0"),
        (Ridge(), PLUG_IN, [np.inf], "alphas must be numbers > 0"),
        (Ridge(), NoiseModel("sd-scaled", None, (1.0, 1.0), 0.5), [1.0], "contract of the Lasso"),
    ],
)
def test_bad_input_is_named(estimator, noise, alphas, message):
    X, y, _ = data(9, 3)
    with pytest.raises(ValueError, match=message):
        log_evidence(energy_of(estimator, X, y), noise, alphas)


def test_plug_in_does_not_choose_its_own_alpha():
    X, y, _ = data(9, 3)
    with pytest.raises(ValueError, match=r"plug-in.*variance-scaled"):
        maximize_evidence(energy_of(Ridge(), X, y), PLUG_IN)
    assert log_evidence(energy_of(Ridge(), X, y), KNOWN, []).shape == (0,)
