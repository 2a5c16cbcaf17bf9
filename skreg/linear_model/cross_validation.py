"""LassoCV and ElasticNetCV: alpha (and l1_ratio) by cross-validation, every fold's path certified."""

from __future__ import annotations

import numpy as np

from skreg.linear_model._base import check_number
from skreg.linear_model._base_cv import L1LinearModelCV
from skreg.penalties import ElasticNetPenalty

__all__ = ["ElasticNetCV", "LassoCV"]


class LassoCV(L1LinearModelCV):
    """Lasso whose alpha cross-validation selects, along a path of certified solutions in every fold.

    Minimises 1/(2S) Σ sᵢ (yᵢ − xᵢᵀw − b)² + α ‖w‖₁, scikit-learn's objective, with S = Σ sᵢ, on all rows, at
    the alpha whose mean squared error on the rows that each fold holds out is least, or at the largest alpha
    within one standard error of that.

    Parameters
    ----------
    eps : float, default=1e-3
        Ratio of the smallest alpha to the largest, in (0, 1), for an integer `alphas`.
    alphas : int or array-like of shape (n_alphas,), default=100
        How many alphas, evenly spaced in log from the smallest that sets every penalised coefficient to
        zero down to `eps` times that; or the alphas themselves.
    fit_intercept : bool, default=True
        Whether to fit b, which is not penalised.
    positive : bool, default=False
        Whether to confine the coefficients to w ≥ 0.
    penalty_weights : array-like of shape (n_features,), optional
        A factor vⱼ ≥ 0 for each feature: its penalty is α vⱼ |wⱼ|. 0 leaves a feature unpenalised.
        They go by position; a Series must have the feature names as its index, in their order.
    cv : int, splitter or iterable, default=None
        How to split the rows: a number of folds, a splitter of `sklearn.model_selection`, or the splits
        themselves, pairs of train and test indices. None stands for 5 folds of rows that follow each other.
    selection_rule : {"min", "1se"}, default="min"
        Which alpha to take: that of the least error, or the largest whose error is within one standard error
        of the least. Of equals, the largest.
    tol : float, default=1e-8
        The duality gap promised for every alpha in every fold, relative to the null model's objective.
    max_iter : int, default=1000
        At most this many sweeps and Newton steps for each.
    n_jobs : int, optional
        How many folds at once, by joblib: None for one, or what `joblib.parallel_config` says, -1 for as
        many as there are cores. Threads by default; the result is the same.

    Attributes
    ----------
    alpha_ : float
        The alpha selected.
    alpha_min_, alpha_1se_ : float
        The alphas that the rules "min" and "1se" select.
    alphas_ : ndarray of shape (n_alphas,)
        The alphas tried, decreasing.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Mean squared error of each fold's test rows at each alpha, in the units of y².
    standard_error_path_ : ndarray of shape (n_alphas,)
        Standard error of the mean over folds of `mse_path_`.
    coef_path_ : ndarray of shape (n_features, n_alphas)
        Coefficients of all rows at each alpha, float64.
    intercept_path_ : ndarray of shape (n_alphas,)
        Their intercepts.
    coef_ : ndarray of shape (n_features,)
        Coefficients w at `alpha_`, in X's dtype.
    sparse_coef_ : CSR array of shape (1, n_features)
        The same, sparse.
    intercept_ : float
        Intercept b, in the units of y and X's dtype; 0.0 without one.
    dual_gap_ : float
        An upper bound of how far the objective above, at `coef_` and `intercept_` as stored, is from its
        minimum.
    n_iter_ : int
        Sweeps and Newton steps spent on `coef_`, from the solution at the alpha before.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.

    See Also
    --------
    ElasticNetCV : Selects a share of the L2 penalty too.
    Lasso : At a given alpha.
    regularization_path : The path without cross-validation.

    Notes
    -----
    Under `set_callbacks(sklearn.callback.ProgressBar())` the fit shows how many of the folds are done.

    References
    ----------
    Tibshirani, R. (1996). Regression shrinkage and selection via the lasso, JRSS B 58(1), 267-288, Section 4;
    Breiman, L., Friedman, J., Olshen, R. and Stone, C. (1984). Classification and Regression Trees,
    Section 3.4.3, for the one-standard-error rule.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.linear_model import LassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 10))
    >>> y = X[:, 0] - 2.0 * X[:, 1] + rng.standard_normal(100)
    >>> model = LassoCV(selection_rule="1se").fit(X, y)
    >>> np.flatnonzero(model.coef_)
    array([0, 1])
    >>> model.alpha_min_ < model.alpha_
    True
    """

    def __init__(
        self,
        *,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        positive=False,
        penalty_weights=None,
        cv=None,
        selection_rule="min",
        tol=1e-8,
        max_iter=1000,
        n_jobs=None,
    ):
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.cv = cv
        self.selection_rule = selection_rule
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def _penalty(self, total_weight: float) -> ElasticNetPenalty:
        return ElasticNetPenalty.from_alpha(
            self.alpha_, 1.0, total_weight, factors=self.penalty_weights, positive=self.positive
        )


