"""The data term ½ Σ s (y − Xw − b)² as the solvers see it: ½‖b − Aw‖², weighted, centred, well scaled.

A = diag(√s) (X − x̄) diag(scale) and b = √s (y − ȳ) · scale, with scales that are powers of two (so that
they round nothing) bringing every column near unit norm. Columns without variance are zero. Two
representations answer the same questions, `DenseLeastSquares` and `SparseLeastSquares`; neither forms A where
it can do without.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skreg.moments import Moments
from skreg.moments.moments import implicitly_centred, weighted_means
from skreg.penalties import ElasticNetPenalty
from skreg.solvers._kernels import column_descent, sparse_column_descent
from skreg.solvers.column_penalty import ColumnPenalty

__all__ = ["DenseLeastSquares", "LeastSquares", "SparseLeastSquares", "least_squares"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# A column whose standard deviation is below this part of its mean is rounding, not data.
_CONSTANT = 1e-12
# Up to this ratio of a column's size to its spread, centring it by a shift costs at most a digit or two.
_SHIFTABLE = 30.0
# Strengths in scaled units are cut here, where any coefficient has long been zero, so that none overflows.
_LARGEST_STRENGTH = 1e304


class LeastSquares(ABC):
    """½‖b − Aw‖² for each target, with what is needed to go back to the units of the data.

    Attributes
    ----------
    n_rows, n_features, n_targets : int
        Rows of A, columns of A and columns of b.
    total_weight : float
        S = Σ sᵢ.
    root_weights : ndarray of shape (n_rows,)
        √sᵢ, to which the columns of A and b are orthogonal when there is an intercept.
    x_mean, x_scale : ndarray of shape (n_features,)
        A's column j is √s (xⱼ − x̄ⱼ) · x_scale[j]; zero scale marks a column without variance.
    y_mean, y_scale : ndarray of shape (n_targets,)
        Likewise for b.
    b : ndarray of shape (n_rows, n_targets)
        The scaled targets.
    null_value : ndarray of shape (n_targets,)
        The energy of w = 0, ½ Σ s (y − ȳ)², in the units of the data.
    n_stored : int
        How many numbers of X are held.
    norms : ndarray of shape (n_features,)
        Squared norms of A's columns, at least ¼ and below 1, or 0.
    fit_intercept : bool
        Whether A and b are centred.
    """

    norms: FloatArray
    x_mean: FloatArray
    x_scale: FloatArray
    n_stored: int

    def __init__(self, y: FloatArray, weights: FloatArray, fit_intercept: bool) -> None:
        self.fit_intercept = fit_intercept
        self.root_weights = np.sqrt(weights)
        self.total_weight = float(weights.sum())
        self.y_mean, rest = weighted_means(y, weights) if fit_intercept else np.zeros((2, y.shape[1]))
        b = (y - self.y_mean) - rest
        b[:, np.all(np.abs(b) <= _CONSTANT * np.abs(self.y_mean), axis=0)] = 0.0
        b *= self.root_weights[:, None]
        self.y_scale = power_of_two_scale(np.max(np.abs(b), axis=0), when_zero=1.0)
        self.b = b * self.y_scale
        self.null_value = self.energy_to_data(0.5 * np.einsum("ij,ij->j", self.b, self.b), self.targets)

    @property
    def n_rows(self) -> int:
        """Number of rows of A, those of positive weight."""
        return self.b.shape[0]

    @property
    def n_features(self) -> int:
        """Number of columns of A."""
        return self.x_mean.size

    @property
    def n_targets(self) -> int:
        """Number of columns of b."""
        return self.b.shape[1]

    @property
    def targets(self) -> slice:
        """Every target, as an index."""
        return slice(None)

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

    @abstractmethod
    def columns(self, index: IndexArray) -> FloatArray:
        """Extract A[:, index], dense, in Fortran order."""

    @abstractmethod
    def rows(self, index: Any) -> FloatArray:
        """Extract A[index], dense, for a slice or an array of rows."""

    @abstractmethod
    def product_of_rows(self, index: Any, w: FloatArray) -> FloatArray:
        """Compute A[index] w, for a slice or an array of rows."""

    def moments(self, index: Any) -> Moments:
        """Take the moments of some rows, in the units of A and b, each row with its weight.

        The means are left from centring by the means of all rows, so they are small.
        """
        root = self.root_weights[index]
        stored, scale, shift = self._stored_rows(index)
        taken = Moments.from_data(
            stored, self.b[index] / root[:, None], root * root, centred=self.fit_intercept
        )
        return replace(
            taken,
            x_mean=taken.x_mean * scale - shift,
            gram=taken.gram * scale * scale[:, None],
            xy=taken.xy * scale[:, None],
        )

    @abstractmethod
    def _stored_rows(self, index: Any) -> tuple[Any, FloatArray, FloatArray]:
        """Rows Z, a scale and a shift such that A[index] = diag(√s) (Z diag(scale) − 1 shiftᵀ)."""

    def of_targets(self, targets: IndexArray) -> LeastSquares:
        """Restrict the problem to some targets; it shares X with this one."""
        part = copy.copy(self)
        for name in ("b", "y_mean", "y_scale", "null_value"):
            setattr(part, name, getattr(self, name)[..., targets])
        return part

    def kernel(self, scale: FloatArray) -> FloatArray:
        """Compute A diag(scale) Aᵀ, of shape (n_rows, n_rows), for scales ≥ 0."""
        A = self.rows(slice(None))
        A *= np.sqrt(scale)
        return A @ A.T  # a symmetric product, at half the cost

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

    def coef_to_scaled(self, coef: FloatArray) -> FloatArray:
        """Coefficients (n_targets, n_features) of the data as scaled ones (n_features, n_targets)."""
        return coef.T * self.y_scale / self._nonzero_scale[:, None]

    def coef_to_data(self, w: FloatArray) -> FloatArray:
        """Scaled coefficients (n_features, n_targets) as (n_targets, n_features) in the data's units."""
        return (w / self.y_scale).T * self._nonzero_scale

    def penalty_of(self, penalty: ElasticNetPenalty, target: int) -> ColumnPenalty:
        """Translate a penalty on the data's coefficients into one target's scaled units."""
        scale = self._nonzero_scale
        with np.errstate(over="ignore"):
            l1 = penalty.l1_strengths(self.n_features) * (scale * self.y_scale[target])
            l2 = penalty.l2_strengths(self.n_features) * scale * scale
        l1, l2 = (np.minimum(strengths, _LARGEST_STRENGTH) for strengths in (l1, l2))
        return ColumnPenalty(l1, l2, penalty.positive)

    def intercept(self, coef: FloatArray) -> FloatArray:
        """Compute the best intercepts ȳ − x̄ᵀw, of shape (n_targets,), for `coef` in the data's units."""
        return self.y_mean - coef @ self.x_mean

    def energy_to_data(self, energy: FloatArray, targets: Any) -> FloatArray:
        """Translate an energy in scaled units into the units of the data."""
        return energy / self.y_scale[targets] / self.y_scale[targets]

    @property
    def _nonzero_scale(self) -> FloatArray:
        return np.where(self.x_scale > 0, self.x_scale, 1.0)


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
    if np.any(weights == 0):
        kept = np.flatnonzero(weights)
        X, y, weights = X[kept], y[kept], weights[kept]
    if sparse.issparse(X):
        return SparseLeastSquares(X, y, weights, fit_intercept)
    return DenseLeastSquares(X, y, weights, fit_intercept)


