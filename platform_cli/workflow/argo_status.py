"""What a Workflow object says about its nodes, and the events between two looks at it. Pure."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from platform_cli.errors import StateError
from platform_cli.events import Event, NodeFinished, NodeStarted, Notice, RunFinished, RunStarted
from platform_cli.workflow.argo_api import OVER, RESUMED_AT, TEMPLATE_LABEL
from platform_cli.workflow.attempt import list_attempts
from platform_cli.workflow.interface import WorkflowObject

NodeObject = Mapping[str, Any]
Explain = Callable[[WorkflowObject, NodeObject], str]
"""Why a node failed, or what it waits for, in one line."""

FULFILLED = ("Succeeded", "Failed", "Error", "Skipped", "Omitted")
FAILED = ("Failed", "Error")
_NEVER_RUN = ("Skipped", "Omitted")
_ATTEMPT = re.compile(r"\(\d+\)$")
_UNSEEN = ("storedTemplates", "storedWorkflowTemplateSpec")


def is_over(workflow: WorkflowObject) -> bool:
    """Whether nothing more will happen to a run."""
    return (workflow.get("status") or {}).get("phase") in OVER


def unpack(workflow: WorkflowObject) -> WorkflowObject:
    """The Workflow with its nodes as plain data, however the controller has stored them.

    Raises:
        StateError: the nodes are in the controller's own database.
    """
    status = dict(workflow.get("status") or {})
    if status.get("offloadNodeStatusVersion"):
        name = workflow["metadata"]["name"]
        hint = "set ARGO_SERVER and ARGO_TOKEN: Argo's server can read them"
        raise StateError(f"run {name}: its steps are kept in the controller's database", hint=hint)
    if packed := status.pop("compressedNodes", ""):
        status["nodes"] = json.loads(gzip.decompress(base64.b64decode(packed)))
    return {**workflow, "status": status}


def present(workflow: WorkflowObject) -> WorkflowObject:
    """A run as both engines show it: no bookkeeping of the API, and not the templates a second time."""
    whole = unpack(workflow)
    metadata = {key: value for key, value in whole["metadata"].items() if key != "managedFields"}
    status = {key: value for key, value in whole["status"].items() if key not in _UNSEEN}
    if status.get("nodes"):
        status["nodes"] = {id_: _translate(node) for id_, node in status["nodes"].items()}
    return {**whole, "metadata": metadata, "status": {"phase": "Pending", **_known(status)}}


def summarise(workflow: WorkflowObject) -> WorkflowObject:
    """A run for a list: without its nodes."""
    metadata = {key: value for key, value in workflow["metadata"].items() if key != "managedFields"}
    unseen = (*_UNSEEN, "nodes", "compressedNodes")
    status = {key: value for key, value in (workflow.get("status") or {}).items() if key not in unseen}
    return {**workflow, "metadata": metadata, "status": {"phase": "Pending", **_known(status)}}


def reuse_of(node: NodeObject) -> Mapping[str, Any]:
    """Whether a node took earlier outputs and why, as the local engine tells it; empty when that is not known."""
    memo = node.get("memoizationStatus")
    if not memo:
        return node.get("reuse") or {}
    cache, key, is_hit = memo.get("cacheName", ""), memo.get("key", ""), bool(memo.get("hit"))
    return {"hit": is_hit, "reason": f"{'memoized' if is_hit else 'nothing memoized'} in {cache} as {key}", "key": key}


def _translate(node: NodeObject) -> dict[str, Any]:
    """A node with `reuse` in place of Argo's own word for it."""
    reuse = {"reuse": reuse_of(node)} if "memoizationStatus" in node else {}
    return {key: value for key, value in node.items() if key != "memoizationStatus"} | reuse


def _known(status: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in status.items() if value not in (None, "")}


def list_nodes(workflow: WorkflowObject) -> list[NodeObject]:
    """All nodes in the order in which they began."""
    nodes = (workflow.get("status") or {}).get("nodes") or {}
    return sorted(nodes.values(), key=lambda node: (node.get("startedAt") or "~", node["name"]))


def list_pods(workflow: WorkflowObject, step: str | None = None) -> list[NodeObject]:
    """The nodes that are pods; with `step`, those that answer to it."""
    nodes = [node for node in list_nodes(workflow) if node["type"] == "Pod"]
    return [node for node in nodes if step is None or step in _answers(node)]


def _answers(node: NodeObject) -> tuple[str, ...]:
    display = str(node.get("displayName", ""))
    return (display, node["name"], node["id"], template_name(node), display.partition("(")[0])


def has_ended(workflow: WorkflowObject | None, node: NodeObject) -> bool:
    """Whether a node will do no more, by a later look at its run; None is a run that is gone."""
    nodes = (unpack(workflow)["status"].get("nodes") or {}) if workflow else {}
    return node["id"] not in nodes or nodes[node["id"]]["phase"] in FULFILLED


