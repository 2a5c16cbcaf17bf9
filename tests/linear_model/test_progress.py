"""The estimators whose alpha cross-validation selects tell scikit-learn's callbacks of their folds."""

import threading

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.model_selection import GridSearchCV, KFold

from skreg import ElasticNetCV, LassoCV, RidgeCV

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 8))
y = X[:, ::2].sum(axis=1) + RNG.standard_normal(60)
WEIGHTS = RNG.uniform(0.2, 3.0, 60)

BY_FOLDS = {
    "RidgeCV": RidgeCV(alphas=5, cv=4),
    "RidgeCV, scored": RidgeCV(alphas=5, cv=4, scoring="neg_mean_absolute_error"),
    "LassoCV": LassoCV(alphas=12, cv=4),
    "ElasticNetCV": ElasticNetCV(alphas=12, cv=4, l1_ratio=[0.5, 1.0]),
}
every_kind = pytest.mark.parametrize("estimator", BY_FOLDS.values(), ids=BY_FOLDS)


class Recorder:
    """Writes down what it is told; does not go on to estimators inside others."""

    def __init__(self, fail_at=None):
        self.record, self.fail_at, self._lock = [], fail_at, threading.Lock()

    def _note(self, event, context):
        with self._lock:
            self.record.append((event, context.task_name, context.task_id))
        if (event, context.task_name) == self.fail_at:
            raise RuntimeError("that is enough")

    def setup(self, estimator, context):
        self._note("setup", context)
        self.max_subtasks = context.max_subtasks

    def on_fit_task_begin(self, estimator, context):
        self._note("begin", context)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self._note("end", context)
        if context.parent is None:
            self.fitted = fitted_estimator
        return True  # asks to stop

    def teardown(self, estimator, context):
        self._note("teardown", context)


@every_kind
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_every_fold_and_the_fit_of_all_rows_begin_and_end(estimator, n_jobs):
    recorder = Recorder()
    model = clone(estimator).set_params(n_jobs=n_jobs).set_callbacks(recorder).fit(X, y)
    tasks = [("fold", i) for i in range(4)] + [("all rows", 4)]
    assert recorder.max_subtasks == 5
    assert recorder.record[:2] == [("setup", "fit", 0), ("begin", "fit", 0)]
    assert recorder.record[-2:] == [("end", "fit", 0), ("teardown", "fit", 0)]
    inner = recorder.record[2:-2]
    assert sorted(inner) == sorted((event, *task) for task in tasks for event in ("begin", "end"))
    for task in tasks:
        assert inner.index(("begin", *task)) < inner.index(("end", *task))
    if n_jobs is None:  # one after another
        assert inner == [(event, *task) for task in tasks for event in ("begin", "end")]
    assert_array_equal(recorder.fitted.predict(X), model.predict(X))


@every_kind
def test_callbacks_change_nothing(estimator):
    alone, watched = clone(estimator).fit(X, y), clone(estimator).set_callbacks(Recorder()).fit(X, y)
    for name in ("coef_", "mse_path_", "alpha_", "dual_gap_"):
        assert_array_equal(getattr(watched, name), getattr(alone, name))
    assert {name for name in vars(watched) if name.endswith("_")} == {
        name for name in vars(alone) if name.endswith("_")
    }
    assert not [name for name in vars(alone) if "callback" in name]


def test_leave_one_out_has_the_fit_of_all_rows_alone():
    recorder = Recorder()
    RidgeCV().set_callbacks(recorder).fit(X, y)
    assert [task for event, *task in recorder.record if event == "end"] == [["all rows", 0], ["fit", 0]]


@every_kind
@pytest.mark.parametrize(
    "at", [("begin", "fit"), ("begin", "fold"), ("end", "all rows"), ("end", "fit")], ids=str
)
def test_a_callback_that_fails_is_torn_down_and_leaves_the_earlier_fit(estimator, at):
    model = clone(estimator).fit(X, y)
    recorder = Recorder(fail_at=at)
    before = dict(vars(model.set_callbacks(recorder)))
    with pytest.raises(RuntimeError, match="that is enough"):
        model.fit(X[:, :5], 2.0 * y)
    assert recorder.record[-1][0] == "teardown"
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)


@every_kind
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_the_progress_bar_gets_to_its_end_also_when_the_fit_fails(estimator, n_jobs, capsys):
    model = clone(estimator).set_params(n_jobs=n_jobs).set_callbacks(ProgressBar()).fit(X, y)
    printed = capsys.readouterr().out
    assert f"{type(estimator).__name__} - fit" in printed and "100%" in printed
    for broken in (model.set_params(cv=[]), model.set_callbacks(ProgressBar(), Recorder(("end", "fold")))):
        with pytest.raises((ValueError, RuntimeError)):
            broken.fit(X, y)
        broken.set_params(cv=4)
    # The thread that draws waits for the end, and Python for the thread.
    assert "RichProgressMonitor" not in [type(thread).__name__ for thread in threading.enumerate()]


@every_kind
def test_folds_may_report_from_processes(estimator):
    model = clone(estimator).set_callbacks(ProgressBar())
    with parallel_config(backend="loky", n_jobs=2):
        model.fit(X, y)
    assert_array_equal(model.coef_, clone(estimator).fit(X, y).coef_)


@every_kind
@pytest.mark.parametrize("weights", [None, 2.0, WEIGHTS], ids=["none", "a number", "one a row"])
def test_a_monitor_scores_the_fitted_estimator_on_the_data_as_given(estimator, weights):
    table = pd.DataFrame(X, columns=list("abcdefgh"))
    monitor = ScoringMonitor(scoring="r2")
    model = clone(estimator).set_callbacks(monitor).fit(table, y, sample_weight=weights)
    (entry,) = monitor.get_logs().data
    rows = np.broadcast_to(1.0 if weights is None else weights, 60)
    assert_allclose(entry["r2"], model.score(table, y, sample_weight=rows))


def test_a_search_passes_its_bar_on(capsys):
    search = GridSearchCV(LassoCV(alphas=12, cv=3), {"selection_rule": ["min", "1se"]}, cv=KFold(3))
    search.set_callbacks(ProgressBar()).fit(X, y)
    printed = capsys.readouterr().out
    assert "GridSearchCV - fit" in printed and "LassoCV - fit" in printed
    assert search.best_estimator_.fit(X, y).alpha_ == search.best_estimator_.alpha_
