"""Fits in chunks and by moments: the batch fit's coefficients, certified, and failures that lose nothing."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso as SklearnLasso
from sklearn.linear_model import Ridge as SklearnRidge

from skreg import ElasticNet, Lasso, Moments, Ridge, energy_of

LONG = np.longdouble
needs_long_double = pytest.mark.skipif(
    np.finfo(LONG).eps > 1e-18, reason="long double is no wider than double here"
)

ESTIMATORS = {
    "Ridge": Ridge(alpha=2.0),
    "Ridge, no penalty": Ridge(alpha=0.0),
    "Ridge, no intercept": Ridge(alpha=2.0, fit_intercept=False),
    "Ridge, positive": Ridge(alpha=2.0, positive=True),
    "Ridge, weighted penalty": Ridge(alpha=2.0, penalty_weights=[0.0, 1.0, 2.0, 1.0]),
    "Lasso": Lasso(alpha=0.2),
    "Lasso, no intercept": Lasso(alpha=0.2, fit_intercept=False),
    "Lasso, positive": Lasso(alpha=0.2, positive=True),
    "Lasso, weighted penalty": Lasso(alpha=0.2, penalty_weights=[0.0, 1.0, 2.0, 1.0]),
    "Lasso, warm": Lasso(alpha=0.2, warm_start=True),
    "ElasticNet": ElasticNet(alpha=0.2),
    "ElasticNet, no intercept": ElasticNet(alpha=0.2, fit_intercept=False, l1_ratio=0.2),
}
every_kind = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)


def data(n=90, p=4, n_targets=1, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    X = offset + rng.standard_normal((n, p)) @ (np.eye(p) + 0.3)
    y = (X - offset) @ rng.uniform(-2.0, 2.0, (p, n_targets)) + 3.0 + rng.standard_normal((n, n_targets))
    weights = rng.uniform(0.1, 3.0, n) * (rng.random(n) < 0.8)
    return X, y[:, 0] if n_targets == 1 else y, weights


def cut(n, labels):
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def assert_same_fit(found, expected, rtol=1e-10):
    scale = np.abs(expected.coef_).max()
    assert_allclose(found.coef_, expected.coef_, rtol=rtol, atol=rtol * scale)
    assert np.shape(found.intercept_) == np.shape(expected.intercept_)
    assert_allclose(found.intercept_, expected.intercept_, rtol=rtol, atol=rtol * scale)
    assert found.coef_.dtype == expected.coef_.dtype
    assert np.shape(found.dual_gap_) == np.shape(expected.dual_gap_)


@every_kind
@pytest.mark.parametrize("n_targets", [1, 3])
@given(labels=st.lists(st.integers(0, 6), min_size=90, max_size=90), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_any_chunks_in_any_order_give_the_batch_fit(estimator, n_targets, labels, seed):
    X, y, weights = data(n_targets=n_targets, seed=seed % 1000)
    chunks = cut(90, np.array(labels))
    np.random.default_rng(seed).shuffle(chunks)
    weights[chunks[0][0]] = 1.0  # the first chunk has some weight; others may have none
    streamed = clone(estimator)
    for rows in chunks:
        streamed.partial_fit(X[rows], y[rows], weights[rows])
    assert_same_fit(streamed, clone(estimator).fit(X, y, weights))


@every_kind
@pytest.mark.parametrize("layout", [np.asfortranarray, sparse.csr_matrix, sparse.csc_array])
def test_moments_give_the_batch_fit_whatever_X_is(estimator, layout):
    X, y, weights = data()
    X[X < 0.5] = 0.0
    batch = clone(estimator).fit(layout(X), y, weights)
    moments = Moments.from_chunks(
        [(layout(X[rows]), y[rows], weights[rows]) for rows in np.array_split(np.arange(90), 5)],
        centred=estimator.fit_intercept,
    )
    assert_same_fit(clone(estimator).fit_moments(moments), batch)
    assert_same_fit(clone(estimator).partial_fit(layout(X), y, weights), batch)


@needs_long_double
@pytest.mark.parametrize("n_chunks", [1, 7, 1000])
@pytest.mark.parametrize(("offset", "dtype"), [(1e8, np.float64), (1e3, np.float32)])
@pytest.mark.parametrize(
    "estimator", [Ridge(alpha=1.0), Lasso(alpha=0.1), ElasticNet(alpha=0.1)], ids=lambda e: type(e).__name__
)
def test_columns_far_from_zero_are_fitted_as_in_memory(estimator, offset, dtype, n_chunks):
    X, y, _ = data(3000, offset=offset, seed=5)
    X = X.astype(dtype)
    in_memory = clone(estimator).fit(X.astype(np.float64), y)
    order = np.random.default_rng(1).permutation(3000)
    moments = Moments.from_chunks((X[rows], y[rows]) for rows in np.array_split(order, n_chunks))
    streamed = clone(estimator).fit_moments(moments.astype(np.float64))
    assert_allclose(streamed.coef_, in_memory.coef_, rtol=1e-12)
    assert_holds(streamed, X, y)
    if dtype == np.float32:  # the certificate is that of the rounded coefficients
        single = clone(estimator).fit_moments(moments)
        assert single.coef_.dtype == np.float32
        assert_holds(single, X, y)


def objective(estimator, X, y, w):
    """scikit-learn's objective at the best intercept, in extended precision."""
    n, w = len(y), w.astype(LONG)
    X, y = X.astype(LONG), y.astype(LONG)
    r = (y - y.sum() / n) - (X - X.sum(axis=0) / n) @ w
    if isinstance(estimator, Ridge):
        return r @ r + LONG(estimator.alpha) * (w @ w)
    rho = LONG(getattr(estimator, "l1_ratio", 1.0))
    return r @ r / (2 * n) + LONG(estimator.alpha) * (rho * np.abs(w).sum() + (1 - rho) * (w @ w) / 2)


