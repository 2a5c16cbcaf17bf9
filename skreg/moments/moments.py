"""Moments: all that a Gaussian likelihood, and so every estimator and posterior here, needs of the data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.linalg import blas

__all__ = ["Moments", "implicitly_centred", "row_blocks", "weighted_means"]

FloatArray = NDArray[np.float64]

# Rows are visited in blocks of about this many numbers (2 MiB), which stay in cache while they are used.
_BLOCK_SIZE = 2**18
# Numbers multiplied at a time (half a MiB), and rows at least.
_PRODUCT_SIZE = 2**16
_PRODUCT_ROWS = 256
# Sparse columns whose variance is below this part of their mean square are stored centred.
NEARLY_FULL = 0.1


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
    def from_data(
        cls, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, *, centred: bool = True
    ) -> Moments:
        """Take the moments of rows held in memory, in float64 whatever their dtype.

        Parameters
        ----------
        X : ndarray or sparse matrix of shape (n_samples, n_features)
            Data, in any order and any real dtype.
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Target.
        sample_weight : ndarray of shape (n_samples,), optional
            Weights sᵢ ≥ 0; ones if not given. All zero gives the moments of no rows, which add nothing.
        centred : bool, default=True
            Whether to take products about the means.

        Returns
        -------
        Moments
            Of the rows of positive weight.
        """
        y = np.asarray(y, dtype=np.float64)
        y = y[:, None] if y.ndim == 1 else y
        weights = np.ones(X.shape[0]) if sample_weight is None else np.asarray(sample_weight, np.float64)
        counted = weights > 0
        total = float(weights.sum())
        x_mean, x_rest = np.zeros((2, X.shape[1]))
        y_mean, y_rest = np.zeros((2, y.shape[1]))
        if centred:
            y_mean, y_rest = weighted_means(y, weights)
        y_centred = (y - y_mean) - y_rest
        weighted_y = weights[:, None] * y_centred
        if sparse.issparse(X):
            X, x_mean, shift = implicitly_centred(X, weights, centred=centred)
            scaled = sparse.diags_array(np.sqrt(weights)) @ X
            # Σ s (x − x̄)(x − x̄)ᵀ = Σ s x xᵀ − S x̄ x̄ᵀ, for columns that are no further from zero than wide.
            gram = (scaled.T @ scaled).toarray() - total * np.outer(shift, shift)
            xy = np.asarray(X.T @ weighted_y)  # and y is centred, so that X need not be
        else:
            if centred:
                x_mean, x_rest = weighted_means(X, weights)
            gram, xy = _products(X, x_mean, x_rest, weights, weighted_y)
        return cls(
            total_weight=total,
            n_rows=int(counted.sum()),
            log_weight_sum=float(np.log(weights[counted]).sum()),
            x_mean=x_mean,
            y_mean=y_mean,
            gram=gram,
            xy=xy,
            yy=weights @ y_centred**2,
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
        share = other.total_weight / total if total > 0 else 0.0
        between = self.total_weight * share
        dx, dy = other.x_mean - self.x_mean, other.y_mean - self.y_mean
        return Moments(
            total_weight=total,
            n_rows=self.n_rows + other.n_rows,
            log_weight_sum=self.log_weight_sum + other.log_weight_sum,
            x_mean=self.x_mean + share * dx,
            y_mean=self.y_mean + share * dy,
            gram=_add_outer_square(self.gram + other.gram, dx, between),
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
            gram=_add_outer_square(self.gram - other.gram, dx, -between),
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


def _add_outer_square(gram: FloatArray, d: FloatArray, weight: float) -> FloatArray:
    """Add weight·ddᵀ to `gram` in place, by blocks, exactly symmetric."""
    if np.any(d):
        scaled = np.sqrt(abs(weight)) * d
        signed = np.sign(weight) * scaled
        for rows in row_blocks(d.size, d.size):
            gram[rows] += np.outer(signed[rows], scaled)
    return gram


def _mirror(gram: FloatArray) -> None:
    """Copy the lower triangle of `gram` over its upper one, by blocks."""
    for start in range(0, len(gram), _PRODUCT_ROWS):
        rows, after = slice(start, start + _PRODUCT_ROWS), slice(start + _PRODUCT_ROWS, None)
        gram[rows, after] = gram[after, rows].T
        corner = gram[rows, rows]
        corner[...] = np.tril(corner) + np.tril(corner, -1).T


def _products(
    X: NDArray[Any], mean: FloatArray, rest: FloatArray, weights: FloatArray, weighted_y: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Compute Σ s (x − x̄)(x − x̄)ᵀ and Σ s (x − x̄)(y − ȳ)ᵀ in one pass, the mean given in two parts."""
    n, p = X.shape
    gram = np.zeros((p, p))
    xy = np.zeros((p, weighted_y.shape[1]))
    root = None if np.all(weights == 1.0) else np.sqrt(weights)[:, None]
    has_rest = np.any(rest)
    # Few rows at a time would read and write the whole Gram matrix too often.
    step = max(_PRODUCT_ROWS, _PRODUCT_SIZE // max(1, p))
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        block = np.subtract(X[rows], mean, dtype=np.float64)
        if has_rest:
            block -= rest
        xy += block.T @ weighted_y[rows]
        if root is not None:
            block *= root[rows]
        by_columns = block.flags.f_contiguous
        # Half the work: the upper triangle of BLAS's matrix of columns is the lower one of rows.
        a = block if by_columns else block.T
        blas.dsyrk(1.0, a, trans=by_columns, beta=1.0, c=gram.T, overwrite_c=True)
    _mirror(gram)
    return gram, xy


def row_blocks(n_samples: int, n_features: int) -> Iterator[slice]:
    """Cut the rows into slices of a size that stays in cache."""
    step = max(1, _BLOCK_SIZE // max(1, n_features))
    for start in range(0, n_samples, step):
        yield slice(start, min(start + step, n_samples))


def weighted_means(X: NDArray[Any], weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted column means in two parts, the nearest float64 and what it rounds away; zeros without weight.

    The sum of the parts is accurate to the rounding of X's spread, not of its size: a second pass averages
    what the first left over. A constant column has exactly its value as its mean, and no second part.
    """
    total = float(weights.sum())
    if total == 0:
        return np.zeros(X.shape[1]), np.zeros(X.shape[1])
    share = weights / total
    first, left_over = np.zeros((2, X.shape[1]))
    for rows in row_blocks(*X.shape):
        first += share[rows] @ X[rows]
    for rows in row_blocks(*X.shape):
        left_over += share[rows] @ (X[rows] - first)
    mean = first + left_over
    rest = left_over - (mean - first)
    # What is within the rounding of the second pass itself means nothing; for a constant column it is zero.
    rest[np.abs(rest) <= 4.0 * len(weights) * np.finfo(np.float64).eps * np.abs(left_over)] = 0.0
    return mean, rest


def implicitly_centred(
    X: Any, weights: FloatArray, *, centred: bool
) -> tuple[sparse.csc_array, FloatArray, FloatArray]:
    """Write the centring of a sparse matrix as X − 1x̄ᵀ = stored − 1 shiftᵀ, so that it stays sparse.

    A share f of zeros keeps a column's variance above f of its mean square. So a column far from zero beside
    its spread, which would lose digits to an implicit shift, is nearly full, and is stored centred.

    Returns
    -------
    stored : CSC array of shape (n_samples, n_features), float64
        In canonical format; it may share memory with X.
    mean, shift : ndarray of shape (n_features,)
        x̄, and the part of it that is left implicit; zeros if not `centred`.
    """
    stored = sparse.csc_array(X, dtype=np.float64)
    if not stored.has_canonical_format:
        stored = stored.copy()  # the caller's arrays stay as they are
        stored.sum_duplicates()
    mean = np.zeros(X.shape[1])
    total = float(weights.sum())
    if not centred or total == 0:
        return stored, mean, mean
    mean = stored.T @ weights / total
    mean_square = stored.power(2).T @ weights / total
    full = np.flatnonzero(mean_square - mean**2 < NEARLY_FULL * mean_square)
    shift = mean.copy()
    if full.size:
        columns = stored[:, full].toarray()
        mean[full], rest = weighted_means(columns, weights)
        shift[full] = 0.0
        columns -= mean[full]
        columns -= rest
        others = np.setdiff1d(np.arange(mean.size), full)
        order = np.argsort(np.concatenate([others, full]))
        stored = sparse.hstack([stored[:, others], sparse.csc_array(columns)], format="csc")[:, order]
    return stored, mean, shift
