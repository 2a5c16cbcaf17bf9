"""The priors whose negative logarithm is a penalty: Gaussian, Laplace and elastic net.

A penalty λ₁|w| + ½λ₂w² and a noise variance σ² make the prior exp(−a|w| − ½cw²)/Z with rates
a = λ₁/σ² and c = λ₂/σ². Everything here passes into the limits c → 0 (Laplace) and a → 0 (Gaussian)
without a seam, and stays finite where a²/c is huge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfcx

from skreg.penalties import ElasticNetPenalty

__all__ = ["ElasticNetPrior", "GaussianPrior", "LaplacePrior", "Prior", "describe_prior", "prior_of"]

FloatArray = NDArray[np.float64]


class _SymmetricPrior:
    """What the three priors share: symmetric about zero, or half of that on w ≥ 0."""

    positive: bool

    def _log_density(self, magnitude: FloatArray) -> FloatArray:
        """Return the symmetric prior's log density at |w|."""
        raise NotImplementedError

    def _magnitude(self, exponential: FloatArray) -> FloatArray:
        """Turn a draw of Exponential(1) into one of |w|, by inverting the cumulative hazard."""
        raise NotImplementedError

    def _magnitude_moments(self) -> tuple[float, float]:
        """Return E|w| and Ew²."""
        raise NotImplementedError

    def logpdf(self, w: ArrayLike) -> FloatArray:
        """Evaluate the log density.

        Parameters
        ----------
        w : array-like
            Coefficients.

        Returns
        -------
        ndarray of the shape of `w`
            log p(w); −inf at a negative w if `positive`.
        """
        w = np.asarray(w, dtype=np.float64)
        with np.errstate(over="ignore"):  # a density of zero far out
            density = self._log_density(np.abs(w))
        if self.positive:
            density = np.where(w >= 0, density + math.log(2.0), -np.inf)
        return np.asarray(density)[()]

    def rvs(self, size: int | tuple[int, ...] | None = None, random_state: Any = None) -> FloatArray:
        """Draw independently.

        Parameters
        ----------
        size : int or tuple of int, optional
            Shape of the result; one number if not given.
        random_state : int, numpy.random.Generator, numpy.random.RandomState or None, optional
            Seed or generator; the same seed gives the same draws.

        Returns
        -------
        ndarray of shape `size`
            Exact draws, by inversion.
        """
        rng = _generator(random_state)
        # The magnitude of a standard Laplace draw is an Exponential(1), its sign a fair coin.
        draw = rng.exponential(size=size) if self.positive else rng.laplace(size=size)
        draw = np.asarray(draw)
        return np.copysign(self._magnitude(np.abs(draw)), draw)[()]

    def mean(self) -> float:
        """Return the mean: 0, or E|w| if `positive`."""
        return self._magnitude_moments()[0] if self.positive else 0.0

    def variance(self) -> float:
        """Return the variance."""
        first, second = self._magnitude_moments()
        return first * (second / first - first) if self.positive else second


@dataclass(frozen=True)
class GaussianPrior(_SymmetricPrior):
    """The prior of Ridge, N(0, scale²).

    Parameters
    ----------
    scale : float
        Standard deviation σ/√λ₂ > 0, in the units of a coefficient.
    positive : bool, default=False
        Whether the coefficient is confined to w ≥ 0: the half-normal prior.

    Raises
    ------
    ValueError
        If `scale` is not a finite number > 0.

    References
    ----------
    Hoerl, A. E. and Kennard, R. W. (1970). Ridge regression: biased estimation for nonorthogonal
    problems, Technometrics 12(1), 55-67.

    Examples
    --------
    >>> prior = GaussianPrior(scale=2.0)
    >>> prior.variance()
    4.0
    """

    scale: float
    positive: bool = False

    def __post_init__(self) -> None:
        _check_rate("scale", self.scale, above_zero=True)

    def __str__(self) -> str:
        name = "HalfNormal(" if self.positive else "Normal(0, "
        return f"{name}{self.scale:.4g}²)"

    def _log_density(self, magnitude: FloatArray) -> FloatArray:
        return -0.5 * (magnitude / self.scale) ** 2 - math.log(self.scale) - 0.5 * math.log(2.0 * math.pi)

    def _magnitude(self, exponential: FloatArray) -> FloatArray:
        return _invert_hazard(exponential, 0.0, 1.0) * self.scale

    def _magnitude_moments(self) -> tuple[float, float]:
        return self.scale * math.sqrt(2.0 / math.pi), self.scale * self.scale


