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

from skreg.solvers._kernels.duality import gaps_at
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
    w2, g, l1, l2 = (np.ascontiguousarray(np.atleast_2d(part)) for part in (w, point.g, *penalty[:2]))
    gaps = np.empty(len(w2))
    if w2.shape[1] == 0:
        g = l1 = l2 = w2 = np.zeros((len(w2), 1))  # a column that takes no part
    squares = np.empty((3, len(w2)))
    for row, part in zip(squares, point[1:], strict=True):
        row[:] = part
    gaps_at(w2, g, l1, l2, penalty.positive, *squares, gaps)
    return gaps[0] if w.ndim == 1 else gaps


def room_for_rounding(gap: Any, paired: Any, size: Any, null: Any, r_squared: Any) -> Any:
    """Bound what a computed gap may be short by; numbers or arrays, one a coefficient vector.

    The correlations are off by about ε‖r‖, Σ gⱼwⱼ by as much times ‖w‖₁ of the penalised columns, `paired`,
    and the fit by ε times ‖w‖₁ of all columns, `size`: that moves ½‖r − cθ‖², a part of the gap, by as much
    times its root.
    """
    linear = 4.0 * null + paired * np.sqrt(r_squared) + 32.0 * gap + 1.5 * size * np.sqrt(gap)
    return _EPSILON * linear + 2.0 * (_EPSILON * size) ** 2
