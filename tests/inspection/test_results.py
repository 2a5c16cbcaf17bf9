"""The Displays of results: each draws the numbers of the result, and its frame gives them back."""

import numpy as np
import pytest
import scenes
from sklearn.linear_model import LinearRegression

from skreg import (
    BiasVarianceDisplay,
    ComparisonDisplay,
    Lasso,
    MAPAgreementDisplay,
    Ridge,
    StabilityDisplay,
    StabilitySelector,
    bias_variance_curve,
)

both = pytest.mark.parametrize("many", [False, True], ids=["few", "many"])


@both
def test_an_agreement_is_drawn_as_it_is(many):
    agreement, display = scenes.agreement(many), scenes.map_agreement(many)
    assert np.array_equal(display.coef, agreement.coef)
    assert np.array_equal(display.coef_pymc, agreement.coef_pymc)
    frame = display.frame()
    assert frame[["coef", "coef_pymc"]].equals(agreement.frame()[["coef", "coef_pymc"]])
    assert frame["relative_difference"].max() == pytest.approx(
        agreement.max_abs_diff / np.abs(agreement.coef).max()
    )
    kept = agreement.coef != 0
    assert np.array_equal(
        display.points_.get_xydata(), np.column_stack([agreement.coef, agreement.coef_pymc])[kept]
    )
    assert display.allowed_.get_ydata()[0] == agreement.rtol
    heights = np.sort(display.differences_.get_ydata())
    assert np.allclose(heights, np.sort(np.maximum(frame["relative_difference"], 1e-16)))
    assert display.ax_.get_title(loc="left").endswith("the modes agree")


def test_modes_that_differ_are_said_to_and_the_features_named():
    coef = np.linspace(1.0, 2.0, 50)
    other = coef.copy()
    other[7] += 0.1
    display = MAPAgreementDisplay(coef=coef, coef_pymc=other).plot()
    assert display.ax_.get_title(loc="left").endswith("DO NOT agree")
    assert "x7" in [text.get_text() for text in display.axes_[1].texts]
    assert display.frame()["relative_difference"].idxmax() == "x7"
    MAPAgreementDisplay(coef=np.zeros(3), coef_pymc=np.zeros(3)).plot()


def test_from_an_estimator_the_agreement_is_found():
    X, y = scenes.diabetes()
    display = MAPAgreementDisplay.from_estimator(
        Lasso(alpha=1.0), X[["bmi", "bp"]], y, noise=50.0, kind="coef"
    )
    assert display._agrees and display.estimator_name == "Lasso(alpha=1)"
    assert np.allclose(display.coef, Lasso(alpha=1.0).fit(X[["bmi", "bp"]], y).coef_)


@both
def test_a_curve_of_bias_and_variance_is_drawn_as_it_is(many):
    curve, display = scenes.curve(many), scenes.bias_variance(many)
    shown = {"total", "variance"} | ({"bias_squared", "noise"} if many else {"bias_squared_plus_noise"})
    assert set(display.lines_) == shown
    for name, line in display.lines_.items():
        assert np.array_equal(line.get_ydata(), getattr(curve, name))
    frame = display.frame()
    assert frame[curve.frame().columns.tolist()].equals(curve.frame())
    assert display.best_.get_ydata()[0] == curve.total.min()
    if many:
        assert np.array_equal(display.lines_["total"].get_xdata(), curve.param_range)
        assert display.ax_.get_xscale() == "log"
    else:  # one of the values is no number
        labels = [text.get_text() for text in display.ax_.get_xticklabels()]
        assert labels == ["1", "2", "3", "5", "None"]


def test_from_a_regressor_the_curve_is_computed():
    X, setting = np.linspace(-1.0, 1.0, 20)[:, None], {"n_repeats": 20, "random_state": 0}
    truth = {"true_function": lambda X: 3.0 * X[:, 0], "noise_variance": 1.0}
    display = BiasVarianceDisplay.from_estimator(
        Ridge(), X, None, param_name="alpha", param_range=[1.0, 2.0, 3.0], log_y=True, **setting, **truth
    )
    curve = bias_variance_curve(Ridge(), X, None, "alpha", [1.0, 2.0, 3.0], **setting, **truth)
    assert display.frame()[curve.frame().columns.tolist()].equals(curve.frame())
    assert (display.ax_.get_xscale(), display.ax_.get_yscale()) == ("linear", "log")
    columns = display.frame().to_dict("list")
    again = BiasVarianceDisplay(param_name="alpha", param_range=[1.0, 2.0, 3.0], **columns)
    assert again.frame().equals(display.frame())


@both
def test_stability_is_drawn_as_it_was_counted(many):
    selector, display = scenes.selector(many), scenes.stability(many)
    p = selector.n_features_in_
    assert len(display.lines_) == p
    for line, path in zip(display.lines_, selector.stability_path_, strict=True):
        assert np.array_equal(line.get_xydata(), np.column_stack([selector.alphas_, path]))
    assert [line.get_ydata()[0] for line in display.threshold_[:1]] == [selector.threshold_]
    assert display.threshold_[1].get_xdata()[0] == selector.threshold_
    frame = display.frame()
    assert np.array_equal(frame["probability"], selector.selection_probabilities_)
    assert np.array_equal(frame["selected"], selector.get_support())
    assert list(frame.index) == list(selector.feature_names_in_)
    assert np.array_equal(frame[selector.alphas_.tolist()].to_numpy(), selector.stability_path_)
    assert np.array_equal(
        display.points_.get_xdata(), np.sort(selector.selection_probabilities_)[::-1][: min(p, 20)]
    )
    drawn_strong = [line.get_linewidth() > 1.0 for line in display.lines_]
    assert np.array_equal(drawn_strong, selector.get_support())
    named = {text.get_text() for text in display.axes_[0].texts}
    assert named == set(selector.get_feature_names_out())


def test_what_is_no_stability_selection_says_so():
    with pytest.raises(TypeError, match="estimator must be a StabilitySelector, got LinearRegression"):
        StabilityDisplay.from_estimator(LinearRegression())
    with pytest.raises(ValueError, match="not fitted"):
        StabilityDisplay.from_estimator(StabilitySelector())


@both
def test_a_comparison_is_drawn_as_it_is(many):
    table, display = scenes.table(many), scenes.comparison(many)
    for name, points in display.points_.items():
        assert np.array_equal(points.get_xdata(), table[name], equal_nan=True)
    assert set(display.points_) == {"score", "n_nonzero", "coverage", "seconds"}
    frame = display.frame()
    assert frame.equals(table[frame.columns].astype(float))
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == list(table.index)
    columns = {name: frame[name] for name in frame}
    assert ComparisonDisplay(techniques=frame.index, **columns).frame().equals(frame)


def test_panels_of_what_no_technique_has_are_left_out_or_refused():
    table = scenes.table(False).drop(columns="coverage")
    display = ComparisonDisplay.from_result(table)
    assert set(display.points_) == {"score", "n_nonzero", "seconds"}
    with pytest.raises(ValueError, match=r"kind must be some of 'score', .* got 'coverage'"):
        display.plot(kind="coverage")
    with pytest.raises(TypeError, match="a column 'score'"):
        ComparisonDisplay.from_result({"score": 1.0})
