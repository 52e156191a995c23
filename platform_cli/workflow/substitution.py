"""Argo's variables: `{{x.y}}` and `{{=expression}}` in any text of an object.

Substitution is textual on the object's JSON, as in the controller: a value is escaped and put between the quotes that
are already there. So a tag works in text members only, and which phase knows which names is the caller's business:

1. globals and locals (`workflow.*`, `pod.name`, `node.name`), unresolved tags stay;
2. `inputs.*` and the paths of outputs, unresolved tags stay;
3. in a dag or steps: `tasks.*` or `steps.*`, which must resolve (`strict`);
4. `item`; 5. `retries` and `lastRetry.*` per attempt; 6. `workflow.status` and `workflow.failures` in handlers only.

A name whose value is None is *absent* (an output of a node that was skipped or omitted, without a default of its own).
An absent value is an error that no retry heals, unless the expression handles it with `??`. Callers leave out an
argument that is nothing but such a tag when the input has a default (`sole_tag` tells); empty text is not absent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from platform_cli.workflow.json_text import escape_text, json_text

T = TypeVar("T")
Scope = Mapping[str, object]

LATE_NAMES = frozenset(
    {
        "item",
        "retries",
        "lastRetry.exitCode",
        "lastRetry.status",
        "lastRetry.duration",
        "lastRetry.message",
        "workflow.status",
        "workflow.failures",
    }
)
"""Names that only a later phase knows: an expression that needs one waits for it."""

_OPEN, _CLOSE, _EXPRESSION = "{{", "}}", "="
_HTML_ESCAPES = (("\\u003c", "<"), ("\\u003e", ">"), ("\\u0026", "&"))


class SubstitutionError(ValueError):
    """A tag that cannot be replaced: `tag` without braces. `absent` tells a skipped output from an unknown name."""

    def __init__(self, tag: str, message: str, *, absent: bool = False) -> None:
        super().__init__(message)
        self.tag = tag
        self.absent = absent


def substitute(value: T, scope: Scope, *, allow_unresolved: bool = False, strict: tuple[str, ...] = ()) -> T:
    """`value` (a model part, or plain JSON data) with the tags of all its texts replaced.

    Args:
        value: not changed; returned as it is when it holds no tag.
        scope: dotted name to text, to any JSON value (expressions only), or to None where the value is absent.
        allow_unresolved: leave tags that `scope` does not know; otherwise they are errors.
        strict: roots such as `tasks` whose tags must resolve although `allow_unresolved` is set; a tag of an output
            artifact may stay even then.

    Raises:
        SubstitutionError: a tag has to resolve and does not, its value is absent, or an expression fails.
    """
    encoded = msgspec.json.encode(value)
    if b"{{" not in encoded:
        return value
    replaced = substitute_text(encoded.decode(), scope, allow_unresolved=allow_unresolved, strict=strict, is_json=True)
    kind: Any = type(value) if isinstance(value, msgspec.Struct) else Any
    try:
        return msgspec.json.decode(replaced, type=kind)  # type: ignore[no-any-return]
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        message = f"the object is not valid any more after its variables were replaced: {error}"
        raise SubstitutionError("", message) from error


def substitute_text(
    text: str, scope: Scope, *, allow_unresolved: bool = False, strict: tuple[str, ...] = (), is_json: bool = False
) -> str:
    """As `substitute`, for one text; with `is_json` the text is JSON and values are escaped for it."""
    if _OPEN not in text:
        return text
    replacement = _Replacement(scope, allow_unresolved=allow_unresolved, strict=strict, is_json=is_json)
    return "".join(tag_text if not is_tag else replacement.tag(tag_text) for is_tag, tag_text in split_tags(text))


def split_tags(text: str) -> Iterator[tuple[bool, str]]:
    """The text in order: (False, literal) and (True, what stands between `{{` and the next `}}`).

    Raises:
        SubstitutionError: a `{{` without a `}}` behind it.
    """
    position = 0
    while (start := text.find(_OPEN, position)) >= 0:
        end = text.find(_CLOSE, start)
        if end < 0:
            raise SubstitutionError(text[start + 2 :][:40], f"`{{{{` without `}}}}`: {text[start:][:40]}")
        yield False, text[position:start]
        yield True, text[start + 2 : end]
        position = end + 2
    yield False, text[position:]


def tags(text: str) -> tuple[str, ...]:
    """What stands inside the tags of `text`, inner parts of nested tags not taken apart."""
    return tuple(tag for is_tag, tag in split_tags(text) if is_tag) if _OPEN in text else ()


def sole_tag(text: str) -> str | None:
    """The name in a text that is one simple tag and nothing else, such as `{{tasks.a.outputs.parameters.b}}`."""
    if not (text.startswith(_OPEN) and text.endswith(_CLOSE)):
        return None
    name = text[2:-2].strip()
    return None if _OPEN in name or _CLOSE in name or name.startswith(_EXPRESSION) else name


class _Replacement:
    """What one call of `substitute_text` knows."""

    def __init__(self, scope: Scope, *, allow_unresolved: bool, strict: tuple[str, ...], is_json: bool) -> None:
        self.scope = scope
        self.allow_unresolved = allow_unresolved
        self.strict = tuple(f"{root}." for root in strict)
        self.escape: Callable[[str], str] = escape_text if is_json else str
        self.is_json = is_json
        self.environment: dict[str, Any] | None = None

    def tag(self, tag: str) -> str:
        return self.expression(tag) if tag.startswith(_EXPRESSION) else self.simple(tag)

    def simple(self, tag: str) -> str:
        name = tag.strip()
        if name not in self.scope:
            return self.nested(tag)
        value = self.scope[name]
        if value is None:
            raise SubstitutionError(name, _absent(tag), absent=True)
        if not isinstance(value, str):
            raise SubstitutionError(name, f"{{{{{tag}}}}} is not text; use it in an expression: {{{{=…}}}}")
        return self.escape(value)

    def nested(self, tag: str) -> str:
        """Replaces the innermost of nested tags; what is around it resolves in a later pass."""
        outer, braces, inner = tag.rpartition(_OPEN)
        if not braces or inner not in self.scope:
            return self.unresolved(tag)
        value = self.scope[inner]
        if value is None:
            raise SubstitutionError(inner, _absent(inner), absent=True)
        return f"{_OPEN}{outer}{self.escape(value)}" if isinstance(value, str) else self.unresolved(tag)

    def unresolved(self, tag: str) -> str:
        name = tag.strip()
        if self.is_required(name) and not (self.allow_unresolved and ".outputs.artifacts." in name):
            raise SubstitutionError(name, f"failed to resolve {{{{{tag}}}}}")
        return f"{_OPEN}{tag}{_CLOSE}"

    def is_required(self, name: str) -> bool:
        return not self.allow_unresolved or f"{name}.".startswith(self.strict or ("\0",))

    def expression(self, tag: str) -> str:
        from platform_cli.workflow import expression

        source = self.unescaped(tag.removeprefix(_EXPRESSION))
        try:
            program = expression.compile_expression(source)
        except expression.ExpressionError as error:
            if self.allow_unresolved and not self.strict:
                return f"{_OPEN}{tag}{_CLOSE}"
            raise SubstitutionError(tag, f"failed to evaluate expression: {error}") from error
        environment = self.expanded()
        missing = program.missing(environment)
        for name in missing:
            if self.is_required(name):
                raise SubstitutionError(name, f"failed to evaluate expression: {name} is missing")
        may_stay = bool(missing) or (self.allow_unresolved and not self.strict)
        if may_stay and LATE_NAMES.intersection(missing):
            return f"{_OPEN}{tag}{_CLOSE}"
        return self.evaluated(tag, lambda: program.evaluate(environment), may_stay=may_stay)

    def evaluated(self, tag: str, evaluate: Callable[[], Any], *, may_stay: bool) -> str:
        from platform_cli.workflow.expression import ExpressionError

        try:
            result = evaluate()
            text = result if isinstance(result, str) else json_text(result)
        except (ExpressionError, ValueError) as error:
            if may_stay:
                return f"{_OPEN}{tag}{_CLOSE}"
            raise SubstitutionError(tag, f"failed to evaluate expression: {error}") from error
        if result is not None:
            return self.escape(text)
        if may_stay:
            return f"{_OPEN}{tag}{_CLOSE}"
        message = f"failed to evaluate expression {tag.removeprefix(_EXPRESSION).strip()!r}: its value is absent"
        raise SubstitutionError(tag, f"{message}; write `?? 'fallback'` behind it", absent=True)

    def unescaped(self, source: str) -> str:
        """The expression as people wrote it, before the object became JSON."""
        if not self.is_json:
            return source
        for escaped, plain in _HTML_ESCAPES:
            source = source.replace(escaped, plain)
        try:
            text: str = json.loads(f'"{source}"', strict=False)
        except ValueError:
            return source
        return text

    def expanded(self) -> dict[str, Any]:
        from platform_cli.workflow.expression import expand

        if self.environment is None:
            self.environment = expand(self.scope)
        return self.environment


def _absent(tag: str) -> str:
    reason = "the node was skipped or omitted and the output has no default"
    return f"unable to substitute {{{{{tag}}}}}: {reason}"
