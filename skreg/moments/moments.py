"""Moments: all that a Gaussian likelihood, and so every estimator and posterior here, needs of the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy import sparse

from skreg.moments.accumulator import Accumulator
from skreg.moments.chunks import Gathering, column_names
from skreg.moments.progress import reported
from skreg.moments.storage import read, write

__all__ = ["Moments"]

FloatArray = NDArray[np.float64]

_EPSILON = float(np.finfo(np.float64).eps)
_FLOAT64 = np.dtype(np.float64)


@dataclass(frozen=True, eq=False, repr=False)
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
    x_mean_rest, y_mean_rest : ndarray, optional
        What `x_mean` and `y_mean` round away; zeros if not given.
    rounding : float
        About how far an entry of the sums is off, as a part of the sums of squares of its columns.
    feature_names : tuple of str, optional
        Names of the columns of X.
    dtype : numpy.dtype
        float32 if X was, else float64: what `coef_` of a fit is cast to. The sums are float64.

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
    >>> first + rest
    Moments(3 rows, 1 feature, 1 target, centred)
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
    x_mean_rest: FloatArray = None  # type: ignore[assignment]  # filled in below
    y_mean_rest: FloatArray = None  # type: ignore[assignment]
    rounding: float = _EPSILON
    feature_names: tuple[str, ...] | None = None
    dtype: np.dtype = _FLOAT64

    def __post_init__(self) -> None:
        for name in ("x", "y"):
            if getattr(self, f"{name}_mean_rest") is None:
                object.__setattr__(self, f"{name}_mean_rest", np.zeros_like(getattr(self, f"{name}_mean")))

    def __repr__(self) -> str:
        counts = (
            f"{count} {noun}{'' if count == 1 else 's'}"
            for count, noun in (
                (self.n_rows, "row"),
                (self.n_features, "feature"),
                (self.n_targets, "target"),
            )
        )
        return f"Moments({', '.join(counts)}, {'centred' if self.centred else 'about zero'})"

    @classmethod
    def from_data(
        cls,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        centred: bool = True,
        feature_names: Any = None,
    ) -> Moments:
        """Take the moments of rows held in memory, in float64 whatever their dtype.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Data, in any order and any real dtype. That they are finite is not looked at here.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target.
        sample_weight : array-like of shape (n_samples,), optional
            Weights sᵢ ≥ 0; ones if not given. All zero gives the moments of no rows, which add nothing.
        centred : bool, default=True
            Whether to take products about the means.
        feature_names : sequence of str, optional
            Names of the columns of X; by default those of a DataFrame.

        Returns
        -------
        Moments
            Of the rows of positive weight.
        """
        names = column_names(X) if feature_names is None else tuple(map(str, feature_names))
        X = X if sparse.issparse(X) else np.asarray(X)
        y = np.asarray(y, dtype=np.float64)
        y = y[:, None] if y.ndim == 1 else y
        weights = np.ones(X.shape[0]) if sample_weight is None else np.asarray(sample_weight, np.float64)
        sums = Accumulator(X.shape[1], y.shape[1], centred=centred)
        sums.add_rows(X, y, weights)
        dtype = np.dtype(np.float32 if X.dtype == np.float32 else np.float64)
        return cls(**sums.sums(), feature_names=names, dtype=dtype)

    @classmethod
    def from_chunks(
        cls,
        chunks: Iterable[Any],
        *,
        centred: bool = True,
        feature_names: Any = None,
        callbacks: Sequence[Any] = (),
    ) -> Moments:
        """Take the moments of data that come in chunks, one pass, and one chunk in memory at a time.

        Parameters
        ----------
        chunks : iterable of (X, y) or (X, y, sample_weight)
            Of any sizes, and of the same columns and dtype: arrays, sparse matrices or DataFrames. Empty
            ones and those without weight add nothing. `array_chunks`, `frame_chunks` and `parquet_chunks`
            make them.
        centred : bool, default=True
            Whether to take products about the means, for a model with an intercept.
        feature_names : sequence of str, optional
            Names of the columns of X; by default those of DataFrames, and of `chunks` if it has some.
        callbacks : sequence of callbacks, default=()
            Told of each chunk: ``[sklearn.callback.ProgressBar()]``, or others of scikit-learn's protocol.

        Returns
        -------
        Moments
            Of all rows, the same to rounding whatever the chunks and their order.

        Raises
        ------
        ChunkError
            If a chunk cannot be read, has NaN or infinity, or is not like the first. It has the chunk's
            number, as `chunk`, and the moments of those before it, as `moments`.
        ValueError
            If there is not a single row.

        Examples
        --------
        >>> import numpy as np
        >>> from skreg import Moments, Ridge
        >>> rng = np.random.default_rng(0)
        >>> def chunks():
        ...     for _ in range(100):  # stands for what does not fit in memory
        ...         X = rng.standard_normal((1000, 3))
        ...         yield X, X @ [1.0, 2.0, 3.0] + rng.standard_normal(1000)
        >>> moments = Moments.from_chunks(chunks())
        >>> moments
        Moments(100000 rows, 3 features, 1 target, centred)
        >>> Ridge(alpha=1.0).fit_moments(moments).coef_.round(1)
        array([1., 2., 3.])
        """
        names = getattr(chunks, "feature_names", None) if feature_names is None else feature_names
        gathering = Gathering(cls, centred=centred, feature_names=names)
        return reported(lambda report: gathering.take(chunks, report), chunks, callbacks)

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return self.x_mean.size

    @property
    def n_targets(self) -> int:
        """Number of columns of y."""
        return self.y_mean.size

    def astype(self, dtype: DTypeLike) -> Moments:
        """Return the same moments, for coefficients of another dtype.

        Parameters
        ----------
        dtype : dtype
            float32 or float64.

        Returns
        -------
        Moments
            It shares the arrays, which are float64 as before.
        """
        if np.dtype(dtype) not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(f"dtype must be float32 or float64, got {dtype!r}.")
        return replace(self, dtype=np.dtype(dtype))

    def __add__(self, other: Moments) -> Moments:
        if not isinstance(other, Moments):
            return NotImplemented
        self.check_compatible(other)
        sums = Accumulator.of(self)
        sums.add(other)
        return replace(self, **sums.sums())

    def __sub__(self, other: Moments) -> Moments:
        if not isinstance(other, Moments):
            return NotImplemented
        self.check_compatible(other)
        if other.n_rows >= self.n_rows or other.total_weight >= self.total_weight:
            raise ValueError(
                f"Cannot subtract moments of {other.n_rows} rows of weight {other.total_weight:g} from "
                f"{self.n_rows} rows of weight {self.total_weight:g}: some rows must be left."
            )
        sums = Accumulator.of(self)
        sums.subtract(other)
        return replace(self, **sums.sums())

    def check_compatible(self, other: Moments) -> None:
        """Raise a ValueError unless these moments and others may be of one data set.

        Parameters
        ----------
        other : Moments
            Those of other rows.
        """
        mine = (self.n_features, self.n_targets, self.centred)
        theirs = (other.n_features, other.n_targets, other.centred)
        if mine != theirs:
            raise ValueError(
                "Moments combine only if they have the same features, targets and centring; got "
                f"(n_features, n_targets, centred) = {mine} and {theirs}."
            )
        if self.feature_names != other.feature_names:
            raise ValueError(
                "Moments combine only if they have the same feature names in the same order; got "
                f"{_shown(self.feature_names)} and {_shown(other.feature_names)}."
            )
        if self.dtype != other.dtype:
            raise ValueError(
                f"Moments combine only if their X had the same dtype; got {self.dtype} and {other.dtype}: "
                "moments.astype(numpy.float64) would do."
            )

    def save(self, file: Any) -> None:
        """Write to a file of NumPy's, to be read by `load` on any machine.

        Parameters
        ----------
        file : str, path or binary file object
            As for `numpy.savez`, which appends ``.npz`` to a name without it.
        """
        write(file, {item.name: getattr(self, item.name) for item in fields(self)})

    @classmethod
    def load(cls, file: Any) -> Moments:
        """Read what `save` has written; nothing in the file is executed (no pickle).

        Parameters
        ----------
        file : str, path or binary file object
            Of format ``.npz``.

        Returns
        -------
        Moments
            With the same bits.

        Raises
        ------
        ValueError
            If the file is not one that `save` wrote, saying what is wrong.
        """
        return cls(**read(file))


def _shown(names: tuple[str, ...] | None) -> str:
    if names is None:
        return "no names"
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
