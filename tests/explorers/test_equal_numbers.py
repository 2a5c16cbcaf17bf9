"""The pages compute what skreg computes: each number of 250 random settings to 1e-9."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.special import erfcx

from skreg import ElasticNetPenalty
from skreg.bayes import prior_of
from skreg.bayes.quadrature import quadrature_posterior
from skreg.explorers.constants import constants_of
from skreg.inspection.geometry import contour_hessian, loss_contour, radius_through, touching_point
from skreg.neural_network.dropout import signal, thinned
from skreg.neural_network.network import Network

N_SETTINGS = 250


def assert_equal(found, wanted, what):
    found, wanted = np.asarray(found, dtype=float), np.asarray(wanted, dtype=float)
    assert found.shape == wanted.shape, what
    assert np.all(np.abs(found - wanted) <= 1e-9 * np.maximum(1.0, np.abs(wanted))), (what, found, wanted)


def l1_ratios(rng, n):
    """Of circle, diamond and all between, near the ends too."""
    return rng.choice([0.0, 1.0, 1e-6, 0.999, *rng.uniform(size=8)], size=n).tolist()


def test_where_the_ellipse_touches_the_ball(opened):
    rng = np.random.default_rng(0)
    settings = [
        {
            "angle": rng.uniform(0.0, 180.0),
            "curvatures": [float(c) for c in 10.0 ** rng.uniform(-1.0, 1.0, 2)],
            "center": rng.uniform(-3.0, 3.0, 2).tolist(),
            "ratio": ratio,
            "radius": rng.uniform(0.1, 2.5),
        }
        for ratio in l1_ratios(rng, N_SETTINGS)
    ]
    with opened("penalty") as page:
        computed = page.evaluate(
            """settings => settings.map(({ angle, curvatures, center, ratio, radius }) => {
                const hessian = skreg.contourHessian(angle, curvatures);
                const penalty = [ratio, 1 - ratio];
                return {
                    hessian,
                    touch: skreg.touchingPoint(hessian, center, penalty, radius),
                    ball: skreg.ball(penalty, radius, 33),
                    through: skreg.radiusThrough(penalty, center),
                    contour: skreg.lossContour(hessian, center, radius, 33),
                    value: skreg.penaltyValue(penalty, center),
                };
            })""",
            settings,
        )
    zeros = 0
    for at, found in zip(settings, computed, strict=True):
        penalty = ElasticNetPenalty(l1=at["ratio"], l2=1.0 - at["ratio"])
        hessian = contour_hessian(at["angle"], at["curvatures"])
        touch = touching_point(hessian, at["center"], penalty, at["radius"])
        assert_equal(found["hessian"], hessian, at)
        assert_equal(found["touch"]["coef"], touch.coef, at)
        assert [w == 0 for w in found["touch"]["coef"]] == touch.zeros.tolist()
        assert_equal(found["touch"]["multiplier"], touch.multiplier, at)
        assert_equal(found["touch"]["loss"], touch.loss, at)
        assert_equal(found["ball"], penalty.ball(at["radius"], 33), at)
        assert_equal(found["through"], radius_through(penalty, at["center"]), at)
        assert_equal(found["contour"], loss_contour(hessian, at["center"], at["radius"], 33), at)
        assert_equal(found["value"], penalty.value(at["center"]), at)
        zeros += touch.zeros.any()
    assert 0.15 < zeros / N_SETTINGS < 0.85  # corners and arcs were both met


def test_every_center_in_a_wedge_and_none_beside_it_gives_the_zero(opened):
    rng, radius = np.random.default_rng(1), 0.4
    with opened("penalty") as page:
        for ratio in (0.2, 0.7, 1.0):
            penalty = ElasticNetPenalty(l1=ratio, l2=1.0 - ratio)
            hessian = contour_hessian(rng.uniform(0.0, 180.0), [1.0, 4.0])
            for axis, sign in ((0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)):
                sides = np.array(
                    page.evaluate(
                        "args => skreg.wedge(...args)",
                        [hessian.tolist(), [ratio, 1 - ratio], radius, axis, sign],
                    )
                )
                corner = np.zeros(2)
                corner[axis] = sign * radius
                for share, inside in ((-0.05, False), (0.05, True), (0.5, True), (0.95, True), (1.05, False)):
                    center = corner + 2.0 * ((1.0 - share) * sides[0] + share * sides[1])
                    assert touching_point(hessian, center, penalty, radius).zeros[1 - axis] == inside


def test_erfcx_is_scipy_s(opened):
    x = np.concatenate([np.linspace(-4.2, 5.0, 400), 10.0 ** np.linspace(0.7, 8.0, 50)])
    with opened("prior") as page:
        found = page.evaluate("x => x.map(skreg.erfcx)", x.tolist())
    np.testing.assert_allclose(found, erfcx(x), rtol=2e-13)


@pytest.mark.parametrize("dimension", [1, 2])
def test_prior_and_posterior(opened, dimension):
    rng = np.random.default_rng(2)
    settings = []
    for ratio in l1_ratios(rng, N_SETTINGS):
        n, correlation = int(rng.integers(2, 101)), rng.uniform(-0.9, 0.9)
        hessian = [[n]] if dimension == 1 else [[n, n * correlation], [n * correlation, n]]
        settings.append(
            {
                "n": n,
                "alpha": 10.0 ** rng.uniform(-2.0, 1.0),
                "ratio": ratio,
                "variance": rng.uniform(0.5, 5.0) ** 2,
                "hessian": hessian,
                "center": rng.uniform(-3.0, 3.0, dimension).tolist(),
                "at": rng.uniform(-3.0, 3.0),
            }
        )
    with opened("prior") as page:
        computed = page.evaluate(
            """settings => settings.map(({ n, alpha, ratio, variance, hessian, center, at }) => {
                const penalty = skreg.strengths(alpha, ratio, n);
                const [a, c] = penalty.map(strength => strength / variance);
                const { logDensity, ...found } = skreg.posterior(hessian, center, penalty, variance);
                return {
                    ...found,
                    penalty,
                    logPosterior: logDensity.map(log => log(at)),
                    logPrior: skreg.priorLogDensity(at, a, c),
                    deviation: skreg.priorDeviation(a, c),
                };
            })""",
            settings,
        )
    zeros = 0
    for at, found in zip(settings, computed, strict=True):
        penalty = ElasticNetPenalty.from_alpha(at["alpha"], at["ratio"], at["n"])
        prior = prior_of(penalty, at["variance"])
        wanted = quadrature_posterior(at["hessian"], at["center"], penalty, at["variance"])
        assert_equal(found["penalty"], [penalty.l1, penalty.l2], at)
        assert_equal(found["logPrior"], prior.logpdf(at["at"]), at)
        assert_equal(found["deviation"], np.sqrt(prior.variance()), at)
        for name in ("mode", "mean", "median"):
            assert_equal(found[name], getattr(wanted, name), (name, at))
        assert [w == 0 for w in found["mode"]] == (wanted.mode == 0).tolist()
        assert_equal(found["logPosterior"], [wanted.logpdf(at["at"], j) for j in range(dimension)], at)
        zeros += np.any(wanted.mode == 0)
    assert 0.1 < zeros / N_SETTINGS < 0.9


def test_thinned_and_whole_networks_and_the_signal(opened):
    rng = np.random.default_rng(3)
    trained = constants_of("dropout")["networks"]
    settings = []
    for i in range(N_SETTINGS):
        network = trained[i % len(trained)]
        rate = network["rate"]
        if i >= N_SETTINGS // 2:  # and other weights
            units = [1, *rng.integers(1, 20, 3).tolist(), 1]
            network = {
                "coefs": [rng.standard_normal((b, a)).tolist() for a, b in pairwise(units)],
                "intercepts": [rng.standard_normal(b).tolist() for b in units[1:]],
            }
            rate = rng.uniform(0.0, 0.9)
        hidden = [len(layer) for layer in network["intercepts"][:-1]]
        settings.append(
            {
                "network": network,
                "rate": rate,
                "uniforms": [rng.uniform(size=n).tolist() for n in hidden],
                "inputs": rng.uniform(-1.0, 1.0, 4).tolist(),
                "values": rng.standard_normal(rng.integers(1, 100)).tolist(),
            }
        )
    with opened("dropout") as page:
        computed = page.evaluate(
            """settings => settings.map(({ network, rate, uniforms, inputs, values }) => {
                const masks = uniforms.map(layer => skreg.mask(layer, rate));
                return {
                    masks,
                    thinned: skreg.outputs(network, inputs, masks),
                    whole: skreg.outputs(network, inputs),
                    signal: Object.values(skreg.signal(values, rate)),
                };
            })""",
            settings,
        )
    for at, found in zip(settings, computed, strict=True):
        network = Network(
            [np.array(coef)[None] for coef in at["network"]["coefs"]],
            [np.array(intercept)[None] for intercept in at["network"]["intercepts"]],
            "relu",
            "identity",
        )
        masks = [np.where(np.array(u) < at["rate"], 0.0, 1.0 / (1.0 - at["rate"])) for u in at["uniforms"]]
        X = np.array(at["inputs"])[:, None]
        for mine, wanted in zip(found["masks"], masks, strict=True):
            assert_equal(mine, wanted, "masks")
        every = [np.ones((1, 1)), *(mask[None] for mask in masks)]
        assert_equal(found["thinned"], thinned(network, every).outputs(X)[0, :, 0], "thinned")
        assert_equal(found["whole"], network.outputs(X)[0, :, 0], "whole")
        assert_equal(found["signal"], signal(at["values"], at["rate"]), "signal")
