"""The parts of an expected squared error, as `bias_variance_decomposition` and its curve return them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BiasVariance", "BiasVarianceCurve"]

FloatArray = NDArray[np.float64]

_TOGETHER = (
    "bias² and noise together: without true_function and noise_variance the data cannot tell them apart"
)


@dataclass(frozen=True, eq=False, repr=False)
class BiasVariance:
    """The parts of an expected squared error, averaged over points, and at each of them.

    Parameters
    ----------
    bias_squared : float or None
        (f − E f̂)², in the units of y²; None if f is not known. An unbiased estimate, which noise may take
        below zero where it is small.
    variance : float
        Var f̂ over training sets.
    noise : float or None
        The variance of y about f; None if it is not known.
    total : float
        E(y − f̂)², measured by itself: on targets drawn anew if f is known, on the rows out of the bootstrap
        sample if not.
    total_standard_error : float
        Monte Carlo standard error of `total`, over training sets. If f is not known it leaves out that
        there is one data set.
    bias_squared_plus_noise : float
        The sum of the two, known also where they are not.
    at_points : dict of str to ndarray of shape (n_points,)
        ``bias_squared``, ``variance``, ``noise``, ``total``, ``bias_squared_plus_noise`` and
        ``mean_prediction`` at each point, as far as they are known; NaN at points that no training set left
        out twice.
    n_repeats : int
        Number of training sets.
    """

    bias_squared: float | None
    variance: float
    noise: float | None
    total: float
    total_standard_error: float
    bias_squared_plus_noise: float
    at_points: dict[str, FloatArray]
    n_repeats: int

    def __repr__(self) -> str:
        if self.bias_squared is None:
            parts = f"{self.bias_squared_plus_noise:.4g} ({_TOGETHER})"
        else:
            parts = f"bias² {self.bias_squared:.4g} + noise {self.noise:.4g}"
        return (
            f"BiasVariance(total {self.total:.4g} ± {self.total_standard_error:.2g} = variance "
            f"{self.variance:.4g} + {parts}; {self.n_repeats} training sets)"
        )

    def frame(self) -> pd.DataFrame:
        """Lay out the parts at each point.

        Returns
        -------
        pandas.DataFrame
            A row for each point, a column for each entry of `at_points`.
        """
        import pandas as pd

        return pd.DataFrame(self.at_points).rename_axis("point")


@dataclass(frozen=True, eq=False, repr=False)
class BiasVarianceCurve:
    """The parts of the expected squared error at each value of a parameter.

    Parameters
    ----------
    param_name : str
        Which parameter.
    param_range : tuple
        Its values.
    decompositions : tuple of BiasVariance
        One for each, of the same training sets.
    """

    param_name: str
    param_range: tuple[Any, ...]
    decompositions: tuple[BiasVariance, ...]

    def __repr__(self) -> str:
        best = int(np.argmin(self.total))
        return (
            f"BiasVarianceCurve({self.param_name}, {len(self.param_range)} values; least total "
            f"{self.total[best]:.4g} at {self.param_range[best]!r})"
        )

    @property
    def bias_squared(self) -> FloatArray | None:
        """Squared bias at each value; None if f is not known."""
        return self._each("bias_squared")

    @property
    def variance(self) -> FloatArray:
        """Variance at each value."""
        return self._each("variance")

    @property
    def noise(self) -> FloatArray | None:
        """Noise, the same at each value; None if it is not known."""
        return self._each("noise")

    @property
    def total(self) -> FloatArray:
        """Expected squared error at each value."""
        return self._each("total")

    @property
    def bias_squared_plus_noise(self) -> FloatArray:
        """The sum of the two at each value."""
        return self._each("bias_squared_plus_noise")

    def frame(self) -> pd.DataFrame:
        """Lay out the parts at each value.

        Returns
        -------
        pandas.DataFrame
            A row for each value of the parameter, a column for each part that is known.
        """
        import pandas as pd

        names = ("bias_squared", "variance", "noise", "bias_squared_plus_noise", "total")
        columns = {name: self._each(name) for name in (*names, "total_standard_error")}
        index = pd.Index(self.param_range, name=self.param_name)
        return pd.DataFrame({name: v for name, v in columns.items() if v is not None}, index=index)

    def _each(self, name: str) -> Any:
        values = [getattr(decomposition, name) for decomposition in self.decompositions]
        return None if values[0] is None else np.array(values)
