"""The one mapping from what the infrastructure made to the charts' values. Secrets stand here by name only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from platform_cli.cluster.value_platform import map_catalog, map_foundation, map_secrets
from platform_cli.cluster.value_site import SQLITE_CLAIM, SQLITE_FILE, Site, image_of, merge
from platform_cli.cluster.value_store import argo_values, mlflow_root
from platform_cli.tools.helm_manifest import load_yaml

Values = dict[str, Any]

DATABASE_SECRET = "mlflow-database"  # noqa: S105 - the name of a Secret
FLASK_SECRET = "mlflow-flask-key"  # noqa: S105 - the name of a Secret
MIGRATION = "migrate"
"""The init container that brings MLflow's SQLite file to the server's schema."""
_SQLITE_FOLDER = SQLITE_FILE.rpartition("/")[0]


def map_values(name: str, site: Site) -> Values:
    """What a component's values take from the outputs; empty for those that need nothing."""
    mapping = _MAPPINGS.get(name)
    return mapping(site) if mapping else {}


def _map_argo_workflows(site: Site) -> Values:
    workflow, server = site.identity("argo-workflow"), site.identity("argo-server")
    values: Values = {
        "workflow": {"serviceAccount": {"annotations": dict(workflow.annotations)}},
        "server": {
            "serviceAccount": {"annotations": dict(server.annotations)},
            "podLabels": dict(server.pod_labels),
        },
    }
    if workflow.pod_labels:
        metadata = {"labels": dict(workflow.pod_labels)}
        values["controller"] = {"workflowDefaults": {"spec": {"podMetadata": metadata}}}
    values = merge(values, argo_values(site.store("argo"), site.outputs.region))
    return merge(values, _argo_archive(site))


def _argo_archive(site: Site) -> Values:
    """Runs outlive their Workflow objects where there is a database; it is MLflow's, with tables of Argo's own."""
    database = site.outputs.database
    if not database.host:
        return {}
    postgresql = {
        "host": database.host,
        "port": database.port,
        "database": database.name,
        "tableName": "argo_workflows",
        "userNameSecret": {"name": DATABASE_SECRET, "key": "username"},
        "passwordSecret": {"name": DATABASE_SECRET, "key": "password"},
        "ssl": True,
        "sslMode": "require",
    }
    return {"controller": {"persistence": {"archive": True, "archiveTTL": "180d", "postgresql": postgresql}}}


def _map_mlflow(site: Site) -> Values:
    identity = site.identity("mlflow")
    repository, _, tag = image_of("tracking", site.config, site.outputs).rpartition(":")
    values: Values = {
        "image": {"repository": repository, "tag": tag},
        "initImages": {"mlflowDbMigration": {"repository": repository, "tag": tag}},
        "serviceAccount": {"annotations": dict(identity.annotations)},
        "extraPodLabels": dict(identity.pod_labels),
    }
    if site.has("platform-secrets"):
        # The chart's own key is another after each render without a cluster, and with it every session ends.
        values["extraSecretNamesForEnvFrom"] = [FLASK_SECRET]
    values = merge(values, mlflow_root(site.store("mlflow"), site.outputs.region))
    return merge(values, _mlflow_postgres(site) if site.outputs.database.host else _mlflow_sqlite(site))


def _mlflow_postgres(site: Site) -> Values:
    database = site.outputs.database
    postgres = {
        "enabled": True,
        "host": database.host,
        "port": database.port,
        "database": database.name,
        "driver": "psycopg2",
    }
    keys = {"name": DATABASE_SECRET, "usernameKey": "username", "passwordKey": "password"}
    return {
        "backendStore": {"databaseMigration": True, "postgres": postgres, "existingDatabaseSecret": keys},
        "extraEnvVars": {"PGSSLMODE": "require"},
    }


def _mlflow_sqlite(site: Site) -> Values:
    """A file on a volume: the chart's default is in memory, and everything is lost at the next restart."""
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        # Uninstalling must not take every model along.
        "metadata": {"name": SQLITE_CLAIM, "annotations": {"helm.sh/resource-policy": "keep"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}},
    }
    return {
        "backendStore": {"defaultSqlitePath": SQLITE_FILE},
        # Two servers must never have the file open at once.
        "strategy": {"type": "Recreate"},
        "initContainers": [_migration(site)],
        "extraVolumes": [{"name": "data", "persistentVolumeClaim": {"claimName": SQLITE_CLAIM}}],
        "extraVolumeMounts": [{"name": "data", "mountPath": _SQLITE_FOLDER}],
        "extraDeploy": [claim],
    }


def _migration(site: Site) -> Values:
    """Brings the file to the server's schema before it starts: the chart's own migrates database servers only."""
    server = load_yaml((site.assets / "infrastructure/helm/common/mlflow.yaml").read_text("utf-8"))
    environment = {
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{SQLITE_FILE}",
        "MLFLOW_ARTIFACTS_DESTINATION": site.store("mlflow").uri,
    }
    return {
        "name": MIGRATION,
        "image": image_of("tracking", site.config, site.outputs),
        "imagePullPolicy": server["image"]["pullPolicy"],
        "args": ["migrate"],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the container's own, and the chart's volume
            {"name": "data", "mountPath": _SQLITE_FOLDER},
        ],
        "resources": server["resources"],
        "securityContext": server["securityContext"],
    }


def _map_external_secrets(site: Site) -> Values:
    identity = site.identity("external-secrets")
    return {"serviceAccount": {"annotations": dict(identity.annotations)}, "podLabels": dict(identity.pod_labels)}


def _map_load_balancers(site: Site) -> Values:
    # Region and network are asked of the node otherwise, which pods cannot reach.
    return {
        "clusterName": site.outputs.cluster_name,
        "region": site.outputs.region,
        "vpcId": site.outputs.network_id,
        "serviceAccount": {"annotations": dict(site.identity("aws-load-balancer-controller").annotations)},
    }


def _map_karpenter(site: Site) -> Values:
    settings = site.outputs.autoscaler.settings
    return {
        "settings": {
            "clusterName": settings.get("cluster_name", site.outputs.cluster_name),
            "clusterEndpoint": site.outputs.cluster_endpoint,
            "interruptionQueue": settings.get("interruption_queue", ""),
        },
        "serviceAccount": {"annotations": dict(site.identity("autoscaler").annotations)},
    }


def _map_prometheus(site: Site) -> Values:
    labels = {"cluster": site.outputs.cluster_name, "environment": site.outputs.environment}
    return {"prometheus": {"prometheusSpec": {"externalLabels": labels}}}


def _map_keda(site: Site) -> Values:
    return {"clusterName": site.outputs.cluster_name}


_MAPPINGS: Mapping[str, Callable[[Site], Values]] = {
    "argo-workflows": _map_argo_workflows,
    "aws-load-balancer-controller": _map_load_balancers,
    "external-secrets": _map_external_secrets,
    "karpenter": _map_karpenter,
    "keda": _map_keda,
    "kube-prometheus-stack": _map_prometheus,
    "mlflow": _map_mlflow,
    "platform": map_foundation,
    "platform-catalog": map_catalog,
    "platform-secrets": map_secrets,
}
