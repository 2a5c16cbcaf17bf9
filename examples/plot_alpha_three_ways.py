"""Alpha three ways
================

How much should a Lasso shrink? Cross-validation asks which alpha predicts rows it has not seen. The marginal
likelihood asks which alpha's prior makes the data most probable, with the coefficients integrated out. And
alpha can have a posterior of its own, which says how far the data leave it open.

On the diabetes data cross-validation shrinks less than the prior that describes the coefficients best; the
posterior of alpha has the latter in its middle.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from skreg import Lasso, choose_alpha, posterior, regularization_path

X, y = load_diabetes(return_X_y=True, as_frame=True)
names = X.columns
X = StandardScaler().fit_transform(X)

found = choose_alpha(Lasso(alpha=1.0), X, y, random_state=0, n_jobs=-1)
print(found)
low, high = found.interval
assert low < found.alphas["marginal likelihood"] < high
assert found.alphas["cross-validation"] < low

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")

path = regularization_path(X, y, l1_ratio=1.0)
left.semilogx(path.alphas, path.coefs.T, color="0.7", linewidth=1)
colors = {"cross-validation": "C0", "marginal likelihood": "C1", "posterior": "C2"}
for method, alpha in found.alphas.items():
    left.axvline(alpha, color=colors[method], label=f"{method}, {alpha:.2g}")
left.axvspan(low, high, color=colors["posterior"], alpha=0.15, label="90 % of the posterior")
left.set(xlabel="alpha", ylabel="coefficient", title="The Lasso's path, and three choices on it")
left.legend(fontsize="small")

# The coefficients' posteriors at the first two, and with alpha sampled along.
offsets = {"cross-validation": -0.2, "marginal likelihood": 0.0, "posterior": 0.2}
for method, offset in offsets.items():
    estimator = Lasso(alpha=found.alphas[method])
    prior = found.alpha_prior if method == "posterior" else None
    drawn = posterior(estimator, X, y, noise="variance-scaled", alpha_prior=prior, random_state=0, n_jobs=-1)
    coef = drawn["posterior"]["coef"].values.reshape(-1, len(names))
    ends = np.quantile(coef, [0.05, 0.95], axis=0)
    places = np.arange(len(names)) + offset
    right.vlines(places, *ends, color=colors[method], linewidth=2)
    right.plot(places, np.median(coef, axis=0), "o", color=colors[method], markersize=4)
right.axhline(0.0, color="0.7", linewidth=1)
right.set(title="Medians and 90 % intervals of the coefficients", ylabel="coefficient")
right.set_xticks(range(len(names)), names)

plt.show()
