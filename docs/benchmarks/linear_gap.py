"""How far a solution is from the optimum, measured from outside and the same way for every library, in
float64.

Nothing here comes from any of the libraries measured.
"""

import numpy as np
from scipy import linalg


def alpha_max(X, y, l1_ratio=1.0):
    """Return the smallest alpha at which every coefficient is zero."""
    return float(np.max(np.abs(X.T @ (y - y.mean()))) / (len(y) * l1_ratio))


def relative_gaps(X, y, coefs, intercepts, alphas, l1_ratio):
    """Return the duality gap of each column of coefs over that of the null model, ½ ‖y − ȳ‖².

    The primal value E(w, b) = ½ ‖y − Xw − b‖² + λ₁ ‖w‖₁ + ½ λ₂ ‖w‖² takes the intercept as the library gave
    it; the dual point is the residual less its mean, as an intercept asks, scaled into the dual's box for the
    Lasso. λ₁ = nαρ and λ₂ = nα(1 − ρ).
    """
    n = len(y)
    coefs = np.asarray(coefs, dtype=np.float64).reshape(X.shape[1], -1)
    alphas, intercepts = (
        np.broadcast_to(np.asarray(v, float).ravel(), coefs.shape[1:]) for v in (alphas, intercepts)
    )
    centred = y - y.mean()
    l1, l2 = n * alphas * l1_ratio, n * alphas * (1 - l1_ratio)
    residual = y[:, None] - X @ coefs - intercepts
    primal = (
        0.5 * np.sum(residual**2, axis=0) + l1 * np.abs(coefs).sum(axis=0) + 0.5 * l2 * (coefs**2).sum(axis=0)
    )
    theta = residual - residual.mean(axis=0)
    correlation = np.abs(X.T @ theta)
    if l1_ratio == 1:
        largest = correlation.max(axis=0)
        scale = np.minimum(1.0, np.divide(l1, largest, out=np.ones_like(l1), where=largest > 0))
        dual = scale * (centred @ theta) - 0.5 * scale**2 * np.sum(theta**2, axis=0)
    else:
        excess = np.maximum(correlation - l1, 0.0)
        dual = centred @ theta - 0.5 * np.sum(theta**2, axis=0) - np.sum(excess**2, axis=0) / (2 * l2)
    return (primal - dual) / (0.5 * centred @ centred)


class ExactRidge:
    """The ridge solution at any alpha, from one eigendecomposition: what coefficients are held against."""

    def __init__(self, X, Y):
        self.centred = X - X.mean(axis=0)
        self.Y = Y - Y.mean(axis=0)
        self.tall = X.shape[0] >= X.shape[1]
        gram = self.centred.T @ self.centred if self.tall else self.centred @ self.centred.T
        self.values, self.vectors = linalg.eigh(gram)

    def errors(self, coefs, alpha):
        """Return the relative suboptimality of the objective and the relative error of the coefficients."""
        coefs = np.asarray(coefs, dtype=np.float64).reshape(self.centred.shape[1], -1)
        Y = self.Y[:, : coefs.shape[1]]
        right = self.centred.T @ Y if self.tall else Y
        exact = self.vectors @ ((self.vectors.T @ right) / (np.maximum(self.values, 0) + alpha)[:, None])
        if not self.tall:
            exact = self.centred.T @ exact
        difference = coefs - exact
        # The objective is quadratic: how far it is above its minimum is the difference in its own metric.
        above = np.sum((self.centred @ difference) ** 2) + alpha * np.sum(difference**2)
        return float(above / np.sum(Y**2)), float(linalg.norm(difference) / linalg.norm(exact))
