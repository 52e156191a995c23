"""What the tests of Argo's engines share: namespaces in which steps may run, small workflows, a proxy that drops."""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import subprocess
import textwrap
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from chart_fixtures import STAND_IN_IMAGE
from own_chart import SCIENTISTS, list_rules

from platform_cli.cluster.access import Access, read_access
from platform_cli.events import Event, LogLine, NodeFinished, Notice
from platform_cli.layout import TargetHome
from platform_cli.render.run import tree_lines
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import CONFIG_MAP, NAMESPACE, POD, RESOURCE_QUOTA, SECRET
from platform_cli.workflow.argo_engine import ArgoEngine, ArgoServerEngine
from platform_cli.workflow.argo_follow import Patience
from platform_cli.workflow.interface import Engine, Submission, WorkflowObject
from platform_cli.workflow.local_engine import LocalEngine

STEP_IMAGE = os.environ.get("MLOPS_TEST_STEP_IMAGE", STAND_IN_IMAGE)
"""Any image with Python and a shell."""

QUICK = Patience(unclaimed_s=8, silent_s=5)
HEADER = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: t-}\nspec:\n"
COMMON = """\
  - name: say
    inputs: {parameters: [{name: text, value: hello}]}
    container: {image: IMAGE, command: [echo, "{{inputs.parameters.text}}"]}
  - name: fail
    container: {image: IMAGE, command: [sh, -c, "(echo begun; echo broken) >&2; exit 3"]}
  - name: once
    container:
      image: IMAGE
      command: [sh, -c, "test -n \\"$(cat /config/open 2>/dev/null)\\" || { echo closed >&2; exit 4; }"]
      volumeMounts: [{name: gate, mountPath: /config}]
  - name: wait
    container: {image: IMAGE, command: [sh, -c, "echo waiting; exec sleep 600"]}
  - name: give
    container: {image: IMAGE, command: [sh, -c, "echo all rows > /tmp/summary"]}
    outputs: {parameters: [{name: summary, valueFrom: {path: /tmp/summary}}]}
"""


def open_cluster() -> Access:
    """The cluster of KUBECONFIG; skips without one, or when Argo's kinds are not on it."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("no KUBECONFIG: these tests need a cluster with Argo Workflows")
    access = read_access(None, None, os.environ)
    if Kubernetes(access).find_kind("argoproj.io/v1alpha1", "Workflow") is None:
        pytest.skip("the cluster of KUBECONFIG does not know Workflows: install Argo Workflows")
    return access


def config_map(namespace: str, name: str, data: Mapping[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": CONFIG_MAP.api_version, "kind": CONFIG_MAP.kind, "metadata": metadata, "data": dict(data)}


@dataclass
class Bench:
    """An engine, and what it told; with a cluster, also its namespace there."""

    folder: Path
    engine: Engine
    events: list[Event] = field(default_factory=list)
    namespace: str = ""
    server: tuple[str, str] = ("", "")

    @cached_property
    def kubernetes(self) -> Kubernetes:
        return Kubernetes(open_cluster())

    def manifest(self, spec: str) -> Path:
        """A file with a Workflow; `spec` is YAML without its outermost indentation. Common templates are added."""
        text = textwrap.dedent(spec).replace("IMAGE", STEP_IMAGE)
        text += "" if "templates:" in text else "templates:\n"
        text += COMMON.replace("IMAGE", STEP_IMAGE)
        text += "volumes: [{name: gate, configMap: {name: gate, optional: true}}]\n"
        path = self.folder / f"{uuid.uuid4().hex[:8]}.yaml"
        path.write_text(HEADER + textwrap.indent(text, "  "), encoding="utf-8")
        return path

    def submit(self, spec: str, parameters: Mapping[str, str] | None = None, **options: Any) -> str:
        return self.engine.submit(Submission(manifest=self.manifest(spec), parameters=parameters or {}, **options))

    def run(self, spec: str, parameters: Mapping[str, str] | None = None, **options: Any) -> WorkflowObject:
        return self.engine.run(self.submit(spec, parameters, **options), self.events.append)

    def open_gate(self) -> None:
        """Let steps of template `once` pass from now on."""
        self.kubernetes.apply(config_map(self.namespace, "gate", {"open": "yes"}))

    def second(self) -> Engine:
        """An engine of another process, as far as the first one can tell."""
        return self.engine

    def wait_for_end(self, name: str) -> WorkflowObject:
        """Handlers may still run after a stop."""
        return self.engine.run(name, self.events.append)

    def pods(self) -> list[dict[str, Any]]:
        return list(self.kubernetes.list(POD, self.namespace))

    def logs(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, LogLine)]

    def notices(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice)]

    def finished(self) -> dict[str, NodeFinished]:
        return {event.name: event for event in self.events if isinstance(event, NodeFinished)}


def nodes_of(workflow: WorkflowObject) -> dict[str, dict[str, Any]]:
    """Nodes by display name."""
    return {node["displayName"]: node for node in workflow["status"]["nodes"].values()}


@contextmanager
def open_namespace(kubernetes: Kubernetes, *, quota: Mapping[str, str] | None = None) -> Iterator[str]:
    """A namespace in which Argo's executor may report what steps gave; gone afterwards."""
    name = f"a-{uuid.uuid4().hex[:8]}"
    for obj in _list_objects(name, quota):
        kubernetes.apply(obj)
    try:
        yield name
    finally:
        kubernetes.delete(NAMESPACE, name)


