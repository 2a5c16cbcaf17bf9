"""Draws from a smooth density on the line that is known up to a constant, by inverting its CDF.

The density is cut into panels, on each of which a polynomial through Gauss-Legendre nodes reproduces it to
rounding; the polynomials' integrals are the CDF.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

__all__ = ["TabulatedDensity"]

FloatArray = NDArray[np.float64]

_NODES, _WEIGHTS = legendre.leggauss(12)
_DEGREES = np.arange(_NODES.size)
# Values at the nodes → Legendre coefficients, by their orthogonality, and → those of the integral from −1.
_TO_COEFFICIENTS = (_DEGREES[:, None] + 0.5) * legendre.legvander(_NODES, _NODES.size - 1).T * _WEIGHTS
_TO_INTEGRAL = np.asarray(legendre.legint(np.eye(_NODES.size), lbnd=-1)) @ _TO_COEFFICIENTS
# A density of this log below its peak is zero.
_NEGLIGIBLE = 50.0
# The last two coefficients of a panel, times its width, are below this part of the whole.
_ACCURACY = 1e-12
# Panels narrow towards each mode down to 2⁻¹⁶, so that no peak falls between nodes.
_GRADES = 2.0 ** -np.arange(17)


class TabulatedDensity:
    """A density on an interval, tabulated from its logarithm.

    Parameters
    ----------
    log_density : callable
        Maps an array of shape (k,) to the log density there, up to a constant; smooth, with every feature
        at least 1e-5 wide, −inf where it is zero.
    low, high : float
        The interval.
    step : float
        The spacing at which it is scanned for modes.

    Attributes
    ----------
    points : ndarray of shape (n_points,)
        Nodes of a quadrature against the density.
    weights : ndarray of shape (n_points,)
        Their probabilities, which sum to 1.
    log_total : float
        The logarithm of the integral of the density as given.

    Raises
    ------
    ValueError
        If the density is nowhere finite and above zero, or has not come down to zero at an end.

    Notes
    -----
    The CDF is right to about 1e-11 of the whole.

    Examples
    --------
    >>> normal = TabulatedDensity(lambda x: -0.5 * x**2, -100.0, 100.0)
    >>> normal.quantile(np.array([0.5, 0.975])).round(8) + 0.0
    array([0.        , 1.95996398])
    >>> bool(np.isclose(normal.log_total, 0.5 * np.log(2.0 * np.pi)))
    True
    """

    def __init__(
        self, log_density: Callable[[FloatArray], FloatArray], low: float, high: float, step: float = 1.0
    ) -> None:
        edges, self._peak = _panels(log_density, low, high, step)
        left, right = edges[:-1], edges[1:]
        done: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        total = 0.0
        while left.size:
            half = 0.5 * (right - left)
            points = (0.5 * (left + right))[:, None] + half[:, None] * _NODES
            values = np.exp(log_density(points.ravel()) - self._peak).reshape(points.shape)
            tail = np.abs(values @ _TO_COEFFICIENTS[-2:].T).sum(axis=1) * half
            mass = values @ _WEIGHTS * half
            total_now = total + float(mass.sum())
            good = (tail <= _ACCURACY * total_now) | (half <= 1e-13 * np.maximum(np.abs(left), 1.0))
            done.append((left[good], right[good], values[good]))
            total += float(mass[good].sum())
            middle = 0.5 * (left + right)[~good]
            left, right = (
                np.concatenate([left[~good], middle]),
                np.concatenate([middle, right[~good]]),
            )
        left, right, values = (np.concatenate(parts) for parts in zip(*done, strict=True))
        order = np.argsort(left)
        self._left, self._half = left[order], 0.5 * (right - left)[order]
        values = values[order]
        self._integral = (values @ _TO_INTEGRAL.T) * self._half[:, None]
        mass = values @ _WEIGHTS * self._half
        self._cumulative = np.concatenate([[0.0], np.cumsum(mass)])
        self.log_total = self._peak + math.log(self._cumulative[-1])
        self.points = (self._left[:, None] + self._half[:, None] * (1.0 + _NODES)).ravel()
        self.weights = (values * (_WEIGHTS * self._half[:, None])).ravel() / self._cumulative[-1]

    def quantile(self, probability: FloatArray) -> FloatArray:
        """Invert the CDF.

        Parameters
        ----------
        probability : ndarray
            Numbers in [0, 1]; uniform ones make draws.

        Returns
        -------
        ndarray of the shape of `probability`
            Where the CDF takes those values.
        """
        mass = probability * self._cumulative[-1]
        panel = np.searchsorted(self._cumulative, mass, side="right") - 1
        panel = np.clip(panel, 0, self._half.size - 1)
        rest = mass - self._cumulative[panel]
        coefficients = self._integral[panel].T
        low, high = np.full(rest.shape, -1.0), np.full(rest.shape, 1.0)
        for _ in range(48):
            middle = 0.5 * (low + high)
            below = legendre.legval(middle, coefficients, tensor=False) < rest
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return self._left[panel] + self._half[panel] * (1.0 + 0.5 * (low + high))


def _panels(
    log_density: Callable[[FloatArray], FloatArray], low: float, high: float, step: float
) -> tuple[FloatArray, float]:
    """Cut the part of the interval that matters into first panels; also the largest log density."""
    scan = np.linspace(low, high, max(3, math.ceil((high - low) / step) + 1))
    height = log_density(scan)
    height = np.where(np.isnan(height), -np.inf, height)
    best = float(height.max())
    if not math.isfinite(best):
        raise ValueError("The density is not finite, or zero, wherever it was looked at.")
    padded = np.concatenate([[-np.inf], height, [-np.inf]])
    is_mode = (height >= padded[:-2]) & (height >= padded[2:]) & (height > best - 1e6)
    modes, peaks = [], []
    for i in np.flatnonzero(is_mode & np.isfinite(height)).tolist():
        bounds = scan[max(i - 1, 0)], scan[min(i + 1, scan.size - 1)]
        found = minimize_scalar(
            lambda x: -float(log_density(np.array([x]))[0]),
            bounds=bounds,
            method="bounded",
            options={"xatol": 1e-7},
        )
        modes.append(float(found.x))
        peaks.append(max(-float(found.fun), float(height[i])))
    peak = max(peaks)
    if max(height[0], height[-1]) > peak - 20.0:
        raise ValueError("The density has not come down to zero at an end of the interval.")
    kept = [mode for mode, at in zip(modes, peaks, strict=True) if at > peak - _NEGLIGIBLE]
    matters = np.flatnonzero(height > peak - _NEGLIGIBLE)
    step = float(scan[1] - scan[0])
    support = np.concatenate([scan[matters], np.array(kept)])
    first, last = max(float(support.min()) - step, low), min(float(support.max()) + step, high)
    edges = [scan[(scan > first) & (scan < last)], np.array([first, last])]
    for mode in kept:
        edges += [mode + _GRADES * step, mode - _GRADES * step]
    every = np.unique(np.concatenate(edges))
    return every[(every >= first) & (every <= last)], peak
