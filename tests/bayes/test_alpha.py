import numpy as np
import pytest
from scipy import integrate
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import ElasticNet, Lasso, LassoCV, Ridge, RidgeCV, choose_alpha, energy_of
from skreg.bayes.alpha import maximize_marginal_likelihood
from skreg.bayes.evidence import log_evidence
from skreg.bayes.noise import NoiseModel, noise_model
from skreg.bayes.priors import prior_of
from skreg.bayes.sampling import sample
from skreg.penalties import ElasticNetPenalty

BOTH = ("marginal likelihood", "posterior")


@pytest.fixture(scope="module")
def one_column():
    rng = np.random.default_rng(3)
    x = rng.normal(size=30)
    return x[:, None], 0.8 * x + rng.normal(size=30)


def log_marginal_likelihood(X, y, alpha, l1_ratio, sigma):
    """Log p(y | alpha) for one centred column and a known σ, by quadrature."""
    x, y = X[:, 0] - X.mean(), y - y.mean()
    penalty = ElasticNetPenalty.from_alpha(alpha, l1_ratio, len(y))
    prior = prior_of(penalty, sigma**2)

    def integrand(w):
        return np.exp(float(prior.logpdf(w)) - 0.5 * ((y - x * w) @ (y - x * w) - y @ y) / sigma**2)

    return np.log(integrate.quad(integrand, -3, 3, points=[0.0], epsabs=0, epsrel=1e-10, limit=200)[0])


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_monte_carlo_em_finds_the_maximum_of_the_marginal_likelihood(one_column, l1_ratio):
    X, y = one_column
    energy = energy_of(ElasticNet(alpha=1.0, l1_ratio=l1_ratio), X, y)
    steps = maximize_marginal_likelihood(energy, NoiseModel("known", sigma=1.0), random_state=0)
    grid = np.exp(np.linspace(-6, 1, 60))
    heights = np.array([log_marginal_likelihood(X, y, alpha, l1_ratio, 1.0) for alpha in grid])
    best = grid[np.argmax(heights)]
    assert 0.0 < best < grid[-1]
    # It is flat at the top: within a hundredth in log likelihood.
    assert log_marginal_likelihood(X, y, steps[-1], l1_ratio, 1.0) > heights.max() - 0.01
    assert steps[-1] == pytest.approx(best, rel=0.25)


@pytest.mark.parametrize("alpha", [1e-6, 1e4])
def test_an_alpha_where_the_marginal_likelihood_is_flat_does_not_hold_em_fast(one_column, alpha):
    X, y = one_column
    energy = energy_of(Lasso(alpha=alpha), X, y)
    best = maximize_marginal_likelihood(energy, NoiseModel("known", sigma=1.0), random_state=0)[-1]
    grid = np.exp(np.linspace(-6, 1, 60))
    heights = [log_marginal_likelihood(X, y, each, 1.0, 1.0) for each in grid]
    assert log_marginal_likelihood(X, y, best, 1.0, 1.0) > max(heights) - 0.01


def test_at_the_maximum_the_prior_expects_what_the_posterior_has():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 40))
    y = X[:, :2].sum(axis=1) + rng.normal(size=40)
    noise = NoiseModel("known", sigma=1.0)
    steps = maximize_marginal_likelihood(energy_of(Lasso(alpha=1.0), X, y), noise, random_state=0)
    energy = energy_of(Lasso(alpha=steps[-1]), X, y)
    coef = sample(energy, noise, draws=5000, random_state=1).coef
    # The score of log alpha is zero: E λ₁‖w‖₁/σ² is 1 for each coefficient, as under the prior.
    assert energy.penalty.l1 * np.abs(coef).sum(axis=2).mean() == pytest.approx(40.0, rel=0.02)
    assert steps.size <= 16  # EM's own steps would shrink by no more than 0.6 each


def test_a_marginal_likelihood_without_a_maximum_is_told_of():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = rng.normal(size=60)
    y -= np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=None)[0] @ (X - X.mean(axis=0)).T
    with pytest.warns(ConvergenceWarning, match="no maximum"):
        choose_alpha(Lasso(), X, y, methods="marginal likelihood", random_state=0)


