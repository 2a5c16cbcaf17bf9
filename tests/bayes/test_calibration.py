"""Simulation-based calibration and Geweke's joint test: the sampler on data that its own model has made.

References
----------
Talts, S., Betancourt, M., Simpson, D., Vehtari, A. and Gelman, A. (2018). Validating Bayesian inference
algorithms with simulation-based calibration; Geweke, J. (2004). Getting it right, JASA 99(467), 799-804.
"""

from typing import NamedTuple

import numpy as np
import pytest
from gibbs_truth import centred, divisor, make_energy, strengths
from scipy import stats
from skreg.bayes._kernels import Chain, Contract

from skreg.bayes import gibbs, walk
from skreg.bayes.draws import chain_generators
from skreg.bayes.gibbs import draw_gibbs
from skreg.bayes.noise import NoiseModel
from skreg.bayes.scaled_posterior import scaled_posterior

PRIOR = (4.0, 4.0)
KNOWN = NoiseModel("known", 1.2)
VARIANCE_SCALED = NoiseModel("variance-scaled", None, PRIOR)
PLUG_IN = NoiseModel("plug-in", 1.2, PRIOR)
SD_SCALED = NoiseModel("sd-scaled", None, PRIOR, 2.5)


class Model(NamedTuple):
    """What data are made by, and drawn from."""

    noise: NoiseModel = VARIANCE_SCALED
    l1: float = 3.0
    l2: float = 0.0
    n: int = 12
    p: int = 4
    options: tuple = ()  # of the energy
    alpha_prior: tuple | None = None


FACTORS = ("factors", np.array([0.5, 1.0, 2.0, 1.0]))
FLAT = ("factors", np.array([1.0, 0.0, 2.0, 1.0]))
WEIGHTS = ("weights", np.linspace(0.2, 2.5, 12))
POSITIVE, INTERCEPT = ("positive", True), ("intercept", True)

MODELS = {
    "known": Model(KNOWN),
    "known net": Model(KNOWN, l2=2.0),
    "variance-scaled": Model(),
    "variance-scaled net": Model(l2=2.0),
    "variance-scaled ridge": Model(l1=0.0, l2=2.0),
    "sd-scaled": Model(SD_SCALED),
    "plug-in": Model(PLUG_IN),
    "plug-in net": Model(PLUG_IN, l2=2.0),
    "positive": Model(options=(POSITIVE,)),
    "positive net": Model(l2=2.0, options=(POSITIVE,)),
    "positive sd-scaled": Model(SD_SCALED, options=(POSITIVE,)),
    "positive plug-in": Model(PLUG_IN, options=(POSITIVE,)),
    "penalty weights": Model(options=(FACTORS,)),
    "penalty weights net": Model(l2=2.0, options=(FACTORS,)),
    "penalty weights sd-scaled": Model(SD_SCALED, options=(FACTORS,)),
    "flat feature": Model(options=(FLAT,)),
    "flat feature net": Model(l2=2.0, options=(FLAT, INTERCEPT)),
    "flat feature sd-scaled": Model(SD_SCALED, options=(FLAT,)),
    "sample weights": Model(options=(WEIGHTS, INTERCEPT)),
    "sample weights net": Model(l2=2.0, options=(WEIGHTS, FACTORS)),
    "intercept": Model(l2=2.0, options=(INTERCEPT,)),
    "intercept plug-in": Model(PLUG_IN, options=(INTERCEPT,)),
    "rows": Model(n=4, p=9),
    "rows known": Model(KNOWN, n=4, p=9),
    "rows net": Model(l2=2.0, n=4, p=9),
    "rows sd-scaled": Model(SD_SCALED, n=4, p=9),
    "rows plug-in": Model(PLUG_IN, n=4, p=9),
    "rows intercept": Model(n=4, p=9, options=(INTERCEPT,)),
    "rows positive": Model(n=4, p=9, options=(POSITIVE,)),
    "rows positive net": Model(l2=2.0, n=4, p=9, options=(POSITIVE, INTERCEPT)),
    "gram of fewer rows": Model(n=4, p=7),
    "gram of fewer rows net": Model(l2=2.0, n=4, p=7),
    "one row": Model(n=1, p=4),
    "alpha": Model(alpha_prior=(6.0, 6.0)),
    "alpha known": Model(KNOWN, alpha_prior=(6.0, 6.0)),
    "alpha net": Model(l2=2.0, alpha_prior=(6.0, 6.0)),
    "alpha plug-in": Model(PLUG_IN, alpha_prior=(6.0, 6.0)),
    "alpha weights net": Model(l2=2.0, alpha_prior=(6.0, 6.0), options=(FACTORS, INTERCEPT)),
    "alpha rows": Model(n=4, p=9, alpha_prior=(6.0, 6.0)),
}
# One of each kind of kernel: these are run by default, with fewer replications.
QUICK = ["known net", "variance-scaled", "variance-scaled net", "sd-scaled", "plug-in", "positive net"]
QUICK += [
    "penalty weights net",
    "flat feature sd-scaled",
    "sample weights",
    "rows net",
    "rows plug-in",
    "alpha net",
]


