"""What each library is called with, for each task: `LIBRARIES[name].call(task, tol, threads)` gives fit(X,
y).

`task` is the dictionary of `Task.at`. fit returns (coef as features × solutions, intercepts, iterations,
alpha, l1_ratio), the last two for what a cross-validation chose. Libraries are imported inside their
functions: a worker needs only its own. Iteration limits are far beyond the defaults, so that the tolerance
alone decides; whatever a library needs beside its solver to fit an intercept (centring, where its path
function has none) is inside fit.
"""

from dataclasses import dataclass

import numpy as np

MANY = 100_000
FAMILY = ("single", "path", "cv", "ridge_cv")


@dataclass(frozen=True)
class Library:
    """How a library is called, which tasks it can do, and the tolerance that the search starts from."""

    call: object
    package: str
    kinds: tuple
    first_exponent: int | None = None  # of the tolerance; None: its own default, not searched
    last_exponent: int = 10
    why_not: object = lambda task, is_sparse, n, p: None


def _of(model):
    coef = np.atleast_2d(model.coef_).T
    alpha = getattr(model, "alpha_", None)
    return coef, model.intercept_, getattr(model, "n_iter_", None), alpha, getattr(model, "l1_ratio_", None)


def _centred(X, y):
    """Return X and y less their means; a sparse X as it is, with its means beside it."""
    mean = np.asarray(X.mean(axis=0)).ravel()
    return (X - mean if isinstance(X, np.ndarray) else X), y - y.mean(), mean


def _fitter(model):
    return lambda X, y: _of(model.fit(X, y))


def _cv_grid(task):
    """Return the alphas of a cross-validation as scikit-learn's classes take them."""
    return (
        {"alphas": np.array(task["alphas"])}
        if task["alphas"]
        else {"alphas": 100, "eps": 1 / task["divisor"]}
    )


def skreg(task, tol, threads):
    """skreg, with its defaults."""
    from skreg import linear_model as ours

    alphas, ratio = np.array(task["alphas"]), task["l1_ratio"]
    if task["kind"] == "single":
        lasso = ratio == 1
        return _fitter(ours.Lasso(alphas[0]) if lasso else ours.ElasticNet(alphas[0], l1_ratio=ratio))
    if task["kind"] == "path":

        def fit(X, y):
            path = ours.regularization_path(X, y, l1_ratio=ratio, alphas=alphas)
            return path.coefs, path.intercepts, path.n_iters.sum(), None, None

        return fit
    if task["kind"] == "ridge_cv":
        return _fitter(ours.RidgeCV(alphas=alphas, cv=task["cv"]))
    if isinstance(ratio, list):
        return _fitter(ours.ElasticNetCV(l1_ratio=ratio, cv=task["cv"], n_jobs=threads, **_cv_grid(task)))
    return _fitter(ours.LassoCV(cv=task["cv"], n_jobs=threads, **_cv_grid(task)))


def scikit_learn(task, tol, threads, precompute=False):
    """scikit-learn: its estimators, and its path function behind a centring."""
    from sklearn import linear_model as theirs

    alphas, ratio = np.array(task["alphas"]), task["l1_ratio"]
    common = {"tol": tol, "max_iter": MANY}
    if task["kind"] == "single":
        common["precompute"] = precompute
        if ratio == 1:
            return _fitter(theirs.Lasso(alphas[0], **common))
        return _fitter(theirs.ElasticNet(alphas[0], l1_ratio=ratio, **common))
    if task["kind"] == "path":

        def fit(X, y):
            Xc, yc, mean = _centred(X, y)
            shift = {} if Xc is not X else {"X_offset": mean, "X_scale": np.ones(len(mean))}
            _, coefs, _, n_iters = theirs.enet_path(
                Xc, yc, l1_ratio=ratio, alphas=alphas, return_n_iter=True, **common, **shift
            )
            return coefs, y.mean() - mean @ coefs, sum(n_iters), None, None

        return fit
    if task["kind"] == "ridge_cv":
        return _fitter(theirs.RidgeCV(alphas=alphas, cv=task["cv"]))
    common |= {"cv": task["cv"], "n_jobs": threads} | _cv_grid(task)
    if isinstance(ratio, list):
        return _fitter(theirs.ElasticNetCV(l1_ratio=ratio, **common))
    return _fitter(theirs.LassoCV(**common))


def scikit_learn_gram(task, tol, threads):
    """scikit-learn's single fits with the Gram matrix, which is not their default."""
    return scikit_learn(task, tol, threads, precompute=True)


def celer(task, tol, threads):
    """celer: its estimators, and its path function behind a centring."""
    import celer as theirs

    alphas, ratio = np.array(task["alphas"]), task["l1_ratio"]
    common = {"tol": tol, "max_iter": 1000}
    if task["kind"] == "single":
        if ratio == 1:
            return _fitter(theirs.Lasso(alphas[0], **common))
        return _fitter(theirs.ElasticNet(alphas[0], l1_ratio=ratio, **common))
    if task["kind"] == "path":

        def fit(X, y):
            Xc, yc, mean = _centred(X, y)
            shift = {} if Xc is not X else {"X_offset": mean, "X_scale": np.ones(len(mean))}
            _, coefs, _, n_iters = theirs.celer_path(
                Xc,
                yc,
                "lasso",
                alphas=alphas,
                l1_ratio=ratio,
                prune=True,
                return_n_iter=True,
                **common,
                **shift,
            )
            return coefs, y.mean() - mean @ coefs, sum(n_iters), None, None

        return fit
    grid = {"alphas": alphas} if len(alphas) else {"n_alphas": 100, "eps": 1 / task["divisor"]}
    common |= {"cv": task["cv"], "n_jobs": threads} | grid
    if isinstance(ratio, list):
        return _fitter(theirs.ElasticNetCV(l1_ratio=ratio, **common))
    return _fitter(theirs.LassoCV(**common))


