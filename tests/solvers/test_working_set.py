"""The working set: exact minimisation on its Gram matrix, with a factor that follows the support."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import sparse

from skreg.penalties import ElasticNetPenalty
from skreg.solvers import least_squares, solve_elastic_net, solve_path
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.working_set import WorkingSet


def problem_of(n=60, p=20, seed=0, duplicates=0, as_sparse=False):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.7) + 0.5 * rng.standard_normal((n, 1))
    for j in range(duplicates):
        X[:, -1 - j] = X[:, j] * rng.choice([1.0, -1.0])
    y = X @ (rng.standard_normal(p) * (rng.random(p) < 0.5)) + 0.3 * rng.standard_normal(n)
    data = sparse.csc_array(X) if as_sparse else X
    return least_squares(data, y[:, None], np.ones(n), fit_intercept=False)


def whole_set(problem):
    working = WorkingSet(problem)
    p = problem.n_features
    for start in range(0, p, 7):  # in several lots, so that the buffers grow
        lot = np.zeros(p)
        lot[start : start + 7] = 1.0
        assert working.grow(np.zeros(p), lot, 0.5)
    assert not working.grow(np.zeros(p), np.ones(p), 0.5)
    assert sorted(working.index) == list(range(p))
    return working


def minimize(problem, working, penalty, w, tolerance=1e-14, max_iter=1000):
    g = problem.adjoint(problem.residual(w[:, None], [0]))[:, 0]
    return working.minimize(g, w, penalty, tolerance, max_iter)


def violation(problem, penalty, w):
    g = problem.adjoint(problem.residual(w[:, None], [0]))[:, 0]
    return np.max(penalty.violation(w, g))


@pytest.mark.parametrize("as_sparse", [False, True])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("l1", [0.0, 1e-6, 0.05, 10.0])
def test_the_minimiser_is_optimal_to_rounding(l1, l2, positive, as_sparse):
    problem = problem_of(as_sparse=as_sparse)
    penalty = ColumnPenalty(np.full(20, l1), np.full(20, l2), positive)
    penalty.l1[3] = penalty.l2[3] = 0.0
    w = np.zeros(20)
    spent = minimize(problem, whole_set(problem), penalty, w)
    assert 0 < spent < 200
    assert violation(problem, penalty, w) < 1e-13 * np.linalg.norm(problem.b)


@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([0, 3]))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_factor_follows_the_support_down_and_up_a_path(seed, positive, duplicates):
    rng = np.random.default_rng(seed)
    problem = problem_of(seed=seed, duplicates=duplicates)
    working, w = whole_set(problem), np.zeros(20)
    size = np.max(np.abs(problem.adjoint(problem.b)))
    for _ in range(12):
        l1 = np.full(20, size * 10.0 ** rng.uniform(-4, 0.1))
        l2 = np.full(20, rng.choice([0.0, 0.0, 0.1]))
        penalty = ColumnPenalty(l1, l2, positive)
        assert minimize(problem, working, penalty, w, max_iter=500) < 500
        assert violation(problem, penalty, w) < 1e-11 * np.linalg.norm(problem.b)


def test_collinear_unpenalised_columns_are_fitted_all_the_same():
    problem = problem_of(duplicates=4)
    penalty = ColumnPenalty(np.zeros(20), np.zeros(20), False)
    w = np.zeros(20)
    assert minimize(problem, whole_set(problem), penalty, w) < 100
    assert violation(problem, penalty, w) < 1e-12 * np.linalg.norm(problem.b)


def test_a_penalised_copy_of_an_unpenalised_column_gets_nothing():
    problem = problem_of(duplicates=1)
    l1 = np.full(20, 0.01)
    l1[0] = 0.0
    w = np.zeros(20)
    w[-1] = 0.7  # where it does not belong
    penalty = ColumnPenalty(l1, np.zeros(20), False)
    minimize(problem, whole_set(problem), penalty, w)
    assert w[-1] == 0.0 and w[0] != 0.0
    assert violation(problem, penalty, w) < 1e-13 * np.linalg.norm(problem.b)


def test_the_budget_is_kept_and_what_it_bought_is_better_than_the_start():
    problem = problem_of()
    penalty = ColumnPenalty(np.full(20, 1e-4), np.zeros(20), False)
    energies = []
    for budget in (1, 2, 1000):
        w = np.zeros(20)
        assert minimize(problem, whole_set(problem), penalty, w, max_iter=budget) <= budget
        energies.append(0.5 * np.sum(problem.residual(w[:, None], [0]) ** 2) + penalty.value(w))
    assert energies[0] >= energies[1] >= energies[2]
    assert energies[0] < 0.5 * np.sum(problem.b**2)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("factors", [None, "some free"])
@pytest.mark.parametrize("shape", [(80, 12), (30, 60)])
@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
def test_every_point_of_a_path_is_the_solution_by_itself(shape, l1_ratio, factors, positive):
    n, p = shape
    problem = problem_of(n, p, seed=5)
    v = None if factors is None else np.where(np.arange(p) < 2, 0.0, 1.0 + np.arange(p) / p)
    largest = np.max(np.abs(problem.adjoint(problem.b) / problem.y_scale)) / n / l1_ratio
    penalties = [
        ElasticNetPenalty.from_alpha(largest * fraction, l1_ratio, n, factors=v, positive=positive)
        for fraction in np.logspace(1, -3, 15)
    ]
    path = solve_path(problem, penalties)
    assert path.coef.shape == (15, p)
    assert np.all(path.dual_gap <= 1e-10 * problem.null_value)
    for i in (0, 7, 14):
        single = solve_elastic_net(problem, penalties[i])
        assert_allclose(path.coef[i], single.coef[0], atol=1e-7 * (1 + np.abs(single.coef).max()))


def test_a_path_of_a_constant_target_is_zero():
    X = np.random.default_rng(0).standard_normal((20, 3))
    problem = least_squares(X, np.full((20, 1), 3.0), np.ones(20), fit_intercept=True)
    path = solve_path(problem, [ElasticNetPenalty(l1=1.0), ElasticNetPenalty(l1=0.1)])
    assert not path.coef.any() and not path.dual_gap.any()
