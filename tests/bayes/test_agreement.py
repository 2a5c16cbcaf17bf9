import dataclasses
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn import linear_model as sklearn_linear_model
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from skreg import ElasticNet, ElasticNetCV, Lasso, LassoCV, Ridge, RidgeCV
from skreg.bayes import MAPAgreement, agreement, map_agreement, to_pymc
from skreg.bayes.mode import find_mode
from skreg.bayes.noise import SDScaled

pm = pytest.importorskip("pymc")

PRECISE = {"tol": 1e-12, "max_iter": 1_000_000}
CONTRACTS = ["variance-scaled", "plug-in", 40.0]


def assert_certified(certificate, rtol=1e-5):
    assert certificate, certificate  # its truth value is its verdict
    assert certificate.agrees
    assert certificate.max_abs_diff <= rtol * np.max(np.abs(certificate.coef))
    assert certificate.kkt_violation <= 1e-5
    assert certificate.mode_violation <= 1e-9
    assert certificate.explanation == ""


@pytest.mark.parametrize("noise", CONTRACTS)
@pytest.mark.parametrize("alpha", [0.01, 0.5, 10.0])
@pytest.mark.parametrize("make", [Ridge, Lasso, ElasticNet])
def test_our_estimators_are_the_modes_of_their_models(diabetes, make, alpha, noise):
    X, y, _ = diabetes
    certificate = map_agreement(make(alpha=alpha), X, y, noise=noise)
    assert_certified(certificate)
    assert certificate.dual_gap <= 1e-8
    assert np.any(certificate.coef != 0)


@pytest.mark.parametrize("noise", CONTRACTS)
@pytest.mark.parametrize("make", [Ridge, Lasso, ElasticNet])
def test_our_estimators_are_the_modes_of_their_models_with_weights(diabetes, make, noise):
    X, y, weights = diabetes
    certificate = map_agreement(make(alpha=0.5), X, y, noise=noise, sample_weight=weights)
    assert_certified(certificate)
    assert np.max(np.abs(certificate.coef - make(alpha=0.5).fit(X, y).coef_)) > 0.01


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "estimator",
    [
        sklearn_linear_model.Ridge(alpha=3.0),
        sklearn_linear_model.Lasso(alpha=0.05, **PRECISE),
        sklearn_linear_model.Lasso(alpha=5.0, **PRECISE),
        sklearn_linear_model.ElasticNet(alpha=0.5, **PRECISE),
    ],
    ids=str,
)
def test_scikit_learn_at_a_tight_tolerance_agrees(diabetes, estimator, weighted):
    X, y, weights = diabetes
    assert_certified(map_agreement(estimator, X, y, sample_weight=weights if weighted else None))


@pytest.mark.parametrize(
    "estimator",
    [
        Ridge(alpha=2.0, positive=True),
        Lasso(alpha=0.5, positive=True),
        ElasticNet(alpha=0.5, positive=True),
        Lasso(alpha=0.5, fit_intercept=False),
        Ridge(alpha=0.0),
        Ridge(alpha=20.0, penalty_weights=[0.0, 1.0, 3.0]),
        RidgeCV(alphas=5),
        RidgeCV([2.0, 20.0], cv=3, penalty_weights=[0.0, 1.0, 3.0]),
        Lasso(alpha=2.0, penalty_weights=[0.0, 1.0, 3.0]),
        ElasticNet(alpha=2.0, penalty_weights=[0.0, 1.0, 3.0], positive=True),
    ],
    ids=str,
)
def test_constraints_and_factors_are_in_the_model_too(small, estimator):
    X, y, weights = small
    certificate = map_agreement(estimator, X, y, sample_weight=weights, noise_prior=(2.0, 1.0))
    assert_certified(certificate)


def rows(n, p, correlation=0.0, seed=0):
    rng = np.random.default_rng(seed)
    X = np.sqrt(1 - correlation) * rng.normal(size=(n, p)) + np.sqrt(correlation) * rng.normal(size=(n, 1))
    return X, X[:, :3] @ [3.0, -2.0, 1.0] + rng.normal(size=n) + 5.0


@pytest.mark.parametrize("make", [Ridge, Lasso, ElasticNet])
def test_collinear_wide_and_badly_scaled_data_agree(make):
    X, y = rows(60, 5, correlation=0.99)
    assert_certified(map_agreement(make(alpha=0.01), X, y))
    X, y = rows(40, 100)
    assert_certified(map_agreement(make(alpha=0.1), X, y))
    X, y = rows(100, 5)
    assert_certified(map_agreement(make(alpha=1e-3), X * [1e-6, 1e6, 1.0, 1e3, 1e-3], y))


