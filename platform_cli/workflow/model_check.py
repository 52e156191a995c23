"""Why a document is not what the model accepts: every reason at once, each with its place and what to write instead.

Runs only after the fast conversion has failed, so it may take its time.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect as shape

from platform_cli.workflow.finding import Finding, Pointer
from platform_cli.workflow.model_refused import REFUSED
from platform_cli.workflow.source import Manifest

_WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
}
_SCALAR_TYPES: dict[type[shape.Type], tuple[type, ...]] = {
    shape.BoolType: (bool,),
    shape.IntType: (int,),
    shape.FloatType: (int, float),
    shape.StrType: (str,),
    shape.ListType: (list,),
    shape.VarTupleType: (list,),
    shape.DictType: (dict,),
    shape.StructType: (dict,),
}


def explain(data: dict[str, Any], target: type[msgspec.Struct], manifest: Manifest) -> tuple[Finding, ...]:
    """Everything that keeps `data` from being a `target`."""
    return tuple(_Check(manifest).value(data, shape.type_info(target), ()))


class _Check:
    """Walks data and type side by side."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest

    def value(self, value: Any, kind: shape.Type, pointer: Pointer) -> Iterator[Finding]:
        if isinstance(kind, shape.AnyType):
            return
        options = _options(kind)
        match = next((option for option in options if _accepts(option, value)), None)
        if match is None:
            yield self._wrong_type(value, options, pointer)
        elif isinstance(match, shape.StructType):
            yield from self._struct(value, match, pointer)
        elif isinstance(match, (shape.VarTupleType, shape.ListType)):
            for index, item in enumerate(value):
                yield from self.value(item, match.item_type, (*pointer, index))
        elif isinstance(match, shape.DictType):
            for key, item in value.items():
                yield from self.value(item, match.value_type, (*pointer, key))

    def _struct(self, value: dict[str, Any], kind: shape.StructType, pointer: Pointer) -> Iterator[Finding]:
        fields = {field.encode_name: field for field in kind.fields}
        for key, item in value.items():
            if key in fields:
                yield from self.value(item, fields[key].type, (*pointer, key))
            else:
                yield self._unknown(key, kind, (*pointer, key))
        for name, field in fields.items():
            if field.required and name not in value:
                hint = _MISSING_HINTS.get(name, f"add `{name}:`")
                yield self.manifest.finding((*pointer, name), "is missing", hint)

    def _unknown(self, key: str, kind: shape.StructType, pointer: Pointer) -> Finding:
        for struct in kind.cls.__mro__:
            refused = REFUSED.get((struct.__name__, key))
            if refused:
                return self.manifest.finding(pointer, *refused)
        return self.manifest.finding(pointer, "unknown field", _suggestion(key, kind))

    def _wrong_type(self, value: Any, options: tuple[shape.Type, ...], pointer: Pointer) -> Finding:
        literals = [str(item) for option in options if isinstance(option, shape.LiteralType) for item in option.values]
        if literals:
            return self.manifest.finding(pointer, f"{value!r} is not possible here", _choices(str(value), literals))
        wanted = " or ".join(dict.fromkeys(_word(option) for option in options))
        is_scalar = isinstance(value, (bool, int, float))
        hint = "write it in quotes" if wanted == "text" and is_scalar else ""
        if hint and isinstance(value, bool):
            hint += ": YAML reads y, n, yes, no, on and off as true or false"
        if isinstance(value, str) and wanted in ("a whole number", "true or false"):
            hint = "a tag cannot stand here; write the value itself" if "{{" in value else "write it without quotes"
        return self.manifest.finding(pointer, f"must be {wanted}, is {_WORDS[type(value)]}", hint)


_MISSING_HINTS = {
    "apiVersion": "add `apiVersion: argoproj.io/v1alpha1`",
    "kind": "add `kind: WorkflowTemplate`",
    "spec": "add `spec:` with `entrypoint:` and `templates:`",
}


def _options(kind: shape.Type) -> tuple[shape.Type, ...]:
    types = kind.types if isinstance(kind, shape.UnionType) else (kind,)
    return tuple(option for option in types if not isinstance(option, shape.NoneType))


def _accepts(kind: shape.Type, value: Any) -> bool:
    if isinstance(kind, shape.LiteralType):
        return value in kind.values
    if isinstance(value, bool):
        return isinstance(kind, shape.BoolType)
    return isinstance(value, _SCALAR_TYPES[type(kind)])


def _word(kind: shape.Type) -> str:
    return _WORDS[_SCALAR_TYPES[type(kind)][-1]]


def _choices(value: str, literals: list[str]) -> str:
    close = difflib.get_close_matches(value, literals, n=1)
    return f"did you mean {close[0]}?" if close else f"one of {', '.join(filter(None, literals))}"


def _suggestion(key: str, kind: shape.StructType) -> str:
    names = [field.encode_name for field in kind.fields]
    exact = next((name for name in names if name.lower() == key.replace("_", "").lower()), None)
    close = [exact] if exact else difflib.get_close_matches(key, names, n=1, cutoff=0.75)
    if close:
        return f"did you mean `{close[0]}`?"
    homes = _homes().get(key)
    if homes:
        return f"`{key}` belongs in {' or '.join(homes[:3])}"
    loose = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    return f"did you mean `{loose[0]}`?" if loose else f"known here: {', '.join(sorted(names)[:12])}"


@cache
def _homes() -> dict[str, list[str]]:
    """Field name to the members that own a field of that name."""
    from platform_cli.workflow.model import Workflow

    homes: dict[str, list[str]] = {}
    seen: set[type] = set()
    waiting: list[tuple[str, shape.Type]] = [("the document", shape.type_info(Workflow))]
    while waiting:
        owner, kind = waiting.pop(0)
        if isinstance(kind, shape.StructType) and kind.cls not in seen:
            seen.add(kind.cls)
            for field in kind.fields:
                homes.setdefault(field.encode_name, []).append(owner)
                waiting.append((f"`{field.encode_name}`", field.type))
        waiting.extend((owner, inner) for inner in _inner(kind))
    return homes


def _inner(kind: shape.Type) -> tuple[shape.Type, ...]:
    if isinstance(kind, shape.UnionType):
        return kind.types
    if isinstance(kind, (shape.VarTupleType, shape.ListType)):
        return (kind.item_type,)
    return (kind.value_type,) if isinstance(kind, shape.DictType) else ()
