"""RidgeCV against scikit-learn's and against refits; Ridge with an alpha for each target."""

import pickle
import re

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import linear_model as theirs
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import KFold, LeaveOneOut, ShuffleSplit, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import Ridge, RidgeCV, energy_of
from skreg.linear_model import scores

X, y = load_diabetes(return_X_y=True)
RNG = np.random.default_rng(0)
Y = np.column_stack(
    [y, 300.0 * X @ RNG.standard_normal(10) + RNG.standard_normal(len(y)), RNG.permutation(y)]
)
WEIGHTS = RNG.uniform(0.0, 2.0, len(y))
ALPHAS = np.logspace(-4, 2, 15)


def assert_same_fit(mine, reference):
    assert_array_equal(mine.alpha_, reference.alpha_)
    assert_allclose(mine.best_score_, reference.best_score_, rtol=1e-9)
    assert_allclose(mine.coef_, reference.coef_, rtol=1e-7)
    assert_allclose(mine.intercept_, reference.intercept_, rtol=1e-8)
    for name in ("alpha_", "best_score_", "coef_", "intercept_"):
        assert np.shape(getattr(mine, name)) == np.shape(getattr(reference, name)), name


# ---------------------------------------------------------------------- against scikit-learn


def name_of(settings):
    """The settings, without the address of a function in memory."""
    return ", ".join(
        f"{name}={value.__name__ if callable(value) else value}" for name, value in settings.items()
    )


SETTINGS = [
    {"store_cv_results": True},
    {"store_cv_results": True, "alpha_per_target": True},
    {"store_cv_results": True, "scoring": "neg_mean_absolute_error"},
    {"scoring": "r2", "alpha_per_target": True},
    {"scoring": lambda estimator, X, y: -float(np.max(np.abs(y - estimator.predict(X))))},
    {"cv": 5},
    {"cv": 5, "scoring": "r2"},
    {"cv": KFold(4, shuffle=True, random_state=0), "scoring": "neg_mean_squared_error"},
    {"cv": 5, "scoring": "neg_root_mean_squared_error"},
    {"cv": 5, "scoring": "neg_median_absolute_error"},
    {"cv": ShuffleSplit(3, test_size=0.2, train_size=0.5, random_state=0)},
    {"cv": TimeSeriesSplit(3)},
    {"cv": list(KFold(3).split(X))},
]


TARGETS = {"one": y, "column": y[:, None], "several": Y}


def scikit_learn_can(settings, weights, target):
    """It hands weights to a callable that cannot take them; of one target alpha_per_target makes arrays."""
    if callable(settings.get("scoring")):
        return weights is None
    return target is Y or not settings.get("alpha_per_target")


CASES = [
    pytest.param(settings, weights, target, id=f"{name}-{weighted}-{name_of(settings)}")
    for settings in SETTINGS
    for weighted, weights in {"equal weights": None, "weights": WEIGHTS}.items()
    for name, target in TARGETS.items()
    if scikit_learn_can(settings, weights, target)
]


@pytest.mark.parametrize(("settings", "weights", "target"), CASES)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_it_selects_and_fits_what_scikit_learn_s_does(settings, weights, target, fit_intercept):
    settings = {**settings, "fit_intercept": fit_intercept}
    mine = RidgeCV(ALPHAS, **settings).fit(X, target, sample_weight=weights)
    reference = theirs.RidgeCV(ALPHAS, **settings).fit(X, target, sample_weight=weights)
    assert_same_fit(mine, reference)
    if "store_cv_results" in settings:
        assert_allclose(mine.cv_results_, reference.cv_results_, rtol=1e-7)
        assert mine.cv_results_.shape == reference.cv_results_.shape


