"""The duality gap: how far a coefficient vector can at most be from the minimum of the energy.

For any θ that is feasible, D(θ) ≤ min E, so E(w) − D(θ) bounds the suboptimality of w. θ starts from the
residual r, loses its projection on the columns that nothing penalises (the intercept is off already, by
centring), and is scaled by c. Written term by term the gap has no cancellation:

    E(w) − D(cθ) = ½‖r − cθ‖² + Σⱼ [ h(wⱼ) + h*(c gⱼ) − c gⱼ wⱼ ],   g = Aᵀθ,  h(u) = λ₁|u| + ½λ₂u²

each bracket being ≥ 0 by the Fenchel–Young inequality, and 0 exactly where wⱼ is optimal.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from skreg.penalties import ElasticNetPenalty
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.iterative import least_squares_by_lsmr
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.subproblem import ColumnSubproblem

__all__ = ["dual_gap", "refined_gap", "residual_gap"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

_EPSILON = float(np.finfo(np.float64).eps)
# Gaps below this part of the null model's energy are small enough to leave as they are.
_SMALL = 1e-9
# A Gram matrix with a smaller reciprocal condition is not trusted to project off its columns.
_ILL_CONDITIONED = 1e-6
# How far off a projection may be, relatively.
_PROJECTION = 1e-7
# The product of rows, columns and the smaller of them up to which a decomposition takes under a second.
_CHEAP = 100_000_000
# Columns are made dense for a projection up to this many numbers (400 MB).
_DENSE_LIMIT = 50_000_000
# Gram matrices of unpenalised columns are made up to this size, and LSMR goes on for so many iterations.
_FACTOR_LIMIT = 5000
_LSMR_LIMIT = 2000
# Correlations with unpenalised columns are rounding up to this part of ‖r‖.
_FEASIBLE = 1e-12


class DualPoint(NamedTuple):
    """A direction θ orthogonal to every unpenalised column, scaled by c to become feasible.

    Parameters
    ----------
    g : ndarray of shape (n_features,)
        Aᵀθ.
    theta_squared, miss_squared, cross : float
        ‖θ‖², ‖r − θ‖² and (r − θ)ᵀθ.
    """

    g: FloatArray
    theta_squared: float
    miss_squared: float = 0.0
    cross: float = 0.0

    def distance_squared(self, c: float) -> float:
        """‖r − cθ‖²."""
        return self.miss_squared + 2.0 * (1.0 - c) * self.cross + (1.0 - c) ** 2 * self.theta_squared


def dual_gap(problem: LeastSquares, coef: FloatArray, penalty: ElasticNetPenalty) -> FloatArray:
    """Bound E(coef) − min E from above for each target, at the best intercept.

    Parameters
    ----------
    problem : LeastSquares
        The data term.
    coef : ndarray of shape (n_targets, n_features), float64
        Coefficients to judge, in the units of the data.
    penalty : ElasticNetPenalty
        The penalty term.

    Returns
    -------
    ndarray of shape (n_targets,)
        The gap in the units of E, never below the rounding of E itself (2⁻⁵² of the null model's E,
        more where large coefficients cancel); infinite for a coefficient that is not finite or that `positive` forbids.

    References
    ----------
    Fercoq, O., Gramfort, A. and Salmon, J. (2015). Mind the duality gap: safer rules for the Lasso,
    ICML, Section 2.
    """
    gaps = np.full(problem.n_targets, np.inf)
    judged = np.flatnonzero(np.all(np.isfinite(coef), axis=1))
    w = problem.coef_to_scaled(coef)[:, judged]
    g, r_squared = problem.correlation(w, judged)
    for i, k in enumerate(judged):
        columns = problem.penalty_of(penalty, k)
        gaps[k] = residual_gap(problem, w[:, i], k, columns, g[:, i], float(r_squared[i]))
        null = 0.5 * float(problem.b[:, k] @ problem.b[:, k])
        if gaps[k] > _SMALL * null and _is_worth_refining(problem, w[:, i], columns, null):
            gaps[k] = min(gaps[k], refined_gap(problem, w[:, i], k, columns))
    return problem.energy_to_data(gaps, problem.targets)


def residual_gap(
    problem: LeastSquares,
    w: FloatArray,
    target: int,
    penalty: ColumnPenalty,
    g: FloatArray,
    r_squared: float,
) -> float:
    """Bound the suboptimality of one target's w by the residual as θ, in scaled units.

    Parameters
    ----------
    problem : LeastSquares
        The data term; asked only for what the projection off unpenalised columns needs.
    w, g : ndarray of shape (n_features,)
        Coefficients and their correlations Aᵀr, in scaled units.
    target : int
        Which target w belongs to.
    penalty : ColumnPenalty
        The penalty in scaled units.
    r_squared : float
        ‖r‖² of the residual r = b − Aw.

    Returns
    -------
    float
        The gap; infinite if w breaks `positive`.
    """
    free = np.flatnonzero((problem.x_scale > 0) & penalty.free)
    if free.size == 0:
        return _gap(problem, w, target, penalty, DualPoint(g, r_squared), r_squared)
    if problem.n_rows >= 2 * free.size and free.size <= _FACTOR_LIMIT:
        # (AᵀA)_FF = LLᵀ turns the projection into one of size |F|, with as many digits as it has condition.
        gram = problem.gram(free, free)
        factor, info = linalg.lapack.dpotrf(gram, lower=True, clean=True)
        if info == 0 and linalg.lapack.dpocon(factor, linalg.norm(gram, 1), uplo="L")[0] > _ILL_CONDITIONED:
            rhs = linalg.solve_triangular(factor, g[free], lower=True)
            z = _nonnegative(factor.T, rhs) if penalty.positive else linalg.solve_triangular(factor.T, rhs)
            u_squared = float(np.sum((factor.T @ z) ** 2))
            projected = g - problem.gram(np.arange(problem.n_features), free) @ z
            if not penalty.positive or np.max(projected[free]) <= _FEASIBLE * np.sqrt(r_squared):
                point = DualPoint(projected, max(r_squared - u_squared, 0.0), u_squared)
                return _gap(problem, w, target, penalty, point, r_squared)
    r = problem.residual(w[:, None], [target])[:, 0]
    return _gap(problem, w, target, penalty, _off_free(problem, free, penalty.positive, r, r), r_squared)


def refined_gap(problem: LeastSquares, w: FloatArray, target: int, penalty: ColumnPenalty) -> float:
    """Bound the suboptimality of one target's w where rounding spoils its residual, in scaled units.

    Beside large coefficients of nearly collinear columns, a residual computed from w is rounded by more
    than the penalty allows its correlations to be off. A Newton step on the support finds the residual that
    w would have with more digits than it can hold. Penalties far below rounding are dropped for the bound,
    which can only lower it, and paid in full in E(w).

    Parameters
    ----------
    problem, w, target, penalty
        As in `residual_gap`.

    Returns
    -------
    float
        The gap; infinite if w breaks `positive`.
    """
    r = problem.residual(w[:, None], [target])[:, 0]
    margin = 2.0 * _EPSILON * float(np.sqrt(r @ r))
    gap = _gap(problem, w, target, penalty, _refined_point(problem, w, penalty, r, margin), float(r @ r))
    dropped = np.flatnonzero((penalty.l1 <= 10.0 * margin) & (penalty.l2 <= 1e-20) & ~penalty.free)
    if dropped.size:
        l1, l2 = penalty.l1.copy(), penalty.l2.copy()
        l1[dropped] = l2[dropped] = 0.0
        relaxed = ColumnPenalty(l1, l2, penalty.positive)
        point = _refined_point(problem, w, relaxed, r, margin)
        bound = _gap(problem, w, target, relaxed, point, float(r @ r))
        gap = min(gap, bound + penalty.of(dropped).value(w[dropped]))
    return gap


def _is_worth_refining(problem: LeastSquares, w: FloatArray, penalty: ColumnPenalty, null: float) -> bool:
    """Whether the rounding of b − Aw is not small beside the penalty's limits, or refining is cheap."""
    support = int(np.count_nonzero(w))
    if problem.n_rows * support * min(problem.n_rows, support) <= _CHEAP:
        return True
    noise = _EPSILON * (np.sqrt(2.0 * null) + float(np.abs(w).sum()))
    weakest = [float(np.min(part[part > 0.0], initial=np.inf)) for part in (penalty.l1, penalty.l2)]
    return noise > 0.1 * _SMALL * weakest[0] or noise * noise > 0.1 * _SMALL * null * weakest[1]


