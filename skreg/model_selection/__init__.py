"""What an estimator's error is made of, how it moves along a parameter, and ways to regularise side by side.

A contents page, like skreg's own: each name is loaded from the file beside it when first used.
"""

from importlib import import_module

_CONTENTS = {
    "BiasVariance": "decomposition",
    "BiasVarianceCurve": "decomposition",
    "bias_variance_curve": "bias_variance",
    "bias_variance_decomposition": "bias_variance",
    "compare_regularizers": "comparison",
}

__all__ = sorted(_CONTENTS)


def __getattr__(name):
    if name in _CONTENTS:
        return getattr(import_module(f"{__name__}.{_CONTENTS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
