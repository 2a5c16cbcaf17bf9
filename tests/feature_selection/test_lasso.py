"""LassoSelector and ElasticNetSelector keep what the path says."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline

from skreg import (
    ElasticNet,
    ElasticNetCV,
    ElasticNetSelector,
    Lasso,
    LassoCV,
    LassoSelector,
    Ridge,
    regularization_path,
)
from skreg.feature_selection._base import column_spread


def data(n=80, p=30, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.5, 2.0, p) + rng.uniform(-2.0, 2.0, p)
    return X, X[:, :4] @ [2.0, -1.5, 1.0, 0.7] + rng.standard_normal(n) + 5.0


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


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_matrix], ids=str)
def test_an_alpha_keeps_the_support_of_the_lasso_at_that_alpha(container):
    X, y = data()
    v = np.ones(30)
    v[7] = 0.0
    weights = np.random.default_rng(1).integers(0, 3, 80)
    for alpha in (0.03, 0.1, 0.4):
        selector = LassoSelector(alpha, penalty_weights=v).fit(container(X), y, weights)
        lasso = Lasso(alpha, penalty_weights=v).fit(X, y, weights)
        assert_array_equal(selector.get_support(), lasso.coef_ != 0.0)
        assert_allclose(selector.coef_, lasso.coef_, atol=1e-9)
        assert selector.alpha_ == alpha and alpha in selector.alphas_
        assert selector.get_support()[7]
        network = ElasticNetSelector(alpha, l1_ratio=0.3).fit(container(X), y, weights)
        assert_allclose(network.coef_, ElasticNet(alpha, l1_ratio=0.3).fit(X, y, weights).coef_, atol=1e-9)


@pytest.mark.parametrize("rule", ["min", "1se"])
def test_cross_validation_keeps_the_support_of_the_estimator_that_it_selects(rule):
    X, y = data()
    selector, model = LassoSelector(selection_rule=rule).fit(X, y), LassoCV(selection_rule=rule).fit(X, y)
    assert selector.alpha_ == model.alpha_
    assert_array_equal(selector.get_support(), model.coef_ != 0.0)
    assert_array_equal(selector.coef_path_, model.coef_path_)
    ratios = {"l1_ratio": [0.2, 0.6, 1.0], "cv": 4, "selection_rule": rule}
    selector, model = ElasticNetSelector(**ratios).fit(X, y), ElasticNetCV(**ratios).fit(X, y)
    assert (selector.alpha_, selector.l1_ratio_) == (model.alpha_, model.l1_ratio_)
    assert_array_equal(selector.get_support(), model.coef_ != 0.0)
    assert_array_equal(selector.alphas_, model.alphas_[ratios["l1_ratio"].index(model.l1_ratio_)])


def test_the_one_standard_error_rule_keeps_fewer():
    X, y = data()
    kept = [LassoSelector(selection_rule=rule).fit(X, y).get_support().sum() for rule in ("min", "1se")]
    assert 4 <= kept[1] < kept[0]


@pytest.mark.parametrize("wanted", [1, 3, 8, 30])
def test_the_first_to_enter_the_path_are_kept(wanted):
    X, y = data()
    selector = LassoSelector(n_features_to_select=wanted).fit(X, y)
    support = selector.get_support()
    assert support.sum() == wanted
    path = regularization_path(X, y)
    entry = np.argmax(path.coefs != 0.0, axis=1)
    assert entry[support].max() <= entry[~support].min(initial=100)
    assert selector.alpha_ == path.alphas[entry[support].max()]


def test_the_ranking_is_the_order_of_entry():
    X, y = data()
    fine = LassoSelector(alphas=2000).fit(X, y)  # so fine that hardly two enter together
    entry = np.argmax(fine.coef_path_ != 0.0, axis=1)
    assert sorted(fine.ranking_) == list(range(1, 31))
    assert np.all(np.diff(entry[np.argsort(fine.ranking_)]) >= 0)
    coarse = LassoSelector(alphas=20).fit(X, y)
    early = fine.ranking_ <= 4
    assert_array_equal(coarse.ranking_[early], fine.ranking_[early])


def test_features_that_do_not_enter_share_the_last_rank_and_too_few_are_announced():
    X, y = data()
    with pytest.warns(UserWarning, match=r"Only \d+ of n_features_to_select=30 .* Decrease eps"):
        selector = LassoSelector(n_features_to_select=30, eps=0.3).fit(X, y)
    entered = selector.get_support()
    assert 0 < entered.sum() < 30
    assert np.all(selector.ranking_[~entered] == entered.sum() + 1)


def test_of_two_identical_columns_the_lasso_picks_one_and_the_elastic_net_keeps_both():
    X, y = data()
    X = np.column_stack([X, X[:, 0]])
    lasso, network = LassoSelector(0.1).fit(X, y), ElasticNetSelector(0.1).fit(X, y)
    assert lasso.get_support()[[0, 30]].sum() == 1
    assert network.get_support()[[0, 30]].all()
    assert_allclose(network.coef_[0], network.coef_[30], rtol=1e-8)


def test_which_of_a_correlated_group_the_lasso_picks_is_chance_and_the_elastic_net_keeps_the_group():
    picked, kept = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        cause = rng.standard_normal(100)
        group = cause[:, None] + 0.05 * rng.standard_normal((100, 4))
        X = np.column_stack([group, rng.standard_normal((100, 10))])
        y = 2.0 * cause + rng.standard_normal(100)
        picked.append(int(np.argmin(LassoSelector(n_features_to_select=1).fit(X, y).ranking_)))
        kept.append(
            ElasticNetSelector(l1_ratio=0.1, n_features_to_select=4).fit(X, y).get_support()[:4].all()
        )
    assert set(picked) == {0, 1, 2, 3}  # each of the four, on some draw of the same world
    assert all(kept)


@pytest.mark.parametrize("rho", [0.0, 0.5])
@pytest.mark.parametrize(
    "selector",
    [
        LassoSelector(),
        LassoSelector(selection_rule="1se"),
        ElasticNetSelector(),
        LassoSelector(n_features_to_select=20),
    ],
    ids=str,
)
def test_at_least_eight_of_ten_planted_features_are_found(selector, rho):
    for seed in range(3):
        X, y, true = planted(rho, seed)
        assert selector.fit(X, y).get_support()[true].sum() >= 8


def test_weights_reach_the_path_whether_or_not_metadata_are_routed():
    X, y = data()
    weights = np.random.default_rng(1).integers(0, 3, 80)
    for selector in (LassoSelector(cv=3), LassoSelector(0.2)):
        expected = selector.fit(X, y, weights).coef_path_
        with config_context(enable_metadata_routing=True):
            routed = selector.set_fit_request(sample_weight=True).fit(X, y, sample_weight=weights)
        assert_array_equal(routed.coef_path_, expected)
        assert not np.array_equal(selector.fit(X, y).coef_path_, expected)


def test_groups_reach_the_splitter_where_metadata_are_routed():
    X, y = data()
    groups = np.random.default_rng(2).integers(0, 7, 80)
    selector = ElasticNetSelector(l1_ratio=[0.5, 1.0], cv=GroupKFold(3))
    expected = ElasticNetSelector(l1_ratio=[0.5, 1.0], cv=list(GroupKFold(3).split(X, y, groups))).fit(X, y)
    with pytest.raises(ValueError, match=r"fit got groups.*pass the splits themselves"):
        selector.fit(X, y, groups=groups)
    with config_context(enable_metadata_routing=True):
        assert selector.fit(X, y, groups=groups).alpha_ == expected.alpha_
        with pytest.raises(TypeError, match="nonsense"):
            selector.fit(X, y, groups=groups, nonsense=1)
        renamed = ElasticNetSelector(
            l1_ratio=[0.5, 1.0], cv=GroupKFold(3).set_split_request(groups="patients")
        ).fit(X, y, patients=groups)
        assert renamed.alpha_ == expected.alpha_ and renamed.l1_ratio_ == expected.l1_ratio_
        # From the outermost search down to the selector's own folds.
        search = GridSearchCV(
            make_pipeline(LassoSelector(cv=GroupKFold(3)), Ridge()),
            {"lassoselector__selection_rule": ["min", "1se"]},
            cv=GroupKFold(2),
        )
        assert search.fit(X, y, groups=groups).best_score_ > 0.5


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array, sparse.csc_matrix], ids=str)
def test_the_spread_of_columns_far_from_zero_does_not_cancel(container):
    X = np.random.default_rng(0).standard_normal((50, 3)) + 1e8
    assert_allclose(column_spread(container(X)), X.std(axis=0), rtol=1e-5)


def test_the_result_does_not_depend_on_n_jobs():
    X, y = data()
    alone, together = LassoSelector().fit(X, y), LassoSelector(n_jobs=2).fit(X, y)
    assert_array_equal(alone.coef_path_, together.coef_path_)
    assert alone.alpha_ == together.alpha_


@pytest.mark.parametrize(
    ("selector", "error", "message"),
    [
        (LassoSelector(0.1, n_features_to_select=3), ValueError, "alpha and n_features_to_select"),
        (LassoSelector(0.0), ValueError, "alpha must be > 0"),
        (LassoSelector("0.1"), TypeError, "alpha must be a number"),
        (
            LassoSelector(n_features_to_select=31),
            ValueError,
            "n_features_to_select must be .* between 1 and 30",
        ),
        (LassoSelector(n_features_to_select=0.5), TypeError, "n_features_to_select must be an integer"),
        (LassoSelector(selection_rule="best"), ValueError, "selection_rule must be one of"),
        (LassoSelector(penalty_weights=[1.0]), ValueError, "penalty_weights must be None or 30"),
        (LassoSelector(0.1, alphas=0), ValueError, "alphas must be"),
        (LassoSelector(0.1, eps=2.0), ValueError, "eps must be"),
        (ElasticNetSelector(l1_ratio=0.0), ValueError, "l1_ratio must be > 0"),
        (ElasticNetSelector(0.1, l1_ratio=[0.2, 0.5]), ValueError, "l1_ratio must be one number"),
        (ElasticNetSelector(l1_ratio="half"), TypeError, "l1_ratio must be a number"),
    ],
    ids=lambda value: repr(value) if isinstance(value, LassoSelector | ElasticNetSelector) else "",
)
def test_bad_parameters_are_named_and_leave_the_earlier_fit(selector, error, message):
    X, y = data()
    parameters = selector.get_params()
    selector.set_params(**type(selector)().get_params()).fit(X, y)
    before = selector.get_support()
    selector.set_params(**parameters)
    with pytest.raises(error, match=message):
        selector.fit(X, y)
    assert_array_equal(selector.set_params(**type(selector)().get_params()).get_support(), before)


def test_several_targets_are_refused():
    X, y = data()
    with pytest.raises(ValueError, match="2 targets; LassoSelector selects features for one"):
        LassoSelector().fit(X, np.column_stack([y, y]))


def test_a_path_that_does_not_converge_warns():
    X, y = data(30, 60)
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        LassoSelector(1e-4, max_iter=1).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LassoSelector(1e-4).fit(X, y)
