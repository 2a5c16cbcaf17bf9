"""Which posteriors are distributions: what is refused has an infinite integral, and nothing else is."""

import numpy as np
import pytest
from gibbs_truth import OneCoefficient, make_energy

from skreg.bayes.noise import NoiseModel
from skreg.bayes.proper import check_proper

VARIANCE_SCALED = NoiseModel("variance-scaled", None, (0.0, 0.0))
PLUG_IN = NoiseModel("plug-in", 0.8, (0.0, 0.0))
SD_SCALED = NoiseModel("sd-scaled", None, (0.0, 0.0), 1.3)
NOISES = {
    "lasso": (VARIANCE_SCALED, 1.5, 0.0),
    "net": (VARIANCE_SCALED, 1.5, 2.0),
    "ridge": (VARIANCE_SCALED, 0.0, 2.0),
    "plug-in": (PLUG_IN, 1.5, 0.0),
    "plug-in net": (PLUG_IN, 1.5, 2.0),
    "sd-scaled": (SD_SCALED, 1.5, 0.0),
}
X = np.array([[1.0], [2.0], [-0.5], [0.3]])
Y = np.array([1.0, -1.0, 0.5, 2.0])
DATA = {
    "general": (X, Y, False),
    "an intercept": (X, Y, True),
    "y = Xw": (X, 2.0 * X[:, 0], False),
    "y = Xw + b": (X, 2.0 * X[:, 0] + 1.0, True),
    "y constant": (X, np.full(4, 3.0), True),
    "y zero": (X, np.zeros(4), False),
    "one row": (X[:1], Y[:1], False),
    "two rows": (X[:2], Y[:2], False),
    "two rows, an intercept": (X[:2], Y[:2], True),
    "one row, an intercept": (X[:1], Y[:1], True),
}


def refused(energy, noise):
    try:
        check_proper(energy, noise)
    except ValueError as error:
        assert "improper" in str(error)
        return True
    return False


def is_distribution(energy, noise, degrees=None):
    """Whether the density of log σ², w integrated out exactly, falls at both ends."""
    slopes = []
    for ends in ([1e-8, 1e-7], [1e12, 1e13]):
        at = OneCoefficient(energy, noise, degrees=degrees, variance=np.array(ends)).log_weight[0]
        slopes.append((at[1] - at[0]) / np.log(10))
    return bool(slopes[0] > 0.05 and slopes[1] < -0.05)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("data", DATA)
def test_without_a_noise_prior_just_the_infinite_integrals_are_refused(noise, data):
    contract, l1, l2 = NOISES[noise]
    columns, y, intercept = DATA[data]
    energy = make_energy(columns, y, l1, l2, intercept=intercept)
    assert refused(energy, contract) != is_distribution(energy, contract)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize(
    "kind", ["general", "y = flat", "y = flat + Xw", "as many flat as rows but one", "two rows"]
)
def test_flat_features_count_like_an_intercept(noise, kind):
    contract, l1, l2 = NOISES[noise]
    flat, column, y = np.array([1.0, -0.4, 0.5, 1.0]), X[:, 0], Y
    if kind == "y = flat":
        y = 3.0 * flat
    elif kind == "y = flat + Xw":
        y = 3.0 * flat - column
    keep = {"as many flat as rows but one": 2, "two rows": 2}.get(kind, 4)
    if kind == "as many flat as rows but one":
        keep = 1
    flat, column, y = flat[:keep], column[:keep], y[:keep]
    energy = make_energy(np.stack([column, flat], axis=1), y, l1, l2, factors=[1.0, 0.0])
    off = np.eye(keep) - np.outer(flat, flat) / (flat @ flat)
    projected, rest = off @ column, off @ y
    if np.linalg.norm(rest) < 1e-12:
        rest = np.zeros(keep)
    alone = make_energy(projected[:, None], rest, l1, l2)
    assert refused(energy, contract) != is_distribution(alone, contract, degrees=keep - 1)


@pytest.mark.parametrize("intercept", [False, True])
def test_more_features_than_rows_need_no_noise_prior_where_the_prior_scales_with_sigma(intercept):
    rng = np.random.default_rng(0)
    wide = make_energy(rng.normal(size=(5, 9)), rng.normal(size=5), 1.5, intercept=intercept)
    assert not refused(wide, VARIANCE_SCALED)
    assert not refused(wide, SD_SCALED)
    assert refused(wide, PLUG_IN)


def test_collinear_flat_features_are_refused_whatever_is_known_of_sigma():
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(8, 3))
    columns[:, 1] = -2.0 * columns[:, 0]
    for noise in (NoiseModel("known", 1.0), NoiseModel("variance-scaled", None, (1.0, 1.0))):
        for factors, wrong in (([0.0, 0.0, 1.0], True), ([0.0, 1.0, 0.0], False), ([0.0, 1.0, 1.0], False)):
            energy = make_energy(columns, rng.normal(size=8), 1.0, factors=np.array(factors))
            assert refused(energy, noise) is wrong
    constant = make_energy(np.ones((8, 2)), rng.normal(size=8), 1.0, factors=[0.0, 1.0], intercept=True)
    assert refused(constant, NoiseModel("known", 1.0))
    nothing = make_energy(columns, rng.normal(size=8), 1.0, factors=np.zeros(3))
    assert refused(nothing, NoiseModel("known", 1.0))
