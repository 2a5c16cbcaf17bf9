"""The bagged-dropout multilayer perceptron for classes."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.base import ClassifierMixin
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from skreg.execution.blas import one_blas_thread
from skreg.execution.rollback import unchanged_on_failure
from skreg.neural_network._base import BaggedDropoutMLP
from skreg.neural_network.class_weights import weights_of_labels, weights_of_rows
from skreg.neural_network.export import export_member
from skreg.neural_network.parameters import check_option
from skreg.neural_network.targets import Targets
from skreg.neural_network.temperature import fit_temperature, temper
from skreg.neural_network.uncertainty import PredictiveUncertainty, entropy

__all__ = ["BaggedDropoutMLPClassifier"]

_CALIBRATION_ROWS = 2**14  # one number needs no more


class BaggedDropoutMLPClassifier(ClassifierMixin, BaggedDropoutMLP):
    """K networks under dropout, each on its bootstrap sample, trained as one; their mean is the prediction.

    Dropout trains exponentially many thinned networks that share their weights, and bagging averages K such
    families: the regularisation that no penalty of the weights expresses. ``n_estimators=1, bootstrap=False``
    is a plain network with dropout, ``dropout=0`` a plain bag of networks.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(256,)
        Units of each hidden layer; none at all is softmax regression.
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
        above ten times the median), so that a pixel that hardly varies stays small. `coefs_` and exported
        networks take inputs as given all the same.
    early_stopping : bool, default=False
        Whether to set rows aside and stop when the log loss of the networks' mean on them no longer falls;
        the best epoch's weights are kept.
    validation_fraction : float, default=0.1
        The share of rows set aside, of each class alike.
    n_iter_no_change : int, default=10
        Epochs without improvement to wait for.
    tol : float, default=1e-4
        The least that is an improvement; for lbfgs the gradient to stop at.
    class_weight : dict, "balanced", list of dict or None, default=None
        Weights of the classes, multiplied into those of the rows; "balanced" gives every class the same
        total, of the rows' weights if there are any.
    warm_start : bool, default=False
        Whether `fit` goes on from the networks of the fit before.
    oob_score : bool, str or callable, default=False
        Whether to predict every row by the networks that did not train on it, and the scorer to judge that
        by: accuracy for True, a name known to `sklearn.metrics.get_scorer`, or a scorer.
    calibrate : {"auto", "oob"} or None, default="auto"
        Whether to fit a temperature for the probabilities on the out-of-bag ones, under a prior that keeps it
        near 1 where rows are few; "auto" does wherever there are any. `partial_fit` leaves it at 1.
    random_state : int, RandomState instance or None, default=None
        Seed of initial weights, bootstrap samples, dropout and the order of rows. A seed fixes the networks,
        whatever `n_jobs`, and what `inference="monte_carlo"` predicts.
    n_jobs : int or None, default=None
        Threads that train groups of networks at once; worth it for large ones.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels; for multilabel targets the numbers of the labels.
    coefs_ : list of ndarray of shape (n_estimators, n_in, n_out)
        Weights of each layer, for inputs as given.
    intercepts_ : list of ndarray of shape (n_estimators, n_out)
        Biases.
    loss_curve_ : list of float
        Mean training loss of the networks in each epoch, under dropout.
    validation_loss_curve_ : list of float or None
        Log loss of the networks' mean on the rows set aside, after each epoch; None without early stopping.
    n_iter_ : int
        Epochs trained; of lbfgs the most iterations of a network.
    best_epoch_ : int
        The epoch, from 0, whose weights are kept; −1 if training diverged from the start, whose weights then
        are.
    oob_decision_function_ : ndarray of shape (n_samples, n_classes)
        With `oob_score` or `calibrate="oob"`: each row by the networks that did not train on it; the
        class frequencies where `oob_rows_` is False, because every network did.
    oob_rows_ : ndarray of shape (n_samples,)
        Whether some network did not train on the row.
    oob_score_ : float
        The score of the rows with `oob_rows_`.
    temperature_ : float
        What log probabilities are divided by: 1.0 unless calibrated.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.

    See Also
    --------
    BaggedDropoutMLPRegressor : The same for numbers.

    References
    ----------
    Srivastava, N. et al. (2014). Dropout: a simple way to prevent neural networks from overfitting, JMLR 15,
    1929-1958. Warde-Farley, D. et al. (2014). An empirical analysis of dropout in piecewise linear networks,
    ICLR. Loshchilov, I. and Hutter, F. (2019). Decoupled weight decay regularization, ICLR.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg.neural_network import BaggedDropoutMLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = BaggedDropoutMLPClassifier((64,), oob_score=True, random_state=0).fit(X, y)
    >>> model.predict_proba(X[:2]).argmax(axis=1)
    array([0, 0])
    >>> model.oob_score_ > 0.9
    True
    """

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
        class_weight=None,
        warm_start=False,
        oob_score=False,
        calibrate="auto",
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
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.oob_score = oob_score
        self.calibrate = calibrate
        self.random_state = random_state
        self.n_jobs = n_jobs

    # ------------------------------------------------------------------ fitting

    @available_if(lambda self: self.solver != "lbfgs")
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch on these rows, at the constant `learning_rate`.

        Bootstrap counts are Poisson's, those of a stream (Oza and Russell 2001). Means and deviations of the
        inputs take the new rows in, and what the networks compute stays the same. There is no early stopping
        here.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Classes.
        classes : array-like of shape (n_classes,), optional
            Every class there will be; needed at the first call, but for multilabel targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights ≥ 0 of the rows.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If y has a class that is not among `classes`.
        """
        with unchanged_on_failure(self), one_blas_thread():
            return self._partial_fit(X, y, sample_weight, classes)

    def _check_parameters(self):
        super()._check_parameters()
        check_option("calibrate", self.calibrate, ("auto", "oob", None))

    @property
    def _wants_out_of_bag(self):
        return super()._wants_out_of_bag or self.calibrate == "oob"

    def _check_y(self, y, *, partial, classes=None):
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "y has several columns of several classes each (multiclass-multioutput); one column, or "
                "columns of 0 and 1, would do; or sklearn.multioutput.MultiOutputClassifier."
            )
        multilabel = kind == "multilabel-indicator"
        if not multilabel:
            found = np.unique(column_or_1d(y, warn=True))
        elif np.setdiff1d(y.data if sparse.issparse(y) else y, [0, 1]).size:
            values = np.unique(y.data if sparse.issparse(y) else y).tolist()
            raise ValueError(f"y of several labels must be 0 where a label is absent and 1, got {values}.")
        if hasattr(self, "_network") and (partial or self.warm_start):
            if multilabel != self._multilabel or (multilabel and y.shape[1] != len(self.classes_)):
                raise ValueError("y is not of the kind that the networks were trained on.")
            if not multilabel:
                unseen = np.setdiff1d(found, self.classes_)
                if unseen.size or (
                    classes is not None and not np.array_equal(np.unique(classes), self.classes_)
                ):
                    raise ValueError(
                        "y or classes has classes "
                        f"{(unseen if unseen.size else np.unique(classes)).tolist()}, and "
                        f"the networks know {self.classes_.tolist()}. Fit anew, or name all classes at the "
                        "first call."
                    )
            return
        self._multilabel = multilabel
        if multilabel:
            self.classes_ = np.arange(y.shape[1])
            return
        if partial:
            if classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            classes = np.unique(classes)
            if np.setdiff1d(found, classes).size:
                raise ValueError(
                    f"y has classes {np.setdiff1d(found, classes).tolist()}, which are not in classes="
                    f"{classes.tolist()}."
                )
            found = classes
        if len(found) < 2:
            raise ValueError(
                f"y has one class, {found.tolist()[0]!r}; a classifier needs two classes or more."
            )
        self.classes_ = found

    def _targets(self, y):
        if self._multilabel:
            dense = y.toarray() if sparse.issparse(y) else np.asarray(y)
            outputs = (dense > 0).astype(np.float64)
            _, strata = np.unique(outputs, axis=0, return_inverse=True)
            return Targets(np.zeros(0, np.intp), outputs, strata.ravel(), "logistic")
        numbers = np.searchsorted(self.classes_, column_or_1d(y)).astype(np.intp)
        if len(self.classes_) == 2:
            return Targets(np.zeros(0, np.intp), numbers[:, None].astype(np.float64), numbers, "logistic")
        return Targets(numbers, np.eye(len(self.classes_))[numbers], numbers, "softmax")

    def _refuse_one_class(self, targets, weighted):
        if not self._multilabel and len(np.unique(targets.strata[weighted])) < 2:
            only = self.classes_.tolist()[targets.strata[weighted[0]]]
            raise ValueError(
                f"The rows with positive weight have one class, {only!r}; a classifier needs two or more."
            )

    def _class_weights(self, y, sample_weight, *, partial):
        if self.class_weight is None:
            return 1.0
        if partial and isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} asks for the frequencies of the classes, which "
                "partial_fit does not know: pass a dict, such as "
                "sklearn.utils.class_weight.compute_class_weight gives."
            )
        if self._multilabel:
            return weights_of_labels(self.class_weight, y, sample_weight)
        return weights_of_rows(self.class_weight, column_or_1d(y), self.classes_, sample_weight)

    def _set_network(self, network):
        super()._set_network(network)
        self.temperature_ = 1.0

    def _calibrate(self, X, targets, weight, counts):
        if self.calibrate is None:
            return
        rows = np.flatnonzero((counts == 0).any(axis=0) & (weight > 0))
        if rows.size:
            rows = rows[:: -(-rows.size // _CALIBRATION_ROWS)]
            outputs = self._over_chunks(X[rows], self._network.outputs, axis=1)
            self.temperature_ = fit_temperature(
                outputs, counts[:, rows], targets.outputs[rows], weight[rows], targets.output
            )

    def _take_out_of_bag(self, mean, targets):
        self.oob_decision_function_ = self._public(temper(mean, self.temperature_, targets.output))

    def _predicted_already(self, which):
        return _ClassesOutOfBag(self, self.oob_decision_function_[which])

    # ------------------------------------------------------------------ prediction

    def predict(self, X):
        """Predict the most probable class, or the labels more probable than not.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Class labels, or 0 and 1.
        """
        return self._decide(self.predict_proba(X))

    def predict_proba(self, X, inference="weight_scaling", n_masks=50):
        """Predict probabilities: the mean over the networks.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Data.
        inference : {"weight_scaling", "monte_carlo"}, default="weight_scaling"
            Each network with all its units, or the mean of `n_masks` thinned ones. The masks are drawn from
            the fitted seed, once for all rows: the same call gives the same numbers.
        n_masks : int, default=50
            Masks of each network.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Probabilities in the order of `classes_`, in the dtype of training.
        """
        mean = self._mean_outputs(X, inference, n_masks)
        return self._public(temper(mean, self.temperature_, self.out_activation_))

    def predict_log_proba(self, X, inference="weight_scaling", n_masks=50):
        """Predict the logarithms of `predict_proba`, finite also where a probability underflows.

        Parameters
        ----------
        X, inference, n_masks
            As in `predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples, n_labels)
            Log probabilities.
        """
        probability = self.predict_proba(X, inference, n_masks)
        return np.log(np.maximum(probability, np.finfo(probability.dtype).tiny))

    def predict_uncertainty(self, X, inference="monte_carlo", n_masks=50):
        """Predict with what the networks, and the thinned ones, agree and disagree on.

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
            Mean and variance of the probabilities, entropy of the mean, and mutual information, in nats.
            Without the temperature, which is one of the mean alone.
        """
        means, variances, entropies, informations = [], [], [], []
        with one_blas_thread():
            for _, draws in self._all_draws(X, inference, n_masks):
                draws = self._public(draws.astype(np.float64))
                mean = draws.mean(axis=0)
                means.append(mean)
                variances.append(draws.var(axis=0))
                # A label is a choice of two.
                each, both = (_odds(draws), _odds(mean)) if self._multilabel else (draws, mean)
                entropies.append(entropy(both))
                informations.append(np.maximum(entropies[-1] - entropy(each).mean(axis=0), 0.0))
        return PredictiveUncertainty(*map(np.concatenate, (means, variances, entropies, informations)))

    def _public(self, outputs):
        if self.out_activation_ == "softmax":
            return outputs
        # A sigmoid never gets to 0 or 1, but its rounding does.
        eps = np.finfo(outputs.dtype)
        outputs = np.clip(outputs, eps.tiny, 1.0 - eps.epsneg)
        return outputs if self._multilabel else np.concatenate([1.0 - outputs, outputs], axis=-1)

    def _decide(self, probability):
        if self._multilabel:
            return (probability > 0.5).astype(int)
        return self.classes_[np.argmax(probability, axis=1)]

    def to_scikit_learn(self, member=0):
        """Export one network as a fitted MLPClassifier, for converters and explainers.

        By weight scaling it is exact: its `predict_proba` is that of the member,
        ``predict_members(X)[member]``, up to rounding. The only network of an estimator takes the temperature
        with it.

        Parameters
        ----------
        member : int, default=0
            Which network.

        Returns
        -------
        sklearn.neural_network.MLPClassifier
            On inputs as given: the standardisation is in its first layer.
        """
        exported = export_member(self, MLPClassifier, member)
        if self._network.n_members == 1:
            exported.coefs_[-1] = exported.coefs_[-1] / self.temperature_
            exported.intercepts_[-1] = exported.intercepts_[-1] / self.temperature_
        exported.classes_ = self.classes_
        exported._label_binarizer = LabelBinarizer().fit(
            np.eye(len(self.classes_), dtype=int) if self._multilabel else self.classes_
        )
        return exported

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _odds(probability):
    return np.stack([1.0 - probability, probability], axis=-1)


class _ClassesOutOfBag(ClassifierMixin):
    """Stands for a classifier whose predictions have been made, so that any scorer can score them."""

    def __init__(self, estimator, probability):
        self.classes_, self._decide, self._probability = estimator.classes_, estimator._decide, probability

    def predict(self, X):
        return self._decide(self._probability)

    def predict_proba(self, X):
        return self._probability

    def __sklearn_tags__(self):
        return BaggedDropoutMLPClassifier().__sklearn_tags__()
