"""Moments: what a Gaussian likelihood sees of the data, added, subtracted and streamed."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skreg.moments import Moments
from skreg.moments.rows import weighted_means

FIELDS = ("total_weight", "n_rows", "log_weight_sum", "x_mean", "y_mean", "gram", "xy", "yy")


def data(n=30, p=4, n_targets=2, seed=0):
    rng = np.random.default_rng(seed)
    X = (
        rng.standard_normal((n, p)) * np.array([1.0, 1e3, 1e-3, 1.0])[:p]
        + np.array([0.0, 5.0, 1.0, -2.0])[:p]
    )
    y = rng.standard_normal((n, n_targets)) + 3.0
    weights = rng.uniform(0.1, 3.0, n) * (rng.random(n) < 0.8)
    return X, y, weights


def assert_same(left, right, rtol=1e-10):
    """Equal up to rounding beside the spread of each column."""
    spread, y_spread = np.sqrt(np.diag(right.gram)), np.sqrt(right.yy)
    assert left.n_rows == right.n_rows
    assert left.total_weight == pytest.approx(right.total_weight, rel=1e-12)
    assert left.log_weight_sum == pytest.approx(right.log_weight_sum, rel=1e-10, abs=1e-10)
    assert_allclose(left.gram / np.outer(spread, spread), right.gram / np.outer(spread, spread), atol=rtol)
    assert_allclose(left.xy / np.outer(spread, y_spread), right.xy / np.outer(spread, y_spread), atol=rtol)
    assert_allclose(left.yy, right.yy, rtol=rtol)
    assert_allclose(left.x_mean, right.x_mean, atol=rtol * spread.max())
    assert_allclose(left.y_mean, right.y_mean, atol=rtol * y_spread.max())


def by_definition(X, y, weights, centred):
    """In extended precision, with no cleverness."""
    X, y, s = (np.asarray(part, dtype=np.longdouble) for part in (X, y, weights))
    x_mean = s @ X / s.sum() if centred else np.zeros(X.shape[1])
    y_mean = s @ y / s.sum() if centred else np.zeros(y.shape[1])
    X, y = X - x_mean, y - y_mean
    return Moments(
        total_weight=float(s.sum()),
        n_rows=int(np.count_nonzero(s)),
        log_weight_sum=float(np.log(s[s > 0]).sum()),
        x_mean=x_mean.astype(float),
        y_mean=y_mean.astype(float),
        gram=(X.T @ (s[:, None] * X)).astype(float),
        xy=(X.T @ (s[:, None] * y)).astype(float),
        yy=(s @ y**2).astype(float),
        centred=centred,
    )


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(
    "layout", [np.ascontiguousarray, np.asfortranarray, sparse.csr_array, sparse.csc_matrix]
)
def test_the_moments_are_their_definitions(layout, centred):
    X, y, weights = data()
    moments = Moments.from_data(layout(X), y, weights, centred=centred)
    assert_same(moments, by_definition(X, y, weights, centred))
    assert moments.centred is centred
    assert (moments.n_features, moments.n_targets) == (4, 2)


def test_without_weights_every_row_counts_once():
    X, y, _ = data()
    assert_same(Moments.from_data(X, y), Moments.from_data(X, y, np.ones(30)))
    assert Moments.from_data(X, y).log_weight_sum == 0.0
    assert_array_equal(Moments.from_data(X, y[:, 0]).xy, Moments.from_data(X, y[:, :1]).xy)


def test_rows_of_weight_zero_do_not_count():
    X, y, weights = data()
    X[weights == 0] = 1e200
    kept = weights > 0
    assert_same(
        Moments.from_data(np.where(kept[:, None], X, 0.0), y, weights),
        Moments.from_data(X[kept], y[kept], weights[kept]),
    )


def test_many_blocks_are_one_block(monkeypatch):
    X, y, weights = data(n=101)
    whole = Moments.from_data(X, y, weights)
    monkeypatch.setattr("skreg.moments.rows._BLOCK_SIZE", 12)
    assert_same(Moments.from_data(X, y, weights), whole, rtol=1e-13)


@st.composite
def chunkings(draw):
    n = draw(st.integers(2, 40))
    labels = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    return np.array(labels), draw(st.integers(0, 2**32 - 1)), draw(st.booleans()), draw(st.booleans())


@given(chunkings())
@settings(max_examples=200, deadline=None)
def test_any_chunks_in_any_order_add_up_to_the_whole(chunking):
    labels, seed, centred, is_sparse = chunking
    X, y, weights = data(n=labels.size, seed=seed)
    weights[:2] = 1.0
    layout = sparse.csr_array if is_sparse else np.asarray
    whole = Moments.from_data(X, y, weights, centred=centred)
    chunks = [
        Moments.from_data(layout(X[labels == k]), y[labels == k], weights[labels == k], centred=centred)
        for k in np.random.default_rng(seed).permutation(6)  # some hold no row, or no weight
    ]
    total = chunks[0]
    for chunk in chunks[1:]:
        total = total + chunk
    if np.ptp(X[weights > 0], axis=0).min() > 1e-2 * X.std(axis=0).min():
        assert_same(total, whole, rtol=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(1, 25), st.booleans())
@settings(max_examples=100, deadline=None)
def test_what_is_subtracted_leaves_the_others(seed, n_taken, centred):
    X, y, weights = data(seed=seed)
    weights += 0.1
    taken = np.random.default_rng(seed).permutation(30) < n_taken
    whole, part, rest = (
        Moments.from_data(X[rows], y[rows], weights[rows], centred=centred)
        for rows in (slice(None), taken, ~taken)
    )
    assert_same(whole - part, rest, rtol=1e-9)
    assert_same((whole - part) + part, whole, rtol=1e-9)


def test_subtracting_everything_is_refused():
    X, y, _ = data()
    moments = Moments.from_data(X, y)
    with pytest.raises(ValueError, match="some rows must be left"):
        moments - moments
    with pytest.raises(ValueError, match="Cannot subtract moments of 30 rows"):
        Moments.from_data(X[:5], y[:5]) - moments


def test_moments_of_different_things_do_not_combine():
    X, y, _ = data()
    moments = Moments.from_data(X, y)
    for other in (
        Moments.from_data(X[:, :2], y),
        Moments.from_data(X, y[:, :1]),
        Moments.from_data(X, y, centred=False),
    ):
        for combine in (moments.__add__, moments.__sub__):
            with pytest.raises(ValueError, match="same features, targets and centring"):
                combine(other)
    with pytest.raises(TypeError):
        moments + 1.0
    with pytest.raises(TypeError):
        moments - None


@pytest.mark.parametrize("layout", [np.asarray, sparse.csc_array])
def test_columns_at_1e8_with_unit_variance_lose_no_digits(layout):
    rng = np.random.default_rng(1)
    X = 1e8 + rng.standard_normal((12, 3))
    y = -1e8 + rng.standard_normal(12)
    weights = rng.uniform(0.5, 2.0, 12)
    moments = Moments.from_data(layout(X), y, weights)
    # In exact arithmetic, for the float64 numbers that X, y and weights are.
    xs = [[Fraction(x) for x in column] for column in X.T.tolist()] + [[Fraction(t) for t in y.tolist()]]
    s = [Fraction(w) for w in weights.tolist()]
    means = [sum(w * x for w, x in zip(s, column, strict=True)) / sum(s) for column in xs]
    exact = np.array(
        [
            [float(sum(w * (a - m) * (b - k) for w, a, b in zip(s, one, two, strict=True)))
             for two, k in zip(xs, means, strict=True)]
            for one, m in zip(xs, means, strict=True)
        ]
    )  # fmt: skip
    assert_allclose(moments.gram, exact[:3, :3], rtol=1e-12, atol=1e-12)
    assert_allclose(moments.xy[:, 0], exact[:3, 3], rtol=1e-12, atol=1e-12)
    assert_allclose(moments.yy, exact[3, 3], rtol=1e-12)
    halves = [
        Moments.from_data(layout(X[rows]), y[rows], weights[rows]) for rows in (slice(5), slice(5, None))
    ]
    assert_allclose((halves[0] + halves[1]).gram, exact[:3, :3], rtol=1e-8, atol=1e-8)
    assert_allclose((moments - halves[0]).gram, halves[1].gram, rtol=1e-7, atol=1e-7)


def test_a_constant_column_has_exactly_its_value_as_mean_and_no_variance():
    for value in (0.1, 1e8 + 0.1, -7.3e-200):
        X = np.full((1001, 1), value)
        for layout in (np.asarray, sparse.csr_array):
            moments = Moments.from_data(layout(X), np.arange(1001.0), np.linspace(0.1, 2.3, 1001))
            assert moments.x_mean[0] == value
            assert moments.gram[0, 0] <= (1e-15 * value) ** 2 * 1001


def test_float32_and_integers_are_summed_in_float64():
    rng = np.random.default_rng(2)
    X32 = (1e4 + rng.standard_normal((2000, 3))).astype(np.float32)
    y = rng.standard_normal(2000)
    moments = Moments.from_data(X32, y)
    assert moments.gram.dtype == np.float64
    assert_same(moments, Moments.from_data(X32.astype(np.float64), y), rtol=1e-13)
    assert_same(
        Moments.from_data(sparse.csr_array(X32), y), Moments.from_data(X32.astype(np.float64), y), rtol=1e-13
    )
    integers = rng.integers(0, 9, (20, 2))
    assert_same(Moments.from_data(integers, y[:20]), Moments.from_data(integers.astype(float), y[:20]))


@pytest.mark.parametrize("density", [0.01, 0.3, 0.97, 1.0])
@pytest.mark.parametrize("centred", [True, False])
def test_sparse_data_have_the_moments_of_dense_ones(density, centred):
    rng = np.random.default_rng(3)
    X = np.where(rng.random((200, 6)) < density, 100.0 + rng.standard_normal((200, 6)), 0.0)
    y, weights = rng.standard_normal(200), rng.uniform(0, 2, 200)
    dense = Moments.from_data(X, y, weights, centred=centred)
    for layout in (sparse.csr_matrix, sparse.csc_array):
        moments = Moments.from_data(layout(X), y, weights, centred=centred)
        for name in FIELDS:
            expected = np.asarray(getattr(dense, name))
            assert_allclose(getattr(moments, name), expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())


def test_the_caller_s_sparse_matrix_is_left_alone():
    rows, columns, values = [0, 0, 2, 2], [1, 1, 0, 0], [1.0, 2.0, 3.0, 4.0]  # each entry twice
    X = sparse.csc_array(sparse.coo_array((values, (rows, columns)), shape=(3, 2)))
    doubled = sparse.csc_array((np.array([3.0, 4.0, 1.0, 2.0]), np.array([2, 2, 0, 0]), np.array([0, 2, 4])))
    before = doubled.data.copy()
    y = np.array([1.0, 2.0, 4.0])
    assert_same(Moments.from_data(doubled, y), Moments.from_data(X.toarray(), y))
    assert_array_equal(doubled.data, before)
    assert doubled.nnz == 4


def test_no_weight_at_all_is_the_moments_of_nothing():
    X, y, weights = data()
    nothing = Moments.from_data(X, y, np.zeros(30))
    assert (nothing.total_weight, nothing.n_rows) == (0.0, 0)
    whole = Moments.from_data(X, y, weights)
    for total in (nothing + whole, whole + nothing, whole - nothing, nothing + nothing + whole):
        assert_same(total, whole)


def test_only_rows_of_positive_weight_are_counted():
    X, y, _ = data(n=5)
    moments = Moments.from_data(X, y, np.array([2.0, 0.0, 0.5, 0.0, 4.0]))
    assert (moments.n_rows, moments.total_weight) == (3, 6.5)
    assert_allclose(moments.log_weight_sum, np.log(2.0 * 0.5 * 4.0), rtol=1e-15)


def test_several_targets_are_as_many_single_ones():
    X, y, weights = data(n_targets=3)
    together = Moments.from_data(X, y, weights)
    for j in range(3):
        alone = Moments.from_data(X, y[:, j], weights)
        assert_allclose(together.xy[:, [j]], alone.xy, rtol=1e-11)
        assert_allclose(together.yy[[j]], alone.yy, rtol=1e-12)
        assert_allclose(together.y_mean[[j]], alone.y_mean, rtol=1e-13)


def test_sums_and_differences_leave_their_terms_as_they_were():
    X, y, weights = data()
    one, other = Moments.from_data(X, y, weights), Moments.from_data(X[:9], y[:9], weights[:9])
    before = [np.copy(getattr(moments, name)) for moments in (one, other) for name in FIELDS]
    one + other - other
    after = [getattr(moments, name) for moments in (one, other) for name in FIELDS]
    for left, right in zip(before, after, strict=True):
        assert_array_equal(left, right)


def test_more_rows_or_more_weight_than_there_is_cannot_be_subtracted():
    X, y, _ = data()
    part = Moments.from_data(X[:20], y[:20])
    many_and_light = Moments.from_data(X, y, np.full(30, 1e-6))
    few_and_heavy = Moments.from_data(X[:2], y[:2], np.array([1e3, 1.0]))
    for more in (many_and_light, few_and_heavy):
        with pytest.raises(ValueError, match=rf"Cannot subtract moments of {more.n_rows} rows"):
            part - more


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="long double is no wider than double here")
@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("n_chunks", [1, 7, 100])
def test_columns_at_1e8_streamed_in_chunks_lose_no_digits(layout, n_chunks):
    rng = np.random.default_rng(0)
    X = 1e8 * np.array([1.0, -1.0, 1.0]) + rng.standard_normal((5000, 3)) @ np.triu(np.ones((3, 3)))
    y = 1e8 + (X - X.mean(axis=0)) @ np.array([1.0, 2.0, -1.0]) + rng.standard_normal(5000)
    weights = rng.uniform(0.1, 2.0, 5000)
    first, *others = (
        Moments.from_data(layout(X[rows]), y[rows], weights[rows])
        for rows in np.array_split(np.arange(5000), n_chunks)
    )
    moments = sum(others, start=first)
    Z, s = np.column_stack([X, y]).astype(np.longdouble), weights.astype(np.longdouble)
    mean = s @ Z / s.sum()
    exact = ((Z - mean).T @ (s[:, None] * (Z - mean))).astype(float)
    assert_allclose(moments.x_mean, mean[:3].astype(float), rtol=1e-14)
    assert_allclose(moments.gram, exact[:3, :3], rtol=1e-8)
    assert_allclose(moments.xy[:, 0], exact[:3, 3], rtol=1e-8)
    assert_allclose(moments.yy[0], exact[3, 3], rtol=1e-8)


@pytest.mark.parametrize("layout", [np.asarray, sparse.csr_array, sparse.csc_array])
@pytest.mark.parametrize("value", [0.0, 0.1, np.pi, 1e8 / 3, -1e-5 / 7])
def test_a_constant_column_has_exactly_no_variance_streamed_or_not(layout, value):
    rng = np.random.default_rng(0)
    for n in (1, 2, 287, 2967):
        X = np.column_stack([np.full(n, value), rng.standard_normal(n)])
        y, weights = np.full(n, value), rng.uniform(0.01, 5.0, n)
        cut = n // 3
        whole = Moments.from_data(layout(X), y, weights)
        parts = [Moments.from_data(layout(X[r]), y[r], weights[r]) for r in (slice(cut), slice(cut, n))]
        for moments in (whole, parts[0] + parts[1]):
            assert (moments.x_mean[0], moments.y_mean[0]) == (value, value)
            for products in (moments.gram[0], moments.gram[:, 0], moments.xy, moments.yy):
                assert_array_equal(products, 0.0)


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="long double is no wider than double here")
def test_the_two_parts_of_a_mean_add_up_beyond_double_precision():
    rng = np.random.default_rng(0)
    X, weights = 1e8 + rng.standard_normal((5000, 3)), rng.uniform(0.1, 2.0, 5000)
    mean, rest = weighted_means(X, weights)
    s = weights.astype(np.longdouble)
    exact = s @ X.astype(np.longdouble) / s.sum()
    assert np.all(np.abs(rest) <= np.spacing(mean))
    assert np.max(np.abs(mean.astype(np.longdouble) + rest - exact)) < 1e-10  # one double is right to 7e-9


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_mean_between_two_floats_is_taken_off_whole(order):
    X = np.array([[2.0**53, 1.0], [2.0**53 + 2.0, 0.0]], order=order)
    moments = Moments.from_data(X, np.array([0.0, 1.0]))
    assert_allclose(moments.gram, [[2.0, -1.0], [-1.0, 0.5]], rtol=1e-15)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(700, 3), (30, 600)], ids=["several blocks of rows", "of columns"])
def test_the_gram_matrix_is_exactly_symmetric_after_adding_and_subtracting(shape, order):
    rng = np.random.default_rng(0)
    X, y = np.asarray(rng.standard_normal(shape), order=order), rng.standard_normal(shape[0])
    weights = rng.uniform(0.0, 2.0, shape[0])
    first, rest = (Moments.from_data(X[part], y[part], weights[part]) for part in (slice(9), slice(9, None)))
    centred = X - np.average(X, axis=0, weights=weights)
    both = first + rest
    assert_allclose(both.gram, centred.T @ (weights[:, None] * centred), rtol=1e-10, atol=1e-10)
    for moments in (first, rest, both, both - first):
        assert_array_equal(moments.gram, moments.gram.T)
