import sys
import types

import numpy as np
import pytest

from skreg import ElasticNet, Lasso, Ridge, energy_of
from skreg.bayes import gibbs
from skreg.bayes.draws import Draws
from skreg.bayes.noise import NoiseModel, noise_model
from skreg.bayes.sampling import sample


@pytest.fixture
def asked(monkeypatch):
    """Engines that draw nothing but note what they are asked for."""
    calls = []

    def engine(name):
        def draw(energy, noise, *, generators=None, **options):
            calls.append((name, options))
            shape = (options.get("chains") or len(generators), options["draws"])
            report = options.get("report")
            if report is not None:
                report(shape[0] * shape[1])
            return Draws(np.zeros((*shape, energy.n_features)), np.zeros(shape), np.ones(shape), name)

        return draw

    exact, nuts = types.ModuleType("skreg.bayes.exact"), types.ModuleType("skreg.bayes.nuts")
    exact.draw_exact, nuts.draw_nuts = engine("exact"), engine("nuts")
    monkeypatch.setitem(sys.modules, "skreg.bayes.exact", exact)
    monkeypatch.setitem(sys.modules, "skreg.bayes.nuts", nuts)
    monkeypatch.setattr(gibbs, "draw_gibbs", engine("gibbs"))
    return calls


def draw(small, estimator, noise_prior=None, **options):
    X, y, _ = small
    energy = energy_of(estimator, X, y)
    return sample(energy, noise_model("variance-scaled", noise_prior, energy, proper=False), **options)


@pytest.mark.parametrize(
    ("estimator", "engine"),
    [
        (Ridge(), "exact"),
        (ElasticNet(l1_ratio=0.0), "exact"),
        (Ridge(penalty_weights=[0.0, 1.0, 2.0]), "exact"),
        (Ridge(positive=True), "gibbs"),
        (Lasso(), "gibbs"),
        (ElasticNet(), "gibbs"),
        (Lasso(positive=True), "gibbs"),
    ],
    ids=str,
)
def test_auto_is_exact_for_a_ridge_and_gibbs_for_the_rest(small, asked, estimator, engine):
    assert draw(small, estimator).method == engine
    assert draw(small, estimator, method="nuts").method == "nuts"


def test_engines_get_what_was_asked_for(small, asked):
    draw(small, Lasso(), draws=7, chains=3, n_jobs=2, alpha_prior=(2, 1.5))
    name, options = asked.pop()
    assert name == "gibbs"
    assert (options["draws"], options["tune"], options["n_jobs"]) == (7, 300, 2)
    assert options["alpha_prior"] == (2, 1.5)
    assert options["report"] is None
    draw(small, Ridge(), draws=np.int64(7), chains=3)
    assert asked.pop() == ("exact", {"draws": 7, "alpha_prior": None})
    options = {"nuts_sampler": "nutpie", "nuts_kwargs": {"target_accept": 0.9}, "tune": 5, "random_state": 1}
    draw(small, Ridge(), method="nuts", draws=7, chains=3, **options)
    name, options = asked.pop()
    assert (options["draws"], options["tune"], options["chains"]) == (7, 5, 3)
    assert (options["nuts_sampler"], options["target_accept"]) == ("nutpie", 0.9)
    assert isinstance(options["seed"], int)


def test_the_progress_is_shown_when_asked_for_and_only_then(small, asked, capsys):
    draw(small, Lasso(alpha=0.5), draws=20, tune=0)
    assert capsys.readouterr().out == ""
    draw(small, Lasso(alpha=0.5), draws=20, tune=0, progressbar=True)
    shown = capsys.readouterr().out
    assert "Lasso(alpha=0.5), 4 chains" in shown
    assert "100%" in shown


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (Ridge(alpha=0.0), r"Ridge\(alpha=0\) penalises no coefficient.*improper.*Ridge\(alpha=1e-6\)"),
        (Lasso(alpha=0.0), r"Lasso\(alpha=0\) penalises no.*penalty_weights=0 to the others"),
        (ElasticNet(alpha=0.0), r"penalises no coefficient"),
        (Lasso(penalty_weights=[0.0, 0.0, 0.0]), r"penalises no coefficient"),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["auto", "nuts"])
