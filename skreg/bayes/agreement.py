"""The certificate that an estimator's coefficients are the mode of a PyMC model.

It judges and never repairs: the estimator's coefficients are taken as they are, and PyMC's mode is found
from PyMC's own compiled log density and gradient alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from skreg.bayes.mode import Mode, NegativeLogDensity, find_mode, largest_slope, optimality_violation
from skreg.bayes.model import model_of
from skreg.bayes.noise import Noise, SDScaled, noise_model, typical_size
from skreg.bayes.priors import describe_prior
from skreg.linear_model.energy import Energy, energy_of
from skreg.solvers.certificate import dual_gap
from skreg.solvers.least_squares import least_squares

if TYPE_CHECKING:
    import pandas as pd
    import pymc as pm

__all__ = ["MAPAgreement", "map_agreement"]

FloatArray = NDArray[np.float64]

# A violation of optimality, relative to the largest slope at zero, below which a point counts as a mode.
_IS_MODE = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class MAPAgreement:
    """What `map_agreement` found.

    Parameters
    ----------
    coef : ndarray of shape (n_features,)
        The estimator's coefficients.
    coef_pymc : ndarray of shape (n_features,)
        The coefficients at the mode of the PyMC model.
    kkt_violation : float
        The largest violation of optimality of `coef` by PyMC's compiled gradient, relative to the largest
        slope at zero coefficients: |∂ log p| where a coefficient is not zero, and the excess of the
        slope over the kink of the prior where it is.
    dual_gap : float
        An upper bound of how far the estimator's objective is above its minimum, relative to the null
        model's objective.
    agrees : bool
        Whether PyMC's mode was found and `max_abs_diff` ≤ rtol × max|coef|. For a constant target, where
        both are zero but for rounding, whether the difference is rounding.
    mode_violation : float
        As `kkt_violation`, of PyMC's own mode: large if it could not be found.
    feature_names : tuple of str
        Names of the features.
    rtol : float
        The difference allowed, relative to the largest of `coef`.
    estimator : str
        The estimator in words.
    prior : str
        The prior that the estimator's penalty means, in words and numbers.
    noise : str
        The noise contract in words and numbers; for a model of the user's, what its σ was held at.
    explanation : str
        Why they do not agree and what would make them; empty if they do.
    tol_needed : float or None
        If the estimator stopped early, a tolerance with which it would agree.
    """

    coef: FloatArray
    coef_pymc: FloatArray
    kkt_violation: float
    dual_gap: float
    agrees: bool
    mode_violation: float
    feature_names: tuple[str, ...]
    rtol: float
    estimator: str
    prior: str
    noise: str
    explanation: str = ""
    tol_needed: float | None = None

    @property
    def max_abs_diff(self) -> float:
        """The largest absolute difference between `coef` and `coef_pymc`."""
        return float(np.max(np.abs(self.coef - self.coef_pymc)))

    def __bool__(self) -> bool:
        return self.agrees

    def frame(self) -> pd.DataFrame:
        """Tabulate the coefficients side by side.

        Returns
        -------
        pandas.DataFrame
            A row for each feature, with columns ``coef``, ``coef_pymc`` and ``difference``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("MAPAgreement.frame() needs pandas: pip install pandas.") from error
        columns = {"coef": self.coef, "coef_pymc": self.coef_pymc, "difference": self.coef - self.coef_pymc}
        return pd.DataFrame(columns, index=pd.Index(self.feature_names, name="feature"))

    def __repr__(self) -> str:
        largest = float(np.max(np.abs(self.coef)))
        relative = f" ({self.max_abs_diff / largest:.1e} of the largest)" if largest > 0 else ""
        lines = [
            f"MAPAgreement: {self.estimator} and the PyMC model's mode "
            + ("agree" if self.agrees else "DO NOT AGREE"),
            f"  prior          {self.prior}",
            f"  noise          {self.noise}",
            f"  max |Δcoef|    {self.max_abs_diff:.2e}{relative}; allowed {self.rtol:g} of the largest",
            f"  KKT violation  {self.kkt_violation:.2e} of the largest slope at zero, by PyMC's gradient",
            f"  duality gap    {self.dual_gap:.2e} of the null model's objective",
        ]
        if self.explanation:
            lines.append(f"  {self.explanation}")
        return "\n".join(lines)


