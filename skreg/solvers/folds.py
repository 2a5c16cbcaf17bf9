"""K-fold errors of ridge at every alpha: one decomposition a fold.

Three ways to fit the training rows of a fold, each answering with the residuals of its test rows:

`MomentFold`    tall data: the training rows' moments are the total less the test rows', and the squared
                errors follow from the test rows' moments without another look at them
`KernelFold`    wide data: one kernel of all rows, of which a fold takes its part and centres it
`ExplicitFold`  the rows themselves, by singular values: alphas too small for a square, unpenalised columns
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skreg.execution.blas import one_blas_thread
from skreg.moments import Moments
from skreg.penalties import ElasticNetPenalty
from skreg.solvers.held_out import Split, as_slice, each_row_once, moments_left, squared_errors_by_moments
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.quadratic import Quadratic
from skreg.solvers.spectral import PenalizedColumns, decompose_square, without_rounding
from skreg.solvers.svd import thin_svd

__all__ = ["ExplicitFold", "Fold", "Folds", "KernelFold", "MomentFold"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

_EPSILON = float(np.finfo(np.float64).eps)
# The test rows' moments of every fold are held in memory up to this many numbers (400 MB).
_HELD = 50_000_000
# Sums of squares of which subtraction leaves less than this part are taken from the rows anew.
_LEFT = 1e-2
# Squared errors in closed form are trusted above this part of the terms they are the difference of.
_CLOSED_FORM = 1e-8
# Residuals are squared so many at a time.
_BLOCK_SIZE = 2**22


class Folds:
    """The folds of one problem, with what they share.

    Parameters
    ----------
    problem : LeastSquares
        The data term of all rows.
    penalty : ElasticNetPenalty
        The penalty of alpha = 1.
    splits : sequence of Split
        Rows of the problem.
    alphas : ndarray of shape (n_alphas,)
        Alphas ≥ 0.
    """

    def __init__(
        self,
        problem: LeastSquares,
        penalty: ElasticNetPenalty,
        splits: Sequence[Split],
        alphas: FloatArray,
    ) -> None:
        self.problem, self.penalty, self.splits, self.alphas = problem, penalty, splits, alphas
        self.columns = PenalizedColumns(problem, penalty)
        n, n_penalized = problem.n_rows, self.columns.index.size
        self._is_tall = [len(train) > n_penalized for train, _test in splits]
        # The moments and the kernel are squares; the largest norm of a column, near 1, says how large.
        by_square = self.columns.keep_their_digits(float(alphas.min()), 1.0)
        self._tests: dict[int, Moments] = {}
        self.total: Moments | None = None
        self.kernel: FloatArray | None = None
        with one_blas_thread():
            if any(self._is_tall) and by_square and self.columns.free.size == 0:
                self._take_moments()
            if not all(self._is_tall) and by_square and n <= 4 * n_penalized:
                scale = np.zeros(problem.n_features)
                scale[self.columns.index] = self.columns.factors**2
                self.kernel = problem.kernel(scale)

    def _take_moments(self) -> None:
        problem = self.problem
        if len(self.splits) * problem.n_features**2 <= _HELD:
            for i, (_train, test) in enumerate(self.splits):
                if self._is_tall[i]:
                    self._tests[i] = problem.moments(as_slice(test))
        together = each_row_once([test for _train, test in self.splits], problem.n_rows)
        if len(self._tests) == len(self.splits) and together:
            first, *others = self._tests.values()
            self.total = sum(others, start=first)
        else:
            self.total = problem.moments(slice(None))
        # The refit on all rows asks for it.
        problem.quadratic = Quadratic.of_rows(problem, self.total.gram, problem.c)

    def __len__(self) -> int:
        return len(self.splits)

    def fit(self, i: int) -> Fold:
        """Fit the training rows of fold i at every alpha."""
        train, test = self.splits[i]
        common = (self.problem, self.penalty, train, test, self.alphas)
        with one_blas_thread():
            fold: Fold
            if self.total is not None and self._is_tall[i]:
                held_out = self._tests.get(i) or self.problem.moments(as_slice(test))
                fold = MomentFold(*common, columns=self.columns, total=self.total, held_out=held_out)
            elif self.kernel is not None and not self._is_tall[i]:
                fold = KernelFold(*common, columns=self.columns, kernel=self.kernel)
            else:
                return ExplicitFold(*common, columns=self.columns)
            if self.columns.keep_their_digits(float(self.alphas.min()), fold.largest_value):
                return fold
            return ExplicitFold(*common, columns=self.columns)


class Fold(ABC):
    """Ridge fitted at every alpha to the training rows of one fold.

    Parameters
    ----------
    problem : LeastSquares
        The data term of all rows.
    penalty : ElasticNetPenalty
        The penalty of alpha = 1.
    train, test : ndarray of int
        Rows of the problem.
    alphas : ndarray of shape (n_alphas,)
        Alphas ≥ 0.
    columns : PenalizedColumns, optional
        Those of the problem, if they are at hand.
    """

    largest_value: float

    def __init__(
        self,
        problem: LeastSquares,
        penalty: ElasticNetPenalty,
        train: IndexArray,
        test: IndexArray,
        alphas: FloatArray,
        *,
        columns: PenalizedColumns | None = None,
    ) -> None:
        self.problem, self.penalty, self.train, self.test = problem, penalty, train, test
        self.columns = PenalizedColumns(problem, penalty) if columns is None else columns
        self.alphas = alphas * self.columns.alpha_unit

    @abstractmethod
    def residuals(self, chosen: slice = slice(None)) -> FloatArray:
        """Compute √s (y − ŷ) of the test rows at some alphas, (n_test, n_targets, n_alphas), in y's units."""

    @property
    def total_weight(self) -> float:
        """Σ s over the test rows."""
        return float(np.sum(self.problem.root_weights[self.test] ** 2))

    def squared_errors(self) -> FloatArray:
        """Compute Σ s (y − ŷ)² over the test rows, of shape (n_targets, n_alphas), in y's units squared."""
        step = max(1, _BLOCK_SIZE // (self.problem.n_targets * len(self.test)))
        parts = []
        for start in range(0, self.alphas.size, step):
            r = self.residuals(slice(start, start + step))
            parts.append(np.einsum("itk,itk->tk", r, r))
        return np.concatenate(parts, axis=1)

    def squared_deviations(self) -> FloatArray:
        """Compute Σ s (y − ȳ)² over the test rows about their own mean, of shape (n_targets,)."""
        root = self.problem.root_weights[self.test][:, None]
        y = self.problem.b[self.test] / root
        mean = (root[:, 0] ** 2) @ y / self.total_weight
        # Equal targets differ by rounding once they have been weighted.
        y = np.where(np.abs(y - mean) <= 16.0 * _EPSILON * np.abs(mean), 0.0, y - mean)
        return self._to_data(np.sum((root * y) ** 2, axis=0), power=2)

    def _to_data(self, values: FloatArray, power: int = 1) -> FloatArray:
        """Take values whose second-to-last (or only) axis is targets from b's units to y's."""
        scale = self.problem.y_scale if values.ndim == 1 else self.problem.y_scale[:, None]
        for _ in range(power):
            values = values / scale
        return values

    def _solve(self, V: FloatArray, values: FloatArray, moved: FloatArray, chosen: slice) -> FloatArray:
        """V (D + α)⁻¹ moved for every target and alpha, of shape (len(V), n_targets · n_alphas)."""
        with np.errstate(divide="ignore"):
            inverse = np.where(values[:, None] > 0.0, 1.0 / (values[:, None] + self.alphas[chosen]), 0.0)
        rank, n_targets = moved.shape
        return V @ (moved[:, :, None] * inverse[:, None, :]).reshape(rank, n_targets * inverse.shape[1])


class MomentFold(Fold):
    """Tall training rows, by the moments of all rows less those held out."""

    def __init__(self, *args: Any, total: Moments, held_out: Moments, **options: Any) -> None:
        super().__init__(*args, **options)
        index, f = self.columns.index, self.columns.factors
        train = self._training_moments(total, held_out)
        self.held_out = held_out
        self._train_x_mean, self._train_y_mean = train.x_mean, train.y_mean
        gram = train.gram[np.ix_(index, index)] * f
        gram *= f[:, None]
        self.values, self.vectors = decompose_square(gram)
        self.largest_value = float(self.values.max(initial=0.0))
        self._moved = self.vectors.T @ (f[:, None] * train.xy[index])

    def _training_moments(self, total: Moments, held_out: Moments) -> Moments:
        if each_row_once([self.train, self.test], self.problem.n_rows):
            left = moments_left(total, held_out, _LEFT)
            if left is not None:
                return left
        return self.problem.moments(as_slice(self.train))

    def _coefficients(self, chosen: slice) -> FloatArray:
        """Compute w of shape (n_features, n_targets · n_alphas), in scaled units."""
        w = np.zeros((self.problem.n_features, self._moved.shape[1] * self.alphas[chosen].size))
        w[self.columns.index] = self._solve(self.vectors, self.values, self._moved, chosen)
        w[self.columns.index] *= self.columns.factors[:, None]
        return w

    def residuals(self, chosen: slice = slice(None)) -> FloatArray:
        """Predict the test rows from their columns."""
        root, shape = self.problem.root_weights[self.test], (len(self.test), self.problem.n_targets, -1)
        w = self._coefficients(chosen)
        fit = self.problem.product_of_rows(as_slice(self.test), w) - np.outer(root, self._train_x_mean @ w)
        b = self.problem.b[self.test] - np.outer(root, self._train_y_mean)
        return self._to_data(b[:, :, None] - fit.reshape(shape))

    def squared_errors(self) -> FloatArray:
        """Take the errors from the test rows' moments, unless next to nothing is left of the terms."""
        w, shape = self._coefficients(slice(None)), (self.problem.n_targets, self.alphas.size)
        shift = (self.held_out.x_mean - self._train_x_mean) @ w
        missed = (self.held_out.y_mean - self._train_y_mean)[:, None] - shift.reshape(shape)
        squared, terms = squared_errors_by_moments(self.held_out, w.reshape(-1, *shape), missed)
        if np.any(squared <= _CLOSED_FORM * terms):
            return super().squared_errors()
        return self._to_data(squared, power=2)


class _ProjectedFold(Fold):
    """Folds that fit what nothing penalises, F = [√s, unpenalised columns], by its pseudo-inverse.

    b = Fγ + Bu: the penalised part sees b and B less their projections on F, and the test rows take the
    extrapolation H = F_test F_train⁺ of what was projected off.
    """

    @cached_property
    def _free(self) -> tuple[FloatArray, FloatArray]:
        """An orthonormal basis U of F on the training rows, and E such that H = E Uᵀ."""
        train, test = ([self.problem.root_weights[rows, None]] for rows in (self.train, self.test))
        if not self.problem.fit_intercept:
            train, test = [np.zeros((len(self.train), 0))], [np.zeros((len(self.test), 0))]
        if self.columns.free.size:
            train.append(self.problem.rows(self.train)[:, self.columns.free])
            test.append(self.problem.rows(self.test)[:, self.columns.free])
        F, G = np.hstack(train), np.hstack(test)
        if F.shape[1] == 0:
            return F, G
        scale = np.linalg.norm(F, axis=0)
        scale[scale == 0.0] = 1.0
        U, values, right = thin_svd(F / scale)
        kept = values > values[0] * max(F.shape) * _EPSILON
        return U[:, kept], (G / scale) @ (right[kept].T / values[kept])

    def _less_free(self, train: FloatArray, test: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Project F off training rows, and its extrapolation off test rows."""
        U, E = self._free
        inside = U.T @ train
        return train - U @ inside, test - E @ inside

    def _targets(self) -> tuple[FloatArray, FloatArray]:
        return self._less_free(self.problem.b[self.train], self.problem.b[self.test])


class KernelFold(_ProjectedFold):
    """Wide training rows, by their part of the kernel BBᵀ of all rows."""

    def __init__(self, *args: Any, kernel: FloatArray, **options: Any) -> None:
        super().__init__(*args, **options)
        inner, cross = kernel[np.ix_(self.train, self.train)], kernel[np.ix_(self.test, self.train)]
        size = float(np.max(np.diag(inner)))
        inner, cross = self._less_free(inner, cross)
        U, _E = self._free
        inner, cross = (part - (part @ U) @ U.T for part in (inner, cross))
        b, self._test_b = self._targets()
        self.values, Q = decompose_square(inner, size)
        # What is projected off counts: it leaves its rounding behind.
        self.largest_value = max(float(self.values.max(initial=0.0)), size)
        self._moved = Q.T @ b
        self._to_test = cross @ Q

    def residuals(self, chosen: slice = slice(None)) -> FloatArray:
        """Predict the test rows from their kernel with the training rows."""
        fit = self._solve(self._to_test, self.values, self._moved, chosen)
        return self._to_data(self._test_b[:, :, None] - fit.reshape(*self._test_b.shape, -1))


class ExplicitFold(_ProjectedFold):
    """Training rows of any shape, by the singular values of their columns B."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        index, f = self.columns.index, self.columns.factors
        B, test = (self.problem.rows(rows)[:, index] * f for rows in (self.train, self.test))
        projected, test = self._less_free(B, test)
        B = without_rounding(projected, B)
        b, self._test_b = self._targets()
        left, values, right = thin_svd(B)
        data = values > values.max(initial=0.0) * max(B.shape) * _EPSILON
        left, values, right = left[:, data], values[data], right[data]
        self.values = values**2
        self._moved = values[:, None] * (left.T @ b)
        self._to_test = test @ right.T

    def residuals(self, chosen: slice = slice(None)) -> FloatArray:
        """Predict the test rows from their columns."""
        fit = self._solve(self._to_test, self.values, self._moved, chosen)
        return self._to_data(self._test_b[:, :, None] - fit.reshape(*self._test_b.shape, -1))
