"""What of the platform is on a cluster that a destroy has to undo, or has left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.discovery import Capabilities, discover
from platform_cli.cluster.inventory import Inventory, crds_of, namespaces_of
from platform_cli.cluster.observation import BY_HELM, Sight, find_foreign, list_names, read_releases
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

_RELEASE, _RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
_LIVE_PHASES = frozenset({"", "Pending", "Running"})


def observe_destroy(sight: Sight, components: Sequence[Component]) -> ClusterFacts:
    """What a destroy is planned from: everything of ours, and what stands in its way."""
    kubernetes = sight.kubernetes
    served, listed, entries = discover(kubernetes), sight.helm.list(), Inventory(kubernetes).read()
    spaces, ours = list_namespaces(components), crds_of(entries)
    claims = list_claims(kubernetes, spaces)
    foreign = find_foreign(components, listed, served.kinds, ours)
    owned = [crd for component in components if component.name not in foreign for crd in component.owns]
    found = {name: _list_resources(kubernetes, served.kinds[name], spaces) for name in owned if name in served.kinds}
    names = list_names(kubernetes, NAMESPACE)
    return ClusterFacts(
        namespaces={name: name in namespaces_of(entries) for name in names},
        crds={name: ours.get(name, "") for name in served.kinds},
        releases=read_releases(sight, components, listed),
        foreign=foreign,
        applications=list_syncing(kubernetes, served, spaces),
        workflows=list_workflows(kubernetes, served, spaces),
        resources={name: tuple(items) for name, items in found.items() if items},
        webhooks=list_webhooks(kubernetes, {(item.release, item.namespace) for item in components}),
        claims=claims,
        volumes=list_volumes(kubernetes, spaces),
        balancers=list_balancers(kubernetes, spaces),
        terminating=tuple(name for name in names if name in spaces and _is_terminating(kubernetes, name)),
    )


def list_syncing(kubernetes: Kubernetes, served: Capabilities, spaces: Sequence[str]) -> tuple[str, ...]:
    """Argo CD's Applications in our namespaces that sync by themselves, and what generates Applications."""
    applications = select(kubernetes, served, "applications.argoproj.io", spaces)
    generators = select(kubernetes, served, "applicationsets.argoproj.io", spaces)
    syncing = [item for item in applications if (item["spec"].get("syncPolicy") or {}).get("automated") is not None]
    return tuple(f"{item['kind']} {key_of(item)}" for item in (*generators, *syncing))


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


def _list_resources(kubernetes: Kubernetes, kind: Kind, spaces: Sequence[str]) -> list[str]:
    """Custom resources of a kind: in our namespaces, or the cluster's own."""
    return [
        key_of(item) for item in kubernetes.list(kind) if not kind.namespaced or item["metadata"]["namespace"] in spaces
    ]


def list_webhooks(kubernetes: Kubernetes, releases: set[tuple[str, str]]) -> tuple[str, ...]:
    """Admission webhooks that these releases (name and namespace) brought, as `Kind name`."""
    items = [item for kind in (MUTATING_WEBHOOK, VALIDATING_WEBHOOK) for item in kubernetes.list(kind, labels=BY_HELM)]
    return tuple(f"{item['kind']} {item['metadata']['name']}" for item in items if _release_of(item) in releases)


def _release_of(item: KubernetesObject) -> tuple[str, str]:
    annotations = item["metadata"].get("annotations") or {}
    return str(annotations.get(_RELEASE, "")), str(annotations.get(_RELEASE_NAMESPACE, ""))


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


def _is_terminating(kubernetes: Kubernetes, name: str) -> bool:
    return bool((kubernetes.get(NAMESPACE, name) or {"metadata": {}})["metadata"].get("deletionTimestamp"))


def key_of(item: KubernetesObject) -> str:
    """`namespace/name`, or the name alone of what has no namespace."""
    metadata = item["metadata"]
    return "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part)
