"""Weights of rows by their classes, or by each of their labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import compute_class_weight

__all__ = ["weights_of_labels", "weights_of_rows"]

Array = np.ndarray[Any, np.dtype[Any]]


def weights_of_rows(class_weight: Any, y: Array, classes: Array, sample_weight: Array) -> Array:
    """Give each row the weight of its class.

    Parameters
    ----------
    class_weight : dict or "balanced"
        As scikit-learn takes it.
    y : ndarray of shape (n,)
        Classes.
    classes : ndarray of shape (n_classes,)
        All there are, sorted.
    sample_weight : ndarray of shape (n,)
        Weights of the rows, which frequencies are counted by.

    Returns
    -------
    ndarray of shape (n,)
        Weights.
    """
    if isinstance(class_weight, str):
        # Classes without weight have no frequency to balance.
        weighted = sample_weight > 0
        classes = np.unique(y[weighted])
        of_class = compute_class_weight(
            class_weight, classes=classes, y=y[weighted], sample_weight=sample_weight[weighted]
        )
    else:
        of_class = compute_class_weight(class_weight, classes=classes, y=y)
    # Of rows of the others, which weigh nothing, any will do.
    return of_class[np.minimum(np.searchsorted(classes, y), len(classes) - 1)]


def weights_of_labels(class_weight: Any, y: Any, sample_weight: Array) -> Array:
    """Give each row the product of the weights of its labels.

    Parameters
    ----------
    class_weight : "balanced" or list of (dict or "balanced")
        One for all labels, or one a label.
    y : {ndarray, sparse matrix} of shape (n, n_labels)
        0 and 1.
    sample_weight : ndarray of shape (n,)
        Weights of the rows.

    Returns
    -------
    ndarray of shape (n,)
        Weights.

    Raises
    ------
    ValueError
        If there is not one for each label.
    """
    columns = (y.toarray() if sparse.issparse(y) else np.asarray(y)).T
    of_each = [class_weight] * len(columns) if isinstance(class_weight, str) else class_weight
    if not isinstance(of_each, list) or len(of_each) != len(columns):
        raise ValueError(
            f"class_weight must be None, 'balanced' or a list of {len(columns)} dicts, one a label, got "
            f"{class_weight!r}."
        )
    weights = [
        weights_of_rows(one, column, np.unique(column), sample_weight)
        for one, column in zip(of_each, columns, strict=True)
    ]
    return np.prod(weights, axis=0)