@pytest.mark.parametrize("target", [y, y[:, None]], ids=["one", "column"])
@pytest.mark.parametrize("scoring", [None, "r2"])
@pytest.mark.parametrize("cv", [None, 4])
def test_one_target_has_one_alpha_whether_or_not_each_has_its_own(target, scoring, cv):
    shared = RidgeCV(ALPHAS, cv=cv, scoring=scoring).fit(X, target, sample_weight=WEIGHTS)
    own = RidgeCV(ALPHAS, cv=cv, scoring=scoring, alpha_per_target=True)
    assert_same_fit(own.fit(X, target, sample_weight=WEIGHTS), shared)


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_callable_scores_the_predictions_of_rows_left_out_of_weighted_fits(target, fit_intercept):
    def worst(estimator, X, y):
        return -float(np.max(np.abs(y - estimator.predict(X))))

    rows, expected = np.arange(40), []
    for alpha in ALPHAS[::5]:
        misses = []
        for i in rows:
            rest = np.delete(rows, i)
            fit = theirs.Ridge(alpha, fit_intercept=fit_intercept)
            fit.fit(X[rest], target[rest], sample_weight=WEIGHTS[rest])
            misses.append(np.max(np.abs(target[i] - fit.predict(X[[i]]))))
        expected.append(-max(misses))
    model = RidgeCV(ALPHAS[::5], scoring=worst, fit_intercept=fit_intercept)
    with pytest.warns(UserWarning, match="takes no sample_weight"):
        model.fit(X[rows], target[rows], sample_weight=WEIGHTS[rows])
    assert_allclose(model.mean_score_, expected, rtol=1e-8)
    assert model.alpha_ == ALPHAS[::5][np.argmax(expected)]


@pytest.mark.parametrize("cv", [None, 3])
def test_wide_data_too(cv):
    rng = np.random.default_rng(1)
    wide, target = rng.standard_normal((40, 90)), rng.standard_normal((40, 3))
    alphas = np.logspace(-2, 3, 12)
    mine = RidgeCV(alphas, cv=cv).fit(wide, target)
    assert_same_fit(mine, theirs.RidgeCV(alphas, cv=cv).fit(wide, target))
    assert_same_fit(RidgeCV(alphas, cv=cv).fit(sparse.csr_array(wide), target), mine)


@pytest.mark.parametrize("cv", [None, 5, TimeSeriesSplit(4)])
@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
def test_sparse_data_are_fitted_as_dense_ones_are(cv, scoring):
    S = sparse.random(80, 30, density=0.2, random_state=1, format="csc")
    target = np.random.default_rng(2).standard_normal(80)
    dense = RidgeCV(ALPHAS, cv=cv, scoring=scoring).fit(S.toarray(), target)
    for layout in (sparse.csr_array, sparse.csc_matrix):
        assert_same_fit(RidgeCV(ALPHAS, cv=cv, scoring=scoring).fit(layout(S), target), dense)


# ---------------------------------------------------------------------- against refits


@pytest.mark.parametrize("alpha_per_target", [True, False])
def test_fold_errors_and_scores_are_those_of_refits(alpha_per_target):
    cv = KFold(4, shuffle=True, random_state=1)
    model = RidgeCV(ALPHAS, cv=cv, alpha_per_target=alpha_per_target).fit(X, Y, sample_weight=WEIGHTS)
    mse, r2 = np.empty((2, ALPHAS.size, 4, 3))
    for i, (train, test) in enumerate(cv.split(X)):
        for k, alpha in enumerate(ALPHAS):
            fit = Ridge(alpha).fit(X[train], Y[train], sample_weight=WEIGHTS[train])
            miss = Y[test] - fit.predict(X[test])
            mse[k, i] = np.average(miss**2, axis=0, weights=WEIGHTS[test])
            mean = np.average(Y[test], axis=0, weights=WEIGHTS[test])
            r2[k, i] = 1.0 - mse[k, i] / np.average((Y[test] - mean) ** 2, axis=0, weights=WEIGHTS[test])
    if not alpha_per_target:
        mse, r2 = mse.mean(axis=2), r2.mean(axis=2)
    assert_allclose(model.mse_path_, mse, rtol=1e-9)
    assert_allclose(model.score_path_, r2, rtol=1e-8)
    assert_allclose(model.mean_score_, r2.mean(axis=1), rtol=1e-8)
    assert_allclose(model.standard_error_, r2.std(axis=1, ddof=1) / 2.0, rtol=1e-8)
    assert_array_equal(model.alpha_, ALPHAS[np.argmax(r2.mean(axis=1), axis=0)])
    assert_array_equal(model.best_score_, model.mean_score_.max(axis=0))
    coef = Ridge(model.alpha_).fit(X, Y, sample_weight=WEIGHTS).coef_
    assert_allclose(model.coef_, coef, rtol=1e-9)


