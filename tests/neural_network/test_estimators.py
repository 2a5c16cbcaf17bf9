"""The classifier and the regressor: what a user can rely on."""

import pickle
import tracemalloc
import warnings

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_sample_weight_equivalence_on_dense_data as dense_weights
from sklearn.utils.estimator_checks import check_sample_weight_equivalence_on_sparse_data as sparse_weights

from skreg import BaggedDropoutMLPClassifier, BaggedDropoutMLPRegressor
from skreg.neural_network.scaling import Scaling
from skreg.neural_network.splits import validation_split
from skreg.neural_network.training import group_slices

X_iris, y_iris = load_iris(return_X_y=True)
X_digits, y_digits = load_digits(return_X_y=True)
X_diabetes, y_diabetes = load_diabetes(return_X_y=True, scaled=False)
X_labels, Y_labels = make_multilabel_classification(120, random_state=0)
RNG = np.random.default_rng(0)
NAMES = np.array(["setosa", "versicolor", "virginica"])[y_iris]
PLAIN = {"n_estimators": 1, "bootstrap": False, "dropout": 0}


def classifier(**settings):
    return BaggedDropoutMLPClassifier(
        **{"hidden_layer_sizes": (12,), "n_estimators": 4, "max_iter": 15, "random_state": 0, **settings}
    )


def regressor(**settings):
    return BaggedDropoutMLPRegressor(
        **{"hidden_layer_sizes": (12,), "n_estimators": 4, "max_iter": 15, "random_state": 0, **settings}
    )


