"""Fits by moments: of one data set in chunks, or of whoever has gathered them."""

from __future__ import annotations

import numpy as np

from skreg.execution.blas import one_blas_thread
from skreg.execution.rollback import unchanged_on_failure
from skreg.linear_model._base import LinearModel, check_penalty_weights, check_sample_weight
from skreg.moments import Moments, dask_moments
from skreg.solvers.equivalent_rows import least_squares_of_moments

__all__ = ["FromMoments", "check_moments", "take_names"]


class FromMoments(LinearModel):
    """A linear estimator that is also fitted by the moments of its data, whole or in chunks.

    Attributes
    ----------
    moments_ : Moments
        What `partial_fit` and `fit_moments` have been given so far; `fit` keeps none.
    """

    def partial_fit(self, X, y, sample_weight=None):
        """Add rows to those gathered so far, and fit the coefficients to all of them.

        Not a stochastic step: whatever the chunks and their order, the coefficients are those of one `fit`
        of all rows, up to rounding. After `fit`, or on a new estimator, it starts anew. Each call solves, in
        time O(n_features³); `Moments.from_chunks` with `fit_moments` solves once.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            More rows, with the columns and the dtype of those before.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Their target.
        sample_weight : float or array-like of shape (n_samples,), optional
            Weights sᵢ ≥ 0 of the squared errors; all zero only where there are rows from before.

        Returns
        -------
        self : object
            The fitted estimator; what has been gathered is its `moments_`.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data are out of range or of the wrong kind, or do not go with the rows
            before; the estimator and its `moments_` are then left as they were.

        Warns
        -----
        ConvergenceWarning
            If the duality gap is above `tol`.
        """
        with unchanged_on_failure(self):
            before = getattr(self, "moments_", None)
            X, y = self._check_data(X, y, reset=before is None)
            weights = check_sample_weight(sample_weight, X.shape[0], none_counts=before is not None)
            chunk = Moments.from_data(
                X,
                y,
                weights,
                centred=bool(self.fit_intercept),
                feature_names=getattr(self, "feature_names_in_", None),
            )
            check_moments(chunk)
            self._fit_to(chunk if before is None else before + chunk, flat=y.ndim == 1)
        return self

    def fit_moments(self, moments):
        """Fit the coefficients to the rows that moments were taken of.

        Parameters
        ----------
        moments : Moments
            Weight, means and products of the data, `centred` if there is an intercept. The dtype of
            `coef_` is theirs.

        Returns
        -------
        self : object
            The fitted estimator, whose `moments_` they now are: `partial_fit` goes on from them.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, or the moments are of no rows or not centred as `fit_intercept`
            says; an earlier fit is then left as it was.

        Warns
        -----
        ConvergenceWarning
            If the duality gap is above `tol`.

        Notes
        -----
        `dual_gap_` has room for what the moments have rounded: about a digit more than ε of the null
        model's objective, more where large coefficients cancel each other.
        """
        with unchanged_on_failure(self):
            check_moments(moments, self.fit_intercept)
            take_names(self, moments)
            self._fit_to(moments, flat=moments.n_targets == 1)
        return self

    def _fit_collections(self, X, y, sample_weight):
        self._check_parameters()
        with one_blas_thread():  # where Dask's tasks are threads of this process
            moments = dask_moments(X, y, sample_weight, centred=bool(self.fit_intercept))
        check_moments(moments)
        take_names(self, moments)
        self._fit_to(moments, flat=y.ndim == 1)
        del self.moments_  # like every other fit
        return self

    def _fit_to(self, moments: Moments, *, flat: bool) -> None:
        self._check_parameters()
        check_penalty_weights(
            self.penalty_weights, moments.n_features, getattr(self, "feature_names_in_", None)
        )
        problem = least_squares_of_moments(moments)
        penalty = self._fitted_penalty(problem)
        solution = self._solve(problem, penalty)
        self._warn_unless_converged(solution, problem)
        self._store(solution, problem, penalty, dtype=moments.dtype, flat=flat)
        self.moments_ = moments

    def _store(self, *args, **kwargs) -> None:
        super()._store(*args, **kwargs)
        vars(self).pop("moments_", None)  # whatever was fitted now was not fitted by those


def check_moments(moments, fit_intercept=None) -> None:
    """Raise an error unless these are moments that can be fitted, centred as `fit_intercept` says."""
    if not isinstance(moments, Moments):
        raise TypeError(
            f"moments must be a skreg.Moments, such as Moments.from_data(X, y); got {type(moments).__name__}."
        )
    if not (np.all(np.isfinite(np.diag(moments.gram))) and np.all(np.isfinite(moments.yy))):
        raise ValueError(
            "X or y has numbers too large to square in float64, or that are not numbers. "
            "Divide them by a constant."
        )
    if fit_intercept is not None and bool(fit_intercept) != moments.centred:
        raise ValueError(
            f"fit_intercept={fit_intercept!r} needs moments with centred={bool(fit_intercept)}; these are "
            f"{'about the means' if moments.centred else 'about zero'}."
        )


def take_names(estimator, moments: Moments) -> None:
    """Set what scikit-learn's estimators know of the columns that they were fitted on."""
    estimator.n_features_in_ = moments.n_features
    vars(estimator).pop("feature_names_in_", None)
    if moments.feature_names is not None:
        estimator.feature_names_in_ = np.array(moments.feature_names, dtype=object)
