"""JSON as Argo's controller writes it: compact, keys sorted, whole floats without a point."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

_EXPONENT_FROM = 1e21


def json_text(value: Any) -> str:
    """`value` (None, bool, int, float, str, list, dict) as JSON text.

    Raises:
        ValueError: NaN, an infinity, or a type JSON does not have.
    """
    try:
        return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
    except TypeError as error:
        raise ValueError(str(error)) from error


def escape_text(text: str) -> str:
    """`text` as it stands between the quotes of a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def fixed_text(value: float) -> str:
    """A finite float with its shortest digits and without an exponent: `1.0` as `1`, 1e-3 as `0.001`."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXPONENT_FROM:
        return int(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
