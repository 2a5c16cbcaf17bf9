"""Moments in a file: the same bits back, nothing executed, and what is wrong with a file is said."""

import io
import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skreg.moments import Moments


def some_moments(**options):
    rng = np.random.default_rng(0)
    X, y = 1e8 + rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    return Moments.from_data(X.astype(options.pop("dtype", np.float64)), y, rng.uniform(0, 2, 20), **options)


@pytest.mark.parametrize(
    "options",
    [{}, {"feature_names": ["a", "ß", "c c"]}, {"centred": False}, {"dtype": np.float32}],
    ids=["plain", "names", "about zero", "float32"],
)
def test_what_is_loaded_is_what_was_saved_bit_by_bit(tmp_path, options):
    moments = some_moments(**options)
    moments.save(tmp_path / "moments.npz")
    loaded = Moments.load(tmp_path / "moments.npz")
    for field in fields(Moments):
        mine, theirs = getattr(moments, field.name), getattr(loaded, field.name)
        assert type(mine) is type(theirs)
        assert_array_equal(mine, theirs)
    assert_array_equal((loaded + moments).gram, (moments + moments).gram)


def test_a_file_object_will_do():
    file = io.BytesIO()
    some_moments().save(file)
    file.seek(0)
    assert Moments.load(file).n_rows == 20


def test_a_pickled_copy_is_the_same():
    moments = some_moments(feature_names="abc")
    copy = pickle.loads(pickle.dumps(moments))
    assert_array_equal(copy.gram, moments.gram)
    assert (copy.feature_names, copy.dtype) == (moments.feature_names, moments.dtype)


def files_that_are_none(tmp_path):
    some_moments().save(tmp_path / "whole.npz")
    whole = dict(np.load(tmp_path / "whole.npz"))
    (tmp_path / "text").write_text("no")
    (tmp_path / "cut").write_bytes((tmp_path / "whole.npz").read_bytes()[:-100])
    np.savez(tmp_path / "others.npz", a=1)
    np.savez(tmp_path / "pickled.npz", **{**whole, "gram": np.array([{}], dtype=object)})
    np.savez(tmp_path / "newer.npz", **{**whole, "format": np.array("skreg moments 2")})
    np.savez(tmp_path / "narrow.npz", **{**whole, "gram": whole["gram"][:2]})
    np.savez(tmp_path / "names.npz", **{**whole, "feature_names": np.array(["a"])})
    np.savez(tmp_path / "dtype.npz", **{**whole, "dtype": np.array("int8")})
    np.save(tmp_path / "array.npy", whole["gram"])
    return {
        "text": "is not a file that Moments.save wrote",
        "cut": "is not a file that Moments.save wrote",
        "others.npz": "it has no centred, dtype, format",
        "pickled.npz": "allow_pickle=False",
        "newer.npz": "its format is 'skreg moments 2', and this reads 'skreg moments 1'",
        "narrow.npz": r"gram is float64 of shape \(2, 3\), not float64 \(3, 3\)",
        "names.npz": "1 feature names and 3 features",
        "dtype.npz": "neither float32 nor float64",
        "array.npy": "is not a file that Moments.save wrote",
    }


def test_other_files_are_refused_with_the_reason(tmp_path):
    for name, message in files_that_are_none(tmp_path).items():
        with pytest.raises(ValueError, match=message):
            Moments.load(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        Moments.load(tmp_path / "nowhere.npz")


def test_moments_of_other_names_or_dtypes_do_not_combine():
    moments = some_moments(feature_names="abc")
    others = {
        "same feature names in the same order; got a, b, c and a, c, b": replace(
            moments, feature_names=("a", "c", "b")
        ),
        "got a, b, c and no names": replace(moments, feature_names=None),
        "same dtype; got float64 and float32": moments.astype(np.float32),
    }
    for message, other in others.items():
        for combine in (moments.__add__, moments.__sub__):
            with pytest.raises(ValueError, match=message):
                combine(other)
    assert (moments + replace(moments)).feature_names == ("a", "b", "c")
    with pytest.raises(ValueError, match="dtype must be float32 or float64"):
        moments.astype(int)
