"""Moments in a file: NumPy's `.npz`, without pickle, so that reading one executes nothing."""

from __future__ import annotations

import os
import zipfile
import zlib
from typing import Any

import numpy as np

__all__ = ["read", "write"]

_FORMAT = "skreg moments 1"
_NUMBERS = {"total_weight": float, "n_rows": int, "log_weight_sum": float, "centred": bool, "rounding": float}
_ARRAYS = ("x_mean", "x_mean_rest", "y_mean", "y_mean_rest", "gram", "xy", "yy")


def write(file: Any, parts: dict[str, Any]) -> None:
    """Write the fields of Moments, by name, to a file of `numpy.savez`."""
    stored = {name: value for name, value in parts.items() if value is not None}
    if "feature_names" in stored:
        stored["feature_names"] = np.array(stored["feature_names"], dtype=np.str_)
    stored["dtype"] = np.array(stored["dtype"].name)
    np.savez(file, format=np.array(_FORMAT), **stored)


def read(file: Any) -> dict[str, Any]:
    """Read the fields of Moments, or raise a ValueError that says what is wrong with the file."""
    wrong = f"{file!r} is not a file that Moments.save wrote"
    if isinstance(file, str | os.PathLike):
        with open(file, "rb") as opened:  # NumPy leaves one open that is no archive
            return read(opened)
    try:
        with np.load(file, allow_pickle=False) as archive:
            stored = {name: archive[name] for name in archive.files}
    except (AttributeError, EOFError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{wrong}: {error}") from error
    if missing := {"format", "dtype", *_NUMBERS, *_ARRAYS} - stored.keys():
        raise ValueError(f"{wrong}: it has no {', '.join(sorted(missing))}.")
    if str(stored["format"]) != _FORMAT:
        raise ValueError(f"{wrong}: its format is {str(stored['format'])!r}, and this reads {_FORMAT!r}.")
    parts: dict[str, Any] = {name: kind(stored[name]) for name, kind in _NUMBERS.items()}
    p, n_targets = stored["x_mean"].size, stored["y_mean"].size
    shapes = ((p,), (p,), (n_targets,), (n_targets,), (p, p), (p, n_targets), (n_targets,))
    for name, shape in zip(_ARRAYS, shapes, strict=True):
        array = stored[name]
        if array.shape != shape or array.dtype != np.float64:
            raise ValueError(f"{wrong}: {name} is {array.dtype} of shape {array.shape}, not float64 {shape}.")
        parts[name] = array
    names = stored.get("feature_names")
    if names is not None and names.shape != (p,):
        raise ValueError(f"{wrong}: it has {names.size} feature names and {p} features.")
    parts["feature_names"] = None if names is None else tuple(map(str, names))
    if str(stored["dtype"]) not in ("float32", "float64"):
        raise ValueError(f"{wrong}: its dtype is {str(stored['dtype'])!r}, neither float32 nor float64.")
    parts["dtype"] = np.dtype(str(stored["dtype"]))
    return parts
