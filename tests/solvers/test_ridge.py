"""Ridge's solver against scikit-learn, extended precision and the pseudo-inverse."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import linear_model as theirs

from skreg.penalties import L2
from skreg.solvers import dual_gap, least_squares, solve_elastic_net, solve_ridge
from skreg.solvers import ridge as ridge_module


def regression(n, p, n_targets=2, seed=0):
    rng = np.random.default_rng([n, p, seed])
    X = rng.standard_normal((n, p)) + 0.5 * rng.standard_normal((n, 1)) + 3.0
    return X, 2.0 + X @ rng.standard_normal((p, n_targets)) / p + rng.standard_normal((n, n_targets))


def solved(X, y, penalty, weights=None, fit_intercept=True, **options):
    weights = np.ones(X.shape[0]) if weights is None else weights
    problem = least_squares(X, y, weights, fit_intercept=fit_intercept)
    return problem, solve_ridge(problem, penalty, **options)


def paths_of(monkeypatch):
    """The names of the ways that are taken through the solver from here on."""
    taken = []
    for name in ("_tall", "_wide", "_by_singular_values", "least_squares_by_lsmr"):
        way = getattr(ridge_module, name)

        def noted(*args, name=name, way=way):
            result = way(*args)
            if result is not None:
                taken.append(name)
            return result

        monkeypatch.setattr(ridge_module, name, noted)
    return taken


# ---------------------------------------------------------------------- against scikit-learn


@pytest.mark.parametrize("alpha", [1e-4, 1.0, 1e5])
@pytest.mark.parametrize("solver", ["cholesky", "svd"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("shape", [(60, 6), (15, 40), (20, 20)])
def test_the_coefficients_are_scikit_learn_s(shape, weighted, fit_intercept, solver, alpha):
    X, y = regression(*shape)
    weights = np.random.default_rng(1).uniform(0, 2, shape[0]) if weighted else np.ones(shape[0])
    weights[::5] *= not weighted
    reference = theirs.Ridge(alpha, fit_intercept=fit_intercept, solver=solver).fit(X, y, weights)
    for layout in (np.asarray, sparse.csr_array, sparse.csc_matrix):
        problem, solution = solved(layout(X), y, L2(alpha), weights, fit_intercept)
        size = np.abs(reference.coef_).max()
        assert_allclose(solution.coef, reference.coef_, rtol=1e-7, atol=1e-8 * size)
        assert_allclose(problem.intercept(solution.coef), reference.intercept_, rtol=1e-7, atol=1e-7)
        assert np.all(solution.dual_gap <= 1e-13 * problem.null_value)
        assert_array_equal(solution.n_iter, 1)


# ---------------------------------------------------------------------- against extended precision


def in_extended_precision(X, y, strengths):
    """(XᵀX + Λ)⁻¹Xᵀy with 60 digits, for the float64 numbers that X and y are, and its energy."""
    with mpmath.workdps(60):
        X, y = mpmath.matrix(X.tolist()), mpmath.matrix(y.tolist())
        hessian = X.T * X + mpmath.diag([mpmath.mpf(float(strength)) for strength in strengths])
        w = mpmath.lu_solve(hessian, X.T * y)
        return np.array([float(u) for u in w]), energy_in_extended_precision(X, y, strengths, w)


def energy_in_extended_precision(X, y, strengths, w):
    with mpmath.workdps(60):
        X, y, w = (m if isinstance(m, mpmath.matrix) else mpmath.matrix(m.tolist()) for m in (X, y, w))
        r = y - X * w
        penalty = sum(mpmath.mpf(float(v)) * u**2 for v, u in zip(strengths, w, strict=True))
        return (sum(e**2 for e in r) + penalty) / 2


def ill_conditioned(n, p, kind):
    rng = np.random.default_rng(7)
    if kind == "Hilbert":
        X = 1.0 / (np.arange(n)[:, None] + np.arange(p) + 1.0)
    else:
        Q, R = (np.linalg.qr(rng.standard_normal((m, min(n, p))))[0] for m in (n, p))
        X = Q * np.logspace(0, -12, min(n, p)) @ R.T
    return X, rng.standard_normal(n)


@pytest.mark.parametrize("alpha", [1e-10, 1e-7, 1e-4, 1.0])
@pytest.mark.parametrize("kind", ["Hilbert", "graded"])
@pytest.mark.parametrize("shape", [(20, 8), (10, 10), (8, 20)])
def test_ill_conditioned_columns_keep_their_digits(shape, kind, alpha):
    X, y = ill_conditioned(*shape, kind)
    strengths = np.full(shape[1], alpha)
    expected, minimum = in_extended_precision(X, y, strengths)
    for layout in (np.asarray, sparse.csc_array):
        problem, solution = solved(layout(X), y[:, None], L2(alpha), fit_intercept=False)
        energy = energy_in_extended_precision(X, y, strengths, solution.coef[0])
        assert abs(float(energy - minimum)) <= 1e-15 * problem.null_value[0]
        assert solution.dual_gap[0] >= float(energy - minimum)
        assert solution.dual_gap[0] <= 1e-9 * problem.null_value[0]
        # X to 16 digits makes w known to about as many less those of the condition of XᵀX + αI, halved.
        error = np.abs(solution.coef[0] - expected).max() / np.abs(expected).max()
        assert error <= 1e-14 / np.sqrt(alpha)


@pytest.mark.parametrize("shape", [(30, 6), (6, 12)])
def test_strengths_of_all_sizes_keep_their_digits(monkeypatch, shape):
    taken = paths_of(monkeypatch)
    rng = np.random.default_rng(8)
    units = 10.0 ** np.linspace(-5, 5, shape[1])
    X, y = rng.standard_normal(shape) * units, rng.standard_normal(shape[0])
    factors = 10.0 ** rng.uniform(-6, 6, shape[1])
    expected, minimum = in_extended_precision(X, y, factors)
    problem, solution = solved(X, y[:, None], L2(1.0, factors=factors), fit_intercept=False)
    assert_allclose(solution.coef[0], expected, rtol=1e-7)
    assert taken == ["_tall" if shape[0] > shape[1] else "_by_singular_values"]
    assert solution.dual_gap[0] <= 1e-12 * problem.null_value[0]
    assert solution.dual_gap[0] >= float(
        energy_in_extended_precision(X, y, factors, solution.coef[0]) - minimum
    )


# ---------------------------------------------------------------------- no penalty, some penalty


@pytest.mark.parametrize("shape", [(40, 8), (8, 40), (12, 12)])
@pytest.mark.parametrize("rank", [3, 5])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_least_squares_of_deficient_rank_have_least_norm_in_the_data_s_units(shape, rank, fit_intercept):
    rng = np.random.default_rng(9)
    units = 10.0 ** rng.uniform(-2, 2, shape[1])
    X = rng.standard_normal((shape[0], rank)) @ rng.standard_normal((rank, shape[1])) * units
    y = rng.standard_normal((shape[0], 2))
    weights = rng.uniform(0.5, 2.0, shape[0])
    root, total = np.sqrt(weights)[:, None], weights.sum()
    Xc, yc = (X - weights @ X / total, y - weights @ y / total) if fit_intercept else (X, y)
    expected = np.linalg.pinv(root * Xc, rcond=1e-12) @ (root * yc)
    for layout in (np.asarray, sparse.csr_array):
        problem, solution = solved(layout(X), y, L2(0.0), weights, fit_intercept)
        assert_allclose(solution.coef, expected.T, rtol=1e-8, atol=1e-9 * np.abs(expected).max())
        assert np.all(solution.dual_gap <= 1e-13 * problem.null_value)


@pytest.mark.parametrize("shape", [(30, 8), (8, 30), (10, 11)])
@pytest.mark.parametrize("alpha", [1e-3, 10.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_unpenalised_columns_are_fitted_in_full(shape, alpha, fit_intercept):
    X, y = regression(*shape)
    factors = np.random.default_rng(10).uniform(0.5, 2.0, shape[1])
    factors[[0, 3, 5]] = 0.0
    problem, solution = solved(X, y, L2(alpha, factors=factors), fit_intercept=fit_intercept)
    Xc, yc = (X - X.mean(axis=0), y - y.mean(axis=0)) if fit_intercept else (X, y)
    expected = np.linalg.solve(Xc.T @ Xc + alpha * np.diag(factors), Xc.T @ yc)
    assert_allclose(solution.coef, expected.T, rtol=1e-6, atol=1e-8)
    r = yc - Xc @ solution.coef.T
    assert_allclose(Xc[:, [0, 3, 5]].T @ r, 0.0, atol=1e-11)
    assert np.all(solution.dual_gap <= 1e-12 * problem.null_value)


def test_unpenalised_columns_that_are_the_same_share_their_weight():
    X, y = regression(30, 6)
    X[:, 1] = X[:, 0]
    _, solution = solved(X, y, L2(1.0, factors=[0, 0, 1, 1, 1, 1]))
    assert_allclose(solution.coef[:, 0], solution.coef[:, 1], rtol=1e-10)


@pytest.mark.parametrize("shape", [(10, 25), (25, 10)])
@pytest.mark.parametrize("alpha", [1e-9, 1e-15, 1e-20, 1e-30, 1e-200])
def test_a_vanishing_penalty_is_the_limit_of_least_norm(shape, alpha):
    X, y = regression(*shape)
    X[:, 1] = X[:, 0]
    X[3] = X[2]  # two rows that say different things
    for fit_intercept in (True, False):
        _, least = solved(X, y, L2(0.0), fit_intercept=fit_intercept)
        problem, solution = solved(X, y, L2(alpha), fit_intercept=fit_intercept)
        assert_allclose(solution.coef, least.coef, atol=1e-6)
        assert np.all(solution.dual_gap <= 1e-9 * problem.null_value)


# ---------------------------------------------------------------------- the ways through the solver


def test_the_way_suits_the_problem(monkeypatch):
    taken = paths_of(monkeypatch)
    tall, wide = regression(40, 6), regression(6, 40)
    solved(*tall, L2(1.0))
    solved(*wide, L2(1.0))
    assert taken == ["_tall", "_wide"]
    del taken[:]
    solved(*wide, L2(1.0, factors=np.arange(40.0)))
    solved(np.repeat(tall[0], 2, axis=1), tall[1], L2(0.0))
    assert taken == ["_by_singular_values"] * 2


@pytest.mark.parametrize("shape", [(60, 20), (20, 60)])
@pytest.mark.parametrize("alpha", [0.0, 1e-2, 10.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_large_sparse_data_are_solved_without_a_factor(monkeypatch, shape, alpha, fit_intercept):
    X = sparse.random(*shape, density=0.3, random_state=2, format="csr")
    y = np.random.default_rng(3).standard_normal((shape[0], 2)) + 5.0
    weights = np.random.default_rng(4).uniform(0.5, 2.0, shape[0])
    factors = np.where(np.arange(shape[1]) < 5, 0.0, 1.0)
    _, direct = solved(X, y, L2(alpha, factors=factors), weights, fit_intercept)
    taken = paths_of(monkeypatch)
    monkeypatch.setattr(ridge_module, "_DENSE_LIMIT", 3)
    problem, iterative = solved(X, y, L2(alpha, factors=factors), weights, fit_intercept)
    assert taken == ["least_squares_by_lsmr"]
    assert np.all(iterative.dual_gap <= 1e-12 * problem.null_value)
    assert np.all(iterative.n_iter > 1)
    if alpha > 0 or shape[0] > shape[1]:
        assert_allclose(iterative.coef, direct.coef, rtol=1e-7, atol=1e-9)


def test_lsmr_does_not_mind_columns_and_strengths_of_all_sizes(monkeypatch):
    rng = np.random.default_rng(7)
    X = sparse.random(80, 30, density=0.3, random_state=3, format="csc") @ sparse.diags_array(
        10.0 ** rng.uniform(-6, 6, 30)
    )
    y, penalty = rng.standard_normal((80, 1)), L2(1e-2)
    _, direct = solved(X, y, penalty)
    monkeypatch.setattr(ridge_module, "_DENSE_LIMIT", 3)
    problem, iterative = solved(X, y, penalty)
    assert_allclose(iterative.coef, direct.coef, rtol=1e-6)
    assert iterative.dual_gap[0] <= 1e-12 * problem.null_value[0]


def test_lsmr_stopped_early_says_how_far_it_can_be(monkeypatch):
    X = sparse.random(200, 80, density=0.1, random_state=5, format="csr")
    y = np.random.default_rng(6).standard_normal((200, 1))
    problem, best = solved(X, y, L2(1e-3))
    monkeypatch.setattr(ridge_module, "_DENSE_LIMIT", 3)
    _, stopped = solved(X, y, L2(1e-3), max_iter=5)
    assert stopped.n_iter[0] <= 5
    energy = [
        0.5 * np.sum((y.T - w @ X.T.toarray() - problem.intercept(w)[:, None]) ** 2) + 0.5e-3 * np.sum(w**2)
        for w in (stopped.coef, best.coef)
    ]
    assert stopped.dual_gap[0] >= energy[0] - energy[1] > 1e-6 * problem.null_value[0]


def test_ridge_is_the_elastic_net_without_its_l1_part():
    X, y = regression(30, 8)
    problem, ridge = solved(X, y, L2(2.0))
    assert_allclose(solve_elastic_net(problem, L2(2.0)).coef, ridge.coef, rtol=1e-9)


def test_columns_and_targets_that_are_constant_get_no_coefficient():
    X, y = regression(20, 5)
    X[:, 2], y[:, 1] = 1e6 + 0.1, 7.3
    _, solution = solved(X, y, L2(1.0))
    assert_array_equal(solution.coef[:, 2], 0.0)
    assert_array_equal(solution.coef[1], 0.0)
    assert solution.dual_gap[1] == 0.0
    _, nothing = solved(np.ones((4, 2)), y[:4], L2(1.0))
    assert_array_equal(nothing.coef, 0.0)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.integers(1, 30),
    st.booleans(),
    st.booleans(),
    st.floats(-8, 6),
)
@settings(max_examples=500, deadline=None, derandomize=True)
def test_every_ridge_is_solved_to_rounding(seed, n, p, is_sparse, scaled, log_alpha):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    if rng.random() < 0.5:
        k = int(rng.integers(1, p // 2 + 2))
        X = rng.standard_normal((n, k)) @ rng.standard_normal((k, p)) + 10.0 ** rng.uniform(-6, 0) * X
    if scaled:
        X *= 10.0 ** rng.uniform(-6, 6, p)
    if p > 1:
        X[:, 0] = X[:, -1]
    y = rng.standard_normal((n, 2)) * [1.0, 1e8]
    weights = rng.uniform(0, 2, n)
    weights[0] = 1.0
    penalty = L2(10.0**log_alpha, factors=10.0 ** rng.uniform(-3, 3, p))
    problem, solution = solved(sparse.csr_array(X) if is_sparse else X, y, penalty, weights)
    assert np.all(solution.dual_gap <= 1e-9 * problem.null_value)
    # The last look of the solver is as good as a new one.
    assert np.all(dual_gap(problem, solution.coef, penalty) <= 1e-9 * problem.null_value)
