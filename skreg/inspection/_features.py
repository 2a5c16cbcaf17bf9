"""Features by name and by size: which to draw, and what to call them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["largest", "names_of", "shortened", "two_of"]


def names_of(names: Sequence[Any] | None, n_features: int) -> tuple[str, ...]:
    """Return the names as strings, or x0, x1, … if there are none."""
    return tuple(f"x{j}" for j in range(n_features)) if names is None else tuple(map(str, names))


def two_of(features: Any, names: Sequence[str]) -> list[int]:
    """Find the positions of two features, given by name or position, or raise an error."""
    try:
        pair = [names.index(f) if isinstance(f, str) else range(len(names))[f] for f in features]
    except (ValueError, IndexError, TypeError):
        pair = []
    if len(pair) != 2 or pair[0] == pair[1]:
        raise ValueError(
            f"features must be two different names or positions of the {len(names)} features, got "
            f"{features!r}."
        )
    return pair


def largest(sizes: ArrayLike, n: int) -> NDArray[np.intp]:
    """Find which n sizes are the largest, in decreasing order; fewer if fewer are above zero."""
    sizes = np.nan_to_num(np.asarray(sizes, dtype=np.float64))
    order = np.argsort(-sizes, kind="stable")[: max(int(n), 0)]
    return order[sizes[order] > 0]


def shortened(name: str, length: int = 24) -> str:
    """Cut a long name, so that it does not take the figure."""
    return name if len(name) <= length else name[: length - 1] + "…"