def template_name(node: NodeObject) -> str:
    """The template that a node runs."""
    return str(node.get("templateName") or (node.get("templateRef") or {}).get("template") or "")


def name_workflow(workflow: WorkflowObject) -> str:
    """The WorkflowTemplate a run came from, else the run itself."""
    metadata = workflow["metadata"]
    return str((metadata.get("labels") or {}).get(TEMPLATE_LABEL) or metadata["name"])


class Teller:
    """Turns looks at one run into events, each told once.

    Args:
        explain: why a failed node failed, or what a pending one waits for.
    """

    def __init__(self, explain: Explain) -> None:
        self.explain = explain
        self.phases: dict[str, str] = {}
        self.waits: dict[str, str] = {}
        self.has_begun = False

    def tell(self, workflow: WorkflowObject) -> Iterator[Event]:
        """The events since the last look."""
        run, label = str(workflow["metadata"]["name"]), name_workflow(workflow)
        if not self.has_begun:
            self.has_begun = True
            yield RunStarted(run=run, workflow=label)
        changed = [node for node in list_nodes(workflow) if self.phases.get(node["id"]) != node["phase"]]
        for node in changed:
            yield from self._tell_start(run, node)
        for node in sorted(changed, key=_by_end):
            self.phases[node["id"]] = node["phase"]
            if node["phase"] in FULFILLED:
                yield self._finished(workflow, node)
        yield from self._tell_waits(workflow)
        if is_over(workflow):
            yield self._ended(workflow, label)

    def _tell_start(self, run: str, node: NodeObject) -> Iterator[Event]:
        has_started = self.phases.get(node["id"], "Pending") != "Pending"
        if node["phase"] == "Pending" or node["phase"] in _NEVER_RUN or has_started:
            return
        within = str(node.get("boundaryID") or "")
        yield NodeStarted(run=run, node=node["id"], name=node["displayName"], kind=kind_of(node), within=within)
        if node["type"] == "Suspend" and node["phase"] == "Running":
            hint = f"continue it with: mlops pipeline submit --resume {run}"
            yield Notice(level="hint", text=f"{node['displayName']} waits for a person; {hint}")

    def _finished(self, workflow: WorkflowObject, node: NodeObject) -> NodeFinished:
        message = str(node.get("message") or "")
        return NodeFinished(
            run=workflow["metadata"]["name"],
            node=node["id"],
            name=node["displayName"],
            kind=kind_of(node),
            phase=node["phase"],
            seconds=seconds_of(node),
            message=self.explain(workflow, node) if node["phase"] in FAILED else message,
            summary=_find_summary(node),
            reused=_why_reused(workflow, node),
        )

    def _tell_waits(self, workflow: WorkflowObject) -> Iterator[Event]:
        for node in list_pods(workflow):
            if node["phase"] == "Pending" and node.get("message"):
                reason = self.explain(workflow, node)
                if reason and self.waits.get(node["id"]) != reason:
                    self.waits[node["id"]] = reason
                    yield Notice(level="warning", text=f"{node['displayName']} waits: {reason}")

    def _ended(self, workflow: WorkflowObject, label: str) -> RunFinished:
        status = workflow["status"]
        return RunFinished(
            run=workflow["metadata"]["name"],
            workflow=label,
            phase=status["phase"],
            seconds=seconds_of(status),
            message=str(status.get("message") or ""),
        )


def kind_of(node: NodeObject) -> str:
    """The node's type, for events; an attempt of a retried template is told from a step of its own."""
    is_attempt = (node.get("nodeFlag") or {}).get("retried") or _ATTEMPT.search(node["name"])
    return "Attempt" if node["type"] == "Pod" and is_attempt else str(node["type"])


def seconds_of(status: Mapping[str, Any]) -> float:
    """How long a run or node took; 0 before its end is known."""
    begin, end = status.get("startedAt"), status.get("finishedAt")
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds() if begin and end else 0.0


def _by_end(node: NodeObject) -> tuple[str, bool, str]:
    """By end; a group ends in the same second as its last step, and after it."""
    return (node.get("finishedAt") or "~", node["type"] != "Pod", node["name"])


def _find_summary(node: NodeObject) -> str:
    parameters = (node.get("outputs") or {}).get("parameters") or ()
    return next((str(item.get("value", "")) for item in parameters if item["name"] == "summary"), "")


def _why_reused(workflow: WorkflowObject, node: NodeObject) -> str:
    attempts = list_attempts(node, workflow["status"]["nodes"])
    reuse = reuse_of(node) or (reuse_of(workflow["status"]["nodes"][attempts[-1]]) if attempts else {})
    if reuse.get("hit"):
        return str(reuse["reason"])
    resumed = (workflow["metadata"].get("annotations") or {}).get(RESUMED_AT, "")
    is_kept = resumed and node["phase"] == "Succeeded" and (node.get("finishedAt") or "~") <= resumed
    return "succeeded before the run was resumed" if is_kept else ""
