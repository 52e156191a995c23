"""A workflow run for people: its tree of nodes, its line in a list, why it failed. Pure; input is Argo's Workflow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from platform_cli.render.line import Line, format_seconds, plain_message
from platform_cli.workflow.attempt import list_attempts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LIST_COLUMNS = ("run", "workflow", "phase", "started", "took")
_MARKS = {"Succeeded": "✓", "Failed": "✗", "Error": "✗", "Running": "●", "Pending": "○", "Skipped": "-", "Omitted": "-"}
_UNSEEN_KINDS = ("TaskGroup", "StepGroup")


def list_row(workflow: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    """One run in `LIST_COLUMNS`."""
    metadata, status = workflow["metadata"], workflow.get("status", {})
    started = status.get("startedAt") or ""
    return (metadata["name"], name_template(workflow), status.get("phase") or "Pending", started, format_took(status))


def name_template(workflow: Mapping[str, Any]) -> str:
    """The WorkflowTemplate a run came from; the run's own name when it had none."""
    reference = workflow.get("spec", {}).get("workflowTemplateRef") or {}
    labels = workflow["metadata"].get("labels") or {}
    return str(
        reference.get("name") or labels.get("workflows.argoproj.io/workflow-template") or workflow["metadata"]["name"]
    )


def format_took(status: Mapping[str, Any]) -> str:
    """How long a run or node took, or has taken so far; empty before it starts."""
    seconds = measure(status)
    return "" if seconds is None else format_seconds(seconds)


def measure(status: Mapping[str, Any]) -> float | None:
    """Seconds between start and end (now, when it has not ended); None before the start."""
    if not status.get("startedAt"):
        return None
    end = parse_time(status["finishedAt"]) if status.get("finishedAt") else datetime.now(UTC)
    return (end - parse_time(status["startedAt"])).total_seconds()


def parse_time(text: str) -> datetime:
    """Kubernetes' RFC 3339 time."""
    return datetime.fromisoformat(text)


def tree_lines(workflow: Mapping[str, Any], *, verbose: bool = False) -> list[str]:
    """The run's head line, then its nodes in the order they ran, indented below their parents.

    A reused step says from which run; `verbose` also tells why the others had to run.
    """
    status = workflow.get("status", {})
    message = plain_message(status.get("message") or "")
    head = Line(
        f"{name_template(workflow)}: {status.get('phase') or 'Pending'} {message}".rstrip(),
        _MARKS.get(status.get("phase", ""), "○"),
        workflow["metadata"]["name"],
        _seconds(status),
    )
    nodes = status.get("nodes") or {}
    why = {id_: _explain_reuse(node, nodes, verbose=verbose) for id_, node in nodes.items()}
    return [head.text, *_branch("", _group_nodes(nodes), why, depth=0)]


def _explain_reuse(node: Mapping[str, Any], nodes: Mapping[str, Any], *, verbose: bool) -> str:
    """Why a node was reused or not; a retry has its last attempt's reason."""
    attempts = list_attempts(node, nodes)
    reuse = node.get("reuse") or (nodes[attempts[-1]].get("reuse") if attempts else None) or {}
    if reuse.get("hit"):
        return f"(reused: {reuse['reason']})"
    return f"(ran: {reuse['reason']})" if verbose and reuse.get("reason") else ""


def _group_nodes(nodes: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Nodes by the node they are shown below ("" for the outermost); a retry's only attempt is not shown."""
    tried = {node["id"]: list_attempts(node, nodes) for node in nodes.values() if node["type"] == "Retry"}
    retries = {attempt: id_ for id_, attempts in tried.items() for attempt in attempts}
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for node in sorted(nodes.values(), key=lambda node: node.get("startedAt") or "~"):
        retry = retries.get(node["id"])
        if retry is None:
            groups.setdefault(node.get("boundaryID") or "", []).append(node)
        elif len(tried[retry]) > 1:
            groups.setdefault(retry, []).append(node)
    return groups


def _branch(
    parent: str, groups: Mapping[str, list[Mapping[str, Any]]], why: Mapping[str, str], *, depth: int
) -> Iterator[str]:
    for node in groups.get(parent, ()):
        is_seen = node["type"] not in _UNSEEN_KINDS and not (depth == 0 and node["id"] in groups)
        if is_seen:
            yield _node_line(node, why[node["id"]], depth)
        yield from _branch(node["id"], groups, why, depth=depth + is_seen)


def _node_line(node: Mapping[str, Any], why: str, depth: int) -> str:
    message = plain_message(node.get("message") or "")
    text = find_summary(node) if node["phase"] == "Succeeded" else message or node["phase"]
    detail = " ".join(part for part in (text, why) if part)
    label = "  " * depth + node["displayName"].rpartition(".")[2]
    return "  " + Line(detail, _MARKS.get(node["phase"], "○"), label, _seconds(node)).text


def _seconds(status: Mapping[str, Any]) -> float:
    seconds = measure(status)
    return -1.0 if seconds is None else seconds


def find_summary(node: Mapping[str, Any]) -> str:
    """The line that a step wrote about its own result, or nothing."""
    parameters = (node.get("outputs") or {}).get("parameters") or []
    return next((str(item.get("value", "")) for item in parameters if item["name"] == "summary"), "")
