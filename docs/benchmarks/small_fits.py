"""What a fit of small data costs, ours and scikit-learn's, call by call in turn in one warm process.

python docs/benchmarks/small_fits.py [repetitions]
"""

import statistics
import sys
import time

import numpy as np
from sklearn import linear_model as theirs

import skreg as ours

SHAPES = [(442, 10), (1000, 20)]


def data(n, p):
    """Make independent columns, of which a third matters."""
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.standard_normal((n, p)))
    y = X[:, ::3].sum(axis=1) + rng.standard_normal(n)
    return X, y, float(np.max(np.abs(X.T @ (y - y.mean()))) / n)


def estimators(alpha_max):
    """Pair the estimators; scikit-learn's Lasso at a tolerance that reaches a relative gap near 1e-6."""
    yield "Ridge(1)", ours.Ridge(1.0), theirs.Ridge(1.0)
    for divisor in (2, 10, 100):
        alpha = alpha_max / divisor
        yield f"Lasso, alpha_max/{divisor}", ours.Lasso(alpha), theirs.Lasso(alpha, tol=1e-6)


def main(repetitions):
    """Print medians and the ratio, scikit-learn's time over ours."""
    print(f"{'':12}{'':22}{'skreg, µs':>12}{'scikit-learn':>14}{'ratio':>8}")
    for n, p in SHAPES:
        X, y, alpha_max = data(n, p)
        for name, *pair in estimators(alpha_max):
            times = ([], [])
            for _ in range(repetitions):
                for estimator, spent in zip(pair, times, strict=True):
                    start = time.perf_counter()
                    estimator.fit(X, y)
                    spent.append(time.perf_counter() - start)
            mine, other = (statistics.median(spent) * 1e6 for spent in times)
            print(f"{f'{n}×{p}':12}{name:22}{mine:12.0f}{other:14.0f}{other / mine:8.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
