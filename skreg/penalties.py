"""The penalty λ₁‖w‖₁ + ½λ₂‖w‖² and its four faces: optimisation, prior, geometry, training.

Everything in skreg that shrinks a coefficient does it through one of these objects: the solvers
minimise it, the priors exponentiate it, the plots draw its ball, and the networks step along it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["L1", "L2", "ElasticNetPenalty"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ElasticNetPenalty:
    """The elastic-net penalty Σⱼ vⱼ (λ₁ |wⱼ| + ½ λ₂ wⱼ²).

    Parameters
    ----------
    l1 : float, default=0.0
        λ₁ ≥ 0, in the units of y·X (that of a correlation with the residual).
    l2 : float, default=0.0
        λ₂ ≥ 0, in the units of X².
    factors : array-like of shape (n_features,), optional
        vⱼ ≥ 0, multiplying both strengths feature by feature; 0 leaves a feature unpenalised.
        One for every feature if not given.
    positive : bool, default=False
        Whether the coefficients are confined to wⱼ ≥ 0.

    Raises
    ------
    ValueError
        If a strength or a factor is negative or not a finite number.

    References
    ----------
    Zou, H. and Hastie, T. (2005). Regularization and variable selection via the elastic net,
    JRSS B 67(2), 301-320, eq. 3.

    Examples
    --------
    >>> penalty = ElasticNetPenalty(l1=1.0, l2=2.0)
    >>> penalty.value([1.0, -2.0])
    8.0
    >>> penalty.prox([3.0, -0.5], step=1.0)
    array([0.66666667, 0.        ])
    """

    l1: float = 0.0
    l2: float = 0.0
    factors: FloatArray | None = None
    positive: bool = False

    def __post_init__(self) -> None:
        for name in ("l1", "l2"):
            strength = getattr(self, name)
            if not (_is_finite_number(strength) and strength >= 0):
                raise ValueError(f"{name} must be a finite number ≥ 0, got {strength!r}.")
            object.__setattr__(self, name, float(strength))
        if self.factors is not None:
            wanted = "a one-dimensional array of finite numbers ≥ 0 (0 leaves a feature unpenalised)"
            try:
                factors = np.array(self.factors, dtype=np.float64)
            except (TypeError, ValueError):
                raise ValueError(f"factors must be {wanted}, got {self.factors!r}.") from None
            if factors.ndim != 1 or not np.all(np.isfinite(factors)) or np.any(factors < 0):
                raise ValueError(f"factors must be {wanted}, got {self.factors!r}.")
            factors.flags.writeable = False
            object.__setattr__(self, "factors", factors)

    @classmethod
    def from_alpha(
        cls,
        alpha: float,
        l1_ratio: float,
        total_weight: float,
        *,
        factors: ArrayLike | None = None,
        positive: bool = False,
    ) -> ElasticNetPenalty:
        """Find the penalty that scikit-learn's ElasticNet(alpha, l1_ratio) means on data of weight S.

        Its objective 1/(2S) Σ s r² + αρ‖w‖₁ + ½α(1−ρ)‖w‖² times S is the energy, so λ₁ = Sαρ and
        λ₂ = Sα(1−ρ). Lasso(alpha) is ρ = 1. Ridge(alpha), whose objective is Σ s r² + α‖w‖², is
        ``L2(alpha)`` instead: ElasticNet(α, ρ=0) is Ridge(Sα).

        Parameters
        ----------
        alpha : float
            scikit-learn's α ≥ 0.
        l1_ratio : float
            scikit-learn's ρ in [0, 1].
        total_weight : float
            S = Σ sᵢ, the number of rows without weights.
        factors, positive
            As in the class.

        Returns
        -------
        ElasticNetPenalty
            With l1 = Sαρ and l2 = Sα(1−ρ).
        """
        scale = total_weight * alpha
        return cls(scale * l1_ratio, scale * (1.0 - l1_ratio), factors, positive)  # type: ignore[arg-type]

    @property
    def l1_ratio(self) -> float:
        """λ₁ / (λ₁ + λ₂), scikit-learn's ρ; nan for no penalty at all."""
        total = self.l1 + self.l2
        return self.l1 / total if total > 0 else math.nan

    def l1_strengths(self, n_features: int) -> FloatArray:
        """λ₁vⱼ for each feature, an array of shape (n_features,)."""
        return self.l1 * self._factors(n_features)

    def l2_strengths(self, n_features: int) -> FloatArray:
        """λ₂vⱼ for each feature, an array of shape (n_features,)."""
        return self.l2 * self._factors(n_features)

    def penalized(self, n_features: int) -> NDArray[np.bool_]:
        """Which features the penalty acts on, a boolean array of shape (n_features,)."""
        if self.l1 == 0 and self.l2 == 0:
            return np.zeros(n_features, dtype=bool)
        return self._factors(n_features) > 0

    # ------------------------------------------------------------------ optimisation

    def value(self, coef: ArrayLike) -> float:
        """Evaluate the penalty at `coef`; infinite where `positive` forbids it.

        Parameters
        ----------
        coef : array-like of shape (n_features,)
            Coefficients w.

        Returns
        -------
        float
            Σⱼ vⱼ (λ₁ |wⱼ| + ½ λ₂ wⱼ²).
        """
        w = np.asarray(coef, dtype=np.float64)
        if self.positive and np.any(w < 0):
            return math.inf
        v = self._factors(w.size)
        return float(np.sum(v * (self.l1 * np.abs(w) + 0.5 * self.l2 * w**2)))

    def prox(self, point: ArrayLike, step: float) -> FloatArray:
        """Apply the proximal operator argmin_u ½‖u − point‖² + step · penalty(u).

        Soft thresholding by step·λ₁vⱼ, then shrinkage by 1 / (1 + step·λ₂vⱼ).

        Parameters
        ----------
        point : array-like of shape (n_features,)
            Where the step starts.
        step : float
            Step size > 0.

        Returns
        -------
        ndarray of shape (n_features,)
            The minimiser; exact zeros where the threshold is not passed.
        """
        _check_positive("step", step)
        z = np.asarray(point, dtype=np.float64)
        v = self._factors(z.size)
        threshold = step * self.l1 * v
        if self.positive:
            shrunk = np.maximum(z - threshold, 0.0)
        else:
            shrunk = np.sign(z) * np.maximum(np.abs(z) - threshold, 0.0) + 0.0  # no −0.0
        return shrunk / (1.0 + step * self.l2 * v)

    def optimality_violation(self, coef: ArrayLike, correlation: ArrayLike) -> FloatArray:
        """How far each coordinate is from optimal: the distance of 0 to the subdifferential of E.

        w minimises E if and only if |gⱼ| ≤ λ₁vⱼ where wⱼ = 0, and gⱼ − λ₂vⱼwⱼ = λ₁vⱼ sign wⱼ elsewhere.

        Parameters
        ----------
        coef : array-like of shape (n_features,)
            Coefficients w.
        correlation : array-like of shape (n_features,)
            g = Xᵀ diag(s) (y − Xw − b), the correlation with the residual.

        Returns
        -------
        ndarray of shape (n_features,)
            Zero at an optimal coordinate, in the units of g; infinite where `positive` is broken.
        """
        w = np.asarray(coef, dtype=np.float64)
        g = np.asarray(correlation, dtype=np.float64)
        v = self._factors(w.size)
        if self.positive:
            at_zero = np.maximum(g - self.l1 * v, 0.0)
        else:
            at_zero = np.maximum(np.abs(g) - self.l1 * v, 0.0)
        elsewhere = np.abs(g - self.l2 * v * w - self.l1 * v * np.sign(w))
        violation = np.where(w == 0, at_zero, elsewhere)
        return np.where(self.positive & (w < 0), math.inf, violation)

    def alpha_max(self, correlation: ArrayLike, total_weight: float) -> float:
        """Find the smallest of scikit-learn's alphas at which every penalised coefficient is zero.

        Parameters
        ----------
        correlation : array-like of shape (n_features,)
            Xᵀ diag(s) r for the residual r of the fit without penalised features
            (y − ȳ if there are no unpenalised ones).
        total_weight : float
            S = Σ sᵢ, the number of rows without weights.

        Returns
        -------
        float
            max |gⱼ| / (S ρ vⱼ) over the penalised features; infinite if λ₁ = 0, when none ever is.
        """
        g = np.asarray(correlation, dtype=np.float64)
        if self.l1 == 0:
            return math.inf
        v = self._factors(g.size)
        pull = g if self.positive else np.abs(g)
        penalized = v > 0
        if not np.any(penalized):
            return 0.0
        with np.errstate(over="ignore"):  # a factor of next to nothing needs an alpha of next to infinity
            largest = float(np.max(pull[penalized] / v[penalized]))
        return max(largest, 0.0) / (total_weight * self.l1_ratio)

    # ------------------------------------------------------------------ the prior

    def prior_rates(self, variance: float) -> tuple[float, float]:
        """Give the prior exp(−penalty/σ²) as its two rates: exp(−vⱼ (a|w| + ½ c w²)).

        Parameters
        ----------
        variance : float
            σ² > 0, the noise variance, in the units of y².

        Returns
        -------
        a, c : float
            λ₁/σ² and λ₂/σ²: Laplace with rate a if c = 0, N(0, 1/c) if a = 0.
        """
        _check_positive("variance", variance)
        return self.l1 / variance, self.l2 / variance

    # ------------------------------------------------------------------ geometry

    def ball(self, radius: float, n_points: int = 361) -> FloatArray:
        """Trace the boundary of the ball {w ∈ ℝ² : penalty(w) ≤ penalty((radius, 0))}, a closed curve.

        A diamond for L1, a circle for L2, a rounded diamond between, each crossing the first axis
        at ± `radius`.

        Parameters
        ----------
        radius : float
            Where the boundary crosses the first axis, > 0.
        n_points : int, default=361
            Number of directions, at equal angles; 8k + 1 of them hit the corners exactly.

        Returns
        -------
        ndarray of shape (n_points, 2)
            Points on the boundary, counter-clockwise from (radius, 0).
        """
        _check_positive("radius", radius)
        v = self._factors(2)
        if not (self.l1 > 0 or self.l2 > 0) or np.any(v == 0):
            raise ValueError("A penalty that leaves a direction free has no bounded ball.")
        angle = np.linspace(0.0, 2.0 * np.pi, n_points)
        u = np.column_stack([np.cos(angle), np.sin(angle)])
        level = v[0] * (self.l1 * radius + 0.5 * self.l2 * radius**2)
        # λ₁-part·t + ½ λ₂-part·t² = level along each unit direction; this root has no cancellation.
        linear = self.l1 * np.abs(u) @ v
        quadratic = self.l2 * u**2 @ v
        t = 2.0 * level / (linear + np.sqrt(linear**2 + 2.0 * quadratic * level))
        return u * t[:, None]

    # ------------------------------------------------------------------ training

    def gradient_step(self, coef: ArrayLike, step: float) -> FloatArray:
        """One step of size η on the penalty alone: L2 multiplies, L1 subtracts a constant.

        w ← (1 − ηλ₂vⱼ) wⱼ − ηλ₁vⱼ sign wⱼ. The L2 part is weight decay in its decoupled form
        (Loshchilov and Hutter, 2019); the L1 part takes the same amount whatever the size of w.

        Parameters
        ----------
        coef : array-like of any shape whose last axis is the features
            Weights before the step.
        step : float
            η > 0.

        Returns
        -------
        ndarray of the shape of `coef`
            Weights after the step. L1 may step past zero here; `prox` stops there.
        """
        _check_positive("step", step)
        w = np.asarray(coef, dtype=np.float64)
        v = self._factors(w.shape[-1])
        return w * (1.0 - step * self.l2 * v) - step * self.l1 * v * np.sign(w)

    def _factors(self, n_features: int) -> FloatArray:
        if self.factors is None:
            return np.ones(n_features)
        if self.factors.size != n_features:
            raise ValueError(
                f"factors (penalty_weights) must have one entry per feature: "
                f"got {self.factors.size} for {n_features} features."
            )
        return self.factors


