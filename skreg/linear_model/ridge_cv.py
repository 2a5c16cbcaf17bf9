"""Ridge regression with its alpha selected by cross-validation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.callback import with_callbacks
from sklearn.metrics import check_scoring, get_scorer
from sklearn.utils.metadata_routing import MethodMapping

from skreg.execution.rollback import unchanged_on_failure
from skreg.linear_model._base import LinearModel, Penalties
from skreg.linear_model._cross_validated import CrossValidated, FoldwiseData, training_data
from skreg.linear_model._splits import draw_folds
from skreg.linear_model._tasks import in_turn, reported, tasks_at_once
from skreg.linear_model.alpha_selection import fold_mean_and_standard_error, select_alpha
from skreg.linear_model.alphas import check_alphas_or_number
from skreg.linear_model.scores import FORMULAS, JudgedFolds, ScoredData, check_r2_is_defined, takes_weights
from skreg.moments import Moments
from skreg.moments.collections import is_dask_collection
from skreg.penalties import L2, ElasticNetPenalty
from skreg.solvers.folds import Folds
from skreg.solvers.held_out import Split
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.leave_one_out import leave_one_out_errors, leave_one_out_residuals
from skreg.solvers.ridge import solve_ridge
from skreg.solvers.solution import Solution
from skreg.solvers.spectral import Spectrum, solve_ridge_by_target

__all__ = ["RidgeCV"]

FloatArray = NDArray[np.float64]


class RidgeCV(CrossValidated, LinearModel):
    """Ridge with its alpha selected by cross-validation, all alphas from one decomposition.

    Minimises Σ sᵢ (yᵢ − xᵢᵀw − b)² + α ‖w‖² at the alpha that predicts rows left out best. Leave-one-out
    (`cv=None`) costs one eigendecomposition and no refit; K folds cost one each, whatever the number of
    alphas and targets.

    Parameters
    ----------
    alphas : int or array-like of shape (n_alphas,), default=(0.1, 1.0, 10.0)
        The alphas ≥ 0 to try, in the units of X²; 0 stands for the limit of a vanishing penalty. Or how many
        (scikit-learn's RidgeCV takes a number as the one alpha), evenly spaced in log: from ten times the
        largest squared singular value of the centred, weighted X (columns divided by √v under
        `penalty_weights`), where every direction is shrunk by over 90 %, down to a tenth of the smallest, but
        not below 10⁻⁶ of the largest.
    fit_intercept : bool, default=True
        Whether to fit b, which is not penalised.
    penalty_weights : array-like of shape (n_features,), optional
        A factor vⱼ ≥ 0 for each feature: its penalty is α vⱼ wⱼ². 0 leaves a feature unpenalised.
        They go by position; a Series must have the feature names as its index, in their order.
    scoring : str or callable, optional
        A scorer's name, or a callable ``scorer(estimator, X, y)`` that asks the estimator for predictions
        only. None is scikit-learn's default: the negative mean squared error for leave-one-out and R² for
        folds.
    cv : int, splitter or iterable, default=None
        None is leave-one-out. Otherwise how to split the rows: a number of folds of rows that follow each
        other, a splitter of `sklearn.model_selection`, or the splits themselves, pairs of train and test
        indices.
    alpha_per_target : bool, default=False
        Whether each of several targets selects its own alpha.
    selection_rule : {"min", "1se"}, default="min"
        The alpha of the best score; or the largest whose score is within one standard error of that.
        Of equals, the largest.
    store_cv_results : bool, default=False
        Whether to keep `cv_results_`; for leave-one-out only.
    n_jobs : int, optional
        How many folds at once, by joblib: None for one, or what `joblib.parallel_config` says, -1 for as
        many as there are cores. Threads by default; the result is the same.
    tol : float, default=1e-8
        The duality gap that the final fit promises, relative to the null model's objective.
    max_iter : int, default=1000
        At most this many iterations, where the final solution is not direct.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        The alpha selected, or that of each target.
    alpha_1se_ : float or ndarray of shape (n_targets,)
        What "1se" selects; nan for leave-one-out with a `scoring`, whose score has no standard error.
    alphas_ : ndarray of shape (n_alphas,)
        The alphas tried, in the order given; decreasing for an int.
    best_score_ : float or ndarray of shape (n_targets,)
        The best mean score, which is that of `alpha_` under "min".
    mean_score_, standard_error_ : ndarray of shape (n_alphas,) or (n_alphas, n_targets)
        The cross-validated score of each alpha (the mean over folds, or over the rows left out) and the
        standard error of that mean.
    mse_path_ : ndarray of shape (n_alphas, n_folds) or (n_alphas, n_folds, n_targets)
        With folds, the mean squared error of each on its test rows, in the units of y².
    score_path_ : ndarray of shape (n_alphas, n_folds) or (n_alphas, n_folds, n_targets)
        With folds, the score of each on its test rows.
    cv_results_ : ndarray of shape (n_samples, n_alphas) or (n_samples, n_targets, n_alphas)
        With `store_cv_results`, the squared leave-one-out errors times their weights; the leave-one-out
        predictions if there is a `scoring`, nan on rows of weight zero.
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients w on all rows at `alpha_`, in X's dtype.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept b, in the units of y and X's dtype; 0.0 without one.
    dual_gap_ : float or ndarray of shape (n_targets,)
        An upper bound of how far the objective above at `alpha_`, at `coef_` and `intercept_` as stored, is
        from its minimum.
    n_iter_ : int or ndarray of shape (n_targets,)
        Iterations spent, 1 for a direct solution.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.

    See Also
    --------
    Ridge : The same fit at an alpha given.

    Notes
    -----
    Weights count in every error, as in scikit-learn: rows of weight zero are absent, and with folds an
    integer weight is as many equal rows in one fold. Leave-one-out leaves a row out with all of its weight,
    and its mean is Σ sᵢeᵢ² / n_samples. Every fold counts the same in the mean over folds.

    Sparse X is decomposed with at most 5000 rows or columns.

    Under `set_callbacks(sklearn.callback.ProgressBar())` the fit shows how many of the folds are done.

    References
    ----------
    Golub, G. H., Heath, M. and Wahba, G. (1979). Generalized cross-validation as a method for choosing a good
    ridge parameter, Technometrics 21(2), 215-223; Allen, D. M. (1974), Technometrics 16(1), 125-127.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg.linear_model import RidgeCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RidgeCV(alphas=[1e-3, 1e-2, 1e-1, 1.0]).fit(X, y)
    >>> model.alpha_, round(model.score(X, y), 4)
    (0.01, 0.5166)
    >>> RidgeCV(alphas=50, cv=5, selection_rule="1se").fit(X, y).alpha_ > model.alpha_
    True
    """

    _flags = ("fit_intercept", "alpha_per_target", "store_cv_results")

    def __init__(
        self,
        alphas=(0.1, 1.0, 10.0),
        *,
        fit_intercept=True,
        penalty_weights=None,
        scoring=None,
        cv=None,
        alpha_per_target=False,
        selection_rule="min",
        store_cv_results=False,
        n_jobs=None,
        tol=1e-8,
        max_iter=1000,
    ):
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.penalty_weights = penalty_weights
        self.scoring = scoring
        self.cv = cv
        self.alpha_per_target = alpha_per_target
        self.selection_rule = selection_rule
        self.store_cv_results = store_cv_results
        self.n_jobs = n_jobs
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X, y, sample_weight=None, **params):
        """Select alpha and fit the coefficients at it to all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training data. float32 stays float32 in `coef_`; everything is solved in float64. A Dask Array or
            DataFrame is fitted by the moments of its folds, in one pass on the cluster; `cv` must then be a
            number, and `skreg.moments.dask_moments` says what the folds are.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target.
        sample_weight : float or array-like of shape (n_samples,), optional
            Weights sᵢ ≥ 0, not all zero.
        **params : dict
            Metadata for the splitter and the scorer, such as ``groups``, if metadata routing is enabled
            (``sklearn.set_config(enable_metadata_routing=True)``).

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data are out of range or of the wrong kind, or a fold has no row of
            positive weight to train on or to test; an earlier fit is then left as it was.

        Warns
        -----
        ConvergenceWarning
            If the duality gap of the final fit is above `tol`.
        UserWarning
            If `scoring` cannot take the weights.
        """
        with unchanged_on_failure(self):
            if is_dask_collection(X, y, sample_weight):
                return self._fit_collections(X, y, sample_weight, params)
            given = X, y
            X, y, weights, problem = self._validate(X, y, sample_weight)
            score_params, split_params = self._route(sample_weight, params)
            if "sample_weight" in score_params:
                score_params = {**score_params, "sample_weight": weights}
            folds = [] if self.cv is None else draw_folds(self.cv, X, y, weights, split_params)
            training = training_data(*given, sample_weight, weights)
            data = self._scored(X, y, weights, problem)
            solution = self._select_and_solve(data, folds, score_params, X.dtype, training)
            self._warn_unless_converged(solution, problem)
        return self

    def _fit_folds(self, data: FoldwiseData) -> None:
        X, y, weights = data.rows
        y = y[:, 0] if data.problem.n_targets == 1 else y
        scored = replace(self._scored(X, y, weights, data.problem), knows_rows=False)
        solution = self._select_and_solve(scored, data.splits, {}, data.dtype, {})
        self._warn_unless_converged(solution, data.problem)

    def _check_needs_no_rows(self) -> None:
        if self.cv is None:
            raise ValueError(
                "cv=None is leave-one-out, which takes the rows: moments know of no single one. Set cv to "
                "the number of folds that there are moments of."
            )
        if self.scoring not in FORMULAS:
            raise ValueError(
                f"scoring={self.scoring!r} takes predictions of single rows, which moments do not know. Take "
                f"one of {', '.join(repr(name) for name in FORMULAS)}, which follow from the squared errors."
            )
        if FORMULAS[self.scoring] is FORMULAS["r2"] and not self.fit_intercept:
            raise ValueError(
                f"scoring={self.scoring!r} is R², which measures from the mean of y, and moments for "
                "fit_intercept=False do not know that: scoring='neg_mean_squared_error' would do."
            )

    def _check_folds(self, moments) -> list[Moments]:
        self._check_needs_no_rows()
        folds = super()._check_folds(moments)
        if FORMULAS[self.scoring] is FORMULAS["r2"]:
            check_r2_is_defined(min(fold.n_rows for fold in folds))
        return folds

    def get_metadata_routing(self):
        """Say which metadata `fit` takes itself and which it hands to the splitter and the scorer.

        Returns
        -------
        MetadataRouter
            scikit-learn's description of the routing.
        """
        to_scorer = MethodMapping().add(caller="fit", callee="score")
        return super().get_metadata_routing().add(scorer=self._scorer(), method_mapping=to_scorer)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not (self.scoring is None or isinstance(self.scoring, str) or callable(self.scoring)):
            raise TypeError(f"scoring must be None, a scorer's name or a callable, got {self.scoring!r}.")
        if self.cv is not None and self.store_cv_results:
            raise ValueError(
                "store_cv_results=True needs cv=None, leave-one-out; mse_path_ and score_path_ have the "
                "results of folds."
            )
        if self.cv is None and self.scoring is not None and self.selection_rule == "1se":
            raise ValueError(
                "selection_rule='1se' needs a standard error: leave-one-out with a scoring makes one score "
                "of all rows. Leave scoring=None, or give cv a number of folds."
            )

    def _check_alpha(self) -> None:
        check_alphas_or_number(self.alphas)

    def _route(self, sample_weight, params) -> tuple[dict[str, Any], dict[str, Any]]:
        score_params, split_params = super()._route(sample_weight, params)
        if get_config()["enable_metadata_routing"] or sample_weight is None or self.scoring is None:
            return score_params, split_params
        if takes_weights(self._scorer()):
            return {"sample_weight": sample_weight}, split_params
        warnings.warn(
            f"scoring={self.scoring!r} takes no sample_weight: rows of positive weight count the same.",
            UserWarning,
            stacklevel=3,
        )
        return {}, split_params

    def _scorer(self) -> Callable[..., float]:
        if self.scoring is not None:
            return check_scoring(self, scoring=self.scoring)
        # The default score, computed here from the moments, always takes the weights.
        scorer = get_scorer("r2")
        routing = get_config()["enable_metadata_routing"]
        return scorer.set_score_request(sample_weight=True) if routing else scorer

    def _scored(self, X, y, weights, problem: LeastSquares) -> ScoredData:
        given, unit = check_alphas_or_number(self.alphas), L2(1.0, factors=self.penalty_weights)
        spectrum = None
        if isinstance(given, int):
            spectrum = Spectrum(problem, unit, smallest_alpha=np.inf)
            given = spectrum.alpha_grid(given)
        per_target = self.alpha_per_target and problem.n_targets > 1
        return ScoredData(X, y, weights, problem, unit, given, per_target, spectrum)

    @with_callbacks
    def _select_and_solve(self, scored: ScoredData, folds, score_params, dtype, training) -> Solution:
        """Score every alpha, select, solve for all rows, and keep it all."""
        context = self._begin(len(folds), training)
        for name in ("cv_results_", "mse_path_", "score_path_"):  # of an earlier fit
            vars(self).pop(name, None)
        problem, spectrum = scored.problem, scored.spectrum
        self.alphas_ = scored.alphas
        if folds:
            self._k_fold(scored, folds, score_params, context)
        else:
            if spectrum is None:
                spectrum = Spectrum(problem, scored.unit, smallest_alpha=float(self.alphas_.min()))
            self._leave_one_out(scored, spectrum, score_params)
        self._select()
        penalty = self._fitted_penalty(problem)
        solve = reported(context, self, "all rows", (self._solve_by, spectrum, problem, penalty))
        (solution,) = in_turn([solve])
        self._store(solution, problem, penalty, dtype=dtype, flat=scored.y.ndim == 1)
        self._end(context, training)
        return solution

    def _leave_one_out(self, data: ScoredData, spectrum: Spectrum, score_params: dict[str, Any]) -> None:
        n_samples, problem, alphas = len(data.y), data.problem, data.alphas
        if problem.n_rows < 2:
            raise ValueError(
                f"Leave-one-out needs two rows of positive weight, got n_samples = {problem.n_rows} of them."
            )
        by_errors = self.scoring is None
        if self.store_cv_results:
            absent = 0.0 if by_errors else np.nan
            self.cv_results_ = np.full((n_samples, *data.y.shape[1:], alphas.size), absent)
        if by_errors:
            errors = leave_one_out_errors(
                spectrum, data.unit, alphas, n_samples=n_samples, per_target=data.per_target
            )
            self.mean_score_, self.standard_error_ = -errors.mean, errors.standard_error
        if by_errors and not self.store_cv_results:
            return
        scores, scorer, rows = [], self._scorer(), np.arange(problem.n_rows)
        for chosen in data.parts(problem.n_rows):
            residuals = leave_one_out_residuals(spectrum, data.unit, alphas[chosen])
            values = residuals**2 if by_errors else data.predictions(rows, residuals)
            if not by_errors:
                scores.append(data.scores(rows, values, scorer, score_params))
            if self.store_cv_results:
                shape = (problem.n_rows, *data.y.shape[1:], -1)
                self.cv_results_[data.kept, ..., chosen] = values.reshape(shape)
        if not by_errors:
            self.mean_score_ = np.concatenate(scores)
            self.standard_error_ = np.full_like(self.mean_score_, np.nan)

    def _k_fold(self, data: ScoredData, splits: list[Split], score_params, context) -> None:
        folds = Folds(data.problem, data.unit, splits, data.alphas)
        by_name = self.scoring is None or not (data.knows_rows and get_config()["enable_metadata_routing"])
        formula = FORMULAS.get(self.scoring) if by_name and isinstance(self.scoring, str | None) else None
        judged = JudgedFolds(folds, data, formula, self._scorer(), score_params)
        tasks = [reported(context, self, "fold", (JudgedFolds.judge, judged, i)) for i in range(len(splits))]
        with tasks_at_once(self.n_jobs) as run:
            results = run(tasks)
        self.mse_path_ = np.stack([mse for mse, _scores in results], axis=1)
        self.score_path_ = np.stack([scores for _mse, scores in results], axis=1)
        by_fold = np.moveaxis(self.score_path_, 1, -1)
        self.mean_score_, self.standard_error_ = fold_mean_and_standard_error(by_fold, np.ones(len(splits)))

    def _select(self) -> None:
        errors = -self.mean_score_.reshape(self.alphas_.size, -1)
        spread = self.standard_error_.reshape(errors.shape)
        finite = np.isfinite(errors).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"The score is not a finite number at alpha={self.alphas_[~finite][0]:g}, "
                f"scoring={self.scoring!r}."
            )
        targets = range(errors.shape[1])
        chosen = {
            rule: np.array([select_alpha(self.alphas_, errors[:, t], spread[:, t], rule) for t in targets])
            for rule in ("min", "1se")
        }
        has_spread = np.isfinite(spread).all(axis=0)
        selected = {
            "alpha_": self.alphas_[chosen[self.selection_rule]],
            "alpha_1se_": np.where(has_spread, self.alphas_[chosen["1se"]], np.nan),
            "best_score_": -errors[chosen["min"], targets],
        }
        for name, values in selected.items():
            setattr(self, name, values if self.mean_score_.ndim == 2 else float(values[0]))

    def _penalty(self, total_weight: float) -> ElasticNetPenalty:
        # Of several targets with an alpha each, this is the first one's.
        return L2(float(np.ravel(self.alpha_)[0]), factors=self.penalty_weights)

    def _fitted_penalty(self, problem: LeastSquares) -> Penalties:
        if np.ndim(self.alpha_) == 0:
            return self._penalty(problem.total_weight)
        return [L2(float(alpha), factors=self.penalty_weights) for alpha in self.alpha_]

    def _solve_by(self, spectrum: Spectrum | None, problem: LeastSquares, penalty: Penalties) -> Solution:
        """Solve by the decomposition of all rows, if there is one."""
        if spectrum is None and not isinstance(penalty, list):
            return self._solve(problem, penalty)
        each = penalty if isinstance(penalty, list) else [penalty] * problem.n_targets
        return solve_ridge_by_target(problem, each, max_iter=self.max_iter, spectrum=spectrum)

    def _solve(self, problem: LeastSquares, penalty: Penalties) -> Solution:
        return solve_ridge(problem, penalty, max_iter=self.max_iter)

    def _gap_scale(self, total_weight: float) -> float:
        return 2.0
