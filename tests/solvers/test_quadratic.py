"""The data term by its moments: the same problem, the same solutions, and gaps that hold on the rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skreg.moments import Moments
from skreg.penalties import ElasticNetPenalty
from skreg.solvers import dual_gap, least_squares, solve_path
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.duality import DualPoint, gap_at
from skreg.solvers.quadratic import Quadratic


def data(n=60, p=7, seed=0, n_targets=1):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-2, 2, p) + rng.uniform(-5, 5, p)
    y = X @ rng.standard_normal((p, n_targets)) + rng.standard_normal((n, n_targets))
    return X, y, rng.uniform(0.5, 2.0, n)


def penalties(total_weight, largest, l1_ratio=0.8, factors=None):
    return [
        ElasticNetPenalty.from_alpha(largest * fraction, l1_ratio, total_weight, factors=factors)
        for fraction in np.logspace(0, -3, 15)
    ]


@pytest.mark.parametrize("centred", [True, False])
def test_it_answers_as_the_rows_do(centred):
    X, y, weights = data(n_targets=2)
    X[:, 3] = 2.5  # a constant column: without variance if there is an intercept
    rows = least_squares(X, y, weights, fit_intercept=centred)
    moments = Quadratic(Moments.from_data(X, y, weights, centred=centred))
    assert (moments.n_features, moments.n_targets, moments.n_rows) == (7, 2, 60)
    assert_array_equal(moments.x_scale > 0, rows.x_scale > 0)
    coef = np.random.default_rng(1).standard_normal((2, 7))
    coef[:, rows.x_scale == 0] = 0.0
    for target in ([0], [1], slice(None)):
        of_rows = rows.correlation(rows.coef_to_scaled(coef)[:, target], target)
        of_moments = moments.correlation(moments.coef_to_scaled(coef)[:, target], target)
        back = rows.energy_to_data(of_rows[1], target), moments.energy_to_data(of_moments[1], target)
        assert_allclose(back[1], back[0], rtol=1e-11)
        units = [np.where(term.x_scale > 0, term.x_scale, 1.0) for term in (rows, moments)]
        assert_allclose(
            of_moments[0] / units[1][:, None] / moments.y_scale[target],
            of_rows[0] / units[0][:, None] / rows.y_scale[target],
            rtol=1e-9,
            atol=1e-9 * np.abs(X.T @ y).max(),
        )
    assert_allclose(moments.null_value, rows.null_value, rtol=1e-12)
    assert_allclose(moments.intercept(coef), rows.intercept(coef), rtol=1e-11)


def test_the_rows_own_quadratic_is_in_their_units():
    X, y, weights = data()
    rows = least_squares(np.asfortranarray(X), y, weights, fit_intercept=True)
    quadratic = rows.quadratic
    A = rows.columns(np.arange(7))
    assert_allclose(quadratic.G, A.T @ A, rtol=1e-12, atol=1e-15)
    assert_allclose(quadratic.c, A.T @ rows.b, rtol=1e-11, atol=1e-14)
    assert quadratic.x_scale is rows.x_scale and quadratic.y_scale is rows.y_scale
    assert_array_equal(quadratic.gram(np.array([1, 4]), np.array([2])), quadratic.G[[1, 4]][:, [2]])


@given(
    shape=st.tuples(st.integers(8, 60), st.integers(1, 8)),
    l1_ratio=st.sampled_from([1.0, 0.5]),
    some_free=st.booleans(),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_its_path_is_that_of_the_rows_and_the_gaps_hold_there(shape, l1_ratio, some_free, seed):
    X, y, weights = data(*shape, seed)
    factors = np.where(np.arange(shape[1]) == 0, 0.0, 1.0) if some_free and shape[1] > 1 else None
    rows = least_squares(X, y, weights, fit_intercept=True)
    quadratic = Quadratic(Moments.from_data(X, y, weights))
    largest = np.max(np.abs(rows.c[:, 0] / rows.y_scale)) / weights.sum() / l1_ratio
    chosen = penalties(weights.sum(), largest, l1_ratio, factors)
    path, expected = solve_path(quadratic, chosen), solve_path(rows, chosen)
    # A gap of δ leaves the fits within √(2δ) of the best.
    fits = (path.coef - expected.coef) @ (X - np.average(X, axis=0, weights=weights)).T
    apart = 0.5 * fits**2 @ weights
    assert np.all(apart <= 2.0 * (path.dual_gap + expected.dual_gap) * (1 + 1e-6))
    assert np.all(path.dual_gap <= 1e-10 * rows.null_value[0])
    for coef, gap, penalty in zip(path.coef, path.dual_gap, chosen, strict=True):
        on_rows = dual_gap(rows, coef[None], penalty)[0]
        assert on_rows <= 1.1 * gap + 1e-12 * rows.null_value[0]


def test_where_the_gram_matrix_cannot_project_the_free_columns_off_the_gap_says_so():
    X, y, weights = data()
    X[:, 1] = X[:, 0] * (1.0 + 1e-9 * np.random.default_rng(0).standard_normal(60))
    factors = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    path = solve_path(Quadratic(Moments.from_data(X, y, weights)), penalties(100.0, 1.0, factors=factors))
    assert np.all(np.isinf(path.dual_gap))


def test_a_path_of_a_target_without_variance_is_zero():
    X, _, _ = data()
    quadratic = Quadratic(Moments.from_data(X, np.full(60, 2.0)))
    path = solve_path(quadratic, penalties(60.0, 1.0))
    assert not path.coef.any() and not path.dual_gap.any()


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l2", [0.0, 0.7, 1e-300])
def test_the_gap_of_many_is_the_gap_of_each_written_out(l2, positive):
    rng = np.random.default_rng(3)
    w = rng.standard_normal((4, 6)) * (rng.random((4, 6)) < 0.6)
    w = np.abs(w) if positive else w
    g, l1 = 2.0 * rng.standard_normal((4, 6)), rng.uniform(0.5, 1.5, (4, 6))
    theta_squared, miss_squared, cross = rng.uniform(1.0, 2.0, (3, 4))
    penalty = ColumnPenalty(l1, np.full((4, 6), l2), positive)
    gaps = gap_at(w, DualPoint(g, theta_squared, miss_squared, cross), penalty)
    for i in range(4):
        pull = g[i] if positive else np.abs(g[i])
        feasible = min(1.0, np.min(l1[i][pull > l1[i]] / pull[pull > l1[i]], initial=1.0))
        candidates = []
        for c in (0.0, feasible, 1.0) if l2 > 1e-200 else (0.0, feasible):
            conjugate = 0.0
            if l2 > 1e-200:  # h*(u) = [|u| − λ₁]₊²/2λ₂
                conjugate = np.sum(np.maximum(c * pull - l1[i], 0.0) ** 2) / (2.0 * l2)
            value = np.sum(l1[i] * np.abs(w[i]) + 0.5 * l2 * w[i] ** 2)
            distance = miss_squared[i] + 2 * (1 - c) * cross[i] + (1 - c) ** 2 * theta_squared[i]
            candidates.append(0.5 * distance + value + conjugate - c * g[i] @ w[i])
        assert_allclose(gaps[i], min(candidates), rtol=1e-12)
        one = gap_at(
            w[i],
            DualPoint(g[i], theta_squared[i], miss_squared[i], cross[i]),
            ColumnPenalty(l1[i], penalty.l2[i], positive),
        )
        assert one == gaps[i]


def test_a_negative_coefficient_has_no_gap_where_it_is_forbidden():
    penalty = ColumnPenalty(np.ones(2), np.zeros(2), True)
    assert gap_at(np.array([1.0, -1e-9]), DualPoint(np.zeros(2), 1.0), penalty) == np.inf
