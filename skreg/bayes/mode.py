"""The mode of a density known only through its value and its gradient, kinks at zero included.

The density has coefficients, whose penalty may have a kink at zero, and any other variables. Nothing here
knows what the density is made of: where its kinks are and how strong is read off the gradients just right
and just left of zero. Minimised is f, the negative log density.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

__all__ = ["Mode", "NegativeLogDensity", "find_mode", "largest_slope", "optimality_violation"]

FloatArray = NDArray[np.float64]

# Right or left of zero and yet zero to every sum it enters.
_TINY = 1e-200
# Newton's steps on the support need that many gradients: beyond it the quasi-Newton result stands.
_MAX_NEWTON = 2000
# A slope of f, per natural length, that is rounding even where there is nothing to find.
_NO_SLOPE = 1e-8


@dataclass(frozen=True, eq=False)
class NegativeLogDensity:
    """f = −log density of a vector z whose first `n_coef` entries are the coefficients.

    Parameters
    ----------
    value_and_gradient : callable
        z ↦ (f, ∇f).
    n_coef : int
        How many of the entries of z are coefficients.
    positive : bool
        Whether the coefficients are confined to be ≥ 0.
    scales : ndarray of bool of the shape of z
        Entries such as a noise variance, on which the kinks' strength may depend.
    """

    value_and_gradient: Callable[[FloatArray], tuple[float, FloatArray]]
    n_coef: int
    positive: bool
    scales: NDArray[np.bool_]

    def __call__(self, z: FloatArray, side: float = 1.0) -> tuple[float, FloatArray]:
        """Return f and ∇f at z, just right (`side` = 1) or left (−1) of zero where a coefficient is zero."""
        z = z.copy()
        z[: self.n_coef][z[: self.n_coef] == 0] = side * _TINY
        with np.errstate(all="ignore"):  # steps that leave the support, or run off to infinity
            return self.value_and_gradient(z)

    def kinks(self, z: FloatArray) -> FloatArray:
        """Return half the jump of the slope at zero of each coefficient (0 for the other entries of z)."""
        kink = np.zeros(z.size)
        if not self.positive:
            z = z.copy()
            z[: self.n_coef] = 0.0
            right, left = (self(z, side)[1][: self.n_coef] for side in (1.0, -1.0))
            jump = 0.5 * (right - left)
            kink[: self.n_coef] = np.where(jump > 1e-14 * (np.abs(right) + np.abs(left)), jump, 0.0)
        return kink

    def smooth_gradient(self, z: FloatArray, kink: FloatArray) -> FloatArray:
        """Return ∇f without the kinks' part."""
        return self(z)[1] - kink * np.where(z < 0, -1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Mode:
    """Where the density is largest, and how precisely that is known.

    Parameters
    ----------
    z : ndarray
        The mode.
    violation : float
        The largest violation of the optimality conditions at z, relative to the largest slope of a
        coefficient at zero coefficients, each entry measured in its `length`.
    length : ndarray of the shape of z
        A step in each entry over which f changes comparably.
    """

    z: FloatArray
    violation: float
    length: FloatArray


def optimality_violation(density: NegativeLogDensity, z: FloatArray) -> FloatArray:
    """Measure the distance of zero to the subdifferential of f at z, entry by entry.

    Parameters
    ----------
    density : NegativeLogDensity
        The density.
    z : ndarray
        The point to judge.

    Returns
    -------
    ndarray of the shape of z
        |∂f| where f is smooth; at a zero coefficient, how far zero lies outside the slopes just left and
        just right of it; infinite at a negative coefficient if they are confined to be ≥ 0.
    """
    n = density.n_coef
    _, right = density(z, 1.0)
    violation = np.abs(right)
    at_zero = np.flatnonzero(z[:n] == 0)
    violation[at_zero] = np.maximum(-right[at_zero], 0.0)
    if density.positive:
        violation[:n][z[:n] < 0] = np.inf
    elif at_zero.size:
        _, left = density(z, -1.0)
        violation[at_zero] = np.maximum(violation[at_zero], left[at_zero])
    return np.where(np.isnan(violation), np.inf, violation)


def largest_slope(density: NegativeLogDensity, z: FloatArray) -> float:
    """Measure the largest slope of f in a coefficient at zero coefficients, without the kinks.

    Parameters
    ----------
    density : NegativeLogDensity
        The density.
    z : ndarray
        The values of the other variables; its coefficients do not matter.

    Returns
    -------
    float
        What violations of optimality are measured against. Where the coefficients are confined to be
        ≥ 0, a kink has one side only and cannot be told from the rest: the slope then includes it.
    """
    z = z.copy()
    z[: density.n_coef] = 0.0
    slope = density.smooth_gradient(z, density.kinks(z))[: density.n_coef]
    return float(np.max(np.abs(slope), initial=0.0))


def find_mode(
    density: NegativeLogDensity,
    start: FloatArray,
    *,
    moving: NDArray[np.bool_] | None = None,
    length: FloatArray | None = None,
) -> Mode:
    """Minimise f.

    L-BFGS-B on w = w⁺ − w⁻ with both parts ≥ 0, in which the kink at zero is a linear term; then Newton's
    steps on the support, with second derivatives from differences of gradients. For a Gaussian likelihood
    and a known σ these are exact, since f is quadratic in every orthant.

    Parameters
    ----------
    density : NegativeLogDensity
        The density.
    start : ndarray
        Where to start; entries that do not move stay there.
    moving : ndarray of bool, optional
        Which entries to optimise; all of them if not given.
    length : ndarray of the shape of `start`, optional
        The `length` of a mode found before with the same density.

    Returns
    -------
    Mode
        The point reached, with its violation of optimality: small only where f has a minimum.

    References
    ----------
    Byrd, R. H., Lu, P., Nocedal, J. and Zhu, C. (1995). A limited memory algorithm for bound constrained
    optimization, SIAM J. Sci. Comput. 16(5), 1190-1208.

    Examples
    --------
    >>> def distance(z):  # ½(z − 3)² + 2|z|, least at z = 1
    ...     return 0.5 * float((z[0] - 3) ** 2) + 2 * abs(float(z[0])), z - 3 + 2 * np.sign(z)
    >>> density = NegativeLogDensity(distance, n_coef=1, positive=False, scales=np.array([False]))
    >>> find_mode(density, np.zeros(1)).z
    array([1.])
    """
    moving = np.ones(start.size, dtype=bool) if moving is None else moving
    scales = moving & density.scales
    if length is None:
        length = np.ones(start.size)
        for part in (moving & ~scales, scales):
            length[part] = _natural_length(density, start, np.flatnonzero(part))
    z = start.copy()
    for _ in range(50):
        # The kinks' strengths hang on the scales: first everything given those, then those given the rest.
        z = _quasi_newton(density, z, moving & ~scales, length)
        if not scales.any():
            break
        before = z[scales]
        z = _quasi_newton(density, z, scales, length)
        if np.allclose(z[scales], before, rtol=0.0, atol=1e-6):
            break
    at_zero = z.copy()
    at_zero[: density.n_coef] = 0.0
    slope = np.abs(density.smooth_gradient(at_zero, density.kinks(z)) * length)[: density.n_coef]
    unit = float(np.max(slope[moving[: density.n_coef]], initial=0.0))
    z = _newton(density, z, moving, length, 1e-13 * unit)
    return Mode(z, _largest_violation(density, z, moving, length) / max(unit, _NO_SLOPE), length)


def _quasi_newton(
    density: NegativeLogDensity, start: FloatArray, moving: NDArray[np.bool_], length: FloatArray
) -> FloatArray:
    """L-BFGS-B over the entries that move, the kinks being as strong as they are at `start`."""
    index = np.flatnonzero(moving)
    if index.size == 0:
        return start
    kink = density.kinks(start)
    split = index[kink[index] > 0]  # coefficients in two parts; the other entries in one

    def unpack(u: FloatArray) -> FloatArray:
        z = start.copy()
        z[index] = length[index] * u[: index.size]
        z[split] -= length[split] * u[index.size :]
        return z

    def split_form(u: FloatArray) -> tuple[float, FloatArray]:
        z = unpack(u)
        value, gradient = density(z)
        smooth = gradient - kink * np.where(z < 0, -1.0, 1.0)
        # f has k|w⁺ − w⁻| where the split form has k(w⁺ + w⁻), which is smooth.
        minus = length[split] * u[index.size :]
        value += 2.0 * float(kink[split] @ np.minimum(z[split] + minus, minus))
        slopes = np.concatenate([smooth[index] + kink[index], kink[split] - smooth[split]])
        return value, slopes * np.concatenate([length[index], length[split]])

    bounded = (kink[index] > 0) | (density.positive & (index < density.n_coef))
    lower = np.concatenate([np.where(bounded, 0.0, -np.inf), np.zeros(split.size)])
    u = np.concatenate([start[index] / length[index], np.maximum(-start[split] / length[split], 0.0)])
    u = np.maximum(u, lower)
    steepest = float(np.max(np.abs(split_form(u)[1])))
    result = optimize.minimize(
        split_form,
        u,
        jac=True,
        method="L-BFGS-B",
        bounds=optimize.Bounds(lower, np.inf),
        options={"maxiter": 5000, "maxfun": 20000, "maxcor": 30, "ftol": 1e-16, "gtol": 1e-11 * steepest},
    )
    return unpack(result.x)


def _natural_length(density: NegativeLogDensity, z: FloatArray, index: NDArray[np.intp]) -> FloatArray:
    """Find steps D in each entry over which f changes comparably, from gradients at random corners.

    Ruiz's scaling, D ← D/√|row of DHD|, with H the second derivatives and a row's size that of (DHDv)ⱼ for
    random signs v. It needs no H, and finds the units of features that are correlated or orthogonal.
    """
    rng = np.random.default_rng(0)
    kink = density.kinks(z)
    here = density.smooth_gradient(z, kink)[index]
    one_way = density.positive & (index < density.n_coef)

    def change(step: FloatArray) -> FloatArray:
        corner = z.copy()
        corner[index] += step
        return density.smooth_gradient(corner, kink)[index] - here

    length = np.ones(index.size)
    for _ in range(120):  # from the units of the entries to where a step changes the gradient
        difference = change(length)
        if not np.isfinite(length @ difference):
            length *= 1e-10
        elif np.max(np.abs(difference), initial=0.0) < 1e-3 * np.max(np.abs(here), initial=0.0):
            length *= 1e3
        else:
            break
    for _ in range(8):
        steps = length * np.where(one_way, 1.0, rng.choice([-1.0, 1.0], size=(3, index.size)))
        rows = np.max(np.abs([length * change(step) for step in steps]), axis=0)
        known = np.isfinite(rows) & (rows > 0)
        length = length / np.sqrt(np.where(known, rows, 1.0))
    return length


def _newton(
    density: NegativeLogDensity,
    start: FloatArray,
    moving: NDArray[np.bool_],
    length: FloatArray,
    enough: float,
) -> FloatArray:
    """Newton's steps from orthant to orthant for as long as they pay; `enough` violation is none."""
    z, best, least = start, start, np.inf
    for _ in range(20):
        violation = _largest_violation(density, z, moving, length)
        if not violation < 0.5 * least:
            break
        best, least = z, violation
        if violation <= enough:
            break
        z = _minimum_of_quadratic(density, z, moving, length, enough)
    return best


def _largest_violation(
    density: NegativeLogDensity, z: FloatArray, moving: NDArray[np.bool_], length: FloatArray
) -> float:
    return float(np.max((optimality_violation(density, z) * length)[moving], initial=0.0))


def _minimum_of_quadratic(
    density: NegativeLogDensity,
    z: FloatArray,
    moving: NDArray[np.bool_],
    length: FloatArray,
    enough: float,
) -> FloatArray:
    """Walk to the minimum of f as if its second derivatives were what they are at z.

    An active-set walk: Newton's step on the support, cut where a coefficient would change its sign, which
    then leaves the support; after a full step, the zero that violates optimality most enters it.
    """
    other = np.arange(z.size) >= density.n_coef
    columns: dict[int, FloatArray] = {}
    for _ in range(500):
        support = np.flatnonzero(moving & (other | (z != 0)))
        if support.size > _MAX_NEWTON:
            return z
        if support.size:
            _, gradient = density(z)
            for j in map(int, support):
                if j not in columns:
                    aside = z.copy()
                    aside[j] += 0.1 * length[j] * (1.0 if other[j] or z[j] > 0 else -1.0)
                    with np.errstate(all="ignore"):  # a z that ran off to infinity
                        columns[j] = (density(aside)[1] - gradient) / (aside[j] - z[j])
            hessian = np.array([columns[j][support] for j in map(int, support)])
            direction = _solve(0.5 * (hessian + hessian.T), -gradient[support])
            crossing = ~other[support] & (np.sign(z[support]) * (z[support] + direction) <= 0)
            fraction = np.where(crossing, -z[support] / np.where(crossing, direction, 1.0), 1.0)
            shortest = float(np.min(fraction))
            z = z.copy()
            z[support] += shortest * direction
            z[support[crossing & (fraction <= shortest)]] = 0.0
            if shortest < 1.0:
                continue
        violation = np.where(moving & ~other & (z == 0), optimality_violation(density, z) * length, 0.0)
        entering = int(np.argmax(violation))
        if not violation[entering] > enough:
            return z
        z = z.copy()
        z[entering] = _TINY if density(z, 1.0)[1][entering] < 0 else -_TINY
    return z


def _solve(hessian: FloatArray, target: FloatArray) -> FloatArray:
    """Solve Hd = target without regard to the entries' units, and far along where H has no curvature."""
    diagonal = np.diagonal(hessian)
    unit = 1.0 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = unit[:, None] * hessian * unit
    for shift in (1e-12, 1e-8, 1e-4, 1.0):
        try:
            factor = linalg.cho_factor(scaled + shift * np.eye(target.size))
        except (linalg.LinAlgError, ValueError):
            continue  # not convex here, or not finite
        return unit * linalg.cho_solve(factor, unit * target)
    return np.zeros_like(target)
