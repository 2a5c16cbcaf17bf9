"""Sparse data: the same answers as dense data, from the caller's own arrays, at the cost of the non-zeros."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skreg.linear_model import ElasticNet, Lasso, regularization_path
from skreg.penalties import ElasticNetPenalty
from skreg.solvers import least_squares, solve_elastic_net, solve_path
from skreg.solvers import sparse_working_set as module
from skreg.solvers.elastic_net import TargetSolver
from skreg.solvers.least_squares import DenseLeastSquares, SparseLeastSquares


def sparse_data(n, p, density, seed=0):
    """A matrix with an empty column, a constant one and one that is nearly full, and a target."""
    rng = np.random.default_rng([n, p, seed])
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < density)
    X[:, 0] = 0.0
    if p > 3:
        X[:, 1] = 0.1
        X[:, 2] = 20.0 + rng.standard_normal(n)
    y = 3.0 + X[:, -4:].sum(axis=1) + 0.3 * rng.standard_normal(n)
    return X, y


def as_long(X):
    X = sparse.csc_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def with_mixed_indices(X):
    X = sparse.csc_array(X)
    X.indptr = X.indptr.astype(np.int64)
    return X


def with_duplicates(X):
    """Every entry in two parts, in no order."""
    X = sparse.coo_array(X)
    order = np.random.default_rng(0).permutation(2 * X.nnz)
    data = np.concatenate([0.25 * X.data, 0.75 * X.data])[order]
    row, col = (np.tile(part, 2)[order] for part in X.coords)
    by_column = np.argsort(col, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(col, minlength=X.shape[1]))])
    return sparse.csc_array((data[by_column], row[by_column], starts), shape=X.shape)


def out_of_order(X):
    X = sparse.csc_array(X)
    for start, end in zip(X.indptr[:-1], X.indptr[1:], strict=True):
        X.data[start:end], X.indices[start:end] = (
            X.data[start:end][::-1].copy(),
            X.indices[start:end][::-1].copy(),
        )
    X.has_sorted_indices = X.has_canonical_format = False
    return X


def with_explicit_zeros(X):
    rows, columns = np.indices(X.shape)
    kept = (X != 0) | (np.random.default_rng(1).random(X.shape) < 0.3)
    return sparse.csc_array((X[kept], (rows[kept], columns[kept])), shape=X.shape)


def read_only(X):
    X = sparse.csc_array(X)
    for part in (X.data, X.indices, X.indptr):
        part.flags.writeable = False
    return X


FORMS = {
    "csc": sparse.csc_array,
    "csr": sparse.csr_array,
    "coo": sparse.coo_array,
    "spmatrix": sparse.csc_matrix,
    "int64": as_long,
    "mixed": with_mixed_indices,
    "duplicates": with_duplicates,
    "out of order": out_of_order,
    "explicit zeros": with_explicit_zeros,
    "read-only": read_only,
}
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def arrays(X):
    names = ("data", "row", "col") if X.format == "coo" else ("data", "indices", "indptr")
    return [getattr(X, name) for name in names]


# ---------------------------------------------------------------------- the data term


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@every_form
def test_sparse_and_dense_are_the_same_data_term_to_rounding(form, fit_intercept, weighted):
    X, y = sparse_data(30, 8, 0.3)
    rng = np.random.default_rng(2)
    weights = rng.uniform(0.5, 2.0, 30) if weighted else np.ones(30)
    dense = DenseLeastSquares(X, y[:, None], weights, fit_intercept)
    given = form(X)
    before = [part.copy() for part in arrays(given)]
    problem = SparseLeastSquares(given, y[:, None], weights, fit_intercept)
    near = {"rtol": 1e-12, "atol": 1e-13}
    everything, some = np.arange(8), np.array([2, 5, 0])
    w, r = rng.standard_normal((8, 2)), rng.standard_normal((30, 2))
    assert_array_equal(problem.x_scale, dense.x_scale)
    assert_allclose(problem.x_mean, dense.x_mean, **near)
    assert_allclose(problem.norms, dense.norms, **near)
    assert_allclose(problem.c, dense.c, **near)
    assert_allclose(problem.columns(everything), dense.columns(everything), **near)
    assert_allclose(problem.product(w), dense.product(w), **near)
    assert_allclose(problem.adjoint(r), dense.adjoint(r), **near)
    assert_allclose(problem.gram(everything, some), dense.gram(everything, some), **near)
    assert_allclose(problem.residual_on(some, w[:3, 0], 0), dense.residual_on(some, w[:3, 0], 0), **near)
    for old, new in zip(before, arrays(given), strict=True):
        assert_array_equal(old, new)


@pytest.mark.parametrize("form", [sparse.csc_array, out_of_order])
def test_the_caller_s_arrays_are_used_as_they_are(form):
    X, y = sparse_data(50, 8, 0.2)
    X = form(X[:, 3:])  # without the nearly full column, which is stored centred
    problem = SparseLeastSquares(X, y[:, None], np.ones(50), True)
    for mine, theirs in zip(problem.matrix, (X.data, X.indices, X.indptr), strict=True):
        assert np.shares_memory(mine, theirs)


def test_a_matrix_on_disk_is_read_and_not_written(tmp_path):
    X, y = sparse_data(200, 30, 0.1)
    stored, parts = sparse.csc_array(X), []
    for name, part in zip("dri", (stored.data, stored.indices, stored.indptr), strict=True):
        np.save(tmp_path / f"{name}.npy", part)
        parts.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    mapped = sparse.csc_array(tuple(parts), shape=X.shape)
    assert not mapped.data.flags.writeable
    assert_allclose(Lasso(0.01).fit(mapped, y).coef_, Lasso(0.01).fit(X, y).coef_, atol=1e-10)


@given(st.integers(2, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_gram_blocks_are_products_of_the_columns(n, p, density, seed, fit_intercept):
    X, y = sparse_data(n, p, density, seed)
    rng = np.random.default_rng(seed)
    problem = SparseLeastSquares(sparse.csc_array(X), y[:, None], rng.uniform(0.1, 2, n), fit_intercept)
    left = rng.permutation(p)[: rng.integers(0, p + 1)]
    right = rng.permutation(p)[: rng.integers(0, p + 1)]
    block = problem.gram(left, right)
    assert block.shape == (left.size, right.size)
    assert_allclose(block, problem.columns(left).T @ problem.columns(right), atol=1e-13)


# ---------------------------------------------------------------------- the solvers


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_form
def test_every_form_is_fitted_to_the_same_coefficients(form, dtype, fit_intercept):
    X, y = sparse_data(60, 12, 0.3)
    weights = np.random.default_rng(3).integers(0, 3, 60) * 0.5
    given = form(X)
    if dtype == np.float32:
        given = given.astype(dtype)
        X = given.toarray().astype(np.float64)
    if given.format == "coo":
        given = given.tocsr()  # scikit-learn's own conversion warns of nothing, but is not under test
    for estimator in (Lasso(0.05), ElasticNet(0.05, l1_ratio=0.3), Lasso(0.02, positive=True)):
        estimator.set_params(fit_intercept=fit_intercept)
        coef = estimator.fit(X, y, sample_weight=weights).coef_
        found = estimator.fit(given, y, sample_weight=weights)
        assert found.coef_.dtype == dtype
        assert_allclose(found.coef_, coef, atol=1e-9 if dtype == np.float64 else 1e-6)


@pytest.fixture
def columns_only(monkeypatch):
    """Working sets go by their columns from the first."""
    monkeypatch.setattr(module, "_SMALL", -1)
    monkeypatch.setattr(module, "_GRAM_COST", 0.0)
    calls = []
    kernel = module.minimize_on_columns
    monkeypatch.setattr(module, "minimize_on_columns", lambda *args: calls.append(1) or kernel(*args))
    yield calls
    assert calls


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("free", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.2, 1.0])
@pytest.mark.parametrize("shape", [(80, 20), (30, 60), (40, 40)])
@pytest.mark.parametrize("fraction", [0.3, 0.01, 1e-6])
def test_working_on_the_columns_finds_the_optimum(columns_only, shape, l1_ratio, fraction, free, positive):
    X, y = sparse_data(*shape, 0.4)
    X[:, 5] = X[:, 4]  # a copy, and a mirror image
    X[:, 7] = -X[:, 6]
    weights = np.random.default_rng(4).uniform(0.5, 2.0, shape[0])
    factors = np.where(np.arange(shape[1]) == 8, 0.0, 1.0) if free else None
    centred = y - weights @ y / weights.sum()
    alpha = fraction * np.abs(X.T @ (weights * centred)).max() / weights.sum() / l1_ratio
    penalty = ElasticNetPenalty.from_alpha(alpha, l1_ratio, weights.sum(), factors=factors, positive=positive)
    problem = least_squares(sparse.csc_array(X), y[:, None], weights, fit_intercept=True)
    solution = solve_elastic_net(problem, penalty)
    assert solution.dual_gap[0] <= 1e-11 * problem.null_value[0]
    dense = least_squares(X, y[:, None], weights, fit_intercept=True)
    expected = solve_elastic_net(dense, penalty)
    fits = [dense.product(dense.coef_to_scaled(found.coef)) for found in (solution, expected)]
    assert_allclose(fits[0], fits[1], atol=1e-5 * np.abs(dense.b).max())  # unique where coefficients are not


@given(
    st.integers(3, 60), st.integers(1, 60), st.floats(0.02, 1), st.floats(-6, 0), st.integers(0, 2**32 - 1)
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_whatever_the_shape_and_density(n, p, density, log_fraction, seed):
    X, y = sparse_data(n, p, density, seed)
    problem = least_squares(sparse.csc_array(X), y[:, None], np.ones(n), fit_intercept=True)
    largest = np.abs(problem.c[:, 0] / np.where(problem.x_scale > 0, problem.x_scale, 1.0)).max()
    penalty = ElasticNetPenalty(l1=max(largest, 1e-12) / problem.y_scale[0] * 10.0**log_fraction)
    small, cost = module._SMALL, module._GRAM_COST
    module._SMALL, module._GRAM_COST = (-1, 0.0) if seed % 2 else (small, cost)
    try:
        solution = solve_elastic_net(problem, penalty)
    finally:
        module._SMALL, module._GRAM_COST = small, cost
    assert solution.dual_gap[0] <= 1e-8 * problem.null_value[0]
    assert_array_equal(solution.coef[0, problem.x_scale == 0], 0.0)


def test_a_step_on_the_columns_never_raises_the_energy(columns_only):
    X, y = sparse_data(40, 60, 0.3)
    problem = least_squares(sparse.csc_array(X), y[:, None], np.ones(40), fit_intercept=True)
    solver = TargetSolver(problem, 0, np.zeros(60))
    penalty = problem.penalty_of(ElasticNetPenalty(l1=0.05), 0)
    solver.working.grow(solver.w, np.abs(solver.g), 0.0)
    w, energies = np.zeros(60), [solver.null]
    for _ in range(40):
        assert solver.working.minimize(solver.g, w, penalty, 0.0, 1) == 1
        energies.append(0.5 * np.sum(problem.residual(w[:, None], [0]) ** 2) + penalty.value(w))
    assert np.all(np.diff(energies) <= 1e-14 * solver.null)
    assert energies[-1] < 0.9 * solver.null


def test_a_large_support_of_sparse_columns_leaves_the_gram_matrix_for_the_columns():
    rng = np.random.default_rng(5)
    X = sparse.random_array((2000, 3000), density=0.004, format="csc", rng=rng)
    y = X[:, :500].sum(axis=1) + 0.1 * rng.standard_normal(2000)
    problem = least_squares(X, y[:, None], np.ones(2000), fit_intercept=True)
    solver = TargetSolver(problem, 0, np.zeros(3000))
    w, _, gap = solver.solve(problem.penalty_of(ElasticNetPenalty(l1=0.05), 0), 1e-10, 1000)
    assert not solver.working.has_gram
    assert np.count_nonzero(w) > 300
    assert gap <= 1e-10 * solver.null
    dense = DenseLeastSquares(X.toarray(), y[:, None], np.ones(2000), True)
    expected = solve_elastic_net(dense, ElasticNetPenalty(l1=0.05)).coef
    assert_allclose(problem.coef_to_data(w[:, None]), expected, atol=1e-7 * np.abs(expected).max())


def test_nothing_is_made_dense_nor_anything_of_the_size_of_a_gram_matrix_of_all_columns():
    n, p = 200_000, 500_000  # 800 GB
    rng = np.random.default_rng(6)
    rows, columns = rng.integers(0, n, 300_000), rng.integers(0, 100_000, 300_000)
    X = sparse.csc_array((rng.standard_normal(300_000), (rows, columns)), shape=(n, p))
    y = 1.0 + X[:, :2000].sum(axis=1) + 0.1 * rng.standard_normal(n)
    largest = np.abs(X.T @ (y - y.mean())).max() / n
    tracemalloc.start()
    model = Lasso(largest / 20).fit(X, y)
    path = regularization_path(X, y, alphas=[largest / 2, largest / 10])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 250e6
    assert np.count_nonzero(model.coef_) > 300
    assert model.dual_gap_ <= 1e-8 * np.var(y)
    assert np.all(path.dual_gaps <= 1e-8 * np.var(y))


@pytest.mark.parametrize("shape", [(300, 40), (60, 200)])
def test_a_path_of_sparse_data_is_that_of_dense_data(shape):
    X, y = sparse_data(*shape, 0.1)
    weights = np.ones(shape[0])
    penalties = [ElasticNetPenalty(l1=l1) for l1 in np.geomspace(20.0, 0.2, 30)]
    problem = least_squares(sparse.csr_array(X), y[:, None], weights, fit_intercept=True)
    found = solve_path(problem, penalties)
    expected = solve_path(least_squares(X, y[:, None], weights, fit_intercept=True), penalties)
    assert np.all(found.dual_gap <= 1e-10 * problem.null_value[0])
    assert_allclose(found.coef, expected.coef, atol=1e-7)
