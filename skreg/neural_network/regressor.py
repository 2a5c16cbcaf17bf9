"""The bagged-dropout multilayer perceptron for numbers."""

from __future__ import annotations

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.neural_network import MLPRegressor
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from skreg.execution.blas import one_blas_thread
from skreg.execution.rollback import unchanged_on_failure
from skreg.neural_network._base import BaggedDropoutMLP
from skreg.neural_network.export import export_member
from skreg.neural_network.targets import Targets
from skreg.neural_network.uncertainty import PredictiveUncertainty

__all__ = ["BaggedDropoutMLPRegressor"]


class BaggedDropoutMLPRegressor(MultiOutputMixin, RegressorMixin, BaggedDropoutMLP):
    """K networks under dropout, each on its bootstrap sample, trained as one on half the squared error.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(256,)
        Units of each hidden layer; none at all is linear regression.
    n_estimators : int, default=10
        Number K of networks.
    bootstrap : bool, default=True
        Whether each network is trained on a bootstrap sample of the rows, which it sees as their weights;
        otherwise the networks differ by their initial weights and dropout alone.
    dropout : float or sequence of float, default=0.4
        Probability in [0, 1) that a hidden unit is dropped in training, of all layers or of each, applied to
        the nearest 1/256. Kept units are scaled up; nothing is scaled when predicting.
    input_dropout : float or None, default=None
        The same of the inputs; a dropped one is at its mean, or without `standardize` at 0. None is half
        the rate of the first hidden layer. The networks share these masks, as they share the minibatches.
    activation : {"relu", "tanh", "logistic", "identity"}, default="relu"
        Of the hidden units.
    l1 : float, default=0.0
        Strength of the L1 penalty of the weights beside the mean loss. adamw and sgd apply it as a proximal
        step, soft thresholding by learning rate times `l1`, so that weights become exactly zero; lbfgs
        minimises it exactly.
    l2 : float, default=0.0
        Strength of ½‖W‖² beside the mean loss; its gradient joins that of the loss. scikit-learn's `alpha` is
        `l2` times the number of rows (for its minibatches, times the batch's).
    weight_decay : float, default=0.01
        Decoupled decay: every step multiplies the weights by 1 − learning rate · `weight_decay`. Not for
        lbfgs.
    max_norm : float or None, default=None
        The most that the norm of the weights into a hidden unit may be (of the standardised inputs).
    solver : {"adamw", "sgd", "lbfgs"}, default="adamw"
        Adam with decoupled decay, gradient descent with Nesterov's momentum, or L-BFGS on all rows, which
        knows no dropout.
    learning_rate : float, default=0.003
        The largest step size of adamw and sgd.
    schedule : {"cosine", "one_cycle", "constant"}, default="cosine"
        How the step size goes on over `max_iter` epochs.
    momentum : float, default=0.9
        Of sgd, in [0, 1).
    batch_size : int, default=64
        The most rows of a minibatch; minibatches are of one size, give or take a row.
    max_iter : int, default=100
        Epochs; for lbfgs the most iterations.
    standardize : {"auto", True, False}, default="auto"
        Whether inputs are centred and scaled inside, by the weighted moments of the rows: each by its own
        standard deviation (True), or, with "auto", all by one where their deviations are of like size (none
        above ten times the median), so that a pixel that hardly varies stays small; targets are
        standardised too, unless it is False. `coefs_` and exported networks take
        inputs as given all the same.
    early_stopping : bool, default=False
        Whether to set rows aside and stop when the squared error of the networks' mean on them no longer
        falls; the best epoch's weights are kept.
    validation_fraction : float, default=0.1
        The share of rows set aside.
    n_iter_no_change : int, default=10
        Epochs without improvement to wait for.
    tol : float, default=1e-4
        The least that is an improvement; for lbfgs the gradient to stop at.
    warm_start : bool, default=False
        Whether `fit` goes on from the networks of the fit before.
    oob_score : bool, str or callable, default=False
        Whether to predict every row by the networks that did not train on it, and the scorer to judge that
        by: R² for True, a name known to `sklearn.metrics.get_scorer`, or a scorer.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, bootstrap samples, dropout and the order of rows. A seed fixes the networks,
        whatever `n_jobs`, and what `inference="monte_carlo"` predicts.
    n_jobs : int or None, default=None
        Threads that train groups of networks at once; worth it for large ones.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_estimators, n_in, n_out)
        Weights of each layer, for inputs and targets as given.
    intercepts_ : list of ndarray of shape (n_estimators, n_out)
        Biases.
    loss_curve_ : list of float
        Mean training loss of the networks in each epoch, under dropout, in units of the standardised targets.
    validation_loss_curve_ : list of float or None
        Half the squared error of the networks' mean, in the same units, on the rows set aside, after each
        epoch; None without early stopping.
    n_iter_ : int
        Epochs trained; of lbfgs the most iterations of a network.
    best_epoch_ : int
        The epoch, from 0, whose weights are kept; −1 if training diverged from the start, whose weights then
        are.
    oob_prediction_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        With `oob_score`: each row by the networks that did not train on it; the mean of y where
        `oob_rows_` is False, because every network did.
    oob_rows_ : ndarray of shape (n_samples,)
        Whether some network did not train on the row.
    oob_score_ : float
        The score of the rows with `oob_rows_`.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.

    See Also
    --------
    BaggedDropoutMLPClassifier : The same for classes, with the references.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg.neural_network import BaggedDropoutMLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = BaggedDropoutMLPRegressor((32,), oob_score=True, random_state=0).fit(X, y)
    >>> model.oob_score_ > 0.4
    True
    """

    _y_numeric = True
    _default_scoring = "r2"

    def __init__(
        self,
        hidden_layer_sizes=(256,),
        *,
        n_estimators=10,
        bootstrap=True,
        dropout=0.4,
        input_dropout=None,
        activation="relu",
        l1=0.0,
        l2=0.0,
        weight_decay=0.01,
        max_norm=None,
        solver="adamw",
        learning_rate=0.003,
        schedule="cosine",
        momentum=0.9,
        batch_size=64,
        max_iter=100,
        standardize="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        oob_score=False,
        random_state=None,
        n_jobs=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.n_estimators = n_estimators
        self.bootstrap = bootstrap
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.activation = activation
        self.l1 = l1
        self.l2 = l2
        self.weight_decay = weight_decay
        self.max_norm = max_norm
        self.solver = solver
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.momentum = momentum
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.standardize = standardize
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.oob_score = oob_score
        self.random_state = random_state
        self.n_jobs = n_jobs

    @available_if(lambda self: self.solver != "lbfgs")
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch on these rows, at the constant `learning_rate`.

        Bootstrap counts are Poisson's, those of a stream. Means and deviations of inputs and targets take the
        new rows in, and what the networks compute stays the same.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights ≥ 0 of the rows.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        with unchanged_on_failure(self), one_blas_thread():
            return self._partial_fit(X, y, sample_weight)

    def _check_y(self, y, *, partial, classes=None):
        if not (hasattr(self, "_network") and (partial or self.warm_start)):
            self._flat = y.ndim == 1 or y.shape[1] == 1
            if y.ndim == 2 and y.shape[1] == 1:
                column_or_1d(y, warn=True)

    def _targets(self, y):
        outputs = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        return Targets(np.zeros(0, np.intp), outputs, np.zeros(len(y), np.intp), "identity")

    def _class_weights(self, y, sample_weight, *, partial):
        return 1.0

    def _take_out_of_bag(self, mean, targets):
        self.oob_prediction_ = self._public(mean)

    def _predicted_already(self, which):
        return _NumbersOutOfBag(self.oob_prediction_[which])

    def predict(self, X, inference="weight_scaling", n_masks=50):
        """Predict the mean over the networks.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Data.
        inference : {"weight_scaling", "monte_carlo"}, default="weight_scaling"
            Each network with all its units, or the mean of `n_masks` thinned ones, drawn from the fitted
            seed.
        n_masks : int, default=50
            Masks of each network.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions, in the units of y and the dtype of training.
        """
        return self._public(self._mean_outputs(X, inference, n_masks))

    def predict_uncertainty(self, X, inference="monte_carlo", n_masks=50):
        """Predict with how much the networks, and the thinned ones, differ.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Data.
        inference : {"monte_carlo", "weight_scaling"}, default="monte_carlo"
            Over members and `n_masks` masks of each, or over members alone.
        n_masks : int, default=50
            Masks of each network.

        Returns
        -------
        PredictiveUncertainty
            Mean and variance of the predictions, in the units of y and of y².
        """
        means, variances = [], []
        with one_blas_thread():
            for _, draws in self._all_draws(X, inference, n_masks):
                draws = self._public(draws.astype(np.float64))
                means.append(draws.mean(axis=0))
                variances.append(draws.var(axis=0))
        return PredictiveUncertainty(np.concatenate(means), np.concatenate(variances))

    def _public(self, outputs):
        return outputs[..., 0] if self._flat else outputs

    def to_scikit_learn(self, member=0):
        """Export one network as a fitted MLPRegressor: exact by weight scaling.

        Parameters
        ----------
        member : int, default=0
            Which network.

        Returns
        -------
        sklearn.neural_network.MLPRegressor
            On inputs and in units of y as given.
        """
        return export_member(self, MLPRegressor, member)


class _NumbersOutOfBag(RegressorMixin):
    """Stands for a regressor whose predictions have been made."""

    def __init__(self, prediction):
        self._prediction = prediction

    def predict(self, X):
        return self._prediction

    def __sklearn_tags__(self):
        return BaggedDropoutMLPRegressor().__sklearn_tags__()
