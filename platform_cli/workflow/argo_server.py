"""Workflows through Argo's own server: an address and a token, no kubeconfig."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from platform_cli.errors import MlopsError, NotFoundError, StateError
from platform_cli.tools.kubernetes_error import is_refusal
from platform_cli.workflow import argo_retry
from platform_cli.workflow.argo_api import MAIN
from platform_cli.workflow.argo_server_call import Server
from platform_cli.workflow.argo_server_log import follow_log
from platform_cli.workflow.argo_status import has_ended, summarise
from platform_cli.workflow.interface import WorkflowObject
from platform_cli.workflow.preparation import STEP_CODE_PARAMETER

_POLL_S = 1.0
_LONGEST_PAUSE_S = 10.0
_PAGE = 500
_FIELDS = "-items.status.nodes,items.status.storedTemplates,items.status.storedWorkflowTemplateSpec"


class ServerApi:
    """See `WorkflowApi`.

    Args:
        url: of the server, such as `https://argo.example.org:2746`.
        token: with or without `Bearer ` in front; empty for a server that asks for none.
        namespace: of the runs.
        verify: whether the server's certificate must be one that this machine trusts.
        poll_s: how long to wait before asking for a log's next lines, or for a run whose stream has ended.
    """

    def __init__(self, url: str, token: str, namespace: str, *, verify: bool = True, poll_s: float = _POLL_S) -> None:
        self.namespace = namespace
        self._poll_s = poll_s
        self._server = Server(url, token, verify=verify)

    def find(self, name: str) -> WorkflowObject | None:
        """See `WorkflowApi.find`."""
        return self._find(f"workflows/{self.namespace}/{name}")

    def list_newest(self, limit: int) -> list[WorkflowObject]:
        """See `WorkflowApi.list_newest`; the server lists the newest first."""
        found: list[WorkflowObject] = []
        token = ""
        while len(found) < limit:
            query = {"listOptions.limit": str(min(limit, _PAGE)), "listOptions.continue": token, "fields": _FIELDS}
            page = self._server.ask("GET", f"workflows/{self.namespace}", query=query)
            found += [summarise(workflow) for workflow in page.get("items") or ()]
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                break
        return found[:limit]

    def find_template(self, template: Mapping[str, Any]) -> WorkflowObject | None:
        """See `WorkflowApi.find_template`."""
        return self._find(f"{self._folder_of(template)}/{template['metadata']['name']}")

    def apply_template(self, template: Mapping[str, Any]) -> None:
        """See `WorkflowApi.apply_template`; labels and annotations that others gave it stay."""
        known = self.find_template(template)
        if known is None:
            self._server.ask("POST", self._folder_of(template), {"template": template})
        elif _without_empty(known["spec"]) != _without_empty(template["spec"]):
            there, ours = known["metadata"], template["metadata"]
            merged = {key: {**(there.get(key) or {}), **ours[key]} for key in ("labels", "annotations")}
            fresh = {**template, "metadata": {**ours, **merged, "resourceVersion": there["resourceVersion"]}}
            self._server.ask("PUT", f"{self._folder_of(template)}/{ours['name']}", {"template": fresh})

    def create(self, workflow: WorkflowObject) -> None:
        """See `WorkflowApi.create`."""
        self._server.ask("POST", f"workflows/{self.namespace}", {"workflow": workflow})

    def watch(self, name: str) -> Iterator[WorkflowObject | None]:
        """See `WorkflowApi.watch`."""
        version, pause_s, is_first = "", self._poll_s, True
        while True:
            try:
                # What happened while there was no stream is in the object itself.
                workflow = self.find(name)
                for now in (None,) if workflow is None else self._changes(workflow):
                    if now is None:
                        yield None
                        return
                    is_first = False
                    if now["metadata"]["resourceVersion"] != version:
                        version, pause_s = now["metadata"]["resourceVersion"], self._poll_s
                        yield now
            except MlopsError as error:
                # The stream ends with an error each time that the cluster ends its own watch.
                if is_first or is_refusal(error):
                    raise
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def read_log(self, workflow: WorkflowObject, node: Mapping[str, Any], *, follow: bool) -> Iterator[str]:
        """See `WorkflowApi.read_log`."""
        is_empty = True
        read = partial(self._read_lines, workflow, node)
        for text in follow_log(read, lambda: not follow or self._has_ended(workflow, node), poll_s=self._poll_s):
            is_empty = False
            yield text
        if is_empty and any(a["name"] == "main-logs" for a in (node.get("outputs") or {}).get("artifacts") or ()):
            raise NotFoundError(f"the pod of {node['displayName']} is gone")

    def find_pod(self, workflow: WorkflowObject, node: Mapping[str, Any]) -> dict[str, Any] | None:
        """Nothing: the server does not show pods."""
        del workflow, node
        return None

    def list_warnings(self, workflow: WorkflowObject, node: Mapping[str, Any]) -> list[str]:
        """Nothing: the server tells no events of the past."""
        del workflow, node
        return []

    def stop(self, name: str) -> None:
        """See `WorkflowApi.stop`."""
        body = {"name": name, "namespace": self.namespace}
        self._server.ask("PUT", f"workflows/{self.namespace}/{name}/stop", body, repeats=True)

    def retry(self, workflow: WorkflowObject) -> None:
        """See `WorkflowApi.retry`."""
        self._act(workflow, "retry")

    def wake(self, workflow: WorkflowObject) -> None:
        """See `WorkflowApi.wake`."""
        self._act(workflow, "resume")

    def delete(self, name: str) -> None:
        """See `WorkflowApi.delete`."""
        try:
            self._server.ask("DELETE", f"workflows/{self.namespace}/{name}")
        except NotFoundError:
            # The answer to the first of two tries was lost.
            return

    def download(
        self, workflow: WorkflowObject, node: Mapping[str, Any], artifact: Mapping[str, Any], target: Path
    ) -> None:
        """See `WorkflowApi.download`; the server reads the bucket for us."""
        parts = (self.namespace, workflow["metadata"]["name"], node["id"], artifact["name"])
        path = "/artifacts/" + "/".join(quote(str(part), safe="") for part in parts)
        self._server.download(path, target)

    def apply_config_map(self, name: str, files: Mapping[str, bytes]) -> None:
        """See that it is there already: Argo's server stores no ConfigMaps.

        Raises:
            StateError: no template on the cluster uses it, so nobody has put it there.
        """
        del files
        templates = self._server.ask("GET", f"workflow-templates/{self.namespace}").get("items") or ()
        if name not in {value for template in templates for value in _step_code_of(template)}:
            hint = "somebody with a kubeconfig submits it once; or name one that is there: -p step-code=NAME"
            raise StateError(
                f"the step code {name} is not on the cluster, and Argo's server cannot store it", hint=hint
            )

    def ping(self) -> None:
        """See `WorkflowApi.ping`."""
        self._server.ask("GET", "version")

    def _find(self, path: str) -> WorkflowObject | None:
        try:
            return self._server.ask("GET", path)
        except NotFoundError:
            return None

    def _folder_of(self, template: Mapping[str, Any]) -> str:
        is_wide = template["kind"] == "ClusterWorkflowTemplate"
        return "cluster-workflow-templates" if is_wide else f"workflow-templates/{self.namespace}"

    def _act(self, workflow: WorkflowObject, verb: str) -> None:
        name = workflow["metadata"]["name"]
        body = {"name": name, "namespace": self.namespace}
        self._server.ask("PUT", f"workflows/{self.namespace}/{name}/{verb}", body)

    def _changes(self, workflow: WorkflowObject) -> Iterator[WorkflowObject | None]:
        """The run as it is, then as the server tells it, until the stream ends."""
        yield workflow
        metadata = workflow["metadata"]
        query = {
            "listOptions.fieldSelector": f"metadata.name={metadata['name']}",
            "listOptions.resourceVersion": metadata["resourceVersion"],
        }
        for event in self._server.stream(f"workflow-events/{self.namespace}", query):
            yield None if event.get("type") == "DELETED" else event["object"]

    def _read_lines(self, workflow: WorkflowObject, node: Mapping[str, Any], last_s: int | None) -> Iterator[str]:
        query = {
            "podName": argo_retry.pod_name(workflow, node),
            "logOptions.container": MAIN,
            "logOptions.timestamps": "true",
            "logOptions.sinceSeconds": "" if last_s is None else str(last_s),
        }
        path = f"workflows/{self.namespace}/{workflow['metadata']['name']}/log"
        for entry in self._server.stream(path, query):
            yield str(entry.get("content", ""))

    def _has_ended(self, workflow: WorkflowObject, node: Mapping[str, Any]) -> bool:
        return has_ended(self.find(workflow["metadata"]["name"]), node)


def _without_empty(value: Any) -> Any:
    """Plain data as it compares: the server adds empty members and names to what it was given."""
    if isinstance(value, dict):
        inner = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item not in ({}, [], None) and (key, item) != ("name", "")}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value


def _step_code_of(template: Mapping[str, Any]) -> Iterator[str]:
    for parameter in (template["spec"].get("arguments") or {}).get("parameters") or ():
        if parameter["name"] == STEP_CODE_PARAMETER:
            yield str(parameter.get("value", ""))
