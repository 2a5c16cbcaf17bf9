"""The columns in play: their index, a dense copy, their Gram matrix, and a factor of the support in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skreg.solvers._kernels import minimize_on_gram
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.least_squares import DenseLeastSquares, LeastSquares

__all__ = ["GRAM_LIMIT", "WorkingSet"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# Sets up to this size have a Gram matrix (288 MB at the limit).
GRAM_LIMIT = 6000
# Working sets grow by at least this much.
_SMALL = 64


class WorkingSet:
    """An append-only set of columns with a Gram matrix in a buffer whose capacity doubles.

    Columns are never dropped: along a path they come back, and an idle one costs next to nothing. The
    factor of the support stays from one `minimize` to the next, and from one penalty to the next: its first
    Newton step is then the tangent of the path.

    Parameters
    ----------
    problem : LeastSquares
        The data term.
    """

    # Whether `minimize` goes by a Gram matrix, which is too much beyond GRAM_LIMIT.
    has_gram = True
    # Grown by how many times the support.
    growth = 1.0

    def __init__(self, problem: LeastSquares) -> None:
        self.problem = problem
        self.index: IndexArray = np.empty(0, dtype=np.intp)
        self._outside = np.ones(problem.n_features, dtype=bool)
        # Dense data keep the columns; sparse ones multiply faster as they are.
        self._columns = np.empty((problem.n_rows, 0), order="F")
        self._gram = np.empty((0, 0))
        self._l2 = np.empty(0)
        self._allocate(0)

    @property
    def size(self) -> int:
        """Number of columns in the set."""
        return self.index.size

    def grow(self, w: FloatArray, violation: FloatArray, rounding: float) -> bool:
        """Take in every non-zero coefficient and the worst violators, about as many as the support has.

        Returns whether there were any that were not in the set.
        """
        support = np.flatnonzero(self._outside & (w != 0.0))
        candidates = np.flatnonzero(self._outside & (w == 0.0) & (violation > rounding))
        room = max(_SMALL, int(self.growth * np.count_nonzero(w)))
        if candidates.size > room:
            worst = np.argpartition(violation[candidates], -room)[-room:]
            candidates = np.sort(candidates[worst])
        new = np.concatenate([support, candidates])
        if new.size:
            self._add(new)
        return bool(new.size)

    def minimize(
        self, g: FloatArray, w: FloatArray, penalty: ColumnPenalty, tolerance: float, max_iter: int
    ) -> int:
        """Minimise over the set, in place in its entries of w; returns the sweeps and steps spent.

        g is the correlation at w, and stays as it is. A zero coefficient is left at zero unless it violates
        optimality by more than `tolerance`.
        """
        index = self.index
        l1, l2, positive = penalty.of(index)
        if not np.array_equal(l2[: self._l2.size], self._l2):
            self._factored = 0
        self._l2 = l2
        inner = w[index]
        spent, self._factored = minimize_on_gram(
            self._gram,
            index.size,
            g[index],
            inner,
            l1,
            l2,
            positive,
            tolerance,
            max_iter,
            self._support,
            self._factored,
            self._factor,
            self._work,
        )
        w[index] = inner
        return spent

    def residual(self, w: FloatArray, target: int) -> FloatArray:
        """Compute b − Aw for a w that is zero outside the set."""
        if not isinstance(self.problem, DenseLeastSquares):
            return self.problem.residual(w[:, None], [target])[:, 0]
        return self.problem.b[:, target] - self._columns[:, : self.size] @ w[self.index]

    def _add(self, new: IndexArray) -> None:
        """Append columns: one product for their block of the Gram matrix."""
        known, size = self.size, self.size + new.size
        if size > self._gram.shape[0]:
            self._enlarge(min(self.problem.n_features, max(2 * self._gram.shape[0], size + 16)))
        if isinstance(self.problem, DenseLeastSquares):
            self.problem.copy_columns(new, self._columns[:, known:size])
            block = self._columns[:, :size].T @ self._columns[:, known:size]
        else:
            block = self.problem.gram(np.concatenate([self.index, new]), new)
        self._gram[:size, known:size] = block
        self._gram[known:size, :known] = block[:known].T
        self.index = np.concatenate([self.index, new])
        self._outside[new] = False

    def _enlarge(self, capacity: int) -> None:
        """Move to buffers with room for `capacity` columns."""
        known = self.size
        gram = np.zeros((capacity, capacity))
        gram[:known, :known] = self._gram[:known, :known]
        self._gram = gram
        if isinstance(self.problem, DenseLeastSquares):
            columns = np.empty((self.problem.n_rows, capacity), order="F")
            columns[:, :known] = self._columns[:, :known]
            self._columns = columns
        self._allocate(capacity)

    def _allocate(self, capacity: int) -> None:
        self._factored = 0
        self._support = np.empty(2 * capacity, dtype=np.int32)
        self._factor = np.empty((capacity, capacity), order="F")
        self._work = np.empty(5 * capacity)
