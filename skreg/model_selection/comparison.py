"""One table that compares the ways to regularise, made from the user's own data."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import check_scoring
from sklearn.model_selection import KFold, StratifiedKFold, check_cv
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import check_X_y

from skreg.bayes.regressor import BayesianRegressor
from skreg.linear_model._base import check_coverage, check_flag, check_number
from skreg.linear_model._tasks import check_n_jobs
from skreg.linear_model.cross_validation import ElasticNetCV, LassoCV
from skreg.linear_model.elastic_net import ElasticNet, Lasso
from skreg.linear_model.ridge import Ridge
from skreg.linear_model.ridge_cv import RidgeCV
from skreg.model_selection._runs import run
from skreg.neural_network import BaggedDropoutMLPClassifier, BaggedDropoutMLPRegressor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TECHNIQUES", "compare_regularizers"]

FloatArray = NDArray[np.float64]

_L1_RATIOS = (0.1, 0.5, 0.9)
# Integers of at most so many different values are taken for classes.
_MOST_CLASSES = 10


@dataclass(frozen=True)
class _Technique:
    """A way to regularise: its estimators, and what there is to say of it."""

    prior: str
    best_for: str
    effect: str
    regressor: Callable[[int], Any]
    classifier: Callable[[int], Any]
    # The regressor with the alpha that it has settled on, whose posterior can be asked.
    settled: Callable[[Any], Any] | None = None


def _logistic(l1_ratios: Sequence[float]) -> Callable[[int], Any]:
    def classifier(seed: int) -> Any:
        return LogisticRegressionCV(
            l1_ratios=l1_ratios,
            solver="lbfgs" if tuple(l1_ratios) == (0.0,) else "saga",
            scoring="neg_log_loss",
            use_legacy_attributes=False,
            max_iter=1000,
            tol=1e-3,
            cv=StratifiedKFold(5, shuffle=True, random_state=seed),
            random_state=seed,
        )

    return classifier


def _folds(seed: int) -> KFold:
    """Draw the folds that choose an alpha; shuffled, since the order of the rows must not decide it."""
    return KFold(5, shuffle=True, random_state=seed)


TECHNIQUES: dict[str, _Technique] = {
    "ols": _Technique(
        "flat",
        "many more rows than features, and none to spare",
        "no shrinkage: no bias, the most variance",
        lambda seed: Ridge(alpha=0.0),
        lambda seed: LogisticRegression(C=np.inf, max_iter=1000),
    ),
    "ridge": _Technique(
        "Gaussian",
        "many small effects, correlated features",
        "shrinks all of them in proportion, none to zero",
        lambda seed: RidgeCV(alphas=50),
        _logistic((0.0,)),
        lambda fitted: Ridge(alpha=fitted.alpha_),
    ),
    "lasso": _Technique(
        "Laplace",
        "few features that matter",
        "takes the same from all, and sets small ones to zero; of a correlated group it keeps one",
        lambda seed: LassoCV(cv=_folds(seed)),
        _logistic((1.0,)),
        lambda fitted: Lasso(alpha=fitted.alpha_),
    ),
    "elastic net": _Technique(
        "Laplace × Gaussian",
        "few groups of correlated features that matter",
        "sets small ones to zero, and shares within a group",
        lambda seed: ElasticNetCV(l1_ratio=list(_L1_RATIOS), cv=_folds(seed)),
        _logistic(_L1_RATIOS),
        lambda fitted: ElasticNet(alpha=fitted.alpha_, l1_ratio=fitted.l1_ratio_),
    ),
    "bagged dropout": _Technique(
        "none that is a penalty: an average over thinned networks",
        "curves and interactions, with rows enough to learn them",
        "no unit can rely on another; averaging takes the variance",
        lambda seed: BaggedDropoutMLPRegressor(random_state=seed),
        lambda seed: BaggedDropoutMLPClassifier(random_state=seed),
    ),
}


def compare_regularizers(
    X: Any,
    y: Any,
    *,
    cv: Any = None,
    techniques: Sequence[str] = ("ols", "ridge", "lasso", "elastic net", "bagged dropout"),
    task: str | None = None,
    scoring: Any = None,
    coverage: float = 0.9,
    correlated: float = 0.7,
    random_state: Any = None,
    n_jobs: int | None = None,
    progressbar: bool = False,
) -> pd.DataFrame:
    """Fit the ways to regularise to the same data, and lay out what each does with them.

    Every technique standardises the features on the rows that it is trained on, and chooses its own alpha
    within them: by five shuffled folds, or, Ridge for a regression, by leaving out each row. Scores,
    coverages and seconds are those of the outer folds; coefficients those of a fit of all rows, per standard
    deviation of each feature.

    Parameters
    ----------
    X : {array-like, dataframe} of shape (n_samples, n_features)
        Numeric data.
    y : array-like of shape (n_samples,)
        Target.
    cv : int, splitter or iterable, default=None
        The outer folds; None stands for 5, shuffled, and stratified for classes.
    techniques : sequence of str
        Which, of ``"ols"``, ``"ridge"``, ``"lasso"``, ``"elastic net"`` and ``"bagged dropout"``.
    task : {"regression", "classification"}, default=None
        By default classification if y is not numeric, or is of integers with at most 10 different values. The
        linear techniques are logistic regressions then, scikit-learn's.
    scoring : str or callable, default=None
        As scikit-learn takes it; by default R² or, of classes, accuracy.
    coverage : float, default=0.9
        Of the intervals whose share of test rows is counted, strictly between 0 and 1.
    correlated : float, default=0.7
        Features are in one group if they are linked by correlations of at least this size.
    random_state : int, RandomState instance or None, default=None
        Draws the folds, the networks and the posteriors. An integer gives the same numbers every time (but
        for seconds), whatever `n_jobs`.
    n_jobs : int, default=None
        How many fits at once; joblib's meaning.
    progressbar : bool, default=False
        Whether to show how many of the fits are done.

    Returns
    -------
    pandas.DataFrame
        A row for each technique, in the order given, with columns

        - ``prior``: of which the solution is the posterior mode;
        - ``alpha``: chosen by cross-validation on all rows, in scikit-learn's units; of logistic regression
          1/C;
        - ``score``, ``standard_error``: mean over the outer folds, and its standard error;
        - ``n_nonzero``: coefficients that are not zero;
        - ``norm``: ‖w‖ of the coefficients per standard deviation, of y too for a regression;
        - ``spread``: within groups of correlated features, the standard deviation of the coefficients over
          their mean size, signs aligned: 0 if they share alike, √(m − 1) if one of m has all; groups count
          by the size of their coefficients;
        - ``coverage``: the share of test rows in the posterior predictive interval of the alpha chosen, where
          there is one: least squares has a flat prior, and a classification none of ours;
        - ``seconds``: of a fit, on average over the outer folds, the choice of alpha included;
        - ``best_for``, ``effect``: in words.

        NaN where it does not apply: a network has no coefficients of features.

    Raises
    ------
    ValueError, TypeError
        If a parameter or the data are out of range or of the wrong kind.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg import compare_regularizers
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 10))
    >>> y = 2.0 * X[:, 0] + rng.standard_normal(60)
    >>> table = compare_regularizers(X, y, techniques=("ols", "lasso"), random_state=0)
    >>> table["n_nonzero"].to_dict()
    {'ols': 10.0, 'lasso': 2.0}
    """
    import pandas as pd

    names = _check_techniques(techniques)
    check_coverage(coverage)
    check_number("correlated", correlated, low=0, high=1)
    check_n_jobs(n_jobs)
    check_flag("progressbar", progressbar)
    classes = _is_classification(y, task)
    if classes:
        y = column_or_1d(y, warn=True)
        X, _ = check_X_y(X, np.unique(y, return_inverse=True)[1], dtype=np.float64)
        y = np.asarray(y)
    else:
        X, y = check_X_y(X, y, dtype=np.float64, y_numeric=True)
        y = y.astype(np.float64)
    if classes and scoring is None:
        scoring = "accuracy"  # LogisticRegressionCV's own score is what it chooses its alpha by
    random = check_random_state(random_state)
    seeds = random.randint(np.iinfo(np.int32).max, size=2)
    fold_seed, seed = int(seeds[0]), int(seeds[1])
    if cv is None:
        cv = (StratifiedKFold if classes else KFold)(5, shuffle=True, random_state=fold_seed)
    folds = list(check_cv(cv, y, classifier=classes).split(X, y))
    models = {
        name: make_pipeline(
            StandardScaler(), getattr(TECHNIQUES[name], "classifier" if classes else "regressor")(seed)
        )
        for name in names
    }
    tasks: list[tuple[Any, ...]] = [
        (
            _in_fold,
            models[name],
            None if classes else TECHNIQUES[name].settled,
            X,
            y,
            fold,
            scoring,
            coverage,
            seed,
        )
        for name in names
        for fold in folds
    ]
    tasks += [(_fitted, models[name], X, y) for name in names]
    with warnings.catch_warnings():
        # Logistic regression's on the way to its alpha; the score says what it led to. Out here: filters are
        # the whole process's, and threads that set and restore them undo each other's.
        warnings.filterwarnings("ignore", category=ConvergenceWarning, module="sklearn")
        results = list(run(tasks, n_jobs, progressbar, "fits"))
    groups = _correlated_groups(X, correlated)
    rows = []
    for i, name in enumerate(names):
        scores, covered, seconds = np.array(results[i * len(folds) : (i + 1) * len(folds)]).T
        technique = TECHNIQUES[name]
        rows.append(
            {
                "technique": name,
                "prior": technique.prior,
                **_summary(results[len(names) * len(folds) + i], 1.0 if classes else y.std(), groups),
                "score": scores.mean(),
                "standard_error": scores.std(ddof=1) / np.sqrt(len(folds)) if len(folds) > 1 else np.nan,
                "coverage": covered.mean(),
                "seconds": seconds.mean(),
                "best_for": technique.best_for,
                "effect": technique.effect,
            }
        )
    order = [
        "prior",
        "alpha",
        "score",
        "standard_error",
        "n_nonzero",
        "norm",
        "spread",
        "coverage",
        "seconds",
    ]
    return pd.DataFrame(rows).set_index("technique")[[*order, "best_for", "effect"]]


def _check_techniques(techniques: Any) -> list[str]:
    names = [techniques] if isinstance(techniques, str) else list(techniques)
    unknown = [name for name in names if name not in TECHNIQUES]
    if unknown or not names or len(set(names)) < len(names):
        raise ValueError(
            f"techniques must be some of {', '.join(map(repr, TECHNIQUES))}, got {techniques!r}."
        )
    return names


def _is_classification(y: Any, task: str | None) -> bool:
    if task not in (None, "regression", "classification"):
        raise ValueError(f'task must be "regression", "classification" or None, got {task!r}.')
    if task is not None:
        return task == "classification"
    values = np.asarray(y)
    if values.dtype.kind in "iu":
        return np.unique(values).size <= _MOST_CLASSES
    return values.dtype.kind != "f"


def _fitted(model: Any, X: FloatArray, y: NDArray[Any]) -> Any:
    return clone(model).fit(X, y)


def _in_fold(model, settled, X, y, fold, scoring, coverage, seed) -> tuple[float, float, float]:
    """Train on a fold; return the score, the coverage and the seconds."""
    train, test = fold
    start = time.perf_counter()
    fitted = _fitted(model, X[train], y[train])
    seconds = time.perf_counter() - start
    score = check_scoring(fitted, scoring=scoring)(fitted, X[test], y[test])
    covered = np.nan
    if settled is not None:
        posterior = BayesianRegressor(
            make_pipeline(StandardScaler(), settled(fitted[-1])), random_state=seed, n_jobs=1
        ).fit(X[train], y[train])
        low, high = posterior.predict_interval(X[test], coverage=coverage).T
        covered = float(np.mean((low <= y[test]) & (y[test] <= high)))
    return float(score), covered, seconds


def _summary(
    fitted: Any, scale: float, groups: list[tuple[FloatArray, NDArray[np.intp]]]
) -> dict[str, float]:
    """Say what a fit of all rows did with the coefficients."""
    model = fitted[-1]
    if not hasattr(model, "coef_"):
        return {"alpha": np.nan, "n_nonzero": np.nan, "norm": np.nan, "spread": np.nan}
    coef = np.atleast_2d(model.coef_)
    if hasattr(model, "C_"):
        alpha = float(np.mean(1.0 / np.asarray(model.C_)))
    else:
        alpha = (
            1.0 / model.C
            if hasattr(model, "C")
            else getattr(model, "alpha_", model.get_params().get("alpha"))
        )
    return {
        "alpha": float(alpha),
        "n_nonzero": float(np.count_nonzero(np.any(coef != 0.0, axis=0))),
        "norm": float(np.linalg.norm(coef) / (scale if scale > 0 else 1.0)),
        "spread": _spread(coef, groups),
    }


def _correlated_groups(X: FloatArray, least: float) -> list[tuple[FloatArray, NDArray[np.intp]]]:
    """Find the groups of linked features, and the sign of each in its group."""
    A = X - X.mean(axis=0)
    A = A / np.where(A.std(axis=0) > 0, A.std(axis=0) * np.sqrt(len(X)), 1.0)
    correlation = A.T @ A
    count, label = connected_components(np.abs(correlation) >= least, directed=False)
    groups = [np.flatnonzero(label == k) for k in range(count)]
    return [(np.where(correlation[g[0], g] < 0, -1.0, 1.0), g) for g in groups if g.size > 1]


def _spread(coef: FloatArray, groups: list[tuple[FloatArray, NDArray[np.intp]]]) -> float:
    """Compare the standard deviations of the groups' aligned coefficients with their mean sizes."""
    aligned = [sign * row[group] for row in coef for sign, group in groups]
    size = sum(np.abs(part).mean() for part in aligned)
    return float(sum(part.std() for part in aligned) / size) if size > 0 else np.nan
