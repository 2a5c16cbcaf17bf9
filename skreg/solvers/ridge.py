"""Ridge's solver: one factorisation for every target, refined with the residual of the rows.

Tall data factorise AᵀA + Λ, wide data the kernel I + AΛ⁻¹Aᵀ; what either rounds away comes back by
iterative refinement. Where the factor is too ill conditioned for that (collinear columns and next to no
penalty), or some columns of wide data are unpenalised, the columns themselves are taken apart by singular
values. Data too large for a factor go through LSMR.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from skreg.execution.blas import one_blas_thread
from skreg.penalties import ElasticNetPenalty
from skreg.solvers.certificate import dual_gap
from skreg.solvers.iterative import least_squares_by_lsmr
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.solution import Solution
from skreg.solvers.svd import thin_svd

__all__ = ["Refinement", "solve_ridge", "trusted_svd"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]
Solve = Callable[[FloatArray], FloatArray]
# Scaled coefficients, and Aᵀr and ‖r‖² of their residual.
Solved = tuple[FloatArray, tuple[FloatArray, FloatArray]]

# Factors up to this size are dense (200 MB at the limit).
_DENSE_LIMIT = 5000
# Refinement converges as long as the factor keeps some digits. It ends when corrections are rounding or fall
# no more, and is good if they have fallen far.
_ILL_CONDITIONED = 1e-11
_REFINEMENTS = 6
_CONVERGED = 1e-14
_SETTLED = 1e-9


def solve_ridge(problem: LeastSquares, penalty: ElasticNetPenalty, *, max_iter: int = 1000) -> Solution:
    """Minimise ½ Σ s (y − Xw − b)² + ½ Σ λ₂vⱼwⱼ² for every target.

    Parameters
    ----------
    problem : LeastSquares
        The data term.
    penalty : ElasticNetPenalty
        A penalty with l1 = 0. Where it and the data leave the minimiser free (collinear unpenalised
        columns), the unpenalised coefficients are those of least norm.
    max_iter : int, default=1000
        At most this many iterations of LSMR, for sparse data too large for a factor; the norm that is
        then least is that of the coefficients times their columns' norms.

    Returns
    -------
    Solution
        With the duality gap of each target, computed from the rows; n_iter is 1 for a direct solution.

    References
    ----------
    Hoerl, A. E. and Kennard, R. W. (1970). Ridge regression, Technometrics 12(1), eq. 2.1;
    Saunders, C., Gammerman, A. and Vovk, V. (1998). Ridge regression in dual variables, ICML.
    """
    l2 = problem.penalty_of(penalty, 0).l2  # the same for every target: λ₂ has no units of y
    data = problem.x_scale > 0
    columns = np.flatnonzero(data)
    w = np.zeros((problem.n_features, problem.n_targets))
    n_iter, correlation = np.ones(problem.n_targets, dtype=int), None
    with one_blas_thread():
        if columns.size:
            smaller, larger = sorted((problem.n_rows, columns.size))
            has_factor = smaller <= _DENSE_LIMIT or problem.is_dense
            fits = has_factor and smaller * larger <= max(_DENSE_LIMIT**2, problem.n_stored)
            by_factor = _by_factor(problem, columns, l2) if has_factor else None
            if by_factor is not None:
                w, correlation = by_factor
            elif fits:
                w = _by_singular_values(problem, columns, l2)
            else:
                w, n_iter = least_squares_by_lsmr(problem, problem.b, l2, data, max_iter)
        coef = problem.coef_to_data(w)
        return Solution(coef=coef, dual_gap=dual_gap(problem, coef, penalty, correlation), n_iter=n_iter)


def _by_factor(problem: LeastSquares, columns: IndexArray, l2: FloatArray) -> Solved | None:
    """Solve by one Cholesky factor and refinement, or None where it would keep too few digits."""
    if problem.n_rows >= columns.size:
        return _tall(problem, columns, l2)
    if np.all(l2[columns] > 0.0):
        return _wide(problem, columns, l2)
    return None


def _tall(problem: LeastSquares, columns: IndexArray, l2: FloatArray) -> Solved | None:
    """Solve (AᵀA + Λ) w = Aᵀb."""
    matrix = problem.gram(columns, columns)
    matrix[np.diag_indices(columns.size)] += l2[columns]
    solve = _cholesky(matrix)
    if solve is None:
        return None
    w = np.zeros((problem.n_features, problem.n_targets))
    scale = np.sqrt(np.diag(matrix))[:, None]
    step = solve(problem.c[columns])
    progress = Refinement()
    while progress.goes_on:
        w[columns] += step
        g, r_squared = problem.correlation(w, problem.targets)
        # The step that is not made any more says how good w is.
        step = solve(g[columns] - l2[columns, None] * w[columns])
        progress.note(np.max(scale * np.abs(step)), np.max(scale * np.abs(w[columns])))
    return (w, (g, r_squared)) if progress.is_good else None


def _wide(problem: LeastSquares, columns: IndexArray, l2: FloatArray) -> Solved | None:
    """Solve (I + AΛ⁻¹Aᵀ) r = b for the residual r, a factor of n rows only, and give w = Λ⁻¹Aᵀr."""
    inverse = np.zeros(problem.n_features)
    inverse[columns] = 1.0 / l2[columns]
    kernel = problem.kernel(inverse)
    kernel[np.diag_indices(problem.n_rows)] += 1.0
    solve = _cholesky(kernel)
    if solve is None:
        return None
    r, miss = np.zeros_like(problem.b), problem.b
    progress = Refinement()
    while progress.goes_on:
        r += solve(miss)
        w = inverse[:, None] * problem.adjoint(r)
        residual = problem.residual(w, problem.targets)
        miss = residual - r
        progress.note(np.max(np.abs(miss)), np.max(np.abs(problem.b)))
    if not progress.is_good:
        return None
    return w, (problem.adjoint(residual), np.einsum("ij,ij->j", residual, residual))


class Refinement:
    """How iterative refinement goes: its corrections fall by a factor until only rounding is left."""

    def __init__(self) -> None:
        self.goes_on, self.is_good = True, False
        self._last = np.inf
        self._left = _REFINEMENTS

    def note(self, correction: float, size: float) -> None:
        """Take note of a correction made to something of a size."""
        self._left -= 1
        self.is_good = bool(correction <= _SETTLED * size)
        settled = correction <= _CONVERGED * size or not correction <= 0.1 * self._last
        self.goes_on = not settled and self._left > 0
        self._last = correction


def _cholesky(matrix: FloatArray) -> Solve | None:
    """Solve with a symmetric matrix, equilibrated to a unit diagonal; None if it is ill conditioned."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        scale = 1.0 / np.sqrt(np.diag(matrix))
        matrix = matrix * scale * scale[:, None]
    if not np.all(np.isfinite(matrix)):
        return None
    norm = linalg.norm(matrix, 1)
    factor, info = linalg.lapack.dpotrf(matrix, lower=False)
    if info != 0 or linalg.lapack.dpocon(factor, norm)[0] < _ILL_CONDITIONED:
        return None
    scale = scale[:, None]
    return lambda v: scale * linalg.cho_solve((factor, False), scale * v, check_finite=False)


