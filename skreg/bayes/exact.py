"""The posterior of Ridge, exactly: independent draws, moments and predictions in closed form.

Given κ and σ² (`strength`) the coefficients are independent Gaussians in one eigenbasis (`eigenbasis`),
whatever the noise contract; moments are sums over the quadrature points of κ, a single one where it is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import gammaln

from skreg.bayes.draws import Draws, draw_intercepts
from skreg.bayes.eigenbasis import Eigenbasis, check_ridge
from skreg.bayes.evidence import ScaledNoise
from skreg.bayes.mixture import Mixture
from skreg.bayes.noise import NoiseModel
from skreg.bayes.strength import check_alpha_prior, smallest_strength, strength_law
from skreg.execution.blas import one_blas_thread
from skreg.linear_model.energy import Energy
from skreg.moments.rows import row_blocks

__all__ = ["Prediction", "RidgePosterior", "draw_exact"]

FloatArray = NDArray[np.float64]


def draw_exact(
    energy: Energy,
    noise: NoiseModel,
    *,
    draws: int,
    generators: list[np.random.Generator],
    alpha_prior: tuple[float, float] | None = None,
) -> Draws:
    """Draw independently from the posterior of Ridge.

    Parameters
    ----------
    energy : Energy
        The estimator and its data, with l1 = 0 and without a sign constraint.
    noise : NoiseModel
        The noise contract: known, variance-scaled or plug-in.
    draws : int
        Draws of each chain.
    generators : list of numpy.random.Generator
        One a chain.
    alpha_prior : tuple of two floats, optional
        (shape, rate) of alpha ~ Gamma(shape, rate), scikit-learn's alpha, drawn along; else it is the
        estimator's.

    Returns
    -------
    Draws
        With method "exact"; `alpha` if it has a prior.

    Raises
    ------
    ValueError
        If the penalty is not that of a ridge with alpha > 0, the posterior is improper, unpenalised
        features are collinear, or `alpha_prior` is not two numbers > 0.

    Notes
    -----
    A draw costs O(min(n, p) p). Where κ is drawn, its CDF is inverted to about 1e-11 (`TabulatedDensity`).

    References
    ----------
    Hastie, T., Tibshirani, R. and Friedman, J. (2009). The Elements of Statistical Learning, 2nd ed.,
    section 3.4.1; Gelman, A. et al. (2013). Bayesian Data Analysis, 3rd ed., section 14.8.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg import Ridge, energy_of
    >>> from skreg.bayes.draws import chain_generators
    >>> energy = energy_of(Ridge(alpha=1.0), np.arange(4.0)[:, None], np.array([0.0, 1.0, 3.0, 2.0]))
    >>> noise = NoiseModel("known", sigma=0.5)
    >>> sample = draw_exact(energy, noise, draws=1000, generators=chain_generators(0, 4))
    >>> sample.coef.shape
    (4, 1000, 1)
    >>> bool(abs(sample.coef.mean() - energy.coef[0]) < 0.02)
    True
    """
    return RidgePosterior(energy, noise, alpha_prior=alpha_prior).draw(draws, generators)


@dataclass(frozen=True, eq=False)
class Prediction:
    """The posterior of a linear function, or the predictive distribution of an observation, row by row.

    Parameters
    ----------
    mean, std : ndarray of shape (n_rows,)
        Mean and standard deviation; the latter infinite where there is none (at most 2 degrees of freedom).
    scale : ndarray of shape (n_rows,)
        The scale of a Student-t with `dof` degrees of freedom; NaN where it is a mixture of many.
    dof : float
        Infinite for a Gaussian (σ known), NaN for a mixture (plug-in, or a prior on alpha).
    """

    mean: FloatArray
    std: FloatArray
    scale: FloatArray
    dof: float


class RidgePosterior:
    """The posterior of Ridge in closed form, up to one-dimensional quadrature where κ is unknown.

    Parameters
    ----------
    energy : Energy
        The estimator and its data, with l1 = 0 and without a sign constraint.
    noise : NoiseModel
        The noise contract: known, variance-scaled or plug-in.
    alpha_prior : tuple of two floats, optional
        (shape, rate) of alpha ~ Gamma(shape, rate).

    Attributes
    ----------
    coef_mean : ndarray of shape (n_features,)
        Posterior mean of the coefficients.
    intercept_mean : float
        Posterior mean of the intercept; 0 without one.
    variance_mean, sigma_mean : float
        Posterior means of σ² and of σ; infinite if it has none.
    dof : float
        Degrees of freedom of the Student-t that a coefficient and a prediction follow: infinite if σ is
        known, NaN (a mixture of many) where κ is unknown.
    log_evidence : float
        log p(y), the intercept and unpenalised coefficients integrated against the density 1.

    Raises
    ------
    ValueError
        As for `draw_exact`.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg import Ridge, energy_of
    >>> energy = energy_of(Ridge(alpha=1.0), np.arange(4.0)[:, None], np.array([0.0, 1.0, 3.0, 2.0]))
    >>> posterior = RidgePosterior(energy, NoiseModel("variance-scaled", None, (2.0, 1.0)))
    >>> at_five = posterior.predict(np.array([[5.0]]))
    >>> at_five.mean.round(4), at_five.dof
    (array([3.8333]), 7.0)
    """

    def __init__(
        self, energy: Energy, noise: NoiseModel, *, alpha_prior: tuple[float, float] | None = None
    ) -> None:
        check_ridge(energy)
        if alpha_prior is not None:
            alpha_prior = check_alpha_prior(alpha_prior)
        self._energy = energy
        self._basis = basis = Eigenbasis(energy, smallest_strength(energy, noise, alpha_prior))
        with one_blas_thread():
            self._law = law = strength_law(basis, energy, ScaledNoise.of(noise, basis), alpha_prior)
            # Given κ, Vᵀu has a mean and the variance σ²/(d + κ), and what is beside V the variance σ²/κ:
            # squared scales here, of which the variances are `inflation` times.
            squared = law.weights * law.squared_scale(law.points)
            self._along = squared @ (1.0 / (basis.values + law.points[:, None]))
            self._beside = float(squared @ (1.0 / law.points))
            self._noise = float(squared.sum())
            centres = basis.centres(law.points)
            centre = law.weights @ centres
            self._between = np.sqrt(law.weights)[:, None] * (centres - centre) * (law.points.size > 1)
            self.coef_mean = basis.join((centre @ basis.right.T)[None], basis.free_projection)[0]
        self.intercept_mean = energy.best_intercept(self.coef_mean) if energy.fit_intercept else 0.0
        self._squared_scale = self._noise / basis.y_scale / basis.y_scale
        self.variance_mean = self._squared_scale * law.inflation
        self.sigma_mean = self._sigma_mean() / basis.y_scale
        self.dof, self.log_evidence = law.dof, law.log_evidence

    def predict(self, X: Any, *, kind: Literal["mean", "observation"] = "observation") -> Prediction:
        """Predict rows of X.

        Parameters
        ----------
        X : {ndarray, sparse matrix} of shape (n_rows, n_features)
            Rows in the units of the energy's X.
        kind : {"mean", "observation"}, default="observation"
            Whether to predict xᵀw + b, or an observation of weight 1 with its noise.

        Returns
        -------
        Prediction
            Mean, standard deviation, and the Student-t's scale and degrees of freedom.
        """
        energy, basis = self._energy, self._basis
        mean, squared, between = np.empty((3, X.shape[0]))
        with one_blas_thread():
            for rows in row_blocks(*X.shape):
                block = X[rows].toarray() if sparse.issparse(X) else np.asarray(X[rows], dtype=np.float64)
                centred = block - energy.X_mean
                mean[rows] = energy.y_mean + centred @ self.coef_mean
                squared[rows], between[rows] = self._variances(*basis.split(centred))
        if energy.fit_intercept:
            squared += self._squared_scale / energy.total_weight
        if kind == "observation":
            squared += self._squared_scale
        std = self._std(squared, between)
        scale = np.sqrt(squared) if self._law.table is None else np.full(std.shape, math.nan)
        return Prediction(mean, std, scale, self.dof)

    def mixture(
        self, X: Any, *, kind: Literal["mean", "observation"] = "observation", sample_weight: Any = None
    ) -> Mixture:
        """Return the distributions that `predict` has the moments of.

        Parameters
        ----------
        X : {ndarray, sparse matrix} of shape (n_rows, n_features)
            Rows in the units of the energy's X.
        kind : {"mean", "observation"}, default="observation"
            Whether to predict xᵀw + b, or an observation with its noise.
        sample_weight : ndarray of shape (n_rows,), optional
            Precisions s > 0 of the observations, whose noise has variance σ²/s; ones if not given.

        Returns
        -------
        Mixture
            Of one component where κ is known, else of one for each quadrature point of κ.
        """
        energy = self._energy
        block = X.toarray() if sparse.issparse(X) else np.asarray(X, dtype=np.float64)
        extra = np.full(X.shape[0], 1.0 / energy.total_weight if energy.fit_intercept else 0.0)
        if kind == "observation":
            extra += 1.0 if sample_weight is None else 1.0 / sample_weight
        return self._mixture(block - energy.X_mean, energy.y_mean, extra)

    @property
    def n_components(self) -> int:
        """Number of components of the mixtures."""
        return self._law.points.size

    def coef_mixture(self, features: NDArray[np.intp]) -> Mixture:
        """Return the distributions of some coefficients."""
        rows = np.zeros((features.size, self._energy.n_features))
        rows[np.arange(features.size), features] = 1.0
        return self._mixture(rows, 0.0, np.zeros(1))

    def _mixture(self, rows: FloatArray, shift: float, extra: FloatArray) -> Mixture:
        """Return the distributions of shift + rowᵀw + σ √extra ε, ε standard normal."""
        basis, law = self._basis, self._law
        kappa = law.points
        with one_blas_thread():
            a, c = basis.split(rows)
            seen = a @ basis.right
            unit = np.square(seen) @ (1.0 / (basis.values[:, None] + kappa))
            unit += np.square(c).sum(axis=1)[:, None]
            if not basis.fills:
                unit += np.square(a - seen @ basis.right.T).sum(axis=1)[:, None] / kappa
            unit += extra[:, None] / basis.y_scale / basis.y_scale
            centres = basis.join(basis.centres(kappa) @ basis.right.T, basis.free_projection[None])
            mean = shift + rows @ centres.T
        scale = np.sqrt(unit * law.squared_scale(kappa))
        return Mixture(law.weights, mean, scale, 2.0 * law.shape)

    def coef_std(self) -> FloatArray:
        """Compute the posterior standard deviation of each coefficient, of shape (n_features,)."""
        basis = self._basis
        unit = basis.join(np.ones((1, basis.penalized.size)), np.zeros((1, basis.free.size)))[0]
        with one_blas_thread():
            squared = np.square(basis.right) @ self._along
            if not basis.fills:
                squared += self._beside * np.maximum(1.0 - np.square(basis.right).sum(axis=1), 0.0)
            between = np.square(basis.right @ self._between.T).sum(axis=1)
            std = np.abs(unit)
            std[basis.penalized] *= self._std(squared, between)
            if basis.free.size:
                rows = np.zeros((basis.free.size, self._energy.n_features))
                rows[np.arange(basis.free.size), basis.free] = 1.0
                std[basis.free] = self._std(*self._variances(*basis.split(rows)))
        return std

    def covariance_product(self, vectors: ArrayLike) -> FloatArray:
        """Multiply the posterior covariance of the coefficients, never formed, by vectors.

        Parameters
        ----------
        vectors : array-like of shape (n_features, k)
            Vectors as columns.

        Returns
        -------
        ndarray of shape (n_features, k)
            Cov(coef) · vectors.

        Raises
        ------
        ValueError
            If the posterior has no covariance: at most 2 degrees of freedom.
        """
        inflation = self._law.inflation
        if math.isinf(inflation):
            raise ValueError("With at most 2 degrees of freedom the coefficients have no covariance.")
        basis, V = self._basis, self._basis.right
        with one_blas_thread():
            a, c = basis.split(np.asarray(vectors, dtype=np.float64).T)
            seen = a @ V
            u = (inflation * self._along * seen + (seen @ self._between.T) @ self._between) @ V.T
            if not basis.fills:
                u += inflation * self._beside * (a - seen @ V.T)
            return basis.join(u, inflation * self._noise * c).T

    def draw(self, draws: int, generators: list[np.random.Generator]) -> Draws:
        """Draw independently; parameters and result are those of `draw_exact`."""
        energy, basis, law = self._energy, self._basis, self._law
        coef = np.empty((len(generators), draws, energy.n_features))
        sigma, kappa = np.empty((2, len(generators), draws))
        with one_blas_thread():
            for chain, rng in enumerate(generators):
                kappa[chain], sigma[chain] = law.draw(rng, draws)
                coef[chain] = basis.draw(rng, kappa[chain], sigma[chain])
            alpha = law.alpha(kappa, sigma) if law.has_alpha else None
            sigma /= basis.y_scale
            intercept = draw_intercepts(energy, coef, sigma, generators)
        return Draws(coef, intercept, sigma, "exact", alpha)

    def _sigma_mean(self) -> float:
        law = self._law
        rate_root = float(law.weights @ np.sqrt(law.rate(law.points)))
        if math.isinf(law.shape):
            return rate_root
        # E σ = √rate Γ(shape − ½)/Γ(shape)
        return (
            rate_root * math.exp(gammaln(law.shape - 0.5) - gammaln(law.shape))
            if law.shape > 0.5
            else math.inf
        )

    def _std(self, squared: FloatArray, between: FloatArray) -> FloatArray:
        inside = np.zeros_like(squared)
        np.multiply(squared, self._law.inflation, out=inside, where=squared > 0.0)  # the inflation may be ∞
        return np.sqrt(inside + between)

    def _variances(self, a: FloatArray, c: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Squared scales of aᵀu + cᵀ(along_free) given κ, and variances of its means over κ."""
        basis = self._basis
        seen = a @ basis.right
        squared = np.square(seen) @ self._along + self._noise * np.square(c).sum(axis=1)
        if not basis.fills:
            squared += self._beside * np.square(a - seen @ basis.right.T).sum(axis=1)
        return squared, np.square(seen @ self._between.T).sum(axis=1)
