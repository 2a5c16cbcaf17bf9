"""Cross-validation over folds known by their moments: what the rows would have said."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.model_selection import PredefinedSplit

from skreg import ElasticNetCV, LassoCV, Moments, RidgeCV

GIVEN = {"alphas": np.geomspace(1e-2, 10.0, 12)}
ESTIMATORS = {
    "LassoCV": LassoCV(alphas=20),
    "LassoCV, no intercept": LassoCV(alphas=20, fit_intercept=False),
    "LassoCV, positive": LassoCV(alphas=20, positive=True),
    "LassoCV, weighted penalty": LassoCV(alphas=20, penalty_weights=[0.0, 1.0, 2.0, 1.0, 1.0]),
    "LassoCV, 1se": LassoCV(**GIVEN, selection_rule="1se"),
    "LassoCV, few alphas": LassoCV(alphas=[1.0, 0.1]),  # too few for a Gram matrix of all columns
    "ElasticNetCV": ElasticNetCV(alphas=15, l1_ratio=[0.3, 1.0]),
    "ElasticNetCV, ridge": ElasticNetCV(**GIVEN, l1_ratio=0.0),
    "RidgeCV": RidgeCV(**GIVEN),
    "RidgeCV, a grid": RidgeCV(alphas=20, selection_rule="1se"),
    "RidgeCV, by error": RidgeCV(**GIVEN, scoring="neg_mean_squared_error", fit_intercept=False),
    "RidgeCV, by root": RidgeCV(**GIVEN, scoring="neg_root_mean_squared_error"),
    "RidgeCV, weighted penalty": RidgeCV(**GIVEN, penalty_weights=[0.0, 1.0, 2.0, 1.0, 1.0]),
    "RidgeCV, tiny alphas": RidgeCV(alphas=[1e-12, 1e-9]),
}
every_kind = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)


def data(n=100, p=5, n_targets=1, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    X = offset + rng.standard_normal((n, p)) @ (np.eye(p) + 0.3)
    y = (X - offset) @ rng.uniform(-2, 2, (p, n_targets)) + 5.0 + rng.standard_normal((n, n_targets))
    weights = rng.uniform(0.1, 3.0, n) * (rng.random(n) < 0.8)
    return X, y[:, 0] if n_targets == 1 else y, weights


def folds_of(X, y, weights, labels, centred=True):
    return [
        Moments.from_data(X[labels == k], y[labels == k], weights[labels == k], centred=centred)
        for k in np.unique(labels)
    ]


def by_rows(estimator, X, y, weights, labels):
    return clone(estimator).set_params(cv=PredefinedSplit(labels)).fit(X, y, weights)


def by_moments(estimator, folds):
    return clone(estimator).set_params(cv=len(folds)).fit_moments(folds)


def assert_same_fit(found, expected, rtol=1e-9):
    names = {name for name in vars(expected) if name.endswith("_")} - {"n_iter_", "dual_gap_"}
    assert {name for name in vars(found) if name.endswith("_")} - {"n_iter_", "dual_gap_"} == names
    for name in names:
        mine, theirs = np.asarray(getattr(found, name)), np.asarray(getattr(expected, name))
        assert mine.shape == theirs.shape and mine.dtype == theirs.dtype
        # What differs between folds by next to nothing has few digits.
        loose = 1e-6 if "standard_error" in name else rtol
        assert_allclose(mine, theirs, rtol=loose, atol=rtol * np.max(np.abs(theirs)), err_msg=name)


@every_kind
@given(seed=st.integers(0, 1000), n_folds=st.integers(2, 6))
@settings(max_examples=4, deadline=None)
def test_folds_by_moments_say_what_the_rows_say(estimator, seed, n_folds):
    X, y, weights = data(seed=seed)
    labels = np.random.default_rng(seed).integers(n_folds, size=100)
    folds = folds_of(X, y, weights, labels, estimator.fit_intercept)
    assert_same_fit(by_moments(estimator, folds), by_rows(estimator, X, y, weights, labels))


@every_kind
def test_folds_by_moments_are_certified(estimator):
    X, y, weights = data()
    labels = np.arange(100) % 4
    found = by_moments(estimator, folds_of(X, y, weights, labels, estimator.fit_intercept))
    null = weights @ (y - weights @ y / weights.sum() * estimator.fit_intercept) ** 2
    assert found.dual_gap_ <= 1e-8 * null


@pytest.mark.parametrize("name", ["LassoCV", "RidgeCV"])
def test_columns_far_from_zero_and_folds_far_apart(name):
    X, y, weights = data(offset=1e8)
    X[:50, 0] += 1e3  # the means of folds differ by far more than their rows
    labels = np.arange(100) // 25
    expected = by_rows(ESTIMATORS[name], X, y, weights, labels)
    found = by_moments(ESTIMATORS[name], folds_of(X, y, weights, labels))
    assert_allclose(found.coef_, expected.coef_, rtol=1e-8, atol=1e-10)
    assert_allclose(found.mse_path_, expected.mse_path_, rtol=1e-8)
    assert found.alpha_ == pytest.approx(expected.alpha_, rel=1e-9)


@pytest.mark.parametrize("per_target", [False, True])
def test_ridge_takes_several_targets(per_target):
    X, y, weights = data(n_targets=3)
    labels = np.arange(100) % 5
    model = RidgeCV(**GIVEN, alpha_per_target=per_target)
    found = by_moments(model, folds_of(X, y, weights, labels))
    assert_same_fit(found, by_rows(model, X, y, weights, labels))


def test_more_columns_than_rows():
    X, y, _ = data(30, p=45)
    labels = np.arange(30) % 3
    for estimator in (
        RidgeCV(alphas=[1.0, 10.0]),
        LassoCV(alphas=[1.0, 0.3, 0.1]),
        LassoCV(alphas=10, eps=0.1),
    ):
        found = by_moments(estimator, folds_of(X, y, np.ones(30), labels))
        assert_same_fit(found, by_rows(estimator, X, y, np.ones(30), labels), rtol=1e-7)


def test_cv_none_is_as_many_folds_as_there_are_for_the_lasso():
    X, y, weights = data()
    folds = folds_of(X, y, weights, np.arange(100) % 7)
    assert LassoCV(alphas=5).fit_moments(folds).mse_path_.shape == (5, 7)
    assert LassoCV(alphas=5).fit_moments(iter(folds)).mse_path_.shape == (5, 7)


def test_the_moments_are_left_alone_and_not_kept():
    X, y, weights = data()
    folds = folds_of(X, y, weights, np.arange(100) % 3)
    before = [fold.gram.copy() for fold in folds]
    model = LassoCV(alphas=5).fit_moments(folds)
    assert not any(isinstance(value, Moments) for value in vars(model).values())
    for fold, gram in zip(folds, before, strict=True):
        assert_array_equal(fold.gram, gram)


def test_names_and_dtype_are_those_of_the_moments():
    X, y, _ = data()
    folds = [
        Moments.from_data(part.astype(np.float32), target, feature_names="abcde")
        for part, target in zip(np.array_split(X, 3), np.array_split(y, 3), strict=True)
    ]
    for model in (LassoCV(alphas=5), RidgeCV(cv=3)):
        model.fit_moments(folds)
        assert_array_equal(model.feature_names_in_, list("abcde"))
        assert model.coef_.dtype == np.float32


def test_a_score_by_name_is_a_formula_under_metadata_routing_too():
    X, y, weights = data()
    folds = folds_of(X, y, weights, np.arange(100) % 3)
    expected = RidgeCV(cv=3, scoring="r2").fit_moments(folds)
    with config_context(enable_metadata_routing=True):
        found = RidgeCV(cv=3, scoring="r2").fit_moments(folds)
    assert_array_equal(found.score_path_, expected.score_path_)


def refusals():
    X, y, weights = data()
    three = folds_of(X, y, weights, np.arange(100) % 3)
    about_zero = folds_of(X, y, weights, np.arange(100) % 3, centred=False)
    named = Moments.from_data(X, y, feature_names="abcde")
    empty = Moments.from_data(X, y, np.zeros(100))
    single = Moments.from_data(X[:1], y[:1])
    return {
        "leave-one-out": (RidgeCV(), three, "cv=None is leave-one-out, which takes the rows"),
        "a scorer": (
            RidgeCV(cv=3, scoring="neg_mean_absolute_error"),
            three,
            "takes predictions of single rows",
        ),
        "R² about zero": (
            RidgeCV(cv=3, fit_intercept=False),
            about_zero,
            "R², which measures from the mean of y",
        ),
        "R² of one row": (RidgeCV(cv=3), [*three[:2], single], "not defined on a single test row"),
        "other folds": (LassoCV(cv=5), three, "The moments are of 3 folds, and cv=5"),
        "a splitter": (LassoCV(cv=PredefinedSplit([0, 1])), three, "cannot be split into other folds"),
        "one": (LassoCV(), three[:1], "at least 2 folds, got 1"),
        "not a list": (LassoCV(), three[0], "must be a sequence of Moments"),
        "no moments": (LassoCV(), [X, y], "must be a skreg.Moments"),
        "centring": (LassoCV(), about_zero, "needs moments with centred=True"),
        "names": (LassoCV(), [three[0], named], "same feature names"),
        "empty": (LassoCV(), [*three, empty], "Fold 3 has no row of positive weight"),
        "targets": (LassoCV(), [Moments.from_data(X, np.c_[y, y])] * 2, "y has 2 targets"),
        "alphas": (LassoCV(alphas=0), three, "alphas must be"),
        "penalty_weights": (LassoCV(penalty_weights=[1.0]), three, "penalty_weights must be"),
    }


@pytest.mark.parametrize("name", refusals())
def test_what_moments_cannot_do_is_refused_and_an_earlier_fit_kept(name):
    estimator, folds, message = refusals()[name]
    X, y, _ = data()
    model = type(estimator)().fit(X, y).set_params(**estimator.get_params())
    before = dict(vars(model))
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit_moments(folds)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[key] is before[key] for key in before)


@pytest.mark.parametrize("estimator", [LassoCV(alphas=12), RidgeCV(cv=4)], ids=lambda e: type(e).__name__)
def test_every_fold_is_shown(estimator, capsys):
    X, y, weights = data()
    folds = folds_of(X, y, weights, np.arange(100) % 4)
    alone = clone(estimator).fit_moments(folds)
    watched = clone(estimator).set_callbacks(ProgressBar()).fit_moments(folds)
    printed = capsys.readouterr().out
    assert f"{type(estimator).__name__} - fit" in printed and "100%" in printed
    assert_array_equal(watched.mse_path_, alone.mse_path_)
    assert "RichProgressMonitor" not in [type(thread).__name__ for thread in threading.enumerate()]
    assert_array_equal(clone(estimator).set_params(n_jobs=2).fit_moments(folds).coef_, alone.coef_)
