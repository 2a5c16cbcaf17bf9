"""Noise, squared bias and variance against the parameter that trades them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skreg.inspection._features import shortened
from skreg.inspection._style import (
    BLUE,
    GREEN,
    GREY,
    VERMILLION,
    check_matplotlib,
    data_frame,
    legend_above,
    panels,
    tidy,
)
from skreg.model_selection.bias_variance import BiasVarianceCurve, bias_variance_curve

__all__ = ["BiasVarianceDisplay"]

FloatArray = NDArray[np.float64]

_PARTS = ("total", "bias_squared", "variance", "noise", "bias_squared_plus_noise")
_LOOKS: dict[str, tuple[str, Any, str]] = {
    "total": ("black", "-", "total"),
    "bias_squared": (BLUE, "--", "bias²"),
    "variance": (VERMILLION, "-.", "variance"),
    "noise": (GREY, ":", "noise"),
    "bias_squared_plus_noise": (GREEN, "--", "bias² + noise"),
}


class BiasVarianceDisplay:
    """The parts of the expected squared error at each value of a parameter.

    Make it with `from_estimator` or `from_result`; every parameter is kept as an attribute.

    Parameters
    ----------
    param_name : str
        Which parameter.
    param_range : sequence
        Its values, of any kind; numbers > 0 that are spaced like them are drawn on a log scale.
    total, variance : array-like of shape (n_values,)
        Expected squared error and variance at each.
    bias_squared, noise : array-like of shape (n_values,), optional
        Squared bias and noise, where the truth is known.
    bias_squared_plus_noise : array-like of shape (n_values,), optional
        The two together; drawn where they are not known apart.
    total_standard_error : array-like of shape (n_values,), optional
        Monte Carlo standard error of `total`.
    estimator_name : str, optional
        Shown as the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        With the curves.
    figure_ : matplotlib Figure
        The figure it is in.
    lines_ : dict of str to matplotlib Line2D
        The curve of each part.
    best_ : matplotlib Line2D
        The marker at the least total.

    See Also
    --------
    skreg.bias_variance_curve : The curve itself.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg import BiasVarianceDisplay, Ridge
    >>> display = BiasVarianceDisplay.from_estimator(
    ...     Ridge(), np.linspace(-1.0, 1.0, 20)[:, None], None,
    ...     param_name="alpha", param_range=[0.01, 1.0, 100.0], n_repeats=50, random_state=0,
    ...     true_function=lambda X: 3.0 * X[:, 0], noise_variance=1.0,
    ... )
    >>> bool(np.all(np.diff(display.frame()["bias_squared"]) > 0))
    True
    """

    def __init__(
        self,
        *,
        param_name: str,
        param_range: Sequence[Any],
        total: ArrayLike,
        variance: ArrayLike,
        bias_squared: ArrayLike | None = None,
        noise: ArrayLike | None = None,
        bias_squared_plus_noise: ArrayLike | None = None,
        total_standard_error: ArrayLike | None = None,
        estimator_name: str | None = None,
    ) -> None:
        self.param_name = param_name
        self.param_range = param_range
        self.total = total
        self.variance = variance
        self.bias_squared = bias_squared
        self.noise = noise
        self.bias_squared_plus_noise = bias_squared_plus_noise
        self.total_standard_error = total_standard_error
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        param_name: str,
        param_range: Iterable[Any],
        ax: Any = None,
        log_y: bool = False,
        line_kw: dict[str, Any] | None = None,
        **curve_params: Any,
    ) -> BiasVarianceDisplay:
        """Compute the curve of a regressor, and draw it.

        Parameters
        ----------
        estimator : regressor
            Any regressor, or a pipeline ending in one.
        X, y
            As for `bias_variance_curve`.
        param_name : str
            A parameter of the estimator.
        param_range : iterable
            Its values.
        ax, log_y, line_kw
            As in `plot`.
        **curve_params : dict
            Further parameters of `bias_variance_curve`, such as ``true_function`` and ``noise_variance``.

        Returns
        -------
        BiasVarianceDisplay
            Drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError, ValueError
            As `bias_variance_curve`.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        curve = bias_variance_curve(estimator, X, y, param_name, param_range, **curve_params)
        name = type(estimator).__name__
        return cls._of_curve(curve, name).plot(ax=ax, log_y=log_y, line_kw=line_kw)

    @classmethod
    def from_result(
        cls, curve: BiasVarianceCurve, *, ax: Any = None, **plot_params: Any
    ) -> BiasVarianceDisplay:
        """Draw what `bias_variance_curve` returned.

        Parameters
        ----------
        curve : BiasVarianceCurve
            The curve.
        ax : matplotlib Axes or None
            As in `plot`.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        BiasVarianceDisplay
            Drawn.
        """
        return cls._of_curve(curve, None).plot(ax=ax, **plot_params)

    @classmethod
    def _of_curve(cls, curve: BiasVarianceCurve, name: str | None) -> BiasVarianceDisplay:
        return cls(
            param_name=curve.param_name,
            param_range=curve.param_range,
            total=curve.total,
            variance=curve.variance,
            bias_squared=curve.bias_squared,
            noise=curve.noise,
            bias_squared_plus_noise=curve.bias_squared_plus_noise,
            total_standard_error=np.array([d.total_standard_error for d in curve.decompositions]),
            estimator_name=name,
        )

    def plot(
        self, ax: Any = None, *, log_y: bool = False, line_kw: dict[str, Any] | None = None
    ) -> BiasVarianceDisplay:
        """Draw the curves, and mark the least total.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where; None makes a figure.
        log_y : bool, default=False
            Whether the errors are on a log scale.
        line_kw : dict, optional
            Passed to `Axes.plot` for every curve.

        Returns
        -------
        self : BiasVarianceDisplay
            With `ax_`, `figure_` and the artists.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        self.figure_, (self.ax_,) = panels(ax, 1, figsize=(5.4, 3.8))
        ax = self.ax_
        x, scale = self._places()
        marker = "o" if len(x) <= 20 else None
        parts = self._parts()
        self.lines_ = {}
        for name, values in parts.items():
            color, line, label = _LOOKS[name]
            look = {"color": color, "linestyle": line, "label": label, "marker": marker, "markersize": 3}
            look["linewidth"] = 2.0 if name == "total" else 1.5
            (self.lines_[name],) = ax.plot(x, values, **{**look, **(line_kw or {})})
        total = parts["total"]
        if self.total_standard_error is not None:
            half = np.asarray(self.total_standard_error, dtype=np.float64)
            ax.fill_between(x, total - half, total + half, color="black", alpha=0.12, linewidth=0)
        best = int(np.argmin(total))
        (self.best_,) = ax.plot(
            x[best],
            total[best],
            marker="*",
            markersize=11,
            color="black",
            linestyle="none",
            label="least total",
        )
        if scale == "category":
            ax.set_xticks(x, [shortened(str(value), 14) for value in self.param_range])
        else:
            ax.set_xscale(scale)
        if log_y:
            ax.set_yscale("log")
        else:
            ax.set_ylim(bottom=min(0.0, *(float(values.min()) for values in parts.values())))
        ax.set(xlabel=self.param_name, ylabel="expected squared error")
        legend_above(ax, ncols=len(parts) + 1, columnspacing=1.0)
        tidy(ax)
        if self.estimator_name:
            ax.set_title(self.estimator_name, loc="left", fontsize="medium", pad=22)
        return self

    def frame(self) -> Any:
        """Tabulate the parts.

        Returns
        -------
        pandas.DataFrame
            A row for each value of the parameter, the index; a column for each part that is known.
        """
        import pandas as pd

        parts = (*_PARTS, "total_standard_error")
        columns = {name: getattr(self, name) for name in parts}
        return data_frame(
            {name: np.asarray(v, dtype=np.float64) for name, v in columns.items() if v is not None},
            index=pd.Index(list(self.param_range), name=self.param_name),
            caller=f"{type(self).__name__}.frame",
        )

    def _parts(self) -> dict[str, FloatArray]:
        apart = self.bias_squared is not None and self.noise is not None
        hidden = {"bias_squared_plus_noise"} if apart else {"bias_squared", "noise"}
        return {
            name: np.asarray(getattr(self, name), dtype=np.float64)
            for name in _PARTS
            if name not in hidden and getattr(self, name) is not None
        }

    def _places(self) -> tuple[FloatArray, str]:
        """Place the values: numbers by themselves, on a log scale if they span decades, others in turn."""
        values = list(self.param_range)
        if not all(isinstance(v, Real) and not isinstance(v, bool) for v in values):
            return np.arange(len(values), dtype=np.float64), "category"
        x = np.array(values, dtype=np.float64)
        return x, "log" if x.min() > 0 and x.max() >= 20.0 * x.min() else "linear"
