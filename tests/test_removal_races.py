"""Taking something off a cluster on which others remove things at the same time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kubernetes_stand_in import KubernetesStandIn, Reply

from platform_cli.cluster.component import read_components
from platform_cli.cluster.mark import remember
from platform_cli.cluster.observation import Sight
from platform_cli.cluster.removal import Remover
from platform_cli.cluster.work import RemoveNamespaces
from platform_cli.tools.kubernetes import Kubernetes

ROOT = Path(__file__).resolve().parent.parent
COMPONENTS = read_components(ROOT / "infrastructure" / "helm" / "releases.yaml")
ARGO = "/apis/argoproj.io/v1alpha1"
RUN = {"metadata": {"name": "r", "namespace": "argo"}, "status": {"phase": "Running"}}


def items(*found: dict[str, Any]) -> Reply:
    return Reply({"items": list(found), "metadata": {"resourceVersion": "1"}})


CLUSTER = {
    "GET /apis": [
        Reply({"groups": [{"name": "argoproj.io", "preferredVersion": {"groupVersion": "argoproj.io/v1alpha1"}}]})
    ],
    f"GET {ARGO}": [Reply({"resources": [{"name": "workflows", "kind": "Workflow", "namespaced": True}]})],
    "GET /version": [Reply({"gitVersion": "v1.35.0"})],
    "GET /api/v1/secrets": [items()],
    "GET /api/v1/namespaces": [items()],
    "GET /api/v1/namespaces/argo/configmaps": [items()],
    "GET /apis/apiextensions.k8s.io/v1/customresourcedefinitions": [items()],
}


def open_remover(api: KubernetesStandIn) -> Remover:
    kubernetes: Any = Kubernetes(api.access())
    return Remover(sight=Sight(kubernetes=kubernetes, helm=None, renderer=None), components=COMPONENTS, deadline_s=0)  # type: ignore[arg-type]


def test_a_run_that_its_retention_removes_meanwhile_is_no_failure() -> None:
    with KubernetesStandIn({**CLUSTER, f"GET {ARGO}/workflows": [items(RUN), items()]}) as api:
        said = open_remover(api).stop_workflows(lambda _: None)
    assert said.startswith("1 told to stop")
    assert "PATCH" in [seen.method for seen in api.seen]


def test_a_namespace_that_somebody_else_removes_meanwhile_is_no_failure() -> None:
    before = remember({"metadata": {"name": "argo", "labels": {"mlops.io/x": "y"}}})
    there = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argo", **before["metadata"]}}
    with KubernetesStandIn({**CLUSTER, "GET /api/v1/namespaces/argo": [Reply(there)]}) as api:
        remover = open_remover(api)
        said = remover.remove_namespaces(RemoveNamespaces(namespaces=("argo",)), lambda _: None)
    assert said == "0 deleted"
    assert "PATCH" in [seen.method for seen in api.seen]
