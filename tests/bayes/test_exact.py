import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, sparse, stats
from sklearn.linear_model import ElasticNet as SklearnElasticNet

from skreg import ElasticNet, Lasso, Ridge, energy_of
from skreg.bayes.draws import chain_generators
from skreg.bayes.exact import RidgePosterior, draw_exact
from skreg.bayes.noise import NoiseModel, noise_model

KNOWN = NoiseModel("known", 0.8)
SCALED = NoiseModel("variance-scaled", None, (4.0, 4.0))
PLUG_IN = NoiseModel("plug-in", 0.7, (4.0, 4.0))
CONTRACTS = pytest.mark.parametrize("noise", [KNOWN, SCALED, PLUG_IN], ids=lambda noise: noise.contract)
ALPHA_PRIOR = (2.0, 0.5)


def make(n, p, seed=0, *, weights=False, intercept=True, alpha=1.5, factors=None, **scale):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * scale.get("x", 1.0) + 2.0
    y = X @ rng.normal(size=p) + rng.normal(size=n) - 1.0
    w = rng.uniform(0.3, 3.0, n) if weights else None
    model = Ridge(alpha=alpha, fit_intercept=intercept, penalty_weights=factors)
    return energy_of(model, X, y, w)


def sample(energy, noise, draws=2000, chains=4, seed=0, **kwargs):
    return draw_exact(energy, noise, draws=draws, generators=chain_generators(seed, chains), **kwargs)


def standard_errors(draws, expected):
    """How many Monte Carlo standard errors each mean of independent draws is from what it should be."""
    flat = draws.reshape(draws.shape[0] * draws.shape[1], -1)
    error = flat.std(axis=0) / np.sqrt(len(flat))
    return np.abs(flat.mean(axis=0) - expected) / error


def brute_moments(energy, noise, alpha_prior=None, steps=401):
    """Posterior mean and covariance of (coef, intercept), and E σ² and E alpha: sums over a grid."""
    X, y, s = np.asarray(energy.X), energy.y, energy.sample_weight
    n, p = X.shape
    A = np.column_stack([X, np.ones(n)]) if energy.fit_intercept else X
    factors = np.ones(p) if energy.penalty.factors is None else energy.penalty.factors
    variances = np.exp(np.linspace(-9, 9, steps)) if noise.prior else np.array([noise.sigma**2])
    alphas = np.exp(np.linspace(-9, 6, 151)) if alpha_prior else np.array([energy.penalty.l2])
    log_weight, moments = [], []
    for alpha in alphas:
        D = np.zeros(A.shape[1])
        D[:p] = alpha * factors
        for variance in variances:
            tau = noise.sigma**2 if noise.contract == "plug-in" else variance
            precision = (A.T * s) @ A / variance + np.diag(D) / tau
            covariance = np.linalg.inv(precision)
            mean = covariance @ (A.T @ (s * y)) / variance
            log_p = -0.5 * n * np.log(variance) - 0.5 * np.sum(s * (y - A @ mean) ** 2) / variance
            log_p += -0.5 * np.sum(D * mean**2) / tau - 0.5 * np.linalg.slogdet(precision)[1]
            log_p += 0.5 * np.sum(np.log(D[D > 0] / tau))
            if noise.prior:  # the density of log σ²
                log_p += -noise.prior[0] * np.log(variance) - noise.prior[1] / variance
            if alpha_prior:
                log_p += alpha_prior[0] * np.log(alpha) - alpha_prior[1] * alpha
            log_weight.append(log_p)
            moments.append((mean, covariance, variance, alpha))
    weight = np.exp(np.array(log_weight) - max(log_weight))
    weight /= weight.sum()
    means = np.array([m[0] for m in moments])
    mean = weight @ means
    spread = (means - mean).T @ ((means - mean) * weight[:, None])
    covariance = np.tensordot(weight, [m[1] for m in moments], axes=1) + spread
    return mean, covariance, weight @ [m[2] for m in moments], weight @ [m[3] for m in moments]


