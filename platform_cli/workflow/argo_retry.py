"""What to change in an ended or suspended Workflow so that the controller goes on with it, as `argo retry` does. Pure.

Argo keeps a run's state in the object itself: a failed node that is gone is made anew, a group that is Running again is
looked at again, and what succeeded stays.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from platform_cli.errors import StateError
from platform_cli.workflow.argo_api import COMPLETED_LABEL, RESUMED_AT
from platform_cli.workflow.argo_status import FAILED, unpack
from platform_cli.workflow.interface import WorkflowObject
from platform_cli.workflow.node import node_id

_ARCHIVING_LABEL = "workflows.argoproj.io/workflow-archiving-status"
_PHASE_LABEL = "workflows.argoproj.io/phase"
_GROUPS = ("DAG", "Steps", "StepGroup", "TaskGroup", "Retry")
_LEAVES = ("Pod", "Suspend", "HTTP", "Plugin", "Container")
_MOST_PREFIX = 242
_Nodes = Mapping[str, Mapping[str, Any]]


class Reopening(NamedTuple):
    """A merge patch for the Workflow, and the pods that have to be gone first."""

    patch: dict[str, Any]
    pods: tuple[str, ...]


def reopen(workflow: WorkflowObject, moment: str) -> Reopening:
    """Open an ended run again at `moment` (RFC 3339)."""
    whole = unpack(workflow)
    run, nodes = whole["metadata"]["name"], whole["status"].get("nodes") or {}
    gone = _list_gone(run, nodes)
    opened = _list_opened(nodes, gone)
    changed: dict[str, dict[str, Any] | None] = dict.fromkeys(gone)
    for id_, node in nodes.items():
        if id_ not in gone and (id_ in opened or gone & {*_ids(node, "children"), *_ids(node, "outboundNodes")}):
            changed[id_] = _reset(node, gone, moment if id_ in opened else "")
    pods = tuple(pod_name(whole, nodes[id_]) for id_ in gone if nodes[id_]["type"] == "Pod")
    completed = {"type": "Completed", "status": "False"}
    others = [
        item for item in whole["status"].get("conditions") or () if item["type"] not in ("Completed", "PodRunning")
    ]
    status = {
        "phase": None,
        "message": None,
        "startedAt": moment,
        "finishedAt": None,
        "conditions": [*others, completed],
        "persistentVolumeClaims": None,
        **_store(workflow, nodes, changed),
    }
    if (whole["status"].get("storedWorkflowTemplateSpec") or {}).get("shutdown"):
        status["storedWorkflowTemplateSpec"] = {"shutdown": None}
    patch = _locked(workflow, {"spec": {"shutdown": None}, "status": status})
    patch["metadata"]["labels"] = {COMPLETED_LABEL: None, _ARCHIVING_LABEL: None, _PHASE_LABEL: "Running"}
    patch["metadata"]["annotations"] = {RESUMED_AT: moment}
    return Reopening(patch, pods)


def wake(workflow: WorkflowObject, moment: str) -> dict[str, Any]:
    """Let every suspended node of a run go on.

    Raises:
        StateError: one of them waits for a value that nobody has given.
    """
    nodes = unpack(workflow)["status"].get("nodes") or {}
    changed: dict[str, dict[str, Any] | None] = {
        id_: {**node, "phase": "Succeeded", "finishedAt": moment, "outputs": _supply(node)}
        for id_, node in nodes.items()
        if is_suspended(node)
    }
    return _locked(workflow, {"spec": {"suspend": None}, "status": _store(workflow, nodes, changed)})


def is_suspended(node: Mapping[str, Any]) -> bool:
    """Whether a node waits for a person or a time."""
    return bool(node["type"] == "Suspend" and node["phase"] == "Running")


def pod_name(workflow: WorkflowObject, node: Mapping[str, Any]) -> str:
    """The name that the controller gives to a node's pod."""
    run = str(workflow["metadata"]["name"])
    version = (workflow["metadata"].get("annotations") or {}).get("workflows.argoproj.io/pod-name-format", "v2")
    if version == "v1" or node["name"] == run:
        return str(node["id"])
    template = node.get("templateName") or (node.get("templateRef") or {}).get("template") or ""
    prefix = f"{run}-{template}" if template else run
    return f"{prefix[:_MOST_PREFIX]}-{node_id(run, node['name']).rpartition('-')[2]}"


