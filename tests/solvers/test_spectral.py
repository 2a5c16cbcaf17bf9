"""Ridge from one decomposition: leave-one-out and fold errors against refits in extended precision."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skreg.penalties import L2
from skreg.solvers import dual_gap, folds, least_squares, leave_one_out, solve_ridge, spectral
from skreg.solvers.folds import ExplicitFold, Folds, KernelFold, MomentFold
from skreg.solvers.leave_one_out import leave_one_out_errors, leave_one_out_residuals
from skreg.solvers.spectral import Spectrum, compressed, solve_ridge_by_target

ALPHAS = np.array([1e-4, 1.0, 1e3])


def data_of_kind(n, p, kind, n_targets=2):
    rng = np.random.default_rng([n, p])
    X = rng.standard_normal((n, p))
    if kind == "the same column twice":
        X[:, -1] = X[:, 0]
    if kind == "columns of all sizes":
        X *= 10.0 ** np.linspace(-6, 6, p)
    if kind == "columns far from zero":
        X += 1e6
    if kind == "a constant column":
        X[:, -1] = 3.7
    if kind == "an outlying row":
        X[0] *= 1e6
    y = rng.standard_normal((n, n_targets)) + 1e3 * np.arange(n_targets)
    return X, y, rng.uniform(0.5, 2.0, n)


def prediction(X, y, weights, at, strengths, fit_intercept):
    """Ridge's prediction of the rows `at`, for every target, with 50 digits."""
    with mpmath.workdps(50):
        if fit_intercept:
            X, at = (np.column_stack([part, np.ones(len(part))]) for part in (X, at))
            strengths = [*strengths, 0.0]
        A, b, s = mpmath.matrix(X.tolist()), mpmath.matrix(y.tolist()), mpmath.diag(weights.tolist())
        hessian = A.T * s * A + mpmath.diag([mpmath.mpf(float(v)) for v in strengths])
        fit = mpmath.matrix(at.tolist()) * (hessian**-1 * (A.T * s * b))
        return np.array(fit.tolist(), dtype=np.float64)


def refitted_errors(X, y, weights, splits, factors, fit_intercept):
    """√s (y − ŷ) of the test rows of each split, (n_test, n_targets, n_alphas)."""
    errors = []
    for train, test in splits:
        fits = [
            prediction(X[train], y[train], weights[train], X[test], alpha * factors, fit_intercept)
            for alpha in ALPHAS
        ]
        miss = y[test, :, None] - np.stack(fits, axis=2)
        errors.append(np.sqrt(weights[test])[:, None, None] * miss)
    return errors


def leaving_out(n, tests):
    return [(np.setdiff1d(np.arange(n), test), np.asarray(test)) for test in tests]


def problem_and_penalty(X, y, weights, fit_intercept=True, factors=None):
    return least_squares(X, y, weights, fit_intercept=fit_intercept), L2(1.0, factors=factors)


def assert_same_errors(mine, theirs, rtol):
    size = np.max(np.abs(theirs), axis=0, keepdims=True)
    assert_allclose(mine / size, theirs / size, atol=rtol)


SHAPES = [(14, 3), (7, 16), (9, 9), (10, 9), (8, 1)]
KINDS = [
    "plain",
    "the same column twice",
    "columns of all sizes",
    "columns far from zero",
    "a constant column",
    "an outlying row",
]


# ---------------------------------------------------------------------- against refits


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_leave_one_out_errors_are_those_of_refits(shape, kind, fit_intercept):
    X, y, weights = data_of_kind(*shape, kind)
    n = len(X)
    expected = np.concatenate(
        refitted_errors(
            X, y, weights, leaving_out(n, np.arange(n)[:, None]), np.ones(shape[1]), fit_intercept
        )
    )
    for layout in (np.asarray, np.asfortranarray, sparse.csr_array):
        problem, penalty = problem_and_penalty(layout(X), y, weights, fit_intercept)
        spectrum = Spectrum(problem, penalty, ALPHAS.min())
        rtol = 1e-6 if kind == "columns far from zero" and not fit_intercept else 1e-9
        assert_same_errors(leave_one_out_residuals(spectrum, penalty, ALPHAS), expected, rtol)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_fold_errors_are_those_of_refits(shape, kind, fit_intercept):
    X, y, weights = data_of_kind(*shape, kind)
    splits = leaving_out(len(X), np.array_split(np.random.default_rng(1).permutation(len(X)), 3))
    expected = refitted_errors(X, y, weights, splits, np.ones(shape[1]), fit_intercept)
    for layout in (np.asarray, sparse.csc_array):
        problem, penalty = problem_and_penalty(layout(X), y, weights, fit_intercept)
        shared = Folds(problem, penalty, splits, ALPHAS)
        for i, errors in enumerate(expected):
            fold = shared.fit(i)
            rtol = 1e-6 if kind == "columns far from zero" and not fit_intercept else 1e-9
            assert_same_errors(fold.residuals(), errors, rtol)
            assert_same_errors(fold.residuals(slice(1, 3)), errors[..., 1:3], rtol)
            assert_allclose(fold.squared_errors(), np.sum(errors**2, axis=0), rtol=10 * rtol)
            test = splits[i][1]
            mean = weights[test] @ y[test] / weights[test].sum()
            assert_allclose(fold.squared_deviations(), weights[test] @ (y[test] - mean) ** 2, rtol=1e-9)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("shape", [(14, 5), (7, 16), (9, 9)])
