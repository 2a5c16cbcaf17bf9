"""An estimator's energy in the plane of two of its coefficients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skreg.bayes.noise import noise_model, typical_size
from skreg.inspection._features import largest, two_of
from skreg.linear_model.energy import Energy
from skreg.moments import Moments
from skreg.penalties import ElasticNetPenalty
from skreg.solvers.descent import descend

__all__ = ["descent_on", "quadratic_of", "two_features", "variance_of"]

FloatArray = NDArray[np.float64]


def two_features(energy: Energy, features: Any) -> NDArray[np.intp]:
    """Find the positions of two features, by default those of the largest coefficients."""
    p = energy.n_features
    if p < 2:
        raise ValueError(f"The picture is of two coefficients, and {energy.label} has {p}.")
    if features is None:
        chosen = largest(np.abs(energy.coef), 2)
        rest = [j for j in range(p) if j not in chosen]
        return np.sort(np.append(chosen, rest[: 2 - chosen.size]).astype(np.intp))
    return np.array(two_of(features, energy.feature_names), dtype=np.intp)


def quadratic_of(energy: Energy, pair: NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    """Take the loss as a function of two coefficients: its curvature, and where it is least."""
    columns = energy.X[:, pair]
    columns = columns.toarray() if hasattr(columns, "toarray") else columns
    columns = columns - energy.X_mean[pair]
    weighted = energy.sample_weight[:, None] * columns
    gram = columns.T @ weighted
    if not np.linalg.det(gram) > 1e-12 * gram[0, 0] * gram[1, 1]:
        first, second = (energy.feature_names[j] for j in pair)
        raise ValueError(
            f"{first!r} and {second!r} are collinear or constant: their loss has no single minimum."
        )
    gram[1, 0] = gram[0, 1]
    return gram, energy.coef[pair] + np.linalg.solve(gram, weighted.T @ energy.residual(energy.coef))


def descent_on(
    hessian: FloatArray, center: FloatArray, penalty: ElasticNetPenalty, method: str, n_steps: int, start: Any
) -> FloatArray | None:
    if n_steps == 0:
        return None
    # Two rows whose squared error is that loss.
    rows = np.linalg.cholesky(hessian).T
    moments = Moments.from_data(rows, rows @ center, centred=False)
    return descend(moments, penalty, method=method, n_steps=n_steps, start=start).coefs


def variance_of(energy: Energy) -> float:
    """σ̂² where the fit leaves something to estimate it from, else the mean square of its residuals."""
    sigma = noise_model(None, None, energy).sigma
    if sigma is None:
        residual = energy.residual(energy.coef)
        sigma = math.sqrt(float(energy.sample_weight @ residual**2) / energy.n_samples)
    return max(sigma, 1e-8 * typical_size(energy)) ** 2
