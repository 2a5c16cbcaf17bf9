"""The data term known by its moments alone: ½wᵀGw − cᵀw + ½‖b‖², with G = AᵀA and c = Aᵀb.

Whatever has moments can be solved without its rows: a tall problem, a training set of cross-validation (the
total less a fold), a stream.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skreg.moments import Moments
from skreg.solvers.data_term import DataTerm, column_scale, power_of_two_scale

__all__ = ["Quadratic"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]


class Quadratic(DataTerm):
    """½‖b − Aw‖² by G, c and ‖b‖².

    Parameters
    ----------
    moments : Moments
        Of all rows; of positive weight.

    Attributes
    ----------
    G : ndarray of shape (n_features, n_features), C-contiguous
        AᵀA.
    c : ndarray of shape (n_features, n_targets)
        Aᵀb.
    """

    G: FloatArray
    c: FloatArray

    def __init__(self, moments: Moments) -> None:
        variance = np.maximum(np.diag(moments.gram), 0.0)
        self.n_rows = moments.n_rows
        self.total_weight = moments.total_weight
        self.x_mean, self.y_mean = moments.x_mean, moments.y_mean
        self.x_scale = column_scale(variance, moments.x_mean, moments.total_weight)
        self.y_scale = power_of_two_scale(np.sqrt(np.maximum(moments.yy, 0.0)), when_zero=1.0)
        self.b_squared = np.maximum(moments.yy, 0.0) * self.y_scale * self.y_scale
        self.G = np.ascontiguousarray(moments.gram * self.x_scale * self.x_scale[:, None])
        self.c = moments.xy * self.x_scale[:, None] * self.y_scale

    @classmethod
    def of_rows(cls, units: DataTerm, G: FloatArray, c: FloatArray) -> Quadratic:
        """Take over the units of a data term of rows, and what was computed of it."""
        self = cls.__new__(cls)
        for name in (
            "n_rows",
            "total_weight",
            "x_mean",
            "y_mean",
            "x_scale",
            "y_scale",
            "b_squared",
        ):
            setattr(self, name, getattr(units, name))
        self.G, self.c = G, c
        return self

    def correlation(self, w: FloatArray, targets: Any) -> tuple[FloatArray, FloatArray]:
        """Compute Aᵀr and ‖r‖² of the residual r = b − Aw for w of shape (n_features, k) of `targets`."""
        c = self.c[:, targets]
        g = c - self.G @ w
        r_squared = self.b_squared[targets] - np.einsum("ij,ij->j", w, c + g)
        return g, np.maximum(r_squared, 0.0)

    def gram(self, left: IndexArray, right: IndexArray) -> FloatArray:
        """Extract the block A[:, left]ᵀ A[:, right]."""
        return self.G[np.ix_(left, right)]
