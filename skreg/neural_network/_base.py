"""What classifier and regressor share: training, out-of-bag scores, and a fit that fails without trace."""

from __future__ import annotations

import copy
import warnings
from abc import ABCMeta, abstractmethod
from functools import partial
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, validate_data

from skreg.execution.blas import one_blas_thread
from skreg.execution.rollback import unchanged_on_failure
from skreg.neural_network.dropout import Dropout
from skreg.neural_network.inference import Predictor
from skreg.neural_network.lbfgs import minimize_lbfgs
from skreg.neural_network.network import Network, initialize, packed
from skreg.neural_network.optimizers import SCHEDULES, SGD, AdamW
from skreg.neural_network.out_of_bag import JudgedOutOfBag, bootstrap_counts, online_counts
from skreg.neural_network.parameters import check_parameters, dropout_rates, layer_sizes
from skreg.neural_network.progress import EpochReport
from skreg.neural_network.splits import validation_split
from skreg.neural_network.standardizing import Standardizing
from skreg.neural_network.targets import Targets
from skreg.neural_network.training import Rows, Trainer, group_slices
from skreg.penalties import ElasticNetPenalty

__all__ = ["BaggedDropoutMLP"]

Array = np.ndarray[Any, np.dtype[Any]]

# What each stream of random numbers is for; a member's streams are the same however many members there are.
_INITIAL, _BOOTSTRAP, _TRAINING, _MASKS, _SPLIT = range(5)


