"""What an estimator's expected squared error is made of: noise, squared bias and variance."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.utils import check_random_state, indexable
from sklearn.utils.validation import check_array, column_or_1d

from skreg.linear_model._base import check_flag, check_number
from skreg.linear_model._tasks import check_n_jobs
from skreg.model_selection._runs import run
from skreg.model_selection.decomposition import BiasVariance, BiasVarianceCurve

__all__ = ["bias_variance_curve", "bias_variance_decomposition"]

FloatArray = NDArray[np.float64]


def bias_variance_decomposition(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    true_function: Callable[[Any], Any] | None = None,
    noise_variance: float | None = None,
    X_test: Any = None,
    n_repeats: int = 200,
    random_state: Any = None,
    n_jobs: int | None = None,
    progressbar: bool = False,
) -> BiasVariance:
    """Fit a regressor to many training sets, and take its expected squared error apart.

        E(y − f̂)² = noise + (f − E f̂)² + Var f̂

    With `true_function` and `noise_variance`, X stays as it is and each training set redraws the noise,
    y = f(X) + N(0, noise_variance): the three parts are measured separately. Without, training sets are
    bootstrap samples of the rows, predictions are judged on the rows that each leaves out, and bias² and
    noise are reported as one number, since data alone cannot tell them apart.

    Parameters
    ----------
    estimator : regressor
        Any regressor; it is cloned for each training set, fitted without sample weights, and stays as it is.
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
        Data.
    y : array-like of shape (n_samples,) or None
        Target; not looked at, and possibly None, if `true_function` is given.
    true_function : callable, optional
        From X to f(X) = E(y | X) of shape (n_samples,). Goes with `noise_variance`.
    noise_variance : float, optional
        The variance of y about f, ≥ 0 and in the units of y². Goes with `true_function`.
    X_test : {array-like, sparse matrix, dataframe} of shape (n_points, n_features), optional
        Where to judge the predictions; needs `true_function`. X itself, with targets drawn anew, if not
        given.
    n_repeats : int, default=200
        How many training sets, ≥ 2. Estimates err by about √(2 / n_repeats) of themselves at a single point,
        and by less on average.
    random_state : int, RandomState instance or None, default=None
        Draws the training sets, and sets every `random_state` of the estimator. An integer gives the same
        numbers every time, whatever `n_jobs`.
    n_jobs : int, optional
        How many fits at once, by joblib: None for one, or what `joblib.parallel_config` says, -1 for as many
        as there are cores. Threads unless it says otherwise.
    progressbar : bool, default=False
        Whether to show how many of the training sets are done.

    Returns
    -------
    BiasVariance
        The parts, on average and at each point.

    Raises
    ------
    ValueError, TypeError
        If a parameter or the data are out of range or of the wrong kind, or only one of `true_function` and
        `noise_variance` is given.

    References
    ----------
    Geman, S., Bienenstock, E. and Doursat, R. (1992). Neural networks and the bias/variance dilemma, Neural
    Computation 4(1), 1-58.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg import Ridge, bias_variance_decomposition
    >>> X = np.linspace(-1.0, 1.0, 20)[:, None]
    >>> known = {"true_function": lambda X: 3.0 * X[:, 0], "noise_variance": 1.0, "random_state": 0}
    >>> weak = bias_variance_decomposition(Ridge(alpha=1e-3), X, None, **known)
    >>> strong = bias_variance_decomposition(Ridge(alpha=10.0), X, None, **known)
    >>> weak.bias_squared < 0.01 < 0.5 < strong.bias_squared
    True
    >>> weak.variance > strong.variance
    True
    """
    # An estimator of the user's own may have no tags.
    if hasattr(estimator, "__sklearn_tags__") and is_classifier(estimator):
        raise TypeError(f"estimator must be a regressor, since the error is squared; got {estimator!r}.")
    if (true_function is None) != (noise_variance is None):
        raise ValueError(
            "true_function and noise_variance go together: both, for bias and noise apart, or neither, got "
            f"true_function={true_function!r} and noise_variance={noise_variance!r}."
        )
    check_number("n_repeats", n_repeats, low=2, kind=Integral)
    check_n_jobs(n_jobs)
    check_flag("progressbar", progressbar)
    random = check_random_state(random_state)
    seeds = random.randint(np.iinfo(np.int32).max, size=int(n_repeats)).tolist()
    X = _rows_of(X)
    if true_function is not None:
        if not callable(true_function):
            raise TypeError(f"true_function must be callable, got {true_function!r}.")
        check_number("noise_variance", noise_variance, low=0)
        if X_test is None:
            X_test = X
        f, f_test = (_values_of(true_function, data, name) for data, name in ((X, "X"), (X_test, "X_test")))
        tasks = [
            (_with_new_noise, estimator, X, f, float(noise_variance) ** 0.5, X_test, seed) for seed in seeds
        ]
        predictions, targets = map(
            np.stack, zip(*run(tasks, n_jobs, progressbar, "training sets"), strict=True)
        )
        return _apart(predictions, f_test + targets, f_test, float(noise_variance))
    if X_test is not None:
        raise ValueError(
            "X_test needs true_function: the targets there are not known otherwise. Without it the rows of X "
            "that a bootstrap sample leaves out are what the predictions are judged on."
        )
    if y is None:
        raise ValueError("y must be given where true_function is not, got None.")
    y = np.asarray(column_or_1d(y, warn=True), dtype=np.float64)
    indexable(X, y)
    tasks = [(_with_new_rows, estimator, X, y, seed) for seed in seeds]
    return _together(np.stack(list(run(tasks, n_jobs, progressbar, "training sets"))), y)


def bias_variance_curve(
    estimator: Any,
    X: Any,
    y: Any,
    param_name: str,
    param_range: Iterable[Any],
    *,
    true_function: Callable[[Any], Any] | None = None,
    noise_variance: float | None = None,
    X_test: Any = None,
    n_repeats: int = 200,
    random_state: Any = None,
    n_jobs: int | None = None,
    progressbar: bool = False,
) -> BiasVarianceCurve:
    """Take the expected squared error apart at each value of a parameter, on the same training sets.

    Parameters
    ----------
    estimator : regressor
        Any regressor, or a pipeline ending in one.
    X, y
        As for `bias_variance_decomposition`.
    param_name : str
        A parameter of the estimator, such as ``"alpha"`` or, in a pipeline, ``"ridge__alpha"``.
    param_range : iterable
        Its values, at least one.
    true_function, noise_variance, X_test, n_repeats, random_state, n_jobs, progressbar
        As for `bias_variance_decomposition`.

    Returns
    -------
    BiasVarianceCurve
        A decomposition for each value.

    Raises
    ------
    ValueError, TypeError
        As `bias_variance_decomposition`, or if the estimator has no such parameter.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg import Ridge, bias_variance_curve
    >>> X = np.linspace(-1.0, 1.0, 20)[:, None]
    >>> curve = bias_variance_curve(
    ...     Ridge(), X, None, "alpha", [0.01, 1.0, 100.0],
    ...     true_function=lambda X: 3.0 * X[:, 0], noise_variance=1.0, random_state=0,
    ... )
    >>> bool(np.all(np.diff(curve.bias_squared) > 0)), bool(np.all(np.diff(curve.variance) < 0))
    (True, True)
    """
    values = tuple(param_range)
    if not values:
        raise ValueError("param_range must have at least one value, got none.")
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    decompositions = tuple(
        bias_variance_decomposition(
            clone(estimator).set_params(**{param_name: value}),
            X,
            y,
            true_function=true_function,
            noise_variance=noise_variance,
            X_test=X_test,
            n_repeats=n_repeats,
            random_state=seed,  # the same training sets: differences between values are not chance
            n_jobs=n_jobs,
            progressbar=progressbar,
        )
        for value in values
    )
    return BiasVarianceCurve(param_name, values, decompositions)


def _rows_of(X: Any) -> Any:
    """Keep what has rows to take, and make an array of what does not."""
    return X if hasattr(X, "shape") else check_array(X, dtype=None, ensure_all_finite=False)


def _values_of(function: Callable[[Any], Any], X: Any, name: str) -> FloatArray:
    values = np.asarray(function(X), dtype=np.float64)
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    if values.shape != (n,) or not np.all(np.isfinite(values)):
        raise ValueError(
            f"true_function must return {n} finite numbers for the {n} rows of {name}, got "
            f"{'some that are not finite' if values.shape == (n,) else f'shape {values.shape}'}."
        )
    return values


def _fitted(estimator: Any, X: Any, y: FloatArray, random: np.random.RandomState) -> Any:
    """Fit a clone whose every source of randomness is set."""
    model = clone(estimator)
    names = sorted(name for name in model.get_params() if name.rpartition("__")[2] == "random_state")
    if names:
        model.set_params(**{name: int(random.randint(np.iinfo(np.int32).max)) for name in names})
    return model.fit(X, y)


def _with_new_noise(estimator, X, f, sd, X_test, seed) -> tuple[FloatArray, FloatArray]:
    """Fit f(X) with noise drawn anew; return predictions, and the noise of new targets at the points."""
    random = np.random.RandomState(seed)
    model = _fitted(estimator, X, f + sd * random.standard_normal(f.size), random)
    predictions = _predicted(model, X_test)
    return predictions, sd * random.standard_normal(predictions.size)


def _with_new_rows(estimator, X, y, seed) -> FloatArray:
    """Fit a bootstrap sample; return predictions of the rows that it leaves out, and NaN for the others."""
    random = np.random.RandomState(seed)
    rows = random.randint(y.size, size=y.size)
    model = _fitted(estimator, _take(X, rows), y[rows], random)
    left = np.setdiff1d(np.arange(y.size), rows)
    predictions = np.full(y.size, np.nan)
    if left.size:
        predictions[left] = _predicted(model, _take(X, left))
    return predictions


def _predicted(model: Any, X: Any) -> FloatArray:
    """Predict, one finite number for each row."""
    predictions = np.asarray(model.predict(X), dtype=np.float64)
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    if predictions.shape not in ((n,), (n, 1)) or not np.all(np.isfinite(predictions)):
        finite = predictions.shape in ((n,), (n, 1))
        raise ValueError(
            f"estimator must predict {n} finite numbers for {n} rows, got "
            f"{'some that are not finite' if finite else f'shape {predictions.shape}'} from {model!r}."
        )
    return predictions.reshape(-1)


def _take(X: Any, rows: NDArray[np.intp]) -> Any:
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    return X.tocsr()[rows] if hasattr(X, "tocsr") else X[rows]


def _apart(predictions: FloatArray, targets: FloatArray, f: FloatArray, noise: float) -> BiasVariance:
    """Measure the three parts, and the total on targets of their own."""
    n_repeats = len(predictions)
    mean, variance = predictions.mean(axis=0), predictions.var(axis=0, ddof=1)
    # (f − mean)² is too large by the variance of the mean.
    bias_squared = (f - mean) ** 2 - variance / n_repeats
    errors = (targets - predictions) ** 2
    at_points = {
        "bias_squared": bias_squared,
        "variance": variance,
        "noise": np.full(f.size, noise),
        "bias_squared_plus_noise": bias_squared + noise,
        "total": errors.mean(axis=0),
        "mean_prediction": mean,
    }
    return BiasVariance(
        bias_squared=float(bias_squared.mean()),
        variance=float(variance.mean()),
        noise=noise,
        total=float(errors.mean()),
        total_standard_error=float(errors.mean(axis=1).std(ddof=1) / np.sqrt(n_repeats)),
        bias_squared_plus_noise=float(bias_squared.mean()) + noise,
        at_points=at_points,
        n_repeats=n_repeats,
    )


def _together(predictions: FloatArray, y: FloatArray) -> BiasVariance:
    """Measure variance, and bias² and noise as one, at rows that two training sets or more left out."""
    n_repeats, left = len(predictions), ~np.isnan(predictions)
    times = left.sum(axis=0)
    known = times >= 2
    if not known.any():
        raise ValueError(
            f"No row was left out by two of n_repeats={n_repeats} bootstrap samples; increase n_repeats."
        )
    safe = np.where(known, times, np.nan)
    mean = np.where(left, predictions, 0.0).sum(axis=0) / safe
    variance = np.where(left, (predictions - mean) ** 2, 0.0).sum(axis=0) / (safe - 1.0)
    rest = (y - mean) ** 2 - variance / safe
    errors = np.where(left & known, (y - predictions) ** 2, 0.0)
    total = errors.sum(axis=0) / safe
    by_set = (errors / safe)[:, known].sum(axis=1) * n_repeats / known.sum()
    return BiasVariance(
        bias_squared=None,
        variance=float(np.nanmean(variance)),
        noise=None,
        total=float(np.nanmean(total)),
        total_standard_error=float(by_set.std(ddof=1) / np.sqrt(n_repeats)),
        bias_squared_plus_noise=float(np.nanmean(rest)),
        at_points={
            "variance": variance,
            "bias_squared_plus_noise": rest,
            "total": total,
            "mean_prediction": mean,
        },
        n_repeats=n_repeats,
    )
