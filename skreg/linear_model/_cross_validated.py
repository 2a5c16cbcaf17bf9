"""What the estimators whose alpha cross-validation selects share: parameters, metadata, callbacks."""

from __future__ import annotations

from typing import Any

from sklearn import get_config
from sklearn.callback import CallbackContext, CallbackSupportMixin
from sklearn.model_selection import KFold
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from skreg.linear_model._tasks import check_n_jobs
from skreg.linear_model.alpha_selection import check_selection_rule

__all__ = ["CrossValidated", "training_data"]


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


def training_data(X, y, sample_weight, weights) -> dict[str, Any]:
    """Lay out for callbacks the data as they were given to `fit`, so that they can `score` with them."""
    # A number stands for weights, but not to a scorer.
    return {"X": X, "y": y, "metadata": {} if sample_weight is None else {"sample_weight": weights}}
