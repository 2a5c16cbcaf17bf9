"""The temperature: the right one for the mean of all members, found from means over fewer."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.special import expit, softmax

from skreg.neural_network.out_of_bag import bootstrap_counts, out_of_bag_mean
from skreg.neural_network.temperature import fit_temperature, temper


def noisy_members(n, k, *, seed=0, noise=0.8, sharpness=1.0, classes=4):
    """Draw classes from known probabilities, and members that see those through noise of their own."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, classes))
    y = (softmax(logits, axis=1).cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    members = softmax(sharpness * (logits + rng.normal(0, noise, (k, n, classes))), axis=-1)
    return members, np.eye(classes)[y], y


def best_temperature(probability, target):
    def loss(log_t):
        return -np.sum(target * np.log(np.maximum(temper(probability, np.exp(log_t), "softmax"), 1e-300)))

    return np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x)


def counts_of(n, k, seed=1):
    counts = bootstrap_counts(n, [np.random.default_rng([seed, member]) for member in range(k)])
    known = (counts == 0).any(axis=0)
    return counts, known


@pytest.mark.parametrize("k", [5, 10, 30])
def test_it_is_that_of_the_mean_over_all_members_and_not_of_the_out_of_bag_means(k):
    members, target, _ = noisy_members(20_000, k)
    counts, known = counts_of(20_000, k)
    counts, members, target = counts[:, known], members[:, known], target[known]
    found = fit_temperature(members, counts, target, np.ones(len(target)), "softmax")
    best = best_temperature(members.mean(axis=0), target)
    of_fewer = best_temperature(out_of_bag_mean(members, counts)[0], target)
    assert abs(np.log(found / best)) < 0.4 * abs(np.log(of_fewer / best))


def test_of_one_member_it_is_the_best_one():
    members, target, _ = noisy_members(20_000, 1, noise=0.4)
    found = fit_temperature(members, np.zeros((1, 20_000)), target, np.ones(20_000), "softmax")
    assert_allclose(found, best_temperature(members[0], target), rtol=1e-2)  # and a prior, of 20,000 rows


def test_few_rows_move_it_little_and_their_copies_more():
    members, target, _ = noisy_members(30, 10, noise=0.0, sharpness=4.0)
    counts, known = counts_of(30, 10)
    counts, members, target = counts[:, known], members[:, known], target[known]
    few = fit_temperature(members, counts, target, np.ones(len(target)), "softmax")
    many = fit_temperature(
        np.tile(members, (1, 1000, 1)),
        np.tile(counts, (1, 1000)),
        np.tile(target, (1000, 1)),
        np.ones(1000 * len(target)),
        "softmax",
    )
    assert 1.0 < few < 1.4 < 2.0 < many
    assert_allclose(many, best_temperature(members.mean(axis=0), target), rtol=2e-2)


def test_classes_that_are_told_apart_do_not_freeze_it():
    y = np.arange(60) % 2
    members = np.tile(np.where(y, 0.99, 0.01)[None, :, None], (10, 1, 1))
    counts, known = counts_of(60, 10)
    found = fit_temperature(
        members[:, known], counts[:, known], y[known, None].astype(float), np.ones(known.sum()), "logistic"
    )
    assert 0.8 < found < 1.0


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_only_ratios_of_weights_count_and_a_weight_of_zero_is_no_row(scale):
    members, target, _ = noisy_members(400, 6)
    counts, known = counts_of(400, 6)
    counts, members, target = counts[:, known], members[:, known], target[known]
    weight = np.where(np.arange(len(target)) < 200, scale, 2 * scale)
    found = fit_temperature(members, counts, target, weight, "softmax")
    twice = np.concatenate([np.arange(len(target)), np.arange(200, len(target))])
    repeated = fit_temperature(
        members[:, twice], counts[:, twice], target[twice], np.ones(len(twice)), "softmax"
    )
    # The rows' total weighs against the prior as their number: nearly the same, not the same.
    assert_allclose(np.log(found), np.log(repeated), rtol=0.2)


def test_log_odds_of_labels_are_divided():
    assert_allclose(
        temper(expit(np.array([[4.0], [-2.0]])), 2.0, "logistic"), expit(np.array([[2.0], [-1.0]]))
    )
