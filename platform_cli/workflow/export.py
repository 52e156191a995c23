"""Which artifacts of a run are worth a copy, and what the copies are called. Pure; input is Argo's Workflow."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Export(NamedTuple):
    """One artifact that a step gave; `target` is relative: the step's name and a file or folder in it."""

    node: Mapping[str, Any]
    artifact: Mapping[str, Any]
    target: str


def list_exports(workflow: Mapping[str, Any]) -> list[Export]:
    """The output artifacts of a run's steps; of a retried step, those of its last attempt."""
    nodes: Mapping[str, Mapping[str, Any]] = workflow.get("status", {}).get("nodes") or {}
    attempts = {child: retry for retry in nodes.values() if retry["type"] == "Retry" for child in _children(retry)}
    found: list[Export] = []
    for node in sorted(nodes.values(), key=lambda node: node.get("startedAt") or "~"):
        retry = attempts.get(node["id"])
        is_last = retry is None or _children(retry)[-1] == node["id"]
        if node["type"] == "Pod" and is_last:
            found += _list_outputs(node, str((retry or node)["displayName"]))
    return found


def _children(node: Mapping[str, Any]) -> list[str]:
    return list(node.get("children") or ())


def _list_outputs(node: Mapping[str, Any], step: str) -> Iterator[Export]:
    taken: set[str] = set()
    for artifact in (node.get("outputs") or {}).get("artifacts") or ():
        name = posixpath.basename(str(artifact.get("path") or "").rstrip("/")) or _name_log(artifact)
        name = name if name not in taken else f"{artifact['name']}-{name}"
        taken.add(name)
        yield Export(node, artifact, f"{step.replace('/', '-')}/{name}")


def _name_log(artifact: Mapping[str, Any]) -> str:
    """Argo keeps a container's log as an artifact without a path, called `main-logs`."""
    name = str(artifact["name"])
    return f"{name.removesuffix('-logs')}.log" if name.endswith("-logs") else name
