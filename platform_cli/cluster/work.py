"""What stages do on a cluster, and what is seen there before planning. Plain values; nothing here asks a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

KubernetesObject = Mapping[str, Any]
"""An object as the API takes and shows it."""


class Ref(NamedTuple):
    """Which object: its API group ("" for the core), kind, namespace ("" for a cluster's own) and name."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return "/".join(part for part in (self.namespace, self.kind, self.name) if part)


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Have these namespaces; of one that is somebody else's remember what it is like."""

    namespaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CrdSet:
    """Have a component's CustomResourceDefinitions, applied server-side: `digests` is name to SHA-256."""

    component: str
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GeneratedSecrets:
    """Have these Secrets (`namespace/name`), with contents made up once and told to nobody."""

    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HelmRelease:
    """Have a component as a Helm release, and its workloads ready.

    Attributes:
        inputs: SHA-256 of the chart and the values; empty while the values are not known.
        changes: SHA-256 of what happens to each object; empty until it is planned.
        replaces: objects that must be deleted first, since they cannot be changed into what they should be.
    """

    component: str
    release: str
    namespace: str
    chart: str
    version: str
    inputs: str
    changes: str = ""
    replaces: tuple[Ref, ...] = ()

    @property
    def key(self) -> str:
        """The release as facts name it."""
        return f"{self.namespace}/{self.release}"


@dataclass(frozen=True, slots=True)
class Healthy:
    """Have every workload (`namespace/kind/name`) of these components ready; somebody else's are left out."""

    components: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def workloads(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(name for _, names in self.components for name in names)


@dataclass(frozen=True, slots=True)
class Backup:
    """Have a copy of all custom resources and of MLflow below `folder`, before these components change.

    With `artifacts` also of MLflow's, where they lie on a volume of the cluster.
    """

    components: tuple[str, ...]
    folder: Path
    artifacts: bool = True


@dataclass(frozen=True, slots=True)
class GitOpsRoot:
    """Have the Application that holds all others, and their project: `digest` is the SHA-256 of both."""

    digest: str


@dataclass(frozen=True, slots=True)
class SuspendGitOps:
    """Keep Argo CD from bringing back what is removed."""


@dataclass(frozen=True, slots=True)
class StopWorkflows:
    """End every workflow of ours that runs."""


@dataclass(frozen=True, slots=True)
class DrainResources:
    """Delete a component's custom resources while its controller lives; clear the finalizers that nobody will."""

    component: str
    crds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoveWebhooks:
    """Remove the components' admission webhooks, before the services that answer them."""


@dataclass(frozen=True, slots=True)
class RemoveRelease:
    """Uninstall a component's Helm release; with `keeps` let Helm forget it, and what it made stays."""

    component: str
    release: str
    namespace: str
    keeps: bool = False

    @property
    def key(self) -> str:
        """The release as facts name it."""
        return f"{self.namespace}/{self.release}"


@dataclass(frozen=True, slots=True)
class RemoveClaims:
    """Delete every PersistentVolumeClaim of ours: data is lost."""


@dataclass(frozen=True, slots=True)
class RemoveNamespaces:
    """Delete those of these namespaces that we made, but the ones that hold claims which are `kept`.

    Those of somebody else's become again what they were.
    """

    namespaces: tuple[str, ...]
    kept: bool = False


@dataclass(frozen=True, slots=True)
class RemoveCrds:
    """Delete CustomResourceDefinitions that we applied: every custom resource goes with them."""

    crds: tuple[str, ...]


ClusterWork = (
    Namespaces
    | CrdSet
    | GeneratedSecrets
    | HelmRelease
    | Healthy
    | Backup
    | GitOpsRoot
    | SuspendGitOps
    | StopWorkflows
    | DrainResources
    | RemoveWebhooks
    | RemoveRelease
    | RemoveClaims
    | RemoveNamespaces
    | RemoveCrds
)

CONCURRENT = (CrdSet, HelmRelease, DrainResources)
"""Works that may run at the same time where `needs` allows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFact:
    """One Helm release as it is.

    Attributes:
        status: Helm's word: deployed, failed, pending-install, …
        running: what its current revision applied.
        absent: objects of it that are no longer there.
    """

    revision: int
    status: str
    version: str
    running: tuple[KubernetesObject, ...] = ()
    absent: frozenset[Ref] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What a component's chart makes of its values; `varying` are paths whose value is another at each rendering."""

    objects: tuple[KubernetesObject, ...]
    varying: frozenset[tuple[Ref, str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What was seen on a cluster.

    Attributes:
        unreachable: why nothing could be seen; empty when all was.
        namespaces: whether each namespace that is there is ours, by name.
        unmarked: namespaces of somebody else's of which we do not yet remember what they are like.
        borrowed: namespaces of somebody else's that got our policies, and are to get their own back.
        crds: SHA-256 of what we applied as each CRD that is there, by name; empty when somebody else did.
        secrets: Secrets that are there, as `namespace/name`.
        releases: the releases of components of ours, by `namespace/release`.
        rendered: what each component's chart makes, by component.
        foreign: components that somebody else runs here, and how we know.
        unready: workloads that are not ready, by `namespace/kind/name`, and why.
        gitops_root: SHA-256 of what we applied as the root application; empty when somebody else did, None without it.
        applications: Argo CD's Applications and ApplicationSets of ours that sync by themselves.
        workflows: workflows that run, as `namespace/name`.
        resources: custom resources, by the CRD's name, as `namespace/name`.
        webhooks: admission webhook configurations of components of ours.
        claims: PersistentVolumeClaims of ours in the components' namespaces, as `namespace/name`.
        volumes: PersistentVolumes behind those claims.
        balancers: Services of ours of type LoadBalancer, as `namespace/name`.
    """

    unreachable: str = ""
    namespaces: Mapping[str, bool] = field(default_factory=dict)
    unmarked: frozenset[str] = frozenset()
    borrowed: tuple[str, ...] = ()
    crds: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    releases: Mapping[str, ReleaseFact] = field(default_factory=dict)
    rendered: Mapping[str, Rendered] = field(default_factory=dict)
    foreign: Mapping[str, str] = field(default_factory=dict)
    unready: Mapping[str, str] = field(default_factory=dict)
    gitops_root: str | None = None
    applications: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    resources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    webhooks: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    balancers: tuple[str, ...] = ()