@dataclass(frozen=True)
class LaplacePrior(_SymmetricPrior):
    """The prior of Lasso, with density exp(−|w|/scale) / (2 scale).

    Parameters
    ----------
    scale : float
        σ²/λ₁ > 0, in the units of a coefficient; the standard deviation is √2 times that.
    positive : bool, default=False
        Whether the coefficient is confined to w ≥ 0: the exponential prior.

    Raises
    ------
    ValueError
        If `scale` is not a finite number > 0.

    References
    ----------
    Tibshirani, R. (1996). Regression shrinkage and selection via the lasso, JRSS B 58(1), 267-288,
    section 5.

    Examples
    --------
    >>> prior = LaplacePrior(scale=2.0)
    >>> prior.variance()
    8.0
    """

    scale: float
    positive: bool = False

    def __post_init__(self) -> None:
        _check_rate("scale", self.scale, above_zero=True)

    def __str__(self) -> str:
        if self.positive:
            return f"Exponential(scale {self.scale:.4g})"
        return f"Laplace(0, scale {self.scale:.4g})"

    def _log_density(self, magnitude: FloatArray) -> FloatArray:
        return -magnitude / self.scale - math.log(2.0) - math.log(self.scale)

    def _magnitude(self, exponential: FloatArray) -> FloatArray:
        return exponential * self.scale

    def _magnitude_moments(self) -> tuple[float, float]:
        return self.scale, 2.0 * self.scale * self.scale


@dataclass(frozen=True)
class ElasticNetPrior(_SymmetricPrior):
    """The prior of ElasticNet, with density exp(−a|w| − ½cw²) / Z.

    log Z = ½ log(2π/c) + log erfcx(a/√(2c)).

    Parameters
    ----------
    l1_rate : float
        a = λ₁/σ² ≥ 0, per unit of a coefficient; 0 makes the prior N(0, 1/c).
    l2_rate : float
        c = λ₂/σ² ≥ 0, per squared unit of a coefficient; 0 makes the prior Laplace(0, 1/a).
    positive : bool, default=False
        Whether the coefficient is confined to w ≥ 0.

    Raises
    ------
    ValueError
        If a rate is negative or not finite, or both are zero (a flat prior is not a distribution).

    References
    ----------
    Zou, H. and Hastie, T. (2005). Regularization and variable selection via the elastic net,
    JRSS B 67(2), 301-320, section 7; Li, Q. and Lin, N. (2010). The Bayesian elastic net,
    Bayesian Analysis 5(1), 151-170, eq. 3.

    Examples
    --------
    >>> prior = ElasticNetPrior(l1_rate=1.0, l2_rate=1.0)
    >>> round(prior.variance(), 4)
    0.4749
    >>> ElasticNetPrior(l1_rate=1.0, l2_rate=0.0).variance() == LaplacePrior(1.0).variance()
    True
    """

    l1_rate: float
    l2_rate: float
    positive: bool = False

    def __post_init__(self) -> None:
        _check_rate("l1_rate", self.l1_rate, above_zero=False)
        _check_rate("l2_rate", self.l2_rate, above_zero=False)
        if self.l1_rate == 0 and self.l2_rate == 0:
            raise ValueError(
                "l1_rate and l2_rate are both 0: a flat prior is not a distribution. "
                "Give at least one of them a value > 0."
            )

    def __str__(self) -> str:
        name = "HalfElasticNet" if self.positive else "ElasticNet"
        return f"{name}(l1 rate {self.l1_rate:.4g}, l2 rate {self.l2_rate:.4g})"

    def _log_density(self, magnitude: FloatArray) -> FloatArray:
        a, c = self.l1_rate, self.l2_rate
        # (√c w)² rather than c w²: neither factor overflows where the product is moderate.
        return -a * magnitude - 0.5 * (math.sqrt(c) * magnitude) ** 2 - _log_normalizer(a, c)

    def _magnitude(self, exponential: FloatArray) -> FloatArray:
        return _invert_hazard(exponential, self.l1_rate, math.sqrt(self.l2_rate))

    def _magnitude_moments(self) -> tuple[float, float]:
        return _magnitude_moments(self.l1_rate, self.l2_rate)


