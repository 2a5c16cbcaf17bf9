"""Ridge's solver: one factorisation for every target, refined with the residual of the rows.

Tall data factorise AᵀA + Λ, wide data the kernel I + AΛ⁻¹Aᵀ; what either rounds away comes back by
iterative refinement. Where the factor is too ill conditioned for that (no penalty and collinear columns),
the least-squares problem [A; Λ^½] w = [b; 0] is solved by singular values instead. Sparse data too large
for a factor go through SciPy's LSMR.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.sparse.linalg import LinearOperator, lsmr

from skreg.penalties import ElasticNetPenalty
from skreg.solvers.blas import one_blas_thread
from skreg.solvers.certificate import dual_gap
from skreg.solvers.least_squares import LeastSquares, SparseLeastSquares
from skreg.solvers.solution import Solution

__all__ = ["solve_ridge"]

FloatArray = NDArray[np.float64]
Solve = Callable[[FloatArray], FloatArray]

# Factors of sparse problems up to this size are dense (200 MB at the limit).
_DENSE_LIMIT = 5000
# Refinement converges as long as the factor keeps some digits.
_ILL_CONDITIONED = 1e-11
_REFINEMENTS = 3


def solve_ridge(problem: LeastSquares, penalty: ElasticNetPenalty, *, max_iter: int = 1000) -> Solution:
    """Minimise ½ Σ s (y − Xw − b)² + ½ Σ λ₂vⱼwⱼ² for every target.

    Parameters
    ----------
    problem : LeastSquares
        The data term.
    penalty : ElasticNetPenalty
        A penalty with l1 = 0. Where λ₂vⱼ = 0 leaves the minimiser free (collinear columns), it is the
        one of least norm.
    max_iter : int, default=1000
        At most this many iterations of LSMR, for sparse data too large for a factor.

    Returns
    -------
    Solution
        With the duality gap of each target, computed from the rows; n_iter is 1 for a direct solution.

    References
    ----------
    Hoerl, A. E. and Kennard, R. W. (1970). Ridge regression, Technometrics 12(1), eq. 2.1;
    Saunders, C., Gammerman, A. and Vovk, V. (1998). Ridge regression in dual variables, ICML;
    Fong, D. and Saunders, M. (2011). LSMR, SIAM J. Sci. Comput. 33(5).
    """
    l2 = problem.strengths(penalty, 0)[1]  # the same for every target: λ₂ has no units of y
    columns = np.flatnonzero(problem.x_scale > 0)
    w = np.zeros((problem.n_features, problem.n_targets))
    n_iter = np.ones(problem.n_targets, dtype=int)
    with one_blas_thread():
        if columns.size == 0:
            pass
        elif isinstance(problem, SparseLeastSquares) and min(problem.n_rows, columns.size) > _DENSE_LIMIT:
            w, n_iter = _iterative(problem, l2, max_iter)
        else:
            solve = _factor(problem, columns, l2[columns])
            if solve is None:
                w[columns] = _by_singular_values(problem, columns, l2[columns])
            else:
                for _ in range(_REFINEMENTS):
                    g, _r = problem.correlation(w, problem.targets)
                    w[columns] += solve(g[columns] - l2[columns, None] * w[columns])
        coef = problem.coef_to_data(w)
        return Solution(coef=coef, dual_gap=dual_gap(problem, coef, penalty), n_iter=n_iter)


def _factor(problem: LeastSquares, columns: NDArray[np.intp], l2: FloatArray) -> Solve | None:
    """A solver of (AᵀA + Λ) w = v, or None where it would keep too few digits."""
    if problem.n_rows >= columns.size:
        matrix = problem.gram(columns, columns)
        matrix[np.diag_indices(columns.size)] += l2
        return _cholesky(matrix)
    if np.any(l2 == 0):
        return None
    # Wide: (AᵀA + Λ)⁻¹ = Λ⁻¹ − Λ⁻¹Aᵀ (I + AΛ⁻¹Aᵀ)⁻¹ AΛ⁻¹ (Woodbury), a factor of n rows only.
    A = problem.columns(columns)
    kernel = (A / l2) @ A.T
    kernel[np.diag_indices(problem.n_rows)] += 1.0
    inner = _cholesky(kernel)
    if inner is None:
        return None
    return lambda v: (v - A.T @ inner(A @ (v / l2[:, None]))) / l2[:, None]


def _cholesky(matrix: FloatArray) -> Solve | None:
    norm = linalg.norm(matrix, 1)
    factor, info = linalg.lapack.dpotrf(matrix, lower=False)
    if info != 0 or linalg.lapack.dpocon(factor, norm)[0] < _ILL_CONDITIONED:
        return None
    return lambda v: linalg.cho_solve((factor, False), v, check_finite=False)


def _by_singular_values(problem: LeastSquares, columns: NDArray[np.intp], l2: FloatArray) -> FloatArray:
    """The least-norm solution of [A; Λ^½] w = [b; 0], backward stable whatever the condition."""
    A = problem.columns(columns)
    penalized = np.flatnonzero(l2 > 0)
    rows = np.zeros((penalized.size, columns.size))
    rows[np.arange(penalized.size), penalized] = np.sqrt(l2[penalized])
    b = np.vstack([problem.b, np.zeros((penalized.size, problem.n_targets))])
    return linalg.lstsq(np.vstack([A, rows]), b, lapack_driver="gelsd")[0]


def _iterative(problem: SparseLeastSquares, l2: FloatArray, max_iter: int) -> tuple[FloatArray, NDArray[np.int_]]:
    """LSMR on [A; Λ^½], restarted on the residual once, which recovers the digits its recurrences lose."""
    n, p = problem.n_rows, problem.n_features
    root = np.sqrt(l2)

    def forward(x: FloatArray) -> FloatArray:
        return np.concatenate([problem.A @ x - problem.root_weights * (problem.shift @ x), root * x])

    def adjoint(r: FloatArray) -> FloatArray:
        top, bottom = r[:n], r[n:]
        return problem.A.T @ top - problem.shift * (problem.root_weights @ top) + root * bottom

    operator = LinearOperator((n + p, p), matvec=forward, rmatvec=adjoint, dtype=np.float64)
    w = np.zeros((p, problem.n_targets))
    n_iter = np.ones(problem.n_targets, dtype=int)
    for k in range(problem.n_targets):
        for _ in range(2):
            r = np.concatenate([problem.residual(w[:, [k]], [k])[:, 0], -root * w[:, k]])
            step, _stop, spent, *_norms = lsmr(operator, r, atol=1e-15, btol=1e-15, conlim=0, maxiter=max_iter)
            w[:, k] += step
            n_iter[k] += spent
    return w, n_iter
