"""Quickstart: fit a Lasso, see its prior, and let PyMC certify that the two are the same thing.

Ten measurements of 442 diabetes patients predict the disease's progress a year later. The Lasso's alpha is
chosen by cross-validation; then PyMC, from the matching Bayesian model alone, finds the mode of the
posterior, and the certificate says whether it is the Lasso's solution. scikit-learn's own Lasso takes the
same test. Last, how sure the coefficients are: their posterior.
"""

from time import perf_counter

from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso as SklearnLasso
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import Lasso, map_agreement, posterior

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)

# Fit as in scikit-learn: scaled in a pipeline, alpha by cross-validation.
pipeline = make_pipeline(StandardScaler(), Lasso())
search = GridSearchCV(
    pipeline, {"lasso__alpha": [0.03, 0.1, 0.3, 1.0, 3.0, 10.0]}, scoring="neg_mean_squared_error"
).fit(X, y)
alpha = search.best_params_["lasso__alpha"]
lasso = search.best_estimator_[-1]

print(f"Lasso, alpha = {alpha:g} by cross-validation; coefficients a standard deviation of each feature:\n")
for name, coef in zip(X.columns, lasso.coef_, strict=True):
    print(f"    {name:>4} {coef:9.3f}")
print(f"\nCertified: within {lasso.dual_gap_:.1e} of the smallest objective there is (duality gap).\n")

# The same object, seen by Bayes: the prior in words, and PyMC's own mode beside the coefficients.
print(map_agreement(search.best_estimator_, X, y))

# The certificate judges anyone's estimator, scikit-learn's at its default tolerance too.
print("\nscikit-learn's Lasso at the same alpha:\n")
print(map_agreement(make_pipeline(StandardScaler(), SklearnLasso(alpha=alpha)), X, y))

# How sure is it? The whole posterior, whose mode the coefficients are.
start = perf_counter()
found = posterior(search.best_estimator_, X, y, random_state=0)
seconds = perf_counter() - start
draws = found["posterior"]["coef"]
print(f"\n4 x 1000 draws of the posterior in {seconds:.2f} s: 90 % intervals, and the probability of > 0\n")
low, high = draws.quantile([0.05, 0.95], dim=("chain", "draw")).values
above = (draws > 0).mean(dim=("chain", "draw")).values
for name, *numbers in zip(X.columns, low, high, above, strict=True):
    print("    {:>4} {:9.1f} {:9.1f} {:8.3f}".format(name, *numbers))
