"""Dropout is bagging, not noise
=============================

The control of Warde-Farley et al. (2014): *dropout boosting* draws the same masks, but each thinned network
takes its step along the gradient of the whole, weight-scaled network's loss, as boosting trains the next
member for the sum. The noise is there; the bag, in which every member learns to be right by itself, is not.
And most of the regularisation is gone: it overfits nearly as it would without dropout.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.datasets import make_classification
from sklearn.preprocessing import StandardScaler

X, y = make_classification(
    1200, n_features=50, n_informative=5, n_redundant=0, class_sep=1.5, flip_y=0.05, random_state=1
)
X = StandardScaler().fit_transform(X)
train_rows, test_rows = np.arange(200), np.arange(200, len(y))


def train(kind, seed, n_units=100, n_steps=1000, learning_rate=0.003):
    """One hidden layer of ReLUs by Adam on all rows; returns the test loss as training goes on."""
    rng = np.random.default_rng(seed)
    bound = np.sqrt(6 / (X.shape[1] + n_units))
    parameters = [
        rng.uniform(-bound, bound, (X.shape[1], n_units)),
        np.zeros(n_units),
        rng.uniform(-bound, bound, n_units),
        np.zeros(1),
    ]
    moments = [(np.zeros_like(p), np.zeros_like(p)) for p in parameters]
    seen, target = X[train_rows], y[train_rows]
    curve = []
    for step in range(1, n_steps + 1):
        W, b, v, c = parameters
        keep_x, keep_h = (rng.integers(0, 2, (len(seen), n)) for n in W.shape)
        if kind == "no dropout":
            keep_x, keep_h = np.ones_like(keep_x), np.ones_like(keep_h)
        if kind == "dropout":  # the thinned network's loss; what is kept counts double
            inputs, scale = 2 * keep_x * seen, 2 * keep_h
        else:  # the whole network's
            inputs, scale = seen, 1.0
        h = np.maximum(inputs @ W + b, 0) * scale
        delta = (expit(h @ v + c) - target) / len(seen)
        below = delta[:, None] * v * (h > 0) * scale
        # What moves is what the mask keeps, in both.
        inputs, h, below = inputs * keep_x, h * keep_h, below * keep_h
        gradients = [inputs.T @ below, below.sum(axis=0), h.T @ delta, delta.sum()]
        for p, g, (first, second) in zip(parameters, gradients, moments, strict=True):
            first += 0.1 * (g - first)
            second += 0.001 * (g**2 - second)
            p -= learning_rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        if step % 25 == 0:
            z = np.maximum(X[test_rows] @ W + b, 0) @ v + c
            curve.append(np.mean(np.logaddexp(0, z) - y[test_rows] * z))
    return np.array(curve)


figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
final = {}
for kind, color in (("no dropout", "0.5"), ("dropout boosting", "#D55E00"), ("dropout", "#0072B2")):
    curves = np.array([train(kind, seed) for seed in range(2)])
    final[kind] = curves[:, -1].mean()
    ax.plot(25 * np.arange(1, curves.shape[1] + 1), curves.mean(axis=0), color=color, label=kind)
# Of what dropout gains, boosting on the same masks gets little.
gained = (final["no dropout"] - final["dropout boosting"]) / (final["no dropout"] - final["dropout"])
assert final["dropout"] < final["dropout boosting"] and gained < 0.5, final
ax.set(title="The same masks, another objective", xlabel="step", ylabel="test log loss")
ax.legend(frameon=False)

plt.show()
