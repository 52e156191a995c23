"""`when`: whether a step or task runs, in the language that Argo uses for this field alone (govaluate).

The text is evaluated after substitution. Bare words are text, so `{{x}} == yes` works; a value with a dash, a dot, a
space or a quote in it does not, unless quotes are written around the tag.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lark import Lark

Node = Any
Value = str | float | bool | list[Any]

MAX_LENGTH = 20_000
_HINT = 'write quotes around the values: \'"{{…}}" == "x"\''
_OPERAND = r"""(?:([A-Za-z]\w*)|(\d+(?:\.\d+)?)|'([^'"\\]*)'|"([^'"\\]*)")"""
_SIMPLE = re.compile(rf"\s*{_OPERAND}\s*(==|!=)\s*{_OPERAND}\s*", re.ASCII)
_SYMBOL = re.compile(r"[^\w\s()\[\]'\"]+")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_RESERVED = frozenset({"true", "false", "in", "IN"})


class ConditionError(ValueError):
    """A `when` that does not parse, compares what cannot be compared, or is neither true nor false."""


def evaluate_condition(text: str) -> bool:
    """Whether the condition holds; an empty one does.

    Raises:
        ConditionError: it does not parse (also when a tag was left over), or is not a condition.
    """
    if not text.strip():
        return True
    simple = _SIMPLE.fullmatch(text)
    if simple and _RESERVED.isdisjoint(simple.groups()):
        return _simple_comparison(simple)
    value = _evaluated(text)
    if isinstance(value, bool):
        return value
    raise ConditionError(f"{text!r} is neither true nor false, it is {_shown(value)}")


def check_condition(text: str) -> None:
    """Parses the condition without evaluating it.

    Raises:
        ConditionError: it does not parse.
    """
    if text.strip() and not _SIMPLE.fullmatch(text):
        _parsed(text)


def _simple_comparison(match: re.Match[str]) -> bool:
    word, number, single, double, symbol, *right = match.groups()
    is_equal = _operand(word, number, single, double) == _operand(*right)
    return is_equal is (symbol == "==")


def _operand(word: str | None, number: str | None, single: str | None, double: str | None) -> str | float:
    if number is not None:
        return float(number)
    return next(text for text in (word, single, double) if text is not None)


def _evaluated(text: str) -> Value:
    try:
        return _value(_parsed(text))
    except ConditionError as error:
        raise ConditionError(f"{text!r}: {error}") from error
    except RecursionError as error:
        raise ConditionError("the condition nests too deeply") from error


@lru_cache(maxsize=512)
def _parsed(text: str) -> Node:
    from lark.exceptions import LarkError, UnexpectedInput

    if len(text) > MAX_LENGTH:
        raise ConditionError(f"the condition is longer than {MAX_LENGTH} characters")
    try:
        return _grammar().parse(text)
    except UnexpectedInput as error:
        raise ConditionError(_parse_message(text, error)) from error
    except LarkError as error:
        raise ConditionError(f"does not parse: {error}") from error


@cache
def _grammar() -> Lark:
    from lark import Lark

    return Lark(Path(__file__).with_name("condition.lark").read_text(encoding="utf-8"), parser="lalr")


def _parse_message(text: str, error: Any) -> str:
    position = error.pos_in_stream
    if getattr(getattr(error, "token", None), "type", "") == "$END":
        return "unexpected end"
    if position is None or not 0 <= position < len(text):
        return "unexpected end"
    symbol = _SYMBOL.match(text, position)
    if symbol:
        return f"Invalid token: {symbol.group()!r} ({_HINT})"
    return f"unexpected {text[position:][:20]!r} ({_HINT})"


def _value(node: Node) -> Value:
    return _RULES[node.data](*node.children)


def _any(left: Node, _symbol: str, right: Node) -> Value:
    value = _value(left)
    return value if value is True else _boolean(value, "||") or _boolean(_value(right), "||")


def _all(left: Node, _symbol: str, right: Node) -> Value:
    value = _value(left)
    return value if value is False else _boolean(value, "&&") and _boolean(_value(right), "&&")


def _comparison(left: Node, symbol: str, right: Node) -> bool:
    return _compare(str(symbol).lower(), _value(left), _value(right))


def _compare(symbol: str, left: Value, right: Value) -> bool:
    if symbol in ("==", "!="):
        return (type(left) is type(right) and left == right) is (symbol == "==")
    if symbol == "in":
        if not isinstance(right, list):
            raise ConditionError("`in` needs a list with two items or more: (a, b)")
        return any(type(left) is type(item) and left == item for item in right)
    if symbol in ("=~", "!~"):
        return _matches(left, right) is (symbol == "=~")
    if type(left) is not type(right) or not isinstance(left, (str, float)):
        raise ConditionError(f"cannot compare {_shown(left)} {symbol} {_shown(right)}")
    return bool(_ORDER[symbol](left, right))


def _matches(text: Value, pattern: Value) -> bool:
    if not isinstance(text, str) or not isinstance(pattern, str):
        raise ConditionError(f"`=~` needs two texts, got {_shown(text)} and {_shown(pattern)}")
    try:
        return re.search(pattern, text) is not None
    except (re.error, RecursionError, OverflowError) as error:
        raise ConditionError(f"invalid regular expression {pattern!r}: {error}") from error


def _arithmetic(left: Node, symbol: str, right: Node) -> Value:
    first, second = _value(left), _value(right)
    if symbol == "+" and (isinstance(first, str) or isinstance(second, str)):
        return f"{_shown(first, quote='')}{_shown(second, quote='')}"
    if not isinstance(first, float) or not isinstance(second, float):
        raise ConditionError(f"{_shown(first)} {symbol} {_shown(second)}: not numbers ({_HINT})")
    try:
        return float(_ARITHMETIC[symbol](first, second))
    except (ArithmeticError, ValueError, TypeError) as error:
        raise ConditionError(f"{_shown(first)} {symbol} {_shown(second)}: {error}") from error


def _number(token: str) -> float:
    try:
        return float(int(token, 16)) if token.startswith("0x") else float(token)
    except (ValueError, OverflowError) as error:
        raise ConditionError(f"{str(token)!r} is not a number ({_HINT})") from error


def _word(token: str) -> str:
    if "." in token.replace("\\.", ""):
        raise ConditionError(f"{str(token)!r} has a dot and no quotes ({_HINT})")
    return _ESCAPED.sub(r"\1", token)


def _delimited(token: str) -> str:
    return _ESCAPED.sub(r"\1", token[1:-1])


def _group(*items: Node) -> Value:
    values = [_value(item) for item in items]
    return values if len(values) > 1 else values[0]


def _not(_symbol: str, operand: Node) -> bool:
    return not _boolean(_value(operand), "!")


def _negative(_symbol: str, operand: Node) -> float:
    value = _value(operand)
    if isinstance(value, float):
        return -value
    raise ConditionError(f"-{_shown(value)}: not a number ({_HINT})")


def _boolean(value: Value, symbol: str) -> bool:
    if isinstance(value, bool):
        return value
    raise ConditionError(f"`{symbol}` needs true or false, got {_shown(value)}")


def _shown(value: Value, *, quote: str = '"') -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(value, "g")
    return f"{quote}{value}{quote}" if isinstance(value, str) else f"({', '.join(map(_shown, value))})"


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
    "**": math.pow,
}
_RULES: dict[str, Callable[..., Value]] = {
    "disjunction": _any,
    "conjunction": _all,
    "comparison": _comparison,
    "arithmetic": _arithmetic,
    "number": _number,
    "boolean": "true".__eq__,
    "word": _word,
    "string": _delimited,
    "bracketed": _delimited,
    "group": _group,
    "not_": _not,
    "negative": _negative,
}
