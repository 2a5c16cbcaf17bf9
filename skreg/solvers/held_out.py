"""What folds hold out: which rows, what is left of the moments without them, and their squared error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skreg.moments import Moments

__all__ = ["Split", "as_slice", "each_row_once", "moments_left", "squared_errors_by_moments"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]


class Split(NamedTuple):
    """The positions of the rows that a fold trains on and of those that it holds out; neither is empty."""

    train: IndexArray
    test: IndexArray


def as_slice(rows: IndexArray) -> slice | IndexArray:
    """Write consecutive rows as a slice, which copies nothing."""
    if rows.size and rows[-1] - rows[0] == rows.size - 1 and np.all(np.diff(rows) == 1):
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def each_row_once(parts: Sequence[IndexArray], n_rows: int) -> bool:
    """Whether the parts together have each row exactly once, so that moments of one are a difference."""
    if sum(part.size for part in parts) != n_rows:
        return False
    return bool(np.all(np.bincount(np.concatenate(parts), minlength=n_rows) == 1))


def moments_left(total: Moments, test: Moments, least: float) -> Moments | None:
    """Subtract the moments of test rows; None where less than that part of a sum of squares is left."""
    left = total - test
    if np.any(np.diag(left.gram) < least * np.diag(total.gram)) or np.any(left.yy < least * total.yy):
        return None
    return left


def squared_errors_by_moments(
    moments: Moments, coef: FloatArray, missed: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Sum the squared errors Σ s (y − b − xᵀw)² of rows from their moments, for models of each target.

    Parameters
    ----------
    moments : Moments
        Those of the rows.
    coef : ndarray of shape (n_features, n_targets, n_models)
        Coefficients of each model.
    missed : ndarray of shape (n_targets, n_models)
        What each model misses at the rows' means, ȳ − b − x̄ᵀw.

    Returns
    -------
    errors, terms : ndarray of shape (n_targets, n_models)
        The errors, and the sum of the terms that they are the difference of: where that is much larger, the
        errors have lost their digits.
    """
    # Σ s (y − b − xᵀw)² = yy − 2 wᵀxy + wᵀGw + S (ȳ − b − x̄ᵀw)², products about the means of these rows
    w = coef.reshape(coef.shape[0], -1)
    fitted = np.einsum("jk,jk->k", w, moments.gram @ w).reshape(missed.shape)
    crossed = np.einsum("jt,jtk->tk", moments.xy, coef)
    plain = moments.yy[:, None] + fitted + moments.total_weight * missed**2
    return plain - 2.0 * crossed, plain
