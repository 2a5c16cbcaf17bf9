"""The cases of the posterior benchmark: data from fixed seeds, alpha by cross-validation."""

import numpy as np

# name: (rows, columns, correlation of neighbouring columns), or the name and degree of real data
CASES = {
    "diabetes 442x10": "diabetes 1",
    "diabetes degree=2 442x65": "diabetes 2",
    "200x100": (200, 100, 0.5),
    "200x100 rho=0.95": (200, 100, 0.95),
    "500x500": (500, 500, 0.5),
    "2000x1000": (2000, 1000, 0.5),
    "200x2000": (200, 2000, 0.5),
}


def make(name):
    """Return X, standardised, and y."""
    source = CASES[name]
    if isinstance(source, str):
        from sklearn.datasets import load_diabetes
        from sklearn.preprocessing import PolynomialFeatures

        X, y = load_diabetes(return_X_y=True)
        X = PolynomialFeatures(int(source.split()[1]), include_bias=False).fit_transform(X / X.std(axis=0))
    else:
        n, p, rho = source
        rng = np.random.default_rng(20261125)
        X = np.empty((n, p))
        X[:, 0] = rng.standard_normal(n)
        for j in range(1, p):
            X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * rng.standard_normal(n)
        w = np.zeros(p)
        support = rng.choice(p, size=max(5, p // 20), replace=False)
        w[support] = rng.standard_normal(support.size)
        signal = X @ w
        y = 3.0 + signal + rng.standard_normal(n) * signal.std() / np.sqrt(5)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def estimator_for(kind, X, y):
    """Return the Lasso or the ElasticNet at the alpha that 5-fold cross-validation chooses."""
    from skreg import ElasticNet, ElasticNetCV, Lasso, LassoCV

    if kind == "lasso":
        return Lasso(alpha=LassoCV(cv=5).fit(X, y).alpha_)
    return ElasticNet(alpha=ElasticNetCV(l1_ratio=0.5, cv=5).fit(X, y).alpha_, l1_ratio=0.5)
