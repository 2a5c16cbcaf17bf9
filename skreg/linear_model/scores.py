"""Scores of ridge's cross-validation: from its squared errors, or a scorer's view of its predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from skreg.penalties import ElasticNetPenalty
from skreg.solvers.folds import Fold, Folds
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.spectral import Spectrum

__all__ = ["FORMULAS", "JudgedFolds", "ScoredData", "check_r2_is_defined", "takes_weights"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]

# Predictions are held this many at a time (400 MB).
_PREDICTIONS = 50_000_000


@dataclass(eq=False)
class ScoredData:
    """The data of a fit, and how their errors become scores."""

    X: Any
    y: NDArray[Any]
    weights: FloatArray
    problem: LeastSquares
    unit: ElasticNetPenalty
    alphas: FloatArray
    per_target: bool
    spectrum: Spectrum | None = None
    knows_rows: bool = True

    def __post_init__(self) -> None:
        self.kept = np.flatnonzero(self.weights)

    def parts(self, n_rows: int) -> Iterator[slice]:
        """Cut the alphas into parts of which so many rows' predictions can be held."""
        step = max(1, _PREDICTIONS // (n_rows * self.problem.n_targets))
        for start in range(0, self.alphas.size, step):
            yield slice(start, start + step)

    def averaged(self, values: FloatArray) -> FloatArray:
        """Average (n_alphas, n_targets) over the targets, unless each has its own alpha."""
        return values if self.per_target else values.mean(axis=1)

    def predictions(self, rows: IndexArray, errors: FloatArray) -> FloatArray:
        """From weighted errors √s (y − ŷ) to predictions, of shape (n_rows, n_targets, n_alphas)."""
        targets = np.asarray(self.y[self.kept[rows]], dtype=np.float64).reshape(len(rows), -1)
        return targets[:, :, None] - errors / self.problem.root_weights[rows, None, None]

    def scores(self, rows: IndexArray, predictions: FloatArray, scorer, params) -> FloatArray:
        """Ask a scorer about some rows, at every alpha of the predictions."""
        rows = self.kept[rows]
        X, y = self.X[rows], self.y[rows]
        chosen = {name: _of_rows(value, rows, len(self.y)) for name, value in params.items()}
        if self.per_target:
            score = [
                [scorer(_Fixed(prediction[:, t]), X, y[:, t], **chosen) for t in range(y.shape[1])]
                for prediction in np.moveaxis(predictions, 2, 0)
            ]
        else:
            score = [
                scorer(_Fixed(prediction.reshape(y.shape)), X, y, **chosen)
                for prediction in np.moveaxis(predictions, 2, 0)
            ]
        return np.asarray(score, dtype=np.float64)

    def judge_by_predictions(self, fold: Fold, scorer, params) -> tuple[FloatArray, FloatArray]:
        """Sum the squared errors of a fold, and ask the scorer about its predictions."""
        squared, scores = [], []
        for chosen in self.parts(len(fold.test)):
            errors = fold.residuals(chosen)
            squared.append(np.einsum("itk,itk->tk", errors, errors))
            scores.append(self.scores(fold.test, self.predictions(fold.test, errors), scorer, params))
        return np.concatenate(squared, axis=1), np.concatenate(scores)


@dataclass(eq=False)
class JudgedFolds:
    """Folds, and how each is scored: by a formula of its squared errors, or by a scorer."""

    folds: Folds
    data: ScoredData
    formula: Callable[[Fold, FloatArray], FloatArray] | None
    scorer: Callable[..., float]
    params: dict[str, Any]

    def judge(self, i: int) -> tuple[FloatArray, FloatArray]:
        """Fit fold i; return its mean squared errors and its scores at every alpha."""
        fold = self.folds.fit(i)
        if self.formula is not None:
            squared = fold.squared_errors()
            scores = self.data.averaged(self.formula(fold, squared))
        else:
            squared, scores = self.data.judge_by_predictions(fold, self.scorer, self.params)
        return self.data.averaged(squared.T / fold.total_weight), scores


class _Fixed(RegressorMixin, BaseEstimator):
    """A fitted regressor, to a scorer, whose predictions are known already."""

    def __init__(self, predictions):
        self.predictions = predictions

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, X):
        return self.predictions


def _negative_mean_squared_error(fold: Fold, squared: FloatArray) -> FloatArray:
    return -squared.T / fold.total_weight


def _negative_root_mean_squared_error(fold: Fold, squared: FloatArray) -> FloatArray:
    return -np.sqrt(squared.T / fold.total_weight)


def check_r2_is_defined(n_rows: int) -> None:
    """Raise an error for a fold of a single test row."""
    if n_rows < 2:
        raise ValueError(
            "R², the default score of folds, is not defined on a single test row; "
            "scoring='neg_mean_squared_error' is, and cv=None is leave-one-out."
        )


def _r2(fold: Fold, squared: FloatArray) -> FloatArray:
    check_r2_is_defined(len(fold.test))
    deviations = fold.squared_deviations()
    constant = deviations == 0.0
    r2 = 1.0 - squared.T / np.where(constant, 1.0, deviations)
    # scikit-learn's convention where y is constant: 1 for a perfect prediction and 0 for any other.
    return np.where(constant, (squared.T == 0.0) * 1.0, r2)


# Scores that follow from the squared errors, target by target: (n_alphas, n_targets).
FORMULAS: dict[str | None, Callable[[Fold, FloatArray], FloatArray]] = {
    None: _r2,
    "r2": _r2,
    "neg_mean_squared_error": _negative_mean_squared_error,
    "neg_root_mean_squared_error": _negative_root_mean_squared_error,
}


def takes_weights(scorer) -> bool:
    """Whether a scorer, or the metric it was made of, has a parameter sample_weight."""
    parameters = signature(getattr(scorer, "_score_func", scorer)).parameters.values()
    return any(p.name == "sample_weight" or p.kind is Parameter.VAR_KEYWORD for p in parameters)


def _of_rows(value, rows: IndexArray, n_samples: int):
    """Take rows of metadata that has one entry a row."""
    values = np.asarray(value)
    return values[rows] if values.ndim > 0 and len(values) == n_samples else value
