"""Google Cloud: GKE and what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_cli.clouds.gcp.backend import GcsService
from platform_cli.clouds.gcp.check import open_probe
from platform_cli.clouds.gcp.sweep import sweep
from platform_cli.clouds.terraform import Guards, Provider, Retention, TerraformCloud
from platform_cli.clouds.terraform.variable import list_tags

if TYPE_CHECKING:
    from platform_cli.config import Config
    from platform_cli.layout import Layout

_LAYERS = {
    "cluster": frozenset({"google_container_cluster"}),
    "nodes": frozenset({"google_container_node_pool"}),
    "storage": frozenset({"google_storage_bucket"}),
    "database": frozenset({"google_sql_database_instance"}),
}
_DATA_TYPES = frozenset(
    {
        "google_artifact_registry_repository",
        "google_container_cluster",
        "google_kms_crypto_key",
        "google_kms_key_ring",
        "google_secret_manager_secret",
        "google_secret_manager_secret_version",
        "google_sql_database",
        "google_sql_database_instance",
        "google_storage_bucket",
    }
)
_GUARDS: Guards = {
    "google_container_cluster": {"deletion_protection": False},
    "google_sql_database_instance": {"deletion_protection": False},
    "google_storage_bucket": {"force_destroy": True},
}
_RETENTION = Retention(
    types=frozenset(
        {
            "google_artifact_registry_repository",
            "google_kms_crypto_key",
            "google_kms_crypto_key_iam_member",
            "google_kms_key_ring",
            "google_sql_database",
            "google_sql_database_instance",
            "google_sql_user",
            "google_storage_bucket",
        }
    ),
    shown=frozenset({"google_artifact_registry_repository", "google_sql_database_instance", "google_storage_bucket"}),
)


def open_gcp(config: Config, layout: Layout) -> TerraformCloud:
    """The target on Google Cloud; nothing is asked before a method is called."""
    wish = config.gcp
    provider = Provider(
        variables={"region": wish.region, "project_id": wish.project},
        data_types=_DATA_TYPES,
        probe=open_probe(wish.project),
        layers=_LAYERS,
        sweep=lambda deployment: sweep(deployment, wish.project),
        guards=_GUARDS,
        retention=_RETENTION,
        states=GcsService(
            project=wish.project,
            bucket=wish.state_bucket,
            region=wish.region or "",
            prefix=config.name,
            tags=list_tags(config),
        ),
    )
    return TerraformCloud(config, layout, provider)
