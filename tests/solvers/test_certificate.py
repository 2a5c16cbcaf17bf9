"""The duality gap bounds the true suboptimality of any coefficients, and not by much.

The truth is found apart from skreg: every support and every pattern of signs of small problems is solved, and
energies are evaluated in extended precision on the data as given.
"""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skreg.penalties import L1, L2, ElasticNetPenalty
from skreg.solvers import dual_gap, least_squares, solve_elastic_net, solve_ridge
from skreg.solvers import iterative as iterative_module
from skreg.solvers.certificate import Certificate
from skreg.solvers.dense import DenseLeastSquares
from skreg.solvers.sparse import SparseLeastSquares

EXTENDED = np.longdouble
# What evaluating an energy in extended precision may be off by, relatively (not small where it is float64).
NOISE = 1e3 * float(np.finfo(EXTENDED).eps)


class Problem:
    """Data, weights and penalty of a small problem, with its energy and its minimum."""

    def __init__(self, X, y, weights, fit_intercept, penalty):
        self.X, self.y, self.weights = X, y, weights
        self.fit_intercept, self.penalty = fit_intercept, penalty
        self._X, self._y, self._s = (part.astype(EXTENDED) for part in (X, y, weights))
        if fit_intercept:
            self._X = self._X - self._s @ self._X / self._s.sum()
            self._y = self._y - self._s @ self._y / self._s.sum()
        p = X.shape[1]
        self.l1, self.l2 = penalty.l1_strengths(p), penalty.l2_strengths(p)
        self.null = float(self.energies(np.zeros((1, p)))[0])

    def energies(self, coefs):
        """E of each row of `coefs`, at its best intercept."""
        w = coefs.astype(EXTENDED)
        r = self._y - w @ self._X.T
        penalties = np.abs(w) @ self.l1.astype(EXTENDED) + w**2 @ self.l2.astype(EXTENDED) / 2
        return r**2 @ self._s / 2 + np.where(self.penalty.positive & np.any(w < 0, axis=1), np.inf, penalties)

    def representation(self, kind, n_targets):
        """The least-squares problem of n_targets times the same target."""
        kept = self.weights > 0
        X, y, weights = self.X[kept], np.repeat(self.y[kept, None], n_targets, axis=1), self.weights[kept]
        if kind is SparseLeastSquares:
            X = sparse.csc_array(X)
        return kind(X, y, weights, self.fit_intercept)

    def minimum(self):
        """The least energy over all supports and signs: one linear system each."""
        root = np.sqrt(self._s)[:, None]
        scale = np.sqrt(np.sum((root * self._X) ** 2, axis=0)).astype(float)
        scale[scale == 0] = 1.0
        A = (root * self._X / scale).astype(float)
        c = A.T @ (root[:, 0] * self._y).astype(float)
        l1, l2 = self.l1 / scale, self.l2 / scale**2
        p = scale.size
        candidates = [np.zeros((1, p))]
        for size in range(1, p + 1):
            signs = np.array(
                list(itertools.product([1.0] if self.penalty.positive else [1.0, -1.0], repeat=size))
            )
            for support in map(list, itertools.combinations(range(p), size)):
                hessian = A[:, support].T @ A[:, support] + np.diag(l2[support])
                w = np.zeros((len(signs), p))
                w[:, support] = (c[support] - signs * l1[support]) @ np.linalg.pinv(
                    hessian, 1e-12, hermitian=True
                )
                candidates.append(w / scale)
        candidates = np.vstack(candidates)
        if self.penalty.positive:
            candidates = candidates[np.all(candidates >= 0, axis=1)]
        return float(np.min(self.energies(candidates)))


