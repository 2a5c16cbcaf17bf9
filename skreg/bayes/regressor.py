"""BayesianRegressor: a linear estimator's posterior behind scikit-learn's interface."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin, clone
from sklearn.utils import check_consistent_length, column_or_1d, get_tags
from sklearn.utils.validation import check_array, check_is_fitted

from skreg.bayes.diagnostics import check_convergence, check_plug_in
from skreg.bayes.draws import Draws
from skreg.bayes.exact import RidgePosterior
from skreg.bayes.mixture import Mixture
from skreg.bayes.noise import noise_model
from skreg.bayes.predictive import expected_value, posterior_predictive
from skreg.bayes.sampling import sample
from skreg.execution.blas import one_blas_thread
from skreg.execution.rollback import unchanged_on_failure
from skreg.linear_model._base import check_coverage, check_number, check_sample_weight
from skreg.linear_model.energy import Energy, as_seen_by_final_step, energy_of, fitted_estimator
from skreg.linear_model.ridge import Ridge
from skreg.moments.rows import row_blocks

__all__ = ["BayesianRegressor"]

FloatArray = NDArray[np.float64]


class BayesianRegressor(MetaEstimatorMixin, RegressorMixin, BaseEstimator):
    """Ridge, Lasso or ElasticNet with its posterior: predictions with intervals, coefficients with intervals.

    The estimator inside is fitted as it is, and its penalty over σ² is the negative log prior of the
    coefficients. So its solution is the posterior mode (under plug-in at σ = σ̂), and `predict` gives the
    posterior mean. The intercept has a flat prior and is integrated out with everything else.

    Weights are precisions: yᵢ has variance σ²/sᵢ, so a row of weight 2 is not a row twice. Predictions of an
    observation are for a row of weight 1 unless told otherwise.

    Parameters
    ----------
    estimator : estimator, default=None
        Ridge, Lasso or ElasticNet of skreg or scikit-learn, one of their CV forms, or a Pipeline of
        transformers ending in one; a clone of it is fitted. None is ``Ridge()``; a search over
        ``estimator__alpha`` needs it named.
    noise : float, {"variance-scaled", "plug-in"}, SDScaled or None, default=None
        σ (not σ²) if it is known, or a contract for an unknown one, as in `posterior`. None is ``"plug-in"``
        where the fit leaves residual degrees of freedom to estimate σ from and the prior that σ̂ then scales
        keeps σ near it, else ``"variance-scaled"``.
    noise_prior : tuple of two floats, default=None
        (a0, b0) of σ² ~ InvGamma(a0, b0); by default weak and scaled to y.
    method : {"auto", "exact", "gibbs", "nuts"}, default="auto"
        The engine of the draws, as in `posterior`.
    draws : int, default=1000
        Draws a chain.
    tune : int, default=None
        Draws of warm-up a chain; None is the engine's own default.
    chains : int, default=4
        Number of chains.
    random_state : int, numpy.random.Generator, numpy.random.RandomState or None, default=None
        An int gives the same draws each time, whatever `n_jobs` is.
    n_jobs : int, default=None
        Chains at once; joblib's meaning.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone; its coefficients are the posterior mode.
    coef_ : ndarray of shape (n_features,)
        Posterior mean of the coefficients, per unit of X as the last step of `estimator_` sees it (of X
        itself without a Pipeline). In closed form for a ridge, else the mean of the draws. Never exactly 0.
    intercept_ : float
        Posterior mean of the intercept; 0.0 without one.
    sigma_ : float
        Posterior mean of σ, in the units of y.
    noise_model_ : NoiseModel
        The noise contract that was settled on, with its numbers.
    posterior_ : arviz.InferenceData or xarray.DataTree
        The draws in the container of the installed ArviZ, made when first asked for.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.

    See Also
    --------
    posterior : The draws in ArviZ's container, from a function.
    map_agreement : The certificate that the mode is the estimator's solution.

    Notes
    -----
    For a ridge (without `positive`), means, standard deviations and intervals are exact: Gaussian for a
    known σ, Student-t under the variance-scaled contract, and under plug-in a mixture of Gaussians over a
    quadrature of σ². Otherwise they come from the draws; an interval of an observation has the quantiles of
    the mixture of the draws' Gaussians, without the Monte Carlo noise of simulated observations.

    The training data are kept, for `posterior_`.

    References
    ----------
    Park, T. and Casella, G. (2008). The Bayesian Lasso, JASA 103(482), 681-686; Hans, C. (2009). Bayesian
    lasso regression, Biometrika 96(4), 835-845; Hastie, T., Tibshirani, R. and Friedman, J. (2009). The
    Elements of Statistical Learning, 2nd ed., section 3.4.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import BayesianRegressor, Lasso
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = BayesianRegressor(Lasso(alpha=0.1), random_state=0).fit(X, y)
    >>> model.predict_interval(X[:2], coverage=0.9).round(-1)
    array([[110., 290.],
           [-20., 160.]])
    >>> (model.coef_interval(0.9)[[1, 2]] > 0).all(axis=1)  # sex, bmi
    array([False,  True])
    """

    # The closed form, where there is one, and the container of `posterior_`, once it was asked for.
    _exact: RidgePosterior | None
    _container: Any

    def __init__(
        self,
        estimator=None,
        *,
        noise=None,
        noise_prior=None,
        method="auto",
        draws=1000,
        tune=None,
        chains=4,
        random_state=None,
        n_jobs=None,
    ):
        self.estimator = estimator
        self.noise = noise
        self.noise_prior = noise_prior
        self.method = method
        self.draws = draws
        self.tune = tune
        self.chains = chains
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X, y, sample_weight=None):
        """Fit the estimator and draw from its posterior.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training data, as the estimator takes them.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : float or array-like of shape (n_samples,), optional
            Precisions sᵢ ≥ 0, not all zero; also handed to the estimator. Rows of weight 0 do not count. With
            metadata routing, `set_fit_request` of this regressor alone says whether it is given any.

        Returns
        -------
        self : object
            The fitted regressor.

        Raises
        ------
        TypeError, ValueError
            If the estimator is none of those above, its prior is improper (alpha = 0), y has several targets,
            or a parameter or the data are out of range. Whatever stops a fit, an interruption too, leaves the
            regressor as it was.

        Warns
        -----
        ConvergenceWarning
            If the draws have R-hat above 1.01 or an effective sample size below 400, naming the variables.
        UserWarning
            If under ``noise="plug-in"`` the prior that σ̂ scales contradicts the estimator's coefficients.
        """
        with unchanged_on_failure(self):
            if hasattr(self._inner, "refit"):  # GridSearchCV and the like
                raise TypeError(
                    "estimator is a search, which would have to search again here: put BayesianRegressor "
                    "inside of the search, over estimator__alpha, or take the search's best_estimator_."
                )
            y = self._check_target(y)
            check_consistent_length(X, y)
            if sample_weight is not None:
                sample_weight = check_sample_weight(sample_weight, len(y))
            fitted = fitted_estimator(clone(self._inner), X, y, sample_weight)
            energy = _of_its_own(energy_of(fitted, X, y, sample_weight))
            noise = noise_model(self.noise, self.noise_prior, energy, proper=self.method == "nuts")
            draws = sample(
                energy,
                noise,
                method=self.method,
                draws=self.draws,
                tune=self.tune,
                chains=self.chains,
                random_state=self.random_state,
                n_jobs=self.n_jobs,
            )
            if draws.method != "exact":  # those are independent
                check_convergence(draws, energy.feature_names, stacklevel=3)
            check_plug_in(draws, noise, energy, stacklevel=3)
            exact = _closed_form(energy, noise)
            coef = draws.coef.mean(axis=(0, 1)) if exact is None else exact.coef_mean
            new = {
                "estimator_": fitted,
                "coef_": coef,
                "intercept_": energy.best_intercept(coef) if energy.fit_intercept else 0.0,
                "sigma_": float(draws.sigma.mean()) if exact is None else exact.sigma_mean,
                "noise_model_": noise,
                "_energy": energy,
                "_draws": draws,
                "_exact": exact,
                "_seed": self.random_state,
                "_container": None,
            }
            for name in ("n_features_in_", "feature_names_in_"):
                if hasattr(fitted, name):
                    new[name] = getattr(fitted, name)
                elif hasattr(self, name):
                    delattr(self, name)  # of an earlier fit
            for name, value in new.items():
                setattr(self, name, value)
        return self

    def predict(
        self, X: Any, return_std: bool = False, point: Literal["mean", "mode"] = "mean"
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Predict the target.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Data, as given to `fit`.
        return_std : bool, default=False
            Whether to return the standard deviation of an observation of weight 1 too: that of the posterior
            predictive distribution, noise included, whatever `point` is.
        point : {"mean", "mode"}, default="mean"
            The posterior mean, or the penalised solution of `estimator_`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Predictions, in the units of y.
        std : ndarray of shape (n_samples,)
            Only with `return_std`; infinite where the distribution has none (at most 2 degrees of freedom).
        """
        check_is_fitted(self)
        if point not in ("mean", "mode"):
            raise ValueError(f'point must be "mean" or "mode", got {point!r}.')
        data = self._transformed(X)
        coef, intercept = self.coef_, self.intercept_
        if point == "mode":
            coef, intercept = self._energy.coef, self._energy.intercept
        mean = np.asarray(data @ coef).ravel() + intercept
        if not return_std:
            return mean
        exact = self._closed_form
        return mean, exact.predict(data).std if exact is not None else self._std_of_draws(data)

    def predict_interval(
        self,
        X: Any,
        coverage: float = 0.9,
        kind: Literal["observation", "mean"] = "observation",
        sample_weight: Any = None,
    ) -> FloatArray:
        """Find equal-tailed intervals of the posterior predictive distribution.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Data, as given to `fit`.
        coverage : float, default=0.9
            Probability of each interval, strictly between 0 and 1.
        kind : {"observation", "mean"}, default="observation"
            Whether for a new observation, noise included, or for its expected value Xw + b.
        sample_weight : float or array-like of shape (n_samples,), optional
            Precisions s > 0 of the new observations, whose noise has variance σ²/s; 1 by default. Of no use
            to ``kind="mean"``.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            Lower and upper ends, in the units of y.
        """
        check_is_fitted(self)
        check_coverage(coverage)
        if kind not in ("observation", "mean"):
            raise ValueError(f'kind must be "observation" or "mean", got {kind!r}.')
        data = self._transformed(X)
        weights = check_sample_weight(sample_weight, data.shape[0])
        if not np.all(weights > 0):
            raise ValueError("sample_weight must be > 0 here: the noise of a row of weight 0 is infinite.")
        out = np.empty((data.shape[0], 2))
        exact = self._closed_form
        if exact is not None:
            for rows in row_blocks(data.shape[0], max(data.shape[1], exact.n_components)):
                mixture = exact.mixture(data[rows], kind=kind, sample_weight=weights[rows])
                out[rows] = mixture.interval(coverage)
            return out
        sigma = self._draws.sigma.ravel()
        share = np.full(sigma.size, 1.0 / sigma.size)
        for rows, centre in self._expected_by_rows(data):
            if kind == "mean":
                out[rows] = np.quantile(centre, _ends(coverage), axis=1).T
            else:
                scale = sigma / np.sqrt(weights[rows, None])
                out[rows] = Mixture(share, centre, scale).interval(coverage)
        return out

    def coef_interval(self, coverage: float = 0.9) -> FloatArray:
        """Find equal-tailed posterior intervals of the coefficients.

        Parameters
        ----------
        coverage : float, default=0.9
            Probability of each interval, strictly between 0 and 1.

        Returns
        -------
        ndarray of shape (n_features, 2)
            Lower and upper ends, in the units of `coef_`.
        """
        check_is_fitted(self)
        check_coverage(coverage)
        exact, p = self._closed_form, self.coef_.size
        if exact is None:
            return np.quantile(self._draws.coef.reshape(-1, p), _ends(coverage), axis=0).T
        out = np.empty((p, 2))
        for features in row_blocks(p, max(p, exact.n_components)):
            out[features] = exact.coef_mixture(np.arange(p)[features]).interval(coverage)
        return out

    def sample_y(self, X: Any, n_samples: int = 1, random_state: Any = None) -> FloatArray:
        """Draw new observations from the posterior predictive distribution.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_rows, n_features)
            Data, as given to `fit`.
        n_samples : int, default=1
            Observations of each row.
        random_state : int, numpy.random.Generator, numpy.random.RandomState or None, default=None
            An int gives the same observations each time.

        Returns
        -------
        ndarray of shape (n_rows, n_samples)
            Each column has one draw of the parameters for all rows, and noise of its own for each. The
            parameters are taken from the fit's draws in random order, all of them once before any twice.
        """
        check_is_fitted(self)
        check_number("n_samples", n_samples, low=1, kind=int)
        data = self._transformed(X)
        rng = _generator(random_state)
        size = self._draws.sigma.size
        laps = [rng.permutation(size) for _ in range(math.ceil(n_samples / size))]
        pick = np.concatenate(laps)[:n_samples]
        picked = Draws(
            self._draws.coef.reshape(size, -1)[None, pick],
            self._draws.intercept.reshape(1, -1)[:, pick],
            self._draws.sigma.reshape(1, -1)[:, pick],
            self._draws.method,
        )
        with one_blas_thread():
            return posterior_predictive(picked, data, random_state=rng)[0].T

    @property
    def posterior_(self) -> Any:
        """The draws, the data and a record of both, in the container of the installed ArviZ."""
        check_is_fitted(self)
        if self._container is None:
            from skreg.bayes.container import to_arviz

            self._container = to_arviz(self._draws, self._energy, self.noise_model_, random_state=self._seed)
        return self._container

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if hasattr(self._inner, "__sklearn_tags__"):
            tags.input_tags = get_tags(self._inner).input_tags
        return tags

    def __getstate__(self):
        state = super().__getstate__()
        # Made again when next asked for.
        return {**state, **{name: None for name in ("_exact", "_container") if name in state}}

    @property
    def _inner(self):
        return Ridge() if self.estimator is None else self.estimator

    @property
    def _closed_form(self) -> RidgePosterior | None:
        if self._exact is None:
            self._exact = _closed_form(self._energy, self.noise_model_)
        return self._exact

    def _check_target(self, y: Any) -> FloatArray:
        name = type(self).__name__
        if y is None:
            raise ValueError(f"{name} requires y to be passed, but the target y is None.")
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=self)
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(f"{name} takes one target, and y has {y.shape[1]}: fit each by itself.")
        return column_or_1d(y, warn=True)

    def _transformed(self, X: Any) -> Any:
        return as_seen_by_final_step(self.estimator_, X)[0]

    def _expected_by_rows(self, data: Any) -> Iterator[tuple[slice, FloatArray]]:
        """Xw + b of every draw for some rows at a time, of shape (n_rows, n_draws)."""
        n_draws = self._draws.sigma.size
        with one_blas_thread():
            for rows in row_blocks(data.shape[0], n_draws):
                yield rows, expected_value(self._draws, data[rows]).reshape(n_draws, -1).T

    def _std_of_draws(self, data: Any) -> FloatArray:
        variance = np.full(data.shape[0], np.mean(self._draws.sigma**2))
        for rows, centre in self._expected_by_rows(data):
            variance[rows] += centre.var(axis=1)
        return np.sqrt(variance)


def _closed_form(energy: Energy, noise: Any) -> RidgePosterior | None:
    """Return the posterior in closed form, or None if it has none."""
    if energy.penalty.l1 != 0 or energy.penalty.positive:
        return None
    return RidgePosterior(energy, noise)


def _of_its_own(energy: Energy) -> Energy:
    """Give the energy data of its own, which do not change with the caller's arrays."""
    return replace(energy, X=energy.X.copy(), y=energy.y.copy(), sample_weight=energy.sample_weight.copy())


def _generator(random_state: Any) -> np.random.Generator:
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31 - 1, size=4))
    return np.random.default_rng(random_state)


def _ends(coverage: float) -> list[float]:
    return [0.5 * (1.0 - coverage), 0.5 * (1.0 + coverage)]
