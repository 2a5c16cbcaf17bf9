"""The posterior of the Lasso and the elastic net by Gibbs sampling, with sweeps that overrelax.

A coefficient's conditional is two truncated normals that meet at zero (Hans, 2009), and one uniform inverts
its distribution function. After each such sweep, others mirror every coefficient to the opposite quantile of
its conditional (Neal, 1998), which makes successive draws antithetic. After every sweep the coefficients are
stretched, about the estimator's solution and about zero, with σ² integrated out wherever that is possible.

References
----------
Hans, C. (2009). Bayesian lasso regression, Biometrika 96(4), 835-845; Neal, R. M. (1998). Suppressing random
walks in Markov chain Monte Carlo using ordered overrelaxation, in Learning in Graphical Models, 205-228.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skreg.bayes._kernels import UNIFORMS_OF_LINES, Chain, Contract
from skreg.bayes.diagnostics import convergence
from skreg.bayes.draws import Draws, draw_intercepts
from skreg.bayes.noise import NoiseModel
from skreg.bayes.scaled_posterior import ScaledPosterior, scaled_posterior
from skreg.linear_model._tasks import tasks_at_once
from skreg.linear_model.energy import Energy
from skreg.solvers.blas import one_blas_thread
from skreg.solvers.svd import thin_svd

__all__ = ["draw_gibbs"]

FloatArray = NDArray[np.float64]

# Draws of a pilot: to reach where the posterior is, and to see how well one mirrored sweep a draw mixes.
_PILOT = 100
# Mirrored sweeps a draw if the pilot's effective sample size is this part of its number of draws.
_MIRRORED = ((0.6, 1), (0.3, 3), (0.12, 7), (0.0, 15))
# Uniforms drawn at a time.
_BLOCK = 2**16
# Columns by rows are shorter than the Gram matrix's by this factor before they are taken instead: a site
# update reads a column of residuals twice, and one of the Gram matrix once.
_WIDE = 2.0
# Rows are linearly independent if no singular value is below this part of the largest.
_FULL_RANK = 1e-6
# Where a slice of log alpha ends, before alpha is no longer a number.
_LEAST_LOG_ALPHA = -600.0
# Site updates that are done before threads for the chains would have started.
_WORTH_THREADS = 500_000


def draw_gibbs(
    energy: Energy,
    noise: NoiseModel,
    *,
    draws: int,
    tune: int | None,
    generators: list[np.random.Generator],
    n_jobs: int | None = None,
    report: Callable[[int], None] | None = None,
    alpha_prior: tuple[float, float] | None = None,
) -> Draws:
    """Draw from the posterior by Gibbs sampling.

    Parameters
    ----------
    energy : Energy
        The penalty and the data; its coefficients are the centre that draws are stretched about.
    noise : NoiseModel
        What σ is and what the prior's scale hangs on.
    draws : int
        Draws a chain.
    tune : int or None
        Draws a chain that are thrown away first, 300 by default. From 200 on, the second hundred tell how
        many mirrored sweeps a draw needs; with fewer it has three.
    generators : list of numpy.random.Generator
        One a chain.
    n_jobs : int, optional
        Chains at once, in threads, as in joblib. The draws do not depend on it.
    report : callable, optional
        Called with a number of draws after each block of them, from any thread.
    alpha_prior : tuple of two floats, optional
        (shape, rate) of a Gamma prior on scikit-learn's alpha, which is then sampled along.

    Returns
    -------
    Draws
        With statistics ``lp``, the log density of (coef, σ²), and of alpha if that is sampled, up to a
        constant, and the setting ``mirrored_sweeps``.

    Raises
    ------
    ValueError
        If the posterior is not a distribution, or alpha is to be sampled and the prior's scale does not hang
        on it.
    """
    if alpha_prior is not None and noise.rate is not None:
        raise ValueError(
            "alpha_prior has no use under an SDScaled noise, whose rate takes the place of alpha: "
            "take another noise contract."
        )
    with one_blas_thread():
        posterior = scaled_posterior(energy, noise)
        start = _Start(posterior, energy)
        walks = [_Walk(posterior, start, rng, energy.alpha, alpha_prior, report) for rng in generators]
        tune = 3 * _PILOT if tune is None else tune
        updates = 2 * len(walks) * (draws + tune) * energy.n_features
        with tasks_at_once(n_jobs if updates > _WORTH_THREADS else 1) as at_once:

            def advance(n: int, mirrored: int, *, keep: bool = True) -> list[_Path]:
                return at_once([(walk.advance, n, mirrored, keep) for walk in walks])

            mirrored, left = 3, tune
            if tune >= 2 * _PILOT:
                advance(_PILOT, 1, keep=False)
                mirrored = _mirrored_sweeps(advance(_PILOT, 1))
                left -= 2 * _PILOT
            advance(left, mirrored, keep=False)
            paths = advance(draws, mirrored)
    coef = np.stack([path.coef for path in paths])
    record = np.stack([path.record for path in paths])
    coef = posterior.to_data(coef)
    sigma = np.sqrt(record[..., 0]) / posterior.unit
    alpha, log_density = None, _log_density(posterior, record, 1.0)
    if alpha_prior is not None:
        alpha, (shape, rate) = np.stack([path.alpha for path in paths]), alpha_prior
        log_density = _log_density(posterior, record, alpha / energy.alpha)
        log_density += (shape - 1.0) * np.log(alpha) - rate * alpha
    return Draws(
        coef=coef,
        intercept=draw_intercepts(energy, coef, sigma, generators),
        sigma=sigma,
        method="gibbs",
        alpha=alpha,
        stats={"lp": log_density},
        settings={"mirrored_sweeps": mirrored, "tune": tune},
    )


class _Path(NamedTuple):
    """What a walk passed by: coefficients, (σ², ½‖r‖², penalty) and alpha, in scaled units."""

    coef: FloatArray
    record: FloatArray
    alpha: FloatArray


class _Start:
    """What all walks of a posterior share: the matrix, the centres, and what the contract's numbers are."""

    def __init__(self, posterior: ScaledPosterior, energy: Energy) -> None:
        problem, penalty = posterior.problem, posterior.penalty
        p, n = problem.n_features, problem.n_rows
        rows = p > _WIDE * n
        if rows:
            matrix = np.asfortranarray(problem.columns(np.arange(p)))
            origin, curvature = np.ascontiguousarray(problem.b[:, 0]), problem.norms
        else:
            matrix = np.asfortranarray(problem.quadratic.G)
            origin, curvature = np.ascontiguousarray(problem.c[:, 0]), matrix.diagonal()
        self.mode = problem.coef_to_scaled(energy.coef[None, :])[:, 0]
        if penalty.positive:
            self.mode = np.maximum(self.mode, 0.0)
        inverse = _right_inverse(matrix, posterior.degrees) if rows else np.empty((0, 0))
        g, squares = problem.correlation(self.mode[:, None], slice(None))
        state = problem.residual(self.mode[:, None], slice(None)) if rows else g
        self.curvature = np.maximum(curvature, 0.0)
        self.variance = max(float(squares[0]) / max(posterior.degrees, 1), 1e-6 * problem.b_squared[0], 1e-12)
        if posterior.noise.contract == "known":
            self.variance = posterior.sigma**2
        contract, shape = _contract(posterior)
        self.shape = shape if contract in (Contract.SCALED, Contract.FIXED) else None
        scaled_net = posterior.net_ratios if contract == Contract.SCALED_NET else (np.empty(0), np.empty(0))
        self.net_ratio = scaled_net[0]
        self.arguments = {
            "matrix": matrix,
            "rows": rows,
            "curvature": self.curvature,
            "positive": penalty.positive,
            "contract": contract,
            "shape": shape,
            "scale": posterior.prior[1],
            "prior_variance": posterior.sigma**2 if contract == Contract.FIXED else 1.0,
            "n_penalized": posterior.n_penalized,
            "net_count": scaled_net[1],
            "centres": np.stack([self.mode, np.zeros(p)]),
            "centre_states": np.stack([state[:, 0], origin]),
            "inverse": inverse,
            "rank": posterior.degrees,
            "centre_half": 0.5 * np.array([squares[0], problem.b_squared[0]]),
        }