def random_problem(rng):
    p = int(rng.integers(1, 6))
    n = int(rng.integers(2, 9) if rng.random() < 0.5 else rng.integers(2 * p, 25))  # wide or tall
    X = rng.standard_normal((n, p))
    if rng.random() < 0.1:
        X[:, 0] = rng.choice([0.0, 3.0])  # constant
    if rng.random() < 0.3:
        X *= 10.0 ** rng.uniform(-3, 3, p)
    if rng.random() < 0.2:
        X += 10.0 ** rng.uniform(0, 2)
    if p > 1 and rng.random() < 0.3:
        X[:, -1] = X[:, 0] * rng.choice([1.0, -1.0, 4.0])  # collinear, exactly
    size = np.maximum(np.abs(X).max(axis=0), 1e-9)
    y = X @ (rng.standard_normal(p) * (rng.random(p) < 0.6) / size) + 10.0 ** rng.uniform(
        -3, 0
    ) * rng.standard_normal(n)
    weights = np.ones(n)
    if rng.random() < 0.4:
        weights = rng.uniform(0, 3, n) * (rng.random(n) < 0.8)
        weights[0] = 1.0
    factors = rng.uniform(0, 2, p) * (rng.random(p) < 0.6) if rng.random() < 0.4 else None
    fit_intercept, positive = bool(rng.random() < 0.6), bool(rng.random() < 0.3)
    total = weights.sum()
    centred = y - (weights @ y / total if fit_intercept else 0.0)
    alpha = np.max(np.abs(X.T @ (weights * centred))) / total * 10.0 ** rng.uniform(-4, 0.2)
    kind = rng.choice(["lasso", "elastic net", "ridge"])
    if kind == "ridge":
        penalty = L2(10.0 ** rng.uniform(-4, 3), factors=factors, positive=positive)
    else:
        l1_ratio = 1.0 if kind == "lasso" else rng.uniform(0.05, 0.95)
        penalty = ElasticNetPenalty.from_alpha(alpha, l1_ratio, total, factors=factors, positive=positive)
    return Problem(X, y, weights, fit_intercept, penalty)


def check(seeds):
    n_tight, n_loose = 0, 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        problem = random_problem(rng)
        kind = (DenseLeastSquares, SparseLeastSquares)[seed % 2]
        data = problem.representation(kind, 1)
        solve = solve_ridge if problem.penalty.l1 == 0 and not problem.penalty.positive else solve_elastic_net
        solution = solve(data, problem.penalty)
        best = solution.coef[0]
        size = np.abs(best).max() or 1.0
        noise = rng.standard_normal((3, best.size))
        coefs = np.array(
            [
                best,
                best.astype(np.float32).astype(np.float64),
                best * (1 + 1e-3 * noise[0]),
                best + size * 10.0 ** rng.uniform(-10, 0) * noise[1],
                size * noise[2],
                np.zeros_like(best),
                -best,
            ]
        )
        if problem.penalty.positive:
            coefs = np.abs(coefs)
        energies = problem.energies(coefs)
        minimum = min(problem.minimum(), energies.min())
        suboptimality = energies - minimum
        gaps = dual_gap(problem.representation(kind, len(coefs)), coefs, problem.penalty)
        short = suboptimality - gaps - NOISE * energies
        assert np.all(short <= 0), (seed, kind.__name__, suboptimality, gaps)
        # It is not vacuous: at the solution it is next to nothing, and there is nothing better.
        n_loose += solution.dual_gap[0] > 1e-9 * problem.null
        assert_allclose(gaps[0], solution.dual_gap[0], rtol=1e-6, atol=1e-9 * problem.null)
        n_tight += np.median(gaps / np.maximum(suboptimality, 1e-12 * problem.null + 1e-300)) < 10
    # One problem in ten thousand may be too degenerate for the solver; it then warns.
    assert n_loose <= len(seeds) // 10_000
    return n_tight / len(seeds)


def test_the_gap_bounds_the_suboptimality_of_any_coefficients_in_3000_problems():
    assert check(range(3000)) > 0.5


@pytest.mark.slow
def test_the_gap_bounds_the_suboptimality_of_any_coefficients_in_10000_problems():
    check(range(10_000, 20_000))


