"""One target under many penalties, each solved from the solution before and certified.

Where a Gram matrix of all columns pays, the whole path is one compiled loop on it; solutions that it does not
bring under the tolerance, and other data, go by working sets, which are kept from one penalty to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from skreg.execution.blas import one_blas_thread
from skreg.penalties import ElasticNetPenalty
from skreg.solvers._kernels.gram import gram_path
from skreg.solvers.certificate import Certificate, gaps_of_many
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.elastic_net import GRAM_LIMIT, ROUNDING, TargetSolver
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.quadratic import Quadratic
from skreg.solvers.solution import Solution

__all__ = ["solve_path"]

FloatArray = NDArray[np.float64]

# Penalties from which on a Gram matrix of all columns pays.
_MANY = 10
# Sweeps and steps for each penalty in the compiled loop.
_PATIENCE = 50


def solve_path(
    problem: LeastSquares | Quadratic,
    penalties: Sequence[ElasticNetPenalty],
    *,
    tol: float = 1e-8,
    max_iter: int = 1000,
    max_features: int | None = None,
) -> Solution:
    """Minimise the energy of a problem of one target under each penalty in turn.

    Parameters
    ----------
    problem : LeastSquares or Quadratic
        The data term, of one target. Of a Quadratic there are no rows to go back to: where its Gram matrix
        has lost the digits that `tol` takes, the gaps say so.
    penalties : sequence of ElasticNetPenalty
        From strong to weak, alike but for their strengths.
    tol : float, default=1e-8
        The duality gap to reach for each, relative to the null model's energy.
    max_iter : int, default=1000
        At most this many sweeps and Newton steps for each.
    max_features : int, optional
        To end with the first penalty by which this many coefficients have been other than zero, there or at
        an earlier one; at the last penalty if not given.

    Returns
    -------
    Solution
        Row i of `coef`, `dual_gap` and `n_iter` is that of penalty i; the rows end where the path does.
    """
    k, p = len(penalties), problem.n_features
    w, n_iter, gaps = np.zeros((k, p)), np.ones(k, dtype=int), np.zeros(k)
    if problem.b_squared[0] == 0.0:
        return Solution(coef=w, dual_gap=gaps, n_iter=n_iter)
    with one_blas_thread():
        if isinstance(problem, Quadratic):
            w, n_iter, gaps = _on_gram(problem, penalties, max_iter)
        else:
            todo = np.arange(k)
            if k >= _MANY and _is_tall(problem):
                w, n_iter, gaps = _on_gram(problem.quadratic, penalties, max_iter)
                todo = np.flatnonzero(~(gaps <= tol * 0.5 * problem.b_squared[0]))
            if todo.size:
                solver = TargetSolver(problem, 0, w[todo[0] - 1] if todo[0] else np.zeros(p))
                entered = np.any(w[: todo[0]] != 0.0, axis=0)
                for i in map(int, todo):
                    w[i], n_iter[i], gaps[i] = solver.solve(
                        problem.penalty_of(penalties[i], 0), tol, max_iter
                    )
                    entered |= w[i] != 0.0
                    if max_features is not None and np.count_nonzero(entered) >= max_features:
                        break
    end = k if max_features is None else _end_of_path(w, max_features)
    return Solution(
        coef=problem.coef_to_data(w[:end].T),
        dual_gap=problem.energy_to_data(gaps[:end], 0),
        n_iter=n_iter[:end],
    )


def _end_of_path(w: FloatArray, max_features: int) -> int:
    """Count the rows of w up to the first by which so many coefficients have been other than zero."""
    ever = np.count_nonzero(np.logical_or.accumulate(w != 0.0, axis=0), axis=1)
    return int(np.searchsorted(ever, max_features)) + 1


def _is_tall(problem: LeastSquares) -> bool:
    return problem.is_dense and problem.n_features <= min(problem.n_rows, GRAM_LIMIT)


def _on_gram(
    problem: Quadratic, penalties: Sequence[ElasticNetPenalty], max_iter: int
) -> tuple[FloatArray, NDArray[np.int_], FloatArray]:
    """Go through all penalties in compiled code, and certify each by its correlations on the Gram matrix."""
    k, p = len(penalties), problem.n_features
    strengths = _strengths(problem, penalties)
    c = np.ascontiguousarray(problem.c[:, 0])
    w, n_iter = np.zeros((k, p)), np.ones(k, dtype=np.int32)
    gram_path(
        problem.G,
        c,
        strengths.l1,
        strengths.l2,
        strengths.positive,
        0.1 * ROUNDING * np.sqrt(problem.b_squared[0]),
        min(max_iter, _PATIENCE + p // 4),  # what that leaves over its tolerance goes by working sets
        w,
        n_iter,
        np.empty(p),
        np.empty(2 * p, dtype=np.int32),
        np.empty((p, p), order="F"),
        np.empty(5 * p),
    )
    return w, n_iter.astype(int), _gaps(problem, strengths, w)


def _strengths(problem: Quadratic, penalties: Sequence[ElasticNetPenalty]) -> ColumnPenalty:
    """Translate all penalties at once, a row of strengths each."""
    unit = problem.penalty_of(replace(penalties[0], l1=1.0, l2=1.0), 0)
    l1, l2 = (np.array([getattr(penalty, name) for penalty in penalties]) for name in ("l1", "l2"))
    return ColumnPenalty(np.outer(l1, unit.l1), np.outer(l2, unit.l2), unit.positive)


def _gaps(problem: Quadratic, penalties: ColumnPenalty, w: FloatArray) -> FloatArray:
    """Certify each row of w under its row of strengths."""
    g, r_squared = problem.correlation(w.T, np.zeros(len(w), dtype=int))
    g = g.T
    gaps = gaps_of_many(problem, penalties, w, g, 0.5 * float(problem.b_squared[0]), r_squared)
    if np.all(np.isfinite(gaps)):
        return gaps
    rows = [
        ColumnPenalty(l1, l2, penalties.positive) for l1, l2 in zip(penalties.l1, penalties.l2, strict=True)
    ]
    certificate = Certificate(problem, rows[0])
    for i, penalty in enumerate(rows):
        certificate = certificate.of_target(0, penalty)
        gaps[i] = certificate.residual_gap(w[i], g[i], float(r_squared[i]))
    return gaps
