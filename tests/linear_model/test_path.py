"""The regularisation path: scikit-learn's grid, every solution on it certified."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path, lasso_path

from skreg import ElasticNet, Lasso, RegularizationPath, regularization_path


def data(n=50, p=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2.0, p) + rng.uniform(-2.0, 2.0, p)
    return X, X[:, ::2] @ rng.uniform(-2.0, 2.0, (p + 1) // 2) + 0.3 * rng.standard_normal(n) + 5.0


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("shape", [(50, 8), (15, 40)], ids=["tall", "wide"])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.4])
def test_the_path_is_scikit_learn_s_at_every_alpha(l1_ratio, shape, positive):
    X, y = data(*shape)
    Xc, yc = X - X.mean(axis=0), y - y.mean()
    settings = {"eps": 1e-2, "alphas": 20, "positive": positive, "tol": 1e-12, "max_iter": 100_000}
    if l1_ratio == 1.0:
        alphas, coefs, _ = lasso_path(Xc, yc, **settings)
    else:
        alphas, coefs, _ = enet_path(Xc, yc, l1_ratio=l1_ratio, **settings)
    path = regularization_path(X, y, l1_ratio=l1_ratio, alphas=20, eps=1e-2, positive=positive)
    assert_allclose(path.alphas, alphas, rtol=1e-12)
    assert_allclose(path.coefs, coefs, atol=1e-6 * np.abs(coefs).max())
    assert_allclose(path.intercepts, y.mean() - X.mean(axis=0) @ coefs, rtol=1e-6)
    assert_array_equal(path.n_nonzero, np.count_nonzero(path.coefs, axis=0))
    assert path.l1_ratio == l1_ratio
    assert isinstance(path, RegularizationPath)


@pytest.mark.parametrize("container", [np.asfortranarray, sparse.csr_array, sparse.csc_matrix], ids=str)
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_each_solution_is_the_estimator_s_with_its_certificate(container, weighted, fit_intercept):
    X, y = data()
    weights = np.random.default_rng(1).uniform(0.0, 2.0, 50).round(1) if weighted else None
    v = np.array([1.0, 0.0, 2.0, 1.0, 0.5, 1.0, 1.0, 0.0])
    settings = {"fit_intercept": fit_intercept, "penalty_weights": v}
    path = regularization_path(container(X), y, alphas=5, l1_ratio=0.7, sample_weight=weights, **settings)
    for k, alpha in enumerate(path.alphas):
        fitted = ElasticNet(alpha=alpha, l1_ratio=0.7, **settings).fit(container(X), y, weights)
        assert_allclose(path.coefs[:, k], fitted.coef_, rtol=1e-8, atol=1e-10)
        assert_allclose(path.intercepts[k], fitted.intercept_, rtol=1e-8, atol=1e-12)
    s = np.ones(50) if weights is None else weights
    mean = np.average(y, weights=s) if fit_intercept else 0.0
    null = np.sum(s * (y - mean) ** 2) / (2.0 * s.sum())  # in scikit-learn's units
    assert np.all(path.dual_gaps <= 1e-8 * null)
    assert np.all(path.dual_gaps > 0)


@given(
    shape=st.tuples(st.integers(2, 20), st.integers(1, 25)),
    exponent=st.integers(-70, 70),
    l1_ratio=st.sampled_from([1.0, 0.5, 0.05]),
    fit_intercept=st.booleans(),
    positive=st.booleans(),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_the_path_starts_where_the_last_coefficient_vanishes(
    shape, exponent, l1_ratio, fit_intercept, positive, seed
):
    X, y = data(*shape, seed=seed)
    X, y = X * 10.0**exponent, y * 10.0**exponent
    kind = {"l1_ratio": l1_ratio, "fit_intercept": fit_intercept, "positive": positive}
    path = regularization_path(X, y, alphas=4, eps=0.5, **kind)
    assert_array_equal(path.coefs[:, 0], 0.0)
    if np.ptp(path.alphas) > 0:
        below = regularization_path(X, y, alphas=[0.999 * path.alphas[0]], **kind)
        assert below.n_nonzero[0] > 0


@given(
    shape=st.tuples(st.integers(3, 20), st.integers(2, 20)),
    exponent=st.integers(-70, 70),
    seed=st.integers(0, 999),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_with_free_features_the_path_starts_at_their_least_squares_fit(shape, exponent, seed):
    X, y = data(*shape, seed=seed)
    unit = 10.0**exponent
    v = np.ones(shape[1])
    v[0] = 0.0
    path = regularization_path(X * unit, y * unit, penalty_weights=v, alphas=3, eps=0.5)
    x = X[:, 0] - X[:, 0].mean()
    assert_allclose(path.coefs[0, 0], x @ y / (x @ x), rtol=1e-8)
    assert np.max(np.abs(path.coefs[1:, 0])) <= 1e-10 * np.abs(path.coefs[0, 0])
    if shape[0] > 3:
        below = regularization_path(X * unit, y * unit, penalty_weights=v, alphas=[0.999 * path.alphas[0]])
        assert np.max(np.abs(below.coefs[1:, 0])) > 1e-6 * np.abs(path.coefs[0, 0])


def test_free_features_under_positive_start_at_their_non_negative_fit():
    X, y = data()
    v = np.ones(8)
    v[[0, 2, 4]] = 0.0
    path = regularization_path(X, y, penalty_weights=v, positive=True, alphas=2)
    start = Lasso(alpha=1e6, penalty_weights=v, positive=True).fit(X, y)
    assert_allclose(path.coefs[:, 0], start.coef_, atol=1e-9)


@pytest.mark.parametrize("value", [0.0, 3.3])
def test_a_constant_y_has_scikit_learn_s_grid_and_no_coefficients(value):
    X, _ = data()
    path = regularization_path(X, np.full(50, value), alphas=4)
    alphas, _, _ = lasso_path(X - X.mean(axis=0), np.zeros(50), alphas=4)
    assert_array_equal(path.alphas, alphas)
    assert_array_equal(path.coefs, 0.0)
    assert_array_equal(path.dual_gaps, 0.0)
    assert_allclose(path.intercepts, value)


def test_a_path_on_which_nothing_is_penalised_is_least_squares_throughout():
    X, y = data()
    path = regularization_path(X, y, penalty_weights=np.zeros(8), alphas=3)
    expected = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean())[0]
    assert_allclose(path.coefs, np.repeat(expected[:, None], 3, axis=1), rtol=1e-8)


def test_alphas_given_are_sorted_and_used_as_they_are():
    X, y = data()
    path = regularization_path(X, y, alphas=[0.1, 1.0, 0.0, 0.5])
    assert_array_equal(path.alphas, [1.0, 0.5, 0.1, 0.0])
    assert_allclose(path.coefs[:, 2], Lasso(alpha=0.1).fit(X, y).coef_, rtol=1e-9, atol=1e-12)
    ridge = regularization_path(X, y, alphas=[0.3], l1_ratio=0)
    assert_allclose(ridge.coefs[:, 0], ElasticNet(alpha=0.3, l1_ratio=0).fit(X, y).coef_, rtol=1e-9)


def test_one_alpha_is_the_largest():
    X, y = data()
    path = regularization_path(X, y, alphas=1)
    assert_array_equal(path.alphas, regularization_path(X, y, alphas=3).alphas[:1])


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_features_have_the_names_of_the_columns(frame):
    X, y = data(p=2)
    assert regularization_path(X, y, alphas=2).feature_names == ("x0", "x1")
    table = frame({"age": X[:, 0], "bmi": X[:, 1]})
    assert regularization_path(table, y, alphas=2).feature_names == ("age", "bmi")


def test_warm_starts_make_the_path_cheaper_than_its_fits():
    X, y = data(60, 30)
    path = regularization_path(X, y, alphas=50)
    apart = [Lasso(alpha=alpha).fit(X, y).n_iter_ for alpha in path.alphas]
    assert path.n_iters.sum() < sum(apart)


def test_the_gaps_are_in_the_units_of_the_estimator_s():
    X, y = data(60, 30)
    with pytest.warns(ConvergenceWarning):
        path = regularization_path(X, y, alphas=[0.01], max_iter=1, sample_weight=2.0)
    with pytest.warns(ConvergenceWarning):
        fitted = Lasso(alpha=0.01, max_iter=1).fit(X, y, sample_weight=2.0)
    assert_allclose(path.dual_gaps, fitted.dual_gap_)


def test_a_path_cut_short_says_where_and_what_to_do():
    X, y = data(60, 30)
    with pytest.warns(
        ConvergenceWarning, match=r"\d+ of 5 alphas are above tol=.*did not converge in max_iter=1 iterations"
    ) as record:
        path = regularization_path(X, y, alphas=5, max_iter=1)
    (warning,) = record
    worst = np.argmax(path.dual_gaps)
    null = np.mean((y - y.mean()) ** 2) / 2.0
    assert f"gap is {path.dual_gaps[worst] / null:.3g} of the null" in str(warning.message)
    assert f"the worst, alpha={path.alphas[worst]:.3g}," in str(warning.message)
    assert "Increase max_iter" in str(warning.message)
    assert warning.filename == __file__


@pytest.mark.parametrize(
    ("parameters", "error", "pattern"),
    [
        ({"l1_ratio": 1.5}, ValueError, "l1_ratio must be a number between 0 and 1, got 1.5"),
        ({"l1_ratio": "1"}, TypeError, "l1_ratio must be a number between 0 and 1, got '1'"),
        ({"l1_ratio": 0}, ValueError, "l1_ratio must be in (0, 1] for an integer alphas, got 0"),
        ({"alphas": 0}, ValueError, "alphas must be an integer ≥ 1, got 0"),
        ({"alphas": True}, TypeError, "alphas must be an integer ≥ 1 or a list of finite numbers"),
        (
            {"alphas": 0.5},
            ValueError,
            "alphas must be an integer ≥ 1 or a list of finite numbers ≥ 0, got 0.5",
        ),
        ({"alphas": []}, ValueError, "alphas must be an integer ≥ 1 or a list"),
        ({"alphas": [1.0, -1.0]}, ValueError, "alphas must be an integer ≥ 1 or a list"),
        ({"alphas": [1.0, np.nan]}, ValueError, "alphas must be an integer ≥ 1 or a list"),
        ({"alphas": [[1.0]]}, ValueError, "alphas must be an integer ≥ 1 or a list"),
        (
            {"alphas": "many"},
            TypeError,
            "alphas must be an integer ≥ 1 or a list of finite numbers ≥ 0, got 'many'",
        ),
        ({"alphas": None}, TypeError, "alphas must be an integer ≥ 1 or a list"),
        ({"eps": 0}, ValueError, "eps must be strictly between 0 and 1, got 0"),
        ({"eps": 1.0}, ValueError, "eps must be strictly between 0 and 1, got 1.0"),
        ({"eps": -0.1}, ValueError, "eps must be a number between 0 and 1, got -0.1"),
        ({"tol": -1.0}, ValueError, "tol must be a number ≥ 0, got -1.0"),
        ({"max_iter": 0}, ValueError, "max_iter must be an integer ≥ 1, got 0"),
        ({"fit_intercept": "yes"}, TypeError, "fit_intercept must be True or False, got 'yes'"),
        ({"positive": 1}, TypeError, "positive must be True or False, got 1"),
        ({"penalty_weights": [1.0]}, ValueError, "penalty_weights must be None or 8 finite numbers ≥ 0"),
        (
            {"penalty_weights": -np.ones(8)},
            ValueError,
            "penalty_weights must be None or 8 finite numbers ≥ 0",
        ),
        ({"sample_weight": np.zeros(50)}, ValueError, "sample_weight is zero on every row"),
        ({"sample_weight": np.ones(3)}, ValueError, "sample_weight has shape (3,), expected (50,)"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_parameters_are_named(parameters, error, pattern):
    X, y = data()
    with pytest.raises(error, match=re.escape(pattern)):
        regularization_path(X, y, **parameters)


def test_bad_data_are_refused_and_a_column_is_one_target():
    X, y = data()
    with pytest.raises(ValueError, match="y has 2 targets; a path has one"):
        regularization_path(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="X contains NaN"):
        regularization_path(np.full_like(X, np.nan), y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        regularization_path(X, y[:-1])
    column = regularization_path(X, y[:, None], alphas=3)
    assert_array_equal(column.coefs, regularization_path(X, y, alphas=3).coefs)


def test_no_max_iter_is_too_large():
    X, y = np.random.default_rng(0).standard_normal((30, 3)), np.arange(30.0)
    path = regularization_path(X, y, alphas=12, max_iter=2**40)
    assert path.alphas.size == 12 and np.all(path.dual_gaps <= 1e-10 * np.var(y))


def test_a_path_above_its_tolerance_by_rounding_is_not_told_to_iterate_more():
    X, y = np.random.default_rng(0).standard_normal((30, 3)), np.arange(30.0)
    with pytest.warns(ConvergenceWarning, match=r"limits of rounding.* Increase tol or alpha"):
        regularization_path(X, y, alphas=12, tol=0)


def test_a_path_is_shown_in_a_line():
    path = regularization_path(np.eye(4), np.arange(4.0), alphas=[1.0, 0.1])
    assert repr(path) == "RegularizationPath(2 alphas from 1 to 0.1, l1_ratio=1, 4 features)"