def test_unpenalised_columns_are_fitted_in_full_without_the_rows_left_out(shape, fit_intercept):
    X, y, weights = data_of_kind(*shape, "plain")
    factors = np.random.default_rng(2).uniform(0.5, 2.0, shape[1])
    factors[[0, 2]] = 0.0
    n = len(X)
    one, some = np.arange(n)[:, None], np.array_split(np.arange(n), 3)
    problem, penalty = problem_and_penalty(X, y, weights, fit_intercept, factors)
    expected = np.concatenate(refitted_errors(X, y, weights, leaving_out(n, one), factors, fit_intercept))
    spectrum = Spectrum(problem, penalty, ALPHAS.min())
    assert_same_errors(leave_one_out_residuals(spectrum, penalty, ALPHAS), expected, 1e-9)
    shared = Folds(problem, penalty, leaving_out(n, some), ALPHAS)
    for i, errors in enumerate(refitted_errors(X, y, weights, leaving_out(n, some), factors, fit_intercept)):
        assert_same_errors(shared.fit(i).residuals(), errors, 1e-9)


def test_splits_need_not_be_a_partition():
    X, y, weights = data_of_kind(14, 3, "plain")
    splits = [
        (np.arange(6), np.arange(6, 9)),  # rows 9 to 13 in neither
        (np.arange(2), np.arange(2, 14)),  # fewer rows than columns
        (np.array([0, 0, 1, 2, 3, 5, 5, 6]), np.array([4, 7])),  # rows drawn twice
        (np.arange(14), np.arange(3)),  # tested on what it was trained on
    ]
    expected = refitted_errors(X, y, weights, splits, np.ones(3), True)
    problem, penalty = problem_and_penalty(X, y, weights)
    shared = Folds(problem, penalty, splits, ALPHAS)
    for i, errors in enumerate(expected):
        assert_same_errors(shared.fit(i).residuals(), errors, 1e-9)
        assert_allclose(shared.fit(i).squared_errors(), np.sum(errors**2, axis=0), rtol=1e-8)


# ---------------------------------------------------------------------- the ways through


def test_the_way_suits_the_fold():
    tall, wide = data_of_kind(14, 3, "plain"), data_of_kind(7, 16, "plain")
    kinds = {}
    for name, (X, y, weights) in {"tall": tall, "wide": wide}.items():
        splits = leaving_out(len(X), np.array_split(np.arange(len(X)), 3))
        for least in (1.0, 1e-12, 0.0):
            shared = Folds(*problem_and_penalty(X, y, weights), splits, np.array([least, 10.0]))
            kinds[name, least] = {type(shared.fit(i)) for i in range(3)}
    assert kinds["tall", 1.0] == {MomentFold}
    assert kinds["wide", 1.0] == {KernelFold}
    assert all(kinds[name, least] == {ExplicitFold} for name in ("tall", "wide") for least in (1e-12, 0.0))


def test_a_training_column_that_all_but_vanishes_is_measured_from_the_rows(monkeypatch):
    X, y, weights = data_of_kind(30, 3, "plain")
    X[:, 1] *= 1e-7
    X[:10, 1] += np.linspace(1, 2, 10)  # in the first fold only
    splits = leaving_out(30, np.array_split(np.arange(30), 3))
    problem, penalty = problem_and_penalty(X, y, weights)
    fold = Folds(problem, penalty, splits, np.array([1e-3]))
    monkeypatch.setattr(folds, "_LEFT", 0.0)
    careless = fold.fit(0)
    monkeypatch.undo()
    exact = Folds(problem, penalty, splits, np.array([0.0, 1e-3])).fit(0)
    assert isinstance(exact, ExplicitFold)
    assert_allclose(fold.fit(0).residuals()[..., 0], exact.residuals()[..., 1], rtol=1e-9)
    assert np.max(np.abs(careless.values / fold.fit(0).values - 1.0)) > 1e-6


