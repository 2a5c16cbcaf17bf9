"""The thinned networks drawn are those that inference averages over, and so is the uncertainty."""

import numpy as np
import pandas as pd
import pytest
import scenes
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import BaggedDropoutMLPClassifier, BaggedDropoutMLPRegressor, DropoutDisplay

rng = np.random.default_rng(0)
X3 = pd.DataFrame(rng.standard_normal((60, 3)), columns=["a", "b", "c"])
y3 = X3["a"] - 2.0 * X3["c"] + 0.1 * rng.standard_normal(60)
SMALL = {"hidden_layer_sizes": (6,), "n_estimators": 4, "max_iter": 10, "random_state": 0}
REGRESSOR = BaggedDropoutMLPRegressor(**SMALL).fit(X3, y3)


def relu(z):
    return np.maximum(z, 0.0)


def test_monte_carlo_predictions_are_the_mean_of_the_networks_whose_units_are_kept():
    model = BaggedDropoutMLPRegressor(dropout=0.25, input_dropout=0.5, **SMALL).fit(X3, y3)
    kept = model.kept_units(5)
    assert [layer.shape for layer in kept] == [(5, 4, 3), (5, 4, 6)]
    for layer, first_of_them in zip(kept, model.kept_units(1), strict=True):
        assert np.array_equal(layer[:1], first_of_them)
    mean, scale = model._input_scaling.mean, model._input_scaling.scale
    standardised = (X3.to_numpy() - mean) / scale
    total = 0.0
    for mask in range(5):
        for member in range(4):
            (first, last), (b0, b1) = (
                [coef[member].T for coef in model._network.coefs],
                [intercept[member] for intercept in model._network.intercepts],
            )
            inputs = standardised * kept[0][mask, member] / 0.5
            hidden = relu(inputs @ first + b0) * kept[1][mask, member] / 0.75
            total = total + hidden @ last + b1
    target = model._target_scaling
    expected = (total / 20).ravel() * target.scale + target.mean
    assert np.allclose(model.predict(X3, inference="monte_carlo", n_masks=5), expected, rtol=1e-5, atol=1e-5)


def test_the_units_drawn_are_those_kept():
    model, _, _ = scenes.networks(False)
    display = scenes.dropout()
    for layer, kept in zip(display.kept, model.kept_units(3), strict=True):
        assert np.array_equal(layer, kept[:, 0])
    frame = display.frame("networks")
    assert np.array_equal(frame.loc[1].to_numpy(), np.asarray(display.kept[1]).T)
    # Every network: layer by layer the units kept, then those dropped; of 16 units ten are shown.
    shown = np.unique(np.linspace(0, 15, 10).round().astype(int))
    per_network = 2 * 4
    for network in range(3):
        drawn = display.units_[per_network * (network + 1) :][:per_network]
        assert len(drawn[2].get_offsets()) == np.count_nonzero(display.kept[1][network][shown])
        assert len(drawn[3].get_offsets()) == np.count_nonzero(~display.kept[1][network][shown])
    assert [len(units.get_offsets()) for units in display.units_[:per_network]] == [2, 0, 10, 0, 10, 0, 1, 0]
    for layer, coef in zip(display.weights, model.coefs_, strict=True):
        assert np.array_equal(layer, coef[0])


def test_the_uncertainty_is_what_the_networks_predict_on_the_grid():
    model, X, _ = scenes.networks(False)
    display = scenes.dropout()
    frame = display.frame()
    found = model.predict_uncertainty(frame[["width", "height"]], n_masks=20)
    assert np.allclose(frame["uncertainty"], found.mutual_information, rtol=1e-4, atol=1e-7)
    assert np.allclose(frame[["mean 0", "mean 1"]], found.mean, rtol=1e-5)
    assert display.uncertainty_name == "mutual information (nats)"
    assert frame["width"].min() < X["width"].min() and frame["width"].max() > X["width"].max()
    (boundary,) = display.boundaries_
    vertices = np.concatenate([path.vertices for path in boundary.get_paths()])
    probability = model.predict_proba(pd.DataFrame(vertices, columns=X.columns), "monte_carlo", n_masks=20)
    assert np.abs(probability[:, 1] - 0.5).max() < 0.03


