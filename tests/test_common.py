"""scikit-learn's own checks of an estimator."""

import os

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg import (
    ElasticNet,
    ElasticNetCV,
    ElasticNetSelector,
    Lasso,
    LassoCV,
    LassoSelector,
    Ridge,
    RidgeCV,
    StabilitySelector,
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
    LassoSelector(),
    LassoSelector(alpha=1e-3),
    LassoSelector(n_features_to_select=1),
    ElasticNetSelector(l1_ratio=[0.5, 1.0], selection_rule="1se"),
    StabilitySelector(),
    StabilitySelector(0.6, pfer=None, n_features_per_subsample=1, l1_ratio=0.5, n_pairs=10),
]


# What scikit-learn says where a check's targets are noise, and nothing is to be selected.
@pytest.mark.filterwarnings("ignore:No features were selected:UserWarning")
@parametrize_with_checks(ESTIMATORS)
def test_the_estimator_keeps_scikit_learn_s_conventions(estimator, check):
    assert os.environ["SCIPY_ARRAY_API"] == "1"
    check(estimator)
