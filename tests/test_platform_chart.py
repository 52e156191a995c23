"""Our own chart: valid Kubernetes for every target, held to Pod Security, roles and policies by a real API server."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from own_chart import CHART, OPERATORS, SCIENTISTS, VIEWERS, list_rules, may, objects, of_kind, render
from target_samples import CLOUDS, make_config, make_outputs, select

from platform_cli.cluster.bundle import list_images
from platform_cli.cluster.value import build_values
from platform_cli.errors import ToolError
from platform_cli.serving.kserve_manifest import Sizing, Wish, build_service
from platform_cli.tools.helm import open_renderer
from platform_cli.tools.helm_manifest import parse_manifests
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import CLUSTER_ROLE

ROOT = CHART.parents[3]
CRDS = ROOT.parent / "shared" / "crds"
# Definitions that no folder of ours has: Gateway API comes with the gateway's chart.
WITHOUT_CRD = {"GatewayClass", "Gateway"}


def is_custom(item: dict[str, Any]) -> bool:
    group = item["apiVersion"].rpartition("/")[0]
    return ("." in group and not group.endswith(".k8s.io")) or group == "gateway.networking.k8s.io"


def pods(item: Any) -> Iterator[dict[str, Any]]:
    """Every pod spec inside an object."""
    if isinstance(item, dict):
        if "containers" in item:
            yield item
        for value in item.values():
            yield from pods(value)
    elif isinstance(item, list):
        for value in item:
            yield from pods(value)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_object_is_valid_kubernetes(cloud: str) -> None:
    import kubernetes_validate

    for item in objects(cloud):
        if not is_custom(item):
            kubernetes_validate.validate(item, "1.35", strict=True)


def read_schema(group: str, version: str, kind: str) -> dict[str, Any]:
    """The schema of a custom resource; files of others are not parsed, which takes long."""
    for path in sorted(CRDS.glob("*/*.yaml")):
        text = path.read_text("utf-8")
        if f"kind: {kind}\n" not in text or f"group: {group}\n" not in text:
            continue
        for crd in parse_manifests([text], what=path.name):
            if crd["spec"]["names"]["kind"] == kind:
                return {item["name"]: item["schema"]["openAPIV3Schema"] for item in crd["spec"]["versions"]}[version]
    raise LookupError(f"no definition of {group}/{version} {kind} in {CRDS}")


def close(schema: Any) -> Any:
    """The schema with unknown fields refused, as the API server prunes them without a word."""
    if isinstance(schema, list):
        return [close(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: close(value) for key, value in schema.items()}
    opaque = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-embedded-resource")
    if isinstance(schema.get("properties"), dict) and not opaque:
        closed.setdefault("additionalProperties", False)
    return closed


@cache
def validator_of(group: str, version: str, kind: str) -> Any:
    import jsonschema

    schema = close(read_schema(group, version, kind))
    schema["properties"]["metadata"] = {"type": "object"}
    return jsonschema.Draft7Validator(schema)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_custom_resource_fits_its_definition(cloud: str) -> None:
    if not CRDS.is_dir():
        pytest.skip("needs the custom resource definitions beside the checkout")
    for item in objects(cloud):
        if is_custom(item) and item["kind"] not in WITHOUT_CRD:
            group, _, version = item["apiVersion"].partition("/")
            problems = [error.message for error in validator_of(group, version, item["kind"]).iter_errors(item)]
            assert problems == [], f"{item['kind']}/{item['metadata']['name']}"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_container_is_restricted(cloud: str) -> None:
    for item in objects(cloud):
        for pod in pods(item):
            for container in (*pod["containers"], *pod.get("initContainers", ())):
                context = container["securityContext"]
                assert context["readOnlyRootFilesystem"], item["metadata"]["name"]
                assert context["allowPrivilegeEscalation"] is False
                assert context["capabilities"] == {"drop": ["ALL"]}
                assert container["resources"]["requests"]
                assert container["resources"]["limits"]["memory"]
                assert container.get("imagePullPolicy") == "IfNotPresent"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_image_is_called_latest(cloud: str) -> None:
    assert [name for name in list_images(objects(cloud)) if ":" not in name or name.endswith(":latest")] == []


@pytest.mark.parametrize("cloud", CLOUDS)
def test_namespaces_are_restricted_or_say_why_not(cloud: str) -> None:
    for item in of_kind(cloud, "Namespace").values():
        level = item["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        reason = item["metadata"]["annotations"].get("mlops.io/pod-security-reason", "")
        assert (level == "restricted") != bool(reason)
        # KServe's webhook passes by namespaces with this label: models would start without their files.
        assert "control-plane" not in item["metadata"]["labels"]


def test_the_working_namespaces_are_restricted_everywhere() -> None:
    for cloud in CLOUDS:
        found = of_kind(cloud, "Namespace")
        levels = {name: found[f"/{name}"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] for name in WORK}
        assert set(levels.values()) == {"restricted"}


WORK = ("argo", "mlflow", "mlops", "mlops-system", "argocd", "cert-manager")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_component_namespace_is_made_and_denied_by_default(cloud: str) -> None:
    wanted = {item.namespace for item in select(cloud)} - {"kube-system"}
    assert {key.strip("/") for key in of_kind(cloud, "Namespace")} == wanted
    denied = {key.partition("/")[0] for key in of_kind(cloud, "NetworkPolicy") if key.endswith("/default-deny")}
    assert denied == wanted


def test_a_database_and_a_store_of_ones_own_can_be_reached() -> None:
    assert extra_ports("aws", {}) == [5432]
    store = {"uri": "s3://bucket/folder", "endpoint": "http://172.30.0.1:5566"}
    assert extra_ports("existing", {"existing": {"artifact_store": store}}) == [5566]


def extra_ports(cloud: str, sections: dict[str, Any]) -> list[int]:
    from platform_cli.cluster.outputs import existing_outputs

    config = make_config(cloud, **sections)
    outputs = existing_outputs(config) if cloud == "existing" else make_outputs(cloud)
    values = build_values(select(cloud)[0], config, outputs)
    return values["networkPolicies"]["egressPorts"][3:]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_store_comes_only_where_there_is_no_bucket(cloud: str) -> None:
    assert ("mlops-system/object-store" in of_kind(cloud, "Deployment")) == (cloud in ("existing", "local"))


def test_secrets_are_made_up_and_stand_nowhere() -> None:
    secrets = of_kind("existing", "Secret")
    assert set(secrets) == {"mlops-system/object-store", "argo/object-store", "mlflow/object-store"}
    contents = [item["data"] for item in secrets.values()]
    assert contents[0] == contents[1] == contents[2]
    assert len(contents[0]["secret-key"]) >= 40
    for cloud in ("aws", "azure", "gcp"):
        assert of_kind(cloud, "Secret") == {}


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_the_secret_store_fills_what_the_charts_name(cloud: str) -> None:
    found = of_kind(cloud, "ExternalSecret")
    assert set(found) == {
        "mlflow/mlflow-database",
        "argo/mlflow-database",
        "mlflow/mlflow-flask-key",
        "monitoring/grafana-admin",
        "argocd/argo-cd-admin",
    }
    keys = {item["secretKey"] for item in found["mlflow/mlflow-flask-key"]["spec"]["data"]}
    assert keys == {"MLFLOW_FLASK_SERVER_SECRET_KEY"}
    entry = found["mlflow/mlflow-database"]["spec"]["data"][0]["remoteRef"]["key"]
    assert entry == "mlops-dev-mlflow-database"


def test_an_unknown_secret_store_is_refused() -> None:
    values = {"layers": ["secrets"], "secretStore": {"kind": "shoebox"}}
    with pytest.raises(ToolError):
        open_renderer().render(CHART, name="platform", namespace="mlops-system", values=values)


@pytest.mark.parametrize(
    "values",
    [
        {"layers": ["everything"]},
        {"layers": []},
        {"namespaces": {"argo": {"podSecurity": "lax"}}},
        {"objectStore": {"enabled": "yes"}},
        {"objectstore": {"enabled": True}},
        {"nodes": {"pools": {"gpu": {"maximum": 1}}}},
    ],
    ids=["layer", "no-layer", "level", "text", "unknown-key", "unknown-pool-key"],
)
def test_values_that_make_no_sense_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ToolError):
        open_renderer().render(CHART, name="platform", namespace="mlops-system", values=values)


def test_pools_that_start_at_zero_become_node_pools() -> None:
    pools = of_kind("aws", "NodePool")
    assert set(pools) == {"/training"}
    spec = pools["/training"]["spec"]["template"]["spec"]
    assert spec["taints"] == [{"key": "mlops.io/pool", "value": "training", "effect": "NoSchedule"}]
    assert of_kind("gcp", "NodePool") == {}


def test_the_template_names_the_code_that_comes_with_it() -> None:
    template = of_kind("aws", "WorkflowTemplate")["argo/ml-training-pipeline"]
    given = {item["name"]: item["value"] for item in template["spec"]["arguments"]["parameters"]}
    assert f"argo/{given['step-code']}" in of_kind("aws", "ConfigMap")
    assert given["image"].startswith("registry.example/mlops/mlops-training:")
    original = yaml.safe_load((ROOT / "pipelines/training/ml-training-workflow.yaml").read_text())
    for item in (original, template := copy.deepcopy(template)):
        item["metadata"] = {}
        item["spec"]["arguments"]["parameters"] = [
            parameter for parameter in item["spec"]["arguments"]["parameters"] if parameter["name"] != "image"
        ]
    assert template == original


def test_what_steps_and_models_ask_for_is_where_they_look() -> None:
    for space in ("argo", "mlops"):
        data = of_kind("azure", "ConfigMap")[f"{space}/mlops-platform"]["data"]
        assert set(data) == {"mlflow-tracking-uri", "mlflow-artifact-root", "environment", "cloud"}
        assert data["mlflow-tracking-uri"] == "http://mlflow.mlflow.svc.cluster.local:5000"
    account = of_kind("azure", "ServiceAccount")["mlops/model-server"]
    assert account["metadata"]["annotations"] == {"azure.workload.identity/client-id": "an-id"}


def test_rendering_twice_gives_the_same_but_for_made_up_secrets() -> None:
    render.cache_clear()
    first = render("existing")
    render.cache_clear()
    second = render("existing")
    assert first["platform-catalog"] == second["platform-catalog"]
    changed = [item["kind"] for item, other in zip(first["platform"], second["platform"], strict=True) if item != other]
    assert changed == ["Secret"] * 3


def test_alerts_and_dashboards_use_metrics_that_somebody_makes() -> None:
    """Ours are those of the model server and of the recorded rules."""
    text = (CHART / "files" / "rules.yaml").read_text()
    boards = [json.loads(path.read_text()) for path in sorted((CHART / "files" / "dashboards").glob("*.json"))]
    expressions = re.findall(r"expr: (.*)", text)
    expressions += [target["expr"] for board in boards for panel in board["panels"] for target in panel["targets"]]
    recorded = set(re.findall(r"record: (\S+)", text))
    assert {name for line in expressions for name in re.findall(r"\bmlops:[a-z0-9_:]+", line)} <= recorded
    server = "".join(path.read_text() for path in (ROOT / "pipelines/serving/src/open_inference").glob("*.py"))
    for line in expressions:
        for name in re.findall(r"\bmlops_[a-z_]+", line):
            metric = re.sub(r"_(total|bucket|count|sum)$", "", name)
            assert f'"{metric}"' in server, name
    assert {board["uid"] for board in boards} == {"mlops-pipelines", "mlops-platform", "mlops-serving"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: prometheus)")
def test_promtool_accepts_the_rules(tmp_path: Path) -> None:
    rule = of_kind("aws", "PrometheusRule")["monitoring/mlops"]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rule["spec"]))
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: prometheus)")
def test_promtool_accepts_what_dashboards_ask(tmp_path: Path) -> None:
    boards = {path.stem: json.loads(path.read_text()) for path in (CHART / "files" / "dashboards").glob("*.json")}
    asked = {
        f"{name}:panel_{panel['id']}_{number}": target["expr"]
        for name, board in boards.items()
        for panel in board["panels"]
        for number, target in enumerate(panel["targets"])
    }
    assert len(asked) > 10
    # Grafana fills in its own variables.
    filled = {name: re.sub(r"\$__\w+", "5m", text).replace("$", "") for name, text in asked.items()}
    rules = [{"record": name.replace("-", "_"), "expr": text} for name, text in filled.items()]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def as_manifests(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """An object as checkov knows it: the pods inside a custom resource as pods of their own."""
    if not is_custom(item):
        yield item
        return
    for number, pod in enumerate(pods(item)):
        name = f"{item['metadata']['name']}-{number}"
        yield {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "mlops"}, "spec": serve(pod)}


def serve(runtime: dict[str, Any]) -> dict[str, Any]:
    """A serving runtime's pod as KServe completes it with what a model of ours says."""
    size = Sizing(autoscaler="none")
    wish = Wish(model="iris", version="1", namespace="mlops", runtime="r", service_account="model-server", sizing=size)
    predictor = build_service(wish)["spec"]["predictor"]
    model = {key: value for key, value in predictor["model"].items() if key.endswith("Probe") or key == "resources"}
    pod = {key: predictor[key] for key in ("securityContext", "automountServiceAccountToken")}
    return {**pod, "containers": [{**container, **model} for container in runtime["containers"]]}