SHAPES = [
    {"n": 9, "p": 1},
    {"n": 9, "p": 2, "weights": True},
    {"n": 9, "p": 3, "weights": True, "factors": [0.0, 1.0, 3.0]},
    {"n": 9, "p": 3, "intercept": False, "factors": [0.5, 0.0, 0.0]},
    {"n": 5, "p": 7, "weights": True, "factors": [1.0, 0.0, 2.0, 1.0, 1.0, 0.3, 1.0]},
    {"n": 4, "p": 4, "intercept": False},
]


@CONTRACTS
@pytest.mark.parametrize("alpha_prior", [None, ALPHA_PRIOR], ids=["fixed", "alpha"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_moments_are_those_of_a_brute_force_grid(shape, noise, alpha_prior):
    energy = make(**shape)
    posterior = RidgePosterior(energy, noise, alpha_prior=alpha_prior)
    mean, covariance, variance, alpha = brute_moments(
        energy, noise, alpha_prior, steps=151 if alpha_prior else 1001
    )
    p = energy.n_features
    rel = 2e-5 if alpha_prior else 1e-7  # of the grid
    np.testing.assert_allclose(posterior.coef_mean, mean[:p], rtol=rel, atol=rel)
    np.testing.assert_allclose(posterior.coef_std() ** 2, np.diag(covariance)[:p], rtol=rel)
    np.testing.assert_allclose(
        posterior.covariance_product(np.eye(p)), covariance[:p, :p], rtol=rel, atol=rel * covariance.max()
    )
    assert posterior.variance_mean == pytest.approx(variance, rel=rel)
    row = np.random.default_rng(5).normal(size=(2, p))
    full = np.column_stack([row, np.ones(2)]) if energy.fit_intercept else row
    at = posterior.predict(row, kind="mean")
    np.testing.assert_allclose(at.mean, full @ mean, rtol=rel, atol=rel)
    np.testing.assert_allclose(at.std**2, np.diag(full @ covariance @ full.T), rtol=2 * rel)
    seen = posterior.predict(sparse.csr_array(row))
    np.testing.assert_allclose(seen.std**2, at.std**2 + variance, rtol=2 * rel)

    draws = sample(energy, noise, alpha_prior=alpha_prior)
    assert standard_errors(draws.coef, mean[:p]).max() < 5
    residual = draws.coef - mean[:p]
    products = residual[..., :, None] * residual[..., None, :]
    assert standard_errors(products.reshape(4, 2000, -1), covariance[:p, :p].ravel()).max() < 5
    if energy.fit_intercept:
        assert standard_errors(draws.intercept, mean[p]).max() < 5
        together = (draws.intercept - mean[p])[..., None] * residual
        assert standard_errors(together, covariance[p, :p]).max() < 5
    if noise.prior:
        assert standard_errors(draws.sigma**2, variance).max() < 5
    else:
        assert np.all(draws.sigma == noise.sigma)
    if alpha_prior:
        assert standard_errors(draws.alpha, alpha).max() < 5
    else:
        assert draws.alpha is None


def log_joint(energy, noise, w, variance, alpha=None, alpha_prior=None):
    """Log posterior density of one coefficient, log σ² and log alpha, the intercept at its best."""
    alpha = energy.penalty.l2 if alpha is None else alpha
    m = energy.n_samples - energy.fit_intercept
    tau = noise.sigma**2 if noise.contract == "plug-in" else variance
    r = energy.y - energy.y_mean - (energy.X[:, 0] - energy.X_mean[0]) * w
    value = -0.5 * m * np.log(variance) - 0.5 * energy.sample_weight @ r**2 / variance
    value += 0.5 * np.log(alpha / tau) - 0.5 * alpha * w**2 / tau
    if noise.prior:
        value += -noise.prior[0] * np.log(variance) - noise.prior[1] / variance
    if alpha_prior:
        value += alpha_prior[0] * np.log(alpha) - alpha_prior[1] * alpha
    return value


@pytest.mark.parametrize("noise", [SCALED, PLUG_IN], ids=lambda noise: noise.contract)
def test_the_law_of_sigma_and_coef_is_that_of_quadrature(noise):
    energy = make(8, 1, weights=True)
    draws = sample(energy, noise, draws=5000)
    w = np.linspace(-4, 4, 1501)
    t = np.linspace(-4, 4, 1201)
    peak = max(log_joint(energy, noise, a, np.exp(b)) for a in w[::50] for b in t[::50])
    density = np.array(
        [[np.exp(log_joint(energy, noise, a, np.exp(b)) - peak) for b in t[::3]] for a in w[::3]]
    )
    for axis, grid, values in ((1, w[::3], draws.coef), (0, t[::3], np.log(draws.sigma**2))):
        cdf = integrate.cumulative_simpson(density.sum(axis=axis), x=grid, initial=0.0)
        test = stats.kstest(values.ravel(), lambda x, g=grid, c=cdf: np.interp(x, g, c / c[-1]))
        assert test.pvalue > 1e-3


@pytest.mark.parametrize("noise", [SCALED, PLUG_IN], ids=lambda noise: noise.contract)
def test_the_law_of_alpha_is_that_of_quadrature(noise):
    energy = make(8, 1)
    draws = sample(energy, noise, draws=5000, alpha_prior=ALPHA_PRIOR)

    # The coefficient is integrated by hand, σ² by quadrature.
    c = energy.X[:, 0] - energy.X_mean[0]
    xx, xy = c @ c, c @ (energy.y - energy.y_mean)

    def density(log_alpha):
        alpha = np.exp(log_alpha)

        def over(t):
            variance = np.exp(t)
            tau = noise.sigma**2 if noise.contract == "plug-in" else variance
            precision = xx / variance + alpha / tau
            w = xy / variance / precision
            return np.exp(log_joint(energy, noise, w, variance, alpha, ALPHA_PRIOR)) / np.sqrt(precision)

        return integrate.quad(over, -5, 5, epsabs=0, epsrel=1e-9, limit=200)[0]

    grid = np.linspace(-12, 5, 341)
    cdf = integrate.cumulative_simpson([density(x) for x in grid], x=grid, initial=0.0)
    test = stats.kstest(np.log(draws.alpha.ravel()), lambda x: np.interp(x, grid, cdf / cdf[-1]))
    assert test.pvalue > 1e-3


def test_plug_in_sigma_has_the_marginal_of_quadrature_to_eight_digits():
    energy = make(12, 3, weights=True)
    posterior = RidgePosterior(energy, PLUG_IN)
    law = posterior._law
    G = np.asarray((energy.X - energy.X_mean).T * energy.sample_weight) @ (energy.X - energy.X_mean)
    c = (energy.X - energy.X_mean).T @ (energy.sample_weight * (energy.y - energy.y_mean))
    yy = energy.sample_weight @ (energy.y - energy.y_mean) ** 2
    prior = energy.penalty.l2 / PLUG_IN.sigma**2 * np.eye(3)

    def density(t):
        variance = np.exp(t)
        P = G / variance + prior
        fit = 0.5 * (c @ np.linalg.solve(P, c)) / variance**2 - 0.5 * yy / variance
        return np.exp(fit - 0.5 * 11 * t - 0.5 * np.linalg.slogdet(P)[1] - 4 * t - 4 / variance)

    total = integrate.quad(density, -6, 6, epsabs=0, epsrel=1e-11, limit=200)[0]
    probability = np.array([0.001, 0.2, 0.5, 0.8, 0.999])
    log_variance = np.log(law.rate(np.exp(law.table.quantile(probability))) / posterior._basis.y_scale**2)
    below = [integrate.quad(density, -6, t, epsabs=0, epsrel=1e-11, limit=200)[0] for t in log_variance]
    np.testing.assert_allclose(np.array(below) / total, probability, rtol=1e-9)


def test_variance_scaled_is_normal_inverse_gamma_in_closed_form():
    energy = make(15, 4, weights=True, factors=[0.0, 1.0, 2.0, 1.0])
    posterior = RidgePosterior(energy, SCALED)
    np.testing.assert_allclose(posterior.coef_mean, energy.coef, rtol=1e-9)  # the mean is the mode
    shape = 4 + (15 - 1 - 1) / 2  # the intercept and one flat feature take a degree of freedom each
    rate = 4 + energy.value(energy.coef)
    assert posterior.dof == 2 * shape
    assert posterior.variance_mean == pytest.approx(rate / (shape - 1), rel=1e-12)
    draws = sample(energy, SCALED, draws=4000)
    assert stats.kstest(draws.sigma.ravel() ** 2, stats.invgamma(shape, scale=rate).cdf).pvalue > 1e-3

    row = np.array([[0.5, -1.0, 2.0, 0.0]])
    at, mean = posterior.predict(row), posterior.predict(row, kind="mean")
    assert at.std == pytest.approx(at.scale * np.sqrt(at.dof / (at.dof - 2)), rel=1e-12)
    fitted = (draws.coef @ row[0] + draws.intercept).ravel()
    assert stats.kstest(fitted, stats.t(mean.dof, mean.mean[0], mean.scale[0]).cdf).pvalue > 1e-3
    seen = fitted + draws.sigma.ravel() * np.random.default_rng(8).normal(size=fitted.size)
    assert stats.kstest(seen, stats.t(at.dof, at.mean[0], at.scale[0]).cdf).pvalue > 1e-3


def test_a_student_t_without_a_variance_still_has_a_scale():
    energy = make(4, 1)  # dof 3 and next to no prior: shape 1.5; with 2 rows shape 0.5
    two = energy_of(Ridge(alpha=1.0), energy.X[:2], energy.y[:2])
    posterior = RidgePosterior(two, NoiseModel("variance-scaled", None, (0.0, 0.0)))
    assert posterior.dof == 1.0
    at = posterior.predict(energy.X)
    assert np.all(np.isinf(at.std))
    A = np.column_stack([two.X[:, 0], np.ones(2)])
    inverse = np.linalg.inv(A.T @ A + np.diag([1.0, 0.0]))
    rows = np.column_stack([energy.X[:, 0], np.ones(4)])
    expected = two.value(two.coef) / 0.5 * (1 + np.einsum("ij,jk,ik->i", rows, inverse, rows))
    np.testing.assert_allclose(at.scale**2, expected, rtol=1e-10)
    assert np.all(np.isinf(posterior.coef_std()))


@CONTRACTS
def test_the_prior_rules_where_the_data_say_nothing(noise):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6, 30))
    X[:, 4] = 3.0  # constant
    energy = energy_of(Ridge(alpha=2.0), X, rng.normal(size=6))
    draws = sample(energy, noise, draws=4000)
    tau = np.full((4, 4000), noise.sigma**2) if noise.contract == "plug-in" else draws.sigma**2
    Xc = X - X.mean(axis=0)
    direction = rng.normal(size=30)
    direction -= np.linalg.pinv(Xc) @ (Xc @ direction)
    direction /= np.linalg.norm(direction)
    for along in (direction, np.eye(30)[4]):
        standard = (draws.coef @ along) / np.sqrt(tau / 2.0)
        assert stats.kstest(standard.ravel(), stats.norm.cdf).pvalue > 1e-3


