"""What the estimators whose alpha cross-validation selects share: parameters, metadata, callbacks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.callback import CallbackContext, CallbackSupportMixin
from sklearn.model_selection import KFold
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from skreg.execution.blas import one_blas_thread
from skreg.execution.rollback import unchanged_on_failure
from skreg.linear_model._base import check_number, check_penalty_weights
from skreg.linear_model._streaming import check_moments, take_names
from skreg.linear_model._tasks import check_n_jobs
from skreg.linear_model.alpha_selection import check_selection_rule
from skreg.moments import Moments, dask_moments
from skreg.solvers.equivalent_rows import EquivalentRows, rows_of_folds
from skreg.solvers.held_out import Split
from skreg.solvers.least_squares import LeastSquares

__all__ = ["CrossValidated", "FoldwiseData", "training_data"]


@dataclass(frozen=True, eq=False)
class FoldwiseData:
    """The data of a cross-validation by moments: equivalent rows for each fold, and what they stand for.

    Parameters
    ----------
    rows : EquivalentRows
        Of every fold, as deviations from the means of all rows.
    splits : list of Split
        Which of them each fold trains on and holds out.
    problem : LeastSquares
        The data term of all rows.
    n_rows : list of int
        How many rows each fold holds out.
    dtype : numpy.dtype
        That of X.
    """

    rows: EquivalentRows
    splits: list[Split]
    problem: LeastSquares
    n_rows: list[int]
    dtype: np.dtype


class CrossValidated(CallbackSupportMixin):
    """A linear estimator with `cv`, `selection_rule` and `n_jobs`, whose folds report to callbacks.

    To go before `LinearModel` among the bases.
    """

    def get_metadata_routing(self):
        """Say which metadata `fit` takes itself and which it hands to the splitter, and a scorer.

        Returns
        -------
        MetadataRouter
            scikit-learn's description of the routing.
        """
        # Numbers and lists of splits ask for nothing; an iterator must not be used up here.
        splitter = self.cv if hasattr(self.cv, "split") else KFold()
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(splitter=splitter, method_mapping=MethodMapping().add(caller="fit", callee="split"))

    def fit_moments(self, moments):
        """Select alpha by cross-validation over folds known by their moments, and fit all rows with it.

        The rows that a fold trains on have the moments of all rows less its own, and its squared errors
        follow from its own: one pass over the data serves every fold and every alpha.

        Parameters
        ----------
        moments : sequence of Moments
            Of the rows that each fold holds out, `centred` if there is an intercept; each row in one fold.

        Returns
        -------
        self : object
            The fitted estimator. The moments of the folds are not kept.

        Raises
        ------
        ValueError, TypeError
            If a parameter is out of range, `cv` or `scoring` ask for the rows themselves, or the moments do
            not go together, are of no rows or not centred as `fit_intercept` says; an earlier fit is then
            left as it was.

        Warns
        -----
        ConvergenceWarning
            If the duality gap is above `tol`.
        """
        with unchanged_on_failure(self), one_blas_thread():
            self._check_parameters()
            folds = self._check_folds(moments)
            total = sum(folds[1:], start=folds[0])
            take_names(self, total)
            self._check_targets(np.empty((1, total.n_targets))[:, 0 if total.n_targets == 1 else slice(None)])
            check_penalty_weights(
                self.penalty_weights, total.n_features, getattr(self, "feature_names_in_", None)
            )
            n_rows = [fold.n_rows for fold in folds]
            self._fit_folds(FoldwiseData(*rows_of_folds(folds, total), n_rows, total.dtype))
        return self

    def _fit_collections(self, X, y, sample_weight, params):
        """Fit Dask's collections: one pass, and then by the moments of the folds."""
        if params:
            raise ValueError(
                f"fit got {', '.join(sorted(params))}, which go on to a splitter or a scorer, and no rows of "
                "Dask's collections do."
            )
        return self.fit_moments(self._fold_moments(X, y, sample_weight))

    def _fold_moments(self, X, y, sample_weight) -> list[Moments]:
        """Take the moments of each fold of Dask's collections."""
        self._check_parameters()
        self._check_needs_no_rows()
        n_folds = _number_of_folds(5 if self.cv is None else self.cv)
        if n_folds is None:
            raise ValueError(
                f"cv={self.cv!r} splits rows that are in memory. Of Dask's collections cv must be a number "
                "of folds, or KFold without shuffling; or call fit_moments with moments of other folds."
            )
        with one_blas_thread():  # where Dask's tasks are threads of this process
            return dask_moments(X, y, sample_weight, centred=bool(self.fit_intercept), n_folds=n_folds)

    def _check_needs_no_rows(self) -> None:
        """Raise an error if a parameter asks for the rows themselves."""

    def _fit_folds(self, data: FoldwiseData) -> None:
        """Select alpha and fit, on checked data."""
        raise NotImplementedError

    def _check_folds(self, moments) -> list[Moments]:
        """Return the moments of the folds as a list, or raise an error unless there are several of them."""
        if isinstance(moments, Moments) or not isinstance(moments, Iterable):
            raise TypeError(
                "moments must be a sequence of Moments, one of the rows that each fold holds out; got "
                f"{moments!r}."
            )
        folds = list(moments)
        for number, fold in enumerate(folds):
            check_moments(fold, self.fit_intercept)
            folds[0].check_compatible(fold)
            if not fold.total_weight > 0:
                raise ValueError(f"Fold {number} has no row of positive weight to test.")
        if len(folds) < 2:
            raise ValueError(f"moments must be those of at least 2 folds, got {len(folds)}.")
        if self.cv is not None and _number_of_folds(self.cv) != len(folds):
            raise ValueError(
                f"The moments are of {len(folds)} folds, and cv={self.cv!r}: moments cannot be split into "
                f"other folds than those they were taken of. Set cv={len(folds)}."
            )
        return folds

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_selection_rule(self.selection_rule)
        check_n_jobs(self.n_jobs)

    def _route(self, sample_weight, params) -> tuple[dict[str, Any], dict[str, Any]]:
        """Find what of `fit`'s metadata the scorer and the splitter get."""
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
            return routed.scorer.score if "scorer" in routed else {}, routed.splitter.split
        if params:
            raise ValueError(
                f"fit got {', '.join(sorted(params))}, which go on to the splitter of cv or to a scorer only "
                "with sklearn.set_config(enable_metadata_routing=True). Enable it, or pass the splits "
                "themselves as cv, such as cv=list(GroupKFold().split(X, y, groups))."
            )
        return {}, {}

    def _begin(self, n_folds: int, training: dict[str, Any]) -> CallbackContext:
        """Tell callbacks that a fit of so many folds and of all rows begins."""
        context = self._init_callback_context(max_subtasks=n_folds + 1)
        return context.call_on_fit_task_begin(estimator=self, **training)

    def _end(self, context: CallbackContext, training: dict[str, Any]) -> None:
        """Tell callbacks that the estimator is fitted."""
        context.call_on_fit_task_end(estimator=self, **training, reconstruction_attributes={})


def _number_of_folds(cv) -> int | None:
    """Return how many folds of consecutive rows `cv` asks for; None if it asks for something else."""
    if isinstance(cv, Integral) and not isinstance(cv, bool):
        check_number("cv", cv, low=2, kind=Integral)
        return int(cv)
    return cv.n_splits if type(cv) is KFold and not cv.shuffle else None


def training_data(X, y, sample_weight, weights) -> dict[str, Any]:
    """Lay out for callbacks the data as they were given to `fit`, so that they can `score` with them."""
    # A number stands for weights, but not to a scorer.
    return {"X": X, "y": y, "metadata": {} if sample_weight is None else {"sample_weight": weights}}
