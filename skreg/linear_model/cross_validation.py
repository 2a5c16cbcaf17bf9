"""The elastic net and the Lasso whose alpha (and l1_ratio) cross-validation selects."""

from __future__ import annotations

import math
import warnings
from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn import get_config
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, check_cv
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import validate_data

from skreg.linear_model._base import (
    LinearModel,
    SparseCoefficients,
    check_flag,
    check_number,
    check_penalty_weights,
    check_sample_weight,
    how_it_ended,
    unchanged_on_failure,
)
from skreg.linear_model.alpha_selection import (
    SELECTION_RULES,
    check_selection_rule,
    fold_mean_and_standard_error,
    select_alpha,
)
from skreg.linear_model.path import _check_alphas, alpha_grid
from skreg.penalties import ElasticNetPenalty
from skreg.solvers.blas import one_blas_thread
from skreg.solvers.certificate import dual_gap
from skreg.solvers.cross_validation import (
    Fold,
    Grid,
    Rows,
    fold_errors,
    solve_by_moments,
    suits_moments,
    take_moments,
)
from skreg.solvers.elastic_net import solve_elastic_net
from skreg.solvers.least_squares import DenseLeastSquares, LeastSquares, least_squares
from skreg.solvers.path import solve_path
from skreg.solvers.quadratic import Quadratic
from skreg.solvers.solution import Solution

__all__ = ["ElasticNetCV", "LassoCV"]


