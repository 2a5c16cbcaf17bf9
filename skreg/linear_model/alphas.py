"""The alphas of a fit or a path: what may be given, and the grid laid out for a number of them."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from skreg.linear_model._base import check_number
from skreg.penalties import ElasticNetPenalty
from skreg.solvers.least_squares import LeastSquares

__all__ = ["alpha_grid", "check_alphas", "check_alphas_or_number", "check_path_alphas"]

FloatArray = NDArray[np.float64]


def check_alphas(name: str, alphas, wanted: str) -> FloatArray:
    """Return alphas as a new float64 array, or raise an error naming the parameter unless they are ≥ 0."""
    if isinstance(alphas, str | dict | set | bool):
        raise TypeError(f"{name} must be {wanted}, got {alphas!r}.")
    try:
        values = np.asarray(alphas)
        numeric = values.dtype.kind in "iuf" or (values.dtype.kind == "O" and _all_real(values))
        values = np.array(values, dtype=np.float64) if numeric else values
    except (TypeError, ValueError, OverflowError):
        numeric = False
    if not numeric:
        raise TypeError(f"{name} must be {wanted}, got {alphas!r}.")
    if values.ndim != 1 or values.size == 0 or not np.all(np.isfinite(values) & (values >= 0)):
        raise ValueError(f"{name} must be {wanted}, got {alphas!r}.")
    return values


def _all_real(values: NDArray) -> bool:
    return all(isinstance(value, Real) and not isinstance(value, bool) for value in values.flat)


def check_alphas_or_number(alphas) -> int | FloatArray:
    """Return how many alphas to lay out, or the alphas themselves in the order given."""
    if isinstance(alphas, Integral) and not isinstance(alphas, bool):
        check_number("alphas", alphas, low=1, kind=Integral)
        return int(alphas)
    return check_alphas("alphas", alphas, "an integer ≥ 1 or a list of finite numbers ≥ 0")


def check_path_alphas(alphas, eps, l1_ratio) -> int | FloatArray:
    """Return how many alphas of a path to lay out by `alpha_grid`, or the alphas themselves, decreasing."""
    checked = check_alphas_or_number(alphas)
    if not isinstance(checked, int):
        return np.sort(checked)[::-1]
    check_number("eps", eps, low=0, high=1)
    if eps in (0, 1):
        raise ValueError(f"eps must be strictly between 0 and 1, got {eps!r}.")
    if l1_ratio == 0:
        raise ValueError(
            "l1_ratio must be in (0, 1] for an integer alphas, got 0: no alpha sets every coefficient of "
            "Ridge to zero. Pass the alphas themselves."
        )
    return checked


def alpha_grid(problem: LeastSquares, penalty: ElasticNetPenalty, *, n_alphas: int, eps: float) -> FloatArray:
    """Space alphas evenly in log from the largest that matters down to `eps` times it.

    Parameters
    ----------
    problem : LeastSquares
        The data term, of one target.
    penalty : ElasticNetPenalty
        The penalty of alpha = 1.
    n_alphas : int
        How many.
    eps : float
        Ratio of the smallest to the largest.

    Returns
    -------
    ndarray of shape (n_alphas,)
        Decreasing from the smallest alpha at which every penalised coefficient is zero.
    """
    free = np.flatnonzero(~penalty.penalized(problem.n_features))
    g = problem.c
    if free.size:  # the path starts where these alone are fitted
        w = np.zeros((problem.n_features, 1))
        columns, b = problem.columns(free), problem.residual(w, problem.targets)[:, 0]
        w[free, 0] = optimize.nnls(columns, b)[0] if penalty.positive else linalg.lstsq(columns, b)[0]
        g, _ = problem.correlation(w, problem.targets)
    scale = np.where(problem.x_scale > 0, problem.x_scale, 1.0)
    correlation = np.where(problem.x_scale > 0, g[:, 0] / scale / problem.y_scale[0], 0.0)
    largest = penalty.alpha_max(correlation, problem.total_weight)
    if largest <= 0:
        return np.full(n_alphas, np.finfo(float).resolution)
    return largest * np.logspace(0.0, np.log10(eps), n_alphas)
