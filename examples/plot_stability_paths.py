"""Which features come again and again
===================================

A Lasso on all rows selects some features, and on other rows others. Stability selection fits random halves of
the rows, again and again, and keeps what nearly every half selects among its first few. The paths of the
signal rise to one and those of the noise stay below, and the number of false selections to be expected has a
bound. The Lasso at the alpha of cross-validation, made to predict, takes in more noise than signal.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skreg import LassoCV, StabilityDisplay, StabilitySelector

rng = np.random.default_rng(1)
n, p, n_signal = 200, 300, 6
X = rng.standard_normal((n, p))
X[:, 1:] += 0.5 * X[:, :-1]  # neighbours are correlated
X = pd.DataFrame((X - X.mean(axis=0)) / X.std(axis=0), columns=[f"gene_{j:03d}" for j in range(p)])
signal = [f"gene_{j:03d}" for j in (20, 70, 120, 170, 220, 270)]
y = X[signal].to_numpy() @ np.array([1.5, -1.5, 1.2, 1.2, -1.0, 1.0]) + 1.5 * rng.standard_normal(n)

selector = StabilitySelector(threshold=0.9, pfer=1.0, random_state=0, n_jobs=-1).fit(X, y)
display = StabilityDisplay.from_estimator(selector)
kept = set(selector.get_feature_names_out())
by_lasso = set(X.columns[LassoCV().fit(X, y).coef_ != 0])
print(f"Stability selection keeps {sorted(kept)};")
print(f"LassoCV keeps {len(by_lasso)}, of which {len(by_lasso - set(signal))} are noise.")
assert kept == set(signal)
assert set(signal) <= by_lasso and len(by_lasso - set(signal)) > len(signal)
assert selector.pfer_ <= 1.0
# A gap lies between the last of the signal and the first of the noise.
probability = display.frame()["probability"]
assert probability[signal].min() > 0.9 > 0.8 > probability.drop(signal).max()

plt.show()
