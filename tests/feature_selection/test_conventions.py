"""The selectors inside scikit-learn: pipelines, searches, names, frames, pickles, progress."""

import pickle
import threading

import numpy as np
import pandas as pd
import polars as pl
import pytest
from joblib import parallel_config
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import ElasticNetSelector, LassoSelector, PosteriorSelector, Ridge, StabilitySelector

SELECTORS = [
    LassoSelector(cv=3),
    ElasticNetSelector(alpha=0.2),
    StabilitySelector(n_pairs=10, random_state=0),
]
every_kind = pytest.mark.parametrize(
    "selector",
    [*SELECTORS, *(PosteriorSelector(rule=rule, random_state=0) for rule in ("interval", "projection"))],
    ids=lambda s: type(s).__name__,
)
every_selector = pytest.mark.parametrize("selector", SELECTORS, ids=lambda s: type(s).__name__)
NAMES = [f"feature {letter}" for letter in "abcdefghijkl"]

RNG = np.random.default_rng(0)
X = RNG.standard_normal((100, 12)) * RNG.uniform(0.5, 2.0, 12)
y = X[:, [1, 4, 7]] @ [2.0, -2.0, 3.0] + RNG.standard_normal(100)


@every_kind
def test_a_grid_search_over_a_pipeline_selects_scales_and_predicts(selector):
    pipeline = make_pipeline(StandardScaler(), clone(selector), Ridge()).set_output(transform="polars")
    table = pl.DataFrame(dict(zip(NAMES, X.T, strict=True)))
    step = type(selector).__name__.lower()
    grid = {
        "LassoSelector": {"selection_rule": ["min", "1se"]},
        "ElasticNetSelector": {"alpha": [0.1, 0.5]},
        "StabilitySelector": {"threshold": [0.6, 0.9]},
        "PosteriorSelector": {"coverage": [0.9, 0.99]},
    }[type(selector).__name__]
    search = GridSearchCV(pipeline, {f"{step}__{name}": values for name, values in grid.items()}, cv=3)
    best = search.fit(table, y).best_estimator_
    assert {NAMES[j] for j in (1, 4, 7)} <= set(best[:-1].get_feature_names_out())
    assert search.best_score_ > 0.8
    assert isinstance(best[:-1].transform(table), pl.DataFrame)
    assert list(best[-1].feature_names_in_) == list(best[:-1].get_feature_names_out())
    assert_array_equal(pickle.loads(pickle.dumps(search)).predict(table), search.predict(table))


@every_kind
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_come_out_with_the_names_of_the_columns_kept(selector, library):
    table = {"pandas": pd, "polars": pl}[library].DataFrame(dict(zip(NAMES, X.T, strict=True)))
    fitted = clone(selector).set_output(transform=library).fit(table, y)
    kept = [name for name, is_kept in zip(NAMES, fitted.get_support(), strict=True) if is_kept]
    out = fitted.transform(table)
    assert type(out) is type(table) and list(out.columns) == kept
    assert list(fitted.get_feature_names_out()) == kept
    assert_array_equal(out.to_numpy(), X[:, fitted.get_support()])


@every_kind
def test_inverse_transform_puts_the_columns_back_and_zeros_elsewhere(selector):
    fitted = clone(selector).fit(X, y)
    back = fitted.inverse_transform(fitted.transform(X))
    assert_array_equal(back, np.where(fitted.get_support(), X, 0.0))


@every_kind
@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix], ids=str)
def test_sparse_data_give_the_same_selection_and_stay_sparse(selector, container):
    thinned = X * (np.abs(X) > 0.3)
    fitted = clone(selector).fit(container(thinned), y)
    assert_array_equal(fitted.get_support(), clone(selector).fit(thinned, y).get_support())
    out = fitted.transform(container(thinned))
    assert sparse.issparse(out)
    assert_array_equal(out.toarray(), thinned[:, fitted.get_support()])


@every_kind
def test_clones_and_pickles(selector):
    fitted = clone(selector).fit(X, y)
    assert not [name for name in vars(clone(fitted)) if name.endswith("_")]
    assert_array_equal(clone(fitted).fit(X, y).get_support(), fitted.get_support())
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(X), fitted.transform(X))


@every_selector
def test_penalty_weights_by_name_must_name_the_features_in_their_order(selector):
    table = pd.DataFrame(X, columns=NAMES)
    v = pd.Series([0.0] + 11 * [1.0], index=NAMES)
    assert clone(selector).set_params(penalty_weights=v).fit(table, y).get_support()[0]
    with pytest.raises(ValueError, match="index is not the feature names"):
        clone(selector).set_params(penalty_weights=v[::-1]).fit(table, y)


@every_selector
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_progress_is_shown_to_its_end_and_changes_nothing(selector, n_jobs, capsys):
    if "n_jobs" in selector.get_params():
        selector = clone(selector).set_params(n_jobs=n_jobs)
    watched = clone(selector).set_callbacks(ProgressBar()).fit(X, y)
    printed = capsys.readouterr().out
    assert f"{type(selector).__name__} - fit" in printed and "100%" in printed
    assert_array_equal(watched.get_support(), clone(selector).fit(X, y).get_support())
    assert "RichProgressMonitor" not in [type(thread).__name__ for thread in threading.enumerate()]


def test_the_bar_shows_the_folds_inside_the_selector(capsys):
    LassoSelector(cv=3).set_callbacks(ProgressBar()).fit(X, y)
    assert "ElasticNetCV" in capsys.readouterr().out


@every_selector
def test_a_fit_that_fails_is_torn_down_and_leaves_the_earlier_one(selector):
    class Stops:
        def setup(self, estimator, context):
            self.torn_down = False

        def on_fit_task_begin(self, estimator, context):
            raise RuntimeError("that is enough")

        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            pass

        def teardown(self, estimator, context):
            self.torn_down = True

    callback = Stops()
    fitted = clone(selector).fit(X, y)
    before = fitted.get_support()
    with pytest.raises(RuntimeError, match="that is enough"):
        fitted.set_callbacks(callback).fit(X[:, :5], y)
    assert callback.torn_down
    assert fitted.n_features_in_ == 12
    assert_array_equal(fitted.get_support(), before)


def test_pairs_may_report_from_processes():
    selector = StabilitySelector(n_pairs=4, random_state=0)
    with parallel_config(backend="loky", n_jobs=2):
        elsewhere = clone(selector).set_callbacks(ProgressBar()).fit(X, y)
    assert_array_equal(elsewhere.stability_path_, selector.fit(X, y).stability_path_)
