"""A real KServe with a registry of its own: MLflow from the tracking image, models registered in it, a runtime."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from argo_fixtures import become_scientist
from pipeline_fixtures import TrainedModel
from serving_fixtures import MEASURES, log_model, make_rule, register, registry_client

from platform_cli.serving.kserve_manifest import INFERENCE_SERVICE, make_name
from platform_cli.serving.kserve_registry import ClusterRegistry
from platform_cli.serving.kserve_serving import KServeServing
from platform_cli.tools.kubernetes import Kind, Kubernetes
from platform_cli.tools.kubernetes_kind import NAMESPACE, POD

RUNTIME = Kind("serving.kserve.io/v1alpha1", "ClusterServingRuntime", "clusterservingruntimes", namespaced=False)
STORAGE = Kind("serving.kserve.io/v1alpha1", "ClusterStorageContainer", "clusterstoragecontainers", namespaced=False)
SERVING_IMAGE = "docker.io/library/mlops-serving:0.1.0"
TRACKING_IMAGE = "docker.io/library/mlops-tracking:0.1.0"
RESTRICTED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
POD_SECURITY: Mapping[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": 10001,
    "fsGroup": 10001,
    "seccompProfile": {"type": "RuntimeDefault"},
}
DEADLINE_S = 180.0


@dataclass(frozen=True)
class Site:
    """A namespace in which models are served, by a data scientist; `kubernetes` is the operators' way."""

    kubernetes: Kubernetes
    scientist: Kubernetes
    registry: ClusterRegistry
    namespace: str
    runtime: str

    def serving(self, **options: Any) -> KServeServing:
        chosen = {"runtime": self.runtime, "namespace": self.namespace, **options}
        return KServeServing(self.scientist, self.registry, **chosen)

    def find(self, model: str) -> dict[str, Any] | None:
        return self.kubernetes.get(INFERENCE_SERVICE, make_name(model), self.namespace)


def runtime(name: str, image: str = SERVING_IMAGE) -> dict[str, Any]:
    """A runtime like the platform's, under a name of the test's own."""
    container = {
        "name": "kserve-container",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["--name={{.Name}}"],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        "securityContext": RESTRICTED,
    }
    return {
        "apiVersion": RUNTIME.api_version,
        "kind": RUNTIME.kind,
        "metadata": {"name": name},
        "spec": {
            "supportedModelFormats": [{"name": "mlflow"}],
            "protocolVersions": ["v2"],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
            "containers": [container],
        },
    }


def storage_container(name: str) -> dict[str, Any]:
    """What fetches `mlflow://models/NAME/VERSION`."""
    tracking_uri = {"configMapKeyRef": {"name": "mlops-platform", "key": "mlflow-tracking-uri"}}
    container = {
        "name": "storage-initializer",
        "image": SERVING_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "/opt/mlops/serving/storage_initializer.py"],
        "env": [{"name": "MLFLOW_TRACKING_URI", "valueFrom": tracking_uri}],
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        "securityContext": RESTRICTED,
    }
    return {
        "apiVersion": STORAGE.api_version,
        "kind": STORAGE.kind,
        "metadata": {"name": name},
        "spec": {
            "workloadType": "initContainer",
            "supportedUriFormats": [{"prefix": "mlflow://"}],
            "container": container,
        },
    }


