"""A model on KServe as objects of the API. Pure."""

from __future__ import annotations

import hashlib
import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from platform_cli.tools.kubernetes_kind import Kind

INFERENCE_SERVICE = Kind("serving.kserve.io/v1beta1", "InferenceService", "inferenceservices", namespaced=True)
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", namespaced=True)
GATEWAY = Kind("gateway.networking.k8s.io/v1", "Gateway", "gateways", namespaced=True)
ROUTE = Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes", namespaced=True)
SERVICE_LABEL = "serving.kserve.io/inferenceservice"
MANAGED = {"app.kubernetes.io/managed-by": "mlops", "app.kubernetes.io/component": "model"}
MODEL, VERSION, SPEC_HASH = "mlops.dev/model", "mlops.dev/model-version", "mlops.dev/spec-hash"
AUTOSCALER = "serving.kserve.io/autoscalerClass"
RUNTIME = "mlops-mlflow"
CONTAINER, INITIALIZER = "kserve-container", "storage-initializer"
_SCHEME = "mlflow://models/"
_PORT = 8080
_USER = 10001
# KServe appends "-predictor" to it, and a Service's name has 63 characters.
_LONGEST = 50
_DRAIN_S, _GRACE_S = 5, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """How many pods, how large, and what adds pods.

    Attributes:
        cpu: cores that are kept free for each pod, as Kubernetes writes it.
        memory: of each pod, kept free and never exceeded.
        autoscaler: `none`, `hpa` (processor time) or `keda` (requests per second).
        prometheus: URL that KEDA asks; used with `keda` only.
    """

    min_replicas: int = 1
    max_replicas: int = 3
    cpu: str = "250m"
    memory: str = "1Gi"
    autoscaler: str = "hpa"
    prometheus: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which version of which model is to run where, and how."""

    model: str
    version: str
    namespace: str
    runtime: str
    service_account: str
    sizing: Sizing

    @property
    def name(self) -> str:
        """The InferenceService's name."""
        return make_name(self.model)


def make_name(model: str) -> str:
    """A name that Kubernetes takes, different for every model: `iris` stays, `My model` becomes `my-model-3f1c…`."""
    plain = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")
    if plain == model and plain[0].isalpha() and len(plain) <= _LONGEST:
        return plain
    digest = hashlib.sha256(model.encode()).hexdigest()[:8]
    return f"m-{plain}"[: _LONGEST - 9].strip("-") + f"-{digest}"


def model_path(model: str) -> str:
    """The model's path in the Open Inference Protocol."""
    return f"/v2/models/{urllib.parse.quote(model, safe='')}"


def storage_uri(model: str, version: str) -> str:
    """Where the storage initializer finds it."""
    return f"{_SCHEME}{urllib.parse.quote(model, safe='')}/{version}"


def read_storage_uri(uri: str) -> tuple[str, str]:
    """Model and version of a storage URI; both empty when it is another kind of place."""
    name, _, version = uri.removeprefix(_SCHEME).rpartition("/")
    return (urllib.parse.unquote(name), version) if uri.startswith(_SCHEME) and name else ("", "")


def build_service(wish: Wish) -> dict[str, Any]:
    """The InferenceService. Its hash covers what pods are made of: another number of them restarts none."""
    predictor = _build_predictor(wish)
    annotations = {
        "serving.kserve.io/deploymentMode": "Standard",
        AUTOSCALER: wish.sizing.autoscaler,
        MODEL: wish.model,
        VERSION: wish.version,
        SPEC_HASH: _hash(predictor),
    }
    metadata = {"name": wish.name, "namespace": wish.namespace, "labels": MANAGED, "annotations": annotations}
    return {
        "apiVersion": INFERENCE_SERVICE.api_version,
        "kind": INFERENCE_SERVICE.kind,
        "metadata": metadata,
        "spec": {"predictor": {**predictor, **_build_scaling(wish)}},
    }


def _hash(predictor: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(predictor, sort_keys=True).encode()).hexdigest()[:16]


def _build_predictor(wish: Wish) -> dict[str, Any]:
    return {
        "serviceAccountName": wish.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [_spread(wish)]}},
        # The old pod goes when the new one answers, never before.
        "deploymentStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "model": _build_model(wish),
    }


def _spread(wish: Wish) -> dict[str, Any]:
    selector = {"matchLabels": {SERVICE_LABEL: wish.name}}
    return {"weight": 100, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector}}


