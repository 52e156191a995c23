"""What can be said about an expression's tree before any value is known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from platform_cli.workflow.expression_builtin import BUILTINS
from platform_cli.workflow.expression_predicate import PREDICATES
from platform_cli.workflow.expression_sprig import SPRIG
from platform_cli.workflow.expression_value import ExpressionError

ROOTS = frozenset({"sprig", *BUILTINS, *PREDICATES})
"""Names that are there without being in the environment."""

_OPERATIONS = frozenset({"binary", "comparison", "range", "or_", "and_"})


def check_tree(tree: Any) -> None:
    """Looks for what expr-lang refuses although the grammar accepts it.

    Raises:
        ExpressionError: an unknown function, or `??` mixed with another operator.
    """
    for node in tree.iter_subtrees():
        if node.data in _OPERATIONS and node.children[0].data == "coalesce":
            raise ExpressionError("`??` and another operator cannot be mixed: put the `??` part in parentheses")
        if node.data == "pipe":
            _check_known(str(node.children[1]), BUILTINS.keys() | PREDICATES.keys())
        if node.data == "postfix" and node.children[0].data == "name":
            _check_call(str(node.children[0].children[0]), node.children[1:])


def _check_call(name: str, trailers: list[Any]) -> None:
    if trailers[0].data == "call":
        _check_known(name, BUILTINS.keys() | PREDICATES.keys())
    elif name == "sprig" and trailers[0].data == "member":
        _check_known(str(trailers[0].children[0]), SPRIG.keys(), "sprig.")


def _check_known(name: str, known: Iterable[str], prefix: str = "") -> None:
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {prefix}{close[0]}()?" if close else ""
        raise ExpressionError(f"unknown function {prefix}{name}(){hint}")
