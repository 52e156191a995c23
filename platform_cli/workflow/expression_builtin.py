"""The functions every expression has: expr-lang's own, and `asInt`, `asFloat`, `toJson`, `jsonpath` of Argo."""

from __future__ import annotations

import base64
import json
import math
import re
import statistics
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cmp_to_key
from typing import Any

from platform_cli.workflow.expression_value import (
    MAX_ITEMS,
    ExpressionError,
    compare,
    equal,
    integer,
    is_number,
    kind_of,
    value_text,
)
from platform_cli.workflow.json_text import json_text

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")

_PATH_STEP = re.compile(r"\.([\w-]+)|\[(-?\d+)\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")


def to_int(value: Any) -> int:
    """A number, cut off, or the text of a whole number, as an integer.

    Raises:
        ExpressionError: anything else.
    """
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value):
        return integer(int(value))
    if is_number(value) and math.isfinite(value):
        return integer(int(value))
    raise ExpressionError(f"invalid operation: int({value_text(value)!r})")


def to_float(value: Any) -> float:
    """A number, or the text of one, as a float.

    Raises:
        ExpressionError: anything else.
    """
    try:
        if isinstance(value, str) and not re.search(r"[\s_]", value):
            return float(value)
        if is_number(value):
            return float(value)
    except (ValueError, OverflowError) as error:
        raise ExpressionError(f"invalid operation: float({value!r})") from error
    raise ExpressionError(f"invalid operation: float({value_text(value)!r})")


def parse_duration(text: str) -> timedelta:
    """A Go duration such as `1h30m` or `-1.5s`.

    Raises:
        ExpressionError: not a duration, or too long.
    """
    unsigned = text.removeprefix("-").removeprefix("+")
    parts = _DURATION_PART.findall(unsigned)
    if unsigned != "0" and (not parts or "".join(f"{number}{unit}" for number, unit in parts) != unsigned):
        raise ExpressionError(f"invalid duration {text!r}")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        return timedelta(seconds=-seconds if text.startswith("-") else seconds)
    except OverflowError as error:
        raise ExpressionError(f"invalid duration {text!r}: too long") from error


def from_json(text: str) -> Any:
    """The value of a JSON text; its numbers are floats, as in Go.

    Raises:
        ExpressionError: not JSON.
    """
    try:
        return json.loads(text, parse_int=float)
    except (ValueError, RecursionError) as error:
        raise ExpressionError(f"not JSON: {error}") from error


def json_path(text: str, path: str) -> Any:
    """The value at `path` (`$.a.b[0]`, `$['a']`) of a JSON text.

    Raises:
        ExpressionError: not JSON, an unsupported path, or nothing there.
    """
    value = from_json(text)
    if not re.fullmatch(rf"\$?(?:{_PATH_STEP.pattern})*", path):
        raise ExpressionError(f"JSON path {path!r} is not supported here: only names and indices are")
    try:
        for name, index, key, other in _PATH_STEP.findall(path):
            value = value[int(index)] if index else value[name or key or other]
    except (KeyError, IndexError, TypeError) as error:
        raise ExpressionError(f"JSON path {path!r} leads nowhere") from error
    return value


def sort_values(values: list[Any], order: str = "asc") -> list[Any]:
    """The values in order, or from the largest with `desc`."""
    return sorted(values, key=cmp_to_key(_order), reverse=_is_descending(order))


def numbers(*values: Any) -> list[Any]:
    """The numbers among arguments that may be numbers or arrays of them."""
    flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
    wrong = next((item for item in flat if not is_number(item)), None)
    if wrong is not None or not flat:
        raise ExpressionError(f"needs numbers, got {kind_of(wrong)}")
    return flat


def repeat(text: str, count: int) -> str:
    """`text` as often as `count` says, at most a million characters."""
    if not 0 <= count * max(len(text), 1) <= MAX_ITEMS:
        raise ExpressionError("repeat: the count is negative or the result too long")
    return text * count


def unique(values: list[Any]) -> list[Any]:
    """The values without repetitions, first ones kept."""
    kept: list[Any] = []
    for value in values:
        if not any(equal(value, other) for other in kept):
            kept.append(value)
    return kept