def test_leave_one_out_is_the_folds_of_one_row():
    folds = RidgeCV(ALPHAS, cv=LeaveOneOut(), scoring="neg_mean_squared_error").fit(X[:60], y[:60])
    model = RidgeCV(ALPHAS).fit(X[:60], y[:60])
    assert_allclose(model.mean_score_, folds.mean_score_, rtol=1e-9)
    assert_allclose(model.standard_error_, folds.standard_error_, rtol=1e-8)


@pytest.mark.parametrize("cv", [None, 5])
def test_penalty_weights_are_columns_in_other_units(cv):
    factors = np.random.default_rng(2).uniform(0.2, 5.0, 10)
    model = RidgeCV(ALPHAS, cv=cv, penalty_weights=factors).fit(X, y)
    scaled = RidgeCV(ALPHAS, cv=cv).fit(X / np.sqrt(factors), y)
    assert model.alpha_ == scaled.alpha_
    assert_allclose(model.mean_score_, scaled.mean_score_, rtol=1e-9)
    assert_allclose(model.coef_, scaled.coef_ / np.sqrt(factors), rtol=1e-8)


@pytest.mark.parametrize("cv", [None, 5])
def test_an_unpenalised_constant_column_is_an_intercept(cv):
    ones = np.column_stack([X, np.ones(len(y))])
    factors = np.append(np.ones(10), 0.0)
    model = RidgeCV(ALPHAS, cv=cv, penalty_weights=factors, fit_intercept=False).fit(ones, y)
    expected = RidgeCV(ALPHAS, cv=cv).fit(X, y)
    assert_allclose(model.mean_score_, expected.mean_score_, rtol=1e-9)
    assert_allclose(model.coef_, np.append(expected.coef_, expected.intercept_), rtol=1e-8)


@pytest.mark.parametrize("cv", [None, 5])
def test_the_final_fit_is_certified_at_the_alpha_selected(cv):
    model = RidgeCV(ALPHAS, cv=cv, alpha_per_target=True).fit(X, Y)
    scale = np.sum((Y - Y.mean(axis=0)) ** 2, axis=0)
    assert np.all(model.dual_gap_ <= 1e-12 * scale)
    for t in range(3):
        energy = energy_of(
            RidgeCV(ALPHAS, cv=cv, scoring="neg_mean_squared_error").fit(X, Y[:, t]), X, Y[:, t]
        )
        best = theirs.Ridge(energy.penalty.l2).fit(X, Y[:, t])
        excess = 2.0 * (energy.value(model.coef_[t]) - energy.value(best.coef_))
        assert abs(excess) <= 1e-10 * scale[t] or model.alpha_[t] != energy.penalty.l2


@pytest.mark.parametrize("cv", [None, 4])
def test_float32_stays_float32_and_is_certified_as_stored(cv):
    model = RidgeCV(ALPHAS, cv=cv, alpha_per_target=True).fit(X.astype(np.float32), Y)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    double = RidgeCV(ALPHAS, cv=cv, alpha_per_target=True).fit(X.astype(np.float32).astype(float), Y)
    assert_array_equal(model.alpha_, double.alpha_)
    assert_allclose(model.coef_, double.coef_, rtol=1e-6)
    assert np.all(model.dual_gap_ > double.dual_gap_)


# ---------------------------------------------------------------------- weights


def repeated(counts, folds):
    """Rows as often as they count, and folds in which they stay together."""
    rows = np.repeat(np.arange(len(counts)), counts)
    return rows, [
        (np.flatnonzero(np.isin(rows, train)), np.flatnonzero(np.isin(rows, test))) for train, test in folds
    ]


