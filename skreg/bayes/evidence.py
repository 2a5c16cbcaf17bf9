"""The evidence of Ridge, log p(y | alpha), in closed form for every alpha from one eigendecomposition.

The intercept and the unpenalised coefficients are integrated out against the density 1 (a flat prior, which
is no distribution): evidences compare alphas and contracts, and models with the same flat part.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import gammaln

from skreg.bayes.eigenbasis import Eigenbasis, check_ridge
from skreg.bayes.inverse_cdf import TabulatedDensity
from skreg.bayes.noise import NoiseModel
from skreg.execution.blas import one_blas_thread
from skreg.linear_model.energy import Energy

__all__ = [
    "EvidenceMaximum",
    "ScaledNoise",
    "log_evidence",
    "log_marginal",
    "maximize_evidence",
    "tabulated_plug_in",
]

FloatArray = NDArray[np.float64]

# Where log κ is looked for, in units in which the largest column of the penalised features has norm 1: about
# as far as the squares of float64 reach.
_LOG_KAPPA = 600.0
# A search for the best alpha goes this factor beyond the eigenvalues, with this many points for each e-fold.
_BEYOND, _PER_E_FOLD = 1e8, 4


@dataclass(frozen=True)
class ScaledNoise:
    """A noise contract in the scaled units of an eigenbasis.

    Parameters
    ----------
    contract : {"known", "variance-scaled", "plug-in"}
        Which contract.
    sigma : float
        σ if it is known, σ̂ under plug-in, else NaN.
    shape, rate : float
        a₀ and b₀ of σ² ~ InvGamma(a₀, b₀); NaN if σ is known.
    """

    contract: str
    sigma: float
    shape: float
    rate: float

    @classmethod
    def of(cls, noise: NoiseModel, basis: Eigenbasis) -> ScaledNoise:
        """Translate a contract, and check that it makes a proper posterior.

        Raises
        ------
        ValueError
            If the contract is that of the Lasso, or the posterior of σ² is improper.
        """
        if noise.contract == "sd-scaled":
            raise ValueError("noise=SDScaled(rate) is a contract of the Lasso, not of Ridge.")
        sigma = math.nan if noise.sigma is None else noise.sigma * basis.y_scale
        if noise.prior is None:
            return cls(noise.contract, sigma, math.nan, math.nan)
        a0, b0 = noise.prior
        b0 = (math.sqrt(b0) * basis.y_scale) ** 2
        seen = noise.contract == "variance-scaled" and np.any(basis.projections != 0.0)
        if not (a0 + 0.5 * basis.dof > 0 and (b0 > 0 or basis.outside > 0 or seen)):
            raise ValueError(
                f"noise_prior={noise.prior} leaves σ² an improper posterior: the data do not bound it under "
                f"the {noise.contract} contract. Give noise_prior a shape and a scale > 0."
            )
        return cls(noise.contract, sigma, a0, b0)

    def posterior_shape(self, basis: Eigenbasis) -> float:
        """a₀ + dof/2, the shape of σ² | y, κ under the variance-scaled contract."""
        return self.shape + 0.5 * basis.dof

    @property
    def log_constant(self) -> float:
        """The log normalising constant of the prior of σ²; 0 for the improper (0, 0) and a known σ."""
        if not self.shape > 0:
            return 0.0
        return self.shape * math.log(self.rate) - float(gammaln(self.shape))


def log_marginal(basis: Eigenbasis, noise: ScaledNoise, kappa: FloatArray) -> FloatArray:
    """Compute log p(y | κ) under a known σ or the variance-scaled contract.

    p(y | κ, σ²) = e^volume (2πσ²)^(−dof/2) Π(1 + dᵢ/κ)^−½ exp(−E(κ)/σ²), over which σ² ~ InvGamma(a₀, b₀) is
    integrated; under the improper prior (0, 0), which has no constant, over dσ²/σ².

    Parameters
    ----------
    basis : Eigenbasis
        The decomposition.
    noise : ScaledNoise
        Its contract is not "plug-in".
    kappa : ndarray of shape (k,)
        κ > 0; infinity is the model without penalised features.

    Returns
    -------
    ndarray of shape (k,)
        Log evidences in the units of the data.
    """
    energy = basis.least_energy(kappa)
    constant = (
        basis.log_volume - 0.5 * basis.dof * math.log(2.0 * math.pi) - 0.5 * basis.log_determinant(kappa)
    )
    if noise.contract == "known":
        return constant - basis.dof * math.log(noise.sigma) - energy / noise.sigma / noise.sigma
    shape = noise.posterior_shape(basis)
    constant = constant + noise.log_constant + float(gammaln(shape))
    return constant - shape * np.log(noise.rate + energy)


def tabulated_plug_in(basis: Eigenbasis, noise: ScaledNoise, strength: float) -> TabulatedDensity:
    """Tabulate p(y, log κ) under the plug-in contract, in which σ² = κ σ̂²/λ.

    Parameters
    ----------
    basis : Eigenbasis
        The decomposition.
    noise : ScaledNoise
        The plug-in contract.
    strength : float
        λ, in the units of κ.

    Returns
    -------
    TabulatedDensity
        Over log κ; its `log_total` is the log evidence.
    """
    shape, log_sigma = noise.posterior_shape(basis), math.log(noise.sigma)
    constant = basis.log_volume - 0.5 * basis.dof * math.log(2.0 * math.pi) + noise.log_constant

    def log_density(log_kappa: FloatArray) -> FloatArray:
        kappa = np.exp(log_kappa)
        log_variance = log_kappa - math.log(strength) + 2.0 * log_sigma
        with np.errstate(over="ignore"):
            misfit = (noise.rate + basis.least_energy(kappa)) * np.exp(-log_variance)
        return constant - shape * log_variance - 0.5 * basis.log_determinant(kappa) - misfit

    return tabulated_over_kappa(log_density, math.log(strength))


def tabulated_over_kappa(
    log_density: Callable[[FloatArray], FloatArray], centre: float = 0.0
) -> TabulatedDensity:
    """Tabulate a density of log κ as far as float64 reaches."""
    low, high = max(centre - _LOG_KAPPA, -_LOG_KAPPA - 50.0), min(centre + _LOG_KAPPA, _LOG_KAPPA + 50.0)
    try:
        return TabulatedDensity(log_density, low, high)
    except ValueError as error:
        raise ValueError(
            "The posterior of alpha or σ² reaches beyond what float64 holds, or does not exist: take an "
            "alpha nearer the scale of the data, or a noise_prior or alpha_prior of larger shape."
        ) from error


def log_evidence(energy: Energy, noise: NoiseModel, alphas: ArrayLike) -> FloatArray:
    """Compute log p(y | alpha) of Ridge.

    Parameters
    ----------
    energy : Energy
        The estimator and its data, with l1 = 0 and without a sign constraint; its own alpha plays no part,
        but for the σ̂ in `noise` under plug-in.
    noise : NoiseModel
        The noise contract: known, variance-scaled or plug-in.
    alphas : array-like
        scikit-learn's alphas, > 0; infinity is the model without penalised features (not under plug-in).

    Returns
    -------
    ndarray of the shape of `alphas`
        Natural logarithms of densities in the units of y. The intercept and unpenalised coefficients have
        the flat prior of density 1; under noise_prior=(0, 0) σ² has the density 1/σ², so that
        only differences mean something.

    Raises
    ------
    ValueError
        If the penalty is not that of a ridge, an alpha is not > 0, or the posterior is improper.

    References
    ----------
    MacKay, D. J. C. (1992). Bayesian interpolation, Neural Computation 4(3), 415-447; Bishop, C. M. (2006).
    Pattern Recognition and Machine Learning, eq. 3.86.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg import Ridge, energy_of
    >>> energy = energy_of(Ridge(fit_intercept=False), np.array([[1.0], [2.0]]), np.array([1.0, 0.0]))
    >>> value = log_evidence(energy, NoiseModel("known", sigma=1.0), [1.0])
    >>> from scipy.stats import multivariate_normal
    >>> bool(np.isclose(value[0], multivariate_normal(cov=[[2.0, 2.0], [2.0, 5.0]]).logpdf([1.0, 0.0])))
    True
    """
    check_ridge(energy)
    alphas = np.asarray(alphas, dtype=np.float64)
    highest = math.inf if noise.contract != "plug-in" else np.finfo(np.float64).max
    if not np.all((alphas > 0) & (alphas <= highest)):
        raise ValueError(f"alphas must be numbers > 0, got {alphas!r}.")
    if alphas.size == 0:
        return np.zeros(alphas.shape)
    basis = Eigenbasis(energy, float(alphas.min()) * energy.alpha_scale)
    scaled = ScaledNoise.of(noise, basis)
    kappa = alphas.ravel() * (energy.alpha_scale * basis.kappa_unit)
    with one_blas_thread():
        if noise.contract == "plug-in":
            values = np.array([tabulated_plug_in(basis, scaled, k).log_total for k in kappa])
        else:
            values = log_marginal(basis, scaled, kappa)
    return values.reshape(alphas.shape)


@dataclass(frozen=True)
class EvidenceMaximum:
    """Where the evidence of a ridge is largest.

    Parameters
    ----------
    alpha : float
        scikit-learn's alpha; 0 or infinity if the evidence rises all the way there.
    log_evidence : float
        Its logarithm there, or the limit.
    where : {"interior", "zero", "infinity"}
        Whether there is a maximum, or the evidence is largest in a limit: at infinity no penalised feature
        earns its place, at zero the prior only restrains.
    """

    alpha: float
    log_evidence: float
    where: Literal["interior", "zero", "infinity"]


def maximize_evidence(energy: Energy, noise: NoiseModel) -> EvidenceMaximum:
    """Find the alpha of largest evidence (type II maximum likelihood, empirical Bayes).

    Parameters
    ----------
    energy : Energy
        The estimator and its data, with l1 = 0 and without a sign constraint; its own alpha plays no part.
    noise : NoiseModel
        The noise contract: known or variance-scaled.

    Returns
    -------
    EvidenceMaximum
        The best of every local maximum of a fine grid, polished, and of the limits.

    Raises
    ------
    ValueError
        If the penalty is not that of a ridge, the posterior is improper, or the contract is plug-in, whose
        σ̂ belongs to one alpha.

    References
    ----------
    MacKay, D. J. C. (1992). Bayesian interpolation, Neural Computation 4(3), 415-447.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg import Ridge, energy_of
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 200))
    >>> y = X @ rng.normal(size=200) + rng.normal(size=500)  # of equal variances: alpha = 1
    >>> best = maximize_evidence(energy_of(Ridge(), X, y), NoiseModel("known", sigma=1.0))
    >>> best.where, round(best.alpha, 1)
    ('interior', 1.1)
    """
    check_ridge(energy)
    if noise.contract == "plug-in":
        raise ValueError(
            "The plug-in contract fixes σ̂ at one alpha, so that its evidence does not choose another: take "
            'noise="variance-scaled", or a number for σ.'
        )
    basis = Eigenbasis(energy, 0.0)
    scaled = ScaledNoise.of(noise, basis)

    def value(log_kappa: FloatArray) -> FloatArray:
        return log_marginal(basis, scaled, np.exp(log_kappa))

    with one_blas_thread():
        largest, smallest = basis.values.max(initial=0.0), basis.values.min(initial=math.inf)
        at_infinity = float(log_marginal(basis, scaled, np.array([math.inf]))[0])
        if largest == 0.0:  # the evidence is the same for every alpha
            return EvidenceMaximum(math.inf, at_infinity, "infinity")
        low, high = math.log(smallest / _BEYOND), math.log(largest * _BEYOND)
        grid = np.linspace(low, high, int((high - low) * _PER_E_FOLD) + 1)
        heights = value(grid)
        best = EvidenceMaximum(math.inf, at_infinity, "infinity")
        if heights[0] > max(best.log_evidence, heights.max() - 1e-9):
            best = EvidenceMaximum(0.0, float(heights[0]), "zero")
        is_mode = (heights[1:-1] >= heights[:-2]) & (heights[1:-1] >= heights[2:])
        for i in np.flatnonzero(is_mode) + 1:
            found = minimize_scalar(
                lambda at: -float(value(np.array([at]))[0]),
                bounds=(grid[i - 1], grid[i + 1]),
                method="bounded",
                options={"xatol": 1e-9},
            )
            # Rounding is no maximum.
            if -found.fun > best.log_evidence + 1e-10 * (1.0 + abs(best.log_evidence)):
                alpha = math.exp(found.x) / basis.kappa_unit / energy.alpha_scale
                best = EvidenceMaximum(alpha, -float(found.fun), "interior")
    return best
