"""Sums under way: moments that take in rows and other moments in place, without a second Gram matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import blas

from skreg.moments.rows import add_products, implicitly_centred, weighted_means

if TYPE_CHECKING:
    from skreg.moments.moments import Moments

__all__ = ["Accumulator", "mirror"]

FloatArray = NDArray[np.float64]
# A mean in two parts: the nearest float64, and what that rounds away.
Mean = tuple[FloatArray, FloatArray]

_EPSILON = float(np.finfo(np.float64).eps)
# What the products of one block of rows, and adding one more, round: a bound of what was measured, in units
# of ε of the sums of squares.
_OF_A_BLOCK, _OF_A_SUM = 8.0, 2.0
# What a subtraction leaves of a sum of squares is rounding below this multiple of that.
_LOST = 4.0
_MIRROR_ROWS = 256


class Accumulator:
    """The sums that `Moments` holds, each taken about the mean of all rows so far.

    A chunk's products are taken about its own mean and moved to the joint one by the pairwise update of
    Chan, Golub and LeVeque (1983). Means are kept in two parts: those of a thousand chunks at 1e8 would
    otherwise each be rounded by as much as tells the chunks apart.

    Parameters
    ----------
    n_features, n_targets : int
        Columns of X and of y.
    centred : bool
        Whether products are about the means or about zero.
    """

    def __init__(self, n_features: int, n_targets: int, *, centred: bool) -> None:
        self.centred = centred
        self.total_weight, self.n_rows, self.log_weight_sum = 0.0, 0, 0.0
        self.x_mean: Mean = np.zeros(n_features), np.zeros(n_features)
        self.y_mean: Mean = np.zeros(n_targets), np.zeros(n_targets)
        self.gram = np.zeros((n_features, n_features))  # its lower triangle
        self.xy = np.zeros((n_features, n_targets))
        self.yy = np.zeros(n_targets)
        self.rounding = 0.0

    @classmethod
    def of(cls, moments: Moments) -> Accumulator:
        """Go on from moments, which stay as they are."""
        self = cls(0, 0, centred=moments.centred)
        self.total_weight, self.n_rows = moments.total_weight, moments.n_rows
        self.log_weight_sum, self.rounding = moments.log_weight_sum, moments.rounding
        self.x_mean, self.y_mean = _means_of(moments)
        self.gram, self.xy, self.yy = np.array(moments.gram, order="C"), moments.xy.copy(), moments.yy.copy()
        return self

    def add_rows(self, X: Any, y: FloatArray, weights: FloatArray) -> None:
        """Take in rows: X dense or sparse, y of shape (n_rows, n_targets), weights ≥ 0."""
        total = float(weights.sum())
        if total == 0.0:
            return
        counted = weights > 0
        zeros = np.zeros(X.shape[1]), np.zeros(X.shape[1])
        x_mean, y_mean = zeros, (np.zeros(y.shape[1]), np.zeros(y.shape[1]))
        if self.centred:
            y_mean = weighted_means(y, weights)
        y_centred = (y - y_mean[0]) - y_mean[1]
        weighted_y = weights[:, None] * y_centred
        if sparse.issparse(X):
            X, x_mean, shift = implicitly_centred(X, weights, centred=self.centred)
            scaled = sparse.diags_array(np.sqrt(weights)) @ X
            # Σ s (x − x̄)(x − x̄)ᵀ = Σ s x xᵀ − S x̄ x̄ᵀ, for columns that are no further from zero than wide.
            self.gram += (scaled.T @ scaled).toarray()
            self._add_outer_square(shift, -total)
            self.xy += X.T @ weighted_y  # and y is centred, so that X need not be
            blocks = 1
        else:
            if self.centred:
                x_mean = weighted_means(X, weights)
            blocks = add_products(self.gram, self.xy, X, x_mean, weights, weighted_y)
        self.yy += weights @ y_centred**2
        self._join(total, x_mean, y_mean)
        self.n_rows += int(counted.sum())
        self.log_weight_sum += float(np.log(weights[counted]).sum())
        self._round(_OF_A_BLOCK * _EPSILON, _OF_A_SUM * _EPSILON * np.sqrt(blocks))

    def add(self, moments: Moments) -> None:
        """Take in the rows that other moments are of."""
        if moments.total_weight == 0.0:
            return
        self.gram += moments.gram
        self.xy += moments.xy
        self.yy += moments.yy
        self._join(moments.total_weight, *_means_of(moments))
        self.n_rows += moments.n_rows
        self.log_weight_sum += moments.log_weight_sum
        self._round(moments.rounding, _OF_A_SUM * _EPSILON)

    def subtract(self, moments: Moments) -> None:
        """Take out some of the rows; some must be left."""
        before = np.append(np.diag(self.gram), self.yy)
        self.gram -= moments.gram
        self.xy -= moments.xy
        self.yy -= moments.yy
        if moments.total_weight > 0.0:
            self._join(-moments.total_weight, *_means_of(moments))
        self.n_rows -= moments.n_rows
        self.log_weight_sum -= moments.log_weight_sum
        self._round(moments.rounding, _OF_A_SUM * _EPSILON)
        # What is left keeps the rounding of what it was taken from; where that is all, nothing is left.
        left = np.append(np.diag(self.gram), self.yy)
        lost = left <= _LOST * self.rounding * before
        x_lost, y_lost = lost[: len(self.gram)], lost[len(self.gram) :]
        self.gram[x_lost] = self.gram[:, x_lost] = 0.0
        self.xy[x_lost] = self.xy[:, y_lost] = self.yy[y_lost] = 0.0
        self.rounding *= float(np.max(before[~lost] / left[~lost], initial=1.0))

    def sums(self) -> dict[str, Any]:
        """Give away the sums, by their names in `Moments`, with both triangles of the Gram matrix."""
        mirror(self.gram)
        return {
            "total_weight": self.total_weight,
            "n_rows": self.n_rows,
            "log_weight_sum": self.log_weight_sum,
            "x_mean": self.x_mean[0],
            "y_mean": self.y_mean[0],
            "gram": self.gram,
            "xy": self.xy,
            "yy": self.yy,
            "centred": self.centred,
            "x_mean_rest": self.x_mean[1],
            "y_mean_rest": self.y_mean[1],
            "rounding": self.rounding,
        }

    def _join(self, weight: float, x_mean: Mean, y_mean: Mean) -> None:
        """Move sums about two means to the joint mean; a negative weight takes rows out."""
        if self.total_weight == 0.0:
            self.total_weight, self.x_mean, self.y_mean = weight, x_mean, y_mean
            return
        total = self.total_weight + weight
        share = weight / total
        dx, dy = _difference(x_mean, self.x_mean), _difference(y_mean, self.y_mean)
        between = self.total_weight * share
        self._add_outer_square(dx, between)
        self.xy += between * np.outer(dx, dy)
        self.yy += between * dy**2
        self.x_mean, self.y_mean = _moved(self.x_mean, share * dx), _moved(self.y_mean, share * dy)
        self.total_weight = total

    def _add_outer_square(self, d: FloatArray, weight: float) -> None:
        """Add weight·ddᵀ to the lower triangle."""
        if np.any(d):
            scaled = np.sqrt(abs(weight)) * d
            blas.dsyr(np.sign(weight), scaled, a=self.gram.T, overwrite_a=True)

    def _round(self, of_part: float, of_sum: float) -> None:
        """Note what has been rounded: roundings are as often up as down, and add up like noise."""
        self.rounding = float(np.hypot(max(self.rounding, of_part), of_sum))


def _means_of(moments: Moments) -> tuple[Mean, Mean]:
    return (moments.x_mean, moments.x_mean_rest), (moments.y_mean, moments.y_mean_rest)


def _difference(mean: Mean, other: Mean) -> FloatArray:
    return (mean[0] - other[0]) + (mean[1] - other[1])


def _moved(mean: Mean, shift: FloatArray) -> Mean:
    """Add to a mean in two parts without losing what is added (Knuth's two-sum)."""
    first, rest = mean
    moved = first + shift
    back = moved - first
    rest = rest + ((first - (moved - back)) + (shift - back))
    nearest = moved + rest
    return nearest, rest - (nearest - moved)


def mirror(gram: FloatArray) -> None:
    """Copy the lower triangle of `gram` over its upper one, by blocks."""
    for start in range(0, len(gram), _MIRROR_ROWS):
        rows, after = slice(start, start + _MIRROR_ROWS), slice(start + _MIRROR_ROWS, None)
        gram[rows, after] = gram[after, rows].T
        corner = gram[rows, rows]
        corner[...] = np.tril(corner) + np.tril(corner, -1).T