def test_penalised_columns_are_judged_after_projecting_the_unpenalised_off():
    # At w = 0 the correlation of x₁ with the residual is 0, within λ₁; off x₀ the residual is another one.
    X = np.array([[1.0, 1.0], [1.0, -1.0], [0.0, 1.0]])
    y = np.array([3.0, 4.0, 1.0])
    penalty = L1(0.5, factors=[0.0, 1.0])
    problem = Problem(X, y, np.ones(3), False, penalty)
    assert X[:, 1] @ y == 0.0
    zero = np.zeros((1, 2))
    gap = dual_gap(problem.representation(DenseLeastSquares, 1), zero, penalty)
    assert gap[0] >= float(problem.energies(zero)[0]) - problem.minimum() > 10.0


def exact_energy(X, y, w, l1):
    """½‖y − Xw − b‖² + l1‖w‖₁ at the best b, in rational arithmetic."""
    w = [Fraction(u) for u in w.tolist()]
    r = [
        Fraction(t) - sum(Fraction(x) * u for x, u in zip(row, w, strict=True))
        for row, t in zip(X.tolist(), y.tolist(), strict=True)
    ]
    mean = sum(r) / len(r)
    return sum((t - mean) ** 2 for t in r) / 2 + Fraction(l1) * sum(abs(u) for u in w)


@pytest.mark.parametrize("seed", range(25))
def test_it_holds_where_large_coefficients_of_near_duplicates_cancel(seed):
    # w is of the order 1e5 to 1e8, and the residual of its rounded digits is off by more than λ₁.
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((8, 3))
    X[:, 2] = X[:, 0] + 10.0 ** rng.uniform(-8, -5) * X[:, 2]
    y = rng.standard_normal(8)
    l1 = 10.0 ** rng.uniform(-10, -6)
    problem = least_squares(X, y[:, None], np.ones(8), fit_intercept=True)
    solution = solve_elastic_net(problem, L1(l1))
    assert solution.dual_gap[0] <= 1e-6 * problem.null_value[0]
    best = exact_energy(X, y, solution.coef[0], l1)
    for scale in (1e-13, 1e-10, 1e-6, 1e-2):
        other = solution.coef[0] * (1 + scale * rng.standard_normal(3))
        energy = exact_energy(X, y, other, l1)
        assert Fraction(float(dual_gap(problem, other[None], L1(l1))[0])) >= energy - best
        assert Fraction(float(solution.dual_gap[0])) >= best - energy


@pytest.mark.parametrize("kind", [DenseLeastSquares, SparseLeastSquares])
@pytest.mark.parametrize("penalty", [L1(1e-18), L2(1e-28), ElasticNetPenalty(1e-18, 1e-28)])
def test_a_penalty_far_below_rounding_is_certified_as_least_squares(kind, penalty):
    rng = np.random.default_rng(8)
    X, y = rng.standard_normal((30, 4)), rng.standard_normal((30, 1))
    problem = kind(sparse.csc_array(X) if kind is SparseLeastSquares else X, y, np.ones(30), True)
    least = solve_ridge(problem, L2(0.0)).coef
    assert dual_gap(problem, least, penalty)[0] <= 1e-12 * problem.null_value[0]


def test_coefficients_that_no_optimum_can_have_are_infinitely_wrong():
    X, y = np.eye(3), np.ones((3, 2))
    problem = least_squares(X, y, np.ones(3), fit_intercept=False)
    coef = np.array([[1.0, -1e-300, 0.0], [1.0, 1.0, 1.0]])
    assert_array_equal(np.isinf(dual_gap(problem, coef, L1(1.0, positive=True))), [True, False])
    coef[0, 1] = np.nan
    assert_array_equal(np.isinf(dual_gap(problem, coef, L1(1.0))), [True, False])
    coef[0, 1] = np.inf
    assert_array_equal(np.isinf(dual_gap(problem, coef, L1(1.0))), [True, False])


