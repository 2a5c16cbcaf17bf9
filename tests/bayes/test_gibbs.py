"""Draws of the Gibbs sampler against quadrature, of one and two coefficients, and what must not matter."""

import numpy as np
import pytest
from gibbs_truth import OneCoefficient, log_posterior, make_energy
from scipy import sparse, stats
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso

from skreg.bayes import gibbs, walk
from skreg.bayes.diagnostics import convergence
from skreg.bayes.draws import chain_generators
from skreg.bayes.gibbs import draw_gibbs
from skreg.bayes.noise import NoiseModel, SDScaled, noise_model
from skreg.linear_model.energy import energy_of

PRIOR = (2.0, 1.5)
KNOWN = NoiseModel("known", 0.7)
VARIANCE_SCALED = NoiseModel("variance-scaled", None, PRIOR)
PLUG_IN = NoiseModel("plug-in", 0.8, PRIOR)
SD_SCALED = NoiseModel("sd-scaled", None, PRIOR, 1.3)
CONTRACTS = {
    "known": (KNOWN, 1.5, 0.0),
    "known net": (KNOWN, 1.5, 2.0),
    "variance-scaled": (VARIANCE_SCALED, 1.5, 0.0),
    "variance-scaled net": (VARIANCE_SCALED, 1.5, 2.0),
    "variance-scaled ridge": (VARIANCE_SCALED, 0.0, 2.0),
    "plug-in": (PLUG_IN, 1.5, 0.0),
    "plug-in net": (PLUG_IN, 1.5, 2.0),
    "sd-scaled": (SD_SCALED, 1.5, 0.0),
}
every_contract = pytest.mark.parametrize("contract", CONTRACTS)


def draw(energy, noise, *, draws=2000, tune=50, chains=1, seed=0, mirrored=None, **kwargs):
    """Draw, with a given number of mirrored sweeps if one is given."""
    with pytest.MonkeyPatch.context() as patch:
        if mirrored is not None:
            patch.setattr(gibbs, "_MIRRORED", ((0.0, mirrored),))
            tune = max(tune, 200)
        return draw_gibbs(
            energy, noise, draws=draws, tune=tune, generators=chain_generators(seed, chains), **kwargs
        )


def p_value(draws, cdf, every=10):
    """Kolmogorov and Smirnov's, of draws so far apart that they are as good as independent."""
    return stats.kstest(draws[::every], cdf).pvalue


def one_column(seed=0, n=6, slope=0.6):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 1))
    return X, slope * X[:, 0] + rng.normal(size=n)


def check_one_coefficient(energy, noise, *, mirrored=1, degrees=None, seed=0, w=None):
    """Draws of (w, σ²) have the distribution that quadrature finds; returns the smaller p-value."""
    drawn = draw(energy, noise, draws=30_000, mirrored=mirrored, seed=seed)
    truth = OneCoefficient(energy if w is None else w, noise, degrees=degrees)
    values = [p_value(drawn.coef[0, :, 0], truth.cdf)]
    if noise.contract != "known":
        values.append(p_value(drawn.sigma[0] ** 2, truth.variance_cdf))
    return min(values)


@every_contract
@pytest.mark.parametrize("mirrored", [1, 15])
@pytest.mark.parametrize("positive", [False, True])
def test_one_coefficient_is_drawn_from_its_posterior(contract, mirrored, positive):
    noise, l1, l2 = CONTRACTS[contract]
    X, y = one_column()
    energy = make_energy(X, y, l1, l2, positive=positive, coef=np.array([0.4]))
    assert check_one_coefficient(energy, noise, mirrored=mirrored) > 1e-3


@every_contract
@pytest.mark.parametrize("slope", [-3.0, -0.3, 0.0, 8.0])
def test_one_coefficient_far_from_the_kink_and_near_it(contract, slope):
    noise, l1, l2 = CONTRACTS[contract]
    X, y = one_column(1, slope=slope)
    assert check_one_coefficient(make_energy(X, y, l1, l2), noise, mirrored=3) > 1e-3


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("strength", [1e-8, 1e-3, 10.0, 1e3, 1e8])
@pytest.mark.parametrize(
    "contract", ["known", "known net", "variance-scaled", "variance-scaled net", "plug-in"]
)
def test_one_coefficient_under_penalties_weak_and_strong(contract, strength, positive):
    noise, l1, l2 = CONTRACTS[contract]
    X, y = one_column(2, slope=-0.5)
    energy = make_energy(X, y, l1 * strength, l2 * strength, positive=positive)
    assert check_one_coefficient(energy, noise, mirrored=3) > 1e-3


