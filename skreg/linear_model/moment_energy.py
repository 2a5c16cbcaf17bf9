"""The energy that an estimator minimises on data known by their moments alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skreg.execution.blas import one_blas_thread
from skreg.linear_model._cross_validated import CrossValidated
from skreg.linear_model._energy import Energy
from skreg.linear_model._streaming import FromMoments, check_moments
from skreg.linear_model.energy import solution_of
from skreg.moments import Moments, dask_moments
from skreg.solvers.equivalent_rows import equivalent_rows

__all__ = ["MomentEnergy", "energy_of_collections", "energy_of_moments"]


@dataclass(frozen=True, eq=False, repr=False)
class MomentEnergy(Energy):
    """An energy whose rows are not known: in their place are others with the same moments.

    `X` and `y` are deviations from the means, a few rows of one weight (`skreg.solvers.equivalent_rows`). All
    that is a sum over rows, the energy, its gradient, degrees of freedom, is that of the data.

    Parameters
    ----------
    moments : Moments
        Of the rows.
    """

    moments: Moments = None  # type: ignore[assignment]  # after fields with defaults

    @property
    def has_rows(self) -> bool:
        """No: the rows are not those that were observed."""
        return False

    @property
    def n_samples(self) -> int:
        """n₊, how many rows of positive weight the moments are of."""
        return self.moments.n_rows

    @property
    def log_weight_sum(self) -> float:  # type: ignore[override]
        """Σ log sᵢ of those rows."""
        return self.moments.log_weight_sum

    @cached_property
    def y_mean(self) -> float:
        """The weighted mean of their y, or 0 without an intercept."""
        return float(self.moments.y_mean[0])

    @cached_property
    def X_mean(self) -> NDArray[np.float64]:
        """The weighted means of their X, or zeros without an intercept."""
        return self.moments.x_mean

    @property
    def y_deviation(self) -> NDArray[np.float64]:
        """Y − ȳ of the rows that stand for them."""
        return self.y

    def residual(self, coef: NDArray[np.float64], intercept: float | None = None) -> NDArray[np.float64]:
        """Return residuals of the rows that stand for them, at the best intercept unless one is given."""
        r = self.y - self.X @ coef
        if intercept is None:
            return r
        if intercept != 0.0 and not self.fit_intercept:
            raise ValueError("Moments about zero do not know what an intercept would do.")
        return r + (self.best_intercept(coef) - intercept)


def energy_of_moments(estimator, moments: Moments) -> MomentEnergy:
    """Translate a linear estimator into the energy that it minimises on the rows that moments are of.

    Parameters
    ----------
    estimator : estimator
        One that `energy_of` takes, but no Pipeline. If it is not fitted, a clone is, by `fit_moments`; a
        fitted one is taken exactly as it is.
    moments : Moments
        Of one target, centred if the estimator has an intercept.

    Returns
    -------
    MomentEnergy
        Penalty, moments, names and the estimator's own coefficients.

    Raises
    ------
    TypeError
        If the estimator is none of those, or is not fitted and cannot be by moments.
    ValueError
        If the moments do not fit it.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg import Lasso, Moments
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 2.0])
    >>> energy_of_moments(Lasso(alpha=0.5), Moments.from_data(X, y))
    Energy(Lasso(alpha=0.5): λ₁ = 1.5, λ₂ = 0, 3 rows, 1 features)
    """
    check_moments(moments)
    if moments.n_targets > 1:
        raise ValueError(f"The moments are of {moments.n_targets} targets; this takes one.")
    found = solution_of(_fitted(estimator, moments), moments.total_weight)
    check_moments(moments, found["fit_intercept"])
    if found["coef"].size != moments.n_features:
        raise ValueError(
            f"The estimator was fitted on {found['coef'].size} features, and the moments are of "
            f"{moments.n_features}."
        )
    names = moments.feature_names or tuple(f"x{j}" for j in range(moments.n_features))
    X, y, weights = equivalent_rows(moments)
    return MomentEnergy(X=X, y=y[:, 0], sample_weight=weights, feature_names=names, moments=moments, **found)


def energy_of_collections(estimator, X, y, sample_weight=None) -> MomentEnergy:
    """Translate a linear estimator into the energy that it minimises on Dask's collections.

    One pass takes the moments; an estimator that is not fitted is cloned and fitted by them, one of skreg's
    CV forms by those of its folds.

    Parameters
    ----------
    estimator : estimator
        One that `energy_of_moments` takes.
    X, y, sample_weight
        As for `skreg.moments.dask_moments`.

    Returns
    -------
    MomentEnergy
        Penalty, moments, names and the estimator's own coefficients.
    """
    _check_is_no_pipeline(estimator)
    if isinstance(estimator, CrossValidated) and not hasattr(estimator, "coef_"):
        estimator = clone(estimator)
        folds = estimator._fold_moments(X, y, sample_weight)
        return energy_of_moments(estimator.fit_moments(folds), sum(folds[1:], start=folds[0]))
    with one_blas_thread():
        centred = bool(getattr(estimator, "fit_intercept", True))
        moments = dask_moments(X, y, sample_weight, centred=centred)
    return energy_of_moments(estimator, moments)


def _check_is_no_pipeline(estimator) -> None:
    if isinstance(estimator, Pipeline):
        raise TypeError(
            "A Pipeline transforms rows, which moments do not know: take the moments of the transformed "
            "rows, and pass pipeline[-1]."
        )


def _fitted(estimator, moments: Moments):
    _check_is_no_pipeline(estimator)
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        if isinstance(estimator, FromMoments):
            return clone(estimator).fit_moments(moments)
        raise TypeError(
            f"{type(estimator).__name__} is not fitted, and these moments alone cannot fit it: fit it first, "
            "or take skreg's Ridge, Lasso or ElasticNet."
        ) from None
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None and moments.feature_names is not None and tuple(names) != moments.feature_names:
        raise ValueError(
            "The estimator was fitted on other feature names, or in another order, than the moments have: "
            f"{list(names)[:5]} and {list(moments.feature_names)[:5]}."
        )
    return estimator
