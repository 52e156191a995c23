"""Kinds of objects, as the API's paths need them. Those that every cluster has need no discovery."""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """One kind of object in one version of its API group."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def group(self) -> str:
        """The API group; empty for the core."""
        return self.api_version.rpartition("/")[0]

    @property
    def resource(self) -> str:
        """As people and RBAC name it, such as `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """Path of the collection, of one object, or of a subresource of it."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        place = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        parts = (f"{root}{place}/{self.plural}", name, subresource)
        return "/".join(part for part in parts if part)


NAMESPACE = Kind("v1", "Namespace", "namespaces", namespaced=False)
NODE = Kind("v1", "Node", "nodes", namespaced=False)
PERSISTENT_VOLUME = Kind("v1", "PersistentVolume", "persistentvolumes", namespaced=False)
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps", namespaced=True)
EVENT = Kind("v1", "Event", "events", namespaced=True)
PERSISTENT_VOLUME_CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", namespaced=True)
POD = Kind("v1", "Pod", "pods", namespaced=True)
RESOURCE_QUOTA = Kind("v1", "ResourceQuota", "resourcequotas", namespaced=True)
SECRET = Kind("v1", "Secret", "secrets", namespaced=True)
SERVICE = Kind("v1", "Service", "services", namespaced=True)
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts", namespaced=True)
DAEMON_SET = Kind("apps/v1", "DaemonSet", "daemonsets", namespaced=True)
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments", namespaced=True)
REPLICA_SET = Kind("apps/v1", "ReplicaSet", "replicasets", namespaced=True)
STATEFUL_SET = Kind("apps/v1", "StatefulSet", "statefulsets", namespaced=True)
JOB = Kind("batch/v1", "Job", "jobs", namespaced=True)
CRON_JOB = Kind("batch/v1", "CronJob", "cronjobs", namespaced=True)
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", namespaced=True)
INGRESS = Kind("networking.k8s.io/v1", "Ingress", "ingresses", namespaced=True)
INGRESS_CLASS = Kind("networking.k8s.io/v1", "IngressClass", "ingressclasses", namespaced=False)
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", namespaced=True)
STORAGE_CLASS = Kind("storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False)
CLUSTER_ROLE = Kind("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False)
CLUSTER_ROLE_BINDING = Kind(
    "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False
)
ROLE = Kind("rbac.authorization.k8s.io/v1", "Role", "roles", namespaced=True)
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", namespaced=True)
CUSTOM_RESOURCE_DEFINITION = Kind(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
MUTATING_WEBHOOK = Kind(
    "admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", namespaced=False
)
VALIDATING_WEBHOOK = Kind(
    "admissionregistration.k8s.io/v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    namespaced=False,
)

KNOWN: dict[tuple[str, str], Kind] = {
    (kind.api_version, kind.kind): kind for kind in tuple(globals().values()) if isinstance(kind, Kind)
}
