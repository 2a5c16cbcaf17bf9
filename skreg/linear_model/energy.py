"""The one translation from a linear estimator to the energy it minimises.

    E(w, b) = ½ Σᵢ sᵢ (yᵢ − xᵢᵀw − b)² + λ₁‖w‖₁ + ½λ₂‖w‖²

Whatever asks an estimator what it minimises (its prior, its certificate, its picture) asks here, and
nobody else unpacks an estimator.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config, preprocessing
from sklearn import linear_model as sklearn_linear_model
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skreg.linear_model._base import LinearModel, check_sample_weight
from skreg.linear_model._energy import Energy
from skreg.linear_model.ridge import Ridge
from skreg.linear_model.ridge_cv import RidgeCV
from skreg.penalties import L2, ElasticNetPenalty

__all__ = [
    "Energy",
    "as_seen_by_final_step",
    "column_scale",
    "energy_of",
    "final_step",
    "fitted_estimator",
    "solution_of",
]

_ACCEPTED = (
    "Ridge, Lasso and ElasticNet of skreg and of scikit-learn, RidgeCV, LassoCV and ElasticNetCV, "
    "a Pipeline of transformers ending in one of them, or a fitted search over one (such as GridSearchCV)"
)


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
    final = final_step(fitted)
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
    final_step(estimator)  # refuses what it cannot take before fitting it
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
    final, scale = final_step(fitted), np.float64(1.0)
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


def final_step(estimator):
    """Find the linear estimator at the end of pipelines and searches.

    Parameters
    ----------
    estimator : estimator
        Fitted or not.

    Returns
    -------
    estimator
        One of skreg's linear estimators or scikit-learn's.

    Raises
    ------
    TypeError
        If `energy_of` does not take it; the message lists what it does.
    """
    inner = _open(estimator)
    while inner is not estimator:
        estimator, inner = inner, _open(inner)
    if not isinstance(estimator, LinearModel) and type(estimator) not in _SKLEARN_PENALTIES:
        raise TypeError(f"estimator must be one of {_ACCEPTED}; got {estimator!r}.")
    return estimator


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
    final = final_step(fitted)
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