@pytest.mark.parametrize("scoring", [None, "neg_mean_squared_error", "neg_mean_absolute_error"])
@pytest.mark.parametrize("shape", [(60, 10), (60, 4), (24, 40)])
def test_an_integer_weight_is_as_many_equal_rows_in_one_fold(shape, scoring):
    rng = np.random.default_rng(3)
    data, target = rng.standard_normal(shape), rng.standard_normal((shape[0], 2))
    counts = rng.integers(0, 4, shape[0])
    folds = list(KFold(4, shuffle=True, random_state=0).split(data))
    rows, repeated_folds = repeated(counts, folds)
    settings = {"alphas": np.logspace(-2, 2, 9), "scoring": scoring}
    weighted = RidgeCV(cv=folds, **settings).fit(data, target, sample_weight=counts)
    several = RidgeCV(cv=repeated_folds, **settings).fit(data[rows], target[rows])
    assert_same_fit(weighted, several)
    assert_allclose(weighted.score_path_, several.score_path_, rtol=1e-7)
    assert_allclose(weighted.mse_path_, several.mse_path_, rtol=1e-8)


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error"])
def test_rows_of_weight_zero_are_absent(cv, scoring):
    weights = np.where(np.arange(len(y)) % 3 == 0, 0.0, WEIGHTS + 0.1)
    kept = weights > 0
    far = np.where(kept, y, 1e9)
    if cv is not None:
        cv = list(KFold(3).split(X))
    position = np.cumsum(kept) - 1
    rest = cv and [tuple(position[part[kept[part]]] for part in split) for split in cv]
    model = RidgeCV(ALPHAS, cv=cv, scoring=scoring).fit(X, far, sample_weight=weights)
    without = RidgeCV(ALPHAS, cv=rest, scoring=scoring).fit(X[kept], y[kept], sample_weight=weights[kept])
    assert model.alpha_ == without.alpha_
    assert_allclose(model.coef_, without.coef_, rtol=1e-9)
    # scikit-learn's mean over rows counts them.
    share = kept.mean() if cv is None and scoring is None else 1.0
    assert_allclose(model.mean_score_, share * without.mean_score_, rtol=1e-9)


def test_a_scoring_without_weights_says_so():
    with pytest.warns(UserWarning, match="scoring='neg_max_error' takes no sample_weight"):
        model = RidgeCV(ALPHAS, cv=3, scoring="neg_max_error").fit(X, y, sample_weight=WEIGHTS)
    expected = np.empty((ALPHAS.size, 3))
    for i, (train, test) in enumerate(KFold(3).split(X)):
        for k, alpha in enumerate(ALPHAS):
            fit = Ridge(alpha).fit(X[train], y[train], sample_weight=WEIGHTS[train])
            expected[k, i] = -np.max(np.abs(y[test] - fit.predict(X[test])))
    assert_allclose(model.score_path_, expected, rtol=1e-9)


# ---------------------------------------------------------------------- selection


@pytest.mark.parametrize("cv", [None, 5])
def test_one_standard_error_takes_the_largest_alpha_that_is_nearly_as_good(cv):
    smallest = RidgeCV(ALPHAS, cv=cv).fit(X, y)
    model = RidgeCV(ALPHAS, cv=cv, selection_rule="1se").fit(X, y)
    best = np.argmax(smallest.mean_score_)
    within = smallest.mean_score_ >= smallest.mean_score_[best] - smallest.standard_error_[best]
    assert model.alpha_ == smallest.alpha_1se_ == ALPHAS[within].max() > smallest.alpha_
    assert model.best_score_ == smallest.best_score_
    assert_allclose(model.coef_, Ridge(model.alpha_).fit(X, y).coef_, rtol=1e-9)


def test_each_target_selects_as_if_it_were_alone():
    for options in ({}, {"cv": 4}, {"cv": 4, "scoring": "neg_mean_absolute_error"}, {"scoring": "r2"}):
        model = RidgeCV(ALPHAS, alpha_per_target=True, **options).fit(X, Y)
        assert len(set(model.alpha_)) > 1
        for t in range(3):
            alone = RidgeCV(ALPHAS, **options).fit(X, Y[:, t])
            assert model.alpha_[t] == alone.alpha_
            assert_allclose(model.alpha_1se_[t], alone.alpha_1se_)
            assert_allclose(model.best_score_[t], alone.best_score_, rtol=1e-9)
            assert_allclose(model.coef_[t], alone.coef_, rtol=1e-8)