def minimiser(estimator, X, y):
    """Solve the optimality conditions on the support and signs found, in extended precision."""
    n, w = len(y), estimator.coef_
    X, y = X.astype(LONG), y.astype(LONG)
    X, y = X - X.sum(axis=0) / n, y - y.sum() / n
    support = np.flatnonzero(w)
    A, rhs = X[:, support].T @ X[:, support], X[:, support].T @ y
    if isinstance(estimator, Ridge):
        A = A + LONG(estimator.alpha) * np.eye(support.size)
    else:
        rho = LONG(getattr(estimator, "l1_ratio", 1.0))
        A = A + n * LONG(estimator.alpha) * (1 - rho) * np.eye(support.size)
        rhs = rhs - n * LONG(estimator.alpha) * rho * np.sign(w[support])
    inverse = np.linalg.inv(A.astype(float))
    z = np.zeros(support.size, LONG)
    for _ in range(10):
        z = z + inverse @ (rhs - A @ z)
    best = np.zeros(w.size, LONG)
    best[support] = z
    return best


def assert_holds(estimator, X, y):
    """The stored coefficients are no further from the optimum than `dual_gap_`."""
    suboptimality = objective(estimator, X, y, estimator.coef_) - objective(
        estimator, X, y, minimiser(estimator, X, y)
    )
    assert suboptimality <= estimator.dual_gap_


@needs_long_double
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("noise", [1.0, 1e-7, 0.0], ids=["noisy", "nearly exact", "exact"])
@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-5, 1e-7])
@pytest.mark.parametrize("n_chunks", [1, 500])
def test_the_certificate_holds_where_moments_lose_digits(n_chunks, spread, noise):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 1)) + spread * rng.standard_normal((2000, 5))
    y = X @ np.arange(5.0) + noise * rng.standard_normal(2000)
    moments = Moments.from_chunks(zip(np.array_split(X, n_chunks), np.array_split(y, n_chunks), strict=True))
    for estimator in (Ridge(1.0), Ridge(1e-8), Ridge(0.0), Lasso(0.1), Lasso(1e-6), ElasticNet(1e-3)):
        assert_holds(estimator.fit_moments(moments), X, y)


