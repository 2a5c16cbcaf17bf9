"""The working set of sparse data: by its Gram matrix while that is cheap, then by the columns themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skreg.solvers._kernels.sparse import minimize_on_columns
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.least_squares import SparseLeastSquares
from skreg.solvers.working_set import GRAM_LIMIT, NO_LEVELS, WorkingSet

__all__ = ["SparseWorkingSet"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# A Gram matrix is left for the columns when it has this many times their non-zeros.
_GRAM_COST = 5.0
# Up to this size it is cheap whatever the columns.
_SMALL = 256
# Working sets grow by this part of the support; on columns, which cost little until they are needed, by more.
_GROWTH = 1.0
_COLUMNS_GROWTH = 3.0
# A set with more than this part of new columns is solved to this part of the violations it starts from.
_FEW = 0.002
_ROUGH = 0.05


class SparseWorkingSet(WorkingSet):
    """A working set that goes over to its columns, in CSC format, when they are far fewer numbers than AᵀA.

    A step on the Gram matrix costs the square of the set's size, and a factor more; a sweep of sparse columns
    costs their non-zeros, and Newton's step by conjugate gradients some tens of sweeps.

    Parameters
    ----------
    problem : SparseLeastSquares
        The data term.
    target : int
        Which of its targets.
    """

    problem: SparseLeastSquares

    def __init__(self, problem: SparseLeastSquares, target: int) -> None:
        super().__init__(problem)
        self.target = target
        self._growth = _GROWTH
        self._n_stored = self._n_new = 0
        self._rows = np.empty(0, dtype=np.int32)
        self._data = np.empty(0)
        self._starts = np.zeros(1, dtype=np.intp)

    def minimize(
        self,
        g: FloatArray,
        w: FloatArray,
        penalty: ColumnPenalty,
        tolerance: float,
        max_iter: int,
        levels: FloatArray = NO_LEVELS,
    ) -> int:
        """Minimise over the set, in place in its entries of w; by columns, g and `levels` do not count."""
        if self.has_gram:
            return super().minimize(g, w, penalty, tolerance, max_iter, levels)
        index, m = self.index, self.size
        inner = w[index]
        if self._n_new > _FEW * m:
            # Others will enter before this set is worth solving to the last digit.
            tolerance = max(tolerance, _ROUGH * float(penalty.of(index).violation(inner, g[index]).max()))
        self._n_new = 0
        r = self.problem.stored_residual_on(index, inner, self.target)
        spent = minimize_on_columns(
            self._data,
            self._rows,
            self._starts,
            self.problem.shift[index],
            self.problem.norms[index],
            self.problem.total_weight,
            *penalty.of(index),
            r,
            inner,
            tolerance,
            max_iter,
            np.empty(m, dtype=np.int32),
            np.empty(r.size),
            np.empty(6 * m),
        )
        w[index] = inner
        return spent

    def _add(self, new: IndexArray) -> None:
        """Append columns: to the Gram matrix, or once that costs more, to a copy of the columns."""
        starts = self.problem.matrix[2]
        self._n_stored += int(np.sum(starts[new + 1] - starts[new]))
        size = self.size + new.size
        dear = size > _SMALL and float(size) ** 2 > _GRAM_COST * self._n_stored
        countable = self.problem.n_rows <= np.iinfo(np.int32).max
        if self.has_gram and (dear or size > GRAM_LIMIT) and countable:
            self.has_gram = False
            self._gram = np.empty((0, 0))
            self._allocate(0)
            self._growth = _COLUMNS_GROWTH
            self._copy(self.index)
        if self.has_gram:
            super()._add(new)
            return
        self._copy(new)
        self._n_new += new.size
        self.index = np.concatenate([self.index, new])
        self._outside[new] = False

    def _copy(self, new: IndexArray) -> None:
        """Append to the copied columns."""
        data, rows, ends = self.problem.copy_stored(new)
        self._starts = np.concatenate([self._starts, self._starts[-1] + ends])
        self._data = np.concatenate([self._data, data])
        self._rows = np.concatenate([self._rows, rows])
