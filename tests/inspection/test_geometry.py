"""The touching point of a quadratic loss and the ball of a penalty."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skreg import L1, L2, ElasticNetPenalty, Moments
from skreg.inspection import geometry
from skreg.inspection.geometry import contour_hessian, loss_contour, radius_through, touching_point
from skreg.solvers import descend

OPENING = (
    contour_hessian(geometry.OPENING_ANGLE, geometry.OPENING_CURVATURES),
    geometry.OPENING_CENTER,
)


def moments_of(hessian, center):
    """Two rows whose squared error is the quadratic."""
    X = np.linalg.cholesky(hessian).T
    return Moments.from_data(X, X @ center, centred=False)


@st.composite
def scenes(draw):
    angle = draw(st.floats(0.0, 180.0))
    curvatures = [10 ** draw(st.floats(-3.0, 3.0)) for _ in range(2)]
    center = np.array([draw(st.floats(-5.0, 5.0)) for _ in range(2)])
    ratio = draw(st.sampled_from([0.0, 1e-9, 0.3, 0.5, 0.999, 1.0]) | st.floats(0.0, 1.0))
    factors = draw(st.sampled_from([None, [1.0, 4.0], [0.3, 0.02]]))
    penalty = ElasticNetPenalty(l1=ratio, l2=1.0 - ratio, factors=factors)
    return contour_hessian(angle, curvatures), center, penalty, 10 ** draw(st.floats(-2.0, 1.0))


def test_the_opening_scene_is_the_published_one():
    circle = touching_point(*OPENING, L2(1.0), geometry.OPENING_RADIUS)
    assert circle.coef.round(3).tolist() == [1.157, 0.320]
    assert not circle.zeros.any()
    diamond = touching_point(*OPENING, L1(1.0), geometry.OPENING_RADIUS)
    assert diamond.coef.tolist() == [1.2, 0.0]
    assert diamond.zeros.tolist() == [False, True]
    # Well within the corner's cone: rounding could not decide otherwise.
    pull = OPENING[0] @ (OPENING[1] - diamond.coef)
    assert abs(pull[1]) < 0.9 * pull[0]


@given(scenes())
@settings(max_examples=300, deadline=None)
def test_the_touching_point_minimises_the_loss_with_the_equivalent_penalty(scene):
    hessian, center, penalty, radius = scene
    touch = touching_point(*scene)
    limit = penalty.value([radius, 0.0])
    if touch.multiplier == 0:  # the ball holds the least-squares solution
        assert penalty.value(center) <= limit
        assert np.array_equal(touch.coef, center)
        return
    assert penalty.value(touch.coef) == pytest.approx(limit, rel=1e-11)
    equivalent = ElasticNetPenalty(
        l1=touch.multiplier * penalty.l1, l2=touch.multiplier * penalty.l2, factors=penalty.factors
    )
    pull = hessian @ (center - touch.coef)
    scale = np.abs(hessian) @ (np.abs(center) + np.abs(touch.coef))
    assert np.all(equivalent.optimality_violation(touch.coef, pull) <= 1e-11 * scale.max())


@given(scenes())
@settings(max_examples=100, deadline=None)
def test_no_point_of_the_ball_has_less_loss(scene):
    hessian, center, penalty, radius = scene
    touch = touching_point(*scene)
    away = penalty.ball(radius, n_points=721) - center
    losses = 0.5 * np.einsum("ij,jk,ik->i", away, hessian, away)
    assert touch.loss <= losses.min() * (1 + 1e-9)


@given(scenes())
@settings(max_examples=100, deadline=None)
def test_a_reflection_of_the_scene_reflects_the_point(scene):
    hessian, center, penalty, radius = scene
    mirror = np.array([1.0, -1.0])
    touch = touching_point(*scene)
    seen = touching_point(hessian * np.outer(mirror, mirror), center * mirror, penalty, radius)
    assert np.allclose(seen.coef, touch.coef * mirror, rtol=1e-12, atol=0)
    assert np.array_equal(seen.zeros, touch.zeros)


@pytest.mark.parametrize("penalty", [L1(0.8), L2(1.3), ElasticNetPenalty(l1=0.5, l2=0.7)])
def test_of_the_ball_through_a_penalised_solution_the_multiplier_is_one(penalty):
    hessian, center = OPENING
    solution = descend(moments_of(hessian, center), penalty, n_steps=2000).coefs[-1]
    touch = touching_point(hessian, center, penalty, radius_through(penalty, solution))
    assert np.allclose(touch.coef, solution, rtol=1e-10, atol=1e-12)
    assert touch.multiplier == pytest.approx(1.0, rel=1e-9)


def test_from_the_circle_to_the_diamond_the_second_coefficient_vanishes_once_and_stays_zero():
    ratios = np.linspace(0.0, 1.0, 201)
    touches = [touching_point(*OPENING, ElasticNetPenalty(l1=r, l2=1 - r), 1.2) for r in ratios]
    zero = np.array([touch.zeros[1] for touch in touches])
    assert not zero[0] and zero[-1]
    assert np.count_nonzero(np.diff(zero)) == 1
    coefs = np.array([touch.coef for touch in touches])
    assert np.abs(np.diff(coefs, axis=0)).max() < 0.02  # no jump on the way


def test_a_corner_s_cone_ends_where_the_arc_begins():
    # At the edge of the cone rounding may see neither; the point is the corner all the same.
    hessian = contour_hessian(30.0, [1.0, 7.0])
    corner = np.array([1.2, 0.0])
    for multiplier in np.geomspace(1e-3, 1e3, 400):
        penalty = ElasticNetPenalty(l1=0.4, l2=0.6)
        pull = multiplier * np.array([0.4 + 0.6 * 1.2, 0.4])
        touch = touching_point(hessian, corner + np.linalg.solve(hessian, pull), penalty, 1.2)
        assert np.allclose(touch.coef, corner, atol=1e-9)
        assert touch.multiplier == pytest.approx(multiplier, rel=1e-9)
        # A little out of the cone it is no corner any more.
        touch = touching_point(
            hessian, corner + np.linalg.solve(hessian, pull * [1.0, 1.0 + 1e-11]), penalty, 1.2
        )
        assert 0.0 < touch.coef[1] < 1e-8


def test_the_touching_contour_goes_through_the_touching_point():
    hessian, center = OPENING
    touch = touching_point(hessian, center, L2(1.0), 1.2)
    away = loss_contour(hessian, center, touch.loss, n_points=100_001) - touch.coef
    assert np.hypot(*away.T).min() < 1e-4
    curve = loss_contour(hessian, center, touch.loss, n_points=9) - center
    assert np.allclose(0.5 * np.einsum("ij,jk,ik->i", curve, hessian, curve), touch.loss, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hessian": [[1.0, 2.0], [2.0, 1.0]]}, r"hessian must be symmetric and positive definite"),
        ({"hessian": [[1.0, 0.5], [0.0, 1.0]]}, r"hessian must be symmetric"),
        ({"hessian": np.eye(3)}, r"hessian must be .* shape \(2, 2\), got shape \(3, 3\)"),
        ({"center": [0.0, np.nan]}, r"center must be finite"),
        ({"radius": 0.0}, r"radius must be a finite number > 0"),
        ({"penalty": L1(0.0)}, r"leaves a direction free"),
        ({"penalty": L1(1.0, factors=[1.0, 0.0])}, r"leaves a direction free"),
        ({"penalty": L1(1.0, positive=True)}, r"positive=True"),
    ],
)
def test_what_has_no_touching_point_is_refused(change, message):
    given = {"hessian": np.eye(2), "center": [2.0, 1.0], "penalty": L2(1.0), "radius": 1.0}
    with pytest.raises(ValueError, match=message):
        touching_point(**{**given, **change})
