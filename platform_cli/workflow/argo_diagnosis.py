"""Gathers what is known about a failed or waiting pod, once per node, and puts the reason into the node's message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from platform_cli.errors import MlopsError
from platform_cli.workflow.argo_api import WorkflowApi
from platform_cli.workflow.argo_failure import Evidence, explain_failure, explain_pending
from platform_cli.workflow.argo_log import find_last_line
from platform_cli.workflow.argo_status import FAILED, NodeObject, template_name
from platform_cli.workflow.interface import WorkflowObject


class Diagnosis:
    """Explains nodes of one run; what was found out about a node is kept.

    Args:
        api: asked for pods, what the cluster said about them, and logs.
    """

    def __init__(self, api: WorkflowApi) -> None:
        self._api = api
        self._reasons: dict[str, str] = {}
        self._waits: dict[str, str] = {}

    def explain(self, workflow: WorkflowObject, node: NodeObject) -> str:
        """Why a node failed, or what a pending one waits for."""
        message = str(node.get("message") or "")
        if node["phase"] == "Pending":
            reason = explain_pending(message)
            if reason:
                self._waits[node["id"]] = message
            return reason
        if node["type"] == "Pod":
            if node["id"] not in self._reasons:
                self._reasons[node["id"]] = explain_failure(self._gather(workflow, node))
            return self._reasons[node["id"]]
        return self._pass_on(workflow, node, message)

    def annotate(self, workflow: WorkflowObject) -> WorkflowObject:
        """The run with the reasons in the messages of its failed nodes."""
        status = workflow["status"]
        if status.get("phase") in (None, "Succeeded") or not status.get("nodes"):
            return workflow
        nodes = {
            id_: {**node, "message": self.explain(workflow, node)} if node["phase"] in FAILED else node
            for id_, node in status["nodes"].items()
        }
        return {**workflow, "status": {**status, "nodes": nodes}}

    def _pass_on(self, workflow: WorkflowObject, node: NodeObject, message: str) -> str:
        """A group's message that repeats a step's has the step's reason instead."""
        nodes = workflow["status"].get("nodes") or {}
        for child in (nodes[id_] for id_ in node.get("children") or () if id_ in nodes):
            words = str(child.get("message") or "")
            if child["type"] == "Pod" and child["phase"] in FAILED and words and words in message:
                return message.replace(words, self.explain(workflow, child))
        return message

    def _gather(self, workflow: WorkflowObject, node: NodeObject) -> Evidence:
        template = _find_template(workflow, node)
        container = template.get("container") or template.get("script") or {}
        message = str(node.get("message") or "")
        return Evidence(
            message=message,
            pod=self._find_pod(workflow, node),
            warnings=self._list_warnings(workflow, node),
            last_line=self._find_last_line(workflow, node) if "exit code" in message else "",
            deadline_s=str(template.get("activeDeadlineSeconds") or ""),
            memory=str(((container.get("resources") or {}).get("limits") or {}).get("memory") or ""),
        )

    # What a person may not read, or what is gone, must not hide the failure itself.
    def _find_pod(self, workflow: WorkflowObject, node: NodeObject) -> Mapping[str, Any]:
        try:
            return self._api.find_pod(workflow, node) or {}
        except MlopsError:
            return {}

    def _list_warnings(self, workflow: WorkflowObject, node: NodeObject) -> tuple[str, ...]:
        remembered = self._waits.get(node["id"], "")
        try:
            return (*self._api.list_warnings(workflow, node), *([remembered] if remembered else ()))
        except MlopsError:
            return (remembered,) if remembered else ()

    def _find_last_line(self, workflow: WorkflowObject, node: NodeObject) -> str:
        try:
            return find_last_line(self._api, workflow, node)
        except MlopsError:
            return ""


def _find_template(workflow: WorkflowObject, node: NodeObject) -> Mapping[str, Any]:
    """The template of a node, wherever the run has it from."""
    status, name = workflow.get("status") or {}, template_name(node)
    stored = status.get("storedTemplates") or {}
    listed = (
        *(workflow["spec"].get("templates") or ()),
        *((status.get("storedWorkflowTemplateSpec") or {}).get("templates") or ()),
        *(template for key, template in stored.items() if key.endswith(f"/{name}")),
    )
    return next((template for template in listed if template.get("name") == name), {})
