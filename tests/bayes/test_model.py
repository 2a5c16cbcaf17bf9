import math

import mpmath
import numpy as np
import pytest
from scipy import sparse, stats
from sklearn import linear_model as sklearn_linear_model

from skreg import ElasticNet, Lasso, Ridge, energy_of
from skreg.bayes import ElasticNetPrior, GaussianPrior, LaplacePrior, prior_of, random_variable, to_pymc
from skreg.bayes.model import FLAT_WIDTH
from skreg.bayes.noise import SDScaled, noise_model

pm = pytest.importorskip("pymc")


def log_density(model, **values):
    """A function of free values (not PyMC's transformed ones) to the joint log density."""
    from pymc.model.transform.conditioning import remove_value_transforms

    model = remove_value_transforms(model)
    function = model.compile_fn(model.logp(), mode="FAST_COMPILE", on_unused_input="ignore")
    return lambda **values: float(function({name: np.asarray(value) for name, value in values.items()}))


def by_hand(energy, noise, coef, centred, sigma2):
    """The same joint log density in SciPy."""
    total = 0.0
    if noise.prior is not None:
        total += stats.invgamma(noise.prior[0], scale=noise.prior[1]).logpdf(sigma2)
    prior = prior_of(energy.penalty, sigma2 if noise.sigma is None else noise.sigma**2)
    if noise.rate is not None:
        prior = LaplacePrior(np.sqrt(sigma2) / noise.rate, energy.penalty.positive)
    total += np.sum(prior.logpdf(coef))
    b = 0.0
    if energy.fit_intercept:
        spread = np.sqrt(energy.sample_weight @ (energy.y - energy.y_mean) ** 2 / energy.total_weight)
        total += stats.norm(energy.y_mean, 10 * spread).logpdf(centred)
        b = centred - energy.X_mean @ coef
    sd = np.sqrt(sigma2 / energy.sample_weight)
    return total + np.sum(stats.norm(energy.X @ coef + b, sd).logpdf(energy.y))


@pytest.mark.parametrize("noise", ["variance-scaled", "plug-in", 0.5, SDScaled(0.7)], ids=str)
@pytest.mark.parametrize(
    "estimator",
    [
        Ridge(alpha=4.0),  # its prior's scale is a number that float32 can hold, and must not be held in it
        Lasso(alpha=0.5),
        ElasticNet(alpha=0.5, l1_ratio=0.3),
        Lasso(alpha=0.5, positive=True),
        ElasticNet(alpha=0.5, positive=True, fit_intercept=False),
    ],
    ids=str,
)
def test_the_joint_log_density_is_the_one_written_by_hand(small, estimator, noise):
    X, y, weights = small
    energy = energy_of(estimator, X, y, weights)
    if isinstance(noise, SDScaled) and not isinstance(estimator, Lasso):
        with pytest.raises(ValueError, match="contract of the Lasso"):
            to_pymc(estimator, X, y, noise=noise)
        return
    contract = noise_model(noise, None, energy)
    logp = log_density(to_pymc(estimator, X, y, noise=noise, sample_weight=weights))
    rng = np.random.default_rng(0)
    for _ in range(3):
        coef, centred = np.abs(rng.normal(size=3)), rng.normal(energy.y_mean)
        sigma2 = 0.25 if noise == 0.5 else rng.gamma(2.0)
        values = {"coef": coef, "sigma2": sigma2, "intercept_centred": centred}
        if not energy.fit_intercept:
            del values["intercept_centred"]
        if noise == 0.5:
            del values["sigma2"]
        expected = by_hand(energy, contract, coef, centred, sigma2)
        assert logp(**values) == pytest.approx(expected, rel=1e-12, abs=1e-11)


@pytest.mark.parametrize(
    "estimator",
    [
        Ridge(alpha=4.0),
        Lasso(alpha=0.5),
        ElasticNet(alpha=0.5),
        Lasso(alpha=0.5, penalty_weights=[2.0, 0.5, 1.0]),
        Ridge(alpha=0.5, penalty_weights=[2.0, 0.5, 1.0], fit_intercept=False),
        ElasticNet(alpha=0.5, penalty_weights=[2.0, 0.5, 1.0]),
    ],
    ids=str,
)
def test_minus_the_log_density_is_the_energy_over_the_variance(small, estimator):
    X, y, weights = small
    energy = energy_of(estimator, X, y, weights)
    logp = log_density(to_pymc(estimator, X, y, noise="variance-scaled", sample_weight=weights))
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 3))
    centred = {"intercept_centred": energy.y_mean} if energy.fit_intercept else {}
    for sigma2 in (0.1, 1.0, 30.0):  # whatever the variance is
        difference = logp(coef=first, sigma2=sigma2, **centred) - logp(coef=second, sigma2=sigma2, **centred)
        assert difference == pytest.approx(-(energy.value(first) - energy.value(second)) / sigma2, rel=1e-10)