def test_duplicated_columns_share_and_vary_as_their_prior_says():
    base = make(20, 2)
    energy = energy_of(Ridge(alpha=1.0), np.column_stack([base.X, base.X[:, 0]]), base.y)
    draws = sample(energy, KNOWN)
    difference = (draws.coef[..., 0] - draws.coef[..., 2]) / np.sqrt(2 * KNOWN.sigma**2)
    assert stats.kstest(difference.ravel(), stats.norm.cdf).pvalue > 1e-3
    twice = energy_of(Ridge(alpha=1.0, penalty_weights=[0.5, 1.0]), base.X, base.y)
    together = RidgePosterior(energy, KNOWN).predict(energy.X)
    # Their sum has the prior of one column whose penalty weight is half.
    np.testing.assert_allclose(together.std, RidgePosterior(twice, KNOWN).predict(base.X).std, rtol=1e-10)


@CONTRACTS
@pytest.mark.parametrize("alpha_prior", [None, ALPHA_PRIOR], ids=["fixed", "alpha"])
def test_the_same_seed_gives_the_same_draws_however_many_chains(noise, alpha_prior):
    energy = make(10, 3)
    first = sample(energy, noise, draws=50, chains=3, alpha_prior=alpha_prior)
    again = sample(energy, noise, draws=50, chains=2, alpha_prior=alpha_prior)
    other = sample(energy, noise, draws=50, chains=2, seed=1, alpha_prior=alpha_prior)
    for name in ("coef", "intercept", "sigma", "alpha"):
        if getattr(first, name) is not None:
            np.testing.assert_array_equal(getattr(first, name)[:2], getattr(again, name))
    assert not np.any(first.coef[:2] == other.coef)
    assert not np.any(first.coef[0] == first.coef[1])
    assert first.method == "exact"


