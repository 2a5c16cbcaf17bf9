"""The estimators inside scikit-learn: pipelines, searches, names, metadata routing, persistence, display."""

import inspect
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import polars as pl
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr, get_tags

from skreg import ElasticNet, Lasso, Ridge

ESTIMATORS = [Ridge(alpha=2.0), Lasso(alpha=0.1), ElasticNet(alpha=0.1)]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)
NAMES = ["age", "bmi", "pressure", "sugar"]


def data(n=60):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 4)) * [1.0, 5.0, 0.2, 1.0] + [0.0, 10.0, 1.0, -2.0]
    return X, X @ [1.0, 0.3, 4.0, 0.0] + 0.5 * rng.standard_normal(n)


WEIGHTS = np.random.default_rng(1).integers(0, 4, 60).astype(float)


@every_estimator
def test_a_pipeline_fits_the_estimator_on_what_its_transformers_return(estimator):
    X, y = data()
    pipeline = make_pipeline(StandardScaler(), clone(estimator)).fit(X, y)
    scaled = StandardScaler().fit_transform(X)
    assert_array_equal(pipeline[-1].coef_, clone(estimator).fit(scaled, y).coef_)
    assert_array_equal(pipeline.predict(X), pipeline[-1].predict(scaled))


@every_estimator
def test_a_grid_search_over_alpha_finds_the_best_one_and_refits(estimator):
    X, y = data()
    grid = {"alpha": np.logspace(-3, 3, 7)}
    search = GridSearchCV(clone(estimator), grid, scoring="neg_mean_squared_error").fit(X, y)
    errors = [
        np.mean([(y - cross_val_predict(clone(estimator).set_params(alpha=a), X, y)) ** 2])
        for a in grid["alpha"]
    ]
    assert search.best_params_["alpha"] == grid["alpha"][np.argmin(errors)]
    refitted = clone(estimator).set_params(**search.best_params_).fit(X, y)
    assert_array_equal(search.predict(X), refitted.predict(X))


def test_a_search_in_threads_finds_what_a_search_in_turn_finds():
    X, y = data()
    search = GridSearchCV(make_pipeline(StandardScaler(), Lasso()), {"lasso__alpha": np.logspace(-3, 0, 8)})
    in_turn = clone(search).fit(X, y)
    with parallel_config("threading", n_jobs=2):
        in_threads = clone(search).fit(X, y)
    for key in ("mean_test_score", "std_test_score"):
        assert_array_equal(in_threads.cv_results_[key], in_turn.cv_results_[key])


def test_fits_at_the_same_time_in_several_threads_do_not_disturb_each_other():
    X, y = data()
    alphas = np.logspace(-3, 0, 40)
    expected = [Lasso(alpha=alpha).fit(X, y).coef_ for alpha in alphas]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda alpha: Lasso(alpha=alpha).fit(X, y).coef_, alphas))
    assert_array_equal(together, expected)


@every_estimator
def test_a_clone_has_the_parameters_and_nothing_fitted(estimator):
    X, y = data()
    fitted = clone(estimator).set_params(penalty_weights=np.array([1.0, 0.0, 2.0, 1.0])).fit(X, y)
    copy = clone(fitted)
    assert repr(copy) == repr(fitted)
    assert not [name for name in vars(copy) if name.endswith("_")]
    assert_array_equal(copy.fit(X, y).coef_, fitted.coef_)


@every_estimator
def test_a_pickle_predicts_the_same(estimator):
    X, y = data()
    fitted = clone(estimator).fit(pd.DataFrame(X, columns=NAMES), y)
    again = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(
        again.predict(pd.DataFrame(X, columns=NAMES)), fitted.predict(pd.DataFrame(X, columns=NAMES))
    )
    assert again.dual_gap_ == fitted.dual_gap_
    assert len(pickle.dumps(fitted)) < 5000  # coefficients, not the training data


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
@every_estimator
def test_a_data_frame_gives_its_names_and_wrong_ones_are_refused(estimator, frame):
    X, y = data()
    table = frame(dict(zip(NAMES, X.T, strict=True)))
    fitted = clone(estimator).fit(table, y)
    assert list(fitted.feature_names_in_) == NAMES
    assert_allclose(fitted.coef_, clone(estimator).fit(X, y).coef_, rtol=1e-12)
    assert_allclose(fitted.predict(table), X @ fitted.coef_ + fitted.intercept_)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(table[NAMES[::-1]])
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(frame(dict(zip(["age", "bmi", "pulse", "sugar"], X.T, strict=True))))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        fitted.predict(X)
    assert not hasattr(fitted.fit(X, y), "feature_names_in_")


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output_around_a_scaler_carries_the_names_to_the_estimator(library):
    X, y = data()
    table = pd.DataFrame(X, columns=NAMES)
    pipeline = make_pipeline(StandardScaler(), Lasso(alpha=0.1)).set_output(transform=library)
    plain = make_pipeline(StandardScaler(), Lasso(alpha=0.1)).fit(table, y)
    assert_allclose(pipeline.fit(table, y).predict(table), plain.predict(table))
    assert list(pipeline[-1].feature_names_in_) == NAMES
    assert not hasattr(plain[-1], "feature_names_in_")


