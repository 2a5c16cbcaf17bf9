"""Dropout: its rates, its noise, and the thinned networks that inference draws.

Inverted dropout (maths.md, section 4): a kept unit is divided by the keep rate q in training, and nothing is
scaled at test time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from skreg.neural_network.network import Network

__all__ = ["Dropout", "draw_masks", "thinned"]

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Dropout:
    """Rates of dropout as they are applied: a unit is dropped if its random byte is below a threshold.

    Parameters
    ----------
    input : (int, float)
        Threshold in [0, 255] and scale 1/q of the inputs, with q = 1 − threshold/256.
    hidden : tuple of (int, float)
        The same of each hidden layer.
    """

    input: tuple[int, float]
    hidden: tuple[tuple[int, float], ...]

    @classmethod
    def from_rates(cls, input_rate: float, hidden_rates: Sequence[float]) -> Dropout:
        """Round probabilities of dropping to 256ths, never to none and never to all."""
        return cls(_threshold(input_rate), tuple(_threshold(rate) for rate in hidden_rates))

    @classmethod
    def none(cls, n_hidden_layers: int) -> Dropout:
        """Drop nothing."""
        return cls.from_rates(0.0, [0.0] * n_hidden_layers)

    @property
    def drops_hidden(self) -> bool:
        """Whether any hidden unit is ever dropped."""
        return any(threshold for threshold, _ in self.hidden)

    @property
    def drops(self) -> bool:
        """Whether anything is ever dropped."""
        return self.input[0] > 0 or self.drops_hidden


def _threshold(rate: float) -> tuple[int, float]:
    if rate == 0:
        return 0, 1.0
    threshold = min(max(round(256 * rate), 1), 255)
    return threshold, 256 / (256 - threshold)


def draw_masks(
    dropout: Dropout, layer_units: Sequence[int], n_members: int, generator: np.random.Generator
) -> list[Array]:
    """Draw which inputs and hidden units thinned networks keep: 1/q or 0, an array (K, units) a layer."""
    masks = []
    for (threshold, scale), units in zip((dropout.input, *dropout.hidden), layer_units[:-1], strict=True):
        noise = generator.integers(0, 256, (n_members, units), dtype=np.uint8)
        masks.append(np.where(noise >= threshold, scale, 0.0))
    return masks


def thinned(network: Network, masks: Sequence[Array]) -> Network:
    """Make the networks that are left when units are dropped: the weights out of each times its mask.

    Parameters
    ----------
    network : Network
        K networks.
    masks : sequence of ndarray of shape (K, units)
        For the inputs and each hidden layer: 0 where a unit is dropped, 1/q where it is kept.

    Returns
    -------
    Network
        K networks that compute without dropout what `network` computes under it.
    """
    coefs = [
        coef * mask[:, None, :].astype(coef.dtype) for coef, mask in zip(network.coefs, masks, strict=True)
    ]
    return type(network)(coefs, network.intercepts, network.activation, network.output)