Prior = GaussianPrior | LaplacePrior | ElasticNetPrior


def prior_of(penalty: ElasticNetPenalty, variance: float, factor: float = 1.0) -> Prior | None:
    """Find the prior of one coefficient, ∝ exp(−penalty/σ²).

    Parameters
    ----------
    penalty : ElasticNetPenalty
        λ₁, λ₂ and the sign constraint.
    variance : float
        σ² > 0, in the units of y².
    factor : float, default=1.0
        The feature's own factor vⱼ, multiplying λ₁ and λ₂.

    Returns
    -------
    GaussianPrior, LaplacePrior, ElasticNetPrior or None
        None where nothing is penalised: the prior is flat.

    Raises
    ------
    ValueError
        If `variance` is not a finite number > 0.

    Examples
    --------
    >>> from skreg.penalties import L1, L2
    >>> prior_of(L1(4.0), variance=2.0)
    LaplacePrior(scale=0.5, positive=False)
    >>> prior_of(L2(0.5), variance=2.0)
    GaussianPrior(scale=2.0, positive=False)
    """
    _check_rate("variance", variance, above_zero=True)
    a, c = (factor * rate for rate in penalty.prior_rates(variance))
    if a > 0 and c > 0:
        return ElasticNetPrior(a, c, penalty.positive)
    if a > 0:
        return LaplacePrior(1.0 / a, penalty.positive)
    if c > 0:
        return GaussianPrior(1.0 / math.sqrt(c), penalty.positive)
    return None


def describe_prior(penalty: ElasticNetPenalty, sigma: float, rate: float | None = None) -> str:
    """Say the prior of a coefficient in words and numbers.

    Parameters
    ----------
    penalty : ElasticNetPenalty
        λ₁, λ₂, the factors and the sign constraint.
    sigma : float
        The σ > 0 at which the numbers are stated.
    rate : float, optional
        The rate of an `SDScaled` contract, which takes the place of λ₁/σ.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> from skreg.penalties import L1
    >>> describe_prior(L1(4.0), sigma=2.0)
    'coef | σ ~ Laplace(0, scale σ²/λ₁), λ₁ = 4; at σ = 2: Laplace(0, scale 1)'
    """
    prior: Prior | None
    if rate is not None:
        prior = LaplacePrior(sigma / rate, penalty.positive)
        law = f"{'Exponential(' if penalty.positive else 'Laplace(0, '}scale σ/λ), λ = {rate:.4g}"
    elif isinstance(prior := prior_of(penalty, sigma**2), LaplacePrior):
        form = "Exponential(scale σ²/λ₁)" if penalty.positive else "Laplace(0, scale σ²/λ₁)"
        law = f"{form}, λ₁ = {penalty.l1:.4g}"
    elif isinstance(prior, GaussianPrior):
        form = "HalfNormal(σ²/λ₂)" if penalty.positive else "Normal(0, σ²/λ₂)"
        law = f"{form}, λ₂ = {penalty.l2:.4g}"
    elif isinstance(prior, ElasticNetPrior):
        domain = " on coef ≥ 0" if penalty.positive else ""
        law = f"exp(−(λ₁|coef| + ½λ₂coef²)/σ²){domain}, λ₁ = {penalty.l1:.4g}, λ₂ = {penalty.l2:.4g}"
    else:
        return "flat: nothing is penalised"
    words = f"coef | σ ~ {law}; at σ = {sigma:.4g}: {prior}"
    if penalty.factors is not None:
        words += "; λ times its penalty weight, feature by feature"
    return words


