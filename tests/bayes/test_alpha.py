import numpy as np
import pytest
from scipy import integrate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import ElasticNet, Lasso, LassoCV, Ridge, RidgeCV, choose_alpha, energy_of
from skreg.bayes.alpha import maximize_marginal_likelihood
from skreg.bayes.evidence import log_evidence
from skreg.bayes.noise import NoiseModel, noise_model
from skreg.bayes.priors import prior_of
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


@pytest.mark.parametrize("start", [1e-3, 10.0])
def test_where_em_starts_does_not_matter(diabetes, start):
    X, y, _ = diabetes
    found = [
        choose_alpha(Lasso(alpha=alpha), X, y, methods="marginal likelihood", random_state=1).alphas
        for alpha in (0.5, start)
    ]
    assert found[0]["marginal likelihood"] == pytest.approx(found[1]["marginal likelihood"], rel=0.03)


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
        (Ridge(alpha=0.0), {}, "alpha must be > 0 to start from"),
        (Ridge(positive=True), {}, "methods must leave out.*positive"),
        (Lasso(), {"alpha_prior": (1.0, 0.0), "methods": "posterior"}, "alpha_prior must be two numbers > 0"),
    ],
)
def test_bad_questions_are_named(small, estimator, arguments, message):
    X, y, _ = small
    with pytest.raises(ValueError, match=message):
        choose_alpha(estimator, X, y, **arguments)