@pytest.mark.parametrize("estimator", [Lasso(alpha=0.1), Ridge()])
def test_given_splits_are_of_the_rows_as_given_those_of_weight_zero_too(small, estimator):
    X, y, _ = small
    weights = np.ones(len(y))
    weights[::3] = 0.0
    kept = np.flatnonzero(weights)
    splits = [(np.arange(k, len(y)), np.arange(k)) for k in (5, 9)]
    of_kept = [
        (np.flatnonzero(np.isin(kept, train)), np.flatnonzero(np.isin(kept, test))) for train, test in splits
    ]
    how = {"methods": "cross-validation"}
    found = choose_alpha(estimator, X, y, cv=splits, sample_weight=weights, **how)
    assert found.alphas == choose_alpha(estimator, X[kept], y[kept], cv=of_kept, **how).alphas


def test_too_few_draws_of_alpha_are_told_of(small):
    X, y, _ = small
    with pytest.warns(ConvergenceWarning, match="effective sample size"):
        choose_alpha(Lasso(), X, y, methods="posterior", draws=50, random_state=0)


def test_the_marginal_likelihood_of_ridge_is_at_its_largest(diabetes):
    X, y, _ = diabetes
    alpha = choose_alpha(Ridge(), X, y, methods="marginal likelihood").alphas["marginal likelihood"]
    energy = energy_of(Ridge(), X, y)
    near = log_evidence(
        energy, noise_model("variance-scaled", None, energy), [0.99 * alpha, alpha, 1.01 * alpha]
    )
    assert near[1] > near[0]
    assert near[1] > near[2]


def test_cross_validation_is_that_of_lasso_cv_and_the_interval_holds_the_maximum(diabetes):
    X, y, _ = diabetes
    found = choose_alpha(Lasso(alpha=1.0), X, y, random_state=0)
    assert found.alphas["cross-validation"] == pytest.approx(LassoCV().fit(X, y).alpha_)
    low, high = found.interval
    assert low < found.alphas["marginal likelihood"] < high
    assert low == pytest.approx(np.quantile(found.draws, 0.05))


def test_alphas_are_in_the_estimators_own_meaning(diabetes):
    X, y, weights = diabetes
    ridge = choose_alpha(Ridge(alpha=3.0), X, y, sample_weight=weights, random_state=0)
    net = choose_alpha(
        ElasticNet(alpha=3.0 / weights.sum(), l1_ratio=0.0), X, y, sample_weight=weights, random_state=0
    )
    for method, alpha in ridge.alphas.items():
        assert net.alphas[method] * weights.sum() == pytest.approx(alpha, rel=1e-6)
    assert ridge.alphas["cross-validation"] == pytest.approx(
        RidgeCV(alphas=100).fit(X, y, sample_weight=weights).alpha_
    )


def test_noise_wants_an_infinite_alpha():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = rng.normal(size=60)
    y -= np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=None)[0] @ (X - X.mean(axis=0)).T
    found = choose_alpha(Ridge(), X, y, methods="marginal likelihood")
    assert found.alphas == {"marginal likelihood": np.inf}
    assert found.n_nonzero == {"marginal likelihood": 0}


def test_a_pipeline_is_transformed_once_and_the_frame_has_a_row_a_method(diabetes):
    X, y, _ = diabetes
    model = make_pipeline(StandardScaler(), Lasso(alpha=1.0))
    found = choose_alpha(model, 7.0 * X, y, methods=BOTH, random_state=0, draws=300)
    same = choose_alpha(Lasso(alpha=1.0), X, y, methods=BOTH, random_state=0, draws=300)
    # Rounding, of the scales, makes other random numbers of the same: within Monte Carlo error.
    assert found.alphas == pytest.approx(same.alphas, rel=0.05)
    frame = found.frame()
    assert list(frame.index) == list(BOTH)
    assert np.isnan(frame.loc["marginal likelihood", "low"])
    assert frame.loc["posterior", "low"] < frame.loc["posterior", "alpha"] < frame.loc["posterior", "high"]
    assert "90 % within" in repr(found)


@pytest.mark.parametrize(
    ("estimator", "arguments", "message"),
    [
        (Lasso(), {"methods": "bayes"}, "methods must be among cross-validation.*'bayes'"),
        (Lasso(), {"methods": ()}, "methods must be among"),
        (Lasso(), {"noise": "plug-in"}, "noise must be.*'plug-in'"),
        (Ridge(alpha=0.0), {}, "alpha must be > 0 here"),
        (Ridge(positive=True), {}, "methods must leave out.*positive"),
        (Lasso(), {"alpha_prior": (1.0, 0.0), "methods": "posterior"}, "alpha_prior must be two numbers > 0"),
    ],
)
def test_bad_questions_are_named(small, estimator, arguments, message):
    X, y, _ = small
    with pytest.raises(ValueError, match=message):
        choose_alpha(estimator, X, y, **arguments)
