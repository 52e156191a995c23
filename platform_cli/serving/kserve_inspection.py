"""How a model on KServe is: its InferenceService held against the pods that it runs in. Pure."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from platform_cli.errors import NotFoundError, RefusedError
from platform_cli.serving.interface import Endpoint, ServingState
from platform_cli.serving.kserve_manifest import (
    AUTOSCALER,
    CONTAINER,
    MANAGED,
    MODEL,
    SERVICE_LABEL,
    SPEC_HASH,
    VERSION,
    model_path,
    read_storage_uri,
)

Object = Mapping[str, Any]
_COMPARED = (
    ("metadata", "annotations", SPEC_HASH),
    ("metadata", "annotations", AUTOSCALER),
    ("spec", "predictor", "minReplicas"),
    ("spec", "predictor", "maxReplicas"),
)
_STOPPED = "serving.kserve.io/stop"
# A container that waits for one of these does nothing wrong.
_UNHURRIED = ("ContainerCreating", "PodInitializing")


def read_model(service: Object) -> tuple[str, str]:
    """Name and version that an InferenceService should serve; of one that others made, as far as it tells."""
    annotations = service["metadata"].get("annotations") or {}
    model = (service["spec"].get("predictor") or {}).get("model") or {}
    name, version = read_storage_uri(model.get("storageUri", ""))
    return annotations.get(MODEL) or name or service["metadata"]["name"], annotations.get(VERSION) or version


def inspect_service(service: Object, pods: Sequence[Object], *, outside: str = "") -> Endpoint:
    """The endpoint of an InferenceService.

    Args:
        service: the InferenceService.
        pods: its pods, in any order; those that end already do not count.
        outside: where a gateway answers for it; empty: its Service in the cluster is told.
    """
    name, wanted = read_model(service)
    living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    ready = [pod for pod in living if is_ready(pod)]
    state, reason = _judge(service, living, ready, wanted)
    url = outside or _find_url(service)
    parts = urlsplit(url)
    return Endpoint(
        name=name,
        version=_answering(ready, wanted),
        state=state,
        reason=reason,
        url=f"{url}{model_path(name)}",
        host=parts.hostname or "",
        port=parts.port or (443 if parts.scheme == "https" else 80),
        pids=(),
        started=min((_started(pod) for pod in ready), default=None),
        restarts=sum(status.get("restartCount", 0) for pod in living for status in _statuses(pod)),
        log=None,
        pods=tuple(sorted(pod["metadata"]["name"] for pod in living)),
    )


def is_ready(pod: Object) -> bool:
    """Whether a pod takes requests: one that is on its way out says that it is ready, and gets none."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    says_so = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
    return says_so and not pod["metadata"].get("deletionTimestamp")


def version_of(pod: Object) -> str:
    """The version that a pod serves; empty when it does not tell."""
    return str((pod["metadata"].get("annotations") or {}).get(VERSION, ""))


def is_ours(service: Object) -> bool:
    """Whether we made it."""
    return MANAGED.items() <= (service["metadata"].get("labels") or {}).items()


def is_stopped(service: Object) -> bool:
    """Whether somebody stopped it by KServe's annotation."""
    return (service["metadata"].get("annotations") or {}).get(_STOPPED) == "true"


def is_served(service: Object) -> bool:
    """Whether it takes requests, as KServe tells."""
    return _find_condition(service, "Ready").get("status") == "True"


def tell_unready(service: Object, pods: Sequence[Object]) -> str:
    """Why a model takes no requests: what is wrong with its pods, else what KServe says."""
    endpoint = inspect_service(service, pods)
    if endpoint.state is ServingState.CRASHED:
        return endpoint.reason
    ready = _find_condition(service, "Ready")
    return str(ready.get("message") or ready.get("reason") or endpoint.reason or "KServe does not call it ready")


def place_of(service: Object) -> tuple[str, str]:
    """Namespace and name of an InferenceService."""
    return service["metadata"]["namespace"], service["metadata"]["name"]


def group_pods(pods: Iterable[Object]) -> defaultdict[tuple[str, str], list[Object]]:
    """Pods by the place of their InferenceService; none for those that have none."""
    groups: defaultdict[tuple[str, str], list[Object]] = defaultdict(list)
    for pod in pods:
        groups[pod["metadata"]["namespace"], pod["metadata"]["labels"][SERVICE_LABEL]].append(pod)
    return groups


