"""Rows with given moments stand for the data: the same energy, for every model and every solver."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skreg.moments import Moments
from skreg.penalties import L1, L2
from skreg.solvers.elastic_net import solve_elastic_net
from skreg.solvers.equivalent_rows import equivalent_rows, least_squares_of_moments, rows_of_folds
from skreg.solvers.least_squares import least_squares
from skreg.solvers.ridge import solve_ridge


def data(n, p, n_targets, seed, kind="plain"):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-3, 3, p) + rng.uniform(-5, 5, p)
    if kind == "collinear" and p > 1:
        X[:, -1] = X[:, 0]
    elif kind == "constant":
        X[:, 0] = 3.3
    elif kind == "nearly collinear" and p > 1:
        X[:, -1] = X[:, 0] * (1.0 + 1e-6 * rng.standard_normal(n))
    y = X @ (rng.standard_normal((p, n_targets)) / np.abs(X).max()) + rng.standard_normal((n, n_targets))
    return X, y, rng.uniform(0.1, 3.0, n)


@given(
    st.integers(1, 40),
    st.integers(1, 8),
    st.integers(1, 3),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.sampled_from(["plain", "collinear", "nearly collinear", "constant"]),
)
@example(2, 2, 1, 1, False, "nearly collinear")  # b lies all along a direction with a pivot of one digit
@settings(max_examples=200, deadline=None)
def test_equivalent_rows_have_the_moments_and_no_mean(n, p, n_targets, seed, centred, kind):
    X, y, weights = data(n, p, n_targets, seed, kind)
    moments = Moments.from_data(X, y, weights, centred=centred)
    rows = equivalent_rows(moments)
    assert len(rows.weights) <= p + 2
    assert_allclose(rows.weights, rows.weights[0])
    assert_allclose(rows.weights.sum(), weights.sum(), rtol=1e-13)
    found = Moments.from_data(*rows, centred=centred)
    size, y_size = np.sqrt(np.diag(moments.gram)), np.sqrt(moments.yy)
    size[size == 0.0], y_size[y_size == 0.0] = 1.0, 1.0
    rounding = p * np.finfo(float).eps
    assert_allclose(
        found.gram / np.outer(size, size), moments.gram / np.outer(size, size), atol=1e-13 + 8.0 * rounding
    )
    # A direction of which G keeps less than rounding is left out, and xy has up to the root of that there.
    assert_allclose(
        found.xy / np.outer(size, y_size),
        moments.xy / np.outer(size, y_size),
        atol=2.0 * np.sqrt(rounding) if "collinear" in kind else 1e-12,
    )
    assert_allclose(found.yy / y_size**2, moments.yy / y_size**2, atol=1e-8)
    if centred:
        root = np.sqrt(weights.sum())
        assert np.max(np.abs(found.x_mean) * root / size) < 1e-13
        assert np.max(np.abs(found.y_mean) * root / y_size) < 1e-13


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("n", [200, 5], ids=["tall", "wide"])
def test_every_model_has_the_same_energy_on_them(n, centred):
    X, y, weights = data(n, 6, 1, seed=1)
    rows = equivalent_rows(Moments.from_data(X, y, weights, centred=centred))
    X_mean, y_mean = (weights @ part / weights.sum() if centred else 0.0 for part in (X, y))
    for w in np.random.default_rng(0).standard_normal((20, 6, 1)):
        of_data = weights @ (y - y_mean - (X - X_mean) @ w) ** 2
        of_rows = rows.weights @ (rows.y - rows.X @ w) ** 2
        assert_allclose(of_rows, of_data, rtol=1e-11)


@pytest.mark.parametrize("kind", ["plain", "collinear", "constant"])
def test_a_solver_finds_the_data_s_solution_in_the_data_s_units(kind):
    X, y, weights = data(80, 5, 2, seed=2, kind=kind)
    by_rows = least_squares(X, y, weights, fit_intercept=True)
    by_moments = least_squares_of_moments(Moments.from_data(X, y, weights))
    assert_array_equal(by_moments.x_scale, by_rows.x_scale)
    assert_allclose(by_moments.null_value, by_rows.null_value, rtol=1e-12)
    for solve, penalty in ((solve_ridge, L2(1.0)), (solve_elastic_net, L1(5.0))):
        expected, found = solve(by_rows, penalty), solve(by_moments, penalty)
        scale = np.abs(expected.coef).max()
        assert_allclose(found.coef, expected.coef, rtol=1e-9, atol=1e-12 * scale)
        assert_allclose(by_moments.intercept(found.coef), by_rows.intercept(expected.coef), rtol=1e-9)
        assert np.all(found.dual_gap <= 1e-11 * by_rows.null_value)


@pytest.mark.parametrize("centred", [True, False])
def test_the_rows_of_folds_are_split_as_the_folds_are(centred):
    X, y, weights = data(60, 4, 2, seed=3)
    parts = np.array_split(np.arange(60), 4)
    folds = [Moments.from_data(X[i], y[i], weights[i], centred=centred) for i in parts]
    total = sum(folds[1:], start=folds[0])
    rows, splits, problem = rows_of_folds(folds, total)
    assert_allclose(problem.x_mean, total.x_mean)
    for fold, (train, test) in zip(folds, splits, strict=True):
        assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(len(rows.weights)))
        for index, expected in ((test, fold), (train, total - fold)):
            found = Moments.from_data(*(part[index] for part in rows), centred=centred)
            size = np.sqrt(np.diag(expected.gram))
            assert_allclose(
                found.gram / np.outer(size, size), expected.gram / np.outer(size, size), atol=1e-12
            )
            assert_allclose((found.x_mean + total.x_mean) / size, expected.x_mean / size, atol=1e-12)
            assert_allclose(found.total_weight, expected.total_weight)


def test_moments_of_no_weight_are_refused():
    X, y, _ = data(5, 2, 1, seed=0)
    with pytest.raises(ValueError, match="no rows of positive weight"):
        equivalent_rows(Moments.from_data(X, y, np.zeros(5)))
