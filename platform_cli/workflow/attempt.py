"""Which nodes are the attempts of a Retry node. Pure; input is a Workflow's nodes by id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def list_attempts(node: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Ids of a Retry node's attempts, first to last; none for any other node.

    Argo may list what comes after a Retry among its children, too.
    """
    if node["type"] != "Retry":
        return []
    prefix = f"{node['name']}("
    known = (nodes[id_] for id_ in node.get("children") or () if id_ in nodes)
    return [child["id"] for child in known if child["name"].startswith(prefix) and child["name"].endswith(")")]
