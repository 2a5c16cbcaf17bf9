"""A path that ends early is the beginning of the whole path."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from skreg import ElasticNetPenalty
from skreg.solvers import least_squares, solve_path


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("shape", [(60, 15), (30, 60)], ids=["tall", "wide"])
def test_a_path_ends_where_so_many_features_have_been_in_it(shape, container):
    rng = np.random.default_rng(0)
    n, p = shape
    X = rng.standard_normal(shape) * (rng.random(shape) < 0.7)
    y = X[:, :6] @ rng.uniform(-2.0, 2.0, 6) + rng.standard_normal(n)
    problem = least_squares(container(X), y[:, None], np.ones(n), fit_intercept=True)
    penalties = [ElasticNetPenalty(l1=l1) for l1 in np.abs(X.T @ (y - y.mean())).max() * 0.9 ** np.arange(60)]
    whole = solve_path(problem, penalties)
    ever = np.count_nonzero(np.logical_or.accumulate(whole.coef != 0.0, axis=0), axis=1)
    for wanted in (1, 4, 9):
        end = int(np.argmax(ever >= wanted)) + 1
        short = solve_path(problem, penalties, max_features=wanted)
        assert short.coef.shape == (end, p)
        assert short.dual_gap.shape == short.n_iter.shape == (end,)
        assert_allclose(short.coef, whole.coef[:end], atol=1e-10)
    assert solve_path(problem, penalties, max_features=p + 1).coef.shape == (60, p)
