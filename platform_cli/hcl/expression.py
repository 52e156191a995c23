"""Works out one expression of Terraform's language from the tree that python-hcl2 reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from lark import Token, Tree

from platform_cli.hcl.function import call_function
from platform_cli.hcl.operation import negate, operate
from platform_cli.hcl.value import (
    UNKNOWN,
    HclError,
    as_bool,
    as_pairs,
    as_text,
    get_attribute,
    get_item,
)

Node: TypeAlias = Tree[Token]
_LITERALS = {"true": True, "false": False, "null": None}


class Scope(Protocol):
    """What names mean."""

    def resolve(self, name: str) -> Any:
        """The value of a name such as `var`, `local`, `module` or a resource type.

        Raises:
            HclError: there is no such name.
        """


@dataclass(frozen=True, slots=True)
class Inner:
    """A scope with some names more: what `for` and `for_each` add."""

    outer: Scope
    names: Mapping[str, Any] = field(default_factory=dict)

    def resolve(self, name: str) -> Any:
        """See `Scope.resolve`."""
        return self.names[name] if name in self.names else self.outer.resolve(name)


def evaluate(node: Node | Token, scope: Scope) -> Any:
    """The value of an expression.

    Raises:
        HclError: it makes no sense with these values.
    """
    if isinstance(node, Token):
        raise HclError(f"unexpected {node}")
    known = _KINDS.get(str(node.data))
    if known is None:
        return UNKNOWN
    return known(node, scope)


def children(node: Node) -> list[Node]:
    """The trees below a node, comments left out."""
    return [child for child in node.children if isinstance(child, Tree) and child.data != "new_line_or_comment"]


def text_of(node: Node) -> str:
    """An identifier's or keyword's text."""
    return str(node.children[0])


def _first(node: Node, scope: Scope) -> Any:
    return evaluate(children(node)[0], scope)


def _conditional(node: Node, scope: Scope) -> Any:
    condition, yes, no = children(node)
    found = evaluate(condition, scope)
    return UNKNOWN if found is UNKNOWN else evaluate(yes if as_bool(found) else no, scope)


def _binary(node: Node, scope: Scope) -> Any:
    left, term = children(node)
    sign, right = children(term)
    return operate(text_of(sign), evaluate(left, scope), evaluate(right, scope))


def _unary(node: Node, scope: Scope) -> Any:
    return negate(str(node.children[0]), evaluate(children(node)[-1], scope))


def _identifier(node: Node, scope: Scope) -> Any:
    return scope.resolve(text_of(node))


def _integer(node: Node, _scope: Scope) -> int:
    return int(text_of(node))


def _fraction(node: Node, _scope: Scope) -> float:
    return float(text_of(node))


def _literal(node: Node, _scope: Scope) -> bool | None:
    return _LITERALS[text_of(node)]


def _string(node: Node, scope: Scope) -> Any:
    """A template; one that is a single interpolation keeps the value's type."""
    parts = [_string_part(part, scope) for part in children(node)]
    if len(parts) == 1:
        return parts[0]
    return UNKNOWN if any(part is UNKNOWN for part in parts) else "".join(as_text(part) for part in parts)


def _string_part(node: Node, scope: Scope) -> Any:
    part = node.children[0]
    if isinstance(part, Token):
        text = str(part)
        if text.startswith(("$${", "%%{")):
            return text[1:]
        return json.loads(f'"{text}"', strict=False) if "\\" in text else text
    return _first(part, scope) if part.data == "interpolation" else UNKNOWN


def _heredoc(node: Node, _scope: Scope) -> Any:
    lines = str(node.children[0]).splitlines()[1:-1]
    return UNKNOWN if any("${" in line or "%{" in line for line in lines) else "".join(f"{line}\n" for line in lines)


def _tuple(node: Node, scope: Scope) -> list[Any]:
    return [evaluate(child, scope) for child in children(node)]


def _object(node: Node, scope: Scope) -> Any:
    made: dict[str, Any] = {}
    for element in children(node):
        key_node, value = children(element)
        key = _object_key(key_node, scope)
        if key is UNKNOWN:
            return UNKNOWN
        made[as_text(key)] = evaluate(value, scope)
    return made