def test_a_pandas_series_and_a_column_of_it_are_a_target():
    X, y = data()
    expected = Lasso(alpha=0.1).fit(X, y).coef_
    assert_array_equal(Lasso(alpha=0.1).fit(X, pd.Series(y)).coef_, expected)
    assert_array_equal(Lasso(alpha=0.1).fit(X, pl.Series(y)).coef_, expected)
    assert_array_equal(Lasso(alpha=0.1).fit(X, pd.DataFrame({"y": y})).coef_, expected)
    weighted = Lasso(alpha=0.1).fit(X, y, sample_weight=pd.Series(WEIGHTS, index=range(100, 160)))
    assert_array_equal(weighted.coef_, Lasso(alpha=0.1).fit(X, y, WEIGHTS).coef_)


@pytest.mark.parametrize("frame", [pd.Series, pl.Series], ids=["pandas", "polars"])
def test_penalty_weights_may_be_a_series(frame):
    X, y = data()
    v = [0.0, 1.0, 2.0, 1.0]
    expected = Lasso(alpha=0.1, penalty_weights=v).fit(X, y).coef_
    assert_array_equal(Lasso(alpha=0.1, penalty_weights=frame(v)).fit(X, y).coef_, expected)


def test_penalty_weights_by_name_must_name_the_features_in_their_order():
    X, y = data()
    frame = pd.DataFrame(X, columns=list("abcd"))
    by_name = pd.Series([0.0, 1.0, 2.0, 1.0], index=list("abcd"))
    named = Lasso(alpha=0.1, penalty_weights=by_name).fit(frame, y)
    by_position = Lasso(alpha=0.1, penalty_weights=by_name.to_numpy()).fit(frame, y)
    assert_array_equal(named.coef_, by_position.coef_)
    with pytest.raises(ValueError, match=r"penalty_weights is a Series whose index is not the feature names"):
        Lasso(alpha=0.1, penalty_weights=by_name[::-1]).fit(frame, y)


@every_estimator
def test_sample_weight_is_routed_through_a_pipeline(estimator):
    X, y = data()
    with config_context(enable_metadata_routing=True):
        asking = clone(estimator).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, asking).fit(X, y, sample_weight=WEIGHTS)
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            make_pipeline(scaler, clone(estimator)).fit(X, y, sample_weight=WEIGHTS)
    expected = clone(estimator).fit(StandardScaler().fit_transform(X), y, sample_weight=WEIGHTS)
    assert_array_equal(pipeline[-1].coef_, expected.coef_)
    unweighted = make_pipeline(scaler, clone(estimator)).fit(X, y)
    assert np.abs(pipeline[-1].coef_ - unweighted[-1].coef_).max() > 1e-3


@every_estimator
def test_sample_weight_is_routed_through_a_grid_search(estimator):
    X, y = data()
    grid = {"alpha": np.logspace(-2, 2, 5)}
    with config_context(enable_metadata_routing=True):
        asking = clone(estimator).set_fit_request(sample_weight=True)
        scorer = get_scorer("neg_mean_squared_error").set_score_request(sample_weight=True)
        search = GridSearchCV(asking, grid, scoring=scorer, cv=3).fit(X, y, sample_weight=WEIGHTS)
    folds = np.array_split(np.arange(60), 3)
    scores = np.zeros((3, 5))
    for i, test in enumerate(folds):
        train = np.setdiff1d(np.arange(60), test)
        for j, alpha in enumerate(grid["alpha"]):
            fitted = clone(estimator).set_params(alpha=alpha).fit(X[train], y[train], WEIGHTS[train])
            scores[i, j] = -np.average((y[test] - fitted.predict(X[test])) ** 2, weights=WEIGHTS[test])
    assert_allclose(search.cv_results_["mean_test_score"], scores.mean(axis=0), rtol=1e-9)
    refitted = clone(estimator).set_params(**search.best_params_).fit(X, y, WEIGHTS)
    assert_array_equal(search.best_estimator_.coef_, refitted.coef_)


@every_estimator
def test_the_displays_show_the_parameters_and_the_docstring_explains_them(estimator):
    html = estimator_html_repr(clone(estimator))
    assert repr(estimator) == f"{type(estimator).__name__}(alpha={estimator.alpha})"
    for parameter in estimator.get_params():
        assert parameter in html
        assert f"\n{parameter} : " in inspect.getdoc(type(estimator))


@every_estimator
def test_the_tags_say_what_the_estimator_takes(estimator):
    tags = get_tags(estimator)
    assert tags.input_tags.sparse and tags.target_tags.multi_output and tags.target_tags.required
    assert tags.estimator_type == "regressor"
