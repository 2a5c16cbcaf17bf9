"""Draws from the posterior of an energy: parameters checked, the engine chosen, its progress shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from skreg.bayes.draws import Draws, chain_generators
from skreg.bayes.noise import NoiseModel
from skreg.bayes.proper import check_proper
from skreg.linear_model._base import check_flag, check_number
from skreg.linear_model._tasks import check_n_jobs
from skreg.linear_model.energy import Energy

__all__ = ["METHODS", "sample"]

METHODS = ("auto", "exact", "gibbs", "nuts")
# What `pymc.sample` takes from the parameters here, or has to return.
_TAKEN = frozenset(
    "draws tune chains cores random_seed seed n_jobs model progressbar quiet nuts_sampler "
    "compute_convergence_checks return_inferencedata".split()
)
_NUTS_SAMPLERS = ("pymc", "nutpie", "numpyro", "blackjax")
# Warm-up draws, unless told: the Gibbs sampler starts at the mode, NUTS has a metric to learn.
_TUNE = {"exact": 0, "gibbs": 300, "nuts": 1000}


def sample(
    energy: Energy,
    noise: NoiseModel,
    *,
    method: str = "auto",
    draws: int = 1000,
    tune: int | None = None,
    chains: int = 4,
    random_state: Any = None,
    n_jobs: int | None = None,
    alpha_prior: tuple[float, float] | None = None,
    progressbar: bool = False,
    nuts_sampler: str = "pymc",
    nuts_kwargs: Mapping[str, Any] | None = None,
) -> Draws:
    """Draw from the posterior of an energy under a noise contract.

    Parameters
    ----------
    energy : Energy
        The penalty, the data and their names.
    noise : NoiseModel
        The noise contract.
    method : {"auto", "exact", "gibbs", "nuts"}, default="auto"
        The engine: "exact" draws a ridge's posterior independently, "gibbs" is the sampler of the lasso, the
        elastic net and every penalty confined to coef ≥ 0, "nuts" is PyMC's. "auto" is "exact" where that
        will do, else "gibbs".
    draws : int, default=1000
        Draws a chain.
    tune : int or None, default=None
        Draws of warm-up a chain before them; None is 300 for "gibbs" and 1000 for "nuts". "exact" needs none.
    chains : int, default=4
        Number of chains.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None, default=None
        An int gives the same draws each time, whatever `n_jobs` is.
    n_jobs : int or None, default=None
        Chains at once; joblib's meaning.
    alpha_prior : tuple of two floats or None, default=None
        (shape, rate) of a Gamma prior of the estimator's alpha, which is then sampled along.
    progressbar : bool, default=False
        Whether to show the progress.
    nuts_sampler : {"pymc", "nutpie", "numpyro", "blackjax"}, default="pymc"
        Which implementation "nuts" uses.
    nuts_kwargs : mapping or None, default=None
        Passed to `pymc.sample` by "nuts", such as ``{"target_accept": 0.95}``.

    Returns
    -------
    Draws
        What the engine drew; its `settings` have what it settled on.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range, the method cannot draw from this posterior, or there is no posterior
        because the prior is improper.
    ImportError
        If `nuts_sampler` is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg import Ridge, energy_of
    >>> from skreg.bayes.noise import noise_model
    >>> energy = energy_of(Ridge(alpha=0.0), np.arange(4.0)[:, None], np.array([0.0, 1.0, 3.0, 2.0]))
    >>> sample(energy, noise_model(1.0, None, energy))
    Traceback (most recent call last):
    ...
    ValueError: Ridge(alpha=0) penalises no coefficient: ...
    """
    check_number("draws", draws, low=1, kind=Integral)
    check_number("chains", chains, low=1, kind=Integral)
    if tune is not None:
        check_number("tune", tune, low=0, kind=Integral)
    check_n_jobs(n_jobs)
    check_flag("progressbar", progressbar)
    _check_alpha_prior(alpha_prior)
    _check_random_state(random_state)
    chosen = _engine(method, energy, noise, alpha_prior)
    if nuts_sampler not in _NUTS_SAMPLERS:
        raise ValueError(f"nuts_sampler must be one of {', '.join(_NUTS_SAMPLERS)}; got {nuts_sampler!r}.")
    if chosen != "nuts" and (nuts_kwargs or nuts_sampler != "pymc"):
        name, value = ("nuts_kwargs", nuts_kwargs) if nuts_kwargs else ("nuts_sampler", nuts_sampler)
        raise ValueError(f'{name}={value!r} has no use with method="{method}": take method="nuts".')
    _check_nuts_kwargs(nuts_kwargs)
    check_proper(energy, noise)

    # An integer of NumPy's counts as one.
    draws, chains = int(draws), int(chains)
    tune = _TUNE[chosen] if tune is None else int(tune)
    generators = chain_generators(random_state, chains)
    if chosen == "nuts":
        from skreg.bayes.nuts import draw_nuts

        return draw_nuts(
            energy,
            noise,
            draws=draws,
            tune=tune,
            chains=chains,
            seed=int(generators[0].integers(2**31)),
            n_jobs=n_jobs,
            progressbar=bool(progressbar),
            nuts_sampler=nuts_sampler,
            **(nuts_kwargs or {}),
        )
    if chosen == "exact":
        from skreg.bayes.exact import draw_exact

        return draw_exact(energy, noise, draws=draws, generators=generators, alpha_prior=alpha_prior)
    from skreg.bayes.gibbs import draw_gibbs

    with _progress(progressbar, f"{energy.label}, {chains} chains", chains * (draws + tune)) as report:
        drawn = draw_gibbs(
            energy,
            noise,
            draws=draws,
            tune=tune,
            generators=generators,
            n_jobs=n_jobs,
            report=report,
            alpha_prior=alpha_prior,
        )
    return replace(drawn, settings={"tune": tune, **drawn.settings})


def _engine(method: Any, energy: Energy, noise: NoiseModel, alpha_prior: Any) -> str:
    """Choose the engine, or say why the one that was asked for will not do."""
    if not (isinstance(method, str) and method in METHODS):
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}.")
    conjugate = energy.penalty.l1 == 0 and not energy.penalty.positive
    if method == "auto":
        return "exact" if conjugate else "gibbs"
    if method == "exact" and not conjugate:
        raise ValueError(
            f'method="exact" is for a ridge penalty without constraint, and the estimator is {energy.label}'
            f'{" with positive=True" if energy.penalty.positive else ""}: take method="gibbs".'
        )
    if method == "nuts" and not energy.has_rows:
        raise ValueError(
            'method="nuts" samples PyMC\'s model, which is written on the rows, and moments do not know '
            'them: take method="auto", or give X and y.'
        )
    if method == "nuts" and alpha_prior is not None:
        raise ValueError(
            f'alpha_prior={alpha_prior!r} cannot be used with method="nuts", whose model has the alpha of '
            'the estimator: take method="auto".'
        )
    if method == "nuts" and noise.prior is not None and min(noise.prior) <= 0:
        raise ValueError(
            f'noise_prior={noise.prior!r} is improper, and method="nuts" needs a proper prior: give two '
            'numbers > 0, or take method="auto".'
        )
    return method


def _check_alpha_prior(alpha_prior: Any) -> None:
    if alpha_prior is None:
        return
    wanted = "alpha_prior must be two numbers > 0, the shape and rate of alpha ~ Gamma(shape, rate)"
    try:
        numbers = tuple(alpha_prior)
    except TypeError:
        raise TypeError(f"{wanted}; got {alpha_prior!r}.") from None
    if len(numbers) != 2 or not all(isinstance(x, Real) and not isinstance(x, bool) for x in numbers):
        raise TypeError(f"{wanted}; got {alpha_prior!r}.")
    if not all(np.isfinite(float(x)) and x > 0 for x in numbers):
        raise ValueError(f"{wanted}; got {alpha_prior!r}.")


def _check_nuts_kwargs(nuts_kwargs: Any) -> None:
    if nuts_kwargs is None:
        return
    if not isinstance(nuts_kwargs, Mapping):
        raise TypeError(
            f'nuts_kwargs must be a dictionary such as {{"target_accept": 0.95}}; got {nuts_kwargs!r}.'
        )
    if taken := sorted(_TAKEN.intersection(nuts_kwargs)):
        raise ValueError(
            f"nuts_kwargs may not hold {', '.join(taken)}, which follow from the parameters draws, tune, "
            "chains, random_state, n_jobs, progressbar and nuts_sampler."
        )


def _check_random_state(random_state: Any) -> None:
    if random_state is None or isinstance(random_state, np.random.Generator | np.random.RandomState):
        return
    if not isinstance(random_state, Integral) or isinstance(random_state, bool):
        raise TypeError(
            "random_state must be an integer ≥ 0, a numpy.random.Generator, a numpy.random.RandomState or "
            f"None; got {random_state!r}."
        )
    if random_state < 0:
        raise ValueError(f"random_state must be an integer ≥ 0, got {random_state!r}.")


@contextmanager
def _progress(shown: bool, title: str, total: int) -> Iterator[Callable[[int], None] | None]:
    """Give a function to report new draws to, callable from any thread; None if nothing is shown."""
    if not shown:
        yield None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns) as progress:
        task = progress.add_task(title, total=total)
        yield lambda n_new_draws: progress.advance(task, n_new_draws)
