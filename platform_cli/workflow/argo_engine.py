"""Runs workflows on Argo: one engine, which reaches the cluster by a kubeconfig or by Argo's own server."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from platform_cli.errors import DeadlineError, NotFoundError, StateError
from platform_cli.events import Emit, LogLine
from platform_cli.workflow.argo_api import RUNNER, WorkflowApi
from platform_cli.workflow.argo_diagnosis import Diagnosis
from platform_cli.workflow.argo_follow import Follower, Patience
from platform_cli.workflow.argo_log import refuse_unknown_step, stream_logs
from platform_cli.workflow.argo_manifest import Wish
from platform_cli.workflow.argo_retry import is_suspended
from platform_cli.workflow.argo_status import FULFILLED, Teller, is_over, list_pods, present, summarise, unpack
from platform_cli.workflow.argo_submission import make_run
from platform_cli.workflow.interface import Submission, WorkflowObject, leave
from platform_cli.workflow.submission import can_be_name

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

LATEST = "@latest"
_STOP_S = 60.0
_POLL_S = 0.5
_NEAR_AMONG = 200
_KEPT = "a cluster forgets runs: by default a week after they succeeded, a month after they failed"


class RunEngine:
    """See `interface.Engine`.

    Args:
        api: the way to the cluster.
        service_account: what pods run as when the file does not say.
        registry: put in front of images that a parameter `image` names without one, unless what was deployed says.
        patience: how long to be silent about silence.
    """

    is_remote = True

    def __init__(
        self,
        api: WorkflowApi,
        *,
        service_account: str = RUNNER,
        registry: str = "",
        patience: Patience | None = None,
    ) -> None:
        self.api = api
        self.service_account = service_account
        self.registry = registry
        self.patience = patience

    def submit(self, submission: Submission) -> str:
        """See `Engine.submit`. A name that is taken by the same submission is that run.

        Raises:
            StateError: another run has that name.
        """
        wish = Wish(namespace=self.api.namespace, service_account=self.service_account, registry=self.registry)
        return make_run(self.api, submission, wish)

    def run(self, name: str, emit: Emit) -> WorkflowObject:
        """See `Engine.run`; the controller drives it."""
        return self.watch(name, emit)

    def watch(self, name: str, emit: Emit) -> WorkflowObject:
        """See `Engine.watch`."""
        run = self._require(name)["metadata"]["name"]
        diagnosis = Diagnosis(self.api)
        teller = Teller(diagnosis.explain)
        try:
            workflow = Follower(self.api, run, teller=teller, emit=emit, patience=self.patience).follow()
        except KeyboardInterrupt:
            raise leave(run) from None
        return present(diagnosis.annotate(workflow))

    def start(self, name: str) -> None:
        """See `Engine.start`; the controller has started it already."""

    def list(self, *, limit: int = 50) -> list[WorkflowObject]:
        """See `Engine.list`."""
        return [summarise(workflow) for workflow in self.api.list_newest(limit)]

    def get(self, name: str) -> WorkflowObject:
        """See `Engine.get`."""
        return present(Diagnosis(self.api).annotate(unpack(self._require(name))))

    def logs(self, name: str, *, step: str | None = None, follow: bool = False) -> Iterator[LogLine]:
        """See `Engine.logs`."""
        workflow = unpack(self._require(name))
        if not follow or is_over(workflow):
            refuse_unknown_step(workflow, step)
            return stream_logs(self.api, [workflow], step=step)
        return stream_logs(self.api, self._changes(workflow["metadata"]["name"]), step=step, follow=True)

    def stop(self, name: str) -> None:
        """See `Engine.stop`; returns when no step runs any more, while exit handlers may.

        Raises:
            StateError: it has ended already.
            DeadlineError: nobody stops it.
        """
        workflow = self._require(name)
        run = workflow["metadata"]["name"]
        if is_over(workflow):
            phase = workflow["status"]["phase"]
            raise StateError(f"run {run} has ended: {phase}", hint="see it with: mlops pipeline get")
        self.api.stop(run)
        deadline = time.monotonic() + _STOP_S
        while not _has_stopped(self._require(run)):
            if time.monotonic() > deadline:
                hint = "see that Argo's workflow-controller runs: it stops the run once it does"
                raise DeadlineError(f"run {run} was told to stop and has not", hint=hint)
            time.sleep(_POLL_S)

    def delete(self, name: str) -> None:
        """See `Engine.delete`; what it gave stays in the bucket until its retention ends.

        Raises:
            StateError: it has not ended.
        """
        workflow = self._require(name)
        run = workflow["metadata"]["name"]
        if not is_over(workflow):
            raise StateError(f"run {run} has not ended", hint=f"end it with: mlops pipeline stop {run}")
        self.api.delete(run)

    def resume(self, name: str) -> None:
        """See `Engine.resume`. A run that waits for a person goes on; one that failed is retried as Argo does it."""
        workflow = self._require(name)
        run, whole = workflow["metadata"]["name"], unpack(workflow)
        if not is_over(whole):
            nodes = (whole["status"].get("nodes") or {}).values()
            if not (whole["spec"].get("suspend") or any(is_suspended(node) for node in nodes)):
                raise StateError(f"run {run} is running", hint=f"follow it with: mlops pipeline get {run} --wait")
            self.api.wake(workflow)
        elif whole["status"]["phase"] == "Succeeded":
            raise StateError(f"run {run} succeeded; there is nothing to resume", hint="submit it again instead")
        else:
            self.api.retry(workflow)

    def fetch_artifacts(self, name: str, folder: Path) -> tuple[Path, ...]:
        """See `Engine.fetch_artifacts`."""
        from functools import partial

        from platform_cli.workflow.argo_artifact import save
        from platform_cli.workflow.export import list_exports

        workflow = unpack(self._require(name))
        exports = list_exports(workflow)
        for node, artifact, target in exports:
            save(partial(self.api.download, workflow, node, artifact), artifact, folder / target)
        return tuple(folder / export.target for export in exports)

    def apply_config_map(self, name: str, files: Mapping[str, bytes]) -> None:
        """See `Engine.apply_config_map`."""
        self.api.apply_config_map(name, files)

    def _require(self, name: str) -> WorkflowObject:
        if name == LATEST:
            newest = self.api.list_newest(1)
            if not newest:
                raise NotFoundError("there is no run yet", hint="start one: mlops pipeline submit")
            name = newest[0]["metadata"]["name"]
        found = self.api.find(name) if can_be_name(name) else None
        if found is None:
            known = [workflow["metadata"]["name"] for workflow in self.api.list_newest(_NEAR_AMONG)]
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else f"see them all: mlops pipeline list; {_KEPT}"
            raise NotFoundError(f"no run named {name}", hint=hint)
        return found

    def _changes(self, run: str) -> Iterator[WorkflowObject]:
        for workflow in self.api.watch(run):
            if workflow is None:
                return
            yield unpack(workflow)
            if is_over(workflow):
                return


class ArgoEngine(RunEngine):
    """Argo through the cluster's API: a kubeconfig is all it takes.

    Args:
        kubernetes: the cluster.
        namespace: where runs go.
        environ: what leads to the bucket: AWS' variables and the like.
    """

    def __init__(
        self,
        kubernetes: Kubernetes,
        namespace: str,
        *,
        environ: Mapping[str, str] | None = None,
        service_account: str = RUNNER,
        registry: str = "",
        patience: Patience | None = None,
    ) -> None:
        from platform_cli.workflow.argo_cluster import ClusterApi

        api = ClusterApi(kubernetes, namespace, environ=os.environ if environ is None else environ)
        super().__init__(api, service_account=service_account, registry=registry, patience=patience)


class ArgoServerEngine(RunEngine):
    """Argo through its own server: an address and a token are all it takes.

    Args:
        url: such as `https://argo.example.org:2746`.
        token: empty for a server that asks for none.
        namespace: where runs go.
        verify: whether the server's certificate must be one that this machine trusts.
    """

    def __init__(
        self,
        url: str,
        token: str,
        namespace: str,
        *,
        verify: bool = True,
        service_account: str = RUNNER,
        registry: str = "",
        patience: Patience | None = None,
    ) -> None:
        from platform_cli.workflow.argo_server import ServerApi

        api = ServerApi(url, token, namespace, verify=verify)
        super().__init__(api, service_account=service_account, registry=registry, patience=patience)


def open_server_engine(environ: Mapping[str, str], *, namespace: str, registry: str = "") -> ArgoServerEngine | None:
    """The engine that ARGO_SERVER and ARGO_TOKEN lead to, as `argo` reads them; None when they are not set.

    ARGO_NAMESPACE wins over `namespace`; ARGO_SECURE=false means plain HTTP, ARGO_INSECURE_SKIP_VERIFY=true any
    certificate.
    """
    server, token = environ.get("ARGO_SERVER", ""), environ.get("ARGO_TOKEN", "")
    if not server or not token:
        return None
    scheme = "http" if environ.get("ARGO_SECURE", "").lower() == "false" else "https"
    url = server if "://" in server else f"{scheme}://{server}"
    verify = environ.get("ARGO_INSECURE_SKIP_VERIFY", "").lower() != "true"
    return ArgoServerEngine(url, token, environ.get("ARGO_NAMESPACE") or namespace, verify=verify, registry=registry)


def _has_stopped(workflow: WorkflowObject) -> bool:
    """Whether no step runs any more; handlers still may."""
    whole = unpack(workflow)
    handlers = f"{whole['metadata']['name']}.onExit"
    steps = [node for node in list_pods(whole) if not node["name"].startswith(handlers)]
    return is_over(whole) or (bool(steps) and all(node["phase"] in FULFILLED for node in steps))
