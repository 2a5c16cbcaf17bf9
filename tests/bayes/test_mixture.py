import numpy as np
import pytest
from scipy import optimize, stats

from skreg.bayes.mixture import Mixture


@pytest.mark.parametrize("probability", [1e-6, 0.05, 0.5, 0.975])
@pytest.mark.parametrize("dof", [np.inf, 3.0], ids=["normal", "Student-t"])
def test_a_quantile_is_where_the_mixture_s_distribution_function_takes_the_probability(dof, probability):
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(40))
    mean = 100.0 * rng.standard_cauchy((25, 40))
    scale = np.exp(3.0 * rng.normal(size=(25, 40)))
    found = Mixture(weights, mean, scale, dof).quantile(probability)
    for x, m, s in zip(found, mean, scale, strict=True):
        assert weights @ stats.t(dof, m, s).cdf(x) == pytest.approx(probability, rel=1e-6)


def test_a_quantile_in_the_gap_between_two_humps_is_found():
    mixture = Mixture(np.array([0.3, 0.7]), np.array([[-50.0, 50.0]]), np.array([[1.0, 2.0]]))
    expected = optimize.brentq(
        lambda x: 0.3 * stats.norm(-50, 1).cdf(x) + 0.7 * stats.norm(50, 2).cdf(x) - 0.3 - 1e-9, -50, 50
    )
    assert mixture.quantile(0.3 + 1e-9)[0] == pytest.approx(expected, abs=1e-3)
    assert -45 < mixture.quantile(0.3)[0] < 45


def test_one_component_is_that_distribution():
    mixture = Mixture(np.ones(1), np.array([[2.0], [3.0]]), np.array([[1.0], [0.5]]), 4.0)
    np.testing.assert_allclose(
        mixture.interval(0.8), stats.t(4.0, [[2.0], [3.0]], [[1.0], [0.5]]).ppf([0.1, 0.9])
    )


def test_components_without_spread_are_points():
    mixture = Mixture(np.full(4, 0.25), np.array([[1.0, 2.0, 3.0, 4.0]]), np.zeros((1, 4)))
    assert 2.0 <= mixture.quantile(0.5)[0] <= 3.0
    same = Mixture(np.full(2, 0.5), np.array([[7.0, 7.0]]), np.zeros((1, 2)))
    assert same.quantile(0.1)[0] == 7.0
