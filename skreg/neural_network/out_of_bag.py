"""Bootstrap samples as counts, predictions by the members that left a row out, and their temperature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit, softmax

__all__ = ["bootstrap_counts", "fit_temperature", "online_counts", "out_of_bag_mean", "temper"]

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


def temper(probability: Array, temperature: float, output: str) -> Array:
    """Divide log-odds, or log probabilities before they are normalised again, by the temperature."""
    if temperature == 1.0:
        return probability
    tiny = np.finfo(probability.dtype).tiny
    if output == "softmax":
        return softmax(np.log(np.maximum(probability, tiny)) / temperature, axis=-1)
    inside = np.clip(probability, tiny, 1.0 - np.finfo(probability.dtype).epsneg)
    return expit(logit(inside) / temperature)


def fit_temperature(probability: Array, target: Array, weight: Array, output: str) -> float:
    """Find the temperature that minimises the weighted log loss (Guo et al. 2017).

    Parameters
    ----------
    probability : ndarray of shape (n, n_outputs)
        Out-of-bag probabilities.
    target : ndarray of shape (n, n_outputs)
        What they should be, 0 or 1.
    weight : ndarray of shape (n,)
        Weights of the rows.
    output : {"softmax", "logistic"}
        Whether the outputs are probabilities of one another's alternatives.

    Returns
    -------
    float
        Between 1/20 and 20; above 1 the probabilities were too sure.
    """
    probability = probability.astype(np.float64)

    def loss(log_temperature: float) -> float:
        p = np.clip(temper(probability, np.exp(log_temperature), output), 1e-12, 1 - 1e-12)
        terms = (
            target * np.log(p) if output == "softmax" else target * np.log(p) + (1 - target) * np.log1p(-p)
        )
        return -float(weight @ terms.sum(axis=1))

    found = minimize_scalar(loss, bounds=(-np.log(20.0), np.log(20.0)), method="bounded")
    return float(np.exp(found.x))
