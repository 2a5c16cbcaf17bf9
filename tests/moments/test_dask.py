"""Dask's collections: the fit of the rows in memory, in one pass, and errors that name the chunk."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import ElasticNet, ElasticNetCV, Lasso, LassoCV, Ridge, RidgeCV, posterior
from skreg.moments import ChunkError, Moments, dask_moments

RNG = np.random.default_rng(0)
X = RNG.normal(size=(403, 6)) + 5.0
Y = X @ [1.0, 2.0, 0.0, 0.0, 3.0, 0.0] + RNG.normal(size=403)
WEIGHTS = RNG.uniform(0.0, 2.0, size=403)
ROWS = (100, 150, 3, 150)
LETTERS = list("abcdef")


@pytest.fixture(autouse=True)
def on_threads():
    with dask.config.set(scheduler="threads"):
        yield


def arrays(*others, columns=6):
    return [
        da.from_array(part, chunks=(ROWS, columns) if part.ndim == 2 else (ROWS,)) for part in (X, Y, *others)
    ]


def uncounted(*parts):
    """Make the sizes of chunks unknown, as a selection of rows does."""
    kept = da.from_array(np.ones(403, dtype=bool), chunks=(ROWS,))
    return [part[kept] for part in parts]


def frame():
    table = pd.DataFrame(X, columns=LETTERS).assign(y=Y, weight=WEIGHTS)
    return table, dd.from_pandas(table, npartitions=4)


def assert_same(mine, theirs, *names):
    for name in ("coef_", "intercept_", *names):
        np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("estimator", [Ridge(), Lasso(0.1), ElasticNet(0.1), Ridge(fit_intercept=False)])
def test_a_fit_of_chunks_is_the_fit_of_the_rows(estimator):
    dX, dy, weights = arrays(WEIGHTS)
    there = estimator.fit(dX, dy, sample_weight=weights)
    assert not hasattr(there, "moments_")  # no p × p state
    coef, gap = there.coef_, there.dual_gap_
    estimator.fit(X, Y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(coef, estimator.coef_, rtol=1e-10, atol=1e-12)
    assert 0.0 <= gap < 1e-8 * np.sum(Y**2)


@pytest.mark.parametrize("counted", [True, False])
def test_several_targets_columns_in_pieces_and_chunks_of_y_elsewhere(counted):
    Y2 = np.column_stack([Y, Y**2])
    dX, dy = da.from_array(X, chunks=(ROWS, 4)), da.from_array(Y2, chunks=(ROWS, 1))
    dX, dy = (dX, dy.rechunk((70, 2))) if counted else uncounted(dX, dy)
    assert_same(Ridge().fit(dX, dy), Ridge().fit(X, Y2))


@given(cuts=st.sets(st.integers(1, 402), max_size=8), counted=st.booleans())
@settings(max_examples=10, deadline=None)
def test_where_the_rows_are_cut_changes_nothing(cuts, counted):
    sizes = tuple(np.diff([0, *sorted(cuts), 403]).tolist())
    dX, dy = da.from_array(X, chunks=(sizes, 6)), da.from_array(Y, chunks=(sizes,))
    some = slice(None) if counted else dX[:, 0] > 4.0
    found = dask_moments(dX[some], dy[some])
    kept = slice(None) if counted else X[:, 0] > 4.0
    expected = Moments.from_data(X[kept], Y[kept])
    assert found.n_rows == expected.n_rows
    for name in ("x_mean", "y_mean", "gram", "xy", "yy"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-11, atol=1e-10)


def test_a_dataframe_gives_names_and_nullable_numbers_are_numbers():
    table = (
        frame()[0].astype({"b": "Float64"}).assign(i=pd.array(np.arange(403) % 7, dtype="Int64"), j=Y > 20)
    )
    names = [*LETTERS, "i", "j"]
    lazy = dd.from_pandas(table, npartitions=3)
    there = Lasso(0.01).fit(lazy[names], lazy["y"], sample_weight=lazy["weight"])
    here = Lasso(0.01).fit(table[names].astype(float), table["y"], sample_weight=table["weight"])
    assert list(there.feature_names_in_) == names
    assert_same(there, here)
    np.testing.assert_allclose(there.predict(lazy[names]).compute(), here.predict(table[names].astype(float)))


def test_float32_columns_give_float32_coefficients():
    dX, dy = arrays()
    there, here = Ridge().fit(dX.astype(np.float32), dy), Ridge().fit(X.astype(np.float32), Y)
    assert there.coef_.dtype == np.float32
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=1e-6, atol=1e-6)
    _, lazy = frame()
    assert Ridge().fit(lazy[LETTERS].astype("float32"), lazy["y"]).coef_.dtype == np.float32


def test_blocks_may_be_sparse():
    S = sparse.random(403, 6, 0.3, format="csr", random_state=0)
    blocks = da.from_array(S.toarray(), chunks=(ROWS, 6)).map_blocks(sparse.csr_matrix)
    assert_same(Ridge().fit(blocks, arrays()[1]), Ridge().fit(S, Y))


def test_a_numpy_y_and_a_number_for_weights_will_do():
    dX, _ = arrays()
    assert_same(Ridge().fit(dX, Y, sample_weight=2.0), Ridge().fit(X, Y, sample_weight=2.0))


CV = [LassoCV(cv=4), ElasticNetCV(l1_ratio=[0.4, 0.9], alphas=20), RidgeCV(cv=KFold(3))]


@pytest.mark.parametrize("estimator", CV)
def test_folds_are_those_of_kfold_where_the_rows_are_counted(estimator):
    dX, dy, weights = arrays(WEIGHTS)
    there = estimator.fit(dX, dy, sample_weight=weights)
    alpha, path, coef = there.alpha_, there.mse_path_, there.coef_
    estimator.fit(X, Y, sample_weight=WEIGHTS)
    assert alpha == pytest.approx(estimator.alpha_, rel=1e-12)
    np.testing.assert_allclose(path, estimator.mse_path_, rtol=1e-9)
    np.testing.assert_allclose(coef, estimator.coef_, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("kind", ["array", "frame"])
def test_folds_are_a_run_of_each_chunk_where_they_are_not(kind):
    if kind == "array":
        dX, dy = uncounted(*arrays())
        sizes = ROWS
    else:
        _, lazy = frame()
        dX, dy = lazy[LETTERS], lazy["y"]
        sizes = [len(part) for part in lazy.partitions]
    fold, start = np.empty(403, dtype=int), 0
    for number, size in enumerate(sizes):
        for k, (_, rows) in enumerate(KFold(3).split(np.empty(size))):
            fold[start + rows] = (k + number) % 3
        start += size
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
    assert_same(LassoCV(cv=3).fit(dX, dy), LassoCV(cv=splits).fit(X, Y), "mse_path_", "alpha_")


@pytest.mark.parametrize("estimator", [Lasso(0.1), LassoCV(cv=3, alphas=10), Lasso(0.1).fit(X, Y)])
def test_the_posterior_of_chunks_is_that_of_their_moments(estimator):
    dX, dy = arrays()
    there = posterior(estimator, dX, dy, draws=500, chains=2, random_state=0)["posterior"]["coef"]
    fitted = estimator if hasattr(estimator, "coef_") else estimator.fit(X, Y)
    moments = Moments.from_data(X, Y)
    here = posterior(fitted, moments=moments, draws=500, chains=2, random_state=0)["posterior"]["coef"]
    np.testing.assert_allclose(there.mean(("chain", "draw")), here.mean(("chain", "draw")), atol=0.02)


def test_one_pass_and_nothing_gathered_but_matrices():
    taken, results = [], []

    class Watch(dask.callbacks.Callback):
        def _posttask(self, key, value, dsk, state, worker_id):
            results.append(value)

    def chunk(block, block_info=None):
        taken.append(block_info[0]["chunk-location"][0])
        return X[: len(block)]

    dX = da.zeros((400, 6), chunks=(50, 6)).map_blocks(chunk, dtype=float, meta=np.empty((0, 0)))
    with dask.config.set(scheduler="sync"), Watch():
        LassoCV(cv=5).fit(dX, dX[:, 0])
    assert sorted(taken) == list(range(8))  # each chunk once, for X, for y and for every fold
    root = results[-1]
    assert sorted(root) == list(range(5)) and all(isinstance(part, Moments) for part in root.values())


def test_predictions_of_chunks_are_lazy():
    model, (dX, _dy) = Ridge().fit(X, np.column_stack([Y, -Y])), arrays(columns=4)
    lazy = model.predict(dX)
    assert isinstance(lazy, da.Array) and lazy.chunks == (ROWS, (2,))
    np.testing.assert_allclose(lazy.compute(), model.predict(X))
    named = Ridge().fit(*frame()[0][["a", "b"]].pipe(lambda table: (table, Y)))
    with pytest.raises(ValueError, match="feature names"):
        named.predict(frame()[1][["b", "a"]])


def broken(number, change):
    """Return X and y whose chunk of this number is another."""

    def chunk(block, block_info=None):
        return change(block) if block_info[0]["chunk-location"][0] == number else block

    dX, dy = arrays()
    return dX.map_blocks(chunk, dtype=float, meta=np.empty((0, 0))), dy


def with_nan(block):
    block = block.copy()
    block[7, 2] = np.nan
    return block


@pytest.mark.parametrize("estimator", [Ridge(), LassoCV(cv=3)])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_nan, "Chunk 1: X has nan in column 2, in row 7 of the chunk"),
        (lambda block: block[:, :5], "Chunk 1: X has 5 columns, and its collection says 6"),
        (lambda block: block[1:], "Chunk 1: X has 149 rows, and its collection says 150"),
        (lambda block: np.full_like(block, 1e200), "Chunk 1: X has numbers too large"),
    ],
)
def test_a_chunk_at_fault_is_named_and_nothing_fitted_is_lost(estimator, change, message):
    estimator.fit(X, Y)
    before = dict(vars(estimator))
    with pytest.raises(ChunkError, match=message) as caught:
        estimator.fit(*broken(1, change))
    assert caught.value.chunk == 1
    assert vars(estimator).keys() == before.keys()
    assert all(vars(estimator)[name] is value for name, value in before.items())


def no_pass(*args, **kwargs):
    raise AssertionError("a pass was made")


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda X, y, lazy: Ridge().fit(lazy.assign(c=lazy["a"].astype("category")), y), "'c' is category"),
        (lambda X, y, lazy: Ridge().fit(lazy.assign(c=lazy["a"].astype(str)), lazy["y"]), "'c' is str"),
        (lambda X, y, lazy: Ridge().fit(X.astype("M8[s]"), y), "X must hold numbers"),
        (lambda X, y, lazy: Ridge().fit(X, y[:-1]), "X has 403 rows and y has 402"),
        (lambda X, y, lazy: Ridge().fit(X, Y[:-1]), "X has 403 rows and y has 402"),
        (lambda X, y, lazy: Ridge().fit(np.asarray(X), y), "X must be a Dask Array or DataFrame"),
        (lambda X, y, lazy: Ridge().fit(lazy[LETTERS], Y), "y must be a Dask Array or DataFrame"),
        (lambda X, y, lazy: Ridge().fit(X[X[:, 0] > 5], y.rechunk(50)), "4 chunks of rows and y has 9"),
        (lambda X, y, lazy: Ridge().fit(X, y, sample_weight=-1.0), "sample_weight must be ≥ 0"),
        (lambda X, y, lazy: Ridge(alpha=-1.0).fit(X, y), "alpha"),
        (lambda X, y, lazy: RidgeCV().fit(X, y), "leave-one-out"),
        (lambda X, y, lazy: RidgeCV(cv=3, scoring="max_error").fit(X, y), "scoring='max_error'"),
        (lambda X, y, lazy: LassoCV(cv=KFold(3, shuffle=True)).fit(X, y), "KFold without shuffling"),
        (lambda X, y, lazy: LassoCV().fit(X, y, groups=y), "groups"),
        (lambda X, y, lazy: posterior(make_pipeline(StandardScaler(), Ridge()), X, y), "Pipeline"),
        (lambda X, y, lazy: posterior(Ridge(), X, y, extend=("log_likelihood",)), "log_likelihood"),
    ],
)
def test_what_cannot_be_fitted_is_refused_before_the_pass(fit, message, monkeypatch):
    dX, dy = arrays()
    _, lazy = frame()
    monkeypatch.setattr(dask, "compute", no_pass)
    with pytest.raises((TypeError, ValueError), match=message):
        fit(dX, dy, lazy)


def test_a_chunk_without_weight_adds_nothing_and_all_without_are_refused():
    dX, dy = arrays()
    weights = np.where(np.arange(403) < 100, 0.0, WEIGHTS)
    assert_same(Ridge().fit(dX, dy, weights), Ridge().fit(X[100:], Y[100:], WEIGHTS[100:]))
    with pytest.raises(ValueError, match="no row has a positive sample_weight"):
        Ridge().fit(dX, dy, sample_weight=da.zeros(403, chunks=(ROWS,)))
    with pytest.raises(ValueError, match="Fold 0 has no row of positive sample_weight"):
        LassoCV(cv=5).fit(dX, dy, weights)


def test_a_result_is_as_large_to_a_scheduler_as_its_matrix():
    from dask.sizeof import sizeof

    assert sizeof(dask_moments(*arrays())) > 6 * 6 * 8
