"""The protocol's datatypes: which Python values they hold, and how they become arrays.

Source: Open Inference Protocol, REST, "Tensor Data Types". BF16 has no JSON form and is refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NUMPY_TYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(object),
}
_BY_NUMPY = {dtype: name for name, dtype in NUMPY_TYPES.items()}
_ALLOWED: dict[str, tuple[frozenset[type], str]] = {
    "b": (frozenset({bool}), "true or false"),
    "i": (frozenset({int}), "whole numbers"),
    "u": (frozenset({int}), "whole numbers"),
    "f": (frozenset({int, float, type(None)}), "numbers"),
    "O": (frozenset({str, type(None)}), "strings"),
}
_LIMITS = {name: np.iinfo(dtype) for name, dtype in NUMPY_TYPES.items() if dtype.kind in "iu"}


def name_of(dtype: np.dtype[Any]) -> str:
    """The protocol's name of a numpy type; whatever is no number is BYTES."""
    return _BY_NUMPY.get(dtype, "BYTES")


def _is_widening(sent: str, declared: str) -> bool:
    if "BYTES" in (sent, declared) or "BOOL" in (sent, declared):
        return sent == declared
    return bool(np.can_cast(NUMPY_TYPES[sent], NUMPY_TYPES[declared], "safe"))


_WIDENING = {(sent, declared) for sent in NUMPY_TYPES for declared in NUMPY_TYPES if _is_widening(sent, declared)}


def fits(sent: str, declared: str) -> bool:
    """Whether values sent as one datatype may stand for another without loss, as numpy's safe casting says."""
    return (sent, declared) in _WIDENING


def to_array(values: list[Any], datatype: str) -> np.ndarray[Any, Any]:
    """JSON values as a one-dimensional array; null becomes NaN in FP types and None in BYTES.

    Raises:
        ValueError: a value is no such thing, is out of range, or is null where nothing can be missing.
    """
    dtype = NUMPY_TYPES[datatype]
    allowed, wanted = _ALLOWED[dtype.kind]
    if not allowed.issuperset(map(type, values)):
        raise ValueError(_describe_misfit(values, allowed, datatype, wanted))
    if datatype in _LIMITS:
        _check_range(values, datatype)
    with np.errstate(over="ignore"):
        array = np.array(values, dtype=dtype)
    if dtype.kind == "f" and np.isinf(array).any():
        raise ValueError(f"holds a number beyond the range of {datatype}")
    return array


def _check_range(values: list[int], datatype: str) -> None:
    limits = _LIMITS[datatype]
    if min(values) < limits.min or max(values) > limits.max:
        raise ValueError(f"holds a number beyond the range of {datatype}")


def _describe_misfit(values: list[Any], allowed: frozenset[type], datatype: str, wanted: str) -> str:
    index, value = next((i, value) for i, value in enumerate(values) if type(value) not in allowed)
    if value is None:
        return f"is null in row {index}, and {datatype} cannot be missing"
    return f"wants {wanted} ({datatype}), got {_shorten(value)} in row {index}"


def _shorten(value: object, limit: int = 40) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"