def _gap(
    problem: LeastSquares,
    w: FloatArray,
    target: int,
    penalty: ColumnPenalty,
    point: DualPoint,
    r_squared: float,
) -> float:
    """E(w) − D at the best multiple of a dual point, and rounding; infinite if w breaks `positive`."""
    if penalty.positive and np.any(w < 0):
        return np.inf
    data = problem.x_scale > 0
    slack = 0.0
    if penalty.positive:
        free = data & penalty.free
        slack += float(np.maximum(-w[free] * point.g[free], 0.0).sum())
    # A column without variance still pays its penalty if its coefficient is not zero.
    idle = np.flatnonzero(~data & (w != 0.0))
    slack += penalty.of(idle).value(w[idle])
    active = np.flatnonzero(data & ~penalty.free)
    size = float(np.abs(w).sum())
    w, g, (l1, l2, positive) = w[active], point.g[active], penalty.of(active)

    pull = g if positive else np.abs(g)
    outside = pull > l1
    feasible = float(np.min(l1[outside] / pull[outside], initial=1.0))
    # Any feasible θ gives a bound: the best one counts. Where λ₂ > 0 every θ is feasible.
    multiples = {feasible, 0.0} if np.any(l2 == 0.0) else {feasible, 0.0, 1.0}
    gap = slack + min(
        0.5 * point.distance_squared(c) + _fenchel_young(w, c * g, l1, l2, positive) for c in multiples
    )
    # The correlations are off by about ε‖r‖, Σ gⱼwⱼ by as much times ‖w‖₁, the fit by ε‖w‖₁, and what is
    # projected off by ε times a condition that is let pass.
    b = problem.b[:, target]
    rounding = 0.5 * float(b @ b) + float(np.abs(w).sum()) * np.sqrt(r_squared) + 4.0 * gap
    projection = _PROJECTION * gap if active.size < np.count_nonzero(data) else 0.0
    return gap + projection + _EPSILON * rounding + 2.0 * (_EPSILON * size) ** 2