CHECKOV = os.environ.get("CHECKOV") or shutil.which("checkov")


@pytest.mark.skipif(CHECKOV is None, reason="needs checkov, in an environment of its own: set CHECKOV to its path")
def test_checkov_finds_nothing_unexplained(tmp_path: Path) -> None:
    for cloud in CLOUDS:
        manifests = [manifest for item in objects(cloud) for manifest in as_manifests(item)]
        (tmp_path / f"{cloud}.yaml").write_text(yaml.safe_dump_all(manifests))
    words = [str(CHECKOV), "--framework", "kubernetes", "--directory", str(tmp_path), "--compact", "--quiet"]
    words += ["--skip-download", "--output", "json", "--skip-check", ",".join(CHECKOV_SKIPS)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert report["summary"]["passed"] > 1000
    failed = report["results"]["failed_checks"]
    assert [(item["check_id"], item["resource"], item["file_path"]) for item in failed] == []


# Each with its reason.
CHECKOV_SKIPS = {
    "CKV_K8S_11": "no limit of cores: a throttled server is slower than a busy node",
    "CKV_K8S_15": "tags name a version, and a closed network has no registry to ask each time",
    "CKV_K8S_35": "S3 keys are read from the environment by the gateway",
    "CKV_K8S_40": "the images' user is 10001",
    "CKV_K8S_43": "digests are of one platform; a bundle lists them",
}


# --- on a real cluster ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def spaces(kubernetes: Kubernetes) -> Iterator[dict[str, str]]:
    """Namespaces of this test's own for those of the platform, with the same labels."""
    import uuid

    from platform_cli.tools.kubernetes_kind import NAMESPACE

    mark = uuid.uuid4().hex[:6]
    made = {}
    for item in of_kind("existing", "Namespace").values():
        name = item["metadata"]["name"]
        made[name] = f"chart-{mark}-{name}"
        kubernetes.apply({**item, "metadata": {**item["metadata"], "name": made[name]}})
    yield made
    for name in made.values():
        kubernetes.delete(NAMESPACE, name)


@pytest.mark.cluster
def test_the_api_server_takes_every_object(kubernetes: Kubernetes, spaces: dict[str, str]) -> None:
    taken = 0
    for item in objects("existing"):
        if is_custom(item) and kubernetes.find_kind(item["apiVersion"], item["kind"]) is None:
            continue
        metadata = dict(item["metadata"])
        if "namespace" in metadata:
            metadata["namespace"] = spaces[metadata["namespace"]]
        kubernetes.apply({**item, "metadata": metadata}, dry_run=True)
        taken += 1
    assert taken > 80


@pytest.mark.cluster
def test_pod_security_takes_our_pods_and_no_others(kubernetes: Kubernetes, spaces: dict[str, str]) -> None:
    from platform_cli.errors import MlopsError

    for item in objects("existing"):
        for number, pod in enumerate(pods(item)):
            namespace = spaces[item["metadata"].get("namespace", "mlops")]
            metadata = {"name": f"{item['metadata']['name'][:40]}-{number}", "namespace": namespace}
            plain = {key: value for key, value in pod.items() if key in POD_KEYS}
            context = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
            spec = {"securityContext": context, **plain, "serviceAccountName": "default"}
            for container in spec["containers"]:
                container.setdefault("volumeMounts", [])
            kubernetes.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}, dry_run=True)
    careless = {"containers": [{"name": "a", "image": "example.invalid/a:1"}]}
    metadata = {"name": "careless", "namespace": spaces["mlops"]}
    with pytest.raises(MlopsError, match="PodSecurity"):
        kubernetes.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": careless}, dry_run=True)


