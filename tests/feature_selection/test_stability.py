"""Stability selection: what it finds, how often it is wrong, and that chance is in the seed alone."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skreg import LassoSelector, StabilitySelector, regularization_path
from skreg.feature_selection.error_bound import (
    _largest_tail,
    bound_of_false_selections,
    largest_q,
    smallest_threshold,
)


def planted(rho, seed, n=200, p=500, snr=5.0):
    """Ten true features of equal size among AR(rho) columns; signal variance over noise variance is snr."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((n, p))
    X = Z.copy()
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * Z[:, j]
    true = np.sort(rng.choice(p, 10, replace=False))
    signal = X[:, true] @ rng.choice([-1.0, 1.0], 10)
    return X, signal + np.sqrt(signal.var() / snr) * rng.standard_normal(n), true


def test_the_probabilities_count_the_first_q_features_of_each_half_s_path():
    X, y, _ = planted(0.5, 0, n=61, p=20)
    selector = StabilitySelector(pfer=None, n_features_per_subsample=4, n_pairs=3, random_state=7).fit(X, y)
    random_state, counts = np.random.RandomState(7), np.zeros((20, 100))
    for _pair in range(3):
        order = random_state.permutation(61)
        for rows in (order[:30], order[30:60]):
            coefs = regularization_path(X[rows], y[rows], alphas=selector.alphas_).coefs
            entry = np.where(coefs.any(axis=1), np.argmax(coefs != 0.0, axis=1), 100)
            size = np.abs(coefs[np.arange(20), np.minimum(entry, 99)]) * X.std(axis=0)
            for j in np.lexsort((-size, entry))[:4]:
                counts[j, entry[j] :] += 1
    assert_allclose(selector.stability_path_, counts / 6, atol=1e-12)
    assert_array_equal(selector.selection_probabilities_, selector.stability_path_[:, -1])
    assert selector.selection_probabilities_.sum() == pytest.approx(4.0)
    assert np.all(selector.stability_path_[:, 0].sum() <= 1.0)  # the grid starts where no half selects


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_the_default_finds_at_least_eight_of_ten_planted_features_and_hardly_any_other(rho):
    false = 0
    for seed in range(3):
        X, y, true = planted(rho, seed)
        support = StabilitySelector(random_state=0).fit(X, y).get_support()
        assert support[true].sum() >= 8
        false += support.sum() - support[true].sum()
    assert false <= 3


def null(seed, n, p):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, p)), rng.standard_normal(n)


