"""A penalty in the plane of two coefficients: ball and contours of the loss, prior and likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skreg.inspection._features import shortened
from skreg.inspection._plane import descent_on, quadratic_of, two_features, variance_of
from skreg.inspection._style import (
    BLUE,
    GREEN,
    GREY,
    LIGHT,
    VERMILLION,
    check_kinds,
    check_matplotlib,
    data_frame,
    legend_above,
    panels,
    tidy,
)
from skreg.inspection.geometry import Touch, loss_contour, radius_through, touching_point
from skreg.linear_model.energy import energy_of
from skreg.penalties import ElasticNetPenalty

__all__ = ["PenaltyGeometryDisplay"]

FloatArray = NDArray[np.float64]

# Parts of the touching contour's loss at which contours are drawn, and of the ball's radius.
_LEVELS = (0.1, 0.4, 1.0, 1.8)
_HELD = (0.5, 0.9)  # the posterior's contours hold so much of it
_MESH = 161


class PenaltyGeometryDisplay:
    """Where the contours of the squared error touch a penalty's ball, and the same picture as probabilities.

    Two panels with the same axes. In ``"ball"`` the loss ½ (w − ŵ)ᵀ H (w − ŵ) grows from the least-squares
    solution ŵ in ellipses, and the penalised solution is where one first touches the ball; a diamond is often
    touched at a corner, where a coefficient is zero. In ``"density"`` the same ellipses are the likelihood's
    contours, the same ball one of the prior's, and their product the posterior, highest at the same point.

    Parameters
    ----------
    hessian : array-like of shape (2, 2)
        H, the curvature of the loss.
    center : array-like of shape (2,)
        ŵ, where the loss is least.
    penalty : ElasticNetPenalty
        Shapes the ball and the prior.
    radius : float
        Where the ball crosses the first axis.
    trajectory : array-like of shape (n_steps + 1, 2), optional
        Steps of a descent, from its start on.
    variance : float, default=1.0
        σ², the noise variance by which loss and penalty are divided in the exponents of the probabilities.
    feature_names : sequence of two str, default=("w₁", "w₂")
        Names of the coefficients.
    estimator_name : str, optional
        Shown in the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The first panel.
    axes_ : list of matplotlib Axes
        One a panel.
    figure_ : matplotlib Figure
        The figure they are in.
    ball_ : list of matplotlib Line2D
        The ball's outline, one a panel.
    contours_ : list of matplotlib Line2D
        The loss's contours in the first panel; the last but one goes through the touching point.
    touch_ : list of matplotlib Line2D
        The marker at the touching point, one a panel.
    trajectory_ : matplotlib Line2D or None
        The descent.
    posterior_ : matplotlib QuadContourSet or None
        The posterior's contours, which hold 50 % and 90 % of it.

    See Also
    --------
    skreg.inspection.geometry.touching_point : Where they touch.
    skreg.solvers.descend : The descent.

    Examples
    --------
    >>> from skreg import L1, PenaltyGeometryDisplay
    >>> display = PenaltyGeometryDisplay(
    ...     hessian=[[2.0, -1.0], [-1.0, 2.0]], center=[2.3, 1.1], penalty=L1(1.0), radius=1.2
    ... )
    >>> display.touch.coef
    array([1.2, 0. ])
    """

    def __init__(
        self,
        *,
        hessian: ArrayLike,
        center: ArrayLike,
        penalty: ElasticNetPenalty,
        radius: float,
        trajectory: ArrayLike | None = None,
        variance: float = 1.0,
        feature_names: Sequence[str] = ("w₁", "w₂"),
        estimator_name: str | None = None,
    ) -> None:
        self.hessian = hessian
        self.center = center
        self.penalty = penalty
        self.radius = radius
        self.trajectory = trajectory
        self.variance = variance
        self.feature_names = feature_names
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        features: Sequence[int | str] | None = None,
        sample_weight: Any = None,
        method: str = "proximal",
        n_steps: int = 50,
        start: ArrayLike | None = None,
        ax: Any = None,
        **plot_params: Any,
    ) -> PenaltyGeometryDisplay:
        """Draw two of an estimator's coefficients, the others held where it has them.

        Parameters
        ----------
        estimator : estimator
            Ridge, Lasso or ElasticNet of skreg or of scikit-learn, one of their CV forms, or a Pipeline of
            transformers ending in one; fitted, or a clone of it is.
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            The data as given to `fit`.
        y : array-like of shape (n_samples,)
            Target.
        features : sequence of two int or str, optional
            Positions or names of the two; by default those of the largest coefficients.
        sample_weight : array-like of shape (n_samples,), optional
            Weights as given to `fit`.
        method : {"proximal", "subgradient", "gradient"}, default="proximal"
            The descent that is drawn, as in `skreg.solvers.descend`.
        n_steps : int, default=50
            Its number of steps; 0 for none.
        start : array-like of shape (2,), optional
            Where it starts; zero if not given.
        ax : matplotlib Axes, sequence of them, or None
            As in `plot`.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        PenaltyGeometryDisplay
            Drawn. The ball goes through the estimator's own coefficients, at which the multiplier is 1.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError, ValueError
            If `energy_of` cannot take the estimator, there are no two such features or they are collinear,
            the penalty leaves one free or is confined to w ≥ 0, or the two coefficients are both zero.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        energy = energy_of(estimator, X, y, sample_weight)
        pair = two_features(energy, features)
        names = [energy.feature_names[j] for j in pair]
        coef = energy.coef[pair]
        if not np.any(coef):
            raise ValueError(
                f"Both coefficients, of {names[0]!r} and {names[1]!r}, are zero, and so is the ball through "
                "them: choose other features, or a smaller alpha."
            )
        hessian, center = quadratic_of(energy, pair)
        of_all = energy.penalty
        penalty = ElasticNetPenalty(
            l1=of_all.l1,
            l2=of_all.l2,
            factors=None if of_all.factors is None else of_all.factors[pair],
            positive=of_all.positive,
        )
        display = cls(
            hessian=hessian,
            center=center,
            penalty=penalty,
            radius=radius_through(penalty, coef),
            trajectory=descent_on(hessian, center, penalty, method, n_steps, start),
            variance=variance_of(energy),
            feature_names=tuple(names),
            estimator_name=energy.label,
        )
        return display.plot(ax=ax, **plot_params)

    @property
    def touch(self) -> Touch:
        """Where the loss is least in the ball: the point, the multiplier of the penalty, the loss."""
        return touching_point(self.hessian, self.center, self.penalty, self.radius)

    def plot(
        self, ax: Any = None, *, kind: str | Sequence[str] | None = None, color: Any = BLUE
    ) -> PenaltyGeometryDisplay:
        """Draw the picture, twice.

        Parameters
        ----------
        ax : matplotlib Axes, sequence of them, or None, default=None
            Where; None makes a figure. One Axes for two panels is divided.
        kind : {"ball", "density"} or both, default=None
            Which panels; None is both.
        color : matplotlib color, default=blue
            Of the ball.

        Returns
        -------
        self : PenaltyGeometryDisplay
            With `ax_`, `axes_`, `figure_` and the artists.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `kind` is unknown, or the Hessian, the penalty or the radius have no touching point.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        kinds = check_kinds(kind, ("ball", "density"))
        touch = self.touch
        curves = self._curves(touch)
        self.figure_, self.axes_ = panels(
            ax, len(kinds), figsize=(4.6 * len(kinds), 4.2), sharex=True, sharey=True
        )
        self.ax_ = self.axes_[0]
        self.ball_: list[Any] = []
        self.contours_: list[Any] = []
        self.touch_: list[Any] = []
        self.trajectory_: Any = None
        self.posterior_: Any = None
        limits = _limits(curves, np.asarray(self.center, dtype=np.float64))
        for kind_, panel in zip(kinds, self.axes_, strict=True):
            panel.axhline(0.0, color=LIGHT, linewidth=0.8, zorder=0)
            panel.axvline(0.0, color=LIGHT, linewidth=0.8, zorder=0)
            (self._draw_ball if kind_ == "ball" else self._draw_density)(panel, touch, curves, color)
            panel.set(xlim=limits[0], ylim=limits[1], xlabel=shortened(str(self.feature_names[0])))
            if 0.2 < np.ptp(limits[0]) / np.ptp(limits[1]) < 5.0:
                panel.set_aspect("equal", adjustable="box")
            tidy(panel)
        self.ax_.set_ylabel(shortened(str(self.feature_names[1])))
        point = ", ".join(_numbers(touch.coef))
        name = f"{self.estimator_name}: " if self.estimator_name else ""
        self.ax_.set_title(f"{name}w = ({point})", loc="left", fontsize="medium")
        return self

    def frame(self) -> Any:
        """Tabulate the curves and points that are drawn.

        Returns
        -------
        pandas.DataFrame
            A row for each point, indexed by ``curve`` (``"ball"``, ``"contour 0"`` and so on from the inside
            out, ``"trajectory"``, ``"least squares"``, ``"touch"``) and ``point``; a column for each of the
            two coefficients, and ``loss``.
        """
        import pandas as pd

        touch = self.touch
        curves = self._curves(touch)
        curves["least squares"] = np.asarray(self.center, dtype=np.float64)[None]
        curves["touch"] = touch.coef[None]
        points = np.concatenate(list(curves.values()))
        away = points - np.asarray(self.center, dtype=np.float64)
        loss = 0.5 * np.einsum("ij,jk,ik->i", away, np.asarray(self.hessian, dtype=np.float64), away)
        index = pd.MultiIndex.from_tuples(
            [(name, i) for name, curve in curves.items() for i in range(len(curve))], names=["curve", "point"]
        )
        columns = {**dict(zip(map(str, self.feature_names), points.T, strict=True)), "loss": loss}
        return data_frame(columns, index=index, caller=f"{type(self).__name__}.frame")

    def _curves(self, touch: Touch) -> dict[str, FloatArray]:
        curves = {"ball": self.penalty.ball(self.radius)}
        # Where the ball holds ŵ no contour touches it; those drawn then are as wide as the ball.
        unit = touch.loss or 0.5 * float(np.trace(np.asarray(self.hessian))) * (0.5 * self.radius) ** 2
        for number, level in enumerate(_LEVELS):
            curves[f"contour {number}"] = loss_contour(self.hessian, self.center, level * unit)
        if self.trajectory is not None:
            curves["trajectory"] = np.asarray(self.trajectory, dtype=np.float64)
        return curves

    def _draw_ball(self, ax: Any, touch: Touch, curves: dict[str, FloatArray], color: Any) -> None:
        for number in range(len(_LEVELS)):
            touching = number == len(_LEVELS) - 2 and touch.multiplier > 0
            look = {"color": "0.15", "linewidth": 1.4} if touching else {"color": GREY, "linewidth": 0.8}
            self.contours_ += ax.plot(*curves[f"contour {number}"].T, **look)
        ax.fill(*curves["ball"].T, color=color, alpha=0.15, linewidth=0)
        self.ball_ += ax.plot(*curves["ball"].T, color=color, linewidth=1.6)
        if "trajectory" in curves:
            (self.trajectory_,) = ax.plot(
                *curves["trajectory"].T, color=VERMILLION, linewidth=0.9, marker=".", markersize=3.5
            )
        self._draw_points(ax, touch, color, {"ŵ": np.asarray(self.center)})

    def _draw_density(self, ax: Any, touch: Touch, curves: dict[str, FloatArray], color: Any) -> None:
        from_center = [f"contour {number}" for number in range(len(_LEVELS))]
        for number, name in enumerate(from_center):
            label = "likelihood" if number == 0 else None
            self.contours_ += ax.plot(*curves[name].T, color=GREY, linewidth=0.8, label=label)
        for share in (0.4, 0.7, 1.0, 1.3):
            ring = curves["ball"] if share == 1.0 else self.penalty.ball(share * self.radius)
            look = {"linewidth": 1.6, "label": "prior"} if share == 1.0 else {"linewidth": 0.8}
            lines = ax.plot(*ring.T, color=color, linestyle="--", **look)
            self.ball_ += lines if share == 1.0 else []
        if touch.multiplier > 0:
            mesh, density, levels = self._posterior(touch)
            self.posterior_ = ax.contourf(
                *mesh, density, levels=[*levels, density.max()], colors=[GREEN], alpha=0.35, zorder=1.5
            )
            ax.contour(*mesh, density, levels=levels, colors=[GREEN], linewidths=1.2, linestyles=[":", "-"])
            ax.fill([], [], color=GREEN, alpha=0.5, label="posterior: 50 %, 90 %")
        self._draw_points(ax, touch, color, {})
        legend_above(ax, columnspacing=1.0, handlelength=1.6)

    def _posterior(self, touch: Touch) -> tuple[tuple[FloatArray, FloatArray], FloatArray, list[float]]:
        """Evaluate the posterior on a mesh, with the levels above which it holds 90 % and 50 %."""
        H, center = np.asarray(self.hessian, dtype=np.float64), np.asarray(self.center, dtype=np.float64)
        v = np.ones(2) if self.penalty.factors is None else self.penalty.factors
        l1, l2 = (touch.multiplier * strength * v for strength in (self.penalty.l1, self.penalty.l2))
        # It is at least so curved everywhere: six of these deviations from the mode hold it.
        deviation = np.sqrt(self.variance * np.diag(np.linalg.inv(H + np.diag(l2))))
        sides = [
            np.linspace(w - 6.0 * sd, w + 6.0 * sd, _MESH)
            for w, sd in zip(touch.coef, deviation, strict=True)
        ]
        first, second = np.meshgrid(*sides)
        point = np.stack([first, second], axis=-1)
        away = point - center
        energy = 0.5 * np.einsum("...i,ij,...j->...", away, H, away)
        energy += np.abs(point) @ l1 + 0.5 * point**2 @ l2
        density = np.exp((energy.min() - energy) / self.variance)
        ordered = np.sort(density, axis=None)[::-1]
        held = np.cumsum(ordered) / ordered.sum()
        levels = [float(ordered[np.searchsorted(held, share)]) for share in sorted(_HELD, reverse=True)]
        return (first, second), density, levels

    def _draw_points(self, ax: Any, touch: Touch, color: Any, named: dict[str, Any]) -> None:
        ax.plot(*np.asarray(self.center), marker="+", color="black", markersize=9, linestyle="none")
        self.touch_ += ax.plot(
            *touch.coef,
            marker="o",
            color=color,
            markersize=7,
            markeredgecolor="white",
            linestyle="none",
            zorder=4,
        )
        for text, at in named.items():
            ax.annotate(text, at, xytext=(5, 4), textcoords="offset points")


def _limits(
    curves: dict[str, FloatArray], center: FloatArray
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Show the ball, the touching contour and the descent."""
    shown = [curves["ball"], center[None], *(curves[k] for k in ("contour 2", "trajectory") if k in curves)]
    points = np.concatenate(shown)
    low, high = points.min(axis=0), points.max(axis=0)
    pad = 0.06 * (high - low)
    (x0, y0), (x1, y1) = low - pad, high + pad
    return (float(x0), float(x1)), (float(y0), float(y1))


def _numbers(values: FloatArray) -> list[str]:
    """Write them with as many decimals as the largest has four figures."""
    size = float(np.abs(values).max())
    decimals = max(3 - math.floor(math.log10(size)), 0) if size > 0 else 0
    return ["0" if value == 0 else f"{value:.{decimals}f}".replace("-", "−") for value in values]