def test_a_coefficient_on_a_column_without_variance_pays_its_penalty():
    X = np.column_stack([np.ones(5), np.arange(5.0)])
    problem = least_squares(X, np.arange(5.0)[:, None] ** 2, np.ones(5), fit_intercept=True)
    penalty = ElasticNetPenalty(1.0, 2.0)
    best = solve_elastic_net(problem, penalty).coef
    gap = dual_gap(problem, best + [[3.0, 0.0]], penalty)
    assert gap[0] == pytest.approx(1.0 * 3.0 + 0.5 * 2.0 * 9.0)


def test_a_constant_target_is_certified_at_zero():
    problem = least_squares(np.eye(4), np.full((4, 1), 7.3), np.ones(4), fit_intercept=True)
    assert dual_gap(problem, np.zeros((1, 4)), L1(1.0))[0] == 0.0
    assert dual_gap(problem, np.ones((1, 4)), L1(1.0))[0] > 0.0


@pytest.mark.parametrize("positive", [False, True])
def test_unpenalised_columns_too_many_for_a_factor_are_projected_off_iteratively(monkeypatch, positive):
    rng = np.random.default_rng(9)
    X = sparse.random(60, 12, density=0.3, random_state=1, format="csc")
    y = rng.standard_normal((60, 1))
    problem = least_squares(X, y, np.ones(60), fit_intercept=True)
    factors = np.where(np.arange(12) < 8, 0.0, 1.0)
    penalty = L1(0.5, factors=factors, positive=positive)
    coef = solve_elastic_net(problem, penalty).coef
    coefs = [coef, coef * rng.uniform(0, 1, 12)]
    monkeypatch.setattr("skreg.solvers.certificate._CHEAP", 0)
    by_factor = [dual_gap(problem, w, penalty)[0] for w in coefs]
    calls = []
    lsmr = iterative_module.lsmr
    monkeypatch.setattr(iterative_module, "lsmr", lambda *args, **kw: calls.append(1) or lsmr(*args, **kw))
    for name in ("_FACTOR_LIMIT", "DENSE_LIMIT"):
        monkeypatch.setattr(f"skreg.solvers.unpenalized.{name}", 0)
    problem.n_stored = 0
    iteratively = [dual_gap(problem, w, penalty)[0] for w in coefs]
    assert calls
    truth = Problem(X.toarray(), y[:, 0], np.ones(60), True, penalty)
    energies = truth.energies(np.vstack(coefs))
    # With a sign constraint orthogonality is more than feasibility asks: still a bound, but another one.
    assert np.all(iteratively >= (energies - energies[0]) * (1 - 1e-9))
    if not positive:
        assert_allclose(iteratively, by_factor, rtol=1e-6, atol=1e-12 * problem.null_value[0])


@pytest.mark.parametrize("collinearity", [1.0, 1e-4, 1e-6])
@pytest.mark.parametrize("shape", [(30, 5), (6, 5), (5, 9)])
@pytest.mark.parametrize("kind", [DenseLeastSquares, SparseLeastSquares])
def test_without_a_penalty_the_gap_is_the_suboptimality(monkeypatch, kind, shape, collinearity):
    monkeypatch.setattr("skreg.solvers.certificate._CHEAP", 0)  # without refinement
    rng = np.random.default_rng(11)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    X[:, 1] = X[:, 0] + collinearity * X[:, 1]
    problem = Problem(X, y, np.ones(shape[0]), True, L2(0.0))
    data = problem.representation(kind, 4)
    best = solve_ridge(data, problem.penalty).coef
    coefs = best + np.array([0.0, 1e-3, 1.0, 100.0])[:, None] * rng.standard_normal(best.shape)
    energies = problem.energies(coefs)
    gaps = dual_gap(data, coefs, problem.penalty)
    # Coefficients of 1e6 round the fit by 1e-10 of it, and the bound makes room for that.
    assert_allclose(gaps[1:], (energies - energies[0])[1:].astype(float), rtol=2e-6)
    assert gaps[0] <= 1e-13 * problem.null


