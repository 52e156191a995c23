"""What a user may write in `platform.yaml`: one frozen model, the only home of names, types, limits and defaults.

Secrets have no place here; components read them from the Secrets of the target.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from platform_cli.target import CloudName, Env, Target

Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9:._-]+$", max_length=253)]
Label = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=40)]
Text = Annotated[str, Field(min_length=1, max_length=1024)]


class Section(BaseModel):
    """A mapping that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Embedded(Section):
    """The platform as processes and files on this machine, with Python alone."""

    host: Host = Field("127.0.0.1", description="Address that model servers and dashboards listen on.")
    serving_port: Port = Field(8500, description="First port that model servers take; the next free one is used.")
    mlflow_port: Port = Field(5000, description="Port of `mlops port-forward mlflow`.")
    workers: Annotated[int, Field(strict=True, ge=1, le=256)] | None = Field(
        None, description="Workflow steps that run at the same time; null means one per core."
    )


class Local(Section):
    """A Kind cluster on this machine."""

    cluster: Label = Field("mlops", description="Name of the Kind cluster.")


class Existing(Section):
    """Any cluster that a kubeconfig leads to."""

    kubeconfig: Text | None = Field(
        None, description="Path of the kubeconfig; null means KUBECONFIG or ~/.kube/config."
    )
    context: Text | None = Field(None, description="Context in the kubeconfig; null means its current one.")


class Aws(Section):
    """EKS."""

    region: Label = Field("eu-central-1", description="Region of every resource.")


class Azure(Section):
    """AKS."""

    region: Label = Field("westeurope", description="Region of every resource.")
    subscription: Text | None = Field(None, description="Subscription id; null means the one you are logged in to.")


class Gcp(Section):
    """GKE."""

    region: Label = Field("europe-west4", description="Region of every resource.")
    project: Label | None = Field(None, description="Project id; null means the one you are logged in to.")


class Config(Section):
    """The whole of `platform.yaml`."""

    version: Literal[1] = Field(description="Version of this file's format; always 1.")
    name: Label = Field("mlops", description="Name of the project; it begins every name we give.")
    cloud: CloudName = Field(CloudName.EMBEDDED, description="Where the platform runs, unless --cloud says otherwise.")
    env: Env = Field(Env.DEV, description="Which environment is meant, unless --env says otherwise.")
    embedded: Embedded = Field(Embedded(), description="The platform on this machine with Python alone.")
    local: Local = Field(Local(), description="A Kind cluster on this machine.")
    existing: Existing = Field(Existing(), description="Any cluster that a kubeconfig leads to.")
    aws: Aws = Field(Aws(), description="Amazon Web Services (EKS).")
    azure: Azure = Field(Azure(), description="Microsoft Azure (AKS).")
    gcp: Gcp = Field(Gcp(), description="Google Cloud (GKE).")

    @property
    def target(self) -> Target:
        """The platform that is meant."""
        return Target(self.cloud, self.env)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One key that holds a value.

    Attributes:
        path: such as `("embedded", "mlflow_port")`.
        is_text: any value is text, so a variable's value needs no conversion.
    """

    path: tuple[str, ...]
    description: str
    is_text: bool

    @property
    def key(self) -> str:
        """The path as people write it."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """The environment variable that sets it; the format's version has none."""
        return "" if self.path == ("version",) else "MLOPS_" + "_".join(self.path).upper()


def list_leaves(model: type[Section] = Config, prefix: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every key that holds a value, in the order of the model."""
    for name, field in model.model_fields.items():
        section = find_section(field.annotation)
        if section is not None:
            yield from list_leaves(section, (*prefix, name))
        else:
            is_text = "int" not in str(field.annotation)
            yield Leaf((*prefix, name), field.description or "", is_text)


def find_section(annotation: Any) -> type[Section] | None:
    """The section behind a field's annotation, or None when the field holds a value."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, Section) else None


def list_keys(path: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys that may stand in the section at `path`; none when there is no such section."""
    model: type[Section] | None = Config
    for part in path:
        field = model.model_fields.get(str(part)) if model else None
        model = find_section(field.annotation) if field else None
    return tuple(model.model_fields) if model else ()
