"""The data term: three representations of one A and b."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skreg.penalties import ElasticNetPenalty
from skreg.solvers.least_squares import (
    DenseLeastSquares,
    SparseLeastSquares,
    least_squares,
)

REPRESENTATIONS = {
    "dense": DenseLeastSquares,
    "sparse": lambda X, *rest: SparseLeastSquares(sparse.csr_array(X), *rest),
}
every_representation = pytest.mark.parametrize(
    "representation", REPRESENTATIONS.values(), ids=REPRESENTATIONS
)


def data(n=40, p=6, n_targets=2, mean=3.0, seed=0):
    rng = np.random.default_rng(seed)
    X = mean + rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-3, 3, p)
    X[:, 0] *= rng.random(n) < 0.3
    return X, 5.0 + rng.standard_normal((n, n_targets)), rng.uniform(0.1, 3.0, n)


def by_definition(X, y, weights, fit_intercept, problem):
    """A and b in extended precision, with the scales that the problem chose."""
    X, y, s = (np.asarray(part, dtype=np.longdouble) for part in (X, y, weights))
    for _ in range(2 * fit_intercept):  # the second time for the rounding of the first
        X, y = X - s @ X / s.sum(), y - s @ y / s.sum()
    root = np.sqrt(s)[:, None]
    return (root * X * problem.x_scale).astype(float), (root * y * problem.y_scale).astype(float)


@pytest.mark.parametrize("mean", [0.0, 3.0, 1e8])
@pytest.mark.parametrize("fit_intercept", [True, False])
@every_representation
def test_every_representation_is_the_definition(representation, fit_intercept, mean):
    X, y, weights = data(mean=mean)
    problem = representation(X, y, weights, fit_intercept)
    A, b = by_definition(X, y, weights, fit_intercept, problem)
    rng = np.random.default_rng(1)
    w, r = rng.standard_normal((6, 2)), rng.standard_normal((40, 2))
    scale = rng.uniform(0, 1, 6)
    left, right = np.array([0, 3, 4]), np.array([5, 0])
    near = {"rtol": 1e-12, "atol": 1e-13}
    assert_allclose(problem.columns(np.arange(6)), A, **near)
    assert problem.columns(left).flags.f_contiguous
    assert_allclose(problem.b, b, **near)
    assert_allclose(problem.product(w), A @ w, **near)
    assert_allclose(problem.adjoint(r), A.T @ r, **near)
    assert_allclose(problem.residual(w[:, [1]], [1]), b[:, [1]] - A @ w[:, [1]], **near)
    g, r_squared = problem.correlation(w, problem.targets)
    assert_allclose(g, A.T @ (b - A @ w), **near)
    assert_allclose(r_squared, np.sum((b - A @ w) ** 2, axis=0), **near)
    assert_allclose(problem.gram(left, right), A[:, left].T @ A[:, right], **near)
    assert_allclose(problem.kernel(scale), (A * scale) @ A.T, **near)
    assert_allclose(problem.null_value * problem.y_scale**2, 0.5 * np.sum(b**2, axis=0), rtol=1e-12)


@every_representation
def test_columns_come_to_unit_norm_by_powers_of_two(representation):
    X, y, weights = data()
    problem = representation(X, y, weights, True)
    norms = np.linalg.norm(problem.columns(np.arange(6)), axis=0)
    assert np.all((norms >= 0.5) & (norms < 1.0))
    for scales in (problem.x_scale, problem.y_scale):
        assert_array_equal(np.frexp(scales)[0], 0.5)


@every_representation
def test_centred_columns_are_orthogonal_to_the_intercept_however_far_from_zero(representation):
    rng = np.random.default_rng(2)
    X = np.array([1e10, -1e11, 1e5]) + rng.standard_normal((50, 3))
    problem = representation(X, 1e10 + rng.standard_normal((50, 1)), rng.uniform(0.5, 2.0, 50), True)
    assert_allclose(problem.adjoint(problem.root_weights[:, None]), 0.0, atol=1e-13)
    assert_allclose(problem.root_weights @ problem.b, 0.0, atol=1e-13)


@every_representation
def test_coefficients_go_to_scaled_units_and_back_unchanged(representation):
    X, y, weights = data()
    problem = representation(X, y, weights, True)
    coef = np.random.default_rng(3).standard_normal((2, 6))
    w = problem.coef_to_scaled(coef)
    assert_array_equal(problem.coef_to_data(w), coef)
    residual = y - X @ coef.T - problem.intercept(coef)
    assert_allclose(
        problem.residual(w, problem.targets) / problem.y_scale, residual * np.sqrt(weights)[:, None]
    )


@every_representation
def test_the_best_intercept_leaves_no_mean_residual(representation):
    X, y, weights = data()
    problem = representation(X, y, weights, True)
    coef = np.random.default_rng(4).standard_normal((2, 6))
    assert_allclose(weights @ (y - X @ coef.T - problem.intercept(coef)), 0.0, atol=1e-9)
    assert_array_equal(representation(X, y, weights, False).intercept(coef), 0.0)


@every_representation
def test_the_penalty_is_the_same_in_scaled_units(representation):
    X, y, weights = data()
    problem = representation(X, y, weights, True)
    penalty = ElasticNetPenalty(0.7, 0.2, factors=[1.0, 0.0, 2.0, 1.0, 0.5, 1.0])
    coef = np.random.default_rng(5).standard_normal((2, 6))
    w = problem.coef_to_scaled(coef)
    for k in range(2):
        scaled = problem.penalty_of(penalty, k)
        assert problem.energy_to_data(scaled.value(w[:, k]), k) == pytest.approx(penalty.value(coef[k]))
        assert_array_equal(scaled.free, ~penalty.penalized(6))


@every_representation
def test_a_column_without_variance_is_zero(representation):
    X, y, weights = data()
    X[:, 2], X[:, 4] = 0.1, 0.0
    problem = representation(X, y, weights, True)
    assert_array_equal(problem.x_scale == 0, [False, False, True, False, True, False])
    assert_array_equal(problem.columns(np.array([2, 4])), 0.0)
    uncentred = representation(X, y, weights, False)
    assert_array_equal(uncentred.x_scale == 0, [False] * 4 + [True, False])


@every_representation
def test_a_constant_target_is_zero(representation):
    X, y, weights = data()
    y[:, 1] = 0.1
    y[::2, 1] = np.nextafter(0.1, 1.0)  # as it comes out of a computation
    problem = representation(X, y, weights, True)
    assert_array_equal(problem.b[:, 1], 0.0)
    assert problem.null_value[1] == 0.0
    assert problem.null_value[0] > 0.0


def test_a_target_is_not_taken_for_constant_because_its_large_values_weigh_little():
    y = np.array([[1e15], [1.0], [-1.0], [2.0]])
    problem = least_squares(np.eye(4), y, np.array([1e-40, 1.0, 1.0, 1.0]), fit_intercept=False)
    assert_allclose(problem.null_value, 3.0)


def test_rows_of_weight_zero_are_dropped():
    X, y, weights = data()
    weights[::3] = 0.0
    kept = weights > 0
    X[~kept] = 1e200
    for layout in (np.asarray, sparse.csc_array, sparse.csr_matrix):
        problem = least_squares(layout(X), y, weights, fit_intercept=True)
        alone = least_squares(layout(X[kept]), y[kept], weights[kept], fit_intercept=True)
        assert problem.n_rows == kept.sum()
        assert_array_equal(problem.columns(np.arange(6)), alone.columns(np.arange(6)))


def test_the_representation_suits_the_data():
    y, weights = np.ones((40, 1)), np.ones(40)
    X = np.random.default_rng(6).standard_normal((40, 30))
    assert isinstance(least_squares(X[:, :20], y, weights, fit_intercept=True), DenseLeastSquares)
    assert isinstance(least_squares(X, y, weights, fit_intercept=True), DenseLeastSquares)
    assert isinstance(least_squares(sparse.csr_array(X), y, weights, fit_intercept=True), SparseLeastSquares)


def test_sparse_columns_stay_sparse_unless_nearly_full():
    rng = np.random.default_rng(7)
    X = np.where(rng.random((500, 3)) < np.array([0.05, 0.5, 1.0]), 10.0 + rng.standard_normal((500, 3)), 0.0)
    problem = SparseLeastSquares(sparse.csr_array(X), np.ones((500, 1)), np.ones(500), True)
    assert problem.n_stored == np.count_nonzero(X)
    assert_array_equal(problem.shift != 0, [True, True, False])


def test_the_caller_s_sparse_matrix_is_left_alone():
    X = sparse.csc_array((np.array([3.0, 4.0, 1.0, 2.0]), np.array([2, 2, 0, 0]), np.array([0, 2, 4])))
    X.has_canonical_format = False
    before = X.data.copy(), X.indices.copy(), X.indptr.copy()
    problem = SparseLeastSquares(X, np.array([[1.0], [2.0], [0.5]]), np.ones(3), True)
    dense = DenseLeastSquares(np.array([[0.0, 3.0], [0, 0], [7, 0]]), problem.b, np.ones(3), True)
    assert_allclose(problem.columns(np.arange(2)), dense.columns(np.arange(2)), atol=1e-15)
    for old, new in zip(before, (X.data, X.indices, X.indptr), strict=True):
        assert_array_equal(old, new)


@pytest.mark.parametrize("positive", [False, True])
def test_coordinate_descent_makes_the_same_sweeps_in_every_representation(positive):
    X, y, weights = data(n_targets=1)
    penalty = ElasticNetPenalty(2.0, 0.1, factors=[1.0, 0.0, 1e3, 1.0, 1.0, 1.0], positive=positive)
    index = np.array([0, 1, 3, 4, 5])
    found = []
    for representation in REPRESENTATIONS.values():
        problem = representation(X, y, weights, True)
        scaled = problem.penalty_of(penalty, 0)
        w = np.full(6, 0.01)
        energy = 0.5 * problem.correlation(w[:, None], [0])[1][0] + scaled.value(w)
        for _ in range(5):
            assert problem.descend(index, w, 0, scaled, 1, 0.0) == 1
            last, energy = energy, 0.5 * problem.correlation(w[:, None], [0])[1][0] + scaled.value(w)
            assert energy <= last * (1 + 1e-14)
        assert w[2] == 0.01  # not in play
        assert problem.descend(index, w, 0, scaled, 10_000, 1e-13) < 10_000
        violation = scaled.violation(w, problem.correlation(w[:, None], [0])[0][:, 0])
        assert np.max(violation[index]) < 1e-11
        found.append(w)
    assert_allclose(found[1], found[0], atol=1e-10)


@every_representation
def test_strengths_beyond_float64_stay_finite(representation):
    X, y, weights = data()
    problem = representation(X * 1e-150, y * 1e-150, weights, True)
    penalty = problem.penalty_of(ElasticNetPenalty(1e200, 1e200, factors=[1.0, 0, 1, 1, 1, 1]), 0)
    assert np.all(np.isfinite(penalty.l1)) and np.all(np.isfinite(penalty.l2))
    assert penalty.l1[1] == penalty.l2[1] == 0.0


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("layout", ["C", "F", "every other row", "every other column"])
@pytest.mark.parametrize("shape", [(5000, 3), (40, 300), (7, 1)])
def test_every_layout_of_dense_data_gives_the_same_products(shape, layout, fit_intercept, weighted):
    rng = np.random.default_rng(8)
    X = rng.standard_normal(shape) * 10.0 ** rng.uniform(-3, 3, shape[1]) + rng.uniform(-2, 2, shape[1])
    y, weights = rng.standard_normal((shape[0], 1)), rng.uniform(0.5, 2.0, shape[0])
    weights = weights if weighted else np.ones(shape[0])
    given = np.array(X, order=layout[0]) if layout in "CF" else None
    if layout == "every other row":
        given = np.repeat(X, 2, axis=0)[::2]
    if layout == "every other column":
        given = np.repeat(np.asfortranarray(X), 2, axis=1)[:, ::2]
    problem = least_squares(given, y, weights, fit_intercept=fit_intercept)
    root = np.sqrt(weights)[:, None]
    A = root * (X - (weights @ X / weights.sum() if fit_intercept else 0.0)) * problem.x_scale
    size = np.linalg.norm(A, axis=0)
    assert np.all((size >= 0.49) & (size <= 1.01))
    b = problem.b[:, 0]
    assert_allclose(problem.c[:, 0], A.T @ b, atol=1e-13 * np.linalg.norm(b))
    index = np.flatnonzero(rng.random(shape[1]) < 0.5) if shape[1] > 1 else np.array([0])
    index = rng.permutation(index)
    gram = np.full((index.size + 2, index.size + 2), np.nan)
    known = index.size // 3
    problem.extend_gram(index[:known], 0, gram)
    problem.extend_gram(index, known, gram)
    expected = A[:, index].T @ A[:, index]
    assert_allclose(gram[: index.size, : index.size], expected, atol=1e-13)
    w = rng.standard_normal(index.size)
    assert_allclose(problem.residual_on(index, w, 0), b - A[:, index] @ w, atol=1e-12 * np.abs(w).sum())


def test_dense_data_know_whether_they_are_finite():
    X, y = np.random.default_rng(0).standard_normal((30, 3)), np.ones((30, 1))
    assert least_squares(X, y, np.ones(30), fit_intercept=True).is_finite
    for value in (np.nan, np.inf, -np.inf):
        for fit_intercept in (True, False):
            broken = X.copy()
            broken[7, 1] = value
            assert not least_squares(broken, y, np.ones(30), fit_intercept=fit_intercept).is_finite
