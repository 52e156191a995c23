"""The functions under `sprig.`: the part of Sprig's library that workflows use.

As in Sprig, casts of bad input give zero values instead of errors, and the subject is the last argument.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import secrets
import string
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from platform_cli.workflow.expression_builtin import from_json, repeat, to_float, to_int, unique
from platform_cli.workflow.expression_time import format_time
from platform_cli.workflow.expression_value import ExpressionError, contains, equal, kind_of, pattern, value_text
from platform_cli.workflow.json_text import json_text

_LETTERS = string.ascii_letters
_ALPHANUMERIC = string.ascii_letters + string.digits


def _cast(value: Any, convert: Callable[[Any], Any], zero: Any) -> Any:
    if isinstance(value, bool):
        return convert(int(value))
    try:
        return convert(value)
    except ExpressionError:
        return zero


def _int(value: Any) -> int:
    return int(_cast(value, to_int, 0))


def _float(value: Any) -> float:
    return float(_cast(value, to_float, 0.0))


def _is_empty(value: Any) -> bool:
    return value is None or value in (False, 0, "") or (isinstance(value, (list, dict)) and not value)


def _fold(combine: Callable[[int, int], int]) -> Callable[..., int]:
    def fold(first: Any, *rest: Any) -> int:
        total = _int(first)
        for value in rest:
            total = combine(total, _int(value))
        return total

    return fold


def _divide(left: int, right: int) -> int:
    if right == 0:
        raise ExpressionError("integer divide by zero")
    return int(math.copysign(1, left) * math.copysign(1, right)) * (abs(left) // abs(right))


def _round(value: Any, digits: Any) -> float:
    scale = 10.0 ** _int(digits)
    return math.floor(_float(value) * scale + 0.5) / scale


def _truncate(length: int, text: str) -> str:
    return text[:length] if length >= 0 else text[length:]


def _substring(start: int, end: int, text: str) -> str:
    return text[max(start, 0) : end if end >= 0 else None]


def _indent(spaces: int, text: str) -> str:
    pad = repeat(" ", spaces)
    return pad + text.replace("\n", "\n" + pad)


def _base64_decode(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        return str(error)


def _dictionary(*items: Any) -> dict[str, Any]:
    return {
        value_text(items[index]): items[index + 1] if index + 1 < len(items) else ""
        for index in range(0, len(items), 2)
    }


def _dig(*arguments: Any) -> Any:
    *path, default, value = arguments
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return default
        value = value[key]
    return value


def _merge(*mappings: dict[str, Any]) -> dict[str, Any]:
    return {key: value for mapping in reversed(mappings) for key, value in mapping.items()}


def _random(alphabet: str) -> Callable[[int], str]:
    return lambda count: "".join(secrets.choice(alphabet) for _ in repeat(" ", count))


def _digest(name: str) -> Callable[[str], str]:
    return lambda text: hashlib.new(name, text.encode()).hexdigest()


def _expand_groups(replacement: str) -> str:
    """Go's references to groups, such as `${1}`, in Python's spelling."""
    return pattern(r"\$\{?(\w+)\}?").sub(r"\\g<\1>", replacement.replace("\\", "\\\\"))


SPRIG: dict[str, Callable[..., Any]] = {
    "trim": str.strip,
    "trimAll": lambda characters, text: text.strip(characters),
    "trimPrefix": lambda prefix, text: text.removeprefix(prefix),
    "trimSuffix": lambda suffix, text: text.removesuffix(suffix),
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
    "repeat": lambda count, text: repeat(text, count),
    "substr": _substring,
    "trunc": _truncate,
    "nospace": lambda text: "".join(text.split()),
    "contains": lambda part, text: part in text,
    "hasPrefix": lambda prefix, text: text.startswith(prefix),
    "hasSuffix": lambda suffix, text: text.endswith(suffix),
    "quote": lambda *values: " ".join(json.dumps(value_text(value), ensure_ascii=False) for value in values),
    "squote": lambda *values: " ".join(f"'{value_text(value)}'" for value in values),
    "cat": lambda *values: " ".join(value_text(value) for value in values if value is not None),
    "indent": _indent,
    "nindent": lambda spaces, text: "\n" + _indent(spaces, text),
    "replace": lambda old, new, text: text.replace(old, new),
    "join": lambda separator, values: separator.join(map(value_text, values)),
    "splitList": lambda separator, text: text.split(separator),
    "split": lambda separator, text: {f"_{index}": part for index, part in enumerate(text.split(separator))},
    "regexMatch": lambda regex, text: pattern(regex).search(text) is not None,
    "regexFind": lambda regex, text: found.group() if (found := pattern(regex).search(text)) else "",
    "regexFindAll": lambda regex, text, count: [m.group() for m in pattern(regex).finditer(text)][
        : count if count >= 0 else None
    ],
    "regexReplaceAll": lambda regex, text, new: pattern(regex).sub(_expand_groups(new), text),
    "regexSplit": lambda regex, text, count: pattern(regex).split(text, count - 1 if count > 0 else 0),
    "sha1sum": _digest("sha1"),
    "sha256sum": _digest("sha256"),
    "sha512sum": _digest("sha512"),
    "b64enc": lambda text: base64.b64encode(text.encode()).decode(),
    "b64dec": _base64_decode,
    "toString": value_text,
    "toJson": json_text,
    "fromJson": from_json,
    "int": _int,
    "int64": _int,
    "atoi": _int,
    "float64": _float,
    "add": _fold(lambda left, right: left + right),
    "add1": lambda value: _int(value) + 1,
    "sub": _fold(lambda left, right: left - right),
    "mul": _fold(lambda left, right: left * right),
    "div": _fold(_divide),
    "mod": lambda left, right: _int(left) - _int(right) * _divide(_int(left), _int(right)),
    "max": lambda *values: max(map(_int, values)),
    "min": lambda *values: min(map(_int, values)),
    "floor": lambda value: float(math.floor(_float(value))),
    "ceil": lambda value: float(math.ceil(_float(value))),
    "round": _round,
    "default": lambda default, value=None: default if _is_empty(value) else value,
    "empty": _is_empty,
    "coalesce": lambda *values: next((value for value in values if not _is_empty(value)), None),
    "ternary": lambda yes, no, condition: yes if condition is True else no,
    "kindOf": kind_of,
    "list": lambda *values: list(values),
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
    "rest": lambda values: values[1:],
    "initial": lambda values: values[:-1],
    "append": lambda values, value: [*values, value],
    "prepend": lambda values, value: [value, *values],
    "concat": lambda *lists: [item for values in lists for item in values],
    "reverse": lambda values: values[::-1],
    "uniq": unique,
    "has": lambda item, values: contains(values, item),
    "without": lambda values, *dropped: [item for item in values if not any(equal(item, other) for other in dropped)],
    "compact": lambda values: [item for item in values if not _is_empty(item)],
    "sortAlpha": lambda values: sorted(map(value_text, values)),
    "until": lambda count: list(range(len(repeat(" ", count)))),
    "dict": _dictionary,
    "get": lambda mapping, key: mapping.get(key, ""),
    "hasKey": lambda mapping, key: key in mapping,
    "keys": lambda *mappings: [key for mapping in mappings for key in mapping],
    "values": lambda mapping: list(mapping.values()),
    "pick": lambda mapping, *keys: {key: mapping[key] for key in keys if key in mapping},
    "omit": lambda mapping, *keys: {key: value for key, value in mapping.items() if key not in keys},
    "merge": _merge,
    "dig": _dig,
    "now": lambda: datetime.now(UTC),
    "date": format_time,
    "unixEpoch": lambda moment: str(int(moment.timestamp())),
    "uuidv4": lambda: str(uuid.uuid4()),
    "randAlpha": _random(_LETTERS),
    "randAlphaNum": _random(_ALPHANUMERIC),
    "randNumeric": _random(string.digits),
}
