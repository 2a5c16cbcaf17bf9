"""What the selectors share: one target, names, tags, and the order in which features enter a path."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import column_or_1d
from sklearn.utils.sparsefuncs import mean_variance_axis
from sklearn.utils.validation import validate_data

from skreg.linear_model._base import check_penalty_weights

__all__ = ["Selector", "column_spread", "entry_order"]

FloatArray = NDArray[np.float64]


class Selector(SelectorMixin, CallbackSupportMixin, BaseEstimator):
    """A transformer that keeps columns of X, chosen by how they predict one numeric target."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        return tags

    def _validate(self, X, y) -> tuple[Any, FloatArray]:
        """Check data and return them as arrays in float64."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse=["csr", "csc"],
            dtype=np.float64,
            multi_output=True,
            y_numeric=True,
        )
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(
                f"y has {y.shape[1]} targets; {type(self).__name__} selects features for one: fit one "
                "selector for each."
            )
        check_penalty_weights(self.penalty_weights, X.shape[1], getattr(self, "feature_names_in_", None))
        return X, np.asarray(column_or_1d(y, warn=True), dtype=np.float64)


def column_spread(X) -> FloatArray:
    """Compute the standard deviation of each column."""
    if not sparse.issparse(X):
        return X.std(axis=0)
    return np.sqrt(mean_variance_axis(X.tocsr(), axis=0)[1])


def entry_order(coefs: FloatArray, spread: FloatArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Order features by where a path first gives them a coefficient other than zero.

    Features that enter between the same two alphas of the grid are ordered by the size of their
    coefficients at the second, per standard deviation of the column, the largest first.

    Parameters
    ----------
    coefs : ndarray of shape (n_alphas, n_features)
        Coefficients, from the largest alpha to the smallest.
    spread : ndarray of shape (n_features,)
        Standard deviations of the columns.

    Returns
    -------
    order : ndarray of shape (n_entered,)
        The features that enter, the first to enter first; of equals, the first column.
    entry : ndarray of shape (n_entered,)
        The row of `coefs` at which each of them enters.

    Examples
    --------
    >>> order, entry = entry_order(np.array([[0.0, 0.0, 0.0], [0.1, 0.0, -0.3]]), np.ones(3))
    >>> order, entry
    (array([2, 0]), array([1, 1]))
    """
    nonzero = coefs != 0.0
    entered = np.flatnonzero(nonzero.any(axis=0))
    entry = np.argmax(nonzero[:, entered], axis=0)
    size = np.abs(coefs[entry, entered]) * spread[entered]
    order = np.lexsort((-size, entry))  # stable: of equals, the first column
    return entered[order], entry[order]
