"""One penalty, two faces
======================

Left, geometry: the penalised solution is where the ellipses of the squared error first touch the ball of the
penalty. The diamond has corners, and is touched there: the Lasso's exact zero. The circle has none. Right,
Bayes: the same three penalties, exponentiated, are priors; the Lasso's peak at zero is the diamond's corner.
"""

import matplotlib.pyplot as plt
import numpy as np

from skreg import ElasticNetPenalty, ElasticNetPrior, GaussianPrior, LaplacePrior, Moments
from skreg.solvers import descend

rng = np.random.default_rng(3)
X = rng.multivariate_normal([0, 0], [[1.0, 0.35], [0.35, 1.0]], size=200)
y = X @ [2.0, 0.55] + rng.standard_normal(200)
moments = Moments.from_data(X, y)
least_squares = np.linalg.solve(moments.gram, moments.xy[:, 0])

penalties = {
    "Ridge": (ElasticNetPenalty(l2=150.0), "#0072B2"),
    "Lasso": (ElasticNetPenalty(l1=170.0), "#D55E00"),
    "ElasticNet": (ElasticNetPenalty(l1=95.0, l2=70.0), "#009E73"),
}

figure, axes = plt.subplots(1, 4, figsize=(14, 3.6), layout="constrained")
grid = np.linspace(-1.6, 3.4, 250)
w0, w1 = np.meshgrid(grid, np.linspace(-1.7, 1.9, 200))
centred = np.stack([w0 - least_squares[0], w1 - least_squares[1]], axis=-1)
excess = 0.5 * np.einsum("...i,ij,...j->...", centred, moments.gram, centred)

for ax, (name, (penalty, color)) in zip(axes, penalties.items(), strict=False):
    solution = descend(moments, penalty, n_steps=2000).coefs[-1]
    # The ball through the solution: scale the unit ball until its penalty is that of the solution.
    radii = np.linspace(0.01, 3.0, 3000)
    values = [penalty.value([radius, 0.0]) for radius in radii]
    ball = penalty.ball(float(np.interp(penalty.value(solution), values, radii)))
    d = solution - least_squares
    touching = 0.5 * d @ moments.gram @ d
    ax.contour(w0, w1, excess, levels=touching * np.array([0.1, 0.4, 1.0]), colors="0.45", linewidths=1)
    ax.fill(*ball.T, color=color, alpha=0.25)
    ax.plot(*ball.T, color=color)
    ax.plot(*least_squares, "k+", markersize=9)
    ax.plot(*solution, "o", color=color, markersize=7)
    ax.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    ax.axvline(0, color="0.8", linewidth=0.8, zorder=0)
    ax.set(title=f"{name}: w = ({solution[0]:.2f}, {solution[1]:.2f})", xlabel="$w_1$", aspect="equal")
axes[0].set_ylabel("$w_2$")

w = np.linspace(-3, 3, 601)
for prior, (name, (_, color)) in zip(
    [GaussianPrior(scale=1.0), LaplacePrior(scale=2**-0.5), ElasticNetPrior(l1_rate=0.9, l2_rate=0.45)],
    penalties.items(),
    strict=True,
):
    axes[3].plot(w, np.exp(prior.logpdf(w)), color=color, label=name)
axes[3].set(title="The same penalties as priors", xlabel="$w_j$", ylabel="density")
axes[3].legend(frameon=False)

plt.show()
