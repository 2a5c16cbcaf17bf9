"""What the linear estimators share: validation, prediction, tags, and a fit that fails without a trace."""

from __future__ import annotations

import math
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg.execution.rollback import unchanged_on_failure
from skreg.moments.collections import is_dask_collection
from skreg.moments.weights import check_sample_weight
from skreg.penalties import ElasticNetPenalty
from skreg.solvers.certificate import dual_gap
from skreg.solvers.least_squares import LeastSquares, least_squares
from skreg.solvers.solution import Solution

__all__ = [
    "LinearModel",
    "Penalties",
    "check_coverage",
    "check_finite",
    "check_flag",
    "check_number",
    "check_penalty_weights",
    "check_sample_weight",
    "how_it_ended",
]


# One penalty for every target, or one for each.
Penalties = ElasticNetPenalty | Sequence[ElasticNetPenalty]


class LinearModel(MultiOutputMixin, RegressorMixin, BaseEstimator, metaclass=ABCMeta):
    """A linear estimator that minimises one energy: validation in, certified coefficients out."""

    # The parameters that are True or False.
    _flags: tuple[str, ...] = ("fit_intercept", "positive")

    # Private, like what scikit-learn's estimators compute with: `penalty` is a parameter's name there, and
    # `energy_of(estimator, X, y).penalty` is the public way to the same object.
    @abstractmethod
    def _penalty(self, total_weight: float) -> ElasticNetPenalty:
        """Translate alpha into the penalty λ₁‖w‖₁ + ½λ₂‖w‖² of the energy E, on data of weight S."""

    @abstractmethod
    def _solve(self, problem: LeastSquares, penalty: Penalties) -> Solution:
        """Minimise the energy of every target."""

    def _gap_scale(self, total_weight: float) -> float:
        """Return what one unit of the energy E is in scikit-learn's objective for this estimator."""
        return 1.0 / total_weight

    def fit(self, X, y, sample_weight=None):
        """Fit the coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training data. float32 stays float32 in `coef_`; everything is solved in float64. A Dask Array or
            DataFrame is fitted by its moments, in one pass on the cluster (`skreg.moments.dask_moments`).
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target. A single column counts as one target, as in scikit-learn's Ridge and Lasso: `coef_` has
            shape (n_features,) and `predict` returns (n_samples,); only `intercept_` keeps shape (1,).
        sample_weight : float or array-like of shape (n_samples,), optional
            Weights sᵢ ≥ 0 of the squared errors, not all zero. Rows of weight 0 do not count.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data are out of range or of the wrong kind; an earlier fit is then left
            as it was.

        Warns
        -----
        ConvergenceWarning
            If the duality gap is above `tol`; the message has the gap and what to do about it.
        """
        with unchanged_on_failure(self):
            if is_dask_collection(X, y, sample_weight):
                return self._fit_collections(X, y, sample_weight)
            X, y, _weights, problem = self._validate(X, y, sample_weight)
            penalty = self._fitted_penalty(problem)
            solution = self._solve(problem, penalty)
            self._warn_unless_converged(solution, problem)
            self._store(solution, problem, penalty, dtype=X.dtype, flat=y.ndim == 1)
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
            Predictions, in the units of y. For a Dask Array or DataFrame a Dask Array, not yet computed.
        """
        check_is_fitted(self)
        if is_dask_collection(X):
            return self._predict_lazily(X)
        X = validate_data(
            self, X, accept_sparse=["csr", "csc", "coo"], dtype=[np.float64, np.float32], reset=False
        )
        return X @ self.coef_.T + self.intercept_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _fit_collections(self, X, y, sample_weight):
        """Fit Dask's collections."""
        raise NotImplementedError

    def _predict_lazily(self, X):
        from skreg.moments.dask import by_rows, header

        validate_data(self, header(X), reset=False, skip_check_array=True)
        coef, intercept = self.coef_, self.intercept_
        return by_rows(
            lambda rows: rows @ coef.T + intercept,
            X,
            n_outputs=None if coef.ndim == 1 else len(coef),
            dtype=coef.dtype,
        )

    def _validate(self, X, y, sample_weight) -> tuple[Any, np.ndarray, np.ndarray, LeastSquares]:
        """Check parameters and data; return X and y as arrays, the weights and the data term."""
        self._check_parameters()
        X, y = self._check_data(
            X, y, ensure_all_finite=not isinstance(X, np.ndarray)
        )  # a pass over X: see below
        check_penalty_weights(self.penalty_weights, X.shape[1], getattr(self, "feature_names_in_", None))
        weights = check_sample_weight(sample_weight, X.shape[0])
        targets = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        problem = least_squares(X, targets, weights, fit_intercept=self.fit_intercept)
        check_finite(X, weights, problem, type(self).__name__)
        return X, y, weights, problem

    def _check_data(self, X, y, **options) -> tuple[Any, np.ndarray]:
        """Check X and y by scikit-learn's rules; options are those of `validate_data`."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=True,
            **options,
        )
        return X, self._check_targets(y)

    @property
    def _max_iter(self) -> int:
        return self.max_iter

    def _fitted_penalty(self, problem: LeastSquares) -> Penalties:
        """Return the penalty that a fit minimises with, or that of each target."""
        return self._penalty(problem.total_weight)

    def _check_parameters(self) -> None:
        self._check_alpha()
        check_number("tol", self.tol, low=0)
        check_number("max_iter", self._max_iter, low=1, kind=Integral)
        for name in self._flags:
            check_flag(name, getattr(self, name))

    def _check_alpha(self) -> None:
        check_number("alpha", self.alpha, low=0)

    def _check_targets(self, y):
        """Refuse or reshape targets that this estimator does not take; here none."""
        return y

    def _warn_unless_converged(self, solution: Solution, problem: LeastSquares) -> None:
        if np.all(solution.dual_gap <= self.tol * problem.null_value):
            return
        relative = solution.dual_gap / np.where(problem.null_value > 0, problem.null_value, 1.0)
        failed = ~(relative <= self.tol)  # a gap that is not a number is not small
        if not failed.any():
            return
        worst = int(np.argmax(np.where(failed, relative, -np.inf)))
        end, cure = how_it_ended(solution.n_iter[worst], self._max_iter)
        warnings.warn(
            f"{type(self).__name__} {end}: the duality gap is {relative[worst]:.3g} of the null model's "
            f"objective, above tol={float(self.tol):g}. Increase {cure}, or standardise the features.",
            ConvergenceWarning,
            stacklevel=3,
        )

    def _store(
        self,
        solution: Solution,
        problem: LeastSquares,
        penalty: Penalties,
        *,
        dtype: np.dtype,
        flat: bool,
    ) -> None:
        """Keep the solution in X's dtype, with the certificate of what is kept."""
        coef, gap = solution.coef, solution.dual_gap
        intercept = problem.intercept(coef)
        if dtype != np.float64:
            with np.errstate(over="ignore", invalid="ignore"):  # looked for below
                coef = coef.astype(dtype)
                intercept = problem.intercept(coef.astype(np.float64)).astype(dtype)
            if not (np.all(np.isfinite(coef)) and np.all(np.isfinite(intercept))):
                raise ValueError(
                    f"The coefficients overflow X's dtype {dtype}: the largest is "
                    f"{np.max(np.abs(solution.coef)):.3g}. Pass X as float64, or y in smaller units."
                )
            kept = coef.astype(np.float64)
            gap = dual_gap(problem, kept, penalty)
            # The gap is that of the best intercept; E rises by ½S(b − b*)² at the rounded one.
            gap = gap + 0.5 * problem.total_weight * (intercept - problem.intercept(kept)) ** 2
        gap = gap + problem.intercept_slack(coef.astype(np.float64))
        gap = gap * self._gap_scale(problem.total_weight)
        one_target = problem.n_targets == 1
        self.coef_ = coef[0] if one_target else coef
        self.n_iter_ = int(solution.n_iter[0]) if one_target else solution.n_iter
        self.dual_gap_ = float(gap[0]) if one_target else gap
        if not self.fit_intercept:
            self.intercept_ = 0.0
        else:
            self.intercept_ = intercept[0] if flat else intercept


