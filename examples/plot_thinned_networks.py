"""A crowd of thinned networks, and where it disagrees
===================================================

Dropout trains a network that loses a part of its units at every step, anew each time: an exponential number
of thinned networks that share their weights. Draw some of them at prediction time too, and their disagreement
is an uncertainty. Between the classes every network hesitates: entropy, but little disagreement. Far from the
data each goes on in its own way, and the part of the entropy that comes of disagreement, the mutual
information, grows.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

from skreg import BaggedDropoutMLPClassifier, DropoutDisplay

X, y = make_moons(400, noise=0.25, random_state=0)
model = BaggedDropoutMLPClassifier(
    (32, 32), dropout=0.2, input_dropout=0.0, n_estimators=10, max_iter=200, random_state=0
).fit(X, y)

figure = plt.figure(figsize=(11.0, 6.6), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=[1.0, 1.5])
left, right = below.subplots(1, 2)
setting = {"n_masks": 40, "grid_resolution": 60}
networks = DropoutDisplay.from_estimator(
    model, X, y, n_networks=4, kind="networks", ax=above.subplots(), **setting
)
entropy = DropoutDisplay.from_estimator(
    model, X, y, uncertainty="predictive_entropy", kind="uncertainty", ax=left, **setting
)
disagreement = DropoutDisplay.from_estimator(model, X, y, kind="uncertainty", ax=right, **setting)

# About a fifth of the hidden units is dropped, each time others.
kept = np.concatenate([np.asarray(layer) for layer in networks.kept[1:]], axis=1)
print(f"units kept of {kept.shape[1]}: {kept.sum(axis=1)}")
assert np.all(np.abs(kept.mean(axis=1) - 0.8) < 0.2)
assert len({tuple(network) for network in kept}) == len(kept)

frame = entropy.frame().rename(columns={"uncertainty": "entropy"}).join(disagreement.frame()["uncertainty"])
grid, probability = frame[["x0", "x1"]].to_numpy(), frame["mean 1"].to_numpy()
nearest = np.min(np.linalg.norm(grid[:, None] - X[None], axis=-1), axis=1)
undecided = np.abs(probability - 0.5) < 0.1
at_the_border, far_out = (undecided & where for where in (nearest < 0.1, nearest > 0.8))
share = frame["uncertainty"] / frame["entropy"]  # of the entropy that comes of disagreement
print(f"share of disagreement where undecided: {share[at_the_border].mean():.2f} amid the data, ", end="")
print(f"{share[far_out].mean():.2f} far out")
# Undecided both: amid the data because the classes overlap, far out because the networks do not agree.
assert share[at_the_border].mean() < 0.2 < 0.5 < share[far_out].mean()

plt.show()
