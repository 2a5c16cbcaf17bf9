"""From a penalised estimator to its prior, its posterior, its PyMC model, and a certificate that they agree.

Importing this loads neither PyMC nor ArviZ; what needs them loads them when called.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# No submodule has the name of something in it: importing one would put the module in its place.
_HOME = {
    "AlphaChoices": "alpha",
    "BayesianRegressor": "regressor",
    "ElasticNetPrior": "priors",
    "GaussianPrior": "priors",
    "LaplacePrior": "priors",
    "MAPAgreement": "agreement",
    "ModelComparison": "comparison",
    "NoiseModel": "noise",
    "SDScaled": "noise",
    "choose_alpha": "alpha",
    "compare": "comparison",
    "map_agreement": "agreement",
    "noise_model": "noise",
    "posterior": "container",
    "prior_of": "priors",
    "random_variable": "model",
    "to_pymc": "model",
}

__all__ = [
    "AlphaChoices",
    "BayesianRegressor",
    "ElasticNetPrior",
    "GaussianPrior",
    "LaplacePrior",
    "MAPAgreement",
    "ModelComparison",
    "NoiseModel",
    "SDScaled",
    "choose_alpha",
    "compare",
    "map_agreement",
    "noise_model",
    "posterior",
    "prior_of",
    "random_variable",
    "to_pymc",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # found once, an ordinary attribute from then on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
