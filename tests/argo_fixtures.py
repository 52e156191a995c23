"""What the tests of Argo's engines share: namespaces in which steps may run, small workflows, a proxy that drops."""

from __future__ import annotations

import os
import textwrap
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from platform_cli.cluster.access import Access, read_access
from platform_cli.events import Event, LogLine, NodeFinished, Notice
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import CONFIG_MAP, NAMESPACE, POD, RESOURCE_QUOTA
from platform_cli.workflow.argo_engine import ArgoEngine, RunEngine
from platform_cli.workflow.argo_follow import Patience
from platform_cli.workflow.interface import Submission, WorkflowObject

STEP_IMAGE = os.environ.get("MLOPS_TEST_STEP_IMAGE", "docker.io/library/mlops-step:1")
"""Any image with Python and a shell."""

HEADER = "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nmetadata: {generateName: t-}\nspec:\n"
COMMON = """\
templates:
  - name: say
    inputs: {parameters: [{name: text, value: hello}]}
    container: {image: IMAGE, imagePullPolicy: IfNotPresent, command: [echo, "{{inputs.parameters.text}}"]}
  - name: fail
    container: {image: IMAGE, imagePullPolicy: IfNotPresent, command: [sh, -c, "echo begun; echo broken >&2; exit 3"]}
  - name: once
    container:
      image: IMAGE
      imagePullPolicy: IfNotPresent
      command: [sh, -c, "test -n \\"$(cat /config/open 2>/dev/null)\\" || { echo closed >&2; exit 4; }"]
      volumeMounts: [{name: gate, mountPath: /config}]
  - name: wait
    container: {image: IMAGE, imagePullPolicy: IfNotPresent, command: [sh, -c, "echo waiting; exec sleep 600"]}
  - name: give
    container: {image: IMAGE, imagePullPolicy: IfNotPresent, command: [sh, -c, "echo 42 rows > /tmp/summary"]}
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


@dataclass
class Bench:
    """A namespace with an engine, and what the engine told."""

    access: Access
    namespace: str
    folder: Path
    engine: RunEngine
    kubernetes: Kubernetes
    events: list[Event] = field(default_factory=list)

    def manifest(self, spec: str) -> Path:
        """A file with a Workflow; `spec` is YAML without its outermost indentation. Common templates are added."""
        text = textwrap.dedent(spec) + COMMON.replace("IMAGE", STEP_IMAGE)
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
        self.kubernetes.apply(
            {
                "apiVersion": CONFIG_MAP.api_version,
                "kind": CONFIG_MAP.kind,
                "metadata": {"name": "gate", "namespace": self.namespace},
                "data": {"open": "yes"},
            }
        )

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
    rbac = "rbac.authorization.k8s.io"
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place}
    rule = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    yield {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": place, "rules": [rule]}
    yield {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding",
        "metadata": place,
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "argo-workflow"},
        "subjects": [{"kind": "ServiceAccount", "name": "argo-workflow", "namespace": name}],
    }
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
    """A bench on the cluster of KUBECONFIG."""
    access = open_cluster()
    kubernetes = Kubernetes(access)
    with open_namespace(kubernetes, quota=quota) as namespace:
        engine = ArgoEngine(kubernetes, namespace, patience=Patience(unclaimed_s=8, silent_s=5))
        yield Bench(access, namespace, folder, engine, kubernetes)
