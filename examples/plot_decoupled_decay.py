"""Weight decay is not L2 under Adam
=================================

For plain gradient descent the two are one. Adam divides every gradient by its own size; an L2 penalty
inside it is divided too, so that the weights of *small* gradients are shrunk the most. Decoupled decay
(AdamW) takes the same share of every weight. Twenty logistic coefficients, of inputs in ever larger units,
under both, at growing strength.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification

from skreg import BaggedDropoutMLPClassifier

X, y = make_classification(300, n_features=20, n_informative=20, n_redundant=0, random_state=0)
units = np.logspace(-1.5, 0.5, 20)
settings = {
    "n_estimators": 1,
    "bootstrap": False,
    "dropout": 0,
    "standardize": False,
    "schedule": "constant",
    "learning_rate": 0.01,
    "max_iter": 300,
    "random_state": 0,
}


def weights(**penalty):
    model = BaggedDropoutMLPClassifier((), **{"weight_decay": 0.0, **penalty}, **settings).fit(X * units, y)
    return np.abs(model.coefs_[0][0, :, 0])


free = weights()
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
kept = {}
for ax, (name, title) in zip(
    axes, {"l2": "L2 inside Adam's gradient", "weight_decay": "decoupled decay"}.items(), strict=True
):
    for strength, shade in ((0.01, 0.75), (0.03, 0.5), (0.1, 0.25)):
        ratio = weights(**{name: strength}) / free
        kept[name, strength] = ratio
        ax.loglog(units, ratio, "o-", color=str(shade), label=f"{name}={strength:g}")
    ax.set(title=title, xlabel="unit of the input", ylabel="weight / weight without penalty", ylim=(0.005, 3))
    ax.legend(frameon=False)
small, large = units < 0.1, units > 1
slope = {
    name: np.median(kept[name, 0.03][small]) / np.median(kept[name, 0.03][large])
    for name in ("l2", "weight_decay")
}

assert slope["l2"] < 0.5 * slope["weight_decay"]

plt.show()