class BaggedDropoutMLP(
    Predictor, Standardizing, JudgedOutOfBag, CallbackSupportMixin, BaseEstimator, metaclass=ABCMeta
):
    """K multilayer perceptrons trained as one: what does not depend on the kind of y."""

    _y_numeric = False

    @abstractmethod
    def _check_y(self, y, *, partial: bool, classes=None) -> None:
        """Learn or check the kind of y."""

    @abstractmethod
    def _targets(self, y) -> Targets:
        """Translate y."""

    @abstractmethod
    def _class_weights(self, y, sample_weight: Array, *, partial: bool) -> Array | float:
        """Return the weight of each row that its class gives it."""

    # ------------------------------------------------------------------ fitting

    def fit(self, X, y, sample_weight=None):
        """Train the networks.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training data. They are standardised in their own precision; `adamw` and `sgd` then train in
            float32, `lbfgs` in that of the data. Weights and predictions have the dtype of the data. Sparse X
            stays sparse, and minibatches of it are dense: there is no gain of time from the zeros.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target.
        sample_weight : array-like of shape (n_samples,), optional
            Weights ≥ 0 of the rows' losses, not all zero; only their ratios count. Rows of weight 0 are not
            trained on.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data are out of range or of the wrong kind; an earlier fit is then left as
            it was.

        Warns
        -----
        ConvergenceWarning
            If training diverges, or L-BFGS does not converge in `max_iter` iterations.
        """
        with unchanged_on_failure(self), one_blas_thread():
            return self._fit(X, y, sample_weight)

    @with_callbacks
    def _fit(self, X, y, sample_weight):
        self._check_parameters()
        given = {
            "X": X,
            "y": y,
            "metadata": {} if sample_weight is None else {"sample_weight": sample_weight},
        }
        continuing = self.warm_start and hasattr(self, "_network")
        X, y = self._validate(X, y, partial=False)
        weight = self._weights(sample_weight, X, y, partial=False)
        targets = self._targets(y)
        self._refuse_unrepresentable(X, targets)
        if not continuing:
            self._seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
            self._n_calls = 0
        weighted = np.flatnonzero(weight > 0)
        self._refuse_one_class(targets, weighted)
        training, validation = self._split(targets, weighted)
        if not continuing:
            self._learn_scaling(X, targets, weight)
        network = self._start(X, targets, continuing)
        honest = self._leaves_out_the_same(X, targets, weight, continuing)
        counts = np.zeros((self.n_estimators, X.shape[0]), dtype=np.int64)
        counts[:, training] = (
            bootstrap_counts(len(training), self._generators(_BOOTSTRAP)) if self.bootstrap else 1
        )
        rows = self._rows(network.dtype, X, targets, weight, counts, training)
        context = self._init_callback_context(max_subtasks=0 if self.solver == "lbfgs" else self.max_iter)
        context.call_on_fit_task_begin(estimator=self, **given)
        if self.solver == "lbfgs":
            self._run_lbfgs(network, rows, training)
        else:
            self._run(network, rows, training, validation, targets, weight, context)
        self._optimizers = None  # those of partial_fit
        self._n_calls += 1
        self._set_network(network.astype(X.dtype))
        self._forget_out_of_bag()
        if honest and self.bootstrap:
            self._calibrate(X, targets, weight, counts)
        if self._wants_out_of_bag:
            self._out_of_bag(X, y, targets, weight, counts)
        context.call_on_fit_task_end(estimator=self, **given, reconstruction_attributes={})
        return self

    def _partial_fit(self, X, y, sample_weight, classes=None):
        self._check_parameters()
        first = not hasattr(self, "_network")
        X, y = self._validate(X, y, partial=True, classes=classes)
        weight = self._weights(sample_weight, X, y, partial=True)
        targets = self._targets(y)
        self._refuse_unrepresentable(X, targets)
        if first:
            self._seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
            self._n_calls, self._optimizers = 0, None
            self._learn_scaling(X, targets, weight)
            self.loss_curve_, self.validation_loss_curve_, self.n_iter_ = [], None, 0
        network = self._start(X, targets, continuing=not first)
        factors = None if first else self._update_scaling(network, X, targets, weight)
        training = np.flatnonzero(weight > 0)
        counts = np.ones((self.n_estimators, X.shape[0]), dtype=np.int64)
        if self.bootstrap:
            counts = online_counts(X.shape[0], self._generators(_BOOTSTRAP, self._n_calls))
        rows = self._rows(network.dtype, X, targets, weight, counts, training)
        trainer = Trainer(
            network,
            self._dropout(),
            partial(self._make_optimizer, network.dtype),
            self._batch_rows(len(training)),
            [self._seed, _TRAINING, self._n_calls],
            self._continued_optimizers(network.dtype, factors),
        )
        outcome = trainer.run(
            rows,
            training,
            1,
            lambda _: float(self.learning_rate),
            self.n_jobs,
            hopeless=self._hopeless_loss(targets, weight),
        )
        if outcome.diverged:
            self._warn_of_divergence(outcome)
        else:
            self._optimizers = trainer.optimizers
        self._n_calls += 1
        self.loss_curve_ = [*self.loss_curve_, *outcome.losses]
        self.n_iter_ += 1
        self._forget_out_of_bag()  # of rows, and networks, that were
        self._left_out_of = None
        self._set_network(network.astype(X.dtype))
        return self

    def _run(self, network, rows, training, validation, targets, weight, context) -> None:
        """Train by minibatches."""
        trainer = Trainer(
            network,
            self._dropout(),
            partial(self._make_optimizer, network.dtype),
            self._batch_rows(len(training)),
            [self._seed, _TRAINING, self._n_calls],
        )
        schedule = SCHEDULES[self.schedule]
        judge = None
        if validation is not None:
            # In the units that the networks are trained in, as the loss curve is.
            judged = targets.take(validation).scaled(self._target_scaling)
            judge = partial(judged.loss, weight=weight[validation])
        outcome = trainer.run(
            rows,
            training,
            self.max_iter,
            lambda progress: self.learning_rate * schedule(progress),
            self.n_jobs,
            validation=validation,
            judge=judge,
            patience=self.n_iter_no_change if self.early_stopping else None,
            tol=self.tol,
            hopeless=self._hopeless_loss(targets, weight),
            report=EpochReport(self, context),
        )
        if outcome.diverged:
            self._warn_of_divergence(outcome)
        self.loss_curve_ = outcome.losses
        self.validation_loss_curve_ = outcome.validation_losses if validation is not None else None
        self.n_iter_ = len(outcome.losses) + (len(outcome.losses) == 0)
        self.best_epoch_ = outcome.best_epoch

    def _run_lbfgs(self, network, rows, training) -> None:
        penalty = ElasticNetPenalty(l1=self.l1, l2=self.l2)
        n_iter, losses, converged = minimize_lbfgs(
            network, rows, training, penalty, self.max_iter, self.tol, self.n_jobs
        )
        if not converged:
            warnings.warn(
                f"L-BFGS did not converge in max_iter={self.max_iter} iterations to a gradient below "
                f"tol={self.tol:g}. Increase max_iter, tol or l2, or standardise the inputs.",
                ConvergenceWarning,
                stacklevel=6,
            )
        self.n_iter_ = max(1, *n_iter)
        self.loss_curve_ = [float(np.mean(losses))]
        self.validation_loss_curve_ = None
        self.best_epoch_ = 0

    def _warn_of_divergence(self, outcome) -> None:
        what = "became infinite or NaN" if outcome.overflowed else "grew beyond that of a constant prediction"
        kept = (
            f"of epoch {outcome.best_epoch + 1}, the best,"
            if outcome.best_epoch >= 0
            else "that training started from"
        )
        warnings.warn(
            f"Training diverged with learning_rate={self.learning_rate:g}: the loss {what}. "
            f"The finite weights {kept} "
            f"are kept. Try learning_rate={self.learning_rate / 10:g}"
            f"{'' if self.standardize else ', or standardize=True'}.",
            ConvergenceWarning,
            stacklevel=6,
        )

    def _continued_optimizers(self, dtype, factors: Network | None) -> list[AdamW | SGD] | None:
        """Copy the last partial_fit's optimisers, with the parameters of now; a new solver starts anew."""
        fresh = self._make_optimizer(dtype, 0)
        # Copies: a call that fails leaves the earlier ones as they were.
        continued = copy.deepcopy(self._optimizers)
        if continued is None or not isinstance(continued[0], type(fresh)):
            return None
        for optimizer in continued:
            optimizer.take_settings(fresh)
        if factors is not None:
            groups = group_slices(factors.n_members, factors.layer_units)
            for optimizer, which in zip(continued, groups, strict=True):
                optimizer.rescale(packed(factors.members(which))[1])
        return continued

    def _make_optimizer(self, dtype, n_parameters: int) -> AdamW | SGD:
        coupled = ElasticNetPenalty(l2=self.l2)
        decoupled = ElasticNetPenalty(l1=self.l1, l2=self.weight_decay)
        if self.solver == "sgd":
            return SGD(n_parameters, dtype, coupled, decoupled, self.max_norm, momentum=self.momentum)
        return AdamW(n_parameters, dtype, coupled, decoupled, self.max_norm)

    # ------------------------------------------------------------------ data

    def _validate(self, X, y, *, partial: bool, classes=None):
        continuing = hasattr(self, "_network") and (partial or self.warm_start)
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=self._network.dtype if continuing else [np.float64, np.float32],
            order="C",
            multi_output=True,
            y_numeric=self._y_numeric,
            reset=not continuing,
        )
        if sparse.issparse(X):
            X = _with_short_indices(X)
        self._check_y(y, partial=partial, classes=classes)
        return X, y

    def _weights(self, sample_weight, X, y, *, partial: bool) -> Array:
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if not np.any(weight > 0):
            raise ValueError("sample_weight is zero on every row; at least one weight must be positive.")
        weight = weight * self._class_weights(y, weight, partial=partial)
        if not np.all(weight >= 0) or not np.any(weight > 0):
            raise ValueError(
                f"class_weight={self.class_weight!r} leaves no row of positive weight, or makes weights "
                "negative; weights of classes must be ≥ 0, and one that y has positive."
            )
        return weight

    def _refuse_one_class(self, targets: Targets, weighted: Array) -> None:
        """Raise an error if the rows that have weight are all of one class; a regressor does not mind."""

    def _split(self, targets: Targets, weighted: Array) -> tuple[Array, Array | None]:
        if not self.early_stopping:
            return weighted, None
        generator = self._generator(_SPLIT)
        return validation_split(targets.strata[weighted], weighted, self.validation_fraction, generator)

    def _start(self, X, targets: Targets, continuing: bool) -> Network:
        """Draw the networks to train, or copy the present ones, in the dtype of training."""
        # Minibatches are noisier than single precision, and it takes half the time; L-BFGS goes to the end.
        dtype = X.dtype if self.solver == "lbfgs" else np.dtype(np.float32)
        units = [X.shape[1], *layer_sizes(self.hidden_layer_sizes), targets.outputs.shape[1]]
        if not continuing:
            return initialize(units, self.activation, targets.output, self._generators(_INITIAL), dtype)
        present = self._network
        wanted = (self.n_estimators, units, self.activation, targets.output)
        if wanted != (present.n_members, present.layer_units, present.activation, present.output):
            raise ValueError(
                "Training goes on only with the networks there are: n_estimators, hidden_layer_sizes, "
                "activation "
                f"and the outputs were {present.n_members}, {tuple(present.layer_units[1:-1])}, "
                f"{present.activation!r} and {present.layer_units[-1]}, got {wanted[0]}, "
                f"{tuple(units[1:-1])}, "
                f"{wanted[2]!r} and {units[-1]}. Set them back, or fit a clone."
            )
        return present.astype(dtype)

    def _rows(self, dtype, X, targets: Targets, weight: Array, counts: Array, training: Array) -> Rows:
        """Lay out the data for training; weights have mean 1 over the rows trained on, before the counts."""
        normalised = weight / weight[training].mean()
        target = np.zeros((0, X.shape[0]), dtype)
        if targets.output == "logistic":
            target = np.ascontiguousarray(targets.outputs.T, dtype=dtype)
        elif targets.output == "identity":
            target = np.ascontiguousarray(targets.scaled(self._target_scaling).outputs.T, dtype=dtype)
        mean, inverse_scale = self._input_transform(X.dtype)
        return Rows(X, mean, inverse_scale, targets.labels, target, (counts * normalised).astype(dtype))

    def _hopeless_loss(self, targets: Targets, weight: Array) -> float:
        """Return a loss that training does not end with unless it diverged: well above a constant's."""
        scaled = targets.scaled(self._target_scaling)
        return 2.0 * scaled.null_loss(weight) + 0.1 * targets.outputs.shape[1]

    def _batch_rows(self, n: int) -> int:
        return min(n, self.batch_size)

    def _dropout(self) -> Dropout:
        n_layers = len(layer_sizes(self.hidden_layer_sizes))
        return Dropout.from_rates(*dropout_rates(self.input_dropout, self.dropout, n_layers))

    def _generator(self, *purpose: int) -> np.random.Generator:
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence([self._seed, *purpose])))

    def _generators(self, *purpose: int) -> list[np.random.Generator]:
        return [self._generator(*purpose, member) for member in range(self.n_estimators)]

    def _check_parameters(self) -> None:
        check_parameters(self)

    def _mask_generator(self) -> np.random.Generator:
        return self._generator(_MASKS)

    def _set_network(self, network: Network) -> None:
        self._network = network
        self._fitted_dropout = self._dropout()
        self.n_layers_ = len(network.layer_units)
        self.n_outputs_ = network.layer_units[-1]
        self.out_activation_ = network.output

    # ------------------------------------------------------------------ out of bag

    def _calibrate(self, X, targets: Targets, weight: Array, counts: Array) -> None:
        """Fit a temperature to rows that members left out; a regressor has none."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _with_short_indices(X):
    """Give a CSR matrix what the kernels read: indices 32 bits wide, every entry once."""
    if X.nnz > np.iinfo(np.int32).max:
        raise ValueError(f"X has {X.nnz} entries; sparse X may have at most {np.iinfo(np.int32).max}.")
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    indices, indptr = X.indices.astype(np.int32, copy=False), X.indptr.astype(np.int32, copy=False)
    return type(X)((X.data, indices, indptr), shape=X.shape)
