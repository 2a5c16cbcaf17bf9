"""Bias and variance against what ridge's algebra says, and what can be said when f is not known."""

import threading

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import BiasVariance, Lasso, Ridge, bias_variance_curve, bias_variance_decomposition

COEF = np.array([2.0, -1.0, 0.5, 0.0])


def f(X):
    return X[:, :4] @ COEF + np.sin(3.0 * X[:, 0]) + 1.0


def design(n=40, seed=0, p=4):
    return np.random.default_rng(seed).standard_normal((n, p))


def closed_form(X, X_test, alpha, noise_variance):
    """Squared bias and variance at each point: ridge's predictions are H y, with fixed H."""
    mean = X.mean(axis=0)
    A, B = X - mean, X_test - mean
    H = B @ np.linalg.solve(A.T @ A + alpha * np.eye(X.shape[1]), A.T) + 1.0 / len(X)
    return (H @ f(X) - f(X_test)) ** 2, noise_variance * np.sum(H**2, axis=1)


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("alpha", [0.1, 30.0])
def test_ridge_s_bias_and_variance_are_those_of_its_closed_form_to_two_per_cent(alpha, elsewhere):
    X = design(p=15)
    X_test = design(30, seed=1, p=15) if elsewhere else None
    found = bias_variance_decomposition(
        Ridge(alpha),
        X,
        None,
        true_function=f,
        noise_variance=2.0,
        X_test=X_test,
        n_repeats=4000,
        random_state=0,
    )
    bias_squared, variance = closed_form(X, X if X_test is None else X_test, alpha, 2.0)
    assert_allclose(found.bias_squared, bias_squared.mean(), rtol=0.02)
    assert_allclose(found.variance, variance.mean(), rtol=0.02)
    assert_allclose(found.total, 2.0 + bias_squared.mean() + variance.mean(), rtol=0.02)
    assert_allclose(found.at_points["variance"], variance, rtol=0.1)
    assert found.noise == 2.0


@pytest.mark.parametrize("model", [Ridge(10.0), Lasso(0.3), RandomForestRegressor(5, max_depth=3)], ids=str)
def test_the_parts_add_up_to_the_total_that_is_measured_by_itself(model):
    found = bias_variance_decomposition(
        model, design(), None, true_function=f, noise_variance=0.5, n_repeats=300, random_state=0
    )
    parts = found.bias_squared + found.variance + found.noise
    assert abs(found.total - parts) < 4.0 * found.total_standard_error
    assert found.total != parts  # or it would be no check
    assert found.bias_squared_plus_noise == found.bias_squared + found.noise


def test_the_estimate_of_squared_bias_is_unbiased():
    """With two training sets (f − mean f̂)² alone would be too large by half the variance."""
    X, known = design(), {"true_function": lambda X: X @ COEF, "noise_variance": 4.0, "n_repeats": 2}
    found = [
        bias_variance_decomposition(Ridge(0.0), X, None, random_state=seed, **known) for seed in range(400)
    ]
    mean = np.mean([one.bias_squared for one in found])
    assert abs(mean) < 0.02 < 0.2 * np.mean([one.variance for one in found])  # least squares has no bias


def test_without_the_truth_bias_and_noise_are_one_number_and_it_says_so():
    X = design(80)
    y = f(X) + np.random.default_rng(2).standard_normal(80)
    found = bias_variance_decomposition(Ridge(1.0), X, y, n_repeats=100, random_state=0)
    assert found.bias_squared is None and found.noise is None
    assert "bias² and noise together" in repr(found)
    assert "bias_squared" not in found.frame() and "noise" not in found.frame()
    assert_allclose(found.variance + found.bias_squared_plus_noise, found.total, rtol=1e-9)


def test_bootstrapped_parts_are_those_of_the_rows_left_out():
    X = design(15)
    y = f(X) + np.random.default_rng(2).standard_normal(15)
    found = bias_variance_decomposition(Ridge(1.0), X, y, n_repeats=30, random_state=5)
    predictions = [[] for _ in range(15)]
    for seed in np.random.RandomState(5).randint(np.iinfo(np.int32).max, size=30):
        rows = np.random.RandomState(seed).randint(15, size=15)
        fitted = Ridge(1.0).fit(X[rows], y[rows])
        for i in set(range(15)) - set(rows.tolist()):
            predictions[i].append(fitted.predict(X[[i]])[0])
    for i, values in enumerate(predictions):
        assert_allclose(found.at_points["variance"][i], np.var(values, ddof=1))
        assert_allclose(found.at_points["total"][i], np.mean((y[i] - np.array(values)) ** 2))
    assert_allclose(found.total, found.at_points["total"].mean())


