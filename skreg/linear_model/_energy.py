"""What a fitted linear estimator minimises, as one object: a penalty, the data, their names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skreg.penalties import ElasticNetPenalty

__all__ = ["Energy"]


@dataclass(frozen=True, eq=False, repr=False)
class Energy:
    """What a fitted linear estimator minimises: a penalty, the data it sees, and their names.

    Parameters
    ----------
    penalty : ElasticNetPenalty
        λ₁, λ₂, per-feature factors and the sign constraint, in the units of E.
    X : ndarray or sparse matrix of shape (n_samples, n_features), float64
        The rows of positive weight, as the linear estimator sees them (after a pipeline's transformers).
    y : ndarray of shape (n_samples,), float64
        Target of those rows.
    sample_weight : ndarray of shape (n_samples,), float64
        sᵢ > 0; ones if the caller gave none.
    fit_intercept : bool
        Whether b is free (True) or zero.
    feature_names : tuple of str
        One name per column of X.
    coef : ndarray of shape (n_features,), float64
        The estimator's own coefficients.
    intercept : float
        The estimator's own intercept.
    label : str
        The estimator as a person would write it, such as ``Lasso(alpha=0.05)``.
    tol : float or None
        The estimator's own tolerance, if it has one.
    alpha_scale : float
        λ₁ + λ₂ at alpha = 1, both linear in it: 1 for Ridge, S for Lasso and ElasticNet.
    """

    penalty: ElasticNetPenalty
    X: NDArray[np.float64] | sparse.csr_array
    y: NDArray[np.float64]
    sample_weight: NDArray[np.float64]
    fit_intercept: bool
    feature_names: tuple[str, ...]
    coef: NDArray[np.float64]
    intercept: float
    label: str
    tol: float | None = None
    alpha_scale: float = 1.0

    def __repr__(self) -> str:
        return (
            f"Energy({self.label}: λ₁ = {self.penalty.l1:.6g}, λ₂ = {self.penalty.l2:.6g}, "
            f"{self.n_samples} rows, {self.n_features} features)"
        )

    @property
    def alpha(self) -> float:
        """scikit-learn's alpha, given or chosen by the estimator."""
        return (self.penalty.l1 + self.penalty.l2) / self.alpha_scale

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return self.X.shape[1]

    @property
    def n_samples(self) -> int:
        """n₊, the number of rows of positive weight."""
        return self.X.shape[0]

    @property
    def has_rows(self) -> bool:
        """Whether X and y are the rows themselves, not others that have the same moments."""
        return True

    @cached_property
    def total_weight(self) -> float:
        """S = Σ sᵢ."""
        return float(self.sample_weight.sum())

    @cached_property
    def log_weight_sum(self) -> float:
        """Σ log sᵢ."""
        return float(np.log(self.sample_weight).sum())

    @property
    def y_deviation(self) -> NDArray[np.float64]:
        """Each row's y − ȳ."""
        return self.y - self.y_mean

    @cached_property
    def y_mean(self) -> float:
        """The weighted mean of y, or 0 without an intercept."""
        return float(self.sample_weight @ self.y / self.total_weight) if self.fit_intercept else 0.0

    @cached_property
    def X_mean(self) -> NDArray[np.float64]:
        """The weighted column means of X, or zeros without an intercept, of shape (n_features,)."""
        if not self.fit_intercept:
            return np.zeros(self.n_features)
        return np.asarray(self.X.T @ self.sample_weight).ravel() / self.total_weight

    def best_intercept(self, coef: NDArray[np.float64]) -> float:
        """Return the b that minimises E given w, ȳ − x̄ᵀw; 0 without an intercept."""
        return float(self.y_mean - self.X_mean @ coef)

    def residual(self, coef: NDArray[np.float64], intercept: float | None = None) -> NDArray[np.float64]:
        """Return the residual y − Xw − b of each row, at the best intercept unless one is given."""
        b = self.best_intercept(coef) if intercept is None else intercept
        return self.y - np.asarray(self.X @ coef).ravel() - b

    def value(self, coef: NDArray[np.float64], intercept: float | None = None) -> float:
        """Return the energy E(w, b), at the best intercept unless one is given."""
        r = self.residual(coef, intercept)
        return 0.5 * float(self.sample_weight @ r**2) + self.penalty.value(coef)

    @cached_property
    def null_value(self) -> float:
        """The energy of the model without features, ½ Σ s (y − ȳ)²."""
        return 0.5 * float(self.sample_weight @ self.y_deviation**2)