def test_sparse_data_agree():
    X = sparse.random_array((80, 20), density=0.3, random_state=0, format="csr")
    y = X @ np.linspace(-3, 3, 20) + np.random.default_rng(0).normal(size=80)
    assert_certified(map_agreement(Lasso(alpha=0.02), X, y))


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_extreme_units_agree(small, scale):
    X, y, _ = small
    assert_certified(map_agreement(Lasso(alpha=0.2 * scale), X, y * scale))


def test_pipelines_searches_and_cross_validated_forms_agree(diabetes):
    X, y, weights = diabetes
    raw = X * 7.0 + 3.0
    pipeline = make_pipeline(StandardScaler(), PolynomialFeatures(2, include_bias=False), Lasso(alpha=2.0))
    certificate = map_agreement(pipeline, raw, y, sample_weight=weights)
    assert_certified(certificate)
    assert certificate.feature_names[0] == "age"
    assert certificate.coef.size == 65

    search = GridSearchCV(make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [1.0, 10.0]}).fit(raw, y)
    certificate = map_agreement(search, raw, y)
    assert_certified(certificate)
    np.testing.assert_array_equal(certificate.coef, search.best_estimator_[-1].coef_)

    for fitted in (
        LassoCV(alphas=12, cv=3).fit(X, y),
        ElasticNetCV(alphas=12, cv=3, l1_ratio=[0.5, 0.9], selection_rule="1se").fit(X, y),
        sklearn_linear_model.RidgeCV(alphas=[1.0, 10.0]).fit(X, y),
        sklearn_linear_model.LassoCV(alphas=5, cv=3, **PRECISE).fit(X, y),
        sklearn_linear_model.ElasticNetCV(alphas=5, cv=3, l1_ratio=[0.5, 0.9], **PRECISE).fit(X, y),
    ):
        certificate = map_agreement(fitted, X, y)
        assert_certified(certificate)
        assert f"alpha={fitted.alpha_:.6g}" in certificate.estimator


def test_a_fit_of_zeros_agrees_when_the_mode_is_zero(small):
    X, y, _ = small
    certificate = map_agreement(Lasso(alpha=100.0), X, y)
    assert certificate.agrees
    assert not np.any(certificate.coef_pymc)
    assert certificate.max_abs_diff == 0.0
    zeros = Lasso(alpha=0.1).fit(X, y)
    zeros.coef_ = np.zeros(3)
    assert not map_agreement(zeros, X, y).agrees


@pytest.mark.parametrize("y", [np.full(12, 0.1), np.arange(12.0)], ids=["constant", "not"])
def test_coefficients_where_there_should_be_none_do_not_agree(small, y):
    X, _, _ = small
    lasso = Lasso(alpha=100.0).fit(X, y)
    lasso.coef_ = np.array([0.0, 0.5, 0.0])
    certificate = map_agreement(lasso, X, y)
    assert not certificate.agrees
    assert certificate.tol_needed is None
    assert "altered" in certificate.explanation


@pytest.mark.parametrize("make", [Ridge, Lasso])
@pytest.mark.parametrize("value", [0.0, 0.1])
def test_a_constant_target_agrees(small, make, value):
    X, _, _ = small
    assert map_agreement(make(alpha=0.1), X, np.full(12, value)).agrees


ONE_EACH = pytest.mark.parametrize(
    ("make", "noise"), list(zip([Ridge, Lasso, ElasticNet], CONTRACTS, strict=True))
)


@ONE_EACH
def test_altered_coefficients_do_not_agree_and_are_not_repaired(diabetes, make, noise):
    X, y, _ = diabetes
    estimator = make(alpha=0.5).fit(X, y)
    estimator.coef_ = 1.05 * estimator.coef_
    certificate = map_agreement(estimator, X, y, noise=noise)
    assert not certificate.agrees and not certificate
    assert certificate.kkt_violation > 0.01
    assert "is not at its optimum" in certificate.explanation
    np.testing.assert_array_equal(certificate.coef, estimator.coef_)
    largest = np.max(np.abs(certificate.coef))
    assert certificate.max_abs_diff == pytest.approx(largest * (1 - 1 / 1.05), rel=1e-3)


@ONE_EACH
def test_a_model_of_another_alpha_does_not_agree(diabetes, make, noise):
    X, y, _ = diabetes
    alpha = 20.0 if make is Ridge else 0.5
    model = to_pymc(make(alpha=1.05 * alpha), X, y, noise=noise)
    certificate = map_agreement(make(alpha=alpha), X, y, model=model, noise=noise)
    assert not certificate.agrees
    assert "model's mode does not minimise" in certificate.explanation
    assert certificate.dual_gap < 1e-8  # the estimator is where it should be


