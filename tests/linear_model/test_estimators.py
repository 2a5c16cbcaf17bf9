"""Ridge, Lasso and ElasticNet: the same numbers whatever the container, dtype or weights."""

import numpy as np
import pytest
import sklearn.linear_model
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import NotFittedError

import skreg
from skreg import ElasticNet, Lasso, Ridge

ESTIMATORS = [
    Ridge(alpha=2.0),
    Ridge(alpha=2.0, positive=True),
    Lasso(alpha=0.1),
    Lasso(alpha=0.1, fit_intercept=False),
    ElasticNet(alpha=0.1),
    ElasticNet(alpha=0.1, l1_ratio=0.9, positive=True),
]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)


def data(n=40, p=6, seed=0, noise=0.3):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2.0, p) + rng.uniform(-2.0, 2.0, p)
    truth = np.where(np.arange(p) % 2, 0.0, rng.uniform(-2.0, 2.0, p))
    return X, X @ truth + 3.0 + noise * rng.standard_normal(n)


def fresh(estimator, **parameters):
    return sklearn.base.clone(estimator).set_params(**parameters)


# ---------------------------------------------------------------------- against scikit-learn


@pytest.mark.parametrize("shape", [(40, 6), (12, 30)], ids=["tall", "wide"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Ridge(alpha=2.0), sklearn.linear_model.Ridge(alpha=2.0)),
        (Lasso(alpha=0.1), sklearn.linear_model.Lasso(alpha=0.1, tol=1e-12, max_iter=100_000)),
        (
            ElasticNet(alpha=0.1, l1_ratio=0.3),
            sklearn.linear_model.ElasticNet(alpha=0.1, l1_ratio=0.3, tol=1e-12, max_iter=100_000),
        ),
    ],
    ids=["Ridge", "Lasso", "ElasticNet"],
)
def test_the_coefficients_are_scikit_learn_s(ours, theirs, shape, fit_intercept, weighted):
    X, y = data(*shape)
    weights = np.random.default_rng(1).uniform(0.0, 2.0, len(y)) if weighted else None
    ours = fresh(ours, fit_intercept=fit_intercept).fit(X, y, sample_weight=weights)
    theirs = fresh(theirs, fit_intercept=fit_intercept).fit(X, y, sample_weight=weights)
    assert_allclose(ours.coef_, theirs.coef_, atol=1e-6 * np.abs(theirs.coef_).max())
    assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-5)
    assert_allclose(ours.score(X, y, weights), theirs.score(X, y, weights), atol=1e-6)


@pytest.mark.parametrize("y_shape", [(40,), (40, 1), (40, 3)], ids=str)
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("name", ["Ridge", "Lasso", "ElasticNet"])
def test_attributes_have_scikit_learn_s_shapes(name, y_shape, fit_intercept):
    X, y = data()
    y = np.broadcast_to(y.reshape(40, *[1] * (len(y_shape) - 1)), y_shape)
    ours = getattr(skreg, name)(fit_intercept=fit_intercept).fit(X, y)
    theirs = getattr(sklearn.linear_model, name)(fit_intercept=fit_intercept).fit(X, y)
    assert ours.coef_.shape == theirs.coef_.shape
    assert np.shape(ours.intercept_) == np.shape(theirs.intercept_)
    assert ours.predict(X).shape == theirs.predict(X).shape
    per_target = (3,) if y_shape == (40, 3) else ()
    assert np.shape(ours.dual_gap_) == np.shape(ours.n_iter_) == per_target


# ---------------------------------------------------------------------- containers and dtypes


@every_estimator
@pytest.mark.parametrize(
    "container",
    [
        np.asfortranarray,
        lambda X: X[:, ::-1][:, ::-1],
        lambda X: X.tolist(),
        lambda X: X.astype(object),
        sparse.csr_array,
        sparse.csc_array,
        sparse.csr_matrix,
        sparse.csc_matrix,
        sparse.coo_array,
        sparse.lil_array,
    ],
    ids=["F", "strided", "list", "object", "csr", "csc", "csr_matrix", "csc_matrix", "coo", "lil"],
)
def test_the_container_does_not_matter(estimator, container):
    X, y = data()
    X[np.abs(X) < 0.7] = 0.0
    expected = fresh(estimator).fit(X, y)
    fitted = fresh(estimator).fit(container(X), y)
    assert_allclose(fitted.coef_, expected.coef_, rtol=1e-10, atol=1e-12)
    assert_allclose(fitted.intercept_, expected.intercept_, rtol=1e-10)
    assert_allclose(fitted.predict(container(X)), expected.predict(X), rtol=1e-10)
    assert fitted.predict(container(X)).shape == (40,)


