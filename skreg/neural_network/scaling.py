"""Standardised inputs and targets, learned from one pass or many, and folded into the weights.

A network on standardised data is, to the user, a network on the data as they are: (x − m)/s and s'z + m' are
linear, and go into its first and last layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from skreg.neural_network.network import Network

__all__ = ["Scaling", "fold", "gradient_factors", "rebase", "rebase_outputs"]

Array = np.ndarray[Any, np.dtype[Any]]

# Standard deviations up to so many times their median are of like size.
_LIKE = 10.0


@dataclass(frozen=True)
class Scaling:
    """Weighted mean and standard deviation of each column.

    Parameters
    ----------
    weight : float
        Sum of the weights of the rows seen.
    mean : ndarray of shape (n_columns,)
        Weighted means.
    variance : ndarray of shape (n_columns,)
        Weighted variances.
    kind : {"columns", "auto"}
        Whether each column is divided by its own standard deviation; or, if they are of like size, all by
        their root mean square.
    """

    weight: float
    mean: Array
    variance: Array
    kind: str = "columns"

    @classmethod
    def identity(cls, n_columns: int) -> Scaling:
        """Leave the columns as they are, for good."""
        return cls(np.inf, np.zeros(n_columns), np.ones(n_columns))

    @classmethod
    def of(cls, X: Any, weight: Array, kind: str = "columns") -> Scaling:
        """Measure the columns of dense or sparse X, in float64; rows without weight do not count."""
        total = float(weight.sum())
        share = weight / total
        if sparse.issparse(X):
            apart = sparse.csr_array(X, dtype=np.float64, copy=True)
            apart.sum_duplicates()
            mean = share @ apart
            # Of what is stored, and of the zeros that are not: E x² − m² would cancel where m is large.
            with np.errstate(over="ignore"):
                apart.data = (apart.data - mean[apart.indices]) ** 2
            variance = share @ apart
            apart.data[...] = 1.0
            variance += np.maximum(1.0 - share @ apart, 0.0) * mean**2
            return cls(total, mean, variance, kind)
        mean = np.zeros(X.shape[1])
        variance = np.zeros(X.shape[1])
        for start in range(0, len(X), 4096):  # no float64 copy of all of X
            rows = slice(start, start + 4096)
            mean += share[rows] @ X[rows].astype(np.float64)
        for start in range(0, len(X), 4096):
            rows = slice(start, start + 4096)
            with np.errstate(over="ignore"):  # infinite variances are refused by those who ask
                variance += share[rows] @ (X[rows] - mean) ** 2
        return cls(total, mean, variance, kind)

    def joined(self, other: Scaling) -> Scaling:
        """Give the mean and variance of the rows of both (Chan, Golub and LeVeque 1983)."""
        if np.isinf(self.weight):
            return self
        total = self.weight + other.weight
        share = other.weight / total
        shift = other.mean - self.mean
        return Scaling(
            total,
            self.mean + share * shift,
            (1.0 - share) * self.variance + share * other.variance + share * (1.0 - share) * shift**2,
            self.kind,
        )

    @property
    def scale(self) -> Array:
        """What each column is divided by: its own deviation, or one for all; 1 for a constant column."""
        deviation = np.sqrt(self.variance)
        # But for rounding.
        varies = deviation > 1e-7 * np.abs(self.mean) + np.finfo(float).tiny ** 0.5
        if self.kind == "auto" and varies.any():
            found = deviation[varies]
            # Columns of like size are taken to share a unit, as pixels do: one that hardly varies stays
            # small.
            if found.max() <= _LIKE * np.median(found):
                return np.where(varies, np.sqrt(np.mean(found**2)), 1.0)
        return np.where(varies, deviation, 1.0)


def fold(network: Network, inputs: Scaling, targets: Scaling | None = None) -> Network:
    """Make the network on data as given from one on standardised data.

    W₁ ← W₁ diag(1/s), b₁ ← b₁ − W₁ m/s; and with targets, W_L ← diag(s') W_L, b_L ← s' b_L + m'.
    """
    coefs = [coef.astype(np.float64) for coef in network.coefs]
    intercepts = [intercept.astype(np.float64) for intercept in network.intercepts]
    coefs[0] = coefs[0] / inputs.scale
    intercepts[0] = intercepts[0] - coefs[0] @ inputs.mean
    if targets is not None:
        coefs[-1] = coefs[-1] * targets.scale[:, None]
        intercepts[-1] = intercepts[-1] * targets.scale + targets.mean
    dtype = network.dtype
    return Network(
        [coef.astype(dtype) for coef in coefs],
        [intercept.astype(dtype) for intercept in intercepts],
        network.activation,
        network.output,
    )


def rebase(network: Network, old: Scaling, new: Scaling) -> None:
    """Rewrite the first layer, in place, to compute in the new scaling what it did in the old."""
    # The weights of a column that has not varied so far mean nothing yet: they stay as they are.
    old_scale = np.where(old.variance > 0, old.scale, new.scale)
    first = network.coefs[0].astype(np.float64)
    network.intercepts[0][...] += first @ ((new.mean - old.mean) / old_scale)
    network.coefs[0][...] = first * (new.scale / old_scale)


def rebase_outputs(network: Network, old: Scaling, new: Scaling) -> None:
    """Rewrite the last layer, in place, so that it predicts the same in the new scaling of the targets."""
    last, bias = network.coefs[-1], network.intercepts[-1]
    ratio = old.scale / new.scale
    last[...] = last * ratio[:, None]
    bias[...] = bias * ratio + (old.mean - new.mean) / new.scale


def gradient_factors(
    network: Network, old: Scaling, new: Scaling, old_targets: Scaling | None, new_targets: Scaling | None
) -> Network:
    """Say how many times what it was the gradient of each parameter is after `rebase` and `rebase_outputs`.

    But for the shift of the means, which mixes those of the first layer with those of its biases.

    Returns
    -------
    Network
        With the factors in the place of the parameters.
    """
    ratio = np.ones(network.layer_units[-1])
    if old_targets is not None and new_targets is not None:
        ratio = old_targets.scale / new_targets.scale
    factors = network.astype(np.float64)
    # The squared error is of scaled targets; those of several have one factor below the last layer, roughly.
    for array in factors.parameters:
        array[...] = np.mean(ratio**2)
    factors.coefs[-1][...] = ratio[:, None]
    factors.intercepts[-1][...] = ratio
    factors.coefs[0] *= np.where(old.variance > 0, old.scale, new.scale) / new.scale
    return factors
