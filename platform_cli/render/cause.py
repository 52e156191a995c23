"""Which step made a run fail: what a later attempt healed, or what the graph went past, did not. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_cli.workflow.attempt import list_attempts

if TYPE_CHECKING:
    from collections.abc import Mapping

    _Node = Mapping[str, Any]
    _Nodes = Mapping[str, Mapping[str, Any]]

_FAILED = ("Failed", "Error")
_LEAVES = ("Pod", "Suspend")
_HANDLERS = (".onExit", ".hooks.")


def find_cause(workflow: Mapping[str, Any]) -> _Node | None:
    """The leaf node to blame for a failed run: the first that nothing made good; steps before handlers.

    An attempt stands for its step when it is the last one and no attempt succeeded. A failure that the graph went past
    (`continueOn`, `depends: step.Failed`) is no cause. None when no leaf is to blame.
    """
    nodes = (workflow.get("status", {}).get("nodes") or {}).values()
    by_id = {node["id"]: node for node in nodes}
    failed = [node for node in nodes if node["phase"] in _FAILED and node["type"] in _LEAVES]
    blamed = [node for node in failed if not _was_made_good(node, by_id)]
    return min(blamed, key=lambda node: (_is_handler(node), node.get("finishedAt") or "~"), default=None)


def name_step(node: _Node, nodes: _Nodes) -> str:
    """The step as its author wrote it: an attempt has the name of what was tried."""
    return str((_find_retry(node, nodes) or node)["displayName"])


def _was_made_good(leaf: _Node, nodes: _Nodes) -> bool:
    """Whether the run got over it at any level: the node itself, the step it is an attempt of, the groups around."""
    node: _Node | None = leaf
    while node is not None:
        retry = _find_retry(node, nodes)
        is_last = retry is None or list_attempts(retry, nodes)[-1:] == [node["id"]]
        if node["phase"] == "Succeeded" or not is_last or _went_on(node, nodes):
            return True
        node = retry or nodes.get(node.get("boundaryID") or "")
    return False


def _find_retry(node: _Node, nodes: _Nodes) -> _Node | None:
    """What a node is an attempt of, if it is one."""
    return next((other for other in nodes.values() if node["id"] in list_attempts(other, nodes)), None)


def _went_on(node: _Node, nodes: _Nodes) -> bool:
    """Whether anything that comes after a node was not left out; handlers run whatever happened."""
    ends = (
        node.get("outboundNodes")
        or list_attempts(node, nodes)[-1:]
        or ([node["id"]] if node["type"] in _LEAVES else [])
    )
    after = [id_ for end in ends for id_ in nodes.get(end, {}).get("children") or ()]
    seen: set[str] = set()
    while after:
        id_ = after.pop()
        if id_ in nodes and id_ not in seen and not _is_handler(nodes[id_]):
            seen.add(id_)
            if nodes[id_]["phase"] != "Omitted":
                return True
            after += nodes[id_].get("children") or ()
    return False


def _is_handler(node: _Node) -> bool:
    return any(word in node["name"] for word in _HANDLERS)
