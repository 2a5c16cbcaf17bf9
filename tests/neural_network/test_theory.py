"""What dropout and bagging are, in numbers: the exact identities, and where they end."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import log_softmax, softmax
from sklearn.datasets import load_diabetes, load_digits, make_classification
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler

from skreg import BaggedDropoutMLPClassifier, BaggedDropoutMLPRegressor
from skreg.neural_network._kernels import minibatch
from skreg.neural_network.dropout import Dropout, draw_masks, signal, thinned
from skreg.neural_network.network import initialize

RNG = np.random.default_rng(0)


def every_mask(n_units):
    """All 2ⁿ masks of inverted dropout at q = ½."""
    return 2.0 * np.array(list(itertools.product([0, 1], repeat=n_units)), dtype=float)


def one_network(units, activation="relu"):
    network = initialize(units, activation, "softmax", [np.random.default_rng(4)], np.dtype(np.float64))
    for array in network.parameters:
        array[...] = RNG.normal(0, 1.0, array.shape)
    return network


def geometric_mean(network, X, masks_of_layers):
    """Normalised geometric mean of the probabilities over masks; an arithmetic one beside it."""
    logs, plain = [], []
    for masks in masks_of_layers:
        z = thinned(network, masks).logits(X)[0]
        logs.append(log_softmax(z, axis=1))
        plain.append(softmax(z, axis=1))
    return softmax(np.mean(logs, axis=0), axis=1), np.mean(plain, axis=0)


def test_softmax_regression_s_geometric_mean_over_all_1024_masks_is_the_weight_scaled_network():
    network = one_network((10, 4))
    X = RNG.standard_normal((6, 10))
    masks = [[mask[None]] for mask in every_mask(10)]
    assert len(masks) == 1024
    geometric, arithmetic = geometric_mean(network, X, masks)
    assert_allclose(geometric, network.outputs(X)[0], rtol=1e-12)
    assert np.abs(arithmetic - network.outputs(X)[0]).max() > 0.01


def test_dropout_of_the_last_hidden_layer_alone_is_exact_and_below_it_is_not():
    network = one_network((5, 7, 6, 3))
    X = RNG.standard_normal((6, 5))
    keep_5, keep_7, keep_6 = (np.ones((1, n)) for n in (5, 7, 6))
    at_the_top, _ = geometric_mean(network, X, [[keep_5, keep_7, m[None]] for m in every_mask(6)])
    below, _ = geometric_mean(network, X, [[keep_5, m[None], keep_6] for m in every_mask(7)])
    assert_allclose(at_the_top, network.outputs(X)[0], rtol=1e-11)
    assert np.abs(below - network.outputs(X)[0]).max() > 0.01


def test_the_error_of_weight_scaling_grows_with_the_depth_above_the_dropped_inputs():
    errors = []
    for depth in range(4):
        units = (6, *[40] * depth, 3)
        generators = [np.random.default_rng(seed) for seed in range(30)]
        networks = initialize(units, "relu", "softmax", generators, np.dtype(np.float64))
        X = RNG.standard_normal((20, 6))
        ones = [np.ones((30, n)) for n in units[1:-1]]
        logits = np.mean(
            [thinned(networks, [np.tile(m, (30, 1)), *ones]).logits(X) for m in every_mask(6)], axis=0
        )
        scale = networks.logits(X).std()
        errors.append(np.sqrt(np.mean((logits - networks.logits(X)) ** 2)) / scale)
    assert errors[0] < 1e-14
    assert errors[0] < errors[1] < errors[2] < errors[3]


def test_inverted_dropout_keeps_the_mean_of_100_unit_inputs_and_has_sd_10():
    inputs = np.ones(100 * 20_000)
    noise = np.zeros(inputs.size, np.uint8)
    minibatch.fill_bytes(np.random.SFC64(1), noise)
    (threshold, scale), _ = Dropout.from_rates(0.5, [0.0]).input, None
    minibatch.drop(inputs, noise, threshold, scale)
    sums = inputs.reshape(-1, 100).sum(axis=1)
    assert abs(sums.mean() - 100) < 4 * 10 / np.sqrt(20_000)
    assert abs(sums.std() - 10) < 0.25
    assert set(np.unique(inputs)) == {0.0, 2.0}


@pytest.mark.parametrize("rate", [0.5, 0.25])
def test_dropped_inputs_of_a_linear_regression_are_ridge(rate):
    """Averaged over all masks: w = (XᵀX + ((1−q)/q) diag(XᵀX))⁻¹ Xᵀy: Ridge with α = n(1−q)/q."""
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X[:, :6])
    y = (y - y.mean()) / y.std()
    q = 1 - rate
    n = len(y)
    alpha = n * (1 - q) / q
    exact = Ridge(alpha=alpha, fit_intercept=False).fit(X, y).coef_
    masks = every_mask(6) / 2
    weight = np.prod(np.where(masks > 0, q, 1 - q), axis=1)
    gram, cross = np.zeros((6, 6)), np.zeros(6)
    for mask, share in zip(masks, weight, strict=True):
        dropped = X * mask / q
        gram += share * dropped.T @ dropped
        cross += share * dropped.T @ y
    assert_allclose(np.linalg.solve(gram, cross), exact, rtol=1e-10)
    # And that is where training goes, with its own noise.
    settings = {
        "n_estimators": 1,
        "bootstrap": False,
        "weight_decay": 0.0,
        "random_state": 0,
        "batch_size": n,
    }
    model = BaggedDropoutMLPRegressor((), input_dropout=rate, max_iter=4000, **settings).fit(X, y)
    assert_allclose(model.coefs_[0][0, :, 0], exact, atol=0.01)
    assert np.abs(exact - np.linalg.lstsq(X, y, rcond=None)[0]).max() > 0.05


def test_the_variance_of_a_mean_of_members_is_what_their_correlation_leaves():
    """Var = ϱσ² + (1−ϱ)σ²/K, with σ² and ϱ measured over training sets."""
    X, y = make_classification(600, n_features=10, n_informative=5, flip_y=0.1, random_state=0)
    new = X[:40]
    k = 6
    draws = []
    for seed in range(12):
        rows = np.random.default_rng(seed).choice(np.arange(40, 600), 120, replace=False)
        model = BaggedDropoutMLPClassifier((8,), n_estimators=k, max_iter=60, random_state=seed)
        draws.append(model.fit(X[rows], y[rows]).predict_members(new)[:, :, 1])
    members = np.array(draws).transpose(1, 0, 2)  # (k, training sets, rows)
    centred = members - members.mean(axis=1, keepdims=True)
    covariance = np.einsum("asi,bsi->ab", centred, centred) / members[0].size
    variance = np.trace(covariance) / k
    rho = (covariance.sum() - np.trace(covariance)) / (k * (k - 1)) / variance
    of_the_mean = members.mean(axis=0).var(axis=0).mean()
    assert_allclose(of_the_mean, rho * variance + (1 - rho) * variance / k, rtol=1e-10)
    assert rho < 0.95
    assert of_the_mean < 0.9 * variance


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_ensemble_s_log_loss_is_never_above_the_members_mean(dropout):
    X, y = make_classification(300, n_informative=4, n_classes=3, flip_y=0.2, random_state=1)
    model = BaggedDropoutMLPClassifier((16,), dropout=dropout, max_iter=20, random_state=0).fit(
        X[:150], y[:150]
    )
    members = [log_loss(y[150:], p) for p in model.predict_members(X[150:])]
    assert log_loss(y[150:], model.predict_proba(X[150:])) < np.mean(members)


def test_dropout_at_a_rate_drops_that_share_in_training_and_in_monte_carlo():
    dropout = Dropout.from_rates(0.1, [0.5, 0.25])
    rates = [1 - 1 / scale for _, scale in (dropout.input, *dropout.hidden)]
    assert_allclose(rates, [0.1, 0.5, 0.25], atol=1 / 512)
    masks = draw_masks(dropout, (400, 500, 300, 2), 50, np.random.default_rng(0))
    for mask, rate in zip(masks, rates, strict=True):
        assert_allclose((mask == 0).mean(), rate, atol=0.01)
        assert_allclose(mask.mean(), 1.0, atol=0.02)


def test_without_regularisation_random_labels_are_memorised_and_with_it_they_are_not():
    X = RNG.standard_normal((150, 20))
    y = RNG.integers(0, 2, 150)
    plain = {"n_estimators": 1, "bootstrap": False, "max_iter": 200, "random_state": 0}
    free = BaggedDropoutMLPClassifier((128,), dropout=0, weight_decay=0, **plain).fit(X, y)
    held = BaggedDropoutMLPClassifier((128,), dropout=0.5, input_dropout=0.5, weight_decay=1.0, **plain).fit(
        X, y
    )
    assert free.score(X, y) == 1.0
    assert held.score(X, y) < 0.95
    assert log_loss(y, held.predict_proba(X)) > 10 * log_loss(y, free.predict_proba(X))


def test_the_higher_the_rate_the_sparser_the_hidden_units_and_the_less_they_repeat_one_another():
    X, y = load_digits(return_X_y=True)
    X = X / 16
    plain = {"n_estimators": 1, "bootstrap": False, "standardize": False, "random_state": 1}
    speaking, alike = [], []
    for rate in (0.0, 0.25, 0.75):
        model = BaggedDropoutMLPClassifier((128,), dropout=rate, input_dropout=0, max_iter=40, **plain)
        exported = model.fit(X[:1000], y[:1000]).to_scikit_learn()
        hidden = np.maximum(X[1000:] @ exported.coefs_[0] + exported.intercepts_[0], 0)
        hidden = hidden[:, hidden.std(axis=0) > 0]
        speaking.append(np.mean(hidden > 0.1 * hidden.max()))
        alike.append(np.abs(np.corrcoef(hidden.T)[np.triu_indices(hidden.shape[1], 1)]).mean())
    assert speaking[0] > speaking[1] + 0.05 and speaking[1] > speaking[2] + 0.05
    assert alike[0] > alike[1] + 0.01 and alike[1] > alike[2] + 0.01


def test_more_masks_lower_the_monte_carlo_log_loss_towards_that_of_very_many():
    X, y = load_digits(return_X_y=True)
    one = {"n_estimators": 1, "bootstrap": False, "dropout": 0.5}
    models = [
        BaggedDropoutMLPClassifier((64,), max_iter=40, random_state=seed, **one).fit(X[:500], y[:500])
        for seed in range(6)  # one draw of 8 masks may be a lucky one
    ]
    few, some, many = (
        np.mean([log_loss(y[500:], m.predict_proba(X[500:], "monte_carlo", n_masks)) for m in models])
        for n_masks in (1, 8, 200)
    )
    assert few > 1.2 * some and some > many
    # The loss of one mask is above that of the mean over many by Jensen; of n of them, by about 1/n of that.
    assert some - many < 0.3 * (few - many)
    # Weight scaling is no such mean: it is where its one pass is, and not where the masks lead.
    whole = np.mean([log_loss(y[500:], m.predict_proba(X[500:])) for m in models])
    assert abs(whole - many) > 0.01


def test_decoupled_decay_and_l2_in_adam_s_gradient_are_different_penalties():
    X, y = make_classification(200, random_state=0)
    X = X * np.logspace(-1, 1, X.shape[1])
    settings = {"n_estimators": 1, "bootstrap": False, "dropout": 0, "random_state": 0, "standardize": False}
    norms = {}
    for name in ("l2", "weight_decay"):
        quiet, loud = [], []
        for strength in (0.03, 0.3):
            penalties = {"l2": 0.0, "weight_decay": 0.0, name: strength}
            model = BaggedDropoutMLPClassifier((), schedule="constant", **penalties, **settings).fit(X, y)
            quiet.append(np.abs(model.coefs_[0][0, :10]).mean())
            loud.append(np.abs(model.coefs_[0][0, 10:]).mean())
        norms[name] = (quiet[1] / quiet[0], loud[1] / loud[0])
    # Ten times the L2 inside the gradient flattens the inputs of small gradients; decay takes its share of
    # all.
    assert norms["l2"][0] < 0.5
    assert norms["weight_decay"][0] > 0.7


def test_the_signal_is_the_mean_and_deviation_over_every_mask():
    rng = np.random.default_rng(0)
    values, rate = rng.standard_normal(8), 0.3
    masks = np.array(list(itertools.product([0.0, 1.0], repeat=8)))
    chance = np.prod(np.where(masks == 1.0, 1.0 - rate, rate), axis=1)
    sums = masks @ values
    mean = chance @ sums
    sd = np.sqrt(chance @ (sums - mean) ** 2)
    assert signal(values, rate) == pytest.approx((mean, sd, values.sum(), sd / (1.0 - rate)), rel=1e-12)
    assert signal(values, 0.0) == pytest.approx((values.sum(), 0.0, values.sum(), 0.0))


@pytest.mark.parametrize("rate", [-0.1, 1.0, np.nan])
def test_a_rate_of_dropping_all_has_no_signal(rate):
    with pytest.raises(ValueError, match=r"rate must be in \[0, 1\)"):
        signal([1.0], rate)
