"""The one translation from a linear estimator to the energy it minimises.

    E(w, b) = ½ Σᵢ sᵢ (yᵢ − xᵢᵀw − b)² + λ₁‖w‖₁ + ½λ₂‖w‖²

Whatever asks an estimator what it minimises (its prior, its certificate, its picture) asks here, and
nobody else unpacks an estimator.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn import get_config, preprocessing
from sklearn import linear_model as sklearn_linear_model
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skreg.linear_model._base import LinearModel, check_sample_weight
from skreg.linear_model.ridge import Ridge
from skreg.linear_model.ridge_cv import RidgeCV
from skreg.penalties import L2, ElasticNetPenalty

__all__ = [
    "Energy",
    "as_seen_by_final_step",
    "column_scale",
    "energy_of",
    "fitted_estimator",
    "solution_of",
]

_ACCEPTED = (
    "Ridge, Lasso and ElasticNet of skreg and of scikit-learn, RidgeCV, LassoCV and ElasticNetCV, "
    "a Pipeline of transformers ending in one of them, or a fitted search over one (such as GridSearchCV)"
)


@dataclass(frozen=True, eq=False, repr=False)
class Energy:
    """What a fitted linear estimator minimises: a penalty, the data it sees, and their names.

    Parameters
    ----------
    penalty : ElasticNetPenalty
        λ₁, λ₂, per-feature factors and the sign constraint, in the units of E.
    X : ndarray or sparse matrix of shape (n_samples, n_features), float64
        The rows of positive weight, as the linear estimator sees them (after a pipeline's transformers).
    y : ndarray of shape (n_samples,), float64
        Target of those rows.
    sample_weight : ndarray of shape (n_samples,), float64
        sᵢ > 0; ones if the caller gave none.
    fit_intercept : bool
        Whether b is free (True) or zero.
    feature_names : tuple of str
        One name per column of X.
    coef : ndarray of shape (n_features,), float64
        The estimator's own coefficients.
    intercept : float
        The estimator's own intercept.
    label : str
        The estimator as a person would write it, such as ``Lasso(alpha=0.05)``.
    tol : float or None
        The estimator's own tolerance, if it has one.
    alpha_scale : float
        λ₁ + λ₂ at alpha = 1, both linear in it: 1 for Ridge, S for Lasso and ElasticNet.
    """

    penalty: ElasticNetPenalty
    X: NDArray[np.float64] | sparse.csr_array
    y: NDArray[np.float64]
    sample_weight: NDArray[np.float64]
    fit_intercept: bool
    feature_names: tuple[str, ...]
    coef: NDArray[np.float64]
    intercept: float
    label: str
    tol: float | None = None
    alpha_scale: float = 1.0

    def __repr__(self) -> str:
        return (
            f"Energy({self.label}: λ₁ = {self.penalty.l1:.6g}, λ₂ = {self.penalty.l2:.6g}, "
            f"{self.n_samples} rows, {self.n_features} features)"
        )

    @property
    def alpha(self) -> float:
        """scikit-learn's alpha, given or chosen by the estimator."""
        return (self.penalty.l1 + self.penalty.l2) / self.alpha_scale

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return self.X.shape[1]

    @property
    def n_samples(self) -> int:
        """n₊, the number of rows of positive weight."""
        return self.X.shape[0]

    @property
    def has_rows(self) -> bool:
        """Whether X and y are the rows themselves, not others that have the same moments."""
        return True

    @cached_property
    def total_weight(self) -> float:
        """S = Σ sᵢ."""
        return float(self.sample_weight.sum())

    @cached_property
    def log_weight_sum(self) -> float:
        """Σ log sᵢ."""
        return float(np.log(self.sample_weight).sum())

    @property
    def y_deviation(self) -> NDArray[np.float64]:
        """Each row's y − ȳ."""
        return self.y - self.y_mean

    @cached_property
    def y_mean(self) -> float:
        """The weighted mean of y, or 0 without an intercept."""
        return float(self.sample_weight @ self.y / self.total_weight) if self.fit_intercept else 0.0

    @cached_property
    def X_mean(self) -> NDArray[np.float64]:
        """The weighted column means of X, or zeros without an intercept, of shape (n_features,)."""
        if not self.fit_intercept:
            return np.zeros(self.n_features)
        return np.asarray(self.X.T @ self.sample_weight).ravel() / self.total_weight

    def best_intercept(self, coef: NDArray[np.float64]) -> float:
        """Return the b that minimises E given w, ȳ − x̄ᵀw; 0 without an intercept."""
        return float(self.y_mean - self.X_mean @ coef)

    def residual(self, coef: NDArray[np.float64], intercept: float | None = None) -> NDArray[np.float64]:
        """Return the residual y − Xw − b of each row, at the best intercept unless one is given."""
        b = self.best_intercept(coef) if intercept is None else intercept
        return self.y - np.asarray(self.X @ coef).ravel() - b

    def value(self, coef: NDArray[np.float64], intercept: float | None = None) -> float:
        """Return the energy E(w, b), at the best intercept unless one is given."""
        r = self.residual(coef, intercept)
        return 0.5 * float(self.sample_weight @ r**2) + self.penalty.value(coef)

    @cached_property
    def null_value(self) -> float:
        """The energy of the model without features, ½ Σ s (y − ȳ)²."""
        return 0.5 * float(self.sample_weight @ self.y_deviation**2)


def energy_of(estimator, X, y, sample_weight=None) -> Energy:
    """Translate a linear estimator, ours or scikit-learn's, into the energy it minimises.

    Parameters
    ----------
    estimator : estimator
        Ridge, Lasso or ElasticNet of skreg or scikit-learn, one of their CV forms, or a Pipeline of
        transformers ending in one; a fitted search (with `best_estimator_`), also at the end of a
        Pipeline, stands for its best estimator. If it is not fitted, a clone is fitted on
        (X, y, sample_weight); a fitted one is taken exactly as it is.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        The data as given to the estimator's `fit`.
    y : array-like of shape (n_samples,)
        Target.
    sample_weight : array-like of shape (n_samples,), optional
        Weights sᵢ ≥ 0, as given to the estimator's `fit`.

    Returns
    -------
    Energy
        Penalty, data, names and the estimator's own coefficients.

    Raises
    ------
    TypeError
        If the estimator is none of those above.
    ValueError
        If it was fitted on several targets, or the data do not fit it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Lasso
    >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([0.0, 1.0, 2.0])
    >>> energy = energy_of(Lasso(alpha=0.5), X, y)
    >>> energy.label, energy.penalty.l1  # λ₁ = nα
    ('Lasso(alpha=0.5)', 1.5)
    """
    target = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    if target.ndim == 2 and target.shape[1] > 1:
        raise ValueError(
            f"y has {target.shape[1]} targets; this takes one: fit and pass each target by itself."
        )
    target = target.ravel()
    weights = check_sample_weight(sample_weight, len(target))

    fitted = fitted_estimator(estimator, X, y, sample_weight)
    data, names = as_seen_by_final_step(fitted, X)
    if data.shape[0] != target.size:
        raise ValueError(f"X has {data.shape[0]} rows and y has {target.size}; they must be as many.")
    kept = weights > 0
    if not kept.all():
        data, target, weights = data[kept], target[kept], weights[kept]
    found = solution_of(fitted, float(weights.sum()))
    return Energy(X=data, y=target, sample_weight=weights, feature_names=names, **found)


def solution_of(fitted, total_weight: float) -> dict[str, Any]:
    """Take from a fitted estimator what an `Energy` has besides the data, by name.

    Parameters
    ----------
    fitted : estimator
        A fitted estimator that `energy_of` takes.
    total_weight : float
        S of the data.

    Returns
    -------
    dict
        penalty, fit_intercept, coef, intercept, label, tol and alpha_scale.

    Raises
    ------
    TypeError, ValueError
        If `energy_of` does not take it, or it was fitted on several targets.
    """
    final = _final_step(fitted)
    coef = np.asarray(final.coef_, dtype=np.float64)
    if coef.ndim == 2 and coef.shape[0] > 1:
        raise ValueError(
            f"The estimator was fitted on {coef.shape[0]} targets; this takes one: fit each by itself."
        )
    return {
        "penalty": _penalty_of(final, total_weight),
        "fit_intercept": bool(final.fit_intercept),
        "coef": coef.ravel(),
        "intercept": float(np.asarray(final.intercept_, dtype=np.float64).ravel()[0]),
        "label": _label_of(final),
        "tol": getattr(final, "tol", None),
        "alpha_scale": 1.0 if isinstance(final, _RIDGES) else total_weight,
    }


def fitted_estimator(estimator, X, y, sample_weight=None):
    """Return the estimator if it is fitted, else a fitted clone of it.

    Parameters
    ----------
    estimator : estimator
        One that `energy_of` takes.
    X, y, sample_weight
        As given to the estimator's `fit`.

    Returns
    -------
    estimator
        Fitted.

    Raises
    ------
    TypeError
        If `energy_of` does not take it.
    """
    _final_step(estimator)  # refuses what it cannot take before fitting it
    return estimator if _is_fitted(estimator) else _fit(clone(estimator), X, y, sample_weight)


def column_scale(fitted) -> NDArray[np.float64]:
    """Find what a pipeline's scalers divide the columns of X by: coef / scale is in the units of X.

    Parameters
    ----------
    fitted : estimator
        A fitted estimator that `energy_of` takes.

    Returns
    -------
    ndarray of shape (n_features,)
        The divisor of each column; ones without a pipeline.

    Raises
    ------
    ValueError
        If a step is none of StandardScaler, RobustScaler, MaxAbsScaler and MinMaxScaler, naming it.
    """
    final, scale = _final_step(fitted), np.float64(1.0)
    while fitted is not final:
        for name, step in fitted.steps[:-1] if isinstance(fitted, Pipeline) else ():
            if step is None or step == "passthrough":
                continue
            if type(step) not in _DIVISORS:
                raise ValueError(
                    f"The coefficients cannot be taken back to the units of X through step {name!r}, "
                    f"{step!r}: only {', '.join(kind.__name__ for kind in _DIVISORS)} are undone."
                )
            divisor = _DIVISORS[type(step)](step)
            if divisor is not None:  # None for a scaler that only shifts
                scale = scale * divisor
        fitted = _open(fitted)
    return np.broadcast_to(scale, np.asarray(final.coef_).shape[-1:])


_DIVISORS = {
    preprocessing.StandardScaler: lambda scaler: scaler.scale_,
    preprocessing.RobustScaler: lambda scaler: scaler.scale_,
    preprocessing.MaxAbsScaler: lambda scaler: scaler.scale_,
    preprocessing.MinMaxScaler: lambda scaler: 1.0 / scaler.scale_,
}


def _sklearn_ridge(estimator, total_weight: float) -> ElasticNetPenalty:
    # It may have an alpha for each of its targets, here one.
    return L2(float(np.ravel(estimator.alpha)[0]), positive=estimator.positive)


# scikit-learn's own estimators and the penalty that each means on data of total weight S. Exact types,
# since MultiTaskLasso is a Lasso to isinstance and minimises something else.
_SKLEARN_PENALTIES = {
    sklearn_linear_model.Ridge: _sklearn_ridge,
    sklearn_linear_model.RidgeCV: lambda e, S: L2(float(np.ravel(e.alpha_)[0])),
    sklearn_linear_model.Lasso: lambda e, S: ElasticNetPenalty.from_alpha(
        float(e.alpha), 1.0, S, positive=e.positive
    ),
    sklearn_linear_model.ElasticNet: lambda e, S: ElasticNetPenalty.from_alpha(
        float(e.alpha), float(e.l1_ratio), S, positive=e.positive
    ),
    sklearn_linear_model.LassoCV: lambda e, S: ElasticNetPenalty.from_alpha(
        float(e.alpha_), 1.0, S, positive=e.positive
    ),
    sklearn_linear_model.ElasticNetCV: lambda e, S: ElasticNetPenalty.from_alpha(
        float(e.alpha_), float(e.l1_ratio_), S, positive=e.positive
    ),
}
# Their alpha does not grow with the weight of the data; every other estimator's does.
_RIDGES = (Ridge, RidgeCV, sklearn_linear_model.Ridge, sklearn_linear_model.RidgeCV)


def _penalty_of(final, total_weight: float) -> ElasticNetPenalty:
    if isinstance(final, LinearModel):
        return final._penalty(total_weight)
    return _SKLEARN_PENALTIES[type(final)](final, total_weight)


def _final_step(estimator):
    """Find the linear estimator at the end of pipelines and searches; a TypeError lists what can be taken."""
    inner = _open(estimator)
    while inner is not estimator:
        estimator, inner = inner, _open(inner)
    if not isinstance(estimator, LinearModel) and type(estimator) not in _SKLEARN_PENALTIES:
        raise TypeError(f"estimator must be one of {_ACCEPTED}; got {estimator!r}.")
    return estimator


def _open(estimator):
    """Take a pipeline's last step, a search's best estimator, or else the estimator itself."""
    if isinstance(estimator, Pipeline) and estimator.steps:
        return estimator.steps[-1][1]
    return getattr(estimator, "best_estimator_", estimator)


def _is_fitted(estimator) -> bool:
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def _fit(estimator, X, y, sample_weight):
    """Fit with the weights handed to the final step, however deep in pipelines it is."""
    if sample_weight is None:
        return estimator.fit(X, y)
    if get_config()["enable_metadata_routing"]:
        return estimator.fit(X, y, sample_weight=sample_weight)
    step, prefix = estimator, ""
    while isinstance(step, Pipeline):
        name, step = step.steps[-1]
        prefix += f"{name}__"
    return estimator.fit(X, y, **{f"{prefix}sample_weight": sample_weight})


def as_seen_by_final_step(fitted, X):
    """Return X as the last step of a fitted estimator sees it.

    Parameters
    ----------
    fitted : estimator
        A fitted estimator that `energy_of` takes.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Data as given to the estimator's `predict`.

    Returns
    -------
    X : ndarray or sparse matrix, float64
        After the pipelines' transformers.
    names : tuple of str
        Names of its columns.
    """
    names = getattr(X, "columns", None)
    final = _final_step(fitted)
    while fitted is not final:
        if isinstance(fitted, Pipeline) and len(fitted) > 1:
            transformers, input_names = fitted[:-1], names
            X = transformers.transform(X)
            names = getattr(X, "columns", None)
            if names is None:
                try:
                    names = transformers.get_feature_names_out(input_names)
                except (AttributeError, ValueError):
                    names = None  # a transformer that cannot name its output
        fitted = _open(fitted)
    accept_sparse = ["csr"] if get_tags(final).input_tags.sparse else False
    # With reset=False it holds X against what the estimator was fitted on: width and names.
    data = validate_data(final, X, accept_sparse=accept_sparse, dtype=np.float64, reset=False)
    names = getattr(final, "feature_names_in_", names)
    if names is None:
        names = [f"x{j}" for j in range(data.shape[1])]
    return data, tuple(str(name) for name in names)


def _label_of(final) -> str:
    """Write the estimator with the alpha (and l1_ratio) it settled on."""
    shown, parameters = [], final.get_params(deep=False)
    for name in ("alpha", "l1_ratio"):
        value = np.ravel(getattr(final, f"{name}_", parameters.get(name)))
        if name in parameters or hasattr(final, f"{name}_"):
            shown.append(f"{name}={float(value[0]):.6g}")
    return f"{type(final).__name__}({', '.join(shown)})"
