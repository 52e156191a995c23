"""Walks the tree of a parsed expression: its value, and the names it needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from lark import Token

from platform_cli.workflow.expression_builtin import BUILTINS
from platform_cli.workflow.expression_literal import parse_number, unescape
from platform_cli.workflow.expression_predicate import PREDICATES
from platform_cli.workflow.expression_sprig import SPRIG
from platform_cli.workflow.expression_value import (
    ExpressionError,
    as_bool,
    calculate,
    compare,
    integer,
    is_number,
    kind_of,
    span,
    value_text,
)

Node = Any
_ORDERING = frozenset({"<", "<=", ">", ">="})
_LITERALS = {"true": True, "false": False, "nil": None}
_FAILURES = (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError, ArithmeticError)
_METHODS: dict[tuple[type, str], Callable[[Any], Any]] = {
    (datetime, "Unix"): lambda moment: int(moment.timestamp()),
    (datetime, "Year"): lambda moment: moment.year,
    (datetime, "Month"): lambda moment: moment.month,
    (datetime, "Day"): lambda moment: moment.day,
    (datetime, "Hour"): lambda moment: moment.hour,
    (datetime, "Minute"): lambda moment: moment.minute,
    (datetime, "Second"): lambda moment: moment.second,
    (timedelta, "Seconds"): lambda duration: duration.total_seconds(),
    (timedelta, "Minutes"): lambda duration: duration.total_seconds() / 60,
    (timedelta, "Hours"): lambda duration: duration.total_seconds() / 3600,
}


class Evaluation:
    """One evaluation in one environment; a method for each rule of the grammar."""

    def __init__(self, environment: Mapping[str, Any]) -> None:
        self.environment = environment
        self.pointers: list[dict[str, Any]] = []

    def result(self, tree: Node) -> Any:
        """The value of the whole expression.

        Raises:
            ExpressionError: it fails, or nests too deeply.
        """
        try:
            return self.value(tree)
        except RecursionError as error:
            raise ExpressionError("the expression nests too deeply") from error

    def value(self, node: Node) -> Any:
        """The value of one node."""
        return getattr(self, f"_{node.data}")(*node.children)

    def _ternary(self, condition: Node, yes: Node, no: Node) -> Any:
        return self.value(yes if as_bool(self.value(condition), "`?`") else no)

    def _elvis(self, condition: Node, no: Node) -> Any:
        value = as_bool(self.value(condition), "`?:`")
        return value or self.value(no)

    def _or_(self, left: Node, right: Node) -> bool:
        return as_bool(self.value(left), "`||`") or as_bool(self.value(right), "`||`")

    def _and_(self, left: Node, right: Node) -> bool:
        return as_bool(self.value(left), "`&&`") and as_bool(self.value(right), "`&&`")

    def _not_(self, operand: Node) -> bool:
        return not as_bool(self.value(operand), "`not`")

    def _comparison(self, first: Node, *rest: Node) -> bool:
        """Left to right; `a < b < c` means `a < b && b < c`, all else compares the result so far."""
        result, left, previous = True, self.value(first), ""
        for symbol, node in zip(rest[::2], rest[1::2], strict=True):
            right = self.value(node)
            if previous and not {previous, str(symbol)} <= _ORDERING:
                left = result
            outcome = _compare(str(symbol), left, right)
            result = result and outcome if {previous, str(symbol)} <= _ORDERING else outcome
            left, previous = right, str(symbol)
        return result

    def _range(self, first: Node, last: Node) -> list[int]:
        return span(self.value(first), self.value(last))

    def _binary(self, left: Node, symbol: Token, right: Node) -> Any:
        return calculate(str(symbol), self.value(left), self.value(right))

    def _signed(self, sign: Token, operand: Node) -> Any:
        value = self.value(operand)
        if not is_number(value):
            raise ExpressionError(f"`{sign}` needs a number, got {kind_of(value)}")
        return value if sign == "+" else (integer(-value) if isinstance(value, int) else -value)

    def _coalesce(self, left: Node, right: Node) -> Any:
        value = self.value(left)
        return self.value(right) if value is None else value

    def _group(self, inner: Node) -> Any:
        return self.value(inner)

    def _pipe(self, subject: Node, name: Token, arguments: Node) -> Any:
        return self._call_function(str(name), [subject, *_children(arguments)])

    def _postfix(self, base: Node, *trailers: Node) -> Any:
        value, rest = self._callee(base, trailers)
        while rest:
            trailer, *rest = rest
            if trailer.data.startswith("optional_") and value is None:
                return None
            if rest and rest[0].data == "call":
                value = self._call_method(value, trailer, _children(rest.pop(0).children[0]))
            else:
                value = self._apply_trailer(value, trailer)
        return value

    def _callee(self, base: Node, trailers: tuple[Node, ...]) -> tuple[Any, list[Node]]:
        """The value of the first part, a function call included, and the trailers that are left."""
        name = str(base.children[0]) if base.data == "name" else ""
        if name == "sprig" and name not in self.environment and len(trailers) > 1:
            function, call, *rest = trailers
            return self._call_sprig(str(function.children[0]), call), rest
        if trailers[0].data == "call":
            if not name:
                raise ExpressionError("only functions can be called")
            return self._call_function(name, _children(trailers[0].children[0])), list(trailers[1:])
        return self.value(base), list(trailers)

    def _call_sprig(self, name: str, call: Node) -> Any:
        if name not in SPRIG or call.data != "call":
            raise ExpressionError(f"sprig.{name} is not known here")
        arguments = _children(call.children[0])
        return _apply(f"sprig.{name}", SPRIG[name], [self.value(argument) for argument in arguments])

    def _call_method(self, value: Any, trailer: Node, arguments: list[Node]) -> Any:
        name = str(trailer.children[0]) if trailer.data == "member" else ""
        method = _METHODS.get((type(value), name))
        if method is None or arguments:
            raise ExpressionError(f"{kind_of(value)} has no method {name!r}")
        return method(value)

    def _call_function(self, name: str, arguments: list[Node]) -> Any:
        if name in PREDICATES:
            return PREDICATES[name](self, [_unwrap(argument) for argument in arguments])
        if name not in BUILTINS:
            raise ExpressionError(f"unknown function {name!r}")
        return _apply(name, BUILTINS[name], [self.value(argument) for argument in arguments])

    def closure(self, body: Node, **pointers: Any) -> Any:
        """The value of a predicate's body with `#` and its names bound."""
        self.pointers.append(pointers)
        try:
            return self.value(body)
        finally:
            self.pointers.pop()

    def _apply_trailer(self, value: Any, trailer: Node) -> Any:
        if trailer.data == "slice":
            return self._cut(value, *trailer.children)
        if trailer.data == "call":
            raise ExpressionError("only functions can be called")
        key = trailer.children[0]
        return fetch(value, str(key) if trailer.data.endswith("member") else self.value(key))

    def _cut(self, value: Any, first: Node | None, last: Node | None) -> Any:
        bounds = [None if bound is None else self.value(bound) for bound in (first, last)]
        if not isinstance(value, (str, list)) or any(bound is not None and type(bound) is not int for bound in bounds):
            raise ExpressionError(f"cannot slice {kind_of(value)}")
        return value[bounds[0] : bounds[1]]

    def _predicate(self, _body: Node) -> Any:
        raise ExpressionError("`{…}` without a key belongs to filter, map and their like")

    def _number(self, token: Token) -> float:
        return parse_number(str(token))

    def _string(self, token: Token) -> str:
        return unescape(str(token)[1:-1])

    def _raw_string(self, token: Token) -> str:
        return str(token)[1:-1]

    def _name(self, token: Token) -> Any:
        name = str(token)
        if name in _LITERALS:
            return _LITERALS[name]
        if name == "$env":
            return dict(self.environment)
        if name not in self.environment:
            raise ExpressionError(f"unknown name {name!r}")
        return self.environment[name]

    def _pointer(self, token: Token) -> Any:
        name = str(token)[1:]
        if not self.pointers or name not in self.pointers[-1]:
            raise ExpressionError(f"`{token}` has no meaning here")
        return self.pointers[-1][name]

    def _pointer_member(self, token: Token) -> Any:
        return fetch(self._pointer(Token("POINTER", "#")), str(token))

    def _array(self, items: Node | None) -> list[Any]:
        return [self.value(item) for item in _children(items)]

    def _map(self, pairs: Node | None) -> dict[str, Any]:
        return {self._pair_key(pair.children[0]): self.value(pair.children[1]) for pair in _children(pairs)}

    def _pair_key(self, node: Node) -> str:
        if node.data == "computed_key":
            return value_text(self.value(node.children[0]))
        text = str(node.children[0])
        return unescape(text[1:-1]) if node.data == "string_key" else text


