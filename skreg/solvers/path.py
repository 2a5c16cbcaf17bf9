"""One target under many penalties, each solved from the solution before and certified.

Tall data go by their Gram matrix, the whole path in one compiled loop; solutions that it does not bring under
the tolerance, and other data, go by working sets, which are kept from one penalty to the next.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from skreg.penalties import ElasticNetPenalty
from skreg.solvers._kernels import gram_path
from skreg.solvers.blas import one_blas_thread
from skreg.solvers.certificate import Certificate, dual_gap
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.elastic_net import GRAM_LIMIT, ROUNDING, TargetSolver
from skreg.solvers.least_squares import DenseLeastSquares, LeastSquares
from skreg.solvers.solution import Solution

__all__ = ["solve_path"]

FloatArray = NDArray[np.float64]

# Penalties from which on a Gram matrix of all columns pays.
_MANY = 10
# Sweeps and steps for each penalty in the compiled loop.
_PATIENCE = 50


def solve_path(
    problem: LeastSquares,
    penalties: Sequence[ElasticNetPenalty],
    *,
    tol: float = 1e-8,
    max_iter: int = 1000,
) -> Solution:
    """Minimise the energy of a problem of one target under each penalty in turn.

    Parameters
    ----------
    problem : LeastSquares
        The data term, of one target.
    penalties : sequence of ElasticNetPenalty
        From strong to weak, alike in `positive`.
    tol : float, default=1e-8
        The duality gap to reach for each, relative to the null model's energy.
    max_iter : int, default=1000
        At most this many sweeps and Newton steps for each.

    Returns
    -------
    Solution
        Row i of `coef`, `dual_gap` and `n_iter` is that of penalty i.
    """
    k, p = len(penalties), problem.n_features
    w, n_iter, gaps = np.zeros((k, p)), np.ones(k, dtype=int), np.zeros(k)
    if problem.null_value[0] > 0:
        with one_blas_thread():
            todo = np.arange(k)
            if isinstance(problem, DenseLeastSquares) and _is_tall(problem) and k >= _MANY:
                w, n_iter, gaps = _on_gram(problem, penalties, max_iter)
                todo = np.flatnonzero(~(gaps <= tol * problem.null_value[0]))
            if todo.size:
                before = w[todo[0] - 1] if todo[0] else np.zeros(p)
                solver = TargetSolver(problem, 0, before)
                for i in map(int, todo):
                    w[i], n_iter[i] = solver.solve(problem.penalty_of(penalties[i], 0), tol, max_iter)
                    gaps[i] = dual_gap(problem, problem.coef_to_data(w[i][:, None]), penalties[i])[0]
    return Solution(coef=problem.coef_to_data(w.T), dual_gap=gaps, n_iter=n_iter)


def _is_tall(problem: LeastSquares) -> bool:
    return problem.n_features <= min(problem.n_rows, GRAM_LIMIT)


def _on_gram(
    problem: DenseLeastSquares, penalties: Sequence[ElasticNetPenalty], max_iter: int
) -> tuple[FloatArray, NDArray[np.int_], FloatArray]:
    """Go through all penalties in compiled code, and certify each by its correlations on the Gram matrix."""
    p = problem.n_features
    columns = [problem.penalty_of(penalty, 0) for penalty in penalties]
    l1, l2 = (np.array([getattr(column, name) for column in columns]) for name in ("l1", "l2"))
    b = problem.b[:, 0]
    b_squared = float(b @ b)
    c = problem.adjoint(b[:, None])[:, 0]
    w = np.zeros((len(columns), p))
    n_iter = np.ones(len(columns), dtype=np.int32)
    gram_path(
        problem.full_gram,
        c,
        l1,
        l2,
        columns[0].positive,
        0.1 * ROUNDING * np.sqrt(b_squared),
        min(max_iter, _PATIENCE + p // 4),  # what that leaves over its tolerance goes by working sets
        w,
        n_iter,
        np.empty(p),
        np.empty(2 * p, dtype=np.int32),
        np.empty((p, p), order="F"),
        np.empty(5 * p),
    )
    g = c - w @ problem.full_gram
    r_squared = np.maximum(b_squared - w @ c - np.einsum("ij,ij->i", g, w), 0.0)
    gaps = _gaps(problem, columns, w, g, r_squared)
    return w, n_iter.astype(int), problem.energy_to_data(gaps, [0])


def _gaps(
    problem: LeastSquares,
    penalties: list[ColumnPenalty],
    w: FloatArray,
    g: FloatArray,
    r_squared: FloatArray,
) -> FloatArray:
    """Certify each row of w by its row of correlations."""
    certificate = Certificate(problem, penalties[0])
    gaps = np.empty(len(penalties))
    for i, penalty in enumerate(penalties):
        certificate = certificate.of_target(0, penalty)
        gaps[i] = certificate.residual_gap(w[i], g[i], float(r_squared[i]))
    return gaps
