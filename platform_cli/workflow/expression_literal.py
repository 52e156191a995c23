"""Numbers and strings as expressions write them."""

from __future__ import annotations

import re
import sys

from platform_cli.workflow.expression_value import ExpressionError, integer

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_SURROGATES = range(0xD800, 0xE000)


def parse_number(text: str) -> float:
    """The value of a number as it is written."""
    digits = text.replace("_", "").lower()
    if digits.startswith(("0x", "0b", "0o")):
        return integer(int(digits, 0))
    return float(digits) if "." in digits or "e" in digits else integer(int(digits))


def unescape(text: str) -> str:
    """The characters that the escapes of a string literal stand for.

    Raises:
        ExpressionError: an escape beyond Unicode.
    """

    def replace(match: re.Match[str]) -> str:
        code = match.group(1)
        if len(code) == 1:
            return _ESCAPES.get(code, code)
        number = int(code, 8) if code.isdigit() and code[0] not in "xuU" else int(code[1:], 16)
        if number > sys.maxunicode or number in _SURROGATES:
            raise ExpressionError(f"invalid escape \\{code}")
        return chr(number)

    return _ESCAPE.sub(replace, text)
