"""Why a workload is not ready, from what an API shows in moments that a test cluster cannot be brought into."""

from __future__ import annotations

from typing import Any

from kubernetes_stand_in import KubernetesStandIn, Reply, refusal

from platform_cli.cluster.explain import Explanation, explain
from platform_cli.cluster.workload import Workload
from platform_cli.tools.kubernetes import Kubernetes

SPACE = "/api/v1/namespaces/mlflow"
APPS = "/apis/apps/v1/namespaces/mlflow"
DEPLOYMENT = {
    "kind": "Deployment",
    "metadata": {"name": "mlflow", "namespace": "mlflow", "uid": "1"},
    "spec": {"selector": {"matchLabels": {"app": "mlflow"}}},
}
UNSCHEDULABLE = "0/2 nodes are available: 2 node(s) had untolerated taint(s)."


def page(*items: dict[str, Any]) -> Reply:
    return Reply({"items": list(items), "metadata": {}})


def explain_pod(status: dict[str, Any], **replies: Reply) -> Explanation | None:
    metadata = {"name": "mlflow-a", "namespace": "mlflow", "creationTimestamp": "2026-01-01T00:00:00Z"}
    answers = {
        f"GET {APPS}/deployments/mlflow": [Reply(DEPLOYMENT)],
        f"GET {APPS}/replicasets": [page()],
        f"GET {SPACE}/events": [page()],
        f"GET {SPACE}/pods": [page({"metadata": metadata, "spec": {}, "status": status})],
        **{f"GET /api/v1/{name}": [reply] for name, reply in replies.items()},
    }
    with KubernetesStandIn(answers) as api:
        return explain(Kubernetes(api.access()), Workload("mlflow", "deployment", "mlflow"))


def make_node(name: str, *taints: tuple[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"taints": [{"key": key, "effect": effect} for key, effect in taints]}}


PENDING = {"conditions": [{"type": "PodScheduled", "status": "False", "message": UNSCHEDULABLE}]}


def test_a_pod_that_its_node_ended_says_why() -> None:
    status = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory. Threshold: 1"}
    found = explain_pod(status)
    assert found is not None
    assert found.reason == (
        "pod mlflow-a was ended by its node (Evicted): The node was low on resource: memory. Threshold: 1"
    )


def test_the_taints_that_keep_a_pod_away_are_named() -> None:
    nodes = page(
        make_node("one", ("node.kubernetes.io/disk-pressure", "NoSchedule")),
        make_node("two", ("gpu", "NoSchedule"), ("soft", "PreferNoSchedule")),
        make_node("three"),
    )
    found = explain_pod(PENDING, nodes=nodes)
    assert found is not None
    assert found.reason == (
        f"pod mlflow-a cannot be scheduled: {UNSCHEDULABLE} "
        "Taints: one has node.kubernetes.io/disk-pressure, two has gpu."
    )


def test_who_may_not_look_at_nodes_is_told_the_rest() -> None:
    found = explain_pod(PENDING, nodes=refusal(403, "Forbidden", "nodes is forbidden"))
    assert found is not None
    assert found.reason == f"pod mlflow-a cannot be scheduled: {UNSCHEDULABLE}"
