import math

import mpmath
import numpy as np
import pytest
from scipy import integrate, special, stats

from skreg.bayes import ElasticNetPrior, GaussianPrior, LaplacePrior, prior_of
from skreg.bayes.priors import describe_prior
from skreg.penalties import L1, L2, ElasticNetPenalty

# (a, c) from c = 0 through a²/c = 1e6, 1e12 and a²/c = 1 to a = 0.
RATES = [
    (1.0, 0.0),
    (1.0, 1e-300),
    (1.0, 1e-12),
    (1e3, 1.0),
    (141.0, 1.0),
    (141.5, 1.0),
    (20.0, 2.0),
    (3.0, 1.0),
    (3.0000001, 1.0),
    (1.0, 1.0),
    (0.05, 4.0),
    (1e-9, 1.0),
    (1e-200, 1e-100),
    (1e150, 1e290),
    (0.0, 1.0),
]
PRIORS = [
    GaussianPrior(0.7),
    LaplacePrior(0.7),
    ElasticNetPrior(1.3, 0.4),
    ElasticNetPrior(1e3, 1.0),
    ElasticNetPrior(0.01, 2.0),
]
ALL = [*PRIORS, *(type(prior)(**{**vars(prior), "positive": True}) for prior in PRIORS)]


def exact(a, c):
    """Log Z, E|w| and Ew² in as many digits as their cancellation eats, and fifty more."""
    t = a / math.sqrt(2 * c) if c > 0 else math.inf
    if t > 50:  # the asymptotic series, whose tenth term is below 1e-28
        a, c = mpmath.mpf(a), mpmath.mpf(c)
        with mpmath.workdps(60):
            x = c / a**2
            moments = [
                sum((-x / 2) ** k * mpmath.factorial(2 * k + n) / mpmath.factorial(k) for k in range(10))
                for n in (0, 1, 2)
            ]  # ∫ wⁿ exp(−aw − ½cw²) dw = a⁻ⁿ⁻¹ Σ (−c/2a²)ᵏ (2k+n)!/k!
            z = moments[0] / a
            return mpmath.log(2 * z), moments[1] / moments[0] / a, moments[2] / moments[0] / a**2
    with mpmath.workdps(int(60 + t**2)):
        a, c = mpmath.mpf(a), mpmath.mpf(c)
        t = a / mpmath.sqrt(2 * c)
        scaled_tail = mpmath.exp(t**2) * mpmath.erfc(t)
        beta = a / mpmath.sqrt(c)
        first = 1 / (mpmath.sqrt(mpmath.pi / 2) * scaled_tail) - beta
        log_z = mpmath.log(mpmath.sqrt(2 * mpmath.pi / c) * scaled_tail)
        return log_z, first / mpmath.sqrt(c), (1 - beta * first) / c


def cdf(prior, w):
    """P(W ≤ w), from the survival function exp(−H) of |W| in SciPy's log_ndtr."""
    a, c = rates(prior)
    if c == 0:
        tail = np.exp(-a * np.abs(w))
    else:
        beta = a / math.sqrt(c)
        if beta < 20:
            tail = np.exp(special.log_ndtr(-beta - math.sqrt(c) * np.abs(w)) - special.log_ndtr(-beta))
        else:
            ratio = special.erfcx((beta + math.sqrt(c) * np.abs(w)) / math.sqrt(2)) / special.erfcx(
                beta / math.sqrt(2)
            )
            tail = ratio * np.exp(-a * np.abs(w) - 0.5 * c * w**2)
    if prior.positive:
        return 1.0 - tail
    return np.where(w < 0, 0.5 * tail, 1.0 - 0.5 * tail)


def rates(prior):
    if isinstance(prior, GaussianPrior):
        return 0.0, prior.scale**-2
    if isinstance(prior, LaplacePrior):
        return 1.0 / prior.scale, 0.0
    return prior.l1_rate, prior.l2_rate


