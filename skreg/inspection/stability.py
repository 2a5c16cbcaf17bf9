"""How often each feature is selected on halves of the rows, along the path and at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from skreg.feature_selection.stability import StabilitySelector
from skreg.inspection._features import names_of, shortened
from skreg.inspection._style import (
    BLUE,
    GREY,
    VERMILLION,
    check_kinds,
    check_matplotlib,
    data_frame,
    label_ends,
    log_ticks,
    panels,
    series,
    tidy,
)
from skreg.linear_model._base import check_number

__all__ = ["StabilityDisplay"]

FloatArray = NDArray[np.float64]


class StabilityDisplay:
    """Stability paths and selection probabilities, with the threshold.

    Make it with `from_estimator`; every parameter is kept as an attribute.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,)
        Decreasing.
    stability_path : array-like of shape (n_features, n_alphas)
        On what part of the halves each feature was selected at an alpha or a larger one.
    threshold : float
        From which part on a feature is kept.
    feature_names : sequence of str, optional
        One a feature; x0, x1, … if not given.
    pfer : float, optional
        The bound of the expected number of false selections, shown in the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first panel.
    axes_ : list of matplotlib Axes
        One a panel.
    figure_ : matplotlib Figure
        The figure they are in.
    lines_ : list of matplotlib Line2D
        The stability path of each feature.
    points_ : matplotlib Line2D or None
        The selection probabilities.
    shown_ : ndarray of shape (n_shown,) or None
        Which features have a point, from the top.
    threshold_ : list of matplotlib Line2D
        The threshold, one a panel.

    See Also
    --------
    skreg.StabilitySelector : The selector.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg import StabilityDisplay, StabilitySelector
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((80, 20))
    >>> selector = StabilitySelector(random_state=0).fit(X, 2.0 * X[:, 3] + rng.standard_normal(80))
    >>> display = StabilityDisplay.from_estimator(selector)
    >>> display.frame()["probability"].idxmax()
    'x3'
    """

    def __init__(
        self,
        *,
        alphas: ArrayLike,
        stability_path: ArrayLike,
        threshold: float,
        feature_names: Sequence[str] | None = None,
        pfer: float | None = None,
    ) -> None:
        self.alphas = alphas
        self.stability_path = stability_path
        self.threshold = threshold
        self.feature_names = feature_names
        self.pfer = pfer

    @classmethod
    def from_estimator(
        cls, estimator: StabilitySelector, *, ax: Any = None, **plot_params: Any
    ) -> StabilityDisplay:
        """Draw what a fitted selector has counted.

        Parameters
        ----------
        estimator : StabilitySelector
            Fitted.
        ax : matplotlib Axes, sequence of them, or None
            As in `plot`.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        StabilityDisplay
            Drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If the estimator is no StabilitySelector.
        sklearn.exceptions.NotFittedError
            If it is not fitted.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        if not isinstance(estimator, StabilitySelector):
            raise TypeError(f"estimator must be a StabilitySelector, got {estimator!r}.")
        check_is_fitted(estimator)
        names = getattr(estimator, "feature_names_in_", None)
        display = cls(
            alphas=estimator.alphas_,
            stability_path=estimator.stability_path_,
            threshold=estimator.threshold_,
            feature_names=None if names is None else tuple(map(str, names)),
            pfer=estimator.pfer_,
        )
        return display.plot(ax=ax, **plot_params)

    def plot(
        self,
        ax: Any = None,
        *,
        kind: str | Sequence[str] | None = None,
        max_features: int = 20,
        n_labels: int = 12,
    ) -> StabilityDisplay:
        """Draw the paths, from strong penalties on the left to weak ones, and the probabilities they end in.

        Parameters
        ----------
        ax : matplotlib Axes, sequence of them, or None, default=None
            Where; None makes a figure. One Axes for two panels is divided.
        kind : {"path", "probability"} or both, default=None
            Which panels; None is both.
        max_features : int, default=20
            How many features have a point: those selected most often.
        n_labels : int, default=12
            How many of the paths that end above the threshold are named.

        Returns
        -------
        self : StabilityDisplay
            With `ax_`, `axes_`, `figure_` and the artists.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `kind` is unknown or `max_features` is not ≥ 1.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        kinds = check_kinds(kind, ("path", "probability"))
        check_number("max_features", max_features, low=1)
        self.figure_, self.axes_ = panels(ax, len(kinds), figsize=(4.8 * len(kinds), 4.0))
        self.ax_ = self.axes_[0]
        self.lines_: list[Any] = []
        self.threshold_: list[Any] = []
        self.points_: Any = None
        self.shown_: Any = None
        for kind_, panel in zip(kinds, self.axes_, strict=True):
            if kind_ == "path":
                self._draw_paths(panel, int(n_labels))
            else:
                self._draw_probabilities(panel, int(max_features))
            tidy(panel)
        kept = int(self._selected.sum())
        bound = "" if self.pfer is None else f"; at most {self.pfer:.2g} expected to be false"
        self.ax_.set_title(f"{kept} of {len(self._path)} features kept{bound}", loc="left", fontsize="medium")
        return self

    def frame(self) -> Any:
        """Tabulate the selection probabilities.

        Returns
        -------
        pandas.DataFrame
            A row for each feature, the index; columns ``probability`` and ``selected``, and one for each
            alpha with the stability path, whose name is the alpha.
        """
        import pandas as pd

        index = pd.Index(self._names, name="feature")
        path = dict(zip(np.asarray(self.alphas, dtype=np.float64).tolist(), self._path.T, strict=True))
        columns = {"probability": self._path[:, -1], "selected": self._selected, **path}
        return data_frame(columns, index=index, caller=f"{type(self).__name__}.frame")

    @property
    def _path(self) -> FloatArray:
        return np.atleast_2d(np.asarray(self.stability_path, dtype=np.float64))

    @property
    def _selected(self) -> NDArray[np.bool_]:
        return self._path[:, -1] >= self.threshold - 1e-12

    @property
    def _names(self) -> tuple[str, ...]:
        return names_of(self.feature_names, len(self._path))

    def _draw_paths(self, ax: Any, n_labels: int) -> None:
        alphas = np.asarray(self.alphas, dtype=np.float64)
        path, selected = self._path, self._selected
        # In the order of entering: by the alpha at which a path crosses the threshold.
        entered = np.argmax(path >= self.threshold - 1e-12, axis=1)
        kept = np.flatnonzero(selected)[np.argsort(entered[selected], kind="stable")]
        number = {int(j): i for i, j in enumerate(kept)}
        for j, values in enumerate(path):
            if j in number:
                look = series(number[j])
                style = {
                    "color": look["color"],
                    "linestyle": look["linestyle"],
                    "linewidth": 1.5,
                    "zorder": 3,
                }
            else:
                style = {"color": "0.6", "linewidth": 0.5, "alpha": 0.7}
            self.lines_ += ax.plot(alphas, values, **style)
        ax.set_xscale("log")
        # Where the last half has its features the paths change no more.
        moving = np.flatnonzero(np.any(path < path[:, -1:], axis=0))
        end = alphas[min(moving[-1] + 4, alphas.size - 1)] if moving.size else alphas.min()
        pad = (alphas.max() / end) ** 0.02
        ax.set(xlim=(alphas.max() * pad, end / pad), ylim=(-0.02, 1.04))
        log_ticks(ax)
        ax.set(xlabel="alpha", ylabel="share of the halves that select it")
        self.threshold_.append(ax.axhline(self.threshold, color=VERMILLION, linestyle="--", linewidth=1.0))
        named = kept[:n_labels]
        names, colors = [self._names[j] for j in named], [self.lines_[j].get_color() for j in named]
        label_ends(ax, end, path[named, -1], names, colors)

    def _draw_probabilities(self, ax: Any, max_features: int) -> None:
        probability = self._path[:, -1]
        self.shown_ = shown = np.argsort(-probability, kind="stable")[:max_features]
        rows = np.arange(shown.size)
        kept = self._selected[shown]
        colors = [BLUE if k else GREY for k in kept]
        ax.hlines(rows, 0.0, probability[shown], colors=colors, linewidth=1.4, zorder=1)
        look = {
            "linestyle": "none",
            "marker": "o",
            "markersize": 5,
            "color": GREY,
            "markerfacecolor": "white",
        }
        (self.points_,) = ax.plot(probability[shown], rows, **look)
        look |= {"color": BLUE, "markerfacecolor": BLUE}
        ax.plot(probability[shown][kept], rows[kept], **look)
        ax.set_yticks(rows, [shortened(self._names[j], 18) for j in shown], fontsize="small")
        ax.tick_params(axis="y", length=0)
        ax.set(xlim=(0.0, 1.03), ylim=(shown.size - 0.4, -0.6), xlabel="selection probability")
        if shown.size < probability.size:
            ax.set_ylabel(f"{shown.size} of {probability.size} features")
        self.threshold_.append(ax.axvline(self.threshold, color=VERMILLION, linestyle="--", linewidth=1.0))