def _object_key(node: Node, scope: Scope) -> Any:
    """A bare word is the key itself."""
    inner = children(node)[0]
    if inner.data == "keyword":
        return text_of(inner)
    word = inner.children[0]
    if isinstance(word, Tree) and word.data in ("identifier", "literal_value"):
        return text_of(word)
    return evaluate(inner, scope)


def _call(node: Node, scope: Scope) -> Any:
    name, *rest = children(node)
    arguments = children(rest[0]) if rest else []
    lazy = _LAZY.get(text_of(name))
    if lazy is not None:
        return lazy(arguments, scope)
    values = [evaluate(argument, scope) for argument in arguments]
    if rest and any(str(child) == "..." for child in rest[0].children if isinstance(child, Token)):
        last = values.pop()
        if last is UNKNOWN:
            return UNKNOWN
        values += last
    return call_function(text_of(name), values)


def _try(arguments: list[Node], scope: Scope) -> Any:
    for argument in arguments:
        try:
            return evaluate(argument, scope)
        except HclError:
            continue
    raise HclError("try: no argument works")


def _can(arguments: list[Node], scope: Scope) -> Any:
    try:
        return UNKNOWN if evaluate(arguments[0], scope) is UNKNOWN else True
    except HclError:
        return False


_LAZY = {"try": _try, "can": _can}


def _index(node: Node, scope: Scope) -> Any:
    value, index = children(node)
    return _apply_step(evaluate(value, scope), index, scope)


def _apply_step(value: Any, step: Node, scope: Scope) -> Any:
    """`.name`, `[key]` or `.0`."""
    if step.data == "get_attr":
        return get_attribute(value, text_of(children(step)[0]))
    if step.data == "short_index":
        return get_item(value, int(str(step.children[1])))
    return get_item(value, evaluate(children(step)[0], scope))


def _splat(node: Node, scope: Scope) -> Any:
    value, splat = children(node)
    found = evaluate(value, scope)
    if found is UNKNOWN:
        return UNKNOWN
    items = found if isinstance(found, list) else [] if found is None else [found]
    for step in children(splat):
        items = [_apply_step(item, step, scope) for item in items]
    return items


def _for_tuple(node: Node, scope: Scope) -> Any:
    intro, body, *rest = children(node)
    rounds = _list_rounds(intro, rest[-1] if rest else None, scope)
    return UNKNOWN if rounds is UNKNOWN else [evaluate(body, inner) for inner in rounds]


def _for_object(node: Node, scope: Scope) -> Any:
    intro, key_node, body, *rest = children(node)
    rounds = _list_rounds(intro, rest[-1] if rest else None, scope)
    if rounds is UNKNOWN:
        return UNKNOWN
    groups = any(str(child) == "..." for child in node.children if isinstance(child, Token))
    made: dict[str, Any] = {}
    for inner in rounds:
        key = evaluate(key_node, inner)
        if key is UNKNOWN:
            return UNKNOWN
        value = evaluate(body, inner)
        made[as_text(key)] = [*made.get(as_text(key), []), value] if groups else value
    return made


def _list_rounds(intro: Node, condition: Node | None, scope: Scope) -> Any:
    """The scope of each round of a `for`; unknown when its items or its condition are."""
    *names, source = children(intro)
    items = evaluate(source, scope)
    if items is UNKNOWN:
        return UNKNOWN
    rounds = []
    for key, value in as_pairs(items):
        pair = (key, value) if len(names) > 1 else (value,)
        inner = Inner(scope, dict(zip(map(text_of, names), pair, strict=True)))
        wanted: Any = True if condition is None else _first(condition, inner)
        if wanted is UNKNOWN:
            return UNKNOWN
        if as_bool(wanted):
            rounds.append(inner)
    return rounds


_KINDS: dict[str, Callable[[Node, Scope], Any]] = {
    "attr_splat_expr_term": _splat,
    "binary_op": _binary,
    "conditional": _conditional,
    "expr_term": _first,
    "float_lit": _fraction,
    "for_object_expr": _for_object,
    "for_tuple_expr": _for_tuple,
    "full_splat_expr_term": _splat,
    "function_call": _call,
    "get_attr_expr_term": _index,
    "heredoc_template": _heredoc,
    "heredoc_template_trim": _heredoc,
    "identifier": _identifier,
    "index_expr_term": _index,
    "int_lit": _integer,
    "literal_value": _literal,
    "object": _object,
    "string": _string,
    "tuple": _tuple,
    "unary_op": _unary,
}
