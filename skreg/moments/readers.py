"""Chunks of what data are kept in: arrays and memory maps, tables that come in pieces, Parquet files.

Each of these can be gone through again, and reads no row before it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy import sparse

__all__ = [
    "Chunks",
    "SizedChunks",
    "TableColumns",
    "array_chunks",
    "frame_chunks",
    "parquet_chunks",
    "rows_in_a_chunk",
]

# Numbers in a chunk unless told (32 MB).
_CHUNK_SIZE = 2**22


class Chunks:
    """An iterable of chunks (X, y) or (X, y, sample_weight) that begins anew each time.

    Parameters
    ----------
    begin : callable
        Returns a new iterator of the chunks.
    """

    def __init__(self, begin: Callable[[], Iterator[tuple[Any, ...]]]) -> None:
        self._begin = begin

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._begin()


class SizedChunks(Chunks):
    """Chunks of which it is known how many there are.

    Parameters
    ----------
    begin : callable
        Returns a new iterator of the chunks.
    length : int
        How many.
    """

    def __init__(self, begin: Callable[[], Iterator[tuple[Any, ...]]], length: int) -> None:
        super().__init__(begin)
        self._length = length

    def __len__(self) -> int:
        return self._length


def array_chunks(X: Any, y: Any, sample_weight: Any = None, *, chunk_rows: int | None = None) -> SizedChunks:
    """Cut arrays into chunks of rows that follow each other, without copying them.

    Parameters
    ----------
    X : ndarray, numpy.memmap or CSR matrix of shape (n_samples, n_features)
        Whatever has a shape and is sliced by rows: arrays of Zarr or HDF5 too.
    y : array-like of shape (n_samples,) or (n_samples, n_targets)
        Target, sliced likewise.
    sample_weight : array-like of shape (n_samples,), optional
        Weights, sliced likewise.
    chunk_rows : int, optional
        Rows in a chunk; by default as many as make 32 MB of float64.

    Returns
    -------
    iterable of tuple
        With a length.

    Raises
    ------
    TypeError, ValueError
        If X cannot be sliced by rows, or the others have not as many rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.moments import Moments, array_chunks
    >>> X, y = np.eye(5), np.arange(5.0)  # numpy.load(file, mmap_mode="r"), say
    >>> len(array_chunks(X, y, chunk_rows=2))
    3
    >>> Moments.from_chunks(array_chunks(X, y, chunk_rows=2))
    Moments(5 rows, 5 features, 1 target, centred)
    """
    if sparse.issparse(X) and X.format != "csr":
        raise TypeError(f"X is sparse in {X.format} format, which has no rows to cut: X.tocsr() would do.")
    if getattr(X, "ndim", None) != 2:
        raise ValueError(f"X must be an array of two dimensions, got {type(X).__name__}.")
    n, n_columns = X.shape
    parts = [(name, part) for name, part in (("y", y), ("sample_weight", sample_weight)) if part is not None]
    for name, part in parts:
        if len(part) != n:
            raise ValueError(f"{name} has {len(part)} rows and X has {n}; they must be as many.")
    step = rows_in_a_chunk(chunk_rows, n_columns)
    arrays = [X, *(part for _name, part in parts)]
    arrays = [array.iloc if hasattr(array, "iloc") else array for array in arrays]

    def begin() -> Iterator[tuple[Any, ...]]:
        for start in range(0, n, step):
            yield tuple(array[start : start + step] for array in arrays)

    return SizedChunks(begin, -(-n // step))


def frame_chunks(
    frames: Iterable[Any],
    target: str | Sequence[str],
    *,
    features: Sequence[str] | None = None,
    sample_weight: str | None = None,
) -> Chunks:
    """Split each DataFrame of a stream into X, y and weights, by the names of its columns.

    Parameters
    ----------
    frames : iterable of DataFrame
        Of pandas or Polars, such as ``pandas.read_csv(file, chunksize=100_000)``.
    target : str or sequence of str
        The column of y, or those of several targets.
    features : sequence of str, optional
        The columns of X, in that order; by default all others, in the order of the first frame.
    sample_weight : str, optional
        The column of weights.

    Returns
    -------
    iterable of tuple
        It goes through `frames` anew each time, if they can be.

    Examples
    --------
    >>> import pandas as pd
    >>> from skreg.moments import Moments, frame_chunks
    >>> frame = pd.DataFrame({"height": [1.5, 1.7, 1.8], "weight": [50.0, 60.0, 80.0]})
    >>> Moments.from_chunks(frame_chunks([frame, frame], target="weight")).feature_names
    ('height',)
    """

    def begin() -> Iterator[tuple[Any, ...]]:
        columns = None
        for frame in frames:
            if columns is None:
                columns = TableColumns(list(frame.columns), target, features, sample_weight)
            columns.check(list(frame.columns), "The frame")
            yield tuple(frame[part] for part in columns.parts)

    return Chunks(begin)


def parquet_chunks(
    source: Any,
    target: str | Sequence[str],
    *,
    features: Sequence[str] | None = None,
    sample_weight: str | None = None,
    chunk_rows: int | None = None,
) -> SizedChunks:
    """Read Parquet files in chunks of rows, the columns that are needed alone.

    Parameters
    ----------
    source : str, path, binary file object, or a list of them
        A file, a folder of files ``*.parquet`` (gone through in the order of their names), or several.
    target : str or sequence of str
        The column of y, or those of several targets.
    features : sequence of str, optional
        The columns of X, in that order; by default all others, in the order of the first file.
    sample_weight : str, optional
        The column of weights.
    chunk_rows : int, optional
        Rows in a chunk at most; by default as many as make 32 MB of float64. No chunk is larger than a row
        group of its file.

    Returns
    -------
    iterable of tuple
        With a length. X is a float32 array if all its columns are float32, else float64; nulls are NaN,
        which `Moments.from_chunks` refuses. It has the columns of X as `feature_names`.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    TypeError, ValueError
        If there is no such file, a file has not the columns, or one of them does not hold numbers.

    Examples
    --------
    >>> import io
    >>> import pandas as pd
    >>> from skreg.moments import Moments, parquet_chunks
    >>> table, file = pd.DataFrame({"a": [1.0, 2.0], "b": [0.0, 3.0], "y": [1.0, 0.0]}), io.BytesIO()
    >>> table.to_parquet(file)
    >>> Moments.from_chunks(parquet_chunks(file, target="y")).feature_names
    ('a', 'b')
    """
    from skreg.moments.parquet import ParquetChunks

    return ParquetChunks(source, target, features, sample_weight, chunk_rows)


class TableColumns:
    """Which columns of a table are X, y and the weights."""

    def __init__(
        self,
        available: list[str],
        target: str | Sequence[str],
        features: Sequence[str] | None,
        sample_weight: str | None,
    ) -> None:
        self.several_targets = not isinstance(target, str)
        self.target = [target] if isinstance(target, str) else list(target)
        self.weight = [] if sample_weight is None else [sample_weight]
        if features is None:
            self.features = [name for name in available if name not in (*self.target, *self.weight)]
        else:
            self.features = list(features)
        if not self.features:
            raise ValueError(f"No column is left for X beside {self.target + self.weight}.")
        self.parts = [self.features, self.target if self.several_targets else self.target[0], *self.weight]

    def check(self, available: list[str], what: str) -> None:
        """Raise a ValueError unless there are all of them."""
        missing = [name for name in (*self.features, *self.target, *self.weight) if name not in available]
        if missing:
            raise ValueError(f"{what} has no column {', '.join(map(repr, missing[:5]))}: it has {available}.")


def rows_in_a_chunk(chunk_rows: int | None, n_columns: int) -> int:
    """Check `chunk_rows`, or choose it by the size of a row."""
    if chunk_rows is None:
        return max(1, _CHUNK_SIZE // max(1, n_columns))
    if not isinstance(chunk_rows, int | np.integer) or isinstance(chunk_rows, bool) or chunk_rows < 1:
        raise ValueError(f"chunk_rows must be None or an integer ≥ 1, got {chunk_rows!r}.")
    return int(chunk_rows)
