"""scikit-learn's own checks of an estimator, with no failure expected."""

import os

from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg import ElasticNet, ElasticNetCV, Lasso, LassoCV, Ridge

ESTIMATORS = [
    Ridge(),
    Ridge(alpha=0.0),
    Ridge(positive=True),
    Ridge(fit_intercept=False),
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
]


@parametrize_with_checks(ESTIMATORS)
def test_the_estimator_keeps_scikit_learn_s_conventions(estimator, check):
    assert os.environ["SCIPY_ARRAY_API"] == "1"
    check(estimator)
