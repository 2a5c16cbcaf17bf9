"""The ways to regularise side by side: what `compare_regularizers` found on one's own data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skreg.inspection._features import shortened
from skreg.inspection._style import (
    BLUE,
    VERMILLION,
    check_kinds,
    check_matplotlib,
    data_frame,
    log_ticks,
    panels,
    tidy,
)

__all__ = ["ComparisonDisplay"]

FloatArray = NDArray[np.float64]

_LABELS = {
    "score": "score",
    "n_nonzero": "non-zero coefficients",
    "norm": "size ‖w‖",
    "spread": "spread within groups",
    "coverage": "coverage",
    "seconds": "seconds a fit",
}
_SHOWN = ("score", "n_nonzero", "coverage", "seconds")


class ComparisonDisplay:
    """Scores of several techniques, with what they cost and what they leave, in panels beside each other.

    Make it with `from_result`; every parameter is kept as an attribute.

    Parameters
    ----------
    techniques : sequence of str
        Names of the techniques.
    score : array-like of shape (n_techniques,)
        Higher is better.
    standard_error : array-like of shape (n_techniques,), optional
        Of the scores.
    n_nonzero, norm, spread, coverage, seconds : array-like of shape (n_techniques,), optional
        As in `compare_regularizers`; NaN where a technique has none.
    nominal_coverage : float, default=0.9
        What the intervals promise.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first panel.
    axes_ : list of matplotlib Axes
        One a panel.
    figure_ : matplotlib Figure
        The figure they are in.
    points_ : dict of str to matplotlib Line2D
        The markers of each panel.

    See Also
    --------
    skreg.compare_regularizers : The table.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import ComparisonDisplay, compare_regularizers
    >>> X, y = load_diabetes(return_X_y=True)
    >>> table = compare_regularizers(X, y, techniques=("ols", "ridge"), random_state=0)
    >>> display = ComparisonDisplay.from_result(table)
    >>> display.frame()["score"].equals(table["score"])
    True
    """

    def __init__(
        self,
        *,
        techniques: Sequence[str],
        score: ArrayLike,
        standard_error: ArrayLike | None = None,
        n_nonzero: ArrayLike | None = None,
        norm: ArrayLike | None = None,
        spread: ArrayLike | None = None,
        coverage: ArrayLike | None = None,
        seconds: ArrayLike | None = None,
        nominal_coverage: float = 0.9,
    ) -> None:
        self.techniques = techniques
        self.score = score
        self.standard_error = standard_error
        self.n_nonzero = n_nonzero
        self.norm = norm
        self.spread = spread
        self.coverage = coverage
        self.seconds = seconds
        self.nominal_coverage = nominal_coverage

    @classmethod
    def from_result(
        cls, table: Any, *, nominal_coverage: float = 0.9, ax: Any = None, **plot_params: Any
    ) -> ComparisonDisplay:
        """Draw what `compare_regularizers` returned.

        Parameters
        ----------
        table : pandas.DataFrame
            A row for each technique, with a column ``score`` and those of the others that there are.
        nominal_coverage : float, default=0.9
            The `coverage` that `compare_regularizers` was given.
        ax : matplotlib Axes, sequence of them, or None
            As in `plot`.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        ComparisonDisplay
            Drawn.

        Raises
        ------
        TypeError
            If it is no such table.
        """
        if "score" not in getattr(table, "columns", ()):
            raise TypeError(
                f"table must be a DataFrame with a column 'score', such as compare_regularizers returns; got "
                f"{type(table).__name__}."
            )
        known = ("score", "standard_error", *(name for name in _LABELS if name != "score"))
        display = cls(
            techniques=tuple(map(str, table.index)),
            **{name: table[name].to_numpy(dtype=np.float64) for name in known if name in table},
            nominal_coverage=nominal_coverage,
        )
        return display.plot(ax=ax, **plot_params)

    def plot(self, ax: Any = None, *, kind: str | Sequence[str] | None = None) -> ComparisonDisplay:
        """Draw a panel for each quantity, a row for each technique; the best score is filled.

        Parameters
        ----------
        ax : matplotlib Axes, sequence of them, or None, default=None
            Where; None makes a figure. One Axes for several panels is divided.
        kind : {"score", "n_nonzero", "norm", "spread", "coverage", "seconds"} or several, default=None
            Which panels; None is score, n_nonzero, coverage and seconds, as far as there are any.

        Returns
        -------
        self : ComparisonDisplay
            With `ax_`, `axes_`, `figure_` and the artists.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `kind` is unknown or not known of any technique.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        values = {name: v for name in _LABELS if (v := self._values(name)) is not None}
        known = [name for name, v in values.items() if np.isfinite(v).any()]
        kinds = check_kinds([n for n in _SHOWN if n in known] if kind is None else kind, known)
        n = len(self.techniques)
        self.figure_, self.axes_ = panels(
            ax,
            len(kinds),
            figsize=(1.4 + 2.1 * len(kinds), min(1.1 + 0.32 * n, 12.0)),
            sharey=True,
            ratios=[1.5 if k == "score" else 1.0 for k in kinds],
        )
        self.ax_ = self.axes_[0]
        self.points_: dict[str, Any] = {}
        rows = np.arange(n)
        best = int(np.nanargmax(np.asarray(self.score, dtype=np.float64)))
        for name, panel in zip(kinds, self.axes_, strict=True):
            panel.hlines(
                rows, 0.0, 1.0, color="0.92", linewidth=0.8, zorder=0, transform=panel.get_yaxis_transform()
            )
            if name == "score" and self.standard_error is not None:
                half = np.asarray(self.standard_error, dtype=np.float64)
                panel.hlines(rows, values[name] - half, values[name] + half, color=BLUE, linewidth=1.4)
            look = {"linestyle": "none", "color": BLUE, "markersize": 6}
            (self.points_[name],) = panel.plot(
                values[name], rows, marker="o", markerfacecolor="white", markeredgewidth=1.4, **look
            )
            panel.plot(values[name][best], best, marker="o", **look)
            if name == "coverage":
                panel.axvline(
                    self.nominal_coverage, color=VERMILLION, linestyle="--", linewidth=1.0, zorder=1
                )
            if name == "seconds":
                panel.set_xscale("log")
                shown = values[name][np.isfinite(values[name])]
                panel.set_xlim(shown.min() / 1.8, shown.max() * 1.8)
                log_ticks(panel)
            elif name == "coverage":
                shown = np.append(values[name][np.isfinite(values[name])], self.nominal_coverage)
                panel.set_xlim(shown.min() - 0.05, min(shown.max() + 0.05, 1.02))
            elif name != "score":
                panel.set_xlim(0.0, 1.12 * (np.nanmax(values[name]) or 1.0))
            if name != "seconds":
                panel.locator_params(axis="x", nbins=4)
            panel.margins(x=0.12)
            panel.set_xlabel(_LABELS[name])
            panel.tick_params(axis="y", length=0)
            tidy(panel)
            panel.spines["left"].set_visible(False)
        self.ax_.set_yticks(rows, [shortened(str(name)) for name in self.techniques])
        self.ax_.set_ylim(n - 0.5, -0.5)
        return self

    def frame(self) -> Any:
        """Tabulate what can be drawn.

        Returns
        -------
        pandas.DataFrame
            A row for each technique, the index; ``score``, ``standard_error`` and the other columns that
            there are.
        """
        import pandas as pd

        names = ("score", "standard_error", *(name for name in _LABELS if name != "score"))
        return data_frame(
            {name: values for name in names if (values := self._values(name)) is not None},
            index=pd.Index(list(self.techniques), name="technique"),
            caller=f"{type(self).__name__}.frame",
        )

    def _values(self, name: str) -> FloatArray | None:
        values = getattr(self, name)
        return None if values is None else np.asarray(values, dtype=np.float64)
