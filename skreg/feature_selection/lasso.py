"""Selectors that keep what the Lasso or the elastic net keeps: at an alpha, or the first few."""

from __future__ import annotations

import numpy as np

from skreg.feature_selection._path_selector import PathSelector
from skreg.linear_model._base import check_number

__all__ = ["ElasticNetSelector", "LassoSelector"]


class LassoSelector(PathSelector):
    """Keep the features that the Lasso keeps.

    Three ways to say how many, all of one regularisation path: an `alpha`; the alpha that cross-validation
    selects (the default), best for prediction or, by the one-standard-error rule, sparser; or the first
    `n_features_to_select` that enter as alpha decreases.

    Of a group of strongly correlated features the Lasso keeps one, and which one is close to a matter of
    chance: `ElasticNetSelector` keeps the group, and `StabilitySelector` tells how much was chance.

    Parameters
    ----------
    alpha : float, optional
        scikit-learn's alpha > 0 of the Lasso whose support is kept. By cross-validation if not given.
    n_features_to_select : int, optional
        Keep so many, the first to enter the path, instead.
    alphas : int or array-like of shape (n_alphas,), default=100
        How many alphas the path has, evenly spaced in log from the smallest that sets every penalised
        coefficient to zero down to `eps` times that; or the alphas themselves. An `alpha` is added to them.
    eps : float, default=1e-3
        Ratio of the smallest alpha to the largest, in (0, 1), for an integer `alphas`.
    cv : int, splitter or iterable, default=None
        How cross-validation splits the rows, as in `LassoCV`; None stands for 5 folds.
    selection_rule : {"min", "1se"}, default="min"
        Which alpha cross-validation takes: that of the least error, or the largest whose error is within
        one standard error of the least. For selection the second leaves out much noise.
    fit_intercept : bool, default=True
        Whether the model has an intercept.
    positive : bool, default=False
        Whether to confine the coefficients to w ≥ 0.
    penalty_weights : array-like of shape (n_features,), optional
        A factor vⱼ ≥ 0 for each feature; 0 leaves a feature unpenalised, and so always in.
    tol : float, default=1e-8
        The duality gap promised at each alpha, relative to the null model's objective.
    max_iter : int, default=1000
        At most this many sweeps and Newton steps at each alpha.
    n_jobs : int, optional
        How many folds at once, by joblib; the result is the same.

    Attributes
    ----------
    alpha_ : float
        The alpha given or selected; of `n_features_to_select`, the largest alpha of the path by which so many
        have entered.
    coef_ : ndarray of shape (n_features,)
        Coefficients at `alpha_`.
    alphas_ : ndarray of shape (n_alphas,)
        The alphas of the path, decreasing.
    coef_path_ : ndarray of shape (n_features, n_alphas)
        Coefficients along it.
    ranking_ : ndarray of shape (n_features,), int
        1 for the first feature to enter the path, and so on; those that do not enter share the number after
        the last. Features that enter between the same two alphas go by the size of their coefficients per
        standard deviation.
    l1_ratio_ : float
        1, the Lasso's.
    n_iter_ : int
        Sweeps and Newton steps spent at `alpha_`, from the solution at the alpha before.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.

    See Also
    --------
    ElasticNetSelector : Keeps correlated features together.
    StabilitySelector : Keeps what is selected again and again, with a bound on false selections.

    References
    ----------
    Tibshirani, R. (1996). Regression shrinkage and selection via the lasso, JRSS B 58(1), 267-288.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.feature_selection import LassoSelector
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 6))
    >>> y = 3.0 * X[:, 4] - X[:, 1] + rng.standard_normal(100)
    >>> selector = LassoSelector(n_features_to_select=2).fit(X, y)
    >>> selector.get_support(indices=True), selector.ranking_[[4, 1]]
    (array([1, 4]), array([1, 2]))
    """

    def __init__(
        self,
        alpha=None,
        *,
        n_features_to_select=None,
        alphas=100,
        eps=1e-3,
        cv=None,
        selection_rule="min",
        fit_intercept=True,
        positive=False,
        penalty_weights=None,
        tol=1e-8,
        max_iter=1000,
        n_jobs=None,
    ):
        self.alpha = alpha
        self.n_features_to_select = n_features_to_select
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.selection_rule = selection_rule
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs


