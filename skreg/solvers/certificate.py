"""The duality gap: how far a coefficient vector can at most be from the minimum of the energy.

For any θ that is feasible, D(θ) ≤ min E, so E(w) − D(θ) bounds the suboptimality of w. θ starts from the
residual r, loses its projection on the columns that nothing penalises (the intercept is off already, by
centring), and is scaled by c.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from skreg.penalties import ElasticNetPenalty
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.data_term import DataTerm
from skreg.solvers.duality import DualPoint, gap_at, room_for_rounding
from skreg.solvers.inherited import InheritedRounding
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.quadratic import Quadratic
from skreg.solvers.subproblem import ColumnSubproblem
from skreg.solvers.unpenalized import DENSE_LIMIT, Unpenalized

__all__ = ["Certificate", "dual_gap"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

_EPSILON = float(np.finfo(np.float64).eps)
# Gaps below this part of the null model's energy are small enough to leave as they are.
_SMALL = 1e-9
# How far off a projection may be, relatively.
_PROJECTION = 1e-7
# The product of rows, columns and the smaller of them up to which a decomposition takes under a second.
_CHEAP = 100_000_000


def dual_gap(
    problem: LeastSquares,
    coef: FloatArray,
    penalty: ElasticNetPenalty | Sequence[ElasticNetPenalty],
    correlation: tuple[FloatArray, FloatArray] | None = None,
) -> FloatArray:
    """Bound E(coef) − min E from above for each target, at the best intercept.

    Parameters
    ----------
    problem : LeastSquares
        The data term.
    coef : ndarray of shape (n_targets, n_features), float64
        Coefficients to judge, in the units of the data.
    penalty : ElasticNetPenalty or sequence of n_targets of them
        The penalty term, or that of each target.
    correlation : tuple of (g, r_squared), optional
        `problem.correlation` of these coefficients, if it is known.

    Returns
    -------
    ndarray of shape (n_targets,)
        The gap in the units of E, never below the rounding of E itself (2⁻⁵⁰ of the null model's E,
        more where large coefficients cancel); infinite for a coefficient that is not finite or that
        `positive` forbids.

    References
    ----------
    Fercoq, O., Gramfort, A. and Salmon, J. (2015). Mind the duality gap: safer rules for the Lasso,
    ICML, Section 2.
    """
    gaps = np.full(problem.n_targets, np.inf)
    judged = [k for k in range(problem.n_targets) if np.all(np.isfinite(coef[k]))]
    w = problem.coef_to_scaled(coef)[:, judged]
    if correlation is None or len(judged) < problem.n_targets:
        correlation = problem.correlation(w, judged)
    g, r_squared = correlation
    penalties = [penalty] * problem.n_targets if isinstance(penalty, ElasticNetPenalty) else penalty
    certificate = Certificate(problem, problem.penalty_of(penalties[0], 0))
    if len(judged) > 1:
        of_each = [problem.penalty_of(penalties[k], k) for k in judged]
        strengths = ColumnPenalty(
            np.stack([one.l1 for one in of_each]), np.stack([one.l2 for one in of_each]), of_each[0].positive
        )
        gaps[judged] = gaps_of_many(problem, strengths, w.T, g.T, 0.5 * problem.b_squared[judged], r_squared)
    for i, k in enumerate(judged):
        if gaps[k] <= _SMALL * 0.5 * problem.b_squared[k]:
            continue
        certificate = certificate.of_target(k, problem.penalty_of(penalties[k], k))
        gaps[k] = certificate.certify(w[:, i], g[:, i], float(r_squared[i]))
    return problem.energy_to_data(gaps, problem.targets)


def gaps_of_many(
    problem: DataTerm,
    penalties: ColumnPenalty,
    w: FloatArray,
    g: FloatArray,
    null: FloatArray | float,
    r_squared: FloatArray,
) -> FloatArray:
    """`Certificate.residual_gap` for each row of w and g, of a penalty with rows of strengths.

    Infinite, for no bound, where a column that has variance is unpenalised, or one that has none is used.
    """
    columns = problem.x_scale > 0
    bounded = np.all((penalties.l1 > 0.0) | (penalties.l2 > 0.0) | ~columns, axis=1)
    bounded &= ~np.any(w[:, ~columns], axis=1)
    index = slice(None) if columns.all() else np.flatnonzero(columns)
    w = w[:, index]
    part = ColumnPenalty(penalties.l1[:, index], penalties.l2[:, index], penalties.positive)
    gaps = gap_at(w, DualPoint(g[:, index], r_squared), part)
    size = np.abs(w).sum(axis=1)
    bounded &= problem.inherited is None  # else one by one
    return np.where(bounded, gaps + room_for_rounding(gaps, size, size, null, r_squared), np.inf)


class Certificate:
    """The bounds for one target of a problem and its penalty, in scaled units.

    Parameters
    ----------
    problem : LeastSquares or Quadratic
        The data term. Without its rows a gap is infinite where the Gram matrix does not do.
    penalty : ColumnPenalty
        The penalty in scaled units.
    target : int, default=0
        Which target.
    unpenalized : Unpenalized, optional
        What is known already of the columns that nothing penalises.
    """

    def __init__(
        self,
        problem: LeastSquares | Quadratic,
        penalty: ColumnPenalty,
        target: int = 0,
        unpenalized: Unpenalized | None = None,
    ) -> None:
        self.problem = problem
        self.penalty = penalty
        self.target = target
        self.data = problem.x_scale > 0
        self.null = 0.5 * float(problem.b_squared[target])
        if unpenalized is None:
            unpenalized = Unpenalized(problem, np.flatnonzero(self.data & penalty.free), penalty.positive)
        self.unpenalized = unpenalized

    def of_target(self, target: int, penalty: ColumnPenalty) -> Certificate:
        """Go on to another target, with what is known of the unpenalised columns if they are the same."""
        same = np.array_equal(penalty.free, self.penalty.free)
        return Certificate(self.problem, penalty, target, self.unpenalized if same else None)

    def certify(self, w: FloatArray, g: FloatArray, r_squared: float, known: float | None = None) -> float:
        """Bound the suboptimality of w as well as is cheap; `residual_gap` of the same may be known."""
        gap = self.residual_gap(w, g, r_squared) if known is None else known
        if gap > _SMALL * self.null and self.is_worth_refining(w):
            gap = min(gap, self.refined_gap(w))
        return gap

    def residual_gap(self, w: FloatArray, g: FloatArray, r_squared: float) -> float:
        """Bound the suboptimality of w by its residual as θ.

        Parameters
        ----------
        w, g : ndarray of shape (n_features,)
            Coefficients and their correlations Aᵀr.
        r_squared : float
            ‖r‖² of the residual r = b − Aw.

        Returns
        -------
        float
            The gap; infinite if w breaks `positive`.
        """
        if self.unpenalized.index.size == 0:
            return self._gap(w, DualPoint(g, r_squared), r_squared)
        point = self.unpenalized.project_by_gram(g, r_squared)
        if point is None:
            if isinstance(self.problem, Quadratic):
                return np.inf
            r = self._residual(w)
            point = self.unpenalized.project(r, r)
        return self._gap(w, point, r_squared)

    def refined_gap(self, w: FloatArray) -> float:
        """Bound the suboptimality of w where rounding spoils its residual.

        Beside large coefficients of nearly collinear columns, a residual computed from w is rounded by more
        than the penalty allows its correlations to be off. A Newton step on the support finds the residual
        that w would have with more digits than it can hold. Penalties far below rounding are dropped for the
        bound, which can only lower it, and paid in full in E(w).

        Parameters
        ----------
        w : ndarray of shape (n_features,)
            Coefficients.

        Returns
        -------
        float
            The gap; infinite if w breaks `positive`, and for rows that stand for others.
        """
        if self.problem.inherited is not None:
            return np.inf  # the digits that it would find are not those of the data
        r = self._residual(w)
        noise, gap = _EPSILON * float(np.sqrt(r @ r)), np.inf
        for margin in (2.0 * noise, 16.0 * noise):  # the wider costs more, and may be needed
            if gap > _SMALL * self.null:
                gap = min(gap, self._gap(w, self._refined_point(w, r, margin), float(r @ r)))
        l1, l2, positive = self.penalty
        dropped = np.flatnonzero((l1 <= 16.0 * noise) & (l2 <= 1e-20) & ~self.penalty.free)
        if dropped.size:
            l1, l2 = l1.copy(), l2.copy()
            l1[dropped] = l2[dropped] = 0.0
            relaxed = Certificate(self.problem, ColumnPenalty(l1, l2, positive), self.target)
            bound = relaxed._gap(w, relaxed._refined_point(w, r, 2.0 * noise), float(r @ r))
            gap = min(gap, bound + self.penalty.of(dropped).value(w[dropped]))
        return gap

    def is_worth_refining(self, w: FloatArray) -> bool:
        """Whether the rounding of b − Aw is not small beside the penalty's limits, or refining is cheap."""
        rows, support = self.problem.n_rows, int(np.count_nonzero(w))
        if rows * support * min(rows, support) <= _CHEAP:
            return True
        noise = _EPSILON * (np.sqrt(2.0 * self.null) + float(np.abs(w).sum()))
        l1, l2 = (float(np.min(part[part > 0.0], initial=np.inf)) for part in self.penalty[:2])
        return noise > 0.1 * _SMALL * l1 or noise * noise > 0.1 * _SMALL * self.null * l2

    def _residual(self, w: FloatArray) -> FloatArray:
        return self._rows.residual(w[:, None], [self.target])[:, 0]

    @property
    def _rows(self) -> LeastSquares:
        assert isinstance(self.problem, LeastSquares)
        return self.problem

    def _gap(self, w: FloatArray, point: DualPoint, r_squared: float) -> float:
        """E(w) − D at the best multiple of a dual point, and rounding; infinite if w breaks `positive`."""
        if self.penalty.positive and np.any(w < 0):
            return np.inf
        slack = 0.0
        free = self.unpenalized.index
        if self.penalty.positive:
            slack += float(np.maximum(-w[free] * point.g[free], 0.0).sum())
        # A column without variance still pays its penalty if its coefficient is not zero.
        if self._idle.size:
            slack += self.penalty.of(self._idle).value(w[self._idle])
        active = self._active
        gap = slack + float(gap_at(w[active], point._replace(g=point.g[active]), self.penalty.of(active)))
        # What is projected off is off by ε times a condition that is let pass.
        projection = _PROJECTION * gap if free.size else 0.0
        paired, size = float(np.abs(w[active]).sum()), float(np.abs(w).sum())
        gap += projection + float(room_for_rounding(gap, paired, size, self.null, r_squared))
        return gap if self.problem.inherited is None else self._inherited.widened(gap, w)

    @cached_property
    def _inherited(self) -> InheritedRounding:
        return InheritedRounding(self._rows, self.penalty, self.target, self.unpenalized)

    @cached_property
    def _idle(self) -> IndexArray:
        """Columns without variance."""
        return np.flatnonzero(~self.data)

    @cached_property
    def _active(self) -> IndexArray | slice:
        """Columns that have variance and are penalised."""
        active = self.data & ~self.penalty.free
        return slice(None) if active.all() else np.flatnonzero(active)

    def _refined_point(self, w: FloatArray, r: FloatArray, margin: float) -> DualPoint:
        """Take the residual after Newton steps on the support, which need not be representable by any w.

        The steps aim `margin` inside the penalty's limits on correlations, so that rounding does not cross
        them.
        """
        problem, free = self._rows, self.data & self.penalty.free
        in_play = self.data & (w != 0.0) if self.penalty.positive else (self.data & (w != 0.0)) | free
        support = np.flatnonzero(in_play)
        theta = r.copy()  # moved by the subproblem
        if 0 < support.size * problem.n_rows <= max(DENSE_LIMIT, problem.n_stored):
            l1, l2, positive = self.penalty.of(support)
            l1, l2 = np.maximum(l1 - margin, 0.0), np.where(l2 * np.abs(w[support]) > margin, l2, 0.0)
            aim = ColumnPenalty(l1, l2, positive)
            subproblem = ColumnSubproblem(problem.columns(support), theta, w[support], aim, 0.0)
            everything, sign = np.arange(support.size), np.sign(w[support])
            for _ in range(2):
                step, _flat = subproblem.newton(everything, sign)
                subproblem.move(everything, subproblem.w + step, step)
            if np.sum((theta - r) ** 2) > r @ r:
                theta = r  # w is not near its minimiser, and the residual is as good a θ as any
        return self.unpenalized.project(theta, r)
