"""Ridge regression."""

from __future__ import annotations

import numpy as np

from skreg.linear_model._base import Penalties
from skreg.linear_model._streaming import FromMoments
from skreg.linear_model.alphas import check_alphas
from skreg.penalties import L2, ElasticNetPenalty
from skreg.solvers.elastic_net import solve_elastic_net
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.ridge import solve_ridge
from skreg.solvers.solution import Solution
from skreg.solvers.spectral import solve_ridge_by_target

__all__ = ["Ridge"]


class Ridge(FromMoments):
    """Linear least squares with an L2 penalty, solved exactly and certified.

    Minimises Σ sᵢ (yᵢ − xᵢᵀw − b)² + α ‖w‖², scikit-learn's objective, which is twice the energy E of
    this package. Its solution is the posterior mode under wⱼ ∼ N(0, σ²/α).

    Parameters
    ----------
    alpha : float or array-like of shape (n_targets,), default=1.0
        Strength α ≥ 0 of the penalty, in the units of X², for all targets or for each. 0 is least squares,
        of least norm where that is not unique.
    fit_intercept : bool, default=True
        Whether to fit b, which is not penalised.
    positive : bool, default=False
        Whether to confine the coefficients to w ≥ 0.
    penalty_weights : array-like of shape (n_features,), optional
        A factor vⱼ ≥ 0 for each feature: its penalty is α vⱼ wⱼ². 0 leaves a feature unpenalised.
        They go by position; a Series must have the feature names as its index, in their order.
    tol : float, default=1e-8
        The duality gap that the fit promises, relative to the null model's objective; a direct solution
        does far better.
    max_iter : int or None, default=1000
        At most this many iterations, where the solution is not direct (`positive`, large sparse X); None,
        scikit-learn's default, is 1000 too.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients w, in X's dtype.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept b, in the units of y and X's dtype; 0.0 without one.
    dual_gap_ : float or ndarray of shape (n_targets,)
        An upper bound of how far the objective above, at `coef_` and `intercept_` as stored, is from its
        minimum.
    n_iter_ : int or ndarray of shape (n_targets,)
        Iterations spent, 1 for a direct solution.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.
    moments_ : Moments
        What `partial_fit` and `fit_moments` have gathered; none after `fit`.

    See Also
    --------
    RidgeCV : Ridge with its alpha selected by cross-validation.
    Lasso : The L1 penalty, which sets coefficients to zero.
    ElasticNet : Both penalties.

    References
    ----------
    Hoerl, A. E. and Kennard, R. W. (1970). Ridge regression: biased estimation for nonorthogonal
    problems, Technometrics 12(1), 55-67.

    Examples
    --------
    >>> from skreg.linear_model import Ridge
    >>> model = Ridge(alpha=1.0).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    >>> model.coef_.round(3)
    array([0.667])
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
        tol=1e-8,
        max_iter=1000,
    ):
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.tol = tol
        self.max_iter = max_iter

    def _check_alpha(self) -> None:
        if np.ndim(self.alpha) == 0:
            super()._check_alpha()
        else:
            check_alphas("alpha", self.alpha, "a number ≥ 0, or one for each target")

    def _penalty(self, total_weight: float) -> ElasticNetPenalty:
        # Ridge's alpha does not scale with the weight of the data, as scikit-learn's does not. Of several
        # targets, this is the first one's.
        return self._penalty_at(np.ravel(self.alpha)[0])

    def _penalty_at(self, alpha) -> ElasticNetPenalty:
        return L2(float(alpha), factors=self.penalty_weights, positive=self.positive)

    def _fitted_penalty(self, problem: LeastSquares) -> Penalties:
        if np.size(self.alpha) == 1:
            return self._penalty(problem.total_weight)
        if len(self.alpha) != problem.n_targets:
            raise ValueError(
                f"alpha has {len(self.alpha)} values and y {problem.n_targets} targets: "
                "alpha must be a number, or one a target."
            )
        return [self._penalty_at(alpha) for alpha in self.alpha]

    def _solve(self, problem: LeastSquares, penalty: Penalties) -> Solution:
        if not isinstance(penalty, ElasticNetPenalty):
            return solve_ridge_by_target(problem, penalty, tol=self.tol, max_iter=self._max_iter)
        if penalty.positive:
            return solve_elastic_net(problem, penalty, tol=self.tol, max_iter=self._max_iter)
        return solve_ridge(problem, penalty, max_iter=self._max_iter)

    @property
    def _max_iter(self) -> int:
        return 1000 if self.max_iter is None else self.max_iter

    def _gap_scale(self, total_weight: float) -> float:
        return 2.0
