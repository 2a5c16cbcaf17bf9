"""Bootstrap samples as counts; predictions by the members that left a row out, and their score."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import joblib
import numpy as np
from sklearn.metrics import get_scorer

from skreg.neural_network.parameters import is_flag
from skreg.neural_network.targets import Targets

__all__ = ["JudgedOutOfBag", "bootstrap_counts", "online_counts", "out_of_bag_mean"]

Array = np.ndarray[Any, np.dtype[Any]]


def bootstrap_counts(n: int, generators: Sequence[np.random.Generator]) -> Array:
    """Draw n of n rows with replacement for each member: how often each row was drawn, (K, n)."""
    return np.stack([np.bincount(generator.integers(0, n, n), minlength=n) for generator in generators])


def online_counts(n: int, generators: Sequence[np.random.Generator]) -> Array:
    """Draw the counts of rows of a stream: Poisson(1), the bootstrap's limit (Oza and Russell 2001)."""
    return np.stack([generator.poisson(1.0, n) for generator in generators])


def out_of_bag_mean(outputs: Array, counts: Array) -> tuple[Array, Array]:
    """Average each row over the members that did not train on it.

    Parameters
    ----------
    outputs : ndarray of shape (K, n, n_outputs)
        Of every member.
    counts : ndarray of shape (K, n)
        How often the member trained on the row.

    Returns
    -------
    mean : ndarray of shape (n, n_outputs)
        Zero where every member trained on the row.
    known : ndarray of shape (n,)
        Whether any member did not.
    """
    left_out = counts == 0
    how_many = left_out.sum(axis=0)
    total = np.einsum("knc,kn->nc", outputs, left_out.astype(outputs.dtype))
    return total / np.maximum(how_many, 1)[:, None].astype(outputs.dtype), how_many > 0


class JudgedOutOfBag(metaclass=ABCMeta):
    """Bagged networks that are judged by the rows that each of them did not train on."""

    oob_score: Any
    warm_start: bool
    bootstrap: bool
    early_stopping: bool
    validation_fraction: float
    n_estimators: int
    _network: Any
    _default_scoring = "accuracy"

    @abstractmethod
    def _chunks(self, X: Any) -> Iterator[tuple[slice, Array]]:
        """Give some rows after another."""

    @abstractmethod
    def _unscaled(self, outputs: Array) -> Array:
        """Give outputs in the units of y."""

    @abstractmethod
    def _take_out_of_bag(self, mean: Array, targets: Targets) -> None:
        """Keep the predictions."""

    @abstractmethod
    def _predicted_already(self, which: Array) -> Any:
        """Stand for an estimator that has predicted these rows."""

    @property
    def _wants_out_of_bag(self) -> bool:
        return self._scorer() is not None

    def _scorer(self) -> Any:
        """Return the scorer of out-of-bag predictions, or None if they are not to be scored."""
        scoring = self.oob_score
        if is_flag(scoring):
            if not scoring:
                return None
            scoring = self._default_scoring
        scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
        if not callable(scorer):
            raise ValueError(
                "oob_score must be True, False, the name of a scorer, or a scorer of (estimator, X, y), "
                f"got {self.oob_score!r}."
            )
        return scorer

    def _leaves_out_the_same(self, X: Any, targets: Targets, weight: Array, continuing: bool) -> bool:
        """Tell whether what a member leaves out now it has never trained on.

        Training that goes on draws the same bootstrap samples, so that it has not if the rows are the same.
        """
        if not self.warm_start:
            self._left_out_of = None
            return True
        split = (self.bootstrap, self.early_stopping, self.validation_fraction)
        rows = joblib.hash((X, targets.outputs, weight, split))
        honest = not continuing or self._left_out_of == rows
        self._left_out_of = rows if honest else None
        if self._wants_out_of_bag and not honest:
            raise ValueError(
                "oob_score and calibrate='oob' would judge members by rows that they may have trained on: "
                "since the first fit, every call must have been a fit of these very rows with "
                "warm_start=True. Fit a clone, or set oob_score=False and calibrate=None."
            )
        return honest

    def _forget_out_of_bag(self) -> None:
        for name in ("oob_score_", "oob_decision_function_", "oob_prediction_", "oob_rows_"):
            vars(self).pop(name, None)

    def _out_of_bag(self, X: Any, y: Any, targets: Targets, weight: Array, counts: Array) -> None:
        """Predict every row by the members that did not train on it, and score that."""
        mean = np.empty(targets.outputs.shape, self._network.dtype)
        known = np.empty(X.shape[0], dtype=bool)
        for rows, chunk in self._chunks(X):
            outputs = self._unscaled(self._network.outputs(chunk))
            mean[rows], known[rows] = out_of_bag_mean(outputs, counts[:, rows])
        # What is known without looking at the row stands where no member can say more.
        mean[~known] = (weight / weight.sum()) @ targets.outputs
        self.oob_rows_ = known
        self._take_out_of_bag(mean, targets)
        scorer = self._scorer()
        if scorer is None:
            return
        which = known & (weight > 0)
        if not which.any():
            raise ValueError(
                f"No row was left out of any bootstrap sample with n_estimators={self.n_estimators} and "
                f"{X.shape[0]} rows: oob_score has nothing to score. Use more members, or oob_score=False."
            )
        judged = (X, y) if which.all() else (X[np.flatnonzero(which)], y[which])
        score = float(scorer(self._predicted_already(which), *judged))
        if not np.isfinite(score):
            raise ValueError(
                f"oob_score={self.oob_score!r} gives {score} on the {which.sum()} rows that some network did "
                "not train on. Use more members or rows, another scorer, or oob_score=False."
            )
        self.oob_score_ = score
