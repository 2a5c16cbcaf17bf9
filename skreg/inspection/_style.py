"""What the Displays share: colours, panels and labels. The only file that imports matplotlib, when called.

Colours are Okabe and Ito's, told apart by colour-blind readers; each comes with a line style and a marker of
its own, so that a grey print tells them apart too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression

from skreg.inspection._features import shortened

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "LIGHT",
    "ORANGE",
    "PURPLE",
    "SKY",
    "VERMILLION",
    "check_kinds",
    "check_matplotlib",
    "data_frame",
    "label_ends",
    "legend_above",
    "log_ticks",
    "panels",
    "segments",
    "series",
    "tidy",
]

FloatArray = NDArray[np.float64]

# Okabe, M. and Ito, K. (2008). Color Universal Design.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY = "#E69F00", "#56B4E9"
GREY, LIGHT = "0.45", "0.8"

_COLORS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
_LINES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
_MARKERS = ("o", "s", "D", "^", "v", "P")


def series(number: int) -> dict[str, Any]:
    """Give the colour, line style and marker of a series; after six they begin again in other pairs."""
    lap, place = divmod(number, len(_COLORS))
    shifted = (place + lap) % len(_LINES)
    return {"color": _COLORS[place], "linestyle": _LINES[shifted], "marker": _MARKERS[shifted]}


def check_matplotlib(caller: str) -> None:
    """Raise an ImportError that names the extra, unless matplotlib can be imported."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(f"{caller} needs matplotlib: pip install 'skreg[plot]'.") from error


def data_frame(columns: Any, *, index: Any = None, caller: str) -> Any:
    """Make a pandas DataFrame, or raise an ImportError that says what needs it."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(f"{caller} needs pandas: pip install pandas.") from error
    return pd.DataFrame(columns, index=index)


def check_kinds(kind: Any, known: Sequence[str]) -> tuple[str, ...]:
    """Return the panels asked for, all that there are for None, or raise an error naming them."""
    if kind is None:
        return tuple(known)
    kinds = (kind,) if isinstance(kind, str) else tuple(kind)
    if not kinds or any(k not in known for k in kinds) or len(set(kinds)) < len(kinds):
        raise ValueError(f"kind must be some of {', '.join(map(repr, known))}, got {kind!r}.")
    return kinds


def panels(
    ax: Any,
    n: int,
    *,
    figsize: tuple[float, float],
    vertical: bool = False,
    ratios: Sequence[float] | None = None,
    **share: Any,
) -> tuple[Any, list[Any]]:
    """Make room for n panels, in a new figure or in what was given.

    Parameters
    ----------
    ax : matplotlib Axes, sequence of n of them, or None
        None makes a figure. One Axes for several panels is divided among them, and hidden, as in
        scikit-learn's PartialDependenceDisplay.
    n : int
        How many.
    figsize : tuple of two floats
        Of a new figure, in inches.
    vertical : bool, default=False
        Whether the panels lie below each other.
    ratios : sequence of n floats, optional
        Their sizes relative to each other.
    **share : dict
        ``sharex`` and ``sharey`` of matplotlib.

    Returns
    -------
    figure, axes
        The figure, and the n Axes.
    """
    shape = (n, 1) if vertical else (1, n)
    grid = {("height_ratios" if vertical else "width_ratios"): ratios}
    if ax is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=figsize, layout="constrained")
        return figure, list(figure.subplots(*shape, squeeze=False, gridspec_kw=grid, **share).ravel())
    given = np.ravel(np.asarray(ax, dtype=object)).tolist()
    figure = given[0].figure
    if len(given) == n:
        return figure, given
    if len(given) > 1:
        raise ValueError(f"ax must be one Axes or {n} of them, one a panel, got {len(given)}.")
    if not given[0].axison:
        raise ValueError("ax was divided by another plot; pass the axes_ of that display instead.")
    current = figure.gca()
    given[0].set_axis_off()
    spec = given[0].get_subplotspec()
    if spec is None:  # placed by hand
        box = given[0].get_position()
        inner = figure.add_gridspec(*shape, left=box.x0, right=box.x1, bottom=box.y0, top=box.y1, **grid)
    else:
        inner = spec.subgridspec(*shape, **grid)
    divided = list(inner.subplots(squeeze=False, **share).ravel())
    figure.sca(current)  # the caller's, as if nothing had been added
    return figure, divided


def tidy(ax: Any, *, zero: bool = False) -> None:
    """Leave two spines; draw a thin line at zero if `zero`."""
    ax.spines[["top", "right"]].set_visible(False)
    if zero:
        ax.axhline(0.0, color=LIGHT, linewidth=0.8, zorder=0)


def segments(ax: Any, ends: ArrayLike, **look: Any) -> Any:
    """Draw many line segments as one artist, from ends of shape (n, 2, 2)."""
    from matplotlib.collections import LineCollection

    return ax.add_collection(LineCollection(list(np.asarray(ends)), **look), autolim=False)


def legend_above(ax: Any, **params: Any) -> Any:
    """Put a legend of a row or two on top of the panel, where it hides nothing."""
    look = {"ncols": 3, "fontsize": "small", "frameon": False, "borderaxespad": 0.2, "handlelength": 2.2}
    return ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), **{**look, **params})


def log_ticks(ax: Any) -> None:
    """Label few places of a log x axis: powers of ten, and 2 and 5 of them where it spans little.

    The limits of `ax` must be set by now. On such axes matplotlib's own labels run into each other.
    """
    low, high = sorted(ax.get_xlim())
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    ax.tick_params(axis="x", which="minor", labelbottom=False)
    ticks = [m * 10.0**k for k in range(first, last + 1) for m in (1.0, 2.0, 5.0)]
    ticks = [tick for tick in ticks if low <= tick <= high]
    if len(ticks) <= 5:
        ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])


def label_ends(
    ax: Any, x: ArrayLike, values: ArrayLike, names: Sequence[str], colors: Sequence[Any]
) -> list[Any]:
    """Write the names of points on the right of the panel, moved apart where they would overlap.

    The limits of `ax` must be set by now.
    """
    values = np.asarray(values, dtype=np.float64)
    x = np.broadcast_to(np.asarray(x, dtype=np.float64), values.shape)
    if values.size == 0:
        return []
    size = 8.0
    height = ax.get_window_extent().height * 72.0 / ax.figure.dpi
    ends = ax.transAxes.inverted().transform(ax.transData.transform(np.column_stack([x, values])))[:, 1]
    order = np.lexsort((-np.arange(values.size), ends))  # of equal ends the first is on top
    places = np.empty(values.size)
    places[order] = spread(ends[order], gap=1.25 * size / max(height, size))
    return [
        ax.annotate(
            shortened(name),
            xy=(at, value),
            xycoords="data",
            xytext=(1.04, place),
            textcoords="axes fraction",
            color=color,
            fontsize=size,
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": color,
                "linewidth": 0.5,
                "relpos": (0.0, 0.5),
                "shrinkA": 1,
                "shrinkB": 0,
            },
        )
        for at, value, place, name, color in zip(x, values, places, names, colors, strict=True)
    ]


def spread(ends: FloatArray, gap: float) -> FloatArray:
    """Move increasing places apart to at least `gap`, by the least squares, within [0, 1] if they fit there.

    Less a gap each they must only not decrease: an isotonic regression.
    """
    steps = gap * np.arange(ends.size)
    room = max(1.0 - steps[-1], 0.0)
    return np.clip(isotonic_regression(ends - steps).x, 0.0, room) + steps
