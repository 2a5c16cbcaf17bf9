"""Leave-one-out errors of ridge at every alpha, from one decomposition and no refit.

With H the hat matrix of the fit (intercept and unpenalised columns included) and r = b − Hb its residuals,
the error of row i in the fit without it is eᵢ = rᵢ / (1 − Hᵢᵢ).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skreg.execution.blas import one_blas_thread
from skreg.penalties import ElasticNetPenalty
from skreg.solvers.folds import ExplicitFold
from skreg.solvers.spectral import Spectrum, compressed

__all__ = ["LeaveOneOutErrors", "leave_one_out_errors", "leave_one_out_residuals"]

FloatArray = NDArray[np.float64]

# Rows are visited in blocks of about this many numbers.
_BLOCK_SIZE = 2**18
# 1 − Hᵢᵢ by subtraction keeps ten digits down to here; rows nearer to leverage 1 are refitted without.
_LEVERAGE_ROOM = 1e-5
# Where it is a sum of positive terms only those that vanish beside the filters need that.
_VANISHING = 1e-10
# Squares by their quadratic form are trusted above this part of its terms.
_QUADRATIC_FORM = 1e-7
# Compressing the filters pays from so many residuals an alpha.
_WORTH = 20


class LeaveOneOutErrors(NamedTuple):
    """The mean over rows of sᵢeᵢ², and its standard error.

    Parameters
    ----------
    mean, standard_error : ndarray of shape (n_alphas,) or (n_alphas, n_targets)
        In the units of y², averaged over the targets or target by target.
    """

    mean: FloatArray
    standard_error: FloatArray


def leave_one_out_errors(
    spectrum: Spectrum,
    penalty: ElasticNetPenalty,
    alphas: FloatArray,
    *,
    n_samples: int,
    per_target: bool,
) -> LeaveOneOutErrors:
    """Average the squared leave-one-out errors at every alpha.

    Parameters
    ----------
    spectrum : Spectrum
        The decomposition.
    penalty : ElasticNetPenalty
        The penalty of alpha = 1.
    alphas : ndarray of shape (n_alphas,)
        Alphas ≥ 0; at 0 the fits are the limit of a vanishing penalty.
    n_samples : int
        How many rows the mean is over, rows of weight zero included.
    per_target : bool
        Whether to keep the targets apart.

    Returns
    -------
    LeaveOneOutErrors
        The means, and standard errors sd/√n.

    References
    ----------
    Allen, D. M. (1974). The relationship between variable selection and data augmentation and a method for
    prediction, Technometrics 16(1), 125-127; Craven, P. and Wahba, G. (1979). Smoothing noisy data with
    spline functions, Numerische Mathematik 31, eq. 4.2.
    """
    n_targets = spectrum.problem.n_targets
    first, second = np.zeros((2, *((alphas.size, n_targets) if per_target else (alphas.size,))))
    for block in _blocks(spectrum, penalty, alphas):
        room = block.room
        if per_target:
            squared = (block.residuals() / room[:, None]) ** 2
            first += squared.sum(axis=0).T
            second += np.einsum("itk,itk->kt", squared, squared)
        else:
            squared = block.squared_residuals() / (room * room * n_targets)
            first += squared.sum(axis=0)
            second += np.einsum("ik,ik->k", squared, squared)
    mean = first / n_samples
    spread = np.maximum(second / n_samples - mean * mean, 0.0)
    return LeaveOneOutErrors(mean, np.sqrt(spread / max(n_samples - 1, 1)))


def leave_one_out_residuals(spectrum: Spectrum, penalty: ElasticNetPenalty, alphas: FloatArray) -> FloatArray:
    """Compute √sᵢ eᵢ for each row, target and alpha.

    Parameters
    ----------
    spectrum, penalty, alphas
        As for `leave_one_out_errors`.

    Returns
    -------
    ndarray of shape (n_rows, n_targets, n_alphas)
        Weighted errors of the rows of positive weight, in the units of y.
    """
    errors = np.empty((spectrum.problem.n_rows, spectrum.problem.n_targets, alphas.size))
    for block in _blocks(spectrum, penalty, alphas):
        np.divide(block.residuals(), block.room[:, None], out=errors[block.rows])
    return errors


class _Block:
    """Residuals r = offset + mixture · spread of some rows at every alpha, and their 1 − Hᵢᵢ.

    Parameters
    ----------
    rows : slice
        Which rows.
    room : ndarray of shape (n_rows, n_alphas)
        1 − Hᵢᵢ.
    mixture : ndarray of shape (n_rows, n_targets, width)
        Coordinates of the residuals, less the offset.
    offset : ndarray of shape (n_rows, n_targets) or None
        What does not depend on alpha.
    spread : ndarray of shape (width, n_alphas) or None
        From coordinates to alphas; None if they are the alphas.
    refitted : dict
        The rows at which r is another: their index in the block, and errors (n_targets, n_alphas).
    """

    def __init__(
        self,
        rows: slice,
        room: FloatArray,
        mixture: FloatArray,
        offset: FloatArray | None,
        spread: FloatArray | None,
        refitted: dict[int, FloatArray],
    ) -> None:
        self.rows, self.room, self.refitted = rows, room, refitted
        self._mixture, self._offset, self._spread = mixture, offset, spread

    def residuals(self) -> FloatArray:
        """Compute r, of shape (n_rows, n_targets, n_alphas)."""
        n, n_targets, width = self._mixture.shape
        r = self._mixture
        if self._spread is not None:
            r = (r.reshape(-1, width) @ self._spread).reshape(n, n_targets, -1)
        if self._offset is not None:
            r += self._offset[:, :, None]
        for i, errors in self.refitted.items():
            r[i] = errors
        return r

    def squared_residuals(self) -> FloatArray:
        """Compute Σ r² over the targets, of shape (n_rows, n_alphas)."""
        _n, n_targets, width = self._mixture.shape
        if self._spread is not None and n_targets > width:
            squared = self._by_quadratic_form(self._spread)
            if squared is not None:
                return squared
        r = self.residuals()
        return np.einsum("itk,itk->ik", r, r)

    def _by_quadratic_form(self, spread: FloatArray) -> FloatArray | None:
        """Σ r² = zᵀ (Σ m mᵀ) z for coordinates m and a spread z; None where that would cancel."""
        coordinates = self._mixture
        if self._offset is not None:
            coordinates = np.concatenate([self._offset[:, :, None], coordinates], axis=2)
            spread = np.vstack([np.ones(self.room.shape[1]), spread])
        n, _n_targets, width = coordinates.shape
        forms = np.matmul(coordinates.transpose(0, 2, 1), coordinates)
        pairs = (spread[:, None] * spread).reshape(width * width, -1)
        squared = forms.reshape(n, -1) @ pairs
        terms = np.einsum("ijj->ij", forms) @ spread**2
        if np.any(squared <= _QUADRATIC_FORM * terms):
            return None
        for i, errors in self.refitted.items():
            squared[i] = np.einsum("tk,tk->k", errors, errors)
        return squared


def _blocks(spectrum: Spectrum, penalty: ElasticNetPenalty, alphas: FloatArray) -> Iterator[_Block]:
    """Yield the rows in blocks."""
    problem = spectrum.problem
    n_targets = problem.n_targets
    projections = spectrum.projections / problem.y_scale
    # r = Q ψ Qᵀb and 1 − Hᵢᵢ = Σ ψq² with ψ = 1 − φ if Q is complete, else b − Q φ Qᵀb and a difference.
    filters = _lost(spectrum, alphas) if spectrum.is_complete else spectrum.filters(alphas)
    worth = problem.n_rows * n_targets > _WORTH * alphas.size
    low, spread = compressed(filters) if worth else (filters, None)
    width = low.shape[1]
    mixed = (projections[:, :, None] * low[:, None, :]).reshape(len(low), n_targets * width)
    if not spectrum.is_complete:
        mixed = -mixed
    vanishing = _VANISHING * filters.max(axis=0, initial=0.0)
    step = max(64, _BLOCK_SIZE // max(1, len(low), n_targets * alphas.size))
    with one_blas_thread():
        for start in range(0, problem.n_rows, step):
            rows = slice(start, min(start + step, problem.n_rows))
            Q = spectrum.left(rows)
            mixture = (Q @ mixed).reshape(len(Q), n_targets, width)
            leverage = (Q * Q) @ low
            if spread is not None:
                leverage = leverage @ spread
            free = np.einsum("ij,ij->i", spectrum.free_basis[rows], spectrum.free_basis[rows])
            if spectrum.is_complete:
                room, offset = leverage, None
                full = np.any(room <= vanishing, axis=1) | (1.0 - free <= _VANISHING)
            else:
                room, offset = (1.0 - free)[:, None] - leverage, spectrum.rest[rows] / problem.y_scale
                full = np.any(room < _LEVERAGE_ROOM, axis=1)
            refitted = {
                int(i): _without(start + int(i), spectrum, penalty, alphas) for i in np.flatnonzero(full)
            }
            room[full] = 1.0
            yield _Block(rows, room, mixture, offset, spread, refitted)


def _lost(spectrum: Spectrum, alphas: FloatArray) -> FloatArray:
    """Compute ψ = α / (d + α), the share of a direction that the fit loses; for α = 0, its limit over α."""
    d, alphas = spectrum.values[:, None], alphas * spectrum.columns.alpha_unit
    least = spectrum.values.min(initial=np.inf)
    limit = (d == 0.0) * 1.0 if least == 0.0 else least / d
    with np.errstate(invalid="ignore"):  # 0/0, replaced by the limit
        return np.where(alphas > 0.0, alphas / (d + alphas), limit)


def _without(i: int, spectrum: Spectrum, penalty: ElasticNetPenalty, alphas: FloatArray) -> FloatArray:
    """Refit without row i, and return its error at every alpha, (n_targets, n_alphas)."""
    rows = np.arange(spectrum.problem.n_rows)
    return ExplicitFold(spectrum.problem, penalty, np.delete(rows, i), rows[i : i + 1], alphas).residuals()[0]