@pytest.mark.parametrize("rate", [1e-8, 1e-3, 1e3, 1e8])
def test_one_coefficient_under_rates_weak_and_strong(rate):
    X, y = one_column(3)
    noise = NoiseModel("sd-scaled", None, PRIOR, rate)
    assert check_one_coefficient(make_energy(X, y, 1.0), noise, mirrored=3) > 1e-3


@every_contract
def test_a_constant_column_keeps_its_prior(contract):
    noise, l1, l2 = CONTRACTS[contract]
    _, y = one_column(4)
    energy = make_energy(np.full((6, 1), 3.0), y, l1, l2, intercept=True)
    assert check_one_coefficient(energy, noise, mirrored=3) > 1e-3


@every_contract
@pytest.mark.parametrize("form", ["gram", "rows"])
def test_an_intercept_is_a_flat_column_of_ones(contract, form):
    noise, l1, l2 = CONTRACTS[contract]
    rng = np.random.default_rng(5)
    if form == "gram":
        X, y = one_column(5)
        assert check_one_coefficient(make_energy(X + 2.0, y, l1, l2, intercept=True), noise) > 1e-3
        return
    # Three rows and seven columns of which all but one are constant: those keep their priors.
    X = np.ones((3, 7)) * rng.normal(size=7)
    X[:, 0] = [0.0, 1.0, 3.0]
    y = rng.normal(size=3)
    energy = make_energy(X, y, l1, l2, intercept=True)
    drawn = draw(energy, noise, draws=30_000, mirrored=1)
    truth = OneCoefficient(make_energy(X[:, :1], y, l1, l2, intercept=True), noise)
    assert p_value(drawn.coef[0, :, 0], truth.cdf) > 1e-3
    if noise.contract != "known":
        assert p_value(drawn.sigma[0] ** 2, truth.variance_cdf) > 1e-3


@every_contract
@pytest.mark.parametrize("flat", [0, 1])
def test_a_flat_feature_is_projected_off(contract, flat):
    noise, l1, l2 = CONTRACTS[contract]
    rng = np.random.default_rng(6)
    X, y = rng.normal(size=(7, 2)), rng.normal(size=7)
    X[:, 1] += X[:, 0]
    factors = np.ones(2)
    factors[flat] = 0.0
    drawn = draw(make_energy(X, y, l1, l2, factors=factors), noise, draws=30_000, mirrored=3)
    unit = X[:, flat] / np.linalg.norm(X[:, flat])
    off = np.eye(7) - np.outer(unit, unit)
    truth = OneCoefficient(make_energy(off @ X[:, [1 - flat]], off @ y, l1, l2), noise, degrees=6)
    assert p_value(drawn.coef[0, :, 1 - flat], truth.cdf) > 1e-3
    if noise.contract != "known":
        assert p_value(drawn.sigma[0] ** 2, truth.variance_cdf) > 1e-3


@every_contract
@pytest.mark.parametrize("intercept", [False, True])
def test_weights_and_penalty_weights_are_those_of_the_model(contract, intercept):
    noise, l1, l2 = CONTRACTS[contract]
    X, y = one_column(7)
    weights = np.array([0.2, 3.0, 1.0, 0.7, 1.5, 2.0])
    energy = make_energy(X, y, l1, l2, factors=[2.5], weights=weights, intercept=intercept)
    assert check_one_coefficient(energy, noise) > 1e-3


@every_contract
@pytest.mark.parametrize("positive", [False, True])
def test_two_coefficients_have_the_moments_of_quadrature(contract, positive):
    noise, l1, l2 = CONTRACTS[contract]
    rng = np.random.default_rng(8)
    X = rng.normal(size=(5, 2)) @ [[1.0, 0.8], [0.0, 0.6]]
    y = X @ [0.8, -0.1] + 0.5 * rng.normal(size=5)
    factors = np.array([1.0, 0.5])
    energy = make_energy(X, y, l1, l2, factors=factors, positive=positive, coef=np.array([0.3, -0.2]))
    drawn = draw(energy, noise, draws=10_000, chains=4, mirrored=3)
    for j in range(2):
        order = [1 - j, j]
        swapped = make_energy(X[:, order], y, l1, l2, factors=factors[order], positive=positive)
        w = drawn.coef[..., j]
        ess = convergence(drawn.coef).ess_bulk[j]
        # The other coefficient on a grid over ten of its standard deviations, with a node at its kink.
        spread = 10 * drawn.coef[..., 1 - j].std()
        grid = np.linspace(0.0 if positive else -spread, spread, 1501)
        mean, sd, above = OneCoefficient(swapped, noise, others=grid[:, None], nodes=300).moments()
        assert abs(w.mean() - mean) < 4 * sd / np.sqrt(min(ess, w.size)) + (2e-3 * sd if positive else 0)
        assert abs(w.std() / sd - 1) < 0.04
        assert abs(np.mean(w > 0) - above) < 0.015