def draw_prior(model, rng, size=()):
    """Draw (w, σ², alpha); a feature without a prior, and an intercept, may be anything."""
    energy = make_energy(np.zeros((1, model.p)), np.zeros(1), model.l1, model.l2, **prior_options(model))
    l1, l2 = strengths(energy, model.noise)
    noise = model.noise
    if noise.prior is None:
        variance = np.full(size, noise.sigma**2)
    else:
        variance = noise.prior[1] / rng.gamma(noise.prior[0], size=size)
    alpha = np.ones(size)
    if model.alpha_prior is not None:
        alpha = rng.gamma(model.alpha_prior[0], 1.0 / model.alpha_prior[1], size=size)
    scale = (divisor(noise, variance) / alpha)[..., None]
    with np.errstate(divide="ignore"):
        if model.l1 == 0:
            w = np.sqrt(scale / l2) * np.abs(rng.standard_normal((*size, model.p)))
        elif not np.any(l2 > 0):
            w = scale / l1 * rng.standard_exponential((*size, model.p))
        else:
            # A normal truncated to its tail beyond λ₁/√(λ₂ scale).
            sd = np.sqrt(scale / np.where(l2 > 0, l2, 1.0))
            start = l1 * sd / scale
            w = sd * (stats.norm.isf(rng.uniform(size=(*size, model.p)) * stats.norm.sf(start)) - start)
    if not energy.penalty.positive:
        w *= rng.choice([-1.0, 1.0], size=w.shape)
    w[..., l1 + l2 == 0] = 1.7
    return w, variance, alpha


def prior_options(model):
    return {name: value for name, value in model.options if name not in ("weights", "intercept")}


def make_energy_of(model, X, y, centre):
    return make_energy(X, y, model.l1, model.l2, coef=centre, **dict(model.options))


def draw_target(model, X, w, variance, rng):
    options = dict(model.options)
    noise = np.sqrt(variance / options.get("weights", 1.0)) * rng.standard_normal(model.n)
    return X @ w + noise + (5.0 if "intercept" in options else 0.0)


def statistics(energy, noise, w, variance, alpha):
    """What is ranked: every coefficient, σ², ‖w‖₁, the likelihood and alpha; shape (..., k)."""
    A, b, m = centred(energy)
    likelihood = -0.5 * np.sum((b - w @ A.T) ** 2, axis=-1) / variance - 0.5 * m * np.log(variance)
    found = [w, np.sum(np.abs(w), axis=-1)[..., None], likelihood[..., None]]
    if noise.prior is not None:
        found.append(variance[..., None])
    if alpha is not None:
        found.append(alpha[..., None])
    return np.concatenate(found, axis=-1)


