"""Networks drawn as layers of units, whole and thinned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skreg.inspection._style import BLUE, GREY, segments

__all__ = ["draw_networks"]

FloatArray = NDArray[np.float64]


def draw_networks(
    ax: Any, masks: Sequence[ArrayLike], coefs: Sequence[ArrayLike], max_units: int
) -> list[Any]:
    """Draw the whole network and thinned ones beside it.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    masks : sequence of array-like of shape (n_networks, units), bool
        Which units each thinned network keeps, of the inputs and each hidden layer.
    coefs : sequence of array-like of shape (n_in, n_out)
        Of the whole network.
    max_units : int
        The most units of a layer that are shown.

    Returns
    -------
    list of matplotlib PathCollection
        The units, kept and dropped, layer after layer.
    """
    kept = [np.asarray(layer, dtype=bool) for layer in masks]
    weights = [np.asarray(layer, dtype=np.float64) for layer in coefs]
    drawn: list[Any] = []
    n_outputs = weights[-1].shape[1]
    layers = [*(layer.shape[1] for layer in kept), n_outputs]
    step, gap = 1.0, 1.5
    width = step * (len(layers) - 1)
    for network in range(-1, len(kept[0])):  # the first is the whole one
        on = [np.ones(layers[i], bool) if network < 0 else kept[i][network] for i in range(len(kept))]
        on.append(np.ones(n_outputs, dtype=bool))
        left = (network + 1) * (width + gap)
        places = []
        for i, units in enumerate(layers):
            shown = np.unique(np.linspace(0, units - 1, min(units, max_units)).round().astype(int))
            y = (
                np.linspace(0.5, -0.5, shown.size) * (shown.size / max_units) ** 0.5
                if shown.size > 1
                else [0.0]
            )
            places.append((shown, left + step * i, np.asarray(y)))
            ax.text(left + step * i, -0.62, f"{on[i].sum()}", ha="center", va="top", fontsize=7, color=GREY)
        _draw_edges(ax, places, on, weights)
        for (shown, x, y), keeps in zip(places, on, strict=True):
            alive = keeps[shown]
            spot = {"s": 26, "zorder": 3, "linewidths": 0.8}
            xs = np.full(shown.size, x)
            drawn.append(ax.scatter(xs[alive], y[alive], color=BLUE, edgecolors="white", **spot))
            gone = {**spot, "s": 18, "marker": "x", "color": "0.6"}
            drawn.append(ax.scatter(xs[~alive], y[~alive], **gone))
        count = sum(int(units.sum()) for units in on[:-1])
        title = f"all {count} units" if network < 0 else f"{count} kept"
        ax.text(left + 0.5 * width, 0.6, title, ha="center", va="bottom", fontsize="small")
    right = (len(kept[0])) * (width + gap) + width
    ax.set(xlim=(-0.4, right + 0.4), ylim=(-0.78, 0.75), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    return drawn


def _draw_edges(ax: Any, places: list[Any], on: list[Any], weights: list[FloatArray]) -> None:
    """Draw the weights between units that are kept, the larger the darker."""
    for i, weight in enumerate(weights):
        (rows, x0, y0), (columns, x1, y1) = places[i], places[i + 1]
        part = np.abs(weight[np.ix_(rows, columns)])
        part = part / (part.max() or 1.0)
        a, b = np.nonzero(on[i][rows][:, None] & on[i + 1][columns])
        ends = np.empty((a.size, 2, 2))
        ends[:, 0, 0], ends[:, 0, 1], ends[:, 1, 0], ends[:, 1, 1] = x0, y0[a], x1, y1[b]
        shade = part[a, b]
        segments(ax, ends, color="0.35", linewidths=0.15 + 0.9 * shade, alpha=0.15 + 0.6 * shade, zorder=1)
