"""The posterior of one or two coefficients given σ², without draws: what the pictures show.

With E(w) = ½ (w − ŵ)ᵀ H (w − ŵ) + P(w), the posterior is ∝ exp(−E(w)/σ²). Given one of two coefficients the
other's density is two halves of normals, whose integral is known; what is left is one-dimensional.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfcx, log_ndtr

from skreg.bayes.inverse_cdf import TabulatedDensity
from skreg.penalties import ElasticNetPenalty
from skreg.solvers import least_squares, solve_elastic_net

__all__ = ["QuadraturePosterior", "quadrature_posterior"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class QuadraturePosterior:
    """The posterior of one or two coefficients given σ².

    Parameters
    ----------
    mode : ndarray of shape (n_features,)
        The penalised solution.
    mean : ndarray of shape (n_features,)
        To about 1e-11 of the posterior's width.
    median : ndarray of shape (n_features,)
        That of each coefficient by itself.
    precision : ndarray of shape (n_features, n_features)
        H/σ².
    center : ndarray of shape (n_features,)
        ŵ.
    rates : ndarray of shape (2, n_features)
        λ₁vⱼ/σ² and λ₂vⱼ/σ².
    log_totals : ndarray of shape (n_features,)
        By coefficient, the logarithm of the integral of its density before it is normalised.
    """

    mode: FloatArray
    mean: FloatArray
    median: FloatArray
    precision: FloatArray
    center: FloatArray
    rates: FloatArray
    log_totals: FloatArray

    def logpdf(self, w: ArrayLike, feature: int = 0) -> FloatArray:
        """Evaluate the log density of one coefficient by itself.

        Parameters
        ----------
        w : array-like
            Values of the coefficient.
        feature : int, default=0
            Which.

        Returns
        -------
        ndarray of the shape of `w`
            The log marginal density there.
        """
        at = np.asarray(w, dtype=np.float64)
        return _log_marginal(at, feature, self.precision, self.center, self.rates) - self.log_totals[feature]


def quadrature_posterior(
    hessian: ArrayLike, center: ArrayLike, penalty: ElasticNetPenalty, variance: float
) -> QuadraturePosterior:
    """Find mode, mean and median of one or two coefficients under a penalty read as a prior.

    Parameters
    ----------
    hessian : array-like of shape (n_features, n_features)
        H = Xᵀ diag(s) X, positive definite, of one or two features.
    center : array-like of shape (n_features,)
        ŵ, the least-squares solution.
    penalty : ElasticNetPenalty
        The prior is ∝ exp(−penalty/σ²).
    variance : float
        σ² > 0.

    Returns
    -------
    QuadraturePosterior
        Its mode is the solution of the solvers, whatever σ².

    Raises
    ------
    ValueError
        If there are more than two features, shapes differ, the Hessian is not symmetric and positive
        definite, the variance is not > 0, or the penalty is confined to w ≥ 0.

    References
    ----------
    Hans, C. (2009). Bayesian lasso regression, Biometrika 96(4), 835-845, Section 2, for the density as
    two halves of normals.

    Examples
    --------
    >>> from skreg import L1
    >>> found = quadrature_posterior([[4.0]], [1.0], L1(2.0), variance=1.0)
    >>> found.mode, found.mean.round(3), found.median.round(3)
    (array([0.5]), array([0.581]), array([0.553]))
    """
    H = np.asarray(hessian, dtype=np.float64)
    centre = np.asarray(center, dtype=np.float64)
    p = centre.size
    if p not in (1, 2) or centre.shape != (p,) or H.shape != (p, p):
        raise ValueError(
            f"hessian and center must be of one or two features, got shapes {H.shape} and {centre.shape}."
        )
    if penalty.positive:
        raise ValueError("penalty must not be confined to w ≥ 0, got positive=True.")
    if not (math.isfinite(variance) and variance > 0):
        raise ValueError(f"variance must be a finite number > 0, got {variance!r}.")
    try:
        if not np.array_equal(H, H.T):  # NaN is not equal either
            raise np.linalg.LinAlgError
        X = np.linalg.cholesky(H).T  # rows whose squared error is the quadratic
    except np.linalg.LinAlgError:
        wanted = "hessian must be symmetric and positive definite"
        raise ValueError(f"{wanted}, got {H.tolist()}.") from None
    problem = least_squares(X, (X @ centre)[:, None], np.ones(p), fit_intercept=False)
    mode = solve_elastic_net(problem, penalty, tol=1e-14).coef[0]

    precision = H / variance
    rates = np.array([penalty.l1_strengths(p), penalty.l2_strengths(p)]) / variance
    # No tail is wider than the quadratic's alone: the L1 part narrows what is log-concave (Brascamp-Lieb).
    spread = np.sqrt(np.diag(np.linalg.inv(precision + np.diag(rates[1]))))
    tables = []
    for j in range(p):
        step = 0.25 * float(spread[j])
        # Whole steps from zero: the kink there is then between two of the table's panels.
        low = step * math.floor((mode[j] - 15.0 * spread[j]) / step)
        high = step * math.ceil((mode[j] + 15.0 * spread[j]) / step)
        density = partial(_log_marginal, j=j, precision=precision, center=centre, rates=rates)
        tables.append(TabulatedDensity(density, low, high, step=step * (1.0 + 1e-9)))
    return QuadraturePosterior(
        mode=mode,
        mean=np.array([table.points @ table.weights for table in tables]),
        median=np.array([table.quantile(np.array([0.5]))[0] for table in tables]),
        precision=precision,
        center=centre,
        rates=rates,
        log_totals=np.array([table.log_total for table in tables]),
    )


def _log_marginal(
    w: FloatArray, j: int, precision: FloatArray, center: FloatArray, rates: FloatArray
) -> FloatArray:
    """Return the log density of wⱼ, up to a constant: the other coefficient, if any, integrated out."""
    (l1, l2), away = rates, w - center[j]
    log_density = -0.5 * precision[j, j] * away**2 - l1[j] * np.abs(w) - 0.5 * l2[j] * w**2
    if center.size == 1:
        return log_density
    # ∫ exp(−½q(u − û)² − r(w − ŵ)(u − û) − a|u| − ½cu²) du, completed about û − r(w − ŵ)/q
    k = 1 - j
    q, r = precision[k, k], precision[j, k]
    pull = q * center[k] - r * away
    root = math.sqrt(q + l2[k])
    halves = np.logaddexp(_log_mills((l1[k] - pull) / root), _log_mills((l1[k] + pull) / root))
    return log_density + r * away * center[k] + halves - math.log(root)


def _log_mills(t: FloatArray) -> FloatArray:
    """Return the logarithm of Mills' ratio Φ(−t)/φ(t), finite at any t."""
    far = np.where(t > 0.0, t, 0.0)
    with_erfcx = np.log(erfcx(far * math.sqrt(0.5))) + 0.5 * math.log(0.5 * math.pi)
    near = np.where(t > 0.0, 0.0, t)
    return np.where(t > 0.0, with_erfcx, log_ndtr(-near) + 0.5 * near**2 + 0.5 * math.log(2.0 * math.pi))
