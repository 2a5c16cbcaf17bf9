"""AdamW, SGD, and the schedules of their step sizes.

What a step takes off the weights beside the gradient of the loss are two penalties of `skreg.penalties`:

- `coupled`, whose gradient λ₂w joins that of the loss (`l2`): Adam then divides it by the gradient's size;
- `decoupled`, whose training face is applied after the step: w ← (1 − ηλ₂)₊ w is `gradient_step` (weight
  decay, Loshchilov and Hutter 2019), and L1 is the proximal step, `prox`: soft thresholding by ηλ₁, with
  exact zeros.

Biases are not penalised. The kernels do in place what the penalty's methods do with new arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from skreg.neural_network._kernels.steps import adamw_step, cap_norms, sgd_step
from skreg.neural_network.network import Workspace
from skreg.penalties import ElasticNetPenalty

__all__ = ["SCHEDULES", "SGD", "AdamW", "constant", "cosine", "one_cycle"]

Array = np.ndarray[Any, np.dtype[Any]]


class _Steps:
    """What the optimisers share: they write to their moments."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        # joblib hands large arrays to other processes as memory maps that are read-only.
        owned = {name: np.array(v) if isinstance(v, np.ndarray) else v for name, v in state.items()}
        vars(self).update(owned)


class AdamW(_Steps):
    """Adam with decoupled weight decay, in place (Loshchilov and Hutter 2019, algorithm 2).

    Parameters
    ----------
    n_parameters : int
        How many there are.
    dtype : dtype
        Theirs.
    coupled, decoupled : ElasticNetPenalty
        As above.
    max_norm : float or None
        The most that the norm of a unit's incoming weights may be.
    beta1, beta2, epsilon : float
        Decay rates of the moments, and what keeps the step finite.
    """

    def __init__(
        self,
        n_parameters: int,
        dtype: np.dtype[Any],
        coupled: ElasticNetPenalty,
        decoupled: ElasticNetPenalty,
        max_norm: float | None = None,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self.coupled, self.decoupled, self.max_norm = coupled, decoupled, max_norm
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.n_steps = 0
        self._first = np.zeros(n_parameters, dtype)
        self._second = np.zeros(n_parameters, dtype)

    def take_settings(self, other: AdamW) -> None:
        """Go on with another's penalties and decay rates, and one's own moments."""
        self.coupled, self.decoupled, self.max_norm = other.coupled, other.decoupled, other.max_norm
        self.beta1, self.beta2, self.epsilon = other.beta1, other.beta2, other.epsilon

    def rescale(self, factor: Array) -> None:
        """Go on where the gradient of each parameter will be `factor` times what it was."""
        self._first *= factor
        self._second *= factor**2

    def step(self, work: Workspace, learning_rate: float) -> None:
        """Move the parameters by one step of size η = `learning_rate` along the gradient."""
        self.n_steps += 1
        step = learning_rate / (1.0 - self.beta1**self.n_steps)
        root = 1.0 / math.sqrt(1.0 - self.beta2**self.n_steps)
        for part, l2, keep, threshold in _parts(work, self.coupled, self.decoupled, learning_rate):
            adamw_step(
                work.parameters[part],
                work.gradient[part],
                self._first[part],
                self._second[part],
                self.beta1,
                self.beta2,
                step,
                root,
                self.epsilon,
                l2,
                keep,
                threshold,
            )
        _cap(work, self.max_norm)


class SGD(_Steps):
    """Gradient descent with momentum, Nesterov's or the heavy ball, in place.

    Parameters
    ----------
    n_parameters, dtype, coupled, decoupled, max_norm
        As in `AdamW`.
    momentum : float
        In [0, 1).
    nesterov : bool
        Whether the gradient acts from where momentum leads.
    """

    def __init__(
        self,
        n_parameters: int,
        dtype: np.dtype[Any],
        coupled: ElasticNetPenalty,
        decoupled: ElasticNetPenalty,
        max_norm: float | None = None,
        *,
        momentum: float = 0.9,
        nesterov: bool = True,
    ) -> None:
        self.coupled, self.decoupled, self.max_norm = coupled, decoupled, max_norm
        self.momentum, self.nesterov = momentum, nesterov
        self.n_steps = 0
        self._velocity = np.zeros(n_parameters, dtype)

    def take_settings(self, other: SGD) -> None:
        """Go on with another's penalties and momentum, and one's own velocity."""
        self.coupled, self.decoupled, self.max_norm = other.coupled, other.decoupled, other.max_norm
        self.momentum, self.nesterov = other.momentum, other.nesterov

    def rescale(self, factor: Array) -> None:
        """Go on where the gradient of each parameter will be `factor` times what it was."""
        self._velocity *= factor

    def step(self, work: Workspace, learning_rate: float) -> None:
        """Move the parameters by one step of size η = `learning_rate` along the gradient."""
        self.n_steps += 1
        for part, l2, keep, threshold in _parts(work, self.coupled, self.decoupled, learning_rate):
            sgd_step(
                work.parameters[part],
                work.gradient[part],
                self._velocity[part],
                learning_rate,
                self.momentum,
                self.nesterov,
                l2,
                keep,
                threshold,
            )
        _cap(work, self.max_norm)


def _parts(
    work: Workspace, coupled: ElasticNetPenalty, decoupled: ElasticNetPenalty, learning_rate: float
) -> tuple[tuple[slice, float, float, float], ...]:
    """Say of the weights, and of the biases, what a step does beside the gradient: λ₂, 1 − ηλ₂ and ηλ₁."""
    n = work.n_weights
    keep = max(0.0, 1.0 - learning_rate * decoupled.l2)  # decay ends at zero, and changes no sign
    return (
        (slice(0, n), coupled.l2, keep, learning_rate * decoupled.l1),
        (slice(n, None), 0.0, 1.0, 0.0),
    )


def _cap(work: Workspace, max_norm: float | None) -> None:
    # The last layer's rows are classes, not units (Srivastava et al. 2014 cap hidden units).
    if max_norm is not None:
        for coef in work.network.coefs[:-1]:
            cap_norms(coef.reshape(-1, coef.shape[2]), max_norm)


def constant(progress: float) -> float:
    """Keep the step size."""
    return 1.0


def cosine(progress: float) -> float:
    """From 1 to 0 along half a cosine (Loshchilov and Hutter 2017, without restarts)."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def one_cycle(progress: float) -> float:
    """Up from 1/25 to 1 in the first 30 %, and down to 0, along half cosines (Smith and Topin 2018)."""
    if progress < 0.3:
        return 0.04 + 0.96 * 0.5 * (1.0 - math.cos(math.pi * progress / 0.3))
    return cosine((progress - 0.3) / 0.7)


# Factor of the learning rate by the share of all steps that are done.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": constant,
    "cosine": cosine,
    "one_cycle": one_cycle,
}