class _L1LinearModelCV(SparseCoefficients, LinearModel):
    """What LassoCV and ElasticNetCV share: everything but the l1_ratio."""

    def fit(self, X, y, sample_weight=None, **params):
        """Select alpha by cross-validation, and fit all rows with it.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training data. float32 stays float32 in `coef_`; everything is solved in float64.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : float or array-like of shape (n_samples,), optional
            Weights sᵢ ≥ 0 of the squared errors, in fitting and in measuring each fold. Rows of weight 0
            are left out after the folds have been drawn. As in scikit-learn every fold counts alike.
        **params : dict
            Metadata for the splitter, such as `groups`, where scikit-learn's metadata routing is enabled.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data are out of range or of the wrong kind, or a fold has no row of
            positive weight to train on or to test; an earlier fit is then left as it was.

        Warns
        -----
        ConvergenceWarning
            If the duality gap is above `tol` for some alpha and fold; the message has the gap and what to
            do about it.
        """
        with unchanged_on_failure(self):
            split_params = self._split_params(sample_weight, params)
            self._check_parameters()
            X, y = validate_data(
                self,
                X,
                y,
                accept_sparse=["csr", "csc"],
                dtype=[np.float64, np.float32],
                multi_output=True,
                y_numeric=True,
                ensure_all_finite=not isinstance(X, np.ndarray),  # a pass over X of its own: see _fit_path
            )
            if y.ndim == 2 and y.shape[1] > 1:
                raise ValueError(
                    f"y has {y.shape[1]} targets; {type(self).__name__} selects alpha for one: fit each by "
                    "itself, or all of them with sklearn.multioutput.MultiOutputRegressor."
                )
            y = column_or_1d(y, warn=True)
            check_penalty_weights(self.penalty_weights, X.shape[1], getattr(self, "feature_names_in_", None))
            weights = check_sample_weight(sample_weight, X.shape[0])
            folds = self._folds(X, y, weights, split_params)
            with one_blas_thread():
                self._fit_path(X, np.asarray(y, dtype=np.float64), weights, folds)
        return self

    def _split_params(self, sample_weight, params):
        """Return what is meant for the splitter."""
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
            return routed.splitter.split
        if params:
            raise ValueError(
                f"fit got {', '.join(params)}, which reach the splitter of cv only with "
                "sklearn.set_config(enable_metadata_routing=True). Pass the splits themselves as cv, such as "
                "cv=list(GroupKFold().split(X, y, groups)), or enable it."
            )
        return {}

    def get_metadata_routing(self):
        """Say which metadata `fit` takes itself and which it hands to the splitter.

        Returns
        -------
        MetadataRouter
            scikit-learn's description of the routing.
        """
        # Numbers and lists of splits ask for nothing; an iterator must not be used up here.
        splitter = self.cv if hasattr(self.cv, "split") else KFold()
        mapping = MethodMapping().add(caller="fit", callee="split")
        return (
            MetadataRouter(owner=self).add_self_request(self).add(splitter=splitter, method_mapping=mapping)
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags

    def _check_parameters(self) -> None:
        check_number("tol", self.tol, low=0)
        check_number("max_iter", self.max_iter, low=1, kind=Integral)
        check_flag("fit_intercept", self.fit_intercept)
        check_flag("positive", self.positive)
        check_selection_rule(self.selection_rule)
        if self.n_jobs is not None:
            check_number("n_jobs", self.n_jobs, low=-math.inf, kind=Integral)
            if self.n_jobs == 0:
                raise ValueError("n_jobs must be None or an integer other than 0, got 0.")
        _check_alphas(self.alphas, self.eps, min(self._l1_ratios()))

    def _l1_ratios(self) -> list[float]:
        return [1.0]

    def _folds(self, X, y, weights, split_params) -> list[Fold]:
        """Draw the folds, as positions among the rows of positive weight."""
        everything, counted = np.arange(len(y)), weights > 0
        position = np.cumsum(counted) - 1
        drawn = []
        for number, fold in enumerate(_splits(self.cv, X, y, split_params)):
            try:
                train, test = (everything[part] for part in fold)  # masks and slices too
                if train.ndim != 1 or test.ndim != 1:
                    raise ValueError("they are not arrays")
            except (IndexError, TypeError, ValueError) as error:
                raise ValueError(
                    f"cv must give pairs of train and test indices of {len(y)} rows; split {number} is not "
                    f"one ({error})."
                ) from error
            if not counted.all():
                train, test = (position[part[counted[part]]] for part in (train, test))
            for name, part in (("train on", train), ("test", test)):
                if part.size == 0:
                    raise ValueError(
                        f"Split {number} of cv has no row of positive sample_weight to {name}; use fewer "
                        "splits, or shuffle the rows."
                    )
            drawn.append(Fold(train, test))
        if not drawn:
            raise ValueError(f"cv must give at least one split into train and test rows, got {self.cv!r}.")
        return drawn

    def _fit_path(self, X, y, weights, folds) -> None:
        """Measure every alpha on every fold, select, and solve the path of all rows."""
        l1_ratios = self._l1_ratios()
        given = _check_alphas(self.alphas, self.eps, min(l1_ratios))
        n_alphas = given if isinstance(given, Integral) else given.size
        parallel = Parallel(n_jobs=self.n_jobs, prefer="threads")

        def run(tasks):
            return parallel(delayed(function)(*arguments) for function, *arguments in tasks)

        problem = least_squares(X, y[:, None], weights, fit_intercept=self.fit_intercept)
        if not problem.is_finite:
            assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")
        rows = _rows(problem, X, y, weights, self.fit_intercept)
        moments = None
        if suits_moments(rows, folds, n_alphas * len(l1_ratios)):
            moments = take_moments(rows, folds, run)
            # The path of all rows goes by the same Gram matrix.
            gram = moments.total.gram * problem.x_scale * problem.x_scale[:, None]
            problem.quadratic = Quadratic.of_rows(problem, gram, problem.c)
        grids = self._grids(problem, given, moments is not None)
        tasks = [
            (fold_errors, rows, fold, grids, moments, number, self.tol, self.max_iter)
            for number, fold in enumerate(folds)
        ]
        if len(grids) == 1:  # then it need not wait for what the folds say
            tasks.append((_full_path, problem, moments is not None, grids[0], self.tol, self.max_iter))
        results = run(tasks)
        of_folds = results[: len(folds)]
        grid, selected = self._select(grids, np.stack([result.errors for result in of_folds], axis=-1))
        if not isinstance(given, Integral):
            self.alphas_ = given
        if len(grids) == 1:
            path = results[-1]
        else:
            path = _full_path(problem, moments is not None, grid, self.tol, self.max_iter)
        penalty = self._penalty(problem.total_weight)
        solution = self._finish(problem, penalty, path.coef[selected], path.n_iter[selected])
        path.coef[selected] = solution.coef[0]
        self.coef_path_, self.intercept_path_ = path.coef.T, problem.intercept(path.coef)
        self.intercept_path_[selected] = problem.intercept(solution.coef)[0]
        self._warn_unless_all_converged(grids, of_folds, solution, problem)
        self._store(solution, problem, penalty, dtype=X.dtype, flat=True)

    def _grids(self, problem, given, by_moments) -> list[Grid]:
        """Lay out the alphas of each l1_ratio."""
        l1_ratios = self._l1_ratios()
        if isinstance(given, Integral):
            # The alphas of ρ are those of the Lasso over ρ: αρ is what decides which coefficients vanish.
            lasso = Grid(np.ones(1), 1.0, self.penalty_weights, self.positive)
            (penalty,) = lasso.penalties(problem.total_weight)
            # Unpenalised features are fitted on the rows.
            from_moments = by_moments and penalty.penalized(problem.n_features).all()
            data = problem.quadratic if from_moments else problem
            alphas = alpha_grid(data, penalty, n_alphas=int(given), eps=float(self.eps))
            if np.ptp(alphas) > 0 or len(alphas) == 1:
                each = [alphas / ratio for ratio in l1_ratios]
            else:  # there is nothing to select
                each = [alphas] * len(l1_ratios)
        else:
            each = [given] * len(l1_ratios)
        return [
            Grid(alphas, ratio, self.penalty_weights, self.positive)
            for alphas, ratio in zip(each, l1_ratios, strict=True)
        ]

    def _select(self, grids, errors) -> tuple[Grid, int]:
        """Choose the grid and the position in it, given the errors by grid, alpha and fold."""
        mean, standard_error = fold_mean_and_standard_error(errors, np.ones(errors.shape[-1]))
        chosen = int(np.argmin(mean.min(axis=1)))
        grid = grids[chosen]
        position = {
            rule: select_alpha(grid.alphas, mean[chosen], standard_error[chosen], rule)
            for rule in SELECTION_RULES
        }
        selected = position[self.selection_rule]
        self.alpha_ = float(grid.alphas[selected])
        self.alpha_min_, self.alpha_1se_ = (float(grid.alphas[position[rule]]) for rule in ("min", "1se"))
        if hasattr(self, "l1_ratio"):
            self.l1_ratio_ = grid.l1_ratio
        alphas = np.array([grid.alphas for grid in grids])
        every = (alphas, errors, standard_error)
        self.alphas_, self.mse_path_, self.standard_error_path_ = (
            part[0] if len(grids) == 1 else part for part in every
        )
        return grid, selected

    def _finish(self, problem, penalty, coef, n_iter) -> Solution:
        """Certify the path's solution from the rows, and go on from it where that is not enough."""
        coef = coef[None]
        gap = dual_gap(problem, coef, penalty)
        n_iter = np.array([n_iter])
        if not gap[0] <= self.tol * problem.null_value[0]:
            more = self._solve(problem, penalty, coef_init=coef)
            if more.dual_gap[0] <= gap[0]:
                return Solution(more.coef, more.dual_gap, n_iter + more.n_iter)
        return Solution(coef, gap, n_iter)

    def _solve(self, problem: LeastSquares, penalty: ElasticNetPenalty, *, coef_init=None) -> Solution:
        return solve_elastic_net(problem, penalty, coef_init=coef_init, tol=self.tol, max_iter=self.max_iter)

    def _warn_unless_all_converged(self, grids, of_folds, solution, problem) -> None:
        """Warn once of all solutions above the tolerance: those of the folds and the one that is kept."""
        null = problem.null_value[0]
        kept = solution.dual_gap[0] / (null if null > 0 else 1.0)
        gaps = np.append(np.stack([result.gaps for result in of_folds]), kept)
        failed = ~(gaps <= self.tol)  # a gap that is not a number is not small
        if not failed.any():
            return
        worst = int(np.argmax(np.where(failed, gaps, -np.inf)))
        if worst == gaps.size - 1:
            where, spent = "all rows", solution.n_iter[0]
        else:
            fold, row, column = np.unravel_index(worst, (len(of_folds), len(grids), grids[0].alphas.size))
            where = f"fold {fold}, alpha={grids[row].alphas[column]:.3g}"
            where += f", l1_ratio={grids[row].l1_ratio:g}" if len(grids) > 1 else ""
            spent = of_folds[fold].n_iter[row, column]
        end, cure = how_it_ended(spent, self.max_iter)
        warnings.warn(
            f"{failed.sum()} of {failed.size} fits of {type(self).__name__} are above "
            f"tol={float(self.tol):g}; the worst ({where}) {end}: its duality gap is {gaps[worst]:.3g} of "
            f"the null model's objective. Increase {cure.replace('alpha', 'the smallest alpha (eps)')}, or "
            "standardise the features.",
            ConvergenceWarning,
            stacklevel=4,
        )


def _splits(cv, X, y, split_params):
    """Split the rows by what scikit-learn takes for `cv`."""
    if hasattr(cv, "split") and not isinstance(cv, str):
        return cv.split(X, y, **split_params)
    if cv is None or isinstance(cv, Integral):
        check_number("cv", 5 if cv is None else cv, low=2, kind=Integral)
        return check_cv(cv).split(X, y)
    if isinstance(cv, str) or not np.iterable(cv):
        raise TypeError(f"cv must be an integer ≥ 2, a splitter or a list of splits, got {cv!r}.")
    return cv


def _rows(problem: LeastSquares, X, y, weights, fit_intercept: bool) -> Rows:
    """Take the rows of positive weight in float64, with y about its mean, so that its errors keep digits."""
    kept = weights > 0
    if isinstance(problem, DenseLeastSquares):
        X = problem.X  # centred already where a shift would lose digits
    else:
        X = sparse.csr_array(X, dtype=np.float64)[kept]
    return Rows(X, y[kept] - problem.y_mean[0], weights[kept], fit_intercept)


def _full_path(problem: LeastSquares, by_moments: bool, grid: Grid, tol: float, max_iter: int) -> Solution:
    """Solve the path of all rows."""
    if by_moments:
        return solve_by_moments(problem.quadratic, lambda: problem, grid, tol=tol, max_iter=max_iter)
    return solve_path(problem, grid.penalties(problem.total_weight), tol=tol, max_iter=max_iter)


class LassoCV(_L1LinearModelCV):
    """Lasso whose alpha cross-validation selects, along a path of certified solutions in every fold.

    Minimises 1/(2S) Σ sᵢ (yᵢ − xᵢᵀw − b)² + α ‖w‖₁, scikit-learn's objective, with S = Σ sᵢ, on all rows, at
    the alpha whose mean squared error on the rows that each fold holds out is least, or at the largest alpha
    within one standard error of that.

    Parameters
    ----------
    eps : float, default=1e-3
        Ratio of the smallest alpha to the largest, in (0, 1), for an integer `alphas`.
    alphas : int or array-like of shape (n_alphas,), default=100
        How many alphas, evenly spaced in log from the smallest that sets every penalised coefficient to
        zero down to `eps` times that; or the alphas themselves.
    fit_intercept : bool, default=True
        Whether to fit b, which is not penalised.
    positive : bool, default=False
        Whether to confine the coefficients to w ≥ 0.
    penalty_weights : array-like of shape (n_features,), optional
        A factor vⱼ ≥ 0 for each feature: its penalty is α vⱼ |wⱼ|. 0 leaves a feature unpenalised.
        They go by position; a Series must have the feature names as its index, in their order.
    cv : int, splitter or iterable, default=None
        How to split the rows: a number of folds, a splitter of `sklearn.model_selection`, or the splits
        themselves, pairs of train and test indices. None stands for 5 folds of rows that follow each other.
    selection_rule : {"min", "1se"}, default="min"
        Which alpha to take: that of the least error, or the largest whose error is within one standard error
        of the least. Of equals, the largest.
    tol : float, default=1e-8
        The duality gap promised for every alpha in every fold, relative to the null model's objective.
    max_iter : int, default=1000
        At most this many sweeps and Newton steps for each.
    n_jobs : int, optional
        How many folds at once, by joblib: None for one, or what `joblib.parallel_config` says, -1 for as
        many as there are cores. Threads by default; the result is the same.

    Attributes
    ----------
    alpha_ : float
        The alpha selected.
    alpha_min_, alpha_1se_ : float
        The alphas that the rules "min" and "1se" select.
    alphas_ : ndarray of shape (n_alphas,)
        The alphas tried, decreasing.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Mean squared error of each fold's test rows at each alpha, in the units of y².
    standard_error_path_ : ndarray of shape (n_alphas,)
        Standard error of the mean over folds of `mse_path_`.
    coef_path_ : ndarray of shape (n_features, n_alphas)
        Coefficients of all rows at each alpha, float64.
    intercept_path_ : ndarray of shape (n_alphas,)
        Their intercepts.
    coef_ : ndarray of shape (n_features,)
        Coefficients w at `alpha_`, in X's dtype.
    sparse_coef_ : CSR array of shape (1, n_features)
        The same, sparse.
    intercept_ : float
        Intercept b, in the units of y and X's dtype; 0.0 without one.
    dual_gap_ : float
        An upper bound of how far the objective above, at `coef_` and `intercept_` as stored, is from its
        minimum.
    n_iter_ : int
        Sweeps and Newton steps spent on `coef_`, from the solution at the alpha before.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had string column names.

    See Also
    --------
    ElasticNetCV : Selects a share of the L2 penalty too.
    Lasso : At a given alpha.
    regularization_path : The path without cross-validation.

    References
    ----------
    Tibshirani, R. (1996). Regression shrinkage and selection via the lasso, JRSS B 58(1), 267-288, Section 4;
    Breiman, L., Friedman, J., Olshen, R. and Stone, C. (1984). Classification and Regression Trees,
    Section 3.4.3, for the one-standard-error rule.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.linear_model import LassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 10))
    >>> y = X[:, 0] - 2.0 * X[:, 1] + rng.standard_normal(100)
    >>> model = LassoCV(selection_rule="1se").fit(X, y)
    >>> np.flatnonzero(model.coef_)
    array([0, 1])
    >>> model.alpha_min_ < model.alpha_
    True
    """

    def __init__(
        self,
        *,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        positive=False,
        penalty_weights=None,
        cv=None,
        selection_rule="min",
        tol=1e-8,
        max_iter=1000,
        n_jobs=None,
    ):
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.cv = cv
        self.selection_rule = selection_rule
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def _penalty(self, total_weight: float) -> ElasticNetPenalty:
        return ElasticNetPenalty.from_alpha(
            self.alpha_, 1.0, total_weight, factors=self.penalty_weights, positive=self.positive
        )


class ElasticNetCV(_L1LinearModelCV):
    """Elastic net whose alpha and l1_ratio cross-validation selects, along certified paths in every fold.

    Minimises 1/(2S) Σ sᵢ (yᵢ − xᵢᵀw − b)² + αρ ‖w‖₁ + ½α(1−ρ) ‖w‖², scikit-learn's objective, with S = Σ sᵢ,
    on all rows. ρ is the one that reaches the least mean squared error on the rows that each fold holds out;
    alpha is the one of that error, or the largest for that ρ within one standard error of it.

    Parameters
    ----------
    l1_ratio : float or array-like of shape (n_l1_ratio,), default=0.5
        The share ρ in [0, 1] of the L1 part, or several to select from: 1 is the Lasso; 0 is Ridge, and needs
        the alphas themselves.
    eps : float, default=1e-3
        Ratio of the smallest alpha to the largest, in (0, 1), for an integer `alphas`.
    alphas : int or array-like of shape (n_alphas,), default=100
        How many alphas for each l1_ratio, evenly spaced in log from the smallest that sets every penalised
        coefficient to zero down to `eps` times that; or the alphas themselves.
    fit_intercept : bool, default=True
        Whether to fit b, which is not penalised.
    positive : bool, default=False
        Whether to confine the coefficients to w ≥ 0.
    penalty_weights : array-like of shape (n_features,), optional
        A factor vⱼ ≥ 0 for each feature, multiplying both parts; 0 leaves a feature unpenalised.
        They go by position; a Series must have the feature names as its index, in their order.
    cv : int, splitter or iterable, default=None
        How to split the rows: a number of folds, a splitter of `sklearn.model_selection`, or the splits
        themselves, pairs of train and test indices. None stands for 5 folds of rows that follow each other.
    selection_rule : {"min", "1se"}, default="min"
        Which alpha to take: that of the least error, or the largest whose error is within one standard error
        of the least. Of equals, the largest; of equal l1_ratios, the first.
    tol : float, default=1e-8
        The duality gap promised for every alpha in every fold, relative to the null model's objective.
    max_iter : int, default=1000
        At most this many sweeps and Newton steps for each.
    n_jobs : int, optional
        How many folds at once, by joblib: None for one, or what `joblib.parallel_config` says, -1 for as
        many as there are cores. Threads by default; the result is the same.

    Attributes
    ----------
    alpha_ : float
        The alpha selected.
    l1_ratio_ : float
        The l1_ratio selected.
    alpha_min_, alpha_1se_ : float
        The alphas that the rules "min" and "1se" select at `l1_ratio_`.
    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratio, n_alphas)
        The alphas tried, decreasing; a row for each of several l1_ratios, if they were not given.
    mse_path_ : ndarray of shape (n_alphas, n_folds) or (n_l1_ratio, n_alphas, n_folds)
        Mean squared error of each fold's test rows at each alpha, in the units of y².
    standard_error_path_ : ndarray of shape (n_alphas,) or (n_l1_ratio, n_alphas)
        Standard error of the mean over folds of `mse_path_`.
    coef_path_ : ndarray of shape (n_features, n_alphas)
        Coefficients of all rows at each alpha of `l1_ratio_`, float64.
    intercept_path_ : ndarray of shape (n_alphas,)
        Their intercepts.
    coef_ : ndarray of shape (n_features,)
        Coefficients w at `alpha_` and `l1_ratio_`, in X's dtype.
    sparse_coef_ : CSR array of shape (1, n_features)
        The same, sparse.
    intercept_ : float
        Intercept b, in the units of y and X's dtype; 0.0 without one.
    dual_gap_ : float
        An upper bound of how far the objective above, at `coef_` and `intercept_` as stored, is from its
        minimum.
    n_iter_ : int
        Sweeps and Newton steps spent on `coef_`, from the solution at the alpha before.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had string column names.

    See Also
    --------
    LassoCV : The L1 part alone.
    ElasticNet : At a given alpha and l1_ratio.
    regularization_path : The path without cross-validation.

    References
    ----------
    Zou, H. and Hastie, T. (2005). Regularization and variable selection via the elastic net,
    JRSS B 67(2), 301-320, Section 3.5.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.linear_model import ElasticNetCV
    >>> height = np.linspace(1.5, 1.9, 40)
    >>> X = np.column_stack([height, 39.37 * height, np.tile([0.0, 1.0], 20)])
    >>> model = ElasticNetCV(l1_ratio=[0.1, 0.5, 1.0], cv=4).fit(X, 50.0 * height)
    >>> model.mse_path_.shape
    (3, 100, 4)
    >>> model.l1_ratio_
    1.0
    """

    def __init__(
        self,
        *,
        l1_ratio=0.5,
        eps=1e-3,
        alphas=100,
        fit_intercept=True,
        positive=False,
        penalty_weights=None,
        cv=None,
        selection_rule="min",
        tol=1e-8,
        max_iter=1000,
        n_jobs=None,
    ):
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.cv = cv
        self.selection_rule = selection_rule
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def _penalty(self, total_weight: float) -> ElasticNetPenalty:
        return ElasticNetPenalty.from_alpha(
            self.alpha_, self.l1_ratio_, total_weight, factors=self.penalty_weights, positive=self.positive
        )

    def _l1_ratios(self) -> list[float]:
        ratios = self.l1_ratio
        if isinstance(ratios, str) or not np.iterable(ratios):
            ratios = [ratios]
        if len(ratios) == 0:
            raise ValueError(f"l1_ratio must be a number between 0 and 1 or a list of them, got {ratios!r}.")
        for ratio in ratios:
            check_number("l1_ratio", ratio, low=0, high=1)
        return [float(ratio) for ratio in ratios]
