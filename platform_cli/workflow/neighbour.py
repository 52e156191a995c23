"""The templates in the files beside a manifest: those that it refers to, and those that these refer to in turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from platform_cli.errors import LintError
from platform_cli.workflow.model import TEMPLATE_KINDS
from platform_cli.workflow.source import Manifest, load_manifests

_REFERENCES = ("templateRef", "workflowTemplateRef")
_Key = tuple[str, str]
"""Kind and name."""


def load_library(path: Path, manifests: Iterable[Manifest]) -> list[Manifest]:
    """What `manifests`, which are the file `path`, need of the files beside it; nothing else there is looked at twice.

    A reference that nothing here answers may be to a template that is on the cluster already. A name that is made while
    the run goes on may be anybody's: every template beside the file is needed then.

    Raises:
        LintError: a file that may hold what is referred to cannot be read.
    """
    own = {_key_of(manifest) for manifest in manifests}
    waiting = [key for manifest in manifests for key in _list_references(manifest.data)]
    known, broken = _read_beside(path) if waiting else ({}, [])
    found: dict[_Key, Manifest] = {}
    while waiting:
        key = waiting.pop(0)
        if "{{" in key[1]:
            waiting += known
        elif key in known and key not in own and key not in found:
            found[key] = known[key]
            waiting += _list_references(known[key].data)
        elif key not in own and key not in known:
            _refuse_broken(key[1], broken)
    return list(found.values())


def _read_beside(path: Path) -> tuple[dict[_Key, Manifest], list[tuple[str, LintError]]]:
    """Templates by kind and name, and the text and the fault of files that cannot be read."""
    known: dict[_Key, Manifest] = {}
    broken = []
    for file in sorted((*path.parent.glob("*.yaml"), *path.parent.glob("*.yml"))):
        text = file.read_text(encoding="utf-8", errors="replace")
        if file.resolve() == path.resolve() or "argoproj.io" not in text:
            continue
        try:
            manifests = load_manifests(file)
        except LintError as error:
            broken.append((text, error))
            continue
        for manifest in manifests:
            if manifest.data.get("kind") in TEMPLATE_KINDS:
                known.setdefault(_key_of(manifest), manifest)
    return known, broken


def _refuse_broken(name: str, broken: Iterable[tuple[str, LintError]]) -> None:
    for text, error in broken:
        if name in text:
            raise error


def _key_of(manifest: Manifest) -> _Key:
    metadata = manifest.data.get("metadata")
    name = metadata.get("name", "") if isinstance(metadata, dict) else ""
    return str(manifest.data.get("kind", "")), str(name)


def _list_references(value: Any) -> Iterator[_Key]:
    """Kind and name of every template that plain data refers to."""
    if isinstance(value, list):
        for item in value:
            yield from _list_references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in _REFERENCES and isinstance(item, dict):
                kind = "ClusterWorkflowTemplate" if item.get("clusterScope") else "WorkflowTemplate"
                yield kind, str(item.get("name", ""))
            else:
                yield from _list_references(item)
