"""How well each penalty of a path predicts the rows that a fold holds out.

A fold that holds out what it does not train on needs no pass over its rows: the moments of the training set
are those of all rows less those of the test rows, and the squared error of the test rows is a quadratic in
the coefficients whose matrix those same moments are. One pass over the data serves every fold, and one Gram
matrix a fold every penalty. Folds of which that is not true, wide and sparse data go by their rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from skreg.moments import Moments
from skreg.moments.rows import row_blocks
from skreg.penalties import ElasticNetPenalty
from skreg.solvers.elastic_net import GRAM_LIMIT
from skreg.solvers.held_out import Split, as_slice, each_row_once, moments_left, squared_errors_by_moments
from skreg.solvers.least_squares import LeastSquares, least_squares
from skreg.solvers.path import solve_path
from skreg.solvers.quadratic import Quadratic
from skreg.solvers.solution import Solution

__all__ = [
    "FoldErrors",
    "FoldMoments",
    "Grid",
    "Rows",
    "fold_errors",
    "suits_moments",
    "take_moments",
]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# Columns for each training row up to which one Gram matrix for all folds is cheaper than one for the columns
# that each comes to need.
_WIDEST = 2
# Penalties from which on a Gram matrix of all columns pays.
_MANY = 10
# The moments of every fold are kept up to this many numbers (1 GB).
_KEPT = 2**27
# Products of rows take some 20 ms from here on; joblib looks for what is done every 10 ms.
_LONG = 1e9
# A sum of squares of which a subtraction leaves less than this part has lost too many digits.
_LEFT = 1e-6
# Squared errors below this part of what they are the difference of are taken from the rows.
_CANCELLED = 1e-7


class Rows(NamedTuple):
    """Rows of a regression of one target, each of positive weight.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_rows, n_features), float64
        Data.
    y : ndarray of shape (n_rows,), float64
        Target.
    weights : ndarray of shape (n_rows,), float64
        Weights sᵢ > 0.
    fit_intercept : bool
        Whether the model has an intercept.
    """

    X: Any
    y: FloatArray
    weights: FloatArray
    fit_intercept: bool

    def take(self, index: IndexArray) -> Rows:
        """Select rows; without a copy where they follow each other."""
        rows = as_slice(index)
        return Rows(self.X[rows], self.y[rows], self.weights[rows], self.fit_intercept)

    def moments(self) -> Moments:
        """Take the moments of all rows."""
        return Moments.from_data(self.X, self.y, self.weights, centred=self.fit_intercept)


@dataclass(frozen=True, eq=False)
class Grid:
    """scikit-learn's alphas under one l1_ratio, which mean other penalties for each fold's weight.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Decreasing.
    l1_ratio : float
        scikit-learn's ρ.
    factors : array-like of shape (n_features,) or None
        A factor ≥ 0 of the penalty for each feature.
    positive : bool
        Whether w ≥ 0.
    """

    alphas: FloatArray
    l1_ratio: float
    factors: ArrayLike | None = None
    positive: bool = False
    _translated: dict[float, list[ElasticNetPenalty]] = field(default_factory=dict, init=False, repr=False)

    def penalties(self, total_weight: float) -> list[ElasticNetPenalty]:
        """Translate each alpha for rows of weight S; folds of one size share the translation."""
        if total_weight not in self._translated:
            self._translated[total_weight] = [
                ElasticNetPenalty.from_alpha(
                    alpha, self.l1_ratio, total_weight, factors=self.factors, positive=self.positive
                )
                for alpha in self.alphas.tolist()
            ]
        return self._translated[total_weight]


class FoldErrors(NamedTuple):
    """What a fold says of each grid's alphas.

    Parameters
    ----------
    errors : ndarray of shape (n_grids, n_alphas)
        The weighted mean squared error of the test rows.
    gaps : ndarray of shape (n_grids, n_alphas)
        The duality gap of the training set's solution, relative to its null model's energy.
    n_iter : ndarray of shape (n_grids, n_alphas), int
        Iterations spent.
    """

    errors: FloatArray
    gaps: FloatArray
    n_iter: NDArray[np.int_]


class FoldMoments(NamedTuple):
    """The moments that folds are made of.

    Parameters
    ----------
    total : Moments
        Of all rows.
    tests : tuple of (Moments or None)
        Of each fold's test rows, where they are kept.
    complementary : tuple of bool
        Whether each fold trains on exactly the rows that it does not hold out.
    """

    total: Moments
    tests: tuple[Moments | None, ...]
    complementary: tuple[bool, ...]


def suits_moments(rows: Rows, folds: Sequence[Split], n_penalties: int) -> bool:
    """Whether Gram matrices serve the folds better: of data not wide nor sparse, under many penalties."""
    p = rows.X.shape[1]
    tall = p <= min(GRAM_LIMIT, _WIDEST * min(fold.train.size for fold in folds))
    return tall and n_penalties >= _MANY and not sparse.issparse(rows.X)


def take_moments(
    rows: Rows, folds: Sequence[Split], run: Callable[[list[tuple[Any, ...]]], list[Any]]
) -> FoldMoments:
    """Take the moments of all rows and of each fold's test rows, in one pass where the folds allow.

    Parameters
    ----------
    rows : Rows
        All rows.
    folds : sequence of Split
        Positions in them.
    run : callable
        Calls each tuple's function with the arguments that follow it, in parallel or not, for their values.
    """
    n, p = rows.X.shape
    complementary = tuple(each_row_once(fold, n) for fold in folds)
    keep = len(folds) * p * p <= _KEPT
    tests: list[Moments | None] = [None] * len(folds)
    if keep:
        wanted = [i for i, complement in enumerate(complementary) if complement]
        if n * p * p > _LONG:
            found = run([(_moments_of, rows, folds[i].test) for i in wanted])
        else:
            found = [_moments_of(rows, folds[i].test) for i in wanted]
        for i, moments in zip(wanted, found, strict=True):
            tests[i] = moments
    kept = [moments for moments in tests if moments is not None]
    if len(kept) == len(folds) and each_row_once([fold.test for fold in folds], n):
        total = sum(kept[1:], start=kept[0])
    else:
        total = rows.moments()
    return FoldMoments(total, tuple(tests), complementary)


def _moments_of(rows: Rows, index: IndexArray) -> Moments:
    return rows.take(index).moments()


def fold_errors(
    rows: Rows,
    fold: Split,
    grids: Sequence[Grid],
    moments: FoldMoments | None,
    number: int,
    tol: float,
    max_iter: int,
) -> FoldErrors:
    """Solve every grid on a fold's training rows and measure it on the test rows.

    Parameters
    ----------
    rows : Rows
        All rows.
    fold : Split
        Positions in them.
    grids : sequence of Grid
        Of equally many alphas.
    moments : FoldMoments, optional
        To go by moments where they have the digits; by the rows if not given.
    number : int
        Which of the folds of `moments` it is.
    tol, max_iter
        As for `solve_path`.
    """
    held_out = rows.take(fold.test)
    test = None
    if moments is not None and moments.complementary[number]:
        test = moments.tests[number]
        if test is None:  # the folds were too many to keep
            test = held_out.moments()
    training = _TrainingSet(rows, fold.train, tol, max_iter)
    if moments is not None:
        training.go_by_moments(moments.total, test)
    weight = float(held_out.weights.sum())
    shape = (len(grids), grids[0].alphas.size)
    errors, gaps, n_iter = np.empty(shape), np.empty(shape), np.empty(shape, dtype=int)
    for i, grid in enumerate(grids):
        solution, intercepts = training.solve(grid)
        errors[i] = squared_errors(held_out, test, solution.coef, intercepts) / weight
        gaps[i], n_iter[i] = solution.dual_gap, solution.n_iter
    return FoldErrors(errors, gaps, n_iter)


class _Limits(TypedDict):
    tol: float
    max_iter: int


class _TrainingSet:
    """The rows that a fold trains on: by their moments, and by themselves where those do not do."""

    def __init__(self, everything: Rows, index: IndexArray, tol: float, max_iter: int) -> None:
        self.everything = everything
        self.index = index
        self.limits = _Limits(tol=tol, max_iter=max_iter)
        self.quadratic: Quadratic | None = None

    def go_by_moments(self, total: Moments, test: Moments | None) -> None:
        """Take the total less the others, if those are given and enough digits are left."""
        left = None if test is None else moments_left(total, test, _LEFT)
        self.quadratic = Quadratic(self.rows.moments() if left is None else left)

    @cached_property
    def rows(self) -> Rows:
        """The rows themselves, copied when first asked for."""
        return self.everything.take(self.index)

    @cached_property
    def problem(self) -> LeastSquares:
        """The data term of the rows, made when first asked for."""
        X, y, weights, fit_intercept = self.rows
        X = X if sparse.issparse(X) else np.asfortranarray(X)  # working sets read columns
        return least_squares(X, y[:, None], weights, fit_intercept=fit_intercept)

    def solve(self, grid: Grid) -> tuple[Solution, FloatArray]:
        """Solve a grid; returns the solution, its gaps relative to the null model, and the intercepts."""
        if self.quadratic is None:
            data: Quadratic | LeastSquares = self.problem
            solution = solve_path(data, grid.penalties(data.total_weight), **self.limits)
        else:
            data = self.quadratic
            solution = solve_by_moments(data, lambda: self.problem, grid, **self.limits)
        null = float(data.null_value[0])
        gaps = solution.dual_gap / (null if null > 0 else 1.0)
        return replace(solution, dual_gap=gaps), data.intercept(solution.coef)


def solve_by_moments(
    quadratic: Quadratic, rows: Callable[[], LeastSquares], grid: Grid, *, tol: float, max_iter: int
) -> Solution:
    """Solve a grid on a Gram matrix, and on the rows what the Gram matrix has not the digits for.

    Parameters
    ----------
    quadratic : Quadratic
        The data term by its moments.
    rows : callable
        Makes the data term of the rows, if need be.
    grid : Grid
        Of what alphas.
    tol, max_iter
        As for `solve_path`.
    """
    penalties = grid.penalties(quadratic.total_weight)
    solution = solve_path(quadratic, penalties, tol=tol, max_iter=max_iter)
    todo = np.flatnonzero(~(solution.dual_gap <= tol * quadratic.null_value[0]))
    if todo.size:
        again = solve_path(rows(), [penalties[i] for i in todo], tol=tol, max_iter=max_iter)
        solution.coef[todo], solution.dual_gap[todo] = again.coef, again.dual_gap
        solution.n_iter[todo] += again.n_iter
    return solution


def squared_errors(
    rows: Rows, moments: Moments | None, coef: FloatArray, intercepts: FloatArray
) -> FloatArray:
    """Sum the squared errors Σ s (y − b − xᵀw)² of each of k models.

    Parameters
    ----------
    rows : Rows
        Test rows.
    moments : Moments, optional
        Theirs, if known.
    coef : ndarray of shape (k, n_features)
        Coefficients of each model.
    intercepts : ndarray of shape (k,)
        Its intercept.

    Returns
    -------
    ndarray of shape (k,)
    """
    if moments is None:
        return _errors_by_rows(rows, coef, intercepts)
    missed = moments.y_mean[0] - intercepts - coef @ moments.x_mean
    errors = squared_errors_by_moments(moments, coef.T[:, None, :], missed[None])[0][0]
    # Columns that cancel each other have larger terms than their sum.
    size = np.sqrt(moments.yy[0]) + np.abs(coef) @ np.sqrt(np.diag(moments.gram))
    lost = np.flatnonzero(~(errors > _CANCELLED * size**2))
    if lost.size:
        errors[lost] = _errors_by_rows(rows, coef[lost], intercepts[lost])
    return errors


def _errors_by_rows(rows: Rows, coef: FloatArray, intercepts: FloatArray) -> FloatArray:
    active = np.flatnonzero(np.any(coef != 0.0, axis=0))
    inner = coef[:, active].T
    errors = np.zeros(len(coef))
    for block in row_blocks(rows.y.size, max(len(coef), active.size)):
        X = rows.X[block]
        X = X if active.size == X.shape[1] else X[:, active]
        residual = (rows.y[block, None] - intercepts) - X @ inner
        errors += rows.weights[block] @ residual**2
    return errors