def map_agreement(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    model: pm.Model | None = None,
    noise: Noise = None,
    noise_prior: tuple[float, float] | None = None,
    sample_weight: Any = None,
    rtol: float = 1e-4,
) -> MAPAgreement:
    """Check that an estimator's coefficients are the mode of its PyMC model.

    Parameters
    ----------
    estimator : estimator
        Ridge, Lasso or ElasticNet of skreg or scikit-learn, one of their CV forms, or a Pipeline of
        transformers ending in one. A fitted one is judged by its own `coef_`, just as it is; one that is
        not fitted is cloned and fitted with its own settings.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        The data as given to the estimator's `fit`.
    y : array-like of shape (n_samples,)
        Target.
    model : pymc.Model, optional
        The model to compare with, by default the one of `to_pymc`. Any model with a free random variable
        ``coef``, one entry a feature, unbounded or confined to be ≥ 0. Its mode is the joint mode of all
        its free variables in the space in which they were written (not the one PyMC samples in). Build it
        for the transformed data if the estimator is a Pipeline.
    noise : float, {"variance-scaled", "plug-in"} or None, default=None
        The noise contract, as in `to_pymc`; None is ``"plug-in"`` where σ can be estimated, as it is there.
        With a number or ``"plug-in"``, a free variable ``sigma`` or ``sigma2`` of `model` is held at that σ
        or at σ̂, where the agreement is meant to hold; with ``"variance-scaled"`` it takes part in the mode.
    noise_prior : tuple of two floats, optional
        (a0, b0) of σ² ~ InvGamma(a0, b0), as in `to_pymc`.
    sample_weight : array-like of shape (n_samples,), optional
        Weights as given to the estimator's `fit`.
    rtol : float, default=1e-4
        The modes agree if no coefficient differs by more than rtol × max|coef|.

    Returns
    -------
    MAPAgreement
        The coefficients of both, the certificate's numbers, and the verdict, which is also its truth value.

    Raises
    ------
    TypeError, ValueError
        If the estimator cannot be translated, a parameter is out of range, `noise` is an `SDScaled`
        contract, or `model` has no suitable variable ``coef``.

    Notes
    -----
    For a Gaussian likelihood given σ, the prior exp(−penalty/σ²) makes the negative log density E/σ² plus
    a constant, E being the estimator's energy: their minima are the same whatever σ is.

    PyMC's own `pm.find_MAP` is a smooth optimiser: at the kink of |w| it stops short of the mode and reports
    success. The mode here is found from the same compiled log density and gradient, by a method that knows
    of kinks; it is `coef_pymc`.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.linear_model import Lasso
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]])
    >>> map_agreement(Lasso(alpha=0.1), X, np.array([0.0, 1.0, 3.0, 2.0]), noise=0.5).agrees
    True
    """
    if isinstance(rtol, bool) or not (isinstance(rtol, int | float) and 0 < rtol < math.inf):
        raise ValueError(f"rtol must be a finite number > 0, got {rtol!r}.")
    if isinstance(noise, SDScaled):
        raise ValueError(
            f"noise={noise!r} has no σ at which the modes agree: its mode given σ is the Lasso of alpha = "
            'rate·σ/n, whatever the estimator\'s alpha. Take noise="plug-in", "variance-scaled" or a number.'
        )
    energy = energy_of(estimator, X, y, sample_weight)
    contract = noise_model(noise, noise_prior, energy)
    own = model is None
    if model is None:
        model, at = model_of(energy, contract), contract.sigma or typical_size(energy)
        held = {"sigma2": at**2}  # any value does: given σ² the mode is where it is for every σ²
    else:
        sigma = contract.sigma
        held = {} if sigma is None else {"sigma": sigma, "sigma2": sigma**2}

    density, start = _compile(model, held, energy)
    mode = find_mode(density, start)
    coef_pymc = mode.z[: energy.n_features]
    kkt_violation = _kkt_violation(density, mode, energy.coef)

    problem = least_squares(
        energy.X, energy.y[:, None], energy.sample_weight, fit_intercept=energy.fit_intercept
    )
    null = float(problem.null_value[0])
    gap = float(dual_gap(problem, energy.coef[None, :], energy.penalty)[0]) / null if null > 0 else 0.0

    allowed = rtol * np.abs(energy.coef).max()
    if null == 0:  # a constant target
        allowed = 1e-12 * typical_size(energy) / np.where(problem.x_scale > 0, problem.x_scale, 1.0)
    close = bool(np.all(np.abs(energy.coef - coef_pymc) <= allowed))
    agrees = close and mode.violation <= _IS_MODE
    explanation, tol_needed = "", None
    if not agrees:
        explanation, tol_needed = _explain(energy, mode, coef_pymc, kkt_violation, gap, rtol)
    return MAPAgreement(
        coef=energy.coef.copy(),
        coef_pymc=coef_pymc.copy(),
        kkt_violation=kkt_violation,
        dual_gap=gap,
        agrees=agrees,
        mode_violation=mode.violation,
        feature_names=energy.feature_names,
        rtol=float(rtol),
        estimator=energy.label,
        prior=describe_prior(energy.penalty, contract.sigma or _residual_size(energy, coef_pymc)),
        noise=str(contract) if own else f"that of the model given{_held(contract.sigma)}",
        explanation=explanation,
        tol_needed=tol_needed,
    )


