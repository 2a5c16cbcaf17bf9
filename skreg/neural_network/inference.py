"""Predicting: all rows in chunks, by every member, with all units or with thinned networks."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted, validate_data

from skreg.execution.blas import one_blas_thread
from skreg.neural_network.dropout import Dropout, draw_masks, thinned
from skreg.neural_network.network import Network
from skreg.neural_network.parameters import check_integer, check_option
from skreg.neural_network.scaling import Scaling, fold

__all__ = ["Predictor"]

Array = np.ndarray[Any, np.dtype[Any]]

_CHUNK = 1024  # rows predicted at once


class Predictor(metaclass=ABCMeta):
    """What is asked of fitted networks, whatever the kind of y."""

    _network: Network
    _fitted_dropout: Dropout
    _input_scaling: Scaling
    _target_scaling: Scaling | None

    def predict_members(self, X):
        """Predict by each member alone, without dropout.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_estimators, n_samples, n_classes) or (n_estimators, n_samples[, n_outputs])
            Probabilities of each class or label, or predictions. Their mean over the members is what
            `predict_proba` or `predict` gives, unless a temperature was fitted.
        """
        X = self._validate_new(X)
        return self._public(self._unscaled(self._over_chunks(X, self._network.outputs, axis=1)))

    def kept_units(self, n_masks=1):
        """Say which units the thinned networks of Monte Carlo inference keep.

        Parameters
        ----------
        n_masks : int, default=1
            How many masks of each member: the first of those that inference averages over.

        Returns
        -------
        list of ndarray of shape (n_masks, n_estimators, units), bool
            For the inputs and each hidden layer.
        """
        check_is_fitted(self, "_network")
        check_integer("n_masks", n_masks, 1)
        generator = self._mask_generator()
        units, k = self._network.layer_units, self._network.n_members
        masks = [draw_masks(self._fitted_dropout, units, k, generator) for _ in range(n_masks)]
        return [np.stack(layer) > 0 for layer in zip(*masks, strict=True)]

    @property
    def coefs_(self) -> list[Array]:
        """Weights of each layer for inputs as given, of shape (n_estimators, n_in, n_out)."""
        return [coef.transpose(0, 2, 1) for coef in self._folded().coefs]

    @property
    def intercepts_(self) -> list[Array]:
        """Biases of each layer for inputs as given, of shape (n_estimators, n_out)."""
        return self._folded().intercepts

    def _folded(self) -> Network:
        if not hasattr(self, "_network"):
            raise AttributeError(f"This {type(self).__name__} is not fitted yet.")
        return fold(self._network, self._input_scaling, self._target_scaling)

    def _validate_new(self, X):
        check_is_fitted(self, "_network")
        return validate_data(self, X, accept_sparse="csr", dtype=self._network.dtype, order="C", reset=False)

    def _input_transform(self, dtype) -> tuple[Array, Array]:
        return self._input_scaling.mean.astype(dtype), (1.0 / self._input_scaling.scale).astype(dtype)

    def _chunks(self, X) -> Iterator[tuple[slice, Array]]:
        """Give some rows after another, dense and standardised."""
        mean, inverse_scale = self._input_transform(self._network.dtype)
        for start in range(0, X.shape[0], _CHUNK):
            rows = slice(start, start + _CHUNK)
            chunk = X[rows].toarray() if sparse.issparse(X) else X[rows]
            yield rows, (chunk - mean) * inverse_scale

    def _over_chunks(self, X, function: Callable[[Array], Array], *, axis: int) -> Array:
        with one_blas_thread():
            return np.concatenate([function(chunk) for _, chunk in self._chunks(X)], axis=axis)

    def _unscaled(self, outputs: Array) -> Array:
        scaling = self._target_scaling
        if scaling is None:
            return outputs
        dtype = outputs.dtype
        return outputs * scaling.scale.astype(dtype) + scaling.mean.astype(dtype)

    def _draws(self, n_masks: int) -> Iterator[Network]:
        """Draw thinned networks of all members, the same at every call: predicting leaves no trace."""
        generator = self._mask_generator()
        units, k = self._network.layer_units, self._network.n_members
        for _ in range(n_masks):
            yield thinned(self._network, draw_masks(self._fitted_dropout, units, k, generator))

    def _mean_outputs(self, X, inference: str, n_masks: int) -> Array:
        """Average over members, and with Monte Carlo over masks, in the units of y: shape (n, outputs)."""
        check_option("inference", inference, ("weight_scaling", "monte_carlo"))
        check_integer("n_masks", n_masks, 1)
        X = self._validate_new(X)
        if inference == "weight_scaling" or not self._fitted_dropout.drops:
            mean = self._over_chunks(X, lambda chunk: self._network.outputs(chunk).mean(axis=0), axis=0)
        else:

            def average(chunk):
                # Drawn anew for every chunk: cheaper than to keep n_masks copies of the networks.
                return sum(draw.outputs(chunk).mean(axis=0) for draw in self._draws(n_masks)) / n_masks

            mean = self._over_chunks(X, average, axis=0)
        return self._unscaled(mean)

    def _all_draws(self, X, inference: str, n_masks: int) -> Iterator[tuple[slice, Array]]:
        """Give, some rows after another, the outputs of every network: shape (networks, rows, outputs)."""
        check_option("inference", inference, ("weight_scaling", "monte_carlo"))
        check_integer("n_masks", n_masks, 1)
        X = self._validate_new(X)
        thinning = inference == "monte_carlo" and self._fitted_dropout.drops
        for rows, chunk in self._chunks(X):
            networks = self._draws(n_masks) if thinning else [self._network]
            yield rows, self._unscaled(np.concatenate([network.outputs(chunk) for network in networks]))

    @abstractmethod
    def _mask_generator(self) -> np.random.Generator:
        """Start the stream of masks, the same at every call."""

    @abstractmethod
    def _public(self, outputs: Array) -> Array:
        """Give outputs of shape (…, n, outputs) the shape that users see."""
