"""The law of κ = λ₂σ²/τ, the strength of the penalty beside the noise, and of σ², under each noise contract.

τ is the variance parameter of the prior N(0, τ/(λ₂vⱼ)). At most κ needs numbers, one-dimensional ones:

- known σ: κ = λ₂, nothing is drawn;
- variance-scaled: κ = λ₂, σ² | y ~ InvGamma(a₀ + dof/2, b₀ + E(κ)), E(κ) the least energy;
- plug-in: τ = σ̂², so σ² = κσ̂²/λ₂, and κ has a one-dimensional density in closed form;
- alpha ~ Gamma(shape, rate): κ has a density in closed form, and σ² | κ is known or inverse-gamma; under
  plug-in too, where λ₂ = κσ̂²/σ² makes the prior of alpha one more inverse-gamma factor of σ².
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, gammaln

from skreg.bayes.eigenbasis import Eigenbasis
from skreg.bayes.evidence import ScaledNoise, log_marginal, tabulated_over_kappa, tabulated_plug_in
from skreg.bayes.inverse_cdf import TabulatedDensity
from skreg.bayes.noise import NoiseModel
from skreg.linear_model.energy import Energy

__all__ = ["StrengthLaw", "check_alpha_prior", "smallest_strength", "strength_law"]

FloatArray = NDArray[np.float64]

# Digits are kept for σ² down to this part of the plug-in estimate, and alpha down to this quantile.
_SMALLEST_VARIANCE, _SMALLEST_QUANTILE = 1e-4, 1e-6


@dataclass(frozen=True, eq=False)
class StrengthLaw:
    """The law of κ and σ², in scaled units: κ from a table or known, then σ² | κ.

    Parameters
    ----------
    table : TabulatedDensity or None
        Of log κ, if κ is unknown.
    kappa : float
        κ if it is known, else NaN.
    shape : float
        σ² | κ is InvGamma(shape, rate(κ)), or rate(κ) itself where this is infinite.
    rate : callable
        Maps κ of shape (k,) to rates of that shape.
    log_evidence : float
        log p(y) in the units of the data.
    alpha_per_kappa, plug_in : float
        alpha is κ times the first, and times σ̂²/σ² if the second, σ̂, is given; NaN where they play no part.
    """

    table: TabulatedDensity | None
    kappa: float
    shape: float
    rate: Callable[[FloatArray], FloatArray]
    log_evidence: float
    alpha_per_kappa: float = math.nan
    plug_in: float = math.nan

    @property
    def has_alpha(self) -> bool:
        """Whether alpha is unknown."""
        return not math.isnan(self.alpha_per_kappa)

    @property
    def points(self) -> FloatArray:
        """Values of κ that with `weights` make a quadrature."""
        return np.array([self.kappa]) if self.table is None else np.exp(self.table.points[self._matter])

    @property
    def weights(self) -> FloatArray:
        """Probabilities of `points`."""
        return np.ones(1) if self.table is None else self.table.weights[self._matter]

    @property
    def _matter(self) -> NDArray[np.bool_]:
        assert self.table is not None
        return self.table.weights > 1e-20

    @property
    def dof(self) -> float:
        """Degrees of freedom of the Student-t of the coefficients; NaN for a mixture of many."""
        return 2.0 * self.shape if self.table is None else math.nan

    def squared_scale(self, kappa: FloatArray) -> FloatArray:
        """Return rate/shape, the squared scale of the Student-t that noise has given κ; σ² if it is known."""
        return self.rate(kappa) / (1.0 if math.isinf(self.shape) else self.shape)

    @property
    def inflation(self) -> float:
        """A Student-t's variance over its squared scale, infinite if it has none: E σ² over rate/shape."""
        if math.isinf(self.shape):
            return 1.0
        return self.shape / (self.shape - 1.0) if self.shape > 1.0 else math.inf

    def draw(self, rng: np.random.Generator, draws: int) -> tuple[FloatArray, FloatArray]:
        """Draw κ and σ."""
        kappa = np.full(draws, self.kappa)
        if self.table is not None:
            kappa = np.exp(self.table.quantile(rng.random(draws)))
        variance = self.rate(kappa if self.table is not None else kappa[:1]) * np.ones(draws)
        if not math.isinf(self.shape):
            variance /= rng.standard_gamma(self.shape, draws)
        return kappa, np.sqrt(variance)

    def alpha(self, kappa: FloatArray, sigma: FloatArray) -> FloatArray:
        """Return scikit-learn's alpha of draws of κ and σ."""
        ratio = 1.0 if math.isnan(self.plug_in) else (self.plug_in / sigma) ** 2
        return kappa * ratio * self.alpha_per_kappa


