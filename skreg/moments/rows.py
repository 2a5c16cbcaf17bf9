"""Passes over rows: blocks that stay in cache, means in two parts, centred products."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import blas

__all__ = ["NEARLY_FULL", "add_products", "implicitly_centred", "row_blocks", "weighted_means"]

FloatArray = NDArray[np.float64]

# Rows are visited in blocks of about this many numbers (2 MiB), which stay in cache while they are used.
_BLOCK_SIZE = 2**18
# Numbers multiplied at a time (half a MiB), and rows at least.
_PRODUCT_SIZE = 2**16
_PRODUCT_ROWS = 256
# Sparse columns whose variance is below this part of their mean square are stored centred.
NEARLY_FULL = 0.1


def add_products(
    gram: FloatArray,
    xy: FloatArray,
    X: NDArray[Any],
    mean: tuple[FloatArray, FloatArray],
    weights: FloatArray,
    weighted_y: FloatArray,
) -> int:
    """Add Σ s (x − x̄)(x − x̄)ᵀ and Σ s (x − x̄)(y − ȳ)ᵀ in one pass, in place.

    Parameters
    ----------
    gram : ndarray of shape (n_features, n_features), C-contiguous
        Its lower triangle is added to.
    xy : ndarray of shape (n_features, n_targets)
        Added to.
    X : ndarray of shape (n_rows, n_features)
        Rows of any real dtype.
    mean : tuple of two ndarrays of shape (n_features,)
        x̄ in two parts.
    weights : ndarray of shape (n_rows,)
        sᵢ.
    weighted_y : ndarray of shape (n_rows, n_targets)
        sᵢ (yᵢ − ȳ).

    Returns
    -------
    int
        How many blocks of rows were added, one after another.
    """
    n, p = X.shape
    first, rest = mean
    root = None if np.all(weights == 1.0) else np.sqrt(weights)[:, None]
    has_rest = np.any(rest)
    # Few rows at a time would read and write the whole Gram matrix too often.
    step = max(_PRODUCT_ROWS, _PRODUCT_SIZE // max(1, p))
    # One buffer: workers of Dask, to keep little memory, give every array back to the system at once.
    buffer = np.empty_like(X[:step], dtype=np.float64, subok=False)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        block = np.subtract(X[rows], first, out=buffer[: rows.stop - start])
        if has_rest:
            block -= rest
        xy += block.T @ weighted_y[rows]
        if root is not None:
            block *= root[rows]
        by_columns = block.flags.f_contiguous
        # Half the work: the upper triangle of BLAS's matrix of columns is the lower one of rows.
        a = block if by_columns else block.T
        blas.dsyrk(1.0, a, trans=by_columns, beta=1.0, c=gram.T, overwrite_c=True)
    return -(-n // step)


def row_blocks(n_samples: int, n_features: int) -> Iterator[slice]:
    """Cut the rows into slices of a size that stays in cache."""
    step = max(1, _BLOCK_SIZE // max(1, n_features))
    for start in range(0, n_samples, step):
        yield slice(start, min(start + step, n_samples))


def weighted_means(X: NDArray[Any], weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted column means in two parts, the nearest float64 and what it rounds away; zeros without weight.

    The sum of the parts is accurate to the rounding of X's spread, not of its size: a second pass averages
    what the first left over. A constant column has exactly its value as its mean, and no second part.
    """
    total = float(weights.sum())
    if total == 0:
        return np.zeros(X.shape[1]), np.zeros(X.shape[1])
    share = weights / total
    first, left_over = np.zeros((2, X.shape[1]))
    buffer = None  # for all blocks: a new array each takes longer than what is done with it
    for rows in row_blocks(*X.shape):
        first += share[rows] @ X[rows]
    for rows in row_blocks(*X.shape):
        if buffer is None:
            buffer = np.empty_like(X[rows], dtype=np.float64, subok=False)
        left_over += share[rows] @ np.subtract(X[rows], first, out=buffer[: rows.stop - rows.start])
    mean = first + left_over
    rest = left_over - (mean - first)
    # What is within the rounding of the second pass itself means nothing; for a constant column it is zero.
    rest[np.abs(rest) <= 4.0 * len(weights) * np.finfo(np.float64).eps * np.abs(left_over)] = 0.0
    return mean, rest


def implicitly_centred(
    X: Any, weights: FloatArray, *, centred: bool
) -> tuple[sparse.csc_array, tuple[FloatArray, FloatArray], FloatArray]:
    """Write the centring of a sparse matrix as X − 1x̄ᵀ = stored − 1 shiftᵀ, so that it stays sparse.

    A share f of zeros keeps a column's variance above f of its mean square. So a column far from zero beside
    its spread, which would lose digits to an implicit shift, is nearly full, and is stored centred.

    Returns
    -------
    stored : CSC array of shape (n_samples, n_features), float64
        In canonical format; it may share memory with X.
    mean : tuple of two ndarrays of shape (n_features,)
        x̄ in two parts; zeros if not `centred`.
    shift : ndarray of shape (n_features,)
        The part of it that is left implicit.
    """
    stored = sparse.csc_array(X, dtype=np.float64)
    if not stored.has_canonical_format:
        stored = stored.copy()  # the caller's arrays stay as they are
        stored.sum_duplicates()
    mean, rest = np.zeros((2, X.shape[1]))
    total = float(weights.sum())
    if not centred or total == 0:
        return stored, (mean, rest), mean
    mean = stored.T @ weights / total
    mean_square = stored.power(2).T @ weights / total
    full = np.flatnonzero(mean_square - mean**2 < NEARLY_FULL * mean_square)
    shift = mean.copy()
    if full.size:
        columns = stored[:, full].toarray()
        mean[full], rest[full] = weighted_means(columns, weights)
        shift[full] = 0.0
        columns -= mean[full]
        columns -= rest[full]
        others = np.setdiff1d(np.arange(mean.size), full)
        order = np.argsort(np.concatenate([others, full]))
        stored = sparse.hstack([stored[:, others], sparse.csc_array(columns)], format="csc")[:, order]
    return stored, (mean, rest), shift