class ElasticNetSelector(PathSelector):
    """Keep the features that the elastic net keeps: correlated ones together.

    As `LassoSelector`, with a share of the L2 penalty: of a group of strongly correlated features it keeps
    all or none (Zou and Hastie's grouping effect), where the Lasso picks one.

    Parameters
    ----------
    alpha : float, optional
        scikit-learn's alpha > 0 of the ElasticNet whose support is kept. By cross-validation if not given.
    l1_ratio : float or array-like of shape (n_l1_ratio,), default=0.5
        The share ρ in (0, 1] of the L1 part, or several for cross-validation to select from.
    n_features_to_select : int, optional
        Keep so many, the first to enter the path, instead.
    alphas : int or array-like of shape (n_alphas,), default=100
        How many alphas the path has, evenly spaced in log from the smallest that sets every penalised
        coefficient to zero down to `eps` times that; or the alphas themselves. An `alpha` is added to them.
    eps : float, default=1e-3
        Ratio of the smallest alpha to the largest, in (0, 1), for an integer `alphas`.
    cv : int, splitter or iterable, default=None
        How cross-validation splits the rows, as in `ElasticNetCV`; None stands for 5 folds.
    selection_rule : {"min", "1se"}, default="min"
        Which alpha cross-validation takes: that of the least error, or the largest whose error is within
        one standard error of the least.
    fit_intercept : bool, default=True
        Whether the model has an intercept.
    positive : bool, default=False
        Whether to confine the coefficients to w ≥ 0.
    penalty_weights : array-like of shape (n_features,), optional
        A factor vⱼ ≥ 0 for each feature; 0 leaves a feature unpenalised, and so always in.
    tol : float, default=1e-8
        The duality gap promised at each alpha, relative to the null model's objective.
    max_iter : int, default=1000
        At most this many sweeps and Newton steps at each alpha.
    n_jobs : int, optional
        How many folds at once, by joblib; the result is the same.

    Attributes
    ----------
    alpha_ : float
        The alpha given or selected; of `n_features_to_select`, the largest alpha of the path by which so many
        have entered.
    l1_ratio_ : float
        The l1_ratio given or selected.
    coef_ : ndarray of shape (n_features,)
        Coefficients at `alpha_`.
    alphas_ : ndarray of shape (n_alphas,)
        The alphas of the path, decreasing.
    coef_path_ : ndarray of shape (n_features, n_alphas)
        Coefficients along it.
    ranking_ : ndarray of shape (n_features,), int
        1 for the first feature to enter the path, and so on; those that do not enter share the number after
        the last. Features that enter between the same two alphas go by the size of their coefficients per
        standard deviation.
    n_iter_ : int
        Sweeps and Newton steps spent at `alpha_`, from the solution at the alpha before.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.

    See Also
    --------
    LassoSelector : The sparser selection, one of each group.
    StabilitySelector : Keeps what is selected again and again, with a bound on false selections.

    References
    ----------
    Zou, H. and Hastie, T. (2005). Regularization and variable selection via the elastic net,
    JRSS B 67(2), 301-320, Theorem 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.feature_selection import ElasticNetSelector, LassoSelector
    >>> rng = np.random.default_rng(0)
    >>> height = rng.standard_normal(50)
    >>> X = np.column_stack([height, height, rng.standard_normal(50)])  # the first column twice
    >>> y = 2.0 * height + 0.1 * rng.standard_normal(50)
    >>> LassoSelector(alpha=0.5).fit(X, y).get_support(indices=True)
    array([0])
    >>> ElasticNetSelector(alpha=0.5).fit(X, y).get_support(indices=True)
    array([0, 1])
    """

    def __init__(
        self,
        alpha=None,
        *,
        l1_ratio=0.5,
        n_features_to_select=None,
        alphas=100,
        eps=1e-3,
        cv=None,
        selection_rule="min",
        fit_intercept=True,
        positive=False,
        penalty_weights=None,
        tol=1e-8,
        max_iter=1000,
        n_jobs=None,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.n_features_to_select = n_features_to_select
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.selection_rule = selection_rule
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    @property
    def _l1_ratio(self):
        return self.l1_ratio

    def _check_parameters(self) -> None:
        super()._check_parameters()
        several = not isinstance(self.l1_ratio, str) and np.iterable(self.l1_ratio)
        if several and not (self.alpha is None and self.n_features_to_select is None):
            raise ValueError(
                f"l1_ratio must be one number where alpha or n_features_to_select is given, got "
                f"{self.l1_ratio!r}: only cross-validation selects among several."
            )
        for ratio in self.l1_ratio if several else [self.l1_ratio]:
            check_number("l1_ratio", ratio, low=0, high=1)
            if ratio == 0:
                raise ValueError("l1_ratio must be > 0, got 0: Ridge sets no coefficient to zero.")
