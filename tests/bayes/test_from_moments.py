"""The posterior from moments is that of the rows, and what only rows know is refused."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import Lasso as SklearnLasso
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import ElasticNet, Lasso, LassoCV, Moments, Ridge, RidgeCV, SDScaled, posterior
from skreg.bayes.container import group_of
from skreg.bayes.exact import RidgePosterior
from skreg.bayes.noise import degrees_of_freedom, noise_model, typical_size
from skreg.linear_model.energy import energy_of
from skreg.linear_model.moment_energy import energy_of_moments

NAMES = ("a", "b", "c", "d", "e")
ESTIMATORS = {
    "Ridge": Ridge(alpha=2.0),
    "Ridge, weighted penalty": Ridge(alpha=2.0, penalty_weights=[0.0, 1.0, 2.0, 1.0, 1.0]),
    "Ridge, positive": Ridge(alpha=2.0, positive=True),
    "Lasso": Lasso(alpha=0.3),
    "Lasso, positive": Lasso(alpha=0.3, positive=True),
    "Lasso, weighted penalty": Lasso(alpha=0.3, penalty_weights=[0.0, 1.0, 2.0, 1.0, 1.0]),
    "ElasticNet": ElasticNet(alpha=0.3),
    "ElasticNet, weighted penalty": ElasticNet(alpha=0.3, penalty_weights=[0.0, 1.0, 2.0, 1.0, 1.0]),
}
every_kind = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
with_and_without = pytest.mark.parametrize("intercept", [True, False], ids=["intercept", "no intercept"])


def data(n=200, p=5, seed=0, offset=1e3):
    rng = np.random.default_rng(seed)
    X = offset + rng.standard_normal((n, p)) * np.arange(1.0, p + 1.0)
    y = (X - offset)[:, :5] @ np.array([1.0, -2.0, 0.0, 3.0, 0.1])[:p] + 50.0 + rng.standard_normal(n)
    return X, y, rng.uniform(0.1, 2.0, n) * (rng.random(n) < 0.9)


def both(estimator, X, y, weights, intercept=True):
    model = estimator.set_params(fit_intercept=intercept)
    moments = Moments.from_data(X, y, weights, centred=intercept)
    return energy_of(model, X, y, weights), energy_of_moments(model, moments)


@every_kind
@with_and_without
@pytest.mark.parametrize("n", [200, 4], ids=["tall", "wide"])
def test_the_energy_is_that_of_the_rows(estimator, intercept, n):
    X, y, weights = data(n, offset=1e3 if intercept else 0.0)
    rows, moments = both(estimator, X, y, weights, intercept)
    assert (moments.n_samples, moments.label) == (rows.n_samples, rows.label)
    assert_allclose([moments.penalty.l1, moments.penalty.l2], [rows.penalty.l1, rows.penalty.l2], rtol=1e-12)
    assert not moments.has_rows and rows.has_rows
    for name in ("total_weight", "log_weight_sum", "y_mean", "X_mean", "null_value", "alpha", "alpha_scale"):
        assert_allclose(getattr(moments, name), getattr(rows, name), rtol=1e-12)
    assert_allclose(moments.coef, rows.coef, rtol=1e-8, atol=1e-9)
    assert_allclose(typical_size(moments), typical_size(rows), rtol=1e-11)
    assert_allclose(degrees_of_freedom(moments), degrees_of_freedom(rows), rtol=1e-7)
    for w in np.random.default_rng(0).standard_normal((5, 5)):
        assert_allclose(moments.value(w), rows.value(w), rtol=1e-9)
        if intercept:
            assert_allclose(moments.value(w, 7.0), rows.value(w, 7.0), rtol=1e-9)
    if not intercept:
        with pytest.raises(ValueError, match="do not know what an intercept would do"):
            moments.value(rows.coef, 1.0)


@pytest.mark.parametrize("name", ["Ridge", "Ridge, weighted penalty"])
@with_and_without
@pytest.mark.parametrize("noise", [None, 1.3, "variance-scaled", "plug-in"])
@pytest.mark.parametrize("n", [200, 12, 4], ids=["tall", "short", "wide"])
def test_the_exact_posterior_is_that_of_the_rows(name, intercept, noise, n):
    X, y, weights = data(n, offset=1e3 if intercept else 0.0)
    pair = both(ESTIMATORS[name], X, y, weights, intercept)
    if noise == "plug-in" and n == 4:
        return  # no degrees of freedom are left to estimate σ from
    rows, moments = (
        RidgePosterior(energy, noise_model(noise, (2.0, 1.0) if noise != 1.3 else None, energy))
        for energy in pair
    )
    assert_allclose(moments.coef_mean, rows.coef_mean, rtol=1e-7, atol=1e-8)
    assert_allclose(moments.coef_std(), rows.coef_std(), rtol=1e-7)
    assert_allclose(moments.intercept_mean, rows.intercept_mean, rtol=1e-7)
    assert_allclose(moments.log_evidence, rows.log_evidence, rtol=1e-7)
    assert_allclose(moments.sigma_mean, rows.sigma_mean, rtol=1e-7)
    new = X[:3] + 0.5
    for left, right in zip(
        vars(moments.predict(new)).values(), vars(rows.predict(new)).values(), strict=True
    ):
        assert_allclose(left, right, rtol=1e-7)


@every_kind
@with_and_without
@pytest.mark.parametrize("noise", [None, 1.3, "variance-scaled"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # few draws are enough here
def test_the_draws_are_those_of_the_rows(estimator, intercept, noise):
    X, y, weights = data(offset=1e3 if intercept else 0.0)
    model = estimator.set_params(fit_intercept=intercept)
    settings = {"noise": noise, "draws": 20, "tune": 20, "chains": 2, "random_state": 0}
    moments = Moments.from_data(X, y, weights, centred=intercept, feature_names=NAMES)
    by_rows = group_of(posterior(model, X, y, sample_weight=weights, **settings), "posterior")
    by_moments = group_of(posterior(model, moments=moments, **settings), "posterior")
    # An eigenvector of the exact posterior may have either sign, and its draws with it.
    if by_rows.attrs["method"] == "gibbs":
        for name in ("coef", "sigma"):
            assert_allclose(by_moments[name], by_rows[name], rtol=1e-5, atol=1e-6)
        assert_allclose(by_moments["intercept"], by_rows["intercept"], rtol=1e-5, atol=1e-2)
    assert tuple(by_moments["feature"].to_numpy()) == NAMES
    for name in ("estimator", "alpha", "l1_strength", "prior", "noise", "method", "n_rows", "total_weight"):
        mine, theirs = by_moments.attrs[name], by_rows.attrs[name]
        assert mine == theirs if isinstance(mine, str) else mine == pytest.approx(theirs, rel=1e-9)


def test_wide_data_have_the_same_posterior_to_sampling_error():
    X, y, weights = data(12, p=20, offset=0.0)
    settings = {"noise": 1.3, "draws": 2000, "random_state": 0}
    rows = group_of(posterior(Lasso(alpha=0.3), X, y, sample_weight=weights, **settings), "posterior")
    moments = Moments.from_data(X, y, weights)
    found = group_of(posterior(Lasso(alpha=0.3), moments=moments, **settings), "posterior")
    along = ("chain", "draw")
    spread = rows["coef"].std(along)
    assert float(abs((found["coef"].mean(along) - rows["coef"].mean(along)) / spread).max()) < 0.15
    assert_allclose(found["coef"].std(along), spread, rtol=0.15)


def test_other_contracts_and_a_prior_of_alpha_work_from_moments():
    X, y, weights = data()
    moments = Moments.from_data(X, y, weights)
    for estimator, settings in (
        (Lasso(alpha=0.3), {"noise": SDScaled(2.0)}),
        (Lasso(alpha=0.3), {"alpha_prior": (2.0, 5.0)}),
        (Ridge(alpha=2.0), {"alpha_prior": (2.0, 1.0)}),
    ):
        settings |= {"draws": 300, "random_state": 0}
        rows = group_of(posterior(estimator, X, y, sample_weight=weights, **settings), "posterior")
        found = group_of(posterior(estimator, moments=moments, **settings), "posterior")
        assert_allclose(found["coef"].mean(), rows["coef"].mean(), rtol=1e-2)
        assert ("alpha" in found) == ("alpha_prior" in settings)


def test_the_container_has_no_rows_from_moments():
    X, y, weights = data()
    found = posterior(Lasso(alpha=0.3), moments=Moments.from_data(X, y, weights), random_state=0)
    assert group_of(found, "observed_data") is None
    constant = group_of(found, "constant_data")
    assert list(constant) == ["coef_estimate"]
    assert_allclose(constant["coef_estimate"], Lasso(alpha=0.3).fit(X, y, weights).coef_, rtol=1e-9)
    assert found["posterior"].attrs["n_rows"] == np.count_nonzero(weights)


def test_the_cost_does_not_depend_on_the_rows():
    X, y, _ = data()
    moments = Moments.from_data(X, y)
    for _ in range(20):
        moments = moments + moments  # of two hundred million rows
    energy = energy_of_moments(Lasso(alpha=0.3), moments)
    assert (energy.n_samples, energy.X.shape) == (200 * 2**20, (7, 5))
    found = group_of(posterior(Lasso(alpha=0.3), moments=moments, random_state=0), "posterior")
    # √n times as sure as of two hundred
    few = group_of(posterior(Lasso(alpha=0.3), moments=Moments.from_data(X, y), random_state=0), "posterior")
    ratio = few["coef"].std(("chain", "draw")) / found["coef"].std(("chain", "draw"))
    assert_allclose(ratio[[0, 1, 3]], 2.0**10, rtol=0.1)


def test_fitted_estimators_are_taken_as_they_are():
    X, y, weights = data(offset=0.0)
    moments = Moments.from_data(X, y, weights)
    folds = [Moments.from_data(X[i::4], y[i::4], weights[i::4]) for i in range(4)]
    search = GridSearchCV(Lasso(), {"alpha": [0.1, 0.3]}).fit(X, y, sample_weight=weights)
    for fitted in (
        LassoCV(alphas=5).fit_moments(folds),
        RidgeCV(alphas=[1.0, 2.0], cv=4).fit_moments(folds),
        Lasso(alpha=0.3).fit(X, y, weights),
        SklearnLasso(alpha=0.3).fit(X, y, weights),
        search,
    ):
        found, expected = energy_of_moments(fitted, moments), energy_of(fitted, X, y, weights)
        assert_array_equal(found.coef, expected.coef)
        assert found.penalty.l1 == pytest.approx(expected.penalty.l1, rel=1e-12)
        assert found.penalty.l2 == expected.penalty.l2


def refusals():
    X, y, _ = data()
    moments, model = Moments.from_data(X, y, feature_names=NAMES), Lasso(alpha=0.3)
    fitted_by_name = Lasso(alpha=0.3).fit_moments(Moments.from_data(X, y, feature_names="edcba"))
    two = Moments.from_data(X, np.c_[y, y])
    return {
        "the log likelihood of each row takes": (model, {"moments": moments, "extend": ["log_likelihood"]}),
        "a new y for each row takes": (model, {"moments": moments, "extend": "posterior_predictive"}),
        "is written on the rows": (model, {"moments": moments, "method": "nuts"}),
        "give those or these": (model, {"moments": moments, "X": X, "y": y}),
        "stand in place of X, y and sample_weight": (model, {"moments": moments, "sample_weight": y}),
        "needs X and y, or moments=": (model, {}),
        "must be a skreg.Moments": (model, {"moments": (X, y)}),
        "needs moments with centred=False": (Lasso(fit_intercept=False), {"moments": moments}),
        "of 2 targets; this takes one": (model, {"moments": two}),
        "LassoCV is not fitted, and these moments alone cannot fit it": (LassoCV(), {"moments": moments}),
        "Lasso is not fitted, and these moments": (SklearnLasso(), {"moments": moments}),
        "A Pipeline transforms rows": (make_pipeline(StandardScaler(), model), {"moments": moments}),
        "fitted on other feature names": (fitted_by_name, {"moments": moments}),
        "fitted on 3 features, and the moments are of 5": (Lasso().fit(X[:, :3], y), {"moments": moments}),
        "estimator must be one of": (StandardScaler().fit(X), {"moments": moments}),
        "penalises no coefficient": (Ridge(alpha=0.0), {"moments": moments}),
    }


@pytest.mark.parametrize("message", refusals())
def test_what_moments_cannot_do_is_refused_with_the_reason(message):
    estimator, arguments = refusals()[message]
    with pytest.raises((ValueError, TypeError), match=message):
        posterior(estimator, **arguments)
