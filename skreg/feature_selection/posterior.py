"""Selection from a posterior: by intervals, by probabilities, or by what it takes to predict alike."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from skreg.bayes.regressor import BayesianRegressor
from skreg.execution.rollback import unchanged_on_failure
from skreg.feature_selection._base import column_spread
from skreg.linear_model._base import check_coverage, check_number
from skreg.linear_model.path import regularization_path

__all__ = ["PosteriorSelector"]

FloatArray = NDArray[np.float64]

RULES = ("interval", "probability", "projection")
# A weight of the projection's penalty beyond this many times the smallest is as good as infinite.
_LARGEST_RATIO = 1e8


class PosteriorSelector(MetaEstimatorMixin, SelectorMixin, BaseEstimator):
    """Keep the features that a posterior says matter.

    Three rules. ``"interval"``: the equal-tailed interval of the coefficient leaves out zero.
    ``"probability"``: the coefficient is larger than a threshold with at least some probability.
    ``"projection"``, the decoupled shrinkage and selection of Hahn and Carvalho: the fewest features whose
    own linear prediction is as good as the posterior mean's, up to what the posterior is uncertain of. The
    first two look at each coefficient by itself, and of features that stand for each other may keep none; the
    third keeps one that stands for them.

    Parameters
    ----------
    estimator : BayesianRegressor, default=None
        Whose posterior; a clone of it is fitted. None is ``BayesianRegressor()``, which is that of ridge.
    rule : {"interval", "probability", "projection"}, default="interval"
        How to select.
    coverage : float, default=0.9
        Of the intervals, strictly between 0 and 1: of each coefficient, or, for the projection, of the
        explained share of variance within which a sparser prediction counts as as good.
    threshold : float, default=0.05
        For the rule "probability": how large a coefficient must be, ≥ 0, in standard deviations of y for a
        standard deviation of the feature.
    probability : float, default=0.8
        For the rule "probability": how probable that must be at least, in (0, 1].
    n_features_to_select : int, default=None
        Keep so many instead, the first by `ranking_`.
    random_state : int, RandomState instance or None, default=None
        Set as the estimator's own `random_state`, if given.

    Attributes
    ----------
    estimator_ : BayesianRegressor
        The fitted clone.
    scores_ : ndarray of shape (n_features,)
        What the rule goes by, larger for more: the largest coverage whose interval leaves out zero, in
        [0, 1]; P(|coef| > threshold); or the largest penalty of the projection, relative to the one that
        selects nothing, at which the feature is in.
    ranking_ : ndarray of shape (n_features,), int
        1 for the feature of the largest score, and so on; equals share the number of the first of them.
    support_ : ndarray of shape (n_features,), bool
        Which features are kept.
    coef_ : ndarray of shape (n_features,)
        Posterior means; for the projection, the coefficients of the sparse prediction. Of a pipeline, those
        of its last step: per standard deviation after a StandardScaler.
    explained_ : ndarray of shape (n_steps, 2)
        For the projection: numbers of features on its path, and the explained share of variance that
        prediction by so many has on average over the posterior.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.

    See Also
    --------
    LassoSelector : The zeros of the posterior mode.

    References
    ----------
    Hahn, P. R. and Carvalho, C. M. (2015). Decoupling shrinkage and selection in Bayesian linear models: a
    posterior summary perspective, JASA 110(509), 435-448.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg import BayesianRegressor, PosteriorSelector, Ridge
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 6))
    >>> y = 3.0 * X[:, 4] - X[:, 1] + rng.standard_normal(100)
    >>> for rule in ("interval", "projection"):
    ...     selector = PosteriorSelector(BayesianRegressor(Ridge()), rule=rule, random_state=0)
    ...     print(selector.fit(X, y).get_support(indices=True))
    [1 3 4 5]
    [1 4]
    """

    def __init__(
        self,
        estimator=None,
        *,
        rule="interval",
        coverage=0.9,
        threshold=0.05,
        probability=0.8,
        n_features_to_select=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.rule = rule
        self.coverage = coverage
        self.threshold = threshold
        self.probability = probability
        self.n_features_to_select = n_features_to_select
        self.random_state = random_state

    def fit(self, X, y, **fit_params):
        """Fit the estimator and select from its posterior.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Data, as the estimator takes them.
        y : array-like of shape (n_samples,)
            Numeric target.
        **fit_params : dict
            What the estimator's `fit` takes too: `sample_weight`, the precisions of the rows. With
            scikit-learn's metadata routing enabled the estimator has to ask for it.

        Returns
        -------
        self : object
            The fitted selector.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data are out of range or of the wrong kind, or the estimator's coefficients
            are not those of X's columns; an earlier fit is then left as it was.
        """
        with unchanged_on_failure(self):
            self._check_parameters()
            if get_config()["enable_metadata_routing"]:
                fit_params = process_routing(self, "fit", **fit_params).estimator.fit
            model = clone(self._inner)
            if self.random_state is not None:
                model.set_params(random_state=self.random_state)
            self.estimator_ = model.fit(X, y, **fit_params)
            self.n_features_in_ = p = self.estimator_.n_features_in_
            if hasattr(self.estimator_, "feature_names_in_"):
                self.feature_names_in_ = self.estimator_.feature_names_in_
            elif hasattr(self, "feature_names_in_"):
                del self.feature_names_in_  # of an earlier fit
            if self.estimator_.coef_.size != p:
                raise ValueError(
                    f"estimator has {self.estimator_.coef_.size} coefficients and X {p} columns: a pipeline "
                    "in it must keep the columns as they are; put what does not before the selector."
                )
            if self.n_features_to_select is not None:
                check_number("n_features_to_select", self.n_features_to_select, low=1, high=p, kind=Integral)
            self.coef_ = self.estimator_.coef_
            self.__dict__.pop("explained_", None)
            select = {
                "interval": self._by_interval,
                "probability": self._by_probability,
                "projection": self._by_projection,
            }
            self.scores_, self.support_ = select[self.rule]()
            self.ranking_ = 1 + np.searchsorted(np.sort(-self.scores_), -self.scores_)
            if self.n_features_to_select is not None:
                first = np.argsort(-self.scores_, kind="stable")[: self.n_features_to_select]
                self.support_ = np.isin(np.arange(p), first)
        return self

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing: `fit` passes on what the estimator asks for.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
            Requests of the estimator inside.
        """
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self._inner, method_mapping=mapping)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = get_tags(self._inner).input_tags.sparse
        return tags

    @property
    def _inner(self) -> Any:
        return BayesianRegressor() if self.estimator is None else self.estimator

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.support_

    def _draws(self) -> tuple[FloatArray, FloatArray]:
        """Return all draws of the coefficients and of σ."""
        draws = self.estimator_._draws
        return draws.coef.reshape(-1, self.n_features_in_), draws.sigma.ravel()

    def _by_interval(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        ends = self.estimator_.coef_interval(self.coverage)
        coef, _ = self._draws()
        positive = np.mean(coef > 0.0, axis=0)
        # An interval of coverage c leaves out zero if less than (1 − c)/2 is on the other side.
        largest = 1.0 - 2.0 * np.minimum(positive, np.mean(coef < 0.0, axis=0))
        return largest, (ends[:, 0] > 0.0) | (ends[:, 1] < 0.0)

    def _by_probability(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        coef, _ = self._draws()
        energy = self.estimator_._energy
        if np.ptp(energy.y) == 0.0:  # nothing is large beside nothing
            return np.zeros(coef.shape[1]), np.zeros(coef.shape[1], dtype=bool)
        size = self.threshold * energy.y.std()
        probability = np.mean(np.abs(coef) * column_spread(energy.X) > size, axis=0)
        return probability, probability >= self.probability

    def _by_projection(self) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Follow the adaptive Lasso on the posterior mean's prediction until it explains what that does."""
        energy, mean = self.estimator_._energy, self.estimator_.coef_
        penalised = np.abs(mean) > np.abs(mean).max() / _LARGEST_RATIO
        weights = np.abs(mean).max() / np.where(penalised, np.abs(mean), np.inf)
        weights[~penalised] = _LARGEST_RATIO
        fitted = np.asarray(energy.X @ mean).ravel()
        if not np.any(mean) or np.ptp(fitted) == 0.0:  # there is nothing to predict
            self.explained_ = np.zeros((1, 2))
            return np.zeros(mean.size), np.zeros(mean.size, dtype=bool)
        path = regularization_path(
            energy.X,
            fitted,
            alphas=200,
            eps=1e-6,
            fit_intercept=energy.fit_intercept,
            penalty_weights=weights,
            sample_weight=energy.sample_weight,
        )
        explained, least = self._explained(fitted, path)
        self.explained_ = np.column_stack([path.n_nonzero, explained])
        chosen = int(np.argmax(explained >= least)) if np.any(explained >= least) else len(explained) - 1
        self.coef_ = path.coefs[:, chosen].copy()
        inside = path.coefs != 0.0
        scores = np.where(inside.any(axis=1), path.alphas[np.argmax(inside, axis=1)] / path.alphas[0], 0.0)
        return scores, self.coef_ != 0.0

    def _explained(self, fitted: FloatArray, path) -> tuple[FloatArray, float]:
        """Average over the posterior the share of variance that each point of the path explains.

        ρ² = ‖Xw‖² / (‖Xw‖² + Sσ² + ‖Xw̄ − Xγ‖²), of w and σ² drawn and products about their means (Hahn and
        Carvalho, Section 3.1); with it the lower end of the interval of what w̄ itself explains.
        """
        energy, (coef, sigma) = self.estimator_._energy, self._draws()
        s, mean = energy.sample_weight, energy.X_mean

        def squares(w: FloatArray) -> FloatArray:
            product = energy.X @ w - mean @ w
            return np.einsum("i,ij->j", s, np.asarray(product) ** 2)

        step = max(1, 10_000_000 // energy.X.shape[0])
        signal = np.concatenate([squares(coef[i : i + step].T) for i in range(0, len(coef), step)])
        noise = sigma**2 * energy.total_weight
        excess = squares(self.estimator_.coef_[:, None] - path.coefs)
        explained = np.array([np.mean(signal / (signal + noise + extra)) for extra in excess])
        return explained, float(np.quantile(signal / (signal + noise), 0.5 * (1.0 - self.coverage)))

    def _check_parameters(self) -> None:
        if not isinstance(self._inner, BayesianRegressor):
            raise TypeError(f"estimator must be a BayesianRegressor, got {self.estimator!r}.")
        if self.rule not in RULES:
            raise ValueError(f"rule must be one of {', '.join(map(repr, RULES))}, got {self.rule!r}.")
        check_coverage(self.coverage)
        check_number("threshold", self.threshold, low=0)
        check_number("probability", self.probability, low=0, high=1)
        if self.probability == 0:
            raise ValueError("probability must be > 0, got 0: every feature would be kept.")
