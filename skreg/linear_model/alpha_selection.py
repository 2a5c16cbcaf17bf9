"""Which alpha of a path to take, given its errors in cross-validation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["SELECTION_RULES", "check_selection_rule", "fold_mean_and_standard_error", "select_alpha"]

FloatArray = NDArray[np.float64]

SELECTION_RULES = ("min", "1se")


def check_selection_rule(rule) -> None:
    """Raise an error naming the parameter unless `rule` is one of SELECTION_RULES."""
    if rule not in SELECTION_RULES:
        raise ValueError(
            f"selection_rule must be one of {', '.join(map(repr, SELECTION_RULES))}, got {rule!r}."
        )


def fold_mean_and_standard_error(errors: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Average the errors of the folds, with the standard error of that average.

    Parameters
    ----------
    errors : ndarray of shape (..., n_folds)
        The mean error of each fold.
    weights : ndarray of shape (n_folds,)
        What each fold counts for, not all zero: ones, or the total sample weight of its test rows.

    Returns
    -------
    mean, standard_error : ndarray of shape (...)
        The standard error of a mean of k independent folds, √(Σ u²(e − ē)² · k/(k − 1)) with shares u that
        add to 1; sd/√k for equal weights. Zero for one fold.

    References
    ----------
    Breiman, L., Friedman, J., Olshen, R. and Stone, C. (1984). Classification and Regression Trees,
    Section 3.4.3; Cochran, W. G. (1977). Sampling Techniques, 3rd ed., Section 6.3, for weights.
    """
    share = weights / weights.sum()
    mean = errors @ share
    k = int(np.count_nonzero(weights))
    spread = (errors - mean[..., None]) ** 2 @ share**2
    return mean, np.sqrt(spread * (k / (k - 1)) if k > 1 else np.zeros_like(spread))


def select_alpha(alphas: FloatArray, mean_error: FloatArray, standard_error: FloatArray, rule: str) -> int:
    """Find the position of the alpha that a rule takes.

    Parameters
    ----------
    alphas, mean_error, standard_error : ndarray of shape (n_alphas,)
        In any order; smaller errors are better.
    rule : {"min", "1se"}
        The alpha of least error; or the largest alpha whose error is within one standard error of that.
        Of equals, the largest alpha.

    Returns
    -------
    int
        The index into `alphas`.

    Examples
    --------
    >>> import numpy as np
    >>> alphas, error = np.array([1.0, 0.1, 0.01]), np.array([3.0, 2.0, 2.5])
    >>> select_alpha(alphas, error, np.array([1.0, 1.0, 1.0]), "1se")
    0
    """
    order = np.argsort(-alphas, kind="stable")
    best = order[np.argmin(mean_error[order])]
    if rule == "min":
        return int(best)
    within = mean_error[order] <= mean_error[best] + standard_error[best]
    return int(order[np.argmax(within)])
