"""What LassoSelector and ElasticNetSelector share: everything but the l1_ratio."""

from __future__ import annotations

import warnings
from numbers import Integral

import numpy as np
from sklearn.callback import with_callbacks
from sklearn.utils.validation import check_is_fitted

from skreg.execution.rollback import unchanged_on_failure
from skreg.feature_selection._base import Selector, column_spread, entry_order
from skreg.linear_model._base import check_number
from skreg.linear_model._cross_validated import CrossValidated
from skreg.linear_model._tasks import check_n_jobs
from skreg.linear_model.alpha_selection import check_selection_rule
from skreg.linear_model.alphas import check_path_alphas
from skreg.linear_model.cross_validation import ElasticNetCV
from skreg.linear_model.path import regularization_path

__all__ = ["PathSelector"]


class PathSelector(CrossValidated, Selector):
    """Select from one regularisation path: at an alpha given or validated, or the first to enter."""

    def fit(self, X, y, sample_weight=None, **params):
        """Solve the path and select.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Data. The penalty sees the columns in the units in which they come: standardise them before.
        y : array-like of shape (n_samples,)
            Numeric target.
        sample_weight : float or array-like of shape (n_samples,), optional
            Weights ≥ 0 of the squared errors.
        **params : dict
            Metadata for the splitter of `cv`, such as `groups`, if scikit-learn's metadata routing is enabled
            (``sklearn.set_config(enable_metadata_routing=True)``).

        Returns
        -------
        self : object
            The fitted selector.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data are out of range or of the wrong kind; an earlier fit is then left
            as it was.

        Warns
        -----
        ConvergenceWarning
            If the duality gap is above `tol` somewhere on the path.
        UserWarning
            If fewer than `n_features_to_select` features enter the path.
        """
        with unchanged_on_failure(self):
            self._check_parameters()
            given = X, y
            X, y = self._validate(X, y)
            self._check_number_to_select(X.shape[1])
            self._route(sample_weight, params)  # refuses what nobody asks for
            self._fit_path(X, y, sample_weight, params, given)
        return self

    @with_callbacks
    def _fit_path(self, X, y, sample_weight, params, given) -> None:
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self, X=given[0], y=given[1])
        inner = context.subcontext(task_name="path")
        if self.alpha is None and self.n_features_to_select is None:
            self._validate_alpha(X, y, sample_weight, params, inner)
        else:
            inner.call_on_fit_task_begin(estimator=self)
            self._solve_path(X, y, sample_weight)
            inner.call_on_fit_task_end(estimator=self)
        order, _ = entry_order(self.coef_path_.T, column_spread(X))
        self.ranking_ = np.full(X.shape[1], order.size + 1)
        self.ranking_[order] = np.arange(1, order.size + 1)
        self.coef_ = self.coef_path_[:, self._selected].copy()
        context.call_on_fit_task_end(estimator=self, X=given[0], y=given[1], reconstruction_attributes={})

    @property
    def _selected(self) -> int:
        """The position of `alpha_` in `alphas_`."""
        return int(np.argmin(np.abs(self.alphas_ - self.alpha_)))

    def _validate_alpha(self, X, y, sample_weight, params, context) -> None:
        """Let cross-validation choose the alpha; its path of all rows is ours."""
        model = ElasticNetCV(
            l1_ratio=self._l1_ratio,
            alphas=self.alphas,
            cv=self.cv,
            selection_rule=self.selection_rule,
            n_jobs=self.n_jobs,
            **self._shared(),
        )
        with context.propagate_callback_context(model):
            model.fit(X, y, sample_weight, **params)  # which routes them once more, to the same cv
        alphas = np.atleast_2d(model.alphas_)
        chosen = list(np.ravel(self._l1_ratio)).index(model.l1_ratio_) if len(alphas) > 1 else 0
        self.alphas_, self.alpha_, self.l1_ratio_ = alphas[chosen], model.alpha_, model.l1_ratio_
        self.coef_path_, self.n_iter_ = model.coef_path_, model.n_iter_

    def _solve_path(self, X, y, sample_weight) -> None:
        """Solve the grid, and at the alpha given."""
        l1_ratio = self._l1_ratio
        alphas = check_path_alphas(self.alphas, self.eps, l1_ratio)
        shared = {"l1_ratio": l1_ratio, "sample_weight": sample_weight, **self._shared()}
        if isinstance(alphas, int) and self.alpha is not None:
            top = regularization_path(X, y, alphas=1, **shared).alphas[0]
            alphas = top * np.logspace(0.0, np.log10(self.eps), alphas)
        if self.alpha is not None:
            alphas = np.union1d(alphas, self.alpha)
        path = regularization_path(X, y, alphas=alphas, **shared)
        self.alphas_, self.coef_path_, self.l1_ratio_ = path.alphas, path.coefs, path.l1_ratio
        if self.alpha is not None:
            self.alpha_ = float(self.alpha)
        else:
            self._take_first(path.coefs.T, column_spread(X))
        self.n_iter_ = int(path.n_iters[self._selected])

    def _take_first(self, coefs, spread) -> None:
        """Set alpha where the last of the features wanted enters."""
        wanted, (_, entry) = self.n_features_to_select, entry_order(coefs, spread)
        if entry.size < wanted:
            warnings.warn(
                f"Only {entry.size} of n_features_to_select={wanted} features have entered the path by its "
                f"smallest alpha, {self.alphas_[-1]:.3g}, and are selected. Decrease eps, or pass alphas.",
                UserWarning,
                stacklevel=6,
            )
        last = entry[min(wanted, entry.size) - 1] if entry.size else 0
        self.alpha_ = float(self.alphas_[last])

    def _get_support_mask(self):
        check_is_fitted(self)
        if self.n_features_to_select is None:
            return self.coef_ != 0.0
        entered = np.any(self.coef_path_ != 0.0, axis=1)
        return entered & (self.ranking_ <= self.n_features_to_select)

    def _shared(self):
        """Return what the path and its cross-validation take alike."""
        return {
            "eps": self.eps,
            "fit_intercept": self.fit_intercept,
            "positive": self.positive,
            "penalty_weights": None if self.penalty_weights is None else np.asarray(self.penalty_weights),
            "tol": self.tol,
            "max_iter": self.max_iter,
        }

    @property
    def _l1_ratio(self):
        return 1.0

    def _check_parameters(self) -> None:
        if self.alpha is not None:
            if self.n_features_to_select is not None:
                raise ValueError(
                    "alpha and n_features_to_select each decide how many features are kept; one of them must "
                    f"be None, got {self.alpha!r} and {self.n_features_to_select!r}."
                )
            check_number("alpha", self.alpha, low=0)
            if self.alpha == 0:
                raise ValueError("alpha must be > 0, got 0: without a penalty every feature is kept.")
        check_selection_rule(self.selection_rule)
        check_n_jobs(self.n_jobs)

    def _check_number_to_select(self, n_features: int) -> None:
        if self.n_features_to_select is not None:
            check_number(
                "n_features_to_select", self.n_features_to_select, low=1, high=n_features, kind=Integral
            )
