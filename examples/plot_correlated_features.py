"""Height in centimetres and in inches
===================================

Two columns that say the same thing. The Lasso needs one of them and does not care which: its penalty is the
same however the weight is split. The elastic net's L2 part is least when both share equally.

When the two come from two tape measures they differ a little, and which of them the Lasso picks is decided
by errors of half a centimetre: it changes from sample to sample. How far the elastic net's two coefficients
can be apart is bounded by the correlation (Zou and Hastie 2005, Theorem 1).
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import StandardScaler

from skreg import ElasticNet, Lasso, StabilitySelector, regularization_path

rng = np.random.default_rng(0)
n = 200


def people():
    height = rng.normal(170.0, 10.0, n)  # cm
    age = rng.uniform(20.0, 70.0, n)
    return height, age, 0.9 * (height - 100.0) + 0.1 * age + rng.normal(0.0, 5.0, n)  # kg


def two_tapes(height, age, error=0.5):
    cm, inches = height + rng.normal(0.0, error, n), (height + rng.normal(0.0, error, n)) / 2.54
    return StandardScaler().fit_transform(np.column_stack([cm, inches, age]))


height, age, weight = people()

# The same height twice, once in inches: standardised, the columns are the same.
exact = StandardScaler().fit_transform(np.column_stack([height, height / 2.54, age]))
lasso = Lasso(alpha=2.0).fit(exact, weight)
network = ElasticNet(alpha=2.0, l1_ratio=0.5).fit(exact, weight)
print("Lasso: cm {:.3f}, inches {:.3f}, age {:.3f}".format(*lasso.coef_))
print("ElasticNet: cm {:.3f}, inches {:.3f}, age {:.3f}".format(*network.coef_))
assert np.count_nonzero(lasso.coef_[:2]) == 1
assert np.isclose(network.coef_[0], network.coef_[1], rtol=1e-10) and network.coef_[0] > 0
# Any other split of the Lasso's weight is as good: the objective does not know which column it is.
half = np.array([0.5, 0.5, 0.0]) * lasso.coef_[:2].sum() + np.array([0.0, 0.0, 1.0]) * lasso.coef_


def objective(coef):
    residual = weight - weight.mean() - exact @ coef
    return residual @ residual / (2 * n) + lasso.alpha * np.abs(coef).sum()


assert np.isclose(objective(half), objective(lasso.coef_), rtol=1e-12)

# Measured with two tapes, in 300 samples of the same world.
picks, splits = [], []
for _ in range(300):
    *measured, y = people()
    X = two_tapes(*measured)
    lasso_coef = Lasso(alpha=2.0).fit(X, y).coef_
    picks.append(lasso_coef[0] / lasso_coef[:2].sum())
    coef = ElasticNet(alpha=2.0, l1_ratio=0.5).fit(X, y).coef_
    splits.append(coef[0] / coef[:2].sum())
picks, splits = np.array(picks), np.array(splits)
only_cm, only_inches = np.mean(picks > 0.9), np.mean(picks < 0.1)
print(f"Of 300 samples the Lasso gives over 90 % to cm in {only_cm:.0%}, and to inches in {only_inches:.0%}.")
assert only_cm > 0.1 and only_inches > 0.1  # each of them in many
assert np.all(np.abs(splits - 0.5) < 0.1)  # the elastic net shares in all

# The bound, with tapes from exact to useless.
gaps, bounds = [], []
for error in np.geomspace(0.02, 20.0, 150):
    *measured, y = people()
    X = two_tapes(*measured, error)
    coef = ElasticNet(alpha=2.0, l1_ratio=0.5).fit(X, y).coef_
    gaps.append(abs(coef[0] - coef[1]))
    # Columns of a StandardScaler have norm √n; λ₂ = n·alpha·(1 − l1_ratio).
    distance = np.sqrt(n) * np.sqrt(2.0 * (1.0 - X[:, 0] @ X[:, 1] / n))
    bounds.append(np.linalg.norm(y - y.mean()) * distance / (n * 2.0 * 0.5))
assert np.all(np.array(gaps) <= bounds)

# Stability selection says the same: votes split under L1, and unite with an L2 part.
columns = two_tapes(height, age)
setting = {"pfer": None, "n_features_per_subsample": 2, "random_state": 0}
votes = {
    "Lasso": StabilitySelector(l1_ratio=1.0, **setting).fit(columns, weight).selection_probabilities_,
    "elastic net": StabilitySelector(l1_ratio=0.1, **setting).fit(columns, weight).selection_probabilities_,
}
print(
    {name: dict(zip(["cm", "inches", "age"], v.round(2).tolist(), strict=True)) for name, v in votes.items()}
)
assert votes["elastic net"][:2].min() > votes["Lasso"][:2].min()

figure, axes = plt.subplots(1, 4, figsize=(15, 3.8), layout="constrained")
styles = [("cm", "#0072B2", "-"), ("inches", "#D55E00", "--"), ("age", "0.6", "-")]
for ax, l1_ratio, title, free in (
    (axes[0], 1.0, "Lasso: one of the two", "center left"),
    (axes[1], 0.5, "ElasticNet: both alike", "upper right"),
):
    path = regularization_path(exact, weight, l1_ratio=l1_ratio)
    for coefs, (name, color, style) in zip(path.coefs, styles, strict=True):
        ax.semilogx(path.alphas, coefs, color=color, linestyle=style, label=name, linewidth=2)
    ax.set(title=title, xlabel="alpha", ylim=(-0.5, 10.0))
    ax.legend(frameon=False, loc=free)
axes[0].set_ylabel("coefficient (kg per standard deviation)")

bins = np.linspace(0.0, 1.0, 41)
axes[2].hist(picks, bins, color="#0072B2", label="Lasso")
axes[2].hist(splits, bins, color="#009E73", alpha=0.8, label="ElasticNet")
axes[2].set(
    title="Two tapes: what cm gets", xlabel="cm's share of the two coefficients", ylabel="of 300 samples"
)
axes[2].legend(frameon=False)

axes[3].loglog(bounds, gaps, ".", color="#009E73")
axes[3].loglog([min(bounds), max(bounds)], [min(bounds), max(bounds)], "k--", linewidth=1, label="the bound")
axes[3].set(title="ElasticNet: how far apart", xlabel="Zou and Hastie's bound", ylabel="|cm − inches|")
axes[3].legend(frameon=False)

plt.show()
