"""Stability selection: keep what the Lasso's path selects first again and again, on halves of the rows."""

from __future__ import annotations

import warnings
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.callback import with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skreg.execution.blas import one_blas_thread
from skreg.execution.rollback import unchanged_on_failure
from skreg.feature_selection._base import Selector, column_spread, entry_order
from skreg.feature_selection.error_bound import (
    BOUNDS,
    bound_of_false_selections,
    largest_q,
    smallest_threshold,
)
from skreg.linear_model._base import check_flag, check_number, how_it_ended
from skreg.linear_model._tasks import check_n_jobs, reported, tasks_at_once
from skreg.linear_model.alphas import alpha_grid, check_path_alphas
from skreg.penalties import ElasticNetPenalty
from skreg.solvers.least_squares import LeastSquares, least_squares
from skreg.solvers.path import solve_path

__all__ = ["StabilitySelector"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]


class _Rows(NamedTuple):
    """The data, and what every subsample's path takes."""

    X: Any
    y: FloatArray
    l1_ratio: float
    fit_intercept: bool
    positive: bool
    penalty_weights: FloatArray | None

    def problem(self, index: IndexArray) -> LeastSquares:
        """Make the data term of some rows."""
        ones = np.ones(len(index))
        return least_squares(self.X[index], self.y[index, None], ones, fit_intercept=self.fit_intercept)

    def penalty(self, alpha: float, n_rows: int) -> ElasticNetPenalty:
        """Translate an alpha for so many rows."""
        return ElasticNetPenalty.from_alpha(
            float(alpha), self.l1_ratio, float(n_rows), factors=self.penalty_weights, positive=self.positive
        )


class _Entries(NamedTuple):
    """Which features enter a half's path first, and where; its largest gap and most iterations."""

    features: IndexArray
    position: IndexArray
    gap: float
    n_iter: int


