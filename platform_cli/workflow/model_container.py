"""What runs in a pod, as Argo and Kubernetes spell it: containers, environment, volumes.

Field meanings and shapes are those of the Kubernetes core/v1 API.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Extra = dict[str, Any]
"""A part that is accepted as it is: it means something on a cluster only, or elsewhere."""

IntOrString = int | str


class Part(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel", repr_omit_defaults=True
):
    """Root of every part of a manifest: immutable, camelCase outside, unknown fields refused."""


class KeySelector(Part, frozen=True):
    """One key of a ConfigMap or Secret."""

    key: str
    name: str = ""
    optional: bool = False


class FieldSelector(Part, frozen=True):
    """A field of the pod, such as `metadata.name`."""

    field_path: str
    api_version: str = ""


class EnvSource(Part, frozen=True):
    """Where an environment variable takes its value from; exactly one is set."""

    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None
    field_ref: FieldSelector | None = None
    resource_field_ref: Extra | None = None


class EnvVar(Part, frozen=True):
    """One environment variable."""

    name: str
    value: str = ""
    value_from: EnvSource | None = None


class LocalReference(Part, frozen=True):
    """A whole ConfigMap or Secret of the namespace."""

    name: str = ""
    optional: bool = False


class EnvFrom(Part, frozen=True):
    """Every key of a ConfigMap or Secret as a variable, its name after `prefix`."""

    prefix: str = ""
    config_map_ref: LocalReference | None = None
    secret_ref: LocalReference | None = None


class VolumeMount(Part, frozen=True):
    """A volume's place inside the container."""

    name: str
    mount_path: str
    sub_path: str = ""
    sub_path_expr: str = ""
    read_only: bool = False
    mount_propagation: str = ""
    recursive_read_only: str = ""


class Resources(Part, frozen=True):
    """Requests and limits: quantities such as `500m` or `1Gi`."""

    limits: dict[str, IntOrString | float] = {}
    requests: dict[str, IntOrString | float] = {}
    claims: list[Extra] = []


class Container(Part, frozen=True):
    """One container. Without `command` the image decides what runs, which works on a cluster only."""

    name: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFrom, ...] = ()
    working_dir: str = ""
    volume_mounts: tuple[VolumeMount, ...] = ()
    resources: Resources | None = None
    security_context: Extra | None = None
    image_pull_policy: Literal["", "Always", "IfNotPresent", "Never"] = ""
    termination_message_path: str = ""
    termination_message_policy: str = ""
    ports: list[Extra] = []
    liveness_probe: Extra | None = None
    readiness_probe: Extra | None = None
    startup_probe: Extra | None = None
    lifecycle: Extra | None = None
    resize_policy: list[Extra] = []
    restart_policy: str = ""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    volume_devices: list[Extra] = []


class Script(Container, frozen=True):
    """A container whose program text is `source`: written to a file that is the command's last argument."""

    source: str = ""


class KeyToPath(Part, frozen=True):
    """One key of a ConfigMap or Secret as the file `path` of a volume; `mode` such as 0o644."""

    key: str
    path: str
    mode: int | None = None


class ConfigMapVolume(Part, frozen=True):
    """A ConfigMap as a folder: each key a file, or only the chosen `items`."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False
    default_mode: int | None = None


class SecretVolume(Part, frozen=True):
    """A Secret as a folder."""

    secret_name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False
    default_mode: int | None = None


class SecretProjection(Part, frozen=True):
    """A Secret inside a projected volume (its name is spelt `name` there)."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


class ConfigMapProjection(Part, frozen=True):
    """A ConfigMap inside a projected volume."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


class ProjectedSource(Part, frozen=True):
    """One source of a projected volume; exactly one is set."""

    config_map: ConfigMapProjection | None = None
    secret: SecretProjection | None = None
    downward_api: Extra | None = msgspec.field(default=None, name="downwardAPI")
    service_account_token: Extra | None = None
    cluster_trust_bundle: Extra | None = None


class ProjectedVolume(Part, frozen=True):
    """Several sources in one folder."""

    sources: tuple[ProjectedSource, ...] = ()
    default_mode: int | None = None


class EmptyDirVolume(Part, frozen=True):
    """An empty folder that lives as long as the node."""

    medium: str = ""
    size_limit: IntOrString | float | None = None


class ClaimVolume(Part, frozen=True):
    """A persistent volume claim by name."""

    claim_name: str
    read_only: bool = False


class Volume(Part, frozen=True):
    """A named volume with exactly one source."""

    name: str
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    empty_dir: EmptyDirVolume | None = None
    persistent_volume_claim: ClaimVolume | None = None
    projected: ProjectedVolume | None = None