def test_the_refit_takes_the_gram_matrix_that_the_folds_have_made():
    X, y, weights = data_of_kind(30, 3, "plain")
    problem, penalty = problem_and_penalty(X, y, weights)
    again, _ = problem_and_penalty(X, y, weights)
    Folds(problem, penalty, leaving_out(30, np.array_split(np.arange(30), 3)), ALPHAS)
    assert "quadratic" in vars(problem)
    assert_allclose(problem.quadratic.G, again.quadratic.G, rtol=1e-12, atol=1e-14)


def test_errors_of_a_fit_that_is_all_but_perfect_keep_their_digits():
    X, _, weights = data_of_kind(30, 3, "plain")
    y = X @ np.ones((3, 1))
    splits = leaving_out(30, np.array_split(np.arange(30), 3))
    problem, penalty = problem_and_penalty(X, y, weights)
    alphas = np.array([1e-5, 1.0])
    shared = Folds(problem, penalty, splits, alphas)
    exact = Folds(problem, penalty, splits, np.array([0.0, *alphas]))
    for i in range(3):
        assert isinstance(shared.fit(i), MomentFold)
        assert_allclose(shared.fit(i).squared_errors(), exact.fit(i).squared_errors()[:, 1:], rtol=1e-6)


@pytest.mark.parametrize("shape", [(12, 3), (6, 15), (9, 9), (9, 8)])
def test_an_alpha_of_zero_is_the_limit_of_a_vanishing_penalty(shape):
    X, y, weights = data_of_kind(*shape, "plain")
    problem, penalty = problem_and_penalty(X, y, weights)
    alphas = np.array([0.0, 1e-9])
    e = leave_one_out_residuals(Spectrum(problem, penalty, 0.0), penalty, alphas)
    assert_allclose(e[..., 0], e[..., 1], rtol=1e-4, atol=1e-5 * np.abs(e).max())
    splits = leaving_out(len(X), np.arange(len(X))[:, None])
    shared = Folds(problem, penalty, splits, alphas)
    least = np.concatenate([shared.fit(i).residuals() for i in range(len(X))])
    assert_allclose(e, least, rtol=1e-7, atol=1e-9 * np.abs(e).max())


@pytest.mark.parametrize("alpha", [1e-9, 1e-3])
def test_rows_that_fit_themselves_are_left_out_by_a_refit(monkeypatch, alpha):
    X, y, weights = data_of_kind(20, 4, "plain")
    X[:, 1] = 0.0
    X[7, 1] = 5.0  # nothing else knows of column 1
    problem, penalty = problem_and_penalty(X, y, weights)
    alphas = np.array([alpha])
    refits = []
    refit = leave_one_out._without
    monkeypatch.setattr(
        leave_one_out, "_without", lambda i, *arguments: refits.append(i) or refit(i, *arguments)
    )
    e = leave_one_out_residuals(Spectrum(problem, penalty, alpha), penalty, alphas)
    assert refits == ([7] if alpha < 1e-6 else [])
    rest = np.arange(20) != 7
    alone = least_squares(X[rest], y[rest], weights[rest], fit_intercept=True)
    coef = solve_ridge(alone, L2(alpha)).coef
    miss = y[7] - X[7] @ coef.T - alone.intercept(coef)
    assert_allclose(e[7, :, 0], np.sqrt(weights[7]) * miss, rtol=1e-8)


# ---------------------------------------------------------------------- averages


@pytest.mark.parametrize("shape", [(300, 6), (40, 60)])
@pytest.mark.parametrize("n_targets", [1, 3, 40])
@pytest.mark.parametrize("per_target", [True, False])
def test_means_and_standard_errors_are_those_of_the_rows(monkeypatch, shape, n_targets, per_target):
    X, y, weights = data_of_kind(*shape, "plain", n_targets)
    y = y * np.where(np.arange(n_targets) == 1, 1e6, 1.0)
    monkeypatch.setattr(leave_one_out, "_BLOCK_SIZE", 2000)  # several blocks
    monkeypatch.setattr(leave_one_out, "_WORTH", 0)  # compressed filters
    problem, penalty = problem_and_penalty(X, y, weights)
    alphas = np.logspace(-3, 3, 60)
    spectrum = Spectrum(problem, penalty, alphas.min())
    squared = leave_one_out_residuals(spectrum, penalty, alphas) ** 2
    rows = squared.transpose(0, 2, 1) if per_target else squared.mean(axis=1)
    n = len(X) + 5  # five rows of weight zero
    rows = np.concatenate([rows, np.zeros((5, *rows.shape[1:]))])
    errors = leave_one_out_errors(spectrum, penalty, alphas, n_samples=n, per_target=per_target)
    assert_allclose(errors.mean, rows.mean(axis=0), rtol=1e-10)
    assert_allclose(errors.standard_error, rows.std(axis=0, ddof=1) / np.sqrt(n), rtol=1e-8)


