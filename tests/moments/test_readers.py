"""Chunks of arrays, tables and files: all rows, once, in order, and what cannot be read is named."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skreg.moments import ChunkError, Moments, array_chunks, frame_chunks, parquet_chunks

RNG = np.random.default_rng(0)
X, Y, WEIGHTS = RNG.standard_normal((100, 3)), RNG.standard_normal(100), RNG.uniform(0, 2, 100)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=Y, w=WEIGHTS)
WHOLE = Moments.from_data(X, Y, WEIGHTS)


def assert_whole(moments, names=None, whole=WHOLE):
    assert moments.n_rows == whole.n_rows
    assert moments.feature_names == names
    assert_allclose(moments.gram, whole.gram, rtol=1e-11, atol=1e-11)
    assert_allclose(moments.xy, whole.xy, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("chunk_rows", [1, 7, 100, 1000, None])
@pytest.mark.parametrize("layout", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_arrays_are_cut_into_rows_that_follow_each_other(layout, chunk_rows):
    chunks = array_chunks(layout(X), Y, WEIGHTS, chunk_rows=chunk_rows)
    assert len(chunks) == len(list(chunks)) == -(-100 // (chunk_rows or 100))
    assert_array_equal(np.concatenate([y for _X, y, _w in chunks]), Y)
    assert_whole(Moments.from_chunks(chunks))
    assert_whole(Moments.from_chunks(chunks))  # again


def test_a_memory_map_is_read_by_slices(tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    chunks = array_chunks(mapped, Y, WEIGHTS, chunk_rows=30)
    assert np.shares_memory(next(iter(chunks))[0], mapped)
    assert_whole(Moments.from_chunks(chunks))


def test_a_table_is_cut_by_its_rows_too():
    chunks = array_chunks(FRAME[["a", "b", "c"]], FRAME["y"], FRAME["w"], chunk_rows=40)
    assert_whole(Moments.from_chunks(chunks), ("a", "b", "c"))


def test_a_chunk_is_32_megabytes_unless_told():
    wide = np.broadcast_to(0.0, (10**6, 1000))
    assert len(array_chunks(wide, np.broadcast_to(0.0, 10**6))) == -(-(10**6) // (2**22 // 1000))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((sparse.csc_array(X), Y), TypeError, "X is sparse in csc format.*tocsr"),
        ((X, Y[:5]), ValueError, "y has 5 rows and X has 100"),
        ((X, Y, WEIGHTS[:5]), ValueError, "sample_weight has 5 rows"),
        ((Y, Y), ValueError, "X must be an array of two dimensions"),
        ((X.tolist(), Y), ValueError, "X must be an array of two dimensions, got list"),
    ],
)
def test_arrays_that_cannot_be_cut(arguments, error, message):
    with pytest.raises(error, match=message):
        array_chunks(*arguments)
    for chunk_rows in (0, 1.5, True, "2"):
        with pytest.raises(ValueError, match="chunk_rows must be None or an integer ≥ 1"):
            array_chunks(X, Y, chunk_rows=chunk_rows)


@pytest.mark.parametrize("convert", [lambda frame: frame, pl.from_pandas], ids=["pandas", "polars"])
def test_frames_are_split_by_the_names_of_their_columns(convert):
    frames = [convert(FRAME[:33]), convert(FRAME[33:][["w", "c", "y", "b", "a"]])]
    chunks = frame_chunks(frames, "y", sample_weight="w")
    assert_whole(Moments.from_chunks(chunks), ("a", "b", "c"))
    part = Moments.from_chunks(frame_chunks(frames, "y", features=["c", "a"], sample_weight="w"))
    assert_allclose(part.gram, WHOLE.gram[np.ix_([2, 0], [2, 0])], rtol=1e-11, atol=1e-11)
    two = Moments.from_chunks(frame_chunks(frames, ["y", "b"], sample_weight="w"))
    assert (two.feature_names, two.n_targets) == (("a", "c"), 2)


def test_a_csv_file_is_read_in_pieces(tmp_path):
    FRAME.to_csv(tmp_path / "table.csv", index=False)
    with pd.read_csv(tmp_path / "table.csv", chunksize=30) as frames:
        moments = Moments.from_chunks(frame_chunks(frames, "y", sample_weight="w"))
    assert_whole(moments, ("a", "b", "c"))


def test_a_frame_without_a_column_is_named():
    with pytest.raises(ChunkError, match="Chunk 1 could not be read: The frame has no column 'b'") as caught:
        Moments.from_chunks(frame_chunks([FRAME, FRAME[["a", "c", "y", "w"]]], "y", sample_weight="w"))
    assert_whole(caught.value.moments, ("a", "b", "c"))
    with pytest.raises(ChunkError, match="No column is left for X"):
        Moments.from_chunks(frame_chunks([FRAME[["y"]]], "y"))


@pytest.fixture
def files(tmp_path):
    for i, part in enumerate((FRAME[:45], FRAME[45:])):
        pq.write_table(pa.Table.from_pandas(part), tmp_path / f"part-{i}.parquet", row_group_size=20)
    return tmp_path


@pytest.mark.parametrize("chunk_rows", [7, 20, None])
def test_parquet_files_are_read_by_row_groups(files, chunk_rows):
    for source in (files, str(files), [files / "part-0.parquet", str(files / "part-1.parquet")]):
        chunks = parquet_chunks(source, "y", sample_weight="w", chunk_rows=chunk_rows)
        sizes = [len(y) for _X, y, _w in chunks]
        assert len(chunks) == len(sizes) and max(sizes) <= min(chunk_rows or 20, 20)
        assert_array_equal(np.concatenate([y for _X, y, _w in chunks]), Y)
        assert_whole(Moments.from_chunks(chunks), ("a", "b", "c"))


def test_only_the_columns_that_are_asked_for_are_read(files):
    chunks = parquet_chunks(files / "part-0.parquet", "c", features=["b", "y"])
    (X_first, target), *_ = chunks
    assert_array_equal(X_first, FRAME[["b", "y"]].to_numpy()[:20])
    assert_array_equal(target, FRAME["c"].to_numpy()[:20])
    assert chunks.feature_names == ("b", "y")
    two = Moments.from_chunks(parquet_chunks(files, ["y", "c"], sample_weight="w"))
    assert (two.n_targets, two.feature_names) == (2, ("a", "b"))


def test_numbers_of_every_kind_become_float(tmp_path):
    table = pa.table(
        {
            "flag": pa.array([True, False, True]),
            "count": pa.array([1, 2, 9], type=pa.int16()),
            "money": pa.array(["1.50", "2.25", "3.00"]).cast(pa.decimal128(6, 2)),
            "half": pa.array(np.array([1, 2, 3], dtype=np.float16)),
            "y": pa.array([0.0, 1.0, 0.0]),
        }
    )
    pq.write_table(table, tmp_path / "kinds.parquet")
    ((kinds, _y),) = parquet_chunks(tmp_path / "kinds.parquet", "y")
    assert_array_equal(kinds, [[1, 1, 1.5, 1], [0, 2, 2.25, 2], [1, 9, 3, 3]])
    assert kinds.dtype == np.float64


def test_float32_columns_stay_float32(tmp_path):
    FRAME.astype({name: np.float32 for name in "abc"}).to_parquet(tmp_path / "single.parquet")
    ((single, target, _w),) = parquet_chunks(tmp_path / "single.parquet", "y", sample_weight="w")
    assert (single.dtype, target.dtype) == (np.float32, np.float64)
    FRAME.to_parquet(tmp_path / "tuple.parquet")
    with pytest.raises(TypeError, match="are not float32 as in the first file"):
        parquet_chunks(tmp_path, "y", sample_weight="w")


def test_a_null_is_named_by_its_column_and_chunk(tmp_path):
    hole = FRAME.copy()
    hole.loc[50, "b"] = None
    hole.to_parquet(tmp_path / "hole.parquet")
    chunks = parquet_chunks(tmp_path / "hole.parquet", "y", sample_weight="w", chunk_rows=40)
    with pytest.raises(ChunkError, match="Chunk 1: X has nan in column 'b', in row 10") as caught:
        Moments.from_chunks(chunks)
    assert caught.value.moments.n_rows == np.count_nonzero(WEIGHTS[:40])


def test_columns_that_are_no_numbers_are_refused_by_name(tmp_path):
    table = FRAME.assign(city=pd.Categorical(["x", "y"] * 50), name="z")
    table.to_parquet(tmp_path / "words.parquet")
    with pytest.raises(TypeError, match=r"Column 'city' of .* is dictionary.*leave it out by `features`"):
        parquet_chunks(tmp_path / "words.parquet", "y")
    with pytest.raises(TypeError, match=r"Column 'name' of .* is .*string"):
        parquet_chunks(tmp_path / "words.parquet", "y", features=["a", "name"])
    part = parquet_chunks(tmp_path / "words.parquet", "y", features=["a", "b", "c"], sample_weight="w")
    assert_whole(Moments.from_chunks(part), ("a", "b", "c"))


def test_columns_and_files_that_are_not_there(files, tmp_path):
    with pytest.raises(ValueError, match=r"part-0.parquet' has no column 'z'"):
        parquet_chunks(files, "z")
    with pytest.raises(FileNotFoundError):
        parquet_chunks(tmp_path / "nowhere.parquet", "y")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no file \*.parquet"):
        parquet_chunks(tmp_path / "empty", "y")


def test_parquet_is_loaded_only_when_it_is_read():
    code = "import skreg.moments, sys; skreg.moments.array_chunks; print('pyarrow.parquet' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