def test_weights_are_precisions_and_not_copies():
    energy = make(8, 2)
    X, y = np.asarray(energy.X), energy.y
    doubled = RidgePosterior(energy_of(Ridge(alpha=1.5), X, y, np.full(8, 2.0)), SCALED)
    copied = RidgePosterior(energy_of(Ridge(alpha=1.5), np.tile(X, (2, 1)), np.tile(y, 2)), SCALED)
    np.testing.assert_allclose(doubled.coef_mean, copied.coef_mean, rtol=1e-10)
    assert (doubled.dof, copied.dof) == (8 + 7, 8 + 15)  # they differ in n₊ alone
    rate = doubled.variance_mean * (doubled.dof / 2 - 1)
    assert copied.variance_mean * (copied.dof / 2 - 1) == pytest.approx(rate, rel=1e-10)


@CONTRACTS
@pytest.mark.parametrize("alpha_prior", [None, ALPHA_PRIOR], ids=["fixed", "alpha"])
@pytest.mark.parametrize(("x", "y"), [(1e150, 1e-150), (1e-150, 1e150), (1e-3, 1e140), (1e100, 1e-140)])
def test_units_do_not_matter(noise, alpha_prior, x, y):
    energy = make(9, 3, weights=True)
    scaled_noise = NoiseModel(
        noise.contract,
        None if noise.sigma is None else noise.sigma * y,
        None if noise.prior is None else (noise.prior[0], noise.prior[1] * y * y),
    )
    model = Ridge(alpha=energy.penalty.l2 * x * x)
    scaled = energy_of(model, x * np.asarray(energy.X), y * energy.y, energy.sample_weight)
    here = sample(energy, noise, draws=20, chains=1, alpha_prior=alpha_prior)
    there = sample(
        scaled,
        scaled_noise,
        draws=20,
        chains=1,
        alpha_prior=None if alpha_prior is None else (alpha_prior[0], alpha_prior[1] / x / x),
    )
    np.testing.assert_allclose(there.coef * x / y, here.coef, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(there.sigma / y, here.sigma, rtol=1e-7)
    np.testing.assert_allclose(there.intercept / y, here.intercept, rtol=1e-6, atol=1e-9)
    if alpha_prior:
        np.testing.assert_allclose(there.alpha / x / x, here.alpha, rtol=1e-6)


def test_a_constant_target_leaves_the_prior_of_sigma_and_the_scale_of_the_data():
    X = make(10, 2).X
    energy = energy_of(Ridge(alpha=1.0), X, np.full(10, 3.0))
    draws = sample(energy, SCALED)
    law = stats.invgamma(4 + 4.5, scale=4.0)  # a least energy of zero
    assert stats.kstest(draws.sigma.ravel() ** 2, law.cdf).pvalue > 1e-3
    assert standard_errors(draws.coef, 0.0).max() < 5
    for noise in (NoiseModel("variance-scaled", None, (0.0, 0.0)), NoiseModel("plug-in", 1.0, (0.0, 0.0))):
        with pytest.raises(ValueError, match=r"noise_prior.*improper"):
            sample(energy, noise)


def test_nearly_collinear_columns_keep_their_digits():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(40, 1))
    X = base + 1e-6 * rng.normal(size=(40, 3))
    y = base[:, 0] + rng.normal(size=40)
    energy = energy_of(Ridge(alpha=1e-13), X, y)
    with np.errstate(all="ignore"):
        import mpmath

        with mpmath.workdps(50):
            A = mpmath.matrix(X.tolist())
            mean = [mpmath.fsum(A[:, j]) / 40 for j in range(3)]
            A = mpmath.matrix(40, 3)
            for i in range(40):
                for j in range(3):
                    A[i, j] = mpmath.mpf(X[i, j]) - mean[j]
            inverse = (A.T * A + mpmath.mpf(1e-13) * mpmath.eye(3)) ** -1
            expected = [float(mpmath.sqrt(inverse[j, j])) for j in range(3)]
    posterior = RidgePosterior(energy, NoiseModel("known", 1.0))
    np.testing.assert_allclose(posterior.coef_std(), expected, rtol=1e-6)


