"""The units of a data term: from the data's coefficients to scaled ones and back.

Every solver works on ½‖b − Aw‖² with A = diag(√s) (X − x̄) diag(x_scale) and b = √s (y − ȳ) y_scale, whose
columns have norms in [½, 1). The scales are powers of two, so that going back and forth rounds nothing.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skreg.penalties import ElasticNetPenalty
from skreg.solvers.column_penalty import ColumnPenalty

__all__ = ["DataTerm", "Inherited", "column_scale", "power_of_two_scale"]

FloatArray = NDArray[np.float64]

# A column whose standard deviation is below this part of its mean is rounding, not data.
_CONSTANT = 1e-12
# Strengths in scaled units are cut here, where any coefficient has long been zero, so that none overflows.
_LARGEST_STRENGTH = 1e304


class Inherited(NamedTuple):
    """How far a term is from the data that it stands for.

    Parameters
    ----------
    rounding : float
        About how far the data's own AᵀA, and its Aᵀb beside ‖b‖, may be from those that the term was made of.
    products, squares : ndarray of shape (n_targets,)
        By how much those have a larger Aᵀb, and ‖b‖², than the term does.
    """

    rounding: float
    products: FloatArray
    squares: FloatArray

    def of_targets(self, targets: Any) -> Inherited:
        """Restrict to some targets."""
        return Inherited(self.rounding, self.products[targets], self.squares[targets])


class DataTerm:
    """½‖b − Aw‖² for each target, known by its rows (`LeastSquares`) or by its moments (`Quadratic`).

    Attributes
    ----------
    n_rows : int
        Rows of A, those of positive weight.
    total_weight : float
        S = Σ sᵢ.
    x_mean, x_scale : ndarray of shape (n_features,)
        A's column j is √s (xⱼ − x̄ⱼ) · x_scale[j]; zero scale marks a column without variance.
    y_mean, y_scale : ndarray of shape (n_targets,)
        Likewise for b.
    b_squared : ndarray of shape (n_targets,)
        ‖b‖².
    inherited : Inherited or None
        What was rounded before the term was made; None if it was made of the rows.
    """

    n_rows: int
    total_weight: float
    x_mean: FloatArray
    x_scale: FloatArray
    y_mean: FloatArray
    y_scale: FloatArray
    b_squared: FloatArray
    inherited: Inherited | None = None

    @property
    def n_features(self) -> int:
        """Number of columns of A."""
        return self.x_mean.size

    @property
    def n_targets(self) -> int:
        """Number of columns of b."""
        return self.y_mean.size

    @property
    def targets(self) -> slice:
        """Every target, as an index."""
        return slice(None)

    @property
    def null_value(self) -> FloatArray:
        """The energy of w = 0, ½ Σ s (y − ȳ)², in the units of the data."""
        return self.energy_to_data(0.5 * self.b_squared, self.targets)

    def coef_to_scaled(self, coef: FloatArray) -> FloatArray:
        """Coefficients (n_targets, n_features) of the data as scaled ones (n_features, n_targets)."""
        return coef.T * self.y_scale / self._nonzero_scale[:, None]

    def coef_to_data(self, w: FloatArray) -> FloatArray:
        """Scaled coefficients (n_features, n_targets) as (n_targets, n_features) in the data's units."""
        coef = w.T / self.y_scale[:, None]
        coef *= self._nonzero_scale  # in place: a path of many features is large
        return coef

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

    def intercept_slack(self, coef: FloatArray) -> FloatArray:
        """Bound by how much E can be above its value at the best intercept, by the rounding of ȳ − x̄ᵀw.

        E rises by ½S(b − b*)², and each of the p + 1 products and sums rounds by at most ε of its size. The
        mean of a constant target is exact.
        """
        size = np.abs(self.y_mean) + np.abs(coef) @ np.abs(self.x_mean)
        rounding = (self.n_features + 4) * np.finfo(np.float64).eps * size
        return np.where(self.b_squared > 0.0, 0.5 * self.total_weight * rounding**2, 0.0)

    def energy_to_data(self, energy: FloatArray, targets: Any) -> FloatArray:
        """Translate an energy in scaled units into the units of the data."""
        return energy / self.y_scale[targets] / self.y_scale[targets]

    @cached_property
    def _nonzero_scale(self) -> FloatArray:
        return np.where(self.x_scale > 0, self.x_scale, 1.0)


def column_scale(variance: FloatArray, mean: FloatArray, total_weight: float) -> FloatArray:
    """Find the scale that brings a column of squared norm `variance` to norm [½, 1); 0 if it is constant."""
    constant = variance <= _CONSTANT**2 * mean**2 * total_weight
    return power_of_two_scale(np.sqrt(np.where(constant, 0.0, variance)), when_zero=0.0)


def power_of_two_scale(size: FloatArray, *, when_zero: float) -> FloatArray:
    """Find the power of two that brings each size into [½, 1), exactly; `when_zero` where the size is 0."""
    exponent = np.minimum(np.maximum(np.frexp(size)[1], -1000), 1000)
    return np.where(size > 0, np.ldexp(1.0, -exponent), when_zero)
