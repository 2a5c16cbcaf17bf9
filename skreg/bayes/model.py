"""The PyMC model whose mode is the estimator: coefficients under their prior, a Gaussian likelihood.

PyMC is imported when a function here is called, not before. Numbers are handed to it as np.float64:
PyTensor makes a Python float that float32 can hold, such as 160.0, a float32, and √160 loses eight digits.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from skreg.bayes.noise import Noise, NoiseModel, noise_model, typical_size
from skreg.bayes.priors import ElasticNetPrior, GaussianPrior, LaplacePrior, Prior
from skreg.linear_model.energy import Energy, energy_of
from skreg.penalties import ElasticNetPenalty

if TYPE_CHECKING:
    import pymc as pm

__all__ = ["FLAT_WIDTH", "model_of", "random_variable", "to_pymc"]

FLAT_WIDTH = 1e5
"""Prior standard deviation of an unpenalised coefficient, in units of sd(y)/sd(xⱼ).

A flat prior cannot be drawn from. This one shrinks the coefficient by about 1e-10/n of itself.
"""


def to_pymc(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    noise: Noise = None,
    noise_prior: tuple[float, float] | None = None,
    sample_weight: Any = None,
) -> pm.Model:
    """Write the PyMC model whose mode is the estimator's solution.

    Parameters
    ----------
    estimator : estimator
        Ridge, Lasso or ElasticNet of skreg or scikit-learn, one of their CV forms, or a Pipeline of
        transformers ending in one. If it is not fitted, a clone is fitted; only its penalty, and for
        the plug-in contract its residuals, enter the model.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        The data as given to the estimator's `fit`. The model sees them after a pipeline's transformers;
        sparse data stay sparse.
    y : array-like of shape (n_samples,)
        Target.
    noise : float, {"variance-scaled", "plug-in"}, SDScaled or None, default=None
        σ if it is known; ``"variance-scaled"`` scales the prior by the unknown σ², and the mode agrees
        whatever σ² is; ``"plug-in"`` fixes the prior's scale at an estimate σ̂² and leaves the
        likelihood's σ² unknown, and the mode agrees at σ = σ̂; ``SDScaled(rate)`` gives a Lasso's
        coefficients the scale σ/rate, and its mode is a Lasso of another alpha. None is ``"plug-in"``
        where the fit leaves residual degrees of freedom to estimate σ from and the prior that σ̂ then scales
        keeps σ near it, else ``"variance-scaled"``.
    noise_prior : tuple of two floats, optional
        (a0, b0) > 0 of σ² ~ InvGamma(a0, b0); by default weak and scaled to y (`noise_model`).
    sample_weight : array-like of shape (n_samples,), optional
        Precisions sᵢ ≥ 0: yᵢ has variance σ²/sᵢ. Rows of weight 0 are left out of the model.

    Returns
    -------
    pymc.Model
        With coordinates ``feature``, variables ``coef`` (dims ``feature``), ``intercept``, ``sigma`` and
        observed ``y`` (dims ``row``). Free beside ``coef`` are ``sigma2`` = σ² (unless σ is known) and
        ``intercept_centred``, the mean of y at the mean of X (if there is an intercept).
        A dense X and the weights, if there are any, are `pm.Data` named ``X`` and
        ``weight``: give both new rows by `pm.set_data`, and `pm.sample_posterior_predictive` predicts
        them. Without an intercept ``intercept`` is the constant 0; with a known σ ``sigma`` is constant.

    Raises
    ------
    TypeError, ValueError
        If the estimator cannot be translated (the message says what can), or a parameter is out of range.

    Notes
    -----
    The intercept b = c − x̄ᵀw has a flat prior in the estimator. Here its centred form c, the mean of y at
    the mean of X, is N(ȳ, (10 sd y)²): proper, so that prior predictive draws work, and centred on where
    its mode is for any coefficients, so that the mode of `coef` does not move at all. An unpenalised
    coefficient gets a prior `FLAT_WIDTH` times wider than its natural size instead of a flat one. These
    priors are wide, and prior predictive draws of y with them; `noise` and `noise_prior` narrow σ.

    Display the model by ``print(model.str_repr())``. For its mode see `map_agreement`: `pm.find_MAP` stops
    short at the kinks of a Laplace or elastic-net prior. To predict, ``pm.set_data({"X": new})`` takes new
    rows as the estimator's last step sees them, ``pipeline[:-1].transform(X_new)``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Lasso
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]])
    >>> model = to_pymc(Lasso(alpha=0.1), X, np.array([0.0, 1.0, 3.0, 2.0]))
    >>> model["coef"].owner.op.name, model.coords["feature"]
    ('laplace', ('x0', 'x1'))
    """
    energy = energy_of(estimator, X, y, sample_weight)
    return model_of(energy, noise_model(noise, noise_prior, energy))


def model_of(energy: Energy, noise: NoiseModel) -> pm.Model:
    """Write the PyMC model of an energy under a noise contract, as `to_pymc` does of an estimator.

    Parameters
    ----------
    energy : Energy
        The penalty, the data and their names.
    noise : NoiseModel
        What σ is and what the prior's scale hangs on.

    Returns
    -------
    pymc.Model
        See `to_pymc`.
    """
    import pymc as pm
    import pytensor.tensor as pt

    with pm.Model(coords={"feature": list(energy.feature_names)}) as model:
        if noise.prior is None:
            sigma = pm.Deterministic("sigma", pt.as_tensor(np.float64(noise.sigma)))
        else:
            a0, b0 = (np.float64(number) for number in noise.prior)
            sigma2 = pm.InverseGamma("sigma2", alpha=a0, beta=b0)
            sigma = pm.Deterministic("sigma", pt.sqrt(sigma2))
        if noise.rate is not None:
            # λ₁/σ² is now rate/σ; the estimator's own λ₁ has no part in it.
            coef = _coefficients(energy, sigma / np.float64(noise.rate), l1=np.float64(1.0))
        elif noise.sigma is None:
            coef = _coefficients(energy, sigma2)
        else:
            coef = _coefficients(energy, np.float64(noise.sigma) ** 2)

        if energy.fit_intercept:
            spread = typical_size(energy) * math.sqrt(energy.n_samples / energy.total_weight)
            mean, width = np.float64(energy.y_mean), np.float64(10.0 * spread)
            centred = pm.Normal("intercept_centred", mu=mean, sigma=width)
            intercept = pm.Deterministic("intercept", centred - pt.dot(energy.X_mean, coef))
        else:
            intercept = pm.Deterministic("intercept", pt.as_tensor(np.float64(0.0)))

        mu = intercept + _product(energy.X, coef)
        if np.all(energy.sample_weight == 1.0):
            scale = sigma
        else:
            weight = pm.Data("weight", energy.sample_weight, dims="row")
            scale = sigma / pt.sqrt(weight)
        pm.Normal("y", mu=mu, sigma=scale, observed=energy.y, dims="row")
    return model


def random_variable(name: str, prior: Prior, **kwargs: Any) -> Any:
    """Add a prior to the PyMC model in context, as a random variable.

    Parameters
    ----------
    name : str
        The variable's name.
    prior : GaussianPrior, LaplacePrior or ElasticNetPrior
        The prior of every element.
    **kwargs
        Passed to the PyMC distribution: ``dims``, ``shape``, ``initval`` …

    Returns
    -------
    pytensor variable
        The random variable, with a log density and random draws.

    Examples
    --------
    >>> import pymc as pm
    >>> with pm.Model() as model:
    ...     coef = random_variable("coef", LaplacePrior(scale=2.0), shape=3)
    >>> pm.logp(coef, np.zeros(3)).eval(mode="FAST_COMPILE")
    array([-1.38629436, -1.38629436, -1.38629436])
    """
    if isinstance(prior, ElasticNetPrior):
        rates = np.float64(prior.l1_rate), np.float64(prior.l2_rate)
        return _elastic_net(name, *rates, positive=prior.positive, **kwargs)
    if isinstance(prior, LaplacePrior):
        return _laplace(name, np.float64(prior.scale), positive=prior.positive, **kwargs)
    if isinstance(prior, GaussianPrior):
        return _normal(name, np.float64(prior.scale), positive=prior.positive, **kwargs)
    raise TypeError(f"prior must be a GaussianPrior, LaplacePrior or ElasticNetPrior, got {prior!r}.")


def _coefficients(energy: Energy, variance: Any, l1: float | None = None) -> Any:
    """Add the variable `coef` under the prior exp(−penalty/`variance`), by the name it is known by.

    A number `l1` takes the place of the penalty's own λ₁.
    """
    import pytensor.tensor as pt

    penalty: ElasticNetPenalty = energy.penalty
    if l1 is not None:
        penalty = dataclasses.replace(penalty, l1=l1)
    kwargs: dict[str, Any] = {"positive": penalty.positive, "dims": "feature"}
    l1_strength: Any = penalty.l1_strengths(energy.n_features)
    l2_strength: Any = penalty.l2_strengths(energy.n_features)
    free = ~penalty.penalized(energy.n_features)
    if penalty.factors is None or np.all(penalty.factors == 1.0):  # one number for every feature
        l1_strength, l2_strength = np.float64(penalty.l1), np.float64(penalty.l2)
    if free.all():
        return _normal("coef", _flat_scale(energy), **kwargs)
    if free.any():
        flat_rate = np.where(free, _flat_scale(energy) ** -2.0, 0.0)
        if penalty.l1 == 0:
            return _normal("coef", 1.0 / pt.sqrt(l2_strength / variance + flat_rate), **kwargs)
        return _elastic_net("coef", l1_strength / variance, l2_strength / variance + flat_rate, **kwargs)
    if penalty.l1 == 0:
        return _normal("coef", pt.sqrt(variance / l2_strength), **kwargs)
    if penalty.l2 == 0:
        return _laplace("coef", variance / l1_strength, **kwargs)
    return _elastic_net("coef", l1_strength / variance, l2_strength / variance, **kwargs)


def _flat_scale(energy: Energy) -> np.ndarray:
    """Return the prior standard deviation that stands for a flat prior, feature by feature."""
    weight = energy.sample_weight / energy.total_weight
    X: Any = energy.X
    if sparse.issparse(X):
        variance = np.asarray(X.power(2).T @ weight).ravel() - energy.X_mean**2
    else:
        variance = weight @ (X - energy.X_mean) ** 2
    sd_x = np.sqrt(np.maximum(variance, 0.0))
    sd_y = typical_size(energy) * math.sqrt(energy.n_samples / energy.total_weight)
    return FLAT_WIDTH * sd_y / np.where(sd_x > 0, sd_x, 1.0)


def _product(X: Any, coef: Any) -> Any:
    """Xw, with X as replaceable data, or as a sparse constant (PyMC has no sparse data container)."""
    import pymc as pm
    import pytensor.sparse
    import pytensor.tensor as pt

    if sparse.issparse(X):
        pm.modelcontext(None).add_coord("row", length=X.shape[0])
        # PyTensor takes SciPy's sparse matrices and not yet its sparse arrays.
        constant = pytensor.sparse.as_sparse_variable(sparse.csr_matrix(X))
        return pytensor.sparse.dot(constant, coef[:, None])[:, 0]
    return pt.dot(pm.Data("X", X, dims=("row", "feature")), coef)


def _normal(name: str, scale: Any, *, positive: bool, **kwargs: Any) -> Any:
    import pymc as pm

    if positive:
        return pm.HalfNormal(name, sigma=scale, **kwargs)
    return pm.Normal(name, mu=0, sigma=scale, **kwargs)


def _laplace(name: str, scale: Any, *, positive: bool, **kwargs: Any) -> Any:
    import pymc as pm

    if positive:
        return pm.Exponential(name, scale=scale, **kwargs)
    return pm.Laplace(name, mu=0, b=scale, **kwargs)


def _elastic_net(name: str, l1_rate: Any, l2_rate: Any, *, positive: bool, **kwargs: Any) -> Any:
    """Add a PyMC variable of density exp(−a|w| − ½cw²)/Z: what `ElasticNetPrior` is to SciPy."""
    import pymc as pm

    if positive:
        return pm.CustomDist(
            name,
            l1_rate,
            l2_rate,
            dist=_half_elastic_net_draw,
            logp=_half_elastic_net_logp,
            support_point=_half_elastic_net_support_point,
            transform=pm.distributions.transforms.log,
            class_name="HalfElasticNet",
            **kwargs,
        )
    return pm.CustomDist(
        name,
        l1_rate,
        l2_rate,
        dist=_elastic_net_draw,
        logp=_elastic_net_logp,
        class_name="ElasticNet",
        **kwargs,
    )


def _elastic_net_logp(value: Any, a: Any, c: Any) -> Any:
    import pytensor.tensor as pt

    far = a > 100.0 * pt.sqrt(2.0 * c)
    # Where a²/c is huge, the series of erfcx, whose derivative by PyTensor would lose every digit there.
    # Each branch is fed a harmless number where the other one is taken, or its gradient would be NaN.
    x = pt.switch(far, c / pt.switch(far, a, 1.0) ** 2, 0.0)
    t = pt.switch(far, 1.0, a / pt.sqrt(2.0 * pt.switch(far, 1.0, c)))
    laplace = pt.log(2.0 / pt.switch(far, a, 1.0)) + pt.log1p(-x * (1.0 - x * (3.0 - 15.0 * x)))
    general = 0.5 * pt.log(2.0 * np.pi / pt.switch(far, 1.0, c)) + pt.log(pt.erfcx(t))
    return -a * pt.abs(value) - 0.5 * c * value**2 - pt.switch(far, laplace, general)


def _half_elastic_net_logp(value: Any, a: Any, c: Any) -> Any:
    import pytensor.tensor as pt

    return pt.switch(value >= 0.0, _elastic_net_logp(value, a, c) + math.log(2.0), -np.inf)


def _elastic_net_draw(a: Any, c: Any, size: Any) -> Any:
    import pymc as pm
    import pytensor.tensor as pt

    # The magnitude of a standard Laplace draw is an Exponential(1), its sign a fair coin.
    draw = pm.Laplace.dist(0.0, 1.0, size=size)
    return pt.sign(draw) * _invert_hazard(pt.abs(draw), a, c)


def _half_elastic_net_draw(a: Any, c: Any, size: Any) -> Any:
    import pymc as pm

    return _invert_hazard(pm.Exponential.dist(1.0, size=size), a, c)


def _half_elastic_net_support_point(rv: Any, size: Any, a: Any, c: Any) -> Any:
    import pytensor.tensor as pt

    return pt.full(size, 1.0 / (a + pt.sqrt(c))) if size is not None else 1.0 / (a + pt.sqrt(c))


def _invert_hazard(exponential: Any, a: Any, c: Any) -> Any:
    """`skreg.bayes.priors._invert_hazard`, which has the mathematics, as a PyTensor graph."""
    import pytensor.tensor as pt

    root_c = pt.maximum(pt.sqrt(c), 1e-8 * a)
    beta = a / root_c
    u = 2.0 * exponential / (beta + pt.sqrt(beta**2 + 2.0 * exponential))
    log_start = pt.log(pt.erfcx(beta / math.sqrt(2.0)))
    for _ in range(8):
        tail = pt.erfcx((beta + u) / math.sqrt(2.0))
        hazard = beta * u + 0.5 * u**2 - (pt.log(tail) - log_start)
        u = pt.maximum(u - (hazard - exponential) * tail * math.sqrt(0.5 * math.pi), 0.0)
    return u / root_c
