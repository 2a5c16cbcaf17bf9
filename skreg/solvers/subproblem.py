"""The problem on a few columns, solved to the last digit: coordinate descent, then Newton's method.

Coordinate descent finds the support. On it, and on one orthant, the energy is a quadratic, so that one Newton
step lands on its minimiser; where the step would cross a kink it stops there. The quadratic is kept by its
columns, which is slower than by their Gram matrix (`working_set`) and keeps the digits that squaring loses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skreg.solvers._kernels.dense import column_descent
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.svd import thin_svd

__all__ = ["ColumnSubproblem"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# The parts of a Newton step that are tried, its crossing coefficients at zero, before the line is searched.
_FRACTIONS = (1.0, 0.5, 0.25, 0.125)
_EPSILON = float(np.finfo(np.float64).eps)


class ColumnSubproblem:
    """Keeps the columns and the residual, so that what has few digits in AᵀA keeps them all.

    Parameters
    ----------
    columns : ndarray of shape (n_rows, n_columns), Fortran order
        A, or any matrix with the same AᵀA and Aᵀb.
    residual : ndarray of shape (n_rows,)
        b − Aw; changed in place.
    w : ndarray of shape (n_columns,)
        Coefficients; changed in place.
    penalty : ColumnPenalty
        Of these columns.
    rounding : float
        An optimality violation below this is rounding.
    """

    def __init__(
        self,
        columns: FloatArray,
        residual: FloatArray,
        w: FloatArray,
        penalty: ColumnPenalty,
        rounding: float,
    ) -> None:
        self.w = w
        self.penalty = penalty
        self.rounding = rounding
        self.patience = 10 + w.size  # enough to empty an overfull support, one coefficient a step
        self.columns = columns
        self.residual = residual
        self._norms = np.einsum("ij,ij->j", columns, columns)

    @property
    def g(self) -> FloatArray:
        """The correlation Aᵀ(b − Aw)."""
        return self.columns.T @ self.residual

    def sweep(self, max_sweeps: int) -> int:
        """Sweep twice: what is left to do is left to Newton's method."""
        index = np.arange(self.w.size)
        sweeps = min(2, max_sweeps)
        return column_descent(
            self.columns, index, self.residual, self.w, self._norms, *self.penalty, sweeps, 0.0
        )

    def newton(self, support: IndexArray, sign: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Find Newton's step on the support and a direction of falling L1 norm that no data oppose.

        With D bringing the columns of [A; Λ^½] to norm 1 and [A; Λ^½] D = UΣVᵀ, the step is
        DVΣ⁻¹(Uᵀ[r; −Λ^½w] − Σ⁻¹VᵀD(l1 sign w)), and the direction −D(I − VVᵀ)D(l1 sign w), zero if that is
        no more than rounding.
        """
        l1, l2, _positive = self.penalty.of(support)
        scale = 1.0 / np.sqrt(self._norms[support] + l2)
        matrix, rhs = self.columns[:, support] * scale, self.residual
        curved = np.flatnonzero(l2)
        if curved.size:
            root = np.zeros((curved.size, support.size))
            root[np.arange(curved.size), curved] = np.sqrt(l2[curved]) * scale[curved]
            matrix = np.vstack([matrix, root])
            rhs = np.concatenate([rhs, -np.sqrt(l2[curved]) * self.w[support[curved]]])
        left, values, right = thin_svd(matrix)
        kept = values > values[0] * max(matrix.shape) * _EPSILON
        left, values, right = left[:, kept], values[kept], right[kept]
        kink = scale * l1 * sign
        parts = right @ kink
        step = scale * (right.T @ ((left.T @ rhs - parts / values) / values))
        flat = right.T @ parts - kink
        if np.max(np.abs(flat)) <= 1e-12 * np.max(np.abs(kink)):
            return step, np.zeros_like(flat)
        return step, scale * (flat - right.T @ (right @ flat))  # once more: it must not move the fit

    def curvature(self, support: IndexArray, step: FloatArray) -> float:
        """Evaluate stepᵀ (AᵀA + diag(l2)) step."""
        return float(np.sum((self.columns[:, support] @ step) ** 2) + self.penalty.l2[support] @ step**2)

    def _follow(self, support: IndexArray, step: FloatArray) -> None:
        self.residual -= self.columns[:, support] @ step

    def solve(self, max_iter: int) -> int:
        """Minimise, w in place; returns the sweeps and Newton steps spent."""
        n_iter, best, stalled = 0, np.inf, 0
        while n_iter < max_iter:
            n_iter += self.approach(max_iter - n_iter)
            violations = self.penalty.violation(self.w, self.g)
            violation = np.max(violations, initial=0.0)
            stalled = 0 if violation < 0.5 * best else stalled + 1
            best = min(best, violation)
            if violation <= 0.1 * self.rounding or stalled >= 5:
                break
            outside = np.where(self.w == 0.0, violations, 0.0)
            if stalled and np.any(outside) and n_iter < max_iter:
                # Sweeps do not keep the coefficients that should enter: the worst one does by itself.
                n_iter += 1
                self.newton_step(entering=int(np.argmax(outside)))
        return n_iter

    def approach(self, max_iter: int) -> int:
        """Sweep, then step by Newton's method until it lands; returns the sweeps and steps spent."""
        n_iter = self.sweep(min(20, max_iter))
        for _ in range(min(self.patience, max_iter - n_iter)):
            n_iter += 1
            if self.newton_step():
                break
        return n_iter

    def newton_step(self, entering: int | None = None) -> bool:
        """One Newton step on the support, in place; True if it landed on the minimiser of its orthant.

        A coefficient that is zero may be named to enter the support, on the side that its correlation pulls.

        Where it would cross kinks, the crossing coefficients stop at zero if that lowers the energy, or if
        part of the step does; otherwise the exact minimum along the line is taken. A direction in which only
        the L1 norm falls is followed instead, to the kink that ends it, where that gains more.
        """
        l1, _l2, positive = self.penalty
        smooth = (l1 == 0.0) & (not positive)
        in_play, sides = (self.w != 0.0) | smooth, np.sign(self.w)
        if entering is not None:
            in_play[entering], sides[entering] = True, np.sign(self.g[entering])
        support = np.flatnonzero(in_play)
        if support.size == 0:
            return True
        start, sign, smooth = self.w[support], sides[support], smooth[support]
        step, flat = self.newton(support, sign)
        if np.any((start == 0.0) & (step * sign < 0.0)):
            return False  # only rounding turns a coefficient away from where it is pulled
        curvature = self.curvature(support, step)
        if np.any(flat):
            rate = -float((l1[support] * sign) @ flat)
            end = _line_minimum(
                start, flat, rate, self.curvature(support, flat), l1[support], smooth, positive
            )
            if self._gain(support, end) > 0.5 * curvature:
                self.move(support, end, end - start)
                return False
        end = start + step
        crossing = ~smooth & (end * sign < 0.0)
        if not crossing.any():
            self.move(support, end, step)
            return True
        best = 0.0
        for fraction in _FRACTIONS:
            trial = start + fraction * step
            trial[~smooth & (trial * sign < 0.0)] = 0.0
            change = self._energy_change(support, sign, trial - start)
            if change < best:
                best, end = change, trial
        if best == 0.0:
            end = _line_minimum(start, step, curvature, curvature, l1[support], smooth, positive)
        self.move(support, end, end - start)
        return False

    def _gain(self, support: IndexArray, end: FloatArray) -> float:
        """E(w) − E(end), wherever on the support `end` is."""
        penalty, start = self.penalty.of(support), self.w[support]
        after = self.residual - self.columns[:, support] @ (end - start)
        loss = 0.5 * float(self.residual @ self.residual - after @ after)
        return loss + penalty.value(start) - penalty.value(end)

    def _energy_change(self, support: IndexArray, sign: FloatArray, step: FloatArray) -> float:
        """E(w + step) − E(w), for a step that goes no further than zero."""
        penalty = self.penalty.of(support)
        slope = self.g[support] - penalty.l2 * self.w[support] - penalty.l1 * sign
        return float(-slope @ step) + 0.5 * self.curvature(support, step)

    def move(self, support: IndexArray, end: FloatArray, step: FloatArray) -> None:
        """Set w on the support to `end`, which is w + step up to rounding."""
        # The correlation follows the step as it was meant, before w + step is rounded: beside large
        # coefficients its last digits are the better ones.
        self._follow(support, step)
        self.w[support] = end


def _line_minimum(
    start: FloatArray,
    step: FloatArray,
    rate: float,
    curvature: float,
    l1: FloatArray,
    smooth: NDArray[np.bool_],
    positive: bool,
) -> FloatArray:
    """Find the exact minimum of the piecewise quadratic energy along start + t·step, t > 0.

    It falls by t·rate − ½t²·curvature up to the first kink. The slope along the line is piecewise linear and
    jumps by 2 l1|step| wherever a coefficient passes zero; the minimum is where it first turns positive, at a
    jump (an exact zero) or between two.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        zero_at = np.where((start * step < 0.0) & ~smooth, -start / step, np.inf)
    order = np.argsort(zero_at)
    order = order[np.isfinite(zero_at[order])]
    # With a sign constraint zero is a wall, not a kink.
    jumps = np.full(order.size, np.inf) if positive else 2.0 * l1[order] * np.abs(step[order])
    times = zero_at[order]
    slope_after = curvature * times - rate + np.cumsum(jumps)
    turning = np.flatnonzero(slope_after >= 0.0)
    first = turning[0] if turning.size else order.size
    passed = float(np.sum(jumps[:first]))
    if turning.size and (curvature == 0.0 or rate - passed >= curvature * times[first]):
        end = start + times[first] * step
        end[order[times == times[first]]] = 0.0
        return end
    if curvature == 0.0:
        return start  # only rounding makes the energy fall for ever
    return start + max(rate - passed, 0.0) / curvature * step