def _generator(random_state: Any) -> np.random.Generator:
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31 - 1, size=4)
    return np.random.default_rng(random_state)


def _check_rate(name: str, value: float, *, above_zero: bool) -> None:
    valid = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not (valid and math.isfinite(value) and (value > 0 if above_zero else value >= 0)):
        bound = "> 0" if above_zero else "≥ 0"
        raise ValueError(f"{name} must be a finite number {bound}, got {value!r}.")


# With u = √c |w| and β = a/√c, the magnitude has density ∝ exp(−βu − ½u²): a standard normal's tail
# beyond β. R(β) = √(π/2) erfcx(β/√2) is Mills' ratio.


def _log_normalizer(a: float, c: float) -> float:
    """Return log Z = log ∫ exp(−a|w| − ½cw²) dw."""
    t = a / math.sqrt(2.0 * c) if c > 0 else math.inf
    if t < 100.0:
        return 0.5 * math.log(2.0 * math.pi) - 0.5 * math.log(c) + math.log(erfcx(t))
    # erfcx(t) = (1 − x + 3x² − 15x³ + …) / (t√π) with x = 1/(2t²): the seamless way into c = 0.
    x = 0.5 / t**2 if t < 1e150 else 0.0
    return math.log(2.0) - math.log(a) + math.log1p(-x * (1.0 - x * (3.0 - 15.0 * x)))


def _magnitude_moments(a: float, c: float) -> tuple[float, float]:
    """Return E|w| and Ew² of exp(−a|w| − ½cw²)/Z, to full relative precision in every limit."""
    if a <= 3.0 * math.sqrt(c):
        beta = a / math.sqrt(c)
        # E u = 1/R(β) − β and E u² = 1 − β E u lose digits like β² and β⁴: only for small β.
        first = math.sqrt(2.0 / math.pi) / float(erfcx(beta / math.sqrt(2.0))) - beta
        return first / math.sqrt(c), (1.0 - beta * first) / c
    # With Iₙ = ∫₀^∞ wⁿ/n! exp(−aw − ½cw²) dw, parts give Iₙ₋₁ = a Iₙ + (n+1) c Iₙ₊₁, so that the ratios
    # rₙ = Iₙ/Iₙ₋₁ = 1/(a + (n+1) c rₙ₊₁) come by a backward recurrence of positive terms.
    ratio, following = 1.0 / a, 1.0 / a
    for n in range(120, 0, -1):
        ratio, following = 1.0 / (a + (n + 1) * c * ratio), ratio
    return ratio, 2.0 * ratio * following


def _invert_hazard(exponential: FloatArray, a: float, root_c: float) -> FloatArray:
    """Solve H(w) = −log P(|w| > w) for H(w) = `exponential`: draws of |w| from draws of Exponential(1).

    H(w) = aw + ½cw² − log[erfcx((a + cw)/√(2c)) / erfcx(a/√(2c))] is convex and increasing, and
    aw + ½cw² lies below it, so that Newton's steps from that quadratic's root descend to the solution.
    """
    root_c = max(root_c, 1e-8 * a)  # c = 1e-16 a² is a Laplace prior to the last digit
    beta = a / root_c
    u = 2.0 * exponential / (beta + np.sqrt(beta**2 + 2.0 * exponential))
    log_start = np.log(erfcx(beta / math.sqrt(2.0)))
    for _ in range(8):
        tail = erfcx((beta + u) / math.sqrt(2.0))
        hazard = beta * u + 0.5 * u**2 - (np.log(tail) - log_start)
        u = np.maximum(u - (hazard - exponential) * tail * math.sqrt(0.5 * math.pi), 0.0)
    return u / root_c
