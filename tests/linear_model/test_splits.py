"""Splits, their metadata and n_jobs: the same for every estimator whose alpha cross-validation selects."""

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import ElasticNetCV, LassoCV, RidgeCV

every_class = pytest.mark.parametrize("Estimator", [RidgeCV, LassoCV, ElasticNetCV])

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 8))
y = X[:, ::2].sum(axis=1) + RNG.standard_normal(60)
WEIGHTS = RNG.uniform(0.2, 3.0, 60)
GROUPS = RNG.integers(0, 7, 60)
SPLITS = list(KFold(4).split(X))


@every_class
def test_splits_may_come_from_a_generator_once_or_be_masks_slices_or_count_from_the_end(Estimator):
    expected = Estimator(alphas=12, cv=4).fit(X, y).mse_path_
    with config_context(enable_metadata_routing=True):
        generated = Estimator(alphas=12, cv=(split for split in SPLITS)).fit(X, y)
    assert_array_equal(generated.mse_path_, expected)
    masks = [tuple(np.isin(np.arange(60), part) for part in split) for split in SPLITS]
    slices = [(train, slice(test[0], test[-1] + 1)) for train, test in SPLITS]
    from_the_end = [(train - 60, test) for train, test in SPLITS]
    for cv in (SPLITS, masks, slices, from_the_end):
        assert_array_equal(Estimator(alphas=12, cv=cv).fit(X, y).mse_path_, expected)


@every_class
@pytest.mark.parametrize(
    ("parameters", "error", "pattern"),
    [
        ({"n_jobs": 0}, ValueError, "n_jobs must be None or an integer other than 0, got 0"),
        ({"n_jobs": 1.5}, TypeError, "n_jobs must be an integer"),
        ({"cv": "five"}, TypeError, "cv must be an integer ≥ 2, a splitter or a list of splits, got 'five'"),
        ({"cv": 1}, ValueError, "cv must be an integer ≥ 2, got 1"),
        ({"cv": True}, TypeError, "cv must be an integer ≥ 2, got True"),
        ({"cv": 2.5}, TypeError, "cv must be an integer ≥ 2, a splitter or a list of splits, got 2.5"),
        ({"cv": [(3, 4)]}, ValueError, "split 0 is not one"),
        ({"cv": []}, ValueError, "cv must give at least one split"),
        ({"cv": [(np.arange(60), [60])]}, ValueError, "indices of 60 rows; split 0 is not one"),
        ({"cv": [(np.arange(60), [-61])]}, ValueError, "indices of 60 rows; split 0 is not one"),
        ({"cv": [(np.arange(60), np.ones(59, dtype=bool))]}, ValueError, "split 0 is not one"),
        ({"cv": [(np.arange(60),)]}, ValueError, "split 0 is not one"),
        ({"cv": [([0.5], [1])]}, ValueError, "split 0 is not one"),
        ({"cv": [(np.arange(59), [59]), ([], [1])]}, ValueError, "Split 1 of cv has no row"),
        ({"cv": [(np.arange(60), [])]}, ValueError, "to test"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_splits_are_named(parameters, error, pattern, Estimator):
    with pytest.raises(error, match=re.escape(pattern)):
        Estimator(**parameters).fit(X, y)


@every_class
def test_folds_without_weight_are_refused(Estimator):
    weights = np.where(np.arange(60) < 12, 0.0, 1.0)
    with pytest.raises(ValueError, match="Split 0 of cv has no row of positive sample_weight to test"):
        Estimator(cv=5).fit(X, y, sample_weight=weights)
    with pytest.raises(ValueError, match="Split 0 of cv has no row of positive sample_weight to train on"):
        Estimator(cv=[(np.arange(12), np.arange(12, 60))]).fit(X, y, sample_weight=weights)
    with pytest.raises(ValueError, match="sample_weight is zero on every row"):
        Estimator(cv=5).fit(X, y, sample_weight=np.zeros(60))


@every_class
def test_groups_reach_the_splitter_where_routing_is_enabled(Estimator):
    splits = list(GroupKFold(3).split(X, y, GROUPS))
    expected = Estimator(alphas=12, cv=splits).fit(X, y, WEIGHTS)
    with config_context(enable_metadata_routing=True):
        given = Estimator(alphas=12, cv=GroupKFold(3)).set_fit_request(sample_weight=True)
        given.fit(X, y, sample_weight=WEIGHTS, groups=GROUPS)
        pipeline = make_pipeline(
            StandardScaler(with_mean=False, with_std=False).set_fit_request(sample_weight=False),
            clone(given),
        ).fit(X, y, sample_weight=WEIGHTS, groups=GROUPS)
        with pytest.raises(TypeError, match="nonsense"):
            Estimator(alphas=12, cv=GroupKFold(3)).fit(X, y, groups=GROUPS, nonsense=1)
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            make_pipeline(StandardScaler().set_fit_request(sample_weight=False), Estimator()).fit(
                X, y, sample_weight=WEIGHTS
            )
    assert_array_equal(given.mse_path_, expected.mse_path_)
    assert_array_equal(pipeline[-1].mse_path_, expected.mse_path_)
    assert np.any(given.mse_path_ != Estimator(alphas=12, cv=3).fit(X, y, WEIGHTS).mse_path_)


@every_class
def test_groups_without_routing_say_what_would_do(Estimator):
    with pytest.raises(ValueError, match=r"fit got groups.*enable_metadata_routing.*cv=list"):
        Estimator(cv=GroupKFold(3)).fit(X, y, groups=GROUPS)