POD_KEYS = ("containers", "initContainers", "securityContext", "volumes")
RUN, TEMPLATE, MODEL = "workflows.argoproj.io", "workflowtemplates.argoproj.io", "inferenceservices.serving.kserve.io"
BUDGET, DEPLOYED = "poddisruptionbudgets.policy", "deployments.apps"
# What reading the store takes: its keys, then a forward to its pod.
STORE = [
    ("get", "secrets", "argo", "object-store"),
    ("get", "services", "mlops-system", "object-store"),
    ("list", "pods", "mlops-system"),
    ("create", "pods/portforward", "mlops-system"),
    ("get", "pods/portforward", "mlops-system"),
]


def forwarding(namespace: str) -> list[tuple[str, ...]]:
    """What a forward to a Service there takes; newer API servers ask for `create`, older ones for `get`."""
    asked = [("get", "services"), ("list", "pods"), ("get", "pods/portforward"), ("create", "pods/portforward")]
    return [(verb, resource, namespace) for verb, resource in asked]


def each(namespace: str, resource: str, *verbs: str) -> list[tuple[str, ...]]:
    return [(verb, resource, namespace) for verb in verbs]


# What each command of a data scientist asks the API for: verb, resource, namespace and, where it is one only, name.
ASKED_BY: dict[str, list[tuple[str, ...]]] = {
    "pipeline submit": [
        *each("argo", RUN, "create", "get", "list", "watch"),
        *each("argo", TEMPLATE, "create", "patch"),
        *each("argo", "configmaps", "create", "patch"),
    ],
    "pipeline list": each("argo", RUN, "list", "get"),
    "pipeline get": [*each("argo", RUN, "get"), *each("argo", "pods", "get"), *each("argo", "events", "list")],
    "pipeline logs": [*each("argo", RUN, "get", "watch"), *each("argo", "pods/log", "get"), *STORE],
    "pipeline stop": each("argo", RUN, "get", "patch"),
    "pipeline submit --resume": [*each("argo", RUN, "get", "patch", "watch"), *each("argo", "pods", "delete")],
    "pipeline delete": each("argo", RUN, "get", "delete"),
    "pipeline submit --artifacts": [*each("argo", RUN, "get"), *STORE],
    "model list": [*each("mlops", MODEL, "list"), *each("mlops", "pods", "list"), *forwarding("mlflow")],
    "model get": [*each("mlops", MODEL, "get", "list"), *each("mlops", "pods", "list")],
    "model deploy": [
        *each("mlops", MODEL, "get", "create", "patch", "delete", "list", "watch"),
        *each("mlops", BUDGET, "create", "patch"),
        *each("mlops", DEPLOYED, "get", "list", "watch"),
        *each("mlops", "pods", "get", "list", "watch"),
        # Why a model does not come up.
        *each("mlops", "pods/log", "get"),
        *each("mlops", "events", "list"),
        *each("mlops", "replicasets.apps", "list"),
        *each("mlops", "persistentvolumeclaims", "get"),
        *forwarding("mlops"),
        *forwarding("mlflow"),
    ],
    "model undeploy": [
        *each("mlops", MODEL, "get", "list", "watch", "delete"),
        *each("mlops", "pods", "list", "watch"),
    ],
    "predict": [*each("mlops", MODEL, "get", "list"), *forwarding("mlops")],
    "port-forward mlflow": forwarding("mlflow"),
    "port-forward argo-wf": forwarding("argo"),
    "port-forward grafana": forwarding("monitoring"),
    "port-forward model/NAME": forwarding("mlops"),
}
# Who may do what besides: group, verb, resource, namespace and name.
CAN = [
    *((SCIENTISTS, *row) for row in dict.fromkeys(row for rows in ASKED_BY.values() for row in rows)),
    (VIEWERS, "list", RUN, "argo"),
    (VIEWERS, "get", "pods/log", "argo"),
    (OPERATORS, "delete", DEPLOYED, "argocd"),
    (OPERATORS, "get", "secrets", "mlflow"),
]
CANNOT = [
    (VIEWERS, "create", RUN, "argo"),
    (VIEWERS, "get", "secrets", "argo"),
    (VIEWERS, "get", "secrets", "argo", "object-store"),
    (VIEWERS, "delete", "pods", "argo"),
    (VIEWERS, "create", "pods/portforward", "mlflow"),
    (VIEWERS, "create", "pods/portforward", "mlops-system"),
    (SCIENTISTS, "get", "secrets", "argo"),
    (SCIENTISTS, "get", "secrets", "argo", "mlflow-database"),
    (SCIENTISTS, "list", "secrets", "argo"),
    (SCIENTISTS, "get", "secrets", "mlflow"),
    (SCIENTISTS, "get", "secrets", "mlflow", "object-store"),
    (SCIENTISTS, "get", "secrets", "mlops-system", "object-store"),
    (SCIENTISTS, "create", RUN, "mlops"),
    (SCIENTISTS, "create", "pods", "argo"),
    (SCIENTISTS, "create", "pods", "mlops"),
    (SCIENTISTS, "delete", "pods", "mlops"),
    (SCIENTISTS, "delete", "pods", "mlflow"),
    (SCIENTISTS, "delete", "pods", "mlops-system"),
    (SCIENTISTS, "deletecollection", "pods", "argo"),
    (SCIENTISTS, "create", "pods/exec", "argo"),
    (SCIENTISTS, "create", "pods/exec", "mlops"),
    (SCIENTISTS, "create", "pods/exec", "mlops-system"),
    (SCIENTISTS, "delete", DEPLOYED, "mlflow"),
    (SCIENTISTS, "list", "pods", "argocd"),
    (SCIENTISTS, "create", "pods/portforward", "argocd"),
    (SCIENTISTS, "list", "services", "mlops-system"),
    (OPERATORS, "delete", DEPLOYED, "kube-system"),
    (OPERATORS, "get", "secrets", "kube-system"),
    ("mlops:strangers", "list", "pods", "argo"),
    # What a model's code could ask for, and any pod's that names no account.
    ("system:serviceaccounts:mlops", "get", "secrets", "mlops"),
    ("system:serviceaccounts:mlops", "list", "pods", "mlops"),
    ("system:serviceaccounts:mlops", "create", "pods", "mlops"),
    ("system:serviceaccounts:argo", "get", "secrets", "argo"),
    ("system:serviceaccounts:argo", "create", "pods/exec", "argo"),
    ("system:serviceaccounts:mlflow", "get", "secrets", "mlflow"),
    ("system:authenticated", "list", "namespaces", "argo"),
]


