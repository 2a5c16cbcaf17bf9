"""The penalty as a solver sees it: one strength for each scaled column."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["ColumnPenalty"]

FloatArray = NDArray[np.float64]


class ColumnPenalty(NamedTuple):
    """The penalty Σⱼ l1ⱼ|wⱼ| + ½ l2ⱼwⱼ² of one target's scaled coefficients, with w ≥ 0 if `positive`."""

    l1: FloatArray
    l2: FloatArray
    positive: bool

    def of(self, index: NDArray[np.intp] | slice) -> ColumnPenalty:
        """Restrict to the columns `index`."""
        return ColumnPenalty(self.l1[index], self.l2[index], self.positive)

    def value(self, w: FloatArray) -> float:
        """Evaluate at w."""
        return float(self.l1 @ np.abs(w) + 0.5 * self.l2 @ w**2)

    def violation(self, w: FloatArray, g: FloatArray) -> FloatArray:
        """Measure the distance of zero to each coordinate's subdifferential, with g = Aᵀ(b − Aw)."""
        at_zero = np.maximum((g if self.positive else np.abs(g)) - self.l1, 0.0)
        return np.where(w == 0.0, at_zero, np.abs(g - self.l2 * w - self.l1 * np.sign(w)))

    @property
    def free(self) -> NDArray[np.bool_]:
        """Columns that nothing penalises."""
        return (self.l1 == 0.0) & (self.l2 == 0.0)
