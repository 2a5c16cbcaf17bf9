"""The data term of dense X, which is held as it is given; the centring is an implicit shift."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk

from skreg.moments.rows import weighted_means
from skreg.solvers._kernels.dense import column_descent, column_sums, extend_gram, subtract_columns
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.data_term import column_scale
from skreg.solvers.least_squares import LeastSquares

__all__ = ["DenseLeastSquares"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# Up to this ratio of a column's size to its spread, centring it by a shift costs at most a digit or two.
_SHIFTABLE = 30.0
# Numbers in a block of A that is multiplied (a MiB).
_GRAM_BLOCK = 2**17
# Blocks of fewer rows, or of fewer columns, than these multiply at less than the full rate.
_GRAM_ROWS = 128
_KERNEL_COLUMNS = 128


class DenseLeastSquares(LeastSquares):
    """Holds X as it is given, in float64; the centring is an implicit shift.

    A centred copy is made only if a column's mean is so far from its spread that the shift would cost
    digits.
    """

    is_dense = True

    def __init__(self, X: Any, y: FloatArray, weights: FloatArray, fit_intercept: bool) -> None:
        super().__init__(y, weights, fit_intercept)
        # float32 products would round to float32, and mixed ones copy X each time.
        self.X = X if X.dtype == np.float64 else X.astype(np.float64, order="F")
        if not self.X.flags.aligned or any(stride % self.X.itemsize for stride in self.X.strides):
            self.X = self.X.copy(order="F")  # a field of packed records: the kernels count in numbers
        self.n_stored = self.X.size
        weighted = bool(np.any(weights != 1.0))
        self.weights = weights if weighted else None
        self._root_weights = self.root_weights if weighted else np.empty(0)  # what the kernels take
        weighted_b = self.root_weights[:, None] * self.b if weighted else self.b
        with np.errstate(over="ignore", invalid="ignore"):  # `is_finite` asks
            sums, squares, products = np.zeros((3, X.shape[1]))
            one_target = self.n_targets == 1
            rhs = np.ascontiguousarray(weighted_b[:, 0]) if one_target else np.zeros(self.n_rows)
            column_sums(self.X, weights, weighted, rhs, sums, squares, products)
            self._centre(sums, squares, weights, fit_intercept)
            if one_target and self.shift is self.x_mean:
                self.c = self._centred(products[:, None], weighted_b)  # from the same pass

    def _centre(
        self, sums: FloatArray, squares: FloatArray, weights: FloatArray, fit_intercept: bool
    ) -> None:
        """Find the means and scales of the columns, and centre a copy of them if the shift would not do."""
        self.x_mean = sums / self.total_weight if fit_intercept else np.zeros_like(sums)
        variance = squares - self.total_weight * self.x_mean**2
        self.shift = self.x_mean
        far = np.flatnonzero(variance * _SHIFTABLE**2 < squares)
        if far.size:
            # Digits have cancelled in these columns: their means and variances anew, in two passes.
            self.x_mean[far], rest = weighted_means(self.X[:, far], weights)
            variance[far] = _sums_of_squares((self.X[:, far] - self.x_mean[far]) - rest, self.weights)
        self.x_scale = column_scale(variance, self.x_mean, self.total_weight)
        if np.any(self.x_scale[far] > 0.0):
            self.x_mean, rest = weighted_means(self.X, weights)
            self.X = np.subtract(self.X, self.x_mean, order="F")
            self.X -= rest
            self.shift = np.zeros_like(self.x_mean)
        self.norms = variance * self.x_scale * self.x_scale

    def product(self, w: FloatArray) -> FloatArray:
        """Compute Aw."""
        return self.product_of_rows(slice(None), w)

    def product_of_rows(self, index: Any, w: FloatArray) -> FloatArray:
        """Compute A[index] w."""
        v = w * self.x_scale[:, None]
        fit = self.X[index] @ v
        fit -= self.shift @ v
        if self.weights is not None:
            fit *= self.root_weights[index, None]
        return fit

    def rows(self, index: Any) -> FloatArray:
        """Extract A[index]."""
        rows = self.X[index] - self.shift
        rows *= self.x_scale
        if self.weights is not None:
            rows *= self.root_weights[index, None]
        return rows

    def _stored_rows(self, index: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
        return self.X[index], self.x_scale, self.shift * self.x_scale

    def residual_on(self, index: IndexArray, w: FloatArray, target: int) -> FloatArray:
        """Compute b − A[:, index]w of one target, reading those columns alone if X is stored by columns."""
        if not self.X.flags.f_contiguous:
            return super().residual_on(index, w, target)
        r = self.b[:, target].copy()
        subtract_columns(self.X, self.shift, self.x_scale, self._root_weights, index, w, r)
        return r

    def adjoint(self, r: FloatArray) -> FloatArray:
        """Compute Aᵀr."""
        if self.weights is not None:
            r = r * self.root_weights[:, None]
        return self._centred(self.X.T @ r, r)

    def _centred(self, products: FloatArray, r: FloatArray) -> FloatArray:
        """Turn Xᵀr into what it is for the columns of A."""
        products -= self.shift[:, None] * r.sum(axis=0)
        products *= self.x_scale[:, None]
        return products

    def gram(self, left: IndexArray, right: IndexArray) -> FloatArray:
        """Compute A[:, left]ᵀ A[:, right]."""
        if "quadratic" in vars(self) or min(left.size, right.size) > self.n_features // 2:
            return self.quadratic.gram(left, right)
        return self.columns(left).T @ self.columns(right)

    def extend_gram(self, index: IndexArray, known: int, gram: FloatArray) -> None:
        """Write what is new of A[:, index]ᵀ A[:, index] into `gram`, by blocks of rows that stay in cache."""
        rows = min(self.n_rows, max(_GRAM_ROWS, _GRAM_BLOCK // max(1, index.size)))
        block = np.empty((rows, index.size), order="F")
        extend_gram(self.X, self.shift, self.x_scale, self._root_weights, index, known, gram, block)

    def columns(self, index: IndexArray) -> FloatArray:
        """Extract A[:, index]."""
        out = np.empty((self.n_rows, len(index)), order="F")
        for i, j in enumerate(index):  # one by one: fancy indexing would copy more than these
            np.subtract(self.X[:, j], self.shift[j], out=out[:, i])
        out *= self.x_scale[index]
        if self.weights is not None:
            out *= self.root_weights[:, None]
        return out

    def kernel(self, scale: FloatArray) -> FloatArray:
        """Compute A diag(scale) Aᵀ, by blocks of columns."""
        kernel = np.zeros((self.n_rows, self.n_rows), order="F")
        root = self.x_scale * np.sqrt(scale)
        step = max(_KERNEL_COLUMNS, _GRAM_BLOCK // self.n_rows)
        for start in range(0, self.n_features, step):
            part = slice(start, start + step)
            block = np.subtract(self.X[:, part], self.shift[part], order="F")
            block *= root[part]
            kernel = dsyrk(1.0, block, beta=1.0, c=kernel, overwrite_c=True)
        if self.weights is not None:
            kernel *= self.root_weights
            kernel *= self.root_weights[:, None]
        lower = np.tril_indices(self.n_rows, -1)
        kernel[lower] = kernel.T[lower]
        return kernel

    def descend(
        self,
        index: IndexArray,
        w: FloatArray,
        target: int,
        penalty: ColumnPenalty,
        max_sweeps: int,
        tolerance: float,
    ) -> int:
        """Sweep a copy of the columns, carrying the residual."""
        inner = w[index]
        r = self.residual(w[:, None], [target])[:, 0]
        everything, columns = np.arange(index.size), self.columns(index)
        sweeps = column_descent(
            columns, everything, r, inner, self.norms[index], *penalty.of(index), max_sweeps, tolerance
        )
        w[index] = inner
        return sweeps


def _sums_of_squares(columns: FloatArray, weights: FloatArray | None) -> FloatArray:
    if weights is None:
        return np.einsum("ij,ij->j", columns, columns)
    return weights @ (columns * columns)
