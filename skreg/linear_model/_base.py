"""What the linear estimators share: validation, prediction, tags, and a fit that fails without a trace."""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skreg.penalties import ElasticNetPenalty
from skreg.solvers.certificate import dual_gap
from skreg.solvers.least_squares import LeastSquares, least_squares
from skreg.solvers.solution import Solution

__all__ = ["LinearModel", "check_number", "check_sample_weight", "unchanged_on_failure"]


class LinearModel(MultiOutputMixin, RegressorMixin, BaseEstimator, metaclass=ABCMeta):
    """A linear estimator that minimises one energy: validation in, certified coefficients out."""

    @abstractmethod
    def penalty(self, total_weight: float) -> ElasticNetPenalty:
        """The penalty λ₁‖w‖₁ + ½λ₂‖w‖² that this estimator's alpha means on data of weight S.

        Parameters
        ----------
        total_weight : float
            S = Σ sᵢ, the number of rows without weights.

        Returns
        -------
        ElasticNetPenalty
            In the units of the energy ½ Σ s (y − Xw − b)² + penalty.
        """

    @abstractmethod
    def _solve(self, problem: LeastSquares, penalty: ElasticNetPenalty) -> Solution:
        """Minimise the energy of every target."""

    def _gap_scale(self, total_weight: float) -> float:
        """What one unit of the energy E is in scikit-learn's objective for this estimator."""
        return 1.0 / total_weight

    def fit(self, X, y, sample_weight=None):
        """Fit the coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training data. float32 stays float32 in `coef_`; everything is solved in float64.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target.
        sample_weight : float or array-like of shape (n_samples,), optional
            Weights sᵢ ≥ 0 of the squared errors, not all zero. Rows of weight 0 do not count.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data are out of range; an earlier fit is then left as it was.
        """
        with unchanged_on_failure(self):
            self._check_parameters()
            X, y = validate_data(
                self,
                X,
                y,
                accept_sparse=["csr", "csc"],
                dtype=[np.float64, np.float32],
                multi_output=True,
                y_numeric=True,
            )
            weights = check_sample_weight(sample_weight, X.shape[0])
            targets = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
            problem = least_squares(X, targets, weights, fit_intercept=self.fit_intercept)
            penalty = self.penalty(float(weights.sum()))
            solution = self._solve(problem, penalty)
            self._store(solution, problem, penalty, dtype=X.dtype, one_target=y.ndim == 1)
        return self

    def predict(self, X):
        """Predict Xw + b.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Data, with the columns seen in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions, in the units of y.
        """
        check_is_fitted(self)
        X = validate_data(
            self, X, accept_sparse=["csr", "csc", "coo"], dtype=[np.float64, np.float32], reset=False
        )
        return X @ self.coef_.T + self.intercept_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.single_output = True
        return tags

    def _check_parameters(self) -> None:
        check_number("alpha", self.alpha, low=0)
        check_number("tol", self.tol, low=0)
        check_number("max_iter", self.max_iter, low=1, kind=Integral)
        for name in ("fit_intercept", "positive"):
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise ValueError(f"{name} must be True or False, got {getattr(self, name)!r}.")

    def _store(
        self,
        solution: Solution,
        problem: LeastSquares,
        penalty: ElasticNetPenalty,
        *,
        dtype: np.dtype,
        one_target: bool,
    ) -> None:
        """Keep the solution in X's dtype, with the certificate of what is kept."""
        coef = solution.coef
        gap = solution.dual_gap
        if dtype != np.float64:
            with np.errstate(over="ignore"):
                coef = coef.astype(dtype)
            gap = dual_gap(problem, coef.astype(np.float64), penalty)
        relative = solution.dual_gap / np.where(problem.null_value > 0, problem.null_value, 1.0)
        if np.any(relative > self.tol):
            warnings.warn(
                f"{type(self).__name__} did not converge in max_iter={self.max_iter} iterations: the "
                f"duality gap is {np.max(relative):.3g} of the null model's objective, above "
                f"tol={self.tol:g}. Increase max_iter, increase alpha, or standardise the features.",
                ConvergenceWarning,
                stacklevel=3,
            )
        intercept = problem.intercept(coef.astype(np.float64)).astype(dtype)
        gap = gap * self._gap_scale(problem.total_weight)
        if one_target:
            self.coef_ = coef[0]
            self.intercept_ = intercept[0] if self.fit_intercept else 0.0
            self.n_iter_ = int(solution.n_iter[0])
            self.dual_gap_ = float(gap[0])
        else:
            self.coef_ = coef
            self.intercept_ = intercept if self.fit_intercept else 0.0
            self.n_iter_ = solution.n_iter
            self.dual_gap_ = gap


class SparseCoefficients:
    """Adds `sparse_coef_` to an estimator whose penalty makes exact zeros."""

    @property
    def sparse_coef_(self) -> sparse.csr_array:
        """`coef_` as a SciPy CSR array of shape (n_targets, n_features)."""
        check_is_fitted(self)
        return sparse.csr_array(np.atleast_2d(self.coef_))


@contextmanager
def unchanged_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """Leave the estimator as it was if the block raises: nothing fitted is lost by a failed call."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def check_number(name: str, value, *, low: float, high: float = np.inf, kind: type = Real) -> None:
    """Raise an error naming the parameter unless `value` is a finite `kind` in [low, high]."""
    wanted = "an integer" if kind is Integral else "a number"
    bounds = f"≥ {low:g}" if high == np.inf else f"between {low:g} and {high:g}"
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name} must be {wanted} {bounds}, got {value!r}.")
    if not (np.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} must be {wanted} {bounds}, got {value!r}.")


def check_sample_weight(sample_weight, n_samples: int) -> np.ndarray:
    """Sample weights as float64 of shape (n_samples,): non-negative, finite, not all zero.

    None stands for ones and a number for that number on every row.
    """
    if sample_weight is None:
        return np.ones(n_samples)
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, float(sample_weight))
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.shape != (n_samples,):
        raise ValueError(f"sample_weight has shape {weights.shape}, expected ({n_samples},): one a row.")
    if np.any(weights < 0):
        raise ValueError(
            f"sample_weight must be ≥ 0 everywhere, got negative values down to {weights.min():g}."
        )
    if not np.any(weights > 0):
        raise ValueError("sample_weight is zero on every row; at least one weight must be positive.")
    return weights
