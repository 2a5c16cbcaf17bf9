"""One table: each number in it is what a user would compute by hand."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import LassoCV, Ridge, RidgeCV, compare_regularizers
from skreg.model_selection.comparison import _correlated_groups, _spread

LINEAR = ("ols", "ridge", "lasso", "elastic net")


def data(n=80, seed=0, noise=1.0):
    """Two groups of three features that stand for each other, one of which matters, and four of noise."""
    rng = np.random.default_rng(seed)
    causes = rng.standard_normal((n, 2))
    X = np.column_stack(
        [np.repeat(causes, 3, axis=1) + 0.1 * rng.standard_normal((n, 6)), rng.standard_normal((n, 4))]
    )
    return X * [1, -1, 10, 1, 1, 1, 1, 1, 5, 1], 2.0 * causes[:, 0] + noise * rng.standard_normal(n)


@pytest.fixture(scope="module")
def table():
    return compare_regularizers(*data(), techniques=LINEAR, random_state=0, cv=KFold(4))


def test_the_table_has_the_columns_and_a_row_for_each_technique(table):
    assert list(table.index) == list(LINEAR) and table.index.name == "technique"
    assert list(table) == [
        "prior",
        "alpha",
        "score",
        "standard_error",
        "n_nonzero",
        "norm",
        "spread",
        "coverage",
        "seconds",
        "best_for",
        "effect",
    ]
    assert np.all(table["seconds"] > 0)


def test_scores_and_alphas_are_those_of_the_pipelines(table):
    X, y = data()
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=2)[1]
    lasso = LassoCV(cv=KFold(5, shuffle=True, random_state=seed))
    for name, model in (("ols", Ridge(alpha=0.0)), ("ridge", RidgeCV(alphas=50)), ("lasso", lasso)):
        pipeline = make_pipeline(StandardScaler(), model)
        scores = cross_val_score(pipeline, X, y, cv=KFold(4))
        assert_allclose(table.loc[name, "score"], scores.mean())
        assert_allclose(table.loc[name, "standard_error"], scores.std(ddof=1) / 2.0)
        fitted = pipeline.fit(X, y)[-1]
        assert_allclose(table.loc[name, "alpha"], getattr(fitted, "alpha_", 0.0))
        assert_allclose(table.loc[name, "norm"], np.linalg.norm(fitted.coef_) / y.std())
        assert table.loc[name, "n_nonzero"] == np.count_nonzero(fitted.coef_)


def test_what_each_does_with_correlated_groups_shows_in_the_spread(table):
    noisy = compare_regularizers(*data(40, noise=2.0), techniques=LINEAR, random_state=0, cv=2)
    spread, kept = noisy["spread"], noisy["n_nonzero"]
    assert spread["ridge"] < 0.2 < 0.5 < spread["ols"] and spread["ridge"] < spread["elastic net"]
    assert np.isclose(spread["lasso"], np.sqrt(2.0))  # one of three
    assert spread["elastic net"] < spread["lasso"] and kept["lasso"] < kept["elastic net"]
    assert table.loc["ridge", "norm"] < table.loc["ols", "norm"]
    assert table.loc["lasso", "n_nonzero"] < table.loc["ridge", "n_nonzero"] == 10
    alone = compare_regularizers(*data(), techniques="ridge", correlated=1.0, cv=2)
    assert np.isnan(alone.loc["ridge", "spread"])  # no groups


def test_the_spread_is_zero_for_equal_shares_and_the_root_of_m_minus_one_for_one_that_has_all():
    X, _ = data()
    groups = _correlated_groups(X, 0.7)
    assert [group.tolist() for _, group in groups] == [[0, 1, 2], [3, 4, 5]]
    equal = np.array([[1.0, -1.0, 1.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0]])  # column 1 has the other sign
    assert _spread(equal, groups) == 0.0
    assert_allclose(_spread(np.eye(10)[:1], groups), np.sqrt(2.0))
    assert np.isnan(_spread(np.eye(10)[6:7], groups))


def test_intervals_cover_what_they_say_where_there_is_a_posterior(table):
    covered = table["coverage"]
    assert np.isnan(covered["ols"])
    assert np.all(np.abs(covered[list(LINEAR[1:])] - 0.9) < 0.1)
    half = compare_regularizers(*data(), techniques="ridge", coverage=0.5, random_state=0)
    assert abs(half.loc["ridge", "coverage"] - 0.5) < 0.2


def test_the_order_of_the_rows_does_not_decide_the_alpha():
    X, y = data(n=120)
    options = {"techniques": ("lasso", "elastic net"), "random_state": 0}
    drawn, by_size = (
        compare_regularizers(X[rows], y[rows], **options)["alpha"] for rows in (np.arange(120), np.argsort(y))
    )
    assert np.all(np.abs(np.log(by_size / drawn)) < 1.0)  # folds of consecutive rows: a hundredth and less


def test_the_filters_of_warnings_stay_as_they_were():
    X, y = data()
    before = list(warnings.filters)
    for _ in range(3):  # threads that each set and restored them would leave some behind
        compare_regularizers(X, y > 0, techniques=("ridge", "lasso"), random_state=0, n_jobs=4)
    assert list(warnings.filters) == before


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_the_numbers_are_in_the_seed_alone(n_jobs):
    X, y = data(40)
    setting = {"techniques": ("ridge", "elastic net", "bagged dropout"), "cv": 2}
    first = compare_regularizers(X, y, random_state=0, **setting).drop(columns="seconds")
    again = compare_regularizers(X, y, random_state=0, n_jobs=n_jobs, **setting).drop(columns="seconds")
    pd.testing.assert_frame_equal(first, again)


def test_the_networks_have_a_score_and_no_coefficients():
    row = compare_regularizers(*data(), techniques="bagged dropout", cv=3, random_state=0).loc[
        "bagged dropout"
    ]
    assert row["score"] > 0.3 and row["seconds"] > 0
    assert row[["alpha", "n_nonzero", "norm", "spread", "coverage"]].isna().all()
    assert "no" in row["prior"]


def test_classes_are_compared_by_logistic_regressions_and_networks():
    X, y = load_iris(return_X_y=True)
    table = compare_regularizers(X[50:], y[50:], cv=3, random_state=0)
    assert list(table.index) == [*LINEAR, "bagged dropout"]
    assert np.all(table["score"] > 0.85)
    assert table["coverage"].isna().all()
    assert table.loc["ols", "alpha"] == 0.0 and table.loc["ridge", "alpha"] > 0.0
    assert table.loc["ols", "norm"] > table.loc["ridge", "norm"]
    folds = StratifiedKFold(3)
    words = np.where(y[50:] == 1, "one", "another")
    by_words = compare_regularizers(X[50:], words, techniques="ols", cv=folds)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=np.inf, max_iter=1000))
    assert_allclose(by_words.loc["ols", "score"], cross_val_score(pipeline, X[50:], words, cv=folds).mean())


def test_whole_numbers_are_a_regression_where_they_are_many_or_where_the_user_says_so():
    X, y = data()
    rounded = np.round(3.0 * y).astype(int)
    assert "Laplace" in compare_regularizers(X, rounded, techniques="lasso", cv=2)["prior"].iloc[0]
    few = (y > 0).astype(int)
    score = compare_regularizers(X, few, techniques="ols", task="regression", cv=KFold(2))["score"].iloc[0]
    assert_allclose(
        score, cross_val_score(make_pipeline(StandardScaler(), Ridge(alpha=0.0)), X, few, cv=KFold(2)).mean()
    )


def test_frames_and_other_scores_are_taken():
    frame, y = load_diabetes(return_X_y=True, as_frame=True)
    found = compare_regularizers(frame, y, techniques="ridge", scoring="neg_mean_absolute_error", cv=KFold(3))
    pipeline = make_pipeline(StandardScaler(), RidgeCV(alphas=50))
    expected = cross_val_score(pipeline, frame.to_numpy(), y, cv=KFold(3), scoring="neg_mean_absolute_error")
    assert_allclose(found.loc["ridge", "score"], expected.mean())


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ({"techniques": ("ridge", "boosting")}, ValueError, "techniques must be some of 'ols', 'ridge'"),
        ({"techniques": ()}, ValueError, "techniques must be some of"),
        ({"techniques": ("ridge", "ridge")}, ValueError, "techniques must be some of"),
        ({"task": "ranking"}, ValueError, 'task must be "regression"'),
        ({"coverage": 1.0}, ValueError, "coverage must be strictly between"),
        ({"correlated": 2.0}, ValueError, "correlated must be"),
        ({"n_jobs": 0}, ValueError, "n_jobs must be"),
        ({"progressbar": 1}, TypeError, "progressbar must be"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(setting, error, message):
    with pytest.raises(error, match=message):
        compare_regularizers(*data(), **setting)
