import numpy as np
import pytest

from skreg.linear_model import ElasticNet, Lasso, Ridge
from skreg.moments import Moments
from skreg.penalties import L1, L2, ElasticNetPenalty
from skreg.solvers import descend


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5))
    return X, X @ [3.0, -2.0, 0.0, 0.1, 0.0] + rng.standard_normal(60)


def test_proximal_descent_reaches_the_lasso_with_its_zeros(data):
    X, y = data
    end = descend(Moments.from_data(X, y), L1(60 * 0.3), n_steps=500).coefs[-1]
    lasso = Lasso(alpha=0.3).fit(X, y).coef_
    np.testing.assert_allclose(end, lasso, atol=1e-10)
    np.testing.assert_array_equal(end == 0, lasso == 0)


def test_gradient_descent_on_an_l2_penalty_reaches_ridge(data):
    X, y = data
    end = descend(Moments.from_data(X, y), L2(10.0), method="gradient", n_steps=500).coefs[-1]
    np.testing.assert_allclose(end, Ridge(alpha=10.0).fit(X, y).coef_, atol=1e-10)


def test_proximal_descent_without_an_intercept_reaches_the_elastic_net(data):
    X, y = data
    moments = Moments.from_data(X, y + 5, centred=False)
    penalty = ElasticNetPenalty.from_alpha(0.2, 0.5, 60)
    model = ElasticNet(alpha=0.2, l1_ratio=0.5, fit_intercept=False).fit(X, y + 5)
    np.testing.assert_allclose(descend(moments, penalty, n_steps=500).coefs[-1], model.coef_, atol=1e-10)


def test_proximal_descent_never_raises_the_energy_and_reports_it_exactly(data):
    X, y = data
    penalty = L1(30.0)
    path = descend(Moments.from_data(X, y), penalty, start=np.full(5, 4.0), n_steps=50)
    assert np.all(np.diff(path.energies) <= 1e-9)
    w = path.coefs[7]
    r = (y - y.mean()) - (X - X.mean(0)) @ w
    assert path.energies[7] == pytest.approx(0.5 * r @ r + 30.0 * np.abs(w).sum(), rel=1e-12)


def test_subgradient_descent_steps_across_zero_where_the_proximal_step_stops(data):
    X, y = data
    moments, penalty = Moments.from_data(X, y), L1(60 * 0.5)
    irrelevant = Lasso(alpha=0.5).fit(X, y).coef_ == 0
    crossing = descend(moments, penalty, method="subgradient", n_steps=200).coefs[-20:, irrelevant]
    stopping = descend(moments, penalty, method="proximal", n_steps=200).coefs[-20:, irrelevant]
    assert np.any(crossing < 0) and np.any(crossing > 0)
    assert np.all(stopping == 0)


def test_weight_decay_alone_multiplies_and_l1_alone_subtracts():
    nothing = Moments.from_data(np.zeros((2, 2)), np.zeros(2))
    start = np.array([4.0, 1.0])
    decayed = descend(nothing, L2(1.0), method="gradient", step=0.1, start=start, n_steps=3).coefs
    np.testing.assert_allclose(decayed[-1], start * 0.9**3)
    subtracted = descend(nothing, L1(1.0), method="subgradient", step=0.1, start=start, n_steps=3).coefs
    np.testing.assert_allclose(subtracted[-1], start - 0.3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "newton"}, "method must be one of"),
        ({"method": "gradient"}, "L1 part"),
        ({"step": -1.0}, "step must be a finite number > 0"),
    ],
)
def test_descent_refuses_what_it_cannot_do(data, arguments, message):
    with pytest.raises(ValueError, match=message):
        descend(Moments.from_data(*data), L1(1.0), **arguments)


def test_descent_takes_one_target(data):
    X, y = data
    with pytest.raises(ValueError, match="one target, got 2"):
        descend(Moments.from_data(X, np.column_stack([y, y])), L1(1.0))


def test_positive_subgradient_steps_stay_feasible(data):
    X, y = data
    path = descend(Moments.from_data(X, y), L1(1.0, positive=True), method="subgradient", n_steps=30)
    assert np.all(path.coefs >= 0) and path.coefs[-1, 0] > 2
