"""scikit-learn's own checks of an estimator."""

import os

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skreg import (
    BaggedDropoutMLPClassifier,
    BaggedDropoutMLPRegressor,
    BayesianRegressor,
    ElasticNet,
    ElasticNetCV,
    ElasticNetSelector,
    Lasso,
    LassoCV,
    LassoSelector,
    PosteriorSelector,
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
    BayesianRegressor(),
    BayesianRegressor(noise="variance-scaled"),
    BayesianRegressor(noise=1.0),
    BayesianRegressor(Lasso(), random_state=0),
    BayesianRegressor(ElasticNet(alpha=0.5), random_state=0),
    LassoSelector(),
    LassoSelector(alpha=1e-3),
    LassoSelector(n_features_to_select=1),
    ElasticNetSelector(l1_ratio=[0.5, 1.0], selection_rule="1se"),
    StabilitySelector(),
    StabilitySelector(0.6, pfer=None, n_features_per_subsample=1, l1_ratio=0.5, n_pairs=10),
    PosteriorSelector(),
    PosteriorSelector(BayesianRegressor(noise="variance-scaled"), rule="probability"),
    PosteriorSelector(rule="projection"),
    BaggedDropoutMLPClassifier(),
    BaggedDropoutMLPRegressor(),
    BaggedDropoutMLPClassifier(solver="lbfgs", n_estimators=1, dropout=0, bootstrap=False),
    BaggedDropoutMLPRegressor(solver="lbfgs", n_estimators=1, dropout=0, bootstrap=False),
]


def expected_failures(estimator):
    """Name what sample weights mean where they are not repetitions of a row."""
    if isinstance(estimator, BayesianRegressor):
        if estimator.estimator is None and estimator.noise is not None:
            return {}  # the posterior mean of a ridge does not hang on σ under these contracts
        # A row of weight 2 is one better row, which says less of σ than two do.
        why = "weights are precisions, and σ has a say in the mean"
    elif getattr(estimator, "solver", None) == "adamw":
        # L-BFGS on all rows has neither minibatches nor bootstrap samples.
        why = "other rows make other minibatches and bootstrap samples"
    else:
        return {}
    return {f"check_sample_weight_equivalence_on_{kind}_data": why for kind in ("dense", "sparse")}


# What scikit-learn says where a check's targets are noise, and nothing is to be selected.
@pytest.mark.filterwarnings("ignore:No features were selected:UserWarning")
@pytest.mark.filterwarnings("ignore:L-BFGS did not converge")  # nor need it, to keep conventions
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures, xfail_strict=True)
def test_the_estimator_keeps_scikit_learn_s_conventions(estimator, check):
    assert os.environ["SCIPY_ARRAY_API"] == "1"
    check(estimator)
