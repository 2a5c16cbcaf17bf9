"""The elastic net, and the Lasso as its case without an L2 part."""

from __future__ import annotations

import warnings

import numpy as np

from skreg.linear_model._base import SparseCoefficients, check_flag, check_number
from skreg.linear_model._streaming import FromMoments
from skreg.penalties import ElasticNetPenalty
from skreg.solvers.elastic_net import solve_elastic_net
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.solution import Solution

__all__ = ["ElasticNet", "Lasso"]


class _L1LinearModel(SparseCoefficients, FromMoments):
    """What Lasso and ElasticNet share: warm starts and the iterative solver."""

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_flag("warm_start", self.warm_start)

    def _solve(self, problem: LeastSquares, penalty: ElasticNetPenalty) -> Solution:
        if self.alpha == 0:
            warnings.warn(
                f"{type(self).__name__}(alpha=0) is least squares without a penalty: Ridge(alpha=0) or "
                "scikit-learn's LinearRegression solve it directly and more accurately.",
                UserWarning,
                stacklevel=3,
            )
        coef_init = None
        if self.warm_start and hasattr(self, "coef_"):
            coef = np.atleast_2d(np.asarray(self.coef_, dtype=np.float64))
            if coef.shape == (problem.n_targets, problem.n_features):
                coef_init = coef
        return solve_elastic_net(problem, penalty, coef_init=coef_init, tol=self.tol, max_iter=self.max_iter)


