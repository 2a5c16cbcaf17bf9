"""Dask's collections: known without Dask, and their moments with it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from skreg.moments.moments import Moments

__all__ = ["dask_moments", "is_dask_collection"]


def is_dask_collection(*parts: Any) -> bool:
    """Whether one of these is an array or a frame of Dask; Dask is not imported to find out."""
    if "dask" not in sys.modules:
        return False
    return any(hasattr(type(part), "__dask_graph__") for part in parts)


@overload
def dask_moments(
    X: Any, y: Any, sample_weight: Any = ..., *, centred: bool = ..., n_folds: None = ...
) -> Moments: ...
@overload
def dask_moments(
    X: Any, y: Any, sample_weight: Any = ..., *, centred: bool = ..., n_folds: int
) -> list[Moments]: ...
def dask_moments(
    X: Any, y: Any, sample_weight: Any = None, *, centred: bool = True, n_folds: int | None = None
) -> Moments | list[Moments]:
    """Take the moments of Dask arrays or DataFrames where they are: one pass, on the caller's cluster.

    Every chunk of rows becomes its moments on the worker that has it, and these add up in a tree; matrices of
    p × p numbers are all that travels. The tree depends on the chunks alone, so that the sums are the same to
    the last bit whatever the workers do, and whichever of them are lost on the way.

    Parameters
    ----------
    X : dask Array or DataFrame of shape (n_samples, n_features)
        Numbers in chunks of rows, of known sizes or not. An array that is cut by columns too is rechunked.
        The blocks of an array may be sparse matrices of SciPy.
    y : dask Array, Series or DataFrame of shape (n_samples,) or (n_samples, n_targets)
        Target. Chunks of known sizes are aligned to those of X; of unknown ones there must be as many. With
        an X of known sizes a NumPy array will do.
    sample_weight : float, or like y, of shape (n_samples,), optional
        Weights sᵢ ≥ 0.
    centred : bool, default=True
        Whether to take products about the means, for a model with an intercept.
    n_folds : int, optional
        Return the moments of each of so many folds instead, in the same pass.

    Returns
    -------
    Moments or list of Moments
        Of all rows, or of those that each fold holds out.

    Raises
    ------
    ImportError
        If Dask is not installed: ``pip install skreg[dask]``.
    TypeError, ValueError
        If X and y do not go together or have columns that do not hold numbers; this costs no pass.
    ChunkError
        If a chunk of rows has NaN or infinity or is not what its collection says, with the chunk's number.

    Notes
    -----
    If the sizes of X's chunks are known, the folds are those of scikit-learn's ``KFold(n_folds)``:
    consecutive rows. If they are not, as in a DataFrame, a second pass would have to count them; each chunk
    is then cut into `n_folds` runs of consecutive rows, one for each fold, and which fold gets the first goes
    around from chunk to chunk. For KFold's own, ``X.to_dask_array(lengths=True)`` of a DataFrame and
    ``X.compute_chunk_sizes()`` of an array count them.

    Examples
    --------
    >>> import dask.array as da
    >>> from skreg import Lasso
    >>> from skreg.moments import dask_moments
    >>> X = da.random.default_rng(0).standard_normal((1000, 3), chunks=(100, 3))
    >>> y = X @ [1.0, 2.0, 0.0]
    >>> dask_moments(X, y)
    Moments(1000 rows, 3 features, 1 target, centred)
    >>> Lasso(alpha=0.1).fit(X, y).coef_.round(1)  # does the same
    array([0.9, 1.9, 0. ])
    """
    from skreg.moments.dask import gathered

    return gathered(X, y, sample_weight, centred=centred, n_folds=n_folds)
