"""Moments: all that a Gaussian likelihood, and so every estimator and posterior here, needs of the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["Moments", "row_blocks", "weighted_means"]

FloatArray = NDArray[np.float64]

# Rows are visited in blocks of about this many numbers (2 MiB), which stay in cache while they are used.
_BLOCK_SIZE = 2**18


@dataclass(frozen=True, eq=False)
class Moments:
    """Weight, means, centred Gram matrix and cross-products of weighted rows (X, y).

    Two moments of the same columns add (the moments of both sets of rows) and subtract (those of the
    rows left), exactly up to rounding: the pairwise update of Chan, Golub and LeVeque (1983). Products
    are taken about the means, so that columns far from zero lose no digits.

    Parameters
    ----------
    total_weight : float
        S = Σ sᵢ.
    n_rows : int
        n₊, the number of rows of positive weight.
    log_weight_sum : float
        Σ log sᵢ over those rows.
    x_mean : ndarray of shape (n_features,)
        Weighted means x̄ of X; zeros if not `centred`.
    y_mean : ndarray of shape (n_targets,)
        Weighted means ȳ of y; zeros if not `centred`.
    gram : ndarray of shape (n_features, n_features)
        Σ sᵢ (xᵢ − x̄)(xᵢ − x̄)ᵀ.
    xy : ndarray of shape (n_features, n_targets)
        Σ sᵢ (xᵢ − x̄)(yᵢ − ȳ)ᵀ.
    yy : ndarray of shape (n_targets,)
        Σ sᵢ (yᵢ − ȳ)².
    centred : bool
        Whether products are about the means (a model with an intercept) or about zero.

    References
    ----------
    Chan, T. F., Golub, G. H. and LeVeque, R. J. (1983). Algorithms for computing the sample variance,
    The American Statistician 37(3), 242-247.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.array([[1.0], [2.0], [6.0]]), np.array([1.0, 2.0, 3.0])
    >>> first, rest = Moments.from_data(X[:1], y[:1]), Moments.from_data(X[1:], y[1:])
    >>> (first + rest).gram
    array([[14.]])
    >>> (first + rest - rest).x_mean
    array([1.])
    """

    total_weight: float
    n_rows: int
    log_weight_sum: float
    x_mean: FloatArray
    y_mean: FloatArray
    gram: FloatArray
    xy: FloatArray
    yy: FloatArray
    centred: bool = True

    @classmethod
    def from_data(cls, X, y, sample_weight=None, *, centred: bool = True) -> Moments:
        """The moments of rows held in memory, in float64 whatever their dtype.

        Parameters
        ----------
        X : ndarray or sparse matrix of shape (n_samples, n_features)
            Data, in any order and any real dtype.
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Target.
        sample_weight : ndarray of shape (n_samples,), optional
            Weights sᵢ ≥ 0, not all zero; ones if not given.
        centred : bool, default=True
            Whether to take products about the means.

        Returns
        -------
        Moments
            Of the rows of positive weight.
        """
        y = np.asarray(y, dtype=np.float64).reshape(X.shape[0], -1)
        weights = np.ones(X.shape[0]) if sample_weight is None else np.asarray(sample_weight, np.float64)
        counted = weights > 0
        total = float(weights.sum())
        x_mean = weighted_means(X, weights) if centred else np.zeros(X.shape[1])
        y_mean = weighted_means(y, weights) if centred else np.zeros(y.shape[1])
        y_centred = y - y_mean
        yy = weights @ y_centred**2
        if sparse.issparse(X):
            # Σ s (x − x̄)(x − x̄)ᵀ = Σ s x xᵀ − S x̄ x̄ᵀ: sparse columns have means no larger than their spread.
            scaled = X.multiply(np.sqrt(weights)[:, None]).tocsr().astype(np.float64)
            gram = (scaled.T @ scaled).toarray() - total * np.outer(x_mean, x_mean)
            xy = np.asarray(X.T @ (weights[:, None] * y_centred))
        else:
            gram = np.zeros((X.shape[1], X.shape[1]))
            xy = np.zeros((X.shape[1], y.shape[1]))
            root = np.sqrt(weights)
            for rows in row_blocks(*X.shape):
                block = (X[rows] - x_mean) * root[rows, None]
                gram += block.T @ block
                xy += block.T @ (root[rows, None] * y_centred[rows])
        return cls(
            total_weight=total,
            n_rows=int(counted.sum()),
            log_weight_sum=float(np.log(weights[counted]).sum()),
            x_mean=x_mean,
            y_mean=y_mean,
            gram=gram,
            xy=xy,
            yy=yy,
            centred=centred,
        )

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return self.x_mean.size

    @property
    def n_targets(self) -> int:
        """Number of columns of y."""
        return self.y_mean.size

    def __add__(self, other: Moments) -> Moments:
        if not isinstance(other, Moments):
            return NotImplemented
        self._check_compatible(other)
        total = self.total_weight + other.total_weight
        share = other.total_weight / total
        between = self.total_weight * share
        dx, dy = other.x_mean - self.x_mean, other.y_mean - self.y_mean
        return Moments(
            total_weight=total,
            n_rows=self.n_rows + other.n_rows,
            log_weight_sum=self.log_weight_sum + other.log_weight_sum,
            x_mean=self.x_mean + share * dx,
            y_mean=self.y_mean + share * dy,
            gram=self.gram + other.gram + between * np.outer(dx, dx),
            xy=self.xy + other.xy + between * np.outer(dx, dy),
            yy=self.yy + other.yy + between * dy**2,
            centred=self.centred,
        )

    def __sub__(self, other: Moments) -> Moments:
        if not isinstance(other, Moments):
            return NotImplemented
        self._check_compatible(other)
        if other.n_rows >= self.n_rows or other.total_weight >= self.total_weight:
            raise ValueError(
                f"Cannot subtract moments of {other.n_rows} rows of weight {other.total_weight:g} from "
                f"{self.n_rows} rows of weight {self.total_weight:g}: some rows must be left."
            )
        total = self.total_weight - other.total_weight
        share = other.total_weight / total
        dx, dy = self.x_mean - other.x_mean, self.y_mean - other.y_mean
        between = self.total_weight * share  # about the mean of the rows left
        return Moments(
            total_weight=total,
            n_rows=self.n_rows - other.n_rows,
            log_weight_sum=self.log_weight_sum - other.log_weight_sum,
            x_mean=self.x_mean + share * dx,
            y_mean=self.y_mean + share * dy,
            gram=self.gram - other.gram - between * np.outer(dx, dx),
            xy=self.xy - other.xy - between * np.outer(dx, dy),
            yy=self.yy - other.yy - between * dy**2,
            centred=self.centred,
        )

    def _check_compatible(self, other: Moments) -> None:
        mine = (self.n_features, self.n_targets, self.centred)
        theirs = (other.n_features, other.n_targets, other.centred)
        if mine != theirs:
            raise ValueError(
                "Moments combine only if they have the same features, targets and centring; got "
                f"(n_features, n_targets, centred) = {mine} and {theirs}."
            )


def row_blocks(n_samples: int, n_features: int) -> Iterator[slice]:
    """Slices over the rows, each of a size that stays in cache."""
    step = max(1, _BLOCK_SIZE // max(1, n_features))
    for start in range(0, n_samples, step):
        yield slice(start, min(start + step, n_samples))


def weighted_means(X, weights: FloatArray) -> FloatArray:
    """Weighted column means in float64, exact for a constant column.

    A second pass averages what the first left over, which removes its rounding.
    """
    total = weights.sum()
    if sparse.issparse(X):
        return np.asarray(X.T @ weights, dtype=np.float64).ravel() / total
    share = weights / total
    first = sum(share[rows] @ X[rows] for rows in row_blocks(*X.shape))
    return first + sum(share[rows] @ (X[rows] - first) for rows in row_blocks(*X.shape))
