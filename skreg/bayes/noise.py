"""The noise contracts: what σ is, and what the prior's scale hangs on.

- a number: σ is known, and the prior has variance parameter σ².
- ``"variance-scaled"``: σ² is unknown and scales the prior too; the modes agree whatever σ² is.
- ``"plug-in"``: σ² is unknown in the likelihood, and the prior's scale is fixed at an estimate σ̂²; the
  modes agree at σ = σ̂.
- ``SDScaled(rate)``: σ² is unknown, and the Lasso's prior scales with σ instead of σ²; its rate takes the
  place of alpha, and the modes agree for no σ in particular.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from skreg.execution.blas import one_blas_thread
from skreg.linear_model.energy import Energy
from skreg.solvers.elastic_net import solve_elastic_net
from skreg.solvers.least_squares import least_squares

__all__ = [
    "Noise",
    "NoiseModel",
    "SDScaled",
    "degrees_of_freedom",
    "noise_model",
    "plug_in_variance",
    "typical_size",
]

FloatArray = NDArray[np.float64]
# σ² up to this many times σ̂² is near it.
_NEAR = 4.0
Contract = Literal["known", "variance-scaled", "plug-in", "sd-scaled"]


@dataclass(frozen=True)
class SDScaled:
    """The contract of the original Bayesian Lasso: coef | σ ~ Laplace(0, scale σ/rate).

    Parameters
    ----------
    rate : float
        The Laplace prior's rate λ > 0 in units of σ; it takes the place of the estimator's alpha.

    Raises
    ------
    ValueError
        If `rate` is not a finite number > 0.

    References
    ----------
    Park, T. and Casella, G. (2008). The Bayesian Lasso, JASA 103(482), 681-686.

    Examples
    --------
    >>> SDScaled(rate=0.237)
    SDScaled(rate=0.237)
    """

    rate: float

    def __post_init__(self) -> None:
        if not (_is_number(self.rate) and math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"rate must be a finite number > 0, got {self.rate!r}.")


Noise = float | str | SDScaled | None


@dataclass(frozen=True)
class NoiseModel:
    """A noise contract with its numbers.

    Parameters
    ----------
    contract : {"known", "variance-scaled", "plug-in", "sd-scaled"}
        Which contract.
    sigma : float or None
        The known σ, or the estimate σ̂ of the plug-in contract, in the units of y; None if the prior
        scales with an unknown σ.
    prior : tuple of two floats or None
        (a0, b0) of σ² ~ InvGamma(a0, b0), b0 in the units of y²; None if σ is known.
    rate : float or None
        The rate of an `SDScaled` contract, else None.
    """

    contract: Contract
    sigma: float | None = None
    prior: tuple[float, float] | None = None
    rate: float | None = None

    def __str__(self) -> str:
        if self.prior is None:
            return f"σ = {self.sigma:.4g}, known"
        unknown = "σ² ~ InvGamma({:.4g}, {:.4g})".format(*self.prior)
        if self.rate is not None:
            return f"sd-scaled, {unknown}, the prior's scale is σ/{self.rate:.4g}"
        if self.sigma is None:
            return f"variance-scaled, {unknown}, which scales the prior too"
        return f"plug-in, {unknown} with the prior's scale at σ̂ = {self.sigma:.4g}"


def noise_model(noise: Any, noise_prior: Any, energy: Energy, *, proper: bool = True) -> NoiseModel:
    """Read and check the parameters `noise` and `noise_prior`.

    Parameters
    ----------
    noise : float, {"variance-scaled", "plug-in"}, SDScaled or None
        σ (not σ²) if it is known, or one of the contracts for an unknown σ. None is ``"plug-in"`` where the
        fit leaves residual degrees of freedom to estimate σ from and the prior that is then scaled by σ̂ keeps
        σ near it, else ``"variance-scaled"``: what intervals cover under each decided it
        (docs/benchmarks/interval_coverage.md).
    noise_prior : tuple of two floats or None
        (a0, b0) of σ² ~ InvGamma(a0, b0). By default (½, ½ (s/10)²), where s² = Σ sᵢ(yᵢ − ȳ)²/n₊ is the
        variance of y: it weighs as much as one more row would whose residual is a tenth of the standard
        deviation of y. Nine tenths of it lie between 0.05 s and 1.6 s.
    energy : Energy
        The estimator and its data.
    proper : bool, default=True
        Whether the prior must be a distribution: (0, 0), the improper 1/σ², is then refused.

    Returns
    -------
    NoiseModel
        The contract with its numbers.

    Raises
    ------
    TypeError, ValueError
        If `noise` or `noise_prior` is none of those, or no residual degrees of freedom are left for
        the plug-in estimate.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Lasso
    >>> from skreg.linear_model.energy import energy_of
    >>> energy = energy_of(Lasso(alpha=0.1), np.arange(4.0)[:, None], np.array([0.0, 1.0, 3.0, 2.0]))
    >>> print(noise_model(2.0, None, energy))
    σ = 2, known
    >>> print(noise_model("variance-scaled", (1.0, 0.5), energy))
    variance-scaled, σ² ~ InvGamma(1, 0.5), which scales the prior too
    """
    variance = None
    if noise is None:
        variance, noise = _estimate_variance(energy)[0], "variance-scaled"
        if variance is not None and _keeps_near_estimate(
            energy, variance, _check_noise_prior(noise_prior, energy, proper=proper)
        ):
            noise = "plug-in"
    wanted = 'noise must be "variance-scaled", "plug-in", SDScaled(rate) or a number (σ, if it is known)'
    if isinstance(noise, SDScaled):
        if energy.penalty.l1 == 0 or energy.penalty.l2 != 0:
            raise ValueError(
                f"noise={noise!r} is a contract of the Lasso, and the estimator is {energy.label}: "
                'take noise="variance-scaled" or "plug-in".'
            )
        return NoiseModel(
            "sd-scaled", None, _check_noise_prior(noise_prior, energy, proper=proper), noise.rate
        )
    if isinstance(noise, str):
        if noise not in ("variance-scaled", "plug-in"):
            raise ValueError(f"{wanted}, got {noise!r}.")
        prior = _check_noise_prior(noise_prior, energy, proper=proper)
        if noise == "variance-scaled":
            return NoiseModel("variance-scaled", None, prior)
        return NoiseModel("plug-in", math.sqrt(variance or plug_in_variance(energy)), prior)
    if not _is_number(noise):
        raise TypeError(f"{wanted}, got {noise!r}.")
    if not (math.isfinite(noise) and noise > 0):
        raise ValueError(f"noise, the known σ, must be finite and > 0, got {noise!r}.")
    if noise_prior is not None:
        raise ValueError(
            f"noise_prior={noise_prior!r} has no use when noise={noise!r} says that σ is known: "
            "leave noise_prior out, or choose a contract with an unknown σ."
        )
    return NoiseModel("known", float(noise), None)


def degrees_of_freedom(energy: Energy) -> float:
    """Count the effective parameters of a fit, its intercept included.

    The number of non-zero coefficients for the Lasso (of independent ones, if their columns are collinear);
    the trace of the hat matrix on the active set for Ridge and ElasticNet, Σ d²/(d² + λ₂) over the singular
    values d of the centred, weighted active columns; unpenalised features and the intercept count one each.

    Parameters
    ----------
    energy : Energy
        The estimator and its data; its own coefficients say which features are active.

    Returns
    -------
    float
        Between 0 and n₊ for a fit that is at its optimum.

    References
    ----------
    Zou, H., Hastie, T. and Tibshirani, R. (2007). On the "degrees of freedom" of the lasso, Annals of
    Statistics 35(5), 2173-2192; Tibshirani, R. J. and Taylor, J. (2012). Degrees of freedom in lasso
    problems, Annals of Statistics 40(2), 1198-1232; Hastie, T., Tibshirani, R. and Friedman, J. (2009). The
    Elements of Statistical Learning, eq. 3.50.
    """
    penalty, p = energy.penalty, energy.n_features
    everywhere = penalty.l1 == 0 and not penalty.positive  # nothing sets a coefficient to zero
    active = np.ones(p, dtype=bool) if everywhere else energy.coef != 0
    strength = penalty.l2_strengths(p)[active]
    total = float(energy.fit_intercept)
    if not np.any(strength > 0):
        return total + _rank(energy, np.flatnonzero(active))
    free = strength == 0
    with one_blas_thread():
        if np.any(free):
            eigenvalue = _eigenvalues_beside_free(energy, active)
        else:
            eigenvalue = _eigenvalues(energy, active)
    eigenvalue = np.maximum(eigenvalue, 0.0)
    return total + float(np.count_nonzero(free)) + float(np.sum(eigenvalue / (1.0 + eigenvalue)))


def _rank(energy: Energy, index: NDArray[np.intp]) -> float:
    """Count the linearly independent ones of the columns `index`, centred and weighted."""
    problem = least_squares(
        energy.X, energy.y[:, None], energy.sample_weight, fit_intercept=energy.fit_intercept
    )
    with one_blas_thread():
        gram = problem.gram(index, index)
        root = 1.0 / np.sqrt(np.where(gram.diagonal() > 0.0, gram.diagonal(), 1.0))
        # Eigenvalues are squares: half of the digits are rounding.
        return float(np.count_nonzero(np.linalg.eigvalsh(gram * root * root[:, None]) > 1e-12 * index.size))


def _eigenvalues(energy: Energy, active: NDArray[np.bool_]) -> FloatArray:
    """Eigenvalues of AL⁻¹Aᵀ: A the active columns, centred and weighted, L their strengths λ₂v."""
    problem = least_squares(
        energy.X, energy.y[:, None], energy.sample_weight, fit_intercept=energy.fit_intercept
    )
    strength = problem.penalty_of(energy.penalty, 0).l2
    index = np.flatnonzero(active)
    if index.size > energy.n_samples:
        kernel = problem.kernel(np.where(active, 1.0 / strength, 0.0))
        return np.asarray(np.linalg.eigvalsh(kernel), dtype=np.float64)
    root = 1.0 / np.sqrt(strength[index])
    gram = problem.gram(index, index) * root * root[:, None]
    return np.asarray(np.linalg.eigvalsh(gram), dtype=np.float64)


def _eigenvalues_beside_free(energy: Energy, active: NDArray[np.bool_]) -> FloatArray:
    """Do the same for the penalised ones of the active columns, projected off the unpenalised ones."""
    problem = least_squares(
        energy.X, energy.y[:, None], energy.sample_weight, fit_intercept=energy.fit_intercept
    )
    strength = problem.penalty_of(energy.penalty, 0).l2[active]
    columns, free = problem.columns(np.flatnonzero(active)), strength == 0
    basis, _ = np.linalg.qr(columns[:, free])
    shrunk = columns[:, ~free] / np.sqrt(strength[~free])
    shrunk -= basis @ (basis.T @ shrunk)
    gram = shrunk @ shrunk.T if shrunk.shape[0] < shrunk.shape[1] else shrunk.T @ shrunk
    return np.asarray(np.linalg.eigvalsh(gram), dtype=np.float64)


def plug_in_variance(energy: Energy) -> float:
    """Estimate the noise variance: σ̂² = Σ sᵢ rᵢ² / (n₊ − degrees of freedom).

    Parameters
    ----------
    energy : Energy
        The estimator and its data.

    Returns
    -------
    float
        σ̂² > 0, in the units of y².

    Raises
    ------
    ValueError
        If the fit leaves no degrees of freedom, or no residual.
    """
    variance, why = _estimate_variance(energy)
    if variance is None:
        raise ValueError(f'noise="plug-in" {why}: take noise="variance-scaled", or a number for σ.')
    return variance


def _estimate_variance(energy: Energy) -> tuple[float | None, str]:
    """Estimate σ̂², or say why it cannot be."""
    used = degrees_of_freedom(energy)
    left = energy.n_samples - used
    if left < 1e-8 * energy.n_samples:
        return None, (
            f"needs residual degrees of freedom, and {energy.label} uses {used:.6g} of "
            f"{energy.n_samples} rows (a larger alpha uses fewer)"
        )
    variance = float(energy.sample_weight @ energy.residual(energy.coef) ** 2) / left
    if not variance > (1e-14 * typical_size(energy)) ** 2:
        return None, f"estimates σ from the residuals, and {energy.label} leaves none"
    return variance, ""


def _keeps_near_estimate(energy: Energy, variance: float, noise_prior: tuple[float, float]) -> bool:
    """Ask whether the posterior of the plug-in contract has σ near the σ̂ = √variance that scales its prior.

    Under a strong signal σ̂²/λ may be a prior that coefficients as large as the estimator's contradict by more
    than a good fit is worth: they are then drawn near zero, and σ near the standard deviation of y. At
    σ² = κσ̂² the coefficients' mode is the solution at κ times the penalty, so that but for a constant

        log p(σ² = κσ̂² | y) ≈ −(a₀ + m/2) log κ − (b₀ + E_κ)/(κσ̂²) + ½ ∫ df(κ) d log κ,

    E_κ the least energy there, and the integral the volume that the coefficients gain (Laplace's method).
    """
    (a0, b0), n, intercept = noise_prior, energy.n_samples, int(energy.fit_intercept)
    shape, log_two = a0 + 0.5 * (n - intercept), math.log(2.0)
    # The degrees of freedom, taken back out of σ̂² = Σ s r²/(n₊ − df), since they cost a decomposition.
    used = n - intercept - float(energy.sample_weight @ energy.residual(energy.coef) ** 2) / variance
    exponent = (b0 + energy.value(energy.coef)) / variance
    if exponent < (shape - 0.5 * used) * math.log(_NEAR):  # all there is to gain is less than what is lost
        return True
    problem = least_squares(
        energy.X, energy.y[:, None], energy.sample_weight, fit_intercept=energy.fit_intercept
    )
    kappa, volume, near, far = 1.0, 0.0, -exponent, -math.inf
    while kappa * variance < 4.0 * typical_size(energy) ** 2:
        kappa *= 2.0
        penalty = replace(energy.penalty, l1=energy.penalty.l1 * kappa, l2=energy.penalty.l2 * kappa)
        coef = solve_elastic_net(problem, penalty, tol=1e-4).coef.ravel()
        at = replace(energy, penalty=penalty, coef=coef)
        before, used = used, degrees_of_freedom(at) - intercept
        volume += 0.25 * (before + used) * log_two
        height = volume - shape * math.log(kappa) - (b0 + at.value(coef)) / (kappa * variance)
        if kappa <= _NEAR:
            near = max(near, height)
        else:
            far = max(far, height)
    return near >= far


def typical_size(energy: Energy) -> float:
    """Find the scale of σ that y suggests: √(Σ sᵢ(yᵢ − ȳ)²/n₊), or the size of a constant y, or 1.

    Parameters
    ----------
    energy : Energy
        The data.

    Returns
    -------
    float
        A number > 0 in the units of y (of a row of weight 1).
    """
    deviation = energy.y_deviation
    size = max(float(np.max(np.abs(deviation))), abs(energy.y_mean))
    if size == 0.0:
        return 1.0
    # Divided first, so that no square under- or overflows.
    relative = deviation / size
    spread = math.sqrt(float(energy.sample_weight @ relative**2) / energy.n_samples)
    return size * spread if spread > 1e-14 * math.sqrt(energy.total_weight / energy.n_samples) else size


def _check_noise_prior(noise_prior: Any, energy: Energy, *, proper: bool) -> tuple[float, float]:
    if noise_prior is None:
        return 0.5, 0.5 * (0.1 * typical_size(energy)) ** 2
    wanted = "noise_prior must be two numbers (a0, b0), the shape and scale of σ² ~ InvGamma(a0, b0)"
    try:
        a0, b0 = noise_prior
    except (TypeError, ValueError):
        raise TypeError(f"{wanted}; got {noise_prior!r}.") from None
    if not (_is_number(a0) and _is_number(b0)):
        raise TypeError(f"{wanted}; got {noise_prior!r}.")
    a0, b0 = float(a0), float(b0)
    if not proper and a0 == 0 and b0 == 0:
        return a0, b0
    if not (math.isfinite(a0) and math.isfinite(b0) and a0 > 0 and b0 > 0):
        hint = ""
        if a0 == 0 and b0 == 0:
            hint = " (0, 0) is the improper 1/σ², from which a PyMC model cannot draw."
        raise ValueError(f"{wanted}, both finite and > 0; got {noise_prior!r}.{hint}")
    return a0, b0


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float | np.integer | np.floating)
    return number and not isinstance(value, bool | np.bool_)