def _fenchel_young(w: FloatArray, g: FloatArray, l1: FloatArray, l2: FloatArray, positive: bool) -> float:
    """Σ h(wⱼ) + h*(gⱼ) − gⱼwⱼ, as a sum of two terms that are each ≥ 0.

    With q the part of g that the L1 norm takes up (g itself up to ± λ₁), the bracket is
    (λ₂w − (g − q))² / 2λ₂ + (λ₁|w| − qw). Where λ₂ = 0 feasibility gives q = g.
    """
    excess = np.maximum((g if positive else np.abs(g)) - l1, 0.0)
    q = np.where(excess > 0.0, np.copysign(l1, g), g)
    # Rounding may leave |q| a unit above λ₁ at c·g; the bracket is ≥ 0 by mathematics.
    linear = np.maximum(l1 * np.abs(w) - q * w, 0.0)
    curved = l2 > 0.0
    miss = (l2[curved] * w[curved] - np.copysign(excess[curved], g[curved])) / np.sqrt(l2[curved])
    return 0.5 * float(miss @ miss) + float(np.sum(linear))


def _refined_point(
    problem: LeastSquares, w: FloatArray, penalty: ColumnPenalty, r: FloatArray, margin: float
) -> DualPoint:
    """Take the residual after Newton steps on the support, which need not be representable by any w.

    The steps aim `margin` inside the penalty's limits on correlations, so that rounding does not cross them.
    """
    data = problem.x_scale > 0
    free = data & penalty.free
    support = np.flatnonzero(data & (w != 0.0) if penalty.positive else (data & (w != 0.0)) | free)
    theta = r.copy()  # moved by the subproblem
    if 0 < support.size * problem.n_rows <= max(_DENSE_LIMIT, problem.n_stored):
        l1, l2, positive = penalty.of(support)
        aim = ColumnPenalty(
            np.maximum(l1 - margin, 0.0), np.where(l2 * np.abs(w[support]) > margin, l2, 0.0), positive
        )
        subproblem = ColumnSubproblem(problem.columns(support), theta, w[support], aim, 0.0)
        everything, sign = np.arange(support.size), np.sign(w[support])
        for _ in range(2):
            step, _flat = subproblem.newton(everything, sign)
            subproblem.move(everything, subproblem.w + step, step)
        if np.sum((theta - r) ** 2) > r @ r:
            theta = r  # w is not near its minimiser, and the residual is as good a θ as any
    return _off_free(problem, np.flatnonzero(free), penalty.positive, r, theta)


