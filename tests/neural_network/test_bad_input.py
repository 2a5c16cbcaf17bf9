"""Bad input: an error that names what is wrong, or the right answer; and what was fitted before stays."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import log_loss

from skreg import BaggedDropoutMLPClassifier, BaggedDropoutMLPRegressor

X, y = load_iris(return_X_y=True)
X_diabetes, y_diabetes = load_diabetes(return_X_y=True)
SMALL = {"hidden_layer_sizes": (8,), "n_estimators": 3, "max_iter": 5, "random_state": 0}


def classifier(**settings):
    return BaggedDropoutMLPClassifier(**{**SMALL, **settings})


def regressor(**settings):
    return BaggedDropoutMLPRegressor(**{**SMALL, **settings})


@pytest.mark.parametrize(
    ("name", "value", "error", "says"),
    [
        ("hidden_layer_sizes", (8, 0), ValueError, "integer ≥ 1, got 0"),
        ("hidden_layer_sizes", "8", TypeError, "integer ≥ 1, got '8'"),
        ("n_estimators", 0, ValueError, "integer ≥ 1, got 0"),
        ("n_estimators", 2.0, TypeError, "integer ≥ 1, got 2.0"),
        ("bootstrap", "yes", TypeError, "True or False, got 'yes'"),
        ("dropout", 1.0, ValueError, "< 1, got 1.0"),
        ("dropout", -0.1, ValueError, "≥ 0"),
        ("dropout", (0.5, 0.5), ValueError, "2 rates for 1 hidden layers"),
        ("input_dropout", 1.5, ValueError, "< 1, got 1.5"),
        ("input_dropout", "some", TypeError, "number ≥ 0"),
        ("activation", "swish", ValueError, "'relu', 'tanh', 'logistic', 'identity', got 'swish'"),
        ("l1", -1, ValueError, "number ≥ 0, got -1"),
        ("l2", np.nan, ValueError, "number ≥ 0, got nan"),
        ("weight_decay", "x", TypeError, "number ≥ 0, got 'x'"),
        ("max_norm", 0, ValueError, "number > 0, got 0"),
        ("solver", "adam", ValueError, "'adamw', 'sgd', 'lbfgs', got 'adam'"),
        ("learning_rate", 0.0, ValueError, "number > 0, got 0.0"),
        ("learning_rate", "constant", TypeError, "number > 0, got 'constant'"),
        ("schedule", "step", ValueError, "got 'step'"),
        ("momentum", 1.0, ValueError, "< 1, got 1.0"),
        ("batch_size", 0, ValueError, "integer ≥ 1"),
        ("max_iter", 0, ValueError, "integer ≥ 1"),
        ("standardize", "no", ValueError, "got 'no'"),
        ("validation_fraction", 1.0, ValueError, "< 1, got 1.0"),
        ("n_jobs", 0, ValueError, "other than 0, got 0"),
        ("oob_score", 3, ValueError, "scorer.* got 3"),
        ("oob_score", "nonsense", ValueError, "nonsense"),
    ],
)
def test_a_parameter_out_of_range_is_named_with_what_came_and_what_would_do(name, value, error, says):
    for make, data in ((classifier, (X, y)), (regressor, (X_diabetes, y_diabetes))):
        with pytest.raises(error, match=rf"(?s){name if value != 'nonsense' else ''}.*{says}"):
            make(**{name: value}).fit(*data)


def test_calibrate_takes_auto_oob_and_none():
    with pytest.raises(ValueError, match=r"calibrate must be one of 'auto', 'oob', None, got True"):
        classifier(calibrate=True).fit(X, y)


@pytest.mark.parametrize("setting", [{"oob_score": True}, {"calibrate": "oob"}])
def test_out_of_bag_needs_a_bag(setting):
    with pytest.raises(ValueError, match=r"need bootstrap=True, got bootstrap=False"):
        classifier(bootstrap=False, **setting).fit(X, y)


@pytest.mark.parametrize(
    "setting", [{"dropout": 0.5}, {"input_dropout": 0.1}, {"max_norm": 1.0}, {"early_stopping": True}]
)
def test_lbfgs_says_what_it_cannot_do(setting):
    (name,) = setting
    with pytest.raises(ValueError, match=rf'solver="lbfgs" .*{name}='):
        classifier(solver="lbfgs", **{"dropout": 0, "input_dropout": 0, **setting}).fit(X, y)
    assert not hasattr(classifier(solver="lbfgs"), "partial_fit")


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_batch_larger_than_the_data_is_all_of_them(early_stopping):
    large, all_rows = (
        classifier(batch_size=size, early_stopping=early_stopping).fit(X, y) for size in (10**9, 150)
    )
    assert_array_equal(large.predict_proba(X), all_rows.predict_proba(X))


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_regressors_take_the_fewest_rows(rows):
    model = regressor().fit(X_diabetes[:rows], y_diabetes[:rows])
    assert np.isfinite(model.predict(X_diabetes)).all()


def test_one_class_is_an_error_that_says_so():
    with pytest.raises(ValueError, match=r"one class, .*'a'.*two classes"):
        classifier().fit(X, np.full(150, "a"))
    with pytest.raises(ValueError, match=r"positive weight have one class"):
        classifier().fit(X, y, sample_weight=(y == 1).astype(float))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_one_row_a_class_is_enough_but_for_early_stopping(early_stopping):
    rows = [0, 60, 120]
    model = classifier(early_stopping=early_stopping, max_iter=200, dropout=0, bootstrap=False)
    if early_stopping:
        with pytest.raises(ValueError, match=r"early_stopping=True .*only 3 rows.*early_stopping=False"):
            model.fit(X[rows], y[rows])
    else:
        assert_array_equal(model.fit(X[rows], y[rows]).predict(X[rows]), y[rows])


def test_a_class_of_one_row_is_never_only_validated_on():
    few = np.r_[:50, 100]
    model = classifier(early_stopping=True).fit(X[few], y[few])
    assert np.isfinite(model.validation_loss_curve_).all()


@pytest.mark.parametrize(
    ("weight", "says"),
    [
        (np.zeros(150), "weight.*zero"),
        (-np.ones(150), "[Nn]egative"),
        (np.ones(149), r"\(149,\)"),
        (np.r_[np.nan, np.ones(149)], "NaN"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_weights_that_are_none(weight, says, method):
    extra = {"classes": [0, 1, 2]} if method == "partial_fit" else {}
    with pytest.raises(ValueError, match=says):
        getattr(classifier(), method)(X, y, sample_weight=weight, **extra)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_in_X_and_y(bad):
    broken = X.copy()
    broken[3, 1] = bad
    model = classifier().fit(X, y)
    for call in (
        lambda: classifier().fit(broken, y),
        lambda: model.predict(broken),
        lambda: model.predict_members(broken),
        lambda: model.partial_fit(broken, y),
        lambda: regressor().fit(X_diabetes, np.r_[bad, y_diabetes[1:]]),
        lambda: classifier().fit(X, np.r_[bad, y[1:]]),
    ):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            call()


@pytest.mark.parametrize("solver", ["adamw", "sgd"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_diverging_learning_rate_is_named_and_the_best_finite_weights_kept(solver, early_stopping):
    settings = {"solver": solver, "early_stopping": early_stopping, "max_iter": 30, "standardize": False}
    model = classifier(learning_rate=1e30, **settings)
    with pytest.warns(ConvergenceWarning, match=r"learning_rate=1e\+30.*learning_rate=1e\+29"):
        model.fit(X, y)
    p = model.predict_proba(X)
    assert np.isfinite(p).all()
    assert log_loss(y, p) < -np.log(np.finfo(float).eps)
    assert all(np.isfinite(array).all() for array in model.coefs_)


def test_a_network_that_ends_worse_than_a_constant_has_diverged_too():
    with pytest.warns(
        ConvergenceWarning, match=r"learning_rate=100: the loss grew beyond that of a constant"
    ):
        model = classifier(learning_rate=100.0, max_iter=20, schedule="constant", dropout=0).fit(X, y)
    assert model.best_epoch_ == -1  # no epoch was better than the start
    assert log_loss(y, model.predict_proba(X)) < 2 < min(model.loss_curve_)


def test_a_slow_start_is_no_divergence():
    regressor(learning_rate=1e-9).fit(X_diabetes, y_diabetes)


def test_unseen_labels_in_partial_fit():
    with pytest.raises(ValueError, match="classes must be passed"):
        classifier().partial_fit(X, y)
    with pytest.raises(ValueError, match=r"classes \[2\].*not in classes=\[0, 1\]"):
        classifier().partial_fit(X, y, classes=[0, 1])
    model = classifier().partial_fit(X, y, classes=[0, 1, 2])
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"\[7\].*the networks know \[0, 1, 2\]"):
        model.partial_fit(X[:2], [0, 7])
    with pytest.raises(ValueError, match=r"the networks know \[0, 1, 2\]"):
        model.partial_fit(X, y, classes=[0, 1])
    assert_array_equal(model.predict_proba(X), before)


def test_partial_fit_cannot_balance_classes_it_has_not_seen():
    with pytest.raises(ValueError, match=r"class_weight='balanced'.*dict"):
        classifier(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])


def test_several_columns_of_classes_are_refused():
    with pytest.raises(ValueError, match="multiclass-multioutput"):
        classifier().fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="continuous"):
        classifier().fit(X, X[:, 0])


def test_a_failed_fit_leaves_the_earlier_one():
    model = classifier().fit(X, y)
    before = dict(vars(model))
    for call in (
        lambda: model.fit(X[:, :2], np.full(150, 1)),
        lambda: model.fit(X, y, sample_weight=np.zeros(150)),
        lambda: model.partial_fit(X[:, :2], y),
    ):
        with pytest.raises(ValueError):
            call()
        assert vars(model) == before


def test_a_callback_that_fails_midway_leaves_the_networks_untouched():
    class Fails:
        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            if context.task_name == "epoch" and context.task_id == 2:
                raise RuntimeError("that is enough")

        def on_fit_task_end(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

    model = classifier(warm_start=True).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(RuntimeError, match="that is enough"):
        model.set_callbacks(Fails()).fit(X, y)
    assert_array_equal(model.predict_proba(X), before)


def test_before_fit_there_is_nothing_to_ask():
    for call in (
        lambda: classifier().predict(X),
        lambda: classifier().predict_uncertainty(X),
        lambda: classifier().to_scikit_learn(),
    ):
        with pytest.raises(NotFittedError):
            call()
    assert not hasattr(classifier(), "coefs_")


@pytest.mark.parametrize("inference", ["bayes", None])
def test_an_unknown_inference(inference):
    model = classifier().fit(X, y)
    with pytest.raises(ValueError, match=r"inference must be one of 'weight_scaling', 'monte_carlo'"):
        model.predict_proba(X, inference=inference)
    with pytest.raises(ValueError, match=r"n_masks must be an integer ≥ 1, got 0"):
        model.predict_proba(X, n_masks=0)


def test_a_constant_target_is_predicted_exactly():
    model = regressor(max_iter=200, dropout=0).fit(X_diabetes, np.full(442, 7.0))
    assert np.abs(model.predict(X_diabetes) - 7.0).max() < 0.5


@pytest.mark.parametrize(
    "setting",
    [
        {"dropout": np.float64(0.4), "hidden_layer_sizes": (8, 8)},
        {"dropout": np.array(0.4), "hidden_layer_sizes": np.array([8, 8])},
        {"standardize": np.True_},
        {"oob_score": np.False_},
        {"oob_score": np.True_},
    ],
)
def test_scalars_of_numpy_are_numbers_and_flags(setting):
    plain = {name: value.tolist() for name, value in setting.items() if hasattr(value, "tolist")}
    given, same = classifier(**setting).fit(X, y), classifier(**{**setting, **plain}).fit(X, y)
    assert_array_equal(given.predict_proba(X), same.predict_proba(X))
    assert hasattr(given, "oob_score_") == hasattr(same, "oob_score_")


def test_a_scorer_that_is_none_is_found_before_training(monkeypatch):
    monkeypatch.setattr(BaggedDropoutMLPClassifier, "_run", lambda *_: pytest.fail("trained"))
    with pytest.raises(ValueError, match="nonsense"):
        classifier(oob_score="nonsense").fit(X, y)


def test_sorted_targets_that_are_not_standardised_are_no_divergence():
    t = np.linspace(0, 1, 1000)
    regressor(standardize=False, learning_rate=1e-9).fit(t[:, None], 100 * t)


def test_the_noise_of_heavy_dropout_is_no_divergence():
    settings = {"hidden_layer_sizes": (16, 16, 16), "dropout": 0.8, "learning_rate": 1e-4}
    model = regressor(**settings).fit(X_diabetes, y_diabetes)
    assert model.best_epoch_ == 4


@pytest.mark.parametrize("rate", [1e3, 1e30])
def test_partial_fit_too_names_a_learning_rate_that_diverges_to_finite_weights(rate):
    model = regressor().partial_fit(X_diabetes, y_diabetes)
    before = model.predict(X_diabetes)
    with pytest.warns(
        ConvergenceWarning, match=rf"learning_rate={rate:g}: .* started from are kept".replace("+", r"\+")
    ):
        model.set_params(learning_rate=rate).partial_fit(X_diabetes, y_diabetes)
    assert_array_equal(model.predict(X_diabetes), before)


def test_after_an_overflow_no_epoch_is_kept_that_was_worse_than_the_start():
    settings = {"solver": "sgd", "schedule": "constant", "standardize": False, "hidden_layer_sizes": ()}
    model = regressor(learning_rate=0.1, batch_size=1, max_iter=10, momentum=0.0, **settings)
    t = np.linspace(5, 6, 15, dtype=np.float32)[:, None]
    with pytest.warns(ConvergenceWarning, match="infinite or NaN"):
        model.fit(t, 1000 * t[:, 0])
    assert np.abs(model.predict(t)).max() < 10 and model.best_epoch_ == -1


@pytest.mark.parametrize("class_weight", [{0: -1.0}, {0: 0, 1: 0, 2: 0}, {0: np.nan}])
def test_class_weights_that_are_none(class_weight):
    with pytest.raises(ValueError, match="class_weight="):
        classifier(class_weight=class_weight).fit(X, y)


@pytest.mark.parametrize("rate", [1e10, 1e15, 1e20, 1e25, 1e30, 1e35])
@pytest.mark.parametrize("solver", ["adamw", "sgd"])
def test_weights_of_both_infinities_are_divergence_and_no_other_warning(solver, rate):
    model = regressor(solver=solver, learning_rate=rate, max_iter=10, batch_size=500, standardize=False)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(X_diabetes.astype(np.float32), 1e5 * y_diabetes)
    assert np.isfinite(model.predict(X_diabetes)).all()


@pytest.mark.parametrize("values", [(1, 2), (-1, 1), (0, 2)])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_labels_are_zero_and_one(values, container):
    Y = np.array(values)[np.random.default_rng(0).integers(0, 2, (len(X), 3))]
    with pytest.raises(ValueError, match=r"0 where a label is absent and 1, got|columns of 0 and 1"):
        classifier().fit(X, container(Y))


def test_what_cannot_be_standardised_is_named():
    with pytest.raises(ValueError, match="y has numbers whose squares are infinite"):
        regressor().fit(X_diabetes, 1e200 * y_diabetes)
    with pytest.raises(ValueError, match="X has numbers whose squares are infinite"):
        classifier().fit(1e200 * X, y)
    large = regressor().fit(X_diabetes, 1e100 * y_diabetes)
    assert_allclose(
        large.predict(X_diabetes) / 1e100,
        regressor().fit(X_diabetes, y_diabetes).predict(X_diabetes),
        rtol=1e-4,
    )


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_numbers_beyond_the_dtype_of_prediction_or_of_training_are_named(method):
    single = X_diabetes.astype(np.float32)
    with pytest.raises(ValueError, match=r"y reaches 3.46e\+39, .* dtype of X, float32, .* X in float64"):
        getattr(regressor(), method)(single, 1e37 * y_diabetes)
    raw = regressor(standardize=False)
    with pytest.raises(ValueError, match=r"y reaches .* in float32, where 1.84e\+19 .* standardize=True"):
        getattr(raw, method)(X_diabetes, 1e20 * y_diabetes)
    for container in (np.asarray, sparse.csr_array):
        with pytest.raises(ValueError, match=r"X reaches 1e\+39, .*solver='adamw'.* solver='lbfgs'"):
            getattr(raw, method)(container(np.where(X_diabetes > 0.1, -1e39, X_diabetes)), y_diabetes)
    assert np.isfinite(getattr(regressor(), method)(single, 1e32 * y_diabetes).predict(single)).all()
    assert np.isfinite(getattr(raw, method)(X_diabetes / 100, y_diabetes).predict(X_diabetes)).all()


def test_a_score_that_is_no_number_is_an_error_that_names_it():
    scorer = lambda estimator, X, y: np.nan  # noqa: E731
    with pytest.raises(ValueError, match=r"oob_score=.* gives nan on the .* rows"):
        classifier(oob_score=scorer).fit(X, y)
