"""What a duality gap can be short by because AᵀA and Aᵀb were rounded before they came here.

Rows that stand for moments are exact rows of other data: the gap is that of the energy they define. The
data's own AᵀA and Aᵀb differ from theirs by up to δ an entry, and so its correlations g = Aᵀ(b − Aw) by up to
η = δ(‖b‖ + ‖w‖₁). Three bounds for the data's own energy follow, of which the least holds:

- by its dual: the same multiple of the residual, made feasible for correlations that are off by η;
- by its curvature: ½ Σ(vⱼ + η)²/μ, with the optimality violations v and an eigenvalue μ below all of AᵀA + Λ;
- by E(w) itself, since no energy is below zero. Where columns are so nearly collinear that their difference
  is less than rounding, that difference may explain all that is left of b, and nothing here can tell.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.unpenalized import ILL_CONDITIONED, Unpenalized

__all__ = ["InheritedRounding"]

FloatArray = NDArray[np.float64]

_EPSILON = float(np.finfo(np.float64).eps)
# A bound by the dual that is below this part of the null model's energy is not worth a better one.
_SMALL = 1e-12
# LAPACK's estimate of a condition is this much too small at most, nearly always (Higham, 1988).
_ESTIMATE = 3.0


class InheritedRounding:
    """Widens the gaps of one target's penalty on rows that stand for moments, in scaled units.

    Parameters
    ----------
    problem : LeastSquares
        The data term, with what it has inherited.
    penalty : ColumnPenalty
        The penalty.
    target : int
        Which target.
    unpenalized : Unpenalized
        The columns that nothing penalises.
    """

    def __init__(
        self, problem: LeastSquares, penalty: ColumnPenalty, target: int, unpenalized: Unpenalized
    ) -> None:
        assert problem.inherited is not None  # or there is nothing to widen for
        self.problem, self.penalty, self.target = problem, penalty, target
        self.inherited = problem.inherited
        self.free = unpenalized
        self.data = np.flatnonzero(problem.x_scale > 0)
        self.b_squared = float(problem.b_squared[target])

    def widened(self, gap: float, w: FloatArray) -> float:
        """Bound how far the data's own energy at w is above its minimum, given the gap on the rows.

        Parameters
        ----------
        gap : float
            The gap on the rows that stand for the data, by their residual; infinite if w breaks `positive`.
        w : ndarray of shape (n_features,)
            Coefficients.

        Returns
        -------
        float
            The gap of the data.
        """
        if not np.isfinite(gap):
            return gap
        g, squares = self.problem.correlation(w[:, None], [self.target])
        g, size = g[:, 0], np.sqrt(self.b_squared) + float(np.abs(w).sum())
        off = self.inherited.rounding * size + float(self.inherited.products[self.target])
        r_squared = float(squares[0] + self.inherited.squares[self.target]) + 2.0 * off * size
        by_dual = gap + self._room_by_dual(gap, w, g, off, np.sqrt(r_squared))
        if by_dual - 2.0 * gap <= _SMALL * 0.5 * self.b_squared:
            return by_dual
        energy = 0.5 * r_squared + self.penalty.value(w)
        return min(by_dual, self._by_curvature(w, g, off), energy)

    def _room_by_dual(self, gap: float, w: FloatArray, g: FloatArray, off: float, r: float) -> float:
        root, room = float(np.sqrt(2.0 * gap)), 32.0 * self.inherited.rounding * gap
        if self.free.index.size:
            if not self.free.is_well_conditioned:
                return np.inf
            # What is projected off besides, and moves every correlation by no more: (F'F)⁻¹ is that small.
            moved = off * float(np.sqrt(self.free.index.size / (0.25 * ILL_CONDITIONED)))
            room += moved * (0.5 * moved + root)
            off += moved
        active = self.data[~self.penalty.free[self.data]]
        w, g, (l1, l2, _positive) = w[active], g[active], self.penalty.of(active)
        if active.size == 0:
            return room
        smooth = kinked = np.inf
        if np.all(l2 > 0.0):
            # h* has a derivative of at most (2·bracket/λ₂)^½ beside w, and a second one of 1/λ₂.
            with np.errstate(over="ignore"):
                s = float(np.sum(1.0 / l2))
                smooth = off * root * np.sqrt(s) + 0.5 * off * off * s
        if np.all(l1 > 0.0):
            # A multiple λ₁/(λ₁ + η) of θ is as feasible as θ was.
            shrunk = off / (off + float(l1.min()))
            kinked = shrunk * max(float(g @ w), 0.0) + off * float(np.abs(w).sum())
            kinked += shrunk * r * (root + shrunk * r)
        return room + min(smooth, kinked)

    def _by_curvature(self, w: FloatArray, g: FloatArray, off: float) -> float:
        """½ dist(0, ∂E(w))²/μ, which holds for any convex energy of curvature μ."""
        if self._curvature == 0.0 or np.any(w[self.problem.x_scale == 0]):
            return np.inf
        violation = self.penalty.of(self.data).violation(w[self.data], g[self.data]) + off
        return float(violation @ violation) / (2.0 * self._curvature) + 4.0 * _EPSILON * self.b_squared

    @cached_property
    def _curvature(self) -> float:
        """A number below every eigenvalue of the data's AᵀA + Λ; zero if rounding leaves none above zero."""
        matrix = self.problem.gram(self.data, self.data)
        matrix[np.diag_indices_from(matrix)] += self.penalty.l2[self.data]
        norm = linalg.norm(matrix, 1)
        factor, info = linalg.lapack.dpotrf(matrix, lower=False)
        if info != 0:
            return 0.0
        least = float(linalg.lapack.dpocon(factor, norm)[0]) * norm / _ESTIMATE
        return max(least - self.data.size * self.inherited.rounding, 0.0)
