"""Taking a model off KServe, and waiting until it is gone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from platform_cli.errors import DeadlineError
from platform_cli.serving.kserve_manifest import INFERENCE_SERVICE, SERVICE_LABEL
from platform_cli.tools.kubernetes_kind import POD, Kind

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

_ROUND_S = 10.0


def remove_service(kubernetes: Kubernetes, namespace: str, name: str, *, within_s: float, pods: bool = True) -> None:
    """Delete an InferenceService, and with it what it owns; returns once it is gone, with `pods` its pods as well.

    Raises:
        DeadlineError: KServe's controller does not let it go.
    """
    kubernetes.delete(INFERENCE_SERVICE, name, namespace)
    deadline = time.monotonic() + within_s
    selectors = [(INFERENCE_SERVICE, f"metadata.name={name}", "")]
    if pods:
        selectors.append((POD, "", f"{SERVICE_LABEL}={name}"))
    for kind, fields, labels in selectors:
        while found := list(kubernetes.list(kind, namespace, fields=fields, labels=labels)):
            _await_change(kubernetes, kind, found[0], deadline, within_s)


def _await_change(kubernetes: Kubernetes, kind: Kind, item: dict[str, Any], deadline: float, within_s: float) -> None:
    name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
    if time.monotonic() > deadline:
        raise DeadlineError(
            f"{kind.kind} {name} is still there after {within_s:g} s",
            hint="its finalizer is KServe's to clear: is kserve-controller-manager up?",
            details=tuple(item["metadata"].get("finalizers") or ()),
        )
    changes = kubernetes.watch(kind, namespace, name=name, timeout_s=_ROUND_S)
    next((change for change, _ in changes if change == "DELETED"), None)
