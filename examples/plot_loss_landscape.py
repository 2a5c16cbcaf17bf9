"""The loss landscape of a small network
=====================================

The smallest network that is one: an input, a rectified unit, an output, y = v · max(ux, 0). With two weights
its whole landscape can be drawn. Making u larger and v smaller by the same factor changes nothing, so the
minimum is not a point but a valley, and where training ends in it is decided by where it began.

An L2 penalty has one lowest point in that valley, where the weights are equally large. What it does to the
network's slope uv is soft thresholding: the cheapest way to a slope c costs λ|c|, the Lasso's penalty. With
enough of it the network is silent.
"""

import matplotlib.pyplot as plt
import numpy as np

from skreg import L1, L2

rng = np.random.default_rng(0)
x = rng.uniform(0.0, 2.0, 40)
y = 1.5 * x + 0.3 * rng.standard_normal(40)
curvature = x @ x / len(x)
slope = (x @ y) / (x @ x)  # least squares


def loss(u, v):
    residual = y - np.multiply.outer(v * np.maximum(u, 0.0), x)  # x > 0: the unit is on where u is
    return 0.5 * np.mean(residual**2, axis=-1)


def descend(u, v, penalty, step=0.02, n_steps=4000):
    """Gradient steps on the loss, and the penalty's own step: what a network's training does."""
    path = [(u, v)]
    for _ in range(n_steps):
        pull = curvature * (slope - v * max(u, 0.0))
        gradient = np.array([v * pull * (u > 0), max(u, 0.0) * pull])
        u, v = penalty.gradient_step([u, v], step) + step * gradient
        path.append((u, v))
    return np.array(path)


starts = [(0.3, 0.2), (2.2, -0.6), (0.5, 2.4), (2.5, 1.5)]
strengths = {"no penalty": 0.0, "L2, λ = 0.5": 0.5, "L2, λ = 2.5": 2.5}
paths = {name: [descend(*start, L2(strength)) for start in starts] for name, strength in strengths.items()}
ends = {name: np.array([path[-1] for path in found]) for name, found in paths.items()}
for name, points in ends.items():
    print(f"{name}: ends at {', '.join(f'({u:.2f}, {v:.2f})' for u, v in points)}")

# Without a penalty every start ends in the valley, each somewhere else; the loss is the same.
free = ends["no penalty"]
assert np.allclose(free[:, 0] * free[:, 1], slope, atol=1e-6)
assert np.ptp(free[:, 0]) > 0.5
assert np.allclose(loss(*free.T), loss(np.array(1.0), np.array(slope)))
# With one every start ends at one point, u = v, whose slope is the least-squares one soft-thresholded ...
balanced = ends["L2, λ = 0.5"]
assert np.allclose(balanced, balanced[0], atol=1e-4)
thresholded = L1(1.0).prox(np.array([slope]), 0.5 / curvature)[0]
assert np.allclose(balanced[0], np.sqrt(thresholded), atol=1e-4)
# ... as the Lasso's would be: the cheapest way to a slope costs what L1 charges for it.
assert np.isclose(L2(0.5).value(balanced[0]), L1(0.5).value([thresholded]), rtol=1e-3)
# With enough of it both weights go to zero.
assert strengths["L2, λ = 2.5"] > curvature * slope
assert np.all(np.abs(ends["L2, λ = 2.5"]) < 1e-2)


def curvatures(u, v, strength, h=1e-3):
    """Find the smallest and the largest curvature of the landscape at a point."""

    def height(a, b):
        return float(loss(np.array(a), np.array(b))) + L2(strength).value([a, b])

    cross = (height(u + h, v + h) - height(u + h, v - h) - height(u - h, v + h) + height(u - h, v - h)) / (
        4 * h**2
    )
    along_u = (height(u + h, v) - 2 * height(u, v) + height(u - h, v)) / h**2
    along_v = (height(u, v + h) - 2 * height(u, v) + height(u, v - h)) / h**2
    return np.linalg.eigvalsh([[along_u, cross], [cross, along_v]])


flat, bowl = curvatures(*free[0], 0.0), curvatures(*balanced[0], 0.5)
print(f"smallest curvature at the minimum: {flat[0]:.4f} without a penalty, {bowl[0]:.3f} with")
assert abs(flat[0]) < 1e-3 < 0.5 < bowl[0]

figure, axes = plt.subplots(1, 4, figsize=(15.5, 3.9), layout="constrained")
u, v = np.meshgrid(np.linspace(-0.6, 3.0, 181), np.linspace(-1.0, 3.0, 201))
for ax, (name, strength) in zip(axes, strengths.items(), strict=False):
    height = loss(u, v) + 0.5 * strength * (u**2 + v**2)
    ax.contourf(u, v, np.log(height - height.min() + 0.02), levels=25, cmap="Blues_r")
    for path in paths[name]:
        ax.plot(*path.T, color="#D55E00", linewidth=1)
        ax.plot(*path[0], "o", color="#D55E00", markersize=4, markerfacecolor="white")
        ax.plot(*path[-1], "o", color="#D55E00", markersize=6)
    ax.set(title=f"{name} (darker is lower)", xlabel="u", ylabel="v", xlim=(-0.6, 3.0), ylim=(-1.0, 3.0))

lambdas = np.linspace(0.0, 3.0, 61)
axes[3].plot(lambdas, np.maximum(slope - lambdas / curvature, 0.0), color="0.4", label="soft thresholding")
for name, strength in strengths.items():
    label = "where training ended" if strength == 0.0 else None
    axes[3].plot(strength, np.prod(ends[name][0]), "o", color="#D55E00", label=label)
axes[3].set(title="The slope uv that is left", xlabel="λ", ylabel="uv")
axes[3].legend(frameon=False)

plt.show()