@pytest.mark.parametrize(("a", "c"), RATES)
def test_elastic_net_log_density_and_moments_hold_in_every_limit(a, c):
    log_z, first, second = (
        exact(a, c)
        if a > 0
        else (
            mpmath.log(mpmath.sqrt(2 * mpmath.pi / c)),
            mpmath.sqrt(2 / (mpmath.pi * mpmath.mpf(c))),
            1 / mpmath.mpf(c),
        )
    )
    prior, half = ElasticNetPrior(a, c), ElasticNetPrior(a, c, positive=True)
    for w in (0.0, 0.3 * float(first), -2.0 * float(first)):
        expected = -mpmath.mpf(a) * abs(w) - mpmath.mpf(c) * mpmath.mpf(w) ** 2 / 2 - log_z
        assert prior.logpdf(w) == pytest.approx(float(expected), rel=1e-14, abs=1e-13)
    assert prior.mean() == 0.0
    assert half.mean() == pytest.approx(float(first), rel=1e-13)
    assert prior.variance() == pytest.approx(float(second), rel=1e-13)
    with mpmath.workdps(60):
        assert half.variance() == pytest.approx(float(second - first**2), rel=1e-12)


def test_elastic_net_prior_meets_its_limits_without_a_seam():
    w = np.linspace(-3, 3, 7)
    for c in (0.0, 1e-15):
        np.testing.assert_allclose(ElasticNetPrior(2.0, c).logpdf(w), LaplacePrior(0.5).logpdf(w), atol=1e-13)
    for a in (0.0, 1e-15):
        near = ElasticNetPrior(a, 4.0)
        np.testing.assert_allclose(near.logpdf(w), GaussianPrior(0.5).logpdf(w), atol=1e-13)
    # On both sides of where the formula changes (a = 100 √(2c), a = 3 √c) the values are neighbours.
    for a in (100 * math.sqrt(2), 3.0):
        below, above = (ElasticNetPrior(a * (1 + step), 1.0) for step in (-1e-13, 1e-13))
        assert above.logpdf(0.0) == pytest.approx(below.logpdf(0.0), rel=1e-12)
        assert above.variance() == pytest.approx(below.variance(), rel=1e-11)


@pytest.mark.parametrize(
    ("prior", "scipy_prior"),
    [
        (GaussianPrior(0.7), stats.norm(scale=0.7)),
        (LaplacePrior(0.7), stats.laplace(scale=0.7)),
        (GaussianPrior(0.7, positive=True), stats.halfnorm(scale=0.7)),
        (LaplacePrior(0.7, positive=True), stats.expon(scale=0.7)),
        (ElasticNetPrior(1.0, 4.0, positive=True), stats.truncnorm(0.5, np.inf, loc=-0.25, scale=0.5)),
    ],
)
def test_priors_are_the_distributions_of_scipy(prior, scipy_prior):
    w = np.array([-1.0, 0.0, 0.2, 3.0])
    np.testing.assert_allclose(prior.logpdf(w), scipy_prior.logpdf(w), rtol=1e-12)
    assert prior.mean() == pytest.approx(scipy_prior.mean(), rel=1e-9)
    assert prior.variance() == pytest.approx(scipy_prior.var(), rel=1e-9)


@pytest.mark.parametrize("prior", ALL, ids=str)
def test_density_integrates_to_one_and_to_the_moments(prior):
    spread = math.sqrt(prior.variance())
    low = 0.0 if prior.positive else -60 * spread
    for power, expected in ((0, 1.0), (1, prior.mean()), (2, prior.variance() + prior.mean() ** 2)):
        integral, _ = integrate.quad(
            lambda w, power=power: w**power * np.exp(prior.logpdf(w)),
            low,
            60 * spread,
            points=[0.0, spread],
            limit=200,
        )
        assert integral == pytest.approx(expected, rel=1e-7, abs=1e-7 * spread)


@pytest.mark.parametrize("prior", [*ALL, ElasticNetPrior(1.0, 1e-14), ElasticNetPrior(1e-12, 1.0)], ids=str)
def test_draws_follow_the_density(prior):
    draws = prior.rvs(20_000, random_state=0)
    assert stats.kstest(draws, lambda w: cdf(prior, w)).pvalue > 0.01
    error = math.sqrt(prior.variance() / draws.size)
    assert abs(draws.mean() - prior.mean()) < 4 * error
    fourth = np.mean((draws - prior.mean()) ** 4)
    assert abs(draws.var() - prior.variance()) < 4 * math.sqrt(fourth / draws.size)


