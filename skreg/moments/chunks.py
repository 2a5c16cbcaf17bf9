"""The moments of data in chunks, gathered in place: each chunk is checked before any of it is added."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import check_array

from skreg.moments.accumulator import Accumulator
from skreg.moments.progress import Report
from skreg.moments.rows import row_blocks
from skreg.moments.weights import check_sample_weight

if TYPE_CHECKING:
    from skreg.moments.moments import Moments

__all__ = ["ChunkError", "Gathering", "column_names"]

FloatArray = NDArray[np.float64]

# Sums of squares up to here leave room for the products that they bound.
_LARGEST = 1e300


class ChunkError(ValueError):
    """A chunk that cannot be added to the moments of those before it.

    Attributes
    ----------
    chunk : int
        Its number, from 0.
    moments : Moments or None
        Those of the chunks before it, complete and usable; None if it was the first.
    """

    def __init__(self, message: str, chunk: int = 0, moments: Moments | None = None) -> None:
        super().__init__(message)
        self.chunk = chunk
        self.moments = moments

    def __reduce__(self) -> tuple[Any, ...]:  # across processes with all of it
        return type(self), (str(self), self.chunk, self.moments)


class Gathering:
    """Moments that take in one chunk after another; the first says what the others must be like.

    Parameters
    ----------
    kind : type
        `Moments`, which this cannot import.
    centred : bool
        Whether to take products about the means.
    feature_names : sequence of str, optional
        Names of the columns, for chunks that have none of their own.
    """

    def __init__(self, kind: type[Moments], *, centred: bool, feature_names: Any = None) -> None:
        self._kind = kind
        self._centred = centred
        self._given_names = None if feature_names is None else tuple(map(str, feature_names))
        self._sums: Accumulator | None = None
        self._squares = np.zeros(2)  # of X and of y, so far
        self._names: tuple[str, ...] | None = None
        self._dtype = np.dtype(np.float64)

    def take(self, chunks: Iterable[Any], report: Report) -> Moments:
        """Take in every chunk, and return the moments of all."""
        iterator, number = iter(chunks), 0
        while True:
            try:
                chunk = next(iterator)
            except StopIteration:
                break
            except Exception as error:
                raise ChunkError(
                    f"Chunk {number} could not be read: {error}", number, self.moments
                ) from error
            with report():
                try:
                    self.add(*_parts(chunk))
                except (TypeError, ValueError) as error:
                    raise ChunkError(f"Chunk {number}: {error}", number, self.moments) from error
            number += 1
        if self.moments is None:
            raise ValueError(f"There is nothing to take moments of: none of {number} chunks has a row.")
        return self.moments

    @property
    def moments(self) -> Moments | None:
        """The moments of the chunks so far; None if there were no rows."""
        if self._sums is None:
            return None
        return self._kind(**self._sums.sums(), feature_names=self._names, dtype=self._dtype)

    def add(self, X: Any, y: Any, sample_weight: Any = None) -> None:
        """Check a chunk, all of it, and then take it in."""
        names = column_names(X) or self._given_names
        X = check_array(
            X,
            accept_sparse=["csr", "csc"],
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
            ensure_min_samples=0,
            input_name="X",
        )
        y = check_array(
            y,
            ensure_2d=False,
            dtype=np.float64,
            ensure_all_finite=False,
            ensure_min_samples=0,
            input_name="y",
        )
        y = y[:, None] if y.ndim == 1 else y
        if len(y) != X.shape[0]:
            raise ValueError(f"X has {X.shape[0]} rows and y has {len(y)}; they must be as many.")
        if names is not None and len(names) != X.shape[1]:
            raise ValueError(f"X has {X.shape[1]} columns, and there are {len(names)} feature names.")
        self._check_like_the_first(X, y, names)
        if X.shape[0] == 0:
            return
        weights = check_sample_weight(sample_weight, X.shape[0], none_counts=True)
        heaviest = max(1.0, float(weights.max()))
        squares = self._squares + (
            heaviest * _sum_of_squares(X, "X", names),
            heaviest * _sum_of_squares(y, "y", None),
        )
        if np.any(squares > _LARGEST):
            name = "X" if squares[0] > _LARGEST else "y"
            raise ValueError(
                f"{name} has numbers too large to square and add up in float64. Divide them by a constant."
            )
        if self._sums is None:
            self._sums = Accumulator(X.shape[1], y.shape[1], centred=self._centred)
            self._names, self._dtype = names, X.dtype
        self._sums.add_rows(X, y, weights)
        self._squares = squares

    def _check_like_the_first(self, X: Any, y: FloatArray, names: tuple[str, ...] | None) -> None:
        if self._sums is None:
            return
        width, n_targets = self._sums.xy.shape
        if X.shape[1] != width:
            raise ValueError(f"X has {X.shape[1]} columns, and that of the chunks before it has {width}.")
        if y.shape[1] != n_targets:
            raise ValueError(f"y has {y.shape[1]} targets, and that of the chunks before it has {n_targets}.")
        if names != self._names:
            raise ValueError(
                "X has not the feature names of the chunks before it, in their order: got "
                f"{_listed(names)}, not {_listed(self._names)}."
            )
        if X.dtype != self._dtype and X.shape[0]:
            raise ValueError(
                f"X is {X.dtype}, and that of the chunks before it {self._dtype}: "
                f"X.astype({self._dtype}) would do."
            )


def _parts(chunk: Any) -> tuple[Any, ...]:
    """Take a chunk apart: X, y and perhaps the weights."""
    if isinstance(chunk, tuple | list) and len(chunk) in (2, 3):
        return tuple(chunk)
    size = f" of {len(chunk)}" if isinstance(chunk, tuple | list) else ""
    raise TypeError(f"a chunk must be (X, y) or (X, y, sample_weight), got {type(chunk).__name__}{size}.")


def column_names(X: Any) -> tuple[str, ...] | None:
    """Read the column names of a DataFrame, if all are strings."""
    columns = getattr(X, "columns", None)
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    return tuple(columns)


def _listed(names: tuple[str, ...] | None) -> str:
    return "none" if names is None else ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _sum_of_squares(values: Any, name: str, names: tuple[str, ...] | None) -> float:
    """Sum the squares of all numbers, in one pass that finds what is not finite too."""
    total = 0.0
    parts = [values.data] if sparse.issparse(values) else (values[rows] for rows in row_blocks(*values.shape))
    for part in parts:
        flat = np.asarray(part, dtype=np.float64).ravel(order="K")  # as the numbers lie: nothing is copied
        total += float(np.vdot(flat, flat))
    if not np.isfinite(total):
        _check_finite(values, name, names)
    return total


def _check_finite(values: Any, name: str, names: tuple[str, ...] | None) -> None:
    """Raise a ValueError that says where the first number is that is not finite, if there is one."""
    stored = sparse.coo_array(values)
    bad = np.flatnonzero(~np.isfinite(stored.data))
    if bad.size == 0:
        return
    row, column = (int(index[bad[0]]) for index in stored.coords)
    place = "" if name == "y" else f" in column {column if names is None else repr(names[column])}"
    raise ValueError(f"{name} has {stored.data[bad[0]]:g}{place}, in row {row} of the chunk.")