class DenseLeastSquares(LeastSquares):
    """Holds X as it is given, in float64; the centring is an implicit shift.

    A centred copy is made only if a column's mean is so far from its spread that the shift would cost
    digits. AᵀA is made from the moments when all of it is asked for.
    """

    def __init__(self, X: Any, y: FloatArray, weights: FloatArray, fit_intercept: bool) -> None:
        super().__init__(y, weights, fit_intercept)
        # float32 products would round to float32, and mixed ones copy X each time.
        self.X = X if X.dtype == np.float64 else X.astype(np.float64, order="F")
        self.n_stored = self.X.size
        self.weights = weights if np.any(weights != 1.0) else None
        self.x_mean = weights @ self.X / self.total_weight if fit_intercept else np.zeros(X.shape[1])
        squares = self._sums_of_squares(self.X)
        variance = squares - self.total_weight * self.x_mean**2
        self.shift = self.x_mean
        far = np.flatnonzero(variance * _SHIFTABLE**2 < squares)
        if far.size:
            # Digits have cancelled in these columns: their means and variances anew, in two passes.
            self.x_mean[far], rest = weighted_means(self.X[:, far], weights)
            variance[far] = self._sums_of_squares((self.X[:, far] - self.x_mean[far]) - rest)
        self.x_scale = _column_scale(variance, self.x_mean, self.total_weight)
        if np.any(self.x_scale[far] > 0.0):
            self.x_mean, rest = weighted_means(self.X, weights)
            self.X = np.subtract(self.X, self.x_mean, order="F")
            self.X -= rest
            self.shift = np.zeros_like(self.x_mean)
        self.norms = variance * self.x_scale * self.x_scale

    def _sums_of_squares(self, columns: FloatArray) -> FloatArray:
        if self.weights is None:
            return np.einsum("ij,ij->j", columns, columns)
        return np.einsum("i,ij,ij->j", self.weights, columns, columns)

    def product(self, w: FloatArray) -> FloatArray:
        """Compute Aw."""
        return self.product_of_rows(slice(None), w)

    def rows(self, index: Any) -> FloatArray:
        """Extract A[index]."""
        rows = self.X[index] - self.shift
        rows *= self.x_scale
        if self.weights is not None:
            rows *= self.root_weights[index, None]
        return rows

    def product_of_rows(self, index: Any, w: FloatArray) -> FloatArray:
        """Compute A[index] w."""
        v = w * self.x_scale[:, None]
        fit = self.X[index] @ v
        fit -= self.shift @ v
        if self.weights is not None:
            fit *= self.root_weights[index, None]
        return fit

    def _stored_rows(self, index: Any) -> tuple[FloatArray, FloatArray, FloatArray]:
        return self.X[index], self.x_scale, self.shift * self.x_scale

    def adjoint(self, r: FloatArray) -> FloatArray:
        """Compute Aᵀr."""
        if self.weights is not None:
            r = r * self.root_weights[:, None]
        g = self.X.T @ r
        g -= np.outer(self.shift, r.sum(axis=0))
        g *= self.x_scale[:, None]
        return g

    def gram(self, left: IndexArray, right: IndexArray) -> FloatArray:
        """Compute A[:, left]ᵀ A[:, right]."""
        if "full_gram" in vars(self) or min(left.size, right.size) > self.n_features // 2:
            return self.full_gram[np.ix_(left, right)]
        return self.columns(left).T @ self.columns(right)

    @cached_property
    def full_gram(self) -> FloatArray:
        """AᵀA, C-contiguous; one pass over the rows, made when first asked for."""
        nothing = np.empty((self.n_rows, 0))
        weights = np.ones(self.n_rows) if self.weights is None else self.weights
        moments = Moments.from_data(self.X, nothing, weights, centred=self.fit_intercept)
        return moments.gram * self.x_scale * self.x_scale[:, None]

    def copy_columns(self, index: IndexArray, out: FloatArray) -> None:
        """Write A[:, index] into `out`."""
        for i, j in enumerate(index):  # one by one: fancy indexing would copy more than these
            np.subtract(self.X[:, j], self.shift[j], out=out[:, i])
        out *= self.x_scale[index]
        if self.weights is not None:
            out *= self.root_weights[:, None]

    def columns(self, index: IndexArray) -> FloatArray:
        """Extract A[:, index]."""
        out = np.empty((self.n_rows, len(index)), order="F")
        self.copy_columns(index, out)
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


