"""How many masks a Monte Carlo prediction wants
=============================================

A network trained under dropout can predict with all its units, scaled, in one pass; or by the mean over
thinned networks, in one pass each. Few masks are worse than the one pass, for their mean is noisy, and after
some thirty more of them change little. What they end at is not the one pass's loss: the mean over masks is
less sure, for it knows that the thinned networks disagree. A network that is too sure of itself gains by
that, one that is not loses.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skreg import BaggedDropoutMLPClassifier

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=400, random_state=0, stratify=y)
how_many = np.array([1, 2, 4, 8, 16, 32, 64, 128])
ONE = {"n_estimators": 1, "bootstrap": False, "dropout": 0.5, "input_dropout": 0}

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
for ax, epochs in zip(axes, (100, 600), strict=True):
    monte_carlo, scaled, surer = [], [], []
    for seed in range(6):
        model = BaggedDropoutMLPClassifier((128,), max_iter=epochs, random_state=seed, **ONE)
        model.fit(X_train, y_train)
        probability = model.predict_proba(X_test)
        scaled.append(log_loss(y_test, probability))
        surer.append(probability.max(axis=1).mean() - np.mean(model.predict(X_test) == y_test))
        monte_carlo.append(
            [log_loss(y_test, model.predict_proba(X_test, "monte_carlo", n)) for n in how_many]
        )
    mean, line = np.mean(monte_carlo, axis=0), np.mean(scaled)
    assert mean[0] > 1.2 * line  # one thinned network is a worse one
    assert np.all(np.diff(mean) < 0.02 * line)  # more masks do not hurt
    assert mean[-3] - mean[-1] < 0.05 * line  # and after some thirty help little
    assert (mean[-1] < line) == (epochs == 600) == (np.mean(surer) > 0.005)
    ax.fill_between(
        how_many, np.min(monte_carlo, axis=0), np.max(monte_carlo, axis=0), color="#0072B2", alpha=0.15, lw=0
    )
    ax.plot(how_many, mean, "o-", color="#0072B2", label="mean over masks (range of six seeds)")
    ax.axhline(line, color="#D55E00", linestyle="--", label="weight scaling, one pass")
    ax.set(
        title=f"{epochs} epochs: confidence − accuracy = {np.mean(surer):+.3f}", xlabel="masks", xscale="log"
    )
    ax.set_xticks(how_many, how_many)
    ax.minorticks_off()
axes[0].set_ylabel("log loss of 1397 digits, trained on 400")
axes[0].legend(frameon=False)

plt.show()
