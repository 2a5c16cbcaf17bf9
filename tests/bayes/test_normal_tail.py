"""The tables of the normal tail against arithmetic of forty digits."""

import mpmath
import numpy as np
import pytest

from skreg.bayes import normal_tail
from skreg.bayes.normal_tail import DEGREE, MILLS_END, PER_UNIT, QUANTILE_END, mills_table, quantile_table

# Midpoints of the sixteenths, their ends, and what lies between.
PLACES = np.array([0.0, 0.003, 0.031, 0.5, 0.62, 0.97, 0.999999])


def evaluate(table, start, x):
    i = np.floor((x - start) * PER_UNIT).astype(int)
    midpoint = start + (i + 0.5) / PER_UNIT
    return np.sum(table[i] * (x - midpoint)[:, None] ** np.arange(DEGREE + 1), axis=1)


def mills(x):
    with mpmath.workdps(40):
        x = mpmath.mpf(float(x))
        return mpmath.sqrt(mpmath.pi / 2) * mpmath.exp(x * x / 2) * mpmath.erfc(x / mpmath.sqrt(2))


def worst_of_mills(table):
    x = ((np.arange(0, MILLS_END * PER_UNIT, 3)[:, None] + PLACES) / PER_UNIT).ravel()
    return max(abs(float(got / mills(at) - 1)) for got, at in zip(evaluate(table, 0, x), x, strict=True))


def worst_of_quantiles(table):
    x = (1 + (np.arange(0, (QUANTILE_END - 1) * PER_UNIT, 3)[:, None] + PLACES) / PER_UNIT).ravel()
    x = x[x >= np.sqrt(2 * np.log(2))]  # probabilities of at most ½
    found, worst = evaluate(table, 1, x), 0.0
    with mpmath.workdps(40):
        for z, y in zip(found, x, strict=True):
            # One Newton step of log Φ(−z) = −½y², whose slope is −1/M(z): the error of z.
            tail = mpmath.log(mpmath.erfc(mpmath.mpf(float(z)) / mpmath.sqrt(2)) / 2)
            worst = max(worst, abs(float((tail + mpmath.mpf(float(y)) ** 2 / 2) * mills(z))))
    return worst


def test_mills_ratio_is_right_to_ten_digits():
    assert worst_of_mills(mills_table()) < 1e-10


def test_quantiles_are_right_to_ten_digits():
    assert worst_of_quantiles(quantile_table()) < 1e-10


def test_cubic_polynomials_would_not_be_enough(monkeypatch):
    monkeypatch.setattr(normal_tail, "DEGREE", 3)
    assert worst_of_mills(np.pad(mills_table.__wrapped__(), [(0, 0), (0, 2)])) > 1e-9
    assert worst_of_quantiles(np.pad(quantile_table.__wrapped__(), [(0, 0), (0, 2)])) > 1e-9


def test_tables_are_as_long_as_the_loops_that_read_them_believe():
    assert mills_table().shape == (MILLS_END * PER_UNIT, DEGREE + 1) == (256, 6)
    assert quantile_table().shape == ((QUANTILE_END - 1) * PER_UNIT, DEGREE + 1) == (304, 6)


@pytest.mark.parametrize("table", [mills_table, quantile_table])
def test_tables_are_continuous(table):
    coefficients = table()
    power = (0.5 / PER_UNIT) ** np.arange(DEGREE + 1)
    right = coefficients @ power
    left = coefficients @ (power * (-1.0) ** np.arange(DEGREE + 1))
    np.testing.assert_allclose(right[:-1], left[1:], atol=2e-10, rtol=0)
