"""Takes what a Helm release made out of Helm's hands, without touching it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_cli.tools.kubernetes_kind import SECRET

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes


def forget_release(kubernetes: Kubernetes, name: str, namespace: str) -> int:
    """Delete what Helm remembers of a release, and nothing that the release made; returns how many revisions.

    `helm uninstall` deletes every object that its own notes do not keep, whatever the object says by then: definitions
    of a chart that has no value for that would go, and every resource with them.
    """
    found = [item["metadata"]["name"] for item in kubernetes.list(SECRET, namespace, labels=f"owner=helm,name={name}")]
    for secret in found:
        kubernetes.delete(SECRET, secret, namespace)
    return len(found)