def test_an_estimator_stopped_early_is_told_the_tolerance_that_agrees(diabetes):
    X, y, _ = diabetes
    early = sklearn_linear_model.Lasso(alpha=0.05)
    certificate = map_agreement(early, X, y)
    assert not certificate.agrees
    assert certificate.max_abs_diff / np.max(np.abs(certificate.coef)) == pytest.approx(1.7e-3, rel=0.05)
    assert "stopped early, by its own tolerance tol=0.0001" in repr(certificate)
    assert f"tol={certificate.tol_needed:g}" in repr(certificate)
    refitted = early.set_params(tol=certificate.tol_needed, max_iter=1_000_000)
    assert map_agreement(refitted, X, y).agrees


@pytest.mark.parametrize("seed", range(4))
def test_the_tolerance_that_is_said_to_agree_does(seed):
    X, y = rows(50, [4, 8, 30, 60][seed], correlation=[0.0, 0.9, 0.5, 0.9][seed], seed=seed)
    make = [sklearn_linear_model.Lasso, sklearn_linear_model.ElasticNet][seed % 2]
    certificate = map_agreement(make(alpha=0.05, tol=1e-2), X, y)
    assert not certificate.agrees
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        refitted = make(alpha=0.05, tol=certificate.tol_needed, max_iter=1_000_000).fit(X, y)
    assert map_agreement(refitted, X, y).agrees


def test_a_ridge_from_an_iterative_solver_is_sent_to_a_direct_one(diabetes):
    X, y, _ = diabetes
    certificate = map_agreement(
        sklearn_linear_model.Ridge(alpha=0.01, solver="sag", tol=1e-2, random_state=0), X, y
    )
    assert not certificate.agrees
    assert 'solver="cholesky"' in certificate.explanation
    assert map_agreement(sklearn_linear_model.Ridge(alpha=0.01, solver="cholesky"), X, y).agrees


def test_two_modes_of_equal_height_are_said_to_be_two(small):
    X, y, _ = small
    twice = np.column_stack([X, X[:, 0]])
    lasso = Lasso(alpha=0.1).fit(X, y)
    lasso.coef_ = np.append(lasso.coef_, 0.0)
    lasso.n_features_in_ = 4
    certificate = map_agreement(lasso, twice, y)
    assert certificate.kkt_violation < 1e-9
    if not certificate.agrees:
        assert "not unique" in certificate.explanation


# ------------------------------------------------------------------ models written by hand


def hand_written(X, y, prior, sigma=None):
    """The Lasso as a PyMC user writes it: a raw intercept with a flat prior."""
    with pm.Model() as model:
        noise = pm.HalfNormal("sigma", 100.0) if sigma is None else sigma
        coef = prior(noise)
        intercept = pm.Flat("intercept")
        pm.Normal("y", intercept + X @ coef, noise, observed=y)
    return model


def test_a_hand_written_lasso_is_judged(diabetes):
    X, y, _ = diabetes
    X, rate, p = X.to_numpy(), len(y) * 0.5, X.shape[1]
    lasso = Lasso(alpha=0.5)

    right = hand_written(X, y, lambda s: pm.Laplace("coef", 0, 50.0**2 / rate, shape=p), sigma=50.0)
    assert_certified(map_agreement(lasso, X, y, model=right, noise=50.0))
    # The mistake that most people make: σ for σ².
    wrong = hand_written(X, y, lambda s: pm.Laplace("coef", 0, 50.0 / rate, shape=p), sigma=50.0)
    certificate = map_agreement(lasso, X, y, model=wrong, noise=50.0)
    assert not certificate.agrees
    assert certificate.kkt_violation > 0.01
    # A free σ that scales the prior: the joint mode has the Lasso's coefficients.
    scaled = hand_written(X, y, lambda s: pm.Laplace("coef", 0, s**2 / rate, shape=p))
    assert_certified(map_agreement(lasso, X, y, model=scaled, noise="variance-scaled"))


def test_a_hand_written_plug_in_model_agrees_where_its_sigma_is_held(diabetes):
    X, y, _ = diabetes
    X, p = X.to_numpy(), X.shape[1]
    lasso = Lasso(alpha=5.0).fit(X, y)
    active = np.count_nonzero(lasso.coef_)
    residual = y - lasso.predict(X)
    sigma2 = residual @ residual / (len(y) - active - 1)
    model = hand_written(X, y, lambda s: pm.Laplace("coef", 0, sigma2 / (len(y) * 5.0), shape=p))
    assert_certified(map_agreement(lasso, X, y, model=model, noise="plug-in"))
    assert_certified(map_agreement(lasso, X, y, model=model))  # which is the default
    # At the mode of σ it is another Lasso.
    joint = map_agreement(lasso, X, y, model=model, noise="variance-scaled")
    assert not joint.agrees
    assert "a free σ takes part" in joint.explanation


