"""Models on a real KServe: deploy, predict, change the version, what goes wrong, undeploy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from kserve_fixtures import DEADLINE_S, FLOWERS, POD_SECURITY, RESTRICTED, RUNTIME, SERVING_IMAGE, Site, runtime
from pipeline_fixtures import TrainedModel
from serving_fixtures import call, make_rule, register

from platform_cli.cluster.access import Access
from platform_cli.cluster.health import inspect_models
from platform_cli.errors import (
    DeadlineError,
    MlopsError,
    NotFoundError,
    NotReadyError,
    RefusedError,
    StateError,
    ToolError,
    UsageError,
)
from platform_cli.events import Event, Notice
from platform_cli.serving.client import predict
from platform_cli.serving.interface import Endpoint, ServingState, Size
from platform_cli.serving.kserve_manifest import (
    DISRUPTION_BUDGET,
    INFERENCE_SERVICE,
    MANAGED,
    ROUTE,
    SERVICE_LABEL,
    Sizing,
    Wish,
    build_route,
    build_service,
    make_name,
)
from platform_cli.serving.kserve_registry import ClusterRegistry
from platform_cli.serving.rows import Table
from platform_cli.tools.kubernetes_kind import POD, RESOURCE_QUOTA
from platform_cli.tools.mlflow import ModelRef

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600), pytest.mark.xdist_group("kserve")]

RULE = "Rule of thumb"


def deploy(site: Site, reference: str, **options: object) -> Endpoint:
    return site.serving().deploy(ModelRef.parse(reference), deadline_s=DEADLINE_S, **options)  # type: ignore[arg-type]


def ask(site: Site, model: str) -> list[dict[str, object]]:
    with site.serving().connect(model) as url:
        return [dict(row) for row in predict(url, Table(tuple(FLOWERS))).rows]


@pytest.fixture
def rule(models: Site) -> Site:
    """The rule's first version is served."""
    deploy(models, f"{RULE}/1")
    return models


def test_a_trained_model_answers_as_it_does_embedded(models: Site, iris_run: TrainedModel) -> None:
    import mlflow.pyfunc
    import pandas as pd

    deployed = deploy(models, "flower@champion", size=Size(min_replicas=1, max_replicas=1))
    try:
        assert (deployed.name, deployed.version, deployed.state, deployed.outcome) == (
            "flower",
            "1",
            "ready",
            "created",
        )
        assert deployed.pods
        with pytest.MonkeyPatch.context() as patch:
            iris_run.store.enter(patch)
            expected = mlflow.pyfunc.load_model(iris_run.uri).predict(pd.DataFrame(FLOWERS))
        answered = ask(models, "flower")
        assert [row["prediction"] for row in answered] == list(expected["prediction"])
        assert [row["probability"] for row in answered] == pytest.approx(list(expected["probability"]), rel=1e-12)
    finally:
        models.serving().undeploy("flower")
    assert models.find("flower") is None
    assert list(models.kubernetes.list(POD, models.namespace, labels=f"{SERVICE_LABEL}=flower")) == []


def test_the_same_again_changes_nothing(rule: Site) -> None:
    before = rule.find(RULE)
    assert before is not None
    assert deploy(rule, f"{RULE}@champion").outcome == "unchanged"
    after = rule.find(RULE)
    assert after is not None
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_another_version_takes_over_without_a_gap(rule: Site) -> None:
    stop, answers, failures = threading.Event(), [], []

    def keep_asking() -> None:
        with rule.serving().connect(RULE) as url:
            while not stop.is_set():
                try:
                    answers.append(predict(url, Table(tuple(FLOWERS))).version)
                except MlopsError as error:
                    failures.append(error.message)

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        changed = deploy(rule, f"{RULE}/2")
    finally:
        stop.set()
        asking.join()
    assert (changed.version, changed.outcome) == ("2", "changed")
    assert "1" in answers
    assert ask(rule, RULE)[0]["probability"] == pytest.approx(10.9)
    # A forward is bound to one pod: when that goes, the request in flight is lost, and the next one finds another.
    assert len(failures) <= 2, failures


