"""The estimator's coefficients beside the mode that PyMC finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skreg.bayes.agreement import MAPAgreement, map_agreement
from skreg.inspection._features import largest, names_of, shortened
from skreg.inspection._style import (
    BLUE,
    GREY,
    LIGHT,
    VERMILLION,
    check_kinds,
    check_matplotlib,
    data_frame,
    label_ends,
    panels,
    tidy,
)

__all__ = ["MAPAgreementDisplay"]

FloatArray = NDArray[np.float64]

# Differences below this part of the largest coefficient are drawn at it: they are rounding.
_ROUNDING = 1e-16


class MAPAgreementDisplay:
    """Penalised coefficients against the posterior mode found by PyMC, and how little they differ.

    Make it with `from_estimator` or `from_result`; every parameter is kept as an attribute.

    Parameters
    ----------
    coef : array-like of shape (n_features,)
        The estimator's coefficients.
    coef_pymc : array-like of shape (n_features,)
        The coefficients at the mode of the PyMC model.
    feature_names : sequence of str, optional
        One a feature; x0, x1, … if not given.
    rtol : float, default=1e-4
        The difference allowed, relative to the largest of `coef`.
    agrees : bool, optional
        The verdict of `map_agreement`; by default whether no difference is above the one allowed.
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
    points_ : matplotlib Line2D or None
        The pairs of coefficients.
    differences_ : matplotlib Line2D or None
        The differences.
    allowed_ : matplotlib Line2D or None
        The line at `rtol`.

    See Also
    --------
    skreg.map_agreement : The certificate.

    Examples
    --------
    >>> from skreg import MAPAgreementDisplay
    >>> display = MAPAgreementDisplay(coef=[1.0, 0.0], coef_pymc=[1.0 + 1e-8, 0.0])
    >>> display.frame()["relative_difference"].round(9).tolist()
    [1e-08, 0.0]
    """

    def __init__(
        self,
        *,
        coef: ArrayLike,
        coef_pymc: ArrayLike,
        feature_names: Sequence[str] | None = None,
        rtol: float = 1e-4,
        agrees: bool | None = None,
        estimator_name: str | None = None,
    ) -> None:
        self.coef = coef
        self.coef_pymc = coef_pymc
        self.feature_names = feature_names
        self.rtol = rtol
        self.agrees = agrees
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        ax: Any = None,
        kind: str | Sequence[str] | None = None,
        n_labels: int = 10,
        **agreement_params: Any,
    ) -> MAPAgreementDisplay:
        """Find the mode of an estimator's PyMC model, and draw it beside the coefficients.

        Parameters
        ----------
        estimator : estimator
            As `map_agreement` takes it.
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            The data as given to `fit`.
        y : array-like of shape (n_samples,)
            Target.
        ax, kind, n_labels
            As in `plot`.
        **agreement_params : dict
            Further parameters of `map_agreement`, such as ``sample_weight`` or ``noise``.

        Returns
        -------
        MAPAgreementDisplay
            Drawn.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError, ValueError
            As `map_agreement`.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        agreement = map_agreement(estimator, X, y, **agreement_params)
        return cls.from_result(agreement, ax=ax, kind=kind, n_labels=n_labels)

    @classmethod
    def from_result(
        cls, agreement: MAPAgreement, *, ax: Any = None, **plot_params: Any
    ) -> MAPAgreementDisplay:
        """Draw what `map_agreement` returned.

        Parameters
        ----------
        agreement : MAPAgreement
            The certificate.
        ax : matplotlib Axes, sequence of them, or None
            As in `plot`.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        MAPAgreementDisplay
            Drawn.
        """
        display = cls(
            coef=agreement.coef,
            coef_pymc=agreement.coef_pymc,
            feature_names=agreement.feature_names,
            rtol=agreement.rtol,
            agrees=agreement.agrees,
            estimator_name=agreement.estimator,
        )
        return display.plot(ax=ax, **plot_params)

    def plot(
        self, ax: Any = None, *, kind: str | Sequence[str] | None = None, n_labels: int = 10
    ) -> MAPAgreementDisplay:
        """Draw the coefficients against each other, and their differences.

        Parameters
        ----------
        ax : matplotlib Axes, sequence of them, or None, default=None
            Where; None makes a figure. One Axes for two panels is divided.
        kind : {"coef", "difference"} or both, default=None
            Which panels; None is both.
        n_labels : int, default=10
            How many features are named: the largest coefficients, and the largest differences.

        Returns
        -------
        self : MAPAgreementDisplay
            With `ax_`, `axes_`, `figure_` and the artists.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If `kind` is unknown.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        kinds = check_kinds(kind, ("coef", "difference"))
        self.figure_, self.axes_ = panels(ax, len(kinds), figsize=(4.6 * len(kinds), 3.8))
        self.ax_ = self.axes_[0]
        self.points_ = self.differences_ = self.allowed_ = None
        for kind_, panel in zip(kinds, self.axes_, strict=True):
            (self._draw_coefs if kind_ == "coef" else self._draw_differences)(panel, n_labels)
            tidy(panel)
        name = f"{self.estimator_name}: " if self.estimator_name else ""
        verdict = "the modes agree" if self._agrees else "the modes DO NOT agree"
        self.ax_.set_title(name + verdict, loc="left", fontsize="medium")
        return self

    def frame(self) -> Any:
        """Tabulate what is drawn.

        Returns
        -------
        pandas.DataFrame
            A row for each feature, with columns ``coef``, ``coef_pymc`` and ``relative_difference``, the
            difference's size over that of the largest of `coef`.
        """
        import pandas as pd

        columns = {
            "coef": self._coef,
            "coef_pymc": np.asarray(self.coef_pymc, dtype=np.float64),
            "relative_difference": self._relative,
        }
        index = pd.Index(self._names, name="feature")
        return data_frame(columns, index=index, caller=f"{type(self).__name__}.frame")

    @property
    def _coef(self) -> FloatArray:
        return np.asarray(self.coef, dtype=np.float64)

    @property
    def _names(self) -> tuple[str, ...]:
        return names_of(self.feature_names, self._coef.size)

    @property
    def _relative(self) -> FloatArray:
        difference = np.abs(self._coef - np.asarray(self.coef_pymc, dtype=np.float64))
        return difference / (np.abs(self._coef).max() or 1.0)

    @property
    def _agrees(self) -> bool:
        return bool(np.all(self._relative <= self.rtol)) if self.agrees is None else bool(self.agrees)

    def _draw_coefs(self, ax: Any, n_labels: int) -> None:
        coef, mode = self._coef, np.asarray(self.coef_pymc, dtype=np.float64)
        low, high = min(coef.min(), mode.min(), 0.0), max(coef.max(), mode.max(), 0.0)
        pad = 0.08 * (high - low) or 1.0
        ax.axline((0.0, 0.0), slope=1.0, color=GREY, linewidth=0.8, zorder=1)
        ax.axhline(0.0, color=LIGHT, linewidth=0.8, zorder=0)
        ax.axvline(0.0, color=LIGHT, linewidth=0.8, zorder=0)
        zero = coef == 0
        look = {
            "linestyle": "none",
            "marker": "o",
            "color": BLUE,
            "markersize": 5 if coef.size <= 30 else 3.5,
        }
        (self.points_,) = ax.plot(coef[~zero], mode[~zero], **look)
        if zero.any():
            text = f"{int(zero.sum())} exactly zero"
            ax.plot(coef[zero], mode[zero], **look, markerfacecolor="white", label=text)
            ax.legend(frameon=False, fontsize="small", loc="upper left", handletextpad=0.1)
        ax.set(xlim=(low - pad, high + pad), ylim=(low - pad, high + pad))
        ax.set(xlabel="penalised coefficient", ylabel="mode found by PyMC")
        named = largest(np.abs(coef), n_labels)
        names = [self._names[j] for j in named]
        label_ends(ax, coef[named], mode[named], names, ["0.3"] * named.size)

    def _draw_differences(self, ax: Any, n_labels: int) -> None:
        order = np.argsort(-np.abs(self._coef), kind="stable")
        relative = self._relative[order]
        place = np.arange(1, relative.size + 1)
        shown = np.maximum(relative, _ROUNDING)
        bottom = min(float(shown.min()), self.rtol)
        few = relative.size <= 30
        (self.differences_,) = ax.plot(
            place, shown, linestyle="none", marker="o", color=BLUE, markersize=5 if few else 3
        )
        if few:
            ax.vlines(place, bottom / 3.0, shown, color=BLUE, linewidth=0.8, alpha=0.5)
        self.allowed_ = ax.axhline(self.rtol, color=VERMILLION, linestyle="--", linewidth=1.2)
        ax.annotate(
            "allowed",
            (1.0, self.rtol),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=VERMILLION,
        )
        ax.set_yscale("log")
        ax.set_ylim(bottom / 3.0, 10.0 * max(self.rtol, float(shown.max())))
        ax.set_ylabel("difference / largest coefficient")
        ax.set_xlim(0.4, relative.size + 0.6)
        if few:
            ax.set_xticks(place, [shortened(self._names[j], 14) for j in order], rotation=90, fontsize=8)
        else:
            ax.set_xlabel(f"{relative.size} features, by size of coefficient")
            above = np.flatnonzero(relative > self.rtol)
            for i in above[np.argsort(-relative[above])][:n_labels]:
                ax.annotate(
                    shortened(self._names[order[i]]),
                    (place[i], shown[i]),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=8,
                )
