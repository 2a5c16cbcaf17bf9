"""Bad input: an error that names the parameter and what came; and an earlier fit that survives it."""

import re
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skreg import ElasticNet, Lasso, Ridge
from skreg.linear_model import ridge as ridge_module

every_class = pytest.mark.parametrize("Estimator", [Ridge, Lasso, ElasticNet])
RNG = np.random.default_rng(0)
X = RNG.standard_normal((20, 3))
y = X @ [1.0, 2.0, 0.0] + 0.1 * RNG.standard_normal(20)


def with_entry(array, value):
    array = array.copy()
    array[-1] = value
    return array


def says(*parts):
    """A pattern for a message in which each part occurs, in order."""
    return r"[\s\S]*".join(re.escape(part) for part in parts)


@every_class
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (-1, ValueError),
        (-1e-300, ValueError),
        (np.nan, ValueError),
        (np.inf, ValueError),
        (10**400, ValueError),
        ("0.1", TypeError),
        (None, TypeError),
        (True, TypeError),
        (1j, TypeError),
    ],
    ids=lambda value: f"{value!r:.12}",
)
def test_alpha_is_a_finite_number_not_below_zero(Estimator, value, error):
    with pytest.raises(error, match=says("alpha must be a number ≥ 0, got", repr(value))):
        Estimator(alpha=value).fit(X, y)


@pytest.mark.parametrize("Estimator", [Lasso, ElasticNet])
@pytest.mark.parametrize("value", [[0.1], np.array([0.1, 0.2, 0.3])], ids=repr)
def test_alpha_of_a_lasso_is_one_number(Estimator, value):
    with pytest.raises(TypeError, match=says("alpha must be a number ≥ 0, got", repr(value))):
        Estimator(alpha=value).fit(X, y)


@pytest.mark.parametrize(
    ("value", "error", "pattern"),
    [
        ([0.1, -0.1], ValueError, "alpha must be a number ≥ 0, or one for each target, got [0.1, -0.1]"),
        ([0.1, np.inf], ValueError, "alpha must be a number ≥ 0, or one for each target, got"),
        ([], ValueError, "alpha must be a number ≥ 0, or one for each target, got []"),
        ([[0.1, 0.2]], ValueError, "alpha must be a number ≥ 0, or one for each target, got"),
        (["a", "b"], TypeError, "alpha must be a number ≥ 0, or one for each target, got"),
        ([None, 0.1], TypeError, "alpha must be a number ≥ 0, or one for each target, got"),
        ([0.1, 0.2, 0.3], ValueError, "alpha has 3 values and y 2 targets"),
    ],
)
def test_alphas_of_a_ridge_are_one_for_each_target(value, error, pattern):
    with pytest.raises(error, match=re.escape(pattern)):
        Ridge(alpha=value).fit(X, np.column_stack([y, y]))


@every_class
@pytest.mark.parametrize("value", [1, np.float32(1), np.int8(1), Fraction(1)], ids=repr)
def test_alpha_is_any_kind_of_real_number(Estimator, value):
    assert_array_equal(Estimator(alpha=value).fit(X, y).coef_, Estimator(alpha=1.0).fit(X, y).coef_)


@pytest.mark.parametrize("value", [-0.1, 1.0001, np.nan, "1", None, True, [0.5]], ids=repr)
def test_l1_ratio_is_a_number_between_zero_and_one(value):
    with pytest.raises((TypeError, ValueError), match=says("l1_ratio must be a number between 0 and 1, got")):
        ElasticNet(l1_ratio=value).fit(X, y)


