"""The data term ½ Σ s (y − Xw − b)² as the solvers see it: ½‖b − Aw‖², weighted, centred, well scaled.

A = diag(√s) (X − x̄) diag(scale) and b = √s (y − ȳ) · scale, with scales that are powers of two (so that
they round nothing) bringing every column near unit norm. Columns without variance are zero. Three
representations answer the same questions: `DenseLeastSquares` holds A, `TallLeastSquares` its Gram matrix
beside the rows as given, `SparseLeastSquares` a sparse matrix and an implicit shift.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skreg.moments import Moments
from skreg.moments.moments import row_blocks, weighted_means
from skreg.penalties import ElasticNetPenalty
from skreg.solvers._kernels import column_descent, gram_descent, sparse_column_descent

__all__ = ["DenseLeastSquares", "LeastSquares", "SparseLeastSquares", "TallLeastSquares", "least_squares"]

FloatArray = NDArray[np.float64]

# A column whose standard deviation is below this part of its mean is rounding, not data.
_CONSTANT = 1e-12
# Rows per column from which one pass for the Gram matrix beats passes over the rows.
_TALL = 2


class LeastSquares(ABC):
    """½‖b − Aw‖² for each target, with what is needed to go back to the units of the data.

    Attributes
    ----------
    n_features, n_targets : int
        Columns of A and of b.
    total_weight : float
        S = Σ sᵢ.
    x_mean, x_scale : ndarray of shape (n_features,)
        A's column j is √s (xⱼ − x̄ⱼ) · x_scale[j]; zero scale marks a column without variance.
    y_mean, y_scale : ndarray of shape (n_targets,)
        Likewise for b.
    null_value : ndarray of shape (n_targets,)
        The energy of w = 0, ½ Σ s (y − ȳ)², in the units of the data.
    """

    x_mean: FloatArray
    x_scale: FloatArray
    y_mean: FloatArray
    y_scale: FloatArray
    total_weight: float
    null_value: FloatArray

    @property
    def n_features(self) -> int:
        """Number of columns of A."""
        return self.x_mean.size

    @property
    def n_targets(self) -> int:
        """Number of columns of b."""
        return self.y_mean.size

    @property
    @abstractmethod
    def n_rows(self) -> int:
        """Number of rows of A."""

    @property
    def targets(self) -> slice:
        """Every target, as an index."""
        return slice(None)

    @abstractmethod
    def correlation(self, w: FloatArray, targets: Any) -> tuple[FloatArray, FloatArray]:
        """Aᵀr and ‖r‖² for the residual r = b − Aw, computed from the rows.

        Parameters
        ----------
        w : ndarray of shape (n_features, k)
            Coefficients in scaled units, a column for each of `targets`.
        targets : slice or array of int
            Which k targets.
        """

    @abstractmethod
    def gram(self, left: NDArray[np.intp], right: NDArray[np.intp]) -> FloatArray:
        """The block A[:, left]ᵀ A[:, right]."""

    @abstractmethod
    def descend(
        self,
        index: NDArray[np.intp],
        w: FloatArray,
        target: int,
        l1: FloatArray,
        l2: FloatArray,
        positive: bool,
        max_sweeps: int,
        tolerance: float,
    ) -> int:
        """Coordinate descent on w[index] in place, without a Gram matrix of `index`; returns the sweeps."""

    @abstractmethod
    def columns(self, index: NDArray[np.intp]) -> FloatArray:
        """A[:, index], dense, in Fortran order."""

    @abstractmethod
    def residual(self, w: FloatArray, targets: Any) -> FloatArray:
        """The residual b − Aw, of shape (n_rows, k)."""

    def coef_to_scaled(self, coef: FloatArray) -> FloatArray:
        """Coefficients (n_targets, n_features) of the data as scaled ones (n_features, n_targets)."""
        return coef.T * self.y_scale / self._nonzero_scale[:, None]

    def coef_to_data(self, w: FloatArray) -> FloatArray:
        """Scaled coefficients (n_features, n_targets) as (n_targets, n_features) in the data's units."""
        return (w / self.y_scale).T * self._nonzero_scale

    def strengths(self, penalty: ElasticNetPenalty, target: int) -> tuple[FloatArray, FloatArray]:
        """λ₁vⱼ and λ₂vⱼ in scaled units, each of shape (n_features,)."""
        scale = self._nonzero_scale
        l1 = penalty.l1_strengths(self.n_features) * (scale * self.y_scale[target])
        l2 = penalty.l2_strengths(self.n_features) * scale * scale
        return l1, l2

    def intercept(self, coef: FloatArray) -> FloatArray:
        """The best intercepts ȳ − x̄ᵀw, of shape (n_targets,), for `coef` in the data's units."""
        return self.y_mean - coef @ self.x_mean

    def energy_to_data(self, energy: FloatArray, targets: Any) -> FloatArray:
        """An energy in scaled units as one in the units of the data."""
        with np.errstate(under="ignore"):
            return energy / self.y_scale[targets] / self.y_scale[targets]

    @property
    def _nonzero_scale(self) -> FloatArray:
        return np.where(self.x_scale > 0, self.x_scale, 1.0)


