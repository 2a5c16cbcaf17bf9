"""The temperature: one number that makes an ensemble's probabilities as sure as they are right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit, softmax

from skreg.neural_network.out_of_bag import out_of_bag_mean

__all__ = ["fit_temperature", "temper"]

Array = np.ndarray[Any, np.dtype[Any]]

# Standard deviation a priori of log T: a hundred rows say less about T than that it is near 1. Without it,
# classes that the networks tell apart send T to 0, and one error in new rows then costs without bound.
_PRIOR_SD = 0.1
_LARGEST = np.log(20.0)
_LEAST = 1e-30  # a probability that is not told from 0: one error must not rule


def temper(probability: Array, temperature: float, output: str) -> Array:
    """Divide log-odds, or log probabilities before they are normalised again, by the temperature."""
    if temperature == 1.0:
        return probability
    tiny = np.finfo(probability.dtype).tiny
    if output == "softmax":
        return softmax(np.log(np.maximum(probability, tiny)) / temperature, axis=-1)
    inside = np.clip(probability, tiny, 1.0 - np.finfo(probability.dtype).epsneg)
    return expit(logit(inside) / temperature)


def fit_temperature(outputs: Array, counts: Array, target: Array, weight: Array, output: str) -> float:
    """Find the temperature of the mean of all members from rows that each of them left out or not.

    A mean over fewer members is less sure and less right than that over all K: the temperature of the
    out-of-bag means (Guo et al. 2017), about K/e members each, is not that of the ensemble. What averaging
    does to an expectation goes with 1/m for a mean of m, so log T is found for single members (1/m = 1) and
    for the out-of-bag means (the mean of 1/m over the rows), and the line through the two is followed to 1/K.
    Both are posterior modes under log T ~ Normal(0, 0.1²).

    Parameters
    ----------
    outputs : ndarray of shape (K, n, n_outputs)
        Probabilities by every member.
    counts : ndarray of shape (K, n)
        How often the member trained on the row; every row must have been left out by some member.
    target : ndarray of shape (n, n_outputs)
        What they should be, 0 or 1.
    weight : ndarray of shape (n,)
        Weights of the rows; only their ratios count.
    output : {"softmax", "logistic"}
        Whether the outputs are probabilities of one another's alternatives.

    Returns
    -------
    float
        Above 1 the probabilities were too sure.
    """
    outputs = outputs.astype(np.float64)
    weight = weight / weight.mean()
    member, row = np.nonzero(counts == 0)
    how_many = np.bincount(row, minlength=len(weight))
    share = 1.0 / how_many[row]
    single = _mode(_log_loss(outputs[member, row], target[row], weight[row] * share, output))
    if len(outputs) == 1:
        return float(np.exp(single))
    mean, _ = out_of_bag_mean(outputs, counts)
    averaged = _mode(_log_loss(mean, target, weight, output))
    at = float(np.mean(1.0 / how_many))
    if at == 1.0:  # two members, and no row that both left out
        return float(np.exp(averaged))
    slope = (single - averaged) / (1.0 - at)
    return float(np.exp(averaged + slope * (1.0 / len(outputs) - at)))


def _log_loss(probability: Array, target: Array, weight: Array, output: str) -> Callable[[float], float]:
    """Return the weighted log loss, summed, as a function of log T."""
    if output == "softmax":
        log_odds = np.log(np.maximum(probability, _LEAST))
        log_odds -= log_odds.max(axis=1, keepdims=True)
        right = weight @ (target * log_odds).sum(axis=1)

        def loss(log_temperature: float) -> float:
            sharpness = np.exp(-log_temperature)
            return float(weight @ np.log(np.exp(sharpness * log_odds).sum(axis=1)) - sharpness * right)

    else:
        log_odds = logit(np.clip(probability, _LEAST, 1.0 - np.finfo(np.float64).epsneg))
        # Of what is wrong over what is right, of which the loss is log(1 + odds).
        log_odds *= 1.0 - 2.0 * target

        def loss(log_temperature: float) -> float:
            return float(weight @ np.logaddexp(0.0, np.exp(-log_temperature) * log_odds).sum(axis=1))

    return loss


def _mode(loss: Callable[[float], float]) -> float:
    """Minimise the loss of log T and its prior."""
    found = minimize_scalar(
        lambda log_temperature: loss(log_temperature) + 0.5 * (log_temperature / _PRIOR_SD) ** 2,
        bounds=(-_LARGEST, _LARGEST),
        method="bounded",
        options={"xatol": 1e-4},
    )
    return float(found.x)
