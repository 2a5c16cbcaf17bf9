"""Moments of Dask's collections: each chunk's on the worker that has it, added up in a tree.

The one file that imports Dask. It asks of it `delayed`, the protocol of its collections, and one `compute`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
from dask.core import flatten
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph
from dask.sizeof import sizeof
from numpy.typing import NDArray
from scipy import sparse

from skreg.moments.accumulator import Accumulator
from skreg.moments.chunks import ChunkError, Gathering, column_names
from skreg.moments.moments import Moments
from skreg.moments.weights import check_sample_weight

__all__ = ["by_rows", "gathered", "header"]

# Moments added up by one task. Few, since each is a matrix that has to be there at once.
_FAN_IN = 4
_FLOAT64 = np.dtype(np.float64)


@sizeof.register(Moments)
def _sizeof_moments(moments: Moments) -> int:
    # Else schedulers take a matrix for next to nothing, and move and hold as many as they like.
    return 1000 + int(moments.gram.nbytes + moments.xy.nbytes)


@dataclass(frozen=True)
class _Expected:
    """What each chunk has to be like, by what its collection says, and what is to be made of it."""

    n_features: int
    n_targets: int
    feature_names: tuple[str, ...] | None
    dtype: np.dtype[Any]
    centred: bool
    n_folds: int | None
    bounds: NDArray[np.intp] | None  # where each fold begins, and the last ends; None if rows are not counted


def gathered(
    X: Any, y: Any, sample_weight: Any, *, centred: bool, n_folds: int | None
) -> Moments | list[Moments]:
    """Take the moments of all rows, or of each fold; `dask_moments` has the documentation."""
    if n_folds is not None and (not isinstance(n_folds, Integral) or n_folds < 2):
        raise ValueError(f"n_folds must be None or an integer ≥ 2, got {n_folds!r}.")
    X, y, weights, constant = _aligned(X, y, sample_weight)
    n_features, n_targets = X.shape[1], y.shape[1] if y.ndim == 2 else 1
    names, dtype = column_names(X), _dtype_of(X)
    sizes = _row_chunks(X)
    places: list[tuple[int, int] | None] = [None] * _n_chunks(X)
    bounds = None
    if sizes is not None:
        ends = np.cumsum(sizes).tolist()
        places = list(zip([0, *ends[:-1]], ends, strict=True)) if ends else []
        if n_folds is not None:
            bounds = _fold_bounds(sum(sizes), n_folds)
    expected = _Expected(n_features, n_targets, names, dtype, centred, n_folds, bounds)
    found = _reduced(X, y, weights, constant, places, expected)
    if not found:
        raise ValueError("There is nothing to take moments of: no row has a positive sample_weight.")
    folds = [found.get(k) for k in range(n_folds or 1)]
    for k, moments in enumerate(folds):
        if moments is None:
            raise ValueError(f"Fold {k} has no row of positive sample_weight to test; use fewer folds.")
    return folds[0] if n_folds is None else folds  # type: ignore[return-value]  # none of them is None


def by_rows(function: Callable[[Any], NDArray[Any]], X: Any, n_outputs: int | None, dtype: Any) -> Any:
    """Apply a function of rows to each chunk, lazily.

    Parameters
    ----------
    function : callable
        From an array or a pandas DataFrame of rows to an array of shape (n_rows,) or (n_rows, n_outputs).
    X : dask Array or DataFrame
        The rows.
    n_outputs : int or None
        None for one-dimensional results.
    dtype : dtype
        Of the results, where that of X has no more digits.

    Returns
    -------
    dask Array
        In chunks of as many rows as those of X.
    """
    _check_kind("X", X, ndim=2)
    dtype = np.result_type(_dtype_of(X), dtype)
    X = _uncut(X if isinstance(X, da.Array) else X.astype(np.float64).to_dask_array())
    if n_outputs is None:
        return X.map_blocks(function, dtype=dtype, drop_axis=1, meta=np.empty(0, dtype))
    return X.map_blocks(
        function, dtype=dtype, chunks=(X.chunks[0], (n_outputs,)), meta=np.empty((0, 0), dtype)
    )


def header(X: Any) -> Any:
    """Return no rows of the columns of X, an array or a pandas DataFrame, to check them by."""
    _check_kind("X", X, ndim=2)
    if isinstance(X, da.Array):
        return np.empty((0, X.shape[1]))
    import pandas as pd

    return pd.DataFrame(columns=list(X.columns), dtype=np.float64)


def _aligned(X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any, float | None]:
    """Check that X, y and weights go together; return them in the same chunks of rows, uncut by columns."""
    _check_kind("X", X, ndim=2)
    if math.isnan(X.shape[1]):
        raise ValueError("X must have a known number of columns; X.compute_chunk_sizes() finds it.")
    X = _uncut(X)
    constant = None
    if isinstance(sample_weight, Real) and not isinstance(sample_weight, bool):
        constant, sample_weight = float(check_sample_weight(sample_weight, 1)[0]), None
    y = _like_rows_of(X, "y", y, (1, 2))
    weights = None if sample_weight is None else _like_rows_of(X, "sample_weight", sample_weight, (1,))
    return X, y, weights, constant


def _check_kind(name: str, part: Any, ndim: int | tuple[int, ...]) -> None:
    """Raise an error unless this is an array or a frame of numbers of so many dimensions."""
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    is_array = isinstance(part, da.Array)
    if not is_array and not hasattr(part, "to_dask_array"):
        raise TypeError(
            f"{name} must be a Dask Array or DataFrame where the other is one, got {type(part).__name__}."
        )
    if part.ndim not in allowed:
        shape = " or ".join(map(str, allowed))
        raise ValueError(f"{name} must have {shape} dimensions, got {part.ndim}.")
    if is_array:
        wrong = [] if part.dtype.kind in "biuf" else [f"the array is {part.dtype}"]
    else:
        columns = part.dtypes.items() if part.ndim == 2 else [(part.name, part.dtype)]
        wrong = [f"{column!r} is {dtype}" for column, dtype in columns if not _is_numeric(dtype)]
    if wrong:
        more = "" if len(wrong) <= 5 else f" and {len(wrong) - 5} more"
        raise ValueError(
            f"{name} must hold numbers: {', '.join(wrong[:5])}{more}. Encode such columns first, as "
            "dask.dataframe.get_dummies does categories, or leave them out."
        )


def _is_numeric(dtype: Any) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)


def _dtype_of(X: Any) -> np.dtype[Any]:
    """Return the dtype that coefficients of X get: float32 where all of it is that."""
    if isinstance(X, da.Array):
        dtypes = [X.dtype]
    else:
        dtypes = [getattr(dtype, "numpy_dtype", dtype) for dtype in X.dtypes]
    return np.dtype(np.float32) if all(dtype == np.float32 for dtype in dtypes) else _FLOAT64


def _uncut(part: Any) -> Any:
    """Join the columns of an array that is cut by columns."""
    if isinstance(part, da.Array) and part.ndim == 2 and part.numblocks[1] > 1:
        return part.rechunk({1: -1})
    return part


def _row_chunks(part: Any) -> tuple[int, ...] | None:
    """Return how many rows each chunk has; None if that is not known."""
    if not isinstance(part, da.Array) or any(math.isnan(size) for size in part.chunks[0]):
        return None
    return part.chunks[0]


def _n_chunks(part: Any) -> int:
    return part.numblocks[0] if isinstance(part, da.Array) else part.npartitions


def _like_rows_of(X: Any, name: str, part: Any, ndim: tuple[int, ...]) -> Any:
    """Return y or weights in chunks of the rows that those of X have."""
    sizes = _row_chunks(X)
    if isinstance(part, np.ndarray | list) and sizes is not None:
        part = np.asarray(part)
        if len(part) == sum(sizes):  # else see below
            part = da.from_array(part, chunks=(sizes, *part.shape[1:]))
        else:
            part = da.from_array(part)
    _check_kind(name, part, ndim)
    part = _uncut(part)
    theirs = _row_chunks(part)
    if sizes is not None and theirs is not None:
        if sum(theirs) != sum(sizes):
            raise ValueError(f"X has {sum(sizes)} rows and {name} has {sum(theirs)}; they must be as many.")
        return part if theirs == sizes else part.rechunk({0: sizes})
    if _n_chunks(part) != _n_chunks(X):
        raise ValueError(
            f"X has {_n_chunks(X)} chunks of rows and {name} has {_n_chunks(part)}, and how many rows are in "
            "each is not known. Take both from one collection, or count them: compute_chunk_sizes() of an "
            "array, to_dask_array(lengths=True) of a DataFrame."
        )
    return part


def _fold_bounds(n_rows: int, n_folds: int) -> NDArray[np.intp]:
    """Cut rows into runs as scikit-learn's KFold does: the first folds take what is over."""
    sizes = np.full(n_folds, n_rows // n_folds, dtype=np.intp)
    sizes[: n_rows % n_folds] += 1
    return np.concatenate([[0], np.cumsum(sizes)])


def _reduced(
    X: Any,
    y: Any,
    weights: Any,
    constant: float | None,
    places: Sequence[tuple[int, int] | None],
    expected: _Expected,
) -> dict[int, Moments]:
    """Lay out the tree and compute it: the only call to the cluster."""
    columns = _chunks_of([part for part in (X, y, weights) if part is not None])
    if weights is None:
        columns.append([constant] * len(places))
    token = uuid4().hex
    shared = dask.delayed(expected, name=f"expected-{token}", traverse=False)  # sent to each worker once
    take, add = (
        dask.delayed(_take, pure=False, traverse=False),
        dask.delayed(_add, pure=False, traverse=False),
    )
    level = [
        take(*chunk, place, number, shared, dask_key_name=f"moments-{token}-{number}")
        for number, (*chunk, place) in enumerate(zip(*columns, places, strict=True))
    ]
    depth = 0
    while len(level) > 1:
        depth += 1
        level = [
            add(*level[i : i + _FAN_IN], dask_key_name=f"add-moments-{token}-{depth}-{i}")
            for i in range(0, len(level), _FAN_IN)
        ]
    (found,) = dask.compute(level[0], optimize_graph=False) if level else ({},)
    return found


def _chunks_of(parts: Sequence[Any]) -> list[list[Any]]:
    """Optimise collections such that what they share is computed once; return the chunks of each."""
    arrays = [part for part in parts if isinstance(part, da.Array)]
    found = iter(_array_chunks(arrays) if arrays else [])
    # Fused, a frame's tasks would load what X and y are both columns of for each of them.
    return [
        next(found)
        if isinstance(part, da.Array)
        else part.optimize(fuse=False).to_delayed(optimize_graph=False)
        for part in parts
    ]


def _array_chunks(arrays: Sequence[Any]) -> list[list[Any]]:
    """Do as `to_delayed` does, with several arrays together, which `dask.optimize` takes each by itself."""
    keys = [list(flatten(array.__dask_keys__())) for array in arrays]
    graph = HighLevelGraph.merge(*(array.__dask_graph__() for array in arrays))
    graph = arrays[0].__dask_optimize__(graph, list(flatten(keys)))
    layer = f"chunks-{uuid4().hex}"
    graph = HighLevelGraph.from_collections(layer, graph, dependencies=())
    return [[Delayed(key, graph, layer=layer) for key in of_array] for of_array in keys]


def _take(
    X: Any, y: Any, weights: Any, place: tuple[int, int] | None, number: int, expected: _Expected
) -> dict[int, Moments]:
    """Take the moments of a chunk, of each fold that it has rows of; none where they have no weight."""
    try:
        X, y = (
            _as_array(X, "X", expected.n_features, expected),
            _as_array(y, "y", expected.n_targets, expected),
        )
        weights = weights.to_numpy(np.float64, na_value=np.nan) if hasattr(weights, "to_numpy") else weights
        n = X.shape[0]
        if place is not None and n != place[1] - place[0]:
            raise ValueError(f"X has {n} rows, and its collection says {place[1] - place[0]}.")
        for name, part in (("y", y), ("sample_weight", weights)):
            if np.ndim(part) > 0 and len(part) != n:
                raise ValueError(f"X has {n} rows and {name} has {len(part)}; they must be as many.")
        found = {}
        for fold, rows in _folds_of(n, place, number, expected):
            try:
                moments = _moments_of(X, y, weights, rows, expected)
            except ValueError:
                _moments_of(X, y, weights, slice(0, n), expected)  # says which row of the chunk it is
                raise
            if moments is not None:
                found[fold] = moments
        return found
    except (TypeError, ValueError) as error:
        raise ChunkError(f"Chunk {number}: {error}", number) from error


def _moments_of(X: Any, y: Any, weights: Any, rows: slice, expected: _Expected) -> Moments | None:
    gathering = Gathering(Moments, centred=expected.centred, feature_names=expected.feature_names)
    gathering.add(X[rows], y[rows], weights[rows] if np.ndim(weights) > 0 else weights)
    moments = gathering.moments
    return None if moments is None or moments.n_rows == 0 else replace(moments, dtype=expected.dtype)


def _as_array(part: Any, name: str, n_columns: int, expected: _Expected) -> Any:
    """Make a chunk an array of as many columns as its collection says."""
    if hasattr(part, "to_numpy"):  # of pandas
        if name == "X" and column_names(part) != expected.feature_names:
            raise ValueError("X has other columns, or in another order, than its collection says.")
        part = part.to_numpy(expected.dtype if name == "X" else np.float64, na_value=np.nan)
    if sparse.issparse(part):
        part = part.tocsr()
    found = part.shape[1] if np.ndim(part) == 2 or sparse.issparse(part) else 1
    if found != n_columns:
        raise ValueError(f"{name} has {found} columns, and its collection says {n_columns}.")
    return part


def _folds_of(
    n: int, place: tuple[int, int] | None, number: int, expected: _Expected
) -> Iterator[tuple[int, slice]]:
    """Say which rows of a chunk are in which fold."""
    n_folds = expected.n_folds
    if n_folds is None:
        yield 0, slice(0, n)
        return
    if expected.bounds is None or place is None:  # each fold has a run of every chunk
        bounds, first = _fold_bounds(n, n_folds), number
    else:
        bounds, first = np.clip(expected.bounds - place[0], 0, n), 0
    for k in range(n_folds):
        if bounds[k] < bounds[k + 1]:
            yield (k + first) % n_folds, slice(int(bounds[k]), int(bounds[k + 1]))


def _add(*parts: dict[int, Moments]) -> dict[int, Moments]:
    """Add up the moments of each fold."""
    total: dict[int, Moments] = {}
    for fold in sorted({fold for part in parts for fold in part}):
        first, *others = (part[fold] for part in parts if fold in part)
        if others:
            sums = Accumulator.of(first)
            for moments in others:
                sums.add(moments)
            first = replace(first, **sums.sums())
        total[fold] = first
    return total
