"""The data term ½ Σ s (y − Xw − b)² by its rows: ½‖b − Aw‖², weighted, centred, well scaled.

A = diag(√s) (X − x̄) diag(scale) and b = √s (y − ȳ) · scale, with scales that are powers of two (so that
they round nothing) bringing every column near unit norm. Columns without variance are zero. Two
representations answer the same questions, `dense` and `sparse`; neither forms A where it can do without.
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
from skreg.solvers._kernels.dense import scale_target
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.data_term import DataTerm
from skreg.solvers.quadratic import Quadratic

__all__ = ["LeastSquares", "least_squares"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# Targets whose deviations are all below this part of their mean are constant.
_CONSTANT = 1e-12


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
    norms : ndarray of shape (n_features,)
        Squared norms of A's columns, at least ¼ and below 1, or 0.
    fit_intercept : bool
        Whether A and b are centred.
    """

    norms: FloatArray
    n_stored: int
    is_dense: bool

    def __init__(self, y: FloatArray, weights: FloatArray, fit_intercept: bool) -> None:
        self.n_rows = y.shape[0]
        self.fit_intercept = fit_intercept
        self.root_weights = np.sqrt(weights)
        self.total_weight = float(weights.sum())
        self.b = np.empty_like(y, order="F")
        self.y_mean, self.y_scale, self.b_squared = np.empty((3, y.shape[1]))
        for k in range(y.shape[1]):
            self.y_mean[k], self.y_scale[k], self.b_squared[k] = scale_target(
                y[:, k], weights, self.root_weights, fit_intercept, _CONSTANT, self.b[:, k]
            )

    @property
    def is_finite(self) -> bool:
        """Whether X has neither NaN nor infinity, by its sums; False also where only squares overflow."""
        return bool(np.all(np.isfinite(self.norms)) and np.all(np.isfinite(self.x_mean)))

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
            x_mean_rest=np.zeros_like(taken.x_mean),  # beside small means it has no digits
            gram=taken.gram * scale * scale[:, None],
            xy=taken.xy * scale[:, None],
        )

    @abstractmethod
    def _stored_rows(self, index: Any) -> tuple[Any, FloatArray, FloatArray]:
        """Rows Z, a scale and a shift such that A[index] = diag(√s) (Z diag(scale) − 1 shiftᵀ)."""

    def of_targets(self, targets: IndexArray) -> LeastSquares:
        """Restrict the problem to some targets; it shares X with this one."""
        part = copy.copy(self)
        vars(part).pop("quadratic", None)
        for name in ("b", "c", "y_mean", "y_scale", "b_squared"):
            if name in vars(self):
                setattr(part, name, getattr(self, name)[..., targets])
        if self.inherited is not None:
            part.inherited = self.inherited.of_targets(targets)
        return part

    @abstractmethod
    def kernel(self, scale: FloatArray) -> FloatArray:
        """Compute A diag(scale) Aᵀ, of shape (n_rows, n_rows), for scales ≥ 0."""

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
    # They build on what is above.
    from skreg.solvers.dense import DenseLeastSquares
    from skreg.solvers.sparse import SparseLeastSquares

    if weights.min() == 0:
        kept = np.flatnonzero(weights)
        X, y, weights = X[kept], y[kept], weights[kept]
    if sparse.issparse(X):
        return SparseLeastSquares(X, y, weights, fit_intercept)
    return DenseLeastSquares(X, y, weights, fit_intercept)
