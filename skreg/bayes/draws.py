"""Draws from a posterior, whatever engine made them, and the randomness they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skreg.linear_model.energy import Energy

__all__ = ["Draws", "chain_generators", "draw_intercepts"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws of a linear model's parameters, chain by chain, in the units of the energy's X and y.

    Parameters
    ----------
    coef : ndarray of shape (n_chains, n_draws, n_features)
        Coefficients.
    intercept : ndarray of shape (n_chains, n_draws)
        Intercept; zeros without one.
    sigma : ndarray of shape (n_chains, n_draws)
        σ of a row of weight 1; constant if it is known.
    method : {"exact", "gibbs", "nuts"}
        The engine.
    alpha : ndarray of shape (n_chains, n_draws) or None
        scikit-learn's alpha, if it was sampled along.
    stats : dict of ndarray of shape (n_chains, n_draws)
        What the engine records of each draw.
    settings : dict
        What the engine settled on: numbers and words.
    """

    coef: FloatArray
    intercept: FloatArray
    sigma: FloatArray
    method: str
    alpha: FloatArray | None = None
    stats: dict[str, NDArray[Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def n_chains(self) -> int:
        """Number of chains."""
        return self.coef.shape[0]

    @property
    def n_draws(self) -> int:
        """Number of draws a chain."""
        return self.coef.shape[1]


def chain_generators(random_state: Any, n_chains: int) -> list[np.random.Generator]:
    """Give each chain a generator of its own, so that no chain's draws depend on which thread ran first.

    Parameters
    ----------
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed or generator; a generator moves on, an int gives the same chains each time.
    n_chains : int
        Number of chains.

    Returns
    -------
    list of numpy.random.Generator
        One a chain; the first k of them are the same whatever `n_chains` ≥ k is.
    """
    if isinstance(random_state, np.random.Generator):
        entropy = random_state.integers(2**32, size=4, dtype=np.uint64).tolist()
    elif isinstance(random_state, np.random.RandomState):
        entropy = random_state.randint(2**31 - 1, size=4).tolist()
    else:
        entropy = random_state
    # SFC64 makes a uniform in less time than any other of NumPy's.
    children = np.random.SeedSequence(entropy).spawn(n_chains)
    return [np.random.Generator(np.random.SFC64(child)) for child in children]


def draw_intercepts(
    energy: Energy, coef: FloatArray, sigma: FloatArray, generators: list[np.random.Generator]
) -> FloatArray:
    """Draw the intercept given the rest: N(ȳ − x̄ᵀw, σ²/S); zeros without one.

    Parameters
    ----------
    energy : Energy
        The data.
    coef : ndarray of shape (n_chains, n_draws, n_features)
        Coefficients.
    sigma : ndarray of shape (n_chains, n_draws)
        σ.
    generators : list of numpy.random.Generator
        One a chain.

    Returns
    -------
    ndarray of shape (n_chains, n_draws)
        Intercepts.
    """
    if not energy.fit_intercept:
        return np.zeros(sigma.shape)
    noise = np.stack([rng.standard_normal(sigma.shape[1]) for rng in generators])
    return energy.y_mean - coef @ energy.X_mean + noise * (sigma / np.sqrt(energy.total_weight))