def strength_law(
    basis: Eigenbasis, energy: Energy, noise: ScaledNoise, alpha_prior: tuple[float, float] | None
) -> StrengthLaw:
    """Find the law of κ and σ² under a contract.

    Parameters
    ----------
    basis : Eigenbasis
        The decomposition.
    energy : Energy
        The estimator, whose alpha it is unless that has a prior.
    noise : ScaledNoise
        The contract.
    alpha_prior : tuple of two floats or None
        (shape, rate) of alpha ~ Gamma(shape, rate).

    Returns
    -------
    StrengthLaw
        In the units of the basis.
    """
    posterior_shape = math.inf if noise.contract == "known" else noise.posterior_shape(basis)

    def variance_rate(kappa: FloatArray) -> FloatArray:
        if noise.contract == "known":
            return np.full(kappa.shape, noise.sigma * noise.sigma)
        return noise.rate + basis.least_energy(kappa)

    strength = energy.penalty.l2 * basis.kappa_unit
    if alpha_prior is None:
        if noise.contract != "plug-in":
            evidence = float(log_marginal(basis, noise, np.array([strength]))[0])
            return StrengthLaw(None, strength, posterior_shape, variance_rate, evidence)
        table = tabulated_plug_in(basis, noise, strength)
        ratio = noise.sigma * noise.sigma / strength
        return StrengthLaw(table, math.nan, math.inf, lambda kappa: kappa * ratio, table.log_total)

    shape, rate = alpha_prior
    # alpha = κ · per_kappa, times σ̂²/σ² under plug-in
    per_kappa = 1.0 / (energy.alpha_scale * basis.kappa_unit)
    log_prior = shape * math.log(rate) - float(gammaln(shape)) + shape * math.log(per_kappa)
    if noise.contract != "plug-in":

        def log_density(log_kappa: FloatArray) -> FloatArray:
            kappa = np.exp(log_kappa)
            with np.errstate(over="ignore"):
                prior = log_prior + shape * log_kappa - rate * per_kappa * kappa
            return prior + log_marginal(basis, noise, kappa)

        table = tabulated_over_kappa(log_density)
        return StrengthLaw(table, math.nan, posterior_shape, variance_rate, table.log_total, per_kappa)

    # With κ in place of alpha, σ² is inverse-gamma again: alpha's prior adds to its shape and its rate.
    variance = noise.sigma * noise.sigma
    joint_shape = posterior_shape + shape
    log_prior += 2.0 * shape * math.log(noise.sigma) + noise.log_constant + float(gammaln(joint_shape))
    log_prior += basis.log_volume - 0.5 * basis.dof * math.log(2.0 * math.pi)

    def joint_rate(kappa: FloatArray) -> FloatArray:
        with np.errstate(over="ignore"):
            return noise.rate + basis.least_energy(kappa) + rate * per_kappa * variance * kappa

    def log_joint(log_kappa: FloatArray) -> FloatArray:
        kappa = np.exp(log_kappa)
        return (
            log_prior
            + shape * log_kappa
            - 0.5 * basis.log_determinant(kappa)
            - joint_shape * np.log(joint_rate(kappa))
        )

    table = tabulated_over_kappa(log_joint)
    return StrengthLaw(table, math.nan, joint_shape, joint_rate, table.log_total, per_kappa, noise.sigma)


def smallest_strength(energy: Energy, noise: NoiseModel, alpha_prior: tuple[float, float] | None) -> float:
    """Find the smallest λ₂σ²/τ for which digits must be kept."""
    smallest = energy.penalty.l2
    if alpha_prior is not None:
        shape, rate = alpha_prior
        smallest = energy.alpha_scale * float(gammaincinv(shape, _SMALLEST_QUANTILE)) / rate
    return smallest * _SMALLEST_VARIANCE if noise.contract == "plug-in" else smallest


def check_alpha_prior(alpha_prior: Any) -> tuple[float, float]:
    """Return (shape, rate) as floats; a TypeError or ValueError says what else came."""
    wanted = "alpha_prior must be two finite numbers > 0, the (shape, rate) of alpha ~ Gamma(shape, rate)"
    try:
        shape, rate = (float(number) for number in alpha_prior)
    except (TypeError, ValueError):
        raise TypeError(f"{wanted}; got {alpha_prior!r}.") from None
    if not (math.isfinite(shape) and math.isfinite(rate) and shape > 0 and rate > 0):
        raise ValueError(f"{wanted}; got {alpha_prior!r}.")
    return shape, rate
