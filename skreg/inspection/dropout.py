"""The thinned networks of dropout, and how little they agree where there are no data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_array, check_is_fitted

from skreg.inspection._features import largest, names_of, shortened, two_of
from skreg.inspection._networks import draw_networks
from skreg.inspection._style import (
    check_kinds,
    check_matplotlib,
    data_frame,
    panels,
    series,
    tidy,
)
from skreg.linear_model._base import check_number
from skreg.neural_network import (
    BaggedDropoutMLPClassifier,
    BaggedDropoutMLPRegressor,
    PredictiveUncertainty,
)

__all__ = ["DropoutDisplay"]

FloatArray = NDArray[np.float64]

_NAMES = {
    "standard_deviation": "standard deviation of the networks",
    "predictive_entropy": "predictive entropy (nats)",
    "mutual_information": "mutual information (nats)",
}


class DropoutDisplay:
    """A network and some of its thinned networks, and the uncertainty of all of them over two inputs.

    Make it with `from_estimator`; every parameter is kept as an attribute.

    Parameters
    ----------
    weights : sequence of array-like of shape (n_in, n_out)
        Weights of each layer of one member.
    kept : sequence of array-like of shape (n_networks, units), bool
        Which units each thinned network keeps, for the inputs and each hidden layer.
    grid_x, grid_y : array-like of shape (n_x,) and (n_y,), optional
        Values of the two inputs.
    mean : array-like of shape (n_y, n_x) or (n_y, n_x, n_classes), optional
        The networks' mean prediction or probabilities there.
    uncertainty : array-like of shape (n_y, n_x), optional
        How much they differ there.
    uncertainty_name : str, default="uncertainty"
        What `uncertainty` is.
    points : array-like of shape (n_points, 2), optional
        Data to be drawn over it.
    point_classes : array-like of shape (n_points,), optional
        Their classes, as numbers from 0.
    feature_names : sequence of two str, default=("x0", "x1")
        Names of the two inputs.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first panel.
    axes_ : list of matplotlib Axes
        One a panel.
    figure_ : matplotlib Figure
        The figure they are in.
    units_ : list of matplotlib PathCollection
        The units drawn, those kept and those dropped of one network after another.
    surface_ : matplotlib QuadContourSet or None
        The uncertainty.
    boundaries_ : list of matplotlib QuadContourSet
        Where the mean prediction changes class, or its levels.
    colorbar_ : matplotlib Colorbar or None
        Of the uncertainty.

    See Also
    --------
    skreg.BaggedDropoutMLPClassifier, skreg.BaggedDropoutMLPRegressor : The networks.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from skreg import BaggedDropoutMLPClassifier, DropoutDisplay
    >>> X, y = make_moons(100, noise=0.2, random_state=0)
    >>> model = BaggedDropoutMLPClassifier(hidden_layer_sizes=(16,), max_iter=20, random_state=0).fit(X, y)
    >>> display = DropoutDisplay.from_estimator(model, X, y, grid_resolution=20, n_masks=5)
    >>> [layer.shape for layer in display.kept]
    [(3, 2), (3, 16)]
    """

    def __init__(
        self,
        *,
        weights: Sequence[ArrayLike],
        kept: Sequence[ArrayLike],
        grid_x: ArrayLike | None = None,
        grid_y: ArrayLike | None = None,
        mean: ArrayLike | None = None,
        uncertainty: ArrayLike | None = None,
        uncertainty_name: str = "uncertainty",
        points: ArrayLike | None = None,
        point_classes: ArrayLike | None = None,
        feature_names: Sequence[str] = ("x0", "x1"),
    ) -> None:
        self.weights = weights
        self.kept = kept
        self.grid_x = grid_x
        self.grid_y = grid_y
        self.mean = mean
        self.uncertainty = uncertainty
        self.uncertainty_name = uncertainty_name
        self.points = points
        self.point_classes = point_classes
        self.feature_names = feature_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        features: Sequence[int | str] | None = None,
        uncertainty: str | None = None,
        n_networks: int = 3,
        member: int = 0,
        n_masks: int = 50,
        grid_resolution: int = 80,
        ax: Any = None,
        **plot_params: Any,
    ) -> DropoutDisplay:
        """Draw the first thinned networks of a member, and what all of them agree on over two inputs.

        Parameters
        ----------
        estimator : BaggedDropoutMLPClassifier, BaggedDropoutMLPRegressor, or a Pipeline ending in one
            Fitted; with classes, or one target.
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Data, as given to `fit`: the grid spans the two features, and the others are held at their
            medians.
        y : array-like of shape (n_samples,), optional
            Classes of the rows, to tell them apart.
        features : sequence of two int or str, optional
            Positions or names of the two; by default those whose weights into the first layer are largest,
            times their standard deviations (the first two, behind a Pipeline's other steps).
        uncertainty : {"standard_deviation", "predictive_entropy", "mutual_information"}, optional
            What is drawn: by default the standard deviation of a regression, and of classes the mutual
            information, the part of the entropy that comes of disagreement.
        n_networks : int, default=3
            How many thinned networks.
        member : int, default=0
            Of which member.
        n_masks : int, default=50
            Masks of each member that the uncertainty is over.
        grid_resolution : int, default=80
            Points along each of the two inputs.
        ax : matplotlib Axes, sequence of them, or None
            As in `plot`.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        DropoutDisplay
            Drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError, ValueError
            If the estimator is none of those, has several targets, or a parameter is out of range.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        before, final = None, estimator
        if isinstance(estimator, Pipeline):
            before, final = (estimator[:-1] if len(estimator) > 1 else None), estimator[-1]
        if not isinstance(final, BaggedDropoutMLPClassifier | BaggedDropoutMLPRegressor):
            raise TypeError(
                "estimator must be a BaggedDropoutMLPClassifier or BaggedDropoutMLPRegressor, or a Pipeline "
                f"ending in one; got {estimator!r}."
            )
        check_is_fitted(final)
        for name, value in (("n_networks", n_networks), ("n_masks", n_masks)):
            check_number(name, value, low=1)
        check_number("grid_resolution", grid_resolution, low=2)
        if member not in range(final.coefs_[0].shape[0]):
            raise ValueError(
                f"member must be one of the {final.coefs_[0].shape[0]} networks, got {member!r}."
            )
        kept = [layer[:, member] for layer in final.kept_units(int(n_networks))]
        weights = [coef[member] for coef in final.coefs_]
        names = getattr(X, "columns", None)
        data = check_array(X, accept_sparse="csr", dtype=np.float64)
        data = data.toarray() if sparse.issparse(data) else data
        over_inputs: dict[str, Any] = {}
        if data.shape[1] >= 2:
            pair = _pair(features, names, data, weights[0] if before is None else None)
            grid_x, grid_y, rows = _grid(data, pair, int(grid_resolution))
            if names is not None:
                rows = data_frame(rows, caller=cls.__name__).set_axis(names, axis=1)
            rows = rows if before is None else before.transform(rows)
            found = final.predict_uncertainty(rows, n_masks=int(n_masks))
            values, name = _how_uncertain(found, uncertainty)
            shape = (grid_y.size, grid_x.size)
            over_inputs = {
                "grid_x": grid_x,
                "grid_y": grid_y,
                "mean": found.mean.reshape(*shape, *found.mean.shape[1:]),
                "uncertainty": values.reshape(shape),
                "uncertainty_name": name,
                "points": data[:, pair],
                "feature_names": tuple(names_of(names, data.shape[1])[j] for j in pair),
            }
            if y is not None and found.predictive_entropy is not None:
                over_inputs["point_classes"] = np.unique(np.asarray(y), return_inverse=True)[1]
        return cls(weights=weights, kept=kept, **over_inputs).plot(ax=ax, **plot_params)

    def plot(
        self,
        ax: Any = None,
        *,
        kind: str | Sequence[str] | None = None,
        max_units: int = 10,
        cmap: Any = "Blues",
        colorbar: bool = True,
    ) -> DropoutDisplay:
        """Draw the networks, and the uncertainty below them.

        Parameters
        ----------
        ax : matplotlib Axes, sequence of them, or None, default=None
            Where; None makes a figure. One Axes for two panels is divided.
        kind : {"networks", "uncertainty"} or both, default=None
            Which panels; None is both, as far as there is an uncertainty.
        max_units : int, default=10
            How many units of a layer are drawn at most, evenly chosen; how many are kept is counted in all.
        cmap : str or matplotlib Colormap, default="Blues"
            For the uncertainty; one that is monotone in lightness can be printed in grey.
        colorbar : bool, default=True
            Whether to add one.

        Returns
        -------
        self : DropoutDisplay
            With `ax_`, `axes_`, `figure_` and the artists.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `kind` is unknown or there is no uncertainty to draw.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        known = ("networks", "uncertainty") if self.uncertainty is not None else ("networks",)
        kinds = check_kinds(kind, known)
        check_number("max_units", max_units, low=1)
        heights = {"networks": 2.5, "uncertainty": 3.9}
        width = 5.2 if kinds == ("uncertainty",) else 2.1 * (1 + len(np.asarray(self.kept[0])))
        self.figure_, self.axes_ = panels(
            ax,
            len(kinds),
            figsize=(min(width, 10.0), sum(heights[k] for k in kinds)),
            vertical=True,
            ratios=[heights[k] for k in kinds],
        )
        self.ax_ = self.axes_[0]
        self.units_: list[Any] = []
        self.boundaries_: list[Any] = []
        self.surface_: Any = None
        self.colorbar_: Any = None
        for kind_, panel in zip(kinds, self.axes_, strict=True):
            if kind_ == "networks":
                self.units_ = draw_networks(panel, self.kept, self.weights, int(max_units))
            else:
                self._draw_uncertainty(panel, cmap, colorbar)
        return self

    def frame(self, kind: str | None = None) -> Any:
        """Tabulate what is drawn.

        Parameters
        ----------
        kind : {"networks", "uncertainty"}, default=None
            None is the uncertainty, where there is one.

        Returns
        -------
        pandas.DataFrame
            Of the uncertainty a row for each point of the grid, with the two inputs, ``uncertainty`` and
            ``mean`` (for classes ``mean 0`` and so on). Of the networks a row for each unit, indexed by
            ``layer`` and ``unit``, with a column for each network: whether it keeps the unit.
        """
        import pandas as pd

        caller = f"{type(self).__name__}.frame"
        known = ("uncertainty", "networks") if self.uncertainty is not None else ("networks",)
        (chosen,) = check_kinds(kind or known[0], known)
        if chosen == "networks":
            layers = [np.asarray(layer).T for layer in self.kept]
            pairs = [(i, unit) for i, layer in enumerate(layers) for unit in range(len(layer))]
            index = pd.MultiIndex.from_tuples(pairs, names=["layer", "unit"])
            return data_frame(np.concatenate(layers), index=index, caller=caller)
        first, second = np.meshgrid(np.asarray(self.grid_x), np.asarray(self.grid_y))
        columns = dict(zip(map(str, self.feature_names), (first.ravel(), second.ravel()), strict=True))
        columns["uncertainty"] = np.asarray(self.uncertainty).ravel()
        mean = np.asarray(self.mean).reshape(first.size, -1)
        for i, values in enumerate(mean.T):
            columns["mean" if mean.shape[1] == 1 else f"mean {i}"] = values
        return data_frame(columns, caller=caller)

    def _draw_uncertainty(self, ax: Any, cmap: Any, colorbar: bool) -> None:
        x, y = np.asarray(self.grid_x), np.asarray(self.grid_y)
        values, mean = np.asarray(self.uncertainty), np.asarray(self.mean)
        top = float(values.max()) or 1.0
        self.surface_ = ax.contourf(x, y, values, levels=np.linspace(0.0, top, 13), cmap=cmap)
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(
                self.surface_, ax=ax, label=self.uncertainty_name, pad=0.02
            )
            ticks = np.linspace(0.0, top, 4)
            self.colorbar_.set_ticks(ticks, labels=[f"{tick:.3g}" for tick in ticks])
        line = {"colors": ["black"], "linewidths": 1.0}
        if mean.ndim == 2:
            drawn = ax.contour(x, y, mean, levels=6, **{**line, "linewidths": 0.7})
            ax.clabel(drawn, fontsize=7)
            self.boundaries_.append(drawn)
        else:
            for k in range(1 if mean.shape[2] == 2 else mean.shape[2]):
                others = np.delete(mean, k, axis=2).max(axis=2)
                margin = mean[..., k] - others
                if margin.min() < 0.0 < margin.max():
                    self.boundaries_.append(ax.contour(x, y, margin, levels=[0.0], **line))
        if self.points is not None:
            points = np.asarray(self.points)
            classes = self.point_classes
            groups = np.zeros(len(points), dtype=int) if classes is None else np.asarray(classes, dtype=int)
            size = 14 if len(points) <= 300 else 10
            for k in np.unique(groups):
                look = series(int(k) + 1)
                spot = {
                    "color": look["color"],
                    "marker": look["marker"],
                    "edgecolors": "white",
                    "linewidths": 0.25,
                }
                if classes is None:
                    spot = {"color": "0.25", "marker": "o", "alpha": 0.6, "linewidths": 0.0}
                chosen = points[groups == k]
                ax.scatter(*chosen.T, s=size, zorder=3, **spot)
        ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
        ax.set(xlabel=shortened(str(self.feature_names[0])), ylabel=shortened(str(self.feature_names[1])))
        tidy(ax)


def _grid(data: FloatArray, pair: list[int], n: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Lay out rows over two columns, the others at their medians, to a quarter beyond the data."""
    low, high = data[:, pair].min(axis=0), data[:, pair].max(axis=0)
    pad = 0.25 * np.where(high > low, high - low, 1.0)
    grid_x, grid_y = (np.linspace(a, b, n) for a, b in zip(low - pad, high + pad, strict=True))
    rows = np.tile(np.median(data, axis=0), (n * n, 1))
    rows[:, pair] = np.stack(np.meshgrid(grid_x, grid_y), axis=-1).reshape(-1, 2)
    return grid_x, grid_y, rows


def _how_uncertain(found: PredictiveUncertainty, wanted: str | None) -> tuple[FloatArray, str]:
    """Pick what is to be drawn, with its name."""
    classes = found.predictive_entropy is not None
    known = ("mutual_information", "predictive_entropy") if classes else ("standard_deviation",)
    name = known[0] if wanted is None else wanted
    if name not in known:
        raise ValueError(f"uncertainty must be one of {', '.join(map(repr, known))}, got {wanted!r}.")
    values = np.sqrt(found.variance) if name == "standard_deviation" else np.asarray(getattr(found, name))
    if values.ndim > 1:
        raise ValueError(f"The estimator has {values.shape[1]} targets, and the picture is of one.")
    return values, _NAMES[name]


def _pair(features: Any, names: Any, data: FloatArray, first_weights: Any) -> list[int]:
    """Find the positions of the two inputs."""
    p = data.shape[1]
    if features is None:
        if p == 2 or first_weights is None:
            return [0, 1]
        sizes = np.linalg.norm(first_weights, axis=1) * data.std(axis=0)
        return sorted(int(j) for j in largest(sizes + np.finfo(float).tiny, 2))
    return two_of(features, names_of(names, p))