@needs_long_double
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n", [2000, 12])
@pytest.mark.parametrize("spread", [1e-3, 1e-7, 1e-8, 1e-10])
def test_the_certificate_holds_where_a_direction_is_lost(n, spread):
    # The difference of two columns is less than rounding in the Gram matrix, and yet explains some of y.
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 1)) + spread * rng.standard_normal((n, 5))
    y = X[:, 0] + rng.standard_normal(n)
    moments = Moments.from_data(X, y)
    for estimator in (
        *(Ridge(alpha=alpha) for alpha in (0.0, 1e-16, 1e-13, 1e-10)),
        *(Lasso(alpha=alpha) for alpha in (1e-16, 1e-12, 1e-9)),
        Lasso(alpha=1e-6, penalty_weights=[1.0, 0.0, 0.0, 1.0, 1.0]),
        ElasticNet(alpha=1e-12),
    ):
        better = clone(estimator).fit(X, y).coef_
        found = clone(estimator).fit_moments(moments)
        plain = estimator if estimator.penalty_weights is None else type(estimator)(alpha=0.0)
        above = objective(plain, X, y, found.coef_) - objective(plain, X, y, better)
        if plain is not estimator:
            above += LONG(estimator.alpha) * np.abs(found.coef_[[0, 3, 4]]).sum()
            above -= LONG(estimator.alpha) * np.abs(better[[0, 3, 4]]).sum()
        assert above <= found.dual_gap_


def test_moments_of_good_condition_certify_whatever_the_penalty():
    X, y, _ = data(3000, seed=5)
    moments = Moments.from_chunks(zip(np.array_split(X, 30), np.array_split(y, 30), strict=True))
    null = moments.yy[0]
    for alpha in (0.0, 1e-12, 1e-6, 1.0):
        assert Ridge(alpha=alpha).fit_moments(moments).dual_gap_ < 3e-12 * null
    for alpha in (1e-12, 1e-6, 0.1):
        assert Lasso(alpha=alpha).fit_moments(moments).dual_gap_ < 3e-12 * null / 6000.0


def test_a_fit_that_moments_have_not_the_digits_for_warns():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 1)) + 1e-7 * rng.standard_normal((2000, 5))
    y = X[:, 0] + rng.standard_normal(2000)
    moments = Moments.from_chunks(zip(np.array_split(X, 500), np.array_split(y, 500), strict=True))
    with pytest.warns(ConvergenceWarning, match="at the limits of rounding"):
        Ridge(alpha=0.0).fit_moments(moments)


def test_targets_may_have_an_alpha_each():
    X, y, weights = data(n_targets=3)
    model = Ridge(alpha=[0.1, 1.0, 10.0])
    batch = clone(model).fit(X, y, weights)
    assert_same_fit(
        model.partial_fit(X[:40], y[:40], weights[:40]).partial_fit(X[40:], y[40:], weights[40:]), batch
    )


def test_constant_and_collinear_columns_are_what_they_are_in_a_batch():
    X, y, _ = data()
    X[:, 1], X[:, 3] = 7.7, X[:, 0]
    for estimator in (Ridge(alpha=1.0), Lasso(alpha=0.1), Ridge(alpha=1e-9)):
        streamed, batch = clone(estimator), clone(estimator).fit(X, y)
        for rows in np.array_split(np.arange(90), 9):
            streamed.partial_fit(X[rows], y[rows])
        assert streamed.coef_[1] == 0.0
        assert_allclose(streamed.predict(X), batch.predict(X), rtol=1e-9)
    assert_allclose(
        Ridge(alpha=1.0).partial_fit(X, y).coef_[0], Ridge(alpha=1.0).fit(X, y).coef_[3], rtol=1e-9
    )


