"""skreg against scikit-learn at a tolerance of 1e-12, by scikit-learn's own objective."""

import itertools
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn import linear_model as theirs
from sklearn.exceptions import ConvergenceWarning

from skreg import ElasticNet, Lasso

SHAPES = {"tall": (120, 8), "wide": (30, 90), "square": (40, 40)}


def problem(shape, layout, weighted, n_targets):
    rng = np.random.default_rng([*SHAPES[shape], n_targets])
    n, p = SHAPES[shape]
    X = rng.standard_normal((n, p)) + 0.5 * rng.standard_normal((n, 1))
    if layout == "sparse":
        X *= rng.random((n, p)) < 0.3
    coef = rng.standard_normal((p, n_targets)) * (rng.random((p, n_targets)) < 0.3)
    y = 3.0 + X @ coef + 0.5 * rng.standard_normal((n, n_targets))
    weights = rng.integers(0, 4, n) * rng.uniform(0.5, 1.5, n) if weighted else np.ones(n)
    return X, y if n_targets > 1 else y[:, 0], weights


def objective(X, y, weights, coef, intercept, alpha, l1_ratio):
    r = y - X @ coef - intercept
    penalty = l1_ratio * np.abs(coef).sum() + 0.5 * (1 - l1_ratio) * coef @ coef
    return 0.5 * weights @ r**2 / weights.sum() + alpha * penalty


def fit_theirs(estimator, X, y, weights):
    # scikit-learn may stop by max_iter at alphas as small as these; that is what the comparison is about.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, y, sample_weight=weights)


@pytest.mark.parametrize("fraction", [1e-4, 1e-2, 0.3, 0.9])
@pytest.mark.parametrize("l1_ratio", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("layout", ["dense", "sparse"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_objective_is_never_above_scikit_learn_s(shape, layout, l1_ratio, fraction):
    for weighted, positive, fit_intercept in itertools.product([False, True], repeat=3):
        X, y, weights = problem(shape, layout, weighted, 1)
        mean = weights @ y / weights.sum() if fit_intercept else 0.0
        null = 0.5 * weights @ (y - mean) ** 2 / weights.sum()
        pull = X.T @ (weights * (y - mean))
        alpha = fraction * np.max(pull if positive else np.abs(pull)) / weights.sum() / l1_ratio
        data = sparse.csc_array(X) if layout == "sparse" else X
        parameters = {"alpha": alpha, "fit_intercept": fit_intercept, "positive": positive}
        if l1_ratio == 1.0:
            ours, reference = Lasso(**parameters), theirs.Lasso(**parameters, tol=1e-12, max_iter=20_000)
        else:
            parameters["l1_ratio"] = l1_ratio
            ours = ElasticNet(**parameters)
            reference = theirs.ElasticNet(**parameters, tol=1e-12, max_iter=20_000)
        ours.fit(data, y, sample_weight=weights)
        fit_theirs(reference, data, y, weights)
        mine, other = (
            objective(X, y, weights, model.coef_, model.intercept_, alpha, l1_ratio)
            for model in (ours, reference)
        )
        assert mine <= other + 1e-9 * null
        assert ours.dual_gap_ <= 1e-12 * null
        # Both gaps bound how far the two can be apart where the energy is strongly convex. Where
        # scikit-learn's is not rounding (small alphas, p ≥ n), it is scikit-learn that is off.
        if reference.dual_gap_ <= 1e-13 * null and (shape == "tall" or l1_ratio < 1.0):
            assert np.max(np.abs(ours.coef_ - reference.coef_)) <= 1e-6 * np.max(np.abs(reference.coef_))


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_several_targets_are_each_as_good_as_scikit_learn_s(shape, l1_ratio):
    X, Y, weights = problem(shape, "dense", True, 3)
    parameters = {"alpha": 0.05, "l1_ratio": l1_ratio}
    ours = ElasticNet(**parameters).fit(X, Y, sample_weight=weights)
    reference = theirs.ElasticNet(**parameters, tol=1e-12, max_iter=20_000)
    fit_theirs(reference, X, Y, weights)
    for k, y in enumerate(Y.T):
        mine, other = (
            objective(X, y, weights, model.coef_[k], model.intercept_[k], 0.05, l1_ratio)
            for model in (ours, reference)
        )
        assert mine <= other + 1e-9 * np.var(y)
