"""Three estimators, three posteriors
==================================

The coefficients of Ridge, Lasso and elastic net are each the mode of a posterior. Side by side: where the
data speak clearly the three agree; where they do not, the interval is wide and the prior decides.

The Lasso's exact zeros belong to the mode alone. A density gives the value zero no probability, so neither
mean nor median is ever exactly zero; what the posterior says of such a coefficient is how far its interval
reaches to either side.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import ElasticNet, Lasso, PosteriorDisplay, Ridge

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
models = {
    "ridge": make_pipeline(StandardScaler(), Ridge(alpha=30.0)),
    "lasso": make_pipeline(StandardScaler(), Lasso(alpha=2.0)),
    "elastic net": make_pipeline(StandardScaler(), ElasticNet(alpha=0.3)),
}
display = PosteriorDisplay.from_estimator(models, X, y, random_state=0)
frame = display.frame()
print(frame.unstack("model")["median"].round(1))

lasso, zero = frame.loc["lasso"], frame.loc["lasso", "mode"] == 0
print(f"The Lasso's mode is exactly zero for {', '.join(lasso.index[zero])}.")
assert zero.sum() >= 3
# The mean and the median are never zero, and those intervals hold zero.
assert np.all(lasso.loc[zero, ["mean", "median"]] != 0)
assert np.all((lasso["lower"] < 0) & (lasso["upper"] > 0) | ~zero)
# Where the data speak clearly all three say the same: bmi, blood pressure and s5 go up with the disease.
for name in models:
    assert np.all(frame.loc[name].loc[["bmi", "bp", "s5"], "lower"] > 0)
# s1 and s2 say nearly the same of a person: the intervals are wide, twice the others' and more.
width = frame["upper"] - frame["lower"]
assert width["ridge"][["s1", "s2"]].min() > 1.5 * width["ridge"][["bmi", "bp"]].max()
display.figure_.suptitle("Disease progression, per standard deviation of each feature", fontsize="medium")

plt.show()