@pytest.mark.parametrize("noise", CONTRACTS)
def test_our_own_model_can_be_handed_back(small, noise):
    X, y, weights = small
    model = to_pymc(Lasso(alpha=0.2), X, y, noise=noise, sample_weight=weights)
    assert_certified(map_agreement(Lasso(alpha=0.2), X, y, model=model, noise=noise, sample_weight=weights))


def test_an_sd_scaled_contract_is_refused_since_its_mode_agrees_for_no_given_sigma(small):
    X, y, _ = small
    with pytest.raises(ValueError, match=r"SDScaled\(rate=0\.3\) has no σ at which.*plug-in"):
        map_agreement(Lasso(), X, y, noise=SDScaled(0.3))


def test_models_that_cannot_be_judged_are_refused(small):
    X, y, _ = small
    with pm.Model() as short:
        coef = pm.Normal("coef", 0, 1, shape=2)
        pm.Normal("y", X[:, :2] @ coef, 1, observed=y)
    with pytest.raises(ValueError, match=r"2 entries.*3 coefficients"):
        map_agreement(Ridge(), X, y, model=short)
    with pm.Model() as other:
        beta = pm.Normal("beta", 0, 1, shape=3)
        pm.Normal("y", X @ beta, 1, observed=y)
    with pytest.raises(ValueError, match=r'free random variable named "coef".*beta'):
        map_agreement(Ridge(), X, y, model=other)
    with pm.Model() as discrete:
        coef = pm.Normal("coef", 0, 1, shape=3)
        k = pm.Poisson("k", 1)
        pm.Normal("y", X @ coef + k, 1, observed=y)
    with pytest.raises(ValueError, match=r"continuous.*'k'"):
        map_agreement(Ridge(), X, y, model=discrete)
    with pm.Model() as away:
        coef = pm.Uniform("coef", 1, 2, shape=3)
        pm.Normal("y", X @ coef, 1, observed=y)
    with pytest.raises(ValueError, match=r"density of model is zero"):
        map_agreement(Ridge(), X, y, model=away)


def test_a_model_without_a_mode_is_owned_up_to(small):
    # The trap of scale mixtures: in (w, τ) the density has a spike at τ = 0.
    X, y, _ = small
    with pm.Model() as model:
        tau = pm.Exponential("tau", 1.0, shape=3)
        coef = pm.Normal("coef", 0, tau, shape=3)
        pm.Normal("y", X @ coef + 4.0, 1.0, observed=y)
    certificate = map_agreement(Lasso(alpha=0.5), X, y, model=model)
    assert not certificate.agrees
    assert certificate.explanation


def test_coefficients_do_not_agree_with_a_point_that_is_not_a_mode(small, monkeypatch):
    X, y, _ = small

    def lost(density, start, **kwargs):
        return dataclasses.replace(find_mode(density, start, **kwargs), violation=1e-3)

    monkeypatch.setattr(agreement, "find_mode", lost)
    certificate = map_agreement(Lasso(alpha=0.2), X, y)
    assert certificate.max_abs_diff < 1e-9
    assert not certificate.agrees
    assert "could not be found" in certificate.explanation


def test_a_negative_coefficient_violates_a_positive_model(small):
    X, y, _ = small
    lasso = Lasso(alpha=0.2, positive=True).fit(X, y)
    lasso.coef_ = lasso.coef_ - [0.0, 0.0, 1e-3]
    certificate = map_agreement(lasso, X, y)
    assert certificate.kkt_violation == np.inf
    assert not certificate.agrees


# ------------------------------------------------------------------ the report


def test_the_certificate_reads_as_a_report(diabetes):
    X, y, _ = diabetes
    certificate = map_agreement(Lasso(alpha=0.5), X, y, noise="plug-in")
    text = repr(certificate)
    assert isinstance(certificate, MAPAgreement)
    for words in ("Lasso(alpha=0.5)", "agree", "Laplace(0, scale", "σ̂ = ", "KKT", "duality gap"):
        assert words in text
    table = certificate.frame()
    assert list(table.index) == list(X.columns)
    assert list(table.columns) == ["coef", "coef_pymc", "difference"]
    assert np.max(np.abs(table["difference"])) == certificate.max_abs_diff
    with pytest.raises(AttributeError):
        certificate.agrees = False


@pytest.mark.parametrize("rtol", [0.0, -1.0, np.nan, "tight", True])
def test_a_bad_rtol_is_named(small, rtol):
    X, y, _ = small
    with pytest.raises(ValueError, match="rtol"):
        map_agreement(Ridge(), X, y, rtol=rtol)
