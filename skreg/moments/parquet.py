"""Chunks of Parquet files; the one file here that imports pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from skreg.moments.readers import SizedChunks, TableColumns, rows_in_a_chunk

__all__ = ["ParquetChunks"]


class ParquetChunks(SizedChunks):
    """Chunks of rows of Parquet files; parameters are those of `parquet_chunks`.

    Attributes
    ----------
    feature_names : tuple of str
        The columns of X.
    """

    def __init__(
        self,
        source: Any,
        target: str | Sequence[str],
        features: Sequence[str] | None,
        sample_weight: str | None,
        chunk_rows: int | None,
    ) -> None:
        self._files = _files(source)
        columns = None
        length = 0
        for file in self._files:
            with pq.ParquetFile(file) as opened:
                schema, metadata = opened.schema_arrow, opened.metadata
                if columns is None:
                    columns = TableColumns(schema.names, target, features, sample_weight)
                    self._step = rows_in_a_chunk(chunk_rows, len(columns.features))
                    self._dtype = _dtype(schema, columns)
                columns.check(schema.names, f"{file!r}")
                _check_numeric(schema, columns, file)
                if _dtype(schema, columns) != self._dtype:
                    raise TypeError(
                        f"The columns of X in {file!r} are not {self._dtype} as in the first file."
                    )
                groups = range(metadata.num_row_groups)
                length += sum(-(-metadata.row_group(group).num_rows // self._step) for group in groups)
        assert columns is not None  # there is a file
        self._columns = columns
        self.feature_names = tuple(columns.features)
        super().__init__(self._read, length)

    def _read(self) -> Iterator[tuple[Any, ...]]:
        columns = self._columns
        names = [*columns.features, *columns.target, *columns.weight]
        for file in self._files:
            with pq.ParquetFile(file) as opened:
                for group in range(opened.metadata.num_row_groups):
                    for batch in opened.iter_batches(self._step, row_groups=[group], columns=names):
                        X = _array(batch, columns.features, self._dtype)
                        y = _array(batch, columns.target, np.dtype(np.float64))
                        weights = _array(batch, columns.weight, np.dtype(np.float64))
                        yield X, y if columns.several_targets else y[:, 0], *weights.T


def _files(source: Any) -> list[Any]:
    """List the files that are meant, or raise a ValueError if there is none."""
    files = []
    for part in source if isinstance(source, list | tuple) else [source]:
        if not isinstance(part, str | Path):
            files.append(part)
        elif Path(part).is_dir():
            files.extend(str(path) for path in sorted(Path(part).rglob("*.parquet")))
        else:
            files.append(str(part))
    if not files:
        raise ValueError(f"There is no file *.parquet in {source!r}.")
    return files


def _check_numeric(schema: pa.Schema, columns: TableColumns, file: Any) -> None:
    for name in (*columns.features, *columns.target, *columns.weight):
        kind = schema.field(name).type
        numeric = (pa.types.is_floating, pa.types.is_integer, pa.types.is_boolean, pa.types.is_decimal)
        if not any(test(kind) for test in numeric):
            raise TypeError(
                f"Column {name!r} of {file!r} is {kind}, not numbers: "
                "leave it out by `features`, or encode it."
            )


def _dtype(schema: pa.Schema, columns: TableColumns) -> np.dtype:
    single = all(schema.field(name).type == pa.float32() for name in columns.features)
    return np.dtype(np.float32 if single else np.float64)


def _array(batch: pa.RecordBatch, names: list[str], dtype: np.dtype) -> NDArray[Any]:
    """Lay columns beside each other, nulls as NaN."""
    out = np.empty((batch.num_rows, len(names)), dtype=dtype, order="F")
    for j, name in enumerate(names):
        column = batch.column(name).cast(pa.from_numpy_dtype(dtype), safe=False)
        out[:, j] = column.to_numpy(zero_copy_only=False)
    return out
