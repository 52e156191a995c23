"""Why a workload does not become ready, from what its pods, its controllers, the events and the logs say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.workload import Workload
from platform_cli.errors import MlopsError
from platform_cli.tools.kubernetes_kind import EVENT, NODE, PERSISTENT_VOLUME_CLAIM, POD, REPLICA_SET

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

_LOG_LINES = 8
_EVENTS_SHOWN = 5
_TAINTS_SHOWN = 5
_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "RegistryUnavailable"})
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_TOLD = frozenset({"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox", "Unhealthy"})
_QUOTA = re.compile(r"exceeded quota: (?P<quota>[^,]+), (?P<figures>.*)")
_WEBHOOK = re.compile(r'failed calling webhook "(?P<webhook>[^"]+)":?\s*(?P<why>.*)')


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why something is not ready.

    Attributes:
        reason: one line that names the thing.
        details: log lines and events that show it.
        is_usual: whether it is seen in every start, and tells something only when it does not pass.
    """

    reason: str
    details: tuple[str, ...] = ()
    is_usual: bool = False


def explain(kubernetes: Kubernetes, workload: Workload) -> Explanation | None:
    """The reason why a workload is not ready; None when nothing tells one."""
    found = kubernetes.get(workload.api_kind, workload.name, workload.namespace)
    if found is None:
        return None
    events = list(kubernetes.list(EVENT, workload.namespace))
    pods = _list_pods(kubernetes, found)
    for reason in (*_explain_pods(kubernetes, pods, events), *_explain_controllers(kubernetes, found, events)):
        return reason
    return None


def _list_pods(kubernetes: Kubernetes, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The workload's pods, the newest first: they belong to the revision that does not come up."""
    selector = found["spec"]["selector"].get("matchLabels") or {}
    labels = ",".join(f"{key}={value}" for key, value in selector.items())
    pods = kubernetes.list(POD, found["metadata"]["namespace"], labels=labels) if labels else iter(())
    return sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True)


def _explain_pods(
    kubernetes: Kubernetes, pods: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]
) -> Iterator[Explanation]:
    for pod in pods:
        if not _is_ready(pod):
            yield from _explain_scheduling(kubernetes, pod)
            yield from _explain_eviction(pod)
            yield from _explain_containers(kubernetes, pod)
            yield from _explain_events(pod, events)


def _is_ready(pod: Mapping[str, Any]) -> bool:
    return _condition(pod, "Ready").get("status") == "True"


