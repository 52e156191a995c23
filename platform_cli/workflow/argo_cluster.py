"""Workflows through the cluster's own API: Argo's custom resources, nothing else is needed."""

from __future__ import annotations

import base64
import heapq
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.errors import MlopsError, StateError
from platform_cli.tools.kubernetes_error import is_conflict
from platform_cli.tools.kubernetes_kind import CONFIG_MAP, EVENT, POD, SECRET, Kind
from platform_cli.workflow import argo_retry
from platform_cli.workflow.argo_api import API_VERSION, MAIN, MANAGED
from platform_cli.workflow.argo_status import summarise
from platform_cli.workflow.interface import WorkflowObject
from platform_cli.workflow.step_code import PREFIX as STEP_CODE_PREFIX

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

WORKFLOW = Kind(API_VERSION, "Workflow", "workflows", namespaced=True)
_TEMPLATE = Kind(API_VERSION, "WorkflowTemplate", "workflowtemplates", namespaced=True)
_CLUSTER_TEMPLATE = Kind(API_VERSION, "ClusterWorkflowTemplate", "clusterworkflowtemplates", namespaced=False)
_TYPE = {"apiVersion": WORKFLOW.api_version, "kind": WORKFLOW.kind}
_PAGE = 50
_FOREVER_S = 365 * 86400.0
_TRIES = 5


