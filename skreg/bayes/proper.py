"""Whether the posterior is a distribution: the prior and the data must hold every parameter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skreg.bayes.noise import NoiseModel
from skreg.execution.blas import one_blas_thread
from skreg.linear_model.energy import Energy
from skreg.solvers.least_squares import LeastSquares, least_squares

__all__ = ["check_proper"]

# Of the columns' size: a singular value below it is rank, and a residual below it misfit, that rounding made.
_ROUNDING = 1e-10


def check_proper(energy: Energy, noise: NoiseModel) -> None:
    """Refuse a posterior whose density has no finite integral, and say what would be proper.

    Parameters
    ----------
    energy : Energy
        The penalty and the data.
    noise : NoiseModel
        The noise contract.

    Raises
    ------
    ValueError
        If every coefficient has a flat prior, the data do not determine those that have one, or σ may be
        zero or anything under noise_prior=(0, 0).
    """
    free = np.flatnonzero(~energy.penalty.penalized(energy.n_features))
    if free.size == energy.n_features:
        raise ValueError(
            f"{energy.label} penalises no coefficient: its prior is flat, which is not a distribution "
            "(improper). Take alpha > 0, however small: Ridge(alpha=1e-6) is a wide proper prior; or keep "
            "some coefficients penalised, and give penalty_weights=0 to the others."
        )
    improper_noise = noise.prior is not None and min(noise.prior) == 0
    if free.size == 0 and not improper_noise:
        return
    problem = least_squares(
        energy.X, energy.y[:, None], energy.sample_weight, fit_intercept=energy.fit_intercept
    )
    with one_blas_thread():
        _check_free(energy, problem, free)
        if improper_noise:
            _check_noise(energy, noise, problem, free)


def _check_free(energy: Energy, problem: LeastSquares, free: NDArray[np.intp]) -> None:
    if free.size == 0 or np.linalg.matrix_rank(problem.columns(free), tol=_ROUNDING) == free.size:
        return
    names = [energy.feature_names[j] for j in free]
    raise ValueError(
        f"The {len(names)} unpenalised features ({', '.join(names[:5])}{', …' if len(names) > 5 else ''}) "
        f"are collinear{' with the intercept or each other' if energy.fit_intercept else ''}: neither a "
        f"prior nor the {energy.n_samples} rows hold them, and the posterior is improper. Give them "
        "penalty_weights > 0, or leave out the redundant ones."
    )


def _check_noise(energy: Energy, noise: NoiseModel, problem: LeastSquares, free: NDArray[np.intp]) -> None:
    # A prior that scales with σ keeps σ from zero, unless features without one fit y exactly. One of fixed
    # scale does not: the likelihood is ‖r‖^−m then, and has too high a pole wherever r can be zero.
    fixed = noise.contract == "plug-in"
    if _is_fitted_exactly(problem, np.arange(energy.n_features) if fixed else free):
        if problem.b_squared[0] == 0:
            why = "a constant y"
        else:
            why = "features that fit y exactly" + ("" if fixed else " and are not penalised")
        raise ValueError(
            f"noise_prior=(0, 0) with {why} lets σ be zero: the posterior is not a distribution (improper). "
            "Take (a0, b0) > 0, such as the default."
        )
    if energy.n_samples - int(energy.fit_intercept) - free.size <= 0:
        raise ValueError(
            f"noise_prior=(0, 0) leaves σ undetermined by {energy.n_samples} rows: the posterior is not a "
            "distribution (improper). Take (a0, b0) > 0, such as the default."
        )


def _is_fitted_exactly(problem: LeastSquares, index: NDArray[np.intp]) -> bool:
    """Whether b is a combination of the columns `index`, to rounding."""
    b = problem.b[:, 0]
    left = b
    if index.size:
        columns = problem.columns(index)
        left = b - columns @ np.linalg.lstsq(columns, b, rcond=None)[0]
    return bool(left @ left <= _ROUNDING**2 * problem.b_squared[0])
