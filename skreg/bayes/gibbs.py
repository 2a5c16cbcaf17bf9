"""The posterior of the Lasso and the elastic net by Gibbs sampling, with sweeps that overrelax.

A coefficient's conditional is two truncated normals that meet at zero (Hans, 2009), and one uniform inverts
its distribution function. After each such sweep, others mirror every coefficient to the opposite quantile of
its conditional (Neal, 1998), which makes successive draws antithetic. After every sweep the coefficients are
stretched, about the estimator's solution and about zero, with σ² integrated out wherever that is possible; of
wide data the residual is stretched too. Where a pilot shows that collinear columns keep the sweeps from
mixing, slice-sampling steps along the eigenvectors of small eigenvalue join them.

References
----------
Hans, C. (2009). Bayesian lasso regression, Biometrika 96(4), 835-845; Neal, R. M. (1998). Suppressing random
walks in Markov chain Monte Carlo using ordered overrelaxation, in Learning in Graphical Models, 205-228.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from skreg.bayes.diagnostics import convergence
from skreg.bayes.draws import Draws, draw_intercepts
from skreg.bayes.noise import NoiseModel
from skreg.bayes.scaled_posterior import scaled_posterior
from skreg.bayes.walk import NOWHERE, Path, Start, Walk, advance_walk
from skreg.execution.blas import one_blas_thread
from skreg.linear_model._tasks import tasks_at_once
from skreg.linear_model.energy import Energy

__all__ = ["draw_gibbs"]

FloatArray = NDArray[np.float64]

# Draws of a pilot: to reach where the posterior is, and to see how well one mirrored sweep a draw mixes.
_PILOT = 100
# Mirrored sweeps a draw if the pilot's effective sample size is this part of its number of draws.
_MIRRORED = ((0.6, 1), (0.3, 3), (0.12, 7), (0.0, 15))
# Without a pilot, three. Below this share the columns may be collinear.
_UNKNOWN = 0.5
_STUCK = 0.3
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
        many mirrored sweeps a draw needs, and whether moves along collinear directions are needed too, which
        the third hundred then measure; with fewer than 200 it has three.
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
        constant, and the settings ``mirrored_sweeps`` and ``directions``.
    """
    if alpha_prior is not None and noise.rate is not None:
        raise ValueError(
            "alpha_prior has no use under an SDScaled noise, whose rate takes the place of alpha: "
            "take another noise contract."
        )
    with one_blas_thread():
        posterior = scaled_posterior(energy, noise)
        start = Start(posterior, energy, alpha_prior)
        walks = [Walk(start, posterior, rng, report) for rng in generators]
        tune = 3 * _PILOT if tune is None else tune
        updates = 2 * len(walks) * (draws + tune) * energy.n_features
        slides = NOWHERE
        with tasks_at_once(n_jobs if updates > _WORTH_THREADS else 1) as at_once:

            def advance(n: int, mirrored: int) -> list[Path]:
                made = at_once([(advance_walk, start, walk, slides, n, mirrored) for walk in walks])
                for number, (walk, _path) in enumerate(made):
                    if report is not None and walk is not walks[number]:
                        report(n)  # in another process it could not
                    walks[number] = walk
                return [path for _walk, path in made]

            share, left, n_directions = _UNKNOWN, tune, 0
            if tune >= 2 * _PILOT:
                advance(_PILOT, 1)
                share = _efficiency(advance(_PILOT, 1))
                left -= 2 * _PILOT
            if share < _STUCK and left >= _PILOT:
                directions, images = start.undetermined()
                cost = 1.0 + directions.shape[1] * start.relative_cost_of_a_slide
                if directions.shape[1] and cost * share < 1.0:  # else they cannot pay
                    slides = directions, images
                    left -= _PILOT
                    with_slides = _efficiency(advance(_PILOT, 1))
                    if with_slides > cost * share:
                        share, n_directions = with_slides, directions.shape[1]
                    else:  # collinearity is not what keeps the sweeps from mixing
                        slides = NOWHERE
            mirrored = next((sweeps for least, sweeps in _MIRRORED if share >= least), _MIRRORED[-1][1])
            advance(left, mirrored)
            paths = advance(draws, mirrored)
    coef = np.stack([path.coef for path in paths])
    record = np.stack([path.record for path in paths])
    coef = posterior.to_data(coef)
    sigma = np.sqrt(record[..., 0]) / posterior.unit
    alpha: FloatArray | None = None
    multiple: FloatArray | float = 1.0
    if alpha_prior is not None:
        alpha = np.stack([path.alpha for path in paths])
        multiple = alpha / energy.alpha
    log_density = posterior.log_density(record[..., 0], record[..., 1], record[..., 2], multiple)
    if alpha is not None and alpha_prior is not None:
        shape, rate = alpha_prior
        log_density += (shape - 1.0) * np.log(alpha) - rate * alpha
    return Draws(
        coef=coef,
        intercept=draw_intercepts(energy, coef, sigma, [walk.rng for walk in walks]),
        sigma=sigma,
        method="gibbs",
        alpha=alpha,
        stats={"lp": log_density},
        settings={
            "mirrored_sweeps": mirrored,
            "directions": n_directions,
            "tune": tune,
        },
    )


def _efficiency(paths: list[Path]) -> float:
    """Divide the smallest effective sample size, of the coefficients and σ², by the number of draws."""
    n_draws = len(paths) * len(paths[0].record)
    sizes = (
        convergence(np.stack([path.coef for path in paths])).ess_bulk,
        convergence(np.stack([path.record[:, :1] for path in paths])).ess_bulk,
    )
    return float(min(np.min(size) for size in sizes)) / n_draws
