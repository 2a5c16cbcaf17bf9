"""The data of the benchmark: every cell by name, made from a fixed seed.

Synthetic cells have columns that follow an AR(1) process across the features (correlation ρ^|i−j|), min(p/10,
100) non-zero coefficients drawn from a normal at random places, an intercept of 3, and noise scaled to the
signal-to-noise ratio Var(Xw) / Var(noise) of the cell. All dense cells are float64 in Fortran order, which
every library here takes without a copy of its own.
"""

import os
from dataclasses import dataclass

import linear_gap
import numpy as np
from scipy import sparse

SHAPES = [
    (1000, 20),
    (10000, 100),
    (10000, 1000),
    (100000, 100),
    (5000, 500),
    (2000, 2000),
    (1000, 5000),
    (500, 10000),
    (72, 7129),
]
N_TARGETS = 50  # of the cells' Y; its first column is y


@dataclass(frozen=True)
class Cell:
    """One data set: its name, how it is made, and whether it belongs to the representative subset."""

    name: str
    source: str
    n: int = 0
    p: int = 0
    rho: float = 0.5
    snr: float = 5.0
    representative: bool = True

    @property
    def is_sparse(self):
        return self.source == "sparse"

    def make(self):
        """Return X, dense in Fortran order or CSC, and Y of N_TARGETS columns, of which the first is y."""
        rng = np.random.default_rng(20261125)
        if self.source == "autoregressive":
            X = _autoregressive(rng, self.n, self.p, self.rho)
        elif self.source == "sparse":
            X = sparse.random_array(
                (self.n, self.p), density=1e-3, format="csc", rng=rng, data_sampler=rng.standard_normal
            )
            X = sparse.csc_matrix(
                (X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=X.shape
            )
            X.sort_indices()
        else:
            X, y = _polynomial(*self.source.split())
        Y = np.empty((X.shape[0], N_TARGETS), order="F")
        for k in range(N_TARGETS):
            Y[:, k] = _target(rng, X, self.snr)
        if self.source not in ("autoregressive", "sparse"):
            Y[:, 0] = y
        return X, Y


def _autoregressive(rng, n, p, rho):
    X = np.empty((n, p), order="F")
    X[:, 0] = rng.standard_normal(n)
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * rng.standard_normal(n)
    return X


def _target(rng, X, snr):
    n, p = X.shape
    w = np.zeros(p)
    support = rng.choice(p, size=max(1, min(p // 10, 100)), replace=False)
    w[support] = rng.standard_normal(support.size)
    signal = X @ w
    return 3.0 + signal + rng.standard_normal(n) * np.sqrt(signal.var() / snr)


def _polynomial(name, degree):
    """Return polynomial features of a data set of scikit-learn's, standardised, without constant columns."""
    from sklearn.datasets import load_diabetes, load_digits
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    X, y = {"diabetes": load_diabetes, "digits": load_digits}[name](return_X_y=True)
    X = PolynomialFeatures(int(degree), include_bias=False).fit_transform(X)
    X = StandardScaler().fit_transform(X[:, np.ptp(X, axis=0) > 0])
    return np.asfortranarray(X), y.astype(np.float64)


def _synthetic(n, p, rho=0.5, snr=5.0, prefix="", representative=True):
    name = f"{prefix}{n}x{p} rho={rho:g} snr={snr:g}"
    return Cell(name, "autoregressive", n, p, rho, snr, representative)


def all_cells():
    """Return the representative cells first, each part from the smallest to the largest."""
    shapes = sorted(SHAPES, key=np.prod)
    first = [_synthetic(n, p) for n, p in shapes]
    real = [
        Cell("diabetes degree=2", "diabetes 2"),
        Cell("diabetes degree=3", "diabetes 3"),
        Cell("digits degree=2", "digits 2"),
        Cell("sparse 20000x50000 density=0.001", "sparse", 20000, 50000),
    ]
    rest = [
        _synthetic(n, p, rho, snr, representative=False)
        for n, p in shapes
        for rho in (0.0, 0.5, 0.95)
        for snr in (1.0, 5.0)
        if (rho, snr) != (0.5, 5.0)
    ]
    return [*first, *real, *rest]


def scaling_cells():
    """Return, by what grows, cells over a decade of it with the rest fixed."""
    return {
        "n, at p = 100": [_synthetic(n, 100, prefix="scaling ") for n in (10000, 20000, 50000, 100000)],
        "p, at n = 5000": [_synthetic(5000, p, prefix="scaling ") for p in (100, 200, 500, 1000)],
        "p, at n = 500": [_synthetic(500, p, prefix="scaling ") for p in (2000, 5000, 10000, 20000)],
    }


class Data:
    """A cell's data, in memory for the gap and in a file for the workers."""

    def __init__(self, cell, folder):
        self.cell = cell
        self.X, self.Y = cell.make()
        self.y = np.ascontiguousarray(self.Y[:, 0])
        self.folder = f"{folder}/{''.join(c if c.isalnum() else '_' for c in cell.name)}"
        os.makedirs(self.folder, exist_ok=True)
        np.save(f"{self.folder}/Y.npy", self.Y)
        if cell.is_sparse:
            sparse.save_npz(f"{self.folder}/X.npz", self.X, compressed=False)
            self.bytes = self.X.data.nbytes + self.X.indices.nbytes
        else:
            np.save(f"{self.folder}/X.npy", self.X)
            self.bytes = self.X.nbytes
        self._ridge = None

    def alpha_max(self, l1_ratio):
        """Return the smallest alpha at which every coefficient is zero."""
        return linear_gap.alpha_max(self.X, self.y, l1_ratio)

    def quality(self, task, request, coef, intercept, chosen):
        """Return the worst gap of the solutions, and for Ridge the error of the coefficients."""
        if task.kind == "ridge_cv":
            self._ridge = self._ridge or linear_gap.ExactRidge(self.X, self.Y)
            gap, error = self._ridge.errors(coef, chosen["alpha"])
            return {"gap": gap, "coef_error": error}
        if task.kind == "cv":
            alphas, ratio = [chosen["alpha"]], chosen["l1_ratio"] or 1.0
        else:
            alphas, ratio = request["alphas"], task.l1_ratio
        return {
            "gap": float(np.max(linear_gap.relative_gaps(self.X, self.y, coef, intercept, alphas, ratio)))
        }
