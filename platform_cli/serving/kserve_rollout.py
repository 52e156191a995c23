"""Waiting for a version on KServe: it is up when it answers a real request; else the first line says why not."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.explain import Explanation, explain
from platform_cli.cluster.workload import Workload, tell_unready
from platform_cli.errors import DeadlineError, MlopsError, NotReadyError, StateError, ToolError
from platform_cli.serving.client import fetch_metadata, predict
from platform_cli.serving.kserve_inspection import is_ready
from platform_cli.serving.kserve_manifest import (
    INFERENCE_SERVICE,
    INITIALIZER,
    SERVICE_LABEL,
    SPEC_HASH,
    VERSION,
    Wish,
    model_path,
)
from platform_cli.serving.rows import Table
from platform_cli.tools.kubernetes_kind import DEPLOYMENT, POD

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

_ROUND_S = 3.0
_ASK_TIMEOUT_S = 30.0
# One restart may be bad luck; after that it is the model.
_PATIENCE = 2
_NO_MODEL = (2, 3)
_NO_IMAGE = frozenset({"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})


Connect = Callable[[str, int], AbstractContextManager[int]]
"""Brings a port of a pod to this machine: `connect("pod/NAME", 8080)` yields the local port."""


class Rollout:
    """One version of one model on its way.

    Args:
        kubernetes: the cluster.
        wish: what was applied.
        spec_hash: of the InferenceService that was applied; its pods carry it.
        deadline_s: how long it may take from now.
    """

    def __init__(self, kubernetes: Kubernetes, wish: Wish, spec_hash: str, *, deadline_s: float) -> None:
        self._kubernetes = kubernetes
        self._wish = wish
        self._hash = spec_hash
        self._deadline_s = deadline_s
        self._deadline = time.monotonic() + deadline_s
        self._workload = Workload(wish.namespace, "deployment", f"{wish.name}-predictor")

    def wait(self) -> None:
        """Return once all pods are of this version and ready.

        Raises:
            ToolError: it cannot come up; the message says why, `details` show it.
            DeadlineError: it is not ready in time; likewise.
            StateError: somebody else deploys another version meanwhile.
        """
        while not self._watch():
            self._check_owner()
            reason = self._find_failure()
            if reason is not None:
                raise self._fail(ToolError, "does not come up", reason)
            if time.monotonic() >= self._deadline:
                raise self._fail(DeadlineError, f"was not ready within {self._deadline_s:g} s", self._explain())

    def ask(self, connect: Connect, example: Table | None) -> None:
        """Have a real answer from a pod of this version: to the model's example rows, or else about its inputs.

        Raises:
            NotReadyError: no pod of it takes requests any more.
            ToolError: the model fails on its own example.
        """
        pod = next((pod for pod in self._list_pods() if is_ready(pod)), None)
        if pod is None:
            raise NotReadyError(f"{self._title} was ready and is not any more", hint="mlops model get tells why")
        with connect(f"pod/{pod['metadata']['name']}", 8080) as port:
            url = f"http://127.0.0.1:{port}{model_path(self._wish.model)}"
            if example is None:
                fetch_metadata(url, timeout_s=_ASK_TIMEOUT_S)
            else:
                predict(url, example, timeout_s=_ASK_TIMEOUT_S)

    @property
    def _title(self) -> str:
        return f"model '{self._wish.model}' version {self._wish.version}"

    def _watch(self) -> bool:
        round_s = max(0.1, min(_ROUND_S, self._deadline - time.monotonic()))
        workload = self._workload
        changes = self._kubernetes.watch(DEPLOYMENT, workload.namespace, name=workload.name, timeout_s=round_s)
        return any(change != "DELETED" and self._is_up(found) for change, found in changes)

    def _is_up(self, deployment: Mapping[str, Any]) -> bool:
        annotations = deployment["spec"]["template"]["metadata"].get("annotations") or {}
        if annotations.get(SPEC_HASH) != self._hash or tell_unready("deployment", deployment):
            return False
        # While old pods are counted the new ones may not be ready: the number that is available is theirs.
        status = deployment.get("status") or {}
        return bool(status.get("replicas", 0) == status.get("updatedReplicas", 0))

    def _check_owner(self) -> None:
        service = self._kubernetes.get(INFERENCE_SERVICE, self._wish.name, self._wish.namespace)
        annotations = service["metadata"].get("annotations") or {} if service else {}
        if annotations.get(SPEC_HASH) != self._hash:
            other = f"version {annotations.get(VERSION)} is deployed" if service else "it was undeployed"
            raise StateError(f"{self._title} gave way: {other} by somebody else", hint="look: mlops model list")

    def _list_pods(self) -> list[dict[str, Any]]:
        """The pods of this version."""
        labels = f"{SERVICE_LABEL}={self._wish.name}"
        pods = self._kubernetes.list(POD, self._wish.namespace, labels=labels)
        return [pod for pod in pods if (pod["metadata"].get("annotations") or {}).get(SPEC_HASH) == self._hash]

    def _find_failure(self) -> Explanation | None:
        """Why waiting on is of no use; None while it may still come up."""
        service = self._kubernetes.get(INFERENCE_SERVICE, self._wish.name, self._wish.namespace) or {}
        status = (service.get("status") or {}).get("modelStatus") or {}
        if status.get("transitionStatus") == "InvalidSpec":
            failure = status.get("lastFailureInfo") or {}
            why = failure.get("message") or failure.get("reason")
            return Explanation(f"KServe refuses it on runtime {self._wish.runtime}: {why}")
        doomed = any(_is_doomed(state) for pod in self._list_pods() for state in _list_states(pod))
        return self._explain() if doomed else None

    def _explain(self) -> Explanation:
        found = explain(self._kubernetes, self._workload)
        if found is None and self._kubernetes.get(DEPLOYMENT, self._workload.name, self._workload.namespace) is None:
            return Explanation("KServe's controller has made no Deployment for it; is kserve-controller-manager up?")
        return found or Explanation("nothing tells why")

    def _fail(self, kind: type[MlopsError], what: str, why: Explanation) -> MlopsError:
        last = next((line[2:] for line in reversed(why.details) if line.startswith("| ") and line[2:].strip()), "")
        reason = f"{why.reason}: {last}" if last else why.reason
        hint = "what was served before goes on; mend it and deploy again"
        return kind(f"{self._title} {what}: {reason}", hint=hint, details=why.details)


def _list_states(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _is_doomed(state: Mapping[str, Any]) -> bool:
    now = state.get("state") or {}
    last = now.get("terminated") or (state.get("lastState") or {}).get("terminated") or {}
    if (now.get("waiting") or {}).get("reason") in _NO_IMAGE:
        return True
    if state["name"] == INITIALIZER and last.get("exitCode") in _NO_MODEL:
        return True
    return bool(last.get("exitCode")) and state.get("restartCount", 0) >= _PATIENCE
