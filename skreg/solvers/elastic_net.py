"""The Lasso's and the elastic net's solver: working sets, exact finish on the support, duality gap.

Outer loop: the correlation of every column with the residual says which columns violate optimality; they
join the working set; the problem on the working set is solved exactly; the duality gap of the whole decides.
On a working set: coordinate descent finds the support, and Newton's method on it, where the energy is a
quadratic, lands on the minimiser to machine precision. Sets too large for a Gram matrix, and problems on
which the Gram matrix has lost too many digits, go on by coordinate descent on the columns themselves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from skreg.penalties import ElasticNetPenalty
from skreg.solvers._kernels import gram_descent
from skreg.solvers.blas import one_blas_thread
from skreg.solvers.certificate import dual_gap, scaled_dual_gap
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.solution import Solution

__all__ = ["solve_elastic_net"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# An optimality violation below this part of ‖b‖ (columns have norm about 1) is rounding.
_ROUNDING = 1e-13
# Working sets up to this size have a Gram matrix (288 MB at the limit).
_GRAM_LIMIT = 6000
# All columns of a problem this narrow are one working set; wider ones grow theirs at least this much.
_SMALL = 64
# Below this reciprocal condition a Cholesky factor is not trusted.
_SINGULAR = 1e-10


def solve_elastic_net(
    problem: LeastSquares,
    penalty: ElasticNetPenalty,
    *,
    coef_init: FloatArray | None = None,
    tol: float = 1e-8,
    max_iter: int = 1000,
) -> Solution:
    """Minimise ½ Σ s (y − Xw − b)² + λ₁‖w‖₁ + ½λ₂‖w‖² for every target.

    Parameters
    ----------
    problem : LeastSquares
        The data term.
    penalty : ElasticNetPenalty
        The penalty term.
    coef_init : ndarray of shape (n_targets, n_features), optional
        Where to start, in the units of the data; zero if not given.
    tol : float, default=1e-8
        The duality gap to reach, relative to the null model's energy. The exact finish usually goes
        on to about 1e-15.
    max_iter : int, default=1000
        At most this many sweeps and Newton steps a target.

    Returns
    -------
    Solution
        With the duality gap of each target, recomputed from the rows.

    References
    ----------
    Friedman, J., Hastie, T. and Tibshirani, R. (2010). Regularization paths for generalized linear models
    via coordinate descent, Journal of Statistical Software 33(1), for the coordinate step;
    Johnson, T. and Guestrin, C. (2015). Blitz, ICML, for working sets.
    """
    shape = (problem.n_features, problem.n_targets)
    w = np.zeros(shape) if coef_init is None else problem.coef_to_scaled(coef_init)
    w[problem.x_scale == 0] = 0.0
    if penalty.positive:
        np.maximum(w, 0.0, out=w)
    n_iter = np.ones(problem.n_targets, dtype=int)
    with one_blas_thread():
        for k in range(problem.n_targets):
            l1, l2 = problem.strengths(penalty, k)
            w[:, k], n_iter[k] = _solve_target(problem, k, w[:, k].copy(), l1, l2, penalty.positive, tol, max_iter)
        coef = problem.coef_to_data(w)
        return Solution(coef=coef, dual_gap=dual_gap(problem, coef, penalty), n_iter=n_iter)


def _solve_target(
    problem: LeastSquares,
    target: int,
    w: FloatArray,
    l1: FloatArray,
    l2: FloatArray,
    positive: bool,
    tol: float,
    max_iter: int,
) -> tuple[FloatArray, int]:
    """One target in scaled units; returns the best w met and the iterations spent."""
    b = problem.b[:, target]
    null = 0.5 * float(b @ b)
    if null == 0.0:
        return np.zeros_like(w), 1
    rounding = _ROUNDING * float(np.sqrt(2.0 * null))
    # Where the starting point is worse than zero, zero is the better start.
    g, r_squared = _correlation(problem, w, target)
    if 0.5 * r_squared + _penalty(w, l1, l2) > null:
        w = np.zeros_like(w)
        g, r_squared = _correlation(problem, w, target)

    working = _WorkingSet(problem)
    best, best_gap, stalled, n_iter = w.copy(), np.inf, 0, 0
    while True:
        gap = scaled_dual_gap(problem, w, target, l1, l2, positive, g, r_squared) / null
        stalled = stalled + 1 if gap > 0.5 * best_gap else 0
        if gap <= best_gap:
            best, best_gap = w.copy(), gap
        violation = _violation(w, g, l1, l2, positive)
        violation[problem.x_scale == 0] = 0.0
        # Done at the tolerance once the support has settled, or when more steps no longer help.
        if best_gap <= tol and (np.max(violation, initial=0.0) <= rounding or stalled >= 2):
            break
        if n_iter >= max_iter or stalled >= 20:
            break
        working.grow(w, violation, rounding)
        index = working.index
        if working.too_large or stalled >= 2:
            n_iter += problem.descend(
                index, w, target, l1, l2, positive, min(100, max_iter - n_iter), 0.1 * rounding
            )
        else:
            inner, inner_g = w[index], g[index]
            n_iter += _solve_on_gram(
                working.gram, inner_g, inner, l1[index], l2[index], positive, rounding, max_iter - n_iter
            )
            w[index] = inner
        g, r_squared = _correlation(problem, w, target)
    return best, max(n_iter, 1)


class _WorkingSet:
    """The columns in play, in the order in which they came, and their Gram matrix, grown as they come."""

    def __init__(self, problem: LeastSquares) -> None:
        self.problem = problem
        self.index: IndexArray = np.empty(0, dtype=np.intp)
        self._gram = np.empty((0, 0))

    @property
    def too_large(self) -> bool:
        return self.index.size > _GRAM_LIMIT

    @property
    def gram(self) -> FloatArray:
        """AᵀA over the set, C-contiguous; only the blocks of new columns are computed."""
        known, size = self._gram.shape[0], self.index.size
        if known < size:
            gram = np.empty((size, size))
            gram[:known, :known] = self._gram
            new = self.index[known:]
            gram[:, known:] = self.problem.gram(self.index, new)
            gram[known:, :known] = gram[:known, known:].T
            self._gram = gram
        return self._gram

    def grow(self, w: FloatArray, violation: FloatArray, rounding: float) -> None:
        """Take in every non-zero coefficient and the worst violators, about doubling the support."""
        outside = np.ones(w.size, dtype=bool)
        outside[self.index] = False
        support = np.flatnonzero(outside & (w != 0))
        candidates = np.flatnonzero(outside & (w == 0) & (violation > rounding))
        room = max(_SMALL, np.count_nonzero(w))
        if candidates.size > room:
            worst = np.argpartition(violation[candidates], -room)[-room:]
            candidates = candidates[worst]
        self.index = np.concatenate([self.index, support, np.sort(candidates)])


def _solve_on_gram(
    gram: FloatArray,
    g: FloatArray,
    w: FloatArray,
    l1: FloatArray,
    l2: FloatArray,
    positive: bool,
    rounding: float,
    max_iter: int,
) -> int:
    """Minimise over the working set in place (w, and g = c − Gw); returns the iterations spent."""
    n_iter = 0
    while n_iter < max_iter:
        sweeps = min(20, max_iter - n_iter)
        n_iter += gram_descent(gram, g, w, l1, l2, positive, sweeps, 0.0, 2)
        for _ in range(10):
            if n_iter >= max_iter:
                break
            n_iter += 1
            if _newton_step(gram, g, w, l1, l2, positive, rounding):
                break
        if np.max(_violation(w, g, l1, l2, positive), initial=0.0) <= 0.1 * rounding:
            break
    return n_iter


def _newton_step(
    gram: FloatArray,
    g: FloatArray,
    w: FloatArray,
    l1: FloatArray,
    l2: FloatArray,
    positive: bool,
    rounding: float,
) -> bool:
    """One Newton step on the support, in place; True if it landed on the minimiser of its orthant.

    On the orthant of sign w the energy is quadratic with Hessian G_FF + λ₂, so the full step is exact.
    Where it would cross a kink, the crossing coefficients stop at zero if that does not raise the
    energy; otherwise the exact minimum along the line is taken.
    """
    smooth = (l1 == 0.0) & (not positive)
    support = np.flatnonzero((w != 0.0) | smooth)
    if support.size == 0:
        return True
    sign = np.sign(w[support])
    slope = g[support] - l2[support] * w[support] - l1[support] * sign
    hessian = gram[np.ix_(support, support)]
    hessian[np.diag_indices(support.size)] += l2[support]
    step, bounded = _newton_direction(hessian, slope, rounding)

    current = w[support]
    trial = current + step
    crossing = ~smooth[support] & (trial * sign < 0.0)
    if bounded and not crossing.any():
        _move(gram, g, w, support, trial)
        return True
    if bounded:
        trial[crossing] = 0.0
        if _energy_change(hessian, slope, current, trial, l1[support], sign) < 0.0:
            _move(gram, g, w, support, trial)
            return False
    trial = _line_minimum(hessian, slope, current, step, l1[support], smooth[support], positive, bounded)
    _move(gram, g, w, support, trial)
    return False


def _newton_direction(hessian: FloatArray, slope: FloatArray, rounding: float) -> tuple[FloatArray, bool]:
    """H⁻¹ slope, and whether a full step is bounded; along a flat direction it is not.

    Collinear columns make H singular. If the slope has a part in its null space, the energy falls along
    that part until a coefficient reaches zero; otherwise the least-norm step is as good as any.
    """
    factor, info = linalg.lapack.dpotrf(hessian, lower=False)
    if info == 0:
        diagonal = np.diag(factor) ** 2
        if diagonal.min() > _SINGULAR * diagonal.max():
            return linalg.lapack.dpotrs(factor, slope, lower=False)[0], True
    values, vectors = linalg.eigh(hessian)
    kept = values > _SINGULAR * max(values[-1], 0.0)
    parts = vectors.T @ slope
    flat = vectors[:, ~kept] @ parts[~kept]
    if np.max(np.abs(flat), initial=0.0) > rounding:
        return flat, False
    return vectors[:, kept] @ (parts[kept] / values[kept]), True


def _energy_change(
    hessian: FloatArray,
    slope: FloatArray,
    start: FloatArray,
    end: FloatArray,
    l1: FloatArray,
    sign: FloatArray,
) -> float:
    """E(end) − E(start) on the support; `slope` is −∇E at the start, on the orthant of `sign`."""
    step = end - start
    kink = l1 * (np.abs(end) - sign * end)
    return float(-slope @ step + 0.5 * step @ (hessian @ step) + kink.sum())


def _line_minimum(
    hessian: FloatArray,
    slope: FloatArray,
    start: FloatArray,
    step: FloatArray,
    l1: FloatArray,
    smooth: NDArray[np.bool_],
    positive: bool,
    bounded: bool,
) -> FloatArray:
    """The exact minimum of the piecewise quadratic energy along start + t·step, t > 0.

    The slope along the line is piecewise linear and jumps by 2 l1|step| wherever a coefficient passes
    zero; the minimum is where it first turns positive, at a jump (an exact zero) or between two.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        zero_at = np.where((start * step < 0.0) & ~smooth, -start / step, np.inf)
    order = np.argsort(zero_at)
    times = zero_at[order]
    order, times = order[np.isfinite(times)], times[np.isfinite(times)]
    curvature = float(step @ (hessian @ step))
    if positive:
        order, times = order[:1], times[:1]  # a wall, not a kink
        jumps = np.full(times.size, np.inf)
    else:
        jumps = 2.0 * l1[order] * np.abs(step[order])
    before = -float(slope @ step) + curvature * times + np.concatenate([[0.0], np.cumsum(jumps)[:-1]])[: times.size]
    turning = np.flatnonzero(before + jumps >= 0.0)
    if turning.size == 0:
        # Past the last kink the energy is one quadratic; it is bounded below, so it has curvature there.
        t = (float(slope @ step) - float(jumps.sum())) / curvature if curvature > 0 and bounded else 0.0
        return start + max(t, 0.0) * step
    first = turning[0]
    if before[first] < 0.0 or curvature <= 0.0:
        end = start + times[first] * step
        end[order[: first + 1][times[: first + 1] == times[first]]] = 0.0
        return end
    passed = float(jumps[:first].sum())
    return start + (float(slope @ step) - passed) / curvature * step


def _move(gram: FloatArray, g: FloatArray, w: FloatArray, support: IndexArray, end: FloatArray) -> None:
    """Set w on the support to `end`, and g with it."""
    g -= (end - w[support]) @ gram[support]
    w[support] = end


def _violation(w: FloatArray, g: FloatArray, l1: FloatArray, l2: FloatArray, positive: bool) -> FloatArray:
    """Distance of zero to the subdifferential of the energy, coordinate by coordinate."""
    at_zero = np.maximum((g if positive else np.abs(g)) - l1, 0.0)
    return np.where(w == 0.0, at_zero, np.abs(g - l2 * w - l1 * np.sign(w)))


def _penalty(w: FloatArray, l1: FloatArray, l2: FloatArray) -> float:
    return float(l1 @ np.abs(w) + 0.5 * l2 @ w**2)


def _correlation(problem: LeastSquares, w: FloatArray, target: int) -> tuple[FloatArray, float]:
    g, r_squared = problem.correlation(w[:, None], [target])
    return g[:, 0], float(r_squared[0])
