import warnings
from importlib.metadata import version

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skreg.bayes.diagnostics import check_convergence, convergence, ess_of_mean
from skreg.bayes.draws import Draws

pytest.importorskip("arviz")


def by_arviz(draws):
    """R-hat, bulk-ESS and tail-ESS as ArviZ computes them, of draws of shape (chain, draw)."""
    if version("arviz").startswith("0."):
        import arviz as az

        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # constant draws divide by zero there
            return (
                az.rhat(draws),
                az.ess(draws, method="bulk"),
                az.ess(draws, method="tail", prob=(0.05, 0.95)),
            )
    from arviz_stats.base import array_stats

    axes = {"chain_axis": 0, "draw_axis": 1}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return (
            array_stats.rhat(draws, method="rank", **axes),
            array_stats.ess(draws, method="bulk", **axes),
            array_stats.ess(draws, method="tail", prob=(0.05, 0.95), **axes),
        )


def autoregression(rng, shape, rho):
    noise = rng.normal(size=shape)
    for t in range(1, shape[1]):
        noise[:, t] = rho * noise[:, t - 1] + np.sqrt(1 - rho**2) * noise[:, t]
    return noise


def chains(shape):
    """Draws that are independent, sticky, antithetic, heavy-tailed, tied, apart, and constant."""
    rng = np.random.default_rng(0)
    iid = rng.normal(size=shape)
    offset = np.linspace(0, 1, shape[0])[:, None]
    kinds = {
        "independent": iid,
        "sticky": autoregression(rng, shape, 0.95),
        "hardly moving": autoregression(rng, shape, 0.9999),
        "antithetic": autoregression(rng, shape, -0.7),
        "alternating": np.broadcast_to((-1.0) ** np.arange(shape[1]), shape) + 1e-3 * iid,
        "heavy tails": rng.standard_cauchy(size=shape),
        "tied": np.round(iid, 1),
        "two values": (iid > 0.3).astype(float),
        "nearly always zero": (iid > 2.2).astype(float) * iid,
        "apart": iid + offset,
        "of different widths": iid * (1 + 3 * offset),
        "far from zero": iid + 1e9,
        "constant": np.full(shape, 0.1),
    }
    return np.stack([np.asarray(kind, dtype=float) for kind in kinds.values()], axis=2)


@pytest.mark.parametrize("shape", [(4, 1000), (2, 501), (1, 400), (3, 37), (4, 5), (2, 4)], ids=str)
def test_r_hat_and_both_effective_sample_sizes_are_those_of_arviz(shape):
    draws = chains(shape)
    ours = np.stack(convergence(draws))
    theirs = np.stack([by_arviz(draws[:, :, j]) for j in range(draws.shape[2])], axis=1).astype(float)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10)


def test_the_effective_sample_size_of_a_mean_is_that_of_arviz():
    draws = chains((4, 301))
    # ArviZ 0.23 computes variances in one pass where numba is there, and loses those of draws far from zero.
    draws = draws - draws.mean(axis=(0, 1))
    if version("arviz").startswith("0."):
        from arviz import ess as by_theirs
    else:
        from functools import partial

        from arviz_stats.base import array_stats

        by_theirs = partial(array_stats.ess, chain_axis=0, draw_axis=1)
    theirs = [float(by_theirs(draws[:, :, j], method="mean")) for j in range(draws.shape[2])]
    np.testing.assert_allclose(ess_of_mean(draws), theirs, rtol=1e-8)


def test_chains_that_stay_where_each_began_have_an_endless_r_hat():
    stuck = np.broadcast_to(np.arange(4.0)[:, None, None], (4, 100, 2))
    assert np.all(convergence(stuck).rhat > 1e3)


def test_any_shape_of_variables_is_kept_and_blocks_do_not_show():
    draws = np.random.default_rng(0).normal(size=(4, 60, 5, 99))
    found = convergence(draws)
    assert found.rhat.shape == (5, 99)
    np.testing.assert_allclose(found.ess_tail[4, 98], by_arviz(draws[:, :, 4, 98])[2], rtol=1e-10)
    np.testing.assert_array_equal(found.ess_bulk[3:4, 7], convergence(draws[:, :, 3:4, 7]).ess_bulk)


