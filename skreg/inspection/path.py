"""The coefficients along the regularisation path, with the errors of cross-validation above them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skreg.inspection._features import largest, names_of
from skreg.inspection._marks import mark_alphas
from skreg.inspection._path_data import alphas_of, degrees_of_freedom_along, errors_of, path_of
from skreg.inspection._style import (
    BLUE,
    check_kinds,
    check_matplotlib,
    data_frame,
    label_ends,
    log_ticks,
    panels,
    series,
    tidy,
)
from skreg.linear_model.energy import energy_of, final_step, fitted_estimator
from skreg.linear_model.path import RegularizationPath

__all__ = ["RegularizationPathDisplay"]

FloatArray = NDArray[np.float64]

_X = {
    "alpha": "alpha",
    "l1_norm": r"$\|w\|_1$",
    "degrees_of_freedom": "degrees of freedom",
}


class RegularizationPathDisplay:
    """Coefficients along a regularisation path, and the errors that chose a place on it.

    Make it with `from_estimator` or `from_result`; every parameter is kept as an attribute.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,)
        scikit-learn's alphas, all > 0, in either order.
    coefs : array-like of shape (n_features, n_alphas)
        Coefficients, a column for each alpha.
    feature_names : sequence of str, optional
        One a feature; x0, x1, … if not given.
    degrees_of_freedom : array-like of shape (n_alphas,), optional
        Effective parameters at each alpha, the intercept left out.
    errors, standard_errors : array-like of shape (n_alphas,), optional
        Cross-validated error at each alpha and its standard error; NaN where it was not measured.
    error_name : str, default="mean squared error"
        What `errors` are.
    alpha_min, alpha_1se : float, optional
        The alpha of least error, and the largest within one standard error of it.
    alpha : float, optional
        The alpha that the estimator was fitted with.
    estimator_name : str, optional
        Shown as the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        With the coefficients (with the errors, if they are drawn alone).
    axes_ : list of matplotlib Axes
        One a panel.
    figure_ : matplotlib Figure
        The figure they are in.
    lines_ : list of matplotlib Line2D
        A line for each feature, in their order.
    error_line_ : matplotlib Line2D or None
        The errors.
    marks_ : dict of str to list of matplotlib Line2D
        The vertical lines at ``"min"``, ``"1se"`` and ``"alpha"``, one a panel.

    See Also
    --------
    skreg.regularization_path : The path itself.
    StabilityDisplay : How often a feature enters first.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skreg import LassoCV, RegularizationPathDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> display = RegularizationPathDisplay.from_estimator(LassoCV().fit(X, y), X, y)
    >>> display.frame()["coef"].shape
    (100, 10)
    >>> display.alpha_min < display.alpha_1se
    True
    """

    def __init__(
        self,
        *,
        alphas: ArrayLike,
        coefs: ArrayLike,
        feature_names: Sequence[str] | None = None,
        degrees_of_freedom: ArrayLike | None = None,
        errors: ArrayLike | None = None,
        standard_errors: ArrayLike | None = None,
        error_name: str = "mean squared error",
        alpha_min: float | None = None,
        alpha_1se: float | None = None,
        alpha: float | None = None,
        estimator_name: str | None = None,
    ) -> None:
        self.alphas = alphas
        self.coefs = coefs
        self.feature_names = feature_names
        self.degrees_of_freedom = degrees_of_freedom
        self.errors = errors
        self.standard_errors = standard_errors
        self.error_name = error_name
        self.alpha_min = alpha_min
        self.alpha_1se = alpha_1se
        self.alpha = alpha
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        alphas: int | ArrayLike | None = None,
        ax: Any = None,
        **plot_params: Any,
    ) -> RegularizationPathDisplay:
        """Draw the path of an estimator's penalty on its data, with its own alpha on it.

        Parameters
        ----------
        estimator : estimator
            Ridge, Lasso, ElasticNet, RidgeCV, LassoCV or ElasticNetCV of skreg or of scikit-learn, or a
            Pipeline of transformers ending in one; fitted, or a clone of it is. The errors are those of a CV
            form, where it keeps them.
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            The data as given to `fit`.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), optional
            Weights as given to `fit`.
        alphas : int or array-like of shape (n_alphas,), optional
            How many alphas, or the alphas themselves, beside those that the estimator has tried. If not
            given, 100, or none where it has tried ten or more.
        ax : matplotlib Axes, sequence of them, or None
            As in `plot`.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        RegularizationPathDisplay
            Drawn. Coefficients are in the units of the columns that the estimator's last step sees.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError, ValueError
            If `energy_of` cannot take the estimator, or its alpha is 0, which leaves no penalty to follow.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        fitted = fitted_estimator(estimator, X, y, sample_weight)
        energy = energy_of(fitted, X, y, sample_weight)
        if not energy.alpha > 0:
            raise ValueError(
                f"{energy.label} has no penalty to follow: its alpha is 0. Draw a path of "
                f"`regularization_path` with {cls.__name__}.from_result."
            )
        measured = errors_of(final_step(fitted))
        tried = measured.pop("alphas", np.empty(0))
        grid = alphas_of(energy, alphas, tried)
        path = path_of(energy, grid)
        for name in ("errors", "standard_errors"):
            if name in measured:
                at = np.full(grid.size, np.nan)
                at[np.searchsorted(-grid, -tried)] = measured[name]
                measured[name] = at
        display = cls(
            alphas=grid,
            coefs=path.coefs,
            feature_names=energy.feature_names,
            degrees_of_freedom=degrees_of_freedom_along(energy, path),
            alpha=energy.alpha,
            estimator_name=energy.label,
            **measured,
        )
        return display.plot(ax=ax, **plot_params)

    @classmethod
    def from_result(
        cls, path: RegularizationPath, *, ax: Any = None, **plot_params: Any
    ) -> RegularizationPathDisplay:
        """Draw what `regularization_path` returned.

        Parameters
        ----------
        path : RegularizationPath
            The path. Degrees of freedom are known for the Lasso, the number of non-zero coefficients.
        ax : matplotlib Axes, sequence of them, or None
            As in `plot`.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        RegularizationPathDisplay
            Drawn.
        """
        positive = path.alphas > 0
        display = cls(
            alphas=path.alphas[positive],
            coefs=path.coefs[:, positive],
            feature_names=path.feature_names,
            degrees_of_freedom=path.n_nonzero[positive].astype(float) if path.l1_ratio == 1 else None,
            estimator_name="Lasso" if path.l1_ratio == 1 else f"ElasticNet(l1_ratio={path.l1_ratio:g})",
        )
        return display.plot(ax=ax, **plot_params)

    def plot(
        self,
        ax: Any = None,
        *,
        x: str = "alpha",
        kind: str | Sequence[str] | None = None,
        n_labels: int = 10,
        line_kw: dict[str, Any] | None = None,
    ) -> RegularizationPathDisplay:
        """Draw the path: the penalty weakens from left to right.

        Parameters
        ----------
        ax : matplotlib Axes, sequence of them, or None, default=None
            Where; None makes a figure. One Axes for two panels is divided.
        x : {"alpha", "l1_norm", "degrees_of_freedom"}, default="alpha"
            What to draw against: alpha on a log scale, decreasing; ‖w‖₁; or the effective parameters.
        kind : {"coef", "error"} or both, default=None
            Which panels; None is both where there are errors.
        n_labels : int, default=10
            How many of the features are named and coloured, those of the largest coefficients; the others are
            thin and grey.
        line_kw : dict, optional
            Passed to `Axes.plot` for the coefficients' lines.

        Returns
        -------
        self : RegularizationPathDisplay
            With `ax_`, `axes_`, `figure_` and the artists.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If there is nothing of the kind, or x, to draw.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        kinds = check_kinds(kind, ("error", "coef") if self.errors is not None else ("coef",))
        along = self._along(x)
        both = len(kinds) == 2
        self.figure_, self.axes_ = panels(
            ax,
            len(kinds),
            figsize=(6.4, 5.4 if both else 3.8),
            vertical=True,
            ratios=[1.0 if k == "error" else 2.0 for k in kinds],
            sharex=True,
        )
        placed = dict(zip(kinds, self.axes_, strict=True))
        self.ax_ = placed.get("coef", self.axes_[0])
        self.lines_: list[Any] = []
        self.labels_: list[Any] = []
        self.error_line_: Any = None
        for panel in self.axes_:
            if x == "alpha":
                panel.set_xscale("log")
        self._set_limits(along, inverted=x == "alpha")
        if "error" in placed:
            self._draw_errors(placed["error"], along)
        if "coef" in placed:
            self._draw_coefs(placed["coef"], along, n_labels, line_kw or {})
        marks = {"min": self.alpha_min, "1se": self.alpha_1se}
        if all(value is None for value in marks.values()):
            marks = {"alpha": self.alpha}
        at = None if x == "alpha" else along
        self.marks_ = mark_alphas(self.axes_, marks, np.asarray(self.alphas, dtype=np.float64), at)
        self.axes_[-1].set_xlabel(_X[x])
        if self.estimator_name:
            self.axes_[0].set_title(self.estimator_name, loc="left", fontsize="medium")
        return self

    def frame(self) -> Any:
        """Tabulate what is drawn.

        Returns
        -------
        pandas.DataFrame
            A row for each alpha, the index; columns ("coef", feature), and ("path", …) of ``l1_norm``,
            ``degrees_of_freedom``, ``error`` and ``standard_error``, as far as they are known.
        """
        import pandas as pd

        columns: dict[tuple[str, str], Any] = {
            ("coef", name): coef for name, coef in zip(self._names, self._coefs, strict=True)
        }
        columns["path", "l1_norm"] = np.abs(self._coefs).sum(axis=0)
        known = {
            "degrees_of_freedom": self.degrees_of_freedom,
            "error": self.errors,
            "standard_error": self.standard_errors,
        }
        columns.update({("path", k): np.asarray(v) for k, v in known.items() if v is not None})
        index = pd.Index(np.asarray(self.alphas, dtype=np.float64), name="alpha")
        return data_frame(columns, index=index, caller=f"{type(self).__name__}.frame")

    @property
    def _coefs(self) -> FloatArray:
        return np.atleast_2d(np.asarray(self.coefs, dtype=np.float64))

    @property
    def _names(self) -> tuple[str, ...]:
        return names_of(self.feature_names, len(self._coefs))

    def _along(self, x: str) -> FloatArray:
        if x not in _X:
            raise ValueError(f"x must be one of {', '.join(map(repr, _X))}, got {x!r}.")
        if x == "alpha":
            return np.asarray(self.alphas, dtype=np.float64)
        if x == "l1_norm":
            return np.abs(self._coefs).sum(axis=0)
        if self.degrees_of_freedom is None:
            raise ValueError(
                "x='degrees_of_freedom' needs them: an elastic net's hang on the data; draw it with "
                "from_estimator."
            )
        return np.asarray(self.degrees_of_freedom, dtype=np.float64)

    def _set_limits(self, along: FloatArray, *, inverted: bool) -> None:
        low, high = float(along.min()), float(along.max())
        if inverted:
            pad = (high / low) ** 0.02 if high > low else 2.0
            limits = (high * pad, low / pad)
        else:
            pad = 0.02 * (high - low) or 0.5
            limits = (low - pad, high + pad)
        for panel in self.axes_:
            panel.set_xlim(*limits)
            if inverted:
                log_ticks(panel)

    def _draw_errors(self, ax: Any, along: FloatArray) -> None:
        errors = np.asarray(self.errors, dtype=np.float64)
        known = np.isfinite(errors)
        order = np.argsort(-np.asarray(self.alphas, dtype=np.float64)[known], kind="stable")
        x, mean = along[known][order], errors[known][order]
        marker = "o" if known.sum() <= 20 else None
        (self.error_line_,) = ax.plot(x, mean, color=BLUE, marker=marker, markersize=3)
        if self.standard_errors is not None:
            half = np.asarray(self.standard_errors, dtype=np.float64)[known][order]
            ax.fill_between(x, mean - half, mean + half, color=BLUE, alpha=0.2, linewidth=0)
        if mean.min() > 0 and mean.max() > 10.0 * mean.min():  # else the bottom of the curve looks flat
            ax.set_yscale("log")
        ax.set_ylabel(self.error_name)
        tidy(ax)

    def _draw_coefs(self, ax: Any, along: FloatArray, n_labels: int, line_kw: dict[str, Any]) -> None:
        coefs, names = self._coefs, self._names
        order = np.argsort(-np.asarray(self.alphas, dtype=np.float64), kind="stable")
        named = largest(np.abs(coefs).max(axis=1), n_labels)
        if len(coefs) <= n_labels:  # then the colours go by the columns' order
            named = np.sort(named)
        style: dict[int, dict[str, Any]] = {}
        for number, j in enumerate(named):
            look = series(number)
            style[int(j)] = {"color": look["color"], "linestyle": look["linestyle"], "linewidth": 1.5}
        thin = {"color": "0.6", "linewidth": 0.5, "alpha": 0.6, "zorder": 1}
        for j, coef in enumerate(coefs):
            self.lines_ += ax.plot(along[order], coef[order], **{**style.get(j, thin), **line_kw})
        pad = 0.05 * np.ptp(coefs) or 1.0
        ax.set_ylim(coefs.min() - pad, coefs.max() + pad)
        ax.set_ylabel("coefficient")
        tidy(ax, zero=True)
        last = order[-1]
        self.labels_ = label_ends(
            ax,
            along[last],
            coefs[named, last],
            [names[j] for j in named],
            [style[int(j)]["color"] for j in named],
        )
