"""Which pod answers for a target, and on which of its ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from platform_cli.errors import NotFoundError, NotReadyError
from platform_cli.tools.kubernetes_kind import POD, SERVICE

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes


class Endpoint(NamedTuple):
    """A port of a pod that is ready."""

    namespace: str
    pod: str
    port: int


def find_endpoint(kubernetes: Kubernetes, namespace: str, target: str, port: int) -> Endpoint:
    """Find a ready pod behind a target.

    Args:
        kubernetes: the API to ask.
        namespace: of the target.
        target: `service/NAME`, `pod/NAME` or a label selector.
        port: of the service, else of the pod.

    Raises:
        NotFoundError: there is no such service or pod.
        NotReadyError: no pod of it is ready; the message says why not.
    """
    kind, _, name = target.partition("/")
    wanted: int | str = port
    if kind == "service" and name:
        service = _need(kubernetes.get(SERVICE, name, namespace), f"{namespace}/{target}")
        selector, wanted = _read_service(service, port)
        pods = list(kubernetes.list(POD, namespace, labels=selector)) if selector else []
    elif kind == "pod" and name:
        pods = [_need(kubernetes.get(POD, name, namespace), f"{namespace}/{target}")]
    else:
        pods = list(kubernetes.list(POD, namespace, labels=target))
    ready = [pod for pod in pods if _is_ready(pod)]
    if not ready:
        raise NotReadyError(f"{namespace}/{target} has no pod that is ready: {_why(pods)}", hint="mlops status")
    newest = max(ready, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    return Endpoint(namespace, newest["metadata"]["name"], _number(newest, wanted))


def _need(found: dict[str, Any] | None, what: str) -> dict[str, Any]:
    if found is None:
        raise NotFoundError(f"{what} is not there", hint="mlops status shows what is installed")
    return found


def _read_service(service: Mapping[str, Any], port: int) -> tuple[str, int | str]:
    """Its label selector, and the number or name of its pods' port; a service with one port needs no number."""
    name, spec = service["metadata"]["name"], service["spec"]
    ports: Sequence[Mapping[str, Any]] = spec.get("ports") or ()
    fitting = next((item for item in ports if item["port"] == port), ports[0] if len(ports) == 1 else None)
    if fitting is None:
        offered = ", ".join(str(item["port"]) for item in ports) or "none"
        raise NotFoundError(f"service {name} has no port {port}", hint=f"it has: {offered}")
    selector = ",".join(f"{key}={value}" for key, value in (spec.get("selector") or {}).items())
    return selector, fitting.get("targetPort") or fitting["port"]


def _is_ready(pod: Mapping[str, Any]) -> bool:
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def _why(pods: Sequence[Mapping[str, Any]]) -> str:
    if not pods:
        return "there is none"
    pod = pods[0]
    status = pod.get("status", {})
    waiting = [
        state["reason"]
        for item in status.get("containerStatuses") or ()
        if (state := item.get("state", {}).get("waiting")) and state.get("reason")
    ]
    phase = status.get("phase", "Pending")
    state = "runs but is not ready" if phase == "Running" else f"is {phase}"
    state = "is ending" if pod["metadata"].get("deletionTimestamp") else state
    return f"{pod['metadata']['name']} {state}" + (f" ({', '.join(waiting)})" if waiting else "")


def _number(pod: Mapping[str, Any], port: int | str) -> int:
    """A port's number in this pod; pods of one service may give one name to different numbers."""
    if isinstance(port, int):
        return port
    containers = pod["spec"]["containers"]
    named = {item.get("name"): item["containerPort"] for each in containers for item in each.get("ports") or ()}
    if port not in named:
        raise NotFoundError(f"pod {pod['metadata']['name']} has no port named {port}", hint="correct the Service")
    return int(named[port])
