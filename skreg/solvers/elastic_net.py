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

from skreg.penalties import ElasticNetPenalty
from skreg.solvers.blas import one_blas_thread
from skreg.solvers.certificate import Certificate, dual_gap
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.least_squares import LeastSquares, SparseLeastSquares
from skreg.solvers.solution import Solution
from skreg.solvers.subproblem import ColumnSubproblem
from skreg.solvers.sparse_working_set import SparseWorkingSet
from skreg.solvers.working_set import GRAM_LIMIT, WorkingSet

__all__ = ["solve_elastic_net"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# An optimality violation below this part of ‖b‖ (columns have norm about 1) is rounding.
ROUNDING = 1e-13
# The product of rows, columns and the smaller of them up to which columns are worked on themselves, where a
# Gram matrix loses too much: each step takes about a second at the limit.
_COLUMN_LIMIT = 1_000_000_000
# λ₁ comes down by this factor a stage at most, in so many stages at most. Where the rows cost more than the
# working set, fewer stages look at them less often.
_DESCENT = 3.0
_SPARSE_DESCENT = 10.0
_MAX_STAGES = 15
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
    n_iter = np.ones(problem.n_targets, dtype=int)
    with one_blas_thread():
        for k in range(problem.n_targets):
            if np.any(problem.b[:, k]):
                solver = TargetSolver(problem, k, w[:, k])
                w[:, k], n_iter[k] = solver.solve(problem.penalty_of(penalty, k), tol, max_iter)
            else:
                w[:, k] = 0.0
        coef = problem.coef_to_data(w)
        return Solution(coef=coef, dual_gap=dual_gap(problem, coef, penalty), n_iter=n_iter)


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
        b = problem.b[:, target]
        self.null = 0.5 * float(b @ b)
        self.rounding = ROUNDING * float(np.sqrt(2.0 * self.null))
        sparse = isinstance(problem, SparseLeastSquares)
        self.working = SparseWorkingSet(problem, target) if sparse else WorkingSet(problem)
        self.w = start.copy()
        self._look()

    def solve(self, penalty: ColumnPenalty, tol: float, max_iter: int) -> tuple[FloatArray, int]:
        """Bring the gap under `tol` of the null model's energy; returns the best w met and what it took."""
        working = self.working
        self.penalty = penalty
        self.certificate = Certificate(self.problem, penalty, self.target)
        # Where the starting point is worse than zero, zero is the better start.
        if self._energy(penalty) > self.null:
            self.w = np.zeros_like(self.w)
            self._look()
        n_iter = self._come_down(working, max_iter)
        best, best_gap = self.w, np.inf
        settled = False
        while True:
            gap = self._gap()
            # A round on an old working set that was solved exactly has nothing left to gain but digits.
            stalled = settled and gap > 0.1 * best_gap
            if gap <= best_gap + 4.0 * _EPSILON:  # later is better where the gap cannot tell
                best, best_gap = self.w.copy(), min(gap, best_gap)
            violation = self._violation(self.penalty)
            if stalled or n_iter >= max_iter:
                break
            if best_gap <= tol and np.max(violation, initial=0.0) <= self.rounding:
                break
            settled = not working.grow(self.w, violation, self.rounding)
            left = max_iter - n_iter
            if working.has_gram and working.size > GRAM_LIMIT:
                n_iter += self.problem.descend(
                    working.index, self.w, self.target, self.penalty, min(_SWEEPS, left), 0.1 * self.rounding
                )
                self._look()
            else:
                n_iter += self._work_on_gram(working, self.penalty, left)
        if best_gap > tol and n_iter < max_iter:
            self.w = best.copy()
            self._look()
            spent, gap = self._solve_on_columns(tol, max_iter - n_iter)
            n_iter += spent
            if gap <= best_gap:
                best = self.w
        if best is not self.w and not np.array_equal(best, self.w):
            self.w = best.copy()
            self._look()
        return best, max(n_iter, 1)

    def _come_down(self, working: WorkingSet, max_iter: int) -> int:
        """Follow the solution roughly from a λ₁ at which w is about optimal down to the one asked for.

        So the support grows to its size from below, and is never larger than the rows can tell apart.
        """
        l1 = self.penalty.l1
        pull = np.where(self.problem.x_scale > 0, self.g if self.penalty.positive else np.abs(self.g), 0.0)
        descent = _SPARSE_DESCENT if isinstance(self.problem, SparseLeastSquares) else _DESCENT
        excess = min(float(np.max(pull[l1 > 0.0] / l1[l1 > 0.0], initial=0.0)), descent**_MAX_STAGES)
        n_stages = int(np.ceil(np.log(max(excess, 1.0)) / np.log(descent)))
        n_iter = 0
        for stage in range(n_stages - 1, 0, -1):
            factor = excess ** (stage / n_stages)
            penalty = self.penalty._replace(l1=np.minimum(l1, 1e290) * factor)  # without overflow
            working.grow(self.w, self._violation(penalty), self.rounding)
            if n_iter >= max_iter or working.has_gram and working.size > GRAM_LIMIT:
                break
            before = self.w
            n_iter += self._work_on_gram(working, penalty, max_iter - n_iter, exactly=False)
            if self.w is before:
                break
        return n_iter

    def _work_on_gram(
        self, working: WorkingSet, penalty: ColumnPenalty, max_iter: int, *, exactly: bool = True
    ) -> int:
        """Minimise over the working set by its Gram matrix; returns the iterations spent.

        Nothing changes if the energy, computed from the rows, has not fallen: the Gram matrix has then lost
        the digits that it takes.
        """
        before, energy = (self.w, self.g, self.r_squared), self._energy(penalty)
        # A stage on the way down need not find the last coefficients that enter.
        tolerance = 0.1 * self.rounding if exactly else _STAGE_TOLERANCE * float(penalty.l1.max())
        self.w = self.w.copy()
        # Where digits are lost, steps may go in circles: the budget leaves some for the columns themselves.
        budget = min(max_iter, _PATIENCE + working.size // 4)
        n_iter = working.minimize(self.g, self.w, penalty, tolerance, budget)
        self._look(working)
        if not self._energy(penalty) <= energy + _EPSILON * self.null:
            self.w, self.g, self.r_squared = before
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

    def _look(self, working: WorkingSet | None = None) -> None:
        """Compute the residual's correlations and square from the rows, of the working set if w is in it."""
        if working is None:
            r = self.problem.residual(self.w[:, None], [self.target])[:, 0]
        else:
            r = working.residual(self.w, self.target)
        self.g, self.r_squared = self.problem.adjoint(r[:, None])[:, 0], float(r @ r)

    def _energy(self, penalty: ColumnPenalty) -> float:
        return 0.5 * self.r_squared + penalty.value(self.w)

    def _violation(self, penalty: ColumnPenalty) -> FloatArray:
        violation = penalty.violation(self.w, self.g)
        violation[self.problem.x_scale == 0] = 0.0
        return violation

    def _gap(self) -> float:
        return self.certificate.residual_gap(self.w, self.g, self.r_squared) / self.null
