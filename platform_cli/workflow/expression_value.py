"""Values of expressions: how expr-lang compares, adds and prints them.

Values are None, bool, int, float, str, list, dict with text keys, datetime and timedelta.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from platform_cli.workflow.json_text import fixed_text

MAX_ITEMS = 1_000_000
_INT_LIMIT = 2**63


class ExpressionError(ValueError):
    """An expression that does not parse, or fails while it is evaluated."""


def kind_of(value: Any) -> str:
    """The word for a value's type that expr-lang's `type()` gives."""
    kinds = {bool: "bool", int: "int", float: "float", str: "string", list: "array", dict: "map", type(None): "nil"}
    kinds |= {datetime: "time.Time", timedelta: "time.Duration"}
    return kinds.get(type(value), "func")


def is_number(value: Any) -> bool:
    """Whether `value` is an int or a float; bool is neither."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def as_bool(value: Any, where: str) -> bool:
    """`value` itself, which has to be true or false.

    Raises:
        ExpressionError: it is something else.
    """
    if isinstance(value, bool):
        return value
    raise ExpressionError(f"{where} needs true or false, got {kind_of(value)}")


def equal(left: Any, right: Any) -> bool:
    """Equality across types: numbers by value, all else only within one type."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    return bool(left == right)


def contains(container: Any, item: Any) -> bool:
    """The operator `in`: an element of an array or a key of a map."""
    if container is None:
        return False
    if isinstance(container, list):
        return any(equal(item, element) for element in container)
    if isinstance(container, dict):
        return isinstance(item, str) and item in container
    raise ExpressionError(f"`in` needs an array or a map on its right, got {kind_of(container)}")


def compare(symbol: str, left: Any, right: Any) -> bool:
    """One of `== != < <= > >= in matches contains startsWith endsWith`."""
    if symbol in _EQUALITY:
        return equal(left, right) is _EQUALITY[symbol]
    if symbol == "in":
        return contains(right, left)
    if symbol in _TEXT_TESTS:
        if isinstance(left, str) and isinstance(right, str):
            return _TEXT_TESTS[symbol](left, right)
        raise ExpressionError(f"`{symbol}` needs two strings, got {kind_of(left)} and {kind_of(right)}")
    if (is_number(left) and is_number(right)) or (type(left) is type(right) and isinstance(left, _ORDERED)):
        return bool(_ORDER[symbol](left, right))
    raise ExpressionError(f"cannot compare {kind_of(left)} {symbol} {kind_of(right)}{_cast_hint(left, right)}")


def calculate(symbol: str, left: Any, right: Any) -> Any:
    """One of `+ - * / % ** ^`, with Go's number types: `/` and `**` give floats, `%` takes ints."""
    if is_number(left) and is_number(right):
        return _number(symbol, left, right)
    if symbol == "+" and isinstance(left, str) and isinstance(right, str):
        return left + right
    if symbol in "+-" and isinstance(left, (datetime, timedelta)) and isinstance(right, (datetime, timedelta)):
        return _moment(symbol, left, right)
    raise ExpressionError(f"cannot do {kind_of(left)} {symbol} {kind_of(right)}{_cast_hint(left, right)}")


def integer(value: int) -> int:
    """`value`, which has to fit into 64 bits."""
    if -_INT_LIMIT <= value < _INT_LIMIT:
        return value
    raise ExpressionError("integer overflow")


def span(first: Any, last: Any) -> list[int]:
    """The operator `..`: whole numbers from `first` to `last`, both included."""
    if type(first) is not int or type(last) is not int:
        raise ExpressionError(f"`..` needs two integers, got {kind_of(first)} and {kind_of(last)}")
    if last - first >= MAX_ITEMS:
        raise ExpressionError(f"`..` would make more than {MAX_ITEMS} items")
    return list(range(first, last + 1))


def value_text(value: Any) -> str:
    """A value as Go prints it: `<nil>`, `true`, `1.5`, `[1 2]`, `map[a:1]`."""
    match value:
        case None:
            text = "<nil>"
        case bool():
            text = "true" if value else "false"
        case float():
            text = _float_text(value)
        case list():
            text = f"[{' '.join(map(value_text, value))}]"
        case dict():
            text = f"map[{' '.join(f'{key}:{value_text(value[key])}' for key in sorted(value))}]"
        case _:
            text = str(value)
    return text


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression.

    Raises:
        ExpressionError: it does not parse.
    """
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ExpressionError(f"invalid regular expression {text!r}: {error}") from error


def _number(symbol: str, left: float, right: float) -> float:
    if symbol == "%":
        return _remainder(left, right)
    if symbol == "/":
        return _quotient(float(left), float(right))
    if symbol in ("**", "^"):
        return _power(float(left), float(right))
    result = _ARITHMETIC[symbol](left, right)
    return integer(result) if isinstance(result, int) else result


def _remainder(left: float, right: float) -> int:
    if not isinstance(left, int) or not isinstance(right, int):
        raise ExpressionError("`%` needs two integers")
    if right == 0:
        raise ExpressionError("integer divide by zero")
    return left - right * int(math.copysign(1, left) * math.copysign(1, right)) * (abs(left) // abs(right))


def _quotient(left: float, right: float) -> float:
    if right:
        return left / right
    return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)


def _power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except OverflowError:
        return math.inf if left > 0 or right % 2 == 0 else -math.inf
    except ValueError:
        return math.inf if left == 0 else math.nan


def _moment(symbol: str, left: Any, right: Any) -> Any:
    """A point in time or a duration, plus or minus another."""
    try:
        return left + right if symbol == "+" else left - right
    except (TypeError, OverflowError) as error:
        raise ExpressionError(f"cannot do {kind_of(left)} {symbol} {kind_of(right)}: {error}") from error


def _float_text(value: float) -> str:
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    return fixed_text(value) if value == 0 or _FIXED_FROM <= abs(value) < _FIXED_BELOW else repr(value)


def _cast_hint(left: Any, right: Any) -> str:
    is_mixed = {kind_of(left), kind_of(right)} in ({"string", "int"}, {"string", "float"})
    return ": parameters are text; cast with asInt() or asFloat()" if is_mixed else ""


_FIXED_FROM, _FIXED_BELOW = 1e-4, 1e21
_ORDERED = (str, datetime, timedelta)
_EQUALITY = {"==": True, "!=": False}
_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "matches": lambda text, regex: pattern(regex).search(text) is not None,
    "contains": lambda text, part: part in text,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}
