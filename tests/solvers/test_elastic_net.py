"""The Lasso's and the elastic net's solver: optimal to rounding, whatever the data."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import linear_model as theirs
from sklearn.exceptions import ConvergenceWarning

from skreg.penalties import L1, ElasticNetPenalty
from skreg.solvers import least_squares, solve_elastic_net
from skreg.solvers.least_squares import DenseLeastSquares, SparseLeastSquares

EPSILON = np.finfo(float).eps


def regression(n, p, n_targets=1, seed=0):
    rng = np.random.default_rng([n, p, seed])
    X = rng.standard_normal((n, p)) + 0.5 * rng.standard_normal((n, 1))
    coef = rng.standard_normal((p, n_targets)) * (rng.random((p, n_targets)) < 0.3)
    return X, 2.0 + X @ coef + 0.5 * rng.standard_normal((n, n_targets))


def alpha_max(X, y, weights, fit_intercept, l1_ratio=1.0):
    centred = y - (weights @ y / weights.sum() if fit_intercept else 0.0)
    return np.max(np.abs(X.T @ (weights[:, None] * centred))) / weights.sum() / l1_ratio


def solved(X, y, weights=None, penalty=None, fit_intercept=True, **options):
    weights = np.ones(X.shape[0]) if weights is None else weights
    problem = least_squares(X, y, weights, fit_intercept=fit_intercept)
    return problem, solve_elastic_net(problem, penalty, **options)


# ---------------------------------------------------------------------- against scikit-learn


@pytest.mark.parametrize("fraction", [1e-4, 1e-2, 0.3, 0.9])
@pytest.mark.parametrize("l1_ratio", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("layout", [np.asfortranarray, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("shape", [(60, 6), (15, 40), (20, 20)])
def test_the_energy_is_never_above_scikit_learn_s_and_the_coefficients_agree(
    shape, layout, l1_ratio, fraction
):
    X, y = regression(*shape, n_targets=2)
    if layout is not np.asfortranarray:
        X = X * (np.random.default_rng(1).random(shape) < 0.4)
    for weighted, fit_intercept, positive in [(False, True, False), (True, True, True), (True, False, False)]:
        weights = np.random.default_rng(2).integers(0, 3, shape[0]) * 0.7 if weighted else np.ones(shape[0])
        alpha = fraction * alpha_max(X, y, weights, fit_intercept, l1_ratio)
        penalty = ElasticNetPenalty.from_alpha(alpha, l1_ratio, weights.sum(), positive=positive)
        problem, solution = solved(layout(X), y, weights, penalty, fit_intercept)
        assert np.all(solution.dual_gap <= 1e-12 * problem.null_value)
        parameters = {"fit_intercept": fit_intercept, "positive": positive, "tol": 1e-12, "max_iter": 20_000}
        for k in range(2):
            with warnings.catch_warnings():
                # At the smallest alphas scikit-learn stops at max_iter, further from the optimum than we are.
                warnings.simplefilter("ignore", ConvergenceWarning)
                reference = theirs.ElasticNet(alpha, l1_ratio=l1_ratio, **parameters)
                reference.fit(X, y[:, k], sample_weight=weights)
            energies = [
                0.5 * weights @ (y[:, k] - X @ w - b) ** 2 + penalty.value(w)
                for w, b in (
                    (solution.coef[k], problem.intercept(solution.coef)[k]),
                    (reference.coef_, reference.intercept_),
                )
            ]
            assert energies[0] <= energies[1] + 1e-9 * problem.null_value[k]
            converged = energies[1] - energies[0] <= 1e-14 * problem.null_value[k]
            if converged and (shape[0] > shape[1] or l1_ratio < 1) and fraction > 1e-4:
                size = np.abs(reference.coef_).max()
                assert_allclose(solution.coef[k], reference.coef_, atol=1e-6 * size)


def test_scikit_learn_at_its_default_tolerance_is_further_from_the_optimum():
    X, y = regression(200, 30)
    alpha = 1e-3 * alpha_max(X, y, np.ones(200), True)
    problem, solution = solved(X, y, penalty=ElasticNetPenalty.from_alpha(alpha, 1.0, 200))
    default = theirs.Lasso(alpha).fit(X, y[:, 0]).coef_
    assert solution.dual_gap[0] < 1e-14 * problem.null_value[0]
    assert np.abs(default - solution.coef[0]).max() > 1e-6 * np.abs(default).max()


# ---------------------------------------------------------------------- every problem, every time


@st.composite
def hard_problems(draw):
    """Shapes, scales, means, duplicates, rank deficiency, weights, factors and signs as they come."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n, p = draw(st.integers(2, 50)), draw(st.integers(1, 40))
    structure = draw(st.sampled_from(["independent", "low rank", "nearly low rank"]))
    X = rng.standard_normal((n, p))
    if structure != "independent":
        k = int(rng.integers(1, p // 2 + 2))
        noise = 0.0 if structure == "low rank" else 10.0 ** rng.uniform(-8, -1)
        X = rng.standard_normal((n, k)) @ rng.standard_normal((k, p)) + noise * X
    if draw(st.booleans()):
        X *= 10.0 ** rng.uniform(-6, 6, p)
    if draw(st.booleans()):
        X += 10.0 ** rng.uniform(0, 8) * np.abs(X).max(axis=0) * rng.choice([-1.0, 0.0, 1.0], p)
    if draw(st.booleans()) and p > 1:
        X[:, 0] = X[:, 1] * draw(st.sampled_from([1.0, -1.0, 4.0]))
    if draw(st.booleans()):
        X[:, -1] = draw(st.sampled_from([0.0, 0.1, 1e6]))
    spread = np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0)
    coef = rng.standard_normal(p) * (rng.random(p) < 0.4)
    y = (X - X.mean(axis=0)) / spread @ coef + 10.0 ** rng.uniform(-4, 1) * rng.standard_normal(n)
    y += draw(st.sampled_from([0.0, 3.0, 1e8]))
    weights = rng.uniform(0, 2, n) * (rng.random(n) < 0.8) if draw(st.booleans()) else np.ones(n)
    weights[0] = 1.0
    factors = None
    if draw(st.booleans()):
        factors = rng.uniform(0.1, 2, p)
        # Unpenalised columns that are collinear but for rounding have no least-squares fit in float64.
        if structure == "independent" and draw(st.booleans()):
            factors[rng.random(p) < 0.2] = 0.0
            factors[[0, -1]] = 1.0
    return X, y, weights, factors, draw(st.booleans()), draw(st.booleans()), draw(st.floats(-10, 0)), draw(
        st.sampled_from([1.0, 0.95, 0.5, 0.05])
    )  # fmt: skip


def check_hard_problem(drawn):
    X, y, weights, factors, positive, is_sparse, log_fraction, l1_ratio = drawn
    # Without an intercept columns far from zero are collinear to rounding, so here there is one.
    total = weights.sum()
    Xc, yc = X - weights @ X / total, y - weights @ y / total
    pull = np.abs(Xc.T @ (weights * yc))[1:] if X.shape[1] > 1 else np.abs(Xc.T @ (weights * yc))
    alpha = max(pull.max(), 1e-12) / (total * l1_ratio) * 10.0**log_fraction
    penalty = ElasticNetPenalty.from_alpha(alpha, l1_ratio, total, factors=factors, positive=positive)
    data = sparse.csc_array(X) if is_sparse else X
    problem, solution = solved(data, y[:, None], weights, penalty)
    null = problem.null_value[0]
    if null == 0.0:
        assert_array_equal(solution.coef, 0.0)
        return
    w, scaled = problem.coef_to_scaled(solution.coef)[:, 0], problem.penalty_of(penalty, 0)
    g, r_squared = problem.correlation(w[:, None], [0])
    scaled_null = 0.5 * float(problem.b[:, 0] @ problem.b[:, 0])
    # Coefficients so large that rounding moves Σ gⱼwⱼ by a part of the tolerance cannot be judged better in
    # float64. It takes columns collinear to 1e-7 and an alpha next to nothing.
    resolution = EPSILON * np.sqrt(r_squared[0]) * np.abs(w).sum() / scaled_null
    relative = solution.dual_gap[0] / null
    assert relative <= 1e-8 + 50 * resolution, (relative, resolution)
    # The optimality conditions hold to the gap: no coordinate alone can lower the energy by more.
    violation = np.where(problem.x_scale > 0, scaled.violation(w, g[:, 0]), 0.0)[w == 0]
    rounding = 10 * EPSILON * (np.sqrt(scaled_null) + np.abs(w).sum())
    curvature = 1.0 + scaled.l2[w == 0]
    allowed = np.sqrt(2.0 * curvature * relative * scaled_null) * (1 + 1e-6) + rounding
    assert np.all(violation <= allowed)
    if positive:
        assert np.all(solution.coef >= 0)


@given(hard_problems())
@settings(max_examples=1500, deadline=None, derandomize=True)
def test_every_problem_is_solved_to_the_tolerance_and_says_so(drawn):
    check_hard_problem(drawn)


@pytest.mark.slow
@given(hard_problems())
@settings(max_examples=20_000, deadline=None)
def test_twenty_thousand_more_are(drawn):
    check_hard_problem(drawn)


@pytest.mark.parametrize("y_exponent", [-150, 0, 150])
@pytest.mark.parametrize("x_exponent", [-150, 0, 150])
@pytest.mark.parametrize("shape", [(40, 6), (10, 30)])
@pytest.mark.parametrize("layout", [np.asarray, sparse.csc_array])
def test_the_units_of_the_data_do_not_matter(layout, shape, x_exponent, y_exponent):
    X, y = regression(*shape)
    x_unit, y_unit = 2.0 ** (3 * x_exponent), 2.0 ** (3 * y_exponent)  # exact powers of two near 1e±135
    for l1, l2, positive in [(5.0, 0.0, False), (2.5, 2.5, True)]:
        _, expected = solved(X, y, penalty=ElasticNetPenalty(l1, l2, positive=positive))
        penalty = ElasticNetPenalty(l1 * x_unit * y_unit, l2 * x_unit * x_unit, positive=positive)
        problem, found = solved(layout(X * x_unit), y * y_unit, penalty=penalty)
        assert_allclose(found.coef / y_unit * x_unit, expected.coef, rtol=1e-9, atol=1e-12)
        assert found.dual_gap[0] <= 1e-13 * problem.null_value[0]


def test_columns_of_wildly_different_units_are_solved_together():
    X, y = regression(40, 4)
    X *= [1e-150, 1.0, 1e150, 1e75]
    for penalty in (L1(1.0), ElasticNetPenalty(1e-3, 1e-3), ElasticNetPenalty(0.0, 1.0, positive=True)):
        problem, solution = solved(X, y, penalty=penalty)
        assert solution.dual_gap[0] <= 1e-12 * problem.null_value[0]


# ---------------------------------------------------------------------- the ways through the solver


@pytest.mark.parametrize("kind", [DenseLeastSquares, SparseLeastSquares])
@pytest.mark.parametrize("with_columns", [True, False])
def test_without_a_gram_matrix_coordinate_descent_reaches_the_tolerance(monkeypatch, kind, with_columns):
    monkeypatch.setattr("skreg.solvers.elastic_net.GRAM_LIMIT", 0)
    if not with_columns:
        monkeypatch.setattr("skreg.solvers.elastic_net._COLUMN_LIMIT", 0)
    descents = []
    descend = kind.descend
    monkeypatch.setattr(kind, "descend", lambda self, *args: descents.append(1) or descend(self, *args))
    for seed, positive, l1_ratio in [(0, False, 1.0), (1, True, 1.0), (2, False, 0.5), (3, True, 0.3)]:
        for shape in [(40, 12), (20, 30)]:
            X, y = regression(*shape, seed=seed)
            factors = np.where(np.arange(shape[1]) == 3, 0.0, 1.0)
            alpha = 0.02 * alpha_max(X, y, np.ones(shape[0]), True)
            penalty = ElasticNetPenalty.from_alpha(
                alpha, l1_ratio, shape[0], factors=factors, positive=positive
            )
            data = sparse.csc_array(X) if kind is SparseLeastSquares else X
            problem = kind(data, y, np.ones(shape[0]), True)
            solution = solve_elastic_net(problem, penalty, max_iter=20_000)
            assert solution.dual_gap[0] <= 1e-8 * problem.null_value[0]
            expected = solve_elastic_net(DenseLeastSquares(X, y, np.ones(shape[0]), True), penalty)
            assert abs(solution.dual_gap[0] - expected.dual_gap[0]) <= 1e-8 * problem.null_value[0]
    assert descents


def test_where_the_gram_matrix_has_lost_the_digits_the_columns_are_worked_on(monkeypatch):
    rng = np.random.default_rng(4)
    X = rng.standard_normal((30, 5))
    X[:, 1] = X[:, 0] + 1e-7 * X[:, 1]
    y = X[:, [2]] + rng.standard_normal((30, 1))
    penalty = L1(1e-8)
    problem, solution = solved(X, y, penalty=penalty)
    assert solution.dual_gap[0] <= 1e-8 * problem.null_value[0]
    monkeypatch.setattr("skreg.solvers.elastic_net._COLUMN_LIMIT", 0)
    problem, without = solved(X, y, penalty=penalty)
    assert without.dual_gap[0] > 1e-7 * problem.null_value[0]  # and it says so


def test_saturated_supports_are_solved():
    # 200 rows tell no more than 200 columns apart, and at a thousandth of alpha_max nearly all are in use.
    rng = np.random.default_rng(5)
    X = rng.standard_normal((100, 1500))
    y = X[:, :20] @ rng.standard_normal((20, 1)) + rng.standard_normal((100, 1))
    alpha = 1e-3 * alpha_max(X, y, np.ones(100), True)
    problem, solution = solved(X, y, penalty=ElasticNetPenalty.from_alpha(alpha, 1.0, 100))
    assert solution.dual_gap[0] <= 1e-12 * problem.null_value[0]
    assert 90 <= np.count_nonzero(solution.coef) <= 99


def test_targets_are_solved_one_by_one():
    X, y = regression(30, 12, n_targets=3)
    y *= [1.0, 1e6, 1e-6]
    for penalty in (L1(0.3), ElasticNetPenalty(0.2, 0.5, factors=np.arange(12.0) % 3)):
        problem, together = solved(X, y, penalty=penalty)
        for k in range(3):
            _, alone = solved(X, y[:, [k]], penalty=penalty)
            assert_allclose(together.coef[k], alone.coef[0], rtol=1e-10, atol=1e-12)
            assert together.dual_gap[k] <= 1e-12 * problem.null_value[k]


@pytest.mark.parametrize("start", ["solution", "near", "wrong signs", "far", "on constant columns"])
@pytest.mark.parametrize("positive", [False, True])
def test_the_solution_does_not_depend_on_the_start(start, positive):
    X, y = regression(40, 15)
    X[:, 7] = 2.0
    penalty = ElasticNetPenalty(3.0, 0.2, positive=positive)
    problem, expected = solved(X, y, penalty=penalty)
    rng = np.random.default_rng(6)
    coef_init = {
        "solution": expected.coef,
        "near": expected.coef + 1e-3 * rng.standard_normal((1, 15)),
        "wrong signs": -expected.coef,
        "far": 1e8 * rng.standard_normal((1, 15)),
        "on constant columns": np.where(np.arange(15) == 7, 1e3, expected.coef),
    }[start]
    given = coef_init.copy()
    solution = solve_elastic_net(problem, penalty, coef_init=coef_init)
    assert_array_equal(coef_init, given)
    assert_allclose(solution.coef, expected.coef, rtol=1e-10, atol=1e-12)
    if start == "solution":
        assert solution.n_iter[0] <= 3


def test_two_columns_that_are_the_same_share_the_elastic_net_s_weight():
    X, y = regression(30, 3)
    X[:, 1] = X[:, 0]
    _, solution = solved(X, y, penalty=ElasticNetPenalty(0.5, 0.5))
    assert_allclose(solution.coef[0, 0], solution.coef[0, 1], rtol=1e-12)
    problem, lasso = solved(X, y, penalty=L1(0.5))
    assert lasso.dual_gap[0] <= 1e-13 * problem.null_value[0]


@pytest.mark.parametrize("max_iter", [1, 3, 10])
def test_a_solution_stopped_early_says_how_far_it_can_be(max_iter):
    X, y = regression(50, 80)
    penalty = ElasticNetPenalty(1e-3 * 50 * alpha_max(X, y, np.ones(50), True), 1e-6)
    problem, best = solved(X, y, penalty=penalty)
    _, stopped = solved(X, y, penalty=penalty, max_iter=max_iter)
    assert stopped.n_iter[0] <= max_iter

    def energy(coef):
        r = y[:, 0] - X @ coef - problem.intercept(coef[None])[0]
        return 0.5 * r @ r + penalty.value(coef)

    assert (
        stopped.dual_gap[0] >= energy(stopped.coef[0]) - energy(best.coef[0]) > 1e-8 * problem.null_value[0]
    )


def test_a_constant_target_needs_no_coefficients():
    X, _ = regression(10, 4)
    problem, solution = solved(X, np.full((10, 2), [0.1, 0.0]), penalty=L1(1.0), coef_init=np.ones((2, 4)))
    assert_array_equal(solution.coef, 0.0)
    assert_array_equal(solution.dual_gap, 0.0)
    assert_array_equal(problem.intercept(solution.coef), [0.1, 0.0])


def test_no_penalty_is_least_squares_and_positive_non_negative_least_squares():
    from scipy.optimize import nnls

    X, y = regression(40, 6)
    _, free = solved(X, y, penalty=ElasticNetPenalty(), fit_intercept=False)
    assert_allclose(free.coef[0], np.linalg.lstsq(X, y[:, 0])[0], rtol=1e-10)
    problem, positive = solved(X, y, penalty=ElasticNetPenalty(positive=True), fit_intercept=False)
    assert_allclose(positive.coef[0], nnls(X, y[:, 0])[0], rtol=1e-10, atol=1e-13)
    assert positive.dual_gap[0] <= 1e-12 * problem.null_value[0]


def test_float32_data_are_solved_in_float64():
    X, y = regression(40, 6)
    X32 = X.astype(np.float32)
    _, from32 = solved(X32, y, penalty=L1(1.0))
    _, from64 = solved(X32.astype(np.float64), y, penalty=L1(1.0))
    assert from32.coef.dtype == np.float64
    assert_allclose(from32.coef, from64.coef, rtol=1e-12)


def test_the_data_are_left_as_they_were():
    X, y = regression(20, 30)
    weights = np.linspace(0, 2, 20)
    for data in (X, sparse.csc_array(X)):
        before = X.copy(), y.copy(), weights.copy()
        solved(data, y, weights, penalty=L1(0.1))
        for old, new in zip(before, (X, y, weights), strict=True):
            assert_array_equal(old, new)
        assert_array_equal(data.toarray() if sparse.issparse(data) else data, before[0])
