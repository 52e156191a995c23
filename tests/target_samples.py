"""What the infrastructure of each cloud hands on, as CONTRACT.md says, and a configuration with all components."""

from __future__ import annotations

from typing import Any

from platform_cli.cluster.component import Component, read_components, select_components
from platform_cli.cluster.outputs import ClusterOutputs, existing_outputs, parse_outputs
from platform_cli.config import Config

CLOUDS = ("aws", "azure", "existing", "gcp", "local")
OPTIONAL = {
    "aws": ["gateway", "nvidia-device-plugin"],
    "azure": ["gateway", "nvidia-device-plugin"],
    "existing": ["gateway", "nvidia-device-plugin"],
    "gcp": ["gateway"],
    "local": ["calico", "calico-crd", "gateway", "metallb", "nvidia-device-plugin"],
}
_URIS = {"aws": "s3://{}", "azure": "wasbs://{}@account.blob.core.windows.net", "gcp": "gs://{}"}
_STORES = {
    "aws": {"kind": "aws-secrets-manager", "ref": "eu-west-1"},
    "azure": {"kind": "azure-key-vault", "ref": "https://vault.vault.azure.net"},
    "gcp": {"kind": "gcp-secret-manager", "ref": "project-1"},
    "local": {"kind": "kubernetes", "ref": ""},
}
_ACCOUNTS = {
    "argo-server": ("argo", "argo-workflows-server"),
    "argo-workflow": ("argo", "argo-workflow"),
    "autoscaler": ("kube-system", "karpenter"),
    "aws-load-balancer-controller": ("kube-system", "aws-load-balancer-controller"),
    "external-secrets": ("external-secrets", "external-secrets"),
    "kserve": ("mlops", "model-server"),
    "mlflow": ("mlflow", "mlflow"),
}
_BINDINGS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "azure": ({"azure.workload.identity/client-id": "an-id"}, {"azure.workload.identity/use": "true"}),
    "gcp": ({"iam.gke.io/gcp-service-account": "mlops@project-1.iam.gserviceaccount.com"}, {}),
}


def make_config(cloud: str, **sections: Any) -> Config:
    """A configuration with every optional component of the cloud."""
    components = {"enable": OPTIONAL[cloud], **sections.pop("components", {})}
    return Config.model_validate({"version": 1, "cloud": cloud, "components": components, **sections})


def make_outputs(cloud: str, **changes: Any) -> ClusterOutputs:
    """What Terraform's outputs are parsed into; for `existing` what is known without any."""
    if cloud == "existing":
        return existing_outputs(make_config(cloud))
    return parse_outputs({**_list_outputs(cloud), **changes})


def select(cloud: str, **sections: Any) -> tuple[Component, ...]:
    """The components of a cloud, optional ones too."""
    return select_components(read_components(), make_config(cloud, **sections), make_outputs(cloud))


def _list_outputs(cloud: str) -> dict[str, Any]:
    managed = cloud in _URIS
    annotations, pod_labels = _BINDINGS.get(cloud, ({}, {}))
    bound = {"principal": "p", "annotations": annotations, "pod_labels": pod_labels}
    names = {name: f"bucket-{name}" if managed else "" for name in ("argo", "mlflow")}
    karpenter = {"cluster_name": "c", "discovery_tag": "c", "interruption_queue": "queue", "node_role": "role"}
    return {
        "artifact_stores": {
            name: {"name": bucket, "uri": _URIS[cloud].format(bucket) if bucket else ""}
            for name, bucket in names.items()
        },
        "autoscaler": {"kind": "karpenter", "settings": karpenter} if cloud == "aws" else {"kind": "none"},
        "cloud": cloud,
        "cluster_ca_certificate": "Y2E=",
        "cluster_endpoint": "https://cluster.example",
        "cluster_name": "c",
        "database": _make_database(managed=managed),
        "deployment_id": "mlops-core-dev",
        "environment": "dev",
        "identities": {
            key: {"namespace": space, "service_account": name, **bound} for key, (space, name) in _ACCOUNTS.items()
        },
        "kubernetes_version": "1.35",
        "load_balancer_range": "172.18.255.200-172.18.255.250" if cloud == "local" else "",
        "network_id": "network-1",
        "node_pools": _make_pools(),
        "oidc_issuer_url": "https://issuer.example",
        "region": "eu-west-1",
        "registry_url": "registry.example/mlops" if managed else "",
        "secret_store": _STORES[cloud],
        "secrets": {key: f"mlops-dev-{key}" for key in _SECRETS} if managed else {},
    }


_SECRETS = ("argo-cd-admin", "grafana-admin", "mlflow-database", "mlflow-flask-key")


def _make_database(*, managed: bool) -> dict[str, Any]:
    if not managed:
        return {"engine": "sqlite", "host": "", "port": 0, "name": "", "user": "", "secret_ref": ""}
    keys = {"name": "mlflow", "user": "mlflow", "secret_ref": "mlflow-database"}
    return {"engine": "postgres", "host": "database.example", "port": 5432, **keys}


def _make_pools() -> dict[str, Any]:
    taint = {"key": "mlops.io/pool", "value": "training", "effect": "NoSchedule"}
    general = {"name": "general", "instance_types": ["m6i.large"], "min": 2, "max": 4, "labels": {}, "taints": []}
    training = {**general, "name": "training", "min": 0, "spot": True, "taints": [taint]}
    return {"general": general, "training": {**training, "labels": {"mlops.io/pool": "training"}}}
