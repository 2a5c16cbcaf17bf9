"""Sample weights, as every estimator here takes them."""

from __future__ import annotations

import sys
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

__all__ = ["check_sample_weight"]


def check_sample_weight(
    sample_weight: Any, n_samples: int, *, none_counts: bool = False
) -> NDArray[np.float64]:
    """Return the weights as float64 of shape (n_samples,), or raise an error unless they are finite and ≥ 0.

    None stands for ones and a number for that number on every row; at least one weight is positive, unless
    it may be that none counts.
    """
    if sample_weight is None:
        return np.ones(n_samples)
    if isinstance(sample_weight, Real) and not isinstance(sample_weight, bool):
        sample_weight = np.full(n_samples, float(sample_weight))
    try:
        weights = check_array(
            sample_weight, ensure_2d=False, ensure_min_samples=0, dtype=np.float64, input_name="sample_weight"
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight must be a number ≥ 0, or one a row: {error}") from error
    if weights.shape != (n_samples,):
        raise ValueError(f"sample_weight has shape {weights.shape}, expected ({n_samples},): one a row.")
    if np.any(weights < 0):
        raise ValueError(
            f"sample_weight must be ≥ 0 everywhere, got negative values down to {weights.min():g}."
        )
    if not np.any(weights > 0):
        if none_counts:
            return weights
        raise ValueError("sample_weight is zero on every row; at least one weight must be positive.")
    with np.errstate(over="ignore"):  # looked for below
        total = float(weights.sum())
    if not sys.float_info.min <= total <= sys.float_info.max:
        raise ValueError(
            f"sample_weight sums to {total:g}, beyond what float64 computes with: multiply it by a constant."
        )
    return weights