@pytest.mark.parametrize("fraction", [1e-12, 1e-13])
def test_the_refined_gap_does_not_feel_that_correlations_are_rounded(fraction):
    # They are known to 1e-16 of ‖r‖, and λ₁ is not much more: as it is, θ misses feasibility by that much.
    rng = np.random.default_rng(12)
    X = rng.standard_normal((40, 8)) * 10.0 ** rng.uniform(-3, 3, 8)
    y = rng.standard_normal((40, 1))
    problem = least_squares(X, y, np.ones(40), fit_intercept=True)
    penalty = L1(fraction * np.abs(X.T @ y).max())
    w = problem.coef_to_scaled(solve_elastic_net(problem, penalty).coef)
    certificate = Certificate(problem, problem.penalty_of(penalty, 0))
    g, r_squared = problem.correlation(w, [0])
    assert certificate.residual_gap(w[:, 0], g[:, 0], r_squared[0]) > 1e-13 * certificate.null
    assert certificate.refined_gap(w[:, 0]) <= 1e-14 * certificate.null


def test_unpenalised_columns_of_either_sign_are_certified_without_refinement(monkeypatch):
    monkeypatch.setattr("skreg.solvers.certificate._CHEAP", 0)
    rng = np.random.default_rng(13)
    X, y = rng.standard_normal((50, 6)), rng.standard_normal((50, 1))
    for data in (X, sparse.csc_array(X), np.hstack([X, X[:, :4] + 1e-5 * X[:, 2:]])):
        factors = np.where(np.arange(data.shape[1]) % 6 < 4, 0.0, 1.0)
        problem = least_squares(data, y, np.ones(50), fit_intercept=True)
        solution = solve_elastic_net(problem, L1(1.0, factors=factors, positive=True))
        assert np.any(solution.coef[0, factors == 0] == 0.0)
        assert solution.dual_gap[0] <= 1e-9 * problem.null_value[0]


@pytest.mark.parametrize("positive", [False, True])
def test_a_projection_that_fails_leaves_a_bound(monkeypatch, positive):
    def fails(*_args, **_options):
        raise RuntimeError("Maximum number of iterations reached.")

    rng = np.random.default_rng(14)
    X, y = rng.standard_normal((20, 6)), rng.standard_normal(20)
    penalty = L1(1e3, factors=[0, 0, 0, 0, 1, 1], positive=positive)
    problem = Problem(X, y, np.ones(20), True, penalty)
    best = solve_elastic_net(problem.representation(DenseLeastSquares, 1), penalty).coef
    coefs = np.vstack([best, 0.5 * best, 0 * best])
    monkeypatch.setattr("skreg.solvers.unpenalized.optimize.nnls", fails)
    if not positive:
        for name, value in {"_FACTOR_LIMIT": 0, "DENSE_LIMIT": 0, "_LSMR_LIMIT": 1}.items():
            monkeypatch.setattr(f"skreg.solvers.unpenalized.{name}", value)
    data = problem.representation(DenseLeastSquares, 3)
    data.n_stored = 0 if not positive else data.n_stored
    energies = problem.energies(coefs)
    assert np.all(dual_gap(data, coefs, penalty) >= energies - energies[0])


def test_every_target_is_judged_by_itself():
    rng = np.random.default_rng(10)
    X, y = rng.standard_normal((20, 5)), rng.standard_normal((20, 3)) * [1.0, 1e5, 1e-5]
    penalty = ElasticNetPenalty(0.5, 0.1, factors=[1.0, 0.0, 1.0, 2.0, 0.0])
    coef = rng.standard_normal((3, 5))
    together = dual_gap(least_squares(X, y, np.ones(20), fit_intercept=True), coef, penalty)
    for k in range(3):
        alone = least_squares(X, y[:, [k]], np.ones(20), fit_intercept=True)
        assert_allclose(dual_gap(alone, coef[[k]], penalty), together[[k]], rtol=1e-12)
