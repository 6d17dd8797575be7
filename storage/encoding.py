"""Documents as lines of strict JSON that come back as they were, numpy and NaN included."""

import base64
import datetime
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

KIND = "__kind__"
"""The one key that marks a tagged value. A document's own use of it is escaped."""

PLAIN = frozenset({str, bool, type(None)})
EXACT = range(-(2**53), 2**53 + 1)
"""Integers that every reader of JSON gives back as they were."""


def encode_line(name: str, document: Mapping[str, Any]) -> bytes:
    r"""Write one document as one line of JSON.

    Whatever JSON has no word for (arrays, numpy scalars, NaN, infinities, bytes, complex numbers,
    dates, sets, mappings with keys that are no strings) is tagged, and `decode_line` gives it back
    with its type, dtype and shape. A tuple becomes a list, as in every store of documents; a
    subclass of str, int or float (an enum, say) becomes its base.

    Parameters
    ----------
    name : str
        Kind of document: ``start``, ``descriptor``, ``event``, ...
    document : mapping
        The document.

    Returns
    -------
    bytes
        The line, newline included.

    Raises
    ------
    TypeError
        For a value that could not be given back, with the path to it.

    Examples
    --------
    >>> encode_line("event", {"seq_num": 1, "data": {"det": float("nan")}})
    b'["event",{"seq_num":1,"data":{"det":{"__kind__":"float","value":"nan"}}}]\n'
    """
    return orjson.dumps([name, _tagged(document, name)], option=orjson.OPT_APPEND_NEWLINE)


def decode_line(line: bytes) -> tuple[str, dict[str, Any]]:
    """Read back what `encode_line` wrote.

    Raises
    ------
    ValueError
        If the line is no document: torn, or not JSON.
    """
    name, document = orjson.loads(line)
    return name, _untagged(document)


def for_metadata(document: Mapping[str, Any]) -> dict[str, Any]:
    """Put a document into the form in which it is kept as a catalog's metadata.

    Numpy scalars and arrays become numbers and lists, which a catalog can search. What the catalog
    would spoil (NaN becomes null there, an infinity 1.8e308, integers beyond 2**53 are cut off) is
    tagged as in the journal; `from_metadata` gives it back.
    """
    return {key: _tagged(_plain(item), key) for key, item in document.items()}


def from_metadata(document: Mapping[str, Any]) -> dict[str, Any]:
    """Undo the tags of `for_metadata`."""
    return {key: _untagged(item) for key, item in document.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _tagged(value: Any, where: str) -> Any:
    kind = type(value)
    if (
        kind in PLAIN
        or (kind is float and math.isfinite(value))
        or (kind is int and value in EXACT)
    ):
        return value
    if kind is dict and KIND not in value and all(type(key) is str for key in value):
        return {key: _tagged(item, key) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [_tagged(item, where) for item in value]
    return _rare(value, where)


def _rare(value: Any, where: str) -> Any:
    match value:
        case np.ndarray() | np.generic():
            return _numpy(value, where)
        case str():
            return str.__str__(value)
        case bool() | int():
            return int(value) if int(value) in EXACT else {KIND: "int", "value": str(int(value))}
        case float():
            return float(value) if math.isfinite(value) else {KIND: "float", "value": repr(value)}
        case complex():
            parts = [_tagged(value.real, where), _tagged(value.imag, where)]
            return {KIND: "complex", "value": parts}
        case bytes() | bytearray():
            return {KIND: "bytes", "value": base64.b64encode(value).decode()}
        case datetime.datetime():
            return {KIND: "datetime", "value": value.isoformat()}
        case datetime.date():
            return {KIND: "date", "value": value.isoformat()}
        case set() | frozenset():
            return {KIND: type(value).__name__, "value": [_tagged(item, where) for item in value]}
        case Mapping():
            items = [[_tagged(k, where), _tagged(v, str(k))] for k, v in value.items()]
            if all(type(k) is str and k != KIND for k, _ in items):
                return dict(items)
            return {KIND: "dict", "value": items}
        case list() | tuple():
            return [_tagged(item, where) for item in value]
    raise TypeError(
        f"{where!r} holds a {type(value).__name__}, which a journal cannot give back: expected "
        "numbers, strings, arrays, lists or mappings; convert it before it enters a document"
    )


def _numpy(value: np.ndarray | np.generic, where: str) -> dict[str, Any]:
    if value.dtype.hasobject:
        raise TypeError(
            f"{where!r} holds a numpy array of Python objects: expected one with a plain dtype; "
            "convert it with .astype(...) or .tolist()"
        )
    dtype = np.lib.format.dtype_to_descr(value.dtype)
    if isinstance(value, np.generic) and value.dtype.kind in "biuf" and value.itemsize <= 8:
        return {KIND: "scalar", "dtype": dtype, "value": _tagged(value.item(), where)}
    content = base64.b64encode(value.tobytes()).decode()
    if isinstance(value, np.generic):
        return {KIND: "scalar", "dtype": dtype, "base64": content}
    return {KIND: "array", "dtype": dtype, "shape": value.shape, "base64": content}


def _untagged(value: Any) -> Any:
    if type(value) is list:
        return [_untagged(item) for item in value]
    if type(value) is not dict:
        return value
    if KIND not in value:
        return {key: _untagged(item) for key, item in value.items()}
    return _DECODERS[value[KIND]](value)


def _array(tagged: dict[str, Any]) -> np.ndarray:
    # bytearray: an array over bytes would be read-only
    content = bytearray(base64.b64decode(tagged["base64"]))
    return np.ndarray(tuple(tagged["shape"]), _dtype(tagged), buffer=content)


def _scalar(tagged: dict[str, Any]) -> Any:
    if "base64" in tagged:
        return _array(tagged | {"shape": ()})[()]
    return np.array(_untagged(tagged["value"]), _dtype(tagged))[()]


def _dtype(tagged: dict[str, Any]) -> np.dtype:
    descr = tagged["dtype"]
    fields: Any = descr if isinstance(descr, str) else _field_tuples(descr)
    return np.lib.format.descr_to_dtype(fields)


def _field_tuples(descr: list[Any]) -> list[tuple[Any, ...]]:
    """Give back the tuples of a structured dtype's description, which JSON made lists."""
    return [
        (
            tuple(name) if isinstance(name, list) else name,
            kind if isinstance(kind, str) else _field_tuples(kind),
            *map(tuple, shape),
        )
        for name, kind, *shape in descr
    ]


_DECODERS = {
    "array": _array,
    "scalar": _scalar,
    "int": lambda tagged: int(tagged["value"]),
    "float": lambda tagged: float(tagged["value"]),
    "complex": lambda tagged: complex(*_untagged(tagged["value"])),
    "bytes": lambda tagged: base64.b64decode(tagged["value"]),
    "datetime": lambda tagged: datetime.datetime.fromisoformat(tagged["value"]),
    "date": lambda tagged: datetime.date.fromisoformat(tagged["value"]),
    "set": lambda tagged: set(_untagged(tagged["value"])),
    "frozenset": lambda tagged: frozenset(_untagged(tagged["value"])),
    "dict": lambda tagged: dict(_untagged(tagged["value"])),
}