def test_alphas_keep_their_order_and_of_equals_the_largest_is_taken():
    shuffled = RNG.permutation(ALPHAS)
    assert_array_equal(RidgeCV(shuffled, cv=3).fit(X, y).alphas_, shuffled)
    assert RidgeCV(shuffled, cv=3).fit(X, y).alpha_ == RidgeCV(ALPHAS, cv=3).fit(X, y).alpha_
    constant = RidgeCV(shuffled).fit(X, np.full(len(y), 3.0))
    assert constant.alpha_ == ALPHAS.max()
    assert_array_equal(constant.coef_, 0.0)
    assert constant.best_score_ == 0.0


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("shape", [(50, 8), (10, 30)])
def test_a_number_of_alphas_spans_the_spectrum(cv, shape):
    rng = np.random.default_rng(4)
    data, target = 3.0 + rng.standard_normal(shape), rng.standard_normal(shape[0])
    model = RidgeCV(7, cv=cv).fit(data, target)
    d = np.linalg.svd(data - data.mean(axis=0), compute_uv=False)[: min(shape[0] - 1, shape[1])] ** 2
    assert_allclose(model.alphas_, np.geomspace(10.0 * d[0], 0.1 * d[-1], 7), rtol=1e-9)
    assert model.alphas_[0] > model.alphas_[-1]
    assert RidgeCV(np.int64(7), cv=cv).fit(data, target).alpha_ == model.alpha_
    assert_array_equal(RidgeCV(model.alphas_, cv=cv).fit(data, target).coef_.shape, model.coef_.shape)


def test_a_number_of_alphas_goes_with_the_units_of_x_and_ends_at_a_millionth():
    near = X.copy()
    near[:, 1] = near[:, 0] + 1e-4 * near[:, 1]
    first, scaled = RidgeCV(5).fit(near, y).alphas_, RidgeCV(5).fit(1e3 * near, y).alphas_
    assert_allclose(scaled, 1e6 * first, rtol=1e-9)
    assert_allclose(first[-1], 1e-7 * first[0], rtol=1e-9)
    assert np.all(RidgeCV(3).fit(np.ones((5, 2)), y[:5]).coef_ == 0.0)


def test_zero_stands_for_least_squares():
    model = RidgeCV([0.0, 1e6]).fit(X, y)
    assert model.alpha_ == 0.0
    assert_allclose(model.coef_, theirs.LinearRegression().fit(X, y).coef_, rtol=1e-8)
    leverage = np.einsum("ij,ji->i", X, np.linalg.pinv(X)) + 1.0 / len(y)
    errors = (y - model.predict(X)) / (1.0 - leverage)
    assert_allclose(model.best_score_, -np.mean(errors**2), rtol=1e-9)


# ---------------------------------------------------------------------- metadata, threads, conventions


@pytest.mark.parametrize("cv", [None, 3])
def test_scorers_get_the_weights_that_they_request(cv):
    with sklearn.config_context(enable_metadata_routing=True):
        for requested in (True, False):
            scorer = make_scorer(mean_absolute_error, greater_is_better=False)
            asking = scorer.set_score_request(sample_weight=requested)
            model = RidgeCV(ALPHAS, cv=cv, scoring=asking).fit(X, y, sample_weight=WEIGHTS)
            if cv is None:
                reference = theirs.RidgeCV(ALPHAS, scoring=asking).fit(X, y, sample_weight=WEIGHTS)
                assert_same_fit(model, reference)
            else:
                weights = WEIGHTS if requested else np.ones(len(y))
                train, test = next(KFold(3).split(X))
                fit = Ridge(ALPHAS[0]).fit(X[train], y[train], sample_weight=WEIGHTS[train])
                error = np.average(np.abs(y[test] - fit.predict(X[test])), weights=weights[test])
                assert_allclose(model.score_path_[0, 0], -error, rtol=1e-9)


def test_folds_in_threads_give_the_same_numbers():
    alone = RidgeCV(ALPHAS, cv=5).fit(X, Y)
    for model in (RidgeCV(ALPHAS, cv=5, n_jobs=2), RidgeCV(ALPHAS, cv=5)):
        with joblib.parallel_config(backend="threading", n_jobs=2):
            assert_array_equal(model.fit(X, Y).mse_path_, alone.mse_path_)
            assert_array_equal(model.coef_, alone.coef_)


def test_it_is_cloned_pickled_and_kept_in_a_pipeline():
    model = RidgeCV(5, cv=3, penalty_weights=np.ones(10))
    assert clone(model).fit(X, y).alpha_ == model.fit(X, y).alpha_
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X), model.predict(X))
    pipeline = make_pipeline(StandardScaler(), RidgeCV(5)).fit(X, y)
    energy = energy_of(pipeline, X, y)
    assert energy.penalty.l2 == pipeline[-1].alpha_
    assert energy.label == f"RidgeCV(alpha={pipeline[-1].alpha_:.6g})"


