"""Parameters are text: what YAML made of an unquoted `0.9` or `true` goes back to text, as Argo's AnyString does it."""

from __future__ import annotations

import math
from typing import Any

from platform_cli.workflow.finding import Finding, Pointer
from platform_cli.workflow.json_text import fixed_text
from platform_cli.workflow.source import Manifest

_TEXT_MEMBERS = ("value", "default", "enum")


def parameters_as_text(manifest: Manifest) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    """The manifest's data with every parameter's value, default and enum as text, and a warning where it was not."""
    conversion = _Conversion(manifest)
    return conversion.members(manifest.data, ()), tuple(conversion.notes)


def any_string(value: object) -> str:
    """A scalar as text: `1.0` becomes `1`, 1e3 becomes `1000`, true becomes `true`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value):
        return fixed_text(value)
    return str(value)


class _Conversion:
    """Walks one document; parts without a change are shared with the input."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.notes: list[Finding] = []

    def members(self, data: dict[str, Any], pointer: Pointer) -> dict[str, Any]:
        return {key: self.member(key, value, (*pointer, key)) for key, value in data.items()}

    def member(self, key: str, value: Any, pointer: Pointer) -> Any:
        if isinstance(value, dict):
            return self.members(value, pointer)
        if not isinstance(value, list) or key == "withItems":
            return value
        item = self.parameter if key == "parameters" else self.item
        return [item(entry, (*pointer, index)) for index, entry in enumerate(value)]

    def item(self, value: Any, pointer: Pointer) -> Any:
        return value if not isinstance(value, (dict, list)) else self.member("", value, pointer)

    def parameter(self, value: Any, pointer: Pointer) -> Any:
        if not isinstance(value, dict):
            return value
        source = value.get("valueFrom")
        if isinstance(source, dict):
            value = value | {"valueFrom": self.texts(source, (*pointer, "valueFrom"))}
        return self.texts(value, pointer)

    def texts(self, data: dict[str, Any], pointer: Pointer) -> dict[str, Any]:
        return {
            key: self.text(value, (*pointer, key)) if key in _TEXT_MEMBERS else value for key, value in data.items()
        }

    def text(self, value: Any, pointer: Pointer) -> Any:
        if isinstance(value, list):
            return [self.text(item, (*pointer, index)) for index, item in enumerate(value)]
        if not isinstance(value, (bool, int, float)):
            return value
        text = any_string(value)
        message = f'is not text; it is taken as "{text}"'
        hint = f'write "{text}" in quotes: a cluster with the full CRDs refuses anything else'
        self.notes.append(self.manifest.finding(pointer, message, hint, "warning"))
        return text
