"""The data term ½ Σ s (y − Xw − b)² as the solvers see it: ½‖b − Aw‖², weighted, centred, well scaled.

A = diag(√s) (X − x̄) diag(scale) and b = √s (y − ȳ) · scale, with scales that are powers of two (so that
they round nothing) bringing every column near unit norm. Columns without variance are zero. Two
representations answer the same questions, `DenseLeastSquares` and `SparseLeastSquares`; neither forms A where
it can do without.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skreg.moments.moments import NEARLY_FULL, implicitly_centred, weighted_means
from skreg.solvers._kernels.dense import column_descent, column_sums, extend_gram, subtract_columns
from skreg.solvers._kernels.sparse import (
    sparse_adjoint,
    sparse_column_descent,
    sparse_gram,
    sparse_has_duplicates,
    sparse_moments,
    sparse_product,
)
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.data_term import DataTerm, column_scale, power_of_two_scale
from skreg.solvers.quadratic import Quadratic

__all__ = ["DenseLeastSquares", "LeastSquares", "SparseLeastSquares", "least_squares"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# Targets whose deviations are all below this part of their mean are constant.
_CONSTANT = 1e-12
# Up to this ratio of a column's size to its spread, centring it by a shift costs at most a digit or two.
_SHIFTABLE = 30.0
# Numbers in a block of A that is multiplied (a MiB).
_GRAM_BLOCK = 2**17
# Blocks of fewer rows than this multiply at less than the full rate.
_GRAM_ROWS = 128


class LeastSquares(DataTerm, ABC):
    """½‖b − Aw‖² for each target, by its rows.

    Attributes
    ----------
    root_weights : ndarray of shape (n_rows,)
        √sᵢ, to which the columns of A and b are orthogonal when there is an intercept.
    b : ndarray of shape (n_rows, n_targets)
        The scaled targets.
    n_stored : int
        How many numbers of X are held.
    is_dense : bool
        Whether those are all of X.
    """

    n_stored: int
    is_dense: bool

    def __init__(self, y: FloatArray, weights: FloatArray, fit_intercept: bool) -> None:
        self.n_rows = y.shape[0]
        self.root_weights = np.sqrt(weights)
        self.total_weight = float(weights.sum())
        self.y_mean, rest = weighted_means(y, weights) if fit_intercept else np.zeros((2, y.shape[1]))
        b = (y - self.y_mean) - rest
        b[:, np.all(np.abs(b) <= _CONSTANT * np.abs(self.y_mean), axis=0)] = 0.0
        b *= self.root_weights[:, None]
        self.y_scale = power_of_two_scale(np.max(np.abs(b), axis=0), when_zero=1.0)
        self.b = b * self.y_scale
        self.b_squared = np.einsum("ij,ij->j", self.b, self.b)

    @property
    def is_finite(self) -> bool:
        """Whether X is known to have neither NaN nor infinity; False also where only squares overflow."""
        return True

    @abstractmethod
    def product(self, w: FloatArray) -> FloatArray:
        """Compute Aw, of shape (n_rows, k), for w of shape (n_features, k)."""

    def residual(self, w: FloatArray, targets: Any) -> FloatArray:
        """Compute the residual b − Aw, of shape (n_rows, k).

        Parameters
        ----------
        w : ndarray of shape (n_features, k)
            Coefficients in scaled units, a column for each of `targets`.
        targets : slice or array of int
            Which k targets.
        """
        return self.b[:, targets] - self.product(w)

    def residual_on(self, index: IndexArray, w: FloatArray, target: int) -> FloatArray:
        """Compute b − A[:, index]w of one target, of shape (n_rows,), for w of shape (len(index),)."""
        everywhere = np.zeros((self.n_features, 1))
        everywhere[index, 0] = w
        return self.residual(everywhere, [target])[:, 0]

    @cached_property
    def c(self) -> FloatArray:
        """Aᵀb, of shape (n_features, n_targets)."""
        return self.adjoint(self.b)

    @cached_property
    def quadratic(self) -> Quadratic:
        """The same by AᵀA, c and ‖b‖² alone: one pass over the rows, made when first asked for."""
        gram = np.empty((self.n_features, self.n_features))
        self.extend_gram(np.arange(self.n_features), 0, gram)
        return Quadratic.of_rows(self, gram, self.c)

    @abstractmethod
    def adjoint(self, r: FloatArray) -> FloatArray:
        """Compute Aᵀr, of shape (n_features, k), for r of shape (n_rows, k)."""

    def correlation(self, w: FloatArray, targets: Any) -> tuple[FloatArray, FloatArray]:
        """Compute Aᵀr and ‖r‖² for the residual r = b − Aw, from the rows; arguments as for `residual`."""
        r = self.residual(w, targets)
        return self.adjoint(r), np.einsum("ij,ij->j", r, r)

    @abstractmethod
    def gram(self, left: IndexArray, right: IndexArray) -> FloatArray:
        """Compute the block A[:, left]ᵀ A[:, right]."""

    def extend_gram(self, index: IndexArray, known: int, gram: FloatArray) -> None:
        """Write what is new, from `known` on, of A[:, index]ᵀ A[:, index] into the corner of `gram`."""
        block = self.gram(index, index[known:])
        gram[: index.size, known : index.size] = block
        gram[known : index.size, :known] = block[:known].T

    @abstractmethod
    def columns(self, index: IndexArray) -> FloatArray:
        """Extract A[:, index], dense, in Fortran order."""

    def kernel(self, scale: FloatArray) -> FloatArray:
        """Compute A diag(scale) Aᵀ, of shape (n_rows, n_rows)."""
        A = self.columns(np.arange(self.n_features))
        return (A * scale) @ A.T

    @abstractmethod
    def descend(
        self,
        index: IndexArray,
        w: FloatArray,
        target: int,
        penalty: ColumnPenalty,
        max_sweeps: int,
        tolerance: float,
    ) -> int:
        """Coordinate descent on w[index] in place, without a Gram matrix of `index`; returns the sweeps."""


def least_squares(X: Any, y: FloatArray, weights: FloatArray, *, fit_intercept: bool) -> LeastSquares:
    """Choose the representation of the data term for these data.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n_samples, n_features)
        Data of any real dtype.
    y : ndarray of shape (n_samples, n_targets), float64
        Targets.
    weights : ndarray of shape (n_samples,), float64
        Weights sᵢ ≥ 0, not all zero.
    fit_intercept : bool
        Whether to centre by the weighted means.

    Returns
    -------
    LeastSquares
        Of the class that suits X: no copy of X that is not needed, sparse data stay sparse.
    """
    if weights.min() == 0:
        kept = np.flatnonzero(weights)
        X, y, weights = X[kept], y[kept], weights[kept]
    if sparse.issparse(X):
        return SparseLeastSquares(X, y, weights, fit_intercept)
    return DenseLeastSquares(X, y, weights, fit_intercept)


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

    @property
    def is_finite(self) -> bool:
        """Whether X has neither NaN nor infinity, by its sums."""
        return bool(np.all(np.isfinite(self.norms)) and np.all(np.isfinite(self.x_mean)))

    def product(self, w: FloatArray) -> FloatArray:
        """Compute Aw."""
        v = w * self.x_scale[:, None]
        fit = self.X @ v
        fit -= self.shift @ v
        if self.weights is not None:
            fit *= self.root_weights[:, None]
        return fit

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


class SparseLeastSquares(LeastSquares):
    """Holds D = diag(√s) X in CSC format, by X's own arrays where there are no weights; the rest is implicit.

    With u = √s, A = (D − u shiftᵀ) diag(x_scale): as uᵀ(b − Aw) = 0, the shift costs nothing a column.

    Attributes
    ----------
    matrix : tuple of (data, rows, starts)
        D's arrays.
    shift : ndarray of shape (n_features,)
        What is taken off each column, times x_scale.
    norms : ndarray of shape (n_features,)
        The squared norms of A's columns.
    """

    is_dense = False

    def __init__(self, X: Any, y: FloatArray, weights: FloatArray, fit_intercept: bool) -> None:
        super().__init__(y, weights, fit_intercept)
        self._weigh(sparse.csc_array(X, dtype=np.float64), weights)
        first = np.ascontiguousarray(self.b[:, 0])
        sums, squares, products = np.empty((3, X.shape[1]))
        ascending = sparse_moments(*self.matrix, self._u, first, sums, squares, products)
        # Rows may come in any order, but once: a square of a sum is not the sum of squares.
        if not ascending and sparse_has_duplicates(*self.matrix[1:], np.full(self.n_rows, -1)):
            # The caller's arrays stay as they are.
            X = sparse.csc_array(X, dtype=np.float64, copy=True)
            X.has_canonical_format = False
            X.sum_duplicates()
            self._weigh(X, weights)
            sparse_moments(*self.matrix, self._u, first, sums, squares, products)
        shift = sums / self.total_weight if fit_intercept else np.zeros_like(sums)
        self.x_mean = shift
        if np.any(squares - shift * sums < NEARLY_FULL * squares):
            stored, self.x_mean, shift = implicitly_centred(X, weights, centred=True)
            self._weigh(stored, weights)
            sparse_moments(*self.matrix, self._u, first, sums, squares, products)
        variance = squares - self.total_weight * shift**2
        self.x_scale = column_scale(variance, self.x_mean, self.total_weight)
        self.shift = shift * self.x_scale
        self.norms = variance * self.x_scale * self.x_scale
        self.n_stored = int(self.matrix[2][-1])
        if self.n_targets == 1:
            self.c = (products * self.x_scale - self.shift * (self.root_weights @ first))[:, None]

    def _weigh(self, stored: sparse.csc_array, weights: FloatArray) -> None:
        data, rows, starts = stored.data, stored.indices, stored.indptr
        if rows.dtype != starts.dtype:
            rows, starts = rows.astype(np.int64), starts.astype(np.int64)
        self._u = np.empty(0)
        if np.any(weights != 1.0):
            data, self._u = data * self.root_weights[rows], self.root_weights
        self.matrix = (np.ascontiguousarray(data), rows, starts)

    def product(self, w: FloatArray) -> FloatArray:
        """Compute Aw."""
        fit = self.stored_product(w)
        fit -= np.outer(self.root_weights, self.shift @ w)
        return fit

    def residual_on(self, index: IndexArray, w: FloatArray, target: int) -> FloatArray:
        """Compute b − A[:, index]w of one target, at the cost of those columns."""
        r = self.stored_residual_on(index, w, target)
        if self.shift.any():
            r += self.root_weights * (self.shift[index] @ w)
        return r

    def stored_residual_on(self, index: IndexArray, w: FloatArray, target: int) -> FloatArray:
        """Compute what b − A[:, index]w is without the shift."""
        r = self.b[:, target].copy()
        sparse_product(*self.matrix, index, -w * self.x_scale[index], r)
        return r

    def stored_product(self, w: FloatArray) -> FloatArray:
        """Compute what Aw is without the shift."""
        out = np.zeros((w.shape[1], self.n_rows))
        everything = np.arange(self.n_features)
        for scaled, fit in zip(np.ascontiguousarray((w * self.x_scale[:, None]).T), out, strict=True):
            sparse_product(*self.matrix, everything, scaled, fit)
        return out.T

    def adjoint(self, r: FloatArray) -> FloatArray:
        """Compute Aᵀr."""
        out = np.empty((r.shape[1], self.n_features))
        for residual, g in zip(np.ascontiguousarray(r.T), out, strict=True):
            sparse_adjoint(*self.matrix, residual, g)
        out *= self.x_scale
        if self.shift.any():
            out -= np.outer(self.root_weights @ r, self.shift)
        return out.T

    def gram(self, left: IndexArray, right: IndexArray) -> FloatArray:
        """Compute A[:, left]ᵀ A[:, right]."""
        out = np.zeros((right.size, left.size))
        starts = self.matrix[2]
        n_left = int(np.sum(starts[left + 1] - starts[left]))
        room = np.zeros(self.n_rows + 1, dtype=np.intp), np.empty(n_left, dtype=np.intp), np.empty(n_left)
        sparse_gram(*self.matrix, left, right, *room, out)
        out *= self.x_scale[left]
        out *= self.x_scale[right, None]
        if self.shift.any():
            out -= np.outer(self.total_weight * self.shift[right], self.shift[left])
        return out.T

    def copy_stored(self, index: IndexArray) -> tuple[FloatArray, NDArray[np.int32], IndexArray]:
        """Copy A[:, index] without its shift: CSC arrays of their own, scaled."""
        data, rows, starts = self.matrix
        sizes = (starts[index + 1] - starts[index]).astype(np.intp)
        ends = np.cumsum(sizes)
        entries = np.arange(sizes.sum()) + np.repeat(starts[index] - (ends - sizes), sizes)
        scaled = data[entries] * np.repeat(self.x_scale[index], sizes)
        return scaled, rows[entries].astype(np.int32), ends

    def columns(self, index: IndexArray) -> FloatArray:
        """Extract A[:, index]."""
        data, rows, starts = self.matrix
        dense = np.zeros((self.n_rows, len(index)), order="F")
        for i, j in enumerate(index):
            entries = slice(starts[j], starts[j + 1])
            dense[rows[entries], i] = data[entries] * self.x_scale[j]
        dense -= np.outer(self.root_weights, self.shift[index])
        return dense

    def kernel(self, scale: FloatArray) -> FloatArray:
        """Compute A diag(scale) Aᵀ, without a dense A."""
        A = sparse.csc_array(self.matrix, shape=(self.n_rows, self.n_features))
        A = A @ sparse.diags_array(self.x_scale)
        scaled = A @ sparse.diags_array(scale)
        crossed = np.outer(scaled @ self.shift, self.root_weights)
        squared = float(self.shift @ (scale * self.shift))
        shifted = squared * np.outer(self.root_weights, self.root_weights)
        return (scaled @ A.T).toarray() - crossed - crossed.T + shifted

    def descend(
        self,
        index: IndexArray,
        w: FloatArray,
        target: int,
        penalty: ColumnPenalty,
        max_sweeps: int,
        tolerance: float,
    ) -> int:
        """Sweep the stored columns, carrying the residual before the shift and the shift's sum."""
        r = self.b[:, target] - self.stored_product(w[:, None])[:, 0]
        implicit = (self.x_scale, self.shift, self.total_weight)
        return sparse_column_descent(
            *self.matrix, *implicit, index, r, w, self.norms, *penalty, max_sweeps, tolerance
        )
