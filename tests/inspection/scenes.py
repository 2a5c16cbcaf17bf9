"""A picture of every Display, of few features and of many: what the tests check and the documentation shows.

    python tests/inspection/scenes.py FOLDER

writes all of them as FOLDER/NAME.png and FOLDER/NAME_many.png. Each function returns a Display that is drawn;
`SCENES` has them by the Display's name.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes, make_moons
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

import skreg
from skreg import ElasticNet, Lasso, LassoCV, Ridge


@functools.cache
def diabetes():
    """Ten features in their own units, and the progression of the disease."""
    return load_diabetes(return_X_y=True, as_frame=True, scaled=False)


@functools.cache
def genes(n_rows=400, n_features=300, noise=4.0):
    """Three hundred correlated features, of which eight matter."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, n_features))
    X[:, 1:] += 0.5 * X[:, :-1]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    coef = np.zeros(n_features)
    coef[[7, 31, 64, 110, 111, 180, 222, 281]] = [3.0, -2.0, 2.5, 1.0, -1.5, 1.0, -3.0, 1.2]
    y = X @ coef + noise * rng.standard_normal(n_rows)
    return pd.DataFrame(X, columns=[f"gene_{j:03d}" for j in range(n_features)]), y


def scaled(estimator):
    return make_pipeline(StandardScaler(), estimator)


def penalty_geometry(many=False, **plot_params):
    if many:  # the two largest of three hundred coefficients
        X, y = genes()
        return skreg.PenaltyGeometryDisplay.from_estimator(Lasso(alpha=1.0), X, y, **plot_params)
    X, y = diabetes()
    return skreg.PenaltyGeometryDisplay.from_estimator(
        scaled(Lasso(alpha=24.0)),
        X[["bmi", "bp", "s5"]],
        y,
        features=["bmi", "bp"],
        start=[-5.0, 20.0],
        **plot_params,
    )


def regularization_path(many=False, **plot_params):
    X, y = genes() if many else diabetes()
    model = LassoCV() if many else scaled(LassoCV())
    return skreg.RegularizationPathDisplay.from_estimator(model, X, y, **plot_params)


@functools.cache
def agreement(many):
    X, y = genes() if many else diabetes()
    return skreg.map_agreement(Lasso(alpha=0.3) if many else scaled(Lasso(alpha=3.0)), X, y)


def map_agreement(many=False, **plot_params):
    return skreg.MAPAgreementDisplay.from_result(agreement(many), **plot_params)


@functools.cache
def posteriors(many):
    if many:
        X, y = genes()
        models = {"ridge": Ridge(alpha=200.0), "lasso": Lasso(alpha=0.4)}
    else:
        X, y = diabetes()
        models = {
            "ridge": scaled(Ridge(alpha=30.0)),
            "lasso": scaled(Lasso(alpha=2.0)),
            "elastic net": scaled(ElasticNet(alpha=0.3)),
        }
    return {name: skreg.posterior(model, X, y, random_state=0) for name, model in models.items()}


def posterior(many=False, **plot_params):
    return skreg.PosteriorDisplay.from_result(posteriors(many), **plot_params)


@functools.cache
def curve(many):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 8))
    X[:, 1:] += X[:, :-1]
    coef = rng.standard_normal(8)
    if many:  # three hundred values of alpha, and the truth is known
        truth = {"true_function": lambda X: X @ coef, "noise_variance": 9.0}
        alphas = np.geomspace(0.1, 1e4, 300)
        return skreg.bias_variance_curve(
            Ridge(), X, None, "alpha", alphas, n_repeats=8, random_state=0, **truth
        )
    y = X @ coef + 3.0 * rng.standard_normal(30)
    tree = DecisionTreeRegressor()
    return skreg.bias_variance_curve(
        tree, X, y, "max_depth", [1, 2, 3, 5, None], n_repeats=30, random_state=0
    )


def bias_variance(many=False, **plot_params):
    return skreg.BiasVarianceDisplay.from_result(curve(many), **plot_params)


@functools.cache
def selector(many):
    if many:
        return skreg.StabilitySelector(n_pairs=20, random_state=0).fit(*genes())
    X, y = diabetes()
    setting = {"pfer": None, "n_features_per_subsample": 4, "n_pairs": 20, "random_state": 0}
    return skreg.StabilitySelector(**setting).fit((X - X.mean()) / X.std(), y)


def stability(many=False, **plot_params):
    return skreg.StabilityDisplay.from_estimator(selector(many), **plot_params)


@functools.cache
def networks(many):
    if many:
        X, y = genes()
        y = np.digitize(y, [-4.0, 4.0])
        model = skreg.BaggedDropoutMLPClassifier((64, 32, 16), n_estimators=5, max_iter=20, random_state=0)
    else:
        X, y = make_moons(200, noise=0.2, random_state=0)
        X = pd.DataFrame(X, columns=["width", "height"])
        model = skreg.BaggedDropoutMLPClassifier((16, 16), dropout=0.3, max_iter=150, random_state=0)
    return model.fit(X, y), X, y


def dropout(many=False, **plot_params):
    model, X, y = networks(many)
    return skreg.DropoutDisplay.from_estimator(model, X, y, n_masks=20, **plot_params)


@functools.cache
def table(many):
    """A wide table, and for many one of three techniques on more features."""
    if many:
        X, y = genes()
        return skreg.compare_regularizers(X, y, techniques=("ridge", "lasso"), cv=3, random_state=0)
    X, y = diabetes()
    return skreg.compare_regularizers(X, y, cv=3, random_state=0)


def comparison(many=False, **plot_params):
    return skreg.ComparisonDisplay.from_result(table(many), **plot_params)


SCENES = {
    "PenaltyGeometryDisplay": penalty_geometry,
    "RegularizationPathDisplay": regularization_path,
    "MAPAgreementDisplay": map_agreement,
    "PosteriorDisplay": posterior,
    "BiasVarianceDisplay": bias_variance,
    "StabilityDisplay": stability,
    "DropoutDisplay": dropout,
    "ComparisonDisplay": comparison,
}


def write(folder):
    """Write every picture into a folder; return their paths by name, few features first."""
    import matplotlib.pyplot as plt

    written = {}
    for name, scene in SCENES.items():
        for many in (False, True):
            path = Path(folder) / f"{name}{'_many' if many else ''}.png"
            figure = scene(many).figure_
            figure.savefig(path, dpi=130)
            plt.close(figure)
            written.setdefault(name, []).append(path)
    return written


if __name__ == "__main__":
    import matplotlib

    matplotlib.use("Agg")
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    for name, paths in write(sys.argv[1]).items():
        print(name, *paths)
