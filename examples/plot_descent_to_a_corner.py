"""How a descent comes to rest in a corner
=======================================

The Lasso's solution often lies in a corner of the diamond, where a coefficient is exactly zero. A subgradient
step takes the same amount off a coefficient however small it is, so it steps over zero, and back, and never
rests there. The proximal step stops at zero: from its first visit on the coefficient stays exactly zero.
Ridge's circle has no corner, and plain gradient descent goes all the way, to two coefficients that are not
zero.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import StandardScaler

from skreg import Lasso, PenaltyGeometryDisplay, Ridge

rng = np.random.default_rng(0)
X = StandardScaler().fit_transform(rng.multivariate_normal([0, 0], [[1.0, 0.6], [0.6, 1.0]], size=100))
y = X @ [2.0, 0.6] + rng.standard_normal(100)
lasso, ridge = Lasso(alpha=1.4).fit(X, y), Ridge(alpha=80.0).fit(X, y)
assert lasso.coef_[1] == 0.0 and np.all(ridge.coef_ != 0)

figure, axes = plt.subplots(1, 3, figsize=(12.0, 4.2), layout="constrained")
paths = {}
for ax, (model, method) in zip(
    axes, ((lasso, "subgradient"), (lasso, "proximal"), (ridge, "gradient")), strict=True
):
    display = PenaltyGeometryDisplay.from_estimator(
        model, X, y, method=method, n_steps=60, start=[-0.5, 1.6], ax=ax, kind="ball"
    )
    ax.set_title(f"{type(model).__name__}, {method} descent", loc="left", fontsize="medium")
    paths[method] = display.trajectory
    # Whatever the way, the contour touches the ball at the estimator's own coefficients.
    assert np.allclose(display.touch.coef, model.coef_, atol=1e-8)
    assert np.isclose(display.touch.multiplier, 1.0)

second = {method: path[:, 1] for method, path in paths.items()}
changes = np.count_nonzero(np.diff(np.sign(second["subgradient"])))
print(f"subgradient: the second coefficient crosses zero {changes} times, and is never zero")
assert changes > 5 and np.all(second["subgradient"] != 0)
arrived = int(np.argmax(second["proximal"] == 0))
print(f"proximal: it is zero from step {arrived} on")
assert 0 < arrived < 30 and np.all(second["proximal"][arrived:] == 0)
assert np.allclose(paths["proximal"][-1], lasso.coef_, rtol=1e-6)
assert np.allclose(paths["gradient"][-1], ridge.coef_, rtol=1e-6)

plt.show()
