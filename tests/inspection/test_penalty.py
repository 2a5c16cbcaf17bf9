"""The picture of a penalty: a ball through the estimator's own coefficients, touched there."""

import numpy as np
import pytest
import scenes
import sklearn.linear_model
from sklearn.datasets import load_diabetes

from skreg import L1, L2, ElasticNet, Lasso, LassoCV, PenaltyGeometryDisplay, Ridge, energy_of
from skreg.inspection.geometry import contour_hessian

X, y = load_diabetes(return_X_y=True, as_frame=True)


@pytest.mark.parametrize(
    "estimator",
    [
        Lasso(alpha=1.0),
        Lasso(alpha=0.3),
        Ridge(alpha=2.0),
        ElasticNet(alpha=0.004, l1_ratio=0.4),
        ElasticNet(alpha=0.004, penalty_weights=np.linspace(1.0, 3.0, 10)),
        LassoCV(),
        sklearn.linear_model.Lasso(alpha=0.3, tol=1e-12),
    ],
    ids=str,
)
@pytest.mark.parametrize("features", [["bmi", "s5"], [3, 6], None])
def test_the_touching_point_is_the_estimator_s_coefficients_and_the_multiplier_one(estimator, features):
    display = PenaltyGeometryDisplay.from_estimator(estimator, X, y, features=features)
    energy = energy_of(estimator, X, y)
    pair = [energy.feature_names.index(name) for name in display.feature_names]
    coef = energy.coef[pair]
    touch = display.touch
    assert np.allclose(touch.coef, coef, rtol=1e-6, atol=1e-6 * np.abs(coef).max())
    assert touch.multiplier == pytest.approx(1.0, rel=1e-6)
    assert np.array_equal(touch.zeros, coef == 0)
    if features is None:
        assert set(pair) == set(np.argsort(-np.abs(energy.coef))[:2])


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_the_loss_is_the_energy_s_with_the_other_coefficients_held(shift):
    shifted, weights = X + shift, np.linspace(0.5, 2.0, len(y))
    model = Lasso(alpha=0.3).fit(shifted, y, sample_weight=weights)
    display = PenaltyGeometryDisplay.from_estimator(
        model, shifted, y, features=["bmi", "bp"], sample_weight=weights
    )
    energy = energy_of(model, shifted, y, weights)
    frame = display.frame().loc["ball"].iloc[::40]
    offsets = []
    for point in frame.itertuples():
        coef = energy.coef.copy()
        coef[[2, 3]] = point.bmi, point.bp
        offsets.append(0.5 * weights @ energy.residual(coef) ** 2 - point.loss)
    assert np.ptp(offsets) < 1e-9 * np.mean(np.abs(offsets))


def test_the_curves_drawn_are_those_of_the_frame():
    display = scenes.penalty_geometry()
    frame = display.frame()
    names = list(display.feature_names)
    assert np.array_equal(display.ball_[0].get_xydata(), frame.loc["ball", names].to_numpy())
    assert np.array_equal(display.trajectory_.get_xydata(), frame.loc["trajectory", names].to_numpy())
    for number in range(4):
        drawn = display.contours_[number].get_xydata()
        assert np.array_equal(drawn, frame.loc[f"contour {number}", names].to_numpy())
    assert np.allclose(frame.loc["contour 2", "loss"], frame.loc["touch", "loss"].iloc[0])
    assert np.array_equal(display.touch_[0].get_xydata(), frame.loc["touch", names].to_numpy())
    assert np.array_equal(frame.loc["least squares", names].to_numpy()[0], display.center)


def test_the_descent_ends_where_they_touch():
    for method, penalty in (("proximal", Lasso(alpha=0.3)), ("gradient", Ridge(alpha=1.0))):
        display = PenaltyGeometryDisplay.from_estimator(
            penalty, X, y, features=["bmi", "bp"], method=method, n_steps=200, start=[500.0, -300.0]
        )
        assert np.array_equal(display.trajectory[0], [500.0, -300.0])
        assert np.allclose(display.trajectory[-1], display.touch.coef, rtol=1e-6)
    assert PenaltyGeometryDisplay.from_estimator(Lasso(alpha=0.3), X, y, n_steps=0).trajectory_ is None