@every_estimator
@pytest.mark.parametrize("shape", [(40, 6), (5, 6)], ids=["tall", "wide"])
@pytest.mark.parametrize("as_sparse", [False, True], ids=["dense", "sparse"])
def test_float32_comes_back_as_float32_of_the_float64_solution(estimator, shape, as_sparse):
    X, y = data(*shape)
    X = X.astype(np.float32)
    given = sparse.csr_array(X) if as_sparse else X
    single, double = fresh(estimator).fit(given, y), fresh(estimator).fit(given.astype(np.float64), y)
    assert single.coef_.dtype == np.float32
    assert single.predict(given).dtype == np.float32
    assert double.coef_.dtype == double.predict(X.astype(np.float64)).dtype == np.float64
    assert_allclose(single.coef_, double.coef_, rtol=2e-7, atol=1e-12)
    assert_allclose(single.intercept_, double.intercept_, rtol=1e-6)
    assert single.n_iter_ == double.n_iter_


@every_estimator
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool, np.float16])
def test_other_dtypes_are_solved_in_float64(estimator, dtype):
    X, y = data()
    X = (np.abs(X) * 2).astype(dtype)
    fitted = fresh(estimator).fit(X, y)
    assert fitted.coef_.dtype == np.float64
    assert_array_equal(fitted.coef_, fresh(estimator).fit(X.astype(np.float64), y).coef_)


@every_estimator
@pytest.mark.parametrize("shape", [(40, 6), (5, 6)], ids=["tall", "wide"])
def test_read_only_and_memory_mapped_input_is_read_and_left_alone(estimator, shape, tmp_path):
    X, y = data(*shape)
    weights = np.linspace(0.0, 1.0, len(y))
    expected = fresh(estimator).fit(X, y, sample_weight=weights).coef_
    for name, array in {"X": X, "y": y, "weights": weights}.items():
        np.save(tmp_path / f"{name}.npy", array)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("X", "y", "weights")]
    read_only = sparse.csr_array(X)
    for part in (read_only.data, read_only.indices, read_only.indptr):
        part.flags.writeable = False
    assert_array_equal(fresh(estimator).fit(mapped[0], mapped[1], sample_weight=mapped[2]).coef_, expected)
    fitted = fresh(estimator).fit(read_only, mapped[1], sample_weight=mapped[2])
    assert_allclose(fitted.coef_, expected, rtol=1e-9, atol=1e-12)


def test_coefficients_beyond_float32_are_an_error_not_infinity():
    X, y = data()
    with pytest.raises(ValueError, match=r"overflow X's dtype float32.*Pass X as float64"):
        Lasso(alpha=1e149).fit(X.astype(np.float32), y * 1e150)


def test_a_float32_alpha_means_its_exact_value():
    X, y = data()
    single, double = ElasticNet(np.float32(0.1)), ElasticNet(float(np.float32(0.1)))
    assert_array_equal(single.fit(X, y).coef_, double.fit(X, y).coef_)


# ---------------------------------------------------------------------- targets and weights


@every_estimator
@pytest.mark.parametrize("as_sparse", [False, True], ids=["dense", "sparse"])
def test_several_targets_are_as_many_fits(estimator, as_sparse):
    X, y = data()
    Y = np.column_stack([y, -(y**2), np.full(len(y), 4.0)])
    given = sparse.csc_array(X) if as_sparse else X
    together = fresh(estimator).fit(given, Y)
    apart = [fresh(estimator).fit(given, Y[:, k]) for k in range(3)]
    assert_allclose(together.coef_, [one.coef_ for one in apart], rtol=1e-9, atol=1e-10)
    assert_allclose(np.broadcast_to(together.intercept_, 3), [one.intercept_ for one in apart], rtol=1e-9)
    assert_allclose(together.predict(given), np.transpose([one.predict(given) for one in apart]), rtol=1e-9)
    assert together.coef_.shape == (3, 6)
    assert_array_equal(together.n_iter_, [one.n_iter_ for one in apart])
    assert np.all(together.dual_gap_ <= 1e-12 * np.sum(Y**2))


@every_estimator
def test_an_integer_weight_is_a_row_repeated(estimator):
    X, y = data()
    weights = np.random.default_rng(3).integers(0, 4, len(y))
    repeated = fresh(estimator).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    weighted = fresh(estimator).fit(X, y, sample_weight=weights)
    assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-10, atol=1e-12)
    assert_allclose(weighted.intercept_, repeated.intercept_, rtol=1e-10)


@every_estimator
@pytest.mark.parametrize("as_sparse", [False, True], ids=["dense", "sparse"])
def test_a_row_of_weight_zero_is_not_there(estimator, as_sparse):
    X, y = data()
    weights = np.where(np.arange(len(y)) % 3, 1.5, 0.0)
    X[weights == 0] = y[weights == 0] = 1e9  # would dominate
    kept = weights > 0
    given = sparse.csr_array(X) if as_sparse else X
    all_rows = fresh(estimator).fit(given, y, sample_weight=weights)
    assert_array_equal(all_rows.coef_, fresh(estimator).fit(given[kept], y[kept], weights[kept]).coef_)


