"""What the estimators with an L1 penalty whose alpha cross-validation selects share."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import sparse
from sklearn.callback import with_callbacks
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import column_or_1d

from skreg.execution.blas import one_blas_thread
from skreg.execution.rollback import unchanged_on_failure
from skreg.linear_model._base import LinearModel, SparseCoefficients, how_it_ended
from skreg.linear_model._cross_validated import CrossValidated, FoldwiseData, training_data
from skreg.linear_model._splits import draw_folds
from skreg.linear_model._tasks import Task, in_turn, reported, tasks_at_once
from skreg.linear_model.alpha_selection import SELECTION_RULES, fold_mean_and_standard_error, select_alpha
from skreg.linear_model.alphas import alpha_grid, check_path_alphas
from skreg.moments.collections import is_dask_collection
from skreg.penalties import ElasticNetPenalty
from skreg.solvers.certificate import dual_gap
from skreg.solvers.cross_validation import (
    Grid,
    Rows,
    fold_errors,
    solve_by_moments,
    suits_moments,
    take_moments,
)
from skreg.solvers.elastic_net import solve_elastic_net
from skreg.solvers.least_squares import LeastSquares
from skreg.solvers.path import solve_path
from skreg.solvers.quadratic import Quadratic
from skreg.solvers.solution import Solution

__all__ = ["L1LinearModelCV"]


class L1LinearModelCV(CrossValidated, SparseCoefficients, LinearModel):
    """What LassoCV and ElasticNetCV share: everything but the l1_ratio and the penalty."""

    def fit(self, X, y, sample_weight=None, **params):
        """Select alpha by cross-validation, and fit all rows with it.

        Parameters
        ----------
        X : {array-like, sparse matrix, dataframe} of shape (n_samples, n_features)
            Training data. float32 stays float32 in `coef_`; everything is solved in float64. A Dask Array or
            DataFrame is fitted by the moments of its folds, in one pass on the cluster; `cv` must then be a
            number, and `skreg.moments.dask_moments` says what the folds are.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : float or array-like of shape (n_samples,), optional
            Weights sᵢ ≥ 0 of the squared errors, in fitting and in measuring each fold. Rows of weight 0
            are left out after the folds have been drawn. As in scikit-learn every fold counts alike.
        **params : dict
            Metadata for the splitter, such as `groups`, if scikit-learn's metadata routing is enabled
            (``sklearn.set_config(enable_metadata_routing=True)``).

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
        with unchanged_on_failure(self), one_blas_thread():
            if is_dask_collection(X, y, sample_weight):
                return self._fit_collections(X, y, sample_weight, params)
            given = X, y
            X, y, weights, problem = self._validate(X, y, sample_weight)
            _, split_params = self._route(sample_weight, params)
            folds = draw_folds(self.cv, X, y, weights, split_params)
            training = training_data(*given, sample_weight, weights)
            rows = _rows(problem, X, np.asarray(y, dtype=np.float64), weights, self.fit_intercept)
            fitted = self._fit_paths(problem, rows, folds, X.dtype, training)
            self._warn_unless_all_converged(*fitted, problem)
        return self

    def _fit_folds(self, data: FoldwiseData) -> None:
        X, y, weights = data.rows
        rows = Rows(X, y[:, 0], weights, self.fit_intercept)
        fitted = self._fit_paths(data.problem, rows, data.splits, data.dtype, {})
        self._warn_unless_all_converged(*fitted, data.problem)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags

    def _check_alpha(self) -> None:
        check_path_alphas(self.alphas, self.eps, min(self._l1_ratios()))

    def _check_targets(self, y):
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(
                f"y has {y.shape[1]} targets; {type(self).__name__} selects alpha for one: fit each by "
                "itself, or all of them with sklearn.multioutput.MultiOutputRegressor."
            )
        return column_or_1d(y, warn=True)

    def _l1_ratios(self) -> list[float]:
        return [1.0]

    @with_callbacks
    def _fit_paths(self, problem, rows, folds, dtype, training):
        """Measure every alpha on every fold, select, solve the path of all rows, and keep it all."""
        context = self._begin(len(folds), training)
        with tasks_at_once(self.n_jobs) as run:
            fitted = self._select_and_solve(problem, rows, folds, dtype, run, context)
        self._end(context, training)
        return fitted

    def _select_and_solve(self, problem, rows, folds, dtype, run, context):
        l1_ratios = self._l1_ratios()
        given = check_path_alphas(self.alphas, self.eps, min(l1_ratios))
        n_alphas = given if isinstance(given, int) else given.size
        moments = None
        if suits_moments(rows, folds, n_alphas * len(l1_ratios)):
            moments = take_moments(rows, folds, run)
            # The path of all rows goes by the same Gram matrix.
            gram = moments.total.gram * problem.x_scale * problem.x_scale[:, None]
            problem.quadratic = Quadratic.of_rows(problem, gram, problem.c)
        grids = self._grids(problem, given, moments is not None)
        limits = (self.tol, self.max_iter)
        tasks = [
            reported(context, self, "fold", (fold_errors, rows, fold, grids, moments, number, *limits))
            for number, fold in enumerate(folds)
        ]

        def path_of(grid: Grid) -> Task:
            task = (_full_path, problem, moments is not None, grid, *limits)
            return reported(context, self, "all rows", task)

        if len(grids) == 1:  # then it need not wait for what the folds say
            *of_folds, path = run([*tasks, path_of(grids[0])])
        else:
            of_folds, path = run(tasks), None
        grid, selected = self._select(grids, np.stack([result.errors for result in of_folds], axis=-1))
        if not isinstance(given, int):
            self.alphas_ = given
        if path is None:
            (path,) = in_turn([path_of(grid)])
        penalty = self._penalty(problem.total_weight)
        solution = self._finish(problem, penalty, path.coef[selected], path.n_iter[selected])
        path.coef[selected], path.dual_gap[selected] = solution.coef[0], solution.dual_gap[0]
        path.n_iter[selected] = solution.n_iter[0]
        self.coef_path_, self.intercept_path_ = path.coef.T, problem.intercept(path.coef)
        self.intercept_path_[selected] = problem.intercept(solution.coef)[0]
        self._store(solution, problem, penalty, dtype=dtype, flat=True)
        return grids, of_folds, grid, path

    def _grids(self, problem, given, by_moments) -> list[Grid]:
        """Lay out the alphas of each l1_ratio."""
        l1_ratios = self._l1_ratios()
        if isinstance(given, int):
            # The alphas of ρ are those of the Lasso over ρ: αρ is what decides which coefficients vanish.
            lasso = Grid(np.ones(1), 1.0, self.penalty_weights, self.positive)
            (penalty,) = lasso.penalties(problem.total_weight)
            # Unpenalised features are fitted on the rows.
            from_moments = by_moments and penalty.penalized(problem.n_features).all()
            data = problem.quadratic if from_moments else problem
            alphas = alpha_grid(data, penalty, n_alphas=given, eps=float(self.eps))
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

    def _warn_unless_all_converged(self, grids, of_folds, grid, path, problem) -> None:
        """Warn once of all solutions above the tolerance, those of the folds and those of all rows."""
        null = problem.null_value[0]
        in_folds = np.stack([result.gaps for result in of_folds])
        gaps = np.append(in_folds, path.dual_gap / (null if null > 0 else 1.0))
        failed = ~(gaps <= self.tol)  # a gap that is not a number is not small
        if not failed.any():
            return
        worst = int(np.argmax(np.where(failed, gaps, -np.inf)))
        if worst >= in_folds.size:
            where, column, spent = "all rows", worst - in_folds.size, path.n_iter
        else:
            fold, row, column = np.unravel_index(worst, in_folds.shape)
            where, grid, spent = f"fold {fold}", grids[row], of_folds[fold].n_iter[row]
        where += f", alpha={grid.alphas[column]:.3g}"
        where += f", l1_ratio={grid.l1_ratio:g}" if len(grids) > 1 else ""
        end, cure = how_it_ended(spent[column], self.max_iter)
        warnings.warn(
            f"{failed.sum()} of {failed.size} fits of {type(self).__name__} are above "
            f"tol={float(self.tol):g}; the worst ({where}) {end}: its duality gap is {gaps[worst]:.3g} of "
            f"the null model's objective. Increase {cure.replace('alpha', 'the smallest alpha (eps)')}, or "
            "standardise the features.",
            ConvergenceWarning,
            stacklevel=3,
        )


def _rows(problem: LeastSquares, X, y, weights, fit_intercept: bool) -> Rows:
    """Take the rows of positive weight in float64, with y about its mean, so that its errors keep digits."""
    kept = weights > 0
    if problem.is_dense:
        X = problem.X  # centred already where a shift would lose digits
    else:
        X = sparse.csr_array(X, dtype=np.float64)
        X = X if kept.all() else X[kept]
    return Rows(X, y[kept] - problem.y_mean[0], weights[kept], fit_intercept)


def _full_path(problem: LeastSquares, by_moments: bool, grid: Grid, tol: float, max_iter: int) -> Solution:
    """Solve the path of all rows."""
    if by_moments:
        return solve_by_moments(problem.quadratic, lambda: problem, grid, tol=tol, max_iter=max_iter)
    return solve_path(problem, grid.penalties(problem.total_weight), tol=tol, max_iter=max_iter)