@pytest.mark.parametrize(("a", "c"), [(1e3, 1.0), (1.0, 1.0), (0.0, 1.0), (1e8, 1e-8)])
def test_draws_invert_the_survival_function_to_the_last_digits(a, c):
    # A draw w from the exponential draw E must satisfy −log P(|W| > w) = E.
    exponential = np.random.default_rng(3).exponential(size=200)
    draws = ElasticNetPrior(a, c, positive=True).rvs(200, random_state=3)
    beta = a / math.sqrt(c)
    u = draws * math.sqrt(c)
    log_tail = np.log(special.erfcx((beta + u) / math.sqrt(2)) / special.erfcx(beta / math.sqrt(2)))
    np.testing.assert_allclose(beta * u + u**2 / 2 - log_tail, exponential, rtol=1e-12, atol=1e-14)


def test_the_log_prior_is_minus_the_penalty_over_the_variance():
    w = np.array([0.5, -2.0])
    for penalty in (L1(3.0), L2(3.0), ElasticNetPenalty(2.0, 5.0)):
        prior = prior_of(penalty, variance=2.5)
        difference = prior.logpdf(w[0]) - prior.logpdf(w[1])
        assert difference == pytest.approx(-(penalty.value(w[:1]) - penalty.value(w[1:])) / 2.5, rel=1e-12)
    assert prior_of(L1(0.0), 1.0) is None
    assert prior_of(L1(3.0, positive=True), 1.0, factor=2.0) == LaplacePrior(1 / 6.0, positive=True)


def test_a_positive_prior_has_no_mass_below_zero():
    for prior in ALL:
        if prior.positive:
            assert prior.logpdf(-1e-300) == -np.inf
            assert np.all(prior.rvs(100, random_state=0) >= 0)


def test_draws_are_reproducible_from_every_kind_of_seed():
    prior = ElasticNetPrior(1.0, 1.0)
    np.testing.assert_array_equal(prior.rvs((2, 3), random_state=5), prior.rvs((2, 3), random_state=5))
    np.testing.assert_array_equal(prior.rvs(4, np.random.default_rng(5)), prior.rvs(4, random_state=5))
    legacy = [prior.rvs(4, np.random.RandomState(5)) for _ in range(2)]
    np.testing.assert_array_equal(*legacy)
    assert np.ndim(prior.rvs(random_state=0)) == 0


def test_the_prior_is_said_in_words_and_numbers():
    assert "Laplace(0, scale σ²/λ₁), λ₁ = 4; at σ = 2: Laplace(0, scale 1)" in describe_prior(L1(4.0), 2.0)
    assert "Normal(0, σ²/λ₂), λ₂ = 4; at σ = 2: Normal(0, 1²)" in describe_prior(L2(4.0), 2.0)
    words = describe_prior(ElasticNetPenalty(4.0, 8.0, factors=[1, 2], positive=True), 2.0)
    assert "coef ≥ 0" in words
    assert "l1 rate 1, l2 rate 2" in words
    assert "penalty weight" in words
    assert "flat" in describe_prior(L1(0.0), 1.0)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: GaussianPrior(0.0), "scale"),
        (lambda: LaplacePrior(-1.0), "scale"),
        (lambda: LaplacePrior(np.nan), "scale"),
        (lambda: ElasticNetPrior(-1.0, 1.0), "l1_rate"),
        (lambda: ElasticNetPrior(1.0, np.inf), "l2_rate"),
        (lambda: ElasticNetPrior("1", 1.0), "l1_rate"),
        (lambda: ElasticNetPrior(0.0, 0.0), "flat"),
        (lambda: prior_of(L1(1.0), variance=0.0), "variance"),
    ],
)
def test_bad_parameters_are_named(make, name):
    with pytest.raises(ValueError, match=name):
        make()
