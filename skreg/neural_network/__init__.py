"""Multilayer perceptrons regularised by dropout and bagging.

A contents page, like skreg's own: each name is loaded from the file beside it when first used.
"""

from importlib import import_module

_CONTENTS = {
    "BaggedDropoutMLPClassifier": "classifier",
    "BaggedDropoutMLPRegressor": "regressor",
    "PredictiveUncertainty": "uncertainty",
}

__all__ = sorted(_CONTENTS)


def __getattr__(name):
    if name in _CONTENTS:
        return getattr(import_module(f"{__name__}.{_CONTENTS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
