"""Values of our own chart: which of its layers, and what they are made of."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from platform_cli.cluster.value_site import SQLITE_CLAIM, SQLITE_FILE, SYSTEM_NAMESPACE, Site, image_of
from platform_cli.cluster.value_store import argo_repository
from platform_cli.tools.helm_manifest import load_yaml
from platform_cli.workflow.step_code import step_code_files, step_code_name

Values = dict[str, Any]

_CLUSTERS_OWN = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
# Where Pod Security cannot be restricted: the level that its pods need, and why.
_PRIVILEGED = {
    "calico": "programs the nodes' network",
    "metallb": "answers for addresses on the nodes' network",
    "kube-prometheus-stack": "its node exporter reads the nodes' files and network",
}
_PORTS = (443, 80, 6443)
_TRACKING_URI = "http://mlflow.mlflow.svc.cluster.local:5000"
# The tracking server knows where artifacts go, and takes them: no run needs to.
_ARTIFACT_ROOT = ""
_ENTRIES: dict[str, tuple[tuple[str, str, dict[str, str]], ...]] = {
    "mlflow-database": (
        ("mlflow", "mlflow-database", {"username": "username", "password": "password"}),
        ("argo", "mlflow-database", {"username": "username", "password": "password"}),
    ),
    "mlflow-flask-key": (("mlflow", "mlflow-flask-key", {"MLFLOW_FLASK_SERVER_SECRET_KEY": "key"}),),
    "grafana-admin": (("monitoring", "grafana-admin", {"username": "username", "password": "password"}),),
}


def map_foundation(site: Site) -> Values:
    """What everything else stands on."""
    return {
        **_platform(site),
        "layers": ["foundation"],
        "namespaces": _list_namespaces(site),
        "modelServer": {
            "annotations": dict(site.identity("kserve").annotations),
            "podLabels": dict(site.identity("kserve").pod_labels),
        },
        "networkPolicies": {"egressPorts": _list_ports(site)},
        "roles": {"artifactSecret": site.store("argo").secret},
        "objectStore": {"enabled": not site.has_bucket, "initImage": image_of("tracking", site.config, site.outputs)},
    }


def map_secrets(site: Site) -> Values:
    """Which entries of the secret store become which Secrets."""
    store, outputs = site.outputs.secret_store, site.outputs
    found = [
        {"namespace": namespace, "name": name, "entry": outputs.secrets[key], "keys": keys}
        for key, targets in _ENTRIES.items()
        if key in outputs.secrets
        for namespace, name, keys in targets
        if namespace in {component.namespace for component in site.components}
    ]
    return {
        **_platform(site),
        "layers": ["secrets"],
        "secretStore": {"kind": store.kind, "ref": store.ref, "region": outputs.region},
        "externalSecrets": found,
        "argoCdAdmin": outputs.secrets.get("argo-cd-admin", "") if site.has("argo-cd") else "",
    }


def map_catalog(site: Site) -> Values:
    """What needs the components: runtimes, templates, monitors, nodes."""
    identity = site.identity("kserve")
    return {
        **_platform(site),
        "layers": ["catalog"],
        "namespaces": _list_namespaces(site),
        "serving": {
            "enabled": site.has("kserve-resources"),
            "image": image_of("serving", site.config, site.outputs),
            "podLabels": dict(identity.pod_labels),
        },
        "pipelines": _pipelines(site) if site.has("argo-workflows") else {"enabled": False},
        "monitoring": {"enabled": site.has("kube-prometheus-stack")},
        "gateway": {"enabled": site.has("gateway")},
        "loadBalancer": {"addresses": site.outputs.load_balancer_range if site.has("metallb") else ""},
        "nodes": _nodes(site) if site.has("karpenter") else {"enabled": False},
        "backup": _backup(site) if _keeps_sqlite(site) else {"enabled": False},
    }


def _keeps_sqlite(site: Site) -> bool:
    """Whether there is an MLflow of ours with a file for a database."""
    return site.has("mlflow") and "mlflow" not in site.adopted.namespaces and not site.outputs.database.host


def _backup(site: Site) -> Values:
    """Copies of MLflow's file go where its artifacts are, with the server's own way there."""
    store = site.store("mlflow")
    environment = {"AWS_DEFAULT_REGION": store.region or site.outputs.region}
    if store.endpoint:
        environment["MLFLOW_S3_ENDPOINT_URL"] = store.endpoint
    return {
        "enabled": True,
        "image": image_of("tracking", site.config, site.outputs),
        "database": SQLITE_FILE,
        "claim": SQLITE_CLAIM,
        "store": store.uri,
        "secret": store.secret,
        "environment": environment if store.uri.startswith("s3:") else {},
        "podLabels": dict(site.identity("mlflow").pod_labels),
    }


def _platform(site: Site) -> Values:
    return {
        "platform": {
            "name": site.config.name,
            "environment": site.outputs.environment,
            "cloud": site.outputs.cloud,
            "trackingUri": _TRACKING_URI,
            "artifactRoot": _ARTIFACT_ROOT,
        }
    }


def _list_namespaces(site: Site) -> Values:
    """Every namespace of a component, and the level of Pod Security that it can bear, unless others are in it."""
    names = dict.fromkeys((SYSTEM_NAMESPACE, *(component.namespace for component in site.components)))
    reasons = {item.namespace: _PRIVILEGED[item.name] for item in site.components if item.name in _PRIVILEGED}
    levels = {name: {"podSecurity": "privileged", "reason": reason} for name, reason in reasons.items()}
    return {
        name: {"adopted": True} if name in site.adopted.namespaces else levels.get(name, {})
        for name in names
        if name not in _CLUSTERS_OWN
    }


def _list_ports(site: Site) -> list[int]:
    """HTTPS, HTTP, the API server, and where stores and databases of the user's own listen."""
    endpoints = [urlsplit(site.outputs.store(name).endpoint) for name in ("argo", "mlflow")]
    own = {endpoint.port for endpoint in endpoints if endpoint.port} | {site.outputs.database.port}
    return [*_PORTS, *sorted(own - {0, *_PORTS})]


