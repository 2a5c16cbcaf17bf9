"""Which way to regularise suits the data
======================================

Three worlds, and one table for each: many small effects, few large ones, and one that is no linear function
at all. Ridge is ahead of the Lasso in the first and behind it in the second, and in the third only the
networks see anything. With two features to five rows, least squares is the worst of all in both linear ones.
"""

import matplotlib.pyplot as plt
import numpy as np

from skreg import ComparisonDisplay, compare_regularizers

rng = np.random.default_rng(0)
n, p = 200, 80
X = rng.standard_normal((n, p))
few = np.zeros(p)
few[[3, 17, 42, 60, 71]] = [2.0, -2.0, 1.5, 1.5, -1.0]
worlds = {
    "many small effects": (X, X @ rng.normal(0.0, 0.3, p) + 3.0 * rng.standard_normal(n)),
    "few large effects": (X, X @ few + 3.0 * rng.standard_normal(n)),
}
curved = rng.uniform(-2.0, 2.0, (400, 6))
worlds["curves and interactions"] = (
    curved,
    curved[:, 0] * curved[:, 1] + np.sin(2.0 * curved[:, 2]) + 0.5 * rng.standard_normal(400),
)

tables = {name: compare_regularizers(*data, cv=5, random_state=0) for name, data in worlds.items()}
for name, table in tables.items():
    print(f"{name}\n{table[['score', 'standard_error', 'n_nonzero', 'coverage']].round(3)}\n")
score = {name: table["score"] for name, table in tables.items()}
many, few_large, curves = score.values()
assert many["ridge"] > many["lasso"] and few_large["lasso"] > few_large["ridge"]
assert many.idxmin() == few_large.idxmin() == "ols"
assert curves["bagged dropout"] > 0.5 > 0.05 > curves.drop("bagged dropout").max()
assert tables["few large effects"].loc["lasso", "n_nonzero"] < p / 2

figure = plt.figure(figsize=(9.0, 7.2), layout="constrained")
for part, (name, table) in zip(figure.subfigures(3, 1), tables.items(), strict=True):
    ComparisonDisplay.from_result(table, ax=part.subplots())
    part.suptitle(name, fontsize="medium")

plt.show()