def _list_gone(run: str, nodes: _Nodes) -> set[str]:
    """What is made anew: what failed (unless the run went on after it), what came after it, and handlers."""
    failed = {
        id_
        for id_, node in nodes.items()
        if node["phase"] in FAILED and node["type"] in _LEAVES and not _went_on(_tried(node, nodes), nodes)
    }
    handlers = {id_ for id_, node in nodes.items() if node["name"].startswith(f"{run}.onExit")}
    tried = {_tried(nodes[id_], nodes)["id"] for id_ in failed}
    return {*failed, *handlers, *_descend(tried, nodes)}


def _tried(node: Mapping[str, Any], nodes: _Nodes) -> Mapping[str, Any]:
    """The Retry node of an attempt; any other node itself."""
    parents = (other for other in nodes.values() if other["type"] == "Retry" and node["id"] in _ids(other, "children"))
    return next(parents, node)


def _went_on(node: Mapping[str, Any], nodes: _Nodes) -> bool:
    return any(nodes[id_]["phase"] == "Succeeded" for id_ in _descend([node["id"]], nodes))


def _descend(ids: Iterable[str], nodes: _Nodes) -> set[str]:
    """Everything below `ids`, themselves not included unless something leads back to them."""
    found: set[str] = set()
    stack = [child for id_ in ids for child in _ids(nodes[id_], "children")]
    while stack:
        id_ = stack.pop()
        if id_ in nodes and id_ not in found:
            found.add(id_)
            stack += _ids(nodes[id_], "children")
    return found


def _list_opened(nodes: _Nodes, gone: set[str]) -> set[str]:
    """The groups around what is gone: they have to be looked at again."""
    opened: set[str] = set()
    stack = list(gone)
    while stack:
        id_ = stack.pop()
        around = {str(nodes[id_].get("boundaryID") or "")}
        around |= {p for p, node in nodes.items() if node["type"] in _GROUPS and id_ in _ids(node, "children")}
        fresh = {p for p in around if p in nodes and p not in opened and p not in gone}
        opened |= fresh
        stack += fresh
    return opened | {id_ for id_, node in nodes.items() if node["type"] in _GROUPS and node["phase"] in FAILED} - gone


def _reset(node: Mapping[str, Any], gone: set[str], moment: str) -> dict[str, Any]:
    """A node without links to what is gone; one that is opened (at `moment`) runs again."""
    links = {
        field: [id_ for id_ in _ids(node, field) if id_ not in gone] or None for field in ("children", "outboundNodes")
    }
    opened = {"phase": "Running", "message": None, "startedAt": moment, "finishedAt": None} if moment else {}
    return {**node, **links, **opened}


def _ids(node: Mapping[str, Any], field: str) -> list[str]:
    return list(node.get(field) or ())


def _store(workflow: WorkflowObject, nodes: _Nodes, changed: Mapping[str, dict[str, Any] | None]) -> dict[str, Any]:
    """The nodes as the controller had stored them: plain, or packed when they were."""
    if not (workflow.get("status") or {}).get("compressedNodes"):
        return {"nodes": dict(changed)}
    whole = {id_: _without_none(node) for id_, node in {**nodes, **changed}.items() if node is not None}
    packed = base64.b64encode(gzip.compress(json.dumps(whole).encode())).decode()
    return {"compressedNodes": packed}


def _without_none(node: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if value is not None}


def _locked(workflow: WorkflowObject, patch: dict[str, Any]) -> dict[str, Any]:
    """Refused by the API when somebody else has changed the object since we read it."""
    return {"metadata": {"resourceVersion": workflow["metadata"]["resourceVersion"]}, **patch}


def _supply(node: Mapping[str, Any]) -> dict[str, Any] | None:
    outputs = node.get("outputs")
    if not outputs:
        return None
    return {**outputs, "parameters": [_default(node, parameter) for parameter in outputs.get("parameters") or ()]}


def _default(node: Mapping[str, Any], parameter: Mapping[str, Any]) -> dict[str, Any]:
    source = parameter.get("valueFrom") or {}
    if "supplied" not in source:
        return dict(parameter)
    if source.get("default") is None:
        hint = (
            f"give it: argo node set RUN --node-field-selector displayName={node['displayName']} --output-parameter …"
        )
        raise StateError(f"{node['displayName']} waits for a value of {parameter['name']}", hint=hint)
    return {"name": parameter["name"], "value": source["default"]}