@pytest.mark.parametrize("estimator", [Ridge(), Lasso(), ElasticNet()], ids=lambda e: type(e).__name__)
def test_a_constant_target_has_zero_coefficients(estimator):
    X, _, _ = data()
    for rows in np.array_split(np.arange(90), 4):
        estimator.partial_fit(X[rows], np.full(len(rows), 0.1))
    assert_array_equal(estimator.coef_, 0.0)
    assert estimator.intercept_ == 0.1


def test_fit_keeps_no_moments_and_partial_fit_starts_anew_after_it():
    X, y, _ = data()
    model = Ridge().partial_fit(X[:50], y[:50])
    assert model.moments_.n_rows == 50
    model.fit(X, y)
    assert not hasattr(model, "moments_")
    model.partial_fit(X[60:, :3], y[60:])  # of other columns: nothing is left of before
    assert (model.moments_.n_rows, model.n_features_in_) == (30, 3)
    assert_same_fit(model, Ridge().fit(X[60:, :3], y[60:]))


def test_partial_fit_goes_on_from_moments_that_were_given():
    X, y, _ = data()
    first = Moments.from_data(X[:50], y[:50])
    model = Lasso(alpha=0.2).fit_moments(first).partial_fit(X[50:], y[50:])
    assert_same_fit(model, Lasso(alpha=0.2).fit(X, y))
    assert first.n_rows == 50  # they stay as they were
    again = pickle.loads(pickle.dumps(model)).partial_fit(X[:5], y[:5])
    assert (again.moments_.n_rows, model.moments_.n_rows) == (95, 90)
    assert not hasattr(clone(model), "moments_")


def test_moments_of_two_machines_add_to_one_fit(tmp_path):
    X, y, weights = data()
    for name, rows in (("one", slice(40)), ("two", slice(40, None))):
        Moments.from_data(X[rows], y[rows], weights[rows]).save(tmp_path / f"{name}.npz")
    moments = Moments.load(tmp_path / "one.npz") + Moments.load(tmp_path / "two.npz")
    assert_same_fit(Ridge().fit_moments(moments), Ridge().fit(X, y, weights))


def test_names_of_columns_are_kept_and_held_to():
    X, y, _ = data()
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = Ridge().partial_fit(frame[:50], y[:50])
    assert model.moments_.feature_names == ("a", "b", "c", "d")
    with pytest.raises(ValueError, match="feature names"):
        model.partial_fit(frame[["d", "c", "b", "a"]], y)
    assert_array_equal(model.partial_fit(frame[50:], y[50:]).feature_names_in_, list("abcd"))
    by_moments = Ridge().fit_moments(model.moments_)
    assert_array_equal(by_moments.feature_names_in_, list("abcd"))
    by_moments.predict(frame)
    by_moments.fit_moments(Moments.from_data(X, y))
    assert not hasattr(by_moments, "feature_names_in_")
    assert energy_of(model, frame, y).feature_names == ("a", "b", "c", "d")


def test_penalty_weights_by_name_are_held_to_the_names_of_the_moments():
    X, y, _ = data()
    moments = Moments.from_data(X, y, feature_names="abcd")
    Ridge(penalty_weights=pd.Series(1.0, index=list("abcd"))).fit_moments(moments)
    with pytest.raises(ValueError, match="index is not the feature names"):
        Ridge(penalty_weights=pd.Series(1.0, index=list("abdc"))).fit_moments(moments)