def test_columns_of_different_size_keep_their_digits_or_are_refused():
    energy = make(20, 3)
    sizes = np.array([1e5, 1.0, 1e-4])
    moderate = energy_of(Ridge(alpha=1.5), np.asarray(energy.X) * sizes, energy.y)
    by_weights = energy_of(Ridge(alpha=1.5, penalty_weights=sizes**-2), energy.X, energy.y)
    for noise in (KNOWN, SCALED, PLUG_IN):
        std = RidgePosterior(by_weights, noise).coef_std()
        np.testing.assert_allclose(RidgePosterior(moderate, noise).coef_std() * sizes, std, rtol=1e-9)
    extreme = energy_of(Ridge(alpha=1.5), np.asarray(energy.X) * [1e30, 1.0, 1.0], energy.y)
    with pytest.raises(ValueError, match=r"columns so different in size.*x[12].*x0.*StandardScaler"):
        sample(extreme, KNOWN)
    # Next to nothing beside the others, and beside its own prior: it is drawn from that.
    vanishing = energy_of(Ridge(alpha=1.5), np.asarray(energy.X) * [1e-30, 1.0, 1.0], energy.y)
    draws = sample(vanishing, KNOWN)
    prior = stats.norm(0, KNOWN.sigma / np.sqrt(1.5))
    assert stats.kstest(draws.coef[..., 0].ravel(), prior.cdf).pvalue > 1e-3