def _condition(found: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions = (found.get("status") or {}).get("conditions") or ()
    return next((item for item in conditions if item["type"] == kind), {})


def _explain_scheduling(kubernetes: Kubernetes, pod: Mapping[str, Any]) -> Iterator[Explanation]:
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        name, message = pod["metadata"]["name"], str(scheduled.get("message", ""))
        # The scheduler only counts the nodes that keep pods away.
        taints = _list_taints(kubernetes) if "untolerated taint" in message else ""
        yield Explanation(f"pod {name} cannot be scheduled: {message}{taints}", _claims(kubernetes, pod))


def _list_taints(kubernetes: Kubernetes) -> str:
    """What the nodes' taints are, for the end of a message; nothing for who may not look at nodes."""
    try:
        nodes = list(kubernetes.list(NODE))
    except MlopsError:
        return ""
    told = [
        f"{node['metadata']['name']} has {taint['key']}"
        for node in nodes
        for taint in node["spec"].get("taints") or ()
        if taint.get("effect") != "PreferNoSchedule"
    ]
    more = len(told) - _TAINTS_SHOWN
    return f" Taints: {', '.join(told[:_TAINTS_SHOWN])}{f' and {more} more' if more > 0 else ''}." if told else ""


def _explain_eviction(pod: Mapping[str, Any]) -> Iterator[Explanation]:
    """A node under pressure ends pods, and leaves them there as failed."""
    status = pod.get("status") or {}
    if status.get("phase") == "Failed" and status.get("reason"):
        name, why = pod["metadata"]["name"], _first(str(status.get("message", "")))
        yield Explanation(f"pod {name} was ended by its node ({status['reason']}): {why}")


def _claims(kubernetes: Kubernetes, pod: Mapping[str, Any]) -> tuple[str, ...]:
    """The claims of a pod that have no volume yet."""
    volumes = pod["spec"].get("volumes") or ()
    names = [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume]
    found = [kubernetes.get(PERSISTENT_VOLUME_CLAIM, name, pod["metadata"]["namespace"]) for name in names]
    return tuple(
        f"claim {claim['metadata']['name']} has no volume, class {claim['spec'].get('storageClassName')}"
        for claim in found
        if claim and claim["status"].get("phase") != "Bound"
    )


def _explain_containers(kubernetes: Kubernetes, pod: Mapping[str, Any]) -> Iterator[Explanation]:
    status = pod.get("status") or {}
    for state in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        yield from _explain_waiting(pod, state)
        yield from _explain_crash(kubernetes, pod, state)


def _explain_waiting(pod: Mapping[str, Any], state: Mapping[str, Any]) -> Iterator[Explanation]:
    waiting = (state.get("state") or {}).get("waiting") or {}
    reason, message = waiting.get("reason", ""), str(waiting.get("message", ""))
    where = f"container {state['name']} of pod {pod['metadata']['name']}"
    if reason in _IMAGE:
        yield Explanation(f"image {state['image']} cannot be pulled ({reason}) for {where}", _lines(message))
    elif reason in _CONFIG:
        yield Explanation(f"{where} cannot start: {message or reason}")


def _explain_crash(kubernetes: Kubernetes, pod: Mapping[str, Any], state: Mapping[str, Any]) -> Iterator[Explanation]:
    last = (state.get("state") or {}).get("terminated") or (state.get("lastState") or {}).get("terminated")
    if not last or (last.get("exitCode") == 0 and last.get("reason") == "Completed"):
        return
    why = last["reason"] if last.get("reason") == "OOMKilled" else f"exit code {last.get('exitCode')}"
    where = f"container {state['name']} of pod {pod['metadata']['name']}"
    times = state.get("restartCount", 0)
    yield Explanation(f"{where} crashes: {why}, {times} restarts", _tail(kubernetes, pod, state))


def _tail(kubernetes: Kubernetes, pod: Mapping[str, Any], state: Mapping[str, Any]) -> tuple[str, ...]:
    """The last lines of the container that crashed."""
    previous = "terminated" not in (state.get("state") or {})
    metadata = pod["metadata"]
    try:
        lines = kubernetes.logs(
            metadata["name"], metadata["namespace"], container=state["name"], previous=previous, tail=_LOG_LINES
        )
        return tuple(f"| {line}" for line in lines)
    except MlopsError as error:
        return (f"its log cannot be read: {error.message}",)


def _explain_events(pod: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> Iterator[Explanation]:
    """What only events tell: mounts, sandboxes and probes."""
    name = pod["metadata"]["name"]
    warnings = _warnings(events, "Pod", name)
    for event in warnings:
        reason, message = event.get("reason"), _first(event["message"])
        if reason in _TOLD or (reason == "Failed" and "pull" in message):
            yield Explanation(f"pod {name}: {reason}: {message}", _show(warnings), is_usual=reason == "Unhealthy")


def _explain_controllers(
    kubernetes: Kubernetes, found: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> Iterator[Explanation]:
    """Why there are no pods: what the ReplicaSet, or the workload itself, could not create."""
    metadata = found["metadata"]
    for kind, name in ((found["kind"], metadata["name"]), *_list_replica_sets(kubernetes, metadata)):
        for event in _warnings(events, kind, name):
            if event.get("reason") == "FailedCreate":
                yield _explain_refusal(str(event["message"]), name)
    message = _condition(found, "ReplicaFailure").get("message")
    if message:
        yield _explain_refusal(str(message), metadata["name"])


def _list_replica_sets(kubernetes: Kubernetes, metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("ReplicaSet", item["metadata"]["name"])
        for item in kubernetes.list(REPLICA_SET, metadata["namespace"])
        if any(owner["uid"] == metadata["uid"] for owner in item["metadata"].get("ownerReferences") or ())
    ]


def _explain_refusal(message: str, name: str) -> Explanation:
    quota, webhook = _QUOTA.search(message), _WEBHOOK.search(message)
    if quota:
        return Explanation(f"quota {quota['quota']} is used up: {quota['figures']}", _lines(message))
    if webhook:
        why = webhook["why"] or "it does not answer"
        return Explanation(f"webhook {webhook['webhook']} refuses the pods of {name}: {why}", _lines(message))
    return Explanation(f"the pods of {name} cannot be created: {_first(message)}", _lines(message))


def _warnings(events: Sequence[Mapping[str, Any]], kind: str, name: str) -> list[Mapping[str, Any]]:
    """Warnings about one object, the newest first."""
    about = [
        event
        for event in events
        if event.get("type") == "Warning"
        and event["involvedObject"].get("name") == name
        and event["involvedObject"].get("kind") == kind
    ]
    return sorted(about, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime")), reverse=True)


def _show(events: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(f"{event.get('reason')}: {_first(event['message'])}" for event in events[:_EVENTS_SHOWN])


def _first(message: str) -> str:
    return message.strip().partition("\n")[0]


def _lines(message: str) -> tuple[str, ...]:
    return tuple(line for line in message.strip().splitlines() if line)
