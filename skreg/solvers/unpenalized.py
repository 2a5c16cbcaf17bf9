"""The columns that nothing penalises, off which a dual point is projected."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from skreg.solvers.duality import DualPoint
from skreg.solvers.iterative import least_squares_by_lsmr
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.quadratic import Quadratic
from skreg.solvers.svd import thin_svd

__all__ = ["DENSE_LIMIT", "ILL_CONDITIONED", "Unpenalized"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

_EPSILON = float(np.finfo(np.float64).eps)
# A Gram matrix with a smaller reciprocal condition is not trusted to project off its columns.
ILL_CONDITIONED = 1e-6
# Columns are made dense for a projection up to this many numbers (400 MB).
DENSE_LIMIT = 50_000_000
# Gram matrices of unpenalised columns are made up to this size, and LSMR goes on for so many iterations.
_FACTOR_LIMIT = 5000
_LSMR_LIMIT = 2000
# Correlations with unpenalised columns are rounding up to this part of ‖r‖.
_FEASIBLE = 1e-12


class Unpenalized:
    """The columns F that nothing penalises, and the projection of a residual off them.

    Without a sign constraint a feasible θ is orthogonal to F; with `positive` feasibility is Aⱼᵀθ ≤ 0, and
    the nearest such point is found by non-negative least squares.
    """

    def __init__(self, problem: LeastSquares | Quadratic, index: IndexArray, positive: bool) -> None:
        self.problem = problem
        self.index = index
        self.positive = positive

    def project_by_gram(self, g: FloatArray, r_squared: float) -> DualPoint | None:
        """Project the residual given only its g = Aᵀr and ‖r‖²; None where too few digits would be left.

        (AᵀA)_FF = LLᵀ turns the projection into one of size |F|, with as many digits as it has condition.
        """
        factor = self._factor
        if factor is None:
            return None
        rhs = linalg.solve_triangular(factor, g[self.index], lower=True)
        z = _nonnegative(factor.T, rhs) if self.positive else linalg.solve_triangular(factor.T, rhs)
        off_squared = float(np.sum((factor.T @ z) ** 2))
        left = g - self._gram @ z
        if self.positive and self._violation(left) > _FEASIBLE * np.sqrt(r_squared):
            return None
        return DualPoint(left, max(r_squared - off_squared, 0.0), off_squared)

    def project(self, theta: FloatArray, r: FloatArray) -> DualPoint:
        """Project θ, and measure it against r. Where that fails, θ = 0 is feasible."""
        g = self._rows.adjoint(theta[:, None])[:, 0]
        size = float(np.sqrt(r @ r))
        # However small the correlations are: beside nearly collinear columns they hide what is left of θ.
        if self._violation(g) > 0.0:
            theta = self._projected(theta)
            g = self._rows.adjoint(theta[:, None])[:, 0]
        if self._violation(g) > _FEASIBLE * size:
            theta, g = np.zeros_like(r), np.zeros_like(g)
        miss, squared = r - theta, float(theta @ theta)
        return DualPoint(g, squared, float(miss @ miss) + self._leak**2 * squared, float(miss @ theta))

    @property
    def _leak(self) -> float:
        """The share of θ that may be left within F: a basis is only as good as F's condition allows."""
        if self.index.size == 0 or "_decomposition" not in vars(self):
            return 0.0
        _basis, values = self._decomposition
        return max(self._rows.n_rows, self.index.size) * _EPSILON * float(values[0] / values[-1])

    @property
    def _rows(self) -> LeastSquares:
        assert isinstance(self.problem, LeastSquares)
        return self.problem

    def _violation(self, g: FloatArray) -> float:
        """Measure how far the correlations with F are from feasible."""
        return float(np.max(g[self.index] if self.positive else np.abs(g[self.index]), initial=0.0))

    def _projected(self, theta: FloatArray) -> FloatArray:
        problem, index = self._rows, self.index
        if problem.n_rows * index.size > max(DENSE_LIMIT, problem.n_stored):
            columns = np.isin(np.arange(problem.n_features), index)
            none = np.zeros(columns.size)
            z, _n_iter = least_squares_by_lsmr(problem, theta[:, None], none, columns, _LSMR_LIMIT)
            return theta - problem.product(z)[:, 0]
        if self.positive:
            A = problem.columns(index)
            return theta - A @ _nonnegative(A, theta)
        for _ in range(2):  # the second time for the rounding of the first
            basis, _values = self._decomposition
            theta = theta - basis @ (basis.T @ theta)
        return theta

    @property
    def is_well_conditioned(self) -> bool:
        """Whether (AᵀA)_FF has a factor, and so no eigenvalue below ILL_CONDITIONED of its norm."""
        return self._factor is not None

    @cached_property
    def _factor(self) -> FloatArray | None:
        """Cholesky's factor L of the Gram matrix of F, unless F is too large or ill conditioned for it."""
        if self.problem.n_rows < 2 * self.index.size or self.index.size > _FACTOR_LIMIT:
            return None
        gram = self._gram[self.index]
        factor, info = linalg.lapack.dpotrf(gram, lower=True, clean=True)
        if info != 0 or linalg.lapack.dpocon(factor, linalg.norm(gram, 1), uplo="L")[0] < ILL_CONDITIONED:
            return None
        return factor

    @cached_property
    def _gram(self) -> FloatArray:
        return self.problem.gram(np.arange(self.problem.n_features), self.index)

    @cached_property
    def _decomposition(self) -> tuple[FloatArray, FloatArray]:
        """An orthonormal basis of F, and its singular values; what is below rounding does not count."""
        A = self._rows.columns(self.index)
        basis, values, _right = thin_svd(A)
        kept = values > values[0] * max(A.shape) * _EPSILON
        return basis[:, kept], values[kept]


def _nonnegative(A: FloatArray, b: FloatArray) -> FloatArray:
    """Find argmin over z ≥ 0 of ‖b − Az‖; zeros if it is not found."""
    try:
        return optimize.nnls(A, b, maxiter=30 * A.shape[1])[0]
    except RuntimeError:
        return np.zeros(A.shape[1])