def test_of_a_regression_it_is_the_standard_deviation_with_the_other_inputs_at_their_medians():
    display = DropoutDisplay.from_estimator(REGRESSOR, X3, features=["c", "a"], grid_resolution=9, n_masks=4)
    rows = display.frame()[["a", "c"]].assign(b=X3["b"].median())[["a", "b", "c"]]
    found = REGRESSOR.predict_uncertainty(rows, n_masks=4)
    assert np.allclose(display.uncertainty.ravel(), np.sqrt(found.variance), rtol=1e-4)
    assert np.allclose(display.mean.ravel(), found.mean, rtol=1e-4, atol=1e-4)
    assert tuple(display.feature_names) == ("c", "a")
    assert np.array_equal(display.points, X3[["c", "a"]])
    x, y = np.meshgrid(display.grid_x, display.grid_y)
    again = DropoutDisplay(
        weights=display.weights,
        kept=display.kept,
        grid_x=np.unique(display.frame()["c"]),
        grid_y=np.unique(display.frame()["a"]),
        mean=display.frame()["mean"].to_numpy().reshape(x.shape),
        uncertainty=display.frame()["uncertainty"].to_numpy().reshape(y.shape),
        feature_names=("c", "a"),
    )
    assert again.frame().equals(display.frame())
    again.plot()


def test_by_default_the_two_inputs_are_those_of_the_largest_weights():
    model = BaggedDropoutMLPRegressor(**{**SMALL, "max_iter": 200}).fit(X3, y3)
    assert tuple(DropoutDisplay.from_estimator(model, X3, grid_resolution=5).feature_names) == ("a", "c")


def test_a_pipeline_is_drawn_over_its_own_inputs():
    X = 100.0 * X3 + 7.0
    model = make_pipeline(StandardScaler().set_output(transform="pandas"), BaggedDropoutMLPRegressor(**SMALL))
    display = DropoutDisplay.from_estimator(
        model.fit(X, y3), X, features=[0, 2], grid_resolution=6, n_masks=3
    )
    assert display.grid_x.max() > 100.0
    rows = display.frame()[["a", "c"]].assign(b=X["b"].median())[["a", "b", "c"]]
    found = model[-1].predict_uncertainty(model[:-1].transform(rows), n_masks=3)
    assert np.allclose(display.mean.ravel(), found.mean, rtol=1e-4, atol=1e-4)


def test_one_input_has_networks_and_no_surface():
    model = BaggedDropoutMLPRegressor(**SMALL).fit(X3[["a"]], y3)
    display = DropoutDisplay.from_estimator(model, X3[["a"]], n_networks=1)
    assert len(display.axes_) == 1 and display.frame().shape == (7, 1)
    with pytest.raises(ValueError, match="kind must be some of 'networks', got 'uncertainty'"):
        display.plot(kind="uncertainty")


def test_what_cannot_be_drawn_says_so():
    with pytest.raises(TypeError, match="estimator must be a BaggedDropoutMLPClassifier or"):
        DropoutDisplay.from_estimator(LinearRegression().fit(X3, y3), X3)
    with pytest.raises(ValueError, match="not fitted"):
        DropoutDisplay.from_estimator(BaggedDropoutMLPRegressor(), X3)
    two = BaggedDropoutMLPRegressor(**SMALL).fit(X3, np.column_stack([y3, y3]))
    with pytest.raises(ValueError, match="has 2 targets"):
        DropoutDisplay.from_estimator(two, X3)
    for params, message in (
        ({"uncertainty": "predictive_entropy"}, "uncertainty must be one of 'standard_deviation'"),
        ({"member": 4}, "member must be one of the 4 networks, got 4"),
        ({"features": ["a", "d"]}, "features must be two different names or positions of the 3 features"),
        ({"n_networks": 0}, "n_networks must be"),
        ({"grid_resolution": 1}, "grid_resolution must be"),
    ):
        with pytest.raises(ValueError, match=message):
            DropoutDisplay.from_estimator(REGRESSOR, X3, **params)


def test_three_classes_have_their_boundaries():
    y = np.digitize(X3["a"], [-0.5, 0.5])
    model = BaggedDropoutMLPClassifier(**{**SMALL, "max_iter": 200}).fit(X3, y)
    display = DropoutDisplay.from_estimator(
        model, X3, y, features=["a", "b"], uncertainty="predictive_entropy", grid_resolution=15
    )
    assert len(display.boundaries_) == 3
    assert display.uncertainty_name == "predictive entropy (nats)"
    assert 0.0 <= display.uncertainty.min() and display.uncertainty.max() <= np.log(3.0) + 1e-6
