"""PosteriorSelector: three rules, each by its definition, and on features that stand for each other."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skreg import BayesianRegressor, ElasticNet, Lasso, LassoCV, PosteriorSelector, Ridge, RidgeCV


def data(n=80, p=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2.0, p) + rng.uniform(-2.0, 2.0, p)
    return X, X[:, :3] @ [1.0, -1.0, 0.2] + rng.standard_normal(n) + 5.0


def planted(rho, seed, n=200, p=500, snr=5.0):
    """Ten true features of equal size among AR(rho) columns; signal variance over noise variance is snr."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((n, p))
    X = Z.copy()
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * Z[:, j]
    true = np.sort(rng.choice(p, 10, replace=False))
    signal = X[:, true] @ rng.choice([-1.0, 1.0], 10)
    return X, signal + np.sqrt(signal.var() / snr) * rng.standard_normal(n), true


MODELS = [BayesianRegressor(Ridge(), random_state=0), BayesianRegressor(Lasso(alpha=0.05), random_state=0)]
every_model = pytest.mark.parametrize("model", MODELS, ids=["ridge", "lasso"])


def draws_of(selector):
    posterior = selector.estimator_.posterior_["posterior"]
    coef = posterior["coef"].values
    return coef.reshape(-1, coef.shape[-1]), posterior["sigma"].values.ravel()


@every_model
@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.99])
def test_a_feature_is_kept_if_its_interval_leaves_out_zero(model, coverage):
    X, y = data()
    selector = PosteriorSelector(model, coverage=coverage).fit(X, y)
    ends = model.fit(X, y).coef_interval(coverage)
    assert_array_equal(selector.get_support(), (ends[:, 0] > 0) | (ends[:, 1] < 0))
    clear = np.abs(selector.scores_ - coverage) > 0.02  # of the draws, the interval is of the closed form
    assert_array_equal(selector.get_support()[clear], selector.scores_[clear] > coverage)


@every_model
def test_a_feature_is_kept_if_it_is_large_with_enough_probability(model):
    X, y = data()
    selector = PosteriorSelector(model, rule="probability", threshold=0.1, probability=0.7).fit(X, y)
    coef, _ = draws_of(selector)
    probability = np.mean(np.abs(coef * X.std(axis=0) / y.std()) > 0.1, axis=0)
    assert_allclose(selector.scores_, probability)
    assert_array_equal(selector.get_support(), probability >= 0.7)


def test_probabilities_do_not_depend_on_the_units_of_a_feature_that_is_not_penalised_for_them():
    X, y = data()
    scaled = make_pipeline(StandardScaler(), Ridge())
    selector = PosteriorSelector(BayesianRegressor(scaled, random_state=0), rule="probability")
    before = selector.fit(X, y).scores_
    assert_allclose(selector.fit(X * [100.0, 1, 1, 1, 1, 1, 1, 1e-3], 7.0 * y).scores_, before, atol=1e-12)


@every_model
def test_the_projection_is_the_sparsest_that_explains_what_the_mean_does_up_to_what_is_uncertain(model):
    X, y = data()
    selector = PosteriorSelector(model, rule="projection", coverage=0.8).fit(X, y)
    (coef, sigma), A = draws_of(selector), X - X.mean(axis=0)
    signal, noise = np.sum((A @ coef.T) ** 2, axis=0), len(y) * sigma**2
    least = np.quantile(signal / (signal + noise), 0.1)
    excess = np.sum((A @ (selector.estimator_.coef_ - selector.coef_)) ** 2)
    number, explained = selector.explained_.T
    assert np.mean(signal / (signal + noise + excess)) >= least
    assert np.any(np.isclose(explained, np.mean(signal / (signal + noise + excess))))
    assert np.all(explained[number < np.count_nonzero(selector.coef_)] < least)
    assert number[0] == 0 and np.all(np.diff(explained) >= -1e-12)
    assert_array_equal(selector.get_support(), selector.coef_ != 0.0)
    assert {0, 1} <= set(selector.get_support(indices=True)) and selector.get_support().sum() < 8


