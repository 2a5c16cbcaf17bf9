"""Memorising random labels, and co-adaptation
===========================================

Labels drawn by a coin have nothing in them to learn. A network without regularisation learns them all by
heart; under dropout and decay it cannot. What dropout breaks up is co-adaptation, hidden units that only
mean something together: the higher the rate, the fewer units speak at a time, and the less they repeat one
another.
"""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss

from skreg import BaggedDropoutMLPClassifier

rng = np.random.default_rng(0)
PLAIN = {"n_estimators": 1, "bootstrap": False, "random_state": 0}

figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")

X, coin = rng.standard_normal((150, 20)), rng.integers(0, 2, 150)
kinds = {
    "no regularisation": {"dropout": 0, "weight_decay": 0},
    "dropout ½ and decay": {"dropout": 0.5, "input_dropout": 0.5, "weight_decay": 1.0},
}
for (name, settings), color in zip(kinds.items(), ("#D55E00", "#0072B2"), strict=True):
    model = BaggedDropoutMLPClassifier((128,), max_iter=300, **settings, **PLAIN).fit(X, coin)
    accuracy, loss = model.score(X, coin), log_loss(coin, model.predict_proba(X))
    axes[0].plot(model.loss_curve_, color=color, label=f"{name}: {accuracy:.0%} right")
    if "no" in name:
        assert accuracy == 1.0 and loss < 0.05
    else:
        assert accuracy < 0.95 and loss > 0.2
axes[0].axhline(np.log(2), color="0.7", linestyle=":")
axes[0].set(title="Labels drawn by a coin", xlabel="epoch", ylabel="training loss")
axes[0].legend(frameon=False)

X, y = load_digits(return_X_y=True)
rates = [0.0, 0.1, 0.25, 0.5, 0.75]
speaking, alike = [], []
for rate in rates:
    model = BaggedDropoutMLPClassifier(
        (128,), dropout=rate, input_dropout=0, weight_decay=0.01, max_iter=60, standardize=False, **PLAIN
    ).fit(X[:1200] / 16, y[:1200])
    exported = model.to_scikit_learn()
    hidden = np.maximum(X[1200:] / 16 @ exported.coefs_[0] + exported.intercepts_[0], 0)
    hidden = hidden[:, hidden.std(axis=0) > 0]
    correlation = np.corrcoef(hidden.T)
    speaking.append(np.mean(hidden > 0.1 * hidden.max()))
    alike.append(np.mean(np.abs(correlation[np.triu_indices_from(correlation, 1)])))
assert all(more > less for more, less in pairwise(speaking))
assert all(more > less for more, less in pairwise(alike))
axes[1].plot(rates, speaking, "o-", color="#0072B2")
axes[1].set(title="Sparsity", xlabel="dropout", ylabel="share of units that speak up")
axes[2].plot(rates, alike, "o-", color="#0072B2")
axes[2].set(title="Co-adaptation", xlabel="dropout", ylabel="mean |correlation| of two units")

plt.show()