class ElasticNet(_L1LinearModel):
    """Linear least squares with L1 and L2 penalties, finished exactly and certified.

    Minimises 1/(2S) Σ sᵢ (yᵢ − xᵢᵀw − b)² + αρ ‖w‖₁ + ½α(1−ρ) ‖w‖², scikit-learn's objective, with
    S = Σ sᵢ. Its solution is the posterior mode under the elastic-net prior
    p(w | σ²) ∝ exp(−Sα (ρ‖w‖₁ + ½(1−ρ)‖w‖²) / σ²).

    Parameters
    ----------
    alpha : float, default=1.0
        Strength α ≥ 0 of the whole penalty.
    l1_ratio : float, default=0.5
        The share ρ in [0, 1] of the L1 part: 1 is the Lasso, 0 is Ridge(alpha=Sα).
    fit_intercept : bool, default=True
        Whether to fit b, which is not penalised.
    positive : bool, default=False
        Whether to confine the coefficients to w ≥ 0.
    penalty_weights : array-like of shape (n_features,), optional
        A factor vⱼ ≥ 0 for each feature, multiplying both parts; 0 leaves a feature unpenalised.
        They go by position; a Series must have the feature names as its index, in their order.
    warm_start : bool, default=False
        Whether `fit` starts from the coefficients of the fit before, if they have the right shape.
    tol : float, default=1e-8
        The duality gap that the fit promises, relative to the null model's objective. The exact finish
        on the support usually does far better; a fit that cannot reach it warns.
    max_iter : int, default=1000
        At most this many sweeps and Newton steps a target.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients w, in X's dtype.
    sparse_coef_ : CSR array of shape (n_targets, n_features)
        The same, sparse.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept b, in the units of y and X's dtype; 0.0 without one.
    dual_gap_ : float or ndarray of shape (n_targets,)
        An upper bound of how far the objective above, at `coef_` and `intercept_` as stored, is from its
        minimum.
    n_iter_ : int or ndarray of shape (n_targets,)
        Sweeps and Newton steps spent.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.
    moments_ : Moments
        What `partial_fit` and `fit_moments` have gathered; none after `fit`.

    See Also
    --------
    Lasso : The L1 part alone.
    Ridge : The L2 part alone; its alpha is S times as large.

    References
    ----------
    Zou, H. and Hastie, T. (2005). Regularization and variable selection via the elastic net,
    JRSS B 67(2), 301-320.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.linear_model import ElasticNet
    >>> height = np.array([150.0, 160.0, 170.0, 180.0])
    >>> X = np.column_stack([height, height])  # the same thing twice
    >>> ElasticNet(alpha=1.0, l1_ratio=0.5).fit(X, height).coef_.round(3)
    array([0.497, 0.497])
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        l1_ratio=0.5,
        fit_intercept=True,
        positive=False,
        penalty_weights=None,
        warm_start=False,
        tol=1e-8,
        max_iter=1000,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.warm_start = warm_start
        self.tol = tol
        self.max_iter = max_iter

    def _penalty(self, total_weight: float) -> ElasticNetPenalty:
        return ElasticNetPenalty.from_alpha(
            float(self.alpha),
            float(self.l1_ratio),
            total_weight,
            factors=self.penalty_weights,
            positive=self.positive,
        )

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("l1_ratio", self.l1_ratio, low=0, high=1)


class Lasso(_L1LinearModel):
    """Linear least squares with an L1 penalty, finished exactly and certified.

    Minimises 1/(2S) Σ sᵢ (yᵢ − xᵢᵀw − b)² + α ‖w‖₁, scikit-learn's objective, with S = Σ sᵢ. Its
    solution is the posterior mode under wⱼ ∼ Laplace(0, scale σ²/(Sα)).

    Parameters
    ----------
    alpha : float, default=1.0
        Strength α ≥ 0 of the penalty, in the units of y·X.
    fit_intercept : bool, default=True
        Whether to fit b, which is not penalised.
    positive : bool, default=False
        Whether to confine the coefficients to w ≥ 0.
    penalty_weights : array-like of shape (n_features,), optional
        A factor vⱼ ≥ 0 for each feature: its penalty is α vⱼ |wⱼ|. 0 leaves a feature unpenalised.
        They go by position; a Series must have the feature names as its index, in their order.
    warm_start : bool, default=False
        Whether `fit` starts from the coefficients of the fit before, if they have the right shape.
    tol : float, default=1e-8
        The duality gap that the fit promises, relative to the null model's objective. The exact finish
        on the support usually does far better; a fit that cannot reach it warns.
    max_iter : int, default=1000
        At most this many sweeps and Newton steps a target.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients w, in X's dtype.
    sparse_coef_ : CSR array of shape (n_targets, n_features)
        The same, sparse.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept b, in the units of y and X's dtype; 0.0 without one.
    dual_gap_ : float or ndarray of shape (n_targets,)
        An upper bound of how far the objective above, at `coef_` and `intercept_` as stored, is from its
        minimum.
    n_iter_ : int or ndarray of shape (n_targets,)
        Sweeps and Newton steps spent.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.
    moments_ : Moments
        What `partial_fit` and `fit_moments` have gathered; none after `fit`.

    See Also
    --------
    ElasticNet : Both penalties; shares weight among correlated columns.
    Ridge : The L2 penalty, which shrinks without zeros.

    References
    ----------
    Tibshirani, R. (1996). Regression shrinkage and selection via the lasso, JRSS B 58(1), 267-288.

    Examples
    --------
    >>> from skreg.linear_model import Lasso
    >>> model = Lasso(alpha=0.1).fit([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]], [0.0, 1.0, 2.0])
    >>> model.coef_.round(3)
    array([0.85, 0.  ])
    >>> model.dual_gap_ < 1e-12
    True
    """

    def __init__(
        self,
        alpha=1.0,
        *,
        fit_intercept=True,
        positive=False,
        penalty_weights=None,
        warm_start=False,
        tol=1e-8,
        max_iter=1000,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.warm_start = warm_start
        self.tol = tol
        self.max_iter = max_iter

    def _penalty(self, total_weight: float) -> ElasticNetPenalty:
        return ElasticNetPenalty.from_alpha(
            float(self.alpha), 1.0, total_weight, factors=self.penalty_weights, positive=self.positive
        )
