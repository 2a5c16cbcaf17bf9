"""Mixtures of normal or Student-t distributions, and their quantiles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["Mixture"]

FloatArray = NDArray[np.float64]

# A quantile is found to this part of the mixture's own standard deviation.
_ACCURACY = 1e-10


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of k distributions of one shape for each of n quantities, with weights in common.

    Parameters
    ----------
    weights : ndarray of shape (k,)
        Probabilities of the components.
    mean : ndarray of shape (n, k)
        Their centres.
    scale : ndarray of shape (n, k), or one that broadcasts to it
        Their scales > 0: standard deviations of normals, or scales of Student-t's.
    dof : float, default=inf
        Degrees of freedom of the Student-t's; infinite for normals.

    Examples
    --------
    >>> two_humps = Mixture(np.array([0.5, 0.5]), np.array([[-3.0, 3.0]]), np.array([[1.0, 1.0]]))
    >>> two_humps.quantile(0.25).round(3)
    array([-3.])
    """

    weights: FloatArray
    mean: FloatArray
    scale: FloatArray
    dof: float = math.inf

    def quantile(self, probability: float) -> FloatArray:
        """Invert the distribution functions.

        Newton's steps between bounds that close in; a mixture's quantile lies between its components'.

        Parameters
        ----------
        probability : float
            Strictly between 0 and 1.

        Returns
        -------
        ndarray of shape (n,)
            To about 1e-10 of the mixture's spread.
        """
        w = self.weights
        z = special.ndtri(probability) if math.isinf(self.dof) else special.stdtrit(self.dof, probability)
        ends = self.mean + self.scale * z
        if w.size == 1:
            return ends[:, 0]
        scale = np.broadcast_to(np.maximum(self.scale, np.finfo(np.float64).tiny), ends.shape)
        low, high = ends.min(axis=1), ends.max(axis=1)
        centre = self.mean @ w
        spread = np.sqrt(np.square(self.mean - centre[:, None]) @ w + np.square(scale) @ w)
        x = np.clip(centre + z * spread, low, high)
        left = np.flatnonzero(low < high)
        for _ in range(200):
            if left.size == 0:
                break
            standard = (x[left, None] - self.mean[left]) / scale[left]
            excess = self._cdf(standard) @ w - probability
            low[left] = np.where(excess <= 0, x[left], low[left])
            high[left] = np.where(excess >= 0, x[left], high[left])
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                new = x[left] - excess / ((self._pdf(standard) / scale[left]) @ w)
            inside = (new >= low[left]) & (new <= high[left])
            new = np.where(inside, new, 0.5 * (low[left] + high[left]))
            moving = np.abs(new - x[left]) > _ACCURACY * spread[left]
            x[left] = new
            left = left[moving]
        return x

    def interval(self, coverage: float) -> FloatArray:
        """Return the equal-tailed intervals, of shape (n, 2)."""
        tail = 0.5 * (1.0 - coverage)
        return np.column_stack([self.quantile(tail), self.quantile(1.0 - tail)])

    def _cdf(self, z: FloatArray) -> FloatArray:
        return special.ndtr(z) if math.isinf(self.dof) else special.stdtr(self.dof, z)

    def _pdf(self, z: FloatArray) -> FloatArray:
        if math.isinf(self.dof):
            return np.exp(-0.5 * np.square(z)) / math.sqrt(2.0 * math.pi)
        half = 0.5 * (self.dof + 1.0)
        constant = special.gammaln(half) - special.gammaln(0.5 * self.dof)
        return np.exp(constant - half * np.log1p(np.square(z) / self.dof)) / math.sqrt(self.dof * math.pi)
