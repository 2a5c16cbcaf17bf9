"""The data term of sparse X, which stays as it is: weights, scales and means are implicit."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skreg.moments.rows import NEARLY_FULL, implicitly_centred
from skreg.solvers._kernels.sparse import (
    sparse_adjoint,
    sparse_column_descent,
    sparse_gram,
    sparse_has_duplicates,
    sparse_moments,
    sparse_product,
)
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.data_term import column_scale
from skreg.solvers.least_squares import LeastSquares

__all__ = ["SparseLeastSquares"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]


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
        with np.errstate(over="ignore", invalid="ignore"):  # `is_finite` asks
            self._centre(X, weights, fit_intercept)

    def _centre(self, X: Any, weights: FloatArray, fit_intercept: bool) -> None:
        """Find the means and scales of the columns, and the correlations with a single target."""
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
            stored, (self.x_mean, _rest), shift = implicitly_centred(X, weights, centred=True)
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

    @cached_property
    def _by_rows(self) -> sparse.csr_array:
        """D diag(x_scale)."""
        stored = sparse.csc_array(self.matrix, shape=(self.n_rows, self.n_features))
        return sparse.csr_array(stored @ sparse.diags_array(self.x_scale))

    def rows(self, index: Any) -> FloatArray:
        """Extract A[index]."""
        dense = self._by_rows[index].toarray()
        dense -= np.outer(self.root_weights[index], self.shift)
        return dense

    def product_of_rows(self, index: Any, w: FloatArray) -> FloatArray:
        """Compute A[index] w."""
        return self._by_rows[index] @ w - np.outer(self.root_weights[index], self.shift @ w)

    def _stored_rows(self, index: Any) -> tuple[sparse.csr_array, FloatArray, FloatArray]:
        unweighted = sparse.diags_array(1.0 / self.root_weights[index]) @ self._by_rows[index]
        return unweighted, np.ones(self.n_features), self.shift

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
        A = self._by_rows
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