@pytest.mark.parametrize("contract", ["variance-scaled", "variance-scaled net", "plug-in", "sd-scaled"])
def test_quadrature_finds_a_shape_that_is_off_by_a_half(contract, monkeypatch):
    right = walk._contract
    monkeypatch.setattr(walk, "_contract", lambda posterior: (right(posterior)[0], right(posterior)[1] + 0.5))
    noise, l1, l2 = CONTRACTS[contract]
    X, y = one_column()
    assert check_one_coefficient(make_energy(X, y, l1, l2), noise) < 1e-6


# ---------------------------------------------------------------- what must not matter


def wide(seed=0, n=6, p=20):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X[:, 0] - X[:, 1] + 0.3 * rng.normal(size=n)


def same_posterior(first, second, tolerance=4.5):
    """Whether means and squares of two runs differ by no more than their Monte Carlo errors allow."""
    for f in (lambda x: x, np.abs, lambda x: x > 0):
        for a, b in ((first.coef, second.coef), (first.sigma[..., None], second.sigma[..., None])):
            a, b = f(a).astype(float), f(b).astype(float)
            n = a.shape[0] * a.shape[1] / 5.0
            error = np.sqrt((a.var(axis=(0, 1)) + b.var(axis=(0, 1))) / n) + 1e-12 * np.abs(a).max()
            if np.any(np.abs(a.mean(axis=(0, 1)) - b.mean(axis=(0, 1))) > tolerance * error):
                return False
    return True


@every_contract
@pytest.mark.parametrize("positive", [False, True])
def test_the_centre_of_the_stretches_does_not_move_the_posterior(contract, positive):
    noise, l1, l2 = CONTRACTS[contract]
    rng = np.random.default_rng(9)
    X, y = rng.normal(size=(10, 3)), rng.normal(size=10)
    runs = [
        draw(make_energy(X, y, l1, l2, positive=positive, coef=np.array(centre)), noise, draws=5000, chains=4)
        for centre in ([0.0, 0.0, 0.0], [3.0, -2.0, 1.0])
    ]
    assert same_posterior(*runs)


@every_contract
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_rows_and_gram_matrix_give_one_posterior(contract, positive, intercept, monkeypatch):
    noise, l1, l2 = CONTRACTS[contract]
    X, y = wide()
    energy = make_energy(X, y, l1, l2, positive=positive, intercept=intercept)
    by_rows = draw(energy, noise, draws=5000, chains=4, mirrored=3)
    monkeypatch.setattr(walk, "_WIDE", np.inf)
    assert same_posterior(by_rows, draw(energy, noise, draws=5000, chains=4, mirrored=3, seed=1))


def test_wide_data_of_full_rank_have_stretches_of_the_residual_and_others_have_none():
    X, y = wide()
    for matrix, intercept, expected in [
        (X, True, True),
        (X, False, True),
        (np.vstack([X[:-1], X[:1]]), False, False),  # two rows are one
    ]:
        energy = make_energy(matrix, y, 1.0, intercept=intercept)
        start = walk.Start(gibbs.scaled_posterior(energy, NoiseModel("plug-in", 1.0, PRIOR)), energy)
        inverse, A, r = (start.arguments[name] for name in ("inverse", "matrix", "centre_states"))
        assert (inverse.size > 0) is expected
        if expected:
            np.testing.assert_allclose(A @ (inverse @ r[1]), r[1], atol=1e-12)


def test_dependent_rows_are_drawn_right():
    X, y = wide(n=4, p=11)
    X[3] = X[0]
    # Six rows of zeros say nothing of w, but that σ² is 0 with shape 3 more: as a₀ does.
    padded = make_energy(np.vstack([X, np.zeros((6, 11))]), np.concatenate([y, np.zeros(6)]), 1.5)
    a0, b0 = PRIOR
    by_rows = draw(
        make_energy(X, y, 1.5), NoiseModel("variance-scaled", None, (a0 + 3.0, b0)), draws=5000, chains=4
    )
    by_gram = draw(padded, VARIANCE_SCALED, draws=5000, chains=4, seed=1)
    assert same_posterior(by_rows, by_gram)


