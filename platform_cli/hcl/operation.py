"""Operators on values that may be unknown."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from platform_cli.hcl.value import UNKNOWN, as_bool, as_number

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def operate(sign: str, left: Any, right: Any) -> Any:
    """`left sign right`.

    Raises:
        HclError: the operands do not fit.
    """
    if sign in ("&&", "||"):
        return _decide(left, right, decided=sign == "||")
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if sign in ("==", "!="):
        return (left == right) is (sign == "==")
    return _ARITHMETIC[sign](as_number(left), as_number(right))


def negate(sign: str, value: Any) -> Any:
    """`-value` or `!value`.

    Raises:
        HclError: the operand does not fit.
    """
    if value is UNKNOWN:
        return UNKNOWN
    return -as_number(value) if sign == "-" else not as_bool(value)


def _decide(left: Any, right: Any, *, decided: bool) -> Any:
    """One side alone may decide, whatever the other will be."""
    sides = [side if side is UNKNOWN else as_bool(side) for side in (left, right)]
    if any(side is decided for side in sides):
        return decided
    return UNKNOWN if UNKNOWN in sides else not decided
