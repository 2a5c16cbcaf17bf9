"""The units of X, y and the weights, and shapes at the edge: one row, one column, constants and copies."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

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
hypothesis_settings = settings(max_examples=60, deadline=None, derandomize=True)


def data(n=40, p=6, seed=0, noise=0.3):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2.0, p) + rng.uniform(-2.0, 2.0, p)
    truth = np.where(np.arange(p) % 2, 0.0, rng.uniform(-2.0, 2.0, p))
    return X, X @ truth + 3.0 + noise * rng.standard_normal(n)


def fresh(estimator, **parameters):
    return clone(estimator).set_params(**parameters)


@given(exponent=st.integers(-300, 300), seed=st.integers(0, 10**6))
@hypothesis_settings
def test_the_unit_of_the_weights_does_not_matter_to_lasso_and_divides_ridge_s_alpha(exponent, seed):
    X, y = data(seed=seed)
    weights = np.random.default_rng(seed).uniform(0.1, 2.0, len(y))
    unit = 2.0**exponent
    for estimator in (Lasso(alpha=0.1), ElasticNet(alpha=0.1)):
        expected = estimator.fit(X, y, weights)
        assert_allclose(fresh(estimator).fit(X, y, unit * weights).coef_, expected.coef_, rtol=1e-12)
    expected = Ridge(alpha=2.0).fit(X, y, weights)
    rescaled = Ridge(alpha=2.0 * unit).fit(X, y, unit * weights)
    assert_allclose(rescaled.coef_, expected.coef_, rtol=1e-12)


@given(
    x_exponent=st.integers(-500, 500),
    y_exponent=st.integers(-500, 500),
    n=st.integers(2, 30),
    p=st.integers(1, 30),
    seed=st.integers(0, 10**6),
)
@hypothesis_settings
def test_the_units_of_x_and_y_do_not_matter(x_exponent, y_exponent, n, p, seed):
    X, y = data(n, p, seed)
    assume(np.ptp(y) > 0.1)
    x_unit, y_unit = 2.0**x_exponent, 2.0**y_exponent
    for estimator, alpha_unit in (
        (Lasso(alpha=0.1), x_unit * y_unit),
        (Ridge(alpha=2.0), x_unit * x_unit),
        (ElasticNet(alpha=0.5, l1_ratio=0.0), x_unit * x_unit),
    ):
        expected = fresh(estimator).fit(X, y)
        fitted = fresh(estimator, alpha=estimator.alpha * alpha_unit).fit(X * x_unit, y * y_unit)
        size = np.abs(expected.coef_).max()
        assert_allclose(fitted.coef_ / y_unit * x_unit, expected.coef_, rtol=1e-9, atol=1e-11 * size)
        assert_allclose(fitted.intercept_ / y_unit, expected.intercept_, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("estimator", "power"), [(Lasso(alpha=0.1), 1), (Ridge(alpha=2.0), 2)], ids=repr)
@pytest.mark.parametrize("positive", [True, False])
def test_columns_of_wildly_different_units_are_each_fitted(estimator, power, positive):
    X, y = data()
    units = np.array([1e-60, 1.0, 1e60, 1e-30, 1.0, 1e30])
    expected = fresh(estimator, positive=positive).fit(X, y).coef_
    rescaled = fresh(estimator, positive=positive, penalty_weights=units**power).fit(X * units, y).coef_
    assert_allclose(rescaled * units, expected, rtol=1e-9, atol=1e-11)


@every_estimator
@pytest.mark.parametrize("y_unit", [1e-150, 1.0, 1e150])
def test_alpha_is_nothing_beside_huge_columns_and_everything_beside_tiny_ones(estimator, y_unit):
    X, y = data()
    least_squares = fresh(Ridge(alpha=0.0), fit_intercept=estimator.fit_intercept).fit(X, y)
    if not estimator.positive:
        alpha = 1.0 if isinstance(estimator, Ridge) else y_unit
        huge = fresh(estimator, alpha=alpha).fit(X * 1e150, y * y_unit)
        assert_allclose(huge.coef_ * 1e150 / y_unit, least_squares.coef_, rtol=1e-7)
    # Where X hardly moves y the penalty decides: soft thresholding of the correlation.
    tiny = fresh(estimator, alpha=1.0).fit(X * 1e-150, y * y_unit)
    Xc, yc = (X - X.mean(axis=0), y - y.mean()) if estimator.fit_intercept else (X, y)
    g = 1e-150 * (Xc.T @ (yc * y_unit))
    ratio = 0.0 if isinstance(estimator, Ridge) else getattr(estimator, "l1_ratio", 1.0)
    l1, l2 = len(y) * ratio, 1.0 if isinstance(estimator, Ridge) else len(y) * (1.0 - ratio)
    excess = np.maximum((g if estimator.positive else np.abs(g)) - l1, 0.0)
    if l2 > 0:
        assert_allclose(tiny.coef_, np.sign(g) * excess / l2, rtol=1e-9, atol=1e-290)
    elif y_unit <= 1.0:
        assert_array_equal(tiny.coef_, 0.0)


@every_estimator
def test_a_constant_column_gets_no_coefficient_beside_an_intercept(estimator):
    X, y = data()
    X[:, 2] = 1e6 + 0.1
    fitted = fresh(estimator).fit(X, y)
    if estimator.fit_intercept:
        assert fitted.coef_[2] == 0.0
        others = np.arange(6) != 2
        assert_allclose(fitted.coef_[others], fresh(estimator).fit(X[:, others], y).coef_, rtol=1e-8)
    else:
        assert fitted.coef_[2] != 0.0


@every_estimator
@pytest.mark.parametrize("value", [0.0, 7.3, -1e150])
def test_a_constant_y_is_all_intercept(estimator, value):
    X, _ = data()
    fitted = fresh(estimator, fit_intercept=True).fit(X, np.full(40, value))
    assert_array_equal(fitted.coef_, 0.0)
    assert fitted.dual_gap_ == 0.0
    assert_allclose(fitted.predict(X), value)


@every_estimator
def test_one_row_is_its_own_mean(estimator):
    X, y = data(1, 3)
    fitted = fresh(estimator, fit_intercept=True).fit(X, y)
    assert_array_equal(fitted.coef_, 0.0)
    assert_allclose(fitted.predict(X), y)


@pytest.mark.parametrize("weighted", [True, False])
def test_one_feature_has_a_closed_form(weighted):
    X, y = data(n=20, p=1)
    s = np.random.default_rng(0).uniform(0.5, 2.0, 20) if weighted else np.ones(20)
    x = X[:, 0] - np.average(X[:, 0], weights=s)
    c, q, S = np.sum(s * x * y), np.sum(s * x * x), np.sum(s)
    assert_allclose(Ridge(alpha=3.0).fit(X, y, s).coef_, c / (q + 3.0))
    soft = np.sign(c) * max(abs(c) - 0.2 * S, 0.0)
    assert_allclose(Lasso(alpha=0.2).fit(X, y, s).coef_, soft / q)
    soft = np.sign(c) * max(abs(c) - 0.5 * 0.2 * S, 0.0)
    assert_allclose(ElasticNet(alpha=0.2).fit(X, y, s).coef_, soft / (q + 0.5 * 0.2 * S))


def test_a_column_and_its_copy_share_in_ridge_and_elastic_net_and_sum_in_lasso():
    X, y = data()
    twice = np.column_stack([X, X])
    for estimator in (Ridge(alpha=2.0), ElasticNet(alpha=0.1), Ridge(alpha=0.0)):
        coef = estimator.fit(twice, y).coef_
        assert_allclose(coef[:6], coef[6:], rtol=1e-9, atol=1e-12)
    lasso = Lasso(alpha=0.1).fit(twice, y)
    assert_allclose(lasso.coef_[:6] + lasso.coef_[6:], Lasso(alpha=0.1).fit(X, y).coef_, atol=1e-9)