def is_same(before: Object, wanted: Object) -> bool:
    """Whether an InferenceService is what is wanted already, pods and their number."""
    return all(_read(before, path) == _read(wanted, path) for path in _COMPARED)


def refuse_foreign(service: Object) -> RefusedError:
    """The error for a deploy over what somebody else made."""
    namespace, name = place_of(service)
    return RefusedError(
        f"InferenceService {name} in {namespace} was not made by mlops, and stays as it is",
        hint=f"take it away first (mlops model undeploy {read_model(service)[0]}), or register under another name",
    )


def suggest_service(name: str, services: Sequence[Object]) -> NotFoundError:
    """The error for a model that is not deployed, with the nearest that is."""
    names = [read_model(service)[0] for service in services]
    near = difflib.get_close_matches(name, names, n=1)
    deployed = f"deployed: {', '.join(names)}" if names else f"deploy it: mlops model deploy {name}"
    return NotFoundError(f"model '{name}' is not deployed", hint=f"did you mean '{near[0]}'?" if near else deployed)


def _find_url(service: Object) -> str:
    """Its Service. The address in the status is KServe's invention where KServe makes no route for it."""
    metadata = service["metadata"]
    return f"http://{metadata['name']}-predictor.{metadata['namespace']}.svc.cluster.local"


def _find_condition(service: Object, kind: str) -> Object:
    conditions = (service.get("status") or {}).get("conditions") or ()
    return next((condition for condition in conditions if condition["type"] == kind), {})


def _read(service: Object, path: tuple[str, ...]) -> Any:
    found: Any = service
    for key in path:
        found = (found or {}).get(key)
    return found


def _judge(service: Object, living: Sequence[Object], ready: Sequence[Object], wanted: str) -> tuple[ServingState, str]:
    trouble = next((reason for pod in living if not is_ready(pod) for reason in _troubles(pod)), "")
    if ready and _answering(ready, wanted) != wanted:
        return ServingState.READY, f"version {wanted} is not ready yet{f': {trouble}' if trouble else ''}"
    if ready:
        return ServingState.READY, ""
    if is_stopped(service):
        return ServingState.STOPPED, "it was stopped by an annotation"
    trouble = trouble or _failure(service)
    return (ServingState.CRASHED, trouble) if trouble else (ServingState.STARTING, _progress(living))


def _answering(ready: Sequence[Object], wanted: str) -> str:
    versions = {version_of(pod) for pod in ready} - {""}
    return wanted if wanted in versions or not versions else max(versions)


def _troubles(pod: Object) -> Iterator[str]:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            yield f"no node has room for it: {condition.get('message', '')}"
    for status in _statuses(pod):
        waiting = (status.get("state") or {}).get("waiting") or {}
        ended = (status.get("state") or {}).get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
        if waiting.get("reason", "CrashLoopBackOff") not in (*_UNHURRIED, "CrashLoopBackOff"):
            yield f"{waiting['reason']}: image {status.get('image', '')}"
        elif ended.get("exitCode"):
            yield f"{status['name']} ended with {ended['exitCode']} ({ended.get('reason', '')})"


def _statuses(pod: Object) -> Iterator[Mapping[str, Any]]:
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _failure(service: Object) -> str:
    """What KServe's controller itself found wrong, such as a runtime that does not exist."""
    status = (service.get("status") or {}).get("modelStatus") or {}
    failure = status.get("lastFailureInfo") or {}
    return f"{failure.get('reason')}: {failure.get('message')}" if failure.get("message") else ""


def _progress(living: Sequence[Object]) -> str:
    return "the model is loading" if living else "its pods are not there yet"


def _started(pod: Object) -> float:
    """When the model server of a ready pod started, Unix seconds."""
    states = {status["name"]: status.get("state") or {} for status in _statuses(pod)}
    running = (states.get(CONTAINER) or {}).get("running") or {}
    return datetime.fromisoformat(running.get("startedAt") or pod["metadata"]["creationTimestamp"]).timestamp()
