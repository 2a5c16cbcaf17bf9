"""What draws say of rows: expected values, new observations, and the log density of those observed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skreg.bayes.draws import Draws, chain_generators
from skreg.linear_model.energy import Energy

__all__ = ["expected_value", "pointwise_log_likelihood", "posterior_predictive"]

FloatArray = NDArray[np.float64]

# Numbers worked on at a time (2 MiB), which stay in cache.
_BLOCK_SIZE = 2**18


def expected_value(draws: Draws, X: Any) -> FloatArray:
    """Compute Xw + b of every draw.

    Parameters
    ----------
    draws : Draws
        Draws of coefficients and intercept.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Rows as the linear estimator sees them (after a pipeline's transformers).

    Returns
    -------
    ndarray of shape (n_chains, n_draws, n_samples)
        E(y | w, b), in the units of y.
    """
    out = np.empty((draws.n_chains, draws.n_draws, X.shape[0]))
    for chain, rows in _blocks(draws, X.shape[0]):
        # The transpose of X wᵀ, which a sparse X can also take.
        out[chain, rows] = np.asarray(X @ draws.coef[chain, rows].T).T
        out[chain, rows] += draws.intercept[chain, rows, None]
    return out


def pointwise_log_likelihood(draws: Draws, energy: Energy) -> FloatArray:
    """Compute log N(yᵢ; xᵢᵀw + b, σ²/sᵢ) of every draw and row.

    Parameters
    ----------
    draws : Draws
        Draws of coefficients, intercept and σ.
    energy : Energy
        The rows, their targets and weights.

    Returns
    -------
    ndarray of shape (n_chains, n_draws, n_samples)
        Log densities, per unit of y.
    """
    out = expected_value(draws, energy.X)
    root = np.sqrt(energy.sample_weight)
    constant = np.log(root) - 0.5 * math.log(2.0 * math.pi)
    for chain, rows in _blocks(draws, out.shape[2]):
        block, sigma = out[chain, rows], draws.sigma[chain, rows, None]
        block -= energy.y
        block *= root
        block /= sigma
        np.square(block, out=block)
        block *= -0.5
        block += constant
        block -= np.log(sigma)
    return out


def posterior_predictive(
    draws: Draws, X: Any, *, sample_weight: ArrayLike | None = None, random_state: Any = None
) -> FloatArray:
    """Draw a new observation of every row for every draw: N(xᵢᵀw + b, σ²/sᵢ).

    Parameters
    ----------
    draws : Draws
        Draws of coefficients, intercept and σ.
    X : {ndarray, sparse matrix} of shape (n_samples, n_features)
        Rows as the linear estimator sees them (after a pipeline's transformers).
    sample_weight : array-like of shape (n_samples,), optional
        Precisions sᵢ > 0; ones if not given.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None, optional
        Seed or generator. An int makes other random numbers here than in the draws of the same seed.

    Returns
    -------
    ndarray of shape (n_chains, n_draws, n_samples)
        Draws, in the units of y.
    """
    if isinstance(random_state, Integral):
        random_state = [int(random_state), 1]  # a stream of its own
    generators = chain_generators(random_state, draws.n_chains)
    out = expected_value(draws, X)
    sd = 1.0 if sample_weight is None else 1.0 / np.sqrt(np.asarray(sample_weight, dtype=np.float64))
    for chain, rows in _blocks(draws, out.shape[2]):
        block = out[chain, rows]
        noise = generators[chain].standard_normal(block.shape)
        noise *= draws.sigma[chain, rows, None]
        noise *= sd
        block += noise
    return out


def _blocks(draws: Draws, n_samples: int) -> Iterator[tuple[int, slice]]:
    """Cut the draws of each chain into slices whose rows stay in cache."""
    step = max(1, _BLOCK_SIZE // max(1, n_samples))
    for chain in range(draws.n_chains):
        for start in range(0, draws.n_draws, step):
            yield chain, slice(start, min(start + step, draws.n_draws))