class ElasticNetCV(L1LinearModelCV):
    """Elastic net whose alpha and l1_ratio cross-validation selects, along certified paths in every fold.

    Minimises 1/(2S) Σ sᵢ (yᵢ − xᵢᵀw − b)² + αρ ‖w‖₁ + ½α(1−ρ) ‖w‖², scikit-learn's objective, with S = Σ sᵢ,
    on all rows. ρ is the one that reaches the least mean squared error on the rows that each fold holds out;
    alpha is the one of that error, or the largest for that ρ within one standard error of it.

    Parameters
    ----------
    l1_ratio : float or array-like of shape (n_l1_ratio,), default=0.5
        The share ρ in [0, 1] of the L1 part, or several to select from: 1 is the Lasso; 0 is Ridge, and needs
        the alphas themselves.
    eps : float, default=1e-3
        Ratio of the smallest alpha to the largest, in (0, 1), for an integer `alphas`.
    alphas : int or array-like of shape (n_alphas,), default=100
        How many alphas for each l1_ratio, evenly spaced in log from the smallest that sets every penalised
        coefficient to zero down to `eps` times that; or the alphas themselves.
    fit_intercept : bool, default=True
        Whether to fit b, which is not penalised.
    positive : bool, default=False
        Whether to confine the coefficients to w ≥ 0.
    penalty_weights : array-like of shape (n_features,), optional
        A factor vⱼ ≥ 0 for each feature, multiplying both parts; 0 leaves a feature unpenalised.
        They go by position; a Series must have the feature names as its index, in their order.
    cv : int, splitter or iterable, default=None
        How to split the rows: a number of folds, a splitter of `sklearn.model_selection`, or the splits
        themselves, pairs of train and test indices. None stands for 5 folds of rows that follow each other.
    selection_rule : {"min", "1se"}, default="min"
        Which alpha to take: that of the least error, or the largest whose error is within one standard error
        of the least. Of equals, the largest; of equal l1_ratios, the first.
    tol : float, default=1e-8
        The duality gap promised for every alpha in every fold, relative to the null model's objective.
    max_iter : int, default=1000
        At most this many sweeps and Newton steps for each.
    n_jobs : int, optional
        How many folds at once, by joblib: None for one, or what `joblib.parallel_config` says, -1 for as
        many as there are cores. Threads by default; the result is the same.

    Attributes
    ----------
    alpha_ : float
        The alpha selected.
    l1_ratio_ : float
        The l1_ratio selected.
    alpha_min_, alpha_1se_ : float
        The alphas that the rules "min" and "1se" select at `l1_ratio_`.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratio, n_alphas)
        The alphas tried, decreasing; a row for each of several l1_ratios, if they were not given.
    mse_path_ : ndarray of shape (n_alphas, n_folds) or (n_l1_ratio, n_alphas, n_folds)
        Mean squared error of each fold's test rows at each alpha, in the units of y².
    standard_error_path_ : ndarray of shape (n_alphas,) or (n_l1_ratio, n_alphas)
        Standard error of the mean over folds of `mse_path_`.
    coef_path_ : ndarray of shape (n_features, n_alphas)
        Coefficients of all rows at each alpha of `l1_ratio_`, float64.
    intercept_path_ : ndarray of shape (n_alphas,)
        Their intercepts.
    coef_ : ndarray of shape (n_features,)
        Coefficients w at `alpha_` and `l1_ratio_`, in X's dtype.
    sparse_coef_ : CSR array of shape (1, n_features)
        The same, sparse.
    intercept_ : float
        Intercept b, in the units of y and X's dtype; 0.0 without one.
    dual_gap_ : float
        An upper bound of how far the objective above, at `coef_` and `intercept_` as stored, is from its
        minimum.
    n_iter_ : int
        Sweeps and Newton steps spent on `coef_`, from the solution at the alpha before.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.

    See Also
    --------
    LassoCV : The L1 part alone.
    ElasticNet : At a given alpha and l1_ratio.
    regularization_path : The path without cross-validation.

    Notes
    -----
    Under `set_callbacks(sklearn.callback.ProgressBar())` the fit shows how many of the folds are done.

    References
    ----------
    Zou, H. and Hastie, T. (2005). Regularization and variable selection via the elastic net,
    JRSS B 67(2), 301-320, Section 3.5.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.linear_model import ElasticNetCV
    >>> height = np.linspace(1.5, 1.9, 40)
    >>> X = np.column_stack([height, 39.37 * height, np.tile([0.0, 1.0], 20)])
    >>> model = ElasticNetCV(l1_ratio=[0.1, 0.5, 1.0], cv=4).fit(X, 50.0 * height)
    >>> model.mse_path_.shape
    (3, 100, 4)
    >>> model.l1_ratio_
    1.0
    """

    def __init__(
        self,
        *,
        l1_ratio=0.5,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        positive=False,
        penalty_weights=None,
        cv=None,
        selection_rule="min",
        tol=1e-8,
        max_iter=1000,
        n_jobs=None,
    ):
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.cv = cv
        self.selection_rule = selection_rule
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def _penalty(self, total_weight: float) -> ElasticNetPenalty:
        return ElasticNetPenalty.from_alpha(
            self.alpha_, self.l1_ratio_, total_weight, factors=self.penalty_weights, positive=self.positive
        )

    def _l1_ratios(self) -> list[float]:
        ratios = self.l1_ratio
        if isinstance(ratios, str) or not np.iterable(ratios):
            ratios = [ratios]
        if len(ratios) == 0:
            raise ValueError(f"l1_ratio must be a number between 0 and 1 or a list of them, got {ratios!r}.")
        for ratio in ratios:
            check_number("l1_ratio", ratio, low=0, high=1)
        return [float(ratio) for ratio in ratios]
