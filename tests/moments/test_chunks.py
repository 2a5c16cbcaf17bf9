"""Moments of data in chunks: the same whatever the chunks, and what goes wrong is named."""

import pickle
import threading

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.callback import ProgressBar

from skreg.moments import ChunkError, Moments

EPSILON = np.finfo(np.float64).eps
LONG = np.longdouble
needs_long_double = pytest.mark.skipif(
    np.finfo(LONG).eps > 1e-18, reason="long double is no wider than double here"
)


def data(n=60, p=4, n_targets=1, seed=0, offset=0.0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = (offset + rng.standard_normal((n, p)) * np.array([1.0, 10.0, 0.1, 1.0])[:p]).astype(dtype)
    y = X.astype(float) @ rng.standard_normal((p, n_targets)) + rng.standard_normal((n, n_targets))
    return X, y[:, 0] if n_targets == 1 else y, rng.uniform(0.1, 3.0, n) * (rng.random(n) < 0.8)


def in_chunks(X, y, weights, labels, layout=np.asarray):
    return [
        (layout(X[labels == label]), y[labels == label], weights[labels == label])
        for label in np.unique(labels)
    ]


def table(moments):
    """All sums of squares and products in one matrix, in units of the columns' norms."""
    both = np.block([[moments.gram, moments.xy], [moments.xy.T, np.diag(moments.yy)]])
    size = np.sqrt(np.diag(both))
    return both / np.outer(size, size)


def exact_table(X, y, weights):
    Z, s = np.column_stack([X, y]).astype(LONG), weights.astype(LONG)
    Z = Z - s @ Z / s.sum()
    both = np.array([[np.sum(s * a * b) for a in Z.T] for b in Z.T])
    size = np.sqrt(np.diag(both))
    return (both / np.outer(size, size)).astype(float)


@given(
    st.lists(st.integers(0, 7), min_size=3, max_size=50),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.sampled_from([0.0, 1e3, 1e8]),
    st.sampled_from([np.asarray, np.asfortranarray, sparse.csr_array, sparse.csc_matrix]),
)
@settings(max_examples=150, deadline=None)
def test_the_moments_do_not_depend_on_the_chunks(labels, seed, centred, offset, layout):
    labels = np.array(labels)
    X, y, weights = data(len(labels), 2, n_targets=2, seed=seed, offset=offset if centred else 0.0)
    weights[:3] = 1.0, 0.5, 2.0
    chunks = in_chunks(X, y, weights, labels, layout)
    np.random.default_rng(seed).shuffle(chunks)
    whole = Moments.from_data(X, y, weights, centred=centred)
    streamed = Moments.from_chunks(iter(chunks), centred=centred)
    assert streamed.n_rows == whole.n_rows and streamed.centred is centred
    assert_allclose(streamed.total_weight, whole.total_weight, rtol=1e-14)
    assert_allclose(streamed.log_weight_sum, whole.log_weight_sum, rtol=1e-12, atol=1e-13)
    spread = np.max(np.abs(X - X[0]))  # 4 ε of this, and one rounding of the mean itself
    assert_allclose(streamed.x_mean, whole.x_mean, rtol=3e-16, atol=1e-15 * spread)
    assert_allclose(np.sqrt(np.diag(streamed.gram)), np.sqrt(np.diag(whole.gram)), rtol=1e-12)
    difference = (streamed.xy - whole.xy) / np.sqrt(np.outer(np.diag(whole.gram), whole.yy))
    assert np.max(np.abs(difference)) < 1e-12
    assert_array_equal(streamed.gram, streamed.gram.T)


@needs_long_double
@pytest.mark.parametrize("n_chunks", [1, 7, 1000])
@pytest.mark.parametrize(("offset", "dtype"), [(1e8, np.float64), (1e3, np.float32)])
def test_columns_far_from_zero_keep_their_digits_in_a_thousand_chunks(offset, dtype, n_chunks):
    X, y, _ = data(6000, offset=offset, dtype=dtype)
    weights = np.random.default_rng(1).uniform(0.1, 2.0, 6000)
    order = np.random.default_rng(2).permutation(6000)
    moments = Moments.from_chunks(
        (X[rows], y[rows], weights[rows]) for rows in np.array_split(order, n_chunks)
    )
    error = np.max(np.abs(table(moments) - exact_table(X, y, weights)))
    assert error < 20 * EPSILON
    assert error <= moments.rounding  # what a certificate has room for


@needs_long_double
@pytest.mark.parametrize("n_chunks", [1, 30, 1000])
def test_the_rounding_on_record_covers_that_of_many_rows(n_chunks):
    X, y, _ = data(200_000, 3)
    moments = Moments.from_chunks(zip(np.array_split(X, n_chunks), np.array_split(y, n_chunks), strict=True))
    added = sum(
        (
            Moments.from_data(*rows)
            for rows in zip(np.array_split(X, n_chunks), np.array_split(y, n_chunks), strict=True)
        ),
        start=Moments.from_data(X[:0], y[:0]),
    )
    exact = exact_table(X, y, np.ones(len(X)))
    for found in (moments, added):
        assert np.max(np.abs(table(found) - exact)) <= found.rounding < 1e-13


def test_a_mean_is_kept_beyond_double_precision():
    rng = np.random.default_rng(0)
    X = 1e8 + rng.standard_normal((3000, 1))
    moments = Moments.from_chunks((part, part[:, 0]) for part in np.array_split(X, 500))
    deviation = (X[:, 0] - moments.x_mean[0]) - moments.x_mean_rest[0]
    assert abs(deviation.mean()) < 1e-12  # a float64 at 1e8 is right to 7e-9
    assert_allclose(moments.gram[0, 0], deviation @ deviation, rtol=1e-13)


def test_what_a_subtraction_leaves_of_a_constant_column_is_nothing():
    X, y, _ = data(40)
    X[20:, 1], y[20:] = 3.7, 0.1
    left = Moments.from_data(X, y) - Moments.from_data(X[:20], y[:20])
    assert_array_equal(left.gram[1], 0.0)
    assert_array_equal(left.xy, 0.0)
    assert left.yy[0] == 0.0
    assert_allclose(left.gram, Moments.from_data(X[20:], y[20:]).gram, atol=1e-12 * left.gram.max())


def test_a_subtraction_records_what_cancelled():
    X, y, _ = data(4000)
    X[2000:] *= 1e-3
    whole, first = Moments.from_data(X, y), Moments.from_data(X[:2000], y[:2000])
    left, exact = whole - first, Moments.from_data(X[2000:], y[2000:])
    assert left.rounding > 1e5 * whole.rounding
    size = np.sqrt(np.diag(exact.gram))
    assert np.max(np.abs(left.gram - exact.gram) / np.outer(size, size)) <= left.rounding


def test_chunks_without_rows_or_weight_add_nothing():
    X, y, weights = data()
    nothing = [(X[:0], y[:0], weights[:0]), (X, y, np.zeros(60)), (X[:3], y[:3], 0.0)]
    alone = Moments.from_chunks([(X, y, weights)])
    among = Moments.from_chunks([*nothing, (X, y, weights), *nothing])
    for name in ("total_weight", "n_rows", "x_mean", "gram", "xy", "yy", "log_weight_sum"):
        assert_array_equal(getattr(among, name), getattr(alone, name))
    assert Moments.from_chunks(nothing).n_rows == 0
    with pytest.raises(ValueError, match="none of 0 chunks has a row"):
        Moments.from_chunks([])


def test_a_chunk_may_be_anything_with_rows():
    X, y, _ = data()
    frame = pd.DataFrame(X)
    whole = Moments.from_data(X, y)
    for chunk in (
        [X, y],
        (X.tolist(), y.tolist()),
        (frame, pd.Series(y)),
        (sparse.csr_matrix(X), y[:, None]),
        (X, y, None),
        (X, y, 1.0),
    ):
        assert_allclose(Moments.from_chunks([chunk]).gram, whole.gram, rtol=1e-12, atol=1e-11)


def test_names_and_dtype_come_with_the_chunks():
    X, y, _ = data(dtype=np.float32)
    frame = pd.DataFrame(X, columns=list("abcd"))
    assert Moments.from_chunks([(frame, y)]).feature_names == ("a", "b", "c", "d")
    assert Moments.from_chunks([(X, y)], feature_names="wxyz").feature_names == ("w", "x", "y", "z")
    assert Moments.from_chunks([(X, y)]).dtype == np.float32
    assert Moments.from_chunks([(X.astype(int), y)]).dtype == np.float64
    of_frame = Moments.from_data(frame, pd.Series(y))
    assert (of_frame.feature_names, of_frame.dtype) == (("a", "b", "c", "d"), np.float32)
    assert_allclose(of_frame.gram, Moments.from_data(X, y).gram, rtol=1e-13, atol=1e-12)
    assert Moments.from_chunks([(X, y)]).astype("float64").dtype == np.float64


def bad_chunks():
    X, y, weights = data(10)
    nan, huge = X.copy(), X.copy()
    nan[3, 2], huge[0, 1] = np.nan, 1e200
    y_nan = y.copy()
    y_nan[7] = np.inf
    names = pd.DataFrame(X, columns=list("abcd"))
    return {
        "X has nan in column 2, in row 3 of the chunk": (nan, y),
        "X has nan in column 2, in row 3 ": (sparse.csr_array(nan), y),
        "y has inf, in row 7 of the chunk": (X, y_nan),
        "X has numbers too large to square": (huge, y),
        "y has numbers too large to square": (X, 1e300 * y),
        "X has 3 columns, and that of the chunks before it has 4": (X[:, :3], y),
        "y has 2 targets, and that of the chunks before it has 1": (X, np.column_stack([y, y])),
        "X has 10 rows and y has 9": (X, y[:9]),
        "X has not the feature names of the chunks before it": (names, y),
        "X is float32, and that of the chunks before it float64": (X.astype(np.float32), y),
        "sample_weight must be ≥ 0": (X, y, -weights - 1.0),
        "sample_weight has shape": (X, y, weights[:5]),
        "a chunk must be": X,
        r"a chunk must be \(X, y\) or \(X, y, sample_weight\), got tuple of 4": (X, y, weights, 1),
        "could not convert string": (X.astype(str).astype(object) + "?", y),
        "Expected 2D array": (X[:, 0], y),
    }


@pytest.mark.parametrize("message", bad_chunks())
def test_a_bad_chunk_is_named_and_what_was_gathered_is_whole(message):
    X, y, weights = data()
    good = [(X[:20], y[:20], weights[:20]), (X[20:], y[20:], weights[20:])]
    with pytest.raises(ChunkError, match=f"^Chunk 2: .*{message}") as caught:
        Moments.from_chunks([*good, bad_chunks()[message], *good])
    before = Moments.from_chunks(good)
    assert caught.value.chunk == 2
    for name in ("total_weight", "n_rows", "log_weight_sum", "x_mean", "y_mean", "gram", "xy", "yy"):
        assert_array_equal(getattr(caught.value.moments, name), getattr(before, name))
    # One can go on from there.
    both = caught.value.moments + Moments.from_chunks(good[1:])
    assert_allclose(both.gram, Moments.from_chunks([*good, good[1]]).gram, rtol=1e-12)


def test_nan_in_a_dataframe_is_named_by_its_column():
    X, y, _ = data(5)
    frame = pd.DataFrame(X, columns=["age", "bp", "s1", "s2"])
    frame.loc[4, "bp"] = None
    with pytest.raises(ChunkError, match="Chunk 0: X has nan in column 'bp', in row 4") as caught:
        Moments.from_chunks([(frame, y)])
    assert caught.value.moments is None


def test_squares_that_overflow_only_together_are_refused_before_they_are_added():
    X, y = np.full((2, 1), 3e149), np.zeros(2)
    X[0] *= -1.0
    with pytest.raises(ChunkError, match="too large to square") as caught:
        Moments.from_chunks([(X, y)] * 100)
    assert np.isfinite(caught.value.moments.gram).all()


def test_a_reader_that_fails_leaves_what_it_has_read():
    X, y, _ = data()

    def chunks():
        yield X, y
        raise OSError("the disk is gone")

    with pytest.raises(ChunkError, match="Chunk 1 could not be read: the disk is gone") as caught:
        Moments.from_chunks(chunks())
    assert isinstance(caught.value.__cause__, OSError)
    assert_array_equal(caught.value.moments.gram, Moments.from_data(X, y).gram)


def test_an_error_keeps_its_moments_across_processes():
    X, y, _ = data()
    error = ChunkError("no", 3, Moments.from_data(X, y))
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.chunk, copy.moments.n_rows) == ("no", 3, 60)