def test_the_quadratic_form_gives_way_where_it_would_cancel(monkeypatch):
    X, _, weights = data_of_kind(200, 3, "plain")
    y = X @ np.random.default_rng(3).standard_normal((3, 40)) + 1e-7 * np.sin(np.arange(200))[:, None]
    monkeypatch.setattr(leave_one_out, "_WORTH", 0)
    problem, penalty = problem_and_penalty(X, y, weights)
    alphas = np.logspace(-6, -3, 60)
    spectrum = Spectrum(problem, penalty, alphas.min())
    squared = leave_one_out_residuals(spectrum, penalty, alphas) ** 2
    errors = leave_one_out_errors(spectrum, penalty, alphas, n_samples=200, per_target=False)
    assert_allclose(errors.mean, squared.mean(axis=(0, 1)), rtol=1e-9)


@pytest.mark.parametrize("decades", [2, 4])
def test_compressed_filters_are_the_filters(decades):
    d = np.logspace(-decades / 2, decades / 2, 150)[:, None]
    alphas = np.logspace(-decades / 2, decades / 2, 100)
    for table in (d / (d + alphas), alphas / (d + alphas)):
        left, right = compressed(table)
        assert left.shape[1] < 60
        assert_allclose(left @ right, table, atol=1e-14)
    table = np.random.default_rng(0).standard_normal((30, 10))
    assert compressed(table)[1] is None
    assert_array_equal(compressed(table)[0], table)


# ---------------------------------------------------------------------- the decomposition itself


@pytest.mark.parametrize("smallest_alpha", [10.0, 0.0])  # by a square, and by singular values
@pytest.mark.parametrize("factors", [None, "with zeros"])
@pytest.mark.parametrize("shape", [(30, 6), (8, 20), (9, 9)])
def test_the_decomposition_multiplies_back_to_the_penalised_columns(shape, factors, smallest_alpha):
    X, y, weights = data_of_kind(*shape, "plain")
    if factors is not None:
        factors = np.arange(shape[1]) / 2.0
    for layout in (np.asarray, sparse.csr_array):
        spectrum = Spectrum(*problem_and_penalty(layout(X), y, weights, factors=factors), smallest_alpha)
        B = spectrum.problem.rows(slice(None))[:, spectrum.columns.index] * spectrum.columns.factors
        B -= spectrum.free_basis @ (spectrum.free_basis.T @ B)
        right, which = spectrum.right()
        Q = spectrum.left_product(np.eye(spectrum.values.size)[:, which])
        assert_allclose(Q * np.sqrt(spectrum.values[which]) @ right.T, B, atol=1e-12)
        assert_allclose(right.T @ right, np.eye(which.size), atol=1e-12)
        assert_allclose(Q, spectrum.left(slice(None))[:, which], atol=1e-12)


# ---------------------------------------------------------------------- one alpha a target