@pytest.mark.parametrize("command", list(ASKED_BY))
def test_a_data_scientist_may_do_what_the_command_asks_for(command: str) -> None:
    assert [row for row in ASKED_BY[command] if not may(SCIENTISTS, *row)] == []


@pytest.mark.parametrize("row", CANNOT, ids="-".join)
def test_roles_do_not_allow_more(row: tuple[str, ...]) -> None:
    assert not may(*row)


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_with_a_bucket_nobody_needs_keys(cloud: str) -> None:
    assert not may(SCIENTISTS, "get", "secrets", "argo", "object-store", cloud=cloud)
    assert list_rules(SCIENTISTS, "mlops-system", cloud) == []


def test_the_keys_of_a_store_of_ones_own_can_be_read() -> None:
    from platform_cli.cluster.outputs import existing_outputs

    store = {"uri": "s3://bucket", "endpoint": "http://172.30.0.1:5566", "secret": "keys"}
    config = make_config("existing", existing={"artifact_store": store})
    values = build_values(select("existing")[0], config, existing_outputs(config))
    assert values["roles"] == {"artifactSecret": "keys"}
    found = open_renderer().render(CHART, name="platform", namespace="mlops-system", values=values)
    rules = [rule for item in found if item["kind"] == "Role" for rule in item["rules"]]
    assert [rule["resourceNames"] for rule in rules if "secrets" in rule["resources"]] == [["keys"]]