def _build_model(wish: Wish) -> dict[str, Any]:
    ready = {"httpGet": {"path": f"{model_path(wish.model)}/ready", "port": _PORT}}
    live = {"httpGet": {"path": "/v2/health/live", "port": _PORT}}
    # KServe fills in whatever of these is missing with its own, much larger figures.
    resources = {
        "requests": {"cpu": wish.sizing.cpu, "memory": wish.sizing.memory},
        "limits": {"cpu": _double(wish.sizing.cpu), "memory": wish.sizing.memory},
    }
    return {
        "modelFormat": {"name": "mlflow"},
        "runtime": wish.runtime,
        "protocolVersion": "v2",
        "storageUri": storage_uri(wish.model, wish.version),
        # After the runtime's own; the last of a kind counts.
        "args": [f"--name={wish.model}", f"--version={wish.version}"],
        "resources": resources,
        "startupProbe": {**live, "periodSeconds": 2, "failureThreshold": 90, "timeoutSeconds": 5},
        "readinessProbe": {**ready, "periodSeconds": 2, "failureThreshold": 3, "timeoutSeconds": 5},
        "livenessProbe": {**live, "periodSeconds": 10, "failureThreshold": 6, "timeoutSeconds": 5},
        # Until every node knows that the pod goes, requests still come.
        "lifecycle": {"preStop": {"sleep": {"seconds": _DRAIN_S}}},
    }


def _double(cpu: str) -> str:
    """A pod may take twice what it is promised, and at least a core: models load on one."""
    millis = int(cpu[:-1]) if cpu.endswith("m") else int(float(cpu) * 1000)
    return f"{max(1000, 2 * millis)}m"


def _build_scaling(wish: Wish) -> dict[str, Any]:
    sizing = wish.sizing
    replicas: dict[str, Any] = {"minReplicas": sizing.min_replicas, "maxReplicas": sizing.max_replicas}
    match sizing.autoscaler:
        case "hpa":
            return {**replicas, "scaleMetric": "cpu", "scaleTarget": 70}
        case "keda":
            return {**replicas, "autoScaling": {"metrics": [_request_rate(wish)]}}
    return replicas


def _request_rate(wish: Wish) -> dict[str, Any]:
    pods = f'namespace="{wish.namespace}",pod=~"{wish.name}-predictor-.*"'
    query = f"sum(rate(mlops_inference_requests_total{{{pods}}}[1m]))"
    source = {"backend": "prometheus", "serverAddress": wish.sizing.prometheus, "query": query}
    return {"type": "External", "external": {"metric": source, "target": {"type": "Value", "value": "50"}}}


def build_disruption_budget(service: Mapping[str, Any]) -> dict[str, Any]:
    """At most one pod of a model is evicted at a time. Goes with the InferenceService, whoever deletes that."""
    return {
        "apiVersion": DISRUPTION_BUDGET.api_version,
        "kind": DISRUPTION_BUDGET.kind,
        "metadata": _belong(service, f"{service['metadata']['name']}-predictor"),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {SERVICE_LABEL: service["metadata"]["name"]}}},
    }


def build_route(service: Mapping[str, Any], gateway: str) -> dict[str, Any]:
    """Leads the model's own paths from the Gateway to it. Goes with the InferenceService as well.

    The protocol has the model's name in its path: a route needs no host name and changes nothing.
    """
    name = service["metadata"]["name"]
    path = model_path(service["metadata"]["annotations"][MODEL])
    return {
        "apiVersion": ROUTE.api_version,
        "kind": ROUTE.kind,
        "metadata": _belong(service, name),
        "spec": {
            "parentRefs": [{"group": ROUTE.group, "kind": "Gateway", "name": gateway}],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": path}}],
                    "backendRefs": [{"group": "", "kind": "Service", "name": f"{name}-predictor", "port": 80}],
                    # Envoy's own default is 15 s; many rows take longer.
                    "timeouts": {"request": "300s"},
                }
            ],
        },
    }


def _belong(service: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Metadata of what is an InferenceService's own."""
    metadata = service["metadata"]
    owner = {
        "apiVersion": INFERENCE_SERVICE.api_version,
        "kind": INFERENCE_SERVICE.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return {"name": name, "namespace": metadata["namespace"], "labels": MANAGED, "ownerReferences": [owner]}
