"""Lint of single values: names, numbers, durations, choices, retry strategies."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from platform_cli.workflow.finding import Pointer
from platform_cli.workflow.lint_document import Document, did_you_mean
from platform_cli.workflow.model_container import IntOrString
from platform_cli.workflow.model_template import RetryStrategy
from platform_cli.workflow.model_value import Parameter

NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
VALUE_NAME = re.compile(r"[-a-zA-Z0-9_]+")
TAG = re.compile(r"\{\{.*?\}\}", re.DOTALL)
MAX_NAME = 128
_DURATION = re.compile(r"[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+")


def lint_names(document: Document, names: Iterable[tuple[str, Pointer]], word: str, pattern: re.Pattern[str]) -> None:
    """Names that are empty, malformed, too long or there twice; `word` says what they name."""
    listed = list(names)
    counts = Counter(name for name, _ in listed)
    seen: set[str] = set()
    for name, pointer in listed:
        if not name:
            document.error(pointer, f"the {word} has no name", "add `name:`")
        elif not pattern.fullmatch(TAG.sub("x", name)):
            allowed = "letters, digits, `-`" if pattern is NAME else "letters, digits, `-`, `_`"
            document.error(pointer, f"{name!r} cannot be the name of a {word}", f"use {allowed}")
        elif len(name) > MAX_NAME:
            document.error(pointer, f"the name is {len(name)} characters long", f"at most {MAX_NAME} are possible")
        elif counts[name] > 1 and name in seen:
            document.error(pointer, f"there is another {word} {name!r}", "give each a name of its own")
        seen.add(name)


def lint_duration(document: Document, value: IntOrString, pointer: Pointer, *, bare_numbers: bool) -> None:
    """A Go duration such as `1h30m`; a bare number of seconds only where Argo takes one."""
    text = str(value)
    is_number = text.isdecimal()
    if "{{" in text or not text or _DURATION.fullmatch(text) or (is_number and bare_numbers):
        return
    hint = f'write "{text}s"' if is_number else "write a number with ms, s, m or h, such as 90s or 1h30m"
    document.error(pointer, f"{text!r} is not a duration", hint)


def lint_number(document: Document, value: IntOrString, pointer: Pointer, *, least: int) -> None:
    """A whole number, or a text of one, or a tag."""
    text = str(value)
    if "{{" in text:
        return
    if not re.fullmatch(r"-?\d+", text) or int(text) < least:
        document.error(pointer, f"{text!r} is not a whole number of at least {least}")


def lint_retry(document: Document, retry: RetryStrategy, pointer: Pointer) -> None:
    """Limits and waits of a retry strategy."""
    if retry.limit is not None:
        lint_number(document, retry.limit, (*pointer, "limit"), least=0)
    if retry.backoff is None:
        return
    here = (*pointer, "backoff")
    for member, value in (
        ("duration", retry.backoff.duration),
        ("cap", retry.backoff.cap),
        ("maxDuration", retry.backoff.max_duration),
    ):
        lint_duration(document, value, (*here, member), bare_numbers=True)
    if retry.backoff.factor is not None:
        lint_number(document, retry.backoff.factor, (*here, "factor"), least=1)
    if retry.limit is None and retry.backoff.duration:
        message = "without `limit` the controller retries at once and without end: the wait is not applied"
        document.warning(here, message, "add `limit:`")


def lint_enum(document: Document, parameter: Parameter, pointer: Pointer) -> None:
    """A value or default that is not one of the parameter's own choices."""
    if not parameter.enum:
        return
    for member, value in (("value", parameter.value), ("default", parameter.default)):
        if value is not None and "{{" not in value and value not in parameter.enum:
            hint = did_you_mean(value, parameter.enum, f"one of {', '.join(parameter.enum)}")
            document.error((*pointer, member), f"{value!r} is not one of the values in `enum`", hint)