def L1(strength: float, *, factors: ArrayLike | None = None, positive: bool = False) -> ElasticNetPenalty:
    """Make the Lasso's penalty λ₁‖w‖₁, an elastic-net penalty without its L2 part.

    Parameters
    ----------
    strength : float
        λ₁ ≥ 0.
    factors : array-like of shape (n_features,), optional
        A multiplier per feature.
    positive : bool, default=False
        Whether the coefficients are confined to w ≥ 0.

    Returns
    -------
    ElasticNetPenalty
        With l1 = strength and l2 = 0.

    Examples
    --------
    >>> L1(2.0).gradient_step([3.0, -0.5], step=0.1)
    array([ 2.8, -0.3])
    """
    return ElasticNetPenalty(l1=strength, factors=factors, positive=positive)  # type: ignore[arg-type]


def L2(strength: float, *, factors: ArrayLike | None = None, positive: bool = False) -> ElasticNetPenalty:
    """Make the Ridge's penalty ½λ₂‖w‖², an elastic-net penalty without its L1 part.

    Parameters
    ----------
    strength : float
        λ₂ ≥ 0.
    factors : array-like of shape (n_features,), optional
        A multiplier per feature.
    positive : bool, default=False
        Whether the coefficients are confined to w ≥ 0.

    Returns
    -------
    ElasticNetPenalty
        With l1 = 0 and l2 = strength.

    Examples
    --------
    >>> L2(2.0).gradient_step([3.0, -0.5], step=0.1)
    array([ 2.4, -0.4])
    """
    return ElasticNetPenalty(l2=strength, factors=factors, positive=positive)  # type: ignore[arg-type]


def _is_finite_number(value: object) -> bool:
    # A path makes hundreds of these, of floats; the general question costs ten times as much.
    return (type(value) is float or isinstance(value, Real)) and math.isfinite(value)


def _check_positive(name: str, value: float) -> None:
    if not (_is_finite_number(value) and value > 0):
        raise ValueError(f"{name} must be a finite number > 0, got {value!r}.")
