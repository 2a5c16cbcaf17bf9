"""One gradient step of each penalty
=================================

A step of size η on the L2 penalty multiplies a weight by 1 − ηλ₂; that is why it is called weight decay. On
the L1 penalty it subtracts ηλ₁, whatever the size of the weight: small ones jump across zero, unless the step
is a proximal one, which stops there.

Step after step L2 makes a weight smaller for ever and never zero, and L1 walks to zero at constant speed and
arrives.
"""

import matplotlib.pyplot as plt
import numpy as np

from skreg import L1, L2, Moments
from skreg.solvers import descend

step = 0.2
l1, l2 = L1(2.0), L2(2.0)
w = np.linspace(-3.0, 3.0, 301)
after_l2, after_l1, after_prox = l2.gradient_step(w, step), l1.gradient_step(w, step), l1.prox(w, step)
assert np.allclose(after_l2, (1.0 - step * 2.0) * w)
away = np.abs(w) > 1e-12
assert np.allclose(after_l1[away], w[away] - step * 2.0 * np.sign(w[away]))
small = np.abs(w) <= step * 2.0
assert np.all(after_prox[small] == 0.0)  # exactly
assert np.all(np.sign(after_l1[small & away]) == -np.sign(w[small & away]))  # across
assert np.allclose(after_prox[~small], after_l1[~small])

# Repeated, without any data to hold the weights.
n_steps = 16
decayed, walked, crossed = (np.empty((n_steps + 1, 2)) for _ in range(3))
decayed[0] = walked[0] = crossed[0] = [3.0, 1.1]
for k in range(n_steps):
    decayed[k + 1] = l2.gradient_step(decayed[k], step)
    walked[k + 1] = l1.prox(walked[k], step)
    crossed[k + 1] = l1.gradient_step(crossed[k], step)
assert np.allclose(decayed, np.outer(0.6 ** np.arange(n_steps + 1), [3.0, 1.1]))
assert np.all(decayed > 0.0)
assert np.all(walked[8:] == 0.0) and np.all(walked[7, 0] > 0.0)
assert np.all(np.abs(crossed[9:, 1]) > 0.0)  # to and fro, and never zero

# With data: descent to the Lasso's solution, by subgradient and by proximal steps.
rng = np.random.default_rng(0)
X = rng.standard_normal((100, 2))
y = X @ [1.5, 0.1] + 0.5 * rng.standard_normal(100)
moments, penalty = Moments.from_data(X, y), L1(30.0)
proximal = descend(moments, penalty, method="proximal", n_steps=60)
subgradient = descend(moments, penalty, method="subgradient", n_steps=60)
print("after 60 proximal steps:", proximal.coefs[-1], " subgradient:", subgradient.coefs[-1])
assert proximal.coefs[-1][1] == 0.0  # the small one is exactly zero
assert subgradient.coefs[-1][1] != 0.0  # and here it never is

figure, axes = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
blue, orange, grey = "#0072B2", "#D55E00", "0.35"
axes[0].plot(w, w, color="0.7", linewidth=1, label="no step")
axes[0].plot(w, after_l2, color=blue, label="L2: multiply")
axes[0].plot(
    w, np.where(np.abs(w) < 0.011, np.nan, after_l1), color=grey, linestyle="--", label="L1: subtract"
)
axes[0].plot(w, after_prox, color=orange, label="L1, proximal: subtract, stop at 0")
axes[0].set(title="One step, by where it starts", xlabel="w before", ylabel="w after")
axes[0].legend(frameon=False, fontsize="small")

for path, color, name in ((decayed, blue, "L2"), (crossed, grey, "L1"), (walked, orange, "L1, proximal")):
    for j, style in enumerate(("-", ":")):  # from 3, and from 1.1
        axes[1].plot(path[:, j], style, marker=".", color=color, label=name if j == 0 else None)
axes[1].axhline(0.0, color="0.7", linewidth=0.8, zorder=0)
axes[1].set(title="Step after step, from 3 and (dotted) from 1.1", xlabel="step", ylabel="w")
axes[1].legend(frameon=False)

axes[2].axhline(0.0, color="0.7", linewidth=0.8, zorder=0)
axes[2].plot(*subgradient.coefs.T, ".-", color=grey, label="subgradient")
axes[2].plot(*proximal.coefs.T, ".-", color=orange, label="proximal")
axes[2].plot(*proximal.coefs[-1], "ko", markersize=6)
axes[2].set(title="With data: on the way to the Lasso", xlabel="$w_1$", ylabel="$w_2$")
axes[2].legend(frameon=False)

plt.show()
