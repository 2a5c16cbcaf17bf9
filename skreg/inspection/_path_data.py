"""What a path's picture is made of: alphas, coefficients, degrees of freedom, cross-validated errors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skreg.bayes.noise import degrees_of_freedom
from skreg.linear_model.alpha_selection import fold_mean_and_standard_error, select_alpha
from skreg.linear_model.alphas import check_alphas_or_number
from skreg.linear_model.energy import Energy
from skreg.linear_model.path import RegularizationPath, regularization_path
from skreg.moments import Moments
from skreg.penalties import L2, ElasticNetPenalty
from skreg.solvers.equivalent_rows import equivalent_rows
from skreg.solvers.least_squares import least_squares
from skreg.solvers.spectral import Spectrum

__all__ = ["alphas_of", "degrees_of_freedom_along", "errors_of", "path_of"]

FloatArray = NDArray[np.float64]

# From so many on an estimator's own alphas are a path.
_ENOUGH = 10
# Alphas of a path times a weight, and over it again, are not the same to the last digit.
_SAME = 1e-10


def alphas_of(energy: Energy, alphas: Any, tried: FloatArray) -> FloatArray:
    """Lay out decreasing alphas, with those of the estimator among them.

    Parameters
    ----------
    energy : Energy
        The estimator and its data.
    alphas : int, array-like of shape (n_alphas,) or None
        How many alphas, or the alphas themselves; None is 100, or none where enough have been tried.
    tried : ndarray of shape (n_tried,)
        Those at which the estimator has measured errors.

    Returns
    -------
    ndarray
        In the units of the estimator's own.
    """
    own = (
        tried
        if np.isclose(tried, energy.alpha, rtol=_SAME, atol=0.0).any()
        else np.append(tried, energy.alpha)
    )
    if alphas is None:
        alphas = own if tried.size >= _ENOUGH else 100
    alphas = check_alphas_or_number(alphas)
    if not isinstance(alphas, int):
        grid = alphas
        if not np.all(grid > 0):
            raise ValueError(f"alphas must be > 0, for a log scale; got {alphas.tolist()}.")
    elif energy.penalty.l1 > 0:
        ratio, factors = energy.penalty.l1_ratio, energy.penalty.factors
        grid = regularization_path(
            energy.X,
            energy.y,
            l1_ratio=ratio,
            alphas=alphas,
            fit_intercept=energy.fit_intercept,
            positive=energy.penalty.positive,
            penalty_weights=factors,
            sample_weight=energy.sample_weight,
        ).alphas
    else:
        grid = _ridge_grid(energy, alphas)
    new = ~np.isclose(grid[:, None], own, rtol=_SAME, atol=0.0).any(axis=1)
    return np.unique(np.append(grid[new], own))[::-1]


def _ridge_grid(energy: Energy, n_alphas: int) -> FloatArray:
    """Space alphas from where hardly a degree of freedom is left to where hardly any is taken."""
    problem = least_squares(
        energy.X, energy.y[:, None], energy.sample_weight, fit_intercept=energy.fit_intercept
    )
    spectrum = Spectrum(problem, L2(1.0, factors=energy.penalty.factors), smallest_alpha=np.inf)
    return spectrum.alpha_grid(n_alphas)


def path_of(energy: Energy, alphas: FloatArray) -> RegularizationPath:
    """Solve at every alpha of the estimator.

    Parameters
    ----------
    energy : Energy
        The estimator and its data.
    alphas : ndarray of shape (n_alphas,)
        In the units of the estimator's own.

    Returns
    -------
    RegularizationPath
        Its alphas are those of ElasticNet; Ridge's over the total weight.
    """
    # Ridge's alpha is λ₂; that of a path is per unit of weight.
    unit = energy.total_weight / energy.alpha_scale
    return regularization_path(
        energy.X,
        energy.y,
        l1_ratio=energy.penalty.l1_ratio,
        alphas=alphas / unit,
        fit_intercept=energy.fit_intercept,
        positive=energy.penalty.positive,
        penalty_weights=energy.penalty.factors,
        sample_weight=energy.sample_weight,
    )


def degrees_of_freedom_along(energy: Energy, path: RegularizationPath) -> FloatArray:
    """Count the effective parameters at every alpha, the intercept left out.

    Parameters
    ----------
    energy : Energy
        The estimator and its data.
    path : RegularizationPath
        Its path.

    Returns
    -------
    ndarray of shape (n_alphas,)
        See `skreg.bayes.noise.degrees_of_freedom`.
    """
    of_penalty, compact = energy.penalty, _compact(energy)
    counts = [
        degrees_of_freedom(
            replace(
                compact,
                coef=coef,
                penalty=ElasticNetPenalty.from_alpha(
                    float(alpha),
                    of_penalty.l1_ratio,
                    energy.total_weight,
                    factors=of_penalty.factors,
                    positive=of_penalty.positive,
                ),
            )
        )
        for alpha, coef in zip(path.alphas, path.coefs.T, strict=True)
    ]
    return np.array(counts) - float(energy.fit_intercept)


def _compact(energy: Energy) -> Energy:
    """Put few rows with the same moments in the place of more than there are features."""
    if energy.penalty.l2 == 0 or energy.n_samples <= energy.n_features:
        return energy
    rows = equivalent_rows(
        Moments.from_data(energy.X, energy.y, energy.sample_weight, centred=energy.fit_intercept)
    )
    return replace(energy, X=rows.X, y=rows.y[:, 0], sample_weight=rows.weights)


def errors_of(final: Any) -> dict[str, Any]:
    """Read the errors that a CV form keeps, ours or scikit-learn's, and what they select.

    Parameters
    ----------
    final : estimator
        A fitted linear estimator.

    Returns
    -------
    dict
        ``alphas``, increasing and > 0, and of RegularizationPathDisplay's parameters ``errors``,
        ``standard_errors``, ``error_name``, ``alpha_min`` and ``alpha_1se``; empty without errors.
    """
    if hasattr(final, "mean_score_"):  # RidgeCV
        alphas = np.asarray(final.alphas_, dtype=np.float64)
        mean = -np.asarray(final.mean_score_).reshape(alphas.size, -1)[:, 0]
        standard_error = np.asarray(final.standard_error_).reshape(alphas.size, -1)[:, 0]
        name = _error_name(final.scoring, "mean squared error" if final.cv is None else "r2")
    elif hasattr(final, "mse_path_"):  # LassoCV, ElasticNetCV
        alphas, mse = np.asarray(final.alphas_), np.asarray(final.mse_path_)
        if mse.ndim == 3:  # of several l1_ratios
            chosen = int(np.argmin(np.abs(np.asarray(final.l1_ratio) - final.l1_ratio_)))
            alphas, mse = (alphas if alphas.ndim == 1 else alphas[chosen]), mse[chosen]
        mean, standard_error = fold_mean_and_standard_error(mse, np.ones(mse.shape[-1]))
        name = _error_name(None, "mean squared error")
    elif getattr(final, "scoring", "") is None and np.ndim(getattr(final, "cv_results_", 0)) == 2:
        alphas = np.asarray(final.alphas, dtype=np.float64)  # scikit-learn's RidgeCV with store_cv_results
        folds = np.asarray(final.cv_results_).T
        mean, standard_error = fold_mean_and_standard_error(folds, np.ones(folds.shape[-1]))
        name = _error_name(None, "mean squared error")
    else:
        return {}
    found = {
        rule: float(alphas[select_alpha(alphas, mean, standard_error, rule)])
        for rule in (("min", "1se") if np.isfinite(standard_error).all() else ("min",))
    }
    shown = alphas > 0  # a log scale has no place for 0
    at, first = np.unique(alphas[shown], return_index=True)
    return {
        "alphas": at,
        "errors": mean[shown][first],
        "standard_errors": standard_error[shown][first] if "1se" in found else None,
        "error_name": name,
        "alpha_min": found["min"] if found["min"] > 0 else None,
        "alpha_1se": found.get("1se"),
    }


def _error_name(scoring: Any, default: str) -> str:
    name = default if scoring is None else scoring if isinstance(scoring, str) else "score"
    if name.startswith("neg_"):
        name = name.removeprefix("neg_")
    elif name != "mean squared error":
        name = f"−{name}"
    return name.replace("_", " ")
