"""The posterior of an estimator, in ArviZ's own container.

ArviZ is imported when a function here is called, not before. Before 1.0 its container is an InferenceData,
since then an xarray DataTree: `uses_datatree` asks which, for whatever differs. The groups are built as
xarray's data sets, in half the time that ArviZ's conversion of dictionaries takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
from scipy import sparse

from skreg import __version__
from skreg.bayes.diagnostics import check_convergence, check_plug_in
from skreg.bayes.draws import Draws
from skreg.bayes.noise import Noise, NoiseModel, noise_model
from skreg.bayes.predictive import pointwise_log_likelihood, posterior_predictive
from skreg.bayes.priors import describe_prior
from skreg.bayes.sampling import sample
from skreg.linear_model.energy import Energy, energy_of
from skreg.linear_model.moment_energy import energy_of_collections, energy_of_moments
from skreg.moments import Moments
from skreg.moments.collections import is_dask_collection

__all__ = [
    "check_extend",
    "group_of",
    "posterior",
    "to_arviz",
    "uses_datatree",
]

_EXTENSIONS = ("log_likelihood", "posterior_predictive")


def posterior(
    estimator: Any,
    X: Any = None,
    y: Any = None,
    *,
    moments: Moments | None = None,
    noise: Noise = None,
    noise_prior: tuple[float, float] | None = None,
    method: str = "auto",
    draws: int = 1000,
    tune: int | None = None,
    chains: int = 4,
    sample_weight: Any = None,
    alpha_prior: tuple[float, float] | None = None,
    random_state: Any = None,
    n_jobs: int | None = None,
    progressbar: bool = False,
    extend: Sequence[str] = (),
    nuts_sampler: str = "pymc",
    nuts_kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """Draw from the posterior whose mode the estimator's coefficients are.

    Parameters
    ----------
    estimator : estimator
        Ridge, Lasso or ElasticNet of skreg or scikit-learn, one of their CV forms, or a Pipeline of
        transformers ending in one. A fitted one is taken as it is; one that is not fitted is cloned and
        fitted.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        The data as given to the estimator's `fit`. Of a Dask Array or DataFrame the moments are taken, in one
        pass on the cluster, and what is said of `moments` holds.
    y : array-like of shape (n_samples,)
        Target.
    moments : Moments, optional
        In place of X, y and `sample_weight`: those of the rows, of whatever number, at the same cost. For
        Ridge, Lasso, ElasticNet and their CV forms outside of a Pipeline; one that is not fitted must be
        skreg's, and no CV form.
    noise : float, {"variance-scaled", "plug-in"}, SDScaled or None, default=None
        σ if it is known, or a contract for an unknown one, as in `to_pymc`. None is ``"plug-in"`` where the
        fit leaves residual degrees of freedom to estimate σ from and the prior that σ̂ then scales keeps σ
        near it, else ``"variance-scaled"``.
    noise_prior : tuple of two floats, optional
        (a0, b0) of σ² ~ InvGamma(a0, b0); by default weak and scaled to y (`noise_model`). (0, 0) is the
        improper 1/σ², for every method but "nuts".
    method : {"auto", "exact", "gibbs", "nuts"}, default="auto"
        The engine. "exact": independent draws of a ridge's posterior. "gibbs": the lasso, the elastic net,
        and coefficients confined to be ≥ 0. "nuts": PyMC's sampler on the model of `to_pymc`. "auto" takes
        "exact" where it will do, else "gibbs".
    draws : int, default=1000
        Draws a chain.
    tune : int or None, default=None
        Draws of warm-up a chain; None is 300 for "gibbs" and 1000 for "nuts".
    chains : int, default=4
        Number of chains.
    sample_weight : array-like of shape (n_samples,), optional
        Precisions sᵢ ≥ 0: yᵢ has variance σ²/sᵢ. Rows of weight 0 are left out.
    alpha_prior : tuple of two floats, optional
        (shape, rate) of alpha ~ Gamma(shape, rate), which is then sampled along as ``alpha``.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None, default=None
        An int gives the same draws each time, whatever `n_jobs` is.
    n_jobs : int or None, default=None
        Chains at once; joblib's meaning.
    progressbar : bool, default=False
        Whether to show the progress.
    extend : sequence of {"log_likelihood", "posterior_predictive"}, default=()
        Groups to add, each of as many numbers as there are draws times rows.
    nuts_sampler : {"pymc", "nutpie", "numpyro", "blackjax"}, default="pymc"
        Which implementation ``method="nuts"`` uses.
    nuts_kwargs : mapping, optional
        Passed to `pymc.sample` by ``method="nuts"``, such as ``{"target_accept": 0.95}``.

    Returns
    -------
    arviz.InferenceData or xarray.DataTree
        The container of the installed ArviZ (DataTree since 1.0), with the groups ``posterior`` (``coef``, in
        the units of the columns that the estimator's last step sees; ``intercept``, ``sigma``, and ``alpha``
        if sampled), ``sample_stats``, ``observed_data`` (``y``), ``constant_data`` (a dense ``X``,
        ``sample_weight``, and ``coef_estimate``, the estimator's own coefficients) and those of `extend`.
        Dimensions are ``chain``, ``draw``, ``feature`` and ``row``. From `moments` there are neither rows nor
        ``observed_data``. Attributes record the estimator, prior,
        noise contract, engine, seed and versions.

    Raises
    ------
    TypeError, ValueError
        If the estimator cannot be translated, has several targets or an improper prior (alpha = 0), or a
        parameter is out of range; with `moments`, if ``method="nuts"`` or `extend` ask for the rows.

    Warns
    -----
    ConvergenceWarning
        If R-hat is above 1.01 or a bulk- or tail-ESS below 400, naming the variables.
    UserWarning
        If under ``noise="plug-in"`` the prior that σ̂ scales contradicts the estimator's coefficients.

    See Also
    --------
    to_pymc : The model as a PyMC model.
    compare : Several estimators' posteriors side by side.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Lasso
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> found = posterior(Lasso(alpha=0.1), X, y, random_state=0)
    >>> coef = found["posterior"]["coef"]
    >>> dict(coef.sizes)
    {'chain': 4, 'draw': 1000, 'feature': 10}
    >>> bool((coef.sel(feature="bmi") > 0).all())
    True
    """
    extend = check_extend(extend)
    if moments is None:
        if X is None or y is None:
            raise TypeError("posterior needs X and y, or moments=: the data, whole or as Moments.")
        energy: Energy
        if is_dask_collection(X, y, sample_weight):
            _check_rows_not_asked_for(extend)
            energy = energy_of_collections(estimator, X, y, sample_weight)
        else:
            energy = energy_of(estimator, X, y, sample_weight)
    else:
        if any(part is not None for part in (X, y, sample_weight)):
            raise TypeError("moments stand in place of X, y and sample_weight: give those or these.")
        energy = energy_of_moments(estimator, moments)
        _check_rows_not_asked_for(extend)
    contract = noise_model(noise, noise_prior, energy, proper=method == "nuts")
    drawn = sample(
        energy,
        contract,
        method=method,
        draws=draws,
        tune=tune,
        chains=chains,
        random_state=random_state,
        n_jobs=n_jobs,
        alpha_prior=alpha_prior,
        progressbar=progressbar,
        nuts_sampler=nuts_sampler,
        nuts_kwargs=nuts_kwargs,
    )
    check_convergence(drawn, energy.feature_names, stacklevel=3)
    check_plug_in(drawn, contract, energy, stacklevel=3)
    return to_arviz(
        drawn, energy, contract, extend=extend, random_state=random_state, alpha_prior=alpha_prior
    )


def _check_rows_not_asked_for(extend: tuple[str, ...]) -> None:
    """Raise a ValueError if the groups wanted have a number for each row, which moments do not know."""
    reasons = {
        "log_likelihood": "the log likelihood of each row takes that row's X and y",
        "posterior_predictive": "a new y for each row takes that row's X",
    }
    for name in extend:
        raise ValueError(
            f"extend={name!r} cannot be had from moments, which are sums over rows: {reasons[name]}. "
            "Leave it out, or give X and y."
        )


def to_arviz(
    draws: Draws,
    energy: Energy,
    noise: NoiseModel,
    *,
    extend: Sequence[str] = (),
    random_state: Any = None,
    alpha_prior: tuple[float, float] | None = None,
) -> Any:
    """Put draws into ArviZ's container, with the data, and a record of what was drawn from.

    Parameters
    ----------
    draws : Draws
        The draws of an engine.
    energy : Energy
        What they were drawn for.
    noise : NoiseModel
        The noise contract they were drawn under.
    extend : sequence of {"log_likelihood", "posterior_predictive"}, default=()
        Groups to add.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None, default=None
        Seed of the posterior predictive draws; an int is recorded.
    alpha_prior : tuple of two floats, optional
        The prior that a sampled alpha had, to be recorded.

    Returns
    -------
    arviz.InferenceData or xarray.DataTree
        See `posterior`.
    """
    extend = check_extend(extend)
    along = "chain", "draw"
    coords = {
        "chain": np.arange(draws.n_chains),
        "draw": np.arange(draws.n_draws),
        "feature": np.array(energy.feature_names),
        "row": np.arange(energy.n_samples if energy.has_rows else 0),
    }
    variables = {
        "coef": ((*along, "feature"), draws.coef),
        "intercept": (along, draws.intercept),
        "sigma": (along, draws.sigma),
    }
    if draws.alpha is not None:
        variables["alpha"] = (along, draws.alpha)
    # Copies, so that the container keeps what was fitted whatever becomes of the caller's arrays.
    constant: dict[str, Any] = {"coef_estimate": (("feature",), energy.coef.copy())}
    groups = {
        "posterior": variables,
        "sample_stats": {name: (along, values) for name, values in draws.stats.items()},
        "constant_data": constant,
    }
    if energy.has_rows:
        groups["observed_data"] = {"y": (("row",), energy.y.copy())}
        constant["sample_weight"] = (("row",), energy.sample_weight.copy())
        if not sparse.issparse(energy.X):
            constant["X"] = (("row", "feature"), np.array(energy.X))
    over_rows = (*along, "row")
    if "log_likelihood" in extend:
        groups["log_likelihood"] = {"y": (over_rows, pointwise_log_likelihood(draws, energy))}
    if "posterior_predictive" in extend:
        new = posterior_predictive(
            draws, energy.X, sample_weight=energy.sample_weight, random_state=random_state
        )
        groups["posterior_predictive"] = {"y": (over_rows, new)}
    return _container(groups, coords, _record(draws, energy, noise, random_state, alpha_prior))


def check_extend(extend: Any) -> tuple[str, ...]:
    """Return `extend` as a tuple, or raise an error naming the groups that can be asked for."""
    names = (extend,) if isinstance(extend, str) else extend
    try:
        names = tuple(names)
    except TypeError:
        names = (extend,)
    if unknown := [name for name in names if name not in _EXTENSIONS]:
        raise ValueError(f"extend must be among {', '.join(_EXTENSIONS)}; got {unknown[0]!r}.")
    return names


def _record(
    draws: Draws, energy: Energy, noise: NoiseModel, random_state: Any, alpha_prior: Any
) -> dict[str, Any]:
    """Attributes that say what was drawn from and how: numbers, words and arrays of numbers."""
    penalty = energy.penalty
    sigma = noise.sigma if noise.sigma is not None else float(np.median(draws.sigma))
    record: dict[str, Any] = {
        "created_at": datetime.now(UTC).isoformat(),
        "inference_library": "skreg",
        "inference_library_version": __version__,
        "estimator": energy.label,
        "alpha": energy.alpha,
        "l1_strength": penalty.l1,
        "l2_strength": penalty.l2,
        "positive": int(penalty.positive),
        "fit_intercept": int(energy.fit_intercept),
        "n_rows": energy.n_samples,
        "total_weight": energy.total_weight,
        "prior": describe_prior(penalty, sigma, noise.rate),
        "noise": str(noise),
        "noise_contract": noise.contract,
        "method": draws.method,
    }
    if penalty.factors is not None:
        record["penalty_weights"] = np.array(penalty.factors, dtype=np.float64)
    if noise.sigma is not None:
        record["noise_sigma"] = noise.sigma
    if noise.prior is not None:
        record["noise_prior"] = np.array(noise.prior)
    if noise.rate is not None:
        record["noise_rate"] = noise.rate
    if alpha_prior is not None:
        record["alpha_prior"] = np.array(alpha_prior, dtype=np.float64)
    for name, value in draws.settings.items():
        if isinstance(value, bool | np.bool_):
            value = int(value)
        numeric = isinstance(value, int | float | np.number)
        record[name] = value if numeric else str(value)
    record["random_state"] = (
        int(random_state) if isinstance(random_state, int | np.integer) else type(random_state).__name__
    )
    for library in ("arviz", "numpy", "scikit-learn"):
        record[f"{library.replace('-', '_')}_version"] = version(library)
    if draws.method == "nuts":
        record["pymc_version"] = version("pymc")
    return record


def _container(groups: Mapping[str, Any], coords: Mapping[str, Any], attrs: dict[str, Any]) -> Any:
    """Make the container of the installed ArviZ; the attributes are those of the whole and of `posterior`."""
    import xarray as xr

    datasets: dict[str, Any] = {}
    for group, variables in groups.items():
        used = {dim for dims, _values in variables.values() for dim in dims}
        datasets[group] = xr.Dataset(
            variables,
            coords={dim: values for dim, values in coords.items() if dim in used},
            attrs=attrs if group == "posterior" else None,
        )
    if uses_datatree():
        return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **datasets})
    import arviz as az

    return az.InferenceData(attrs=attrs, **datasets)


def uses_datatree() -> bool:
    """Ask whether the installed ArviZ is 1.0 or later, with xarray's DataTree for its container."""
    return int(version("arviz").partition(".")[0]) >= 1


def group_of(container: Any, group: str) -> Any:
    """Return a group of ArviZ's container as an xarray Dataset, or None if it has no such group.

    Parameters
    ----------
    container : arviz.InferenceData or xarray.DataTree
        ArviZ's container, of any version.
    group : str
        The group's name.

    Returns
    -------
    xarray.Dataset or None
        The group.
    """
    if uses_datatree():
        return container[group].to_dataset() if group in container.children else None
    return container[group] if group in container.groups() else None
