"""Terraform's functions, as far as the roots call them; any other gives an unknown value."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from platform_cli.hcl.value import UNKNOWN, HclError, as_bool, as_number, as_pairs, as_text, has_unknown

Function = Callable[..., Any]
# What they give is known although a part of what they take is not.
_TOLERANT = frozenset({"concat", "merge", "keys", "length", "values", "tomap", "tolist", "coalesce", "flatten", "one"})


def call_function(name: str, arguments: list[Any]) -> Any:
    """The value of `name(arguments…)`; unknown when an argument is, or when the function is none of ours.

    Raises:
        HclError: the arguments do not fit.
    """
    function = FUNCTIONS.get(name)
    if function is None or any(argument is UNKNOWN for argument in arguments):
        return UNKNOWN
    if name not in _TOLERANT and any(has_unknown(argument) for argument in arguments):
        return UNKNOWN
    try:
        return function(*arguments)
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise HclError(f"{name}: {error}") from error


def make_set(items: Iterable[Any]) -> list[Any]:
    """A set, as a sorted list of its distinct items."""
    known: list[Any] = []
    for item in items:
        if item not in known:
            known.append(item)
    return sorted(known) if all(isinstance(item, str) for item in known) else known


def _alltrue(items: list[Any]) -> bool:
    return all(as_bool(item) for item in items)


def _cidrhost(prefix: str, number: int) -> str:
    return str(ipaddress.ip_network(prefix)[int(number)])


def _cidrnetmask(prefix: str) -> str:
    return str(ipaddress.ip_network(prefix).netmask)


def _cidrsubnet(prefix: str, bits: int, number: int) -> str:
    network = ipaddress.ip_network(prefix)
    length = network.prefixlen + int(bits)
    if length > network.max_prefixlen or int(number) >= 1 << int(bits):
        raise HclError(f"cidrsubnet: {prefix} has no such part")
    first = int(network.network_address) + (int(number) << (network.max_prefixlen - length))
    return f"{ipaddress.ip_address(first)}/{length}"


def _coalesce(*values: Any) -> Any:
    for value in values:
        if value not in (None, ""):
            return value
    raise HclError("coalesce: no argument is set")


def _compact(items: list[Any]) -> list[Any]:
    return [item for item in items if item not in (None, "")]


def _contains(items: Any, wanted: Any) -> bool:
    return wanted in items


def _flatten(items: list[Any]) -> list[Any]:
    flat = (_flatten(item) if isinstance(item, list) else [item] for item in items)
    return [item for part in flat for item in part]


def _format(pattern: str, *values: Any) -> str:
    return re.sub(r"%[dsv]", "%s", pattern) % tuple(as_text(value) for value in values)


def _keys(value: Any) -> list[Any]:
    return [key for key, _ in as_pairs(value)]


def _merge(*maps: Any) -> dict[str, Any]:
    return {key: value for each in maps if each is not None for key, value in each.items()}


def _one(items: list[Any]) -> Any:
    if len(items) > 1:
        raise HclError("one: more than one element")
    return items[0] if items else None


def _regex(pattern: str, text: str) -> Any:
    found = re.search(pattern, text)
    if found is None:
        raise HclError(f"regex: no match of {pattern}")
    return found.groupdict() or list(found.groups()) or found.group(0)


def _replace(text: str, old: str, new: str) -> str:
    """Old text between slashes is a pattern; `$1` in the new one is its first group."""
    if len(old) > 1 and old.startswith("/") and old.endswith("/"):
        return re.sub(old[1:-1], re.sub(r"\$\{?(\d+)\}?", r"\\\1", new), text)
    return text.replace(old, new)


def _setproduct(*sets: list[Any]) -> list[Any]:
    rows: list[list[Any]] = [[]]
    for items in sets:
        rows = [[*row, item] for row in rows for item in items]
    return rows


def _setsubtract(items: list[Any], without: list[Any]) -> list[Any]:
    return make_set(item for item in items if item not in without)


def _setunion(*sets: list[Any]) -> list[Any]:
    return make_set(item for items in sets for item in items)


def _slice(items: list[Any], start: int, end: int) -> list[Any]:
    if not 0 <= start <= end <= len(items):
        raise HclError(f"slice: {start} to {end} of {len(items)} elements")
    return items[int(start) : int(end)]


def _substr(text: str, offset: int, length: int) -> str:
    start = offset if offset >= 0 else len(text) + offset
    return text[start:] if length < 0 else text[start : start + length]


def _values(value: Any) -> list[Any]:
    return [item for _, item in as_pairs(value)]


FUNCTIONS: dict[str, Function] = {
    "alltrue": _alltrue,
    "anytrue": lambda items: any(as_bool(item) for item in items),
    "basename": lambda path: path.rpartition("/")[2],
    "ceil": math.ceil,
    "cidrhost": _cidrhost,
    "cidrnetmask": _cidrnetmask,
    "cidrsubnet": _cidrsubnet,
    "coalesce": _coalesce,
    "compact": _compact,
    "concat": lambda *lists: [item for items in lists for item in items],
    "contains": _contains,
    "distinct": lambda items: list(dict.fromkeys(items)),
    "endswith": lambda text, end: text.endswith(end),
    "flatten": _flatten,
    "floor": math.floor,
    "format": _format,
    "join": lambda between, items: between.join(as_text(item) for item in items),
    "jsondecode": json.loads,
    "jsonencode": lambda value: json.dumps(value, separators=(",", ":"), sort_keys=True),
    "keys": _keys,
    "length": len,
    "lower": lambda text: text.lower(),
    "max": lambda *numbers: max(as_number(number) for number in numbers),
    "merge": _merge,
    "min": lambda *numbers: min(as_number(number) for number in numbers),
    "nonsensitive": lambda value: value,
    "one": _one,
    "range": lambda *bounds: list(range(*(int(bound) for bound in bounds))),
    "regex": _regex,
    "replace": _replace,
    "sensitive": lambda value: value,
    "setproduct": _setproduct,
    "setsubtract": _setsubtract,
    "setunion": _setunion,
    "sha256": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "slice": _slice,
    "sort": lambda items: sorted(as_text(item) for item in items),
    "split": lambda between, text: text.split(between),
    "startswith": lambda text, start: text.startswith(start),
    "strcontains": lambda text, part: part in text,
    "substr": _substr,
    "tolist": list,
    "tomap": dict,
    "tonumber": as_number,
    "toset": make_set,
    "tostring": as_text,
    "trimprefix": lambda text, start: text.removeprefix(start),
    "trimspace": lambda text: text.strip(),
    "trimsuffix": lambda text, end: text.removesuffix(end),
    "upper": lambda text: text.upper(),
    "values": _values,
}
