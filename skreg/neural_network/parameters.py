"""Checks of parameters: an error names the parameter, what came, and what would do."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from numbers import Integral, Real
from typing import Any

__all__ = ["check_flag", "check_integer", "check_number", "check_option", "layer_rates", "layer_sizes"]


def check_number(
    name: str, value: Any, low: float, high: float = math.inf, *, open_low: bool = False, open_high: bool = False
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


def check_flag(name: str, value: Any) -> None:
    """Raise an error unless `value` is True or False."""
    if not isinstance(value, bool) and type(value).__name__ not in {"bool", "bool_"}:
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


def layer_rates(dropout: Any, n_layers: int) -> list[float]:
    """Return the rate of dropout of each hidden layer; a number stands for all."""
    rates = _as_list(dropout) if _is_sequence(dropout) else [dropout] * n_layers
    if len(rates) != n_layers:
        raise ValueError(
            f"dropout has {len(rates)} rates for {n_layers} hidden layers: give one each, or a number for all."
        )
    for rate in rates if rates or _is_sequence(dropout) else [dropout]:
        check_number("dropout", rate, 0, 1, open_high=True)
    return [float(rate) for rate in rates]


def _is_sequence(value: Any) -> bool:
    return (isinstance(value, Sequence) and not isinstance(value, str)) or hasattr(value, "tolist")


def _as_list(value: Any) -> list[Any]:
    if hasattr(value, "tolist"):
        value = value.tolist()
    return list(value) if _is_sequence(value) else [value]