def _compile(
    model: pm.Model, held: dict[str, float], energy: Energy
) -> tuple[NegativeLogDensity, FloatArray]:
    """Compile −log density of a model's free variables, and where to start.

    Variables named in `held` stay at the values given and do not count as free.
    """
    from pymc.model.transform.conditioning import remove_value_transforms

    names = [variable.name for variable in model.free_RVs]
    if "coef" not in names:
        raise ValueError(
            'model must have a free random variable named "coef", one entry a feature; '
            f"its free variables are {names}."
        )
    if model.discrete_value_vars:
        discrete = [variable.name for variable in model.discrete_value_vars]
        raise ValueError(f"model must have continuous variables only; {discrete} are discrete.")
    # The coefficients and what is held are wanted as they are, not as PyMC's samplers see them.
    transformed = [v.name for v in model.free_RVs if model.rvs_to_transforms[v] is not None]
    if unwanted := [name for name in transformed if name == "coef" or name in held]:
        model = remove_value_transforms(model, unwanted)

    fixed = [v for v in model.free_RVs if v.name in held]
    free = [model["coef"], *(v for v in model.free_RVs if v.name != "coef" and v.name not in held)]
    function = model.compile_fn(
        [model.logp(jacobian=False), model.dlogp(free, jacobian=False)],
        inputs=[model.rvs_to_values[v] for v in free + fixed],
        point_fn=False,
        on_unused_input="ignore",
        mode="FAST_COMPILE",  # compiles in a second instead of ten, and runs as fast on NumPy's BLAS
    )
    initial = model.initial_point()
    values = [np.asarray(initial[model.rvs_to_values[v].name], dtype=np.float64) for v in free]
    fixed_values = [np.full_like(initial[v.name], held[v.name]) for v in fixed]
    n = energy.n_features
    if values[0].size != n:
        raise ValueError(
            f'The variable "coef" of model has {values[0].size} entries and the estimator {n} '
            "coefficients: they must be as many."
        )
    shapes, sizes = [value.shape for value in values], [value.size for value in values]
    ends = np.cumsum(sizes)[:-1]

    def value_and_gradient(z: FloatArray) -> tuple[float, FloatArray]:
        parts = [part.reshape(shape) for part, shape in zip(np.split(z, ends), shapes, strict=True)]
        logp, gradient = function(*parts, *fixed_values)
        return -float(logp), -np.asarray(gradient, dtype=np.float64)

    start = np.concatenate([value.ravel() for value in values])
    start[:n] = 0.0
    # A variable that PyMC transforms is a scale such as σ; so is one that moves the kinks of the prior.
    scales = np.repeat([model.rvs_to_transforms[v] is not None for v in free], sizes)
    density = NegativeLogDensity(value_and_gradient, n, False, scales)
    positive = not np.isfinite(density(start, side=-1.0)[0])
    if not np.isfinite(density(start, side=1.0)[0]):
        raise ValueError(
            "The density of model is zero at its start, where coef is 0: coef must be unbounded or ≥ 0."
        )
    kinks = density.kinks(start)
    for variable in range(1, len(free)):
        entries = np.repeat(np.arange(len(free)) == variable, sizes)
        if not np.allclose(density.kinks(start + 0.1 * entries), kinks, rtol=1e-10):
            scales = scales | entries
    return NegativeLogDensity(value_and_gradient, n, positive, scales), start


def _kkt_violation(density: NegativeLogDensity, mode: Mode, coef: FloatArray) -> float:
    """Return the violation of optimality at `coef`, all other variables being at their best there."""
    n = density.n_coef
    if density.positive and np.any(coef < 0):
        return math.inf
    others = np.arange(mode.z.size) >= n
    z = mode.z.copy()
    z[:n] = coef
    z = find_mode(density, z, moving=others, length=mode.length).z
    violation = float(np.max(optimality_violation(density, z)[:n]))
    # The yardstick keeps the scales (σ must be the same in both) and lets an intercept move to its best.
    at_zero = z.copy()
    at_zero[:n] = 0.0
    at_zero = find_mode(density, at_zero, moving=others & ~density.scales, length=mode.length).z
    unit = largest_slope(density, at_zero)
    return violation / unit if unit > 0 else violation