def _order(left: Any, right: Any) -> int:
    return -1 if compare("<", left, right) else int(compare(">", left, right))


def _is_descending(order: str) -> bool:
    if order not in ("asc", "desc"):
        raise ExpressionError(f"the order is asc or desc, not {order!r}")
    return order == "desc"


def _absolute(value: Any) -> Any:
    return abs(numbers(value)[0])


def _round(value: Any) -> float:
    number = float(numbers(value)[0])
    return math.copysign(math.floor(abs(number) + 0.5), number) if math.isfinite(number) else number


def _whole(function: Callable[[float], int]) -> Callable[[Any], float]:
    return lambda value: float(function(numbers(value)[0]))


def _length(value: Any) -> int:
    if isinstance(value, (str, list, dict)):
        return len(value)
    raise ExpressionError(f"len: {kind_of(value)} has no length")


def _get(container: Any, key: Any) -> Any:
    if isinstance(container, dict):
        return container.get(key)
    if isinstance(container, list) and type(key) is int:
        return container[key] if -len(container) <= key < len(container) else None
    return None


def _date(text: str, *_layout: str) -> datetime:
    return datetime.fromisoformat(text) if "T" in text else datetime.fromisoformat(text).replace(tzinfo=UTC)


def _flatten(values: Iterable[Any]) -> list[Any]:
    return [item for value in values for item in (_flatten(value) if isinstance(value, list) else [value])]


def _split_after(text: str, separator: str) -> list[str]:
    parts = text.split(separator)
    return [part + separator for part in parts[:-1]] + parts[-1:]


def _trim(text: str, characters: str | None = None) -> str:
    return text.strip(characters)


def _split(text: str, separator: str, count: int = -1) -> list[str]:
    if not separator:
        return list(text)
    return text.split(separator, count - 1 if count > 0 else -1)


def _join(values: list[str], separator: str = "") -> str:
    return separator.join(values)


def _ends(values: list[Any], index: int) -> Any:
    return values[index] if values else None


BUILTINS: dict[str, Callable[..., Any]] = {
    "len": _length,
    "type": kind_of,
    "abs": _absolute,
    "ceil": _whole(math.ceil),
    "floor": _whole(math.floor),
    "round": _round,
    "int": to_int,
    "asInt": to_int,
    "float": to_float,
    "asFloat": to_float,
    "string": value_text,
    "trim": _trim,
    "trimPrefix": lambda text, part=" ": text.removeprefix(part),
    "trimSuffix": lambda text, part=" ": text.removesuffix(part),
    "upper": str.upper,
    "lower": str.lower,
    "split": _split,
    "splitAfter": _split_after,
    "replace": lambda text, old, new: text.replace(old, new),
    "repeat": repeat,
    "join": _join,
    "indexOf": str.find,
    "lastIndexOf": str.rfind,
    "hasPrefix": str.startswith,
    "hasSuffix": str.endswith,
    "max": lambda *values: max(numbers(*values)),
    "min": lambda *values: min(numbers(*values)),
    "mean": lambda *values: statistics.fmean(numbers(*values)),
    "median": lambda *values: statistics.median(numbers(*values)),
    "toJSON": lambda value: json.dumps(json.loads(json_text(value)), indent=2, ensure_ascii=False),
    "toJson": json_text,
    "fromJSON": from_json,
    "jsonpath": json_path,
    "toBase64": lambda text: base64.b64encode(text.encode()).decode(),
    "fromBase64": lambda text: base64.b64decode(text, validate=True).decode(),
    "now": lambda: datetime.now(UTC),
    "duration": parse_duration,
    "date": _date,
    "first": lambda values: _ends(values, 0),
    "last": lambda values: _ends(values, -1),
    "get": _get,
    "take": lambda values, count: values[: max(count, 0)],
    "keys": lambda mapping: list(mapping.keys()),
    "values": lambda mapping: list(mapping.values()),
    "toPairs": lambda mapping: [[key, value] for key, value in mapping.items()],
    "fromPairs": lambda pairs: {str(key): value for key, value in pairs},
    "reverse": lambda values: values[::-1],
    "uniq": unique,
    "concat": lambda *lists: [item for values in lists for item in values],
    "flatten": _flatten,
    "sort": sort_values,
}