def least_squares(X, y: FloatArray, weights: FloatArray, *, fit_intercept: bool) -> LeastSquares:
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
        Tall data keep their Gram matrix, other dense data a centred copy, sparse data stay sparse.
    """
    if np.any(weights == 0):
        kept = np.flatnonzero(weights)
        X, y, weights = X[kept], y[kept], weights[kept]
    if sparse.issparse(X):
        return SparseLeastSquares(X, y, weights, fit_intercept)
    if X.shape[0] >= _TALL * X.shape[1]:
        return TallLeastSquares(X, y, weights, fit_intercept)
    return DenseLeastSquares(X, y, weights, fit_intercept)


class _RowsLeastSquares(LeastSquares):
    """What the representations share: the targets b, held densely."""

    def __init__(self, y: FloatArray, weights: FloatArray, fit_intercept: bool) -> None:
        self.root_weights = np.sqrt(weights)
        self.total_weight = float(weights.sum())
        self.y_mean = weighted_means(y, weights) if fit_intercept else np.zeros(y.shape[1])
        b = (y - self.y_mean) * self.root_weights[:, None]
        spread, size = np.max(np.abs(b), axis=0), np.max(np.abs(y), axis=0)
        b[:, spread <= _CONSTANT * size * self.root_weights.max()] = 0.0
        self.y_scale = power_of_two_scale(np.max(np.abs(b), axis=0), when_zero=1.0)
        self.b = b * self.y_scale
        self.null_value = self.energy_to_data(0.5 * np.einsum("ij,ij->j", self.b, self.b), self.targets)

    @property
    def n_rows(self) -> int:
        return self.b.shape[0]


class DenseLeastSquares(_RowsLeastSquares):
    """Holds A itself, a centred and scaled float64 copy in Fortran order."""

    def __init__(self, X, y: FloatArray, weights: FloatArray, fit_intercept: bool) -> None:
        super().__init__(y, weights, fit_intercept)
        self.x_mean = weighted_means(X, weights) if fit_intercept else np.zeros(X.shape[1])
        A = np.empty(X.shape, dtype=np.float64, order="F")
        np.subtract(X, self.x_mean, out=A)
        A *= self.root_weights[:, None]
        variance = np.einsum("ij,ij->j", A, A)
        self.x_scale = _column_scale(variance, self.x_mean, self.total_weight)
        A *= self.x_scale
        self.A = A

    def residual(self, w: FloatArray, targets: Any) -> FloatArray:
        return self.b[:, targets] - self.A @ w

    def correlation(self, w: FloatArray, targets: Any) -> tuple[FloatArray, FloatArray]:
        r = self.residual(w, targets)
        return self.A.T @ r, np.einsum("ij,ij->j", r, r)

    def gram(self, left: NDArray[np.intp], right: NDArray[np.intp]) -> FloatArray:
        return self.A[:, left].T @ self.A[:, right]

    def descend(self, index, w, target, l1, l2, positive, max_sweeps, tolerance) -> int:
        r = self.residual(w[:, None], [target])[:, 0].copy()
        norms = np.einsum("ij,ij->j", self.A, self.A)
        return column_descent(self.A, index, r, w, norms, l1, l2, positive, max_sweeps, tolerance)

    def columns(self, index: NDArray[np.intp]) -> FloatArray:
        return np.asfortranarray(self.A[:, index])


class TallLeastSquares(_RowsLeastSquares):
    """Holds AᵀA, from the moments, beside the rows as given: no copy of X is made.

    The residual and its correlation are always computed from the rows, centred block by block, so that
    what the Gram matrix rounds away is recovered by one more step with it.
    """

    def __init__(self, X, y: FloatArray, weights: FloatArray, fit_intercept: bool) -> None:
        super().__init__(y, weights, fit_intercept)
        self.X = X
        moments = Moments.from_data(X, y, weights, centred=fit_intercept)
        self.x_mean = moments.x_mean
        self.x_scale = _column_scale(np.diag(moments.gram), self.x_mean, self.total_weight)
        self.full_gram = moments.gram * self.x_scale * self.x_scale[:, None]

    def residual(self, w: FloatArray, targets: Any) -> FloatArray:
        r = self.b[:, targets].copy()
        for rows in row_blocks(*self.X.shape):
            r[rows] -= self._block(rows) @ w
        return r

    def correlation(self, w: FloatArray, targets: Any) -> tuple[FloatArray, FloatArray]:
        g = np.zeros((self.n_features, w.shape[1]))
        norm = np.zeros(w.shape[1])
        for rows in row_blocks(*self.X.shape):
            block = self._block(rows)
            r = self.b[rows, targets] - block @ w
            g += block.T @ r
            norm += np.einsum("ij,ij->j", r, r)
        return g, norm

    def gram(self, left: NDArray[np.intp], right: NDArray[np.intp]) -> FloatArray:
        return self.full_gram[np.ix_(left, right)]

    def descend(self, index, w, target, l1, l2, positive, max_sweeps, tolerance) -> int:
        g = self.correlation(w[:, None], [target])[0][index, 0]
        inner = w[index]
        gram = np.ascontiguousarray(self.gram(index, index))
        sweeps = gram_descent(
            gram, g, inner, l1[index], l2[index], positive, max_sweeps, tolerance, max_sweeps
        )
        w[index] = inner
        return sweeps

    def columns(self, index: NDArray[np.intp]) -> FloatArray:
        A = np.empty((self.n_rows, len(index)), order="F")
        for rows in row_blocks(*self.X.shape):
            A[rows] = self._block(rows)[:, index]
        return A

    def _block(self, rows: slice) -> FloatArray:
        return (self.X[rows] - self.x_mean) * self.x_scale * self.root_weights[rows, None]


class SparseLeastSquares(_RowsLeastSquares):
    """Holds diag(√s) X diag(scale) in CSC format; the centring is an implicit shift.

    The shift costs nothing a column: with u = √s, A = sparse − u shiftᵀ and uᵀ(b − Aw) = 0.
    """

    def __init__(self, X, y: FloatArray, weights: FloatArray, fit_intercept: bool) -> None:
        super().__init__(y, weights, fit_intercept)
        X = sparse.csc_array(X, dtype=np.float64)
        self.x_mean = weighted_means(X, weights) if fit_intercept else np.zeros(X.shape[1])
        mean_square = np.asarray(X.power(2).T @ weights).ravel()
        variance = mean_square - self.total_weight * self.x_mean**2
        # Two sums that cancel leave a variance this far off; below it a column counts as constant.
        constant = variance <= 1e-14 * mean_square
        self.x_scale = power_of_two_scale(np.sqrt(np.where(constant, 0.0, mean_square)), when_zero=0.0)
        self.A = sparse.csc_array(
            sparse.diags_array(self.root_weights) @ X @ sparse.diags_array(self.x_scale)
        )
        self.A.sort_indices()
        self.A.indices, self.A.indptr = (part.astype(np.int64) for part in (self.A.indices, self.A.indptr))
        self.shift = self.x_mean * self.x_scale
        self.norms = variance * self.x_scale * self.x_scale

    def residual(self, w: FloatArray, targets: Any) -> FloatArray:
        return self.b[:, targets] - self.A @ w + np.outer(self.root_weights, self.shift @ w)

    def correlation(self, w: FloatArray, targets: Any) -> tuple[FloatArray, FloatArray]:
        r = self.residual(w, targets)
        g = self.A.T @ r - np.outer(self.shift, self.root_weights @ r)
        return g, np.einsum("ij,ij->j", r, r)

    def gram(self, left: NDArray[np.intp], right: NDArray[np.intp]) -> FloatArray:
        product = (self.A[:, left].T @ self.A[:, right]).toarray()
        return product - self.total_weight * np.outer(self.shift[left], self.shift[right])

    def descend(self, index, w, target, l1, l2, positive, max_sweeps, tolerance) -> int:
        r = self.b[:, target] - self.A @ w
        return sparse_column_descent(
            self.A.data,
            self.A.indices,
            self.A.indptr,
            self.shift,
            self.total_weight,
            index,
            r,
            w,
            self.norms,
            l1,
            l2,
            positive,
            max_sweeps,
            tolerance,
        )

    def columns(self, index: NDArray[np.intp]) -> FloatArray:
        dense = self.A[:, index].toarray(order="F")
        return np.asfortranarray(dense - np.outer(self.root_weights, self.shift[index]))


def _column_scale(variance: FloatArray, mean: FloatArray, total_weight: float) -> FloatArray:
    """The scale that brings a centred column of squared norm `variance` to norm [½, 1); 0 if constant."""
    constant = variance <= _CONSTANT**2 * mean**2 * total_weight
    return power_of_two_scale(np.sqrt(np.where(constant, 0.0, variance)), when_zero=0.0)


def power_of_two_scale(size: FloatArray, *, when_zero: float) -> FloatArray:
    """The power of two that brings each size into [½, 1), exactly; `when_zero` where the size is 0."""
    exponent = np.clip(np.frexp(size)[1], -1000, 1000)
    return np.where(size > 0, np.ldexp(1.0, -exponent), when_zero)