@pytest.mark.parametrize(
    "display",
    [
        scenes.penalty_geometry(),
        PenaltyGeometryDisplay(
            hessian=[[20, -10], [-10, 20]], center=[2.3, 1.1], penalty=L1(0.4), radius=1.2
        ),
        PenaltyGeometryDisplay(
            hessian=[[20, -10], [-10, 20]], center=[2.3, 1.1], penalty=L2(0.4), radius=1.2
        ),
    ],
    ids=["an estimator's", "diamond", "circle"],
)
def test_the_posterior_is_highest_where_they_touch_and_holds_what_its_contours_say(display):
    mesh, density, (ninety, fifty) = display._posterior(display.touch)
    peak = np.unravel_index(np.argmax(density), density.shape)
    step = mesh[0][0, 1] - mesh[0][0, 0], mesh[1][1, 0] - mesh[1][0, 0]
    found = np.array([mesh[0][peak], mesh[1][peak]])
    assert np.all(np.abs(found - display.touch.coef) <= step)
    assert density[density >= ninety].sum() / density.sum() == pytest.approx(0.9, abs=0.01)
    assert density[density >= fifty].sum() / density.sum() == pytest.approx(0.5, abs=0.01)
    assert density[0].max() < 1e-4 and density[-1].max() < 1e-4  # the mesh holds it


def test_a_ridge_s_posterior_is_the_normal_one():
    display = PenaltyGeometryDisplay.from_estimator(Ridge(alpha=1.0), X, y, features=["bmi", "bp"])
    (first, second), density, _ = display._posterior(display.touch)
    points = np.stack([first.ravel(), second.ravel()])
    weight = density.ravel() / density.sum()
    mean = points @ weight
    covariance = (points - mean[:, None]) * weight @ (points - mean[:, None]).T
    exact = display.variance * np.linalg.inv(display.hessian + np.eye(2))
    assert np.allclose(mean, display.touch.coef, rtol=1e-6)
    assert np.allclose(covariance, exact, rtol=1e-3)


def test_a_ball_that_holds_the_least_squares_solution_is_drawn_without_a_posterior():
    display = PenaltyGeometryDisplay(hessian=np.eye(2), center=[0.2, 0.1], penalty=L2(1.0), radius=1.0).plot()
    assert display.touch.multiplier == 0 and display.posterior_ is None
    assert np.array_equal(display.touch.coef, [0.2, 0.1])


def test_axes_of_like_units_are_drawn_alike_and_others_fill_the_panel():
    like = PenaltyGeometryDisplay(hessian=np.eye(2), center=[2.0, 1.0], penalty=L1(1.0), radius=1.0).plot()
    assert like.ax_.get_aspect() == 1.0
    stretched = PenaltyGeometryDisplay(
        hessian=contour_hessian(0.0, [1.0, 1e6]),
        center=[20.0, 0.01],
        penalty=L1(1.0, factors=[1.0, 1e3]),
        radius=10.0,
    )
    assert stretched.plot().ax_.get_aspect() == "auto"


@pytest.mark.parametrize(
    ("estimator", "params", "message"),
    [
        (Lasso(alpha=1.0), {"features": ["bmi"]}, "features must be two different names or positions"),
        (Lasso(alpha=1.0), {"features": ["bmi", "bmi"]}, "features must be two different"),
        (Lasso(alpha=1.0), {"features": ["bmi", "weight"]}, "features must be two different"),
        (Lasso(alpha=1.0), {"features": ["age", "sex"]}, "Both coefficients, of 'age' and 'sex', are zero"),
        (Lasso(alpha=1.0, positive=True), {}, "positive=True"),
        (Ridge(alpha=0.0), {}, "leaves a direction free"),
        (Lasso(alpha=1.0, penalty_weights=[1, 1, 0, 1, 1, 1, 1, 1, 1, 1]), {}, "leaves a direction free"),
        (Lasso(alpha=1.0), {"method": "leap"}, "method must be one of"),
    ],
)
def test_what_has_no_picture_says_so(estimator, params, message):
    with pytest.raises(ValueError, match=message):
        PenaltyGeometryDisplay.from_estimator(estimator, X, y, **params)


def test_one_feature_or_collinear_ones_have_no_picture():
    with pytest.raises(ValueError, match=r"of two coefficients, and Lasso\(alpha=1\) has 1"):
        PenaltyGeometryDisplay.from_estimator(Lasso(), X[["bmi"]], y)
    twice = np.column_stack([X["bmi"], 2.54 * X["bmi"]])
    with pytest.raises(ValueError, match="'x0' and 'x1' are collinear"):
        PenaltyGeometryDisplay.from_estimator(Ridge(), twice, y)