def failures():
    X, y, weights = data(20)
    with_nan = X.copy()
    with_nan[3, 1] = np.nan
    return {
        "NaN": ({}, lambda model: model.partial_fit(with_nan, y), "contains NaN"),
        "width": ({}, lambda model: model.partial_fit(X[:, :3], y), "expecting 4 features"),
        "targets": (
            {},
            lambda model: model.partial_fit(X, np.c_[y, y]),
            "same features, targets and centring",
        ),
        "dtype": ({}, lambda model: model.partial_fit(X.astype(np.float32), y), "same dtype"),
        "weights": ({}, lambda model: model.partial_fit(X, y, -weights - 1.0), "sample_weight must be ≥ 0"),
        "huge": ({}, lambda model: model.partial_fit(1e200 * X, y), "too large to square"),
        "alpha": ({"alpha": -1.0}, lambda model: model.partial_fit(X, y), "alpha must be"),
        "tol": ({"tol": "no"}, lambda model: model.fit_moments(model.moments_), "tol must be"),
        "intercept": (
            {"fit_intercept": False},
            lambda model: model.partial_fit(X, y),
            "same features, targets and centring",
        ),
        "centring": (
            {},
            lambda model: model.fit_moments(Moments.from_data(X, y, centred=False)),
            "fit_intercept=True needs moments with centred=True; these are about zero",
        ),
        "no rows": (
            {},
            lambda model: model.fit_moments(Moments.from_data(X, y, np.zeros(20))),
            "no rows of positive weight",
        ),
        "no moments": ({}, lambda model: model.fit_moments((X, y)), "must be a skreg.Moments"),
        "penalty_weights": (
            {"penalty_weights": [1.0]},
            lambda model: model.fit_moments(model.moments_),
            "penalty_weights must be",
        ),
    }


@pytest.mark.parametrize("name", failures())
@pytest.mark.parametrize("estimator", [Ridge(), Lasso(alpha=0.1)], ids=lambda e: type(e).__name__)
def test_a_failure_leaves_estimator_and_moments_as_they_were(estimator, name):
    parameters, fail, message = failures()[name]
    X, y, _ = data()
    model = clone(estimator).partial_fit(X, y).set_params(**parameters)
    before = dict(vars(model))
    gram = model.moments_.gram.copy()
    with pytest.raises((ValueError, TypeError), match=message):
        fail(model)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[key] is before[key] for key in before)
    assert_array_equal(model.moments_.gram, gram)


def test_a_first_chunk_of_no_weight_is_refused_and_a_later_one_adds_nothing():
    X, y, _ = data()
    with pytest.raises(ValueError, match="at least one weight must be positive"):
        Ridge().partial_fit(X, y, np.zeros(90))
    model = Ridge().partial_fit(X, y)
    coef = model.coef_
    assert_array_equal(model.partial_fit(X[:7], y[:7], np.zeros(7)).coef_, coef)
    assert model.moments_.n_rows == 90


def test_float32_stays_float32_and_its_gap_is_that_of_the_rounded_coefficients():
    X, y, _ = data(500)
    X32 = X.astype(np.float32)
    batch = Ridge().fit(X32, y)
    streamed = Ridge().partial_fit(X32[:100], y[:100]).partial_fit(X32[100:], y[100:])
    assert streamed.coef_.dtype == np.float32
    assert_allclose(streamed.coef_, batch.coef_, rtol=2e-7)
    assert_allclose(streamed.dual_gap_, batch.dual_gap_, rtol=0.5)


def test_streamed_fits_agree_with_scikit_learn():
    X, y, weights = data(300)
    for ours, theirs in (
        (Ridge(alpha=3.0), SklearnRidge(alpha=3.0)),
        (Lasso(alpha=0.2), SklearnLasso(alpha=0.2, tol=1e-12, max_iter=10**5)),
    ):
        for rows in np.array_split(np.arange(300), 6):
            ours.partial_fit(X[rows], y[rows], weights[rows])
        assert_allclose(ours.coef_, theirs.fit(X, y, weights).coef_, rtol=1e-7, atol=1e-9)


def test_more_columns_than_rows():
    X, y, _ = data(12, p=20)
    for estimator in (Ridge(alpha=1.0), Lasso(alpha=0.2), ElasticNet(alpha=0.2)):
        streamed = clone(estimator)
        for rows in np.array_split(np.arange(12), 3):
            streamed.partial_fit(X[rows], y[rows])
        assert_same_fit(streamed, clone(estimator).fit(X, y), rtol=1e-8)