@every_contract
def test_sparse_data_give_the_posterior_of_dense_ones(contract):
    noise, l1, l2 = CONTRACTS[contract]
    rng = np.random.default_rng(10)
    X = rng.normal(size=(15, 4)) * (rng.uniform(size=(15, 4)) < 0.5)
    y = X[:, 0] + rng.normal(size=15)
    for intercept in (False, True):
        dense, thin = (
            draw(make_energy(data, y, l1, l2, intercept=intercept), noise)
            for data in (X, sparse.csr_array(X))
        )
        np.testing.assert_allclose(dense.coef[:, :20], thin.coef[:, :20], rtol=1e-6, atol=1e-9)
        assert same_posterior(dense, thin)


@every_contract
def test_lp_is_the_log_density_of_each_draw(contract):
    noise, l1, l2 = CONTRACTS[contract]
    X, y = wide(p=5)
    for options in ({}, {"factors": np.array([1.0, 2.0, 0.5, 1.0, 3.0]), "intercept": True}):
        energy = make_energy(X, y, l1, l2, **options)
        drawn = draw(energy, noise, draws=50, chains=2)
        expected = log_posterior(energy, noise, drawn.coef, drawn.sigma**2)
        offset = drawn.stats["lp"] - expected
        np.testing.assert_allclose(offset, offset[0, 0], rtol=0, atol=1e-8)


@pytest.mark.parametrize("contract", [name for name in CONTRACTS if name != "sd-scaled"])
def test_lp_is_the_log_density_of_each_draw_and_its_alpha(contract):
    noise, l1, l2 = CONTRACTS[contract]
    X, y = wide(p=5)
    energy = make_energy(X, y, l1, l2, alpha=0.7)
    drawn = draw(energy, noise, draws=50, chains=2, alpha_prior=(2.0, 1.0))
    expected = np.empty((2, 50))
    for place in np.ndindex(2, 50):
        alpha = drawn.alpha[place]
        here = make_energy(X, y, l1 * alpha / 0.7, l2 * alpha / 0.7)
        expected[place] = log_posterior(here, noise, drawn.coef[place], np.float64(drawn.sigma[place] ** 2))
        expected[place] += np.log(alpha) - alpha
    offset = drawn.stats["lp"] - expected
    np.testing.assert_allclose(offset, offset[0, 0], rtol=0, atol=1e-8)


def test_an_sd_scaled_prior_has_no_alpha_to_draw():
    X, y = wide(p=5)
    with pytest.raises(ValueError, match="alpha_prior"):
        draw(make_energy(X, y, 1.0), SD_SCALED, alpha_prior=(2.0, 1.0))


@pytest.mark.parametrize("n, p", [(30, 5), (10, 60)])
@every_contract
def test_one_seed_gives_the_same_draws_whatever_the_number_of_threads(contract, n, p, monkeypatch):
    monkeypatch.setattr(gibbs, "_WORTH_THREADS", 0)
    noise, l1, l2 = CONTRACTS[contract]
    X, y = wide(n=n, p=p)
    energy = make_energy(X, y, l1, l2, intercept=True)
    runs = [draw(energy, noise, draws=50, tune=210, chains=4, seed=3, n_jobs=n_jobs) for n_jobs in (1, 2, 4)]
    for run in runs[1:]:
        for name in ("coef", "intercept", "sigma"):
            np.testing.assert_array_equal(getattr(run, name), getattr(runs[0], name))


def test_a_chain_does_not_depend_on_how_many_others_there_are():
    X, y = wide()
    for options in ({}, {"alpha_prior": (2.0, 1.0)}):
        few, many = (
            draw(make_energy(X, y, 1.0), VARIANCE_SCALED, draws=30, chains=k, **options) for k in (2, 5)
        )
        np.testing.assert_array_equal(few.coef, many.coef[:2])
        np.testing.assert_array_equal(few.sigma, many.sigma[:2])
        assert len(np.unique(many.coef[:, 0, 0])) == 5


def test_the_posterior_does_not_depend_on_the_size_of_a_block_of_uniforms(monkeypatch):
    X, y = wide(p=5)
    runs = []
    for block in (2**16, 1):
        monkeypatch.setattr(walk, "_BLOCK", block)
        runs.append(draw(make_energy(X, y, 1.0), VARIANCE_SCALED, draws=4000, chains=4))
    assert same_posterior(*runs)