def _off_free(
    problem: LeastSquares, free: IndexArray, positive: bool, r: FloatArray, theta: FloatArray
) -> DualPoint:
    """Project θ off the unpenalised columns F, so that it is dual feasible, and measure it against r.

    Without a sign constraint θ becomes orthogonal to F; with `positive` feasibility is Aⱼᵀθ ≤ 0, and it
    becomes the nearest such point, by non-negative least squares. Where neither succeeds, θ = 0 is feasible.
    """
    g = problem.adjoint(theta[:, None])[:, 0]
    size = float(np.sqrt(r @ r))
    if _broken(g, free, positive) > 4.0 * _EPSILON * size:
        theta = _projected(problem, free, positive, theta)
        g = problem.adjoint(theta[:, None])[:, 0]
    if _broken(g, free, positive) > _FEASIBLE * size:
        theta, g = np.zeros_like(r), np.zeros_like(g)
    miss = r - theta
    return DualPoint(g, float(theta @ theta), float(miss @ miss), float(miss @ theta))


def _broken(g: FloatArray, free: IndexArray, positive: bool) -> float:
    """How far the correlations with the unpenalised columns are from feasible."""
    return float(np.max(g[free] if positive else np.abs(g[free]), initial=0.0))


def _projected(problem: LeastSquares, free: IndexArray, positive: bool, theta: FloatArray) -> FloatArray:
    """Project θ off the unpenalised columns, by a basis, by non-negative least squares, or by LSMR."""
    if problem.n_rows * free.size > max(_DENSE_LIMIT, problem.n_stored):
        columns = np.isin(np.arange(problem.n_features), free)
        none = np.zeros(columns.size)
        z = least_squares_by_lsmr(problem, theta[:, None], none, columns, _LSMR_LIMIT)[0]
        return theta - problem.product(z)[:, 0]
    A = problem.columns(free)
    if positive:
        return theta - A @ _nonnegative(A, theta)
    basis, values, _right = linalg.svd(A, full_matrices=False, check_finite=False)
    basis = basis[:, values > values[0] * max(A.shape) * _EPSILON]
    for _ in range(2):  # the second time for the rounding of the first
        theta = theta - basis @ (basis.T @ theta)
    return theta


def _nonnegative(A: FloatArray, b: FloatArray) -> FloatArray:
    """argmin over z ≥ 0 of ‖b − Az‖; zeros if it is not found."""
    try:
        return optimize.nnls(A, b, maxiter=30 * A.shape[1])[0]
    except RuntimeError:
        return np.zeros(A.shape[1])
