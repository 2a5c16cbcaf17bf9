"""Ridge's posterior in the basis where everything is independent, for every κ = λ₂σ²/τ at once.

In the units of the solvers, with A = diag(√s)(X − x̄) and b = √s(y − ȳ), the unpenalised columns A_F and the
penalised ones B = A_P diag(v)^−½, the coefficients u = v^½ w have the prior N(0, σ²/κ), and

    (I − U Uᵀ) B = Q D^½ Vᵀ,   A_F = U S Wᵀ,

so that Qᵀb | u ~ N(D^½ Vᵀu, σ²), Uᵀb | u, w_F ~ N(S Wᵀ w_F + UᵀB u, σ²), and whatever of b is left, and
whatever of u is outside V, knows nothing of the other.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from skreg.execution.blas import one_blas_thread
from skreg.linear_model.energy import Energy
from skreg.penalties import L2
from skreg.solvers.least_squares import least_squares
from skreg.solvers.ridge import trusted_svd
from skreg.solvers.spectral import Spectrum

__all__ = ["Eigenbasis", "check_ridge"]

FloatArray = NDArray[np.float64]

# An eigenvalue below this part of the largest is taken again from the rows: its square has lost digits.
_TAKE_AGAIN = 1e-6
# Squared norms below this part of the largest keep too few digits, unless they are below this part of κ.
_LOST, _NEGLIGIBLE = 1e-24, 1e-12
# κ for which logdet and energies are computed at a time.
_BLOCK_SIZE = 2**20


class Eigenbasis:
    """The eigendecomposition of a ridge problem, and what the marginal likelihood needs of it.

    Parameters
    ----------
    energy : Energy
        The estimator and its data, with l1 = 0.
    smallest_alpha : float
        The smallest λ₂σ²/τ that will matter; digits are kept for it.

    Attributes
    ----------
    values : ndarray of shape (rank,)
        D > 0, in the units of κ.
    projections, free_projection : ndarrays of shape (rank,) and (n_free,)
        Qᵀb and Uᵀb.
    right : ndarray of shape (n_penalized, rank)
        V.
    penalized, free : ndarray of int
        Which features have a penalty weight above zero, in the order of the rows of V, and which have not.
    outside : float
        The squared norm of b outside of Q and U.
    dof : int
        m − f: rows (less one with an intercept) less unpenalised features.
    kappa_unit : float
        κ for λ₂σ²/τ = 1.
    y_scale : float
        Residuals, σ and b are those of the data times this.
    log_volume : float
        ½ Σ log sᵢ − ½ log S (with an intercept) − ½ log |A_Fᵀ A_F| + dof log y_scale, by which the
        evidence differs from that of b.

    Raises
    ------
    ValueError
        If the unpenalised features are collinear, columns differ in size by more than float64 holds, or
        sparse data are too large for a decomposition.
    """

    def __init__(self, energy: Energy, smallest_alpha: float) -> None:
        p = energy.n_features
        factors = np.ones(p) if energy.penalty.factors is None else energy.penalty.factors
        problem = least_squares(
            energy.X, energy.y[:, None], energy.sample_weight, fit_intercept=energy.fit_intercept
        )
        self._n_features = p
        self.y_scale = float(problem.y_scale[0])
        with one_blas_thread():
            self._decompose_free(energy, problem, np.flatnonzero(factors == 0))
            self.dof = energy.n_samples - int(energy.fit_intercept) - self.free.size
            spectrum = _spectrum(problem, energy, smallest_alpha)
            self._decompose_penalized(problem, spectrum, factors)
            self._check_sizes(problem, spectrum, energy, smallest_alpha)
        self.log_volume = (
            0.5 * energy.log_weight_sum
            - 0.5 * math.log(energy.total_weight) * energy.fit_intercept
            - float(np.log(self._free_values).sum() - np.log(problem.x_scale[self.free]).sum())
            + self.dof * math.log(self.y_scale)
        )

    def _decompose_free(self, energy: Energy, problem: Any, free: NDArray[np.intp]) -> None:
        self.free = free
        columns = problem.columns(free)
        basis, values, right = trusted_svd(columns)
        if values.size < free.size:
            names = ", ".join([*(energy.feature_names[j] for j in free[:5]), "…"][: free.size])
            raise ValueError(
                f"penalty_weights leaves {free.size} features without a penalty ({names}), and the data "
                f"determine only {values.size} of them (collinear or constant columns): their flat prior has "
                "no posterior. Give some of them a penalty weight > 0."
            )
        self._free_basis, self._free_values, self._free_right = basis, values, right.T
        self._free_scale = problem.x_scale[free] / self.y_scale

    def _decompose_penalized(self, problem: Any, spectrum: Spectrum, factors: FloatArray) -> None:
        index, f = spectrum.columns.index, spectrum.columns.factors
        self.kappa_unit = spectrum.columns.alpha_unit
        V, data = spectrum.right()
        d, q = spectrum.values[data].copy(), spectrum.projections[data, 0].copy()
        # Of small eigenvalues only the direction is known so well; their size is that of their own image.
        small = np.flatnonzero(d < _TAKE_AGAIN * d.max(initial=0.0))
        norms = np.ones(d.size)
        if spectrum.is_complete:
            norms[small] = np.linalg.norm(V[:, small], axis=0)
            V[:, small] /= norms[small]
            left = spectrum.projections[:, 0].copy()
            left[data] = 0.0
            self.outside = float(left @ left)
            d[small] *= norms[small] ** 2
        else:
            if small.size:
                pick = np.zeros((spectrum.values.size, small.size))
                pick[data[small], np.arange(small.size)] = 1.0
                images = spectrum.left_product(pick)
                norms[small] = np.linalg.norm(images, axis=0)
                q[small] = images.T @ spectrum.rest[:, 0] / norms[small]
                d[small] *= norms[small] ** 2
            c = np.zeros((spectrum.values.size, 1))
            c[data, 0] = q / norms
            left = spectrum.rest - spectrum.left_product(c)
            # With as many directions as rows are free, nothing is left but rounding.
            self.outside = 0.0 if d.size == self.dof else float(np.sum(left**2))
        self.values, self.projections = d, q
        # Penalised columns without variance: zeros of V, so that they are drawn from the prior.
        constant = np.flatnonzero((factors > 0) & (problem.x_scale == 0))
        self.penalized = np.concatenate([index, constant])
        self._in_order = np.array_equal(self.penalized, np.arange(self._n_features))
        self.right = np.zeros((self.penalized.size, d.size))
        self.right[: index.size] = V
        self._to_coef = math.sqrt(self.kappa_unit) / np.sqrt(factors[self.penalized]) / self.y_scale
        self._along_free = np.zeros((self.free.size, self.penalized.size))
        self._along_free[:, : index.size] = problem.adjoint(self._free_basis)[index].T * f
        self.free_projection = self._free_basis.T @ problem.b[:, 0]

    def _check_sizes(self, problem: Any, spectrum: Spectrum, energy: Energy, smallest_alpha: float) -> None:
        """Refuse columns that are rounding beside the largest, unless the prior is all that counts there."""
        columns = spectrum.columns
        squared = problem.norms[columns.index] * columns.factors**2
        kappa = smallest_alpha * self.kappa_unit
        lost = (squared < _LOST * squared.max(initial=0.0)) & (squared > _NEGLIGIBLE * kappa)
        if np.any(lost):
            least = columns.index[np.argmin(np.where(lost, squared, np.inf))]
            raise ValueError(
                "X has columns so different in size, beside their penalties, that float64 loses the smallest "
                f"({energy.feature_names[least]}) beside the largest "
                f"({energy.feature_names[columns.index[np.argmax(squared)]]}). Scale them (StandardScaler)."
            )

    @property
    def fills(self) -> bool:
        """Whether the data see every direction of the penalised coefficients."""
        return self.values.size == self.penalized.size

    def log_determinant(self, kappa: FloatArray) -> FloatArray:
        """Compute Σ log(1 + dᵢ/κ) for κ of shape (k,)."""
        return _in_blocks(
            lambda part: np.log1p(self.values / part[:, None]).sum(axis=1), kappa, self.values.size
        )

    def least_energy(self, kappa: FloatArray) -> FloatArray:
        """Compute the smallest energy of b, ½(outside + Σ qᵢ² κ/(dᵢ + κ)), for κ of shape (k,)."""
        squared, d = self.projections**2, self.values
        return 0.5 * self.outside + 0.5 * _in_blocks(
            lambda part: (1.0 / (1.0 + d / part[:, None])) @ squared, kappa, d.size
        )

    def centres(self, kappa: FloatArray) -> FloatArray:
        """Compute the posterior mean of Vᵀu, dᵢ^½qᵢ/(dᵢ + κ), for κ of shape (k,); of shape (k, rank)."""
        return np.sqrt(self.values) * self.projections / (self.values + kappa[:, None])

    def join(self, u: FloatArray, along_free: FloatArray) -> FloatArray:
        """Turn penalised and unpenalised parts into coefficients of the data.

        Parameters
        ----------
        u : ndarray of shape (k, n_penalized)
            v^½ w in scaled units.
        along_free : ndarray of shape (k, n_free)
            S Wᵀ w_F + UᵀB u, the part of the fit that the unpenalised columns can make.

        Returns
        -------
        ndarray of shape (k, n_features)
            Coefficients w in the units of the data.
        """
        if self._in_order:
            return u * self._to_coef
        coef = np.empty((u.shape[0], self._n_features))
        if self.free.size:
            fit = along_free - u @ self._along_free.T
            coef[:, self.free] = (fit / self._free_values) @ self._free_right.T * self._free_scale
        coef[:, self.penalized] = u * self._to_coef
        return coef

    def split(self, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Write linear functions xᵀw as aᵀu + cᵀ(along_free), the adjoint of `join`.

        Parameters
        ----------
        rows : ndarray of shape (k, n_features)
            Each xᵀ.

        Returns
        -------
        a, c : ndarrays of shape (k, n_penalized) and (k, n_free)
            The coefficients of u and of `along_free`, independent given κ and σ².
        """
        c = (rows[:, self.free] * self._free_scale) @ self._free_right / self._free_values
        return rows[:, self.penalized] * self._to_coef - c @ self._along_free, c

    def draw(self, rng: np.random.Generator, kappa: FloatArray, sigma: FloatArray) -> FloatArray:
        """Draw coefficients, of shape (k, n_features), given κ and the scaled σ, each of shape (k,)."""
        g = rng.standard_normal((kappa.size, self.penalized.size))
        spread = sigma[:, None] / np.sqrt(self.values + kappa[:, None])
        if self.fills:
            u = (self.centres(kappa) + spread * g) @ self.right.T
        else:
            # A draw from the prior, whose part along V, Vᵀg, is then replaced by one of the posterior.
            prior = (sigma / np.sqrt(kappa))[:, None]
            u = (self.centres(kappa) + (spread - prior) * (g @ self.right)) @ self.right.T
            u += np.multiply(g, prior, out=g)
        noise = rng.standard_normal((kappa.size, self.free.size))
        return self.join(u, self.free_projection + sigma[:, None] * noise)