@pytest.mark.parametrize(
    "setting",
    [{}, {"threshold": 0.6}, {"bound": "unimodal"}, {"threshold": 0.7, "pfer": 2.0, "bound": "worst case"}],
    ids=str,
)
def test_on_noise_the_mean_number_selected_is_within_pfer(setting):
    selector = StabilitySelector(n_pairs=15, random_state=0).set_params(**setting)
    selected = [selector.fit(*null(seed, 60, 40)).get_support().sum() for seed in range(20)]
    assert np.mean(selected) <= selector.pfer_ <= selector.pfer * (1.0 + 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("setting", [{}, {"threshold": 0.6, "bound": "worst case"}], ids=str)
def test_on_two_hundred_data_sets_of_noise_the_mean_number_selected_is_within_pfer(setting):
    selector = StabilitySelector(random_state=0).set_params(**setting)
    selected = [selector.fit(*null(seed, 100, 200)).get_support().sum() for seed in range(200)]
    assert np.mean(selected) <= selector.pfer_ <= selector.pfer * (1.0 + 1e-9)


@pytest.mark.parametrize("allowed", [0, 2, 5])
def test_at_equally_many_false_selections_more_is_found_than_on_the_lasso_s_own_path(allowed):
    """In a correlated design, as threshold or alpha is taken down to so many false selections."""
    stable, lasso = [], []
    for seed in range(3):
        X, y, true = planted(0.9, seed)
        is_true = np.isin(np.arange(X.shape[1]), true)
        probability = StabilitySelector(random_state=0).fit(X, y).selection_probabilities_
        stable.append(_found_before(-probability, is_true, allowed))
        lasso.append(_found_before(LassoSelector().fit(X, y).ranking_, is_true, allowed))
    assert np.mean(stable) >= np.mean(lasso) + 1.0


def _found_before(rank, is_true, allowed):
    """Count the true features that come before one false feature more than allowed."""
    last = np.sort(rank[~is_true])[allowed]
    return int(np.sum(rank[is_true] < last))


def test_of_columns_that_stand_for_each_other_the_lasso_s_votes_split_and_an_l2_part_unites_them():
    rng = np.random.default_rng(0)
    cause = rng.standard_normal(200)
    twins = cause[:, None] + 0.02 * rng.standard_normal((200, 3))
    X = np.column_stack([twins, rng.standard_normal((200, 30))])
    y = 2.0 * cause + rng.standard_normal(200)
    setting = {"pfer": None, "n_features_per_subsample": 3, "random_state": 0}
    lasso = StabilitySelector(**setting).fit(X, y)
    network = StabilitySelector(l1_ratio=0.1, **setting).fit(X, y)
    assert lasso.get_support()[:3].sum() <= 1
    assert network.get_support()[:3].all()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_integer_seed_gives_the_same_numbers_whatever_n_jobs(n_jobs):
    X, y, _ = planted(0.5, 0, n=60, p=50)
    first = StabilitySelector(n_pairs=10, random_state=3).fit(X, y)
    again = StabilitySelector(n_pairs=10, random_state=3, n_jobs=n_jobs).fit(X, y)
    assert_array_equal(first.stability_path_, again.stability_path_)
    assert_array_equal(first.alphas_, again.alphas_)
    other = StabilitySelector(n_pairs=10, random_state=4).fit(X, y)
    assert not np.array_equal(first.selection_probabilities_, other.selection_probabilities_)


def test_the_ranking_gives_equals_the_same_place():
    X, y, _ = planted(0.0, 0, n=60, p=50)
    selector = StabilitySelector(n_pairs=5, random_state=0).fit(X, y)
    probability, rank = selector.selection_probabilities_, selector.ranking_
    for j in range(50):
        assert rank[j] == 1 + np.sum(probability > probability[j])


def test_the_bounds_are_those_of_the_papers():
    # Meinshausen and Bühlmann, Theorem 1: q²/((2τ − 1)p).
    assert_allclose(bound_of_false_selections(20, 0.9, 500, 50, "worst case"), 20**2 / (0.8 * 500))
    # Shah and Samworth, Theorem 2, on both sides of τ = ¾.
    for τ, C in [
        (Fraction(9, 10), 4 * (1 - Fraction(9, 10) + Fraction(1, 100)) / (1 + Fraction(1, 50))),
        (Fraction(6, 10), 1 / (2 * (2 * Fraction(6, 10) - 1 - Fraction(1, 100)))),
    ]:
        bound = bound_of_false_selections(20, float(τ), 500, 50, "unimodal")
        assert_allclose(bound, min(float(C), 1 / float(2 * τ - 1)) * 20**2 / 500)
    # It needs θ = q/p to be small. To assume more never gives a larger bound, and all grow with q.
    for τ in (0.51, 0.6, 0.75, 0.76, 0.9, 1.0):
        concave, unimodal, worst = (
            np.array([bound_of_false_selections(q, τ, 100, 50, bound) for q in range(1, 101)])
            for bound in ("r-concave", "unimodal", "worst case")
        )
        assert np.all(concave <= unimodal) and np.all(unimodal <= worst)
        assert_array_equal(unimodal[60:], worst[60:])
        assert np.all(np.diff(concave) >= -1e-12) and np.all(np.diff(worst) >= 0.0)
    # At most q/τ features reach τ, whatever they are, and never more than there are.
    assert bound_of_false_selections(10, 0.9, 10, 50, "worst case") == 10.0
    assert bound_of_false_selections(1, 0.9, 1, 50, "worst case") == 1.0


@pytest.mark.parametrize("power", [-2, -4])
def test_no_r_concave_distribution_has_a_heavier_tail_than_the_bound_says_and_some_almost_have_it(power):
    mean, t, n = 2.0, 12, 20
    largest = _largest_tail(mean, t, n, power)
    rng, i, heaviest = np.random.default_rng(0), np.arange(n + 1), 0.0
    for _ in range(20_000):
        # f is 1/power-concave if f^(1/power) is convex on the support, which ends anywhere.
        support = i[: rng.integers(t, n + 1) + 1]
        convex = 10.0 ** rng.uniform(-3, 2) + 10.0 ** rng.uniform(-2, 1) * support
        for knot in rng.integers(0, support[-1] + 1, rng.integers(0, 3)):
            convex = convex + 10.0 ** rng.uniform(-2, 1) * np.maximum(support - knot, 0)
        masses = convex**power / np.sum(convex**power)
        if masses @ support <= mean:
            heaviest = max(heaviest, masses[t:].sum())
    assert 0.97 * largest < heaviest <= largest


@pytest.mark.parametrize("bound", ["r-concave", "unimodal", "worst case"])
@pytest.mark.parametrize("p", [5, 50, 2000])
def test_the_third_parameter_is_the_most_that_the_other_two_allow(p, bound):
    terms = (p, 50, bound)
    q = largest_q(0.9, 1.0, *terms)
    assert bound_of_false_selections(q, 0.9, *terms) <= 1.0 + 1e-9
    assert q == p or bound_of_false_selections(q + 1, 0.9, *terms) > 1.0
    threshold = smallest_threshold(q, 1.0, *terms)
    assert 0.5 < threshold <= 0.9
    assert bound_of_false_selections(q, threshold, *terms) <= 1.0 + 1e-9
    if threshold > 0.51:
        assert bound_of_false_selections(q, threshold - 0.01, *terms) > 1.0


def test_the_fit_says_which_three_parameters_it_used():
    X, y, _ = planted(0.0, 0, n=60, p=50)
    selector = StabilitySelector(n_pairs=10, random_state=0)
    fitted = clone(selector).fit(X, y)
    assert (fitted.threshold_, fitted.n_features_per_subsample_) == (
        0.9,
        largest_q(0.9, 1.0, 50, 10, "r-concave"),
    )
    by_q = clone(selector).set_params(threshold=None, n_features_per_subsample=5).fit(X, y)
    assert by_q.threshold_ == smallest_threshold(5, 1.0, 50, 10, "r-concave")
    free = clone(selector).set_params(pfer=None, n_features_per_subsample=5).fit(X, y)
    assert free.pfer_ == bound_of_false_selections(5, 0.9, 50, 10, "r-concave")
    assert np.all(free.selection_probabilities_.sum() <= 5.0 + 1e-9)


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ({"pfer": None}, ValueError, "one must be None, got threshold=0.9, pfer=None"),
        ({"n_features_per_subsample": 3}, ValueError, "one must be None"),
        ({"threshold": 0.5}, ValueError, "threshold must be > 0.5"),
        ({"threshold": 1.2}, ValueError, "threshold must be a number between 0.5 and 1"),
        ({"pfer": 0}, ValueError, "pfer must be > 0"),
        ({"pfer": 1e-4}, ValueError, "pfer=0.0001 is out of reach with threshold=0.9 and n_features=20"),
        ({"pfer": 1e-3, "threshold": None, "n_features_per_subsample": 5}, ValueError, "even at threshold 1"),
        ({"pfer": None, "n_features_per_subsample": 21}, ValueError, "n_features_per_subsample must be"),
        ({"bound": "optimistic"}, ValueError, "bound must be one of"),
        ({"n_pairs": 0}, ValueError, "n_pairs must be"),
        ({"n_pairs": 2.5}, TypeError, "n_pairs must be"),
        ({"l1_ratio": 0.0}, ValueError, "l1_ratio must be > 0"),
        ({"n_jobs": 0}, ValueError, "n_jobs must be"),
        ({"random_state": "seed"}, ValueError, "seed"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(setting, error, message):
    X, y, _ = planted(0.0, 0, n=40, p=20)
    with pytest.raises(error, match=message):
        StabilitySelector().set_params(**setting).fit(X, y)


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="n_samples=3; StabilitySelector needs at least 4"):
        StabilitySelector().fit(np.eye(3), np.arange(3.0))


def test_paths_that_do_not_converge_warn():
    X, y, _ = planted(0.5, 0, n=60, p=80)
    with pytest.warns(ConvergenceWarning, match=r"\d of 6 paths of StabilitySelector are above tol"):
        StabilitySelector(n_pairs=3, max_iter=1, random_state=0).fit(X, y)