def test_a_broken_version_leaves_the_one_before_in_charge(rule: Site) -> None:
    with pytest.raises(
        ToolError, match=r"version 3 does not come up: .*crashes: exit code 1.*the coefficients are gone"
    ):
        deploy(rule, f"{RULE}/3")
    endpoint = rule.serving().get(RULE)
    assert (endpoint.version, endpoint.state) == ("1", ServingState.READY)
    assert ask(rule, RULE)[0]["prediction"] == "setosa"


def test_pods_are_as_we_promise(rule: Site) -> None:
    service, name = rule.find(RULE), make_name(RULE)
    assert service is not None
    pod = next(rule.kubernetes.list(POD, rule.namespace, labels=f"{SERVICE_LABEL}={name}"))
    container = next(c for c in pod["spec"]["containers"] if c["name"] == "kserve-container")
    assert [c["name"] for c in pod["spec"]["containers"]] == ["kserve-container"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/v2/models/Rule%20of%20thumb/ready"
    assert container["resources"]["requests"] == {"cpu": "250m", "memory": "1Gi"}
    assert pod["spec"]["serviceAccountName"] == "model-server"
    (term,) = pod["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    spread = term["podAffinityTerm"]["labelSelector"]["matchLabels"].items()
    assert spread <= pod["metadata"]["labels"].items()
    assert not any("serviceAccountToken" in str(volume) for volume in pod["spec"]["volumes"])
    budget = rule.kubernetes.get(DISRUPTION_BUDGET, f"{name}-predictor", rule.namespace)
    assert budget is not None
    assert budget["status"]["currentHealthy"] == 1
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    scaler = rule.kubernetes.find_kind("autoscaling/v2", "HorizontalPodAutoscaler")
    assert scaler is not None
    found = rule.kubernetes.get(scaler, f"{name}-predictor", rule.namespace)
    assert found is not None
    assert (found["spec"]["minReplicas"], found["spec"]["maxReplicas"]) == (1, 3)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{name}-predictor"}
    assert found["spec"]["scaleTargetRef"] == target
    (metric,) = found["spec"]["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}


def test_a_new_number_of_pods_restarts_none(rule: Site) -> None:
    before = rule.serving().get(RULE).pods
    changed = deploy(rule, f"{RULE}/1", size=Size(max_replicas=2))
    assert (changed.outcome, changed.pods) == ("changed", before)
    assert deploy(rule, f"{RULE}/1").outcome == "unchanged"


def test_models_are_listed_with_their_state(rule: Site) -> None:
    endpoints = {endpoint.name: endpoint for endpoint in rule.serving().list()}
    assert endpoints[RULE] == rule.serving().get(RULE)
    assert endpoints[RULE].url.endswith(".svc.cluster.local/v2/models/Rule%20of%20thumb")
    assert {endpoint.outcome for endpoint in rule.serving().restore()} == {"unchanged"}


def test_what_will_not_scale_is_told(rule: Site) -> None:
    told: list[Event] = []
    deploy(rule, f"{RULE}@champion", emit=told.append)
    texts = [event.text for event in told if isinstance(event, Notice) and event.level == "warning"]
    measured = rule.kubernetes.find_kind("metrics.k8s.io/v1beta1", "PodMetrics") is not None
    assert [text.partition(":")[0] for text in texts] == ([] if measured else ["no pods are added beyond 1"])


def test_a_model_without_an_example_is_served_and_that_is_told(models: Site) -> None:
    rule_of_thumb, _, signature = make_rule(0.0)
    with models.registry.hold() as uri:
        register(uri, "unexampled", (rule_of_thumb, None, signature))
    told: list[Event] = []
    fixed = Size(min_replicas=1, max_replicas=1)
    try:
        assert deploy(models, "unexampled", size=fixed, emit=told.append).state is ServingState.READY
        assert ask(models, "unexampled")[0]["prediction"] == "setosa"
    finally:
        models.serving().undeploy("unexampled")
    (notice,) = told
    assert isinstance(notice, Notice)
    assert notice.level == "warning"
    assert notice.text.startswith("unexampled/1 has no input example that can be fetched")


@pytest.mark.parametrize(
    ("reference", "hint"),
    [("flowr", "did you mean 'flower'"), (f"{RULE}@champiom", "champion"), (f"{RULE}/9", "it has: 3, 2, 1")],
)
def test_what_is_not_registered_is_named(models: Site, reference: str, hint: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        deploy(models, reference)
    assert hint in caught.value.hint


def test_what_is_not_deployed_is_named(rule: Site) -> None:
    for act in (rule.serving().get, rule.serving().undeploy):
        with pytest.raises(NotFoundError, match="not deployed") as caught:
            act("Rule of thum")
        assert caught.value.hint == f"did you mean '{RULE}'?"


@pytest.fixture
def missing_image(models: Site) -> Iterator[str]:
    name = f"{models.runtime}-missing"
    models.kubernetes.apply(runtime(name, image="docker.io/library/mlops-nowhere:0.0.0"))
    yield name
    models.kubernetes.delete(RUNTIME, name)


def test_a_missing_image_is_the_first_line(models: Site, missing_image: str) -> None:
    with pytest.raises(ToolError, match=r"image docker\.io/library/mlops-nowhere:0\.0\.0 cannot be pulled"):
        models.serving(runtime=missing_image).deploy(ModelRef.parse("flower"), deadline_s=DEADLINE_S)
    assert models.find("flower") is None


def test_a_missing_runtime_is_the_first_line(models: Site) -> None:
    with pytest.raises(ToolError, match=r"version 1 does not come up: KServe refuses it on runtime no-such-runtime"):
        models.serving(runtime="no-such-runtime").deploy(ModelRef.parse("flower"), deadline_s=DEADLINE_S)
    assert models.find("flower") is None


def test_what_no_node_can_hold_is_the_first_line(models: Site) -> None:
    with pytest.raises(DeadlineError, match=r"cannot be scheduled: .*Insufficient cpu"):
        models.serving().deploy(ModelRef.parse("flower"), deadline_s=20, size=Size(cpu="900"))
    assert models.find("flower") is None


def test_a_registry_that_is_away_is_the_first_line(models: Site) -> None:
    """The pods are told another address than ours; their storage initializer says so in its last line."""
    from platform_cli.tools.kubernetes_kind import CONFIG_MAP

    place = ("mlops-platform", models.namespace)
    config = models.kubernetes.get(CONFIG_MAP, *place)
    assert config is not None
    models.kubernetes.patch(CONFIG_MAP, *place, {"data": {"mlflow-tracking-uri": "http://nowhere.invalid:5000"}})
    try:
        with pytest.raises(
            ToolError, match=r"storage-initializer.*cannot fetch flower/1 through http://nowhere.invalid"
        ):
            deploy(models, "flower")
    finally:
        models.kubernetes.patch(CONFIG_MAP, *place, {"data": config["data"]})


def test_figures_that_make_no_sense_are_refused_before_anything_happens(models: Site) -> None:
    with pytest.raises(RefusedError, match="needs at least one pod"):
        deploy(models, "flower", size=Size(min_replicas=0))
    with pytest.raises(UsageError, match="--max-replicas 1 is less"):
        deploy(models, "flower", size=Size(min_replicas=2, max_replicas=1))
    with pytest.raises(UsageError, match="no port of its own"):
        deploy(models, "flower", port=8500)
    assert models.find("flower") is None


DEPLOY = """
import sys
from platform_cli.cluster.access import read_access
from platform_cli.serving.kserve_registry import ClusterRegistry
from platform_cli.serving.kserve_serving import KServeServing
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.mlflow import ModelRef

kubeconfig, namespace, reference = sys.argv[1:]
access = read_access(kubeconfig, None, {})
serving = KServeServing(
    Kubernetes(access), ClusterRegistry(access, namespace=namespace), namespace=namespace, runtime=namespace
)
print(serving.deploy(ModelRef.parse(reference)).outcome)
"""


def test_a_deploy_that_was_killed_is_finished_by_the_next(rule: Site, cluster: str, tmp_path: Path) -> None:
    argv = [sys.executable, "-c", DEPLOY, cluster, rule.namespace, f"{RULE}/2"]
    child = subprocess.Popen(argv, cwd=Path(__file__).parent.parent, stdout=subprocess.DEVNULL, env=dict(os.environ))
    for _, service in rule.kubernetes.watch(INFERENCE_SERVICE, rule.namespace, name=make_name(RULE), timeout_s=60):
        if service["metadata"]["annotations"]["mlops.dev/model-version"] == "2":
            break
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert ask(rule, RULE)
    assert deploy(rule, f"{RULE}/2").outcome in ("changed", "unchanged")
    assert rule.serving().get(RULE).version == "2"


def test_a_controller_that_restarts_meanwhile_is_waited_for(rule: Site) -> None:
    controllers = list(rule.kubernetes.list(POD, labels="control-plane=kserve-controller-manager"))
    assert controllers
    for pod in controllers:
        rule.kubernetes.delete(POD, pod["metadata"]["name"], pod["metadata"]["namespace"], grace_s=0)
    assert deploy(rule, f"{RULE}/2").version == "2"


@pytest.mark.parametrize("autoscaler", ["none", "hpa", "keda"])
def test_kserve_accepts_each_autoscaler(site: Site, autoscaler: str) -> None:
    """Its webhooks check what KEDA is told even where KEDA is not installed."""
    sizing = Sizing(autoscaler=autoscaler, prometheus="http://prometheus.monitoring.svc:9090")
    wish = Wish(
        model="iris",
        version="1",
        namespace=site.namespace,
        runtime=site.runtime,
        service_account="model-server",
        sizing=sizing,
    )
    accepted = site.kubernetes.apply(build_service(wish), dry_run=True)
    assert accepted["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == autoscaler


def test_a_gateways_controller_would_get_a_route_that_the_api_takes(site: Site) -> None:
    if site.kubernetes.find_kind(ROUTE.api_version, ROUTE.kind) is None:
        pytest.skip("needs the Gateway API's definitions on the cluster")
    wish = Wish(
        model=RULE, version="1", namespace=site.namespace, runtime=site.runtime, service_account="a", sizing=Sizing()
    )
    service = build_service(wish)
    service["metadata"]["uid"] = str(uuid.uuid4())
    accepted = site.kubernetes.apply(build_route(service, "platform"), dry_run=True)
    assert accepted["spec"]["rules"][0]["matches"][0]["path"]["value"] == "/v2/models/Rule%20of%20thumb"
    assert accepted["spec"]["parentRefs"][0]["name"] == "platform"


def test_a_route_comes_to_a_model_that_is_served_and_goes_with_it(rule: Site) -> None:
    if rule.kubernetes.find_kind(ROUTE.api_version, ROUTE.kind) is None:
        pytest.skip("needs the Gateway API's definitions on the cluster")
    before = rule.serving().get(RULE)
    serving = rule.serving(gateway="platform")
    changed = serving.deploy(ModelRef.parse(f"{RULE}/{before.version}"), deadline_s=DEADLINE_S)
    assert (changed.outcome, changed.pods) == ("changed", before.pods)
    route = rule.kubernetes.get(ROUTE, make_name(RULE), rule.namespace)
    assert route is not None
    # Nobody has accepted it here, so that the Service is the address.
    assert changed.url.endswith(".svc.cluster.local/v2/models/Rule%20of%20thumb")
    again = serving.deploy(ModelRef.parse(f"{RULE}/{before.version}"), deadline_s=DEADLINE_S)
    assert again.outcome == "unchanged"
    serving.undeploy(RULE)
    changes = rule.kubernetes.watch(ROUTE, rule.namespace, name=make_name(RULE), timeout_s=60)
    if rule.kubernetes.get(ROUTE, make_name(RULE), rule.namespace) is not None:
        assert any(change == "DELETED" for change, _ in changes)


def test_keda_is_told_by_kserve_what_to_ask_prometheus(site: Site) -> None:
    """KServe makes the ScaledObject where KEDA's definitions are; KEDA itself is not needed for that."""
    scaled = site.kubernetes.find_kind("keda.sh/v1alpha1", "ScaledObject")
    if scaled is None:
        pytest.skip("needs KEDA's definitions on the cluster")
    service = make_service(site, "s-scaled", "sleep", "60")
    url = "http://prometheus.monitoring.svc:9090"
    sizing = Sizing(autoscaler="keda", prometheus=url)
    wish = Wish(
        model="s-scaled", version="1", namespace=site.namespace, runtime="none", service_account="a", sizing=sizing
    )
    built = build_service(wish)["spec"]["predictor"]
    service["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] = "keda"
    service["spec"]["predictor"] |= {key: built[key] for key in ("minReplicas", "maxReplicas", "autoScaling")}
    site.kubernetes.apply(service)
    try:
        changes = site.kubernetes.watch(scaled, site.namespace, name="s-scaled-predictor", timeout_s=60)
        found = next((item for _, item in changes), None)
        assert found is not None
        assert (found["spec"]["minReplicaCount"], found["spec"]["maxReplicaCount"]) == (1, 3)
        (trigger,) = found["spec"]["triggers"]
        assert (trigger["type"], trigger["metadata"]["serverAddress"]) == ("prometheus", url)
        assert trigger["metadata"]["threshold"] == "50"
        # KEDA's own default then is the average over the pods.
        assert trigger.get("metricType", "AverageValue") == "AverageValue"
    finally:
        site.kubernetes.delete(INFERENCE_SERVICE, "s-scaled", site.namespace)


def test_the_tracking_image_answers_its_own_hosts_and_prometheus(site: Site) -> None:
    with site.registry.hold() as uri:
        port = int(uri.rpartition(":")[2])
        path = "/api/2.0/mlflow/experiments/search?max_results=1"
        answers = {
            host: call(port, "GET", path, headers={"Host": host}).status
            for host in (f"mlflow.{site.namespace}.svc.cluster.local:5000", "evil.example.com")
        }
        assert list(answers.values()) == [200, 403]
        assert call(port, "GET", "/health", headers={"Host": "any.example.com"}).status == 200
        assert b"mlflow_http_request_duration_seconds" in call(port, "GET", "/metrics").body


def test_the_images_run_as_nobody_on_files_that_cannot_be_written(rule: Site) -> None:
    """The namespace enforces `restricted`; the pods say the same of themselves."""
    labels = f"{SERVICE_LABEL}={make_name(RULE)}"
    for pod in rule.kubernetes.list(POD, rule.namespace, labels=labels):
        for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert pod["spec"]["securityContext"]["runAsUser"] == 10001


def test_a_quota_that_is_used_up_is_the_first_line(rule: Site) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "s-pods", "namespace": rule.namespace}}
    # Pods that are on their way out make no room.
    there = sum(1 for pod in rule.kubernetes.list(POD, rule.namespace) if "deletionTimestamp" not in pod["metadata"])
    rule.kubernetes.apply({**quota, "spec": {"hard": {"pods": str(there)}}})
    try:
        with pytest.raises(DeadlineError, match="quota s-pods is used up"):
            rule.serving().deploy(ModelRef.parse(f"{RULE}/2"), deadline_s=20)
        assert ask(rule, RULE)[0]["probability"] == pytest.approx(0.9)
    finally:
        rule.kubernetes.delete(RESOURCE_QUOTA, "s-pods", rule.namespace)


def test_of_two_deploys_at_once_the_later_one_counts(rule: Site) -> None:
    """The first waits for a version that cannot come up; meanwhile somebody deploys another one."""
    outcome: list[MlopsError] = []

    def deploy_broken() -> None:
        try:
            deploy(rule, f"{RULE}/3")
        except MlopsError as error:
            outcome.append(error)

    first = threading.Thread(target=deploy_broken)
    first.start()
    for _, service in rule.kubernetes.watch(INFERENCE_SERVICE, rule.namespace, name=make_name(RULE), timeout_s=60):
        if service["metadata"]["annotations"]["mlops.dev/model-version"] == "3":
            break
    assert deploy(rule, f"{RULE}/2").version == "2"
    first.join()
    assert [type(error) for error in outcome] == [StateError]
    assert "gave way: version 2 is deployed by somebody else" in outcome[0].message
    assert rule.serving().get(RULE).version == "2"


def test_a_cluster_without_mlflow_is_told(access: Access) -> None:
    with pytest.raises(NotReadyError, match="MLflow does not run in namespace default"):
        ClusterRegistry(access, namespace="default").list_models()


def test_a_model_that_was_not_deployed_by_us_is_listed_too(models: Site) -> None:
    """As `kubectl apply` leaves it, with the storage URI as the only hint at what it is."""
    place = {"name": "by-hand", "namespace": models.namespace}
    annotations = {"serving.kserve.io/deploymentMode": "Standard", "serving.kserve.io/autoscalerClass": "none"}
    model = {"modelFormat": {"name": "mlflow"}, "runtime": models.runtime, "storageUri": "mlflow://models/flower/1"}
    models.kubernetes.apply(
        {
            "apiVersion": INFERENCE_SERVICE.api_version,
            "kind": INFERENCE_SERVICE.kind,
            "metadata": {**place, "annotations": {**annotations, "serving.kserve.io/stop": "true"}},
            "spec": {"predictor": {"minReplicas": 1, "model": model}},
        }
    )
    try:
        found = models.serving().get("flower")
        assert (found.version, found.state) == ("1", ServingState.STOPPED)
    finally:
        models.serving().undeploy("flower")
    assert models.kubernetes.get(INFERENCE_SERVICE, "by-hand", models.namespace) is None


def make_service(
    site: Site, name: str, *command: str, stopped: bool = False, labels: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """A model of somebody else's: a container that runs a command."""
    container = {
        "name": "kserve-container",
        "image": SERVING_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "securityContext": RESTRICTED,
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
    }
    annotations = {"serving.kserve.io/deploymentMode": "Standard", "serving.kserve.io/autoscalerClass": "none"}
    if stopped:
        annotations["serving.kserve.io/stop"] = "true"
    return {
        "apiVersion": INFERENCE_SERVICE.api_version,
        "kind": INFERENCE_SERVICE.kind,
        "metadata": {"name": name, "namespace": site.namespace, "annotations": annotations, "labels": dict(labels)},
        "spec": {"predictor": {"securityContext": POD_SECURITY, "minReplicas": 1, "containers": [container]}},
    }


def test_the_status_tells_of_a_model_that_crashes(rule: Site) -> None:
    rule.kubernetes.apply(make_service(rule, "s-crashes", "false"))
    rule.kubernetes.apply(make_service(rule, "s-stopped", "false", stopped=True))
    labels = f"{SERVICE_LABEL}=s-crashes"
    try:
        for _, pod in rule.kubernetes.watch(POD, rule.namespace, labels=labels, timeout_s=120):
            if any(item.get("restartCount") for item in pod["status"].get("containerStatuses") or ()):
                break
        (layer,) = inspect_models(rule.kubernetes, rule.namespace)
        assert layer.health == "degraded"
        reason = f"1 of 2 not ready: {rule.namespace}/s-crashes: kserve-container ended with 1 (Error)"
        assert layer.reason == reason
    finally:
        for name in ("s-crashes", "s-stopped"):
            rule.kubernetes.delete(INFERENCE_SERVICE, name, rule.namespace)


@pytest.fixture
def by_hand(models: Site) -> Iterator[Callable[..., None]]:
    """Makes the InferenceService `flower` otherwise than by a deploy; it is stopped, and has no version."""

    def make(**labels: str) -> None:
        models.kubernetes.apply(make_service(models, "flower", "false", stopped=True, labels=labels))

    yield make
    models.kubernetes.delete(INFERENCE_SERVICE, "flower", models.namespace)


def test_a_model_that_was_not_deployed_by_us_is_not_overwritten(models: Site, by_hand: Callable[..., None]) -> None:
    by_hand(**{"app.kubernetes.io/managed-by": "Helm"})
    before = models.find("flower")
    assert before is not None
    with pytest.raises(RefusedError, match=r"InferenceService flower in .* was not made by mlops") as caught:
        deploy(models, "flower")
    assert "mlops model undeploy flower" in caught.value.hint
    after = models.find("flower")
    assert after is not None
    assert after["spec"] == before["spec"]


def test_without_a_version_there_is_no_way_back_and_the_error_says_so(
    models: Site, by_hand: Callable[..., None]
) -> None:
    by_hand(**MANAGED)
    with pytest.raises(ToolError, match="KServe refuses it on runtime no-such-runtime") as caught:
        models.serving(runtime="no-such-runtime").deploy(ModelRef.parse("flower"), deadline_s=DEADLINE_S)
    assert "what was there before is not back: flower named no version that it served" in caught.value.details
    left = models.find("flower")
    assert left is not None
    assert left["spec"]["predictor"]["model"]["storageUri"] == "mlflow://models/flower/1"