def test_the_model_is_laid_out_as_promised(diabetes):
    X, y, weights = diabetes
    model = to_pymc(Lasso(alpha=0.5), X, y, sample_weight=weights)
    assert list(model.coords["feature"]) == list(X.columns)
    assert model.named_vars_to_dims["coef"] == ("feature",)
    assert {"coef", "intercept", "sigma", "y"} <= set(model.named_vars)
    assert [v.name for v in model.observed_RVs] == ["y"]
    assert model.potentials == []
    text = model.str_repr()
    for line in ("coef ~ Laplace", "sigma2 ~ InverseGamma", "y ~ Normal"):
        assert line in text
    assert "coef ~ ElasticNet" in to_pymc(ElasticNet(), X, y).str_repr()
    assert "coef ~ Exponential" in to_pymc(Lasso(positive=True), X, y).str_repr()
    assert "coef ~ HalfNormal" in to_pymc(Ridge(positive=True), X, y).str_repr()


def test_rows_of_weight_zero_are_not_in_the_model(small):
    X, y, weights = small
    model = to_pymc(Ridge(), X, y, sample_weight=weights)
    assert model.rvs_to_values[model["y"]].data.shape == (10,)


def test_sparse_data_stay_sparse_and_mean_the_same(small):
    X, y, _ = small
    X = np.where(np.abs(X) < 1, 0.0, X)
    at = {"coef": [0.3, -0.2, 1.0], "sigma2": 2.0, "intercept_centred": 1.0}
    logps = [log_density(to_pymc(Lasso(), data, y))(**at) for data in (X, sparse.csc_array(X))]
    assert logps[1] == pytest.approx(logps[0], rel=1e-13)
    assert "X" not in to_pymc(Lasso(), sparse.csr_matrix(X), y).named_vars


@pytest.mark.parametrize("l1_rate", [1e3, 1e6])
def test_the_elastic_net_gradient_in_its_rates_survives_a_huge_ratio(l1_rate):
    import pytensor
    import pytensor.tensor as pt

    from skreg.bayes.model import _elastic_net_logp

    a, c = pt.dscalars("a", "c")
    logp = _elastic_net_logp(pt.as_tensor(np.float64(0.0)), a, c)
    gradient = pytensor.function([a, c], pt.grad(logp, [a, c]), mode="FAST_COMPILE")(l1_rate, 1.0)
    # ∂(−log Z) = (E|w|, ½Ew²)
    prior = ElasticNetPrior(l1_rate, 1.0, positive=True)
    second = ElasticNetPrior(l1_rate, 1.0).variance()
    np.testing.assert_allclose(gradient, [prior.mean(), 0.5 * second], rtol=1e-9)


def test_the_random_variables_of_the_priors_have_their_density_and_their_draws():
    priors = {
        "gauss": GaussianPrior(2.0),
        "laplace": LaplacePrior(0.5),
        "net": ElasticNetPrior(1.5, 0.5),
        "net_tail": ElasticNetPrior(1000.0, 1.0),
        "half_gauss": GaussianPrior(2.0, positive=True),
        "half_laplace": LaplacePrior(0.5, positive=True),
        "half_net": ElasticNetPrior(1.5, 0.5, positive=True),
    }
    with pm.Model() as model:
        variables = [random_variable(name, prior, shape=4000) for name, prior in priors.items()]
    drawn = pm.draw(variables, random_seed=1, mode="FAST_COMPILE")
    w = np.zeros(4000)
    w[1:3] = 0.2, 3.0
    logps = model.compile_fn(
        [pm.logp(variable, w) for variable in variables], inputs=[], point_fn=False, mode="FAST_COMPILE"
    )()
    for prior, sample, logp in zip(priors.values(), drawn, logps, strict=True):
        np.testing.assert_allclose(logp, prior.logpdf(w), rtol=1e-13, atol=1e-13)
        assert stats.ks_2samp(sample, prior.rvs(20_000, random_state=0)).pvalue > 0.01
        assert abs(sample.mean() - prior.mean()) < 4 * math.sqrt(prior.variance() / sample.size)
        assert sample.var() == pytest.approx(prior.variance(), rel=0.15)


def test_a_prior_of_another_kind_is_refused():
    with pm.Model(), pytest.raises(TypeError, match=r"prior must be.*GaussianPrior"):
        random_variable("w", "laplace")


