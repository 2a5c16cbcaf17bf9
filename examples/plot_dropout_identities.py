"""What weight scaling computes
============================

Dropout trains 2ⁿ thinned networks that share their weights; at test time one pass through the whole network
stands for their average. For a softmax regression, and for dropout of the last hidden layer, that pass is
*exactly* the normalised geometric mean of all of them. Below further nonlinearities it is an approximation,
the coarser the more of them there are. And averaged over its noise, dropout of a linear regression's inputs
is a ridge penalty.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from skreg import BaggedDropoutMLPRegressor
from skreg.neural_network.dropout import thinned
from skreg.neural_network.network import initialize

rng = np.random.default_rng(0)
masks = 2.0 * np.array(list(itertools.product([0, 1], repeat=10)))  # all 1024, at keep rate ½
X = rng.standard_normal((30, 10))

figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")

network = initialize((10, 4), "relu", "softmax", [rng], np.dtype(np.float64))
for array in network.parameters:
    array[...] = rng.standard_normal(array.shape)
logits = np.array([thinned(network, [mask[None]]).logits(X)[0] for mask in masks])
geometric = softmax(log_softmax(logits, axis=2).mean(axis=0), axis=1)
arithmetic = softmax(logits, axis=2).mean(axis=0)
whole = network.outputs(X)[0]
assert np.allclose(geometric, whole, rtol=1e-12)
assert np.abs(arithmetic - whole).max() > 0.01
axes[0].plot(whole.ravel(), arithmetic.ravel(), ".", color="#D55E00", label="arithmetic mean")
axes[0].plot(whole.ravel(), geometric.ravel(), ".", color="#0072B2", label="geometric mean")
axes[0].set(
    title="1024 thinned softmax regressions", xlabel="the whole network, weight-scaled", ylabel="their mean"
)
axes[0].legend(frameon=False)

errors = []
for depth in range(5):
    units = (10, *[40] * depth, 3)
    deep = initialize(
        units, "relu", "softmax", [np.random.default_rng(i) for i in range(20)], np.dtype(float)
    )
    ones = [np.ones((20, n)) for n in units[1:-1]]
    average = np.mean([thinned(deep, [np.tile(m, (20, 1)), *ones]).logits(X) for m in masks], axis=0)
    scaled = deep.logits(X)
    errors.append(np.sqrt(np.mean((average - scaled) ** 2)) / scaled.std())
assert errors[0] < 1e-12
assert all(a < b for a, b in itertools.pairwise(errors))
axes[1].plot(range(5), errors, "o-", color="#0072B2")
axes[1].set(
    title="Dropped inputs below ReLU layers", xlabel="hidden layers", ylabel="error of the logits / their sd"
)

data, y = load_diabetes(return_X_y=True)
Z = StandardScaler().fit_transform(data)
y = (y - y.mean()) / y.std()
n = len(y)
for rate, color in ((0.2, "#009E73"), (0.5, "#0072B2"), (0.8, "#D55E00")):
    ridge = Ridge(alpha=n * rate / (1 - rate), fit_intercept=False).fit(Z, y).coef_
    settings = {"n_estimators": 1, "bootstrap": False, "weight_decay": 0.0, "batch_size": n, "max_iter": 4000}
    model = BaggedDropoutMLPRegressor((), input_dropout=rate, random_state=0, **settings).fit(Z, y)
    trained = model.coefs_[0][0, :, 0]
    assert np.corrcoef(trained, ridge)[0, 1] > 0.98
    axes[2].plot(ridge, trained, "o", color=color, label=f"rate {rate}")
axes[2].axline((0, 0), slope=1, color="0.8", zorder=0)
axes[2].set(
    title="Linear regression with dropped inputs",
    xlabel=r"Ridge($\alpha = n(1-q)/q$)",
    ylabel="trained by dropout",
)
axes[2].legend(frameon=False)

plt.show()
