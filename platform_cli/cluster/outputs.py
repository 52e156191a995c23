"""What the infrastructure hands on to the components: one typed object, whoever made the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from platform_cli.errors import StateError

if TYPE_CHECKING:
    from platform_cli.config import Config

NO_STORE = "kubernetes"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactStore:
    """A bucket, or a folder in one.

    Attributes:
        name: the bucket's name; empty when there is none, and the platform's chart brings a store of its own.
        uri: as MLflow takes it: `s3://…`, `gs://…` or `wasbs://…`.
        endpoint: URL of an S3 API that is not Amazon's.
        region: of the bucket; empty means the deployment's.
        secret: Secret with `access-key` and `secret-key`; empty means the pods' own identity.
    """

    name: str = ""
    uri: str = ""
    endpoint: str = ""
    region: str = ""
    secret: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoscaler:
    """What adds nodes. `kind` is karpenter, cluster-autoscaler, node-auto-provisioning or none."""

    kind: str = "none"
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """MLflow's database; only `engine` (sqlite or postgres) is set when no server is. `secret_ref` keys `secrets`."""

    engine: str = "sqlite"
    host: str = ""
    port: int = 0
    name: str = ""
    user: str = ""
    secret_ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The service account of one component and what the cloud binds it by."""

    namespace: str
    service_account: str
    principal: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    pod_labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taint:
    """As Kubernetes writes it; `effect` is NoSchedule, PreferNoSchedule or NoExecute."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePool:
    """Nodes of one kind. `min` and `max` count nodes."""

    name: str
    instance_types: tuple[str, ...] = ()
    min: int = 0
    max: int = 0
    spot: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretStore:
    """Where secrets lie: aws-secrets-manager, azure-key-vault, gcp-secret-manager, or kubernetes itself.

    `ref` is the region, the vault's URL or the project.
    """

    kind: str = NO_STORE
    ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOutputs:
    """The core outputs of infrastructure/terraform/CONTRACT.md. What a cluster does not have is empty, never None.

    Attributes:
        cluster_ca_certificate: base64.
        cluster_endpoint: https URL.
        registry_url: prefix of image names, without a trailing slash.
        secrets: key (`mlflow-database`) to the entry's name in the secret store.
        load_balancer_range: addresses for MetalLB (`172.18.255.200-172.18.255.250`), on Kind.
    """

    artifact_stores: Mapping[str, ArtifactStore]
    autoscaler: Autoscaler
    cloud: str
    cluster_ca_certificate: str
    cluster_endpoint: str
    cluster_name: str
    database: Database
    deployment_id: str
    environment: str
    identities: Mapping[str, Identity]
    kubernetes_version: str
    network_id: str
    node_pools: Mapping[str, NodePool]
    oidc_issuer_url: str
    region: str
    registry_url: str
    secret_store: SecretStore
    secrets: Mapping[str, str]
    load_balancer_range: str = ""

    def store(self, name: str) -> ArtifactStore:
        """The artifact store of `argo` or `mlflow`; an empty one when the infrastructure made none."""
        return self.artifact_stores.get(name, ArtifactStore())


def parse_outputs(outputs: Mapping[str, Any]) -> ClusterOutputs:
    """Terraform's outputs, by name, as values; those that are not in the contract are ignored.

    Raises:
        StateError: an output is missing or of another type; the message has its path.
    """
    import msgspec

    try:
        return msgspec.convert(dict(outputs), ClusterOutputs)
    except msgspec.ValidationError as error:
        raise StateError(
            f"the infrastructure's outputs: {error}", hint="mlops deploy brings them up to date"
        ) from error


def existing_outputs(config: Config) -> ClusterOutputs:
    """What is known of a cluster that somebody else made: only what the configuration says."""
    return ClusterOutputs(
        artifact_stores={name: _existing_store(config, name) for name in ("argo", "mlflow")},
        autoscaler=Autoscaler(),
        cloud=config.cloud.value,
        cluster_ca_certificate="",
        cluster_endpoint="",
        cluster_name=config.existing.context or config.name,
        database=Database(),
        deployment_id=f"{config.name}-{config.env}",
        environment=config.env.value,
        identities=_list_identities(),
        kubernetes_version="",
        network_id="",
        node_pools={},
        oidc_issuer_url="",
        region="",
        registry_url="",
        secret_store=SecretStore(),
        secrets={},
    )


def _existing_store(config: Config, name: str) -> ArtifactStore:
    """Argo and MLflow share the bucket, each in a folder of its own."""
    given = config.existing.artifact_store
    if given.uri is None:
        return ArtifactStore()
    return ArtifactStore(
        name=given.uri.partition("://")[2].partition("/")[0],
        uri=f"{given.uri.rstrip('/')}/{name}",
        endpoint=(given.endpoint or "").rstrip("/"),
        region=given.region or "us-east-1",
        secret=given.secret or "",
    )


def _list_identities() -> dict[str, Identity]:
    """The components' service accounts; nothing binds them to anything here."""
    accounts = {
        "argo-server": ("argo", "argo-workflows-server"),
        "argo-workflow": ("argo", "argo-workflow"),
        "external-secrets": ("external-secrets", "external-secrets"),
        "kserve": ("mlops", "model-server"),
        "mlflow": ("mlflow", "mlflow"),
    }
    return {key: Identity(namespace=space, service_account=name) for key, (space, name) in accounts.items()}
