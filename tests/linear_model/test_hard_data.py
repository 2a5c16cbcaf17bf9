"""Data at the edges of float64: what is refused is named, and what is certified is true."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import linalg, sparse

from skreg import ElasticNet, Lasso, LassoCV, Ridge, RidgeCV, regularization_path
from skreg.solvers.svd import left_svd, thin_svd

ESTIMATORS = [Ridge(), Ridge(positive=True), Lasso(alpha=1e-3), ElasticNet(alpha=1e-3), RidgeCV(), LassoCV()]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)


def data(n=50, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3))
    return X, X @ [1.0, 2.0, 3.0] + 0.1 * rng.standard_normal(n)


@every_estimator
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize(
    "container", [np.asarray, np.asfortranarray, sparse.csr_array, sparse.csc_array], ids=str
)
def test_columns_too_large_to_square_are_named(estimator, fit_intercept, container):
    X, y = data()
    X[:, 1] *= 1e160
    with pytest.raises(ValueError, match=r"too large to square in float64: column 1 reaches .*e\+160"):
        estimator.set_params(fit_intercept=fit_intercept).fit(container(X), y)


def test_a_path_names_them_too():
    X, y = data()
    with pytest.raises(ValueError, match="too large to square in float64: column 2"):
        regularization_path(X * [1.0, 1.0, 1e160], y)


@every_estimator
@pytest.mark.parametrize("container", [np.asarray, np.ndarray.tolist, sparse.csr_array], ids=str)
def test_nan_is_refused_even_on_a_row_that_does_not_count(estimator, container):
    X, y = data()
    X[7, 1] = np.nan
    weights = np.ones(50)
    weights[7] = 0.0
    with pytest.raises(ValueError, match="contains NaN"):
        estimator.fit(container(X), y, sample_weight=weights)


@every_estimator
@pytest.mark.parametrize("n", [3, 50])
def test_fields_of_packed_records_are_read_as_they_are(estimator, n):
    X, y = data(n)
    records = np.zeros(n, dtype=[("name", "i4"), ("x", "f8", (3,))])
    records["x"] = X
    assert records["x"].strides[0] % 8 != 0
    if isinstance(estimator, LassoCV):
        estimator.set_params(cv=3)
    expected = estimator.fit(X, y).coef_
    assert_allclose(estimator.fit(records["x"], y).coef_, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mean", [0.0, 1e6, 1e9, 1e11])
@pytest.mark.parametrize("estimator", [Ridge(), Lasso(alpha=1e-3), ElasticNet(alpha=1e-3)], ids=repr)
def test_the_gap_covers_the_rounding_of_the_intercept(estimator, mean):
    X, y = data()
    X = X + mean
    fitted = estimator.fit(X, y)
    w, b = [Fraction(float(value)) for value in fitted.coef_], Fraction(float(fitted.intercept_))
    rows = [[Fraction(float(value)) for value in row] for row in X]
    residuals = [
        Fraction(float(t)) - sum(x * v for x, v in zip(row, w, strict=True))
        for t, row in zip(y, rows, strict=True)
    ]
    best = sum(residuals) / len(y)
    # Only the intercept moves: E falls by ½n(b − b*)², in the units of the estimator's objective.
    falls = (b - best) ** 2 * (1 if isinstance(estimator, Ridge) else Fraction(1, 2 * len(y))) * len(y)
    assert float(falls) <= fitted.dual_gap_


@pytest.mark.parametrize("difference", [1e-8, 1e-10, 1e-12, 1e-13])
def test_nearly_collinear_free_columns_do_not_fool_the_certificate(difference):
    rng = np.random.default_rng(3)
    x, z, u = rng.standard_normal((3, 10))
    X, y = np.column_stack([x, x + difference * z, u]), x + u + 0.01 * rng.standard_normal(10)
    fitted = Lasso(0.1, penalty_weights=[0, 0, 1.0], fit_intercept=False, tol=1e-2).fit(X, y)
    # The two free columns span x and their difference, which floating point subtracts exactly.
    basis = np.column_stack([x, X[:, 1] - x])
    basis = basis / np.linalg.norm(basis, axis=0)
    r = y - X @ fitted.coef_
    better = r - basis @ np.linalg.lstsq(basis, r)[0]
    assert (r @ r - better @ better) / 20 <= fitted.dual_gap_ * (1 + 1e-9) + 1e-16


def test_where_divide_and_conquer_gives_up_the_qr_iteration_goes_on(monkeypatch):
    matrix = np.random.default_rng(0).standard_normal((6, 4))
    found, drivers = linalg.svd, []

    def gives_up(matrix, lapack_driver="gesdd", **options):
        drivers.append(lapack_driver)
        if lapack_driver == "gesdd":
            raise linalg.LinAlgError("SVD did not converge")
        return found(matrix, lapack_driver=lapack_driver, **options)

    monkeypatch.setattr(linalg, "svd", gives_up)
    left, values, right = thin_svd(matrix)
    assert drivers == ["gesdd", "gesvd"]
    assert_allclose((left * values) @ right, matrix, atol=1e-13)
    assert_array_equal(values, np.sort(values)[::-1])


@pytest.mark.parametrize("shape", [(4, 4), (3, 9), (1, 5)])
def test_the_left_side_alone_is_that_of_the_whole_decomposition(shape):
    matrix = np.random.default_rng(1).standard_normal(shape) * np.logspace(0, -9, shape[0])[:, None]
    left, values = left_svd(matrix)
    assert_allclose(values, np.linalg.svd(matrix, compute_uv=False), rtol=1e-12)
    assert_allclose((left * values**2) @ left.T, matrix @ matrix.T, rtol=1e-9, atol=1e-24)


def test_a_flag_is_no_weight():
    with pytest.raises(ValueError, match="sample_weight"):
        Lasso().fit(*data(), sample_weight=True)


def test_scikit_learn_s_default_of_max_iter_is_taken():
    X, y = data()
    for positive in (False, True):
        fitted = Ridge(positive=positive, max_iter=None).fit(X, y)
        assert_array_equal(fitted.coef_, Ridge(positive=positive).fit(X, y).coef_)
    with pytest.raises(TypeError, match="max_iter must be an integer ≥ 1, got None"):
        Lasso(max_iter=None).fit(X, y)