def _by_singular_values(problem: LeastSquares, columns: IndexArray, l2: FloatArray) -> FloatArray:
    """Project the unpenalised columns off, solve for the penalised ones, then for the unpenalised."""
    free, penalized = columns[l2[columns] == 0.0], columns[l2[columns] > 0.0]
    w = np.zeros((problem.n_features, problem.n_targets))
    basis, values, right = trusted_svd(problem.columns(free))
    if penalized.size:
        A = problem.columns(penalized)
        A -= basis @ (basis.T @ A)
        w[penalized] = _penalized_least_squares(A, problem.b - basis @ (basis.T @ problem.b), l2[penalized])
    fit = (basis.T @ problem.residual(w, problem.targets)) / values[:, None]
    w[free] = right.T @ fit
    if values.size < free.size:
        w[free] = _least_norm(right, fit, problem.x_scale[free])
        # What the change of norm rounded away, in directions that the data do see.
        w[free] += right.T @ ((basis.T @ problem.residual(w, problem.targets)) / values[:, None])
    return w


def _penalized_least_squares(A: FloatArray, b: FloatArray, l2: FloatArray) -> FloatArray:
    """Minimise ‖b − Aw‖² + ‖Λ^½w‖², leaving out directions in which A is rounding.

    With A of rank r in r rows, the solution is w = Λ^−½Qz with Λ^−½Aᵀ = QR, and z that of [Rᵀ; I]: as many
    unknowns as the rank, and no part of w that the data do not see.
    """
    rows, _values, _right = trusted_svd(A)
    A, b = rows.T @ A, rows.T @ b
    rank, p = A.shape
    if rank in (0, p):
        return _stacked_least_squares(A, b, l2)
    root = np.sqrt(l2)
    order = np.argsort(-np.max(np.abs(A), axis=0) / root)  # large rows first keep the digits of small ones
    Q, R, pivot = linalg.qr((A / root).T[order], mode="economic", pivoting=True)
    back = np.empty_like(R)
    back[:, pivot] = R
    w = np.empty((p, b.shape[1]))
    w[order] = Q @ _stacked_least_squares(back.T, b, np.ones(rank))
    return w / root[:, None]


def _stacked_least_squares(A: FloatArray, b: FloatArray, l2: FloatArray) -> FloatArray:
    """Minimise ‖b − Aw‖² + ‖Λ^½w‖² by the singular values of [A; Λ^½], its columns scaled to norm 1."""
    scale = 1.0 / np.sqrt(np.einsum("ij,ij->j", A, A) + l2)
    left, values, right = trusted_svd(np.vstack([A * scale, np.diag(np.sqrt(l2) * scale)]))
    return scale[:, None] * (right.T @ ((left[: len(A)].T @ b) / values[:, None]))


def trusted_svd(matrix: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Decompose by singular values, without the values that are rounding."""
    if not np.any(matrix):
        return np.zeros((matrix.shape[0], 0)), np.zeros(0), np.zeros((0, matrix.shape[1]))
    left, values, right = thin_svd(matrix)
    kept = values > values[0] * max(matrix.shape) * np.finfo(np.float64).eps
    return left[:, kept], values[kept], right[kept]


def _least_norm(right: FloatArray, fit: FloatArray, scale: FloatArray) -> FloatArray:
    """Find the w with right·w = fit whose coefficients in the data's units, scale·w, have the least norm.

    z = scale·w solves Mᵀz = fit, M = rightᵀ/scale: z = Q R⁻ᵀ fit with M = QR. Rows sorted by size and
    columns pivoted keep the digits of small rows (Cox and Higham, 1998).
    """
    scale = scale / scale.max()
    order = np.argsort(scale)
    M = right.T[order] / scale[order, None]
    Q, R, pivot = linalg.qr(M, mode="economic", pivoting=True)
    w = np.empty((scale.size, fit.shape[1]))
    w[order] = Q @ linalg.solve_triangular(R, fit[pivot], trans="T") / scale[order, None]
    return w