@pytest.mark.parametrize("cv", [None, 3])
def test_its_energy_is_that_of_the_alpha_selected(cv):
    factors = np.arange(10.0)
    model = RidgeCV(ALPHAS, cv=cv, penalty_weights=factors).fit(X, y)
    for energy in (energy_of(model, X, y), energy_of(clone(model), X, y)):
        assert energy.penalty.l2 == model.alpha_
        assert_array_equal(energy.penalty.factors, factors)
        assert_array_equal(energy.coef, model.coef_)
        assert energy.penalty.l1 == 0.0


def test_names_of_columns_are_kept_and_checked():
    table = pd.DataFrame(X, columns=[f"x{j}" for j in range(10)])
    model = RidgeCV(cv=3).fit(table, y)
    assert list(model.feature_names_in_) == list(table.columns)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table[table.columns[::-1]])


def test_a_fit_forgets_the_results_of_another_kind_and_a_failed_one_forgets_nothing():
    model = RidgeCV(ALPHAS, store_cv_results=True).fit(X, y)
    model.set_params(cv=3, store_cv_results=False).fit(X, y)
    assert not hasattr(model, "cv_results_")
    before = dict(vars(model))
    with pytest.raises(ValueError, match="negative"):
        model.fit(X[:, :2], y, sample_weight=-np.ones(len(y)))
    assert vars(model) == before


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("parameters", "error", "pattern"),
    [
        ({"alphas": 0}, ValueError, "alphas must be an integer ≥ 1, got 0"),
        (
            {"alphas": True},
            TypeError,
            "alphas must be an integer ≥ 1 or a list of finite numbers ≥ 0, got T",
        ),
        ({"alphas": []}, ValueError, "alphas must be an integer ≥ 1 or a list of finite numbers ≥ 0, got []"),
        ({"alphas": [1.0, -1.0]}, ValueError, "alphas must be an integer ≥ 1 or a list of finite numbers"),
        ({"alphas": [1.0, np.nan]}, ValueError, "alphas must be an integer ≥ 1 or a list of finite numbers"),
        ({"alphas": "auto"}, TypeError, "alphas must be an integer ≥ 1 or a list of finite numbers"),
        ({"alphas": 2.5}, ValueError, "alphas must be an integer ≥ 1 or a list of finite numbers"),
        ({"alphas": None}, TypeError, "alphas must be an integer ≥ 1 or a list of finite numbers"),
        ({"fit_intercept": 1}, TypeError, "fit_intercept must be True or False, got 1"),
        ({"alpha_per_target": None}, TypeError, "alpha_per_target must be True or False, got None"),
        ({"store_cv_results": "yes"}, TypeError, "store_cv_results must be True or False, got 'yes'"),
        ({"selection_rule": "2se"}, ValueError, "selection_rule must be one of 'min', '1se', got '2se'"),
        ({"scoring": ["r2"]}, TypeError, "scoring must be None, a scorer's name or a callable, got ['r2']"),
        ({"scoring": "nonsense"}, ValueError, "nonsense"),
        ({"cv": 3, "store_cv_results": True}, ValueError, "store_cv_results=True needs cv=None"),
        (
            {"scoring": "r2", "selection_rule": "1se"},
            ValueError,
            "selection_rule='1se' needs a standard",
        ),
        ({"tol": -1.0}, ValueError, "tol must be a number ≥ 0, got -1.0"),
        ({"max_iter": 0}, ValueError, "max_iter must be an integer ≥ 1, got 0"),
        ({"penalty_weights": [1.0]}, ValueError, "penalty_weights must be None or 10 finite numbers ≥ 0"),
        (
            {"cv": LeaveOneOut()},
            ValueError,
            "R², the default score of folds, is not defined on a single",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_parameter_says_what_it_wants_and_what_it_got(parameters, error, pattern):
    with pytest.raises(error, match=re.escape(pattern)):
        RidgeCV(**parameters).fit(X, y)


def test_one_row_cannot_be_left_out():
    weights = np.eye(len(y))[3]
    with pytest.raises(ValueError, match=r"Leave-one-out needs two rows of positive weight.* n_samples = 1"):
        RidgeCV().fit(X, y, sample_weight=weights)


def test_a_score_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match=r"The score is not a finite number at alpha=0\.0001"):
        RidgeCV(ALPHAS, cv=3, scoring=lambda *_: np.nan).fit(X, y)


def test_predictions_are_held_a_part_at_a_time(monkeypatch):
    options = {"scoring": "neg_mean_absolute_error"}
    whole = [RidgeCV(ALPHAS, cv=cv, **options).fit(X, Y) for cv in (None, 3)]
    stored = RidgeCV(ALPHAS, store_cv_results=True).fit(X, Y)
    monkeypatch.setattr(scores, "_PREDICTIONS", 4 * Y.size)
    for cv, expected in zip((None, 3), whole, strict=True):
        assert_same_fit(RidgeCV(ALPHAS, cv=cv, **options).fit(X, Y), expected)
    again = RidgeCV(ALPHAS, store_cv_results=True).fit(X, Y)
    assert_allclose(again.cv_results_, stored.cv_results_, rtol=1e-12)


# ---------------------------------------------------------------------- Ridge with one alpha a target


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("positive", [True, False])
def test_ridge_takes_an_alpha_for_each_target(fit_intercept, positive):
    alphas = [0.01, 1.0, 1.0]
    for layout in (np.asarray, sparse.csr_array):
        model = Ridge(alphas, fit_intercept=fit_intercept, positive=positive)
        model.fit(layout(X), Y, sample_weight=WEIGHTS)
        for t, alpha in enumerate(alphas):
            alone = Ridge(alpha, fit_intercept=fit_intercept, positive=positive)
            alone.fit(X, Y[:, t], sample_weight=WEIGHTS)
            assert_allclose(model.coef_[t], alone.coef_, rtol=1e-8, atol=1e-8)
            assert_allclose(np.broadcast_to(model.intercept_, 3)[t], alone.intercept_, rtol=1e-8)
            assert model.dual_gap_[t] <= 1e-7 * np.sum(Y[:, t] ** 2)
    if not positive:
        reference = theirs.Ridge(alphas, fit_intercept=fit_intercept).fit(X, Y, sample_weight=WEIGHTS)
        assert_allclose(model.coef_, reference.coef_, rtol=1e-7)


def test_one_alpha_in_a_list_is_that_alpha():
    assert_array_equal(Ridge([0.1]).fit(X, Y).coef_, Ridge(0.1).fit(X, Y).coef_)
    assert_array_equal(Ridge(np.array([0.1])).fit(X, y).coef_, Ridge(0.1).fit(X, y).coef_)
    assert energy_of(Ridge([0.1]), X, y).penalty.l2 == 0.1


def test_float32_coefficients_are_certified_at_each_target_s_own_alpha():
    alphas = np.array([0.01, 1.0, 100.0])
    single = Ridge(alphas).fit(X.astype(np.float32), Y)
    for t, alpha in enumerate(alphas):
        alone = Ridge(alpha).fit(X.astype(np.float32), Y[:, t])
        assert_allclose(single.dual_gap_[t], alone.dual_gap_, rtol=0.5)


# ---------------------------------------------------------------------- any data


@given(
    st.integers(0, 2**32 - 1),
    st.integers(4, 30),
    st.integers(1, 40),
    st.booleans(),
    st.booleans(),
    st.floats(-6, 6),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_every_fit_selects_the_alpha_of_least_refitted_error(seed, n, p, fit_intercept, by_folds, log_scale):
    rng = np.random.default_rng(seed)
    data = (rng.standard_normal((n, p)) + rng.standard_normal(p)) * 10.0**log_scale
    target = data[:, 0] / 10.0**log_scale + rng.standard_normal(n)
    alphas = np.logspace(-2, 2, 5) * n * 100.0**log_scale
    weights = rng.uniform(0.2, 2.0, n)
    folds = KFold(3) if by_folds else LeaveOneOut()
    model = RidgeCV(
        alphas,
        cv=folds if by_folds else None,
        scoring="neg_mean_squared_error" if by_folds else None,
        fit_intercept=fit_intercept,
    ).fit(data, target, sample_weight=weights)
    errors = np.zeros(5)
    for train, test in folds.split(data):
        for k, alpha in enumerate(alphas):
            fit = Ridge(alpha, fit_intercept=fit_intercept)
            fit.fit(data[train], target[train], sample_weight=weights[train])
            squared = (target[test] - fit.predict(data[test])) ** 2
            total = weights[test].sum() * 3 if by_folds else n
            errors[k] += weights[test] @ squared / total
    assert_allclose(-model.mean_score_, errors, rtol=1e-7)
    assert errors[list(alphas).index(model.alpha_)] <= errors.min() * (1 + 1e-7)
