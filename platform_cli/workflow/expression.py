"""expr-lang, as far as workflows use it: `{{=…}}`, valueFrom.expression, fromExpression, retry and hook expressions.

Importing this module is cheap; the grammar is loaded when the first expression is compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.workflow.expression_value import ExpressionError, as_bool

if TYPE_CHECKING:
    from lark import Lark, Tree

__all__ = ["ExpressionError", "Program", "compile_expression", "evaluate", "evaluate_bool", "expand"]

MAX_LENGTH = 20_000


class Program:
    """A parsed expression: `source` is its text."""

    def __init__(self, source: str, tree: Tree[Any]) -> None:
        self.source = source
        self._tree = tree
        self._required: tuple[str, ...] | None = None

    @property
    def required(self) -> tuple[str, ...]:
        """Dotted names that have to exist: those behind `?.` or on the left of `??` are left out."""
        from platform_cli.workflow.expression_names import required_names

        if self._required is None:
            self._required = required_names(self._tree)
        return self._required

    @property
    def references(self) -> tuple[tuple[str, bool], ...]:
        """The longest dotted name of every reference, and whether `??` or `?.` guards it against being absent."""
        from platform_cli.workflow.expression_check import ROOTS
        from platform_cli.workflow.expression_names import references

        return tuple(pair for pair in references(self._tree) if pair[0].partition(".")[0] not in ROOTS)

    def missing(self, environment: Mapping[str, Any]) -> tuple[str, ...]:
        """The required names that `environment` (nested, see `expand`) does not have."""
        return tuple(name for name in self.required if not _has(environment, name))

    def evaluate(self, environment: Mapping[str, Any]) -> Any:
        """The value: None, bool, int, float, str, list, dict or datetime.

        Args:
            environment: nested maps, see `expand`; a name it does not have is an error at the top and nil below.

        Raises:
            ExpressionError: a wrong type, an unknown name or function, a failing function.
        """
        from platform_cli.workflow.expression_tree import Evaluation

        return Evaluation(environment).result(self._tree)


@lru_cache(maxsize=2048)
def compile_expression(source: str) -> Program:
    """Parses `source`.

    Raises:
        ExpressionError: it does not parse, with the place, or calls an unknown function.
    """
    from lark.exceptions import LarkError, UnexpectedInput

    from platform_cli.workflow.expression_check import check_tree

    if len(source) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    try:
        tree = _grammar().parse(source)
    except UnexpectedInput as error:
        raise ExpressionError(_parse_message(source, error)) from error
    except LarkError as error:
        raise ExpressionError(f"{source!r} does not parse: {error}") from error
    check_tree(tree)
    return Program(source, tree)


def evaluate(source: str, environment: Mapping[str, Any]) -> Any:
    """The value of `source`, see `Program.evaluate`.

    Raises:
        ExpressionError: it does not parse, or fails.
    """
    return compile_expression(source).evaluate(environment)


def evaluate_bool(source: str, environment: Mapping[str, Any]) -> bool:
    """As `evaluate`, for conditions (hooks, retries). A whole `{{=…}}` around the expression is taken off.

    Raises:
        ExpressionError: it does not parse, fails, or is neither true nor false.
    """
    text = source.strip()
    if text.startswith("{{=") and text.endswith("}}"):
        text = text[3:-2]
    return as_bool(evaluate(text, environment), f"the expression {text.strip()!r}")


def expand(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted names as nested maps. Where a name is also the beginning of another, the longer ones win."""
    environment: dict[str, Any] = {}
    parents = {name[:index] for name in scope for index, letter in enumerate(name) if letter == "."}
    for name, value in scope.items():
        if name in parents:
            continue
        *path, last = name.split(".")
        level = environment
        for part in path:
            level = level.setdefault(part, {})
        level[last] = value
    return environment


@cache
def _grammar() -> Lark:
    from lark import Lark

    text = Path(__file__).with_name("expression.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", maybe_placeholders=True)


def _parse_message(source: str, error: Any) -> str:
    column = getattr(error, "column", -1)
    text = " ".join(source.split())
    token = getattr(error, "token", None)
    if token is not None and not str(token):
        return f"unexpected end of {text!r}"
    found = str(token) if token is not None else getattr(error, "char", "")
    return f"{text!r} does not parse: unexpected {found!r} at character {column}"


def _has(environment: Mapping[str, Any], name: str) -> bool:
    from platform_cli.workflow.expression_check import ROOTS

    parts = name.split(".")
    if parts[0] in ROOTS and parts[0] not in environment:
        return True
    level: Any = environment
    for part in parts:
        if not isinstance(level, Mapping) or part not in level:
            return False
        level = level[part]
    return True
