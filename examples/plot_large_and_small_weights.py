"""A weight of 10 and a weight of 1
================================

L2 charges for the square: a weight of 10 costs a hundred times what a weight of 1 does, and is pulled on ten
times as hard. L1 charges for the size: ten times as much, and the pull is the same.

So Ridge takes the same *part* from every weight, and none becomes zero. The Lasso takes the same *amount*,
and the small ones are gone first. On orthogonal columns this can be read off exactly.
"""

import matplotlib.pyplot as plt
import numpy as np

from skreg import L1, L2, Lasso, Ridge

ten, one = np.array([10.0]), np.array([1.0])
assert L2(1.0).value(ten) == 100.0 * L2(1.0).value(one)
assert L1(1.0).value(ten) == 10.0 * L1(1.0).value(one)

# Two orthogonal columns of norm √n, weights 10 and 1, and no noise: least squares finds them exactly.
n = 100
X = np.linalg.qr(np.random.default_rng(0).standard_normal((n, 3)) + [5.0, 0.0, 0.0])[0][:, 1:] * np.sqrt(n)
X -= X.mean(axis=0)
X = np.linalg.qr(X)[0] * np.sqrt(n)
y = X @ [10.0, 1.0]

strengths = np.linspace(0.0, 12.0, 121)  # of λ/n
ridge = np.array([Ridge(alpha=n * s).fit(X, y).coef_ for s in strengths])
lasso = np.array([Lasso(alpha=s).fit(X, y).coef_ if s > 0 else [10.0, 1.0] for s in strengths])
assert np.allclose(ridge, np.outer(1.0 / (1.0 + strengths), [10.0, 1.0]))
assert np.allclose(lasso, np.maximum([10.0, 1.0] - strengths[:, None], 0.0), atol=1e-9)
at = int(np.argmin(np.abs(strengths - 1.0)))
print("at λ/n = 1, Ridge: {:.2f} and {:.2f}".format(*ridge[at]))
print("at λ/n = 1, Lasso: {:.2f} and {:.2f}".format(*lasso[at]))
assert np.allclose(ridge[at], [5.0, 0.5])  # half of each
assert np.allclose(lasso[at], [9.0, 0.0], atol=1e-9)  # one from each
assert np.all(ridge > 0.0)

# The same sum of squares, or the same sum, spread over ten weights or in one.
spread, single = np.full(10, 1.0), np.eye(10)[0] * 10.0
assert L1(1.0).value(spread) == L1(1.0).value(single)  # L1 does not mind
assert L2(1.0).value(spread) == L2(1.0).value(single) / 10.0  # L2 would rather have it spread

figure, axes = plt.subplots(1, 4, figsize=(15, 3.6), layout="constrained")
w = np.linspace(-11.0, 11.0, 441)
for penalty, color, name in ((L2(1.0), "#0072B2", "L2: ½w²"), (L1(1.0), "#D55E00", "L1: |w|")):
    axes[0].plot(w, [penalty.value([v]) for v in w], color=color, label=name)
    axes[0].plot([1.0, 10.0], [penalty.value(one), penalty.value(ten)], "o", color=color)
axes[0].set(title="What a weight costs", xlabel="w", ylabel="penalty")
axes[0].legend(frameon=False)

axes[1].plot(w, w, color="#0072B2", label="L2: w")
axes[1].plot(w, np.where(w == 0.0, np.nan, np.sign(w)), color="#D55E00", label="L1: ±1")
axes[1].plot([1.0, 10.0], [1.0, 10.0], "o", color="#0072B2")
axes[1].plot([1.0, 10.0], [1.0, 1.0], "o", color="#D55E00")
axes[1].set(title="How hard it is pulled towards zero", xlabel="w", ylabel="slope of the penalty")
axes[1].legend(frameon=False)

for ax, coefs, title, color in (
    (axes[2], ridge, "Ridge: the same part of each", "#0072B2"),
    (axes[3], lasso, "Lasso: the same amount of each", "#D55E00"),
):
    ax.plot(strengths, coefs[:, 0], color=color, linewidth=2, label="was 10")
    ax.plot(strengths, coefs[:, 1], color=color, linewidth=2, linestyle="--", label="was 1")
    ax.set(title=title, xlabel="λ / n", ylabel="coefficient", ylim=(-0.4, 10.4))
    ax.legend(frameon=False)

plt.show()