def _right_inverse(matrix: FloatArray, rank: int) -> FloatArray:
    """Compute A⁺ if every residual can be fitted away, so that AA⁺r = r; else an empty matrix."""
    left, values, right = thin_svd(matrix)
    if not values[rank - 1] > _FULL_RANK * values[0]:
        return np.empty((0, 0))
    return np.asfortranarray((right[:rank].T / values[:rank]) @ left[:, :rank].T)


def _contract(posterior: ScaledPosterior) -> tuple[int, float]:
    """Name the kernel's case, and the shape of σ²'s density in it."""
    shape = posterior.shape
    match posterior.noise.contract:
        case "known":
            return Contract.KNOWN, shape
        case "plug-in":
            return Contract.FIXED, shape
        case "sd-scaled":
            return Contract.SD_SCALED, shape
    if posterior.is_net:
        return Contract.SCALED_NET, shape
    return Contract.SCALED, shape + posterior.n_penalized * (1.0 if np.any(posterior.penalty.l1 > 0) else 0.5)


class _Walk:
    """One chain with its randomness, and with alpha where that is sampled along."""

    def __init__(
        self,
        posterior: ScaledPosterior,
        start: _Start,
        rng: np.random.Generator,
        alpha: float,
        alpha_prior: tuple[float, float] | None,
        report: Callable[[int], None] | None,
    ) -> None:
        self.posterior, self.rng, self.report = posterior, rng, report
        self.alpha, self.first_alpha, self.alpha_prior = alpha, alpha, alpha_prior
        self.start = start
        # The chain reads these, and alpha moves them.
        self.l1, self.l2 = posterior.penalty.l1.copy(), posterior.penalty.l2.copy()
        self.net_ratio = start.net_ratio.copy()
        self.uniforms = np.empty(0)
        # Further out than the posterior reaches, so that chains that have not mixed disagree.
        sigma = math.sqrt(start.variance)
        with np.errstate(divide="ignore"):
            spread = np.minimum(sigma / np.sqrt(start.curvature + self.l2), start.variance / self.l1)
        w = start.mode + 2.0 * spread * rng.standard_normal(start.mode.size)
        self.chain = Chain(
            l1=self.l1,
            l2=self.l2,
            net_ratio=self.net_ratio,
            w=np.abs(w) if posterior.penalty.positive else w,
            variance=start.variance * (1.0 if posterior.noise.contract == "known" else rng.uniform(0.5, 2.0)),
            **start.arguments,
        )

    def advance(self, n: int, mirrored: int, keep: bool) -> _Path:
        """Make n draws; unless they are kept, only to move on."""
        p = self.l1.size
        coef, record, alpha = np.empty((n, p)), np.empty((n, 3)), np.empty(n)
        most = 1 + _BLOCK // p if self.alpha_prior is None else 1
        done = 0
        while done < n:
            if self.uniforms.size < (1 + mirrored) * (p + UNIFORMS_OF_LINES):
                self.uniforms = self.rng.random(max(_BLOCK, 2 * (1 + mirrored) * (p + UNIFORMS_OF_LINES)))
            wanted = min(n - done, most)
            gammas = self._gammas(wanted * (1 + mirrored))
            made = self.chain.run(mirrored, self.uniforms, gammas, wanted, coef[done:], record[done:])
            self.uniforms = self.uniforms[self.chain.used :]
            if self.alpha_prior is not None:
                before = self.alpha
                self._draw_alpha(record[done, 0], record[done, 2])
                alpha[done] = self.alpha
                record[done, 2] *= self.alpha / before
            done += made
            if self.report is not None:
                self.report(made)
        return _Path(coef, record, alpha)

    def _gammas(self, n: int) -> FloatArray:
        return np.zeros(n) if self.start.shape is None else self.rng.standard_gamma(self.start.shape, n)

    def _draw_alpha(self, variance: float, penalty: float) -> None:
        """Draw alpha given the coefficients and σ²: from its Gamma, or by a slice of log alpha."""
        assert self.alpha_prior is not None
        shape, rate = self.alpha_prior
        posterior = self.posterior
        divisor = posterior.sigma**2 if posterior.noise.contract == "plug-in" else variance
        rate += penalty / self.alpha / divisor
        if posterior.is_net:

            def log_density(log_alpha: float) -> float:
                if log_alpha < _LEAST_LOG_ALPHA:
                    return -math.inf
                alpha = math.exp(log_alpha)
                normalizer = posterior.log_normalizer(divisor, alpha / self.first_alpha)
                return shape * log_alpha - rate * alpha - float(normalizer)

            width = 2.0 / math.sqrt(shape + posterior.n_penalized)
            self.alpha = math.exp(_slice(log_density, math.log(self.alpha), width, self.rng))
        else:
            # Each normaliser is alpha to the power −1 (Laplace) or −½ (normal).
            shape += posterior.n_penalized * (1.0 if np.any(posterior.penalty.l1 > 0) else 0.5)
            self.alpha = float(self.rng.gamma(shape)) / rate
        ratio = self.alpha / self.first_alpha
        self.l1[:] = posterior.penalty.l1 * ratio
        self.l2[:] = posterior.penalty.l2 * ratio
        self.net_ratio[:] = self.start.net_ratio * math.sqrt(ratio)


