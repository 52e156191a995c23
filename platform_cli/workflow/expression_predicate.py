"""Functions that take a predicate: `filter(list, # > 1)`, `map`, `any`, `reduce` and their like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from platform_cli.workflow.expression_builtin import numbers, sort_values
from platform_cli.workflow.expression_value import ExpressionError, as_bool, calculate, kind_of, value_text

Node = Any
_MAX_PAIR = 2


class Evaluator(Protocol):
    """What a predicate function needs of the evaluation."""

    def value(self, node: Node) -> Any:
        """The value of a node."""

    def closure(self, body: Node, **pointers: Any) -> Any:
        """The value of a predicate's body with `#` and its names bound."""


Function = Callable[[Evaluator, list[Node]], Any]


def _each(evaluator: Evaluator, nodes: list[Node], name: str) -> Iterator[tuple[int, Any, Any]]:
    """(index, item, value of the predicate) for every item, lazily."""
    if len(nodes) != _MAX_PAIR:
        raise ExpressionError(f"{name}() takes a list and a predicate")
    for index, item in enumerate(_items(evaluator.value(nodes[0]), name)):
        yield index, item, evaluator.closure(nodes[1], **{"": item, "index": index})


def _items(value: Any, name: str) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return value
    raise ExpressionError(f"{name}() needs an array or a map, got {kind_of(value)}")


def _hits(evaluator: Evaluator, nodes: list[Node], name: str) -> Iterator[tuple[int, Any]]:
    """(index, item) for every item whose predicate is true."""
    for index, item, value in _each(evaluator, nodes, name):
        if as_bool(value, f"the predicate of {name}()"):
            yield index, item


def _count(evaluator: Evaluator, nodes: list[Node]) -> int:
    if len(nodes) == 1:
        return sum(as_bool(item, "count()") for item in _items(evaluator.value(nodes[0]), "count"))
    return sum(1 for _ in _hits(evaluator, nodes, "count"))


def _sum(evaluator: Evaluator, nodes: list[Node]) -> Any:
    if len(nodes) == 1:
        values = _items(evaluator.value(nodes[0]), "sum")
    else:
        values = [value for _, _, value in _each(evaluator, nodes, "sum")]
    total: Any = 0
    for value in numbers(values) if values else []:
        total = calculate("+", total, value)
    return total


def _reduce(evaluator: Evaluator, nodes: list[Node]) -> Any:
    if len(nodes) not in (_MAX_PAIR, 3):
        raise ExpressionError("reduce() takes a list, a predicate and perhaps a first value")
    items = _items(evaluator.value(nodes[0]), "reduce")
    start = 0 if len(nodes) > _MAX_PAIR else 1
    if start > len(items):
        raise ExpressionError("reduce() of an empty list needs a first value")
    total = evaluator.value(nodes[2]) if start == 0 else items[0]
    for index, item in enumerate(items[start:], start):
        total = evaluator.closure(nodes[1], **{"": item, "index": index, "acc": total})
    return total


def _sort_by(evaluator: Evaluator, nodes: list[Node]) -> list[Any]:
    order = evaluator.value(nodes.pop()) if len(nodes) > _MAX_PAIR else "asc"
    keyed = [(value, item) for _, item, value in _each(evaluator, nodes, "sortBy")]
    ranks = sort_values([value for value, _ in keyed], order)
    return [item for _, item in sorted(keyed, key=lambda pair: ranks.index(pair[0]))]


def _group_by(evaluator: Evaluator, nodes: list[Node]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for _, item, value in _each(evaluator, nodes, "groupBy"):
        groups.setdefault(value_text(value), []).append(item)
    return groups


def _last(evaluator: Evaluator, nodes: list[Node], name: str) -> tuple[int, Any] | None:
    hits = list(_hits(evaluator, nodes, name))
    return hits[-1] if hits else None


PREDICATES: dict[str, Function] = {
    "filter": lambda evaluator, nodes: [item for _, item in _hits(evaluator, nodes, "filter")],
    "map": lambda evaluator, nodes: [value for _, _, value in _each(evaluator, nodes, "map")],
    "all": lambda evaluator, nodes: all(as_bool(value, "all()") for _, _, value in _each(evaluator, nodes, "all")),
    "any": lambda evaluator, nodes: any(True for _ in _hits(evaluator, nodes, "any")),
    "one": lambda evaluator, nodes: len(list(_hits(evaluator, nodes, "one"))) == 1,
    "none": lambda evaluator, nodes: not any(True for _ in _hits(evaluator, nodes, "none")),
    "find": lambda evaluator, nodes: next((item for _, item in _hits(evaluator, nodes, "find")), None),
    "findIndex": lambda evaluator, nodes: next((index for index, _ in _hits(evaluator, nodes, "findIndex")), -1),
    "findLast": lambda evaluator, nodes: (_last(evaluator, nodes, "findLast") or (0, None))[1],
    "findLastIndex": lambda evaluator, nodes: (_last(evaluator, nodes, "findLastIndex") or (-1, None))[0],
    "count": _count,
    "sum": _sum,
    "reduce": _reduce,
    "sortBy": _sort_by,
    "groupBy": _group_by,
}
