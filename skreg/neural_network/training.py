"""The epoch loop: shared minibatches, one group of members after another or at once, early stopping.

Every member sees the same minibatches, and its bootstrap sample as the weights of their rows: the counts of
the sample, whose mean is 1, times the sample weights. So the first layer of all members is one matrix
product.

Members are trained in groups, whose number depends on the networks and not on `n_jobs`: a group computes the
same whoever runs it, so that threads change nothing but the time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from scipy import sparse
from sklearn.utils.parallel import Parallel

from skreg.execution.tasks import Task, calls, in_turn
from skreg.neural_network._kernels.minibatch import (
    deal_rows,
    drop,
    fill_bytes,
    gather_rows,
    gather_sparse_rows,
)
from skreg.neural_network.dropout import Dropout
from skreg.neural_network.network import Batch, Network, Workspace, output_function
from skreg.neural_network.optimizers import SGD, AdamW

__all__ = ["Outcome", "Rows", "Trainer", "group_slices", "pool"]

Array = np.ndarray[Any, np.dtype[Any]]

# Floating-point operations of a row of the batch in the members of a group. A step of it then takes tenths of
# a millisecond, in which handing it over, and gathering its batch anew, do not count.
_WORK_OF_A_GROUP = 600_000


@dataclass(frozen=True)
class Rows:
    """What the networks train on, or are judged by.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, n_features)
        Inputs as given, dense in C order; they are standardised as batches are gathered.
    mean, inverse_scale : ndarray of shape (n_features,)
        Each input x enters as (x − mean) · inverse_scale.
    labels : ndarray of shape (n,)
        Class numbers, for softmax; otherwise empty.
    target : ndarray of shape (n_outputs, n)
        What the outputs should be; for softmax empty.
    weight : ndarray of shape (K, n)
        The weight of each row for each member.
    """

    X: Any
    mean: Array
    inverse_scale: Array
    labels: Array
    target: Array
    weight: Array

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.X.shape[0]

    def gather_inputs(self, rows: Array, out: Array) -> None:
        """Write the standardised inputs of some rows."""
        if sparse.issparse(self.X):
            X = self.X
            gather_sparse_rows(X.data, X.indices, X.indptr, rows, self.mean, self.inverse_scale, out)
        else:
            gather_rows(self.X, rows, self.mean, self.inverse_scale, out)

    def gather(self, rows: Array, members: slice, batch: Batch, drop: Callable[[Batch], None] | None) -> None:
        """Fill a batch: inputs, with dropout if there is any, and for each member its rows of weight."""
        self.gather_inputs(rows, batch.shared)
        if drop is not None:
            drop(batch)
        deal_rows(
            rows,
            self.labels,
            self.target,
            self.weight[members],
            batch.shared,
            batch.starts,
            batch.inputs,
            batch.labels,
            batch.target,
            batch.weight,
        )


def group_slices(n_members: int, layer_units: Sequence[int]) -> list[slice]:
    """Divide the members into groups: the larger the networks the more, and one of small ones."""
    work = 6 * n_members * sum(a * b for a, b in pairwise(layer_units))
    n_groups = min(n_members, max(1, round(work / _WORK_OF_A_GROUP)))
    ends = np.linspace(0, n_members, n_groups + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(ends)]


@contextmanager
def pool(n_jobs: int | None) -> Iterator[Callable[[list[Task]], list[Any]]]:
    """Give a function that calls each task, so many at once, and returns their values in order.

    joblib says how many and where. In this process it does not run them, because it looks for results every
    10 ms and an epoch takes less.
    """
    n_threads = effective_n_jobs(n_jobs)
    backend, _ = get_active_backend(prefer="threads")
    if n_threads == 1:
        yield in_turn
    elif getattr(backend, "supports_sharedmem", False):
        with ThreadPoolExecutor(n_threads) as executor:
            yield lambda tasks: [future.result() for future in [executor.submit(*task) for task in tasks]]
    else:
        with Parallel(n_jobs=n_jobs) as parallel:
            yield lambda tasks: in_turn(tasks) if len(tasks) == 1 else parallel(calls(tasks))


class _Group:
    """Some members with the buffers, the optimiser and the noise that they are trained with."""

    def __init__(
        self,
        network: Network,
        which: slice,
        dropout: Dropout,
        batch_size: int,
        seed: Sequence[int],
        number: int,
    ) -> None:
        self.which = which
        self.work = Workspace(network.members(which), batch_size, dropout)
        # Every group draws the same noise of inputs: members share the mask of an input row, as they share
        # the row.
        self._input_noise = _stream(seed, 1)
        self._noise = _stream(seed, 2 + number)

    def run_epoch(
        self, rows: Rows, order: Array, bounds: Sequence[int], rates: Sequence[float], optimizer: AdamW | SGD
    ) -> None:
        """Take a step on every minibatch order[bounds[i] : bounds[i + 1]]."""
        work = self.work
        dropping = work.dropout.drops_hidden
        drop_inputs = self._drop_inputs if work.dropout.input[0] else None
        work.loss.fill(0.0)
        for start, end, rate in zip(bounds[:-1], bounds[1:], rates, strict=True):
            batch = work.batch(end - start)
            rows.gather(order[start:end], self.which, batch, drop_inputs)
            work.forward(batch, self._noise if dropping else None)
            work.take_loss(batch)
            work.backward(batch, dropped=dropping)
            optimizer.step(work, rate)
        work.loss /= len(rates)

    def _drop_inputs(self, batch: Batch) -> None:
        fill_bytes(self._input_noise, batch.input_noise)
        drop(batch.shared.reshape(-1), batch.input_noise, *self.work.dropout.input)

    def quiet_loss(self, rows: Rows, some: Array) -> float:
        """Return the members' mean loss on some rows, a batch at most, without dropout."""
        batch = self.work.batch(len(some))
        rows.gather(some, self.which, batch, None)
        self.work.loss.fill(0.0)
        self.work.forward(batch)
        self.work.take_loss(batch)
        return float(self.work.loss.mean())

    def sum_outputs(self, rows: Rows, which: Array) -> Array:
        """Sum the members' outputs on some rows, one each, without dropout."""
        out = np.empty((len(which), self.work.network.layer_units[-1]), self.work.network.dtype)
        for start in range(0, len(which), self.work.batch_size):
            chosen = which[start : start + self.work.batch_size]
            batch = self.work.batch(len(chosen))
            rows.gather_inputs(chosen, batch.shared)
            batch.deal_all()
            self.work.forward(batch)
            z = batch.z.reshape(-1, batch.n_outputs, len(chosen)).transpose(0, 2, 1)
            outputs = output_function(z, self.work.network.output)
            np.sum(outputs, axis=0, out=out[start : start + self.work.batch_size])
        return out