def calibration(model, n_replications, *, n_ranked=63, every=6, tune=40, bins=16, seed=0):
    """The p-values of the ranks of the truth among its posterior's draws, which are uniform.

    Of each statistic two: Pearson's over bins, and that of the mean rank, which sees a shift best.
    """
    rng = np.random.default_rng(seed)
    ranks = []
    for replication in range(n_replications):
        X = rng.normal(size=(model.n, model.p)) + 0.5 * rng.normal(size=(model.n, 1))
        w, variance, alpha = draw_prior(model, rng)
        y = draw_target(model, X, w, variance, rng)
        energy = make_energy_of(model, X, y, 0.5 * rng.normal(size=model.p))  # any centre will do
        drawn = draw_gibbs(
            energy,
            model.noise,
            draws=n_ranked * every,
            tune=tune,
            generators=chain_generators([seed, replication], 1),
            alpha_prior=model.alpha_prior,
        )
        kept = slice(every - 1, None, every)
        some = drawn.alpha is not None
        among = statistics(
            energy,
            model.noise,
            drawn.coef[0, kept],
            drawn.sigma[0, kept] ** 2,
            drawn.alpha[0, kept] if some else None,
        )
        truth = statistics(energy, model.noise, w, variance, alpha if some else None)
        ranks.append(np.sum(among < truth, axis=0))
    ranks = np.array(ranks)
    binned = ranks * bins // (n_ranked + 1)
    counts = np.stack([np.bincount(column, minlength=bins) for column in binned.T])
    sd = np.sqrt(((n_ranked + 1) ** 2 - 1) / 12.0 / n_replications)
    shift = 2.0 * stats.norm.sf(np.abs(ranks.mean(axis=0) - 0.5 * n_ranked) / sd)
    return np.concatenate([stats.chisquare(counts, axis=1).pvalue, shift])


def break_contract(monkeypatch, shift):
    """Let σ²'s conditional have a shape that is off."""
    right = walk._contract

    def wrong(posterior):
        contract, shape = right(posterior)
        return contract, shape + shift(posterior)

    monkeypatch.setattr(walk, "_contract", wrong)


@pytest.mark.parametrize("name", QUICK)
def test_truth_ranks_anywhere_among_its_posterior(name):
    p = calibration(MODELS[name], 250 if MODELS[name].alpha_prior is None else 100, bins=8)
    assert p.min() * p.size > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_truth_ranks_anywhere_among_its_posterior_in_a_thousand_replications(name):
    thinner = {} if MODELS[name].alpha_prior is None else {"n_ranked": 31, "every": 3, "tune": 30}
    p = calibration(MODELS[name], 1000, seed=1, **thinner)
    assert p.min() * p.size > 0.01 / len(MODELS)


@pytest.mark.parametrize("name", ["variance-scaled", "variance-scaled net", "sd-scaled", "rows plug-in"])
def test_calibration_finds_a_conditional_without_its_count_of_features(name, monkeypatch):
    # The conditional of σ² has half of each coefficient's prior in its shape; the plug-in one has none.
    sign = 1.0 if name == "rows plug-in" else -1.0
    break_contract(monkeypatch, lambda posterior: sign * 0.5 * posterior.n_penalized)
    p = calibration(MODELS[name], 250, bins=8)
    assert p.min() * p.size < 1e-4


# ---------------------------------------------------------------- Geweke's joint test

GEWEKE = {
    "known net": Model(KNOWN, l2=2.0, n=3, p=2),
    "variance-scaled": Model(n=3, p=2),
    "variance-scaled net": Model(l2=2.0, n=3, p=2),
    "variance-scaled ridge": Model(l1=0.0, l2=2.0, n=3, p=2),
    "sd-scaled": Model(SD_SCALED, n=3, p=2),
    "plug-in": Model(PLUG_IN, n=3, p=2),
    "positive net": Model(l2=2.0, n=3, p=2, options=(POSITIVE,)),
    "rows": Model(n=1, p=3),
    "rows sd-scaled": Model(SD_SCALED, n=2, p=5),
    "rows net": Model(l2=2.0, n=2, p=5),
}


def transition(model, energy, w, variance, rng):
    """Make one draw from (w, σ²) on: a plain sweep and a mirrored one, with their stretches."""
    posterior = scaled_posterior(energy, model.noise)
    start = walk.Start(posterior, energy)
    problem, unit = posterior.problem, posterior.unit
    chain = Chain(
        l1=posterior.penalty.l1,
        l2=posterior.penalty.l2,
        net_ratio=start.net_ratio,
        w=problem.coef_to_scaled(w[None, :])[:, 0],
        variance=variance * unit**2,
        **start.arguments,
    )
    coef, record = np.empty((1, model.p)), np.empty((1, 3))
    gammas = np.zeros(2) if start.shape is None else rng.standard_gamma(start.shape, 2)
    uniforms = rng.random(2 * chain.most_uniforms())
    assert chain.run(1, uniforms, gammas, 1, coef, record) == 1
    return posterior.to_data(coef)[0], record[0, 0] / unit**2


