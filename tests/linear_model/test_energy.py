"""The energy of an estimator: its own objective in the units of E, on the data it sees, under their names."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn import config_context, linear_model
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler

import skreg
from skreg import energy_of

TIGHT = {"tol": 1e-12, "max_iter": 100_000}
RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 4)) * [1.0, 2.0, 0.5, 1.0] + [1.0, 0.0, -1.0, 3.0]
y = X @ [1.0, -0.5, 0.0, 0.3] + 2.0 + 0.3 * RNG.standard_normal(50)
WEIGHTS = RNG.uniform(0.2, 2.0, 50) * (RNG.random(50) > 0.2)
NAMES = ["age", "bmi", "pressure", "sugar"]
TABLE = pd.DataFrame(X, columns=NAMES)

# Estimator, and E as a multiple of its objective for data of total weight S.
LINEAR = [
    (skreg.Ridge(alpha=2.0), "half"),
    (skreg.RidgeCV(alphas=[0.5, 2.0]), "half"),
    (skreg.Lasso(alpha=0.1), "S"),
    (skreg.ElasticNet(alpha=0.1, l1_ratio=0.3), "S"),
    (skreg.LassoCV(alphas=[0.1, 0.2]), "S"),
    (skreg.ElasticNetCV(alphas=12, l1_ratio=[0.2, 0.3], selection_rule="1se"), "S"),
    (linear_model.Ridge(alpha=2.0), "half"),
    (linear_model.Ridge(alpha=[2.0]), "half"),
    (linear_model.Ridge(alpha=2.0, positive=True, tol=1e-10), "half"),
    (linear_model.Lasso(alpha=0.1, **TIGHT), "S"),
    (linear_model.Lasso(alpha=0.1, positive=True, **TIGHT), "S"),
    (linear_model.ElasticNet(alpha=0.1, l1_ratio=0.3, **TIGHT), "S"),
    (linear_model.RidgeCV(alphas=[0.5, 2.0]), "half"),
    (linear_model.LassoCV(alphas=[0.1, 0.2], **TIGHT), "S"),
    (linear_model.ElasticNetCV(alphas=[0.1, 0.2], l1_ratio=[0.2, 0.3], **TIGHT), "S"),
]
every_linear = pytest.mark.parametrize(("estimator", "unit"), LINEAR, ids=lambda value: repr(value)[:60])


def scikit_learn_objective(fitted, coef, intercept, s):
    """The objective as scikit-learn's user guide writes it, from the fitted estimator's own attributes."""
    alpha = np.ravel(getattr(fitted, "alpha_", getattr(fitted, "alpha", None)))[0]
    squares = np.sum(s * (y - X @ coef - intercept) ** 2)
    if "Ridge" in type(fitted).__name__:
        return squares + alpha * np.sum(coef**2)
    ratio = getattr(fitted, "l1_ratio_", getattr(fitted, "l1_ratio", 1.0))
    penalty = ratio * np.sum(np.abs(coef)) + 0.5 * (1.0 - ratio) * np.sum(coef**2)
    return squares / (2.0 * s.sum()) + alpha * penalty


@every_linear
def test_penalties_are_alpha_times_its_scale(estimator, unit):
    energy = energy_of(estimator, X, y, sample_weight=WEIGHTS)
    fitted = clone(estimator).fit(X, y, sample_weight=WEIGHTS)
    alpha = np.ravel(getattr(fitted, "alpha_", getattr(fitted, "alpha", None)))[0]
    assert_allclose(energy.penalty.l1 + energy.penalty.l2, alpha * energy.alpha_scale, rtol=1e-12)
    assert energy.alpha_scale == (1.0 if unit == "half" else pytest.approx(WEIGHTS.sum()))


@every_linear
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
def test_the_energy_is_scikit_learn_s_objective_times_its_unit(estimator, unit, fit_intercept, weights):
    estimator = clone(estimator).set_params(fit_intercept=fit_intercept)
    fitted = clone(estimator).fit(X, y, sample_weight=weights)
    energy = energy_of(fitted, X, y, sample_weight=weights)
    s = np.ones(50) if weights is None else weights
    multiple = 0.5 if unit == "half" else s.sum()
    for coef, intercept in ((fitted.coef_, fitted.intercept_), (np.array([0.5, 0.0, 2.0, 0.1]), 0.7)):
        expected = multiple * scikit_learn_objective(fitted, coef, intercept, s)
        assert_allclose(energy.value(coef, intercept), expected, rtol=1e-12)
    # The intercept that the energy takes by itself is the best one, which is the fitted estimator's.
    assert_allclose(energy.best_intercept(energy.coef), energy.intercept, atol=1e-9)
    assert_allclose(energy.value(energy.coef), energy.value(energy.coef, energy.intercept), rtol=1e-12)
    if not fit_intercept:
        assert energy.best_intercept(energy.coef) == 0.0
    assert_allclose(energy.null_value, energy.value(np.zeros(4)), rtol=1e-12)


@every_linear
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("container", [np.array, sparse.csc_array, sparse.csr_matrix], ids=str)
def test_the_estimator_s_coefficients_are_optimal_for_its_energy(
    estimator, unit, fit_intercept, weights, container
):
    estimator = clone(estimator).set_params(fit_intercept=fit_intercept)
    energy = energy_of(estimator, container(X), y, sample_weight=weights)
    r = energy.residual(energy.coef)
    g = energy.X.T @ (energy.sample_weight * r)
    at_zero = energy.X.T @ (energy.sample_weight * energy.residual(np.zeros(4)))
    violation = energy.penalty.optimality_violation(energy.coef, g)
    # scikit-learn's sparse, weighted or positive Ridge iterates to a tolerance of its own.
    accuracy = 1e-4 if type(estimator).__module__.startswith("sklearn") else 1e-9
    assert violation.max() <= accuracy * np.abs(at_zero).max()


def test_penalty_weights_and_positive_are_part_of_the_energy():
    estimator = skreg.Lasso(alpha=0.1, penalty_weights=[0.0, 1.0, 2.0, 1.0], positive=True)
    penalty = energy_of(estimator, X, y).penalty
    assert penalty.positive
    assert_array_equal(penalty.l1_strengths(4), 50 * 0.1 * np.array([0.0, 1.0, 2.0, 1.0]))


@given(
    exponent=st.integers(-80, 80),
    shape=st.tuples(st.integers(2, 20), st.integers(1, 20)),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_no_nearby_coefficients_have_a_lower_energy_whatever_the_scale(exponent, shape, seed):
    rng = np.random.default_rng(seed)
    unit = 10.0**exponent
    data, target = rng.standard_normal(shape) * unit, rng.standard_normal(shape[0]) * unit
    for estimator in (skreg.Lasso(alpha=0.1 * unit**2), skreg.Ridge(alpha=unit**2)):
        energy = energy_of(estimator, data, target)
        lowest = energy.value(energy.coef)
        assert lowest <= energy.null_value
        for _ in range(5):
            nearby = energy.coef + 1e-3 * rng.standard_normal(shape[1])
            assert energy.value(nearby) >= lowest * (1 - 1e-14)


# ---------------------------------------------------------------------- fitted or not


@every_linear
def test_a_fitted_estimator_is_taken_as_it_is(estimator, unit):
    fitted = clone(estimator).fit(X, y)
    fitted.coef_ = fitted.coef_ * 1.05
    before = dict(vars(fitted))
    energy = energy_of(fitted, X, y)
    assert_array_equal(energy.coef, fitted.coef_)
    assert vars(fitted).keys() == before.keys()
    assert all(vars(fitted)[name] is before[name] for name in before)


@every_linear
def test_an_estimator_not_fitted_is_cloned_and_stays_unfitted(estimator, unit):
    given = clone(estimator)
    energy = energy_of(given, X, y, sample_weight=WEIGHTS)
    assert vars(given) == vars(clone(estimator))
    assert_array_equal(energy.coef, clone(estimator).fit(X, y, sample_weight=WEIGHTS).coef_)


def test_an_unfitted_pipeline_stays_unfitted_and_its_weights_reach_the_last_step():
    pipeline = make_pipeline(StandardScaler(), make_pipeline(PolynomialFeatures(2), skreg.Lasso(alpha=0.1)))
    energy = energy_of(pipeline, X, y, sample_weight=WEIGHTS)
    fitted = clone(pipeline).fit(X, y, pipeline__lasso__sample_weight=WEIGHTS)
    assert_array_equal(energy.coef, fitted[-1][-1].coef_)
    with pytest.raises(NotFittedError):
        pipeline.predict(X)


def test_weights_are_routed_to_an_unfitted_estimator_that_asks_for_them():
    with config_context(enable_metadata_routing=True):
        lasso = skreg.Lasso(alpha=0.1).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        energy = energy_of(make_pipeline(scaler, lasso), X, y, sample_weight=WEIGHTS)
        alone = energy_of(skreg.Lasso(alpha=0.1), X, y, sample_weight=WEIGHTS)
    expected = skreg.Lasso(alpha=0.1).fit(StandardScaler().fit_transform(X), y, WEIGHTS)
    assert_array_equal(energy.coef, expected.coef_)
    assert_array_equal(alone.coef, skreg.Lasso(alpha=0.1).fit(X, y, WEIGHTS).coef_)


def test_a_pipeline_fitted_by_halves_is_refused_by_its_unfitted_half():
    with pytest.raises(NotFittedError):
        energy_of(make_pipeline(StandardScaler(), skreg.Lasso().fit(X, y)), X, y)


# ---------------------------------------------------------------------- pipelines, searches and names


def search(estimator, **grid):
    return GridSearchCV(estimator, grid, cv=3)


PIPELINES = {
    "scaler": (make_pipeline(StandardScaler(), skreg.Lasso(alpha=0.1)), NAMES),
    "scikit-learn's": (make_pipeline(StandardScaler(), linear_model.RidgeCV()), NAMES),
    "alone": (make_pipeline(skreg.Ridge()), NAMES),
    "passthrough": (make_pipeline("passthrough", StandardScaler(), "passthrough", skreg.Ridge()), NAMES),
    "nested": (make_pipeline(make_pipeline(StandardScaler()), make_pipeline(skreg.Lasso(alpha=0.1))), NAMES),
    "polynomials": (
        make_pipeline(PolynomialFeatures(2, interaction_only=True, include_bias=False), skreg.Ridge()),
        [*NAMES, "age bmi", "age pressure", "age sugar", "bmi pressure", "bmi sugar", "pressure sugar"],
    ),
    "nested polynomials": (
        make_pipeline(
            StandardScaler(),
            make_pipeline(PolynomialFeatures(2, interaction_only=True, include_bias=False), skreg.Ridge()),
        ),
        [*NAMES, "age bmi", "age pressure", "age sugar", "bmi pressure", "bmi sugar", "pressure sugar"],
    ),
    "columns": (
        make_pipeline(
            ColumnTransformer([("z", StandardScaler(), ["sugar", "age"])], remainder="passthrough"),
            skreg.Lasso(alpha=0.1),
        ),
        ["z__sugar", "z__age", "remainder__bmi", "remainder__pressure"],
    ),
    "pandas": (
        make_pipeline(StandardScaler(), skreg.Lasso(alpha=0.1)).set_output(transform="pandas"),
        NAMES,
    ),
    "polars": (
        make_pipeline(StandardScaler(), skreg.Lasso(alpha=0.1)).set_output(transform="polars"),
        NAMES,
    ),
    "components": (make_pipeline(PCA(2), skreg.Ridge()), ["pca0", "pca1"]),
    "nameless": (make_pipeline(FunctionTransformer(np.asarray), skreg.Ridge()), ["x0", "x1", "x2", "x3"]),
    "search": (search(skreg.Lasso(), alpha=[0.01, 0.1]), NAMES),
    "search over a pipeline": (
        search(make_pipeline(StandardScaler(), linear_model.Lasso()), lasso__alpha=[0.01, 0.1]),
        NAMES,
    ),
    "search in a pipeline": (
        make_pipeline(StandardScaler(), search(skreg.Lasso(), alpha=[0.01, 0.1])),
        NAMES,
    ),
}


@pytest.mark.parametrize("kind", PIPELINES)
def test_the_energy_of_a_pipeline_is_that_of_its_last_step_on_transformed_data(kind):
    pipeline, names = PIPELINES[kind]
    fitted = clone(pipeline).fit(TABLE, y)
    energy = energy_of(fitted, TABLE, y)
    assert list(energy.feature_names) == names
    assert energy.X.shape == (50, len(names)) and energy.n_features == len(names)
    assert energy.X.dtype == np.float64
    assert_allclose(energy.X @ energy.coef + energy.intercept, fitted.predict(TABLE), rtol=1e-10)


@pytest.mark.parametrize("kind", ["scaler", "polynomials", "nested", "nested polynomials"])
def test_an_array_through_a_pipeline_has_numbered_names(kind):
    pipeline, names = PIPELINES[kind]
    numbered = {name: f"x{j}" for j, name in enumerate(NAMES)}
    expected = [" ".join(numbered[part] for part in name.split()) for name in names]
    assert list(energy_of(pipeline, X, y).feature_names) == expected


def test_names_come_from_the_frame_or_from_what_the_estimator_was_fitted_on():
    assert energy_of(skreg.Lasso(), TABLE, y).feature_names == tuple(NAMES)
    assert energy_of(skreg.Lasso(), pl.DataFrame(TABLE), y).feature_names == tuple(NAMES)
    assert energy_of(skreg.Lasso(), X, y).feature_names == ("x0", "x1", "x2", "x3")
    assert energy_of(skreg.Lasso(), pd.DataFrame(X), y).feature_names == ("0", "1", "2", "3")
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        assert energy_of(skreg.Lasso().fit(TABLE, y), X, y).feature_names == tuple(NAMES)


@pytest.mark.parametrize(
    ("estimator", "label"),
    [
        (skreg.Ridge(alpha=3), "Ridge(alpha=3)"),
        (skreg.Lasso(alpha=0.05, max_iter=500), "Lasso(alpha=0.05)"),
        (skreg.ElasticNet(alpha=0.05), "ElasticNet(alpha=0.05, l1_ratio=0.5)"),
        (skreg.LassoCV(alphas=[0.05]), "LassoCV(alpha=0.05)"),
        (skreg.ElasticNetCV(alphas=[0.05], l1_ratio=[0.2]), "ElasticNetCV(alpha=0.05, l1_ratio=0.2)"),
        (linear_model.Lasso(alpha=0.05), "Lasso(alpha=0.05)"),
        (linear_model.Ridge(alpha=[0.05]), "Ridge(alpha=0.05)"),
        (linear_model.RidgeCV(alphas=[0.5]), "RidgeCV(alpha=0.5)"),
        (linear_model.LassoCV(alphas=[0.05]), "LassoCV(alpha=0.05)"),
        (
            linear_model.ElasticNetCV(alphas=[0.05], l1_ratio=[0.2]),
            "ElasticNetCV(alpha=0.05, l1_ratio=0.2)",
        ),
        (make_pipeline(StandardScaler(), skreg.Lasso(alpha=0.05)), "Lasso(alpha=0.05)"),
    ],
    ids=str,
)
def test_the_label_is_the_estimator_as_a_person_would_write_it(estimator, label):
    assert energy_of(estimator, X, y).label == label


def test_the_tolerance_is_the_estimator_s_own():
    assert energy_of(skreg.Lasso(tol=1e-5), X, y).tol == 1e-5
    assert energy_of(linear_model.RidgeCV(), X, y).tol is None


def test_rows_of_weight_zero_are_dropped():
    for data in (X, sparse.csr_array(X)):
        energy = energy_of(skreg.Lasso(alpha=0.1), data, y, sample_weight=WEIGHTS)
        kept = WEIGHTS > 0
        assert energy.n_samples == kept.sum() < 50
        assert_array_equal(energy.y, y[kept])
        assert_array_equal(energy.sample_weight, WEIGHTS[kept])
        assert_array_equal(energy.X.toarray() if sparse.issparse(energy.X) else energy.X, X[kept])
        assert_allclose(energy.penalty.l1, 0.1 * WEIGHTS.sum())


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_array, sparse.csr_matrix], ids=str)
def test_sparse_data_stay_sparse_and_mean_the_same(container):
    energy = energy_of(skreg.Lasso(alpha=0.1), container(X), y)
    dense = energy_of(skreg.Lasso(alpha=0.1), X, y)
    assert sparse.issparse(energy.X)
    coef = np.array([1.0, 0.0, -2.0, 0.5])
    assert_allclose(energy.value(coef), dense.value(coef), rtol=1e-12)
    assert_allclose(energy.X_mean, dense.X_mean, rtol=1e-12)
    assert_allclose(energy.residual(coef), dense.residual(coef), rtol=1e-12)


def test_float32_coefficients_and_data_enter_in_float64():
    energy = energy_of(skreg.Lasso(alpha=0.1).fit(X.astype(np.float32), y), X.astype(np.float32), y)
    assert energy.X.dtype == energy.coef.dtype == energy.y.dtype == np.float64
    assert_array_equal(energy.X, X.astype(np.float32))


# ---------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "estimator",
    [
        linear_model.MultiTaskLasso(),
        linear_model.LinearRegression(),
        linear_model.LogisticRegression(),
        linear_model.SGDRegressor(),
        StandardScaler(),
        make_pipeline(skreg.Lasso(), StandardScaler()),
        make_pipeline(StandardScaler(), "passthrough"),
        Pipeline([]),
        make_pipeline(StandardScaler(), linear_model.LinearRegression()),
        TransformedTargetRegressor(skreg.Lasso(), func=np.log, inverse_func=np.exp),
        search(skreg.Lasso(), alpha=[0.1]),
        search(linear_model.LinearRegression(), fit_intercept=[True]).fit(X, y),
        skreg.Lasso,
        "Lasso",
        None,
    ],
    ids=lambda estimator: re.sub(r"\s+", "", repr(estimator))[:60],
)
def test_what_has_no_such_energy_is_refused_with_a_list_of_what_has(estimator):
    with pytest.raises(TypeError, match=r"estimator must be one of Ridge, Lasso and ElasticNet.*got "):
        energy_of(estimator, X, y)


def test_several_targets_are_refused_whichever_way_they_come():
    Y = np.column_stack([y, -y])
    with pytest.raises(ValueError, match="y has 2 targets; this takes one"):
        energy_of(skreg.Lasso(), X, Y)
    for fitted in (skreg.Lasso().fit(X, Y), linear_model.Ridge(alpha=[1.0, 2.0]).fit(X, Y)):
        with pytest.raises(ValueError, match="fitted on 2 targets; this takes one"):
            energy_of(fitted, X, y)


def test_a_column_is_one_target():
    for estimator in (skreg.Lasso(alpha=0.1), linear_model.Ridge(), linear_model.Lasso(alpha=0.1)):
        column, flat = energy_of(estimator, X, y[:, None]), energy_of(estimator, X, y)
        assert_allclose(column.coef, flat.coef)
        assert_allclose(column.intercept, flat.intercept)
        assert column.y.shape == (50,)


@pytest.mark.parametrize(
    ("data", "target", "weights", "pattern"),
    [
        (X[:, :3], y, None, "X has 3 features, but Lasso is expecting 4 features"),
        (X[:9], y, None, "X has 9 rows and y has 50"),
        (TABLE[NAMES[::-1]], y, None, "feature names should match"),
        (X, np.full(50, np.nan), None, "y contains NaN"),
        (np.full_like(X, np.inf), y, None, "X contains infinity"),
        (X, y, -WEIGHTS, "sample_weight must be ≥ 0"),
        (X, y, np.zeros(50), "sample_weight is zero on every row"),
        (X, y, WEIGHTS[1:], "sample_weight has shape (49,), expected (50,)"),
    ],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_data_that_do_not_fit_the_estimator_are_refused(data, target, weights, pattern):
    with pytest.raises(ValueError, match=re.escape(pattern)):
        energy_of(skreg.Lasso(alpha=0.1).fit(TABLE, y), data, target, sample_weight=weights)


def test_an_energy_is_shown_in_a_line():
    energy = energy_of(linear_model.Lasso(alpha=0.5), np.eye(4), np.arange(4.0))
    assert repr(energy) == "Energy(Lasso(alpha=0.5): λ₁ = 2, λ₂ = 0, 4 rows, 4 features)"
