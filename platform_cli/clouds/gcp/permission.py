"""What credentials must be allowed so that Terraform can make, read, change and remove each type on Google Cloud."""

from __future__ import annotations

from collections.abc import Mapping


def _all(kind: str, *actions: str) -> tuple[str, ...]:
    return tuple(f"{kind}.{action}" for action in actions)


_LIFE = ("create", "delete", "get", "update")
_POLICY = ("getIamPolicy", "setIamPolicy")
_ACT_AS = ("iam.serviceAccounts.actAs",)

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "google_artifact_registry_repository": _all("artifactregistry.repositories", *_LIFE),
    "google_artifact_registry_repository_iam_member": _all("artifactregistry.repositories", *_POLICY),
    # Budgets belong to the billing account, where a project's permissions say nothing.
    "google_billing_budget": (),
    "google_compute_firewall": (*_all("compute.firewalls", *_LIFE), "compute.networks.updatePolicy"),
    "google_compute_global_address": _all("compute.globalAddresses", "createInternal", "deleteInternal", "get", "use"),
    "google_compute_network": _all("compute.networks", *_LIFE),
    "google_compute_router": _all("compute.routers", *_LIFE),
    "google_compute_router_nat": _all("compute.routers", "get", "update"),
    "google_compute_subnetwork": (*_all("compute.subnetworks", *_LIFE), "compute.subnetworks.use"),
    "google_container_cluster": (
        *_all("container.clusters", *_LIFE),
        "container.operations.get",
        "compute.networks.use",
        *_ACT_AS,
    ),
    "google_container_node_pool": ("container.clusters.update", "compute.instanceGroupManagers.get", *_ACT_AS),
    "google_kms_crypto_key": (
        *_all("cloudkms.cryptoKeys", "create", "get", "update"),
        *_all("cloudkms.cryptoKeyVersions", "destroy", "list"),
    ),
    "google_kms_crypto_key_iam_member": _all("cloudkms.cryptoKeys", *_POLICY),
    "google_kms_key_ring": _all("cloudkms.keyRings", "create", "get"),
    "google_project_iam_member": _all("resourcemanager.projects", "get", *_POLICY),
    "google_project_service": _all("serviceusage.services", "enable", "get", "list"),
    "google_secret_manager_secret": _all("secretmanager.secrets", *_LIFE),
    "google_secret_manager_secret_iam_member": _all("secretmanager.secrets", *_POLICY),
    "google_secret_manager_secret_version": _all("secretmanager.versions", "access", "add", "destroy", "get"),
    "google_service_account": _all("iam.serviceAccounts", *_LIFE),
    "google_service_networking_connection": ("servicenetworking.services.addPeering", "servicenetworking.services.get"),
    "google_sql_database": _all("cloudsql.databases", *_LIFE),
    "google_sql_database_instance": _all("cloudsql.instances", *_LIFE),
    "google_sql_user": _all("cloudsql.users", "create", "delete", "list", "update"),
    "google_storage_bucket": (*_all("storage.buckets", *_LIFE), "storage.objects.delete", "storage.objects.list"),
    "google_storage_bucket_iam_member": _all("storage.buckets", *_POLICY),
}
