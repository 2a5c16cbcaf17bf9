"""The posterior of one or two coefficients by quadrature."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, truncnorm

from skreg import L1, L2, ElasticNetPenalty, Lasso, energy_of, posterior
from skreg.bayes.quadrature import quadrature_posterior


@st.composite
def problems(draw):
    correlation = draw(st.floats(-0.95, 0.95))
    scales = np.array([10 ** draw(st.floats(-1.0, 1.5)) for _ in range(2)])
    hessian = np.array([[1.0, correlation], [correlation, 1.0]]) * np.outer(scales, scales)
    center = np.array([draw(st.floats(-3.0, 3.0)) for _ in range(2)])
    strength, ratio = (
        10 ** draw(st.floats(-2.0, 2.0)),
        draw(st.sampled_from([0.0, 1.0]) | st.floats(1e-6, 1.0)),
    )
    factors = draw(st.sampled_from([None, [1.0, 3.0]]))
    penalty = ElasticNetPenalty(l1=strength * ratio, l2=strength * (1.0 - ratio), factors=factors)
    return hessian, center, penalty, 10 ** draw(st.floats(-1.0, 1.0))


def cells(middle, spread):
    """Gauss-Legendre points and weights of a line, fine about zero."""
    fine = spread * 2.0 ** -np.arange(14)
    edges = np.unique(np.concatenate([middle + spread * np.linspace(-10, 10, 61), [0.0], fine, -fine]))
    nodes, weights = np.polynomial.legendre.leggauss(8)
    half = 0.5 * np.diff(edges)[:, None]
    return (edges[:-1, None] + half * (1.0 + nodes)).ravel(), (half * weights).ravel()


@given(problems())
@settings(max_examples=12, deadline=None)
def test_two_coefficients_are_the_density_summed_over_the_plane(problem):
    hessian, center, penalty, variance = problem
    found = quadrature_posterior(*problem)
    spread = np.sqrt(variance * np.diag(np.linalg.inv(hessian)))
    (x, dx), (y, dy) = (cells(found.mode[j], spread[j]) for j in range(2))
    away = np.stack(np.meshgrid(x - center[0], y - center[1], indexing="ij"), axis=-1)
    quadratic = 0.5 * np.einsum("...i,ij,...j", away, hessian, away)
    penalties = [
        penalty.l1_strengths(2)[j] * np.abs(w) + 0.5 * penalty.l2_strengths(2)[j] * w**2
        for j, w in enumerate((x, y))
    ]
    energy = quadratic + penalties[0][:, None] + penalties[1]
    mass = np.exp((energy.min() - energy) / variance) * dx[:, None] * dy
    mass /= mass.sum()
    for j, (w, dw, marginal) in enumerate(((x, dx, mass.sum(axis=1)), (y, dy, mass.sum(axis=0)))):
        assert found.mean[j] == pytest.approx(w @ marginal, abs=1e-8 * spread[j])
        assert np.exp(found.logpdf(w, j)) * dw == pytest.approx(marginal, abs=1e-9)
        # The median halves the density; the points on either side of it say so to their spacing.
        below = marginal[w < found.median[j]].sum()
        assert 0.5 - below == pytest.approx(0.0, abs=2.0 * marginal.max())


@given(problems())
@settings(max_examples=12, deadline=None)
def test_the_mode_is_the_penalised_solution_whatever_the_variance(problem):
    hessian, center, penalty, variance = problem
    mode = quadrature_posterior(*problem).mode
    violation = penalty.optimality_violation(mode, hessian @ (center - mode))
    assert np.all(violation <= 1e-11 * (np.abs(hessian) @ (np.abs(center) + np.abs(mode)) + penalty.l1))
    assert np.array_equal(mode, quadrature_posterior(hessian, center, penalty, 7.0 * variance).mode)


@pytest.mark.parametrize("estimate", [-2.0, 0.0, 0.3, 1.0, 4.0])
@pytest.mark.parametrize("rate", [0.1, 2.0, 50.0])
def test_one_coefficient_is_two_halves_of_normals(estimate, rate):
    # Hans (2009): with a Laplace prior, N(ŵ ∓ aσ², σ²) cut at zero, weighted by their integrals.
    found = quadrature_posterior([[4.0]], [estimate], L1(4.0 * rate), variance=2.0)
    sd, centers = np.sqrt(0.5), estimate + np.array([-rate, rate])
    logs = norm.logcdf(np.array([1.0, -1.0]) * centers / sd) + 0.5 * (centers / sd) ** 2
    share = np.exp(logs - np.logaddexp(*logs))
    halves = [
        truncnorm(-centers[0] / sd, np.inf, centers[0], sd),
        truncnorm(-np.inf, -centers[1] / sd, centers[1], sd),
    ]
    assert found.mean[0] == pytest.approx(
        sum(s * half.mean() for s, half in zip(share, halves, strict=True)), abs=1e-9
    )
    below = sum(s * half.cdf(found.median[0]) for s, half in zip(share, halves, strict=True))
    assert below == pytest.approx(0.5, abs=1e-9)


def test_with_a_gaussian_prior_it_is_gaussian():
    hessian, center = np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([1.0, -0.5])
    found = quadrature_posterior(hessian, center, L2(1.5), variance=0.7)
    precision = hessian + 1.5 * np.eye(2)
    ridge = np.linalg.solve(precision, hessian @ center)
    for value in (found.mode, found.mean, found.median):
        assert value == pytest.approx(ridge, abs=1e-10)
    sd = np.sqrt(0.7 * np.linalg.inv(precision)[1, 1])
    w = np.linspace(-2.0, 2.0, 7)
    assert found.logpdf(w, 1) == pytest.approx(norm(ridge[1], sd).logpdf(w), abs=1e-9)


def test_the_gibbs_sampler_draws_from_it():
    rng = np.random.default_rng(0)
    X = rng.multivariate_normal([0.0, 0.0], [[1.0, 0.6], [0.6, 1.0]], size=15)
    y = X @ [1.0, 0.2] + rng.standard_normal(15)
    lasso = Lasso(alpha=0.3, fit_intercept=False).fit(X, y)
    gram = X.T @ X
    exact = quadrature_posterior(
        gram, np.linalg.solve(gram, X.T @ y), energy_of(lasso, X, y).penalty, variance=1.0
    )
    drawn = posterior(lasso, X, y, noise=1.0, draws=5000, random_state=0)["posterior"]["coef"]
    sd = drawn.std(("chain", "draw")).values
    assert np.abs(drawn.mean(("chain", "draw")).values - exact.mean) == pytest.approx(
        [0, 0], abs=0.05 * sd.min()
    )
    assert np.abs(drawn.median(("chain", "draw")).values - exact.median) == pytest.approx(
        [0, 0], abs=0.05 * sd.min()
    )
    assert exact.mode == pytest.approx(lasso.coef_, abs=1e-10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.eye(3), np.zeros(3), L1(1.0), 1.0), r"one or two features.*\(3, 3\)"),
        ((np.eye(2), [1.0], L1(1.0), 1.0), r"\(2, 2\) and \(1,\)"),
        (([[1.0, 2.0], [2.0, 1.0]], [0.0, 0.0], L1(1.0), 1.0), "positive definite"),
        (([[1.0, 0.5], [0.4, 1.0]], [0.0, 0.0], L1(1.0), 1.0), "symmetric"),
        ((np.eye(2), np.zeros(2), L1(1.0), 0.0), "variance must be a finite number > 0, got 0.0"),
        ((np.eye(2), np.zeros(2), L1(1.0, positive=True), 1.0), "positive=True"),
    ],
)
def test_what_it_cannot_take_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        quadrature_posterior(*arguments)
