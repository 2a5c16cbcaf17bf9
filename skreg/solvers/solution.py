"""What every solver returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Solution"]


@dataclass(frozen=True, eq=False)
class Solution:
    """The minimiser of the energy E for each target, and how far from the minimum it can be.

    Parameters
    ----------
    coef : ndarray of shape (n_targets, n_features), float64
        Coefficients in the units of the data as given.
    dual_gap : ndarray of shape (n_targets,), float64
        An upper bound of E(coef) − min E, in the units of E.
    n_iter : ndarray of shape (n_targets,), int
        Iterations spent; 1 for a direct solution.
    """

    coef: NDArray[np.float64]
    dual_gap: NDArray[np.float64]
    n_iter: NDArray[np.int_]
