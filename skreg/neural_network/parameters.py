"""Checks of parameters: an error names the parameter, what came, and what would do."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from skreg.neural_network.network import ACTIVATIONS
from skreg.neural_network.optimizers import SCHEDULES

__all__ = [
    "check_flag",
    "check_integer",
    "check_number",
    "check_option",
    "check_parameters",
    "dropout_rates",
    "is_flag",
    "layer_sizes",
]


# Of the rate of the first hidden layer, where the inputs have none of their own.
_INPUT_SHARE = 0.5


def check_number(
    name: str,
    value: Any,
    low: float,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> None:
    """Raise an error unless `value` is a finite number between the bounds."""
    wanted = f"a number {'>' if open_low else '≥'} {low:g}"
    if high < math.inf:
        wanted += f" and {'<' if open_high else '≤'} {high:g}"
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be {wanted}, got {value!r}.")
    number = float(value)
    above = number > low if open_low else number >= low
    below = number < high if open_high else number <= high
    if not (math.isfinite(number) and above and below):
        raise ValueError(f"{name} must be {wanted}, got {value!r}.")


def check_integer(name: str, value: Any, low: int) -> None:
    """Raise an error unless `value` is an integer from `low` on."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer ≥ {low}, got {value!r}.")
    if value < low:
        raise ValueError(f"{name} must be an integer ≥ {low}, got {value!r}.")


def is_flag(value: Any) -> bool:
    """Tell whether `value` is True or False, Python's or NumPy's."""
    return isinstance(value, bool | np.bool_)


def check_flag(name: str, value: Any) -> None:
    """Raise an error unless `value` is True or False."""
    if not is_flag(value):
        raise TypeError(f"{name} must be True or False, got {value!r}.")


def check_option(name: str, value: Any, options: Collection[Any]) -> None:
    """Raise an error unless `value` is one of a few."""
    if not any(value is option or (isinstance(value, str) and value == option) for option in options):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}.")


def layer_sizes(hidden_layer_sizes: Any) -> list[int]:
    """Return the numbers of hidden units as a list; a number stands for one layer."""
    sizes = _as_list(hidden_layer_sizes)
    for size in sizes:
        check_integer("hidden_layer_sizes", size, 1)
    return [int(size) for size in sizes]


def dropout_rates(input_dropout: Any, dropout: Any, n_layers: int) -> tuple[float, list[float]]:
    """Return the rate of dropout of the inputs and of each hidden layer; a number stands for all layers.

    Where nothing is said of the inputs, they are dropped at half the rate of the first hidden layer.
    """
    given = _as_list(dropout)
    rates = given if _is_sequence(dropout) else given * n_layers
    if len(rates) != n_layers:
        raise ValueError(
            f"dropout has {len(rates)} rates for {n_layers} hidden layers: give one each, or a number."
        )
    for rate in given:
        check_number("dropout", rate, 0, 1, open_high=True)
    if input_dropout is None:
        input_dropout = _INPUT_SHARE * rates[0] if rates else 0.0
    check_number("input_dropout", input_dropout, 0, 1, open_high=True)
    return float(input_dropout), [float(rate) for rate in rates]


def _is_sequence(value: Any) -> bool:
    # NumPy's scalars are none, though they have arrays' methods.
    return (isinstance(value, Sequence) and not isinstance(value, str)) or getattr(value, "ndim", 0) > 0


def _as_list(value: Any) -> list[Any]:
    if hasattr(value, "tolist"):
        value = value.tolist()
    return list(value) if _is_sequence(value) else [value]


def check_parameters(estimator: Any) -> None:
    """Raise an error unless every parameter that classifier and regressor share is in range."""
    n_layers = len(layer_sizes(estimator.hidden_layer_sizes))
    check_integer("n_estimators", estimator.n_estimators, 1)
    input_rate, rates = dropout_rates(estimator.input_dropout, estimator.dropout, n_layers)
    check_option("activation", estimator.activation, ACTIVATIONS)
    check_option("solver", estimator.solver, ("adamw", "sgd", "lbfgs"))
    check_option("schedule", estimator.schedule, tuple(SCHEDULES))
    for name in ("l1", "l2", "weight_decay", "tol"):
        check_number(name, getattr(estimator, name), 0)
    if estimator.max_norm is not None:
        check_number("max_norm", estimator.max_norm, 0, open_low=True)
    check_number("learning_rate", estimator.learning_rate, 0, open_low=True)
    check_number("momentum", estimator.momentum, 0, 1, open_high=True)
    check_integer("batch_size", estimator.batch_size, 1)
    check_integer("max_iter", estimator.max_iter, 1)
    check_integer("n_iter_no_change", estimator.n_iter_no_change, 1)
    check_number("validation_fraction", estimator.validation_fraction, 0, 1, open_low=True, open_high=True)
    for name in ("bootstrap", "early_stopping", "warm_start"):
        check_flag(name, getattr(estimator, name))
    if not is_flag(estimator.standardize):
        check_option("standardize", estimator.standardize, ("auto", True, False))
    if estimator.n_jobs is not None:
        check_integer("n_jobs", estimator.n_jobs, -(2**31))
        if estimator.n_jobs == 0:
            raise ValueError("n_jobs must be None or an integer other than 0, got 0.")
    if estimator._wants_out_of_bag and not estimator.bootstrap:
        raise ValueError(
            "oob_score and calibrate='oob' need bootstrap=True, got bootstrap=False: without it every "
            "member is trained on every row."
        )
    if estimator.solver == "lbfgs":
        unfit = [
            ("dropout", any(rates), "0"),
            ("input_dropout", input_rate > 0 and not any(rates), "0"),
            ("max_norm", estimator.max_norm is not None, "None"),
            ("early_stopping", estimator.early_stopping, "False"),
        ]
        for name, is_set, instead in unfit:
            if is_set:
                raise ValueError(
                    f'solver="lbfgs" minimises one fixed objective and knows no {name}: got '
                    f"{name}={getattr(estimator, name)!r}; set {name}={instead}, or use adamw or sgd."
                )