class StabilitySelector(Selector):
    """Keep the features that enter the path first on most random halves of the rows.

    The rows are cut in two random halves, B times over. On each half the Lasso's path is followed until q
    features have entered; kept are the features among the first q on at least a part τ (`threshold`) of the
    2B halves. The expected number of features kept that a fit on half the rows selects no more often than
    chance (with probability ≤ q/p) is then bounded, whatever the data, by q²/((2τ − 1)p), and by far less
    where such features are selected as unsystematically as noise is.
    Of `threshold`, that bound (`pfer`, the per-family error rate) and q (`n_features_per_subsample`) two are
    given, and the third follows.

    Features that stand for each other share the halves among them, and each may then fail the threshold: a
    share of the L2 penalty (`l1_ratio` < 1) lets them enter together.

    Parameters
    ----------
    threshold : float or None, default=0.9
        τ in (0.5, 1]: on what part of the halves a feature must be selected. None to take the smallest that
        the other two allow.
    pfer : float or None, default=1.0
        The bound of the expected number of false selections, > 0. None to have it follow from the other two.
    n_features_per_subsample : int or None, default=None
        q, how many features are selected on each half at most: the first to enter. None to take the most that
        the other two allow.
    bound : {"r-concave", "unimodal", "worst case"}, default="r-concave"
        Which bound: the first two are Shah and Samworth's, who assume that the number of times a noise
        feature is selected has an r-concave or a unimodal distribution; the more is assumed, the larger is
        the q that goes with a `pfer`. The worst case assumes nothing and is q²/((2τ − 1)p).
    n_pairs : int, default=50
        B: so many times the rows are cut in two halves.
    l1_ratio : float, default=1.0
        The share ρ in (0, 1] of the L1 part: 1 is the Lasso.
    alphas : int or array-like of shape (n_alphas,), default=100
        How many alphas the paths have, evenly spaced in log from the smallest that sets every penalised
        coefficient to zero on every half, down to `eps` times that; or the alphas themselves. A path ends
        where the q features have entered.
    eps : float, default=1e-3
        Ratio of the smallest alpha to the largest, in (0, 1), for an integer `alphas`.
    fit_intercept : bool, default=True
        Whether the model has an intercept.
    positive : bool, default=False
        Whether to confine the coefficients to w ≥ 0.
    penalty_weights : array-like of shape (n_features,), optional
        A factor vⱼ ≥ 0 for each feature; features of 0 are always among the first.
    tol : float, default=1e-8
        The duality gap promised at each alpha, relative to the null model's objective.
    max_iter : int, default=1000
        At most this many sweeps and Newton steps at each alpha.
    random_state : int, RandomState instance or None, default=None
        Draws the halves. An integer gives the same ones every time, whatever `n_jobs`.
    n_jobs : int, optional
        How many pairs at once, by joblib: None for one, or what `joblib.parallel_config` says, -1 for as
        many as there are cores. Threads by default; the result is the same.

    Attributes
    ----------
    selection_probabilities_ : ndarray of shape (n_features,)
        On what part of the 2B halves each feature was selected.
    stability_path_ : ndarray of shape (n_features, n_alphas)
        On what part of the halves each feature was selected at this alpha or a larger one; its last column
        is `selection_probabilities_`.
    alphas_ : ndarray of shape (n_alphas,)
        The alphas of all paths, decreasing.
    threshold_ : float
        The threshold used.
    pfer_ : float
        The bound of the expected number of false selections, at `threshold_` and q.
    n_features_per_subsample_ : int
        q.
    n_iter_ : int
        The most sweeps and Newton steps spent at one alpha of one half.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if X had string column names.

    See Also
    --------
    LassoSelector : One path of all rows.

    Notes
    -----
    Under `set_callbacks(sklearn.callback.ProgressBar())` the fit shows how many of the pairs are done.

    References
    ----------
    Meinshausen, N. and Bühlmann, P. (2010). Stability selection, JRSS B 72(4), 417-473;
    Shah, R. D. and Samworth, R. J. (2013). Variable selection with error control: another look at stability
    selection, JRSS B 75(1), 55-80.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.feature_selection import StabilitySelector
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 50))
    >>> y = X[:, 0] - X[:, 1] + X[:, 2] + rng.standard_normal(200)
    >>> selector = StabilitySelector(pfer=0.1, random_state=0).fit(X, y)
    >>> selector.get_support(indices=True)
    array([0, 1, 2])
    >>> selector.n_features_per_subsample_, round(selector.pfer_, 2)
    (7, 0.08)
    """

    def __init__(
        self,
        threshold=0.9,
        *,
        pfer=1.0,
        n_features_per_subsample=None,
        bound="r-concave",
        n_pairs=50,
        l1_ratio=1.0,
        alphas=100,
        eps=1e-3,
        fit_intercept=True,
        positive=False,
        penalty_weights=None,
        tol=1e-8,
        max_iter=1000,
        random_state=None,
        n_jobs=None,
    ):
        self.threshold = threshold
        self.pfer = pfer
        self.n_features_per_subsample = n_features_per_subsample
        self.bound = bound
        self.n_pairs = n_pairs
        self.l1_ratio = l1_ratio
        self.alphas = alphas
        self.eps = eps
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X, y):
        """Follow the path on every half, and count.

        It takes no sample weights: two rows fall into different halves, and a row of weight 2 cannot, so that
        weights would not mean what they mean elsewhere. Repeat rows, or leave some out, instead.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Data, of at least 4 rows. The penalty sees the columns in the units in which they come:
            standardise them before.
        y : array-like of shape (n_samples,)
            Numeric target.

        Returns
        -------
        self : object
            The fitted selector.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data are out of range or of the wrong kind, or no third parameter goes with
            the two given; an earlier fit is then left as it was.

        Warns
        -----
        ConvergenceWarning
            If the duality gap is above `tol` somewhere on a path.
        """
        with unchanged_on_failure(self), one_blas_thread():
            self._check_parameters()
            given = X, y
            X, y = self._validate(X, y)
            if X.shape[0] < 4:
                raise ValueError(
                    f"X has n_samples={X.shape[0]}; {type(self).__name__} needs at least 4, two in each half."
                )
            self._settle(X.shape[1])
            self._fit_subsamples(X, y, given)
        return self

    @property
    def ranking_(self) -> NDArray[np.int_]:
        """1 for the feature selected most often, and so on; equals share the number of the first of them."""
        check_is_fitted(self)
        often = np.sort(-self.selection_probabilities_)
        return 1 + np.searchsorted(often, -self.selection_probabilities_)

    def _get_support_mask(self):
        check_is_fitted(self)
        return self.selection_probabilities_ >= self.threshold_ - 1e-12

    @with_callbacks
    def _fit_subsamples(self, X, y, given) -> None:
        context = self._init_callback_context(max_subtasks=self.n_pairs)
        context.call_on_fit_task_begin(estimator=self, X=given[0], y=given[1])
        X = sparse.csr_array(X) if sparse.issparse(X) else X
        factors = None if self.penalty_weights is None else np.asarray(self.penalty_weights, dtype=np.float64)
        settings = (float(self.l1_ratio), bool(self.fit_intercept), bool(self.positive), factors)
        rows = _Rows(X, y - (y.mean() if self.fit_intercept else 0.0), *settings)
        pairs = self._draw_pairs(X.shape[0])
        q, p = self.n_features_per_subsample_, X.shape[1]
        with tasks_at_once(self.n_jobs) as run:
            self.alphas_ = self._grid(rows, pairs, run)
            limits = (q, column_spread(X), float(self.tol), int(self.max_iter))
            tasks = [
                reported(context, self, "pair", (_entries_of_pair, rows, pair, self.alphas_, *limits))
                for pair in pairs
            ]
            halves = [half for pair in run(tasks) for half in pair]
        counts = np.zeros((p, self.alphas_.size), dtype=np.int64)
        for half in halves:
            counts[half.features, half.position] += 1
        self.stability_path_ = np.cumsum(counts, axis=1) / len(halves)
        self.selection_probabilities_ = self.stability_path_[:, -1].copy()
        self.n_iter_ = max(half.n_iter for half in halves)
        self._warn_unless_converged(halves)
        context.call_on_fit_task_end(estimator=self, X=given[0], y=given[1], reconstruction_attributes={})

    def _draw_pairs(self, n: int) -> list[tuple[IndexArray, IndexArray]]:
        """Draw disjoint halves of ⌊n/2⌋ rows."""
        random_state, half = check_random_state(self.random_state), n // 2
        drawn = [random_state.permutation(n) for _ in range(self.n_pairs)]
        return [(np.sort(order[:half]), np.sort(order[half : 2 * half])) for order in drawn]

    def _grid(self, rows: _Rows, pairs, run) -> FloatArray:
        """Lay out alphas that start where no half selects anything."""
        alphas = check_path_alphas(self.alphas, self.eps, self.l1_ratio)
        if not isinstance(alphas, int):
            return alphas
        top = max(map(max, run([(_largest_alphas, rows, pair) for pair in pairs])))
        return top * np.logspace(0.0, np.log10(self.eps), alphas)

    def _warn_unless_converged(self, halves: list[_Entries]) -> None:
        failed = [half for half in halves if not half.gap <= self.tol]
        if not failed:
            return
        worst = max(failed, key=lambda half: half.gap)
        end, cure = how_it_ended(worst.n_iter, self.max_iter)
        warnings.warn(
            f"{len(failed)} of {len(halves)} paths of {type(self).__name__} are above tol={self.tol:g}; the "
            f"worst {end}: its duality gap is {worst.gap:.3g} of the null model's objective. Increase "
            f"{cure.replace('alpha', 'the smallest alpha (eps)')}, or standardise the features.",
            ConvergenceWarning,
            stacklevel=5,
        )

    def _check_parameters(self) -> None:
        values = {name: getattr(self, name) for name in ("threshold", "pfer", "n_features_per_subsample")}
        if sum(value is None for value in values.values()) != 1:
            got = ", ".join(f"{name}={value!r}" for name, value in values.items())
            raise ValueError(f"Of threshold, pfer and n_features_per_subsample one must be None, got {got}.")
        if self.threshold is not None:
            check_number("threshold", self.threshold, low=0.5, high=1)
            if self.threshold == 0.5:
                raise ValueError("threshold must be > 0.5, got 0.5: there is no bound at half of the halves.")
        if self.pfer is not None:
            check_number("pfer", self.pfer, low=0)
            if self.pfer == 0:
                raise ValueError("pfer must be > 0, got 0: no selection is without risk.")
        check_number("n_pairs", self.n_pairs, low=1, kind=Integral)
        if self.bound not in BOUNDS:
            raise ValueError(f"bound must be one of {', '.join(map(repr, BOUNDS))}, got {self.bound!r}.")
        check_number("l1_ratio", self.l1_ratio, low=0, high=1)
        if self.l1_ratio == 0:
            raise ValueError("l1_ratio must be > 0, got 0: Ridge sets no coefficient to zero.")
        check_number("tol", self.tol, low=0)
        check_number("max_iter", self.max_iter, low=1, kind=Integral)
        check_path_alphas(self.alphas, self.eps, self.l1_ratio)
        check_flag("fit_intercept", self.fit_intercept)
        check_flag("positive", self.positive)
        check_n_jobs(self.n_jobs)

    def _settle(self, p: int) -> None:
        """Let the third parameter follow from the two given."""
        threshold, pfer, q = self.threshold, self.pfer, self.n_features_per_subsample
        terms = (p, int(self.n_pairs), self.bound)
        if q is None:
            q = largest_q(threshold, pfer, *terms)
            if q == 0:
                least = float(bound_of_false_selections(1, threshold, *terms))
                raise ValueError(
                    f"pfer={pfer:g} is out of reach with threshold={threshold:g} and n_features={p}: of "
                    f"one feature selected on each half the bound is {least:.3g}. Increase pfer or threshold."
                )
        else:
            check_number("n_features_per_subsample", q, low=1, high=p, kind=Integral)
        if threshold is None:
            threshold = smallest_threshold(q, pfer, *terms)
            if threshold is None:
                least = float(bound_of_false_selections(q, 1.0, *terms))
                raise ValueError(
                    f"pfer={pfer:g} is out of reach with n_features_per_subsample={q} and n_features={p}: "
                    f"even at threshold 1 the bound is {least:.3g}. Increase pfer or decrease "
                    "n_features_per_subsample."
                )
        self.threshold_, self.n_features_per_subsample_ = float(threshold), int(q)
        self.pfer_ = float(bound_of_false_selections(q, threshold, *terms))


def _largest_alphas(rows: _Rows, pair) -> list[float]:
    """Find the alpha of each half at which its first feature enters."""
    grids = (
        alpha_grid(rows.problem(half), rows.penalty(1.0, len(half)), n_alphas=1, eps=1.0) for half in pair
    )
    return [float(alphas[0]) for alphas in grids]


def _entries_of_pair(rows: _Rows, pair, alphas, q, spread, tol, max_iter) -> list[_Entries]:
    return [_entries(rows, half, alphas, q, spread, tol, max_iter) for half in pair]


def _entries(
    rows: _Rows, half: IndexArray, alphas: FloatArray, q: int, spread: FloatArray, tol: float, max_iter: int
) -> _Entries:
    """Follow the path on a half until q features have entered."""
    problem = rows.problem(half)
    penalties = [rows.penalty(alpha, len(half)) for alpha in alphas]
    solution = solve_path(problem, penalties, tol=tol, max_iter=max_iter, max_features=q)
    features, position = entry_order(solution.coef, spread)
    null = float(problem.null_value[0])
    gaps = solution.dual_gap / (null if null > 0 else 1.0)
    return _Entries(features[:q], position[:q], float(gaps.max()), int(solution.n_iter.max()))
