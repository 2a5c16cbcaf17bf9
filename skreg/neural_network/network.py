"""K stacked networks: parameters, forward and backward passes in preallocated buffers.

Everything is stacked by member and lies with the batch innermost: weights (K, out, in), biases (K, out),
activations (K, units, rows). The first layer of all members is then one matrix product, W₁ (K·units, in)
times the batch transposed; the later layers are K products each; and the members from i to j are a contiguous
block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import expit, softmax

from skreg.neural_network._kernels.losses import logistic_loss, shift_logits, softmax_loss, squared_loss
from skreg.neural_network._kernels.minibatch import fill_bytes
from skreg.neural_network._kernels.passes import backward, forward
from skreg.neural_network.dropout import Dropout

__all__ = ["ACTIVATIONS", "Batch", "Network", "Workspace", "initialize", "output_function", "packed"]

Array = np.ndarray[Any, np.dtype[Any]]

ACTIVATIONS = ("relu", "tanh", "logistic", "identity")


@dataclass(frozen=True)
class Network:
    """The parameters of K networks of one architecture.

    Parameters
    ----------
    coefs : list of ndarray of shape (K, n_out, n_in)
        Weights of each layer.
    intercepts : list of ndarray of shape (K, n_out)
        Biases of each layer.
    activation : {"relu", "tanh", "logistic", "identity"}
        Of the hidden layers.
    output : {"softmax", "logistic", "identity"}
        Of the last layer; it also says which loss the networks are trained by.
    """

    coefs: list[Array]
    intercepts: list[Array]
    activation: str
    output: str

    @property
    def n_members(self) -> int:
        """K."""
        return self.coefs[0].shape[0]

    @property
    def layer_units(self) -> list[int]:
        """Numbers of inputs, hidden units of each layer, and outputs."""
        return [self.coefs[0].shape[2], *(coef.shape[1] for coef in self.coefs)]

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the parameters."""
        return self.coefs[0].dtype

    @property
    def parameters(self) -> list[Array]:
        """Every array of the network: the weights of all layers, then the biases."""
        return [*self.coefs, *self.intercepts]

    def members(self, which: slice) -> Network:
        """Give some of the networks, as views."""
        return Network(
            [coef[which] for coef in self.coefs],
            [intercept[which] for intercept in self.intercepts],
            self.activation,
            self.output,
        )

    def astype(self, dtype: np.dtype[Any] | type) -> Network:
        """Copy every parameter, in another dtype."""
        return Network(
            [coef.astype(dtype) for coef in self.coefs],
            [intercept.astype(dtype) for intercept in self.intercepts],
            self.activation,
            self.output,
        )

    def set_to(self, other: Network) -> None:
        """Take over the parameters of another network, in place."""
        for mine, theirs in zip(self.parameters, other.parameters, strict=True):
            mine[...] = theirs

    def hidden(self, X: Array) -> list[Array]:
        """Compute the activations of every hidden layer, each of shape (K, units, rows), on rows X."""
        layers: list[Array] = []
        below = X.T
        for coef, intercept in zip(self.coefs[:-1], self.intercepts[:-1], strict=True):
            below = np.matmul(coef, below)
            below += intercept[:, :, None]
            _activate(below, self.activation)
            layers.append(below)
        return layers

    def logits(self, X: Array) -> Array:
        """Compute the last layer before its output function, of shape (K, rows, outputs), on rows X."""
        hidden = self.hidden(X)
        below = hidden[-1] if hidden else X.T
        z = np.matmul(self.coefs[-1], below) + self.intercepts[-1][:, :, None]
        return z.transpose(0, 2, 1)

    def outputs(self, X: Array) -> Array:
        """Compute every member's probabilities or predictions, of shape (K, rows, outputs), on rows X."""
        return output_function(self.logits(X), self.output)


def output_function(z: Array, output: str) -> Array:
    """Apply the last layer's function along the last axis."""
    if output == "softmax":
        return softmax(z, axis=-1)
    return expit(z) if output == "logistic" else z


def initialize(
    layer_units: Sequence[int],
    activation: str,
    output: str,
    generators: Sequence[np.random.Generator],
    dtype: np.dtype[Any],
) -> Network:
    """Draw one network from each generator, by Glorot and Bengio's uniform rule (2010, eq. 16).

    Parameters
    ----------
    layer_units : sequence of int
        Numbers of inputs, hidden units and outputs.
    activation, output : str
        As in `Network`.
    generators : sequence of Generator
        One a member, so that a member is the same however many there are.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    Network
        Biases are zero.
    """
    factor = 2.0 if activation == "logistic" else 6.0
    coefs, intercepts = [], []
    for n_in, n_out in pairwise(layer_units):
        bound = np.sqrt(factor / (n_in + n_out))
        drawn = [generator.uniform(-bound, bound, (n_out, n_in)) for generator in generators]
        coefs.append(np.stack(drawn).astype(dtype))
        intercepts.append(np.zeros((len(generators), n_out), dtype))
    return Network(coefs, intercepts, activation, output)


def _activate(z: Array, activation: str) -> None:
    if activation == "relu":
        np.maximum(z, 0, out=z)
    elif activation == "tanh":
        np.tanh(z, out=z)
    elif activation == "logistic":
        expit(z, out=z)


def packed(network: Network) -> tuple[Network, Array]:
    """Copy a network into one vector, and give the network of views of it and the vector."""
    vector = np.concatenate([array.reshape(-1) for array in network.parameters])
    views, start = [], 0
    for array in network.parameters:
        views.append(vector[start : start + array.size].reshape(array.shape))
        start += array.size
    n_layers = len(network.coefs)
    return Network(views[:n_layers], views[n_layers:], network.activation, network.output), vector


