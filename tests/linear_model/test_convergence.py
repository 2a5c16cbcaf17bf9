"""The certificate, the tolerance and the warm start: how good a fit is, and what it says about it."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skreg import ElasticNet, Lasso, Ridge

ESTIMATORS = [
    Ridge(alpha=2.0),
    Ridge(alpha=2.0, positive=True),
    Lasso(alpha=0.1),
    Lasso(alpha=0.1, fit_intercept=False),
    ElasticNet(alpha=0.1),
    ElasticNet(alpha=0.1, l1_ratio=0.9, positive=True),
]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)


def data(n=40, p=6, seed=0, noise=0.3):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2.0, p) + rng.uniform(-2.0, 2.0, p)
    truth = np.where(np.arange(p) % 2, 0.0, rng.uniform(-2.0, 2.0, p))
    return X, X @ truth + 3.0 + noise * rng.standard_normal(n)


def fresh(estimator, **parameters):
    return clone(estimator).set_params(**parameters)


def objective(estimator, X, y, coef, intercept, sample_weight=None):
    """scikit-learn's objective for the estimator, in extended precision."""
    X, y, w = (np.asarray(part, dtype=np.longdouble) for part in (X, y, coef))
    s = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.longdouble)
    v = 1.0 if estimator.penalty_weights is None else np.asarray(estimator.penalty_weights)
    squares = np.sum(s * (y - X @ w - np.longdouble(intercept)) ** 2)
    if isinstance(estimator, Ridge):
        return squares + estimator.alpha * np.sum(v * w**2)
    ratio = getattr(estimator, "l1_ratio", 1.0)
    penalty = ratio * np.sum(v * np.abs(w)) + 0.5 * (1.0 - ratio) * np.sum(v * w**2)
    return squares / (2.0 * np.sum(s)) + estimator.alpha * penalty


# ---------------------------------------------------------------------- the certificate


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("max_iter", [1, 1000])
@pytest.mark.parametrize("weighted", [True, False])
@every_estimator
def test_dual_gap_bounds_what_the_stored_fit_lacks_in_scikit_learn_s_objective(
    estimator, dtype, max_iter, weighted
):
    for seed, shape in enumerate([(40, 6), (12, 30), (25, 25)]):
        X, y = data(*shape, seed=seed)
        X, y = X.astype(dtype), y + 1e4  # a mean that float32 rounds
        weights = np.random.default_rng(seed).uniform(0.0, 2.0, len(y)) if weighted else None
        v = np.arange(shape[1]) % 3 / 2.0 if seed == 2 else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = fresh(estimator, max_iter=max_iter, penalty_weights=v, tol=1e-12).fit(X, y, weights)
            best = fresh(estimator, penalty_weights=v, tol=1e-12).fit(X.astype(np.float64), y, weights)
        stored = objective(fitted, X, y, fitted.coef_, fitted.intercept_, weights)
        lowest = objective(best, X, y, best.coef_, best.intercept_, weights)
        mean = np.average(y, weights=weights) if estimator.fit_intercept else 0.0
        null = objective(best, X, y, 0.0 * best.coef_, mean, weights)
        assert stored - lowest <= fitted.dual_gap_ + 1e-15 * null
        if max_iter == 1000 and dtype == np.float64:
            assert fitted.dual_gap_ <= 1e-9 * null


@pytest.mark.parametrize("estimator", [Lasso(alpha=0.01), ElasticNet(alpha=0.01)], ids=repr)
def test_dual_gap_is_per_unit_of_weight_as_scikit_learn_s_objective_is(estimator):
    X, y = data(60, 40)
    with pytest.warns(ConvergenceWarning):
        once = fresh(estimator, max_iter=1).fit(X, y)
    with pytest.warns(ConvergenceWarning):
        twice = fresh(estimator, max_iter=1).fit(X, y, sample_weight=2.0)
    assert_allclose(once.dual_gap_, twice.dual_gap_, rtol=1e-6)
    # At the coefficients of an interrupted fit the bound is of the size of what is lacking.
    best = fresh(estimator).fit(X, y)
    lacking = objective(once, X, y, once.coef_, once.intercept_) - objective(
        best, X, y, best.coef_, best.intercept_
    )
    assert lacking <= once.dual_gap_ <= 60 * lacking


# ---------------------------------------------------------------------- tolerance, iterations, warm starts


@pytest.mark.parametrize("estimator", [Lasso(1e-3), ElasticNet(1e-3), Ridge(positive=True)], ids=repr)
def test_a_fit_cut_short_says_how_far_it_got_and_what_to_do(estimator):
    X, y = data(60, 40)
    with pytest.warns(ConvergenceWarning) as record:
        fitted = fresh(estimator, max_iter=1, tol=1e-6).fit(X, y)
    (warning,) = record
    message = str(warning.message)
    null = np.sum((y - y.mean()) ** 2) / (1 if isinstance(estimator, Ridge) else 2 * len(y))
    assert f"{fitted.dual_gap_ / null:.3g} of the null model's objective, above tol=1e-06" in message
    assert "did not converge in max_iter=1 iterations" in message
    assert "Increase max_iter or alpha, or standardise the features." in message
    assert warning.filename == __file__


def test_a_tolerance_below_rounding_is_not_blamed_on_max_iter():
    X, y = data()
    with pytest.warns(ConvergenceWarning, match=r"limits of rounding.*above tol=0. Increase tol or alpha"):
        Lasso(alpha=0.1, tol=0.0).fit(X, y)


@pytest.mark.parametrize("estimator", [Lasso(alpha=0.02), ElasticNet(alpha=0.02)], ids=repr)
def test_a_warm_start_ends_at_the_same_place_sooner(estimator):
    X, y = data(60, 40)
    cold = fresh(estimator).fit(X, y)
    warm = fresh(estimator, warm_start=True).set_params(alpha=0.022).fit(X, y)
    first = warm.n_iter_
    warm.set_params(alpha=0.02).fit(X, y)
    assert_allclose(warm.coef_, cold.coef_, rtol=1e-9, atol=1e-12)
    assert warm.n_iter_ < min(first, cold.n_iter_)
    warm.fit(X, y)
    assert warm.n_iter_ <= 2
    first = cold.n_iter_
    assert cold.fit(X, y).n_iter_ == first  # without warm_start a fit forgets the one before


def test_a_warm_start_from_another_shape_starts_afresh():
    X, y = data()
    warm = Lasso(alpha=0.1, warm_start=True).fit(X, y)
    warm.fit(X[:, :3], np.column_stack([y, -y]))
    expected = Lasso(alpha=0.1).fit(X[:, :3], y).coef_
    assert_allclose(warm.coef_, [expected, -expected], rtol=1e-9)
