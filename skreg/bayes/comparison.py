"""Several estimators' posteriors side by side: PSIS-LOO with stacking weights, and mean, median and mode.

ArviZ is imported when `compare` is called, not before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skreg.bayes.coefficients import coefficients_of
from skreg.bayes.container import group_of, posterior, uses_datatree
from skreg.bayes.diagnostics import ess_of_mean
from skreg.bayes.noise import Noise
from skreg.linear_model._base import check_flag
from skreg.linear_model.energy import column_scale, fitted_estimator

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ModelComparison", "compare"]

_WHY_NO_ZEROS = (
    "The mode is one point, where the joint density of all coefficients is highest, and the kinks of a\n"
    "Lasso's prior put many of its coefficients at exactly 0. A density gives any single value, 0 too, the\n"
    "probability zero: so means and medians, which go by probability, are (almost) never exactly 0."
)


@dataclass(frozen=True, eq=False, repr=False)
class ModelComparison:
    """What `compare` found.

    The coefficients of a Lasso are the mode of its posterior, and many of them are exactly zero. The
    posterior's mean and median are (almost) never: a posterior with a density gives any one value, zero too,
    the probability zero. What an exact zero of the mode says is that the joint density has a kink there and
    is highest; how much of the probability lies on either side of zero, and how far out, is in the draws
    (`posteriors`).

    Parameters
    ----------
    loo : pandas.DataFrame
        ArviZ's own comparison as it is: a row for each model, best first, with its expected log pointwise
        predictive density by PSIS-LOO, standard errors, and stacking weights.
    coef : pandas.DataFrame
        A row for each feature, and for each model the columns ``mean``, ``median`` (of the posterior) and
        ``mode`` (the estimator's coefficients); NaN where a posterior was given that has no mode to show.
    posteriors : dict
        Name to ArviZ container.
    """

    loo: pd.DataFrame
    coef: pd.DataFrame
    posteriors: dict[str, Any]

    def __repr__(self) -> str:
        return (
            f"PSIS-LOO, best first:\n{self.loo.to_string()}\n\n"
            "Coefficients: mean and median of the posterior, and its mode, the estimator's own:\n"
            f"{self.coef.to_string()}\n\n{_WHY_NO_ZEROS}"
        )


def compare(
    models: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    noise: Noise = None,
    noise_prior: tuple[float, float] | None = None,
    sample_weight: Any = None,
    draws: int = 1000,
    tune: int | None = None,
    chains: int = 4,
    random_state: Any = None,
    n_jobs: int | None = None,
    original_units: bool = False,
) -> ModelComparison:
    """Compare estimators by how well their posteriors predict rows left out, and show their coefficients.

    Parameters
    ----------
    models : mapping of str to estimator or ArviZ container
        Names, and for each an estimator that `posterior` takes or a posterior that it made with
        ``extend="log_likelihood"``.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        The data as given to the estimators' `fit`.
    y : array-like of shape (n_samples,)
        Target.
    noise, noise_prior, sample_weight, draws, tune, chains, random_state, n_jobs
        As in `posterior`, for each estimator.
    original_units : bool, default=False
        Whether to give the coefficients of a Pipeline in the units of the columns of X, by undoing its
        scaling (StandardScaler, RobustScaler, MaxAbsScaler, MinMaxScaler). The containers keep the scaled
        ones.

    Returns
    -------
    ModelComparison
        With the tables `loo` and `coef`, and the `posteriors`.

    Raises
    ------
    TypeError, ValueError
        If there are no models, an estimator cannot be translated, a posterior has no log likelihood, the
        models are not of the same y, or a pipeline cannot be taken back to the original units.

    Warns
    -----
    UserWarning
        By ArviZ, if the importance sampling of a model is unreliable (a Pareto k̂ too high).

    References
    ----------
    Vehtari, A., Gelman, A. and Gabry, J. (2017). Practical Bayesian model evaluation using leave-one-out
    cross-validation and WAIC, Statistics and Computing 27, 1413-1432; Yao, Y., Vehtari, A., Simpson, D. and
    Gelman, A. (2018). Using stacking to average Bayesian predictive distributions, Bayesian Analysis 13(3).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Lasso, Ridge
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> found = compare({"strong": Lasso(alpha=5.0), "weak": Lasso(alpha=0.05)}, X, y, random_state=0)
    >>> list(found.loo.index)
    ['weak', 'strong']
    >>> float(found.coef.loc["age", ("strong", "mode")])
    0.0
    """
    import pandas as pd

    check_flag("original_units", original_units)
    if not isinstance(models, Mapping) or not models:
        raise TypeError(f'models must be a dictionary such as {{"ridge": Ridge()}}; got {models!r}.')
    posteriors, tables = {}, {}
    for name, model in models.items():
        scale: Any = 1.0
        if _is_container(model):
            if original_units:
                raise ValueError(
                    f"original_units=True needs the pipeline of {name!r}, and a posterior was given: give "
                    "the estimator."
                )
            container = model
        else:
            fitted = fitted_estimator(model, X, y, sample_weight)
            if original_units:
                scale = column_scale(fitted)
            container = posterior(
                fitted,
                X,
                y,
                noise=noise,
                noise_prior=noise_prior,
                draws=draws,
                tune=tune,
                chains=chains,
                sample_weight=sample_weight,
                random_state=random_state,
                n_jobs=n_jobs,
                extend="log_likelihood",
            )
        posteriors[name] = container
        tables[name] = _coefficients(name, container, scale)
    _check_same_data(posteriors)
    coef = pd.concat(tables, axis=1, sort=False)
    return ModelComparison(loo=_loo_table(posteriors), coef=coef, posteriors=posteriors)


def _is_container(model: Any) -> bool:
    return hasattr(model, "groups") and not hasattr(model, "fit")


def _loo_table(posteriors: Mapping[str, Any]) -> pd.DataFrame:
    """Compare by ArviZ, all that a version's default or a user's settings could change being said."""
    import arviz as az

    # Since 1.0 the log score is the only one, and tables are rounded unless told otherwise.
    scale: dict[str, Any] = {} if uses_datatree() else {"scale": "log"}
    last: dict[str, Any] = {"round_to": "none"} if uses_datatree() else {"ic": "loo", "scale": "log"}
    pointwise = {
        # ArviZ would compute the effective sample sizes that this needs one variable at a time.
        name: az.loo(container, pointwise=True, reff=_relative_efficiency(container), **scale)
        for name, container in posteriors.items()
    }
    return az.compare(pointwise, method="stacking", **last)


def _coefficients(name: str, container: Any, scale: Any) -> pd.DataFrame:
    """Tabulate mean, median and mode of each coefficient, divided by `scale`."""
    import pandas as pd

    drawn = coefficients_of(name, container)
    if group_of(container, "log_likelihood") is None:
        raise ValueError(
            f"The posterior of {name!r} has no group log_likelihood, which LOO needs: make it with "
            'posterior(..., extend="log_likelihood").'
        )
    mean, median = drawn.draws.mean(axis=0), np.median(drawn.draws, axis=0)
    columns = {"mean": mean, "median": median, "mode": drawn.mode}
    table = {statistic: column / scale for statistic, column in columns.items()}
    return pd.DataFrame(table, index=pd.Index(drawn.names, name="feature"))


def _check_same_data(posteriors: Mapping[str, Any]) -> None:
    """Raise an error unless all models were fitted to the same y, with the same weights."""
    first = None
    for name, container in posteriors.items():
        observed, constant = group_of(container, "observed_data"), group_of(container, "constant_data")
        if observed is None:
            raise ValueError(f"The posterior of {name!r} has no group observed_data.")
        y = next(iter(observed.data_vars.values())).to_numpy()
        weights: NDArray[Any] = np.ones(y.shape)
        for key in ("sample_weight", "weight"):  # ours, and that of `to_pymc`'s model
            if constant is not None and key in constant:
                weights = constant[key].to_numpy()
        if first is None:
            first = name, y, weights
        for what, mine, theirs in (("y", y, first[1]), ("sample_weight", weights, first[2])):
            if mine.shape != theirs.shape or not np.array_equal(mine, theirs):
                raise ValueError(
                    f"The models must be of the same rows: {what} of {name!r}, of shape {mine.shape}, is not "
                    f"that of {first[0]!r}, of shape {theirs.shape}."
                )


def _relative_efficiency(container: Any) -> float:
    """Mean over the variables of effective sample size over number of draws, as ArviZ's `loo` computes it."""
    drawn = group_of(container, "posterior")
    if drawn.sizes["chain"] == 1:
        return 1.0
    values = [variable.transpose("chain", "draw", ...).to_numpy() for variable in drawn.data_vars.values()]
    ess = np.concatenate([ess_of_mean(value).ravel() for value in values])
    return float(ess.mean()) / (drawn.sizes["chain"] * drawn.sizes["draw"])