def test_draws_that_are_not_finite_have_no_effective_sample_size():
    draws = np.random.default_rng(0).normal(size=(4, 100, 3))
    draws[1, 5, 0], draws[2, 7, 1] = np.nan, np.inf
    found = np.stack(convergence(draws))
    assert np.isnan(found[:, :2]).all()
    assert np.isfinite(found[:, 2]).all()
    assert np.isnan(np.stack(convergence(draws[:, :3]))).all()  # three draws are too few


def some_draws(n_draws=1000, n_chains=4, **replaced):
    rng = np.random.default_rng(1)
    shape = (n_chains, n_draws)
    parts = {
        "coef": rng.normal(size=(*shape, 3)),
        "intercept": rng.normal(size=shape),
        "sigma": rng.normal(size=shape) + 9.0,
        "method": "gibbs",
    }
    return Draws(**{**parts, **replaced})


NAMES = ("age", "bmi", "ltg")


def test_converged_draws_and_known_constants_warn_of_nothing():
    check_convergence(some_draws(), NAMES)
    fixed = some_draws(intercept=np.zeros((4, 1000)), sigma=np.full((4, 1000), 2.0))
    fixed.coef[:, :, 1] = 0.0
    check_convergence(fixed, NAMES)
    check_convergence(some_draws(n_chains=1), NAMES)  # R-hat of one chain says nothing


def test_the_warning_names_the_variables_with_their_numbers_and_a_cure():
    draws = some_draws()
    draws.coef[2, :, 1] += 2.0
    rhat, bulk, tail = (float(value[1]) for value in convergence(draws.coef))
    with pytest.warns(ConvergenceWarning) as caught:
        check_convergence(draws, NAMES)
    assert len(caught) == 1
    text = str(caught[0].message)
    assert text.startswith("1 of 5 variables")
    assert f"coef[bmi]: R-hat {rhat:.3f}, bulk-ESS {bulk:.0f}, tail-ESS {tail:.0f}" in text
    assert "age" not in text
    assert "draws=1000" in text
    assert "tune" in text


def test_few_draws_warn_and_are_told_how_many_would_do():
    with pytest.warns(ConvergenceWarning, match=r"draws=200 a chain here; about \d+ should do"):
        check_convergence(some_draws(n_draws=200, n_chains=1), NAMES)
    with pytest.warns(ConvergenceWarning, match=r"draws=3 are too few to judge"):
        check_convergence(some_draws(n_draws=3), NAMES)


def test_many_bad_variables_are_counted_and_the_worst_named():
    rng = np.random.default_rng(0)
    coef = np.repeat(rng.normal(size=(4, 50, 20)), 20, axis=1)
    coef[0, :, 13] += 5.0
    draws = some_draws(coef=coef)
    with pytest.warns(ConvergenceWarning, match=r"(?s)20 of 22.*coef\[x13\].*and 15 more"):
        check_convergence(draws, [f"x{j}" for j in range(20)])


def test_a_sampled_alpha_is_looked_at_and_so_is_what_is_not_finite():
    rng = np.random.default_rng(0)
    with pytest.warns(ConvergenceWarning, match=r"1 of 6(?s:.*) alpha: R-hat"):
        check_convergence(some_draws(alpha=autoregression(rng, (4, 1000), 0.999)), NAMES)
    draws = some_draws()
    draws.sigma[0, 0] = np.inf
    with pytest.warns(ConvergenceWarning, match=r"(?s)sigma: R-hat nan.*not finite"):
        check_convergence(draws, NAMES)


def test_divergent_transitions_are_told():
    diverging = np.zeros((4, 1000), dtype=bool)
    diverging[0, :7] = True
    with pytest.warns(ConvergenceWarning, match=r"7 transitions diverged: raise target_accept"):
        check_convergence(some_draws(stats={"diverging": diverging}), NAMES)
