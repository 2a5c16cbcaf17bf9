"""scikit-learn's own checks of an estimator."""

import os

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg import (
    BaggedDropoutMLPClassifier,
    BaggedDropoutMLPRegressor,
    ElasticNet,
    ElasticNetCV,
    Lasso,
    LassoCV,
    Ridge,
    RidgeCV,
)

ESTIMATORS = [
    Ridge(),
    Ridge(alpha=0.0),
    Ridge(positive=True),
    Ridge(fit_intercept=False),
    Ridge(alpha=[2.0]),
    RidgeCV(),
    RidgeCV(alphas=5, fit_intercept=False, selection_rule="1se"),
    RidgeCV(cv=3),
    RidgeCV(alphas=5, cv=3, scoring="neg_mean_absolute_error"),
    Lasso(),
    Lasso(alpha=1e-3),
    Lasso(positive=True),
    Lasso(warm_start=True),
    Lasso(fit_intercept=False),
    ElasticNet(),
    ElasticNet(alpha=1e-3, positive=True, warm_start=True),
    ElasticNet(fit_intercept=False, l1_ratio=0.0),
    LassoCV(),
    LassoCV(selection_rule="1se"),
    ElasticNetCV(),
    ElasticNetCV(l1_ratio=[0.5, 0.9, 1.0]),
    BaggedDropoutMLPClassifier(),
    BaggedDropoutMLPRegressor(),
    BaggedDropoutMLPClassifier(solver="lbfgs", n_estimators=1, dropout=0, bootstrap=False),
    BaggedDropoutMLPRegressor(solver="lbfgs", n_estimators=1, dropout=0, bootstrap=False),
]


def expected_to_fail(estimator):
    # Other rows make other minibatches and bootstrap samples; L-BFGS on all rows has neither.
    if getattr(estimator, "solver", None) != "adamw":
        return {}
    return {
        f"check_sample_weight_equivalence_on_{kind}_data": "in a minibatch a weight is no repetition"
        for kind in ("dense", "sparse")
    }


@pytest.mark.filterwarnings("ignore:L-BFGS did not converge")  # nor need it, to keep conventions
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_to_fail, xfail_strict=True)
def test_the_estimator_keeps_scikit_learn_s_conventions(estimator, check):
    assert os.environ["SCIPY_ARRAY_API"] == "1"
    check(estimator)
