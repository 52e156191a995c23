"""The texts of a document and the names they refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from platform_cli.workflow.finding import Pointer
from platform_cli.workflow.substitution import SubstitutionError, sole_tag, tags

EXPRESSION_KEYS = frozenset({"expression", "fromExpression"})
_BARE_KEYS = frozenset({"parameter", "from"})
_SKIPPED_KEYS = frozenset({"metrics", "affinity", "description"})
_SIMPLE_TAG = re.compile(r"\{\{[^{}]*\}\}")


@dataclass(frozen=True, slots=True)
class Text:
    """One text of the document and where it stands."""

    pointer: Pointer
    value: str

    @property
    def is_expression(self) -> bool:
        """Whether the whole text is an expression, with or without tags in it."""
        return self.pointer[-1] in EXPRESSION_KEYS and "withItems" not in self.pointer

    @property
    def is_bare_name(self) -> bool:
        """Whether the text may be a name without braces: `valueFrom.parameter` and an artifact's `from`."""
        return self.pointer[-1] in _BARE_KEYS and "{{" not in self.value

    @property
    def is_source(self) -> bool:
        """Whether this is the program of a script template."""
        return self.pointer[-2:] == ("script", "source")


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that a text refers to.

    `is_guarded`: an expression handles its absence. `is_sole`: the text is this one tag. `is_dynamic`: the name goes on
    with the value of another tag.
    """

    name: str
    text: Text
    is_guarded: bool = False
    is_sole: bool = False
    is_expression: bool = False
    is_dynamic: bool = False


def texts(value: Any, pointer: Pointer) -> Iterator[Text]:
    """Every text below `value` that can refer to something."""
    if isinstance(value, str):
        text = Text(pointer, value)
        if "{{" in value or text.is_expression or text.is_bare_name:
            yield text
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _SKIPPED_KEYS:
                yield from texts(item, (*pointer, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts(item, (*pointer, index))


def references(text: Text) -> Iterator[Reference]:
    """The names a text refers to.

    Raises:
        ExpressionError: an expression in it does not parse.
        SubstitutionError: a `{{` without `}}`.
    """
    if text.is_bare_name:
        yield Reference(text.value.strip(), text, is_sole=True)
    elif text.is_expression:
        yield from _expression_references(_without_tags(text.value), text)
    for tag in tags(text.value):
        if tag.startswith("="):
            if not (text.is_expression and _is_wrapped(text.value)):
                yield from _expression_references(tag[1:], text)
        else:
            yield from _tag_references(tag, text)


def has_unclosed_tag(text: Text) -> bool:
    """Whether a `{{` has no `}}` behind it."""
    try:
        tags(text.value)
    except SubstitutionError:
        return True
    return False


def _expression_references(source: str, text: Text) -> Iterator[Reference]:
    from platform_cli.workflow.expression import compile_expression

    for name, is_guarded in compile_expression(source).references:
        yield Reference(name, text, is_guarded=is_guarded, is_expression=True)


def _tag_references(tag: str, text: Text) -> Iterator[Reference]:
    outer, braces, inner = tag.rpartition("{{")
    is_sole = sole_tag(text.value) is not None
    yield Reference(inner.strip() if not braces else inner, text, is_sole=is_sole)
    if braces and outer.rpartition("{{")[2].strip():
        yield Reference(outer.rpartition("{{")[2].strip(), text, is_dynamic=True)


def _without_tags(value: str) -> str:
    """An expression field's own expression; simple tags in it become a number, which fits bare and in quotes."""
    text = value.strip()
    return text[3:-2] if _is_wrapped(text) else _SIMPLE_TAG.sub("0", text)


def _is_wrapped(value: str) -> bool:
    text = value.strip()
    return text.startswith("{{=") and text.endswith("}}")
