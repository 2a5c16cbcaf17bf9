"""Bias, variance, and ridge between them
======================================

Ten noisy points on a parabola. A line misses the bend, on every data set in the same way: bias. A polynomial
of degree 20 passes through every point, and through different values in between on every data set: variance.
Ridge on the same polynomial gives up a little of the one for nearly all of the other.

Since the parabola and the noise are known here, `bias_variance_decomposition` measures each part separately.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from skreg import Ridge, bias_variance_curve, bias_variance_decomposition

NOISE_VARIANCE = 0.05


def parabola(X):
    return 2.0 * X[:, 0] ** 2 - X[:, 0]


def polynomial(degree, alpha):
    # alpha=0 is least squares; of the many polynomials of degree 20 through ten points, the one whose
    # coefficients are smallest.
    return make_pipeline(PolynomialFeatures(degree, include_bias=False), Ridge(alpha=alpha))


X = np.linspace(-1.0, 1.0, 10)[:, None]
grid = np.linspace(-1.0, 1.0, 201)[:, None]
known = {
    "true_function": parabola,
    "noise_variance": NOISE_VARIANCE,
    "X_test": grid,
    "n_repeats": 200,
    "random_state": 0,
}

alphas = np.logspace(-7, 3, 21)
curve = bias_variance_curve(polynomial(20, 1.0), X, None, "ridge__alpha", alphas, **known)
best = alphas[np.argmin(curve.total)]

models = {
    "A line": polynomial(1, 0.0),
    "Degree 20": polynomial(20, 0.0),
    f"Degree 20, ridge, alpha = {best:.2g}": polynomial(20, best),
}
found = {name: bias_variance_decomposition(model, X, None, **known) for name, model in models.items()}
for name, parts in found.items():  # the estimate of bias² is unbiased, and below zero where chance takes it
    print(f"{name}: bias² {parts.bias_squared:.4f}, variance {parts.variance:.4f}, total {parts.total:.4f}")

line, through_all, ridge = found.values()
# The line is wrong in the same way every time ...
assert line.bias_squared > 10.0 * line.variance
# ... the polynomial passes through every point and differs every time ...
y = parabola(X) + np.sqrt(NOISE_VARIANCE) * np.random.default_rng(0).standard_normal(10)
assert np.allclose(polynomial(20, 0.0).fit(X, y).predict(X), y, atol=1e-6)
assert through_all.variance > 10.0 * abs(through_all.bias_squared)
# ... and ridge has a little of the line's bias, and hardly any of the polynomial's variance.
assert 0.0 < ridge.bias_squared < 0.05 * line.bias_squared
assert ridge.variance < 0.02 * through_all.variance
assert ridge.total < min(line.total, through_all.total)
# What is measured by itself is the sum of the parts.
for parts in found.values():
    total = parts.bias_squared + parts.variance + parts.noise
    assert abs(parts.total - total) < 5.0 * parts.total_standard_error

figure, axes = plt.subplots(1, 4, figsize=(15, 3.8), layout="constrained")
colors = ["#0072B2", "#D55E00", "#009E73"]
for ax, (name, model), color in zip(axes, models.items(), colors, strict=False):
    rng = np.random.default_rng(1)
    for _ in range(25):
        y = parabola(X) + np.sqrt(NOISE_VARIANCE) * rng.standard_normal(10)
        ax.plot(grid, model.fit(X, y).predict(grid), color=color, alpha=0.3, linewidth=1)
    ax.plot(
        grid, found[name].at_points["mean_prediction"], color=color, linewidth=2.5, label="mean of 200 fits"
    )
    ax.plot(grid, parabola(grid), "k--", linewidth=1.5, label="truth")
    ax.plot(X, y, "ko", markersize=4)
    parts = found[name]
    # The mean of 200 fits errs by variance / 200: well above that a bias can be seen.
    seen = parts.bias_squared > parts.variance / 50.0
    bias = f"{parts.bias_squared:.3f}" if seen else f"below {parts.variance / 50.0:.1f}"
    ax.set(
        title=f"{name}\nbias² {bias}, variance {parts.variance:.3f}",
        xlabel="x",
        ylim=(-1.2, 3.6),
    )
    ax.legend(frameon=False, fontsize="small", loc="upper center")

visible = np.where(curve.bias_squared > curve.variance / 50.0, curve.bias_squared, np.nan)
axes[3].loglog(alphas, visible, color=colors[0], label="bias²")
axes[3].loglog(alphas, curve.variance, color=colors[1], label="variance")
axes[3].loglog(alphas, curve.total, color="k", label="expected squared error")
axes[3].axhline(NOISE_VARIANCE, color="0.6", linestyle=":", label="noise")
axes[3].axvline(best, color=colors[2], linewidth=1, label="least error")
axes[3].set(
    title="Degree 20: what alpha trades", xlabel="alpha", ylabel="mean over the grid", ylim=(1e-3, 20.0)
)
axes[3].legend(fontsize="x-small", loc="lower left")

plt.show()
