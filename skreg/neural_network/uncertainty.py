"""What the members and the thinned networks agree on, and where they do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["PredictiveUncertainty", "entropy"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class PredictiveUncertainty:
    """Mean, spread and information of the predictions of many networks for each row.

    Parameters
    ----------
    mean : ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_outputs)
        The networks' mean probability or prediction.
    variance : ndarray of the shape of `mean`
        Their variance: how much the networks differ, in the units of the mean squared. The noise of y about a
        regression is not in it.
    predictive_entropy : ndarray of shape (n_samples,) or (n_samples, n_labels), or None
        Entropy of the mean probabilities, in nats; None for a regression. One a label for multilabel targets.
    mutual_information : ndarray of the shape of `predictive_entropy`, or None
        Its part that comes of the networks' disagreement: the entropy of the mean less the mean of the
        entropies (Houlsby et al. 2011), in nats.
    """

    mean: Array
    variance: Array
    predictive_entropy: Array | None = None
    mutual_information: Array | None = None


def entropy(probability: Array) -> Array:
    """−Σ p log p along the last axis, in nats; 0 log 0 = 0."""
    return -np.sum(probability * np.log(np.where(probability > 0, probability, 1.0)), axis=-1)