def test_prior_predictive_draws_come_from_the_prior(small):
    X, y, weights = small
    estimator = ElasticNet(alpha=0.7)
    with to_pymc(estimator, X, y, noise=1.5, sample_weight=weights):
        drawn = pm.sample_prior_predictive(draws=3000, random_seed=2)
    energy = energy_of(estimator, X, y, weights)
    prior = prior_of(energy.penalty, 1.5**2)
    coef = drawn["prior"]["coef"].to_numpy()[0]
    reference = prior.rvs(50_000, random_state=0)
    assert stats.ks_2samp(coef.ravel(), reference).pvalue > 0.01
    # y = b + Xw + ε with b = c − x̄ᵀw: its mean is ȳ, and its variance is that of its three parts.
    simulated = drawn["prior_predictive"]["y"].to_numpy()[0]
    spread = energy.sample_weight @ (energy.y - energy.y_mean) ** 2 / energy.total_weight
    variance = 100 * spread + np.sum((energy.X - energy.X_mean) ** 2, axis=1) * prior.variance()
    variance += 1.5**2 / energy.sample_weight
    np.testing.assert_allclose(simulated.var(axis=0), variance, rtol=0.12)
    np.testing.assert_allclose(simulated.mean(axis=0), energy.y_mean, atol=4 * np.sqrt(variance.max() / 3000))


def test_an_unpenalised_feature_gets_the_wide_prior_that_is_documented(small):
    X, y, _ = small
    energy = energy_of(Lasso(alpha=0.5, penalty_weights=[1.0, 0.0, 1.0]), X, y)
    width = FLAT_WIDTH * y.std() / X[:, 1].std()
    for estimator in (
        Lasso(alpha=0.5, penalty_weights=[1.0, 0.0, 1.0]),
        Ridge(alpha=0.5, penalty_weights=[1.0, 0.0, 1.0]),
        ElasticNet(alpha=0.5, penalty_weights=[1.0, 0.0, 1.0]),
    ):
        logp = log_density(to_pymc(estimator, X, y, noise=1.0))
        prior = prior_of(energy_of(estimator, X, y).penalty, 1.0)
        # Zero coefficients, so that the prior alone differs from one in which no feature is free.
        at = {"coef": np.zeros(3), "intercept_centred": energy.y_mean}
        everything = log_density(to_pymc(estimator.set_params(penalty_weights=None), X, y, noise=1.0))
        expected = GaussianPrior(width).logpdf(0.0) - prior.logpdf(0.0)
        assert logp(**at) - everything(**at) == pytest.approx(expected, rel=1e-9)


def test_what_cannot_be_translated_is_refused_and_what_can_is_said(small):
    X, y, _ = small
    with pytest.raises(TypeError, match=r"Ridge, Lasso and ElasticNet"):
        to_pymc(sklearn_linear_model.BayesianRidge(), X, y)
    with pytest.raises(ValueError, match=r"2 targets"):
        to_pymc(Ridge(), X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match=r"noise"):
        to_pymc(Ridge(), X, y, noise="flat")


def test_the_rate_of_an_sd_scaled_contract_is_all_that_its_prior_knows(small):
    X, y, _ = small
    at = {"coef": [0.3, -0.2, 1.0], "sigma2": 2.0, "intercept_centred": y.mean()}
    options = {"noise": SDScaled(0.7), "noise_prior": (2.0, 3.0)}
    first, second = (log_density(to_pymc(Lasso(alpha=a), X, y, **options))(**at) for a in (0.1, 3.0))
    assert first == second  # whatever alpha is
    weighted = log_density(to_pymc(Lasso(penalty_weights=[2.0, 1.0, 0.5]), X, y, **options))(**at)
    scale = np.sqrt(2.0) / 0.7 / np.array([2.0, 1.0, 0.5])
    expected = stats.laplace(scale=scale).logpdf(at["coef"]) - stats.laplace(scale=np.sqrt(2.0) / 0.7).logpdf(
        at["coef"]
    )
    assert weighted - first == pytest.approx(expected.sum(), rel=1e-10)


def test_the_default_contract_is_the_plug_in_one_where_sigma_can_be_estimated(small):
    X, y, _ = small
    at = {"coef": np.ones(3), "sigma2": 2.0, "intercept_centred": y.mean()}
    default, plug_in = (log_density(to_pymc(Lasso(), X, y, noise=noise))(**at) for noise in (None, "plug-in"))
    assert default == plug_in
    default, scaled = (
        log_density(to_pymc(Ridge(alpha=1e-12), X[:4], y[:4], noise=noise))(**at)
        for noise in (None, "variance-scaled")
    )
    assert default == scaled


