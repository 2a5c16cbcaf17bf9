"""Bootstrap samples as counts, and predictions by the members that left a row out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["bootstrap_counts", "online_counts", "out_of_bag_mean"]

Array = np.ndarray[Any, np.dtype[Any]]


def bootstrap_counts(n: int, generators: Sequence[np.random.Generator]) -> Array:
    """Draw n of n rows with replacement for each member: how often each row was drawn, (K, n)."""
    return np.stack([np.bincount(generator.integers(0, n, n), minlength=n) for generator in generators])


def online_counts(n: int, generators: Sequence[np.random.Generator]) -> Array:
    """Draw the counts of rows of a stream: Poisson(1), the bootstrap's limit (Oza and Russell 2001)."""
    return np.stack([generator.poisson(1.0, n) for generator in generators])


def out_of_bag_mean(outputs: Array, counts: Array) -> tuple[Array, Array]:
    """Average each row over the members that did not train on it.

    Parameters
    ----------
    outputs : ndarray of shape (K, n, n_outputs)
        Of every member.
    counts : ndarray of shape (K, n)
        How often the member trained on the row.

    Returns
    -------
    mean : ndarray of shape (n, n_outputs)
        Zero where every member trained on the row.
    known : ndarray of shape (n,)
        Whether any member did not.
    """
    left_out = counts == 0
    how_many = left_out.sum(axis=0)
    total = np.einsum("knc,kn->nc", outputs, left_out.astype(outputs.dtype))
    return total / np.maximum(how_many, 1)[:, None].astype(outputs.dtype), how_many > 0
