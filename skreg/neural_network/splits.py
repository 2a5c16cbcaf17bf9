"""The rows that early stopping is judged by."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["validation_split"]

Array = np.ndarray[Any, np.dtype[Any]]


def validation_split(
    strata: Array, rows: Array, fraction: float, generator: np.random.Generator
) -> tuple[Array, Array]:
    """Set a share of the rows aside, in every stratum that share of its rows, and never its only one.

    Parameters
    ----------
    strata : ndarray of int of shape (n,)
        The class of each row.
    rows : ndarray of int of shape (n,)
        Their numbers.
    fraction : float
        The share, in (0, 1).
    generator : Generator
        Which rows they are.

    Returns
    -------
    training, validation : ndarray of int
        Sorted row numbers.

    Raises
    ------
    ValueError
        If there are too few rows for both.
    """
    shuffled = generator.permutation(len(rows))
    by_stratum = shuffled[np.argsort(strata[shuffled], kind="stable")]
    sorted_strata = strata[by_stratum]
    # A stratum's first row stays; of the others in turn, one is taken whenever the share passes a whole
    # number.
    is_first = np.r_[True, sorted_strata[1:] != sorted_strata[:-1]]
    others = by_stratum[~is_first]
    wanted = max(1, math.floor(fraction * len(rows)))
    if len(others) < 1:
        raise ValueError(
            f"early_stopping=True sets validation_fraction={fraction:g} of the rows aside, and there are "
            "only "
            f"{len(rows)} rows, one a class. Use early_stopping=False."
        )
    wanted = min(wanted, len(others))
    steps = np.floor(np.arange(1, len(others) + 1) * (wanted / len(others)) + 1e-9).astype(int)
    taken = others[np.diff(steps, prepend=0) > 0]
    is_validation = np.zeros(len(rows), dtype=bool)
    is_validation[taken] = True
    return np.sort(rows[~is_validation]), np.sort(rows[is_validation])
