"""Alpha three ways: by cross-validation, by maximum marginal likelihood, and with a prior of its own.

References
----------
Casella, G. (2001). Empirical Bayes Gibbs sampling, Biostatistics 2(4), 485-500; Park, T. and Casella, G.
(2008). The Bayesian Lasso, JASA 103(482), 681-686, section 3.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from sklearn.exceptions import ConvergenceWarning

from skreg.bayes.diagnostics import check_convergence, convergence
from skreg.bayes.draws import Draws, chain_generators
from skreg.bayes.evidence import maximize_evidence
from skreg.bayes.noise import Noise, NoiseModel, noise_model, typical_size
from skreg.bayes.priors import prior_of
from skreg.bayes.sampling import sample
from skreg.bayes.scaled_posterior import scaled_posterior
from skreg.linear_model.cross_validation import ElasticNetCV
from skreg.linear_model.energy import Energy, energy_of
from skreg.linear_model.ridge_cv import RidgeCV
from skreg.solvers.elastic_net import solve_elastic_net
from skreg.solvers.least_squares import least_squares

__all__ = ["AlphaChoices", "choose_alpha", "maximize_marginal_likelihood"]

FloatArray = NDArray[np.float64]

_METHODS = ("cross-validation", "marginal likelihood", "posterior")
# Steps of Monte Carlo EM: at most so many, of 4 × 250 draws, ended by so many within their Monte Carlo error.
_STEPS = 60
_EM_DRAWS = 250
_SETTLED = 8
# A step may be lengthened to this in log alpha, and at most as if this part of the information were missing.
_LONGEST, _MISSING = 1.0, 0.97


@dataclass(frozen=True, eq=False)
class AlphaChoices:
    """What each way of choosing alpha chose.

    Parameters
    ----------
    alphas : dict of str to float
        By method: the chosen alpha; for the posterior its median.
    draws : ndarray of shape (n_chains, n_draws) or None
        The sampled alphas.
    interval : tuple of two floats or None
        The central 90 % of them.
    alpha_prior : tuple of two floats or None
        (shape, rate) of the Gamma prior that was used.
    n_nonzero : dict of str to int
        By method: the number of non-zero coefficients of the penalised solution at that alpha.
    steps : ndarray
        The alphas of Monte Carlo EM on its way, empty for a closed form.
    """

    alphas: dict[str, float]
    draws: FloatArray | None = None
    interval: tuple[float, float] | None = None
    alpha_prior: tuple[float, float] | None = None
    n_nonzero: dict[str, int] = field(default_factory=dict)
    steps: FloatArray = field(default_factory=lambda: np.empty(0))

    def frame(self) -> Any:
        """Return a pandas DataFrame of one row a method: ``alpha``, ``low``, ``high``, ``n_nonzero``."""
        import pandas as pd

        low, high = self.interval or (math.nan, math.nan)
        return pd.DataFrame(
            {
                "alpha": self.alphas,
                "low": {"posterior": low},
                "high": {"posterior": high},
                "n_nonzero": self.n_nonzero,
            }
        ).reindex(list(self.alphas))

    def __repr__(self) -> str:
        lines = ["AlphaChoices:"]
        for method, alpha in self.alphas.items():
            line = f"  {method:<20} alpha = {alpha:.4g}, {self.n_nonzero[method]} non-zero coefficients"
            if method == "posterior" and self.interval is not None:
                line += "; 90 % within {:.4g} and {:.4g}".format(*self.interval)
            lines.append(line)
        return "\n".join(lines)


def choose_alpha(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    methods: Sequence[str] = _METHODS,
    noise: Noise = "variance-scaled",
    noise_prior: tuple[float, float] | None = None,
    alpha_prior: tuple[float, float] | None = None,
    cv: Any = None,
    draws: int = 1000,
    chains: int = 4,
    sample_weight: Any = None,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> AlphaChoices:
    """Choose alpha by cross-validation, by maximum marginal likelihood, and by a posterior of its own.

    Cross-validation asks which alpha predicts rows left out best; the marginal likelihood p(y | alpha), which
    alpha's prior makes the data most probable once the coefficients are integrated out; the posterior spreads
    alpha as far as the data leave it open. The first two agree in how much they shrink only as far as the
    prior describes the coefficients: on sparse truth the first shrinks less.

    Parameters
    ----------
    estimator : estimator
        Ridge, Lasso or ElasticNet of skreg or scikit-learn, or a Pipeline ending in one; its `l1_ratio`
        stays, its own alpha (> 0) plays no part.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        The data as given to the estimator's `fit`. A pipeline's transformers are fitted once, on all rows.
    y : array-like of shape (n_samples,)
        Target.
    methods : sequence of {"cross-validation", "marginal likelihood", "posterior"}
        Which ways, by default all three.
    noise : float or "variance-scaled", default="variance-scaled"
        The noise contract; the plug-in contract's σ̂ belongs to one alpha and cannot choose another.
    noise_prior : tuple of two floats, optional
        (a0, b0) of σ² ~ InvGamma(a0, b0), as in `posterior`.
    alpha_prior : tuple of two floats, optional
        (shape, rate) of alpha ~ Gamma(shape, rate). By default (½, ½/α₁), of mean α₁, the alpha under whose
        prior the signal is expected to vary as much as the noise, each by half of what y does.
    cv : int, splitter or iterable, optional
        As in `RidgeCV` (None is leave-one-out) and `ElasticNetCV` (None is 5 folds).
    draws, chains : int
        Of the posterior of alpha.
    sample_weight : array-like of shape (n_samples,), optional
        Precisions sᵢ ≥ 0.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed.
    n_jobs : int, optional
        Chains and folds at once; joblib's meaning.

    Returns
    -------
    AlphaChoices
        The alphas, in the estimator's own meaning of alpha.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range, or a way does not exist for this estimator.

    Warns
    -----
    ConvergenceWarning
        If the marginal likelihood has no maximum that Monte Carlo EM finds, or the posterior's draws have not
        converged.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import Ridge
    >>> X, y = load_diabetes(return_X_y=True)
    >>> found = choose_alpha(Ridge(alpha=0.1), X, y, random_state=0)
    >>> sorted(found.alphas)
    ['cross-validation', 'marginal likelihood', 'posterior']
    >>> found.interval[0] < found.alphas["marginal likelihood"] < found.interval[1]
    True
    """
    names = (methods,) if isinstance(methods, str) else tuple(methods)
    if not names or (unknown := [name for name in names if name not in _METHODS]):
        raise ValueError(
            f"methods must be among {', '.join(_METHODS)}; got {unknown[0] if names else names!r}."
        )
    energy = energy_of(estimator, X, y, sample_weight)
    if not energy.alpha > 0:
        raise ValueError(f"alpha must be > 0 here, any number will do; got {energy.label}.")
    contract = noise_model(noise, noise_prior, energy, proper=False)
    if contract.contract not in ("known", "variance-scaled"):
        raise ValueError(
            f'noise must be "variance-scaled" or a number (σ, if it is known) here; got {noise!r}, '
            "under which the prior's scale does not hang on alpha and σ together."
        )
    found: dict[str, float] = {}
    sampled, steps = None, np.empty(0)
    prior = (0.5, 0.5 / _even_alpha(energy, contract)) if alpha_prior is None else alpha_prior
    for name in names:
        if name == "cross-validation":
            found[name] = _cross_validated(energy, _without_dropped_rows(cv, sample_weight), n_jobs)
        elif name == "marginal likelihood":
            steps = maximize_marginal_likelihood(energy, contract, random_state=random_state, n_jobs=n_jobs)
            found[name] = float(steps[-1])
        else:
            drawn = sample(
                energy,
                contract,
                draws=draws,
                chains=chains,
                random_state=random_state,
                n_jobs=n_jobs,
                alpha_prior=prior,
            )
            check_convergence(drawn, energy.feature_names, stacklevel=3)
            sampled = drawn.alpha
            found[name] = float(np.median(np.asarray(sampled)))
    return AlphaChoices(
        alphas=found,
        draws=sampled,
        interval=None if sampled is None else tuple(np.quantile(sampled, [0.05, 0.95]).tolist()),
        alpha_prior=None if sampled is None else prior,
        n_nonzero={name: _n_nonzero(energy, alpha) for name, alpha in found.items()},
        steps=steps,
    )


def maximize_marginal_likelihood(
    energy: Energy, noise: NoiseModel, *, random_state: Any = None, n_jobs: int | None = None
) -> FloatArray:
    """Find the alpha of largest marginal likelihood: in closed form for Ridge, else by Monte Carlo EM.

    Each step draws from the posterior at the present alpha and finds the alpha under whose prior these
    coefficients are most probable. It goes there and on, since what EM walks is only the part of the way that
    the coefficients, were they known, would not have to tell: the same draws say how large that part is
    (Louis, 1982). The last answer is the mean, in the logarithm, of the steps that moved by no more than
    their Monte Carlo error.

    Parameters
    ----------
    energy : Energy
        The estimator and its data; its own alpha plays no part.
    noise : NoiseModel
        A known σ or the variance-scaled contract.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None
        Seed.
    n_jobs : int, optional
        Chains at once; joblib's meaning.

    Returns
    -------
    ndarray of shape (n_steps,)
        The alphas on the way, from the one under whose prior signal and noise vary alike; the last one is the
        answer (one number for Ridge; 0 or infinity if its evidence rises all the way there).

    Warns
    -----
    ConvergenceWarning
        If the steps do not settle, or settle where the draws see no maximum.

    References
    ----------
    Casella, G. (2001). Empirical Bayes Gibbs sampling, Biostatistics 2(4), 485-500; Louis, T. A. (1982).
    Finding the observed information matrix when using the EM algorithm, JRSS B 44(2), 226-233.
    """
    if energy.penalty.l1 == 0 and not energy.penalty.positive:
        return np.array([maximize_evidence(energy, noise).alpha])
    rng = chain_generators(random_state, 1)[0]
    log_alphas = [math.log(_even_alpha(energy, noise))]
    settled: list[float] = []
    missing: list[float] = []
    while len(log_alphas) <= _STEPS and len(settled) < _SETTLED:
        at = _at(energy, math.exp(log_alphas[-1]))
        drawn = sample(at, noise, draws=_EM_DRAWS, random_state=rng, n_jobs=n_jobs)
        step, error, share = _em_step(at, noise, drawn)
        longer = step / (1.0 - min(share, _MISSING))
        log_alphas.append(log_alphas[-1] + math.copysign(min(abs(longer), max(abs(step), _LONGEST)), step))
        if abs(step) < 2.0 * error:
            settled.append(log_alphas[-1])
            missing.append(share)
    log_alphas.append(float(np.mean(settled or log_alphas[-1:])))
    if len(settled) < _SETTLED or np.mean(missing) > _MISSING:
        warnings.warn(
            f"The marginal likelihood has no maximum that {len(log_alphas) - 2} steps of Monte Carlo EM can "
            f"tell from its surroundings; they ended at alpha={math.exp(log_alphas[-1]):.3g}. It may be "
            "largest without any penalised feature (alpha = ∞), or without a penalty: look at "
            'methods="posterior", or choose by "cross-validation".',
            ConvergenceWarning,
            stacklevel=3,
        )
    return np.exp(log_alphas)


def _em_step(energy: Energy, noise: NoiseModel, drawn: Draws) -> tuple[float, float, float]:
    """Maximise E log p(w | σ², α) over log α, from where the draws were made.

    Returns the step, its Monte Carlo standard error, and the share of the information about log α that is
    missing while the coefficients are unknown: the variance of the score over its expected slope.
    """
    posterior = scaled_posterior(energy, noise)
    w = np.abs(drawn.coef).reshape(-1, energy.n_features)
    penalty = w @ energy.penalty.l1_strengths(energy.n_features)
    penalty += 0.5 * (w**2 @ energy.penalty.l2_strengths(energy.n_features))
    variance = drawn.sigma.ravel() ** 2
    exponent = penalty / variance
    scaled_variance = variance * posterior.unit**2

    def losses(log_multiple: float) -> FloatArray:
        multiple = math.exp(log_multiple)
        normalizer = posterior.log_normalizer(scaled_variance, multiple)
        return np.asarray(multiple * exponent + normalizer, dtype=np.float64)

    best = minimize_scalar(lambda at: float(np.mean(losses(at))), bracket=(-0.5, 0.5), tol=1e-8)
    h = 1e-3
    before, here, after = losses(-h), losses(0.0), losses(h)
    score, slope = (after - before) / (2.0 * h), float(np.mean(after - 2.0 * here + before)) / h**2
    ess = float(convergence(exponent.reshape(drawn.sigma.shape)).ess_bulk)
    # d log α / d log E is −1 for the Lasso and between −1 and −2 for the others.
    error = 2.0 * float(np.std(exponent) / np.mean(exponent)) / math.sqrt(ess)
    return float(best.x), error, float(np.var(score)) / slope


def _at(energy: Energy, alpha: float) -> Energy:
    """Return the same energy at another alpha."""
    multiple, penalty = alpha / energy.alpha, energy.penalty
    penalty = replace(penalty, l1=penalty.l1 * multiple, l2=penalty.l2 * multiple)
    return replace(energy, penalty=penalty, label=f"{energy.label} at alpha={alpha:.6g}")


def _even_alpha(energy: Energy, noise: NoiseModel) -> float:
    """Find the alpha at which E Σ s (xᵀw)² = nσ² under the prior: a signal that varies as the noise does."""
    variance = noise.sigma**2 if noise.sigma is not None else 0.5 * typical_size(energy) ** 2
    problem = least_squares(
        energy.X, energy.y[:, None], energy.sample_weight, fit_intercept=energy.fit_intercept
    )
    squares = problem.norms / np.where(problem.x_scale > 0, problem.x_scale, 1.0) ** 2
    factors = energy.penalty.factors
    weights = np.ones(energy.n_features) if factors is None else factors
    distinct = [(v, float(squares[weights == v].sum())) for v in np.unique(weights[weights > 0])]

    def log_ratio(log_alpha: float) -> float:
        penalty = _at(energy, math.exp(log_alpha)).penalty
        priors = [(prior_of(penalty, variance, v), total) for v, total in distinct]
        signal = sum(prior.variance() * total for prior, total in priors if prior is not None)
        return math.log(signal) - math.log(energy.n_samples * variance)

    if not sum(total for _v, total in distinct) > 0:
        return energy.alpha  # constant columns: nothing tells
    middle = math.log(energy.alpha)
    return math.exp(brentq(log_ratio, middle - 60.0, middle + 60.0))


def _without_dropped_rows(cv: Any, sample_weight: Any) -> Any:
    """Renumber the rows of given splits as the energy has them: those of weight zero are not there."""
    if sample_weight is None or np.ndim(sample_weight) == 0 or not isinstance(cv, Iterable):
        return cv
    kept = np.asarray(sample_weight) > 0
    number = np.cumsum(kept) - 1
    return [tuple(number[rows][kept[rows]] for rows in map(np.asarray, split)) for split in cv]


def _cross_validated(energy: Energy, cv: Any, n_jobs: int | None) -> float:
    penalty = energy.penalty
    shared = {
        "fit_intercept": energy.fit_intercept,
        "penalty_weights": penalty.factors,
        "cv": cv,
        "n_jobs": n_jobs,
    }
    if penalty.l1 == 0:
        if penalty.positive:
            raise ValueError(
                'methods must leave out "cross-validation" for a ridge with positive=True: '
                "RidgeCV has no such constraint."
            )
        ridge = RidgeCV(alphas=100, **shared).fit(energy.X, energy.y, sample_weight=energy.sample_weight)
        return float(ridge.alpha_) / energy.alpha_scale
    net = ElasticNetCV(l1_ratio=penalty.l1_ratio, positive=penalty.positive, **shared)
    net.fit(energy.X, energy.y, sample_weight=energy.sample_weight)
    return float(net.alpha_) * energy.total_weight / energy.alpha_scale


def _n_nonzero(energy: Energy, alpha: float) -> int:
    """Count the non-zero coefficients of the solution at this alpha."""
    if energy.penalty.l1 == 0 and not energy.penalty.positive:
        at_zero = energy.penalty.penalized(energy.n_features).sum() if alpha == math.inf else 0
        return energy.n_features - int(at_zero)
    problem = least_squares(
        energy.X, energy.y[:, None], energy.sample_weight, fit_intercept=energy.fit_intercept
    )
    return int(np.count_nonzero(solve_elastic_net(problem, _at(energy, alpha).penalty).coef))
