"""LassoCV and ElasticNetCV: scikit-learn's selection, each fold's solutions those of the estimators."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import linear_model
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    LeaveOneOut,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from skreg import ElasticNet, ElasticNetCV, Lasso, LassoCV, energy_of
from skreg.linear_model import _base_cv
from skreg.solvers import cross_validation as folds_module

TIGHT = {"tol": 1e-12, "max_iter": 100_000}
RATIOS = [0.2, 0.7, 1.0]
every_class = pytest.mark.parametrize("Estimator", [LassoCV, ElasticNetCV])

# The first two go by moments, the last by rows.
every_shape = pytest.mark.parametrize("shape", [(60, 8), (60, 90), (60, 150)], ids=["tall", "square", "wide"])


def data(n=60, p=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2.0, p) + rng.uniform(-2.0, 2.0, p)
    return X, X[:, ::2] @ rng.uniform(-2.0, 2.0, (p + 1) // 2) + rng.standard_normal(n) + 5.0


WEIGHTS = np.random.default_rng(1).uniform(0.2, 3.0, 60)
GROUPS = np.random.default_rng(2).integers(0, 7, 60)
SPLITTERS = {
    "five folds": None,
    "three folds": 3,
    "shuffled": KFold(4, shuffle=True, random_state=0),
    "random": ShuffleSplit(4, test_size=0.3, random_state=0),
    "random, some rows in neither": ShuffleSplit(3, train_size=0.5, test_size=0.2, random_state=0),
    "time": TimeSeriesSplit(3),
    "repeated": RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    "explicit": list(KFold(3, shuffle=True, random_state=1).split(np.zeros(60))),
    "one split": [(np.arange(40), np.arange(40, 60))],
}


def assert_like_scikit_learn(ours, theirs, rtol=1e-6):
    assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-12)
    assert ours.mse_path_.squeeze().shape == theirs.mse_path_.shape
    assert_allclose(ours.mse_path_.squeeze(), theirs.mse_path_, rtol=rtol)
    assert_allclose(ours.alpha_, theirs.alpha_, rtol=1e-12)
    assert_allclose(ours.coef_, theirs.coef_, atol=10 * rtol * np.abs(theirs.coef_).max())
    assert_allclose(ours.intercept_, theirs.intercept_, rtol=10 * rtol, atol=1e-8)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@every_shape
def test_lasso_selects_as_scikit_learn_s_does(shape, weights, fit_intercept, positive):
    X, y = data(*shape)
    kind = {"alphas": 30, "eps": 1e-2, "fit_intercept": fit_intercept, "positive": positive}
    theirs = linear_model.LassoCV(**kind, **TIGHT).fit(X, y, sample_weight=weights)
    assert_like_scikit_learn(LassoCV(**kind).fit(X, y, sample_weight=weights), theirs)


@pytest.mark.parametrize("l1_ratio", [0.3, [0.5], RATIOS], ids=str)
@pytest.mark.parametrize("alphas", [20, [0.3, 0.01, 1.0, 0.1, 0.1]], ids=str)
@every_shape
def test_elastic_net_selects_as_scikit_learn_s_does(shape, alphas, l1_ratio):
    X, y = data(*shape)
    kind = {"alphas": alphas, "eps": 1e-2, "l1_ratio": l1_ratio}
    theirs = linear_model.ElasticNetCV(**kind, **TIGHT).fit(X, y, sample_weight=WEIGHTS)
    ours = ElasticNetCV(**kind).fit(X, y, sample_weight=WEIGHTS)
    assert_like_scikit_learn(ours, theirs)
    assert ours.l1_ratio_ == theirs.l1_ratio_
    assert ours.alphas_.shape == theirs.alphas_.shape


@pytest.mark.parametrize("Theirs", [linear_model.LassoCV, linear_model.ElasticNetCV])
def test_on_the_diabetes_data_at_default_settings_it_is_scikit_learn_s(Theirs):
    X, y = load_diabetes(return_X_y=True)
    theirs = Theirs(**TIGHT).fit(X, y)
    ours = {"LassoCV": LassoCV, "ElasticNetCV": ElasticNetCV}[Theirs.__name__]().fit(X, y)
    assert_like_scikit_learn(ours, theirs, rtol=1e-7)
    assert ours.mse_path_.shape == (100, 5)


@pytest.mark.parametrize("kind", SPLITTERS)
def test_any_splitter_gives_scikit_learn_s_folds(kind):
    X, y = data()
    parameters = {"alphas": 15, "eps": 1e-2, "cv": SPLITTERS[kind]}
    theirs = linear_model.LassoCV(**parameters, **TIGHT).fit(X, y, sample_weight=WEIGHTS)
    assert_like_scikit_learn(LassoCV(**parameters).fit(X, y, sample_weight=WEIGHTS), theirs)


def test_leaving_one_out_is_scikit_learn_s():
    X, y = data(25, 3)
    parameters = {"alphas": 12, "eps": 1e-2, "cv": LeaveOneOut()}
    theirs = linear_model.LassoCV(**parameters, **TIGHT).fit(X, y)
    assert_like_scikit_learn(LassoCV(**parameters).fit(X, y), theirs, rtol=1e-5)


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix], ids=["csr", "csc"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@every_shape
def test_sparse_data_give_what_dense_ones_do(shape, weights, container):
    X, y = data(*shape)
    X[np.random.default_rng(3).random(shape) < 0.6] = 0.0
    dense = ElasticNetCV(alphas=12, l1_ratio=RATIOS).fit(X, y, weights)
    stored = container(X)
    given = ElasticNetCV(alphas=12, l1_ratio=RATIOS).fit(stored, y, weights)
    assert_allclose(given.mse_path_, dense.mse_path_, rtol=1e-5)
    assert_allclose(given.alpha_, dense.alpha_, rtol=1e-10)
    assert_allclose(given.coef_, dense.coef_, atol=1e-7)
    assert_array_equal(stored.toarray(), X)


@every_shape
def test_float32_data_are_computed_in_float64(shape):
    X, y = data(*shape)
    X = X.astype(np.float32)
    expected = LassoCV(alphas=12).fit(X.astype(np.float64), y)
    given = LassoCV(alphas=12).fit(X, y)
    assert_allclose(given.mse_path_, expected.mse_path_, rtol=1e-7)
    assert_allclose(given.alpha_, expected.alpha_, rtol=1e-12)
    assert given.coef_.dtype == np.float32 and given.intercept_.dtype == np.float32
    assert given.coef_path_.dtype == np.float64
    assert_allclose(given.coef_, expected.coef_, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("factors", [None, [1.0, 0.0, 2.0, 1.0, 0.5, 1.0, 1.0, 0.0]], ids=["alike", "own"])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_each_error_is_that_of_an_explicit_fit(fit_intercept, positive, factors):
    X, y = data()
    kind = {"fit_intercept": fit_intercept, "positive": positive, "penalty_weights": factors}
    cv = KFold(3, shuffle=True, random_state=0)
    fitted = ElasticNetCV(l1_ratio=RATIOS, alphas=10, cv=cv, **kind).fit(X, y, sample_weight=WEIGHTS)
    assert fitted.mse_path_.shape == (3, 10, 3)
    for f, (train, test) in enumerate(cv.split(X)):
        for r, ratio in enumerate(RATIOS):
            for a in (0, 4, 9):
                one = ElasticNet(alpha=fitted.alphas_[r, a], l1_ratio=ratio, tol=1e-12, **kind)
                one.fit(X[train], y[train], WEIGHTS[train])
                error = np.average((y[test] - one.predict(X[test])) ** 2, weights=WEIGHTS[test])
                assert_allclose(fitted.mse_path_[r, a, f], error, rtol=1e-5)


@every_class
@pytest.mark.parametrize("rule", ["min", "1se"])
@every_shape
def test_the_fit_is_the_estimator_s_at_the_selected_alpha(shape, rule, Estimator):
    X, y = data(*shape)
    kind = {"l1_ratio": RATIOS} if Estimator is ElasticNetCV else {}
    fitted = Estimator(alphas=20, selection_rule=rule, **kind).fit(X, y, sample_weight=WEIGHTS)
    ratio = getattr(fitted, "l1_ratio_", 1.0)
    one = ElasticNet(alpha=fitted.alpha_, l1_ratio=ratio).fit(X, y, sample_weight=WEIGHTS)
    assert_allclose(fitted.coef_, one.coef_, atol=1e-5)
    assert_allclose(fitted.predict(X), one.predict(X), rtol=1e-5)
    null = np.average((y - np.average(y, weights=WEIGHTS)) ** 2, weights=WEIGHTS) / 2.0
    assert 0.0 < fitted.dual_gap_ <= 1e-8 * null

    def objective(model):
        squares = np.average((y - model.predict(X)) ** 2, weights=WEIGHTS) / 2.0
        w = model.coef_
        return squares + fitted.alpha_ * (ratio * np.abs(w).sum() + 0.5 * (1.0 - ratio) * w @ w)

    assert abs(objective(fitted) - objective(one)) <= fitted.dual_gap_ + one.dual_gap_
    alphas = fitted.alphas_[RATIOS.index(ratio)] if fitted.alphas_.ndim == 2 else fitted.alphas_
    (k,) = np.flatnonzero(alphas == fitted.alpha_)
    assert_array_equal(fitted.coef_path_[:, k], fitted.coef_)
    assert_array_equal(fitted.intercept_path_[k], fitted.intercept_)
    assert fitted.coef_path_.shape == (shape[1], 20) and fitted.intercept_path_.shape == (20,)
    assert_array_equal(fitted.sparse_coef_.toarray(), fitted.coef_[None])
    assert isinstance(fitted.n_iter_, int) and fitted.n_iter_ >= 1
    for j in (3, 12):
        other = ElasticNet(alpha=alphas[j], l1_ratio=ratio).fit(X, y, sample_weight=WEIGHTS)
        assert_allclose(fitted.coef_path_[:, j], other.coef_, atol=1e-4 * np.abs(other.coef_).max())
        assert_allclose(fitted.intercept_path_[j], other.intercept_, rtol=1e-4)


@every_class
def test_the_one_standard_error_rule_takes_the_largest_alpha_that_is_not_clearly_worse(Estimator):
    X, y = data(60, 20)
    kind = {"l1_ratio": RATIOS} if Estimator is ElasticNetCV else {}
    least = Estimator(alphas=40, **kind).fit(X, y)
    fitted = Estimator(alphas=40, selection_rule="1se", **kind).fit(X, y)
    r = RATIOS.index(fitted.l1_ratio_) if kind else 0
    errors, alphas = np.reshape(fitted.mse_path_, (-1, 40, 5))[r], np.reshape(fitted.alphas_, (-1, 40))[r]
    mean, error = errors.mean(axis=1), errors.std(axis=1, ddof=1) / np.sqrt(5.0)
    assert_allclose(np.reshape(fitted.standard_error_path_, (-1, 40))[r], error, rtol=1e-10)
    k = np.argmin(mean)
    assert fitted.alpha_min_ == least.alpha_min_ == least.alpha_ == alphas[k]
    assert fitted.alpha_1se_ == least.alpha_1se_ == fitted.alpha_
    assert fitted.alpha_1se_ == np.max(alphas[mean <= mean[k] + error[k]])
    assert fitted.alpha_1se_ > fitted.alpha_min_
    assert np.abs(fitted.coef_).sum() < np.abs(least.coef_).sum()
    if kind:  # the ratio is that of the least error of all, whatever the rule
        assert r == np.unravel_index(np.argmin(fitted.mse_path_.mean(axis=-1)), (3, 40))[0]
        assert fitted.l1_ratio_ == least.l1_ratio_


def test_of_equal_errors_the_largest_alpha_and_the_first_ratio_are_taken():
    X, y = np.ones((10, 2)), np.arange(10.0)  # nothing to fit but the intercept
    fitted = ElasticNetCV(l1_ratio=[0.3, 0.6], alphas=[0.1, 3.0, 1.0]).fit(X, y)
    assert (fitted.alpha_, fitted.alpha_1se_, fitted.l1_ratio_) == (3.0, 3.0, 0.3)
    assert_array_equal(fitted.alphas_, [3.0, 1.0, 0.1])
    assert_array_equal(fitted.coef_, 0.0)


@every_class
def test_a_weight_of_zero_is_a_row_that_is_not_there(Estimator):
    X, y = data()
    weights = np.where(np.random.default_rng(4).random(60) < 0.3, 0.0, WEIGHTS)
    splits = list(KFold(4, shuffle=True, random_state=0).split(X))
    given = Estimator(alphas=15, cv=splits).fit(X, y, sample_weight=weights)
    kept = np.flatnonzero(weights)
    position = np.cumsum(weights > 0) - 1
    there = [tuple(position[part[weights[part] > 0]] for part in split) for split in splits]
    expected = Estimator(alphas=15, cv=there).fit(X[kept], y[kept], sample_weight=weights[kept])
    assert_allclose(given.alphas_, expected.alphas_, rtol=1e-12)
    assert_allclose(given.mse_path_, expected.mse_path_, rtol=1e-9)
    assert_allclose(given.coef_, expected.coef_, atol=1e-9)
    unweighted = Estimator(alphas=15, cv=splits).fit(X, y)
    assert np.max(np.abs(given.mse_path_ / unweighted.mse_path_ - 1.0)) > 0.01


@every_class
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
def test_an_integer_weight_is_a_row_repeated_in_the_same_fold(Estimator, container):
    X, y = data()
    counts = np.random.default_rng(5).integers(0, 4, 60)
    splits = list(KFold(4, shuffle=True, random_state=0).split(X))
    rows = np.repeat(np.arange(60), counts)
    repeated = [tuple(np.flatnonzero(np.isin(rows, part)) for part in split) for split in splits]
    given = Estimator(alphas=15, cv=splits).fit(container(X), y, sample_weight=counts)
    expected = Estimator(alphas=15, cv=repeated).fit(container(X[rows]), y[rows])
    assert_allclose(given.alphas_, expected.alphas_, rtol=1e-12)
    assert_allclose(given.mse_path_, expected.mse_path_, rtol=1e-7)
    assert_allclose(given.coef_, expected.coef_, atol=1e-7)


def test_every_fold_counts_alike_whatever_its_weight():
    X, y = data()
    weights = np.where(np.arange(60) < 12, 100.0, 1.0)  # nearly all weight is in the first of five folds
    fitted = LassoCV(alphas=20).fit(X, y, sample_weight=weights)
    assert fitted.alpha_ == fitted.alphas_[np.argmin(fitted.mse_path_.mean(axis=1))]
    theirs = linear_model.LassoCV(alphas=20, **TIGHT).fit(X, y, weights)
    assert_allclose(fitted.alpha_, theirs.alpha_, rtol=1e-12)
    weighted = fitted.mse_path_ @ [weights[12 * f : 12 * f + 12].sum() for f in range(5)]
    assert np.argmin(weighted) != np.argmin(fitted.mse_path_.mean(axis=1))


@given(
    n=st.integers(6, 30),
    p=st.integers(1, 30),
    x_exponent=st.integers(-50, 50),
    y_exponent=st.integers(-50, 50),
    fit_intercept=st.booleans(),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_selection_does_not_depend_on_the_units(n, p, x_exponent, y_exponent, fit_intercept, seed):
    X, y = data(n, p, seed)
    kind = {"alphas": 12, "eps": 0.05, "cv": 3, "fit_intercept": fit_intercept}
    one = LassoCV(**kind).fit(X, y)
    u, v = 2.0 ** (3 * x_exponent), 2.0 ** (3 * y_exponent)
    scaled = LassoCV(**kind).fit(X * u, y * v)
    assert_allclose(scaled.alphas_ / u / v, one.alphas_, rtol=1e-12)
    assert_allclose(scaled.mse_path_ / v / v, one.mse_path_, rtol=1e-5)
    assert_allclose(scaled.coef_ * u / v, one.coef_, atol=1e-4 * max(np.abs(one.coef_).max(), 1e-3))


def test_columns_and_targets_far_from_zero_lose_no_digits():
    X, y = data(60, 8)
    X, y = np.round(X * 2.0**20) / 2.0**20, np.round(y * 2.0**10) / 2.0**10  # the shifts round nothing
    expected = LassoCV(alphas=20).fit(X, y)
    given = LassoCV(alphas=20).fit(X + 2.0**27, y - 2.0**42)
    assert_allclose(given.alphas_, expected.alphas_, rtol=1e-9)
    assert_allclose(given.mse_path_, expected.mse_path_, rtol=1e-6)
    assert_allclose(given.coef_, expected.coef_, atol=1e-7)


def test_folds_that_differ_enormously_are_each_solved_to_the_tolerance():
    X, y = data()
    X[:12] *= 1e6
    X[12:24] *= 1e-6
    y[:12] *= 1e8
    cv = KFold(5)
    alphas = np.geomspace(1e-2, 1e10, 12)
    fitted = LassoCV(alphas=alphas, cv=cv).fit(X, y)
    for f, (train, test) in enumerate(cv.split(X)):
        for a in (0, 5, 11):
            one = Lasso(alpha=fitted.alphas_[a], tol=1e-13).fit(X[train], y[train])
            error = np.mean((y[test] - one.predict(X[test])) ** 2)
            assert_allclose(fitted.mse_path_[a, f], error, rtol=2e-3)


@every_shape
def test_the_way_by_moments_and_the_way_by_rows_agree(shape, monkeypatch):
    X, y = data(*shape)
    estimator = ElasticNetCV(l1_ratio=RATIOS, alphas=15)
    first = clone(estimator).fit(X, y, WEIGHTS)
    seen = []
    original = folds_module.suits_moments

    def contrary(*arguments):
        seen.append(original(*arguments))
        return not seen[-1]

    monkeypatch.setattr(_base_cv, "suits_moments", contrary)
    other = clone(estimator).fit(X, y, WEIGHTS)
    assert seen == [shape != (60, 150)]
    assert_allclose(other.mse_path_, first.mse_path_, rtol=1e-5)
    assert_allclose(other.coef_, first.coef_, atol=1e-6)


# ---------------------------------------------------------------------- parallel


@every_class
@every_shape
def test_results_do_not_depend_on_n_jobs(shape, Estimator):
    X, y = data(*shape)
    kind = {"l1_ratio": RATIOS} if Estimator is ElasticNetCV else {}
    alone = Estimator(alphas=15, **kind).fit(X, y)
    together = [Estimator(alphas=15, n_jobs=2, **kind).fit(X, y)]
    with parallel_config(backend="threading", n_jobs=3):
        together.append(Estimator(alphas=15, **kind).fit(X, y))
    for other in together:
        for name in ("alphas_", "mse_path_", "coef_", "coef_path_", "intercept_", "alpha_", "dual_gap_"):
            assert_array_equal(getattr(other, name), getattr(alone, name))


def test_folds_may_run_in_processes_that_get_their_data_read_only(tmp_path):
    X, y = data(4000, 50)  # above the size from which joblib maps arrays
    alone = LassoCV(alphas=12).fit(X, y)
    with parallel_config(backend="loky", n_jobs=2, temp_folder=tmp_path, max_nbytes="100K"):
        other = LassoCV(alphas=12).fit(X, y)
    assert_array_equal(other.mse_path_, alone.mse_path_)
    assert_array_equal(other.coef_, alone.coef_)


# ---------------------------------------------------------------------- inside scikit-learn


@every_class
def test_a_fitted_estimator_survives_pickling_and_cloning(Estimator):
    X, y = data()
    fitted = Estimator(alphas=12, selection_rule="1se", cv=3).fit(X, y)
    again = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(again.predict(X), fitted.predict(X))
    assert_array_equal(again.mse_path_, fitted.mse_path_)
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params() and not hasattr(fresh, "coef_")
    assert_array_equal(fresh.fit(X, y).coef_, fitted.coef_)
    assert_array_equal(clone(fitted).fit(X, y).fit(X, y).coef_, fitted.coef_)


@every_class
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_features_have_the_names_of_the_columns(frame, Estimator):
    X, y = data(p=3)
    table = frame({"age": X[:, 0], "bmi": X[:, 1], "sugar": X[:, 2]})
    fitted = Estimator(alphas=12).fit(table, y)
    assert list(fitted.feature_names_in_) == ["age", "bmi", "sugar"] and fitted.n_features_in_ == 3
    assert_allclose(fitted.coef_, Estimator(alphas=12).fit(X, y).coef_, rtol=1e-12)


@every_class
def test_it_works_in_a_pipeline_and_a_grid_search(Estimator):
    X, y = data()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), Estimator(alphas=12, cv=3)),
        {f"{Estimator.__name__.lower()}__selection_rule": ["min", "1se"]},
        cv=3,
    ).fit(X, y)
    assert search.best_score_ > 0.5
    expected = Estimator(alphas=12, cv=3, selection_rule=search.best_estimator_[-1].selection_rule)
    expected.fit(StandardScaler().fit_transform(X), y)
    assert_array_equal(search.best_estimator_[-1].coef_, expected.coef_)


@every_class
def test_the_tags_say_one_target_and_sparse_data(Estimator):
    tags = get_tags(Estimator())
    assert tags.input_tags.sparse and not tags.target_tags.multi_output and tags.target_tags.single_output
    X, y = data()
    with pytest.raises(ValueError, match=rf"y has 2 targets; {Estimator.__name__} selects alpha for one"):
        Estimator().fit(X, np.column_stack([y, y]))
    with pytest.warns(DataConversionWarning):
        column = Estimator(alphas=12).fit(X, y[:, None])
    assert_array_equal(column.coef_, Estimator(alphas=12).fit(X, y).coef_)
    assert column.predict(X).shape == (60,) and np.ndim(column.intercept_) == 0


@every_class
def test_its_energy_is_that_of_the_estimator_at_the_selected_alpha(Estimator):
    X, y = data()
    fitted = Estimator(alphas=12).fit(X, y, sample_weight=WEIGHTS)
    energy = energy_of(fitted, X, y, sample_weight=WEIGHTS)
    ratio = getattr(fitted, "l1_ratio_", 1.0)
    one = energy_of(ElasticNet(alpha=fitted.alpha_, l1_ratio=ratio), X, y, sample_weight=WEIGHTS)
    assert_allclose([energy.penalty.l1, energy.penalty.l2], [one.penalty.l1, one.penalty.l2], rtol=1e-12)
    assert_array_equal(energy.coef, fitted.coef_)
    assert energy.label.startswith(f"{Estimator.__name__}(alpha={fitted.alpha_:.6g}")


# ---------------------------------------------------------------------- convergence and errors


def test_a_fit_cut_short_warns_once_of_the_worst():
    X, y = data(60, 150)
    with pytest.warns(
        ConvergenceWarning, match=r"of LassoCV are above tol=1e-08.* did not converge in max_iter=1 iter"
    ) as record:
        fitted = LassoCV(alphas=12, max_iter=1).fit(X, y)
    (warning,) = record
    message = str(warning.message)
    failed, total = map(int, re.match(r"(\d+) of (\d+) fits", message).groups())
    assert 0 < failed <= total == 12 * 5 + 12
    assert re.search(r"the worst \((all rows|fold \d), alpha=[\d.e+-]+\)", message)
    assert "Increase max_iter or the smallest alpha (eps), or standardise the features." in message
    assert warning.filename == __file__
    assert np.isfinite(fitted.mse_path_).all()


def test_the_worst_fold_and_ratio_are_named(monkeypatch):
    X, y = data()
    original = _base_cv.fold_errors

    def poor(rows, fold, grids, moments, number, tol, max_iter):
        result = original(rows, fold, grids, moments, number, tol, max_iter)
        if number == 2:
            result.gaps[1, 3] = 0.125
        return result

    monkeypatch.setattr(_base_cv, "fold_errors", poor)
    with pytest.warns(ConvergenceWarning) as record:
        fitted = ElasticNetCV(alphas=12, l1_ratio=[0.5, 0.9]).fit(X, y)
    expected = "1 of 132 fits of ElasticNetCV are above tol=1e-08; the worst (fold 2, alpha="
    expected += f"{fitted.alphas_[1, 3]:.3g}, l1_ratio=0.9) stopped at the limits of rounding"
    assert expected in str(record[0].message) and "gap is 0.125 of the null" in str(record[0].message)


def test_the_path_of_all_rows_is_among_what_has_to_converge(monkeypatch):
    X, y = data()
    original = _base_cv.solve_by_moments

    def poor(*arguments, **limits):
        solution = original(*arguments, **limits)
        solution.dual_gap[-1] = 0.25 * np.sum((y - y.mean()) ** 2) / 2.0
        return solution

    monkeypatch.setattr(_base_cv, "solve_by_moments", poor)
    expected = r"1 of 72 .* the worst \(all rows, alpha=[\d.e-]+\) stopped .* gap is 0.25 of"
    with pytest.warns(ConvergenceWarning, match=expected):
        LassoCV(alphas=12, selection_rule="1se").fit(X, y)


def test_a_path_that_ends_above_the_tolerance_is_gone_on_with_for_the_coefficients_that_are_kept(monkeypatch):
    X, y = data()
    expected = LassoCV(alphas=12).fit(X, y)
    original = _base_cv.solve_by_moments

    def poor(*arguments, **limits):
        solution = original(*arguments, **limits)
        solution.coef[...] *= 1.01
        return solution

    monkeypatch.setattr(_base_cv, "solve_by_moments", poor)
    given = LassoCV(alphas=12).fit(X, y)
    assert_allclose(given.coef_, expected.coef_, atol=1e-6)
    assert given.dual_gap_ <= 1e-8 * np.var(y) / 2.0
    (k,) = np.flatnonzero(given.alphas_ == given.alpha_)
    assert_array_equal(given.coef_path_[:, k], given.coef_)


@every_class
@pytest.mark.parametrize(
    ("parameters", "error", "pattern"),
    [
        ({"alphas": 0}, ValueError, "alphas must be an integer ≥ 1, got 0"),
        ({"alphas": [1.0, -1.0]}, ValueError, "alphas must be an integer ≥ 1 or a list"),
        ({"alphas": "many"}, TypeError, "alphas must be an integer ≥ 1 or a list"),
        ({"eps": 1.0}, ValueError, "eps must be strictly between 0 and 1, got 1.0"),
        ({"eps": "small"}, TypeError, "eps must be a number between 0 and 1, got 'small'"),
        ({"tol": -1.0}, ValueError, "tol must be a number ≥ 0, got -1.0"),
        ({"max_iter": 0}, ValueError, "max_iter must be an integer ≥ 1, got 0"),
        ({"fit_intercept": 1}, TypeError, "fit_intercept must be True or False, got 1"),
        ({"positive": "no"}, TypeError, "positive must be True or False, got 'no'"),
        ({"penalty_weights": [1.0]}, ValueError, "penalty_weights must be None or 8 finite numbers ≥ 0"),
        ({"selection_rule": "2se"}, ValueError, "selection_rule must be one of 'min', '1se', got '2se'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_parameters_are_named(parameters, error, pattern, Estimator):
    X, y = data()
    with pytest.raises(error, match=re.escape(pattern)):
        Estimator(**parameters).fit(X, y)


@pytest.mark.parametrize(
    ("l1_ratio", "error", "pattern"),
    [
        (1.5, ValueError, "l1_ratio must be a number between 0 and 1, got 1.5"),
        ([0.5, -0.1], ValueError, "l1_ratio must be a number between 0 and 1, got -0.1"),
        ("half", TypeError, "l1_ratio must be a number between 0 and 1, got 'half'"),
        (["half"], TypeError, "l1_ratio must be a number between 0 and 1, got 'half'"),
        (None, TypeError, "l1_ratio must be a number between 0 and 1, got None"),
        ([], ValueError, "l1_ratio must be a number between 0 and 1 or a list of them, got []"),
        (0, ValueError, "l1_ratio must be in (0, 1] for an integer alphas, got 0"),
        ([0.5, 0.0], ValueError, "l1_ratio must be in (0, 1] for an integer alphas, got 0"),
    ],
    ids=str,
)
def test_a_bad_l1_ratio_is_named(l1_ratio, error, pattern):
    X, y = data()
    with pytest.raises(error, match=re.escape(pattern)):
        ElasticNetCV(l1_ratio=l1_ratio).fit(X, y)


def test_ridge_is_among_the_ratios_where_the_alphas_are_given():
    X, y = data()
    alphas = np.logspace(0, -3, 12)
    fitted = ElasticNetCV(l1_ratio=[0.0, 1.0], alphas=alphas).fit(X, y)
    train = np.arange(12, 60)
    ridge = linear_model.Ridge(alpha=48 * alphas[4]).fit(X[train], y[train])
    assert_allclose(fitted.mse_path_[0, 4, 0], np.mean((y[:12] - ridge.predict(X[:12])) ** 2), rtol=1e-6)


@every_class
@pytest.mark.parametrize(
    ("parameters", "arguments"),
    [
        ({"alphas": 0}, {}),
        ({"cv": 100}, {}),
        ({}, {"sample_weight": -np.ones(60)}),
        ({}, {"X": np.full((60, 2), np.nan)}),
        ({"max_iter": 1, "tol": 0.0}, {}),
    ],
    ids=["alphas", "too many folds", "weights", "NaN", "not converged, warnings as errors"],
)
def test_a_failed_fit_leaves_the_earlier_one_as_it_was(Estimator, parameters, arguments):
    X, y = data()
    fitted = Estimator(alphas=12).fit(pd.DataFrame(X, columns=list("abcdefgh")), y)
    before = dict(vars(fitted))
    fitted.set_params(**parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises((ValueError, ConvergenceWarning)):
            fitted.fit(**{"X": X, "y": y, **arguments})
    after = vars(fitted)
    assert {name: value for name, value in after.items() if name.endswith("_")}.keys() == {
        name for name in before if name.endswith("_")
    }
    assert all(after[name] is before[name] for name in before if name.endswith("_"))


@every_class
@pytest.mark.parametrize(
    "container", [np.asarray, pd.DataFrame, sparse.csr_array], ids=["array", "frame", "csr"]
)
@pytest.mark.parametrize(("value", "name"), [(np.nan, "NaN"), (np.inf, "infinity")])
@pytest.mark.parametrize("shape", [(60, 8), (60, 150)], ids=["tall", "wide"])
def test_data_that_are_not_finite_are_refused(Estimator, container, value, name, shape):
    X, y = data(*shape)
    X[7, 3] = value
    with pytest.raises(ValueError, match=f"Input X contains {name}"):
        Estimator().fit(container(X), y)
    X[7, 3], y[5] = 0.0, value
    with pytest.raises(ValueError, match=f"Input y contains {name}"):
        Estimator().fit(container(X), y)


@every_class
def test_nothing_to_fit_gives_the_mean(Estimator):
    X, _ = data()
    fitted = Estimator(alphas=12).fit(X, np.full(60, 3.0))
    assert_array_equal(fitted.coef_, 0.0)
    assert (fitted.intercept_, fitted.dual_gap_) == (3.0, 0.0)
    assert_array_equal(fitted.mse_path_, 0.0)