KINDS = {
    "binary": (classifier, X_iris[:100], NAMES[:100]),
    "multiclass": (classifier, X_iris, NAMES),
    "multilabel": (classifier, X_labels, Y_labels),
    "regression": (regressor, X_diabetes, y_diabetes),
    "two targets": (regressor, X_diabetes, np.column_stack([y_diabetes, X_diabetes[:, 0]])),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def means(make, **settings):
    """Make an estimator that predicts the mean of its members, and not a tempered one."""
    return make(**settings, **({"calibrate": None} if make is classifier else {}))


def predictions(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


# ------------------------------------------------------------------ chance


@every_kind
def test_the_same_seed_gives_the_same_networks_whatever_n_jobs(kind):
    make, X, y = KINDS[kind]
    large = {"hidden_layer_sizes": (200, 200), "max_iter": 3}
    one, same, two = (make(n_jobs=n, **large).fit(X, y) for n in (None, 1, 2))
    assert len(group_slices(4, [X.shape[1], 200, 200, 1])) > 1  # there is something to divide
    for other in (same, two):
        assert one.loss_curve_ == other.loss_curve_
        for a, b in zip(one.coefs_, other.coefs_, strict=True):
            assert_array_equal(a, b)
    assert not np.array_equal(make(random_state=1, **large).fit(X, y).coefs_[0], one.coefs_[0])


def test_a_member_starts_the_same_however_many_there_are():
    few = classifier(n_estimators=2, max_iter=1, learning_rate=1e-12).fit(X_iris, y_iris)
    many = classifier(n_estimators=7, max_iter=1, learning_rate=1e-12).fit(X_iris, y_iris)
    assert_allclose(few.coefs_[0], many.coefs_[0][:2], atol=1e-9)


def test_predicting_leaves_every_random_state_alone():
    state = np.random.RandomState(3)
    model = classifier(random_state=state).fit(X_iris, y_iris)
    before, global_before = state.get_state()[1].copy(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = model.predict_proba(X_iris, inference="monte_carlo")
    model.predict(X_iris)
    model.predict_uncertainty(X_iris)
    assert_array_equal(model.predict_proba(X_iris, inference="monte_carlo"), first)
    assert_array_equal(state.get_state()[1], before)
    assert_array_equal(np.random.get_state()[1], global_before)  # noqa: NPY002


def test_no_seed_is_another_seed_each_time():
    one, two = (classifier(random_state=None).fit(X_iris, y_iris) for _ in range(2))
    assert not np.array_equal(one.coefs_[0], two.coefs_[0])


# ------------------------------------------------------------------ inference


@every_kind
def test_the_prediction_is_the_mean_of_the_members(kind):
    make, X, y = KINDS[kind]
    model = means(make).fit(X, y)
    members = model.predict_members(X)
    assert members.shape[:2] == (4, len(X))
    assert_allclose(members.mean(axis=0), predictions(model, X), rtol=1e-9)


@every_kind
def test_every_member_can_be_exported_to_scikit_learn_exactly(kind):
    make, X, y = KINDS[kind]
    model = make(activation="tanh", hidden_layer_sizes=(7, 5)).fit(X, y)
    members = model.predict_members(X)
    for member in range(4):
        exported = model.to_scikit_learn(member)
        assert_allclose(predictions(exported, X), members[member], rtol=1e-9, atol=1e-12)
        assert exported.predict(X).shape == model.predict(X).shape
    alone = make(n_estimators=1).fit(X, y)
    assert_array_equal(
        alone.to_scikit_learn().predict(X)[:50], alone.predict(X)[:50]
    ) if make is classifier else None
    assert_allclose(predictions(alone.to_scikit_learn(), X), predictions(alone, X), rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match=r"member must be an integer ≥ 0 and below 4, got 4"):
        model.to_scikit_learn(4)


def test_the_coefficients_take_inputs_as_given():
    model = regressor(activation="identity", hidden_layer_sizes=(), n_estimators=1).fit(
        X_diabetes, y_diabetes
    )
    by_hand = X_diabetes @ model.coefs_[0][0, :, 0] + model.intercepts_[0][0]
    assert_allclose(by_hand, model.predict(X_diabetes), rtol=1e-9)


def test_monte_carlo_takes_one_set_of_masks_for_all_rows_and_adds_to_it():
    model = means(classifier, dropout=0.5).fit(X_iris, y_iris)
    together = model.predict_proba(X_iris, inference="monte_carlo", n_masks=20)
    alone = np.vstack(
        [model.predict_proba(X_iris[i : i + 1], inference="monte_carlo", n_masks=20) for i in (3, 80)]
    )
    assert_allclose(alone, together[[3, 80]], rtol=1e-9)
    assert np.abs(together - model.predict_proba(X_iris)).max() > 1e-3
    one, two = (model.predict_proba(X_iris, "monte_carlo", n) for n in (1, 2))
    draws = list(model._draws(2))
    scaled = next(iter(model._chunks(X_iris)))[1]
    assert_allclose(one, draws[0].outputs(scaled).mean(axis=0), rtol=1e-9)
    assert_allclose(2 * two - one, draws[1].outputs(scaled).mean(axis=0), atol=1e-12)


def test_without_dropout_monte_carlo_is_the_network_itself():
    model = classifier(dropout=0).fit(X_iris, y_iris)
    assert_array_equal(model.predict_proba(X_iris, "monte_carlo"), model.predict_proba(X_iris))


@every_kind
def test_uncertainty_adds_up(kind):
    make, X, y = KINDS[kind]
    model = means(make, dropout=0.5).fit(X, y)
    over_members = model.predict_uncertainty(X, "weight_scaling")
    members = model.predict_members(X)
    assert_allclose(over_members.mean, predictions(model, X), rtol=1e-9)
    assert_allclose(over_members.variance, members.var(axis=0), rtol=1e-6, atol=1e-12)
    over_masks = model.predict_uncertainty(X, n_masks=10)
    assert (over_masks.variance.mean(), "more networks, more spread") > (over_members.variance.mean(), "")
    if make is regressor:
        assert over_masks.predictive_entropy is None and over_masks.mutual_information is None
        return
    assert_allclose(over_masks.mean, model.predict_proba(X, "monte_carlo", 10), rtol=1e-6)
    most = np.log(2 if kind != "multiclass" else 3)
    assert np.all(over_masks.mutual_information >= 0)
    assert np.all(over_masks.predictive_entropy >= over_masks.mutual_information)
    assert np.all(over_masks.predictive_entropy <= most + 1e-12)
    assert over_masks.mutual_information.shape == (Y_labels.shape if kind == "multilabel" else (len(X),))


def test_one_network_without_dropout_is_sure_of_itself():
    u = classifier(**PLAIN).fit(X_iris, y_iris).predict_uncertainty(X_iris)
    assert_array_equal(u.variance, 0)
    assert_allclose(u.mutual_information, 0, atol=1e-15)


def test_multilabel_probabilities_are_strictly_inside():
    X = np.r_[X_labels, 1e6 * X_labels]
    p = classifier().fit(X_labels, Y_labels).predict_proba(X)
    assert p.shape == (240, 5) and p.min() > 0 and p.max() < 1


# ------------------------------------------------------------------ out of bag


@every_kind
@pytest.mark.parametrize("n_estimators", [1, 2, 10])
def test_out_of_bag_predictions_are_finite_and_come_from_members_that_left_the_row_out(kind, n_estimators):
    make, X, y = KINDS[kind]
    model = make(n_estimators=n_estimators, oob_score=True).fit(X, y)
    oob = model.oob_decision_function_ if make is classifier else model.oob_prediction_
    assert oob.shape == predictions(model, X).shape
    assert np.isfinite(oob).all() and np.isfinite(model.oob_score_)
    in_all = (1 - np.exp(-1)) ** n_estimators
    assert abs((~model.oob_rows_).mean() - in_all) < 4 * np.sqrt(in_all / len(X))
    if n_estimators == 1:
        assert_allclose(oob[model.oob_rows_], predictions(model, X)[model.oob_rows_], rtol=1e-9)
        outside = oob[~model.oob_rows_]
        assert np.ptp(outside, axis=0).max() < 1e-9  # the frequencies, or the mean of y
    if kind == "regression":
        assert oob.std() > 5  # in the units of y


@pytest.mark.parametrize(
    "scoring", ["neg_log_loss", "roc_auc_ovr", "balanced_accuracy", get_scorer("accuracy")]
)
def test_any_scorer_scores_out_of_bag(scoring):
    model = classifier(n_estimators=10, oob_score=scoring).fit(X_iris, NAMES)
    known = model.oob_rows_
    if scoring == "neg_log_loss":
        assert_allclose(model.oob_score_, -log_loss(NAMES[known], model.oob_decision_function_[known]))
    assert np.isfinite(model.oob_score_)
    assert regressor(oob_score="neg_mean_absolute_error").fit(X_diabetes, y_diabetes).oob_score_ < -30


def test_partial_fit_makes_no_out_of_bag_claims():
    model = classifier(oob_score=True, calibrate="oob").fit(X_iris, y_iris).partial_fit(X_iris, y_iris)
    assert not [name for name in vars(model) if name.startswith("oob_") and name.endswith("_")]
    assert model.temperature_ == 1.0


def test_out_of_bag_is_honest_where_the_training_score_is_not():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 30)), rng.integers(0, 2, 200)
    model = classifier(hidden_layer_sizes=(64,), n_estimators=10, dropout=0, max_iter=60, oob_score=True).fit(
        X, y
    )
    assert model.score(X, y) > 0.9
    assert abs(model.oob_score_ - 0.5) < 0.12


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_a_temperature_makes_networks_that_were_too_sure_less_so(kind):
    make, X, y = KINDS[kind]
    rng = np.random.default_rng(0)
    X = np.tile(X, (3, 1)) + rng.normal(0, 0.5, (3 * len(X), X.shape[1]))
    y = np.concatenate([y, y, rng.permutation(y)])  # some labels wrong: too sure without it
    settings = {"hidden_layer_sizes": (64,), "dropout": 0, "max_iter": 100, "learning_rate": 0.01}
    model = make(calibrate="oob", **settings).fit(X, y)
    plain = make(calibrate=None, oob_score=True, **settings).fit(X, y)
    assert model.temperature_ > 1.0 and plain.temperature_ == 1.0
    assert make(**settings).fit(X, y).temperature_ == model.temperature_  # "auto"
    known = model.oob_rows_

    def loss(probability):
        target = y[known] if kind == "multilabel" else (y[known, None] == model.classes_).astype(float)
        return -np.mean(target * np.log(probability) + (1 - target) * np.log(1 - probability))

    assert loss(model.oob_decision_function_[known]) < loss(plain.oob_decision_function_[known])
    assert_array_equal(model.predict(X), plain.predict(X))
    if kind == "multiclass":
        tempered = plain.predict_proba(X) ** (1 / model.temperature_)
        assert_allclose(model.predict_proba(X), tempered / tempered.sum(axis=1, keepdims=True), rtol=1e-6)
    alone = make(n_estimators=1, calibrate="oob").fit(X, y)
    assert_allclose(alone.to_scikit_learn().predict_proba(X), alone.predict_proba(X), rtol=1e-6, atol=1e-12)


def test_without_a_bag_nothing_is_calibrated_and_nothing_refused():
    assert classifier(bootstrap=False).fit(X_iris, y_iris).temperature_ == 1.0
    assert classifier(**PLAIN).fit(X_iris, y_iris).temperature_ == 1.0


def test_members_are_not_judged_by_rows_that_an_earlier_call_trained_them_on():
    model = classifier(warm_start=True, oob_score=True).fit(X_iris[::2], y_iris[::2])
    went_on = model.fit(X_iris[::2], y_iris[::2])  # the same rows are left out: as honest as one fit
    assert went_on.temperature_ != 1.0 and np.isfinite(went_on.oob_score_)
    before = went_on.oob_score_
    with pytest.raises(ValueError, match="rows that they may have trained on"):
        went_on.fit(X_iris[1::2], y_iris[1::2])
    assert went_on.oob_score_ == before
    assert went_on.set_params(oob_score=False).fit(X_iris[1::2], y_iris[1::2]).temperature_ == 1.0
    with pytest.raises(ValueError, match="rows that they may have trained on"):
        went_on.set_params(calibrate="oob").fit(X_iris[1::2], y_iris[1::2])
    streamed = classifier(warm_start=True).partial_fit(X_iris, y_iris, classes=[0, 1, 2])
    assert streamed.fit(X_iris, y_iris).temperature_ == 1.0
    late = classifier().fit(X_iris, y_iris).set_params(warm_start=True)
    assert late.fit(X_iris, y_iris).temperature_ == 1.0


# ------------------------------------------------------------------ data


@every_kind
@pytest.mark.parametrize("container", [sparse.csr_matrix, sparse.csc_array, sparse.coo_array])
def test_sparse_and_dense_are_the_same(kind, container):
    make, X, y = KINDS[kind]
    X = np.where(X > np.median(X, axis=0), X, 0.0)
    dense, thin = (make(input_dropout=0.2).fit(data, y) for data in (X, container(X)))
    assert_allclose(predictions(thin, container(X)), predictions(dense, X), rtol=1e-6)
    assert_allclose(predictions(thin, X), predictions(thin, container(X)), rtol=1e-12)


@every_kind
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(kind, dtype):
    make, X, y = KINDS[kind]
    model = make(oob_score=True).fit(X.astype(dtype), y)
    for array in (*model.coefs_, *model.intercepts_, predictions(model, X), model.predict_members(X)):
        assert array.dtype == dtype
    assert_allclose(predictions(model, X), predictions(make().fit(X, y), X), rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("solver", ["adamw", "lbfgs"])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_columns_far_from_zero_are_standardised_before_they_are_rounded(container, solver):
    settings = {"solver": solver, **({"dropout": 0, "max_iter": 5} if solver == "lbfgs" else {})}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of five steps of L-BFGS
        near = classifier(**settings).fit(container(X_iris), y_iris)
        far = classifier(**settings).fit(container(X_iris + 1e6), y_iris)
    # As exactly as X + 1e6 has kept X: single precision would have kept none of it.
    assert_allclose(far.predict_proba(X_iris + 1e6), near.predict_proba(X_iris), atol=1e-4)


def test_minibatches_train_in_single_precision_and_lbfgs_in_that_of_the_data():
    for solver, single in (("adamw", True), ("sgd", True), ("lbfgs", False)):
        model = classifier(solver=solver, dropout=0, max_iter=200, tol=1e-3).fit(X_iris, y_iris)
        weights = model._network.coefs[0]
        assert weights.dtype == np.float64
        assert np.array_equal(weights, weights.astype(np.float32)) == single


def test_read_only_memory_maps_train_the_same(tmp_path):
    joblib.dump((X_digits[:300], y_digits[:300]), tmp_path / "digits")
    X, y = joblib.load(tmp_path / "digits", mmap_mode="r")
    assert not X.flags.writeable
    mapped, loaded = classifier().fit(X, y), classifier().fit(np.array(X), np.array(y))
    assert_array_equal(mapped.predict_proba(X), loaded.predict_proba(X_digits[:300]))


@every_kind
def test_pickles_predict_the_same(kind):
    make, X, y = KINDS[kind]
    model = make(oob_score=True).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(predictions(again, X), predictions(model, X))
    model.set_params(oob_score=False).partial_fit(X, y)
    again.set_params(oob_score=False).partial_fit(X, y)
    assert_array_equal(predictions(again, X), predictions(model, X))


@pytest.mark.parametrize("order", ["F", "strided"])
def test_any_layout_of_memory_will_do(order):
    X = np.asfortranarray(X_iris) if order == "F" else np.repeat(X_iris, 2, axis=1)[:, ::2]
    assert_array_equal(
        classifier().fit(X, y_iris).predict_proba(X), classifier().fit(X_iris, y_iris).predict_proba(X)
    )


def test_standardisation_makes_units_irrelevant_and_can_be_switched_off():
    units = np.array([1e-3, 1.0, 1e3, 50.0])
    shifted = X_iris * units + 7 * units
    own = {"standardize": True}  # each by its own deviation, whatever "auto" would have made of the units
    one, other = classifier(**own).fit(X_iris, y_iris), classifier(**own).fit(shifted, y_iris)
    assert_allclose(other.predict_proba(shifted), one.predict_proba(X_iris), rtol=1e-6)
    Z = StandardScaler().fit_transform(X_iris)
    by_hand = classifier(standardize=False).fit(Z, y_iris)
    assert_allclose(by_hand.predict_proba(Z), one.predict_proba(X_iris), rtol=1e-9)
    raw = classifier(standardize=False).fit(X_iris, y_iris)
    assert np.abs(raw.predict_proba(X_iris) - one.predict_proba(X_iris)).max() > 0.01


@every_kind
def test_constant_and_empty_columns_change_nothing_by_themselves(kind):
    make, X, y = KINDS[kind]
    padded = np.column_stack([X, np.full(len(X), 1e8), np.zeros(len(X))])
    model = make().fit(padded, y)
    assert np.isfinite(predictions(model, padded)).all()
    moved = padded + np.r_[np.zeros(X.shape[1]), 1e-3, 0.0]  # relative to 1e8, nothing
    assert_allclose(predictions(model, moved), predictions(model, padded), rtol=0.05, atol=0.01)


# ------------------------------------------------------------------ weights


def test_zero_weight_is_absence():
    weight = (np.arange(150) % 3 > 0).astype(float)
    keep = weight > 0
    settings = {**PLAIN, "solver": "lbfgs", "max_iter": 40}
    with pytest.warns(ConvergenceWarning):
        weighted = classifier(**settings).fit(X_iris, y_iris, sample_weight=weight)
    with pytest.warns(ConvergenceWarning):
        fewer = classifier(**settings).fit(X_iris[keep], y_iris[keep])
    assert_allclose(weighted.predict_proba(X_iris), fewer.predict_proba(X_iris), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("check", [dense_weights, sparse_weights])
@pytest.mark.parametrize("estimator_class", [BaggedDropoutMLPClassifier, BaggedDropoutMLPRegressor])
@pytest.mark.filterwarnings("ignore:L-BFGS did not converge")
def test_a_weight_is_a_repetition_where_nothing_is_left_to_chance(check, estimator_class):
    estimator = estimator_class(solver="lbfgs", n_estimators=1, dropout=0, bootstrap=False)
    check(estimator_class.__name__, estimator)


def test_only_ratios_of_weights_count():
    weight = np.linspace(0.5, 2, 150)
    one, other = (classifier().fit(X_iris, y_iris, sample_weight=c * weight) for c in (1.0, 64.0))
    assert_allclose(one.predict_proba(X_iris), other.predict_proba(X_iris), rtol=1e-9)


def test_class_weights_are_row_weights():
    weights = {"setosa": 1.0, "versicolor": 5.0, "virginica": 0.5}
    rows = np.array([weights[name] for name in NAMES])
    by_class = classifier(class_weight=weights).fit(X_iris, NAMES)
    by_row = classifier().fit(X_iris, NAMES, sample_weight=rows)
    assert_allclose(by_class.predict_proba(X_iris), by_row.predict_proba(X_iris), rtol=1e-9)
    few = np.r_[0:50, 50:60]
    slow = {"max_iter": 60, "learning_rate": 0.01}
    balanced = classifier(class_weight="balanced", **slow).fit(X_iris[few, :1], y_iris[few])
    plain = classifier(**slow).fit(X_iris[few, :1], y_iris[few])
    assert (
        balanced.predict_proba(X_iris[few, :1])[:, 1].mean()
        > plain.predict_proba(X_iris[few, :1])[:, 1].mean() + 0.05
    )


# ------------------------------------------------------------------ training


def test_scikit_learn_s_bagging_crashes_where_this_does_not():
    """A last, small batch whose bootstrap weights are all zero divides by zero there."""
    model = classifier(n_estimators=10, batch_size=64, max_iter=4, hidden_layer_sizes=(32,))
    assert model.fit(X_digits, y_digits).score(X_digits, y_digits) > 0.9
    for n in (65, 66, 129):
        model.fit(X_digits[:n], y_digits[:n])


def test_early_stopping_keeps_the_best_epoch_of_the_ensemble():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((200, 10)), rng.integers(0, 2, 200)
    X[:, 0] += y
    settings = {
        "early_stopping": True,
        "dropout": 0,
        "n_iter_no_change": 5,
        "max_iter": 200,
        "learning_rate": 0.02,
    }
    model = means(classifier, hidden_layer_sizes=(64,), **settings).fit(X, y)
    curve = model.validation_loss_curve_
    assert model.n_iter_ == len(curve) < 200
    assert model.best_epoch_ == int(np.argmin(curve)) < model.n_iter_ - 1
    training, validation = validation_split(y, np.arange(200), 0.1, model._generator(4))
    assert_allclose(log_loss(y[validation], model.predict_proba(X[validation])), min(curve), rtol=1e-5)
    assert len(validation) == 20 and not set(training) & set(validation)
    assert model.set_params(early_stopping=False).fit(X, y).validation_loss_curve_ is None


def test_a_validation_split_has_every_class_in_its_proportion_and_no_class_whole():
    strata = np.repeat([0, 1, 2, 3], [500, 300, 199, 1])
    training, validation = validation_split(strata, np.arange(1000), 0.2, np.random.default_rng(0))
    assert_allclose(np.bincount(strata[validation], minlength=4), [100, 60, 40, 0], atol=1.01)
    assert len(training) + len(validation) == 1000 and len(validation) == 200


@every_kind
@pytest.mark.parametrize("solver", ["adamw", "sgd", "lbfgs"])
def test_every_solver_learns(kind, solver):
    make, X, y = KINDS[kind]
    settings = {"dropout": 0, "max_iter": 1000 if solver == "lbfgs" else 40, "tol": 0.01}
    model = make(solver=solver, learning_rate=0.02, **settings).fit(X, y)
    assert model.score(X, y) > {"multilabel": 0.3, "regression": 0.5}.get(kind, 0.6)


def test_lbfgs_says_when_it_has_not_converged():
    with pytest.warns(ConvergenceWarning, match=r"max_iter=3 .*Increase max_iter"):
        classifier(solver="lbfgs", dropout=0, max_iter=3).fit(X_iris, y_iris)


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_every_schedule_learns(schedule):
    assert (
        classifier(schedule=schedule, max_iter=40, learning_rate=0.01)
        .fit(X_iris, y_iris)
        .score(X_iris, y_iris)
        > 0.9
    )


def test_l1_makes_exact_zeros_and_lbfgs_finds_its_optimum():
    settings = {**PLAIN, "hidden_layer_sizes": (), "l1": 0.02, "standardize": True}
    exact = classifier(solver="lbfgs", max_iter=2000, tol=1e-7, **settings).fit(X_iris, y_iris)
    zeros = exact.coefs_[0] == 0
    assert 0 < zeros.sum() < zeros.size
    # The subgradient conditions of the penalised cross-entropy, on standardised inputs.
    Z = StandardScaler().fit_transform(X_iris)
    residual = exact.predict_proba(X_iris) - np.eye(3)[y_iris]
    slope = Z.T @ residual / 150
    weights = exact.coefs_[0][0]
    assert_allclose(slope[weights != 0], -0.02 * np.sign(weights[weights != 0]), atol=1e-5)
    assert np.abs(slope[weights == 0]).max() <= 0.02 + 1e-5


def test_l1_makes_exact_zeros_of_minibatches_too():
    rng = np.random.default_rng(0)
    X = np.column_stack([X_iris, rng.standard_normal((150, 20))])
    model = classifier(dropout=0, l1=0.2, learning_rate=0.01, max_iter=100, batch_size=16).fit(X, y_iris)
    zero = model.coefs_[0] == 0
    assert zero[:, 4:].mean() > 0.5 > zero[:, :4].mean() + 0.1
    assert model.score(X, y_iris) > 0.9


def test_warm_start_goes_on_and_a_change_of_architecture_is_refused():
    model = classifier(warm_start=True, max_iter=5).fit(X_iris, y_iris)
    first = model.loss_curve_[-1]
    assert model.fit(X_iris, y_iris).loss_curve_[-1] < first
    cold = classifier(max_iter=5).fit(X_iris, y_iris)
    assert_array_equal(clone(model).fit(X_iris, y_iris).coefs_[0], cold.coefs_[0])
    before = model.predict_proba(X_iris)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes.*\(12,\).*\(9,\)"):
        model.set_params(hidden_layer_sizes=(9,)).fit(X_iris, y_iris)
    assert_array_equal(model.predict_proba(X_iris), before)


@every_kind
def test_partial_fit_learns_from_a_stream_whose_units_it_has_to_find_out(kind):
    make, X, y = KINDS[kind]
    order = np.random.default_rng(0).permutation(len(X))
    X, y = 1000.0 * X[order] + 500.0, y[order]
    model = make(dropout=0, learning_rate=0.01, batch_size=16)
    chunks = np.array_split(np.arange(len(X)), 5)
    classes = {"classes": np.unique(y)} if kind in ("binary", "multiclass") else {}
    model.partial_fit(X[:1], y[:1], **classes)
    for _ in range(15):
        for rows in chunks:
            model.partial_fit(X[rows], y[rows])
    assert model.score(X, y) > {"multilabel": 0.3, "regression": 0.45}.get(kind, 0.6)
    assert len(model.loss_curve_) == model.n_iter_ == 76


def test_partial_fit_takes_new_settings_and_a_new_solver():
    model = classifier(weight_decay=0.0).partial_fit(X_iris, y_iris, classes=[0, 1, 2])
    stays = pickle.loads(pickle.dumps(model)).partial_fit(X_iris, y_iris)
    decays = pickle.loads(pickle.dumps(model)).set_params(weight_decay=50.0).partial_fit(X_iris, y_iris)
    assert np.abs(decays.coefs_[0]).mean() < 0.8 * np.abs(stays.coefs_[0]).mean()
    assert np.isfinite(model.set_params(solver="sgd").partial_fit(X_iris, y_iris).loss_curve_).all()


def test_partial_fit_recovers_from_a_diverging_step():
    model = classifier().partial_fit(X_iris, y_iris, classes=[0, 1, 2])
    before = model.predict_proba(X_iris)
    with pytest.warns(ConvergenceWarning, match=r"infinite or NaN.*that training started from"):
        model.set_params(learning_rate=1e300).partial_fit(X_iris, y_iris)
    assert_allclose(model.predict_proba(X_iris), before, rtol=1e-9)
    for _ in range(30):
        model.set_params(learning_rate=0.01).partial_fit(X_iris, y_iris)
    assert model.score(X_iris, y_iris) > 0.8


def test_new_moments_leave_what_the_networks_compute_as_it_was():
    model = regressor(learning_rate=1e-12).partial_fit(X_diabetes[:100], y_diabetes[:100])
    before = model.predict(X_diabetes)
    model.partial_fit(3 * X_diabetes[100:], -5 * y_diabetes[100:])
    assert_allclose(model.predict(X_diabetes), before, atol=1e-5 * np.std(before))  # single precision's


def test_joined_moments_are_those_of_all_rows():
    weight = np.linspace(0.1, 3, 150)
    whole = Scaling.of(X_iris, weight)
    joined = Scaling.of(X_iris[:60], weight[:60]).joined(Scaling.of(X_iris[60:], weight[60:]))
    thin = Scaling.of(sparse.csr_array(X_iris), weight)
    for other in (joined, thin):
        assert_allclose(other.mean, whole.mean)
        assert_allclose(other.variance, whole.variance)


@pytest.mark.parametrize(("dtype", "mean"), [(np.float32, 1e4), (np.float64, 1e5)])
def test_moments_of_sparse_columns_survive_a_mean_far_from_zero(dtype, mean):
    X = (mean + np.arange(50.0)[:, None] * [0.01, 0.0, 1.0]).astype(dtype)
    X[:25, 2] = 0  # not stored
    weight = np.linspace(0.1, 3, 50)
    dense, thin = Scaling.of(X, weight), Scaling.of(sparse.csr_array(X), weight)
    assert_allclose(thin.mean, dense.mean)
    assert_allclose(thin.scale, dense.scale)


def test_auto_scaling_leaves_columns_of_like_size_their_relative_sizes():
    X = RNG.standard_normal((500, 4)) * [1.0, 2.0, 0.1, 0.0]
    common = Scaling.of(X, np.ones(500), "auto").scale
    assert_array_equal(common[:3], common[0])
    assert_allclose(common[0], np.sqrt(np.mean(X[:, :3].var(axis=0))))
    assert common[3] == 1
    own = Scaling.of(X * [1.0, 100.0, 1.0, 1.0], np.ones(500), "auto").scale
    assert_allclose(own[:3], [X[:, 0].std(), 100 * X[:, 1].std(), X[:, 2].std()])


def test_partial_fit_takes_its_arguments_in_the_order_of_scikit_learn():
    one, other = classifier(), classifier()
    one.partial_fit(X_iris, y_iris, [0, 1, 2])
    assert_array_equal(
        one.predict_proba(X_iris),
        other.partial_fit(X_iris, y_iris, classes=[0, 1, 2]).predict_proba(X_iris),
    )


def test_a_class_of_weight_may_be_missing_from_a_part():
    model = classifier(class_weight={1: 5.0}).partial_fit(X_iris, y_iris, classes=[0, 1, 2])
    others = y_iris != 1
    model.partial_fit(X_iris[others], y_iris[others])
    assert np.isfinite(model.predict_proba(X_iris)).all()


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_weights_balance_classes_as_repeated_rows_do(kind):
    _make, X, y = KINDS[kind]
    times = np.random.default_rng(0).integers(0, 4, len(X))
    model = classifier(class_weight="balanced", standardize=False, hidden_layer_sizes=(), l2=0.1, tol=1e-7)
    model.set_params(solver="lbfgs", max_iter=1000, **PLAIN)
    weighted = clone(model).fit(X, y, sample_weight=times)
    repeated = clone(model).fit(np.repeat(X, times, axis=0), np.repeat(y, times, axis=0))
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-3, atol=1e-4)


def test_a_class_without_weight_does_not_count_when_classes_are_balanced():
    for absent in range(3):
        model = classifier(class_weight="balanced").fit(X_iris, NAMES, sample_weight=y_iris != absent)
        assert np.isfinite(model.predict_proba(X_iris)).all()


def test_monte_carlo_does_not_keep_a_copy_of_the_networks_for_every_mask():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 500)), np.arange(60) % 2
    model = classifier(hidden_layer_sizes=(100,), max_iter=1).fit(X, y)
    size = sum(coef.nbytes for coef in model.coefs_)
    for ask in (model.predict_proba, model.predict_uncertainty):
        tracemalloc.start()
        ask(X, inference="monte_carlo", n_masks=50)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 10 * size


