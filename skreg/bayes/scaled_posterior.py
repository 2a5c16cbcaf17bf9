"""A posterior in the units a sampler works in: columns and target of norm near one, the prior with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx

from skreg.bayes.noise import NoiseModel
from skreg.linear_model.energy import Energy
from skreg.penalties import L1
from skreg.solvers.column_penalty import ColumnPenalty
from skreg.solvers.least_squares import LeastSquares, least_squares

__all__ = ["ScaledPosterior", "scaled_posterior"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScaledPosterior:
    """p(w, σ² | y) ∝ (σ²)^−(a₀+m/2+1) exp(−(b₀ + ½‖b − Aw‖²)/σ²) p(w | σ²), the intercept integrated out.

    Parameters
    ----------
    problem : LeastSquares
        ½‖b − Aw‖² with its units.
    penalty : ColumnPenalty
        l1 and l2 of the prior's exponent, in those units: divided by σ² (``"known"``, ``"variance-scaled"``),
        by σ̂² (``"plug-in"``) or by σ (``"sd-scaled"``).
    noise : NoiseModel
        The contract, its numbers in the units of the data.
    factors : ndarray of shape (n_features,)
        Penalty weights vⱼ.
    degrees : int
        m: rows of positive weight, less one if there is an intercept.
    """

    problem: LeastSquares
    penalty: ColumnPenalty
    noise: NoiseModel
    factors: FloatArray
    degrees: int

    @property
    def n_features(self) -> int:
        """Number of coefficients."""
        return self.problem.n_features

    @property
    def unit(self) -> float:
        """What a number in the units of y is multiplied by."""
        return float(self.problem.y_scale[0])

    @property
    def prior(self) -> tuple[float, float]:
        """a₀ and b₀ of σ² ~ InvGamma(a₀, b₀), scaled; zeros if σ is known."""
        a0, b0 = self.noise.prior or (0.0, 0.0)
        return a0, b0 * self.unit * self.unit

    @property
    def given_variance(self) -> float:
        """σ² if it is known, σ̂² under the plug-in contract, scaled; else NaN."""
        sigma = self.noise.sigma
        return math.nan if sigma is None else (sigma * self.unit) ** 2

    def divisor(self, variance: FloatArray | float) -> Any:
        """Return what the penalty is divided by in the prior's exponent: σ², σ̂² or σ."""
        if self.noise.contract == "plug-in":
            return self.given_variance
        return np.sqrt(variance) if self.noise.contract == "sd-scaled" else variance

    @property
    def shape(self) -> float:
        """a₀ + m/2, the likelihood's part of σ²'s inverse Gamma."""
        return self.prior[0] + 0.5 * self.degrees

    @cached_property
    def penalized(self) -> NDArray[np.bool_]:
        """Which features have a prior that is not flat."""
        return ~self.penalty.free

    @property
    def n_penalized(self) -> int:
        """d₁, how many there are."""
        return int(np.count_nonzero(self.penalized))

    @property
    def is_net(self) -> bool:
        """Whether both norms are penalised, so that the prior's normaliser is not a power of σ²."""
        return bool(np.any(self.penalty.l1 > 0) and np.any(self.penalty.l2 > 0))

    @cached_property
    def net_ratios(self) -> tuple[FloatArray, FloatArray]:
        """λ₁√v/√λ₂ of each distinct penalty weight v > 0, and how many features have it."""
        weight, count = np.unique(self.factors[self.penalized], return_counts=True)
        first = np.flatnonzero(self.penalized)[0]
        l1, l2 = self.penalty.l1[first], self.penalty.l2[first]
        ratio = l1 / np.sqrt(l2 * self.factors[first])
        return ratio * np.sqrt(weight), count.astype(np.float64)

    def log_normalizer(self, divisor: FloatArray | float, multiple: FloatArray | float = 1.0) -> Any:
        """Sum log Z of the prior exp(−ν·penalty/divisor)/Z over the features, up to a constant.

        Parameters
        ----------
        divisor : ndarray or float
            See the method of that name.
        multiple : ndarray or float
            ν, what alpha has been multiplied by.
        """
        log_rate = np.log(multiple) - np.log(divisor)
        if not self.is_net:
            return -log_rate * (self.n_penalized if np.any(self.penalty.l1 > 0) else 0.5 * self.n_penalized)
        # log Z = ½ log(divisor/ν) + log M(t) + …, t = λ₁√ν/√(λ₂·divisor), M being Mills' ratio.
        total = -0.5 * self.n_penalized * log_rate
        for ratio, count in zip(*self.net_ratios, strict=True):
            total = total + count * np.log(erfcx(np.exp(0.5 * log_rate) * ratio / math.sqrt(2.0)))
        return total

    def log_density(
        self,
        variance: FloatArray,
        half: FloatArray,
        penalty: FloatArray,
        multiple: FloatArray | float = 1.0,
    ) -> FloatArray:
        """Return log p(w, σ² | y) up to a constant.

        Parameters
        ----------
        variance : ndarray
            σ².
        half : ndarray
            ½‖b − Aw‖².
        penalty : ndarray
            Σⱼ (l1ⱼ|wⱼ| + ½ l2ⱼ wⱼ²), alpha's multiple included.
        multiple : ndarray or float
            What alpha has been multiplied by.
        """
        if self.noise.contract == "known":
            return -(half + penalty) / variance - self.log_normalizer(variance, multiple)
        divisor = self.divisor(variance)
        prior = -penalty / divisor - self.log_normalizer(divisor, multiple)
        return prior - (self.shape + 1.0) * np.log(variance) - (self.prior[1] + half) / variance

    def to_data(self, w: FloatArray) -> FloatArray:
        """Coefficients (…, n_features) of the data from scaled ones."""
        flat = w.reshape(-1, self.n_features)
        return self.problem.coef_to_data(flat.T).reshape(w.shape)


def scaled_posterior(energy: Energy, noise: NoiseModel) -> ScaledPosterior:
    """Bring the posterior of an energy under a noise contract into a sampler's units.

    Parameters
    ----------
    energy : Energy
        The penalty and the data.
    noise : NoiseModel
        What σ is and what the prior's scale hangs on.

    Returns
    -------
    ScaledPosterior
        See there.
    """
    p = energy.n_features
    problem = least_squares(
        energy.X, energy.y[:, None], energy.sample_weight, fit_intercept=energy.fit_intercept
    )
    penalty = problem.penalty_of(energy.penalty, 0)
    if noise.rate is not None:
        rate = L1(noise.rate, factors=energy.penalty.factors, positive=energy.penalty.positive)
        penalty = problem.penalty_of(rate, 0)._replace(l2=np.zeros(p))
        penalty = penalty._replace(l1=penalty.l1 / problem.y_scale[0])  # a rate per σ, not per σ²
    factors = np.ones(p) if energy.penalty.factors is None else np.asarray(energy.penalty.factors)
    return ScaledPosterior(problem, penalty, noise, factors, energy.n_samples - int(energy.fit_intercept))
