"""The regularisation path: the solution at every alpha of a grid, each certified."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_X_y

from skreg.linear_model._base import (
    check_finite,
    check_flag,
    check_number,
    check_penalty_weights,
    check_sample_weight,
    how_it_ended,
)
from skreg.linear_model.alphas import alpha_grid, check_path_alphas
from skreg.penalties import ElasticNetPenalty
from skreg.solvers.least_squares import least_squares
from skreg.solvers.path import solve_path

__all__ = ["RegularizationPath", "regularization_path"]


@dataclass(frozen=True, eq=False, repr=False)
class RegularizationPath:
    """The solutions of Lasso or ElasticNet along a grid of alphas.

    Parameters
    ----------
    alphas : ndarray of shape (n_alphas,)
        Decreasing.
    l1_ratio : float
        scikit-learn's ρ; 1 for the Lasso.
    coefs : ndarray of shape (n_features, n_alphas)
        Coefficients, a column for each alpha.
    intercepts : ndarray of shape (n_alphas,)
        Intercepts.
    dual_gaps : ndarray of shape (n_alphas,)
        Upper bounds of the suboptimality in scikit-learn's objective.
    n_iters : ndarray of shape (n_alphas,)
        Sweeps and Newton steps spent at each alpha.
    feature_names : tuple of str
        One name per feature.
    """

    alphas: NDArray[np.float64]
    l1_ratio: float
    coefs: NDArray[np.float64]
    intercepts: NDArray[np.float64]
    dual_gaps: NDArray[np.float64]
    n_iters: NDArray[np.int_]
    feature_names: tuple[str, ...]

    def __repr__(self) -> str:
        return (
            f"RegularizationPath({self.alphas.size} alphas from {self.alphas[0]:.4g} to "
            f"{self.alphas[-1]:.4g}, l1_ratio={self.l1_ratio:g}, {len(self.feature_names)} features)"
        )

    @property
    def n_nonzero(self) -> NDArray[np.int_]:
        """Number of non-zero coefficients at each alpha."""
        return np.count_nonzero(self.coefs, axis=0)


def regularization_path(
    X,
    y,
    *,
    l1_ratio=1.0,
    alphas=100,
    eps=1e-3,
    fit_intercept=True,
    positive=False,
    penalty_weights=None,
    sample_weight=None,
    tol=1e-8,
    max_iter=1000,
) -> RegularizationPath:
    """Solve Lasso or ElasticNet on a grid of alphas, each warm from the one before and certified.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Data.
    y : array-like of shape (n_samples,)
        Target.
    l1_ratio : float, default=1.0
        scikit-learn's ρ in [0, 1]: 1 is the Lasso; 0, Ridge, has no alpha at which every coefficient is zero
        and needs the alphas themselves.
    alphas : int or array-like of shape (n_alphas,), default=100
        How many alphas, evenly spaced in log from the smallest that sets every penalised coefficient to
        zero down to `eps` times that; or the alphas themselves.
    eps : float, default=1e-3
        Ratio of the smallest alpha to the largest, in (0, 1), for an integer `alphas`.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    positive : bool, default=False
        Whether to confine the coefficients to w ≥ 0.
    penalty_weights : array-like of shape (n_features,), optional
        A factor ≥ 0 for each feature; 0 leaves it unpenalised.
    sample_weight : array-like of shape (n_samples,), optional
        Weights ≥ 0.
    tol : float, default=1e-8
        The duality gap promised at each alpha, relative to the null model's objective.
    max_iter : int, default=1000
        At most this many sweeps and Newton steps at each alpha.

    Returns
    -------
    RegularizationPath
        Alphas, coefficients, intercepts and certificates.

    Raises
    ------
    ValueError, TypeError
        If a parameter or the data are out of range or of the wrong kind.

    Warns
    -----
    ConvergenceWarning
        If the duality gap is above `tol` at some alpha; the message has the gap and what to do about it.

    References
    ----------
    Friedman, J., Hastie, T. and Tibshirani, R. (2010). Regularization paths for generalized linear models
    via coordinate descent, Journal of Statistical Software 33(1), Section 2.5.

    Examples
    --------
    >>> path = regularization_path([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]], [0.0, 1.0, 2.0], alphas=3)
    >>> path.n_nonzero
    array([0, 1, 1])
    """
    check_number("l1_ratio", l1_ratio, low=0, high=1)
    check_number("tol", tol, low=0)
    check_number("max_iter", max_iter, low=1, kind=Integral)
    check_flag("fit_intercept", fit_intercept)
    check_flag("positive", positive)
    alphas = check_path_alphas(alphas, eps, l1_ratio)
    names = getattr(X, "columns", None)
    X, y = check_X_y(
        X,
        y,
        accept_sparse=["csr", "csc"],
        dtype=[np.float64, np.float32],
        multi_output=True,
        y_numeric=True,
        ensure_all_finite=not isinstance(X, np.ndarray),  # a pass over X of its own: see below
    )
    targets = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    if targets.shape[1] > 1:
        raise ValueError(f"y has {targets.shape[1]} targets; a path has one: call once for each target.")
    check_penalty_weights(penalty_weights, X.shape[1], names)
    weights = check_sample_weight(sample_weight, X.shape[0])
    problem = least_squares(X, targets, weights, fit_intercept=fit_intercept)
    check_finite(X, weights, problem)
    total = problem.total_weight

    def penalty(alpha: float) -> ElasticNetPenalty:
        return ElasticNetPenalty.from_alpha(
            float(alpha), float(l1_ratio), total, factors=penalty_weights, positive=positive
        )

    if isinstance(alphas, int):
        alphas = alpha_grid(problem, penalty(1.0), n_alphas=alphas, eps=float(eps))
    solution = solve_path(problem, [penalty(alpha) for alpha in alphas], tol=tol, max_iter=max_iter)
    coefs, gaps, n_iters = solution.coef.T, solution.dual_gap, solution.n_iter
    gaps = (gaps + problem.intercept_slack(coefs.T)) / total
    null = problem.null_value[0]
    relative = gaps * total / (null if null > 0 else 1.0)
    failed = ~(relative <= tol)  # a gap that is not a number is not small
    if failed.any():
        worst = int(np.argmax(np.where(failed, relative, -np.inf)))
        end, cure = how_it_ended(n_iters[worst], max_iter)
        warnings.warn(
            f"{failed.sum()} of {alphas.size} alphas are above tol={float(tol):g}; the worst, "
            f"alpha={alphas[worst]:.3g}, {end}: its duality gap is {relative[worst]:.3g} of the null model's "
            f"objective. Increase {cure}, or standardise the features.",
            ConvergenceWarning,
            stacklevel=2,
        )
    if names is None:
        names = [f"x{j}" for j in range(X.shape[1])]
    return RegularizationPath(
        alphas=alphas,
        l1_ratio=float(l1_ratio),
        coefs=coefs,
        intercepts=problem.intercept(coefs.T),
        dual_gaps=gaps,
        n_iters=n_iters,
        feature_names=tuple(str(name) for name in names),
    )