def check_ridge(energy: Energy) -> None:
    """Raise a ValueError unless the energy is that of a ridge with a proper prior."""
    penalty = energy.penalty
    if penalty.l1 != 0 or penalty.positive:
        what = "a sign constraint" if penalty.l1 == 0 else "an L1 penalty"
        raise ValueError(
            f"The exact posterior is that of Ridge, or of ElasticNet with l1_ratio=0; {energy.label} has "
            f'{what}: take method="gibbs" or "nuts".'
        )
    if penalty.l2 == 0:
        raise ValueError(
            f"alpha must be > 0 for a posterior: {energy.label} means an improper flat prior on every "
            "coefficient. Take a small alpha (1e-6 of the largest Σ s(x − x̄)² is next to flat), or leave "
            "single features unpenalised by penalty_weights=0."
        )


def _spectrum(problem: Any, energy: Energy, smallest_alpha: float) -> Spectrum:
    try:
        return Spectrum(problem, L2(1.0, factors=energy.penalty.factors), smallest_alpha)
    except ValueError as error:
        if not sparse.issparse(energy.X):
            raise
        raise ValueError(
            f"X is sparse with {energy.n_samples} rows and {energy.n_features} columns; the exact posterior "
            "takes data with at most 5000 of either."
        ) from error


def _in_blocks(function: Any, kappa: FloatArray, rank: int) -> FloatArray:
    step = max(1, _BLOCK_SIZE // max(1, rank))
    return np.concatenate([function(kappa[i : i + step]) for i in range(0, max(1, kappa.size), step)])
