"""Serving on KServe without a cluster: names, objects, states, and how often the API is asked."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes_stand_in import KubernetesStandIn, Reply, refusal
from serving_fixtures import Registered

from platform_cli.errors import NotReadyError, RefusedError, ToolError, UsageError
from platform_cli.serving.interface import ServingState, Size
from platform_cli.serving.kserve_assembly import find_prometheus, open_serving
from platform_cli.serving.kserve_inspection import inspect_service, is_ready
from platform_cli.serving.kserve_manifest import (
    MANAGED,
    SERVICE_LABEL,
    SPEC_HASH,
    Sizing,
    Wish,
    build_service,
    make_name,
    read_storage_uri,
    storage_uri,
)
from platform_cli.serving.kserve_serving import KServeServing
from platform_cli.serving.kserve_sizing import choose_sizing, drop_scaler, find_scaling_trouble
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.mlflow import ModelRef, Registry

WISH = Wish(
    model="Größe 1", version="3", namespace="mlops", runtime="mlops-mlflow", service_account="a", sizing=Sizing()
)
NAMES = st.text(st.characters(exclude_characters="/@:", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80)


@given(NAMES)
def test_every_model_has_a_name_that_kubernetes_takes(model: str) -> None:
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", make_name(model))
    assert len(f"{make_name(model)}-predictor") <= 63


@given(NAMES, NAMES)
def test_two_models_never_share_a_name(one: str, other: str) -> None:
    assert (make_name(one) == make_name(other)) == (one == other)


@pytest.mark.parametrize(("model", "name"), [("iris", "iris"), ("iris-2", "iris-2")])
def test_a_plain_name_stays(model: str, name: str) -> None:
    assert make_name(model) == name


def test_names_that_look_alike_stay_apart() -> None:
    names = {make_name(model) for model in ("my-model", "My-Model", "my_model", "my model", "1", "m-1", "é", "è")}
    assert len(names) == 8


@given(NAMES, st.integers(1, 10**6))
def test_a_storage_uri_tells_the_model(model: str, version: int) -> None:
    assert read_storage_uri(storage_uri(model, str(version))) == (model, str(version))


@pytest.mark.parametrize("uri", ["", "s3://bucket/model", "mlflow://models/3"])
def test_another_storage_uri_tells_nothing(uri: str) -> None:
    assert read_storage_uri(uri) == ("", "")


def hash_of(wish: Wish) -> str:
    return str(build_service(wish)["metadata"]["annotations"][SPEC_HASH])


def test_pods_are_new_for_what_they_are_made_of_only() -> None:
    same = [
        replace(WISH, sizing=replace(WISH.sizing, max_replicas=9)),
        replace(WISH, sizing=replace(WISH.sizing, autoscaler="keda", prometheus="http://prometheus:9090")),
    ]
    other = [
        replace(WISH, version="4"),
        replace(WISH, runtime="another"),
        replace(WISH, sizing=replace(WISH.sizing, cpu="2")),
        replace(WISH, sizing=replace(WISH.sizing, memory="2Gi")),
    ]
    assert {hash_of(wish) for wish in same} == {hash_of(WISH)}
    assert len({hash_of(wish) for wish in (WISH, *other)}) == 5


def test_each_autoscaler_is_told_what_it_needs() -> None:
    def predictor(autoscaler: str) -> Any:
        sizing = Sizing(autoscaler=autoscaler, prometheus="http://prometheus:9090")
        return build_service(replace(WISH, sizing=sizing))["spec"]["predictor"]

    assert (predictor("hpa")["scaleMetric"], predictor("hpa")["scaleTarget"]) == ("cpu", 70)
    metric = predictor("keda")["autoScaling"]["metrics"][0]["external"]["metric"]
    assert metric["serverAddress"] == "http://prometheus:9090"
    assert f'pod=~"{WISH.name}-predictor-.*"' in metric["query"]
    assert not {"autoScaling", "scaleMetric"} & predictor("none").keys()


def pod(version: str = "3", *, ready: bool = True, name: str = "p", **status: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": {
            "name": name,
            "namespace": "mlops",
            "annotations": {"mlops.dev/model-version": version},
            "labels": {SERVICE_LABEL: WISH.name},
            "creationTimestamp": "2026-11-21T15:00:00Z",
        },
        "status": {"conditions": conditions, **status},
    }


def waiting(reason: str, container: str = "kserve-container", **more: Any) -> dict[str, Any]:
    state = {"name": container, "image": "nowhere:1", "restartCount": 0, "state": {"waiting": {"reason": reason}}}
    return {"containerStatuses": [{**state, **more}]}


CRASHED = {"restartCount": 4, "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}
FULL = [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]


@pytest.mark.parametrize(
    ("pods", "version", "state", "reason"),
    [
        ([pod()], "3", "ready", ""),
        ([], "3", "starting", "its pods are not there yet"),
        ([pod(ready=False, **waiting("PodInitializing"))], "3", "starting", "the model is loading"),
        ([pod(ready=False, **waiting("ImagePullBackOff"))], "3", "crashed", "ImagePullBackOff: image nowhere:1"),
        (
            [pod(ready=False, **waiting("CrashLoopBackOff", **CRASHED))],
            "3",
            "crashed",
            "kserve-container ended with 1 (Error)",
        ),
        (
            [pod(ready=False, conditions=FULL)],
            "3",
            "crashed",
            "no node has room for it: 0/1 nodes are available",
        ),
        ([pod("2"), pod(ready=False, name="q")], "2", "ready", "version 3 is not ready yet"),
        (
            [pod("2"), pod(ready=False, name="q", **waiting("ErrImagePull"))],
            "2",
            "ready",
            "version 3 is not ready yet: ErrImagePull: image nowhere:1",
        ),
    ],
)
def test_the_state_is_that_of_the_pods(pods: list[Any], version: str, state: str, reason: str) -> None:
    endpoint = inspect_service(build_service(WISH), pods)
    assert (endpoint.version, endpoint.state, endpoint.reason) == (version, state, reason)
    assert endpoint.name == "Größe 1"


def test_pods_that_end_do_not_count() -> None:
    leaving = pod("2")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-21T15:01:00Z"
    assert inspect_service(build_service(WISH), [leaving]).state is ServingState.STARTING
    assert is_ready(pod("2"))
    assert not is_ready(leaving), "it says that it is ready until its last second"


def test_a_stopped_model_is_stopped() -> None:
    service = build_service(WISH)
    service["metadata"]["annotations"]["serving.kserve.io/stop"] = "true"
    assert inspect_service(service, []).state is ServingState.STOPPED


def test_what_kserve_refuses_is_the_reason() -> None:
    failure = {"reason": "InvalidPredictorSpec", "message": "no such runtime"}
    service = {**build_service(WISH), "status": {"modelStatus": {"lastFailureInfo": failure}}}
    endpoint = inspect_service(service, [])
    assert (endpoint.state, endpoint.reason) == ("crashed", "InvalidPredictorSpec: no such runtime")


@pytest.mark.parametrize(
    ("outside", "expected", "port"),
    [
        ("", f"http://{WISH.name}-predictor.mlops.svc.cluster.local", 80),
        ("https://models.example.com", "https://models.example.com", 443),
        ("http://203.0.113.7:8080", "http://203.0.113.7:8080", 8080),
    ],
)
def test_the_address_is_the_gateways_or_the_service(outside: str, expected: str, port: int) -> None:
    """What KServe writes into the status is no address of anything."""
    service = {**build_service(WISH), "status": {"url": "http://iris-mlops.example.com"}}
    endpoint = inspect_service(service, [pod()], outside=outside)
    assert endpoint.url == f"{expected}/v2/models/Gr%C3%B6%C3%9Fe%201"
    assert endpoint.port == port


SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/mlops/inferenceservices"
PODS = "/api/v1/namespaces/mlops/pods"
NOWHERE = Registry("sqlite:////nonexistent/mlflow.db")


def page(items: list[Any], token: str = "") -> Reply:
    return Reply({"metadata": {"resourceVersion": "1", "continue": token}, "items": items})


def test_two_hundred_models_are_two_lists_in_pages() -> None:
    wishes = [replace(WISH, model=f"model-{number:03}") for number in range(200)]
    services = [build_service(wish) for wish in wishes]
    pods = [pod(name=f"p-{wish.model}") for wish in wishes]
    for wish, found in zip(wishes, pods, strict=True):
        found["metadata"]["labels"] = {SERVICE_LABEL: wish.name}
    replies = {
        f"GET {SERVICES}": [page(services[:150], "more"), page(services[150:])],
        f"GET {PODS}": [page(pods[:150], "more"), page(pods[150:])],
    }
    with KubernetesStandIn(replies) as api:
        endpoints = KServeServing(Kubernetes(api.access()), NOWHERE).list()
        assert len(api.seen) == 4
    assert [endpoint.name for endpoint in endpoints] == sorted(wish.model for wish in wishes)
    assert {endpoint.pods for endpoint in endpoints} == {(f"p-{wish.model}",) for wish in wishes}


def test_a_cluster_without_kserve_is_told() -> None:
    absent = {"GET /apis/serving.kserve.io/v1beta1": [refusal(404, "NotFound", "no")]}
    with KubernetesStandIn(absent) as api, pytest.raises(NotReadyError, match="KServe is not installed"):
        KServeServing(Kubernetes(api.access()), NOWHERE).deploy(ModelRef.parse("iris"))


SCALERS = {"resources": [{"kind": "ScaledObject", "name": "scaledobjects", "namespaced": True}]}
KEDA = {
    "GET /apis/keda.sh/v1alpha1": [Reply(SCALERS)],
    "GET /apis/external.metrics.k8s.io": [Reply({"kind": "APIGroup"})],
}
PROMETHEUS = "http://prometheus:9090"


@pytest.mark.parametrize(
    ("replies", "prometheus", "size", "autoscaler"),
    [
        pytest.param(KEDA, PROMETHEUS, Size(), "keda", id="both"),
        pytest.param(KEDA, "", Size(), "hpa", id="no-prometheus"),
        pytest.param({}, PROMETHEUS, Size(), "hpa", id="no-keda"),
        # What a KEDA that went leaves behind.
        pytest.param({"GET /apis/keda.sh/v1alpha1": [Reply(SCALERS)]}, PROMETHEUS, Size(), "hpa", id="definitions"),
        pytest.param(KEDA, PROMETHEUS, Size(min_replicas=2, max_replicas=2), "none", id="fixed"),
    ],
)
def test_the_autoscaler_is_the_best_that_is_there(
    replies: dict[str, list[Reply]], prometheus: str, size: Size, autoscaler: str
) -> None:
    with KubernetesStandIn(replies) as api:
        sizing = choose_sizing(Kubernetes(api.access()), size, None, prometheus=lambda: prometheus)
    assert sizing.autoscaler == autoscaler
    assert sizing.prometheus == (PROMETHEUS if autoscaler == "keda" else "")


MEASURED = {"GET /apis/metrics.k8s.io": [Reply({"kind": "APIGroup"})]}


@pytest.mark.parametrize(
    ("autoscaler", "replies", "trouble"),
    [
        pytest.param("hpa", {}, "no pods are added beyond 1: nothing on the cluster measures", id="hpa-unmeasured"),
        pytest.param("hpa", MEASURED, "", id="hpa-measured"),
        pytest.param("keda", {}, "", id="keda"),
        pytest.param("none", {}, "", id="none"),
    ],
)
def test_what_cannot_scale_is_told(autoscaler: str, replies: dict[str, list[Reply]], trouble: str) -> None:
    with KubernetesStandIn(replies) as api:
        told = find_scaling_trouble(Kubernetes(api.access()), Sizing(autoscaler=autoscaler))
    assert told.startswith(trouble)
    assert bool(told) == bool(trouble)


def scaled_by(autoscaler: str) -> dict[str, Any]:
    return build_service(replace(WISH, sizing=replace(WISH.sizing, autoscaler=autoscaler)))


HPA = f"/apis/autoscaling/v2/namespaces/mlops/horizontalpodautoscalers/{WISH.name}-predictor"
SCALED = f"/apis/keda.sh/v1alpha1/namespaces/mlops/scaledobjects/{WISH.name}-predictor"
SCALING = {
    **KEDA,
    "GET /apis/autoscaling/v2": [
        Reply({"resources": [{"kind": "HorizontalPodAutoscaler", "name": HPA.split("/")[6], "namespaced": True}]})
    ],
}


@pytest.mark.parametrize(
    ("before", "after", "dropped"),
    [("hpa", "keda", HPA), ("keda", "hpa", SCALED), ("hpa", "none", HPA), ("none", "hpa", None), ("hpa", "hpa", None)],
)
def test_only_one_thing_adds_pods(before: str, after: str, dropped: str | None) -> None:
    with KubernetesStandIn(SCALING) as api:
        drop_scaler(Kubernetes(api.access()), scaled_by(before), scaled_by(after))
        assert [seen.path for seen in api.seen if seen.method == "DELETE"] == ([dropped] if dropped else [])


PROMETHEUS_SERVICE = "GET /api/v1/namespaces/monitoring/services/kube-prometheus-stack-prometheus"


@pytest.mark.parametrize(
    ("replies", "url"),
    [
        pytest.param(
            {PROMETHEUS_SERVICE: [Reply({"metadata": {"name": "kube-prometheus-stack-prometheus"}})]},
            "http://kube-prometheus-stack-prometheus.monitoring.svc.cluster.local:9090",
            id="there",
        ),
        pytest.param({}, "", id="absent"),
        pytest.param({PROMETHEUS_SERVICE: [refusal(403, "Forbidden", "you cannot get it")]}, "", id="forbidden"),
    ],
)
def test_prometheus_is_found_where_the_platform_has_it(replies: dict[str, list[Reply]], url: str) -> None:
    with KubernetesStandIn(replies) as api:
        assert find_prometheus(Kubernetes(api.access())) == url


KSERVE = {
    "GET /apis/serving.kserve.io/v1beta1": [
        Reply({"resources": [{"kind": "InferenceService", "name": "inferenceservices", "namespaced": True}]})
    ],
    f"GET {SERVICES}": [page([])],
    f"PATCH {SERVICES}/iris": [refusal(422, "Invalid", "that is all this test wants to see")],
}


@pytest.mark.parametrize(
    ("components", "autoscaler"),
    [(["kube-prometheus-stack", "keda"], "keda"), (["keda"], "hpa")],
    ids=["with-prometheus", "without"],
)
def test_what_is_selected_decides_what_scales(
    components: list[str], autoscaler: str, registered_models: Registered
) -> None:
    there = {PROMETHEUS_SERVICE: [Reply({"metadata": {"name": "kube-prometheus-stack-prometheus"}})]}
    with KubernetesStandIn({**KSERVE, **KEDA, **there}) as api:
        serving = open_serving(Kubernetes(api.access()), Registry(registered_models.uri), components)
        with pytest.raises(ToolError, match="that is all"):
            serving.deploy(ModelRef.parse("iris"))
        (applied,) = (seen.body for seen in api.seen if seen.method == "PATCH")
    assert applied["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == autoscaler
    assert ("kube-prometheus-stack-prometheus.monitoring" in str(applied)) == (autoscaler == "keda")


def stopped(**labels: str) -> dict[str, Any]:
    """An InferenceService that names no version."""
    metadata = {"name": "iris", "namespace": "mlops", "labels": labels}
    return {"metadata": metadata, "spec": {"predictor": {}}}


def test_what_others_made_is_not_touched(registered_models: Registered) -> None:
    theirs = {f"GET {SERVICES}/iris": [Reply(stopped(**{"app.kubernetes.io/managed-by": "Helm"}))]}
    with KubernetesStandIn({**KSERVE, **theirs}) as api:
        serving = KServeServing(Kubernetes(api.access()), Registry(registered_models.uri))
        with pytest.raises(RefusedError, match="InferenceService iris in mlops was not made by mlops") as caught:
            serving.deploy(ModelRef.parse("iris"))
        assert {seen.method for seen in api.seen} == {"GET"}
    assert "mlops model undeploy iris" in caught.value.hint


@pytest.mark.parametrize(
    ("before", "told"),
    [
        pytest.param([], "inferenceservices.serving.kserve.io iris in mlops", id="the-way-back-is-refused"),
        pytest.param([Reply(stopped(**MANAGED))], "iris named no version that it served", id="there-is-no-way-back"),
    ],
)
def test_what_goes_wrong_on_the_way_back_is_told_too(
    before: list[Reply], told: str, registered_models: Registered
) -> None:
    replies = {
        **KSERVE,
        f"DELETE {SERVICES}/iris": [refusal(403, "Forbidden", "you cannot delete it")],
        f"GET {PODS}": [page([])],
        **({f"GET {SERVICES}/iris": before} if before else {}),
    }
    with KubernetesStandIn(replies) as api:
        serving = KServeServing(Kubernetes(api.access()), Registry(registered_models.uri))
        with pytest.raises(ToolError, match="that is all") as caught:
            serving.deploy(ModelRef.parse("iris"))
        applied = [seen.body["spec"]["predictor"]["model"]["storageUri"] for seen in api.seen if seen.method == "PATCH"]
    assert applied == ["mlflow://models/iris/1"]
    (first, *_) = caught.value.details
    assert first.startswith("what was there before is not back: ")
    assert told in first


def choose(size: Size, before: Wish | None = None) -> Sizing:
    with KubernetesStandIn({}) as api:
        service = build_service(before) if before else None
        return choose_sizing(Kubernetes(api.access()), size, service, prometheus=str)


def test_what_was_not_asked_for_stays() -> None:
    before = replace(WISH, sizing=Sizing(min_replicas=2, max_replicas=4, cpu="2", memory="3Gi"))
    kept = choose(Size(memory="4Gi"), before)
    assert (kept.min_replicas, kept.max_replicas, kept.cpu, kept.memory) == (2, 4, "2", "4Gi")
    more = choose(Size(min_replicas=6), before)
    assert (more.min_replicas, more.max_replicas) == (6, 6)
    fewer = choose(Size(max_replicas=1), before)
    assert (fewer.min_replicas, fewer.max_replicas) == (1, 1)


def test_a_model_that_nothing_could_wake_is_refused() -> None:
    with pytest.raises(RefusedError, match="at least one pod: nothing here would wake it"):
        choose(Size(min_replicas=0))


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (Size(min_replicas=3, max_replicas=2), "--max-replicas 2 is less than --min-replicas 3"),
        (Size(cpu="lots"), "--cpu 'lots'"),
        (Size(cpu="0"), "--cpu '0'"),
        (Size(memory="1 GB"), "--memory '1 GB'"),
        (Size(memory="-1Gi"), "--memory '-1Gi'"),
    ],
)
def test_figures_that_make_no_sense_are_named(size: Size, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        choose(size)
