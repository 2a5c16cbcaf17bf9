"""Mills' ratio and the quantile of the normal tail, as tables that the compiled samplers read.

A site update of a Gibbs sampler evaluates both several times, and the libraries' functions would be most of
its time. Each table holds local polynomials: argument x lies in interval ⌊x·`PER_UNIT`⌋, and the row there
gives the coefficients of a polynomial in the distance to the interval's midpoint, constant term first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtri_exp

__all__ = ["DEGREE", "MILLS_END", "PER_UNIT", "QUANTILE_END", "mills_table", "quantile_table"]

FloatArray = NDArray[np.float64]

PER_UNIT = 16
"""Intervals in a unit of the argument."""
DEGREE = 5
"""Degree of the polynomials."""
MILLS_END = 16
"""Mills' ratio is tabulated on [0, 16)."""
QUANTILE_END = 20
"""The quantile is tabulated on [1, 20), its argument being √(−2 log P)."""


@cache
def mills_table() -> FloatArray:
    """Tabulate Mills' ratio M(t) = Φ(−t)/φ(t) = √(π/2) erfcx(t/√2).

    Returns
    -------
    ndarray of shape (256, 6)
        Polynomials whose relative error is below 1e-10.
    """
    return _fit(lambda t: np.sqrt(0.5 * np.pi) * erfcx(t / np.sqrt(2.0)), 0, MILLS_END)


@cache
def quantile_table() -> FloatArray:
    """Tabulate the z ≥ 0 beyond which a standard normal has probability P ≤ ½, by √(−2 log P).

    Returns
    -------
    ndarray of shape (304, 6)
        Polynomials whose absolute error is below 1e-10.
    """
    return _fit(lambda y: -ndtri_exp(-0.5 * y**2), 1, QUANTILE_END)


def _fit(function: Callable[[FloatArray], FloatArray], start: int, end: int) -> FloatArray:
    """Interpolate at the Chebyshev points of every interval."""
    half = 0.5 / PER_UNIT
    points = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
    midpoints = start + (np.arange((end - start) * PER_UNIT) + 0.5) / PER_UNIT
    values = function(midpoints[:, None] + half * points)
    powers = np.vander(points, increasing=True)
    return np.ascontiguousarray(np.linalg.solve(powers, values.T).T / half ** np.arange(DEGREE + 1))