class SparseCoefficients:
    """Adds `sparse_coef_` to an estimator whose penalty makes exact zeros."""

    @property
    def sparse_coef_(self) -> sparse.csr_array:
        """`coef_` as a SciPy CSR array of shape (n_targets, n_features)."""
        check_is_fitted(self)
        return sparse.csr_array(np.atleast_2d(self.coef_))


def check_number(name: str, value, *, low: float, high: float = math.inf, kind: type = Real) -> None:
    """Raise an error naming the parameter unless `value` is a finite `kind` in [low, high]."""
    wanted = "an integer" if kind is Integral else "a number"
    bounds = f"≥ {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name} must be {wanted} {bounds}, got {value!r}.")
    try:
        number = float(value)
    except OverflowError:  # an integer beyond float64
        number = math.inf
    if not (math.isfinite(number) and low <= number <= high):
        raise ValueError(f"{name} must be {wanted} {bounds}, got {value!r}.")


def check_coverage(value) -> None:
    """Raise an error unless `coverage`, the probability of an interval, is strictly between 0 and 1."""
    check_number("coverage", value, low=0, high=1)
    if not 0 < value < 1:
        raise ValueError(f"coverage must be strictly between 0 and 1, got {value!r}.")


def check_finite(X, weights: np.ndarray, problem: LeastSquares, name: str | None = None) -> None:
    """Raise an error if X has NaN or infinity anywhere, or numbers that cannot be squared.

    Rows without weight do not count in the sums that `problem` has seen.
    """
    if problem.is_finite and np.all(weights > 0):
        return
    assert_all_finite(X.data if sparse.issparse(X) else X, estimator_name=name or "", input_name="X")
    if not problem.is_finite:
        sizes = abs(X).max(axis=0)
        largest = int(np.argmax(sizes.toarray() if sparse.issparse(sizes) else sizes))
        raise ValueError(
            f"X has numbers too large to square in float64: column {largest} reaches "
            f"{float(abs(X[:, [largest]]).max()):.3g}. Divide it by a constant."
        )


