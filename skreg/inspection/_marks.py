"""Alphas that have a name, marked across the panels of a path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skreg.inspection._style import GREEN, GREY, VERMILLION

__all__ = ["mark_alphas"]

FloatArray = NDArray[np.float64]

_LOOKS = {
    "min": (VERMILLION, "--", "min"),
    "1se": (GREEN, "-.", "1 SE"),
    "alpha": (GREY, "--", "alpha"),
}


def mark_alphas(
    axes: Sequence[Any], marks: Mapping[str, float | None], alphas: FloatArray, along: FloatArray | None
) -> dict[str, list[Any]]:
    """Draw vertical lines at the alphas that have a name, their names at the top.

    Parameters
    ----------
    axes : sequence of matplotlib Axes
        The panels, from the top.
    marks : mapping of str to (float or None)
        "min", "1se" or "alpha", and where; those without a finite alpha are left out.
    alphas : ndarray of shape (n_alphas,)
        Those of the path.
    along : ndarray of shape (n_alphas,) or None
        What the horizontal axis has at each of them; None if that is alpha itself.

    Returns
    -------
    dict of str to list of matplotlib Line2D
        The lines, one a panel.
    """
    lines = {}
    order = np.argsort(alphas)
    for name, alpha in marks.items():
        if alpha is None or not np.isfinite(alpha):
            continue
        at = alpha
        if along is not None:
            at = float(np.interp(np.log(alpha), np.log(alphas[order]), along[order]))
        color, line, text = _LOOKS[name]
        lines[name] = [
            panel.axvline(at, color=color, linestyle=line, linewidth=1.0, zorder=1.5) for panel in axes
        ]
        left = name == "1se"  # the stronger penalty, on the left of the other
        axes[0].annotate(
            text,
            xy=(at, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-3 if left else 3, -1),
            textcoords="offset points",
            ha="right" if left else "left",
            va="top",
            color=color,
            fontsize=8,
        )
    return lines