@every_class
@pytest.mark.parametrize(
    ("parameter", "value", "wanted"),
    [
        ("tol", -1e-9, "a number ≥ 0"),
        ("tol", "small", "a number ≥ 0"),
        ("max_iter", 0, "an integer ≥ 1"),
        ("max_iter", 10.0, "an integer ≥ 1"),
        ("max_iter", "many", "an integer ≥ 1"),
        ("fit_intercept", 1, "True or False"),
        ("fit_intercept", "no", "True or False"),
        ("positive", None, "True or False"),
        ("penalty_weights", [1.0, 1.0], "None or 3 finite numbers ≥ 0"),
        ("penalty_weights", [1.0, 1.0, -1.0], "None or 3 finite numbers ≥ 0"),
        ("penalty_weights", [1.0, np.nan, 1.0], "None or 3 finite numbers ≥ 0"),
        ("penalty_weights", [1.0, np.inf, 1.0], "None or 3 finite numbers ≥ 0"),
        ("penalty_weights", [[1.0, 1.0, 1.0]], "None or 3 finite numbers ≥ 0"),
        ("penalty_weights", 2.0, "None or 3 finite numbers ≥ 0"),
        ("penalty_weights", "abc", "None or 3 finite numbers ≥ 0"),
        ("penalty_weights", ["a", "b", "c"], "None or 3 finite numbers ≥ 0"),
        ("penalty_weights", {"a": 1.0}, "None or 3 finite numbers ≥ 0"),
    ],
)
def test_each_parameter_says_what_it_wants_and_what_it_got(Estimator, parameter, value, wanted):
    with pytest.raises((TypeError, ValueError), match=says(parameter, "must be", wanted, "got", repr(value))):
        Estimator(**{parameter: value}).fit(X, y)


@pytest.mark.parametrize("Estimator", [Lasso, ElasticNet])
def test_warm_start_is_a_boolean(Estimator):
    with pytest.raises(TypeError, match="warm_start must be True or False, got 1"):
        Estimator(warm_start=1).fit(X, y)


@every_class
@pytest.mark.parametrize(
    ("bad_X", "bad_y", "pattern"),
    [
        (with_entry(X, np.nan), y, "Input X contains NaN"),
        (with_entry(X, -np.inf), y, "Input X contains infinity"),
        (sparse.csr_array(with_entry(X, np.nan)), y, "Input X contains NaN"),
        (with_entry(X, 1e39).astype(np.float64), with_entry(y, np.nan), "Input y contains NaN"),
        (X, with_entry(y, np.inf), "Input y contains infinity"),
        (X, np.column_stack([y, with_entry(y, np.nan)]), "Input y contains NaN"),
        (X, y[:-1], "inconsistent numbers of samples: [20, 19]"),
        (X[:, 0], y, "Expected 2D array, got 1D array"),
        (X[:, :0], y, "0 feature(s) (shape=(20, 0)) while a minimum of 1 is required"),
        (X[:0], y[:0], "0 sample(s) (shape=(0, 3)) while a minimum of 1 is required"),
        (X[None], y, "dim 3"),
        (X, np.ones((20, 1, 1)), "dim 3"),
        (X, None, "requires y to be passed"),
        (X + 0j, y, "Complex data not supported"),
        (np.full((20, 3), "a"), y, "could not convert string to float"),
    ],
)
def test_data_that_cannot_be_fitted_are_refused(Estimator, bad_X, bad_y, pattern):
    with pytest.raises(ValueError, match=re.escape(pattern)):
        Estimator().fit(bad_X, bad_y)


@every_class
@pytest.mark.parametrize(
    ("weights", "pattern"),
    [
        (np.zeros(20), "zero on every row; at least one weight must be positive"),
        (0, "zero on every row"),
        (with_entry(np.ones(20), -0.5), "must be ≥ 0 everywhere, got negative values down to -0.5"),
        (-1.0, "must be ≥ 0 everywhere"),
        (with_entry(np.ones(20), np.nan), "contains NaN"),
        (np.inf, "contains infinity"),
        (np.ones(19), "has shape (19,), expected (20,)"),
        ([], "has shape (0,), expected (20,)"),
        (np.ones((20, 1)), "has shape (20, 1), expected (20,)"),
        ("balanced", "must be a number ≥ 0, or one a row"),
        (["a"] * 20, "must be a number ≥ 0, or one a row"),
        (np.full(20, 1e308), "sums to inf"),
        (np.full(20, 1e-320), "sums to 1.99998e-319"),
    ],
    ids=lambda value: f"{value!r:.20}",
)
def test_weights_are_finite_not_negative_and_not_all_zero(Estimator, weights, pattern):
    with pytest.raises(ValueError, match=says("sample_weight", pattern)):
        Estimator().fit(X, y, sample_weight=weights)