def fetch(value: Any, key: Any) -> Any:
    """A member of a map (nil when it has none) or an element of an array.

    Raises:
        ExpressionError: the value has no members, or the index is out of range.
    """
    if isinstance(value, Mapping):
        return value.get(key) if isinstance(key, str) else None
    if isinstance(value, (list, str)) and type(key) is int and -len(value) <= key < len(value):
        return value[key]
    if isinstance(value, (list, str)) and type(key) is int:
        raise ExpressionError(f"index out of range: {key} (length {len(value)})")
    raise ExpressionError(f"cannot fetch {value_text(key)} from {kind_of(value)}")


def _children(node: Node | None) -> list[Node]:
    return [] if node is None else [child for child in node.children if child is not None]


def _unwrap(argument: Node) -> Node:
    return argument.children[0] if argument.data == "predicate" else argument


def _compare(symbol: str, left: Any, right: Any) -> bool:
    words = symbol.split()
    return compare(words[-1], left, right) is (len(words) == 1)


def _apply(name: str, function: Callable[..., Any], arguments: list[Any]) -> Any:
    try:
        result = function(*arguments)
    except ExpressionError as error:
        raise ExpressionError(f"{name}(): {error}") from error
    except _FAILURES as error:
        kinds = ", ".join(map(kind_of, arguments))
        raise ExpressionError(f"{name}({kinds}) does not work: {error}") from error
    if isinstance(result, float) and not math.isfinite(result):
        return result
    return integer(result) if type(result) is int else result
