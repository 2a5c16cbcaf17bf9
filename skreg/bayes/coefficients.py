"""Coefficients read out of ArviZ's container, of whatever version."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skreg.bayes.container import group_of

__all__ = ["DrawnCoefficients", "coefficients_of"]


class DrawnCoefficients(NamedTuple):
    """The coefficients of a container.

    Parameters
    ----------
    draws : ndarray of shape (n_chains * n_draws, n_features)
        Chain after chain.
    mode : ndarray of shape (n_features,)
        The estimator's own; NaN where there are none, or they are not the mode of what was drawn from.
    names : ndarray of shape (n_features,)
        Of the features; their numbers if the container names none.
    estimator : str or None
        The estimator in words, if it is on record.
    """

    draws: NDArray[np.float64]
    mode: NDArray[np.float64]
    names: NDArray[Any]
    estimator: str | None


def coefficients_of(name: str, container: Any) -> DrawnCoefficients:
    """Read the coefficients out of ArviZ's container.

    Parameters
    ----------
    name : str
        What an error is to call it.
    container : arviz.InferenceData or xarray.DataTree
        ArviZ's container, of any version.

    Returns
    -------
    DrawnCoefficients
        Draws, mode and names.

    Raises
    ------
    ValueError
        If its posterior has no variable ``coef``.
    """
    drawn = group_of(container, "posterior")
    if drawn is None or "coef" not in drawn:
        raise ValueError(f'The posterior of {name!r} must have a variable "coef".')
    coef = drawn["coef"]
    draws = coef.transpose("chain", "draw", ...).to_numpy()
    draws = draws.reshape(-1, draws.shape[-1])
    constant = group_of(container, "constant_data")
    known = constant is not None and "coef_estimate" in constant
    known = known and drawn.attrs.get("noise_contract") != "sd-scaled"  # whose mode is another Lasso's
    mode = constant["coef_estimate"].to_numpy() if known else np.full(draws.shape[1], np.nan)
    feature = next(dim for dim in reversed(coef.dims) if dim not in ("chain", "draw"))
    names = coef[feature].to_numpy() if feature in coef.coords else np.arange(draws.shape[1])
    return DrawnCoefficients(draws, mode, names, drawn.attrs.get("estimator"))