def _slice(log_density: Callable[[float], float], x: float, width: float, rng: np.random.Generator) -> float:
    """Make a slice-sampling step: step out and shrink (Neal, 2003)."""
    level = log_density(x) - rng.standard_exponential()
    left = x - width * rng.random()
    right = left + width
    while log_density(left) > level:
        left -= width
    while log_density(right) > level:
        right += width
    while True:
        proposed = left + rng.random() * (right - left)
        if log_density(proposed) > level:
            return proposed
        left, right = (proposed, right) if proposed < x else (left, proposed)


def _mirrored_sweeps(paths: list[_Path]) -> int:
    """Choose how many mirrored sweeps a draw needs, from a pilot that had one."""
    n_draws = len(paths) * len(paths[0].record)
    smallest = min(
        np.min(convergence(np.stack([path.coef for path in paths])).ess_bulk),
        np.min(convergence(np.stack([path.record[:, :1] for path in paths])).ess_bulk),
    )
    return next(sweeps for share, sweeps in _MIRRORED if smallest > share * n_draws or share == 0.0)


def _log_density(posterior: ScaledPosterior, record: FloatArray, scale: FloatArray | float) -> FloatArray:
    """Log density of (w, σ²) given y and the scale of the penalty, up to a constant."""
    variance, half, penalty = np.moveaxis(record, -1, 0)
    b0 = posterior.prior[1]
    match posterior.noise.contract:
        case "known":
            return -(half + penalty) / variance - posterior.log_normalizer(variance, scale)
        case "plug-in":
            divisor = posterior.sigma**2
        case "sd-scaled":
            divisor = np.sqrt(variance)
        case _:
            divisor = variance
    prior = -penalty / divisor - posterior.log_normalizer(divisor, scale)
    return prior - (posterior.shape + 1.0) * np.log(variance) - (b0 + half) / variance
