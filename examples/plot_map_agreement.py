"""The same numbers from two libraries
===================================

Fit a Lasso, write out the PyMC model of which it is the mode, and let PyMC's own compiled density and
gradient say where the mode is: the coefficients agree to rounding, exact zeros included. Stop a solver early,
and the same certificate says so, and by how much.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import sklearn.linear_model
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import Lasso, MAPAgreementDisplay, map_agreement

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
model = make_pipeline(StandardScaler(), Lasso(alpha=1.0)).fit(X, y)
exact = map_agreement(model, X, y)
print(exact)
assert exact.agrees
assert exact.max_abs_diff < 1e-9 * np.abs(exact.coef).max()
# Where the solution is zero, PyMC's mode is zero, not small.
assert np.any(exact.coef == 0)
assert np.array_equal(exact.coef == 0, exact.coef_pymc == 0)

# scikit-learn's Lasso, stopped after three sweeps.
hasty = make_pipeline(StandardScaler(), sklearn.linear_model.Lasso(alpha=1.0, max_iter=3))
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    hasty.fit(X, y)
early = map_agreement(hasty, X, y)
print(early)
assert not early.agrees
assert early.dual_gap > 1e-6 > exact.dual_gap
# It is the coefficients that are off, not the mode: PyMC finds the same one.
assert np.allclose(early.coef_pymc, exact.coef_pymc, rtol=1e-9)

figure, axes = plt.subplots(2, 2, figsize=(9.5, 7.4), layout="constrained")
MAPAgreementDisplay.from_result(exact, ax=axes[0])
MAPAgreementDisplay.from_result(early, ax=axes[1])

plt.show()