@pytest.mark.parametrize("tune", [0, 10, 199, 200, 450])
def test_report_counts_every_draw(tune):
    X, y = wide(p=5)
    counts = []
    drawn = draw(make_energy(X, y, 1.0), KNOWN, draws=100, tune=tune, chains=3, report=counts.append)
    assert sum(counts) == 3 * (100 + tune)
    assert drawn.coef.shape == (3, 100, 5)
    assert drawn.settings["tune"] == tune


# ---------------------------------------------------------------- hard data


def hard_data():
    rng = np.random.default_rng(11)
    X = rng.normal(size=(40, 5))
    y = X[:, 0] - 0.5 * X[:, 1] + rng.normal(size=40)
    noisy = X[:, [0]] + 0.1 * rng.normal(size=(40, 5))
    yield "duplicated columns", np.hstack([X, X[:, :2]]), y
    yield "correlated .99", noisy, y
    yield "more features than rows", rng.normal(size=(10, 100)), y[:10]
    yield "more features than rows, not wide", rng.normal(size=(20, 35)), y[:20]
    yield "tiny X", 1e-100 * X, y
    yield "huge X", 1e100 * X, y
    yield "tiny y", X, 1e-100 * y
    yield "huge y", X, 1e100 * y
    yield "columns of all sizes", X * [1e-100, 1e-5, 1.0, 1e5, 1e100], y
    yield "y constant", X, np.full(40, 3.0)
    yield "y zero", X, np.zeros(40)
    yield "constant columns", np.hstack([X, np.ones((40, 2)), np.zeros((40, 1))]), y
    yield "all columns constant", np.ones((40, 3)), y
    yield "one row", X[:1], y[:1]
    yield "two rows", X[:2], y[:2]


HARD = {name: data for name, *data in hard_data()}


@pytest.mark.parametrize("noise", [None, "variance-scaled", "sd-scaled", "known"])
@pytest.mark.parametrize("case", HARD)
def test_chains_agree_on_hard_data(case, noise):
    X, y = HARD[case]
    intercept = True
    size = np.abs(X).max(axis=0)
    span = (np.abs(y - y.mean()).max() or np.abs(y).max() or 1.0) if len(y) > 1 else 1.0
    # As strong as a standard deviation of a column times one of y, whatever their units.
    l1 = 3.0 * span * np.max(size[size > 0])
    factors = size / np.max(size) if case == "columns of all sizes" else np.ones(X.shape[1])
    energy = make_energy(X, y, l1, factors=factors, intercept=intercept)
    if noise == "sd-scaled":
        contract = NoiseModel("sd-scaled", None, (0.5, 0.005 * span**2), 3.0 * np.max(size))
    elif noise == "known":
        contract = NoiseModel("known", span)
    elif noise is None:
        contract = NoiseModel("plug-in", span, (0.5, 0.005 * span**2))
    else:
        contract = NoiseModel(noise, None, (0.5, 0.005 * span**2))
    drawn = draw(energy, contract, draws=1000, tune=None, chains=4)
    for name in ("coef", "intercept", "sigma"):
        assert np.all(np.isfinite(getattr(drawn, name)))
    assert np.all(drawn.sigma > 0)
    assert np.nanmax(convergence(drawn.coef).rhat) < 1.03
    if noise != "known":
        assert convergence(np.log(drawn.sigma)[..., None]).rhat[0] < 1.03


