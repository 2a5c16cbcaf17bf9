import math
import warnings

import numpy as np
import pytest
from scipy import sparse, stats
from sklearn import linear_model as sklearn_linear_model
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skreg
from skreg import ElasticNet, Lasso, Ridge, SDScaled, energy_of, posterior
from skreg.bayes.container import group_of, to_arviz, uses_datatree
from skreg.bayes.noise import noise_model, plug_in_variance
from skreg.bayes.predictive import pointwise_log_likelihood
from skreg.bayes.sampling import sample

az = pytest.importorskip("arviz")

GROUPS = ("posterior", "sample_stats", "observed_data", "constant_data")
FAST = {"draws": 250, "random_state": 0}


def test_the_container_is_arvizs_own_and_laid_out_as_promised(diabetes):
    X, y, weights = diabetes
    found = posterior(
        Lasso(alpha=0.5), X, y, sample_weight=weights, extend=("log_likelihood",), random_state=0
    )
    if uses_datatree():
        import xarray as xr

        assert isinstance(found, xr.DataTree)
    else:
        assert isinstance(found, az.InferenceData)
    drawn = group_of(found, "posterior")
    assert drawn["coef"].dims == ("chain", "draw", "feature")
    assert drawn["coef"].shape == (4, 1000, 10)
    assert list(drawn["feature"].to_numpy()) == list(X.columns)
    assert drawn["intercept"].dims == drawn["sigma"].dims == ("chain", "draw")
    assert set(drawn.data_vars) == {"coef", "intercept", "sigma"}
    np.testing.assert_array_equal(group_of(found, "observed_data")["y"], y)
    constant = group_of(found, "constant_data")
    assert constant["X"].dims == ("row", "feature")
    np.testing.assert_array_equal(constant["X"], X)
    np.testing.assert_array_equal(constant["sample_weight"], weights)
    estimate = Lasso(alpha=0.5).fit(X, y, sample_weight=weights).coef_
    np.testing.assert_array_equal(constant["coef_estimate"], estimate)
    assert group_of(found, "log_likelihood")["y"].dims == ("chain", "draw", "row")
    assert group_of(found, "posterior_predictive") is None
    # ArviZ reads it, with kind and width of the interval said.
    if uses_datatree():
        table = az.summary(found, ci_prob=0.9, ci_kind="eti", round_to="none")
    else:
        table = az.summary(found, hdi_prob=0.9, round_to="none")
    assert table.loc["coef[bmi]", "mean"] == pytest.approx(float(drawn["coef"].sel(feature="bmi").mean()))


def test_the_attributes_say_what_was_drawn_from(diabetes):
    X, y, _ = diabetes
    found = posterior(ElasticNet(alpha=0.5, l1_ratio=0.7), X, y, **FAST)
    for attrs in (found.attrs, group_of(found, "posterior").attrs):
        assert attrs["estimator"] == "ElasticNet(alpha=0.5, l1_ratio=0.7)"
        assert attrs["alpha"] == 0.5
        assert attrs["l1_strength"] == pytest.approx(442 * 0.35)
        assert attrs["l2_strength"] == pytest.approx(442 * 0.15)
        assert attrs["prior"].startswith("coef | σ ~ exp(−(λ₁|coef| + ½λ₂coef²)/σ²), λ₁ = 154.7")
        assert attrs["noise_contract"] == "plug-in"
        sigma = math.sqrt(plug_in_variance(energy_of(ElasticNet(alpha=0.5, l1_ratio=0.7), X, y)))
        assert attrs["noise_sigma"] == pytest.approx(sigma)
        assert f"at σ = {sigma:.4g}" in attrs["prior"]
        assert attrs["method"] == "gibbs"
        assert attrs["tune"] == 300
        assert attrs["random_state"] == 0
        assert attrs["inference_library"] == "skreg"
        assert attrs["inference_library_version"] == skreg.__version__
        assert attrs["arviz_version"] == az.__version__
        assert attrs["numpy_version"] == np.__version__
        assert "scikit_learn_version" in attrs
        assert "created_at" in attrs
    scaled = posterior(Lasso(alpha=0.5), X, y, noise=SDScaled(0.4), noise_prior=(2, 3), **FAST)
    assert scaled.attrs["noise_rate"] == 0.4
    assert tuple(scaled.attrs["noise_prior"]) == (2.0, 3.0)
    median = float(group_of(scaled, "posterior")["sigma"].median())
    assert f"Laplace(0, scale σ/λ), λ = 0.4; at σ = {median:.4g}" in scaled.attrs["prior"]
    unseeded = posterior(Lasso(alpha=0.5), X, y, draws=250, random_state=np.random.default_rng(0))
    assert unseeded.attrs["random_state"] == "Generator"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"noise": 50.0},
        {"noise": "variance-scaled", "noise_prior": (0, 0)},
        {"alpha_prior": (2.0, 3.0), "draws": 1000},
        {"noise": SDScaled(0.3)},
        {"extend": ("log_likelihood", "posterior_predictive")},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_posterior_read_back_from_netcdf_is_unchanged(diabetes, tmp_path, options):
    import xarray as xr

    X, y, weights = diabetes
    lasso = Lasso(alpha=0.5, penalty_weights=np.linspace(0.0, 2.0, 10))
    found = posterior(lasso, X, y, sample_weight=weights, **{**FAST, **options})
    path = tmp_path / "posterior.nc"
    found.to_netcdf(path)
    again = az.from_netcdf(path)
    for group in (*GROUPS, *options.get("extend", ())):
        first, second = group_of(found, group), group_of(again, group).load()
        xr.testing.assert_identical(first, second)  # values, names, coordinates, attributes
        for name, variable in first.variables.items():
            assert second[name].dtype == variable.dtype or name == "feature"  # words have several
    assert set(again.attrs) == set(found.attrs)
    for name, value in found.attrs.items():
        np.testing.assert_array_equal(again.attrs[name], value)
    if hasattr(again, "close"):
        again.close()


