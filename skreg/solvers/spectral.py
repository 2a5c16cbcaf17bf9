"""Ridge at every alpha from one decomposition: the spectrum of the penalised columns.

With B = A Λ^−½ for the penalised columns, less its projection on what nothing penalises, and B = Q D^½ Vᵀ,

    fit of b at α = Q φ(α) Qᵀb,   φ(α) = D / (D + α)

so that a new alpha, target or row left out costs products with Q and no new factorisation. Tall data
decompose BᵀB and make Q block by block; wide data decompose the kernel BBᵀ. Where an alpha is so small that
the square of B has lost the digits it needs, B itself is decomposed by singular values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from skreg.execution.blas import one_blas_thread
from skreg.penalties import L2, ElasticNetPenalty
from skreg.solvers.certificate import dual_gap
from skreg.solvers.data_term import power_of_two_scale
from skreg.solvers.elastic_net import solve_elastic_net
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.ridge import Refinement, solve_ridge, trusted_svd
from skreg.solvers.solution import Solution
from skreg.solvers.svd import left_svd, thin_svd

__all__ = [
    "PenalizedColumns",
    "Spectrum",
    "compressed",
    "decompose_square",
    "solve_ridge_by_target",
    "without_rounding",
]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

_EPSILON = float(np.finfo(np.float64).eps)
# BᵀB is known to ε of its largest eigenvalue: an alpha of this part of it keeps nine digits.
_SQUARE_KEEPS = 1e-7
# Sparse data are decomposed up to this smaller side (200 MB), and made dense up to this many numbers.
_LARGEST_SIDE = 5000
_LARGEST_DENSE = 50_000_000
# A projected column of this part of its size before is rounding.
_ROUNDING = 1e-12
# The relative gap above which a solution from the spectrum is solved again by itself.
_GAP = 1e-12
# A table of filters is compressed to this accuracy, if its rank is below this part of its width.
_FILTER, _LOW_RANK = 1e-14, 0.6


class PenalizedColumns:
    """Which columns a ridge penalty acts on, and the units in which it is α‖u‖².

    Parameters
    ----------
    problem : LeastSquares
        The data term.
    penalty : ElasticNetPenalty
        The penalty of alpha = 1.

    Attributes
    ----------
    index, free : ndarray of int
        The penalised columns and the unpenalised ones, without columns of zeros.
    factors : ndarray
        B = A[:, index] · factors, whose largest column has a norm near 1; w[index] = factors · u.
    alpha_unit : float
        An alpha times this is the α beside ‖b − Bu‖², a power of two.

    Raises
    ------
    ValueError
        If the data are sparse and too large for a decomposition.
    """

    def __init__(self, problem: LeastSquares, penalty: ElasticNetPenalty) -> None:
        l2 = problem.penalty_of(penalty, 0).l2
        data = problem.x_scale > 0
        self.index = np.flatnonzero(data & (l2 > 0.0))
        self.free = np.flatnonzero(data & (l2 == 0.0))
        smaller = min(problem.n_rows, self.index.size)
        if not problem.is_dense and smaller > _LARGEST_SIDE:
            raise ValueError(
                f"X is sparse with {problem.n_rows} rows and {problem.n_features} columns; one decomposition "
                f"for every alpha takes data with at most {_LARGEST_SIDE} of either. "
                "GridSearchCV(Ridge(), {'alpha': alphas}) solves each alpha by itself."
            )
        root = np.sqrt(l2[self.index])
        largest = np.max(np.sqrt(problem.norms[self.index]) / root, initial=0.0)
        unit = float(power_of_two_scale(np.array([largest]), when_zero=1.0)[0])
        self.factors = unit / root
        self.alpha_unit = unit * unit
        self._stays_sparse = not problem.is_dense and problem.n_rows * self.index.size > _LARGEST_DENSE

    def keep_their_digits(self, smallest_alpha: float, largest_eigenvalue: float) -> bool:
        """Whether to make do with the square of B for every alpha from `smallest_alpha`.

        It is accurate enough, or the data are sparse and B itself would be too large.
        """
        return self._stays_sparse or smallest_alpha * self.alpha_unit >= _SQUARE_KEEPS * largest_eigenvalue


class Spectrum:
    """The decomposition B = Q D^½ Vᵀ of the penalised columns of a problem.

    Parameters
    ----------
    problem : LeastSquares
        The data term.
    penalty : ElasticNetPenalty
        The penalty of alpha = 1.
    smallest_alpha : float
        The smallest alpha that will be asked for; digits are kept for it.

    Attributes
    ----------
    values : ndarray of shape (rank,)
        D, in the units of `columns`; rounding is left out of it, or zero if `is_complete`.
    projections : ndarray of shape (rank, n_targets)
        Qᵀb.
    free_basis : ndarray of shape (n_rows, n_free)
        An orthonormal basis of what nothing penalises: the unpenalised columns and the intercept.
    rest : ndarray of shape (n_rows, n_targets)
        b less its projection on that.
    is_complete : bool
        Whether Q and `free_basis` together span every row, so that 1 − Qφ(α)Qᵀ needs no subtraction.

    References
    ----------
    Hastie, T., Tibshirani, R. and Friedman, J. (2009). The Elements of Statistical Learning, 2nd ed.,
    eq. 3.47.
    """

    def __init__(self, problem: LeastSquares, penalty: ElasticNetPenalty, smallest_alpha: float) -> None:
        self.problem = problem
        self.columns = columns = PenalizedColumns(problem, penalty)
        self._free_columns = np.zeros((problem.n_rows, 0))
        if columns.free.size:
            self._free_columns = trusted_svd(problem.columns(columns.free))[0]
        self.free_basis = self._free_columns
        if problem.fit_intercept:
            mean = problem.root_weights / np.sqrt(problem.total_weight)
            self.free_basis = np.column_stack([self._free_columns, mean])
        self.rest = problem.b - self._free_columns @ (self._free_columns.T @ problem.b)
        self.is_complete = 0 < columns.index.size >= problem.n_rows - self.free_basis.shape[1]
        self._left: FloatArray | None = None
        self._right: FloatArray | None = None
        with one_blas_thread():
            decompose = self._decompose_kernel if self.is_complete else self._decompose_gram
            if not decompose(smallest_alpha):
                self._decompose_columns()

    def left(self, rows: Any) -> FloatArray:
        """Compute the rows Q[rows], for a slice or an array of rows."""
        if self._left is not None:
            return self._left[rows]
        return self.problem.product_of_rows(rows, self._to_left) - self._free_columns[rows] @ self._along_free

    def left_product(self, c: FloatArray) -> FloatArray:
        """Compute Qc, of shape (n_rows, k), for c of shape (rank, k), without forming Q."""
        if self._left is not None:
            return self._left @ c
        return self.problem.product(self._to_left @ c) - self._free_columns @ (self._along_free @ c)

    def right(self) -> tuple[FloatArray, IndexArray]:
        """Compute V, of shape (n_penalised, k), of the k directions where D > 0, and which those are."""
        data = np.flatnonzero(self.values > 0.0)
        if self._right is not None:
            return self._right, data
        assert self._left is not None  # one of the two always is
        V = self.problem.adjoint(self._left[:, data])[self.columns.index] * self.columns.factors[:, None]
        return V / np.sqrt(self.values[data]), data

    def filters(self, alphas: FloatArray) -> FloatArray:
        """Compute the share φ = d / (d + α) of each direction that the fit keeps, (rank, n_alphas)."""
        d = self.values[:, None]
        with np.errstate(invalid="ignore"):  # 0/0 where neither the data nor the penalty say anything
            return np.where(d > 0.0, d / (d + alphas * self.columns.alpha_unit), 0.0)

    def alpha_grid(self, n_alphas: int) -> FloatArray:
        """Space alphas evenly in log over what matters, decreasing.

        From ten times the largest eigenvalue, where φ < 1/11 everywhere, to a tenth of the smallest, where
        φ > 10/11, or 10⁻⁶ of the largest if that is more.
        """
        largest = self.values.max(initial=0.0)
        if largest == 0.0:
            return np.geomspace(10.0, 0.1, n_alphas)
        smallest = 0.1 * np.min(self.values[self.values > 1e-12 * largest])
        grid = np.geomspace(10.0 * largest, max(smallest, 1e-6 * largest), n_alphas)
        return grid / self.columns.alpha_unit

    def solve(self, alphas: FloatArray) -> FloatArray | None:
        """Find the minimiser for each target at its own alpha, refined with the residual of the rows.

        Parameters
        ----------
        alphas : ndarray of shape (n_targets,)
            One alpha a target.

        Returns
        -------
        ndarray of shape (n_features, n_targets) or None
            In scaled units; None with unpenalised columns, or where refinement does not settle.
        """
        problem, index, f = self.problem, self.columns.index, self.columns.factors[:, None]
        w = np.zeros((problem.n_features, problem.n_targets))
        if self.columns.free.size:
            return None
        alphas = alphas * self.columns.alpha_unit
        d = self.values[:, None]
        with np.errstate(divide="ignore"):
            inverse = np.where(d > 0.0, 1.0 / (d + alphas), 0.0)
        progress = Refinement()
        if self._right is not None:
            u = np.zeros((index.size, problem.n_targets))
            while progress.goes_on:
                g, _r_squared = problem.correlation(w, problem.targets)
                step = self._right @ (inverse * (self._right.T @ (f * g[index] - alphas * u)))
                u += step
                w[index] = f * u
                progress.note(np.max(np.abs(step), initial=0.0), np.max(np.abs(u), initial=0.0))
            return w if progress.is_good else None
        Q = self.left(slice(None))
        dual = np.zeros_like(problem.b)
        while progress.goes_on:
            miss = problem.residual(w, problem.targets) - alphas * dual
            dual += Q @ (inverse * (Q.T @ miss))
            w[index] = f * f * problem.adjoint(dual)[index]
            progress.note(np.max(np.abs(miss)), np.max(np.abs(problem.b)))
        return w if progress.is_good else None

    def _decompose_gram(self, smallest_alpha: float) -> bool:
        """Decompose BᵀB; False if it has not the digits for the smallest alpha."""
        problem, index, f = self.problem, self.columns.index, self.columns.factors
        gram = problem.gram(index, index)
        gram *= f
        gram *= f[:, None]
        along_free = problem.adjoint(self._free_columns)[index].T * f
        size = float(np.max(np.diag(gram), initial=0.0)) if self.columns.free.size else 0.0
        gram -= along_free.T @ along_free
        self.values, V = decompose_square(gram, size)
        if not self._is_accurate(smallest_alpha, size):
            return False
        self._right, scaled = V, V / np.sqrt(self.values)
        self._along_free = along_free @ scaled
        self._to_left = np.zeros((problem.n_features, self.values.size))
        self._to_left[index] = f[:, None] * scaled
        self.projections = self._to_left.T @ problem.adjoint(self.rest)
        return True

    def _decompose_kernel(self, smallest_alpha: float) -> bool:
        """Decompose BBᵀ; False if it has not the digits for the smallest alpha."""
        problem, U, basis = self.problem, self._free_columns, self.free_basis
        scale = np.zeros(problem.n_features)
        scale[self.columns.index] = self.columns.factors**2
        kernel = problem.kernel(scale)
        size = np.max(np.diag(kernel))
        if U.size:
            kernel -= U @ (U.T @ kernel)
            kernel -= (kernel @ U) @ U.T
        # Raised above every eigenvalue, what nothing penalises is decomposed apart, and dropped.
        kernel += (2.0 * linalg.norm(kernel, 1) * basis) @ basis.T
        values, Q = linalg.eigh(kernel, driver="evd", overwrite_a=True, check_finite=False)
        kept = values.size - basis.shape[1]
        self.values, Q = values[:kept], Q[:, :kept]
        self.values[self.values <= self.values.max(initial=0.0) * values.size * _EPSILON] = 0.0
        self._left, self.projections = Q, Q.T @ self.rest
        return self._is_accurate(smallest_alpha, size)

    def _is_accurate(self, smallest_alpha: float, size: float) -> bool:
        # What is projected off counts: it leaves its rounding behind.
        largest = max(self.values.max(initial=0.0), size)
        return self.columns.keep_their_digits(smallest_alpha, largest)

    def _decompose_columns(self) -> None:
        """Decompose B by singular values."""
        U = self._free_columns
        B = self.problem.rows(slice(None))[:, self.columns.index] * self.columns.factors
        B = without_rounding(B - U @ (U.T @ B), B)
        kept = slice(None)
        if self.is_complete:
            raised = 2.0 * linalg.norm(B) * self.free_basis
            Q, values = left_svd(np.hstack([raised, B]))
            kept = slice(self.free_basis.shape[1], None)
        else:
            Q, values, right = thin_svd(B)
        Q, values = Q[:, kept], values[kept]
        data = values > values.max(initial=0.0) * max(B.shape) * _EPSILON
        if self.is_complete:
            values[~data] = 0.0
        else:
            Q, values, self._right = Q[:, data], values[data], right[data].T
        self._left, self.values, self.projections = Q, values**2, Q.T @ self.rest


def decompose_square(matrix: FloatArray, size: float = 0.0) -> tuple[FloatArray, FloatArray]:
    """Find the eigenvalues above rounding of a symmetric matrix, which is overwritten, and their vectors.

    Rounding is that of numbers of a `size`, if the matrix is what a projection left of such.
    """
    if matrix.shape[0] == 0:
        return np.zeros(0), np.zeros((0, 0))
    values, vectors = linalg.eigh(matrix, driver="evd", overwrite_a=True, check_finite=False)
    data = values > max(values[-1], size) * values.size * _EPSILON
    return values[data], vectors[:, data]


def without_rounding(projected: FloatArray, columns: FloatArray) -> FloatArray:
    """Set to zero the projected columns of which a projection has left only rounding; in place."""
    before, after = (np.einsum("ij,ij->j", part, part) for part in (columns, projected))
    projected[:, after <= _ROUNDING**2 * before] = 0.0
    return projected


def compressed(table: FloatArray) -> tuple[FloatArray, FloatArray | None]:
    """Factor a table of filters, one column an alpha, into L R of as few columns as rounding allows.

    Filters are so smooth in log α that a hundred alphas span twenty or thirty directions. Each column is
    right to 1e-14 of its largest entry.

    Parameters
    ----------
    table : ndarray of shape (rank, n_alphas)
        Filters.

    Returns
    -------
    L : ndarray of shape (rank, k)
        The table itself if it would not compress.
    R : ndarray of shape (k, n_alphas) or None
        None if it would not compress.

    References
    ----------
    Beckermann, B. and Townsend, A. (2017). On the singular values of matrices with displacement structure,
    SIAM Journal on Matrix Analysis and Applications 38(4), Section 4.
    """
    size = np.max(np.abs(table), axis=0, initial=0.0)
    size[size == 0.0] = 1.0
    left, values, right = thin_svd(table / size)
    k = int(np.count_nonzero(values > _FILTER * values.max(initial=0.0)))
    if k > _LOW_RANK * table.shape[1]:
        return table, None
    return left[:, :k] * values[:k], right[:k] * size


def solve_ridge_by_target(
    problem: LeastSquares,
    penalties: Sequence[ElasticNetPenalty],
    *,
    tol: float = 1e-8,
    max_iter: int = 1000,
    spectrum: Spectrum | None = None,
) -> Solution:
    """Solve ridge with a strength for each target, all from one decomposition.

    Parameters
    ----------
    problem : LeastSquares
        The data term.
    penalties : sequence of n_targets ElasticNetPenalty
        The penalty of each target, with l1 = 0, and the same factors and sign constraint.
    tol, max_iter
        As for `solve_ridge` and, under a sign constraint, `solve_elastic_net`.
    spectrum : Spectrum, optional
        The decomposition, if there is one already.

    Returns
    -------
    Solution
        With the duality gap of each target, computed from the rows.
    """
    strengths = np.array([penalty.l2 for penalty in penalties])
    coef = np.full((problem.n_targets, problem.n_features), np.nan)
    gaps = np.full(problem.n_targets, np.inf)
    n_iter = np.ones(problem.n_targets, dtype=int)
    positive = penalties[0].positive
    with one_blas_thread():
        if spectrum is None and not positive and np.unique(strengths).size > 1 and _is_decomposable(problem):
            smallest = float(np.min(strengths[strengths > 0.0]))
            spectrum = Spectrum(problem, L2(1.0, factors=penalties[0].factors), smallest)
        w = None if spectrum is None else spectrum.solve(strengths)
        if w is not None:
            coef = problem.coef_to_data(w)
            gaps = dual_gap(problem, coef, penalties)
        # Without a penalty the solution is not unique, and `solve_ridge` says which it is.
        again = ~(gaps <= _GAP * problem.null_value) | (strengths == 0.0)
        for strength in np.unique(strengths[again]):
            targets = np.flatnonzero(again & (strengths == strength))
            part, penalty = problem.of_targets(targets), penalties[targets[0]]
            if positive:
                alone = solve_elastic_net(part, penalty, tol=tol, max_iter=max_iter)
            else:
                alone = solve_ridge(part, penalty, max_iter=max_iter)
            coef[targets], gaps[targets], n_iter[targets] = alone.coef, alone.dual_gap, alone.n_iter
    return Solution(coef=coef, dual_gap=gaps, n_iter=n_iter)


def _is_decomposable(problem: LeastSquares) -> bool:
    smaller = min(problem.n_rows, problem.n_features)
    return smaller <= _LARGEST_SIDE or problem.is_dense
