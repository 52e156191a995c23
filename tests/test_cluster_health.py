"""How models count in the status of a cluster: from what KServe says of each, in one list or two."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes_stand_in import KubernetesStandIn, Reply, refusal

from platform_cli.cluster.health import inspect_models
from platform_cli.status import Health, Layer
from platform_cli.tools.kubernetes import Kubernetes

SERVICES = "GET /apis/serving.kserve.io/v1beta1/inferenceservices"
PODS = "GET /api/v1/pods"
SERVED = {
    "GET /apis/serving.kserve.io/v1beta1": [
        Reply({"resources": [{"kind": "InferenceService", "name": "inferenceservices", "namespaced": True}]})
    ]
}
READY = {"type": "Ready", "status": "True"}
UNREADY = {"type": "Ready", "status": "False", "reason": "MinimumReplicasUnavailable"}
CRASH = {"reason": "ModelLoadFailed", "message": "the coefficients are gone", "exitCode": 1}


def model(name: str, *conditions: dict[str, str], stopped: bool = False, **status: Any) -> dict[str, Any]:
    annotations = {"serving.kserve.io/stop": "true"} if stopped else {}
    return {
        "metadata": {"name": name, "namespace": "mlops", "annotations": annotations},
        "spec": {"predictor": {}},
        "status": {"conditions": list(conditions), **status},
    }


def page(items: list[Any] | None, token: str = "") -> Reply:
    return Reply({"metadata": {"resourceVersion": "1", "continue": token}, "items": items})


def look(*pages: Reply, pods: list[Any] | None = None) -> Layer:
    replies = {**SERVED, SERVICES: pages, **({} if pods is None else {PODS: [page(pods)]})}
    with KubernetesStandIn(replies) as api:
        (layer,) = inspect_models(Kubernetes(api.access()))
        assert len(api.seen) == 1 + len(pages) + (pods is not None)
    return layer


def pod(name: str, reason: str) -> dict[str, Any]:
    waits = {"name": "kserve-container", "image": "nowhere:1", "state": {"waiting": {"reason": reason}}}
    metadata = {"name": f"{name}-1", "namespace": "mlops", "labels": {"serving.kserve.io/inferenceservice": name}}
    return {"metadata": metadata, "status": {"containerStatuses": [waits]}}


IMAGE = pod("iris", "ImagePullBackOff")
CRASHED = model("iris", UNREADY, modelStatus={"lastFailureInfo": CRASH})


@pytest.mark.parametrize(
    ("models", "pods", "health", "reason"),
    [
        pytest.param(None, None, "ok", "0 models", id="none"),
        pytest.param([model("a", READY)], None, "ok", "1 model", id="ready"),
        pytest.param(
            [model("a", READY), CRASHED],
            [],
            "degraded",
            "1 of 2 not ready: mlops/iris: ModelLoadFailed: the coefficients are gone",
            id="one-crashed",
        ),
        pytest.param(
            [model("a", READY), model("iris", UNREADY)],
            [pod("another", "ErrImagePull"), IMAGE],
            "degraded",
            "1 of 2 not ready: mlops/iris: ImagePullBackOff: image nowhere:1",
            id="reason-of-its-pod",
        ),
        pytest.param(
            [model("iris", UNREADY)],
            [IMAGE],
            "down",
            "1 of 1 not ready: mlops/iris: ImagePullBackOff: image nowhere:1",
            id="all",
        ),
        pytest.param(
            [model("a", READY), model("b")],
            [],
            "degraded",
            "1 of 2 not ready: mlops/b: its pods are not there yet",
            id="no-condition",
        ),
        pytest.param(
            [model("a", READY), model("b", UNREADY, stopped=True)], None, "ok", "2 models, 1 stopped", id="one-stopped"
        ),
        pytest.param([model("b", UNREADY, stopped=True)], None, "ok", "1 model, 1 stopped", id="all-stopped"),
        pytest.param(
            [CRASHED, model("b", UNREADY, stopped=True)],
            [],
            "down",
            "1 of 1 not ready: mlops/iris: ModelLoadFailed: the coefficients are gone",
            id="all-but-the-stopped",
        ),
    ],
)
def test_models_are_as_kserve_says(models: list[Any] | None, pods: list[Any] | None, health: str, reason: str) -> None:
    assert look(page(models), pods=pods) == Layer("models", Health(health), reason)


def test_the_first_names_stand_for_hundreds() -> None:
    models = [model(f"m-{number:03}", READY if number % 2 else UNREADY) for number in range(200)]
    layer = look(page(models[:150], "more"), page(models[150:]), pods=[])
    why = "MinimumReplicasUnavailable"
    assert layer.health is Health.DEGRADED
    assert layer.reason == (
        f"100 of 200 not ready: mlops/m-000: {why}; mlops/m-002: {why}; mlops/m-004: {why}; and 97 more"
    )


def test_models_that_nobody_may_see_are_unknown() -> None:
    layer = look(refusal(403, "Forbidden", "no"))
    assert layer.health is Health.UNKNOWN
    assert "inferenceservices.serving.kserve.io" in layer.reason


def test_a_cluster_without_kserve_has_no_such_layer() -> None:
    with KubernetesStandIn({"GET /apis/serving.kserve.io/v1beta1": [refusal(404, "NotFound", "no")]}) as api:
        assert inspect_models(Kubernetes(api.access())) == ()
