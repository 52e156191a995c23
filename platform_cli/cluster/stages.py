"""What should hold on a cluster, and what must be undone, in order. Pure: components in, stages out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from platform_cli.cluster.application import APPLICATIONS, NOTHING, Delegation
from platform_cli.cluster.component import Component
from platform_cli.cluster.package import Package, list_workloads
from platform_cli.cluster.secret import list_secrets
from platform_cli.cluster.work import (
    CrdSet,
    DrainResources,
    GeneratedSecrets,
    GitOpsRoot,
    Healthy,
    HelmRelease,
    Namespaces,
    RemoveClaims,
    RemoveCrds,
    RemoveNamespaces,
    RemoveRelease,
    RemoveWebhooks,
    StopWorkflows,
    SuspendGitOps,
)
from platform_cli.stage import Stage

_CLUSTERS_OWN = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})


def list_stages(
    packages: Sequence[Package],
    after: tuple[str, ...] = (),
    delegation: Delegation = NOTHING,
    adopted: Collection[str] = (),
) -> tuple[Stage, ...]:
    """Everything that should hold once deployed; `after` are the stages that come before the cluster's.

    Namespaces that are `adopted` are there, and stay as they are.
    Components that are left to Argo CD get their namespaces and secrets, and the Application that holds theirs.
    """
    if not packages:
        return ()
    components = [*(package.component for package in packages), *delegation.components]
    secrets = tuple(key for key in list_secrets(components) if key.partition("/")[0] not in adopted)
    namespaces = tuple(name for name in list_namespaces(components) if name not in adopted)
    crds = [_crd_stage(package) for package in packages if package.component.is_release and package.brings_crds]
    releases = [_release_stage(package, crds) for package in packages]
    return (
        Stage("namespaces", "namespaces", Namespaces(namespaces), after),
        *crds,
        *([Stage("secrets", "secrets", GeneratedSecrets(secrets), ("namespaces",))] if secrets else ()),
        *releases,
        *([_root_stage(delegation, releases)] if delegation.objects else ()),
        Stage("health", "health", Healthy(list_workloads(packages)), tuple(stage.name for stage in releases)),
    )


def _root_stage(delegation: Delegation, releases: Sequence[Stage]) -> Stage:
    return Stage("gitops", "GitOps root", GitOpsRoot(delegation.digest), tuple(stage.name for stage in releases))


def list_namespaces(components: Sequence[Component]) -> tuple[str, ...]:
    """The namespaces that we may make and remove, in the order in which they are first used."""
    names = dict.fromkeys(component.namespace for component in components)
    return tuple(name for name in names if name not in _CLUSTERS_OWN)


def list_removals(components: Sequence[Component], *, keep_data: bool, delete_crds: bool = False) -> tuple[Stage, ...]:
    """Everything that must be undone: what uses something goes before it, controllers after what only they clear."""
    if not components:
        return ()
    namespaces = list_namespaces(components)
    drains = _drain_stages(components)
    releases = _removal_stages(components, drains)
    names = tuple(stage.name for stage in releases)
    claims = () if keep_data else (Stage("remove-claims", "volumes", RemoveClaims(), names),)
    crds = tuple(dict.fromkeys(crd for component in components for crd in component.crds))
    return (
        Stage("suspend-gitops", "GitOps", SuspendGitOps()),
        Stage("stop-workflows", "workflows", StopWorkflows(), ("suspend-gitops",)),
        *drains,
        Stage("remove-webhooks", "webhooks", RemoveWebhooks(), tuple(stage.name for stage in drains)),
        *releases,
        *claims,
        *([Stage("remove-crds", "CRDs", RemoveCrds(crds), names)] if delete_crds else ()),
        Stage("remove-namespaces", "namespaces", RemoveNamespaces(namespaces, kept=keep_data), names),
    )


def _crd_stage(package: Package) -> Stage:
    component = package.component
    work = CrdSet(component.name, package.crd_digests)
    return Stage(f"crds-{component.name}", f"{component.name} CRDs", work, ("namespaces",))


def _release_stage(package: Package, crds: Sequence[Stage]) -> Stage:
    component = package.component
    if not component.is_release:
        definitions = CrdSet(component.name, package.crd_digests)
        return Stage(component.name, component.name, definitions, ("namespaces", *component.needs))
    work = HelmRelease(
        component=component.name,
        release=component.release,
        namespace=component.namespace,
        chart=component.chart,
        version=component.version,
        inputs=package.inputs,
    )
    own = f"crds-{component.name}"
    needs = tuple(stage.name for stage in crds if stage.name == own)
    return Stage(component.name, component.name, work, ("namespaces", *needs, *component.needs))


def _drain_stages(components: Sequence[Component]) -> tuple[Stage, ...]:
    """Custom resources of what is needed by others go after those of the others.

    Argo CD's are last: the controllers that let go of the others may go with them.
    """
    owning = [item for item in reversed(components) if item.owns]
    first = [_drain_stage(item) for item in owning if APPLICATIONS not in item.owns]
    names = tuple(stage.name for stage in first)
    return (*first, *(_drain_stage(item, names) for item in owning if APPLICATIONS in item.owns))


def _drain_stage(item: Component, after: tuple[str, ...] = ()) -> Stage:
    work = DrainResources(item.name, item.owns)
    return Stage(f"drain-{item.name}", f"{item.name}'s resources", work, ("stop-workflows", *after))


def _removal_stages(components: Sequence[Component], drains: Sequence[Stage]) -> tuple[Stage, ...]:
    """The releases in reverse: each after those that need it."""
    after = ("remove-webhooks", *(stage.name for stage in drains))
    return tuple(
        Stage(
            f"remove-{item.name}",
            item.name,
            RemoveRelease(item.name, item.release, item.namespace, keeps=not item.is_release),
            (*after, *(f"remove-{other.name}" for other in components if item.name in other.needs)),
        )
        for item in reversed(components)
    )
