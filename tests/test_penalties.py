"""The penalty's four faces against their definitions: minimisation, exponentiation, geometry, gradients."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.linear_model import ElasticNet, Ridge, enet_path

from skreg.penalties import L1, L2, ElasticNetPenalty

strengths = st.floats(0.0, 5.0).map(lambda number: round(number, 3))
factors = st.sampled_from([0.0, 0.3, 1.0, 2.5])
points = st.floats(-10.0, 10.0).map(lambda number: round(number, 3))
fast = settings(deadline=None, max_examples=60, derandomize=True)


def regression(seed=0, n=30, p=5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) + 2.0
    return X, X @ np.array([2.0, -1.0, 0.5, 0.0, 0.0]) + rng.normal(size=n) + 3.0


# ---------------------------------------------------------------------- value


def test_value_is_the_weighted_sum_of_absolute_values_and_half_squares():
    penalty = ElasticNetPenalty(l1=3.0, l2=4.0, factors=[1.0, 0.5, 0.0])
    # 1·(3·2 + ½·4·4) + ½·(3·1 + ½·4·1) + 0
    assert penalty.value([-2.0, 1.0, 100.0]) == 14.0 + 2.5


def test_value_is_infinite_for_a_negative_coefficient_under_positive_only():
    assert ElasticNetPenalty(1.0, 1.0, positive=True).value([1.0, -1e-300]) == math.inf
    assert ElasticNetPenalty(1.0, 1.0, [1.0, 0.0], positive=True).value([1.0, -1.0]) == math.inf
    assert ElasticNetPenalty(1.0, 1.0, positive=True).value([1.0, 0.0]) == 1.5
    assert ElasticNetPenalty(1.0, 1.0).value([1.0, -1.0]) == 3.0


def test_l1_and_l2_are_the_two_halves_of_the_elastic_net():
    w, v = np.array([1.5, -2.0]), [2.0, 0.5]
    lasso, ridge = L1(3.0, factors=v), L2(4.0, factors=v)
    assert (lasso.l1, lasso.l2, ridge.l1, ridge.l2) == (3.0, 0.0, 0.0, 4.0)
    assert lasso.value(w) == 3.0 * (2.0 * 1.5 + 0.5 * 2.0)
    assert ridge.value(w) == 2.0 * (2.0 * 1.5**2 + 0.5 * 2.0**2)
    assert lasso.value(w) + ridge.value(w) == ElasticNetPenalty(3.0, 4.0, v).value(w)
    assert L1(1.0, positive=True).value([-1.0]) == L2(1.0, positive=True).value([-1.0]) == math.inf
    assert (lasso.l1_ratio, ridge.l1_ratio) == (1.0, 0.0)
    assert ElasticNetPenalty(1.0, 3.0).l1_ratio == 0.25
    assert math.isnan(ElasticNetPenalty().l1_ratio)


def test_strengths_are_multiplied_feature_by_feature():
    penalty = ElasticNetPenalty(2.0, 6.0, [0.0, 1.0, 0.5])
    np.testing.assert_array_equal(penalty.l1_strengths(3), [0.0, 2.0, 1.0])
    np.testing.assert_array_equal(penalty.l2_strengths(3), [0.0, 6.0, 3.0])
    np.testing.assert_array_equal(penalty.penalized(3), [False, True, True])
    np.testing.assert_array_equal(L1(2.0).l1_strengths(2), [2.0, 2.0])
    np.testing.assert_array_equal(L2(0.0, factors=[1.0, 2.0]).penalized(2), [False, False])
    np.testing.assert_array_equal(L2(1.0).penalized(2), [True, True])


# ---------------------------------------------------------------------- scikit-learn's parameters


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_alpha_is_multiplied_by_the_total_weight_and_shared_by_the_ratio(ratio):
    penalty = ElasticNetPenalty.from_alpha(0.2, ratio, 50.0, factors=[1.0, 2.0], positive=True)
    assert penalty.l1 == pytest.approx(50.0 * 0.2 * ratio, rel=1e-15)
    assert penalty.l2 == pytest.approx(50.0 * 0.2 * (1.0 - ratio), rel=1e-15)
    assert penalty.l1_ratio == pytest.approx(ratio, rel=1e-15)
    assert penalty.positive
    np.testing.assert_array_equal(penalty.factors, [1.0, 2.0])


def test_an_elastic_net_without_l1_is_a_ridge_of_alpha_times_the_total_weight():
    net, ridge = ElasticNetPenalty.from_alpha(0.3, 0.0, 40.0), L2(40.0 * 0.3)
    assert (net.l1, net.l2) == (ridge.l1, ridge.l2)
    X, y = regression(n=40)
    sklearns = Ridge(alpha=ridge.l2, solver="cholesky").fit(X, y)
    residual = y - sklearns.predict(X)
    assert np.max(ridge.optimality_violation(sklearns.coef_, X.T @ residual)) < 1e-10


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ratio", [0.4, 1.0])
def test_energy_is_scikit_learns_objective_times_the_total_weight(ratio, weighted):
    X, y = regression()
    s = np.random.default_rng(1).uniform(0.5, 3.0, size=y.size) if weighted else np.ones(y.size)
    net = ElasticNet(alpha=0.2, l1_ratio=ratio, tol=1e-12, max_iter=100_000).fit(X, y, sample_weight=s)
    penalty = ElasticNetPenalty.from_alpha(0.2, ratio, s.sum())
    # The objective is that of scikit-learn's documentation; its minimiser, below, that of its code.
    for w in (net.coef_, net.coef_ + 0.1, np.zeros(5)):
        r = y - X @ w - net.intercept_
        objective = s @ r**2 / (2 * s.sum()) + 0.2 * ratio * np.abs(w).sum() + 0.5 * 0.2 * (1 - ratio) * w @ w
        assert 0.5 * s @ r**2 + penalty.value(w) == pytest.approx(s.sum() * objective, rel=1e-13)
    g = X.T @ (s * (y - X @ net.coef_ - net.intercept_))
    assert np.max(penalty.optimality_violation(net.coef_, g)) < 1e-5 * np.max(np.abs(X.T @ (s * y)))


# ---------------------------------------------------------------------- prox


@fast
@given(points, strengths, strengths, factors, st.floats(0.01, 5.0), st.booleans())
def test_prox_minimises_half_the_squared_distance_plus_the_penalty(z, l1, l2, v, step, positive):
    penalty = ElasticNetPenalty(l1, l2, [v], positive)
    u = penalty.prox([z], step)[0]

    def objective(number):
        return 0.5 * (number - z) ** 2 + step * penalty.value([number])

    # The objective is convex on either side of its kink.
    sides = [(0.0, abs(z) + 1.0)] + ([] if positive else [(-abs(z) - 1.0, 0.0)])
    searches = [
        minimize_scalar(objective, bounds=b, method="bounded", options={"xatol": 1e-9}) for b in sides
    ]
    best = min([(s.fun, s.x) for s in searches] + [(objective(0.0), 0.0)])
    assert objective(u) <= best[0] + 1e-12
    assert u == pytest.approx(best[1], abs=1e-6)


def test_prox_is_soft_thresholding_then_shrinkage():
    penalty = ElasticNetPenalty(l1=2.0, l2=3.0, factors=[1.0, 1.0, 0.0, 2.0])
    # (5 − ½·2)/(1 + ½·3), inside the threshold, untouched, −(5 − ½·2·2)/(1 + ½·3·2)
    np.testing.assert_allclose(penalty.prox([5.0, -0.9, -7.0, -5.0], 0.5), [4 / 2.5, 0.0, -7.0, -3 / 4])


def test_prox_at_or_under_the_threshold_is_exactly_positive_zero():
    at_threshold = L1(2.0).prox([-1.0, 1.0, -0.5, -0.0, 0.0], 0.5)
    np.testing.assert_array_equal(at_threshold, 0.0)
    assert not np.signbit(at_threshold).any()
    assert L1(2.0).prox([1.0 + 1e-12], 0.5)[0] > 0


def test_prox_under_positive_sends_every_negative_point_to_zero():
    penalty = ElasticNetPenalty(1.0, 1.0, [1.0, 0.0, 0.0], positive=True)
    np.testing.assert_array_equal(penalty.prox([-3.0, -3.0, 3.0], 1.0), [0.0, 0.0, 3.0])


# ---------------------------------------------------------------------- optimality


@fast
@given(points, points, strengths, strengths, factors, st.floats(0.1, 3.0), st.booleans(), st.booleans())
def test_a_coefficient_is_optimal_exactly_where_the_proximal_step_stays(
    w, g, l1, l2, v, step, positive, make_fixed
):
    penalty = ElasticNetPenalty(l1, l2, [v], positive)
    if make_fixed:  # u = prox(z) is the fixed point of the step whose correlation is (z − u)/step
        z, w = w, penalty.prox([w], step)[0]
        g = (z - w) / step
    elif positive:
        w = abs(w)
    violation = penalty.optimality_violation([w], [g])[0]
    moved = abs(penalty.prox([w + step * g], step)[0] - w)
    assert violation >= 0
    if make_fixed:
        assert violation <= 1e-12 * (1 + abs(g) / step)
    assert (violation < 1e-9) == (moved < 1e-9 * step)  # numbers of three decimals are never nearly equal


def test_optimality_violation_is_the_distance_to_the_subdifferential():
    penalty = ElasticNetPenalty(l1=2.0, l2=3.0, factors=[1.0, 1.0, 0.5, 0.0, 1.0, 1.0])
    w = [0.0, 0.0, 2.0, 4.0, -1.0, 0.0]
    g = [1.5, -5.0, 1.0, -0.7, -4.0, 2.0]
    # inside; 5 − 2; 1 − ½·3·2 − ½·2; a plain gradient; −4 + 3 + 2; on the edge
    np.testing.assert_allclose(penalty.optimality_violation(w, g), [0.0, 3.0, 3.0, 0.7, 1.0, 0.0], atol=1e-15)


def test_under_positive_only_a_push_upwards_violates_at_zero_and_a_negative_is_infinitely_wrong():
    penalty = ElasticNetPenalty(l1=2.0, l2=1.0, positive=True)
    violation = penalty.optimality_violation([0.0, 0.0, 1.0, -1e-9], [-50.0, 5.0, 2.0, 0.0])
    np.testing.assert_array_equal(violation, [0.0, 3.0, 1.0, math.inf])
    assert np.isfinite(ElasticNetPenalty(2.0, 1.0).optimality_violation([-1e-9], [0.0])).all()


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("v", [None, [2.0, 0.5, 1.0, 0.0, 3.0]])
@pytest.mark.parametrize("ratio", [0.25, 1.0])
def test_alpha_max_is_the_exact_threshold_of_the_empty_model(ratio, v, positive):
    X, y = regression(seed=3)
    n = y.size
    free = np.zeros(5, dtype=bool) if v is None else np.array(v) == 0
    basis = np.column_stack([np.ones(n), X[:, free]])
    residual = y - basis @ np.linalg.lstsq(basis, y)[0]
    g = X.T @ residual
    g[free] = 0.0  # orthogonal to the columns already fitted, up to rounding
    alpha = ElasticNetPenalty(ratio, 1.0 - ratio, v, positive).alpha_max(g, n)

    def violation(alpha):
        penalty = ElasticNetPenalty.from_alpha(alpha, ratio, n, factors=v, positive=positive)
        return penalty.optimality_violation(np.zeros(5), g)

    assert alpha > 0
    np.testing.assert_array_equal(violation(alpha * (1 + 1e-9)), 0.0)
    assert np.max(violation(alpha * (1 - 1e-6))) > 0


def test_alpha_max_under_positive_ignores_negative_correlations():
    assert L1(1.0, positive=True).alpha_max([-9.0, 2.0], 4.0) == 0.5
    assert L1(1.0).alpha_max([-9.0, 2.0], 4.0) == 2.25
    assert L1(1.0, positive=True).alpha_max([-9.0, -2.0], 4.0) == 0.0


@pytest.mark.parametrize("ratio", [0.25, 1.0])
def test_alpha_max_is_the_first_alpha_of_scikit_learns_path(ratio):
    X, y = regression(seed=5)
    X, y = X - X.mean(axis=0), y - y.mean()
    ours = ElasticNetPenalty(ratio, 1.0 - ratio).alpha_max(X.T @ y, y.size)
    assert ours == pytest.approx(np.max(np.abs(X.T @ y)) / (y.size * ratio), rel=1e-14)
    assert ours == pytest.approx(enet_path(X, y, l1_ratio=ratio, alphas=3)[0][0], rel=1e-12)


def test_alpha_max_does_not_depend_on_the_scale_of_the_strengths():
    g = [3.0, -5.0]
    assert ElasticNetPenalty(2.0, 6.0).alpha_max(g, 10.0) == pytest.approx(5.0 / (10.0 * 0.25))
    assert ElasticNetPenalty(200.0, 600.0).alpha_max(g, 10.0) == pytest.approx(5.0 / (10.0 * 0.25))


def test_without_l1_no_alpha_empties_the_model_and_without_penalised_features_every_alpha_does():
    assert L2(1.0).alpha_max([1.0, 2.0], 10.0) == math.inf
    assert L1(1.0, factors=[0.0, 0.0]).alpha_max([1.0, 2.0], 10.0) == 0.0


# ---------------------------------------------------------------------- the prior


@fast
@given(strengths, strengths, points, st.floats(0.05, 20.0))
def test_prior_rates_are_those_of_the_exponential_of_minus_the_penalty_over_the_variance(l1, l2, w, variance):
    penalty = ElasticNetPenalty(l1, l2)
    a, c = penalty.prior_rates(variance)
    assert -(a * abs(w) + 0.5 * c * w**2) == pytest.approx(
        -penalty.value([w]) / variance, rel=1e-12, abs=1e-300
    )


def test_ridge_prior_is_normal_and_lasso_prior_is_laplace():
    assert L2(4.0).prior_rates(0.5) == (0.0, 8.0)
    assert L1(4.0).prior_rates(0.5) == (8.0, 0.0)


# ---------------------------------------------------------------------- geometry

balls = pytest.mark.parametrize(
    "penalty",
    [
        L1(2.0),
        L2(3.0),
        ElasticNetPenalty(1.0, 5.0),
        ElasticNetPenalty(2.0, 0.5, [3.0, 0.2]),
        ElasticNetPenalty(1e-9, 1.0),
        ElasticNetPenalty(1.0, 1e-12),
    ],
)


@balls
@pytest.mark.parametrize("radius", [0.1, 2.5])
def test_every_point_of_the_balls_boundary_has_the_same_penalty(penalty, radius):
    boundary = penalty.ball(radius)
    assert boundary.shape == (361, 2)
    values = [penalty.value(point) for point in boundary]
    np.testing.assert_allclose(values, penalty.value([radius, 0.0]), rtol=1e-13)


@balls
def test_the_boundary_is_closed_and_goes_round_once_from_the_first_axis(penalty):
    boundary = penalty.ball(1.5, n_points=81)
    np.testing.assert_allclose(boundary[0], [1.5, 0.0], atol=1e-14)
    np.testing.assert_allclose(boundary[40], [-1.5, 0.0], atol=1e-14)
    np.testing.assert_allclose(boundary[-1], boundary[0], atol=1e-14)
    angle = np.unwrap(np.arctan2(boundary[:, 1], boundary[:, 0]))
    np.testing.assert_allclose(np.diff(angle), 2 * np.pi / 80, rtol=1e-10)


def test_the_l1_ball_is_a_diamond_with_exact_corners():
    corners = L1(0.7).ball(2.0, n_points=9)[::2]
    np.testing.assert_allclose(corners, [[2, 0], [0, 2], [-2, 0], [0, -2], [2, 0]], atol=1e-14)
    np.testing.assert_allclose(L1(0.7).ball(2.0, n_points=9)[1], [1.0, 1.0], rtol=1e-14)
    np.testing.assert_allclose(np.abs(L1(0.7).ball(2.0)).sum(axis=1), 2.0, rtol=1e-14)


def test_the_l2_ball_is_a_circle():
    np.testing.assert_allclose(np.hypot(*L2(0.7).ball(2.0).T), 2.0, rtol=1e-14)


def test_the_elastic_nets_ball_lies_between_the_diamond_and_the_circle():
    middle = np.hypot(*ElasticNetPenalty(1.0, 1.0).ball(1.0, n_points=9)[1])
    assert math.sqrt(0.5) + 0.01 < middle < 1.0 - 0.01


@pytest.mark.parametrize(
    "penalty", [ElasticNetPenalty(), L1(1.0, factors=[1.0, 0.0]), L2(1.0, factors=[0.0, 1.0])]
)
def test_a_penalty_that_leaves_a_direction_free_has_no_ball(penalty):
    with pytest.raises(ValueError, match="no bounded ball"):
        penalty.ball(1.0)


# ---------------------------------------------------------------------- training


def test_an_l2_step_multiplies_whatever_the_sign():
    w = np.array([1e-6, -1e-6, 3.0, -3.0, 1e6, 0.0])
    np.testing.assert_allclose(L2(2.0).gradient_step(w, 0.1), 0.8 * w, rtol=1e-15)


def test_an_l1_step_subtracts_the_same_whatever_the_size():
    w = np.array([0.5, -0.5, 3.0, -300.0, 0.0, 0.01])
    np.testing.assert_allclose(
        L1(2.0).gradient_step(w, 0.1), [0.3, -0.3, 2.8, -299.8, 0.0, -0.19], rtol=1e-14
    )


def test_a_training_step_follows_the_gradient_of_the_penalty():
    rng = np.random.default_rng(0)
    penalty = ElasticNetPenalty(1.3, 0.7, [1.0, 0.0, 2.0, 0.5])
    w, h, step = rng.normal(size=4), 1e-5, 0.01
    gradient = [(penalty.value(w + h * e) - penalty.value(w - h * e)) / (2 * h) for e in np.eye(4)]
    np.testing.assert_allclose((w - penalty.gradient_step(w, step)) / step, gradient, rtol=1e-7, atol=1e-10)


def test_a_training_step_takes_each_row_of_a_weight_matrix_by_itself():
    penalty = ElasticNetPenalty(1.3, 0.7, [1.0, 0.0, 2.0])
    W = np.random.default_rng(0).normal(size=(2, 4, 3))
    stepped = penalty.gradient_step(W, 0.1)
    assert stepped.shape == W.shape
    for index in np.ndindex(2, 4):
        np.testing.assert_array_equal(stepped[index], penalty.gradient_step(W[index], 0.1))


# ---------------------------------------------------------------------- the object


def test_a_penalty_cannot_be_changed():
    given_factors = np.array([1.0, 2.0])
    penalty = ElasticNetPenalty(1.0, 2.0, given_factors)
    for name in ("l1", "l2", "factors", "positive"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(penalty, name, 3.0)
    with pytest.raises(ValueError, match="read-only"):
        penalty.factors[0] = 5.0
    given_factors[0] = 100.0
    assert penalty.value([1.0, 0.0]) == 2.0


@pytest.mark.parametrize("name", ["l1", "l2"])
@pytest.mark.parametrize("strength", [-1e-9, math.nan, math.inf, -math.inf])
def test_a_strength_that_is_negative_or_not_finite_is_refused_by_name(name, strength):
    with pytest.raises(ValueError, match=rf"^{name} must be a finite number"):
        ElasticNetPenalty(**{name: strength})
    with pytest.raises(ValueError, match=rf"^{name} must be a finite number"):
        {"l1": L1, "l2": L2}[name](strength)


@pytest.mark.parametrize("number", [0.0, -1.0, math.nan, math.inf])
def test_a_step_or_variance_that_is_not_positive_and_finite_is_refused_by_name(number):
    penalty = ElasticNetPenalty(1.0, 1.0)
    with pytest.raises(ValueError, match=r"^step must"):
        penalty.prox([1.0], number)
    with pytest.raises(ValueError, match=r"^variance must"):
        penalty.prior_rates(number)


@pytest.mark.parametrize("bad", [[1.0, -1e-9], [math.nan, 1.0], [math.inf, 1.0], [[1.0, 2.0]], 1.0])
def test_factors_that_are_negative_or_not_finite_or_not_a_vector_are_refused_by_name(bad):
    with pytest.raises(ValueError, match=r"^factors must be a one-dimensional array of finite numbers"):
        ElasticNetPenalty(1.0, 1.0, factors=bad)


@pytest.mark.parametrize(
    "call",
    [
        lambda penalty: penalty.value([1.0, 2.0, 3.0]),
        lambda penalty: penalty.prox([1.0, 2.0, 3.0], 1.0),
        lambda penalty: penalty.optimality_violation(np.zeros(3), np.zeros(3)),
        lambda penalty: penalty.alpha_max(np.ones(3), 1.0),
        lambda penalty: penalty.gradient_step(np.ones((2, 3)), 1.0),
        lambda penalty: penalty.l1_strengths(3),
        lambda penalty: penalty.penalized(3),
    ],
)
def test_the_wrong_number_of_factors_is_refused_with_both_counts(call):
    with pytest.raises(ValueError, match=r"factors.*got 2 for 3 features"):
        call(ElasticNetPenalty(1.0, 1.0, [1.0, 2.0]))
