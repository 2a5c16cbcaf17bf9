"""How many networks, how many masks
=================================

Left: the variance of a mean of K members over training sets is ϱσ² + (1−ϱ)σ²/K. Averaging takes away what the
members do not share, and leaves what they do. Right: Monte Carlo dropout averages thinned networks; with few
masks it is noise, with many it settles at the loss of their arithmetic mean. One weight-scaled pass stands
for their geometric mean, which is sharper, and here better.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, make_classification
from sklearn.metrics import log_loss

from skreg import BaggedDropoutMLPClassifier

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")

X, y = make_classification(2000, n_features=10, n_informative=5, flip_y=0.1, random_state=0)
new, n_members = X[:200], 20
draws = []
for seed in range(25):
    rows = np.random.default_rng(seed).choice(np.arange(200, 2000), 150, replace=False)
    model = BaggedDropoutMLPClassifier((32,), n_estimators=n_members, max_iter=60, random_state=seed)
    draws.append(model.fit(X[rows], y[rows]).predict_members(new)[:, :, 1])
members = np.array(draws).transpose(1, 0, 2)  # (members, training sets, rows)
centred = members - members.mean(axis=1, keepdims=True)
covariance = np.einsum("asi,bsi->ab", centred, centred) / members[0].size
variance = np.trace(covariance) / n_members
rho = (covariance.sum() - np.trace(covariance)) / (n_members * (n_members - 1)) / variance
sizes = np.arange(1, n_members + 1)
measured = [
    np.mean([members[i : i + k].mean(axis=0).var(axis=0).mean() for i in range(n_members - k + 1)])
    for k in sizes
]
predicted = rho * variance + (1 - rho) * variance / sizes
assert np.allclose(measured[-1], predicted[-1])
assert np.allclose(measured, predicted, rtol=0.1)
left.plot(sizes, measured, "o", color="#0072B2", label="measured")
left.plot(sizes, predicted, color="0.4", label="$ϱσ^2 + (1-ϱ)σ^2/K$")
left.axhline(rho * variance, color="0.7", linestyle=":")
left.set(
    title=f"Members correlate by ϱ = {rho:.2f}", xlabel="members K", ylabel="variance over training sets"
)
left.set_ylim(bottom=0)
left.legend(frameon=False)

X, y = load_digits(return_X_y=True)
model = BaggedDropoutMLPClassifier(
    (128,), n_estimators=1, bootstrap=False, dropout=0.5, max_iter=40, random_state=0
)
model.fit(X[:1000], y[:1000])
counts = [1, 2, 5, 10, 20, 50, 100, 200]
losses = [log_loss(y[1000:], model.predict_proba(X[1000:], "monte_carlo", n)) for n in counts]
scaled = log_loss(y[1000:], model.predict_proba(X[1000:]))
assert losses[0] > losses[1] > losses[2] > losses[-1]
assert np.ptp(losses[-4:]) < 0.1 * (losses[0] - losses[-1])  # settled
assert scaled < losses[-1]
right.semilogx(counts, losses, "o-", color="#0072B2", label="Monte Carlo")
right.axhline(scaled, color="#D55E00", label="weight scaling")
right.set(title="One network on digits", xlabel="masks", ylabel="test log loss")
right.legend(frameon=False)

plt.show()
