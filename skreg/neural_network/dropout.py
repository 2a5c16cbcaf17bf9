"""Dropout: its rates, its noise, and the thinned networks that inference draws.

Inverted dropout (maths.md, section 4): a kept unit is divided by the keep rate q in training, and nothing is
scaled at test time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from skreg.neural_network.network import Network

__all__ = ["Dropout", "Signal", "draw_masks", "signal", "thinned"]

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


class Signal(NamedTuple):
    """What the sum of a layer's values is under dropout: means and standard deviations over the masks.

    Parameters
    ----------
    plain_mean, plain_sd : float
        Where kept values are left as they are.
    inverted_mean, inverted_sd : float
        Where they are divided by the keep rate: the mean is then the sum without dropout.
    """

    plain_mean: float
    plain_sd: float
    inverted_mean: float
    inverted_sd: float


def signal(values: ArrayLike, rate: float) -> Signal:
    """Compute what reaches the next layer, on average and give or take, of values that are summed there.

    With keep rate q, Σ mⱼvⱼ has mean q Σ vⱼ and variance q(1−q) Σ vⱼ²; inverted dropout divides both by q.

    Parameters
    ----------
    values : array-like of shape (n_units,)
        Activations times their weights.
    rate : float
        Probability in [0, 1) of dropping each.

    Returns
    -------
    Signal
        The two means and standard deviations.

    Raises
    ------
    ValueError
        If the rate is not in [0, 1).

    References
    ----------
    Srivastava, N. et al. (2014). Dropout: a simple way to prevent neural networks from overfitting, JMLR 15,
    1929-1958, Section 10.

    Examples
    --------
    >>> signal([1.0] * 100, rate=0.5)
    Signal(plain_mean=50.0, plain_sd=5.0, inverted_mean=100.0, inverted_sd=10.0)
    """
    if not 0 <= rate < 1:
        raise ValueError(f"rate must be in [0, 1), got {rate!r}.")
    v = np.asarray(values, dtype=np.float64)
    keep = 1.0 - rate
    total, spread = float(v.sum()), float(np.sqrt(keep * rate * (v @ v)))
    return Signal(keep * total, spread, total, spread / keep)


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
