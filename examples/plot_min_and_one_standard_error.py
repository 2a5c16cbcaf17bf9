"""The best alpha, and the sparsest that is as good
================================================

Cross-validation measures its errors on few rows, and the curve of errors is flat near its bottom: which
alpha is the very best is largely chance. The one-standard-error rule takes the strongest penalty whose error
cannot be told from the least. On a signal of ten features among two hundred it keeps those ten and drops most
of the noise that the minimum lets in.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skreg import LassoCV, RegularizationPathDisplay

rng = np.random.default_rng(0)
n, p, n_signal = 300, 200, 10
X = pd.DataFrame(rng.standard_normal((n, p)), columns=[f"x{j}" for j in range(p)])
coef = np.zeros(p)
coef[:n_signal] = np.linspace(1.0, 3.0, n_signal) * np.resize([1.0, -1.0], n_signal)
y = X.to_numpy() @ coef + 3.0 * rng.standard_normal(n)

model = LassoCV(cv=10, selection_rule="1se").fit(X, y)
figure, axes = plt.subplots(
    2, 2, figsize=(11.5, 5.4), layout="constrained", height_ratios=[1, 2], sharex="col"
)
display = RegularizationPathDisplay.from_estimator(model, X, y, ax=axes[:, 0])
display.plot(ax=axes[:, 1], x="degrees_of_freedom")

frame = display.frame()
for rule, alpha in (("min", display.alpha_min), ("1se", display.alpha_1se)):
    at = frame.loc[alpha]
    kept = at["coef"] != 0
    true, false = int(kept[:n_signal].sum()), int(kept[n_signal:].sum())
    print(f"{rule:>3}: alpha {alpha:.3f}, {true} of {n_signal} features of the signal and {false} of noise")
    if rule == "min":
        at_min, false_min = at, false
assert model.alpha_ == display.alpha_1se > display.alpha_min
# The stronger penalty's error is within one standard error of the least ...
assert at["path", "error"] <= at_min["path", "error"] + at_min["path", "standard_error"]
# ... it keeps the whole signal, and less than a third of the noise.
assert true == n_signal
assert false < false_min / 3

plt.show()
