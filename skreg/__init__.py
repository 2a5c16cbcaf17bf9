"""skreg: regularised estimation for scikit-learn users, with its Bayesian view.

A contents page: every public name lives in the submodule named beside it and is loaded when first used.
"""

from importlib import import_module

__version__ = "0.1.0"

_CONTENTS = {
    "ElasticNet": "linear_model",
    "ElasticNetCV": "linear_model",
    "Energy": "linear_model",
    "Lasso": "linear_model",
    "LassoCV": "linear_model",
    "RegularizationPath": "linear_model",
    "Ridge": "linear_model",
    "RidgeCV": "linear_model",
    "energy_of": "linear_model",
    "regularization_path": "linear_model",
    "BayesianRegressor": "bayes",
    "ElasticNetPrior": "bayes",
    "GaussianPrior": "bayes",
    "LaplacePrior": "bayes",
    "MAPAgreement": "bayes",
    "ModelComparison": "bayes",
    "SDScaled": "bayes",
    "compare": "bayes",
    "choose_alpha": "bayes",
    "map_agreement": "bayes",
    "posterior": "bayes",
    "to_pymc": "bayes",
    "ElasticNetSelector": "feature_selection",
    "LassoSelector": "feature_selection",
    "PosteriorSelector": "feature_selection",
    "StabilitySelector": "feature_selection",
    "BiasVarianceDisplay": "inspection",
    "ComparisonDisplay": "inspection",
    "DropoutDisplay": "inspection",
    "MAPAgreementDisplay": "inspection",
    "PenaltyGeometryDisplay": "inspection",
    "PosteriorDisplay": "inspection",
    "RegularizationPathDisplay": "inspection",
    "StabilityDisplay": "inspection",
    "BiasVariance": "model_selection",
    "BiasVarianceCurve": "model_selection",
    "bias_variance_curve": "model_selection",
    "bias_variance_decomposition": "model_selection",
    "compare_regularizers": "model_selection",
    "BaggedDropoutMLPClassifier": "neural_network",
    "BaggedDropoutMLPRegressor": "neural_network",
    "PredictiveUncertainty": "neural_network",
    "explore": "explorers",
    "ElasticNetPenalty": "penalties",
    "L1": "penalties",
    "L2": "penalties",
    "Moments": "moments",
}
_SUBMODULES = {
    "bayes",
    "explorers",
    "feature_selection",
    "inspection",
    "linear_model",
    "model_selection",
    "moments",
    "neural_network",
    "penalties",
    "solvers",
}

__all__ = sorted([*_CONTENTS, *_SUBMODULES])


def __getattr__(name):
    if name in _CONTENTS:
        return getattr(import_module(f"{__name__}.{_CONTENTS[name]}"), name)
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
