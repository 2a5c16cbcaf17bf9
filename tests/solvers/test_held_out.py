"""Rows that folds hold out: where they are, what is left without them, and their errors by moments."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skreg import Moments
from skreg.solvers.held_out import as_slice, each_row_once, moments_left, squared_errors_by_moments

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "rows", [[3, 4, 5], [7], [3, 5, 4], [4, 3], [3, 3, 4], [2, 2, 4], [0, 2], []], ids=str
)
def test_a_slice_takes_the_same_rows_and_copies_nothing_where_they_follow_each_other(rows):
    data, index = np.arange(10), np.array(rows, dtype=int)
    taken = data[as_slice(index)]
    assert_array_equal(taken, rows)
    consecutive = len(rows) > 0 and rows == list(range(rows[0], rows[0] + len(rows)))
    assert np.shares_memory(taken, data) == consecutive


@pytest.mark.parametrize(
    ("parts", "once"),
    [
        ([[0, 2], [1, 3]], True),
        ([[0], [3, 1], [2]], True),
        ([[0, 2], [1]], False),
        ([[0, 2], [1, 1]], False),
        ([[0, 1, 2, 3], [3]], False),
    ],
    ids=str,
)
def test_parts_have_each_row_once_or_not(parts, once):
    assert each_row_once([np.array(part) for part in parts], 4) is once


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_errors_by_moments_are_those_of_the_rows(fit_intercept):
    X, y, weights = (
        RNG.standard_normal((30, 4)) + 3.0,
        RNG.standard_normal((30, 2)),
        RNG.uniform(0.1, 2.0, 30),
    )
    coef, intercept = RNG.standard_normal((4, 2, 5)), RNG.standard_normal((2, 5))
    moments = Moments.from_data(X, y, weights, centred=fit_intercept)
    missed = moments.y_mean[:, None] - intercept - np.einsum("j,jtk->tk", moments.x_mean, coef)
    residual = y[:, :, None] - np.einsum("ij,jtk->itk", X, coef)
    if fit_intercept:
        residual -= intercept
    else:
        missed = np.zeros((2, 5))
    errors, terms = squared_errors_by_moments(moments, coef, missed)
    assert_allclose(errors, np.einsum("i,itk->tk", weights, residual**2), rtol=1e-10)
    assert np.all(terms >= 0.5 * errors)


@pytest.mark.parametrize("of", ["a column", "the target"])
def test_nothing_is_left_where_the_test_rows_had_it_all(of):
    X, y = RNG.standard_normal((30, 4)), RNG.standard_normal((30, 1))
    rest = Moments.from_data(X[10:], y[10:])
    left = moments_left(Moments.from_data(X, y), Moments.from_data(X[:10], y[:10]), 1e-6)
    assert_allclose(left.gram, rest.gram, rtol=1e-9)
    if of == "a column":
        X[:10, 2] *= 1e5
    else:
        y[:10] *= 1e5
    assert moments_left(Moments.from_data(X, y), Moments.from_data(X[:10], y[:10]), 1e-6) is None