@pytest.mark.parametrize("sigma", [1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("n", [20, 1])
def test_a_sigma_far_below_y_is_resolved(sigma, n):
    rng = np.random.default_rng(12)
    if n == 1:  # by rows: one row of weight one, and two columns of zeros
        X, truth = np.array([[1.0, 0.0, 0.0]]), np.array([1.0])
    else:
        X, truth = rng.normal(size=(n, 2)), np.array([1.0, -0.5])
    active = X[:, : truth.size]
    y = active @ truth + sigma * rng.normal(size=n)
    # Far from the kink the posterior is normal.
    gram = active.T @ active
    mean = np.linalg.solve(gram, active.T @ y - sigma * np.sign(truth))
    sd = sigma * np.sqrt(np.diag(np.linalg.inv(gram)))
    centre = np.zeros(X.shape[1])
    centre[: truth.size] = mean
    drawn = draw(make_energy(X, y, sigma, coef=centre), NoiseModel("known", sigma), draws=4000, chains=2)
    z = (drawn.coef[..., : truth.size] - mean) / sd
    np.testing.assert_allclose(z.mean(axis=(0, 1)), 0.0, atol=0.06 + 1e-15 / sigma)
    np.testing.assert_allclose(z.std(axis=(0, 1)), 1.0, atol=0.05)


def test_a_centre_beyond_all_scales_of_the_posterior_is_harmless():
    rng = np.random.default_rng(13)
    X, y = rng.normal(size=(5, 34)), rng.normal(size=5)
    noise, factors = NoiseModel("plug-in", 1e-9, PRIOR), np.r_[0.0, 0.0, np.ones(32)]
    near, far = (
        draw(make_energy(X, y, 1.0, factors=factors, coef=coef), noise, draws=4000, chains=4, mirrored=3)
        for coef in (np.zeros(34), rng.normal(size=34))
    )
    assert same_posterior(near, far)


def test_units_change_nothing_but_the_units():
    X, y = HARD["correlated .99"]
    first = draw(make_energy(X, y, 2.0), NoiseModel("variance-scaled", None, (1.0, 1.0)))
    a, b = 2.0**300, 2.0**-200
    other = draw(make_energy(a * X, b * y, 2.0 * a * b), NoiseModel("variance-scaled", None, (1.0, b * b)))
    np.testing.assert_allclose(other.coef * (a / b), first.coef, rtol=1e-6)
    np.testing.assert_allclose(other.sigma / b, first.sigma, rtol=1e-6)


# ---------------------------------------------------------------- a table in print

PARK_AND_CASELLA = {
    "age": (-3.73, -112.02, 103.62),
    "sex": (-214.55, -334.42, -94.24),
    "bmi": (522.62, 393.07, 653.82),
    "bp": (307.56, 180.26, 436.70),
    "s1": (-173.16, -579.33, 128.54),
    "s2": (-1.50, -274.62, 341.48),
    "s3": (-152.12, -381.60, 69.75),
    "s4": (90.43, -129.48, 349.82),
    "s5": (523.26, 332.11, 732.75),
    "s6": (62.47, -51.22, 188.75),
}


def test_park_and_casella_table_1():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    energy = energy_of(Lasso(alpha=0.1), X, y)
    noise = noise_model(SDScaled(0.237), (0, 0), energy, proper=False)
    drawn = draw(energy, noise, draws=5000, tune=None, chains=4)
    low, median, high = np.quantile(drawn.coef, [0.025, 0.5, 0.975], axis=(0, 1))
    printed = np.array([PARK_AND_CASELLA[name] for name in energy.feature_names])
    np.testing.assert_allclose(median, printed[:, 0], rtol=0, atol=4)
    np.testing.assert_allclose(np.stack([low, high]), printed[:, 1:].T, rtol=0, atol=12)


@every_contract
@pytest.mark.parametrize("positive", [False, True])
def test_a_slide_leaves_the_posterior_as_it_is(contract, positive, monkeypatch):
    noise, l1, l2 = CONTRACTS[contract]
    X, y = one_column(7)
    energy = make_energy(X, y, l1, l2, positive=positive)
    efficiency = iter([0.1, 0.9])  # a pilot that is stuck, and one that slides have freed
    monkeypatch.setattr(gibbs, "_efficiency", lambda paths: next(efficiency))
    monkeypatch.setattr(walk, "_UNDETERMINED", np.inf)  # every direction
    drawn = draw(energy, noise, draws=30_000, tune=300)
    assert drawn.settings["directions"] == 1
    truth = OneCoefficient(energy, noise)
    assert p_value(drawn.coef[0, :, 0], truth.cdf) > 1e-3
    if noise.contract != "known":
        assert p_value(drawn.sigma[0] ** 2, truth.variance_cdf) > 1e-3


def test_slides_free_chains_that_collinear_columns_hold_fast():
    rng = np.random.default_rng(8)
    X = rng.normal(size=(300, 8))
    X = np.hstack([X, X[:, :4]])
    y = X[:, :4] @ [3.0, -2.0, 1.0, 0.5] + rng.normal(size=300)
    energy = energy_of(Lasso(alpha=1e-4), X, y)
    noise = noise_model("variance-scaled", None, energy)
    drawn = draw(energy, noise, draws=500, tune=300, chains=4)
    assert drawn.settings["directions"] == 4
    assert drawn.settings["mirrored_sweeps"] <= 3
    assert convergence(drawn.coef).ess_bulk.min() > 500
