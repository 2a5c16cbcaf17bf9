"""A posterior in the units a sampler works in: columns and target near one, the prior's rates with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

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

# Of the largest singular value: what is below it is rank that rounding made.
_RANK = 1e-10


@dataclass(frozen=True, eq=False)
class ScaledPosterior:
    """p(w, σ² | y) ∝ (σ²)^−(a₀+m/2+1) exp(−(b₀ + ½‖b − Aw‖²)/σ²) · prior(w | σ²), without the intercept.

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
    def sigma(self) -> float:
        """The known σ or the estimate σ̂, scaled; NaN if there is none."""
        return math.nan if self.noise.sigma is None else self.noise.sigma * self.unit

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

    def log_normalizer(self, variance: FloatArray | float, scale: FloatArray | float = 1.0) -> FloatArray:
        """Sum log Z of the prior exp(−ν·penalty/variance)/Z over the features, up to a constant.

        Parameters
        ----------
        variance : ndarray or float
            What the penalty is divided by.
        scale : ndarray or float
            ν, what alpha has been multiplied by.
        """
        log_rate = np.log(scale) - np.log(variance)
        if not self.is_net:
            return -log_rate * (self.n_penalized if np.any(self.penalty.l1 > 0) else 0.5 * self.n_penalized)
        # log Z = ½ log(variance/ν) + log M(t) + …, t = √ν λ₁/(√λ₂ √variance), M being Mills' ratio.
        root = np.exp(0.5 * log_rate)
        total = -0.5 * self.n_penalized * log_rate
        for ratio, count in zip(*self.net_ratios, strict=True):
            total = total + count * np.log(erfcx(root * ratio / np.sqrt(2.0)))
        return total

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

    Raises
    ------
    ValueError
        If the posterior is not a distribution.
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
    target = ScaledPosterior(problem, penalty, noise, factors, energy.n_samples - int(energy.fit_intercept))
    _check_proper(target, energy)
    return target


def _check_proper(target: ScaledPosterior, energy: Energy) -> None:
    problem, free = target.problem, np.flatnonzero(~target.penalized)
    if free.size == target.n_features:
        raise ValueError(
            f"{energy.label} penalises nothing, and a flat prior is not a distribution: take alpha > 0 (a "
            "small one, such as 1e-6, hardly shrinks), or write the prior you mean with to_pymc."
        )
    if free.size and (
        free.size > target.degrees or np.linalg.matrix_rank(problem.columns(free), tol=_RANK) < free.size
    ):
        raise ValueError(
            "The features whose penalty_weights are 0 have flat priors, and their columns are collinear (or "
            "constant, or more than the rows): the posterior is not a distribution. Give them weights > 0."
        )
    if target.noise.prior is None:
        return
    # A prior that scales with σ keeps σ from zero, unless features without one fit y exactly. One of fixed
    # scale does not: the likelihood is ‖r‖^−m then, and has too high a pole wherever r can be zero.
    fixed = target.noise.contract == "plug-in"
    without_scale = np.arange(target.n_features) if fixed else free
    if target.prior[1] == 0 and _is_fitted_exactly(problem, without_scale):
        if problem.b_squared[0] == 0:
            why = "a constant y"
        else:
            why = "features that fit y exactly" + ("" if fixed else " and are not penalised")
        raise ValueError(
            f"noise_prior=(0, 0) with {why} lets σ be zero: the posterior is not a distribution. "
            "Take (a0, b0) > 0, such as the default."
        )
    if target.shape - 0.5 * free.size <= 0:
        raise ValueError(
            f"noise_prior=(0, 0) leaves σ undetermined by {energy.n_samples} rows: take (a0, b0) > 0."
        )


def _is_fitted_exactly(problem: LeastSquares, index: NDArray[np.intp]) -> bool:
    """Whether b is a combination of the columns `index`, to rounding."""
    b = problem.b[:, 0]
    columns = problem.columns(index)
    left = b - columns @ np.linalg.lstsq(columns, b, rcond=None)[0] if index.size else b
    return bool(left @ left <= _RANK**2 * problem.b_squared[0])
