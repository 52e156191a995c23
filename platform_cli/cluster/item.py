"""Changes objects as a list gave them, without knowing their kind before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from platform_cli.errors import NotFoundError
from platform_cli.events import Emit, Notice

if TYPE_CHECKING:
    from platform_cli.cluster.work import KubernetesObject
    from platform_cli.tools.kubernetes import Kubernetes


def describe(item: KubernetesObject) -> str:
    """Such as `Workflow argo/train-1`."""
    return f"{item['kind']} {key_of(item)}"


def key_of(item: KubernetesObject) -> str:
    """`namespace/name`, or the name alone of what has no namespace."""
    metadata = item["metadata"]
    return "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)


def is_leaving(item: KubernetesObject) -> bool:
    """Whether somebody asked for its end."""
    return bool(item["metadata"].get("deletionTimestamp"))


def delete_item(kubernetes: Kubernetes, item: Mapping[str, Any]) -> None:
    """Ask for the end of an object."""
    kind = kubernetes.find_kind(item["apiVersion"], item["kind"])
    if kind is not None:
        kubernetes.delete(kind, item["metadata"]["name"], item["metadata"].get("namespace"))


def patch_item(kubernetes: Kubernetes, item: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
    """Change an object; one that went meanwhile is fine."""
    kind = kubernetes.find_kind(item["apiVersion"], item["kind"])
    if kind is not None:
        with contextlib.suppress(NotFoundError):
            kubernetes.patch(kind, item["metadata"]["name"], item["metadata"].get("namespace"), patch)


def clear_finalizers(kubernetes: Kubernetes, items: Iterable[dict[str, Any]], emit: Emit) -> int:
    """Take finalizers off objects whose controller is gone; each is named. Returns how many there were."""
    held = [item for item in items if item["metadata"].get("finalizers")]
    for item in held:
        names = ", ".join(item["metadata"]["finalizers"])
        text = f"{describe(item)} is cleared of finalizers that no living controller clears: {names}"
        emit(Notice(level="warning", text=text))
        patch_item(kubernetes, item, {"metadata": {"finalizers": None}})
    return len(held)