def test_the_bootstrap_s_variance_is_near_the_true_one():
    X = design(200)
    y = X @ COEF + np.random.default_rng(2).standard_normal(200)
    bootstrapped = bias_variance_decomposition(Ridge(0.0), X, y, n_repeats=300, random_state=0)
    known = {"true_function": lambda X: X @ COEF, "noise_variance": 1.0, "n_repeats": 300}
    true = bias_variance_decomposition(Ridge(0.0), X, None, random_state=0, **known)
    assert 0.6 < bootstrapped.variance / true.variance < 1.6
    assert_allclose(bootstrapped.bias_squared_plus_noise, 1.0, rtol=0.25)


def test_points_never_left_out_are_nan_and_are_not_averaged():
    X, y = design(6), np.arange(6.0)
    found = bias_variance_decomposition(Ridge(), X, y, n_repeats=3, random_state=1)
    assert np.isnan(found.at_points["variance"]).any()
    assert np.isfinite([found.variance, found.total, found.bias_squared_plus_noise]).all()


@pytest.mark.parametrize("truth", [True, False])
def test_the_numbers_are_in_the_seed_alone(truth):
    X = design()
    y = f(X) + np.random.default_rng(2).standard_normal(40)
    setting = {"true_function": f, "noise_variance": 1.0} if truth else {}
    forest = RandomForestRegressor(3)  # random by itself

    def run(seed, n_jobs):
        return bias_variance_decomposition(
            forest, X, y, n_repeats=12, random_state=seed, n_jobs=n_jobs, **setting
        ).at_points["total"]

    first = run(0, None)
    assert_array_equal(first, run(0, 2))
    with parallel_config(backend="loky", n_jobs=2):
        assert_array_equal(first, run(0, None))
    assert not np.array_equal(first, run(1, None))
    assert forest.random_state is None and not hasattr(forest, "estimators_")


def test_along_alpha_bias_rises_and_variance_falls_on_the_same_training_sets():
    X, alphas = design(), [0.1, 3.0, 100.0, 3000.0]
    known = {"true_function": f, "noise_variance": 1.0, "n_repeats": 50, "random_state": 0}
    curve = bias_variance_curve(
        make_pipeline(StandardScaler(), Ridge()), X, None, "ridge__alpha", alphas, **known
    )
    assert np.all(np.diff(curve.bias_squared) > 0) and np.all(np.diff(curve.variance) < 0)
    assert_array_equal(curve.noise, 1.0)
    again = bias_variance_curve(
        make_pipeline(StandardScaler(), Ridge()), X, None, "ridge__alpha", alphas[1:2], n_jobs=2, **known
    )
    assert again.total[0] == curve.total[1]
    frame = curve.frame()
    assert frame.index.name == "ridge__alpha" and list(frame.index) == alphas
    assert_array_equal(frame["variance"], curve.variance)
    assert "least total" in repr(curve)


def test_a_curve_without_the_truth_has_the_two_together():
    X = design()
    curve = bias_variance_curve(Ridge(), X, f(X), "alpha", [0.1, 10.0], n_repeats=20, random_state=0)
    assert curve.bias_squared is None and curve.noise is None
    assert_allclose(curve.bias_squared_plus_noise + curve.variance, curve.total)
    assert list(curve.frame()) == ["variance", "bias_squared_plus_noise", "total", "total_standard_error"]


def test_frames_and_sparse_data_are_taken():
    X = design()
    table = pd.DataFrame(X, columns=list("abcd"))
    y = f(X)
    expected = bias_variance_decomposition(Ridge(), X, y, n_repeats=10, random_state=0).total
    for data in (table, sparse.csr_array(X), sparse.coo_array(X), X.tolist()):
        assert_allclose(
            bias_variance_decomposition(Ridge(), data, y, n_repeats=10, random_state=0).total, expected
        )
    known = {"noise_variance": 1.0, "n_repeats": 5, "random_state": 0}
    by_name = bias_variance_decomposition(Ridge(), table, None, true_function=lambda t: t["a"], **known)
    by_position = bias_variance_decomposition(Ridge(), X, None, true_function=lambda X: X[:, 0], **known)
    assert_allclose(by_name.total, by_position.total)


