"""What goes into a journal line comes out of it."""

import datetime
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skysteer.storage.encoding import (
    KIND,
    decode_line,
    encode_line,
    for_metadata,
    from_metadata,
)


def there_and_back(value: Any) -> Any:
    line = encode_line("event", {"data": value})
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    name, document = decode_line(line)
    assert name == "event"
    return document["data"]


def same(a: Any, b: Any) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.just(datetime.UTC) | st.none())
    | st.complex_numbers()
    | st.frozensets(st.integers(), max_size=3)
)
keys = st.text(max_size=4) | st.just(KIND) | st.integers()
documents = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)
)
dtypes = st.sampled_from(
    ["?", "<i1", "<u8", ">i2", "<f2", "<f4", ">f8", "<c8", "<U3", "S4", "M8[us]"]
)


@given(documents)
def test_a_value_comes_back_with_its_type(value: Any) -> None:
    assert same(there_and_back(value), value)


@given(dtypes.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0))))
def test_an_array_comes_back_with_dtype_shape_and_every_bit(array: np.ndarray) -> None:
    assert same(there_and_back(array), array)


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(20)[::3],
        np.zeros((2,), [("x", "<f4", (2,)), ("name", "U3"), ("nested", [("y", "<i2")])]),
        np.longdouble([1, 2]) / 3,
    ],
    ids=["fortran", "strided", "structured", "long double"],
)
def test_an_array_of_any_layout_comes_back(array: np.ndarray) -> None:
    back = there_and_back(array)
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_an_array_that_came_back_can_be_written_to() -> None:
    back = there_and_back(np.zeros(3))
    back[0] = 1
    assert back.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    "scalar",
    [
        *(np.dtype(d).type(1) for d in "?bBhHiIlLefd"),
        np.float64("nan"),
        np.float32("-inf"),
        np.uint64(2**64 - 1),
        np.complex64(1 + 2j),
        np.longdouble(1) / 3,
        np.datetime64("2026-01-01T00:00:00.123456789"),
        np.str_("abc"),
        np.bytes_(b"a"),
    ],
)
def test_a_numpy_scalar_comes_back_as_that_scalar(scalar: np.generic) -> None:
    assert same(there_and_back(scalar), scalar)


def test_what_cannot_be_given_back_is_refused_with_its_key() -> None:
    with pytest.raises(TypeError, match=r"'det'.*Python objects.*astype"):
        encode_line("event", {"data": {"det": np.array([None, "a"], dtype=object)}})
    with pytest.raises(TypeError, match=r"'det' holds a function.*convert"):
        encode_line("event", {"data": {"det": lambda: None}})


def test_a_line_that_ends_early_is_no_document() -> None:
    line = encode_line("event", {"seq_num": 1})
    for length in range(len(line) - 1):
        with pytest.raises(ValueError):
            decode_line(line[:length])


def test_metadata_stays_searchable_and_exact() -> None:
    document = {"scan_id": np.int64(3), "axes": ("x", "y"), "seed": 2**60, "limit": math.inf}
    kept = for_metadata(document)
    assert kept["scan_id"] == 3 and type(kept["scan_id"]) is int
    assert from_metadata(json.loads(json.dumps(kept, allow_nan=False))) == {
        "scan_id": 3,
        "axes": ["x", "y"],
        "seed": 2**60,
        "limit": math.inf,
    }