@pytest.mark.parametrize("estimator", [Ridge(alpha=2.0), Lasso(alpha=0.1), ElasticNet(alpha=0.1)], ids=str)
def test_the_same_seed_gives_the_same_draws_whatever_n_jobs_is(diabetes, estimator):
    X, y, _ = diabetes
    options = {"random_state": 5, "extend": "posterior_predictive"}
    one, two = (posterior(estimator, X, y, n_jobs=n_jobs, **options) for n_jobs in (None, 2))
    for group in ("posterior", "posterior_predictive"):
        assert group_of(one, group).equals(group_of(two, group))
    other = posterior(estimator, X, y, random_state=6)
    assert not group_of(one, "posterior").equals(group_of(other, "posterior"))


def test_known_sigma_ridge_is_the_conjugate_gaussian(small):
    X, y, weights = small
    found = posterior(Ridge(alpha=2.0), X, y, noise=1.5, sample_weight=weights, draws=5000, random_state=0)
    drawn = group_of(found, "posterior")
    assert found.attrs["method"] == "exact"
    assert np.all(drawn["sigma"] == 1.5)
    kept = weights > 0
    A, s = X[kept], weights[kept]
    A = A - s @ A / s.sum()
    covariance = np.linalg.inv((A.T * s) @ A + 2.0 * np.eye(3)) * 1.5**2
    coef = drawn["coef"].to_numpy().reshape(-1, 3)
    z = (coef - Ridge(alpha=2.0).fit(X, y, sample_weight=weights).coef_) / np.sqrt(np.diag(covariance))
    assert all(stats.kstest(column, "norm").pvalue > 0.001 for column in z.T)
    np.testing.assert_allclose(np.cov(coef.T), covariance, atol=0.05 * np.diag(covariance).max())


def test_extensions_are_of_the_draws_in_the_container(small):
    X, y, weights = small
    extend = ["log_likelihood", "posterior_predictive"]
    found = posterior(Lasso(alpha=0.1), X, y, sample_weight=weights, extend=extend, random_state=0)
    energy = energy_of(Lasso(alpha=0.1), X, y, weights)
    drawn = group_of(found, "posterior")
    mean = drawn["coef"].to_numpy() @ energy.X.T + drawn["intercept"].to_numpy()[..., None]
    sd = drawn["sigma"].to_numpy()[..., None] / np.sqrt(energy.sample_weight)
    logs = group_of(found, "log_likelihood")["y"].to_numpy()
    np.testing.assert_allclose(logs, stats.norm(mean, sd).logpdf(energy.y), rtol=1e-10, atol=1e-13)
    z = (group_of(found, "posterior_predictive")["y"].to_numpy() - mean) / sd
    assert stats.kstest(z.ravel(), "norm").pvalue > 0.01