def test_max_norm_holds_after_training():
    model = classifier(max_norm=0.3, standardize=False, learning_rate=0.05).fit(X_iris, y_iris)
    assert np.linalg.norm(model.coefs_[0], axis=1).max() <= 0.3 + 1e-6


def test_epochs_report_to_callbacks_and_may_be_stopped_by_them(capsys):
    class Stopper:
        def __init__(self):
            self.epochs = 0

        def setup(self, estimator, context):
            self.max_subtasks = context.max_subtasks

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            self.epochs += context.task_name == "epoch"
            return self.epochs == 3

        def teardown(self, estimator, context):
            self.down = True

    stopper = Stopper()
    model = classifier().set_callbacks(stopper).fit(X_iris, y_iris)
    assert stopper.max_subtasks == 15 and stopper.epochs == 3 == model.n_iter_ and stopper.down
    watched = classifier().set_callbacks(ProgressBar()).fit(X_iris, y_iris)
    assert "BaggedDropoutMLPClassifier - fit" in capsys.readouterr().out
    assert_array_equal(watched.coefs_[0], classifier().fit(X_iris, y_iris).coefs_[0])


def test_at_home_in_pipelines_and_searches():
    pipeline = make_pipeline(StandardScaler(), classifier(max_iter=5))
    search = GridSearchCV(pipeline, {"baggeddropoutmlpclassifier__dropout": [0.0, 0.5]}, cv=3).fit(
        X_iris, NAMES
    )
    assert search.best_estimator_.predict(X_iris).dtype == NAMES.dtype
