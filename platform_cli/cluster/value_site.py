"""What values are made of: the configuration, the infrastructure's outputs, and which components there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.adopted import NOTHING_ADOPTED, Adopted
from platform_cli.cluster.outputs import ArtifactStore, Identity

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.outputs import ClusterOutputs
    from platform_cli.config import Config

SYSTEM_NAMESPACE = "mlops-system"
OBJECT_STORE = "object-store"
"""Service, port name and Secret of the store that our chart brings where there is no bucket."""
SQLITE_FILE = "/mlflow/mlflow.db"
"""Where MLflow's server has its database, on this claim, when the infrastructure made none."""
SQLITE_CLAIM = "mlflow-data"
_OBJECT_STORE_PORT = 7070
_DEFAULT_REGISTRY = "docker.io/library"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One target.

    Attributes:
        components: those that are selected for it.
        assets: the product's own folder.
        adopted: what somebody else runs there.
    """

    config: Config
    outputs: ClusterOutputs
    components: tuple[Component, ...]
    assets: Path = field(repr=False)
    adopted: Adopted = NOTHING_ADOPTED

    def has(self, name: str) -> bool:
        """Whether a component is selected."""
        return any(component.name == name for component in self.components)

    @property
    def has_bucket(self) -> bool:
        """Whether somebody else keeps the artifacts; else our chart brings a store."""
        return bool(self.outputs.store("argo").name)

    def store(self, name: str) -> ArtifactStore:
        """Where `argo` or `mlflow` keep artifacts: the infrastructure's bucket, else the one on the cluster."""
        given = self.outputs.store(name)
        if given.name:
            return given
        return ArtifactStore(
            name=name,
            uri=f"s3://{name}",
            endpoint=f"http://{OBJECT_STORE}.{SYSTEM_NAMESPACE}.svc.cluster.local:{_OBJECT_STORE_PORT}",
            region="us-east-1",
            secret=OBJECT_STORE,
        )

    def identity(self, name: str) -> Identity:
        """The identity of a component; one that nothing is bound to when the infrastructure made none."""
        return self.outputs.identities.get(name, Identity(namespace="", service_account=""))


def image_of(name: str, config: Config, outputs: ClusterOutputs) -> str:
    """One of our own images, tag included: `training`, `serving` or `tracking`."""
    return f"{registry_of(config, outputs)}/mlops-{name}:{version('mlops')}"


def registry_of(config: Config, outputs: ClusterOutputs) -> str:
    """What our own images' names start with, without a trailing slash."""
    return (config.images.registry or outputs.registry_url or _DEFAULT_REGISTRY).rstrip("/")


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Values laid over values: mappings are merged, all else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged
