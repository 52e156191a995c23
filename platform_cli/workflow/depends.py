"""What a DAG task waits for: `depends` expressions and `dependencies` lists.

`depends` knows `&&`, `||`, `!`, parentheses, `task.Result` and bare task names, so translating its tokens lets Python's
own parser build the tree; the large expression grammar is not loaded for it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from platform_cli.workflow.model_template import ContinueOn, Task

RESULTS = ("Succeeded", "Failed", "Errored", "Skipped", "Omitted", "Daemoned", "AnySucceeded", "AllFailed")
ITEM_RESULTS = frozenset({"AnySucceeded", "AllFailed"})
"""Results that only a task with items has."""

_TOKEN = re.compile(r"\s*(?:(&&|\|\||!(?!=)|\(|\))|([a-zA-Z0-9][-a-zA-Z0-9]*)(?:\.([A-Za-z]+))?)")
_NODES = (ast.BoolOp, ast.UnaryOp, ast.Constant, ast.boolop, ast.unaryop)
_OPERATORS = {"&&": " and ", "||": " or ", "!": " not ", "(": "(", ")": ")"}

HasResult = Callable[[str, str], bool]
Outcomes = Callable[[str, str], frozenset[bool]]


class DependsError(ValueError):
    """A `depends` expression that does not parse or names an unknown result."""


@dataclass(frozen=True, slots=True)
class Depends:
    """A parsed condition. `tasks` are the names it waits for; `terms` the (task, result) pairs it asks about."""

    terms: tuple[tuple[str, str], ...]
    _tree: ast.expr | None

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks that have to be over before the condition is looked at, each once, in order."""
        return tuple(dict.fromkeys(task for task, _ in self.terms))

    def evaluate(self, has_result: HasResult) -> bool:
        """Whether the condition holds; `has_result(task, result)` is asked only after every task is over."""
        return True if self._tree is None else self._value(self._tree, has_result)

    def possible(self, outcomes: Outcomes) -> frozenset[bool]:
        """Every value the condition can have when each term can have those of `outcomes(task, result)`."""
        return frozenset({True}) if self._tree is None else self._possible(self._tree, outcomes)

    def _possible(self, node: ast.expr, outcomes: Outcomes) -> frozenset[bool]:
        match node:
            case ast.Constant(value=int(index)):
                return outcomes(*self.terms[index])
            case ast.UnaryOp(operand=operand):
                return frozenset(not value for value in self._possible(operand, outcomes))
            case ast.BoolOp(op=operator, values=values):
                decisive = isinstance(operator, ast.Or)
                parts = [self._possible(value, outcomes) for value in values]
                can_decide = any(decisive in part for part in parts)
                can_stay = all((not decisive) in part for part in parts)
                return frozenset(({decisive} if can_decide else set()) | ({not decisive} if can_stay else set()))
        raise DependsError(f"{ast.dump(node)} is not a condition")

    def _value(self, node: ast.expr, has_result: HasResult) -> bool:
        match node:
            case ast.Constant(value=int(index)):
                return has_result(*self.terms[index])
            case ast.UnaryOp(operand=operand):
                return not self._value(operand, has_result)
            case ast.BoolOp(op=ast.And(), values=values):
                return all(self._value(value, has_result) for value in values)
            case ast.BoolOp(values=values):
                return any(self._value(value, has_result) for value in values)
        raise DependsError(f"{ast.dump(node)} is not a condition")


def task_depends(task: Task, continue_on: Mapping[str, ContinueOn | None]) -> Depends:
    """What `task` waits for; `continue_on` holds that field of every task of the DAG, by name.

    Raises:
        DependsError: `depends` does not parse or names an unknown result.
    """
    if task.depends:
        return parse_depends(task.depends, continue_on)
    return _all_of(tuple(dict.fromkeys(task.dependencies)), continue_on)


def parse_depends(text: str, continue_on: Mapping[str, ContinueOn | None] | None = None) -> Depends:
    """A `depends` expression; a bare task name means that it succeeded, was skipped or is a daemon.

    Raises:
        DependsError: it does not parse or names an unknown result.
    """
    terms: list[tuple[str, str]] = []
    source = "".join(_translate(text, terms, continue_on or {})).strip()
    try:
        tree = ast.parse(source, mode="eval").body
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise DependsError(f"{text!r} is not a condition on tasks") from error
    if not all(isinstance(node, _NODES) for node in ast.walk(tree)):
        raise DependsError(f"{text!r}: two tasks without `&&` or `||` between them")
    return Depends(tuple(terms), tree)


def _translate(text: str, terms: list[tuple[str, str]], continue_on: Mapping[str, ContinueOn | None]) -> Iterator[str]:
    """Python source with every term as its index; fills `terms`."""
    position, end = 0, len(text.rstrip())
    while position < end:
        token = _TOKEN.match(text, position)
        if token is None:
            raise DependsError(f"{text!r}: unexpected {text[position:].lstrip()[:1]!r}")
        position = token.end()
        operator, task, result = token.groups()
        if operator:
            yield _OPERATORS[operator]
            continue
        results = (result,) if result else accepted_results(continue_on.get(task))
        if result and result not in RESULTS:
            raise DependsError(f"{text!r}: {result!r} is not a result; known: {', '.join(RESULTS)}")
        first = len(terms)
        terms.extend((task, name) for name in results)
        yield f" ({' or '.join(str(index) for index in range(first, len(terms)))}) "


def accepted_results(continue_on: ContinueOn | None) -> tuple[str, ...]:
    """The results of a task, named without one, that let its dependants run."""
    results = ["Succeeded", "Skipped", "Daemoned"]
    if continue_on is not None and continue_on.error:
        results.append("Errored")
    if continue_on is not None and continue_on.failed:
        results.append("Failed")
    return tuple(results)


def _all_of(tasks: tuple[str, ...], continue_on: Mapping[str, ContinueOn | None]) -> Depends:
    """Every one of `tasks` has an accepted result; without tasks the condition always holds."""
    groups: list[ast.expr] = []
    terms: list[tuple[str, str]] = []
    for task in tasks:
        results = accepted_results(continue_on.get(task))
        indices = range(len(terms), len(terms) + len(results))
        terms.extend((task, result) for result in results)
        groups.append(ast.BoolOp(op=ast.Or(), values=[ast.Constant(value=index) for index in indices]))
    return Depends(tuple(terms), ast.BoolOp(op=ast.And(), values=groups) if groups else None)
