"""The duality gap: how far a coefficient vector can at most be from the minimum of the energy.

For any θ that is feasible, D(θ) ≤ min E, so E(w) − D(θ) bounds the suboptimality of w. θ is the residual
r, projected off the columns that nothing penalises (the intercept is off already, by centring), then
scaled by c. Written term by term the gap has no cancellation:

    E(w) − D(cθ) = ½‖r − cθ‖² + Σⱼ [ h(wⱼ) + h*(c gⱼ) − c gⱼ wⱼ ],   g = Aᵀθ,  h(u) = λ₁|u| + ½λ₂u²

each bracket being ≥ 0 by the Fenchel–Young inequality, and 0 exactly where wⱼ is optimal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from skreg.penalties import ElasticNetPenalty
from skreg.solvers.least_squares import LeastSquares

__all__ = ["dual_gap", "scaled_dual_gap"]

FloatArray = NDArray[np.float64]


def dual_gap(problem: LeastSquares, coef: FloatArray, penalty: ElasticNetPenalty) -> FloatArray:
    """An upper bound of E(coef) − min E for each target, at the best intercept.

    Parameters
    ----------
    problem : LeastSquares
        The data term.
    coef : ndarray of shape (n_targets, n_features), float64
        Coefficients to judge, in the units of the data.
    penalty : ElasticNetPenalty
        The penalty term.

    Returns
    -------
    ndarray of shape (n_targets,)
        The gap in the units of E, never below the rounding of E itself (2⁻⁵² of the null model's E);
        0 for a constant target, infinite for a coefficient that `positive` forbids.

    References
    ----------
    Fercoq, O., Gramfort, A. and Salmon, J. (2015). Mind the duality gap: safer rules for the Lasso,
    ICML, Section 2.
    """
    w = problem.coef_to_scaled(coef)
    g, r_squared = problem.correlation(w, problem.targets)
    gaps = np.empty(problem.n_targets)
    for k in range(problem.n_targets):
        l1, l2 = problem.strengths(penalty, k)
        gaps[k] = scaled_dual_gap(problem, w[:, k], k, l1, l2, penalty.positive, g[:, k], float(r_squared[k]))
    return problem.energy_to_data(gaps, problem.targets)


def scaled_dual_gap(
    problem: LeastSquares,
    w: FloatArray,
    target: int,
    l1: FloatArray,
    l2: FloatArray,
    positive: bool,
    g: FloatArray,
    r_squared: float,
) -> float:
    """The duality gap of one target in scaled units, from the correlation g = Aᵀr and ‖r‖².

    Parameters
    ----------
    problem : LeastSquares
        The data term; asked only for what the projection off unpenalised columns needs.
    w, l1, l2, g : ndarray of shape (n_features,)
        Coefficients, strengths λ₁vⱼ and λ₂vⱼ, and correlations, in scaled units.
    target : int
        Which target w belongs to.
    positive : bool
        Whether w ≥ 0 is demanded.
    r_squared : float
        ‖r‖² of the residual r = b − Aw.

    Returns
    -------
    float
        The gap; infinite if w breaks `positive`.
    """
    if positive and np.any(w < 0):
        return np.inf
    data = problem.x_scale > 0
    free = np.flatnonzero(data & (l1 == 0) & (l2 == 0))
    theta_squared, u_squared, slack = r_squared, 0.0, 0.0
    if free.size:
        g, u_squared, slack = _project_off(problem, w, target, free, positive, g)
        theta_squared = max(r_squared - u_squared, 0.0)

    active = data & ((l1 > 0) | (l2 > 0))
    # A column without variance still pays its penalty if its coefficient is not zero.
    idle = ~data & (w != 0)
    slack += float(np.sum(l1[idle] * np.abs(w[idle]) + 0.5 * l2[idle] * w[idle] ** 2))
    w, g, l1, l2 = w[active], g[active], l1[active], l2[active]

    pull = g if positive else np.abs(g)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = float(np.min(np.where(pull > l1, l1 / pull, 1.0), initial=1.0))
    candidates = [scale] if np.any(l2 == 0) or scale == 1.0 else [scale, 1.0]
    bounds = [
        0.5 * u_squared
        + slack
        + 0.5 * (1.0 - c) ** 2 * theta_squared
        + _fenchel_young(w, c * g, l1, l2, positive)
        for c in candidates
    ]
    # Any feasible θ gives a bound: the best one counts. E cannot be told apart from below its rounding.
    return min(bounds) + np.finfo(float).eps * float(problem.b[:, target] @ problem.b[:, target]) / 2


def _fenchel_young(w: FloatArray, g: FloatArray, l1: FloatArray, l2: FloatArray, positive: bool) -> float:
    """Σ h(wⱼ) + h*(gⱼ) − gⱼwⱼ, as a sum of two terms that are each ≥ 0.

    With ŵ the minimiser of h(u) − gu and q = g − λ₂ŵ, an element of λ₁∂|ŵ|, the bracket is
    ½λ₂(w − ŵ)² + (λ₁|w| − qw). Where λ₂ = 0 feasibility gives ŵ = 0 and q = g.
    """
    pull = g if positive else np.abs(g)
    excess = np.maximum(pull - l1, 0.0)
    best = np.zeros_like(w)
    curved = l2 > 0
    best[curved] = np.copysign(excess[curved] / l2[curved], g[curved])
    q = np.where(excess > 0, np.copysign(l1, g), g)
    # Rounding may leave |q| a unit above λ₁ at c·g; the bracket is ≥ 0 by mathematics.
    linear = np.maximum(l1 * np.abs(w) - q * w, 0.0)
    return float(np.sum(0.5 * l2 * (w - best) ** 2 + linear))


def _project_off(
    problem: LeastSquares,
    w: FloatArray,
    target: int,
    free: NDArray[np.intp],
    positive: bool,
    g: FloatArray,
) -> tuple[FloatArray, float, float]:
    """Project the residual off the unpenalised columns F, so that it is dual feasible.

    Returns Aᵀθ, ‖r − θ‖² and the slack Σ_F −wⱼ Aⱼᵀθ. Without a sign constraint θ is orthogonal to F; with
    `positive` feasibility is Aⱼᵀθ ≤ 0, and θ the nearest such point, by non-negative least squares.
    """
    everything = np.arange(problem.n_features)
    if problem.n_rows >= 2 * free.size:
        # (AᵀA)_FF = MᵀM turns the projection into one of size |F|; g is small here, so it loses nothing.
        values, vectors = linalg.eigh(problem.gram(free, free))
        kept = values > values[-1] * free.size * np.finfo(float).eps
        M = np.sqrt(values[kept])[:, None] * vectors[:, kept].T
        rhs = (vectors[:, kept].T @ g[free]) / np.sqrt(values[kept])
        z = optimize.nnls(M, rhs)[0] if positive else linalg.lstsq(M, rhs)[0]
        u_squared = float(np.sum((M @ z) ** 2))
        projected = g - problem.gram(everything, free) @ z
    else:
        columns = problem.columns(free)
        r = problem.residual(w[:, None], [target])[:, 0]
        z = optimize.nnls(columns, r)[0] if positive else linalg.lstsq(columns, r, lapack_driver="gelsy")[0]
        u = columns @ z
        u_squared = float(u @ u)
        projected = problem.columns(everything).T @ (r - u)
    slack = float(np.maximum(-w[free] * projected[free], 0.0).sum()) if positive else 0.0
    return projected, u_squared, slack