def test_of_two_that_stand_for_each_other_the_intervals_keep_none_and_the_projection_one():
    rng = np.random.default_rng(0)
    cause = rng.standard_normal(100)
    X = np.column_stack([cause, cause + 0.01 * rng.standard_normal(100), rng.standard_normal((100, 4))])
    y = 2.0 * cause + rng.standard_normal(100)
    model = BayesianRegressor(Ridge(alpha=1e-3), random_state=0)
    assert PosteriorSelector(model).fit(X, y).get_support()[:2].sum() == 0
    assert PosteriorSelector(model, rule="projection").fit(X, y).get_support()[:2].sum() == 1
    # Under a stronger prior both are sure to be positive: they share.
    shared = BayesianRegressor(ElasticNet(alpha=0.5, l1_ratio=0.1), random_state=0)
    assert PosteriorSelector(shared).fit(X, y).get_support()[:2].all()


@pytest.mark.parametrize("rule", ["interval", "probability", "projection"])
@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_at_least_eight_of_ten_planted_features_are_found(rule, rho):
    for seed in range(2):
        X, y, true = planted(rho, seed)
        selector = PosteriorSelector(BayesianRegressor(RidgeCV()), rule=rule, random_state=0).fit(X, y)
        assert selector.get_support()[true].sum() >= 8
        assert np.sort(selector.ranking_[true])[7] <= 12


@pytest.mark.slow
def test_under_the_lasso_s_posterior_they_are_found_and_hardly_any_other():
    model = BayesianRegressor(LassoCV(selection_rule="1se"), draws=2000, random_state=0)
    X, y, true = planted(0.5, 0)
    for rule in ("interval", "probability", "projection"):
        support = PosteriorSelector(model, rule=rule).fit(X, y).get_support()
        assert support[true].sum() >= 8 and support.sum() <= 11


@pytest.mark.parametrize("rule", ["interval", "probability", "projection"])
def test_so_many_as_asked_for_are_kept_the_first_by_rank(rule):
    X, y = data()
    selector = PosteriorSelector(MODELS[0], rule=rule, n_features_to_select=2).fit(X, y)
    assert list(selector.get_support(indices=True)) == [0, 1]
    assert set(selector.ranking_[:2]) <= {1, 2}


def test_nothing_to_predict_selects_nothing():
    X, _ = data()
    selector = PosteriorSelector(BayesianRegressor(Ridge(), noise=1.0), rule="projection").fit(X, np.ones(80))
    assert not selector.get_support().any()


@pytest.mark.parametrize("level", [0.0, 0.1])
def test_no_coefficient_is_large_where_y_does_not_vary(level):
    X, _ = data()
    selector = PosteriorSelector(BayesianRegressor(Ridge(), noise=1.0), rule="probability")
    assert not selector.fit(X, np.full(80, level)).get_support().any()


def test_weights_go_to_the_estimator_whether_or_not_metadata_are_routed():
    X, y = data()
    weights = np.random.default_rng(1).uniform(0.1, 3.0, 80)
    selector = PosteriorSelector(MODELS[0]).fit(X, y, sample_weight=weights)
    assert_array_equal(selector.coef_, MODELS[0].fit(X, y, weights).coef_)
    with config_context(enable_metadata_routing=True):
        asking = BayesianRegressor(Ridge().set_fit_request(sample_weight=True), random_state=0)
        asking.set_fit_request(sample_weight=True)
        routed = PosteriorSelector(asking).fit(X, y, sample_weight=weights)
    assert_array_equal(routed.coef_, selector.coef_)


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ({"estimator": Ridge()}, TypeError, "estimator must be a BayesianRegressor"),
        ({"rule": "median"}, ValueError, "rule must be one of"),
        ({"coverage": 1.0}, ValueError, "coverage must be strictly between"),
        ({"threshold": -1.0}, ValueError, "threshold must be"),
        ({"probability": 0}, ValueError, "probability must be > 0"),
        ({"n_features_to_select": 9}, ValueError, "n_features_to_select must be"),
        (
            {
                "estimator": BayesianRegressor(
                    make_pipeline(PolynomialFeatures(2, include_bias=False), Ridge())
                )
            },
            ValueError,
            "44 coefficients and X 8 columns",
        ),
    ],
    ids=lambda value: str(value)[:25],
)
def test_bad_parameters_are_named_and_leave_the_earlier_fit(setting, error, message):
    X, y = data()
    selector = PosteriorSelector().fit(X, y)
    before = selector.get_support()
    with pytest.raises(error, match=message):
        selector.set_params(**setting).fit(X[:, ::-1], y)
    assert_array_equal(selector.get_support(), before)