def tracking_objects(namespace: str) -> Iterator[dict[str, Any]]:
    """MLflow on files of its own that go with the pod, and where pods find it."""
    mounts = [{"name": "tmp", "mountPath": "/tmp"}, {"name": "data", "mountPath": "/data"}]
    environment = {
        "MLFLOW_BACKEND_STORE_URI": "sqlite:////data/mlflow.db",
        "MLFLOW_ARTIFACTS_DESTINATION": "/data/artifacts",
        "MLFLOW_WORKERS": "1",
        "SERVICE_NAMESPACE": namespace,
    }
    shared = {
        "image": TRACKING_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "volumeMounts": mounts,
        "securityContext": RESTRICTED,
    }
    ready = {"httpGet": {"path": "/health", "port": 5000}, "periodSeconds": 1, "timeoutSeconds": 5}
    spec = {
        "automountServiceAccountToken": False,
        "securityContext": POD_SECURITY,
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "data", "emptyDir": {}}],
        "initContainers": [{"name": "migrate", "args": ["migrate"], **shared}],
        "containers": [{"name": "mlflow", "readinessProbe": ready, **shared}],
    }
    place = {"name": "mlflow", "namespace": namespace}
    yield {"apiVersion": "v1", "kind": "Pod", "metadata": {**place, "labels": {"app": "mlflow"}}, "spec": spec}
    service = {"selector": {"app": "mlflow"}, "ports": [{"port": 5000}]}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": place, "spec": service}
    uri = {"mlflow-tracking-uri": f"http://mlflow.{namespace}.svc.cluster.local:5000"}
    platform = {"name": "mlops-platform", "namespace": namespace}
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": platform, "data": uri}
    account = {"name": "model-server", "namespace": namespace}
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}


def require_kserve(kubernetes: Kubernetes) -> None:
    if kubernetes.find_kind(INFERENCE_SERVICE.api_version, INFERENCE_SERVICE.kind) is None:
        pytest.skip("needs KServe on the cluster")


def has_storage(kubernetes: Kubernetes) -> bool:
    formats = (item for found in kubernetes.list(STORAGE) for item in found["spec"].get("supportedUriFormats") or ())
    return any(item.get("prefix") == "mlflow://" for item in formats)


@pytest.fixture(scope="session")
def site(kubernetes: Kubernetes) -> Iterator[Site]:
    """A namespace that enforces Pod Security `restricted`, with MLflow, a runtime and no models."""
    require_kserve(kubernetes)
    name = f"s-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubernetes.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    kubernetes.apply(runtime(name))
    owns_storage = not has_storage(kubernetes)
    if owns_storage:
        kubernetes.apply(storage_container(name))
    try:
        for obj in tracking_objects(name):
            kubernetes.apply(obj)
        wait_ready(kubernetes, name, "mlflow")
        scientist = become_scientist(kubernetes, name, "mlops", "mlflow")
        yield Site(kubernetes, scientist, ClusterRegistry(scientist.access, namespace=name), name, name)
    finally:
        for service in kubernetes.list(INFERENCE_SERVICE, name):
            kubernetes.delete(INFERENCE_SERVICE, service["metadata"]["name"], name)
        kubernetes.delete(NAMESPACE, name)
        kubernetes.delete(RUNTIME, name)
        if owns_storage:
            kubernetes.delete(STORAGE, name)


def wait_ready(kubernetes: Kubernetes, namespace: str, pod: str) -> None:
    for _, found in kubernetes.watch(POD, namespace, name=pod, timeout_s=DEADLINE_S):
        conditions = found.get("status", {}).get("conditions", ())
        if any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions):
            return
    pytest.fail(f"pod {pod} in {namespace} did not become ready")


def make_broken() -> tuple[Any, Any, Any]:
    """A model that raises whenever it is asked."""
    import mlflow.pyfunc

    class Broken(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
            raise RuntimeError("the coefficients are gone")

    _, example, signature = make_rule(0.0)
    return Broken(), example, signature


@pytest.fixture(scope="session")
def models(site: Site, iris_run: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """`flower`: 1, trained by the pipeline; `Rule of thumb`: 1 (champion), 2 (probabilities above 1), 3 (raises)."""
    with site.registry.hold() as uri, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        patch.delenv("MLFLOW_ARTIFACT_ROOT", raising=False)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        iris_run.steps.copy(tmp_path_factory.mktemp("flower")).register("--model-name=flower")
        for offset in (0.0, 10.0):
            log_model(uri, "Rule of thumb", offset)
        register(uri, "Rule of thumb", make_broken())
        registry_client(uri).set_registered_model_alias("Rule of thumb", "champion", "1")
    return site


# One of each kind.
FLOWERS = [
    dict(zip(MEASURES, row, strict=True)) for row in ((5.1, 3.5, 1.4, 0.2), (6.0, 2.7, 4.2, 1.3), (6.7, 3.1, 5.6, 2.4))
]