class Recorder:
    """Writes down what scikit-learn's protocol tells it."""

    def __init__(self):
        self.events = []

    def setup(self, estimator, context):
        self.events.append(("setup", context.estimator_name, context.task_name, context.max_subtasks))

    def on_fit_task_begin(self, estimator, context):
        self.events.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context):
        self.events.append(("end", context.task_name, context.task_id))

    def teardown(self, estimator, context):
        self.events.append(("teardown",))


def test_callbacks_are_told_of_every_chunk():
    X, y, _ = data()
    chunks = [(X[:30], y[:30]), (X[30:], y[30:])]
    for iterable, total in ((chunks, 2), (iter(chunks), None)):
        recorder = Recorder()
        moments = Moments.from_chunks(iterable, callbacks=[recorder])
        assert recorder.events == [
            ("setup", "Moments", "from_chunks", total),
            ("begin", "from_chunks", 0),
            *[(event, "chunk", i) for i in range(2) for event in ("begin", "end")],
            ("end", "from_chunks", 0),
            ("teardown",),
        ]
        assert_array_equal(moments.gram, Moments.from_chunks(chunks).gram)


def test_the_progress_bar_is_taken_down_also_when_a_chunk_is_bad(capsys):
    X, y, _ = data()
    Moments.from_chunks([(X, y)] * 3, callbacks=[ProgressBar()])
    printed = capsys.readouterr().out
    assert "Moments - from_chunks" in printed and "100%" in printed
    with pytest.raises(ChunkError, match="Chunk 1"):
        Moments.from_chunks([(X, y), (X[:, :2], y)], callbacks=[ProgressBar()])
    assert "RichProgressMonitor" not in [type(thread).__name__ for thread in threading.enumerate()]
