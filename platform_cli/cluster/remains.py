"""What of the platform is on a cluster that a destroy has to undo, or has left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.application import APPLICATIONS, find_delegated, read_applications
from platform_cli.cluster.discovery import Capabilities, discover
from platform_cli.cluster.mark import BY_HELM, is_ours, release_of, restore
from platform_cli.cluster.observation import Sight, find_foreign, read_crds, read_releases
from platform_cli.cluster.stages import list_namespaces
from platform_cli.cluster.work import ClusterFacts, KubernetesObject
from platform_cli.tools.kubernetes_kind import (
    MUTATING_WEBHOOK,
    NAMESPACE,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    SERVICE,
    VALIDATING_WEBHOOK,
    Kind,
)

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.tools.kubernetes import Kubernetes

_LIVE_PHASES = frozenset({"", "Pending", "Running"})


def observe_destroy(sight: Sight, components: Sequence[Component]) -> ClusterFacts:
    """What a destroy is planned from: everything of ours, and what stands in its way."""
    kubernetes, spaces = sight.kubernetes, list_namespaces(components)
    served, listed = discover(kubernetes), sight.helm.list()
    crds = read_crds(kubernetes, components)
    foreign = find_foreign(components, listed, crds, _find_delegated(kubernetes, components))
    namespaces = list(kubernetes.list(NAMESPACE))
    owned = [crd for component in components if component.name not in foreign for crd in component.owns]
    found = {name: list_resources(kubernetes, served.kinds[name], spaces) for name in owned if name in served.kinds}
    return ClusterFacts(
        namespaces={item["metadata"]["name"]: is_ours(item) for item in namespaces},
        borrowed=tuple(item["metadata"]["name"] for item in namespaces if restore(item)),
        crds=crds,
        releases=read_releases(sight, components, listed),
        foreign=foreign,
        applications=list_syncing(kubernetes, served, spaces),
        workflows=list_workflows(kubernetes, served, spaces),
        resources={name: tuple(map(key_of, items)) for name, items in found.items() if items},
        webhooks=tuple(map(describe, list_webhooks(kubernetes, components))),
        claims=list_claims(kubernetes, spaces),
        volumes=list_volumes(kubernetes, spaces),
        balancers=list_balancers(kubernetes, spaces),
    )


def _find_delegated(kubernetes: Kubernetes, components: Sequence[Component]) -> tuple[str, ...]:
    """What Argo CD installed for us bears no mark of a release."""
    spaces = {item.namespace for item in components if APPLICATIONS in item.owns}
    found = {name for space in spaces for name in read_applications(kubernetes, space)}
    return find_delegated(components, found)


def list_syncing(kubernetes: Kubernetes, served: Capabilities, spaces: Sequence[str]) -> tuple[str, ...]:
    """Argo CD's Applications in our namespaces that sync by themselves, and what generates Applications."""
    applications = select(kubernetes, served, "applications.argoproj.io", spaces)
    generators = select(kubernetes, served, "applicationsets.argoproj.io", spaces)
    syncing = [item for item in applications if (item["spec"].get("syncPolicy") or {}).get("automated") is not None]
    return tuple(map(describe, (*generators, *syncing)))


def list_workflows(kubernetes: Kubernetes, served: Capabilities, spaces: Sequence[str]) -> tuple[str, ...]:
    """Workflows in our namespaces that have not ended."""
    found = select(kubernetes, served, "workflows.argoproj.io", spaces, labels="workflows.argoproj.io/completed!=true")
    return tuple(key_of(item) for item in found if (item.get("status") or {}).get("phase", "") in _LIVE_PHASES)


def select(
    kubernetes: Kubernetes, served: Capabilities, crd: str, spaces: Sequence[str], *, labels: str = ""
) -> list[dict[str, Any]]:
    """Custom resources in our namespaces, by the name of their CRD; none where it is not served."""
    kind = served.kinds.get(crd)
    if kind is None:
        return []
    return [item for item in kubernetes.list(kind, labels=labels) if item["metadata"].get("namespace") in spaces]


def list_resources(kubernetes: Kubernetes, kind: Kind, spaces: Sequence[str]) -> list[dict[str, Any]]:
    """Custom resources of a kind: in our namespaces, or the cluster's own."""
    return [item for item in kubernetes.list(kind) if not kind.namespaced or item["metadata"]["namespace"] in spaces]


def list_webhooks(kubernetes: Kubernetes, components: Iterable[Component]) -> list[dict[str, Any]]:
    """Admission webhooks that the components' releases brought."""
    releases = {(component.namespace, component.release) for component in components}
    found = (item for kind in (MUTATING_WEBHOOK, VALIDATING_WEBHOOK) for item in kubernetes.list(kind, labels=BY_HELM))
    return [item for item in found if release_of(item) in releases]


def describe(item: KubernetesObject) -> str:
    """Such as `Workflow argo/train-1`."""
    return f"{item['kind']} {key_of(item)}"


def list_claims(kubernetes: Kubernetes, spaces: Iterable[str]) -> tuple[str, ...]:
    """PersistentVolumeClaims in these namespaces."""
    return tuple(key_of(item) for space in spaces for item in kubernetes.list(PERSISTENT_VOLUME_CLAIM, space))


def list_volumes(kubernetes: Kubernetes, spaces: Sequence[str]) -> tuple[str, ...]:
    """PersistentVolumes that are, or were last, bound to claims in these namespaces."""
    bound = [
        (item["metadata"]["name"], item["spec"].get("claimRef") or {}) for item in kubernetes.list(PERSISTENT_VOLUME)
    ]
    return tuple(
        f"{name} of {claim['namespace']}/{claim['name']}" for name, claim in bound if claim.get("namespace") in spaces
    )


def list_balancers(kubernetes: Kubernetes, spaces: Iterable[str]) -> tuple[str, ...]:
    """Services that have, or wait for, a cloud's load balancer."""
    return tuple(
        key_of(item)
        for space in spaces
        for item in kubernetes.list(SERVICE, space)
        if item["spec"].get("type") == "LoadBalancer"
    )


def key_of(item: KubernetesObject) -> str:
    """`namespace/name`, or the name alone of what has no namespace."""
    metadata = item["metadata"]
    return "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)
