"""The splits of cross-validation: what `cv` may be, and its folds, checked."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.model_selection import check_cv

from skreg.linear_model._base import check_number
from skreg.solvers.held_out import Split

__all__ = ["draw_folds"]


def draw_folds(cv, X, y, weights, params) -> list[Split]:
    """Draw the folds, as positions among the rows of positive weight.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        As scikit-learn takes it.
    X, y
        The data to split.
    weights : ndarray of shape (n_samples,)
        Weights ≥ 0; rows of weight 0 are left out of every fold after the folds have been drawn.
    params : dict
        What the splitter takes beside X and y.

    Returns
    -------
    list of Split
        At least one, each with rows to train on and to test.

    Raises
    ------
    ValueError, TypeError
        If `cv` is none of these, or a split is not one of the rows, or has no row of positive weight to train
        on or to test.
    """
    everything, counted = np.arange(len(y)), weights > 0
    position = np.cumsum(counted) - 1
    drawn = []
    for number, fold in enumerate(_splits(cv, X, y, params)):
        try:
            train, test = (everything[part] for part in fold)  # masks and slices too
            if train.ndim != 1 or test.ndim != 1:
                raise ValueError("they are not arrays")
        except (IndexError, TypeError, ValueError) as error:
            raise ValueError(
                f"cv must give pairs of train and test indices of {len(y)} rows; split {number} is not one "
                f"({error})."
            ) from error
        if not counted.all():
            train, test = (position[part[counted[part]]] for part in (train, test))
        for purpose, part in (("train on", train), ("test", test)):
            if part.size == 0:
                raise ValueError(
                    f"Split {number} of cv has no row of positive sample_weight to {purpose}; use fewer "
                    "splits, or shuffle the rows."
                )
        drawn.append(Split(train, test))
    if not drawn:
        raise ValueError(f"cv must give at least one split into train and test rows, got {cv!r}.")
    return drawn


def _splits(cv, X, y, params):
    if cv is None or isinstance(cv, Integral):
        check_number("cv", 5 if cv is None else cv, low=2, kind=Integral)
        return check_cv(cv).split(X, y)
    if isinstance(cv, str) or not (hasattr(cv, "split") or np.iterable(cv)):
        raise TypeError(f"cv must be an integer ≥ 2, a splitter or a list of splits, got {cv!r}.")
    return cv.split(X, y, **params) if hasattr(cv, "split") else cv
