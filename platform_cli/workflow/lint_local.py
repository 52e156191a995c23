"""What a cluster does and the local engine would silently leave out."""

from __future__ import annotations

from collections.abc import Iterator

from platform_cli.workflow.finding import Finding, Pointer
from platform_cli.workflow.source import Manifest

_OF_TEMPLATES = ("synchronization", "http")
_OF_SPECS = (*_OF_TEMPLATES, "shutdown", "suspend")


def lint_local(manifest: Manifest) -> Iterator[Finding]:
    """Findings about fields that only a cluster honours."""
    for pointer in _list_pointers(manifest):
        yield manifest.finding(
            pointer, "is not supported by the local engine", "remove it, or run the workflow on a cluster"
        )


def _list_pointers(manifest: Manifest) -> Iterator[Pointer]:
    spec = manifest.data.get("spec")
    if not isinstance(spec, dict):
        return
    yield from (("spec", field) for field in _OF_SPECS if spec.get(field))
    templates = spec.get("templates")
    for index, template in enumerate(templates if isinstance(templates, list) else ()):
        if isinstance(template, dict):
            yield from (("spec", "templates", index, field) for field in _OF_TEMPLATES if template.get(field))
