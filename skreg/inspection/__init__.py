"""Seeing it: Displays of penalties, paths, posteriors, selections, errors and networks.

As in scikit-learn, a Display's constructor holds arrays, ``from_estimator`` computes them and draws,
``from_result`` draws what a function of skreg returned, ``plot(ax=None)`` draws again, and ``frame()``
tabulates what is drawn. Importing this loads no matplotlib; drawing does (``pip install 'skreg[plot]'``).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Loaded one by one, since some of them need the networks and some the posteriors.
_HOME = {
    "BiasVarianceDisplay": "bias_variance",
    "ComparisonDisplay": "comparison",
    "DropoutDisplay": "dropout",
    "MAPAgreementDisplay": "agreement",
    "PenaltyGeometryDisplay": "penalty",
    "PosteriorDisplay": "posterior",
    "RegularizationPathDisplay": "path",
    "StabilityDisplay": "stability",
}

__all__ = [
    "BiasVarianceDisplay",
    "ComparisonDisplay",
    "DropoutDisplay",
    "MAPAgreementDisplay",
    "PenaltyGeometryDisplay",
    "PosteriorDisplay",
    "RegularizationPathDisplay",
    "StabilityDisplay",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # found once, an ordinary attribute from then on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
