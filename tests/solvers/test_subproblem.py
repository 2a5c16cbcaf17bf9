"""The problem on a few columns: Newton's method on the support, by columns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.subproblem import ColumnSubproblem, _line_minimum


def form(A, b, w, penalty):
    return ColumnSubproblem(np.asfortranarray(A), b - A @ w, w, penalty, 1e-13)


def data(n=30, p=8, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, p))
    A /= np.linalg.norm(A, axis=0)
    return A, A @ (rng.standard_normal(p) * (rng.random(p) < 0.6)) + 0.1 * rng.standard_normal(n)


def energy(A, b, w, penalty):
    return 0.5 * np.sum((b - A @ w) ** 2) + penalty.value(w)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("l1", [0.0, 1e-6, 0.05, 10.0])
def test_the_solution_is_optimal_to_rounding(l1, l2, positive):
    A, b = data()
    penalty = ColumnPenalty(np.full(8, l1), np.full(8, l2), positive)
    penalty.l1[3] = penalty.l2[3] = 0.0
    w = np.zeros(8)
    subproblem = form(A, b, w, penalty)
    assert subproblem.solve(1000) < 200
    assert np.max(penalty.violation(w, A.T @ (b - A @ w))) < 1e-14
    assert_allclose(subproblem.g, A.T @ (b - A @ w), atol=1e-14)


def test_one_newton_step_lands_on_the_minimiser_of_its_orthant():
    A, _ = data()
    sign = np.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0])
    b = A @ sign
    penalty = ColumnPenalty(np.full(8, 1e-3), np.full(8, 0.1), False)
    w = 1e-3 * sign
    assert form(A, b, w, penalty).newton_step()
    assert_allclose(w, np.linalg.solve(A.T @ A + 0.1 * np.eye(8), A.T @ b - 1e-3 * sign), rtol=1e-10)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-8, 1e-2, 0.3]), st.booleans())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_newton_step_never_raises_the_energy(seed, l1, positive):
    rng = np.random.default_rng(seed)
    n, p = rng.integers(2, 12, 2)
    A, b = data(n, p, seed)
    if p > 2:
        A[:, 1] = A[:, 0] * rng.choice([1.0, -1.0])  # flat directions
    penalty = ColumnPenalty(l1 * rng.uniform(0, 1, p), 0.1 * rng.choice([0.0, 1.0]) * np.ones(p), positive)
    w = rng.standard_normal(p) * (rng.random(p) < 0.8)
    w = np.abs(w) if positive else w
    subproblem = form(A, b, w, penalty)
    before = energy(A, b, w, penalty)
    for _ in range(3):
        subproblem.newton_step()
        after = energy(A, b, w, penalty)
        assert after <= before * (1 + 1e-12) + 1e-14
        assert not positive or np.all(w >= 0)
        before = after


def test_opposite_coefficients_of_a_duplicated_column_slide_until_one_is_zero():
    A, b = data(p=3)
    A[:, 1] = A[:, 0]
    penalty = ColumnPenalty(np.full(3, 0.01), np.zeros(3), False)
    w = np.array([5.0, -4.0, 1.0])
    form(A, b, w, penalty).solve(100)
    assert np.count_nonzero(w[:2]) == 1
    assert np.max(penalty.violation(w, A.T @ (b - A @ w))) < 1e-14


def test_columns_keep_the_digits_that_their_gram_matrix_loses():
    rng = np.random.default_rng(3)
    A, b = data(p=4)
    A[:, 1] = A[:, 0] + 1e-9 * rng.standard_normal(30)
    penalty = ColumnPenalty(np.zeros(4), np.zeros(4), False)
    exact = np.linalg.lstsq(A, b, rcond=1e-14)[0]
    least = energy(A, b, exact, penalty)
    w = np.zeros(4)
    form(A, b, w, penalty).solve(100)
    assert abs(energy(A, b, w, penalty) - least) < 1e-8


@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_the_line_minimum_is_the_least_energy_on_the_line(seed, positive, is_flat):
    rng = np.random.default_rng(seed)
    p = int(rng.integers(1, 6))
    A, b = data(7, p, seed)
    l1 = rng.uniform(0, 0.5, p)
    smooth = (rng.random(p) < 0.3) & (not positive)
    l1[smooth] = 0.0
    penalty = ColumnPenalty(l1, np.zeros(p), positive)
    start = rng.standard_normal(p)
    start = np.abs(start) if positive else start
    slope = A.T @ (b - A @ start) - l1 * np.sign(start)
    step = slope * 10.0 ** rng.uniform(-1, 2)
    curvature = float(np.sum((A @ step) ** 2))
    end = _line_minimum(start, step, float(slope @ step), curvature, l1, smooth, positive)
    t = np.linspace(0.0, 3.0 * float(slope @ step) / curvature, 4001)
    line = start + t[:, None] * step
    if positive:
        line = line[np.all(line >= 0, axis=1)]
        assert np.all(end >= 0)
    least = np.min(0.5 * np.sum((b - line @ A.T) ** 2, axis=1) + np.abs(line) @ l1)
    assert energy(A, b, end, penalty) <= least * (1 + 1e-12)
    # It is on the line, and where it sits on a kink the coefficient is exactly zero.
    along = (end - start) @ step / (step @ step)
    assert along >= 0
    assert_allclose(end, start + along * step, atol=1e-9 * (1 + np.abs(step).max()))


def test_a_wall_stops_a_positive_coefficient_exactly_at_zero():
    start, step = np.array([0.3, 0.1]), np.array([-1.0, 3.0])
    end = _line_minimum(start, step, 10.0, 0.0, np.ones(2), np.zeros(2, dtype=bool), True)
    assert_array_equal(end, [0.0, 0.1 + 0.3 * 3.0])


def test_what_falls_for_ever_is_rounding_and_is_not_followed():
    one = np.ones(1)
    end = _line_minimum(0.3 * one, one, 1e-20, 0.0, np.zeros(1), np.zeros(1, dtype=bool), False)
    assert_array_equal(end, [0.3])


def test_iterations_are_counted_and_limited():
    A, b = data(60, 40, seed=1)
    penalty = ColumnPenalty(np.full(40, 1e-4), np.zeros(40), False)
    for max_iter in (1, 2, 5):
        assert form(A, b, np.zeros(40), penalty).solve(max_iter) == max_iter