def test_sparse_data_have_the_posterior_of_the_same_dense_data():
    rng = np.random.default_rng(0)
    for n, p in ((40, 6), (10, 25)):
        X = rng.normal(size=(n, p)) * (rng.uniform(size=(n, p)) < 0.3)
        y = rng.normal(size=n)
        dense = RidgePosterior(energy_of(Ridge(), X, y), PLUG_IN)
        stored = RidgePosterior(energy_of(Ridge(), sparse.csr_array(X), y), PLUG_IN)
        np.testing.assert_allclose(stored.coef_mean, dense.coef_mean, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(stored.coef_std(), dense.coef_std(), rtol=1e-8)


def test_alpha_is_scikit_learns_own():
    base = make(10, 2)
    X, y = np.asarray(base.X), base.y
    net = energy_of(ElasticNet(alpha=0.15, l1_ratio=0.0), X, y)
    theirs = energy_of(SklearnElasticNet(alpha=0.15, l1_ratio=0.0, tol=1e-9, max_iter=100_000), X, y)
    assert net.alpha_scale == theirs.alpha_scale == 10.0
    as_ridge = sample(base, SCALED, draws=100, alpha_prior=ALPHA_PRIOR)
    for energy in (net, theirs):  # Ridge(Sα) is ElasticNet(α, l1_ratio=0)
        draws = sample(energy, SCALED, draws=100, alpha_prior=(ALPHA_PRIOR[0], ALPHA_PRIOR[1] * 10.0))
        np.testing.assert_allclose(10.0 * draws.alpha, as_ridge.alpha, rtol=1e-8)
        np.testing.assert_allclose(draws.coef, as_ridge.coef, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (Lasso(alpha=0.1), r"L1 penalty.*gibbs"),
        (Ridge(positive=True), r"sign constraint.*gibbs"),
        (Ridge(alpha=0.0), r"alpha must be > 0.*improper.*small alpha"),
        (Ridge(penalty_weights=[0.0, 0.0, 1.0]), r"penalty_weights.*x0, x1.*only 1"),
        (Ridge(penalty_weights=[1.0, 1.0, 0.0]), r"penalty_weights.*\(x2\).*constant"),
    ],
)
def test_a_posterior_that_does_not_exist_is_refused(estimator, message):
    X = make(10, 3).X.copy()
    X[:, 1], X[:, 2] = 2.0 * X[:, 0], 1.0
    with pytest.raises(ValueError, match=message):
        sample(energy_of(estimator, X, X[:, 0] + np.arange(10.0)), SCALED)