# ---------------------------------------------------------------------- an earlier fit survives


def raise_interrupt(*args, **kwargs):
    raise KeyboardInterrupt


FAILURES = {
    "NaN in X": ({}, (with_entry(X, np.nan), y)),
    "NaN in y": ({}, (X, with_entry(y, np.nan))),
    "rows missing": ({}, (X, y[:-1])),
    "fewer features, other names, bad weights": (
        {},
        (pd.DataFrame(X[:, :2], columns=["u", "v"]), y, np.zeros(20)),
    ),
    "negative weights": ({}, (X[:, :2], y, -np.ones(20))),
    "alpha": ({"alpha": -1.0}, (X[:, :2], y)),
    "penalty_weights": ({"penalty_weights": [1.0]}, (X[:, :2], y)),
    "float32 overflow": ({"alpha": 1e99}, (X[:, :2].astype(np.float32), 1e100 * y)),
    "not converged, warnings as errors": ({"tol": 0.0}, (X[:, :2], y)),
}


@every_class
@pytest.mark.parametrize("kind", FAILURES)
def test_a_failed_fit_leaves_the_earlier_one_as_it_was(Estimator, kind):
    parameters, arguments = FAILURES[kind]
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    fitted = Estimator(alpha=0.1).fit(table, y)
    before = dict(vars(fitted))
    predictions = fitted.predict(table)
    fitted.set_params(**parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises((ValueError, TypeError, ConvergenceWarning)):
            fitted.fit(*arguments)
    assert_array_equal(fitted.predict(table), predictions)
    assert fitted.n_features_in_ == 3
    assert list(fitted.feature_names_in_) == ["a", "b", "c"]
    fitted_before = {name for name in before if name.endswith("_")}
    assert {name for name in vars(fitted) if name.endswith("_")} == fitted_before
    assert all(vars(fitted)[name] is before[name] for name in fitted_before)


@every_class
@pytest.mark.parametrize("kind", FAILURES)
def test_a_failed_first_fit_leaves_nothing(Estimator, kind):
    parameters, arguments = FAILURES[kind]
    estimator = Estimator(alpha=0.1).set_params(**parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises((ValueError, TypeError, ConvergenceWarning)):
            estimator.fit(*arguments)
    assert vars(estimator) == vars(clone(estimator))


def test_an_interrupted_fit_leaves_the_earlier_one_as_it_was(monkeypatch):
    fitted = Ridge().fit(X, y)
    predictions = fitted.predict(X)
    monkeypatch.setattr(ridge_module, "solve_ridge", raise_interrupt)
    with pytest.raises(KeyboardInterrupt):
        fitted.fit(X[:, :2], y)
    assert_array_equal(fitted.predict(X), predictions)
    assert fitted.n_features_in_ == 3


# ---------------------------------------------------------------------- predict


@every_class
@pytest.mark.parametrize(
    ("bad", "pattern"),
    [
        (X[:, :2], "X has 2 features, but {} is expecting 3 features"),
        (X[0], "Expected 2D array, got 1D array"),
        (with_entry(X, np.nan), "Input X contains NaN"),
    ],
)
def test_predict_refuses_what_does_not_fit(Estimator, bad, pattern):
    fitted = Estimator().fit(X, y)
    with pytest.raises(ValueError, match=re.escape(pattern.format(Estimator.__name__))):
        fitted.predict(bad)