@pytest.fixture(scope="module")
def bound(kubernetes: Kubernetes, spaces: dict[str, str]) -> Iterator[dict[str, str]]:
    """The roles, under names of this test's own, bound in its namespaces."""
    mark = spaces["argo"].removesuffix("-argo")
    names = []
    for item in of_kind("existing", "ClusterRole").values():
        names.append(f"{mark}-{item['metadata']['name']}")
        kubernetes.apply({**item, "metadata": {**item["metadata"], "name": names[-1]}})
    for item in (*of_kind("existing", "Role").values(), *of_kind("existing", "RoleBinding").values()):
        kubernetes.apply(move_role(item, spaces, mark))
    yield spaces
    for name in names:
        kubernetes.delete(CLUSTER_ROLE, name)


def move_role(item: dict[str, Any], spaces: dict[str, str], mark: str) -> dict[str, Any]:
    """A Role or its binding in the namespace that stands for its own; what it refers to has its new name."""
    moved = {**item, "metadata": {**item["metadata"], "namespace": spaces[item["metadata"]["namespace"]]}}
    if item.get("roleRef", {}).get("kind") == "ClusterRole":
        moved["roleRef"] = {**item["roleRef"], "name": f"{mark}-{item['roleRef']['name']}"}
    return moved


@pytest.mark.cluster
@pytest.mark.parametrize(("row", "expected"), [(row, True) for row in CAN] + [(row, False) for row in CANNOT])
def test_roles_allow_what_they_say(
    kubernetes: Kubernetes, bound: dict[str, str], row: tuple[str, ...], *, expected: bool
) -> None:
    group, verb, resource, space, *name = row
    kind, _, part = resource.partition("/")
    plural, _, api = kind.partition(".")
    wish = {"verb": verb, "group": api, "resource": plural, "subresource": part, "namespace": bound.get(space, space)}
    attributes = {**wish, "name": name[0] if name else ""}
    spec = {"user": "somebody", "groups": [group], "resourceAttributes": attributes}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {}, "spec": spec}
    assert kubernetes.create(review)["status"]["allowed"] is expected
