"""Gradient, subgradient and proximal descent, step by step: slow solvers whose steps can be looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skreg.moments import Moments
from skreg.penalties import ElasticNetPenalty

__all__ = ["Trajectory", "descend"]

FloatArray = NDArray[np.float64]

METHODS = ("gradient", "subgradient", "proximal")


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The steps of a descent.

    Parameters
    ----------
    coefs : ndarray of shape (n_steps + 1, n_features)
        Coefficients from the start on.
    energies : ndarray of shape (n_steps + 1,)
        The energy E at each.
    step : float
        The step size η.
    """

    coefs: FloatArray
    energies: FloatArray
    step: float


def descend(
    moments: Moments,
    penalty: ElasticNetPenalty,
    *,
    method: str = "proximal",
    step: float | None = None,
    n_steps: int = 100,
    start: ArrayLike | None = None,
) -> Trajectory:
    """Descend the energy of one target by fixed steps, keeping every step.

    With g = Xᵀ diag(s) (y − Xw − b) the correlation with the residual, a step of size η is

    - ``"gradient"``: w ← (1 − ηλ₂) w + ηg, weight decay; for penalties without an L1 part;
    - ``"subgradient"``: w ← (1 − ηλ₂) w − ηλ₁ sign w + ηg, which steps over zero and back;
    - ``"proximal"``: w ← prox(w + ηg), which stops at zero exactly (ISTA).

    Parameters
    ----------
    moments : Moments
        The data, of one target.
    penalty : ElasticNetPenalty
        The penalty term.
    method : {"gradient", "subgradient", "proximal"}, default="proximal"
        Which step.
    step : float, optional
        η > 0; by default 1/L, with L the largest curvature of what is differentiated.
    n_steps : int, default=100
        Number of steps.
    start : array-like of shape (n_features,), optional
        Where to start; zero if not given.

    Returns
    -------
    Trajectory
        Coefficients and energies, the start included.

    Raises
    ------
    ValueError
        If the method is unknown or cannot take the penalty, or there are several targets.

    References
    ----------
    Daubechies, I., Defrise, M. and De Mol, C. (2004). An iterative thresholding algorithm for linear
    inverse problems with a sparsity constraint, Comm. Pure Appl. Math. 57(11).

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.penalties import L1
    >>> moments = Moments.from_data(np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0]))
    >>> descend(moments, L1(1.0), n_steps=1).coefs.ravel()
    array([0. , 0.5])
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}.")
    if method == "gradient" and penalty.l1 > 0:
        raise ValueError(
            "method='gradient' needs a differentiable penalty, got one with an L1 part; "
            "'subgradient' or 'proximal' would do."
        )
    if moments.n_targets != 1:
        raise ValueError(f"moments must be of one target, got {moments.n_targets}.")
    gram, correlation, y_squared = moments.gram, moments.xy[:, 0], float(moments.yy[0])
    if step is None:
        curvature = float(np.linalg.eigvalsh(gram)[-1])
        if method != "proximal":
            curvature += float(np.max(penalty.l2_strengths(moments.n_features)))
        step = 1.0 / curvature if curvature > 0 else 1.0
    if not (np.isfinite(step) and step > 0):
        raise ValueError(f"step must be a finite number > 0, got {step!r}.")

    def energy(w: FloatArray) -> float:
        return 0.5 * (y_squared - 2.0 * float(correlation @ w) + float(w @ gram @ w)) + penalty.value(w)

    w = np.zeros(moments.n_features) if start is None else np.array(start, dtype=np.float64)
    coefs = [w]
    for _ in range(n_steps):
        pull = step * (correlation - gram @ w)
        if method == "proximal":
            w = penalty.prox(w + pull, step)
        else:
            w = penalty.gradient_step(w, step) + pull
            if penalty.positive:
                w = np.maximum(w, 0.0)
        coefs.append(w)
    return Trajectory(coefs=np.array(coefs), energies=np.array([energy(w) for w in coefs]), step=step)