@pytest.mark.filterwarnings("ignore:.* is least squares without a penalty:UserWarning")  # the fit says so
def test_an_improper_prior_is_refused_with_what_would_be_proper(small, asked, estimator, message, method):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        draw(small, estimator, method=method)


def test_unpenalised_features_must_be_held_by_the_data(small, asked):
    X, y, _ = small
    known = NoiseModel("known", 1.0)
    columns = np.column_stack([X, X[:, 0] - 2 * X[:, 1], np.full(12, 0.1)])

    def attempt(free, rows=12, **options):
        weights = np.ones(5)
        weights[free] = 0.0
        lasso = Lasso(alpha=0.1, penalty_weights=weights, **options)
        return sample(energy_of(lasso, columns[:rows], y[:rows]), known)

    for free in ([0], [0, 1, 2], [3]):
        attempt(free)
    with pytest.raises(ValueError, match=r"3 unpenalised features \(x0, x1, x3\) are collinear"):
        attempt([0, 1, 3])
    with pytest.raises(ValueError, match=r"\(x4\) are collinear with the intercept.*12 rows"):
        attempt([4])
    attempt([4], fit_intercept=False)
    with pytest.raises(ValueError, match=r"3 unpenalised.*3 rows"):
        attempt([0, 1, 2], rows=3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "mcmc"}, ValueError, r"method must be one of auto, exact, gibbs, nuts; got 'mcmc'"),
        ({"method": None}, ValueError, r"method must be one of"),
        ({"method": "exact"}, ValueError, r'"exact" is for a ridge.*Lasso.*method="gibbs"'),
        ({"draws": 0}, ValueError, r"draws must be an integer ≥ 1, got 0"),
        ({"draws": 10.0}, TypeError, r"draws must be an integer"),
        ({"chains": 0}, ValueError, r"chains must be an integer ≥ 1"),
        ({"tune": -1}, ValueError, r"tune must be an integer ≥ 0"),
        ({"n_jobs": 0}, ValueError, r"n_jobs must be"),
        ({"progressbar": "yes"}, TypeError, r"progressbar must be True or False"),
        ({"random_state": -1}, ValueError, r"random_state must be an integer ≥ 0, got -1"),
        ({"random_state": "seed"}, TypeError, r"random_state must be an integer ≥ 0.*'seed'"),
        ({"alpha_prior": 1.0}, TypeError, r"alpha_prior must be two numbers > 0.*got 1\.0"),
        ({"alpha_prior": (1.0, 0.0)}, ValueError, r"alpha_prior must be two numbers > 0"),
        ({"alpha_prior": (1.0, 2.0, 3.0)}, TypeError, r"alpha_prior must be two numbers"),
        ({"alpha_prior": (1.0, 2.0), "method": "nuts"}, ValueError, r'alpha_prior.*method="nuts"'),
        ({"nuts_sampler": "stan", "method": "nuts"}, ValueError, r"nuts_sampler must be one of pymc.*'stan'"),
        ({"nuts_sampler": "nutpie"}, ValueError, r"nuts_sampler='nutpie' has no use.*method=\"nuts\""),
        ({"nuts_kwargs": {"init": "adapt"}}, ValueError, r"nuts_kwargs=.*has no use"),
        ({"nuts_kwargs": 0.95, "method": "nuts"}, TypeError, r"nuts_kwargs must be a dictionary.*got 0\.95"),
        ({"nuts_kwargs": {"random_seed": 1}, "method": "nuts"}, ValueError, r"may not hold random_seed"),
        (
            {"nuts_kwargs": {"return_inferencedata": False}, "method": "nuts"},
            ValueError,
            r"nuts_kwargs may not hold return_inferencedata",
        ),
        ({"noise_prior": (0, 0), "method": "nuts"}, ValueError, r"noise_prior=\(0\.0, 0\.0\) is improper"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(small, asked, options, error, message):
    with pytest.raises(error, match=message):
        draw(small, Lasso(), **options)
    assert asked == []


def test_the_improper_noise_prior_is_for_the_engines(small, asked):
    assert draw(small, Lasso(), noise_prior=(0, 0)).method == "gibbs"