def test_the_frame_has_a_row_for_each_point():
    found = bias_variance_decomposition(
        Ridge(), design(), None, true_function=f, noise_variance=1.0, n_repeats=5, random_state=0
    )
    assert isinstance(found, BiasVariance)
    frame = found.frame()
    assert frame.shape == (40, 6)
    assert_allclose(frame["bias_squared"].mean(), found.bias_squared)


def test_the_bar_gets_to_its_end(capsys):
    bias_variance_decomposition(Ridge(), design(), f(design()), n_repeats=5, progressbar=True)
    assert "100%" in capsys.readouterr().out
    assert threading.active_count() == 1 or "RichProgress" not in str(threading.enumerate())


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ({"true_function": f}, ValueError, "true_function and noise_variance go together"),
        ({"noise_variance": 1.0}, ValueError, "true_function and noise_variance go together"),
        ({"true_function": "f", "noise_variance": 1.0}, TypeError, "true_function must be callable"),
        ({"true_function": f, "noise_variance": -1.0}, ValueError, "noise_variance must be a number ≥ 0"),
        (
            {"true_function": lambda X: X, "noise_variance": 1.0},
            ValueError,
            "40 finite numbers for the 40 rows",
        ),
        ({"X_test": np.zeros((2, 4))}, ValueError, "X_test needs true_function"),
        ({"n_repeats": 1}, ValueError, "n_repeats must be"),
        ({"n_jobs": 0}, ValueError, "n_jobs must be"),
        ({"progressbar": "yes"}, TypeError, "progressbar must be"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_bad_parameters_are_named(setting, error, message):
    X = design()
    with pytest.raises(error, match=message):
        bias_variance_decomposition(Ridge(), X, f(X), **setting)


class Mean:
    """An estimator of the user's own: nothing of scikit-learn's but the four methods."""

    def __init__(self, error=None):
        self.error = error

    def get_params(self, deep=True):
        return {"error": self.error}

    def set_params(self, **params):
        self.error = params["error"]
        return self

    def fit(self, X, y):
        self.mean = np.mean(y)
        return self

    def predict(self, X):
        predictions = np.full(len(X), self.mean)
        if self.error == "columns":
            return np.column_stack([predictions, predictions])
        predictions[: self.error] = np.nan
        return predictions


def test_an_estimator_of_the_users_own_needs_no_tags():
    X = design()
    parts = bias_variance_decomposition(
        Mean(0), X, None, true_function=f, noise_variance=1.0, n_repeats=400, random_state=0
    )
    assert_allclose(parts.variance, 1.0 / 40, rtol=0.3)
    assert_allclose(parts.bias_squared, np.mean((f(X) - f(X).mean()) ** 2), rtol=0.05)


@pytest.mark.parametrize("known", [{}, {"true_function": f, "noise_variance": 1.0}], ids=["rows", "noise"])
@pytest.mark.parametrize(
    ("error", "message"), [(1, "got some that are not finite"), ("columns", r"got shape \(\d+, 2\)")]
)
def test_predictions_that_are_none_are_not_taken_for_rows_trained_on(known, error, message):
    X = design()
    with pytest.raises(ValueError, match=message):
        bias_variance_decomposition(Mean(error), X, f(X), n_repeats=5, **known)


def test_a_missing_target_is_named():
    with pytest.raises(ValueError, match="y must be given where true_function is not"):
        bias_variance_decomposition(Ridge(), design(), None)


def test_classifiers_and_empty_ranges_are_refused():
    X = design()
    with pytest.raises(TypeError, match="estimator must be a regressor"):
        bias_variance_decomposition(LogisticRegression(), X, f(X) > 0)
    with pytest.raises(ValueError, match="param_range"):
        bias_variance_curve(Ridge(), X, f(X), "alpha", [])
    with pytest.raises(ValueError, match="alpha_"):
        bias_variance_curve(Ridge(), X, f(X), "alpha_", [1.0])
