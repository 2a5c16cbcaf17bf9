from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import make_regression
from sklearn.linear_model import LinearRegression

from skreg import BayesianRegressor, ElasticNet, Lasso, LassoCV, Ridge, RidgeCV, energy_of, posterior
from skreg.bayes.exact import RidgePosterior
from skreg.bayes.noise import SDScaled, degrees_of_freedom, noise_model, plug_in_variance, typical_size
from skreg.bayes.sampling import sample


def hat_trace(energy, columns, l2):
    """The trace of ∂ŷ/∂y by brute force: refit the columns to every unit vector."""
    n = energy.n_samples
    root = np.sqrt(energy.sample_weight)
    A = root[:, None] * np.column_stack([np.ones(n), energy.X[:, columns]])
    D = np.diag([0.0, *np.asarray(l2)])
    return np.trace(A @ np.linalg.solve(A.T @ A + D, A.T))


def test_degrees_of_freedom_are_the_trace_of_the_hat_matrix(small):
    X, y, weights = small
    ridge = energy_of(Ridge(alpha=2.0), X, y, weights)
    assert degrees_of_freedom(ridge) == pytest.approx(hat_trace(ridge, [0, 1, 2], [2.0] * 3), rel=1e-12)

    factors = energy_of(Ridge(alpha=2.0, penalty_weights=[0.0, 1.0, 3.0]), X, y, weights)
    expected = hat_trace(factors, [0, 1, 2], [0.0, 2.0, 6.0])
    assert degrees_of_freedom(factors) == pytest.approx(expected, rel=1e-12)

    net = energy_of(ElasticNet(alpha=0.5), X, y, weights)
    active = np.flatnonzero(net.coef)
    assert 0 < active.size < 3
    expected = hat_trace(net, active, [net.penalty.l2] * active.size)
    assert degrees_of_freedom(net) == pytest.approx(expected, rel=1e-12)


def test_degrees_of_freedom_of_the_lasso_count_its_coefficients(small):
    X, y, _ = small
    lasso = energy_of(Lasso(alpha=0.5), X, y)
    assert degrees_of_freedom(lasso) == np.count_nonzero(lasso.coef) + 1
    without = energy_of(Lasso(alpha=0.5, fit_intercept=False), X, y)
    assert degrees_of_freedom(without) == np.count_nonzero(without.coef)


def test_a_column_twice_is_one_degree_of_freedom(small):
    X, y, _ = small
    twice = np.column_stack([X, 2.0 * X[:, 0]])
    energy = energy_of(Lasso(alpha=0.05), X, y)
    both = np.append(energy.coef, 0.1)  # an optimum too, as coordinate descent may end at
    both[0] -= 0.2
    doubled = replace(energy_of(Lasso(alpha=0.05), twice, y), coef=both)
    assert degrees_of_freedom(doubled) == degrees_of_freedom(energy)
    assert plug_in_variance(doubled) == pytest.approx(plug_in_variance(energy), rel=1e-12)


def test_degrees_of_freedom_with_more_features_than_rows():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(8, 20)), rng.normal(size=8)
    energy = energy_of(Ridge(alpha=1.0), X, y)
    assert degrees_of_freedom(energy) == pytest.approx(hat_trace(energy, range(20), [1.0] * 20), rel=1e-10)


def test_plug_in_variance_of_least_squares_is_the_unbiased_estimate(small):
    X, y, _ = small
    residual = y - LinearRegression().fit(X, y).predict(X)
    assert plug_in_variance(energy_of(Ridge(alpha=0.0), X, y)) == pytest.approx(
        residual @ residual / (12 - 4)
    )


def test_plug_in_variance_is_that_of_a_row_of_weight_one(small):
    X, y, weights = small
    lasso = [energy_of(Lasso(alpha=0.3), X, y, w) for w in (weights, 100.0 * weights)]
    assert plug_in_variance(lasso[1]) == pytest.approx(100.0 * plug_in_variance(lasso[0]), rel=1e-9)
    assert lasso[0].n_samples == 10  # rows of weight zero do not count


def test_plug_in_is_refused_when_nothing_is_left_to_estimate_from():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(5, 5)), rng.normal(size=5)
    with pytest.raises(ValueError, match=r"plug-in.*degrees of freedom.*uses 5 of 5 rows"):
        noise_model("plug-in", None, energy_of(Ridge(alpha=0.0), X, y))
    X = rng.normal(size=(10, 2))
    with pytest.raises(ValueError, match=r"plug-in.*leaves none"):
        noise_model("plug-in", None, energy_of(Ridge(alpha=0.0), X, X @ [1.0, 2.0] + 3.0))


def test_the_default_noise_prior_is_weak_and_scales_with_y(small):
    X, y, _ = small
    a0, b0 = noise_model("variance-scaled", None, energy_of(Ridge(), X, y)).prior
    scaled = noise_model("variance-scaled", None, energy_of(Ridge(), X, -1e6 * y + 3.0)).prior
    assert scaled == pytest.approx((a0, 1e12 * b0), rel=1e-9)
    # Worth one row (½) with a residual of sd(y)/10; nine tenths of it within 0.05 and 1.6 sd(y).
    assert a0 == 0.5
    assert 2 * b0 == pytest.approx((0.1 * y.std()) ** 2)
    inside = np.diff(stats.invgamma(a0, scale=b0).cdf(np.array([0.05, 1.6]) ** 2 * y.var()))
    assert inside == pytest.approx(0.9, abs=0.01)