def functions(w, variance):
    """Functions of the parameters: bounded ones and logarithms, whose means settle."""
    size, s = np.abs(w), np.log(variance)[..., None]
    found = [
        np.log(size),
        np.log(size) ** 2,
        (w > 0.3).astype(float),
        (w < -0.3).astype(float),
        s * np.log(size),
    ]
    return np.concatenate([*found, s, s**2, np.sign(w[..., :1] * w[..., 1:2])], axis=-1)


def geweke(model, n_steps, *, seed=0, n_batches=40):
    """The z-scores of functions of (w, σ²), along a chain that also draws y, against their prior means."""
    rng = np.random.default_rng(seed)
    X, centre = rng.normal(size=(model.n, model.p)), rng.normal(size=model.p)
    w, variance, _ = draw_prior(model, rng)
    path_w, path_variance = np.empty((n_steps, model.p)), np.empty(n_steps)
    for step in range(n_steps):
        y = draw_target(model, X, w, variance, rng)
        w, variance = transition(model, make_energy_of(model, X, y, centre), w, variance, rng)
        path_w[step], path_variance[step] = w, variance
    along = functions(path_w, path_variance)
    prior = functions(*draw_prior(model, rng, (200_000,))[:2])
    batches = along.reshape(n_batches, -1, along.shape[1]).mean(axis=1)
    error = np.sqrt(batches.var(axis=0, ddof=1) / n_batches + prior.var(axis=0) / len(prior))
    changes = error > 1e-12  # a known σ² does not
    return (along.mean(axis=0) - prior.mean(axis=0))[changes] / error[changes]


def smallest_p_value(z, n_batches=40):
    """Of as many two-sided tests as there are scores, by Student's distribution."""
    return 2.0 * stats.t.sf(np.abs(z).max(), n_batches - 1) * z.size


@pytest.mark.parametrize("name", ["variance-scaled", "variance-scaled net", "sd-scaled", "plug-in"])
def test_data_and_parameters_in_turn_keep_to_the_prior(name):
    assert smallest_p_value(geweke(GEWEKE[name], 4000)) > 0.001


@pytest.mark.slow
@pytest.mark.parametrize("name", GEWEKE)
def test_data_and_parameters_in_turn_keep_to_the_prior_for_long(name):
    assert smallest_p_value(geweke(GEWEKE[name], 20_000, seed=1)) > 0.001


@pytest.mark.parametrize("name", ["variance-scaled", "sd-scaled", "plug-in"])
def test_geweke_finds_a_shape_that_is_off_by_a_half(name, monkeypatch):
    break_contract(monkeypatch, lambda posterior: 0.5)
    assert smallest_p_value(geweke(GEWEKE[name], 4000)) < 1e-6


def test_contracts_are_each_of_the_kernels():
    named = {walk._contract(_posterior_of(model))[0] for model in MODELS.values()}
    assert named == set(Contract)


def _posterior_of(model):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(model.n, model.p))
    return scaled_posterior(
        make_energy_of(model, X, rng.normal(size=model.n), np.zeros(model.p)), model.noise
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["variance-scaled", "variance-scaled net", "sd-scaled", "plug-in"])
def test_calibration_finds_a_shape_that_is_off_by_a_half(name, monkeypatch):
    break_contract(monkeypatch, lambda posterior: 0.5)
    p = calibration(GEWEKE[name], 2000)
    assert p.min() * p.size < 1e-4


@pytest.mark.parametrize("name", ["known net", "variance-scaled", "plug-in", "sd-scaled", "positive net"])
def test_slides_along_every_direction_keep_the_ranks(name, monkeypatch):
    advance = gibbs.advance_walk

    def advance_sliding(start, chain, _slides, n, mirrored):
        directions, images = start.undetermined()
        assert directions.shape == (4, 4)
        return advance(start, chain, (directions, images), n, mirrored)

    monkeypatch.setattr(walk, "_UNDETERMINED", np.inf)  # every direction
    monkeypatch.setattr(gibbs, "advance_walk", advance_sliding)
    p_values = calibration(MODELS[name], 300, seed=11)
    assert p_values.min() > 0.01 / p_values.size