class ClusterApi:
    """See `WorkflowApi`."""

    def __init__(self, kubernetes: Kubernetes, namespace: str, *, environ: Mapping[str, str]) -> None:
        self.kubernetes = kubernetes
        self.namespace = namespace
        self.environ = environ

    def find(self, name: str) -> WorkflowObject | None:
        """See `WorkflowApi.find`."""
        return self.kubernetes.get(WORKFLOW, name, self.namespace)

    def list_newest(self, limit: int) -> list[WorkflowObject]:
        """See `WorkflowApi.list_newest`.

        The API sorts nothing, and runs are large: of more than a page, only the newest are read whole.
        """
        page = self.kubernetes.list_page(WORKFLOW, self.namespace, {"limit": max(limit, _PAGE)})
        whole = page.get("items") or []
        if page["metadata"].get("continue"):
            known = self.kubernetes.list_metadata(WORKFLOW, self.namespace)
            newest = heapq.nlargest(limit, known, key=_by_age)
            asked = (self.find(item["metadata"]["name"]) for item in newest)
            whole = [workflow for workflow in asked if workflow is not None]
        found = [summarise({**_TYPE, **workflow}) for workflow in whole]
        return heapq.nlargest(limit, found, key=_by_age)

    def find_template(self, template: Mapping[str, Any]) -> WorkflowObject | None:
        """See `WorkflowApi.find_template`."""
        kind = _TEMPLATE if template["kind"] == _TEMPLATE.kind else _CLUSTER_TEMPLATE
        return self.kubernetes.get(kind, template["metadata"]["name"], self.namespace if kind.namespaced else None)

    def apply_template(self, template: Mapping[str, Any]) -> None:
        """See `WorkflowApi.apply_template`."""
        self.kubernetes.apply(template)

    def create(self, workflow: WorkflowObject) -> None:
        """See `WorkflowApi.create`."""
        self.kubernetes.create(workflow)

    def watch(self, name: str) -> Iterator[WorkflowObject | None]:
        """See `WorkflowApi.watch`."""
        for change, workflow in self.kubernetes.watch(WORKFLOW, self.namespace, name=name, timeout_s=_FOREVER_S):
            yield None if change == "DELETED" else workflow

    def read_log(self, workflow: WorkflowObject, node: Mapping[str, Any], *, follow: bool) -> Iterator[str]:
        """See `WorkflowApi.read_log`."""
        pod = argo_retry.pod_name(workflow, node)
        return self.kubernetes.logs(pod, self.namespace, container=MAIN, follow=follow)

    def find_pod(self, workflow: WorkflowObject, node: Mapping[str, Any]) -> dict[str, Any] | None:
        """See `WorkflowApi.find_pod`."""
        return self.kubernetes.get(POD, argo_retry.pod_name(workflow, node), self.namespace)

    def list_warnings(self, workflow: WorkflowObject, node: Mapping[str, Any]) -> list[str]:
        """See `WorkflowApi.list_warnings`."""
        fields = f"involvedObject.name={argo_retry.pod_name(workflow, node)},type=Warning"
        events = sorted(
            self.kubernetes.list(EVENT, self.namespace, fields=fields),
            key=lambda event: event.get("lastTimestamp") or "",
        )
        return [f"{event.get('reason', '')}: {event.get('message', '')}" for event in events]

    def stop(self, name: str) -> None:
        """See `WorkflowApi.stop`."""
        self.kubernetes.patch(WORKFLOW, name, self.namespace, {"spec": {"shutdown": "Stop"}})

    def retry(self, workflow: WorkflowObject) -> None:
        """See `WorkflowApi.retry`."""
        reopening = argo_retry.reopen(workflow, _now())
        for pod in reopening.pods:
            self.kubernetes.delete(POD, pod, self.namespace, grace_s=0)
        self._patch(workflow, reopening.patch)

    def wake(self, workflow: WorkflowObject) -> None:
        """See `WorkflowApi.wake`; the controller may change the run in the same moment."""
        name = workflow["metadata"]["name"]
        for _ in range(_TRIES):
            try:
                self.kubernetes.patch(WORKFLOW, name, self.namespace, argo_retry.wake(workflow, _now()))
            except MlopsError as error:
                workflow = self.find(name) or workflow
                if not is_conflict(error):
                    raise
            else:
                return
        raise StateError(f"run {name} changes all the time", hint="try again")

    def delete(self, name: str) -> None:
        """See `WorkflowApi.delete`."""
        self.kubernetes.delete(WORKFLOW, name, self.namespace)

    def download(
        self, workflow: WorkflowObject, node: Mapping[str, Any], artifact: Mapping[str, Any], target: Path
    ) -> None:
        """See `WorkflowApi.download`; straight from the bucket."""
        del node
        from platform_cli.workflow.argo_artifact import bring_near, fetch, locate

        place = locate(workflow, artifact, read_secret=self._read_secret, environ=self.environ)
        with bring_near(place, self._forward) as near:
            fetch(near, target)

    def apply_config_map(self, name: str, files: Mapping[str, bytes]) -> None:
        """See `WorkflowApi.apply_config_map`; one that has its content already is left as whoever made it wants it."""
        content = _split(files)
        known = self.kubernetes.get(CONFIG_MAP, name, self.namespace)
        if known is not None and all(known.get(key) == content.get(key) for key in ("data", "binaryData")):
            return
        # A name that carries the hash of the content means that nothing but this is ever right.
        is_fixed = name.startswith(STEP_CODE_PREFIX)
        if known is not None and known.get("immutable"):
            self.kubernetes.delete(CONFIG_MAP, name, self.namespace)
        metadata = {"name": name, "namespace": self.namespace, "labels": MANAGED}
        head = {"apiVersion": CONFIG_MAP.api_version, "kind": CONFIG_MAP.kind, "metadata": metadata}
        self.kubernetes.apply({**head, **content, **({"immutable": True} if is_fixed else {})})

    def ping(self) -> None:
        """See `WorkflowApi.ping`."""
        self.kubernetes.version()

    def _forward(self, namespace: str, service: str, port: int) -> AbstractContextManager[int]:
        from platform_cli.cluster.forward import open_forward

        return open_forward(self.kubernetes.access, namespace, f"service/{service}", port)

    def _patch(self, workflow: WorkflowObject, patch: Mapping[str, Any]) -> None:
        name = workflow["metadata"]["name"]
        try:
            self.kubernetes.patch(WORKFLOW, name, self.namespace, patch)
        except MlopsError as error:
            if is_conflict(error):
                raise StateError(
                    f"run {name} was changed by somebody else", hint="look at it, then try again"
                ) from error
            raise

    def _read_secret(self, reference: Mapping[str, str]) -> str:
        """The value, or nothing when we may not read it: our own credentials may do."""
        try:
            secret = self.kubernetes.get(SECRET, reference["name"], self.namespace)
        except MlopsError:
            return ""
        value = ((secret or {}).get("data") or {}).get(reference["key"], "")
        return base64.b64decode(value).decode()


def _by_age(workflow: WorkflowObject) -> tuple[str, str]:
    return workflow["metadata"].get("creationTimestamp", ""), workflow["metadata"]["name"]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _split(files: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    """Text as text, anything else as base64."""
    text: dict[str, str] = {}
    binary: dict[str, str] = {}
    for name, content in files.items():
        try:
            text[name] = content.decode("utf-8")
        except UnicodeDecodeError:
            binary[name] = base64.b64encode(content).decode()
    return {key: value for key, value in (("data", text), ("binaryData", binary)) if value}