def check_flag(name: str, value) -> None:
    """Raise an error naming the parameter unless `value` is a boolean."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}.")


def how_it_ended(spent: int, max_iter: int) -> tuple[str, str]:
    """Say how a fit above its tolerance ended, and which parameters to increase."""
    if spent >= max_iter:
        return f"did not converge in max_iter={max_iter} iterations", "max_iter or alpha"
    # More of them would not help.
    return f"stopped at the limits of rounding, after {spent} iterations", "tol or alpha"


def check_penalty_weights(penalty_weights, n_features: int, feature_names=None) -> None:
    """Raise an error naming the parameter unless it is None or a finite factor ≥ 0 for each feature."""
    if penalty_weights is None:
        return
    index = getattr(penalty_weights, "index", None)
    by_name = index is not None and not callable(index) and all(isinstance(name, str) for name in index)
    if by_name and feature_names is not None and list(index) != list(feature_names):
        raise ValueError(
            "penalty_weights is a Series whose index is not the feature names in their order, got "
            f"{list(index)}; penalty_weights.loc[X.columns] would do."
        )
    try:
        factors = np.asarray(penalty_weights, dtype=np.float64)
        valid = factors.shape == (n_features,) and np.all(np.isfinite(factors) & (factors >= 0))
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ValueError(
            f"penalty_weights must be None or {n_features} finite numbers ≥ 0, one a feature (0 leaves it "
            f"unpenalised), got {penalty_weights!r}."
        )