def _pipelines(site: Site) -> Values:
    folder = site.assets / "pipelines" / "training"
    code = step_code_files(folder / "src")
    template = load_yaml((folder / "ml-training-workflow.yaml").read_text("utf-8"))
    for parameter in template["spec"]["arguments"]["parameters"]:
        if parameter["name"] == "image":
            parameter["value"] = image_of("training", site.config, site.outputs)
    return {
        "enabled": True,
        "runner": site.adopted.needs_runner,
        "repository": _repository(site) if site.adopted.needs_repository else {},
        "template": template,
        "stepCode": {
            "name": step_code_name(folder / "src"),
            "data": {name: content.decode() for name, content in code.items()},
        },
    }


def _repository(site: Site) -> Values:
    """Where others' Argo keeps what runs in our namespace make: as ours would."""
    return {**argo_repository(site.store("argo"), site.outputs.region), "archiveLogs": True}


def _nodes(site: Site) -> Values:
    """Karpenter makes the pools that start at zero; the others are node groups of the infrastructure's."""
    settings = site.outputs.autoscaler.settings
    pools = [pool for pool in site.outputs.node_pools.values() if pool.min == 0]
    return {
        "enabled": True,
        "role": settings.get("node_role", ""),
        "discoveryTag": settings.get("discovery_tag", ""),
        "pools": {
            pool.name: {
                "instanceTypes": list(pool.instance_types),
                "max": pool.max,
                "spot": pool.spot,
                "labels": dict(pool.labels),
                "taints": [{"key": item.key, "value": item.value, "effect": item.effect} for item in pool.taints],
            }
            for pool in pools
        },
    }
