"""What each page opens with. The pages hold no numbers of their own: these are written into them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

__all__ = ["constants_of"]

# Two standardised features, their correlation, and an estimate of which the Lasso sets one to zero.
_PRIOR_OPENING = {
    "l1_ratio": 1.0,
    "alpha": 0.5,
    "sigma": 2.0,
    "n_rows": 10,
    "center": [1.0, 0.3],
    "correlation": 0.5,
}
_GAUSS_LEGENDRE_NODES = 16

_HIDDEN_LAYERS = (16, 16, 16)
_RATES = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
_OPENING_RATE = 0.5
_SIGNAL_UNITS = 100
_GRID_POINTS = 61
_DIGITS = 6  # of weights, whose rounding no picture shows


def constants_of(name: str) -> dict[str, Any]:
    """Give the constants of a page, ready for JSON.

    Parameters
    ----------
    name : {"penalty", "prior", "dropout"}
        The page.

    Returns
    -------
    dict
        Numbers, and lists of them.
    """
    return _CONSTANTS[name]()


def _penalty() -> dict[str, Any]:
    from skreg.inspection import geometry

    return {
        "center": list(geometry.OPENING_CENTER),
        "angle": geometry.OPENING_ANGLE,
        "curvatures": list(geometry.OPENING_CURVATURES),
        "l1_ratio": geometry.OPENING_L1_RATIO,
        "radius": geometry.OPENING_RADIUS,
    }


def _prior() -> dict[str, Any]:
    nodes, weights = np.polynomial.legendre.leggauss(_GAUSS_LEGENDRE_NODES)
    return {**_PRIOR_OPENING, "nodes": nodes.tolist(), "weights": weights.tolist()}


@cache
def _dropout() -> dict[str, Any]:
    """Train the networks that the page thins, one a rate, on a wave and noise: about a second."""
    from skreg.neural_network import BaggedDropoutMLPRegressor

    rng = np.random.default_rng(0)
    x = rng.uniform(-1.0, 1.0, 100)
    y = np.sin(3.5 * x) + 0.15 * rng.standard_normal(x.size)
    networks = []
    for rate in _RATES:
        model = BaggedDropoutMLPRegressor(
            _HIDDEN_LAYERS,
            n_estimators=1,
            bootstrap=False,
            dropout=rate,
            input_dropout=0.0,
            learning_rate=0.01,
            max_iter=1000,
            random_state=1,
        ).fit(x[:, None], y)
        networks.append(
            {
                "rate": rate,
                "coefs": [coef[0].T.round(_DIGITS).tolist() for coef in model.coefs_],
                "intercepts": [intercept[0].round(_DIGITS).tolist() for intercept in model.intercepts_],
            }
        )
    return {
        "networks": networks,
        "x": x.round(3).tolist(),
        "y": y.round(3).tolist(),
        "grid": np.linspace(-1.0, 1.0, _GRID_POINTS).tolist(),
        "rate": _OPENING_RATE,
        "signal_units": _SIGNAL_UNITS,
    }


_CONSTANTS: dict[str, Callable[[], dict[str, Any]]] = {
    "penalty": _penalty,
    "prior": _prior,
    "dropout": _dropout,
}