@pytest.mark.parametrize("y", [np.zeros(12), np.full(12, 3.0)], ids=["zero", "constant"])
def test_a_constant_target_still_has_a_proper_model(small, y):
    X, _, _ = small
    logp = log_density(to_pymc(Lasso(alpha=0.5), X, y))
    assert np.isfinite(logp(coef=np.zeros(3), sigma2=1.0, intercept_centred=y[0]))


def test_sampling_log_likelihoods_and_predictions_work(small):
    X, y, _ = small
    options = {"progressbar": False, "random_seed": 1}
    with to_pymc(ElasticNet(alpha=0.5), X, y, noise=1.0):
        step = pm.Metropolis(compile_kwargs={"mode": "FAST_COMPILE"})
        trace = pm.sample(
            draws=5, tune=0, chains=1, cores=1, step=step, compute_convergence_checks=False, **options
        )
        pm.compute_log_likelihood(trace, progressbar=False)
        pm.set_data({"X": X[:4]})
        predicted = pm.sample_posterior_predictive(trace, predictions=True, **options)
    posterior = trace["posterior"]
    coef, intercept = posterior["coef"].to_numpy()[0], posterior["intercept"].to_numpy()[0]
    assert np.all(posterior["sigma"].to_numpy() == 1.0)
    expected = stats.norm(coef @ X.T + intercept[:, None], 1.0).logpdf(y)
    np.testing.assert_allclose(trace["log_likelihood"]["y"].to_numpy()[0], expected, rtol=1e-10)
    assert predicted["predictions"]["y"].shape == (1, 5, 4)


@pytest.mark.slow
def test_nuts_finds_the_conjugate_posterior_of_ridge_and_warns_of_nothing(small):
    X, y, weights = small
    with to_pymc(Ridge(alpha=2.0, fit_intercept=False), X, y, noise=1.5, sample_weight=weights):
        trace = pm.sample(draws=2000, tune=500, chains=2, cores=1, progressbar=False, random_seed=1)
    kept = weights > 0
    A, s = X[kept], weights[kept]
    covariance = np.linalg.inv((A.T * s) @ A + 2.0 * np.eye(3)) * 1.5**2
    mean = covariance @ (A.T * s) @ y[kept] / 1.5**2
    coef = trace["posterior"]["coef"].to_numpy().reshape(-1, 3)
    np.testing.assert_allclose(coef.mean(axis=0), mean, atol=0.1 * np.sqrt(np.diag(covariance)).max())
    np.testing.assert_allclose(np.cov(coef.T), covariance, atol=0.12 * np.diag(covariance).max())
    assert np.all(trace["posterior"]["intercept"].to_numpy() == 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [Lasso(alpha=0.5), ElasticNet(alpha=0.5, positive=True)], ids=str)
def test_nuts_samples_every_noise_contract(small, estimator):
    X, y, _ = small
    for noise in ("variance-scaled", "plug-in"):
        with to_pymc(estimator, X, y, noise=noise):
            trace = pm.sample(
                draws=300, tune=500, chains=2, cores=1, progressbar=False, random_seed=1, target_accept=0.95
            )
        assert np.all(np.isfinite(trace["posterior"]["coef"].to_numpy()))
        assert 0.2 < float(trace["posterior"]["sigma"].median()) < 5.0


def test_the_exact_normalising_constant_is_kept_in_the_variance(small):
    # Z(σ²) must be in the model: at coef = 0 it is all that the prior says about σ².
    X, y, _ = small
    energy = energy_of(ElasticNet(alpha=0.5), X, y)
    logp = log_density(to_pymc(ElasticNet(alpha=0.5), X, y, noise="variance-scaled", noise_prior=(2.0, 3.0)))
    at = {"coef": np.zeros(3), "intercept_centred": energy.y_mean}
    with mpmath.workdps(30):
        log_z = []
        for sigma2 in (0.7, 1.9):
            a, c = (mpmath.mpf(rate) for rate in energy.penalty.prior_rates(sigma2))
            density = mpmath.quad(lambda w, a=a, c=c: mpmath.exp(-a * w - c * w**2 / 2), [0, 1, mpmath.inf])
            log_z.append(float(mpmath.log(2 * density)))
    rest = [
        stats.invgamma(2.0, scale=3.0).logpdf(s) + np.sum(stats.norm(energy.y_mean, s**0.5).logpdf(y))
        for s in (0.7, 1.9)
    ]
    difference = logp(sigma2=0.7, **at) - logp(sigma2=1.9, **at)
    assert difference == pytest.approx(rest[0] - rest[1] - 3 * (log_z[0] - log_z[1]), rel=1e-11)