@pytest.mark.parametrize(
    ("alpha_prior", "error"),
    [((0.0, 1.0), ValueError), ((1.0, np.inf), ValueError), (1.0, TypeError), ((1, 2, 3), TypeError)],
)
def test_a_bad_prior_of_alpha_is_named(alpha_prior, error):
    with pytest.raises(error, match="alpha_prior must be two finite numbers > 0"):
        sample(make(10, 2), SCALED, alpha_prior=alpha_prior)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, 12),
    p=st.integers(1, 15),
    seed=st.integers(0, 10**6),
    contract=st.sampled_from([KNOWN, SCALED, PLUG_IN]),
    intercept=st.booleans(),
    weights=st.booleans(),
    flat=st.booleans(),
    learn=st.booleans(),
)
def test_every_shape_has_finite_draws_and_the_modes_mean(
    n, p, seed, contract, intercept, weights, flat, learn
):
    factors = np.random.default_rng(seed).uniform(0.2, 5.0, p)
    factors[0] = 0.0 if flat and n > 1 + intercept else factors[0]
    energy = make(n, p, seed, weights=weights, intercept=intercept, factors=factors)
    draws = sample(energy, contract, draws=7, chains=2, alpha_prior=ALPHA_PRIOR if learn else None)
    assert draws.coef.shape == (2, 7, p)
    assert np.all(np.isfinite(draws.coef)) and np.all(draws.sigma > 0)
    if contract is not PLUG_IN and not learn:
        mean = RidgePosterior(energy, contract).coef_mean
        np.testing.assert_allclose(mean, energy.coef, rtol=1e-6, atol=1e-8 * np.abs(energy.coef).max())


@pytest.mark.parametrize("replications", [200, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("alpha_prior", [None, (3.0, 2.0)], ids=["fixed", "alpha"])
@pytest.mark.parametrize("contract", ["known", "variance-scaled", "plug-in"])
@pytest.mark.parametrize("p", [3, 14])
def test_ranks_of_the_truth_among_draws_are_uniform(contract, alpha_prior, p, replications):
    rng = np.random.default_rng(11)
    n, bins = 10, 8
    noise = NoiseModel(
        contract,
        None if contract == "variance-scaled" else 0.9,
        None if contract == "known" else (4.0, 4.0),
    )
    X = rng.normal(size=(n, p))
    factors = rng.uniform(0.5, 2.0, p)
    weights = rng.uniform(0.5, 2.0, n)
    model = Ridge(alpha=1.2, fit_intercept=False, penalty_weights=factors).fit(X, np.zeros(n))
    ranks = []
    for _ in range(replications):
        variance = 0.81 if contract == "known" else 4.0 / rng.standard_gamma(4.0)
        tau = 0.81 if contract == "plug-in" else variance
        alpha = 1.2 if alpha_prior is None else rng.gamma(alpha_prior[0]) / alpha_prior[1]
        w = rng.normal(size=p) * np.sqrt(tau / (alpha * factors))
        y = X @ w + rng.normal(size=n) * np.sqrt(variance / weights)
        energy = energy_of(model, X, y, weights)
        generators = [np.random.default_rng(rng.integers(2**60))]
        draws = draw_exact(energy, noise, draws=bins - 1, generators=generators, alpha_prior=alpha_prior)
        truth = [w[0], np.sum(w**2), energy.y @ X @ w]
        found = [draws.coef[0, :, 0], np.sum(draws.coef[0] ** 2, axis=1), draws.coef[0] @ X.T @ energy.y]
        if contract != "known":
            truth.append(np.sqrt(variance))
            found.append(draws.sigma[0])
        if alpha_prior is not None:
            truth.append(alpha)
            found.append(draws.alpha[0])
        ranks.append([np.sum(f < t) for f, t in zip(found, truth, strict=True)])
    for column in np.array(ranks).T:
        counts = np.bincount(column, minlength=bins)
        assert stats.chisquare(counts).pvalue > 0.01 / 30


def test_the_default_contract_of_an_estimator_is_drawn_from(diabetes):
    X, y, weights = diabetes
    energy = energy_of(Ridge(alpha=3.0), X, y, weights)
    draws = sample(energy, noise_model(None, None, energy), draws=500)
    assert np.all(np.abs(draws.coef.mean(axis=(0, 1)) - energy.coef) < 5.0)
    assert draws.sigma.mean() == pytest.approx(54 * np.sqrt(weights.mean()), rel=0.1)
