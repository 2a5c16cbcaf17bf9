"""The epoch loop."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skreg.neural_network.dropout import Dropout
from skreg.neural_network.network import initialize
from skreg.neural_network.optimizers import SCHEDULES, SGD, AdamW
from skreg.neural_network.training import Rows, Trainer, group_slices
from skreg.penalties import ElasticNetPenalty


def trainer_and_rows(optimizer_class, n=640, n_members=4):
    rng = np.random.default_rng(0)
    generators = [np.random.default_rng(seed) for seed in range(n_members)]
    network = initialize([20, 64, 3], "relu", "softmax", generators, np.dtype(np.float32))
    rows = Rows(
        rng.standard_normal((n, 20)).astype(np.float32),
        np.zeros(20, np.float32),
        np.ones(20, np.float32),
        rng.integers(0, 3, n),
        np.zeros((0, n), np.float32),
        rng.poisson(1.0, (n_members, n)).astype(np.float32),
    )
    penalty = ElasticNetPenalty(l1=1e-4, l2=1e-2)
    trainer = Trainer(
        network,
        Dropout.from_rates(0.2, [0.5]),
        lambda size: optimizer_class(size, network.dtype, penalty, penalty, 2.0),
        64,
        [0],
    )
    return trainer, rows


@pytest.mark.parametrize("optimizer_class", [AdamW, SGD])
def test_nothing_is_allocated_in_the_epoch_loop(optimizer_class):
    trainer, rows = trainer_and_rows(optimizer_class)
    everything = np.arange(rows.n)
    trainer.run(rows, everything, 1, lambda _: 1e-3, None)  # makes the buffers
    group, optimizer = trainer._groups[0], trainer.optimizers[0]
    bounds = list(range(0, rows.n + 1, 64))
    rates = [1e-3] * (len(bounds) - 1)
    tracemalloc.start()
    try:
        group.run_epoch(rows, everything, bounds, rates, optimizer)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000  # views and numbers; one activation of a batch is 32 kB
    assert group.work.batch(64).activations.nbytes > 30_000


def test_early_stopping_keeps_its_buffers_from_epoch_to_epoch():
    trainer, rows = trainer_and_rows(AdamW)
    seen = []
    trainer.run(
        rows,
        np.arange(512),
        3,
        lambda _: 1e-3,
        None,
        validation=np.arange(512, 640),
        judge=lambda mean: seen.append((id(mean), mean.sum())) or 1.0,
    )
    assert len(seen) == 3 and len({where for where, _ in seen}) == 1
    assert_allclose([total for _, total in seen], 128, rtol=1e-5)  # means of members' probabilities


def test_minibatches_are_of_one_size_give_or_take_a_row():
    trainer, rows = trainer_and_rows(AdamW)
    sizes = []
    batch_of = trainer._groups[0].work.batch
    trainer._groups[0].work.batch = lambda n: sizes.append(n) or batch_of(n)
    trainer.run(rows, np.arange(577), 1, lambda _: 1e-3, None)
    assert len(sizes) == 11 and set(sizes[1:]) == {57, 58} and sum(sizes[1:]) == 577


def test_schedules_begin_and_end_where_they_should():
    at = {name: [schedule(t) for t in (0.0, 0.3, 0.5, 1.0)] for name, schedule in SCHEDULES.items()}
    assert at["constant"] == [1.0, 1.0, 1.0, 1.0]
    assert_allclose(at["cosine"], [1.0, 0.5 * (1 + np.cos(0.3 * np.pi)), 0.5, 0.0], atol=1e-15)
    assert_allclose([at["one_cycle"][i] for i in (0, 1, 3)], [0.04, 1.0, 0.0], atol=1e-15)


def test_members_are_grouped_by_what_they_cost_and_never_by_who_works():
    small, large = group_slices(10, [64, 64, 10]), group_slices(10, [64, 256, 256, 10])
    assert len(small) == 1 and len(large) == 8 and len(group_slices(1, [64, 256, 10])) == 1
    for groups in (small, large):
        assert np.concatenate([np.arange(10)[which] for which in groups]).tolist() == list(range(10))
