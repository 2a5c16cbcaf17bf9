"""A few rows that have given moments, and stand for the millions that those were taken of.

A rotation of the rows changes no sum of squares. So whatever minimises, certifies, cross-validates or samples
by a Gaussian likelihood may be given other rows with the same moments, and moments determine some of p + 2
rows: with G = RᵀR, those of R, its correlation with b, and what is left of b beside them; turned so that each
has the same weight and their means are zero. They are kept as deviations from the means, which would cost
columns far from zero their digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.linalg import blas

from skreg.moments import Moments
from skreg.solvers.data_term import Inherited, column_scale, power_of_two_scale
from skreg.solvers.held_out import Split
from skreg.solvers.least_squares import LeastSquares, least_squares

__all__ = ["EquivalentRows", "equivalent_rows", "least_squares_of_moments", "rows_of_folds"]

FloatArray = NDArray[np.float64]

_EPSILON = float(np.finfo(np.float64).eps)
# Targets whose deviations are all below this part of their mean are constant, as in `least_squares`.
_CONSTANT = 1e-12
# Cholesky's factor without pivoting does above this reciprocal condition.
_ILL_CONDITIONED = 1e-6
# A squared pivot may be off by so many roundings a column.
_ROUNDED = 16.0


class EquivalentRows(NamedTuple):
    """Rows that have given moments.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_features), Fortran order
        Deviations of X from its means, about zero if the moments are not centred.
    y : ndarray of shape (n_rows, n_targets)
        Likewise.
    weights : ndarray of shape (n_rows,)
        All the same; their sum is S.
    """

    X: FloatArray
    y: FloatArray
    weights: FloatArray


def equivalent_rows(moments: Moments) -> EquivalentRows:
    """Find rows that have given moments, about their means.

    Parameters
    ----------
    moments : Moments
        Of positive weight. Of several targets only the moments of each with X are kept, not those of one
        target with another.

    Returns
    -------
    EquivalentRows
        At most n_features + 2 of them. What is less than rounding in the Gram matrix is left out.

    References
    ----------
    Higham, N. J. (2002). Accuracy and Stability of Numerical Algorithms, 2nd ed., Section 10.3, for the
    factor of a matrix that is singular up to rounding.
    """
    total, p = moments.total_weight, moments.n_features
    if not total > 0.0:
        raise ValueError("These moments are of no rows of positive weight: there is nothing to fit.")
    variance = np.maximum(np.diag(moments.gram), 0.0)
    x_scale = column_scale(variance, moments.x_mean, total)
    y_size = np.sqrt(np.maximum(moments.yy, 0.0))
    y_size[y_size <= _CONSTANT * np.abs(moments.y_mean) * np.sqrt(total)] = 0.0
    y_scale = power_of_two_scale(y_size, when_zero=0.0)
    columns = np.flatnonzero(x_scale)
    root, order = _cholesky(moments.gram, x_scale, columns)
    rank = len(root)
    c = (moments.xy * x_scale[:, None] * y_scale)[order[:rank]]
    along = linalg.solve_triangular(root[:, :rank], c, trans="T", check_finite=False) if rank else c
    squares = (y_size * y_scale) ** 2
    if np.any(np.sum(along**2, axis=0) > squares):
        along = _within(root, c, squares)
    beside = np.sqrt(np.maximum(squares - np.sum(along**2, axis=0), 0.0))
    n_rows = rank + 1 + moments.centred
    X, y = np.zeros((n_rows, p), order="F"), np.zeros((n_rows, moments.n_targets), order="F")
    X[:rank, order] = root / x_scale[order]
    y[:rank], y[rank] = (part / np.where(y_scale > 0.0, y_scale, 1.0) for part in (along, beside))
    if moments.centred:
        # A reflection takes the last row, which is zero, to the direction of (1, …, 1): then the others are
        # orthogonal to it, that is of mean zero.
        v = np.full(n_rows, -1.0 / np.sqrt(n_rows))
        v[-1] += 1.0
        v *= np.sqrt(2.0 / (v @ v))
        for part in (X, y):
            blas.dger(-1.0, v, v @ part, a=part, overwrite_a=True)
    weights = np.full(n_rows, total / n_rows)
    size = np.sqrt(n_rows / total)
    X *= size
    y *= size
    return EquivalentRows(X, y, weights)


def _cholesky(
    gram: FloatArray, scale: FloatArray, columns: NDArray[np.intp]
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Factor the scaled Gram matrix of some columns as RᵀR up to rounding: R, of full rank, and its order."""
    if columns.size == 0:
        return np.zeros((0, 0)), columns
    part = gram if columns.size == scale.size else gram[np.ix_(columns, columns)]
    part = np.multiply(part * scale[columns], scale[columns, None], order="F")
    factor, info = linalg.lapack.dpotrf(part, lower=False, clean=True)
    if info == 0 and linalg.lapack.dpocon(factor, linalg.norm(part, 1))[0] > _ILL_CONDITIONED:
        return factor, columns
    # Several times slower, and right where columns are collinear: it ends where only rounding is left.
    factor, pivot, rank, _info = linalg.lapack.dpstrf(part)
    return np.triu(factor)[:rank], columns[pivot - 1]