@pytest.mark.parametrize("factors", [None, "some", "with zeros"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kind", KINDS[:5])
@pytest.mark.parametrize("shape", [(30, 6), (8, 20), (9, 9)])
def test_each_target_is_solved_at_its_own_strength(shape, kind, fit_intercept, factors):
    X, y, weights = data_of_kind(*shape, kind, n_targets=4)
    if factors is not None:
        factors = np.random.default_rng(5).uniform(0.5, 2.0, shape[1]) * (
            1.0 if factors == "some" else np.arange(shape[1]) > 1
        )
    penalties = [L2(alpha, factors=factors) for alpha in [*ALPHAS, 0.0]]
    for layout in (np.asarray, sparse.csr_array):
        problem = least_squares(layout(X), y, weights, fit_intercept=fit_intercept)
        solution = solve_ridge_by_target(problem, penalties)
        again = dual_gap(problem, solution.coef, penalties)
        assert np.all(np.abs(solution.dual_gap - again) <= 1e-11 * problem.null_value + 1e-6 * again)
        for t, penalty in enumerate(penalties):
            alone = least_squares(layout(X), y[:, [t]], weights, fit_intercept=fit_intercept)
            expected = solve_ridge(alone, penalty)
            # Equal as far as the gap can tell: the columns' sizes and their collinearity set how far that is.
            assert solution.dual_gap[t] <= max(1e-12 * alone.null_value[0], 2.0 * expected.dual_gap[0])
            if kind in ("plain", "the same column twice", "a constant column"):
                size = np.abs(expected.coef).max()
                assert_allclose(solution.coef[t], expected.coef[0], rtol=1e-8, atol=1e-9 * size)


def test_targets_share_one_decomposition(monkeypatch):
    X, y, weights = data_of_kind(30, 6, "plain", n_targets=3)
    problem = least_squares(X, y, weights, fit_intercept=True)

    def refuse(*arguments, **options):
        raise AssertionError("a target was solved by itself")

    monkeypatch.setattr(spectral, "solve_ridge", refuse)
    solve_ridge_by_target(problem, [L2(alpha) for alpha in ALPHAS])


def test_the_certificate_of_each_target_is_at_its_own_penalty():
    X, y, weights = data_of_kind(30, 6, "plain", n_targets=3)
    problem = least_squares(X, y, weights, fit_intercept=True)
    coef = solve_ridge(problem, L2(1.0)).coef
    penalties = [L2(1.0), L2(100.0), L2(0.0)]
    gaps = dual_gap(problem, coef, penalties)
    alone = [dual_gap(problem, coef, penalty)[t] for t, penalty in enumerate(penalties)]
    assert_allclose(gaps, alone, rtol=1e-10)
    assert gaps[0] < 1e-12 * problem.null_value[0] < gaps[1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("off", [0.0, 1e-9, 1e-6, 1e-3])
def test_the_certificates_of_many_targets_are_those_of_each(kind, off):
    X, y, weights = data_of_kind(30, 6, kind, n_targets=3)
    problem = least_squares(X, y, weights, fit_intercept=True)
    coef = solve_ridge(problem, L2(1.0)).coef * (1.0 + off)
    for penalties in (L2(1.0), [L2(1.0), L2(1.1), L2(1.0, factors=np.arange(1.0, 7.0))]):
        gaps = dual_gap(problem, coef, penalties)
        for t in range(3):
            penalty = penalties[t] if isinstance(penalties, list) else penalties
            alone = dual_gap(problem.of_targets(np.array([t])), coef[[t]], penalty)
            assert_allclose(gaps[t], alone[0], rtol=1e-3, atol=1e-15 * problem.null_value[t])


# ---------------------------------------------------------------------- any data


@given(
    st.integers(0, 2**32 - 1),
    st.integers(3, 25),
    st.integers(1, 25),
    st.booleans(),
    st.booleans(),
    st.floats(-6, 4),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_leaving_one_out_is_as_many_folds(seed, n, p, is_sparse, fit_intercept, log_alpha):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-3, 3, p)
    if rng.random() < 0.5:
        X[:, 0] = X[:, -1]
    if rng.random() < 0.3:
        X[:, 0] = 1.0
    X += rng.choice([0.0, 1.0, 1e3]) * 10.0 ** rng.uniform(-2, 2)
    y = rng.standard_normal((n, 2)) * [1.0, 1e8] + 7.0
    weights = rng.uniform(0.1, 2, n)
    factors = 10.0 ** rng.uniform(-1, 1, p) * (rng.random(p) < 0.9)
    alphas = 10.0 ** (log_alpha + np.arange(3.0))
    problem, penalty = problem_and_penalty(
        sparse.csr_array(X) if is_sparse else X, y, weights, fit_intercept, factors
    )
    e = leave_one_out_residuals(Spectrum(problem, penalty, alphas.min()), penalty, alphas)
    by_square = Folds(problem, penalty, leaving_out(n, np.arange(n)[:, None]), alphas)
    for i in range(n):
        refit = ExplicitFold(problem, penalty, np.delete(np.arange(n), i), np.array([i]), alphas).residuals()
        size = np.abs(y).max(axis=0)[:, None]
        assert_allclose(e[i] / size, refit[0] / size, rtol=1e-6, atol=1e-7)
        assert_allclose(by_square.fit(i).residuals() / size, refit / size, rtol=1e-6, atol=1e-7)


def test_sparse_data_too_large_for_a_decomposition_are_refused(monkeypatch):
    monkeypatch.setattr(spectral, "_LARGEST_SIDE", 10)
    X = sparse.random(30, 20, density=0.3, random_state=0, format="csr")
    problem, penalty = problem_and_penalty(X, np.ones((30, 1)), np.ones(30))
    with pytest.raises(ValueError, match=r"sparse with 30 rows and 20 columns.*at most 10.*GridSearchCV"):
        Spectrum(problem, penalty, 1.0)