def test_sparse_pipelines_and_scikit_learns_estimators_have_posteriors_too(diabetes):
    X, y, _ = diabetes
    thin = np.where(np.abs(X.to_numpy()) < 0.7, 0.0, X.to_numpy())
    dense, thinned = (
        posterior(Lasso(alpha=0.5), data, y, random_state=0) for data in (thin, sparse.csr_array(thin))
    )
    assert "X" not in group_of(thinned, "constant_data")
    means = (group_of(found, "posterior")["coef"].mean(("chain", "draw")) for found in (dense, thinned))
    np.testing.assert_allclose(*means, atol=1.0)
    pipeline = make_pipeline(StandardScaler(), sklearn_linear_model.Lasso(alpha=0.5, tol=1e-10))
    found = posterior(pipeline, 3.0 * X + 1.0, y, random_state=0)
    assert list(group_of(found, "posterior")["feature"].to_numpy()) == list(X.columns)
    np.testing.assert_allclose(group_of(found, "constant_data")["X"].std("row"), 1.0)


def test_too_few_draws_warn_with_the_caller_as_their_place(diabetes):
    X, y, _ = diabetes
    with pytest.warns(ConvergenceWarning, match=r"(?s)coef\[.*draws=20") as caught:
        posterior(Ridge(alpha=1.0), X, y, draws=20, random_state=0)
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        posterior(Ridge(alpha=1.0, fit_intercept=False), X, y, noise=50.0, random_state=0)


def test_the_container_keeps_its_data_whatever_becomes_of_the_callers(small):
    X, y, _ = (np.array(part) for part in small)
    found = posterior(Ridge(alpha=1.0), X, y, **FAST)
    before = X.copy()
    X[:], y[:] = 0.0, 0.0
    np.testing.assert_array_equal(group_of(found, "constant_data")["X"], before)
    assert np.all(group_of(found, "observed_data")["y"] != 0.0)


def test_draws_can_be_put_into_a_container_later(small):
    X, y, _ = small
    energy = energy_of(Lasso(alpha=0.1), X, y)
    noise = noise_model(None, None, energy)
    draws = sample(energy, noise, draws=50, random_state=0)
    found = to_arviz(draws, energy, noise, extend="log_likelihood")
    np.testing.assert_array_equal(group_of(found, "posterior")["coef"], draws.coef)
    expected = pointwise_log_likelihood(draws, energy)
    np.testing.assert_array_equal(group_of(found, "log_likelihood")["y"], expected)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"extend": "prior"},
            ValueError,
            r"extend must be among log_likelihood, posterior_predictive; got 'prior'",
        ),
        ({"extend": 3}, ValueError, r"extend must be among.*got 3"),
        ({"draws": 0}, ValueError, r"draws"),
        ({"noise": "flat"}, ValueError, r"noise"),
        ({"noise_prior": (0, 0), "method": "nuts"}, ValueError, r"noise_prior.*improper"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(small, options, error, message):
    X, y, _ = small
    with pytest.raises(error, match=message):
        posterior(Lasso(alpha=0.1), X, y, **options)


def test_what_has_no_posterior_is_refused(small):
    X, y, _ = small
    with pytest.raises(ValueError, match="2 targets"):
        posterior(Ridge(), X, np.column_stack([y, y]))
    with pytest.raises(TypeError, match="estimator must be one of"):
        posterior(sklearn_linear_model.BayesianRidge(), X, y)
    with pytest.raises(ValueError, match=r"improper.*Ridge\(alpha=1e-6\)"):
        posterior(Ridge(alpha=0.0), X, y)


def test_nuts_agrees_with_gibbs_and_fills_the_same_container(small):
    pytest.importorskip("pymc")
    X, y, _ = small
    options = {"noise": "variance-scaled", "random_state": 1}
    fast = {"compile_kwargs": {"mode": "FAST_COMPILE"}, "target_accept": 0.9}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        few = {"draws": 500, "tune": 500, "chains": 2}
        nuts = posterior(Lasso(alpha=0.3), X, y, method="nuts", nuts_kwargs=fast, **few, **options)
    gibbs = posterior(Lasso(alpha=0.3), X, y, **options)
    assert nuts.attrs["method"] == "nuts"
    assert nuts.attrs["nuts_sampler"] == "pymc"
    assert "pymc_version" in nuts.attrs
    assert "diverging" in group_of(nuts, "sample_stats")
    first, second = group_of(nuts, "posterior"), group_of(gibbs, "posterior")
    assert set(first.data_vars) == set(second.data_vars)
    for name in ("coef", "sigma", "intercept"):
        sd = second[name].std(("chain", "draw"))
        difference = first[name].mean(("chain", "draw")) - second[name].mean(("chain", "draw"))
        assert np.all(np.abs(difference) < 0.25 * sd)
