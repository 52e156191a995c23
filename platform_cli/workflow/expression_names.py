"""The names an expression refers to, read from its tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lark import Tree

from platform_cli.workflow.expression_literal import unescape

Node = Any
Guards = dict[str, tuple[int, ...]]
"""Rule to the children whose absence the rule takes care of."""

_BEHIND: Guards = {"coalesce": (0,)}
_CONDITIONAL: Guards = {"coalesce": (0, 1), "ternary": (1, 2), "elvis": (1,), "or_": (1,), "and_": (1,)}
_LITERALS = frozenset({"true", "false", "nil"})


def required_names(tree: Node) -> tuple[str, ...]:
    """Every dotted name and each of its beginnings, those guarded by `??` or `?.` left out."""
    return tuple(dict.fromkeys(name for name, is_guarded, _ in _names(tree, _BEHIND) if not is_guarded))


def references(tree: Node) -> tuple[tuple[str, bool], ...]:
    """The longest form of every dotted name, and whether it is guarded, or only looked at under a condition."""
    return tuple(dict.fromkeys((name, guarded) for name, guarded, whole in _names(tree, _CONDITIONAL) if whole))


def _names(node: Node, guards: Guards, *, guarded: bool = False) -> Iterator[tuple[str, bool, bool]]:
    """(name, is guarded, is the whole reference) of every reference below `node`."""
    if not isinstance(node, Tree):
        return
    if node.data == "name" and str(node.children[0]) not in _LITERALS:
        yield str(node.children[0]), False, True
    elif node.data == "postfix":
        yield from _postfix_names(node, guards, guarded=guarded)
    else:
        for index, child in enumerate(node.children):
            is_behind = index in guards.get(str(node.data), ())
            yield from _names(child, guards, guarded=guarded or is_behind)


def _postfix_names(node: Node, guards: Guards, *, guarded: bool) -> Iterator[tuple[str, bool, bool]]:
    base, *trailers = node.children
    path = _constant_path(base, trailers)
    if path:
        yield path[0], False, len(path) == 1
    else:
        yield from _names(base, guards, guarded=guarded)
    for length in range(2, len(path) + 1):
        follower = trailers[length - 1] if length - 1 < len(trailers) else None
        is_optional = follower is not None and follower.data.startswith("optional_")
        yield ".".join(path[:length]), guarded or is_optional, length == len(path)
    for trailer in trailers:
        for child in trailer.children:
            yield from _names(child, guards, guarded=guarded)


def _constant_path(base: Node, trailers: list[Node]) -> list[str]:
    if base.data != "name" or str(base.children[0]) in _LITERALS:
        return []
    path = [str(base.children[0])]
    for trailer in trailers:
        if trailer.data == "member":
            path.append(str(trailer.children[0]))
        elif trailer.data == "index" and trailer.children[0].data == "string":
            path.append(unescape(str(trailer.children[0].children[0])[1:-1]))
        else:
            break
    return path
