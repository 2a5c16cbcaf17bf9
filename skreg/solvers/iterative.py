"""Least squares by LSMR, for problems too large for a factor: only products with A and Aᵀ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, lsmr

from skreg.solvers.least_squares import LeastSquares

__all__ = ["least_squares_by_lsmr"]

FloatArray = NDArray[np.float64]


def least_squares_by_lsmr(
    problem: LeastSquares, rhs: FloatArray, l2: FloatArray, columns: NDArray[np.bool_], max_iter: int
) -> tuple[FloatArray, NDArray[np.int_]]:
    """Minimise ½‖rhs − Aw‖² + ½ Σ l2ⱼwⱼ² over the coefficients of some columns, for each right-hand side.

    Parameters
    ----------
    problem : LeastSquares
        Its A.
    rhs : ndarray of shape (n_rows, k)
        Right-hand sides.
    l2 : ndarray of shape (n_features,)
        Strengths in scaled units.
    columns : ndarray of shape (n_features,), bool
        Which coefficients are free to move; the others stay zero.
    max_iter : int
        At most this many iterations a right-hand side.

    Returns
    -------
    w : ndarray of shape (n_features, k)
        Coefficients in scaled units; of least norm there, where the minimiser is not unique.
    n_iter : ndarray of shape (k,)
        Iterations spent.

    References
    ----------
    Fong, D. and Saunders, M. (2011). LSMR, SIAM J. Sci. Comput. 33(5).
    """
    n, p = problem.n_rows, problem.n_features
    scale = columns / np.sqrt(1.0 + l2)  # the columns of [A; Λ^½] come to norms about 1, as those of A are
    root = np.sqrt(l2) * scale

    def forward(x: FloatArray) -> FloatArray:
        return np.concatenate([problem.product((scale * x)[:, None])[:, 0], root * x])

    def adjoint(r: FloatArray) -> FloatArray:
        return scale * problem.adjoint(r[:n, None])[:, 0] + root * r[n:]

    operator = LinearOperator((n + p, p), matvec=forward, rmatvec=adjoint, dtype=np.float64)
    w = np.zeros((p, rhs.shape[1]))
    n_iter = np.ones(rhs.shape[1], dtype=int)
    for k in range(rhs.shape[1]):
        stacked = np.concatenate([rhs[:, k], np.zeros(p)])
        x, _stop, spent, *_norms = lsmr(operator, stacked, atol=1e-15, btol=1e-15, conlim=0, maxiter=max_iter)
        w[:, k] = scale * x
        n_iter[k] = max(spent, 1)
    return w, n_iter