@every_estimator
def test_a_number_for_a_weight_is_that_weight_on_every_row(estimator):
    X, y = data()
    constant = fresh(estimator).fit(X, y, sample_weight=3)
    assert_array_equal(constant.coef_, fresh(estimator).fit(X, y, sample_weight=np.full(len(y), 3.0)).coef_)


# ---------------------------------------------------------------------- alpha = 0 and penalty_weights


@pytest.mark.parametrize("estimator", [Lasso(alpha=0), ElasticNet(alpha=0)], ids=repr)
def test_alpha_zero_is_least_squares_with_a_warning_that_names_a_better_tool(estimator):
    X, y = data()
    with pytest.warns(UserWarning, match=r"alpha=0.*Ridge\(alpha=0\)") as record:
        fitted = fresh(estimator).fit(X, y)
    assert record[0].filename == __file__
    expected = sklearn.linear_model.LinearRegression().fit(X, y)
    assert_allclose(fitted.coef_, expected.coef_, rtol=1e-8)


@pytest.mark.parametrize("as_sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("shape", [(40, 6), (10, 25)], ids=["tall", "wide"])
def test_ridge_without_a_penalty_is_least_squares_of_least_norm(shape, as_sparse):
    X, y = data(*shape)
    X *= np.exp(np.random.default_rng(5).normal(size=shape[1]))  # columns of several sizes
    X[:, 1] = 3.0 * X[:, 0]
    fitted = Ridge(alpha=0.0).fit(sparse.csr_array(X) if as_sparse else X, y)
    expected = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean())[0]
    assert_allclose(fitted.coef_, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("estimator", [Lasso(alpha=50.0), ElasticNet(alpha=50.0), Ridge(1e12)], ids=repr)
def test_a_feature_of_penalty_weight_zero_is_fitted_freely(estimator):
    X, y = data()
    free = [1, 4]
    v = np.ones(6)
    v[free] = 0.0
    fitted = fresh(estimator, penalty_weights=v).fit(X, y)
    expected = sklearn.linear_model.LinearRegression().fit(X[:, free], y).coef_
    assert_allclose(fitted.coef_[free], expected, rtol=1e-8)
    assert_allclose(np.delete(fitted.coef_, free), 0.0, atol=1e-9)


@pytest.mark.parametrize("positive", [True, False])
def test_a_penalty_weight_acts_as_a_column_divided_by_it(positive):
    X, y = data()
    v = np.array([0.5, 1.0, 2.0, 3.0, 0.1, 1.0])
    weighted = Lasso(alpha=0.1, penalty_weights=v, positive=positive).fit(X, y).coef_
    divided = Lasso(alpha=0.1, positive=positive).fit(X / v, y).coef_
    assert_allclose(weighted, divided / v, rtol=1e-9, atol=1e-12)
    weighted = Ridge(alpha=2.0, penalty_weights=v, positive=positive).fit(X, y).coef_
    divided = Ridge(alpha=2.0, positive=positive).fit(X / np.sqrt(v), y).coef_
    assert_allclose(weighted, divided / np.sqrt(v), rtol=1e-9, atol=1e-12)


@every_estimator
def test_equal_penalty_weights_are_a_multiple_of_alpha(estimator):
    X, y = data()
    doubled = fresh(estimator, penalty_weights=[2.0] * 6).fit(X, y).coef_
    assert_allclose(doubled, fresh(estimator, alpha=2.0 * estimator.alpha).fit(X, y).coef_, rtol=1e-10)


# ---------------------------------------------------------------------- attributes


@every_estimator
def test_positive_coefficients_are_not_negative(estimator):
    X, y = data()
    assert np.min(fresh(estimator).fit(X, y).coef_) < 0 or estimator.positive
    assert np.min(fresh(estimator, positive=True).fit(X, y).coef_) >= 0


def test_sparse_coef_holds_the_non_zeros_of_coef():
    X, y = data()
    for target in (y, np.column_stack([y, -y])):
        fitted = Lasso(alpha=0.5).fit(X, target)
        assert isinstance(fitted.sparse_coef_, sparse.csr_array)
        assert_array_equal(fitted.sparse_coef_.toarray(), np.atleast_2d(fitted.coef_))
        assert fitted.sparse_coef_.nnz == np.count_nonzero(fitted.coef_) < fitted.coef_.size
    assert not hasattr(Ridge().fit(X, y), "sparse_coef_")


def test_a_direct_ridge_counts_one_iteration():
    X, y = data()
    assert Ridge().fit(X, y).n_iter_ == 1


@every_estimator
def test_nothing_is_there_before_fit(estimator):
    unfitted = fresh(estimator)
    assert not [name for name in vars(unfitted) if name.endswith("_")]
    assert not hasattr(unfitted, "sparse_coef_")
    with pytest.raises(NotFittedError):
        unfitted.predict(np.zeros((2, 6)))