def _within(root: FloatArray, c: FloatArray, squares: FloatArray) -> FloatArray:
    """Solve Rᵀx = c with ‖x‖² within what b has, raising pivots of R, in place, by what they have rounded.

    A direction of which G keeps little has a pivot of few digits. Where b lies along it as much as it can,
    a pivot that came out too small asks for more of b than there is.
    """
    along, left = np.zeros_like(c), squares.copy()
    room = _ROUNDED * root.shape[1] * float(np.finfo(np.float64).eps)
    for k in range(len(root)):
        pull = c[k] - root[:k, k] @ along[:k]
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = float(np.nanmax(pull**2 / left, initial=0.0))
        if 0.0 < needed - root[k, k] ** 2 <= room:
            root[k, k] = np.sqrt(needed)
        along[k] = pull / root[k, k]
        left = np.maximum(left - along[k] ** 2, 0.0)
    return along


def least_squares_of_moments(moments: Moments) -> LeastSquares:
    """Make the data term of the rows that moments are of, from equivalent ones.

    Parameters
    ----------
    moments : Moments
        Of positive weight.

    Returns
    -------
    LeastSquares
        In which `n_rows` counts the equivalent rows; weight, means and units are those of the data. Its
        `inherited` widens a certificate by what the moments have rounded.
    """
    return _data_term(equivalent_rows(moments), moments)


def rows_of_folds(
    folds: Sequence[Moments], total: Moments
) -> tuple[EquivalentRows, list[Split], LeastSquares]:
    """Find equivalent rows for each fold of a cross-validation, one below the other.

    Parameters
    ----------
    folds : sequence of Moments
        Of the rows that each fold holds out.
    total : Moments
        Their sum.

    Returns
    -------
    rows : EquivalentRows
        Of every fold, as deviations from the means of all.
    splits : list of Split
        Where those are that each fold trains on and holds out.
    problem : LeastSquares
        The data term of all rows, as `least_squares_of_moments` makes it.
    """
    parts = []
    for fold in folds:
        X, y, weights = equivalent_rows(fold)
        X += (fold.x_mean - total.x_mean) + (fold.x_mean_rest - total.x_mean_rest)
        y += (fold.y_mean - total.y_mean) + (fold.y_mean_rest - total.y_mean_rest)
        parts.append(EquivalentRows(X, y, weights))
    rows = EquivalentRows(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    number = np.repeat(np.arange(len(parts)), [part.weights.size for part in parts])
    splits = [Split(np.flatnonzero(number != k), np.flatnonzero(number == k)) for k in range(len(parts))]
    return rows, splits, _data_term(rows, total)


def _data_term(rows: EquivalentRows, moments: Moments) -> LeastSquares:
    problem = least_squares(*rows, fit_intercept=moments.centred)
    # The rows are centred but for rounding, which `problem` has taken off too.
    problem.x_mean, problem.y_mean = moments.x_mean.copy(), moments.y_mean.copy()
    problem.total_weight = moments.total_weight
    # A direction too weak for the Gram matrix to keep may yet have some of Aᵀb, which is left out with it.
    c = moments.xy * problem.x_scale[:, None] * problem.y_scale
    problem.inherited = Inherited(
        rounding=moments.rounding + moments.n_features * _EPSILON,
        products=np.max(np.abs(c - problem.c), axis=0, initial=0.0),
        squares=np.maximum(moments.yy * problem.y_scale * problem.y_scale - problem.b_squared, 0.0),
    )
    return problem