class SparseLeastSquares(LeastSquares):
    """Holds diag(√s) X diag(scale) in CSC format; the centring is an implicit shift.

    The shift costs nothing a column: with u = √s, A = sparse − u shiftᵀ and uᵀ(b − Aw) = 0.
    """

    def __init__(self, X: Any, y: FloatArray, weights: FloatArray, fit_intercept: bool) -> None:
        super().__init__(y, weights, fit_intercept)
        stored, self.x_mean, shift = implicitly_centred(X, weights, centred=fit_intercept)
        variance = stored.power(2).T @ weights - self.total_weight * shift**2
        self.x_scale = _column_scale(variance, self.x_mean, self.total_weight)
        self.A = sparse.csc_array(
            sparse.diags_array(self.root_weights) @ stored @ sparse.diags_array(self.x_scale)
        )
        self.A.sort_indices()
        self.n_stored = self.A.nnz
        self.A.indices, self.A.indptr = (part.astype(np.int64) for part in (self.A.indices, self.A.indptr))
        self.shift = shift * self.x_scale
        self.norms = variance * self.x_scale * self.x_scale

    def product(self, w: FloatArray) -> FloatArray:
        """Compute Aw."""
        return self.A @ w - np.outer(self.root_weights, self.shift @ w)

    @cached_property
    def _by_rows(self) -> sparse.csr_array:
        return sparse.csr_array(self.A)

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

    def adjoint(self, r: FloatArray) -> FloatArray:
        """Compute Aᵀr."""
        return self.A.T @ r - np.outer(self.shift, self.root_weights @ r)

    def gram(self, left: IndexArray, right: IndexArray) -> FloatArray:
        """Compute A[:, left]ᵀ A[:, right]."""
        product = (self.A[:, left].T @ self.A[:, right]).toarray()
        return product - self.total_weight * np.outer(self.shift[left], self.shift[right])

    def columns(self, index: IndexArray) -> FloatArray:
        """Extract A[:, index]."""
        dense = self.A[:, index].toarray(order="F")
        dense -= np.outer(self.root_weights, self.shift[index])
        return dense

    def kernel(self, scale: FloatArray) -> FloatArray:
        """Compute A diag(scale) Aᵀ, without a dense A."""
        scaled = self.A @ sparse.diags_array(scale)
        crossed = np.outer(scaled @ self.shift, self.root_weights)
        squared = float(self.shift @ (scale * self.shift))
        shifted = squared * np.outer(self.root_weights, self.root_weights)
        return (scaled @ self.A.T).toarray() - crossed - crossed.T + shifted

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
        r = self.b[:, target] - self.A @ w
        matrix = (self.A.data, self.A.indices, self.A.indptr, self.shift, self.total_weight)
        return sparse_column_descent(*matrix, index, r, w, self.norms, *penalty, max_sweeps, tolerance)


def _column_scale(variance: FloatArray, mean: FloatArray, total_weight: float) -> FloatArray:
    """Find the scale that brings a column of squared norm `variance` to norm [½, 1); 0 if it is constant."""
    constant = variance <= _CONSTANT**2 * mean**2 * total_weight
    return power_of_two_scale(np.sqrt(np.where(constant, 0.0, variance)), when_zero=0.0)


def power_of_two_scale(size: FloatArray, *, when_zero: float) -> FloatArray:
    """Find the power of two that brings each size into [½, 1), exactly; `when_zero` where the size is 0."""
    exponent = np.clip(np.frexp(size)[1], -1000, 1000)
    return np.where(size > 0, np.ldexp(1.0, -exponent), when_zero)
