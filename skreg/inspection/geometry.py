"""Where the contours of a quadratic loss touch the ball of a penalty, in the plane.

    min ½ (w − ŵ)ᵀ H (w − ŵ)   subject to   P(w) ≤ P((r, 0)),   P(w) = Σⱼ vⱼ (λ₁ |wⱼ| + ½ λ₂ wⱼ²)

The ball is that of `ElasticNetPenalty.ball`: a diamond, a circle, or four arcs between, crossing the first
axis at ± r. Only the ratio of λ₁ to λ₂ shapes it, so (ρ, 1 − ρ) stands for scikit-learn's l1_ratio = ρ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skreg.penalties import ElasticNetPenalty

__all__ = [
    "OPENING_ANGLE",
    "OPENING_CENTER",
    "OPENING_CURVATURES",
    "OPENING_L1_RATIO",
    "OPENING_RADIUS",
    "Touch",
    "contour_hessian",
    "loss_contour",
    "radius_through",
    "touching_point",
]

FloatArray = NDArray[np.float64]

# The scene in which the circle of radius 1.2 is touched at w = (1.157, 0.320), and the diamond of that radius
# at its corner (1.2, 0), well within the corner's cone.
OPENING_CENTER = (2.3, 1.1)
OPENING_ANGLE = 77.0
OPENING_CURVATURES = (1.0, 2.0)
OPENING_L1_RATIO = 0.0
OPENING_RADIUS = 1.2


@dataclass(frozen=True, eq=False)
class Touch:
    """Where a loss is least in a ball.

    Parameters
    ----------
    coef : ndarray of shape (2,)
        The touching point w; a coordinate is exactly zero where it touches at a corner.
    multiplier : float
        μ ≥ 0: w minimises the loss + μ P too, so that μλ₁ and μλ₂ are the strengths of the equivalent
        penalty. 0 if the ball holds the loss's own minimum.
    loss : float
        ½ (w − ŵ)ᵀ H (w − ŵ), the level of the contour that touches.
    """

    coef: FloatArray
    multiplier: float
    loss: float

    @property
    def zeros(self) -> NDArray[np.bool_]:
        """Which coordinates are exactly zero, of shape (2,)."""
        return self.coef == 0


def touching_point(hessian: ArrayLike, center: ArrayLike, penalty: ElasticNetPenalty, radius: float) -> Touch:
    """Find where a quadratic loss is least in the ball of a penalty.

    A corner is the answer if the pull of the loss there lies in the corner's cone, which is a comparison of
    two numbers. Otherwise no coordinate is zero, and in the quadrant of signs s

        w(μ) = (H + μλ₂V)⁻¹ (Hŵ − μλ₁Vs),

    along which P falls and is convex in μ: Newton's steps from μ = 0 rise to the root without overshooting,
    and end at rounding.

    Parameters
    ----------
    hessian : array-like of shape (2, 2)
        H, symmetric and positive definite.
    center : array-like of shape (2,)
        ŵ, where the loss is least: the least-squares solution.
    penalty : ElasticNetPenalty
        Its ratio of λ₁ to λ₂ and its factors shape the ball.
    radius : float
        Where the ball crosses the first axis, > 0.

    Returns
    -------
    Touch
        The point, the multiplier and the loss.

    Raises
    ------
    ValueError
        If the Hessian is not symmetric and positive definite, an array is of another shape or not finite, the
        radius is not > 0, or the penalty leaves a direction free or is confined to w ≥ 0.

    References
    ----------
    Tibshirani, R. (1996). Regression shrinkage and selection via the lasso, JRSS B 58(1), Figure 2; Conn, A.,
    Gould, N. and Toint, P. (2000). Trust-Region Methods, Section 7.3, for the equation in μ.

    Examples
    --------
    >>> from skreg import L1, L2
    >>> touching_point([[1.0, 0.0], [0.0, 1.0]], [3.0, 4.0], L2(1.0), radius=1.0).coef
    array([0.6, 0.8])
    >>> touch = touching_point([[1.0, 0.0], [0.0, 1.0]], [3.0, 1.0], L1(1.0), radius=1.0)
    >>> touch.coef, touch.zeros, touch.multiplier
    (array([1., 0.]), array([False,  True]), 2.0)
    """
    H, centre = _checked(hessian, center)
    l1, l2 = penalty.l1, penalty.l2
    v = _ball_factors(penalty)
    if not (math.isfinite(radius) and radius > 0):
        raise ValueError(f"radius must be a finite number > 0, got {radius!r}.")
    level = float(v[0] * (l1 * radius + 0.5 * l2 * radius**2))
    if penalty.value(centre) <= level:
        return _touch(H, centre, centre, 0.0)

    nearest: tuple[float, FloatArray, float] | None = None
    if l1 > 0:
        for axis, sign in product((0, 1), (1.0, -1.0)):
            corner = np.zeros(2)
            corner[axis] = sign * _crossing(l1, l2, level / v[axis])
            pull = H @ (centre - corner)
            slope = v[axis] * (l1 + l2 * abs(corner[axis]))
            multiplier = float(sign * pull[axis] / slope)
            excess = float(abs(pull[1 - axis])) - multiplier * v[1 - axis] * l1
            if multiplier >= 0 and excess <= 0:
                return _touch(H, centre, corner, multiplier)
            if multiplier >= 0 and (nearest is None or excess < nearest[0]):
                nearest = excess, corner, multiplier

    # The circle's equation is the same in every quadrant.
    for signs in product((1.0, -1.0), repeat=2) if l1 > 0 else [(1.0, 1.0)]:
        s = np.array(signs)
        found = _on_arc(H, centre, l1 * v * s, l2 * v, level)
        if found is not None and (l1 == 0 or np.all(found[0] * s > 0)):
            return _touch(H, centre, *found)
    # Between a corner and the arc beside it by less than rounding: the corner it is.
    assert nearest is not None
    return _touch(H, centre, *nearest[1:])


def contour_hessian(angle: float, curvatures: ArrayLike) -> FloatArray:
    """Make the Hessian whose contours are ellipses turned by an angle.

    Parameters
    ----------
    angle : float
        Of the first axis of the ellipses, in degrees counter-clockwise.
    curvatures : array-like of shape (2,)
        The loss's second derivative along the first and the second axis, > 0. A contour is long where its
        curvature is small.

    Returns
    -------
    ndarray of shape (2, 2)
        R diag(curvatures) Rᵀ.

    Examples
    --------
    >>> contour_hessian(45.0, [1.0, 3.0]).round(12)
    array([[ 2., -1.],
           [-1.,  2.]])
    """
    turn = math.radians(angle)
    c, s = math.cos(turn), math.sin(turn)
    a, b = np.asarray(curvatures, dtype=np.float64)
    return np.array([[a * c * c + b * s * s, (a - b) * c * s], [(a - b) * c * s, a * s * s + b * c * c]])


def loss_contour(hessian: ArrayLike, center: ArrayLike, loss: float, n_points: int = 181) -> FloatArray:
    """Trace a contour ½ (w − ŵ)ᵀ H (w − ŵ) = loss, a closed curve.

    Parameters
    ----------
    hessian : array-like of shape (2, 2)
        H, symmetric and positive definite.
    center : array-like of shape (2,)
        ŵ.
    loss : float
        The level, ≥ 0.
    n_points : int, default=181
        How many points.

    Returns
    -------
    ndarray of shape (n_points, 2)
        Points of the ellipse, the first again at the end.
    """
    H, centre = _checked(hessian, center)
    angle = np.linspace(0.0, 2.0 * np.pi, n_points)
    unit = np.array([np.cos(angle), np.sin(angle)])
    return centre + math.sqrt(2.0 * loss) * np.linalg.solve(np.linalg.cholesky(H).T, unit).T


def radius_through(penalty: ElasticNetPenalty, coef: ArrayLike) -> float:
    """Find the radius of the ball whose boundary goes through a point.

    Parameters
    ----------
    penalty : ElasticNetPenalty
        Whose ball.
    coef : array-like of shape (2,)
        The point.

    Returns
    -------
    float
        r with P((r, 0)) = P(coef).

    Examples
    --------
    >>> from skreg import L1, L2
    >>> radius_through(L1(3.0), [1.0, -2.0]), radius_through(L2(3.0), [3.0, 4.0])
    (3.0, 5.0)
    """
    v = _ball_factors(penalty)
    return _crossing(penalty.l1, penalty.l2, penalty.value(coef) / v[0])


def _crossing(l1: float, l2: float, level: float) -> float:
    """Return t ≥ 0 with l1·t + ½ l2·t² = level, without cancellation."""
    return float(2.0 * level / (l1 + math.sqrt(l1 * l1 + 2.0 * l2 * level))) if level > 0 else 0.0


def _on_arc(
    H: FloatArray, center: FloatArray, linear: FloatArray, quadratic: FloatArray, level: float
) -> tuple[FloatArray, float] | None:
    """Find w and μ on the curve linear·w + ½ quadratic·w² = level; None if the centre is within it."""
    pull = H @ center
    multiplier = 0.0
    while True:
        w, falling = _at_multiplier(H, pull, linear, quadratic, multiplier)
        outside = float(linear @ w + 0.5 * quadratic @ (w * w)) - level
        following = multiplier + outside / falling if falling > 0 else multiplier
        if not following > multiplier:  # no further: the root is as near as rounding lets it be
            return (w, multiplier) if multiplier > 0 else None
        multiplier = following


def _at_multiplier(
    H: FloatArray, pull: FloatArray, linear: FloatArray, quadratic: FloatArray, multiplier: float
) -> tuple[FloatArray, float]:
    """Return w(μ), and how fast P falls there, by Cramer's rule."""
    a, b, d = H[0, 0] + multiplier * quadratic[0], H[0, 1], H[1, 1] + multiplier * quadratic[1]
    determinant = a * d - b * b

    def solve(right: FloatArray) -> FloatArray:
        return np.array([d * right[0] - b * right[1], a * right[1] - b * right[0]]) / determinant

    w = solve(pull - multiplier * linear)
    slope = linear + quadratic * w
    return w, float(slope @ solve(slope))


