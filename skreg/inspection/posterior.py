"""A forest of posterior intervals, each with the penalised solution, of several estimators side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skreg.bayes.coefficients import coefficients_of
from skreg.bayes.container import posterior
from skreg.inspection._features import largest, shortened
from skreg.inspection._style import (
    LIGHT,
    check_matplotlib,
    data_frame,
    label_ends,
    legend_above,
    panels,
    series,
)
from skreg.linear_model._base import check_coverage, check_number
from skreg.linear_model.energy import energy_of

__all__ = ["PosteriorDisplay"]

FloatArray = NDArray[np.float64]


class PosteriorDisplay:
    """Posterior mean, median and interval of each coefficient, with the mode: the penalised solution.

    Make it with `from_estimator` or `from_result`; every parameter is kept as an attribute.

    Parameters
    ----------
    mean, median, lower, upper : array-like of shape (n_models, n_features)
        Of the draws; `lower` and `upper` are the ends of equal-tailed intervals.
    mode : array-like of shape (n_models, n_features)
        The estimators' own coefficients; NaN where they are not the mode of what was drawn from.
    model_names : sequence of str
        One a model.
    feature_names : sequence of str
        One a feature.
    coverage : float, default=0.9
        Of the intervals.

    Attributes
    ----------
    ax_ : matplotlib Axes
        With the forest.
    figure_ : matplotlib Figure
        The figure it is in.
    shown_ : ndarray of shape (n_shown,)
        Which features are drawn, from the top.
    intervals_ : list of matplotlib LineCollection
        One a model.
    medians_, means_, modes_ : list of matplotlib Line2D
        The markers, one a model.

    See Also
    --------
    skreg.posterior : The draws.
    skreg.compare : Mean, median and mode in a table, and PSIS-LOO.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import Lasso, PosteriorDisplay, posterior
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> display = PosteriorDisplay.from_result(posterior(Lasso(alpha=0.5), X, y, random_state=0))
    >>> row = display.frame().loc[("Lasso(alpha=0.5)", "age")]
    >>> float(row["mode"]), bool(row["lower"] < row["median"] < row["upper"])
    (0.0, True)
    """

    def __init__(
        self,
        *,
        mean: ArrayLike,
        median: ArrayLike,
        mode: ArrayLike,
        lower: ArrayLike,
        upper: ArrayLike,
        model_names: Sequence[str],
        feature_names: Sequence[str],
        coverage: float = 0.9,
    ) -> None:
        self.mean = mean
        self.median = median
        self.mode = mode
        self.lower = lower
        self.upper = upper
        self.model_names = model_names
        self.feature_names = feature_names
        self.coverage = coverage

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        coverage: float = 0.9,
        ax: Any = None,
        max_features: int | None = 30,
        sort: bool = False,
        **posterior_params: Any,
    ) -> PosteriorDisplay:
        """Draw from the posterior of an estimator, or of several, and show it.

        Parameters
        ----------
        estimator : estimator or mapping of str to estimator
            What `posterior` takes; several with their names.
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            The data as given to `fit`.
        y : array-like of shape (n_samples,)
            Target.
        coverage : float, default=0.9
            Probability of each equal-tailed interval, strictly between 0 and 1.
        ax, max_features, sort
            As in `plot`.
        **posterior_params : dict
            Further parameters of `posterior`, such as ``random_state``, ``noise`` or ``sample_weight``.

        Returns
        -------
        PosteriorDisplay
            Drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError, ValueError
            As `posterior`, or if the estimators do not have the same features.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        check_coverage(coverage)
        models = estimator
        if not isinstance(models, Mapping):
            models = {energy_of(estimator, X, y, posterior_params.get("sample_weight")).label: estimator}
        drawn = {name: posterior(model, X, y, **posterior_params) for name, model in models.items()}
        return cls.from_result(drawn, coverage=coverage, ax=ax, max_features=max_features, sort=sort)

    @classmethod
    def from_result(
        cls, result: Any, *, coverage: float = 0.9, ax: Any = None, **plot_params: Any
    ) -> PosteriorDisplay:
        """Show what `posterior` returned, or several of them with their names.

        Parameters
        ----------
        result : ArviZ container or mapping of str to ArviZ container
            With a variable ``coef``, whose last dimension is the features: what `posterior` returned, the
            `posteriors` of what `compare` returned, the `posterior_` of a BayesianRegressor, or draws of a
            model of `to_pymc`. Without a
            ``coef_estimate`` among the constant data no mode is shown.
        coverage : float, default=0.9
            Probability of each equal-tailed interval, strictly between 0 and 1.
        ax : matplotlib Axes or None
            As in `plot`.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        PosteriorDisplay
            Drawn.

        Raises
        ------
        ValueError
            If a container has no ``coef``, or they are of different features.
        """
        check_coverage(coverage)
        # DataTree is a mapping too, of its groups.
        several = isinstance(result, Mapping) and not hasattr(result, "groups")
        containers = result if several else {None: result}
        if not containers:
            raise ValueError("result must have at least one posterior, got an empty mapping.")
        read = [_read(name, container, coverage) for name, container in containers.items()]
        first = read[0]
        for one in read:
            if one["feature_names"] != first["feature_names"]:
                raise ValueError(
                    f"The posteriors must be of the same features: those of {one['model_names']!r} are not "
                    f"those of {first['model_names']!r}."
                )
        table = {name: np.stack([one[name] for one in read]) for name in _STATISTICS}
        display = cls(
            **table,
            model_names=tuple(one["model_names"] for one in read),
            feature_names=first["feature_names"],
            coverage=float(coverage),
        )
        return display.plot(ax=ax, **plot_params)

    def plot(self, ax: Any = None, *, max_features: int | None = 30, sort: bool = False) -> PosteriorDisplay:
        """Draw the forest: intervals as lines, medians as dots, means as ticks, and modes as rings.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where; None makes a figure, as high as it takes.
        max_features : int or None, default=30
            How many features are drawn at most: those whose median or mode is farthest from zero in any of
            the models. None draws all of them.
        sort : bool, default=False
            Whether to sort the features by the first model's median instead of keeping the columns' order.
            Those chosen among more than `max_features` are always sorted.

        Returns
        -------
        self : PosteriorDisplay
            With `ax_`, `figure_`, `shown_` and the artists.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `max_features` is not ≥ 1.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        if max_features is not None:
            check_number("max_features", max_features, low=1)
        mean, median, mode, lower, upper = (self._table(name) for name in _STATISTICS)
        n_models, p = median.shape
        self.shown_ = shown = self._choose(max_features, sort)
        dense = shown.size > 60
        step = 0.8 / n_models
        height = 1.1 + shown.size * (0.025 if dense else max(0.24, 0.13 * n_models))
        self.figure_, (self.ax_,) = panels(ax, 1, figsize=(6.0, min(max(height, 2.6), 12.0)))
        ax = self.ax_
        self.intervals_, self.medians_, self.means_, self.modes_ = [], [], [], []
        rows = np.arange(shown.size)
        ax.axvline(0.0, color=LIGHT, linewidth=0.8, zorder=0)
        size = 1.6 if dense else 5.0 if n_models <= 3 else 3.5
        ring: dict[str, Any] = {"linestyle": "none", "color": "black", "zorder": 3}
        if dense:
            ring |= {"marker": ".", "markeredgewidth": 0.0}
        else:
            ring |= {"marker": "o", "markerfacecolor": "none", "markeredgewidth": 0.8}
        for model in range(n_models):
            look = series(model)
            color = look["color"]
            at = rows + (model - 0.5 * (n_models - 1)) * step
            self.intervals_.append(
                ax.hlines(
                    at, lower[model, shown], upper[model, shown], color=color, linewidth=0.5 if dense else 1.4
                )
            )
            dots = {"linestyle": "none", "color": color}
            self.medians_ += ax.plot(median[model, shown], at, marker=look["marker"], markersize=size, **dots)
            self.means_ += ax.plot(mean[model, shown], at, marker="|", markersize=1.8 * size, **dots)
            self.modes_ += ax.plot(mode[model, shown], at, markersize=1.9 * size, **ring)
        ax.set_ylim(shown.size - 0.4, -0.6)
        if dense:
            ax.set_yticks([])
            ax.set_ylabel(f"{shown.size} features")
            named = largest(np.abs(median[:, shown]).max(axis=0), 10)
            names = [str(self.feature_names[j]) for j in shown[named]]
            label_ends(ax, upper[:, shown[named]].max(axis=0), named, names, ["0.3"] * named.size)
        else:
            ax.set_yticks(rows, [shortened(str(self.feature_names[j])) for j in shown], fontsize="small")
            ax.tick_params(axis="y", length=0)
            if shown.size < p:
                ax.set_ylabel(f"{shown.size} of {p} features: the largest")
        ax.set_xlabel(f"coefficient: median, mean, {100 * self.coverage:.3g} % interval")
        ax.spines[["top", "right", "left"]].set_visible(False)
        self._legend(ax, bool(np.isfinite(mode).any()))
        return self

    def frame(self) -> Any:
        """Tabulate what is drawn, and what `max_features` left out.

        Returns
        -------
        pandas.DataFrame
            A row for each model and feature, the index; columns ``mean``, ``median``, ``mode``, ``lower`` and
            ``upper``.
        """
        import pandas as pd

        index = pd.MultiIndex.from_product(
            [list(self.model_names), list(self.feature_names)], names=["model", "feature"]
        )
        columns = {name: self._table(name).ravel() for name in _STATISTICS}
        return data_frame(columns, index=index, caller=f"{type(self).__name__}.frame")

    def _table(self, name: str) -> FloatArray:
        return np.atleast_2d(np.asarray(getattr(self, name), dtype=np.float64))

    def _choose(self, max_features: int | None, sort: bool) -> NDArray[np.intp]:
        """Choose which features to draw, from the top."""
        median = self._table("median")
        p = median.shape[1]
        if max_features is None or p <= max_features:
            shown = np.arange(p)
        else:
            size = np.maximum(np.abs(median), np.abs(np.nan_to_num(self._table("mode")))).max(axis=0)
            shown, sort = np.argsort(-size, kind="stable")[: int(max_features)], True
        return shown[np.argsort(-median[0, shown], kind="stable")] if sort else shown

    def _legend(self, ax: Any, with_mode: bool) -> None:
        handles = list(self.medians_)
        labels = [shortened(str(name), 40) for name in self.model_names]
        if with_mode:
            handles.append(self.modes_[0])
            labels.append("mode: the penalised solution")
        one_row = len(labels) <= 4 and sum(map(len, labels)) <= 60
        legend_above(
            ax, handles=handles, labels=labels, ncols=len(labels) if one_row else 2, columnspacing=1.2
        )


_STATISTICS = ("mean", "median", "mode", "lower", "upper")


def _read(name: str | None, container: Any, coverage: float) -> dict[str, Any]:
    """Summarise the coefficients of a container."""
    what = "result" if name is None else name
    if not hasattr(container, "groups"):
        raise TypeError(
            f"{what!r} must be an ArviZ container, such as `posterior` returns; got {container!r}."
        )
    found = coefficients_of(what, container)
    ends = [0.5 - 0.5 * coverage, 0.5, 0.5 + 0.5 * coverage]
    lower, median, upper = np.quantile(found.draws, ends, axis=0)
    return {
        "mean": found.draws.mean(axis=0),
        "median": median,
        "mode": found.mode,
        "lower": lower,
        "upper": upper,
        "feature_names": tuple(map(str, found.names)),
        "model_names": str(found.estimator or "posterior") if name is None else str(name),
    }
