"""The forest holds what the draws say, of either version of ArviZ, and the estimators' own coefficients."""

import numpy as np
import pytest
import scenes
from sklearn.datasets import load_diabetes

from skreg import Lasso, PosteriorDisplay, Ridge, SDScaled, compare, posterior
from skreg.bayes.container import group_of

X, y = load_diabetes(return_X_y=True, as_frame=True)


def test_mean_median_interval_and_mode_are_those_of_the_draws():
    display = scenes.posterior()
    for model, (name, container) in enumerate(scenes.posteriors(False).items()):
        coef = group_of(container, "posterior")["coef"]
        draws = coef.to_numpy().reshape(-1, 10)
        assert display.model_names[model] == name
        assert np.allclose(display.mean[model], draws.mean(axis=0))
        assert np.allclose(display.median[model], np.median(draws, axis=0))
        within = (display.lower[model] <= draws) & (draws <= display.upper[model])
        assert np.allclose(within.mean(axis=0), 0.9, atol=1e-3)
        assert np.allclose((draws < display.lower[model]).mean(axis=0), 0.05, atol=1e-3)
        assert np.array_equal(display.mode[model], group_of(container, "constant_data")["coef_estimate"])
    assert tuple(display.feature_names) == tuple(scenes.diabetes()[0].columns)
    assert np.count_nonzero(display.mode[1] == 0) > 0  # the Lasso's zeros are the mode's alone
    assert np.all(display.median[1] != 0)


def test_what_is_drawn_are_these_numbers():
    display = scenes.posterior()
    frame = display.frame()
    for model, name in enumerate(display.model_names):
        rows = frame.loc[name]
        assert np.array_equal(display.medians_[model].get_xdata(), rows["median"])
        assert np.array_equal(display.means_[model].get_xdata(), rows["mean"])
        assert np.array_equal(display.modes_[model].get_xdata(), rows["mode"])
        ends = np.array([segment[:, 0] for segment in display.intervals_[model].get_segments()])
        assert np.array_equal(ends, rows[["lower", "upper"]].to_numpy())
        heights = display.medians_[model].get_ydata()
        assert np.all(np.abs(heights - np.arange(10)) < 0.5)  # each in its feature's row
        assert np.array_equal(display.modes_[model].get_ydata(), heights)
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == list(frame.loc["ridge"].index)


def test_a_display_made_of_its_frame_is_the_same():
    display = scenes.posterior()
    frame = display.frame()
    tables = {
        name: frame[name].unstack("feature")[list(display.feature_names)].loc[list(display.model_names)]
        for name in frame.columns
    }
    again = PosteriorDisplay(
        **tables,
        model_names=display.model_names,
        feature_names=display.feature_names,
        coverage=display.coverage,
    )
    assert again.frame().equals(frame)
    again.plot()


def test_from_an_estimator_it_is_the_same_as_from_its_posterior():
    model = Lasso(alpha=0.3).fit(X, y)
    one = PosteriorDisplay.from_estimator(model, X, y, random_state=1, draws=200, coverage=0.5)
    other = PosteriorDisplay.from_result(posterior(model, X, y, random_state=1, draws=200), coverage=0.5)
    assert one.model_names == ("Lasso(alpha=0.3)",)
    assert one.frame().equals(other.frame())
    assert one.ax_.get_xlabel() == "coefficient: median, mean, 50 % interval"


def test_it_takes_what_compare_has():
    found = compare({"weak": Ridge(alpha=0.01), "strong": Ridge(alpha=1.0)}, X, y, draws=500, random_state=0)
    display = PosteriorDisplay.from_result(found.posteriors)
    for name in ("weak", "strong"):
        assert np.allclose(display.frame().loc[name][["mean", "median", "mode"]], found.coef[name])


def test_of_many_features_the_largest_are_drawn_and_all_are_in_the_frame():
    display = scenes.posterior(many=True)
    assert len(display.frame()) == 2 * 300 and display.shown_.size == 30
    size = np.maximum(np.abs(display.median), np.abs(display.mode)).max(axis=0)
    assert set(display.shown_) == set(np.argsort(-size)[:30])
    assert np.all(np.diff(display.median[0][display.shown_]) <= 0)  # sorted
    whole = display.plot(max_features=None)
    assert np.array_equal(whole.shown_, np.arange(300))
    assert len(whole.intervals_[0].get_segments()) == 300
    assert len(whole.ax_.texts) == 10  # the others have no name
    assert display.plot(max_features=None, sort=True).shown_[0] == np.argmax(display.median[0])


def test_a_contract_whose_mode_is_another_has_none_to_show():
    drawn = posterior(Lasso(alpha=0.1), X, y, noise=SDScaled(0.237), random_state=0, draws=300)
    display = PosteriorDisplay.from_result(drawn)
    assert np.all(np.isnan(display.mode))
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert not any("mode" in label for label in labels)


def test_what_is_no_posterior_says_so():
    drawn = posterior(Ridge(), X, y, draws=500, random_state=0)
    with pytest.raises(TypeError, match=r"'a' must be an ArviZ container"):
        PosteriorDisplay.from_result({"a": X})
    with pytest.raises(ValueError, match="at least one posterior"):
        PosteriorDisplay.from_result({})
    other = posterior(Ridge(), X[["bmi", "bp"]], y, draws=500, random_state=0)
    with pytest.raises(ValueError, match="those of 'b' are not those of 'a'"):
        PosteriorDisplay.from_result({"a": drawn, "b": other})
    for coverage in (0.0, 1.0, 1.5):
        with pytest.raises(ValueError, match="coverage must be"):
            PosteriorDisplay.from_result(drawn, coverage=coverage)
    with pytest.raises(ValueError, match="max_features must be"):
        PosteriorDisplay.from_result(drawn, max_features=0)
