"""y as the networks see it."""

from __future__ import annotations

from typing import Any

import numpy as np

from skreg.neural_network.scaling import Scaling

__all__ = ["Targets"]

Array = np.ndarray[Any, np.dtype[Any]]


class Targets:
    """y as the networks see it: class numbers or outputs, with what a constant prediction would lose.

    Parameters
    ----------
    labels : ndarray of shape (n,) or (0,)
        Class numbers, for a softmax.
    outputs : ndarray of shape (n, n_outputs)
        What the outputs should be, in the units of y; one-hot for a softmax.
    strata : ndarray of shape (n,)
        Groups that a validation split keeps the proportions of.
    output : {"softmax", "logistic", "identity"}
        The last layer's function.
    """

    def __init__(self, labels: Array, outputs: Array, strata: Array, output: str) -> None:
        self.labels, self.outputs, self.strata, self.output = labels, outputs, strata, output

    def scaled(self, scaling: Scaling | None) -> Targets:
        """Give the targets in the units that networks are trained in."""
        if scaling is None:
            return self
        outputs = (self.outputs - scaling.mean) / scaling.scale
        return Targets(self.labels, outputs, self.strata, self.output)

    def take(self, rows: Array) -> Targets:
        """Give the targets of some rows."""
        labels = self.labels[rows] if self.labels.size else self.labels
        return Targets(labels, self.outputs[rows], self.strata[rows], self.output)

    def loss(self, predicted: Array, weight: Array) -> float:
        """Weighted mean of the log loss, or half the squared error, of predictions."""
        target = self.outputs
        share = weight / weight.sum()
        if self.output == "identity":
            terms = 0.5 * (predicted - target) ** 2
        else:
            p = predicted.astype(np.float64)
            eps = np.finfo(predicted.dtype).eps
            terms = -target * np.log(np.clip(p, eps, 1.0))
            if self.output == "logistic":
                terms -= (1.0 - target) * np.log(np.clip(1.0 - p, eps, 1.0))
        return float(share @ terms.sum(axis=1))

    def null_loss(self, weight: Array) -> float:
        """Return the loss of the best constant prediction."""
        mean = (weight / weight.sum()) @ self.outputs
        return self.loss(np.broadcast_to(mean, self.outputs.shape), weight)