def _held(sigma: float | None) -> str:
    return "" if sigma is None else f"; a free sigma is held at {sigma:.4g}"


def _residual_size(energy: Energy, coef: FloatArray) -> float:
    """√(Σ s r²/n₊), a σ to state the prior at; the size of y if there is no residual."""
    size = math.sqrt(float(energy.sample_weight @ energy.residual(coef) ** 2) / energy.n_samples)
    return size if size > 0 else typical_size(energy)


def _explain(
    energy: Energy, mode: Mode, coef_pymc: FloatArray, kkt_violation: float, gap: float, rtol: float
) -> tuple[str, float | None]:
    """Why the modes differ, and the tolerance that would make them agree if it is that."""
    if not mode.violation <= _IS_MODE:
        return (
            "The model's mode could not be found (optimality is violated by "
            f"{mode.violation:.1e} where the search ended): its density may have no maximum.",
            None,
        )
    slope = np.max(np.abs(_correlation(energy, np.zeros_like(coef_pymc))))
    violation = energy.penalty.optimality_violation(coef_pymc, _correlation(energy, coef_pymc))
    if np.max(violation) > _IS_MODE * slope:
        return (
            "The model's mode does not minimise the estimator's objective: its prior, its data or its σ is "
            "not what the estimator's penalty means (a free σ takes part in the joint mode; "
            'noise="plug-in" or a number holds it).',
            None,
        )
    inverse = _inverse_curvature(energy, coef_pymc != 0)
    if not inverse < math.inf:
        if kkt_violation <= _IS_MODE:
            return "The mode is not unique (columns are collinear): both are modes of equal height.", None
        return "The estimator is not at its optimum, which is not unique: columns are collinear.", None
    if energy.penalty.l1 == 0 and not energy.penalty.positive:
        return (
            f"{energy.label} is not at its optimum: a direct solver (for scikit-learn's Ridge, "
            'solver="cholesky" or "svd") agrees.',
            None,
        )
    tol = energy.tol
    if tol is not None and 0 < gap <= 10.0 * tol:  # 0 for a constant target, whatever the coefficients
        cause = f"{energy.label} stopped early, by its own tolerance tol={tol:g}"
    else:
        cause = (
            f"{energy.label} is not at its optimum (fitted to other data or with another sample_weight than "
            "was given here, stopped at max_iter, or altered since)"
        )
    # E − min E ≤ gap bounds every difference by √(2 gap (H⁻¹)ⱼⱼ). scikit-learn stops at a gap of
    # tol × 2 × the null model's energy, skreg at tol × it: half of it serves both.
    allowed = 0.5 * (rtol * float(np.max(np.abs(coef_pymc)))) ** 2 / inverse
    tol_needed = 0.5 * allowed / energy.null_value if energy.null_value > 0 else 0.0
    if tol_needed < 1e-15:
        return f"{cause}; no tolerance that double precision can reach vouches for rtol={rtol:g}.", None
    tol_needed = 10.0 ** math.floor(math.log10(tol_needed))
    return (
        f"{cause}: refitted on these data with tol={tol_needed:g} and enough max_iter it agrees.",
        tol_needed,
    )


def _correlation(energy: Energy, coef: FloatArray) -> FloatArray:
    return np.asarray(energy.X.T @ (energy.sample_weight * energy.residual(coef))).ravel()


def _inverse_curvature(energy: Energy, support: NDArray[np.bool_]) -> float:
    """Return the largest diagonal entry of H⁻¹, H being E's second derivatives on the support."""
    if not support.any():
        return 1.0  # any number: there is nothing to move
    columns = energy.X[:, np.flatnonzero(support)]
    columns = columns.toarray() if hasattr(columns, "toarray") else columns
    columns = (columns - energy.X_mean[support]) * np.sqrt(energy.sample_weight)[:, None]
    hessian = columns.T @ columns + np.diag(energy.penalty.l2_strengths(energy.n_features)[support])
    unit = np.sqrt(np.diagonal(hessian))
    if not np.all(unit > 0):
        return math.inf
    eigenvalues, vectors = np.linalg.eigh(hessian / np.outer(unit, unit))
    if eigenvalues[0] < 1e-12:
        return math.inf
    return float(np.max(np.sum(vectors**2 / eigenvalues, axis=1) / unit**2))