def _list_objects(name: str, quota: Mapping[str, str] | None) -> Iterator[dict[str, Any]]:
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    place = {"namespace": name, "name": "argo-workflow"}
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place}
    rule = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    yield from list_grants(place, [rule], {"kind": "ServiceAccount", **place})
    if quota is not None:
        metadata = {"namespace": name, "name": "small"}
        yield {
            "apiVersion": RESOURCE_QUOTA.api_version,
            "kind": RESOURCE_QUOTA.kind,
            "metadata": metadata,
            "spec": {"hard": dict(quota)},
        }


@contextmanager
def open_bench(folder: Path, *, quota: Mapping[str, str] | None = None) -> Iterator[Bench]:
    """Argo through the API of the cluster of KUBECONFIG, as a data scientist."""
    kubernetes = Kubernetes(open_cluster())
    with open_namespace(kubernetes, quota=quota) as namespace:
        scientist = become_scientist(kubernetes, namespace)
        yield Bench(folder, ArgoEngine(scientist, namespace, patience=QUICK), namespace=namespace)


@dataclass
class LocalBench(Bench):
    """The local engine behind the same verbs."""

    home: TargetHome = field(kw_only=True)

    def open_gate(self) -> None:
        self.engine.apply_config_map("gate", {"open": b"yes"})

    def second(self) -> Engine:
        return LocalEngine(self.home, environment=dict(os.environ))

    def wait_for_end(self, name: str) -> WorkflowObject:
        return self.engine.get(name)


@contextmanager
def open_local_bench(folder: Path) -> Iterator[Bench]:
    """The local engine on a home of its own."""
    home = TargetHome(folder / ".mlops" / "embedded-dev")
    engine = LocalEngine(home, environment=dict(os.environ), grace_s=0.5)
    yield LocalBench(folder, engine, home=home)
    engine.close()


@contextmanager
def open_server_bench(folder: Path) -> Iterator[Bench]:
    """Argo through its own server, which runs here and knows us by the token of a service account."""
    program = shutil.which("argo")
    if program is None:
        pytest.skip("no argo program on PATH: it is Argo's server, too")
    kubernetes = Kubernetes(open_cluster())
    with open_namespace(kubernetes) as namespace, start_server(program, folder) as url:
        token = make_token(kubernetes, namespace)
        engine = ArgoServerEngine(url, token, namespace, patience=QUICK)
        yield Bench(folder, engine, namespace=namespace, server=(url, token))


@contextmanager
def start_server(program: str, folder: Path) -> Iterator[str]:
    """Argo's server as a process of ours; it asks for tokens and passes them on. Yields its address."""
    port = find_port()
    argv = [program, "server", "-n", "argo", "--auth-mode=client", "--secure=false", f"--port={port}"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            wait_for_port(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            # It would wait for every open stream.
            process.kill()
            process.wait(30)


def become_scientist(kubernetes: Kubernetes, namespace: str, *spaces: str) -> Kubernetes:
    """The cluster as a data scientist has it, with the namespace in the place of `argo`, or of these spaces."""
    access = kubernetes.access
    context = {"cluster": "c", "user": "scientist", "namespace": namespace}
    kubeconfig = {
        **access.kubeconfig,
        "clusters": [{"name": "c", "cluster": access.cluster}],
        "users": [{"name": "scientist", "user": {"token": make_token(kubernetes, namespace, *spaces)}}],
        "contexts": [{"name": "scientist", "context": context}],
        "current-context": "scientist",
    }
    return Kubernetes(Access(kubeconfig, "scientist"))


def make_token(kubernetes: Kubernetes, namespace: str, *spaces: str) -> str:
    """A token that may do in one namespace what the platform's chart lets data scientists do in `argo`, or in these."""
    place = {"namespace": namespace, "name": "scientist"}
    subject = {"kind": "ServiceAccount", "name": "scientist", "namespace": namespace}
    kubernetes.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place})
    rules = [rule for space in spaces or ("argo",) for rule in list_rules(SCIENTISTS, space)]
    for obj in list_grants(place, rules, subject):
        kubernetes.apply(obj)
    annotations = {"kubernetes.io/service-account.name": "scientist"}
    metadata = {**place, "annotations": annotations}
    kubernetes.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/service-account-token"}
    )
    for _, secret in kubernetes.watch(SECRET, namespace, name="scientist", timeout_s=60):
        if token := (secret.get("data") or {}).get("token"):
            return base64.b64decode(token).decode()
    pytest.fail("the cluster has made no token for the service account")


def list_grants(
    place: Mapping[str, str], rules: list[dict[str, Any]], subject: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """A Role of that name and namespace, and its binding to the subject."""
    rbac = "rbac.authorization.k8s.io"
    reference = {"apiGroup": rbac, "kind": "Role", "name": place["name"]}
    yield {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": place, "rules": rules}
    yield {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding",
        "metadata": place,
        "roleRef": reference,
        "subjects": [subject],
    }


def find_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until a process of ours listens there."""
    for _ in range(600):
        assert process.poll() is None, "it has ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"nothing listens on port {port}")


def find_tree(workflow: WorkflowObject) -> list[str]:
    """The lines that people see, without marks, names in front and times."""
    lines = tree_lines(workflow)
    words = [line.split()[1:] for line in lines]
    return [" ".join(word for word in line if not re.fullmatch(r"[\d.]+|s|ms", word)) for line in _drop_label(words)]


def _drop_label(lines: list[list[str]]) -> list[list[str]]:
    return [lines[0][1:], *lines[1:]]