def _touch(H: FloatArray, center: FloatArray, coef: FloatArray, multiplier: float) -> Touch:
    away = coef - center
    return Touch(coef.copy(), multiplier, 0.5 * float(away @ H @ away))


def _checked(hessian: ArrayLike, center: ArrayLike) -> tuple[FloatArray, FloatArray]:
    H, centre = np.asarray(hessian, dtype=np.float64), np.asarray(center, dtype=np.float64)
    for name, array, shape in (("hessian", H, (2, 2)), ("center", centre, (2,))):
        if array.shape != shape or not np.all(np.isfinite(array)):
            got = f"shape {array.shape}" if array.shape != shape else f"{array.tolist()}"
            raise ValueError(f"{name} must be finite numbers of shape {shape}, got {got}.")
    if H[0, 1] != H[1, 0] or not (H[0, 0] > 0 and H[0, 0] * H[1, 1] > H[0, 1] ** 2):
        raise ValueError(f"hessian must be symmetric and positive definite, got {H.tolist()}.")
    return H, centre


def _ball_factors(penalty: ElasticNetPenalty) -> FloatArray:
    if penalty.positive:
        raise ValueError("penalty must not be confined to w ≥ 0, got positive=True: its ball is cut in half.")
    strengths = penalty.l1_strengths(2) + penalty.l2_strengths(2)
    if not np.all(strengths > 0):
        raise ValueError("A penalty that leaves a direction free has no bounded ball.")
    return strengths / (penalty.l1 + penalty.l2)
