"""Variables' types: what `optional(…)` adds to an object, and a set's order."""

from __future__ import annotations

from typing import Any

from lark import Tree

from platform_cli.hcl.expression import Node, Scope, children, evaluate, text_of
from platform_cli.hcl.function import make_set
from platform_cli.hcl.value import UNKNOWN, as_bool, as_number, as_text

_SIMPLE = {"string": as_text, "number": as_number, "bool": as_bool}


def convert(value: Any, kind: Node, scope: Scope) -> Any:
    """A value as its type wants it; unknown and null stay as they are.

    Raises:
        HclError: it does not fit the type.
    """
    if value is UNKNOWN or value is None:
        return value
    call = _find_call(kind)
    if call is None:
        name = _find_name(kind)
        return _SIMPLE[name](value) if name in _SIMPLE else value
    name, arguments = call
    if name == "object" and isinstance(value, dict):
        return _convert_object(value, arguments[0], scope)
    if name == "map" and isinstance(value, dict):
        return {key: convert(item, arguments[0], scope) for key, item in value.items()}
    if name in ("list", "set") and isinstance(value, list):
        items = [convert(item, arguments[0], scope) for item in value]
        return make_set(items) if name == "set" else items
    return value


def _convert_object(value: dict[str, Any], members: Node, scope: Scope) -> dict[str, Any]:
    made = {}
    for element in children(children(members)[0]):
        key_node, kind = children(element)
        key = _find_name(children(key_node)[0])
        call = _find_call(kind)
        default: Any = None
        if call is not None and call[0] == "optional":
            kind = call[1][0]
            default = evaluate(call[1][1], scope) if len(call[1]) > 1 else None
        given = value.get(key)
        made[key] = convert(default if given is None else given, kind, scope)
    return made


def _find_name(kind: Node) -> str:
    """The word in `string`."""
    inner = kind.children[0]
    return text_of(inner) if isinstance(inner, Tree) and inner.data == "identifier" else ""


def _find_call(kind: Node) -> tuple[str, list[Node]] | None:
    """Name and arguments in `map(string)`; None for a bare word."""
    inner = kind.children[0]
    if not isinstance(inner, Tree) or inner.data != "function_call":
        return None
    name, *rest = children(inner)
    return text_of(name), children(rest[0]) if rest else []