@dataclass
class Outcome:
    """How training went."""

    losses: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    best_epoch: int = -1  # whose weights are kept: −1 if those that training started from
    overflowed: bool = False  # the loss or the weights became infinite or NaN
    hopeless: bool = False  # the loss stayed finite, and ended far above that of a constant

    @property
    def diverged(self) -> bool:
        """Whether the networks have the weights of the best epoch for want of better ones."""
        return self.overflowed or self.hopeless


class Trainer:
    """Networks with what is needed to take further steps.

    Parameters
    ----------
    network : Network
        Trained in place.
    dropout : Dropout
        Its rates.
    make_optimizer : callable
        From a number of parameters to `AdamW` or `SGD`.
    batch_size : int
        The most rows of a minibatch.
    seed : sequence of int
        Of the order of the rows and of dropout.
    optimizers : list, optional
        Those of an earlier trainer of the same networks.
    """

    def __init__(
        self,
        network: Network,
        dropout: Dropout,
        make_optimizer: Callable[[int], AdamW | SGD],
        batch_size: int,
        seed: Sequence[int],
        optimizers: list[AdamW | SGD] | None = None,
    ) -> None:
        slices = group_slices(network.n_members, network.layer_units)
        self.network = network
        self.batch_size = batch_size
        self._groups = [
            _Group(network, which, dropout, batch_size, seed, number) for number, which in enumerate(slices)
        ]
        if optimizers is None:
            optimizers = [make_optimizer(group.work.parameters.size) for group in self._groups]
        self.optimizers = optimizers
        self._shuffler = np.random.Generator(_stream(seed, 0))

    def run(
        self,
        rows: Rows,
        training: Array,
        n_epochs: int,
        learning_rate: Callable[[float], float],
        n_jobs: int | None,
        *,
        validation: Array | None = None,
        judge: Callable[[Array], float] | None = None,
        patience: int | None = None,
        tol: float = 0.0,
        hopeless: float = math.inf,
        report: Any = None,
    ) -> Outcome:
        """Train for so many epochs, or until the validation loss has not improved for `patience` of them.

        Parameters
        ----------
        rows : Rows
            The data.
        training : ndarray of int
            Which rows to train on.
        n_epochs : int
            The most passes over them.
        learning_rate : callable
            Step size by the share of all steps that are done.
        n_jobs : int or None
            Groups trained at once.
        validation : ndarray of int, optional
            Which rows to judge by; the weights of the best epoch are then restored.
        judge : callable, optional
            From the members' mean outputs on these, (n_validation, outputs), to the validation loss.
        patience : int, optional
            Epochs to go on without improvement.
        tol : float
            The least that counts as improvement.
        hopeless : float
            A loss that counts as divergence to end with, under dropout and without it, if it is far above
            that of the start too.
        report : optional
            Whose `begin()` and `end()` are called around every epoch; True from the latter ends training.

        Returns
        -------
        Outcome
            The losses, the epoch whose weights the networks have, and whether the loss became infinite or
            NaN; they then have the finite weights of the lowest loss.
        """
        outcome = Outcome()
        n = len(training)
        n_batches = math.ceil(n / self.batch_size)
        # Minibatches of one size, give or take a row: no last one of a few rows, or of none with weight.
        bounds = np.linspace(0, n, n_batches + 1).astype(int).tolist()
        n_steps = n_epochs * n_batches
        order = np.array(training, dtype=np.intp)
        # Rows from everywhere, for y may be sorted.
        some = order[np.linspace(0, n - 1, min(n, self.batch_size)).astype(np.intp)]
        start = [group.work.parameters.copy() for group in self._groups]
        best = [parameters.copy() for parameters in start]
        lowest, since_best = math.inf, 0
        n_validation = 0 if validation is None else len(validation)
        mean = np.empty((n_validation, self.network.layer_units[-1]), self.network.dtype)
        at_first = self._quiet_loss(rows, some)
        with pool(n_jobs) as call:
            for epoch in range(n_epochs):
                if report is not None:
                    report.begin()
                # Not in place: joblib's memory map of an array is made once.
                order = order.copy()
                self._shuffler.shuffle(order)
                first = epoch * n_batches
                rates = [learning_rate(step / n_steps) for step in range(first, first + n_batches)]
                tasks = [
                    (_run_epoch, group, optimizer, rows, order, bounds, rates, validation)
                    for group, optimizer in zip(self._groups, self.optimizers, strict=True)
                ]
                # The same ones, or copies that another process has trained.
                groups, optimizers, sums = zip(*call(tasks), strict=True)
                self._groups[:], self.optimizers[:] = groups, optimizers
                loss = judged = float(np.mean(np.concatenate([group.work.loss for group in self._groups])))
                if judge is not None:
                    np.sum(sums, axis=0, out=mean)
                    mean /= self.network.n_members
                    judged = judge(mean)
                if not (math.isfinite(loss) and math.isfinite(judged) and self._is_finite()):
                    outcome.overflowed = True
                    break
                outcome.losses.append(loss)
                if validation is not None:
                    outcome.validation_losses.append(judged)
                since_best = 0 if judged < lowest - tol else since_best + 1
                if judged < lowest:
                    lowest, outcome.best_epoch = judged, epoch
                    for kept, group in zip(best, self._groups, strict=True):
                        kept[...] = group.work.parameters
                stop = report is not None and report.end()
                if stop or (patience is not None and since_best >= patience):
                    break
        limit = max(hopeless, 4.0 * at_first)
        if not outcome.overflowed and outcome.losses[-1] > limit:
            # Heavy dropout makes a loss large that is small without its noise.
            outcome.hopeless = not self._quiet_loss(rows, some) <= limit
        if validation is not None or outcome.diverged:
            self._restore(best)
        else:
            outcome.best_epoch = len(outcome.losses) - 1
        # An epoch's training loss is that before its steps: the last of them may have been the bad one.
        if outcome.diverged and not self._quiet_loss(rows, some) <= limit:
            self._restore(start)
            outcome.best_epoch = -1
        for group in self._groups:
            self.network.members(group.which).set_to(group.work.network)
        return outcome

    def _quiet_loss(self, rows: Rows, some: Array) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            # NumPy's maximum, because Python's loses NaN.
            return float(np.max([group.quiet_loss(rows, some) for group in self._groups]))

    def _restore(self, kept: list[Array]) -> None:
        for parameters, group in zip(kept, self._groups, strict=True):
            group.work.parameters[...] = parameters

    def _is_finite(self) -> bool:
        # A sum of finite numbers may overflow; no training ends well from there either.
        with np.errstate(over="ignore", invalid="ignore"):
            return all(math.isfinite(float(group.work.parameters.sum())) for group in self._groups)


def _run_epoch(
    group: _Group,
    optimizer: AdamW | SGD,
    rows: Rows,
    order: Array,
    bounds: Sequence[int],
    rates: Sequence[float],
    validation: Array | None,
) -> tuple[_Group, AdamW | SGD, Array | None]:
    # Threads do not inherit the caller's error state; what overflows is looked for after the epoch.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        group.run_epoch(rows, order, bounds, rates, optimizer)
        return group, optimizer, None if validation is None else group.sum_outputs(rows, validation)


def _stream(seed: Sequence[int], number: int) -> np.random.SFC64:
    return np.random.SFC64(np.random.SeedSequence([*seed, number]))
