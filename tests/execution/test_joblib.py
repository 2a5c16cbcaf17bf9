"""Other processes, by joblib's Dask and loky backends, compute what this one does."""

import joblib
import numpy as np
import pytest
from distributed import Client, LocalCluster
from sklearn.callback import ProgressBar

from skreg import (
    BaggedDropoutMLPClassifier,
    BaggedDropoutMLPRegressor,
    ElasticNetCV,
    Lasso,
    LassoCV,
    Ridge,
    RidgeCV,
    StabilitySelector,
    bias_variance_decomposition,
    compare_regularizers,
    energy_of,
)
from skreg.bayes.gibbs import draw_gibbs
from skreg.bayes.noise import noise_model

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 12))
Y = X[:, :4] @ [3.0, -2.0, 1.0, 0.5] + RNG.normal(size=200)
WIDE = RNG.normal(size=(60, 200))
WIDE_Y = WIDE[:, :3].sum(axis=1) + RNG.normal(size=60)


def network(kind=BaggedDropoutMLPRegressor, **settings):
    shape = {"hidden_layer_sizes": (256, 256), "n_estimators": 4, "max_iter": 2}  # groups of their own
    return kind(**{**shape, "random_state": 0, "n_jobs": 2, **settings})


def fitted(estimator, X, y, *names):
    estimator.fit(X, y)
    return [getattr(estimator, name) for name in ("coef_", "alpha_", "mse_path_", *names)]


def chains(alpha_prior=None):
    energy = energy_of(Lasso(alpha=0.1), WIDE, WIDE_Y)
    generators = np.random.default_rng(3).spawn(2)
    drawn = draw_gibbs(
        energy,
        noise_model("variance-scaled", None, energy),
        draws=400,
        tune=400,
        generators=generators,
        n_jobs=2,
        alpha_prior=alpha_prior,
    )
    return [drawn.coef, drawn.intercept, drawn.sigma, drawn.stats["lp"]]


WORK = {
    "LassoCV by moments": lambda: fitted(LassoCV(cv=3, n_jobs=2), X, Y, "coef_path_", "dual_gap_"),
    "LassoCV by rows": lambda: fitted(LassoCV(cv=3, alphas=10, eps=0.1, n_jobs=2), WIDE, WIDE_Y),
    "ElasticNetCV": lambda: fitted(ElasticNetCV(l1_ratio=[0.3, 0.9], cv=3, alphas=10, n_jobs=2), X, Y),
    "RidgeCV": lambda: fitted(RidgeCV(cv=3, n_jobs=2), X, Y, "score_path_"),
    "RidgeCV by a scorer": lambda: fitted(
        RidgeCV(cv=3, n_jobs=2, scoring="neg_mean_absolute_error"), WIDE, WIDE_Y, "score_path_"
    ),
    "StabilitySelector": lambda: [
        StabilitySelector(n_pairs=4, random_state=0, n_jobs=2).fit(X, Y).stability_path_
    ],
    "chains": chains,
    "chains with alpha": lambda: chains((2.0, 10.0)),
    "bias and variance": lambda: [
        bias_variance_decomposition(Ridge(), X, Y, n_repeats=8, random_state=0, n_jobs=2).total
    ],
    "comparison": lambda: [
        compare_regularizers(X, Y, techniques=("ols", "ridge"), cv=2, random_state=0, n_jobs=2)[
            ["score", "coverage", "norm"]
        ].to_numpy()
    ],
    "networks": lambda: [network().fit(X, Y).predict(X)],
    "networks that stop early": lambda: [
        network(BaggedDropoutMLPClassifier, early_stopping=True).fit(X, Y > 0).predict_proba(X)
    ],
    "networks by L-BFGS": lambda: [
        network(hidden_layer_sizes=(30,), solver="lbfgs", dropout=0.0, max_iter=200, tol=1e-1)
        .fit(X, Y)
        .predict(X)
    ],
}


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        yield cluster


@pytest.mark.parametrize("name", WORK)
def test_dask_workers_compute_the_same_numbers(cluster, name):
    here = WORK[name]()
    before = cluster.scheduler.transition_counter
    with Client(cluster), joblib.parallel_config("dask"):
        there = WORK[name]()
    assert cluster.scheduler.transition_counter > before  # and it was they who did
    for mine, theirs in zip(here, there, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", ["LassoCV by rows", "RidgeCV", "StabilitySelector", "chains", "networks"])
def test_memory_maps_that_are_read_only_serve_as_well(name):
    here = WORK[name]()
    with joblib.parallel_config("loky", max_nbytes=100):  # every array is one then
        there = WORK[name]()
    for mine, theirs in zip(here, there, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_callbacks_hear_of_folds_fitted_by_workers(cluster, capsys):
    with Client(cluster), joblib.parallel_config("dask"):
        LassoCV(cv=3, n_jobs=2).set_callbacks(ProgressBar()).fit(X, Y)
    assert "100%" in capsys.readouterr().out


def test_progress_of_chains_in_other_processes_is_reported_when_they_come_back(cluster):
    energy, told = energy_of(Lasso(alpha=0.1), WIDE, WIDE_Y), []
    with Client(cluster), joblib.parallel_config("dask"):
        draw_gibbs(
            energy,
            noise_model("variance-scaled", None, energy),
            draws=400,
            tune=400,
            generators=np.random.default_rng(3).spawn(2),
            n_jobs=2,
            report=told.append,
        )
    assert sum(told) == 2 * 800


def test_an_error_in_a_worker_is_the_error_of_the_fit(cluster):
    def fails(estimator, X, y):
        raise ZeroDivisionError("by a scorer")

    with Client(cluster), joblib.parallel_config("dask"), pytest.raises(ZeroDivisionError, match="a scorer"):
        RidgeCV(cv=3, scoring=fails, n_jobs=2).fit(X, Y)
