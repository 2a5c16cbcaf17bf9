"""The columns in play: their index, their Gram matrix, and a factor of the support in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skreg.solvers._kernels.gram import minimize_on_gram
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.least_squares import LeastSquares

__all__ = ["GRAM_LIMIT", "NO_LEVELS", "WorkingSet"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# Sets up to this size have a Gram matrix (288 MB at the limit).
GRAM_LIMIT = 6000
# Working sets of tall and of wide data grow by this part of the support, and by at least this much.
_TALL_GROWTH = 1.0
_WIDE_GROWTH = 0.5
_SMALL = 64
NO_LEVELS = np.empty(0)


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

    def __init__(self, problem: LeastSquares) -> None:
        self.problem = problem
        self.index: IndexArray = np.empty(0, dtype=np.intp)
        self._outside = np.ones(problem.n_features, dtype=bool)
        tall = problem.n_rows >= problem.n_features
        self._growth = _TALL_GROWTH if tall else _WIDE_GROWTH
        self._gram = np.empty((0, 0))
        self._l2 = np.empty(0)
        self._allocate(0)

    @property
    def size(self) -> int:
        """Number of columns in the set."""
        return self.index.size

    def complete(self) -> None:
        """Take in every column that has variance."""
        self._add(np.flatnonzero(self._outside & (self.problem.x_scale > 0)))

    def grow(self, w: FloatArray, violation: FloatArray, rounding: float) -> bool:
        """Take in every non-zero coefficient and the worst violators, as many as the support or half of it.

        Returns whether there were any that were not in the set.
        """
        support = np.flatnonzero(self._outside & (w != 0.0))
        candidates = np.flatnonzero(self._outside & (w == 0.0) & (violation > rounding))
        room = max(_SMALL, int(self._growth * np.count_nonzero(w)))
        if candidates.size > room:
            worst = np.argpartition(violation[candidates], -room)[-room:]
            candidates = np.sort(candidates[worst])
        new = np.concatenate([support, candidates])
        if new.size:
            self._add(new)
        return bool(new.size)

    def minimize(
        self,
        g: FloatArray,
        w: FloatArray,
        penalty: ColumnPenalty,
        tolerance: float,
        max_iter: int,
        levels: FloatArray = NO_LEVELS,
    ) -> int:
        """Minimise over the set, in place in its entries of w and g = Aᵀ(b − Aw); returns the iterations.

        g of the columns outside stays as it is. A zero coefficient is left at zero unless it violates
        optimality by more than `tolerance`. On the way λ₁ goes through its multiples `levels`.
        """
        index = self.index
        l1, l2, positive = penalty.of(index)
        if not np.array_equal(l2[: self._l2.size], self._l2):
            self._factored = 0
        self._l2 = l2
        inner, inner_g = w[index], g[index]
        spent, self._factored = minimize_on_gram(
            self._gram,
            index.size,
            inner_g,
            inner,
            l1,
            l2,
            positive,
            levels,
            tolerance,
            max_iter,
            self._support,
            self._factored,
            self._factor,
            self._work,
        )
        w[index], g[index] = inner, inner_g
        return spent

    def _add(self, new: IndexArray) -> None:
        """Append columns: one product for their block of the Gram matrix."""
        known, size = self.size, self.size + new.size
        if size > self._gram.shape[0]:
            self._enlarge(min(self.problem.n_features, max(2 * self._gram.shape[0], size + 16)))
        self.index = np.concatenate([self.index, new])
        self.problem.extend_gram(self.index, known, self._gram)
        self._outside[new] = False

    def _enlarge(self, capacity: int) -> None:
        """Move to buffers with room for `capacity` columns; the factor comes along."""
        known, factored = self.size, self._factored
        gram, factor = self._gram, self._factor
        support = self._support[:factored]
        self._gram = np.zeros((capacity, capacity))
        self._gram[:known, :known] = gram[:known, :known]
        self._allocate(capacity)
        self._factor[:factored, :factored] = factor[:factored, :factored]
        self._support[:factored] = support
        self._factored = factored

    def _allocate(self, capacity: int) -> None:
        self._factored = 0
        self._support = np.empty(2 * capacity, dtype=np.int32)
        self._factor = np.empty((capacity, capacity), order="F")
        self._work = np.empty(6 * capacity)