def skglm(task, tol, threads):
    """skglm: its estimators, and the path of its solver."""
    import skglm as theirs
    from skglm.datafits import Quadratic
    from skglm.penalties import L1, L1_plus_L2
    from skglm.solvers import AndersonCD

    alphas, ratio = np.array(task["alphas"]), task["l1_ratio"]
    common = {"tol": tol, "max_iter": 1000}
    if task["kind"] == "single":
        if ratio == 1:
            return _fitter(theirs.Lasso(alphas[0], **common))
        return _fitter(theirs.ElasticNet(alphas[0], l1_ratio=ratio, **common))
    penalty = L1(alphas[0]) if ratio == 1 else L1_plus_L2(alphas[0], ratio)

    def fit(X, y):
        solver = AndersonCD(fit_intercept=True, **common)
        _, coefs, _, n_iters = solver.path(X, y, Quadratic(), penalty, alphas=alphas, return_n_iter=True)
        return coefs[:-1], coefs[-1], sum(n_iters), None, None

    return fit


def glum(task, tol, threads):
    """Run glum with the normal family, whose default link is the identity."""
    import glum as theirs

    alphas, ratio = np.array(task["alphas"]), task["l1_ratio"]
    common = {"l1_ratio": ratio, "gradient_tol": tol, "max_iter": 1000}
    if task["kind"] == "single":
        return _fitter(theirs.GeneralizedLinearRegressor(alpha=alphas[0], **common))
    if task["kind"] == "path":

        def fit(X, y):
            model = theirs.GeneralizedLinearRegressor(alpha_search=True, alphas=alphas, **common).fit(X, y)
            return np.asarray(model.coef_path_).T, model.intercept_path_, None, None, None

        return fit
    ridge = task["kind"] == "ridge_cv"
    if ridge:
        common["l1_ratio"] = 0

    def fit(X, y):
        scale = len(y) if ridge else 1  # its alpha is scikit-learn's ElasticNet's: Ridge's divided by n
        grid = (
            {"alphas": alphas / scale}
            if len(alphas)
            else {"n_alphas": 100, "min_alpha_ratio": 1 / task["divisor"]}
        )
        model = theirs.GeneralizedLinearRegressorCV(cv=task["cv"], n_jobs=threads, **grid, **common).fit(X, y)
        return model.coef_[:, None], model.intercept_, None, model.alpha_ * scale, model.l1_ratio_

    return fit


def skein(task, tol, threads):
    """skein-glm, whose alpha is l1_ratio and whose lambda is alpha."""
    import skein_glm as theirs
    from sklearn.model_selection import KFold

    alphas, ratio = np.array(task["alphas"]), task["l1_ratio"]
    common = {"alpha": ratio, "tol": tol, "max_iter": MANY}
    if task["kind"] == "single":
        return _fitter(theirs.ElasticNetRegressor(lambda_=alphas[0], **common))
    if task["kind"] == "path":

        def fit(X, y):
            model = theirs.ElasticNetPathRegressor(lambdas=alphas, **common).fit(X, y)
            return model.coefs_.T, model.intercepts_, None, None, None

        return fit

    def fit(X, y):
        folds = KFold(task["cv"])
        model = theirs.ElasticNetPathCV(lambdas=alphas, cv=folds, n_jobs=threads, **common).fit(X, y)
        return model.coef_[:, None], model.intercept_, None, model.lambda_best_, None

    return fit


def adelie(task, tol, threads):
    """adelie's path, without its rules to stop early."""
    import adelie as theirs

    alphas = np.array(task["alphas"])

    def fit(X, y):
        matrix = X if isinstance(X, np.ndarray) else theirs.matrix.sparse(X, n_threads=threads)
        state = theirs.grpnet(
            matrix,
            theirs.glm.gaussian(y),
            alpha=task["l1_ratio"],
            lmda_path=alphas,
            tol=tol,
            early_exit=False,
            progress_bar=False,
            n_threads=threads,
        )
        return state.betas.toarray().T, state.intercepts, None, None, None

    return fit


def _one_target_no_loo(task, is_sparse, n, p):
    if task.kind == "ridge_cv" and (task.cv is None or task.n_targets > 1):
        return "no leave-one-out, one target"


def _glum_not(task, is_sparse, n, p):
    return "its Hessian is dense" if is_sparse else _one_target_no_loo(task, is_sparse, n, p)


def _one_ratio(task, is_sparse, n, p):
    if isinstance(task.l1_ratio, list):
        return "one l1_ratio"


def _gram_not(task, is_sparse, n, p):
    return "n < p or sparse" if is_sparse or n < p else None


# adelie's tolerance is of the coefficients' last change, in the objective's metric: it must be far smaller.
LIBRARIES = {
    "skreg": Library(skreg, "skreg", FAMILY),
    "scikit-learn": Library(scikit_learn, "scikit-learn", FAMILY, 6),
    "scikit-learn Gram": Library(scikit_learn_gram, "scikit-learn", ("single",), 6, why_not=_gram_not),
    "celer": Library(celer, "celer", ("single", "path", "cv"), 6),
    "skglm": Library(skglm, "skglm", ("single", "path"), 5),
    "glum": Library(glum, "glum", FAMILY, 5, why_not=_glum_not),
    "skein-glm": Library(skein, "skein-glm", ("single", "path", "cv"), 7, why_not=_one_ratio),
    "adelie": Library(adelie, "adelie", ("path",), 11, 14),
}
