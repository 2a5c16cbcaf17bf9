import numpy as np
import pytest
from scipy import stats

from skreg.bayes.inverse_cdf import TabulatedDensity

PROBABILITIES = np.array([1e-9, 1e-4, 0.1, 0.5, 0.9, 0.9999, 1 - 1e-9])


@pytest.mark.parametrize("centre", [-300.3, 0.0, 17.77])
@pytest.mark.parametrize("scale", [1e-4, 0.03, 1.0, 20.0])
def test_the_quantiles_are_those_of_the_distribution(centre, scale):
    normal = stats.norm(centre, scale)
    table = TabulatedDensity(lambda x: 3.0 + normal.logpdf(x), -600.0, 600.0)
    assert table.log_total == pytest.approx(3.0, abs=1e-10)
    back = normal.cdf(table.quantile(PROBABILITIES))
    # Positions near 300 are themselves rounded, to 1e-13.
    np.testing.assert_allclose(back, PROBABILITIES, atol=1e-11 + 1e-13 / scale)
    assert table.weights @ table.points == pytest.approx(centre, abs=1e-9 * scale + 1e-12 * abs(centre))


def test_skew_and_heavy_tails_keep_their_digits():
    # log of a Gamma(0.5): an exponential tail to the left, a double exponential one to the right.
    law = stats.loggamma(0.5)
    table = TabulatedDensity(law.logpdf, -600.0, 600.0)
    np.testing.assert_allclose(law.cdf(table.quantile(PROBABILITIES)), PROBABILITIES, rtol=1e-8, atol=1e-12)


def test_every_mode_has_its_share():
    parts = stats.norm(-40.2, 0.01), stats.norm(3.3, 2.0)

    def log_density(x):
        return np.logaddexp(parts[0].logpdf(x), parts[1].logpdf(x) + np.log(3.0))

    table = TabulatedDensity(log_density, -600.0, 600.0)
    assert table.log_total == pytest.approx(np.log(4.0), abs=1e-9)
    x = table.quantile(np.linspace(0.001, 0.999, 999))
    cdf = 0.25 * parts[0].cdf(x) + 0.75 * parts[1].cdf(x)
    np.testing.assert_allclose(cdf, np.linspace(0.001, 0.999, 999), atol=1e-9)


def test_a_density_cut_off_is_refused():
    with pytest.raises(ValueError, match="not come down to zero"):
        TabulatedDensity(lambda x: 0.01 * x, -10.0, 10.0)
    with pytest.raises(ValueError, match="not finite"):
        TabulatedDensity(lambda x: np.full(x.shape, np.nan), -10.0, 10.0)
