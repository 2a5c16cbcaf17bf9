"""The Lasso's and the elastic net's solver: working sets, exact finish on the support, duality gap.

The correlation of every column with the residual says which columns violate optimality; they join the
working set; the problem on the working set is solved exactly; the duality gap of the whole decides. Working
sets too large for a Gram matrix go by coordinate descent on the columns instead. Where the Gram matrix has
lost the digits that are needed, the columns themselves are worked on.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from skreg.execution.blas import one_blas_thread
from skreg.penalties import ElasticNetPenalty
from skreg.solvers.certificate import Certificate
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.solution import Solution
from skreg.solvers.sparse import SparseLeastSquares
from skreg.solvers.sparse_working_set import SparseWorkingSet
from skreg.solvers.subproblem import ColumnSubproblem
from skreg.solvers.working_set import GRAM_LIMIT, NO_LEVELS, WorkingSet

__all__ = ["solve_elastic_net"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# An optimality violation below this part of ‖b‖ (columns have norm about 1) is rounding.
ROUNDING = 1e-13
# The product of rows, columns and the smaller of them up to which columns are worked on themselves, where a
# Gram matrix loses too much: each step takes about a second at the limit.
_COLUMN_LIMIT = 1_000_000_000
# λ₁ comes down by this factor a stage at most; by more for tall and for sparse data, where a stage costs a
# pass over X and a column too many does not hurt, and by less for wide data whose support is crowded: more
# than this part of the rows. In so many stages at most.
_DESCENT = 3.0
_TALL_DESCENT = 10.0
_CAUTIOUS_DESCENT = 1.5
_CROWDED = 0.06
_MAX_STAGES = 30
_LARGEST_EXCESS = _DESCENT**15
# Columns of the whole Gram matrix that cost what a pass over X does.
_COLUMNS_A_PASS = 12.0
_STAGE_TOLERANCE = 1e-2
# Sweeps and steps on a working set before another look at the rows.
_PATIENCE = 50
_EPSILON = float(np.finfo(np.float64).eps)
# Sweeps between two looks at the gap, where there is no Gram matrix.
_SWEEPS = 100


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
    w = np.zeros((problem.n_features, problem.n_targets))
    if coef_init is not None:
        w = problem.coef_to_scaled(coef_init)
        w[problem.x_scale == 0] = 0.0
        if penalty.positive:
            np.maximum(w, 0.0, out=w)
    n_iter, gap = np.ones(problem.n_targets, dtype=int), np.zeros(problem.n_targets)
    with one_blas_thread():
        for k in range(problem.n_targets):
            if problem.b_squared[k] == 0.0:
                w[:, k] = 0.0
                continue
            solver = TargetSolver(problem, k, w[:, k])
            w[:, k], n_iter[k], gap[k] = solver.solve(problem.penalty_of(penalty, k), tol, max_iter)
    return Solution(
        coef=problem.coef_to_data(w), dual_gap=problem.energy_to_data(gap, problem.targets), n_iter=n_iter
    )


class TargetSolver:
    """One target in scaled units: where it is, and how it goes on, under one penalty after another.

    Parameters
    ----------
    problem : LeastSquares
        The data term.
    target : int
        Which target; not a constant one.
    start : ndarray of shape (n_features,)
        Scaled coefficients to start from.
    """

    penalty: ColumnPenalty
    certificate: Certificate
    # The correlations Aᵀr and the square ‖r‖² of the residual r = b − Aw, computed from the rows.
    g: FloatArray
    r_squared: float

    def __init__(self, problem: LeastSquares, target: int, start: FloatArray) -> None:
        self.problem = problem
        self.target = target
        self.null = 0.5 * float(problem.b_squared[target])
        self.rounding = ROUNDING * float(np.sqrt(2.0 * self.null))
        if isinstance(problem, SparseLeastSquares):
            self.working: WorkingSet = SparseWorkingSet(problem, target)
        else:
            self.working = WorkingSet(problem)
        self.w = start.copy()
        self._look()

    def solve(self, penalty: ColumnPenalty, tol: float, max_iter: int) -> tuple[FloatArray, int, float]:
        """Bring the gap under `tol` of the null model's energy.

        Returns the best w met, the iterations it took, and its gap, computed from the rows.
        """
        working = self.working
        self.penalty = penalty
        self.certificate = Certificate(self.problem, penalty, self.target)
        # Where the starting point is worse than zero, zero is the better start.
        if self.r_squared != 2.0 * self.null and self._energy(penalty) > self.null:
            self.w = np.zeros_like(self.w)
            self._look()
        n_iter = self._come_down(working, max_iter)
        best, best_gap = self._state, np.inf
        settled = False
        while True:
            violation = self._violation(self.penalty)
            optimal = np.max(violation, initial=0.0) <= self.rounding
            if optimal or settled or n_iter >= max_iter:
                gap = self._gap()
                # A round on an old working set that was solved exactly has nothing left to gain but digits.
                stalled = settled and gap > 0.1 * best_gap
                if gap <= best_gap + 4.0 * _EPSILON:  # later is better where the gap cannot tell
                    best, best_gap = self._state, min(gap, best_gap)
                if stalled or n_iter >= max_iter or (optimal and best_gap <= tol):
                    break
            settled = not working.grow(self.w, violation, self.rounding)
            left = max_iter - n_iter
            if working.has_gram and working.size > GRAM_LIMIT:
                self.w = self.w.copy()
                n_iter += self.problem.descend(
                    working.index, self.w, self.target, self.penalty, min(_SWEEPS, left), 0.1 * self.rounding
                )
                self._look()
            else:
                n_iter += self._work_on_gram(working, self.penalty, left)
        self._state = best
        if best_gap > tol and n_iter < max_iter:
            self.w = self.w.copy()
            spent, gap = self._solve_on_columns(tol, max_iter - n_iter)
            n_iter += spent
            if not gap <= best_gap:
                self._state = best
            best_gap = np.inf  # not by `residual_gap` alone
        known = best_gap * self.null if np.isfinite(best_gap) else None
        if n_iter >= max_iter:  # there is a bound, and no budget for a better one
            return self.w, n_iter, known or self.certificate.residual_gap(self.w, self.g, self.r_squared)
        gap = self.certificate.certify(self.w, self.g, self.r_squared, known)
        return self.w, max(n_iter, 1), gap

    @property
    def _state(self) -> tuple[FloatArray, FloatArray, float]:
        """Where it is: w is replaced, never changed, once the residual has been computed from it."""
        return self.w, self.g, self.r_squared

    @_state.setter
    def _state(self, state: tuple[FloatArray, FloatArray, float]) -> None:
        self.w, self.g, self.r_squared = state

    def _come_down(self, working: WorkingSet, max_iter: int) -> int:
        """Follow the solution roughly from a λ₁ at which w is about optimal down to the one asked for.

        So the support grows to its size from below, and is never larger than the rows can tell apart.
        """
        l1 = self.penalty.l1
        pull = self.g - self.penalty.l2 * self.w
        pull = np.where(self.problem.x_scale > 0, pull if self.penalty.positive else np.abs(pull), 0.0)
        pull = pull[l1 > 0.0] / l1[l1 > 0.0] if np.any(l1 == 0.0) else pull / l1
        excess = min(float(pull.max(initial=0.0)), _LARGEST_EXCESS)
        if self._whole_gram_pays(excess):
            # That matrix knows every correlation: the rows need not be asked on the way.
            working.complete()
            n_levels = int(np.ceil(np.log(max(excess, 1.0)) / np.log(_DESCENT)))
            levels = excess ** (np.arange(n_levels - 1, 0, -1) / max(n_levels, 1))
            return self._work_on_gram(working, self.penalty, max_iter, levels=levels)
        n_iter, level, stages = 0, excess, 0
        while level > 1.0 and n_iter < max_iter and stages < _MAX_STAGES:
            left = int(np.ceil(np.log(level) / np.log(self._descent())))
            if left <= 1:
                break
            level **= (left - 1) / left
            stages += 1
            penalty = self.penalty._replace(l1=np.minimum(l1, 1e290) * level)  # without overflow
            working.grow(self.w, self._violation(penalty), self.rounding)
            if working.has_gram and working.size > GRAM_LIMIT:
                break
            before = self.w
            n_iter += self._work_on_gram(working, penalty, max_iter - n_iter, exactly=False)
            if self.w is before:
                break
        return n_iter

    def _descent(self) -> float:
        """By how much λ₁ may come down from here."""
        n = self.problem.n_rows
        if n >= self.problem.n_features or not self.problem.is_dense:
            return _TALL_DESCENT
        return _CAUTIOUS_DESCENT if np.count_nonzero(self.w) > _CROWDED * n else _DESCENT

    def _whole_gram_pays(self, excess: float) -> bool:
        """Whether the Gram matrix of all columns costs less than the passes over X that it saves."""
        n, p = self.problem.n_rows, self.problem.n_features
        passes = 2.0 + np.log(max(excess, 1.0)) / np.log(_DESCENT)
        return self.problem.is_dense and p <= n and p <= passes * _COLUMNS_A_PASS

    def _work_on_gram(
        self,
        working: WorkingSet,
        penalty: ColumnPenalty,
        max_iter: int,
        *,
        exactly: bool = True,
        levels: FloatArray = NO_LEVELS,
    ) -> int:
        """Minimise over the working set by its Gram matrix; returns the iterations spent.

        Nothing changes if the energy, computed from the rows, has not fallen: the Gram matrix has then lost
        the digits that it takes.
        """
        before, energy = self._state, self._energy(penalty)
        # A stage on the way down need not find the last coefficients that enter.
        tolerance = 0.1 * self.rounding if exactly else _STAGE_TOLERANCE * float(penalty.l1.max())
        w, g = self.w.copy(), self.g.copy()
        # Where digits are lost, steps may go in circles: the budget leaves some for the columns themselves.
        budget = min(max_iter, _PATIENCE + working.size // 4)
        n_iter = working.minimize(g, w, penalty, tolerance, budget, levels)
        self.w = w
        self._look()
        if not self._energy(penalty) <= energy + _EPSILON * self.null:
            self._state = before
        return n_iter

    def _solve_on_columns(self, tol: float, max_iter: int) -> tuple[int, float]:
        """Go on from w with the columns that are or might be in play; returns iterations and the gap."""
        n_iter, gap, best_gap = 0, np.inf, np.inf
        while n_iter < max_iter and gap > tol:
            index = self._columns_in_play()
            if not self._is_workable(index.size):
                sweeps = min(_SWEEPS, max_iter - n_iter)
                n_iter += self.problem.descend(index, self.w, self.target, self.penalty, sweeps, 0.0)
                self._look()
                gap = self._gap()
                continue
            A = self.problem.columns(index)
            r = self.problem.residual(self.w[:, None], [self.target])[:, 0]
            if A.shape[0] > 2 * A.shape[1]:
                # A rotation keeps AᵀA and Aᵀr, and leaves as many rows as columns.
                Q, A = linalg.qr(A, mode="economic", check_finite=False)
                A, r = np.asfortranarray(A), Q.T @ r
            inner = self.w[index]
            subproblem = ColumnSubproblem(A, r, inner, self.penalty.of(index), self.rounding)
            n_iter += subproblem.solve(max_iter - n_iter)
            self.w[index] = inner
            self._look()
            gap = min(self._gap(), self.certificate.refined_gap(self.w) / self.null)
            if gap > 0.5 * best_gap:
                break
            best_gap = gap
        return n_iter, gap

    def _columns_in_play(self) -> IndexArray:
        """All columns where they are few, otherwise the support and those that violate optimality."""
        data = self.problem.x_scale > 0
        if self._is_workable(int(np.count_nonzero(data))):
            return np.flatnonzero(data)
        return np.flatnonzero(data & ((self.w != 0.0) | (self._violation(self.penalty) > self.rounding)))

    def _is_workable(self, n_columns: int) -> bool:
        rows = self.problem.n_rows
        return rows * n_columns * min(rows, n_columns) <= _COLUMN_LIMIT

    def _look(self) -> None:
        """Compute the residual's correlations and square from the rows."""
        support = np.flatnonzero(self.w)
        if support.size:
            r = self.problem.residual_on(support, self.w[support], self.target)
            self.g, self.r_squared = self.problem.adjoint(r[:, None])[:, 0], float(r @ r)
        else:
            self.g = self.problem.c[:, self.target].copy()
            self.r_squared = float(self.problem.b_squared[self.target])

    def _energy(self, penalty: ColumnPenalty) -> float:
        return 0.5 * self.r_squared + penalty.value(self.w)

    def _violation(self, penalty: ColumnPenalty) -> FloatArray:
        violation = penalty.violation(self.w, self.g)
        violation[self.problem.x_scale == 0] = 0.0
        return violation

    def _gap(self) -> float:
        return self.certificate.residual_gap(self.w, self.g, self.r_squared) / self.null
