"""The compiled passes do what the formulas say: gradients, losses, steps, noise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.special import log_softmax

from skreg.neural_network._kernels import losses, minibatch
from skreg.neural_network.dropout import Dropout
from skreg.neural_network.network import ACTIVATIONS, Network, Workspace, initialize, packed
from skreg.neural_network.optimizers import SGD, AdamW
from skreg.neural_network.scaling import Scaling, gradient_factors, rebase, rebase_outputs
from skreg.neural_network.training import Rows
from skreg.penalties import ElasticNetPenalty

RNG = np.random.default_rng(0)
FLOATS = [np.float32, np.float64]


def networks(units, n_members=3, activation="relu", output="softmax", dtype=np.float64):
    generators = [np.random.default_rng(seed) for seed in range(n_members)]
    network = initialize(units, activation, output, generators, np.dtype(dtype))
    for intercept in network.intercepts:
        intercept[...] = RNG.normal(0, 0.3, intercept.shape)
    return network


def filled_batch(work, n_rows, rng, weight=None):
    """Deal random rows to the members: all of them, or those of positive weight."""
    network = work.network
    n_inputs, n_outputs, dtype = network.layer_units[0], network.layer_units[-1], network.dtype
    is_softmax = network.output == "softmax"
    if weight is None:
        weight = rng.integers(0, 3, (network.n_members, n_rows))
    rows = Rows(
        rng.standard_normal((n_rows, n_inputs)).astype(dtype),
        np.zeros(n_inputs, dtype),
        np.ones(n_inputs, dtype),
        rng.integers(0, n_outputs, n_rows if is_softmax else 0),
        rng.uniform(0, 1, (0 if is_softmax else n_outputs, n_rows)).astype(dtype),
        weight.astype(dtype),
    )
    batch = work.batch(n_rows)
    rows.gather(np.arange(n_rows), slice(None), batch, None)
    return batch, rows


def loss_at(work, batch, parameters, noise):
    work.parameters[...] = parameters
    work.loss.fill(0.0)
    # The same noise again: dropout as one fixed function of the parameters.
    work.forward(batch, None if noise is None else np.random.SFC64(noise))
    work.take_loss(batch)
    return work.loss.sum()


@pytest.mark.parametrize("dealt", ["some", "all"])
@pytest.mark.parametrize("noise", [None, 3], ids=["plain", "dropout"])
@pytest.mark.parametrize("output", ["softmax", "logistic", "identity"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("units", [(4, 3), (4, 6, 3), (4, 6, 5, 3)], ids=str)
def test_the_gradient_is_that_of_finite_differences(units, activation, output, noise, dealt):
    rng = np.random.default_rng(1)
    network = networks(units, activation=activation, output=output)
    work = Workspace(network, 7, Dropout.from_rates(0.0, [0.4] * (len(units) - 2)))
    weight = rng.integers(dealt == "all", 3, (3, 7))
    weight[1] *= dealt == "all"  # a member may have none of a batch's rows
    batch, _ = filled_batch(work, 7, rng, weight)
    assert batch.is_shared == (dealt == "all")
    start = work.parameters.copy()
    loss_at(work, batch, start, noise)
    work.backward(batch, dropped=noise is not None)
    gradient = work.gradient.copy()
    h = 1e-5
    for i in rng.choice(start.size, 15, replace=False):
        ahead, behind = start.copy(), start.copy()
        ahead[i] += h
        behind[i] -= h
        slope = (loss_at(work, batch, ahead, noise) - loss_at(work, batch, behind, noise)) / (2 * h)
        assert_allclose(gradient[i], slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_compiled_forward_pass_is_numpy_s(activation, dtype):
    network = networks((5, 8, 7, 4), activation=activation, dtype=dtype)
    work = Workspace(network, 9, Dropout.none(2))
    batch, rows = filled_batch(work, 9, np.random.default_rng(2))
    work.forward(batch)
    for k, expected in enumerate(network.logits(rows.X)):
        mine = expected[rows.weight[k] > 0].T.ravel()
        assert_allclose(batch.z[4 * batch.starts[k] : 4 * batch.starts[k + 1]], mine, rtol=1e-4, atol=1e-5)
    batch.deal_all()
    batch.shared[...] = rows.X
    work.forward(batch)
    everything = batch.z.reshape(3, 4, 9).transpose(0, 2, 1)
    assert_allclose(everything, network.logits(rows.X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_member_trains_as_if_it_were_alone(dtype):
    network = networks((5, 8, 4), dtype=dtype)
    together = Workspace(network, 6, Dropout.none(1))
    batch, rows = filled_batch(together, 6, np.random.default_rng(3))
    together.forward(batch)
    together.take_loss(batch)
    together.backward(batch, dropped=False)
    for k in range(3):
        alone = Workspace(network.members(slice(k, k + 1)), 6, Dropout.none(1))
        own = alone.batch(6)
        rows.gather(np.arange(6), slice(k, k + 1), own, None)
        alone.forward(own)
        alone.take_loss(own)
        alone.backward(own, dropped=False)
        assert_allclose(alone.loss[0], together.loss[k], rtol=1e-5)
        stacked = Network(*split(together), network.activation, network.output)
        mine = Network(*split(alone), network.activation, network.output)
        for a, b in zip(stacked.members(slice(k, k + 1)).parameters, mine.parameters, strict=True):
            assert_allclose(b, a, rtol=1e-4, atol=1e-5)


def split(work):
    """Give the gradient vector the shapes of the parameters."""
    views, start = [], 0
    for array in work.network.parameters:
        views.append(work.gradient[start : start + array.size].reshape(array.shape))
        start += array.size
    n_layers = len(work.network.coefs)
    return views[:n_layers], views[n_layers:]


def test_the_softmax_loss_is_the_cross_entropy_even_of_huge_logits():
    z = np.array([[1e4, -3.0], [0.0, 2.0], [-1e4, 1.0]])
    labels, loss = np.array([1, 1]), np.zeros(1)
    expected = -log_softmax(z, axis=0)[labels, [0, 1]].sum()
    flat = z.ravel().copy()
    dealt = np.array([0, 2]), labels, np.ones(2), np.zeros(2), loss
    losses.shift_logits(flat, *dealt)
    np.exp(flat, out=flat)
    losses.softmax_loss(flat, *dealt)
    assert_allclose(loss, expected)
    assert_allclose(flat.reshape(3, 2).sum(axis=0), 0, atol=1e-15)


def test_every_member_is_dealt_its_rows_of_weight_over_the_number_of_rows():
    work = Workspace(networks((4, 5, 3)), 6, Dropout.none(1))
    weight = np.array([[1, 0, 2, 0, 0, 1], [0, 0, 0, 0, 0, 0], [3, 1, 1, 1, 1, 1]])
    batch, rows = filled_batch(work, 6, np.random.default_rng(0), weight)
    assert_array_equal(batch.starts, [0, 3, 3, 9])
    mine = np.r_[[0, 2, 5], np.arange(6)]
    assert_array_equal(batch.inputs[:9], rows.X[mine])
    assert_array_equal(batch.labels[:9], rows.labels[mine])
    assert_allclose(batch.weight[:9], np.r_[1, 2, 1, 3, 1, 1, 1, 1, 1] / 6)


def test_noise_is_uniform_bytes_and_the_same_for_the_same_seed():
    noise, again = np.zeros(256_003, np.uint8), np.zeros(256_003, np.uint8)
    minibatch.fill_bytes(np.random.SFC64(0), noise)
    minibatch.fill_bytes(np.random.SFC64(0), again)
    assert_array_equal(noise, again)
    counts = np.bincount(noise, minlength=256)
    assert ((counts - 1000.0) ** 2 / 1000.0).sum() < 350  # χ² on 255 degrees of freedom, p = 1e-4
    assert noise[-3:].any()


@pytest.mark.parametrize("trained", FLOATS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_gathered_rows_are_standardised_and_sparse_ones_the_same(dtype, trained):
    X = RNG.standard_normal((20, 6)).astype(dtype)
    X[X < 0.3] = 0
    mean, inverse = X.mean(axis=0), (1 / X.std(axis=0)).astype(dtype)
    rows = np.array([3, 3, 19, 0])
    dense, from_sparse = np.empty((4, 6), trained), np.empty((4, 6), trained)
    minibatch.gather_rows(X, rows, mean, inverse, dense)
    csr = sparse.csr_array(X)
    indices = csr.indices.astype(np.int32), csr.indptr.astype(np.int32)
    minibatch.gather_sparse_rows(csr.data, *indices, rows, mean, inverse, from_sparse)
    assert_array_equal(dense, from_sparse)
    assert_allclose(dense, (X[rows] - mean) * inverse, rtol=1e-6)


def a_step(optimizer_class, coupled, decoupled, learning_rate, gradient=None, **settings):
    network, vector = packed(networks((4, 5, 3)))
    work = Workspace(network, 1, Dropout.none(1))
    work.gradient[...] = 0 if gradient is None else gradient
    optimizer = optimizer_class(vector.size, vector.dtype, coupled, decoupled, **settings)
    optimizer.step(work, learning_rate)
    return vector, work, optimizer


@pytest.mark.parametrize("optimizer_class", [AdamW, SGD])
def test_weight_decay_is_the_penalty_s_gradient_step_and_spares_the_biases(optimizer_class):
    penalty = ElasticNetPenalty(l2=0.7)
    before, work, _ = a_step(optimizer_class, ElasticNetPenalty(), penalty, 0.1)
    n = work.n_weights
    assert_allclose(work.parameters[:n], penalty.gradient_step(before[:n], 0.1), rtol=1e-14)
    assert_array_equal(work.parameters[n:], before[n:])


@pytest.mark.parametrize("optimizer_class", [AdamW, SGD])
def test_decay_of_more_than_there_is_ends_at_zero(optimizer_class):
    before, work, _ = a_step(optimizer_class, ElasticNetPenalty(), ElasticNetPenalty(l2=25.0), 0.1)
    n = work.n_weights
    assert np.all(before[:n] != 0)
    assert_array_equal(work.parameters[:n], 0)


@pytest.mark.parametrize("optimizer_class", [AdamW, SGD])
def test_l1_is_the_penalty_s_proximal_step_and_makes_exact_zeros(optimizer_class):
    penalty = ElasticNetPenalty(l1=2.0)
    before, work, _ = a_step(optimizer_class, ElasticNetPenalty(), penalty, 0.1)
    n = work.n_weights
    assert_allclose(work.parameters[:n], penalty.prox(before[:n], 0.1), rtol=1e-14)
    assert (work.parameters[:n] == 0).sum() > 3
    assert_array_equal(work.parameters[n:], before[n:])


@pytest.mark.parametrize("n_targets", [1, 3])
def test_gradients_change_with_the_scaling_as_is_said(n_targets):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 4)), rng.standard_normal((30, n_targets))
    network = networks((4, 5, n_targets), activation="tanh", output="identity")
    old = Scaling(1.0, np.zeros(4), np.ones(4))
    new = Scaling(1.0, np.zeros(4), np.array([4.0, 0.25, 1.0, 9.0]))
    old_targets = Scaling(1.0, np.zeros(n_targets), np.ones(n_targets))
    new_targets = Scaling(1.0, np.zeros(n_targets), np.full(n_targets, 16.0))

    def gradient(network, inputs, targets):
        work = Workspace(network, 30, Dropout.none(1))
        batch = work.batch(30)
        target = np.ascontiguousarray((y / targets.scale).T)
        rows = Rows(X, inputs.mean, 1 / inputs.scale, np.zeros(0, np.intp), target, np.ones((3, 30)))
        rows.gather(np.arange(30), slice(None), batch, None)
        work.forward(batch)
        work.take_loss(batch)
        work.backward(batch, dropped=False)
        return work.gradient.copy()

    before = gradient(network, old, old_targets)
    rebase(network, old, new)
    rebase_outputs(network, old_targets, new_targets)
    factors = packed(gradient_factors(network, old, new, old_targets, new_targets))[1]
    assert_allclose(gradient(network, new, new_targets), factors * before, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("optimizer_class", [AdamW, SGD])
def test_an_optimizer_that_is_rescaled_goes_on_as_if_it_had_always_been(optimizer_class):
    network, _ = packed(networks((2, 1), n_members=1))
    factor = np.array([2.0, 0.5, 10.0])
    steps = []
    for always in (False, True):
        work = Workspace(network, 1, Dropout.none(0))
        optimizer = optimizer_class(3, np.dtype(float), ElasticNetPenalty(), ElasticNetPenalty())
        work.gradient[...] = np.array([1.0, -2.0, 0.3]) * (factor if always else 1.0)
        optimizer.step(work, 0.01)
        if not always:
            optimizer.rescale(factor)
        before = work.parameters.copy()
        work.gradient[...] = np.array([0.5, 1.0, -0.2]) * factor
        optimizer.step(work, 0.01)
        steps.append(work.parameters - before)
    assert_allclose(*steps, rtol=1e-6)


def test_adam_s_first_step_is_the_sign_of_the_gradient_with_l2_in_it():
    coupled = ElasticNetPenalty(l2=0.5)
    gradient = RNG.standard_normal(3 * (4 * 5 + 5 * 3 + 5 + 3))
    before, work, _ = a_step(AdamW, coupled, ElasticNetPenalty(), 0.01, gradient)
    n = work.n_weights
    total = gradient + 0.5 * np.r_[before[:n], np.zeros(before.size - n)]
    assert_allclose(work.parameters, before - 0.01 * np.sign(total), atol=1e-7)


def test_adam_follows_its_recursion():
    network, vector = packed(networks((2, 1), n_members=1))
    work = Workspace(network, 1, Dropout.none(0))
    optimizer = AdamW(vector.size, vector.dtype, ElasticNetPenalty(), ElasticNetPenalty())
    w, m, v = vector.copy(), 0.0, 0.0
    for t in range(1, 6):
        work.gradient[...] = g = np.array([1.0, -2.0, 0.1]) * t
        optimizer.step(work, 0.01)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        w = w - 0.01 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        assert_allclose(work.parameters, w, rtol=1e-12)


def test_nesterov_s_momentum_follows_its_recursion():
    network, vector = packed(networks((2, 1), n_members=1))
    work = Workspace(network, 1, Dropout.none(0))
    optimizer = SGD(vector.size, vector.dtype, ElasticNetPenalty(), ElasticNetPenalty(), momentum=0.8)
    w, u = vector.copy(), 0.0
    for t in range(1, 5):
        work.gradient[...] = g = np.array([1.0, -2.0, 0.1]) * t
        optimizer.step(work, 0.01)
        u = 0.8 * u - 0.01 * g
        w = w + 0.8 * u - 0.01 * g
        assert_allclose(work.parameters, w, rtol=1e-12)


def test_max_norm_shortens_what_goes_into_a_hidden_unit_and_nothing_else():
    before, work, _ = a_step(AdamW, ElasticNetPenalty(), ElasticNetPenalty(), 0.1, max_norm=0.5)
    hidden, last = work.network.coefs
    lengths = np.linalg.norm(hidden, axis=2)
    assert lengths.max() <= 0.5 * (1 + 1e-12)
    old = before[: hidden.size].reshape(hidden.shape)
    old_lengths = np.linalg.norm(old, axis=2)
    assert (old_lengths > 0.5).any()
    assert_allclose(hidden, old * np.minimum(1.0, 0.5 / old_lengths)[:, :, None])
    assert_array_equal(last.ravel(), before[hidden.size : hidden.size + last.size])