def test_typical_size_of_y_is_never_zero(small):
    X, y, weights = small
    assert typical_size(energy_of(Ridge(), X, y)) == pytest.approx(y.std())
    assert typical_size(energy_of(Ridge(fit_intercept=False), X, y)) == pytest.approx(np.sqrt(np.mean(y**2)))
    assert typical_size(energy_of(Ridge(), X, 1e150 * y)) == pytest.approx(1e150 * y.std())
    assert typical_size(energy_of(Ridge(), X, np.full(12, -0.1), weights)) == pytest.approx(0.1)
    assert typical_size(energy_of(Ridge(), X, np.zeros(12))) == 1.0
    weighted = typical_size(energy_of(Ridge(), X, y, weights))
    assert typical_size(energy_of(Ridge(), X, y, 4 * weights)) == pytest.approx(2 * weighted)


@pytest.mark.parametrize(
    ("noise", "noise_prior", "error", "message"),
    [
        ("plugin", None, ValueError, r"noise.*variance-scaled.*plug-in.*'plugin'"),
        (0.0, None, ValueError, r"noise.*> 0.*0\.0"),
        (-1, None, ValueError, r"noise.*> 0"),
        (np.inf, None, ValueError, r"noise.*finite"),
        (True, None, TypeError, r"noise"),
        ([1.0], None, TypeError, r"noise.*\[1\.0\]"),
        (SDScaled(1.0), None, ValueError, r"noise.*contract of the Lasso.*Ridge"),
        (1.0, (1.0, 1.0), ValueError, r"noise_prior.*no use.*σ is known"),
        ("variance-scaled", (0, 0), ValueError, r"noise_prior.*improper"),
        ("variance-scaled", (1.0, -1.0), ValueError, r"noise_prior.*> 0"),
        ("plug-in", (np.nan, 1.0), ValueError, r"noise_prior.*finite"),
        ("plug-in", 1.0, TypeError, r"noise_prior.*two numbers"),
        ("plug-in", (1.0, 2.0, 3.0), TypeError, r"noise_prior.*two numbers"),
        ("plug-in", ("a", 2.0), TypeError, r"noise_prior.*two numbers"),
    ],
)
def test_bad_contracts_are_named(small, noise, noise_prior, error, message):
    X, y, _ = small
    with pytest.raises(error, match=message):
        noise_model(noise, noise_prior, energy_of(Ridge(), X, y))


def test_the_improper_prior_is_there_for_those_who_need_no_distribution(small):
    X, y, _ = small
    assert noise_model("plug-in", (0, 0), energy_of(Ridge(), X, y), proper=False).prior == (0.0, 0.0)


def test_contracts_read_as_sentences(small):
    X, y, _ = small
    energy = energy_of(Ridge(), X, y)
    assert str(noise_model(2, None, energy)) == "σ = 2, known"
    assert "scales the prior too" in str(noise_model("variance-scaled", (1, 2), energy))
    assert "σ̂ = " in str(noise_model("plug-in", (1, 2), energy))


def test_the_default_contract_estimates_sigma_where_it_can_be_estimated(small):
    X, y, _ = small
    assert noise_model(None, None, energy_of(Ridge(), X, y)).contract == "plug-in"
    saturated = energy_of(Ridge(alpha=0.0), X[:4], y[:4])  # four rows, four parameters
    assert noise_model(None, None, saturated).contract == "variance-scaled"


@pytest.mark.parametrize("inner", [Ridge(), Lasso(alpha=0.1), ElasticNet(alpha=0.01), LassoCV(), RidgeCV()])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_a_strong_signal_does_not_have_the_default_contract_deny_it(inner, noise):
    X, y = make_regression(100, 10, noise=noise, random_state=0)
    energy = energy_of(inner, X, y)
    contract = noise_model(None, None, energy)
    drawn = sample(energy, contract, draws=100, random_state=0)
    fitted = energy.value(drawn.coef.mean(axis=(0, 1)))
    assert fitted < 0.1 * energy.null_value


def test_the_default_is_plug_in_just_where_its_posterior_of_sigma_stays_near_the_estimate():
    seen = set()
    for noise in (1.0, 5.0, 20.0, 80.0):
        X, y = make_regression(80, 6, noise=noise, random_state=1)
        for alpha in (0.1, 1.0, 10.0):
            energy = energy_of(Ridge(alpha=alpha), X, y)
            plug_in = noise_model("plug-in", None, energy)
            far = RidgePosterior(energy, plug_in).variance_mean > 4.0 * plug_in.sigma**2
            assert noise_model(None, None, energy).contract == ("variance-scaled" if far else "plug-in")
            seen.add(far)
    assert seen == {True, False}


def test_a_plug_in_that_contradicts_itself_is_told_of():
    X, y = make_regression(100, 10, noise=1.0, random_state=0)
    with pytest.warns(UserWarning, match="σ̂ = .* contradicts.*variance-scaled"):
        posterior(Ridge(), X, y, noise="plug-in", random_state=0)
    with pytest.warns(UserWarning, match="contradicts"):
        BayesianRegressor(Lasso(alpha=0.1), noise="plug-in", random_state=0).fit(X, y)


def test_a_prior_scaled_by_sigma_has_a_rate_above_zero(small):
    X, y, _ = small
    assert noise_model(SDScaled(0.5), (1, 2), energy_of(Lasso(), X, y)).rate == 0.5
    for rate in (0.0, -1.0, np.nan, "1", True):
        with pytest.raises(ValueError, match="rate must be a finite number > 0"):
            SDScaled(rate)
