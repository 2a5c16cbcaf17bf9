"""The reference engine: PyMC's NUTS on the model of `to_pymc`, for every penalty and contract.

PyMC is imported when `draw_nuts` is called, not before.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from joblib import effective_n_jobs

from skreg.bayes.draws import Draws
from skreg.bayes.model import model_of
from skreg.bayes.noise import NoiseModel
from skreg.linear_model.energy import Energy

__all__ = ["draw_nuts"]


def draw_nuts(
    energy: Energy,
    noise: NoiseModel,
    *,
    draws: int,
    tune: int,
    chains: int,
    seed: int | None = None,
    n_jobs: int | None = None,
    progressbar: bool = False,
    nuts_sampler: str = "pymc",
    **kwargs: Any,
) -> Draws:
    """Draw with the No-U-Turn sampler from the PyMC model of an energy.

    Parameters
    ----------
    energy : Energy
        The penalty, the data and their names.
    noise : NoiseModel
        The noise contract, with a proper prior.
    draws, tune, chains : int
        Draws a chain, draws of warm-up before them, and chains.
    seed : int or None, default=None
        Seed; the same one gives the same draws whatever `n_jobs` is.
    n_jobs : int or None, default=None
        Chains at once, in processes of their own (PyMC's `cores`); joblib's meaning.
    progressbar : bool, default=False
        Whether PyMC shows its progress.
    nuts_sampler : str, default="pymc"
        PyMC's own sampler, or "nutpie", "numpyro" or "blackjax" if installed.
    **kwargs
        Passed to `pymc.sample`: ``target_accept=0.95``, ``init=...``.

    Returns
    -------
    Draws
        With the sampler's statistics of each draw (``diverging``, ``lp``, ``tree_depth``, …) as `stats`.

    Raises
    ------
    ImportError
        If `nuts_sampler` is not installed.
    KeyboardInterrupt
        If sampling was interrupted; no draws are then given.
    """
    if nuts_sampler != "pymc" and find_spec(nuts_sampler) is None:
        raise ImportError(
            f'nuts_sampler="{nuts_sampler}" needs {nuts_sampler}: pip install {nuts_sampler}, or take '
            'nuts_sampler="pymc".'
        )
    import pymc as pm

    trace = pm.sample(
        draws=draws,
        tune=tune,
        chains=chains,
        cores=min(effective_n_jobs(n_jobs), chains),
        random_seed=seed,
        model=model_of(energy, noise),
        progressbar=progressbar,
        quiet=not progressbar,
        nuts_sampler=nuts_sampler,
        compute_convergence_checks=False,  # `check_convergence` looks at all engines' draws alike
        **kwargs,
    )
    posterior = trace["posterior"]
    if posterior.sizes["chain"] < chains or posterior.sizes["draw"] < draws:
        # PyMC takes an interrupt for the wish to have the draws made so far.
        raise KeyboardInterrupt("NUTS was interrupted.")
    coef, intercept, sigma = (
        # A copy in this order, whatever the sampler's, and of its dtype.
        np.array(posterior[name].transpose("chain", "draw", ...), dtype=np.float64, order="C")
        for name in ("coef", "intercept", "sigma")
    )
    return Draws(
        coef=coef,
        intercept=np.broadcast_to(intercept, coef.shape[:2]).copy(),
        sigma=np.broadcast_to(sigma, coef.shape[:2]).copy(),
        method="nuts",
        stats=_stats(trace["sample_stats"]),
        settings={"tune": tune, "nuts_sampler": nuts_sampler},
    )


def _stats(sample_stats: Any) -> dict[str, np.ndarray]:
    """Keep what is one number or truth value a draw; some samplers add objects, or whole vectors."""
    kept = {}
    for name, values in sample_stats.data_vars.items():
        if values.dims == ("chain", "draw") and values.dtype.kind in "biuf":
            kept[str(name)] = values.to_numpy()
    return kept