class Workspace:
    """Some members packed into one vector, and the buffers of their training steps.

    Parameters
    ----------
    network : Network
        The members; copied.
    batch_size : int
        The most rows of a batch.
    dropout : Dropout
        Of the inputs and of each hidden layer.
    """

    def __init__(self, network: Network, batch_size: int, dropout: Dropout) -> None:
        self.network, self.parameters = packed(network)
        self.gradient = np.zeros_like(self.parameters)
        self.loss = np.zeros(network.n_members)
        self.batch_size = batch_size
        self.dropout = dropout
        self._units = np.array(network.layer_units, dtype=np.intp)
        self._activation = ACTIVATIONS.index(network.activation)
        self._thresholds = np.array([threshold for threshold, _ in dropout.hidden], dtype=np.int32)
        self._scales = np.array([scale for _, scale in dropout.hidden])
        self._no_thresholds, self._no_scales = np.zeros_like(self._thresholds), np.ones_like(self._scales)
        self._batches: dict[int, Batch] = {}

    def __reduce__(self) -> Any:
        # Another process makes buffers of its own; their contents last for a step.
        return _workspace, (self.network, self.batch_size, self.dropout, self.loss)

    @property
    def n_weights(self) -> int:
        """How many of the parameters are weights: the first ones; biases follow."""
        return sum(coef.size for coef in self.network.coefs)

    def batch(self, n_rows: int) -> Batch:
        """Give the buffers of a batch of so many rows."""
        # There are two sizes of minibatches, and those of validation: the dictionary stays small.
        if n_rows not in self._batches:
            self._batches[n_rows] = Batch(self.network, n_rows)
        return self._batches[n_rows]

    def forward(self, batch: Batch, noise: np.random.BitGenerator | None = None) -> None:
        """Fill the activations from the batch's inputs; hidden units are dropped where there is `noise`."""
        dropping = noise is not None and self.dropout.drops_hidden
        if dropping:
            fill_bytes(noise, batch.noise[: batch.n_hidden * batch.n_dealt])
        forward(
            self._units,
            batch.starts,
            batch.is_shared,
            self._activation,
            self.parameters,
            batch.shared if batch.is_shared else batch.inputs,
            batch.noise,
            self._thresholds if dropping else self._no_thresholds,
            self._scales if dropping else self._no_scales,
            batch.activations,
        )

    def take_loss(self, batch: Batch) -> None:
        """Add the weighted losses to `loss`, and turn `batch.z` into their derivative."""
        if self.network.output == "softmax":
            z, dealt = batch.z, (batch.starts, batch.labels, batch.weight, batch.scratch, self.loss)
            shift_logits(z, *dealt)
            np.exp(z, out=z)  # NumPy's is vectorised, C's is not
            softmax_loss(z, *dealt)
        elif self.network.output == "logistic":
            logistic_loss(batch.z, batch.starts, batch.target, batch.weight, self.loss)
        else:
            squared_loss(batch.z, batch.starts, batch.target, batch.weight, self.loss)

    def backward(self, batch: Batch, *, dropped: bool) -> None:
        """Fill `gradient` from the derivative in `batch.z`; `dropped` if the forward pass had dropout."""
        backward(
            self._units,
            batch.starts,
            batch.is_shared,
            self._activation,
            self.parameters,
            batch.shared if batch.is_shared else batch.inputs,
            batch.noise,
            self._thresholds if dropped else self._no_thresholds,
            self._scales if dropped else self._no_scales,
            batch.activations,
            batch.deltas,
            self.gradient,
        )


def _workspace(network: Network, batch_size: int, dropout: Dropout, loss: Array) -> Workspace:
    work = Workspace(network, batch_size, dropout)
    work.loss[...] = loss
    return work


class Batch:
    """The buffers of a batch of `n` rows, of which each member has those of weight for it.

    Member k's are `starts[k]` to `starts[k + 1] - 1` of all that are dealt; the kernels say how the rest
    lies.
    """

    def __init__(self, network: Network, n: int) -> None:
        k, dtype = network.n_members, network.dtype
        n_inputs, *units, n_outputs = network.layer_units
        self.n_rows, self.n_hidden, self.n_outputs = n, sum(units), n_outputs
        self.shared = np.zeros((n, n_inputs), dtype)
        self.input_noise = np.zeros(n * n_inputs, np.uint8)
        self.starts = np.zeros(k + 1, np.intp)
        self.inputs = np.zeros((k * n, n_inputs), dtype)
        self.labels = np.zeros(k * n, np.intp)
        self.target = np.zeros(k * n * n_outputs, dtype)
        self.weight = np.zeros(k * n, dtype)
        self.activations = np.zeros((self.n_hidden + n_outputs) * k * n, dtype)
        self.deltas = np.zeros(self.n_hidden * k * n, dtype)
        self.noise = np.zeros(self.n_hidden * k * n, np.uint8)
        self.scratch = np.zeros(n, dtype)

    @property
    def n_dealt(self) -> int:
        """Number of rows of all members."""
        return int(self.starts[-1])

    @property
    def is_shared(self) -> bool:
        """Whether every member has every row, so that there is one copy of the inputs."""
        return self.n_dealt == (len(self.starts) - 1) * self.n_rows

    @property
    def z(self) -> Array:
        """The last layer: the members' blocks (outputs, rows of the member)."""
        n = self.n_dealt
        return self.activations[self.n_hidden * n : (self.n_hidden + self.n_outputs) * n]

    def deal_all(self) -> None:
        """Let every member have every row."""
        self.starts[...] = np.arange(len(self.starts)) * self.n_rows
