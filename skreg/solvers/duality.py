"""The duality gap at a dual point, for one coefficient vector or for many at once.

For any feasible θ the dual D(θ) ≤ min E, so E(w) − D(θ) bounds the suboptimality of w. Written term by term
the gap has no cancellation:

    E(w) − D(cθ) = ½‖r − cθ‖² + Σⱼ [ h(wⱼ) + h*(c gⱼ) − c gⱼ wⱼ ],   g = Aᵀθ,  h(u) = λ₁|u| + ½λ₂u²

each bracket being ≥ 0 by the Fenchel–Young inequality, and 0 exactly where wⱼ is optimal.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skreg.solvers.column_penalty import ColumnPenalty

__all__ = ["DualPoint", "gap_at", "room_for_rounding"]

FloatArray = NDArray[np.float64]

_EPSILON = float(np.finfo(np.float64).eps)


class DualPoint(NamedTuple):
    """Directions θ orthogonal to every unpenalised column, each scaled by its c to become feasible.

    Parameters
    ----------
    g : ndarray of shape (..., n_features)
        Aᵀθ.
    theta_squared, miss_squared, cross : ndarray of shape (...)
        ‖θ‖², ‖r − θ‖² and (r − θ)ᵀθ.
    """

    g: FloatArray
    theta_squared: FloatArray | float
    miss_squared: FloatArray | float = 0.0
    cross: FloatArray | float = 0.0

    def distance_squared(self, c: FloatArray) -> FloatArray:
        """‖r − cθ‖²."""
        return self.miss_squared + 2.0 * (1.0 - c) * self.cross + (1.0 - c) ** 2 * self.theta_squared


def gap_at(w: FloatArray, point: DualPoint, penalty: ColumnPenalty) -> FloatArray:
    """E(w) − D at the best feasible multiple of a dual point, as if nothing were rounded.

    Parameters
    ----------
    w : ndarray of shape (..., n_features)
        Coefficients, of columns that are penalised and have variance.
    point : DualPoint
        On the same columns.
    penalty : ColumnPenalty
        With strengths of the shape of w.

    Returns
    -------
    ndarray of shape (...)
        The gap; infinite if w breaks `positive`.
    """
    g, (l1, l2, positive) = point.g, penalty
    pull, size = (g if positive else np.abs(g)), np.abs(w)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        feasible = np.min(np.where(pull > l1, l1 / pull, 1.0), axis=-1, initial=1.0)
    # Any feasible θ gives a bound: the best one counts. θ = 0 always is, and there the gap is E(w) itself.
    gap = 0.5 * point.distance_squared(np.zeros_like(feasible)) + np.sum(
        (l1 + 0.5 * l2 * size) * size, axis=-1
    )
    multiples = [feasible]
    if np.all(l2 > 0.0) and np.any(feasible < 1.0):
        multiples.append(np.ones_like(feasible))  # where λ₂ > 0 every θ is feasible
    for c in multiples:
        bracket = _fenchel_young(w, c[..., None] * g, l1, l2, positive)
        gap = np.minimum(gap, 0.5 * point.distance_squared(c) + bracket)
    return np.where(np.any(w < 0.0, axis=-1), np.inf, gap) if positive else gap


def room_for_rounding(gap: Any, paired: Any, size: Any, null: float, r_squared: Any) -> Any:
    """Bound what a computed gap may be short by; numbers or arrays, one a coefficient vector.

    The correlations are off by about ε‖r‖, Σ gⱼwⱼ by as much times ‖w‖₁ of the penalised columns, `paired`,
    and the fit by ε times ‖w‖₁ of all columns, `size`.
    """
    return _EPSILON * (4.0 * null + paired * np.sqrt(r_squared) + 16.0 * gap) + 2.0 * (_EPSILON * size) ** 2


def _fenchel_young(
    w: FloatArray, g: FloatArray, l1: FloatArray, l2: FloatArray, positive: bool
) -> FloatArray:
    """Σ h(wⱼ) + h*(gⱼ) − gⱼwⱼ, as a sum of two terms that are each ≥ 0.

    With q the part of g that the L1 norm takes up (g itself up to ± λ₁), the bracket is
    (λ₂w − (g − q))² / 2λ₂ + (λ₁|w| − qw). Where λ₂ = 0 feasibility gives q = g.
    """
    excess = np.maximum((g if positive else np.abs(g)) - l1, 0.0)
    q = np.where(excess > 0.0, np.copysign(l1, g), g)
    # Rounding may leave |q| a unit above λ₁ at c·g; the bracket is ≥ 0 by mathematics.
    bracket = np.sum(np.maximum(l1 * np.abs(w) - q * w, 0.0), axis=-1)
    if np.any(l2 > 0.0):
        with np.errstate(divide="ignore", invalid="ignore"):
            miss = (l2 * w - np.copysign(excess, g)) / np.sqrt(l2)
        bracket = bracket + 0.5 * np.sum(np.where(l2 > 0.0, miss, 0.0) ** 2, axis=-1)
    return bracket
