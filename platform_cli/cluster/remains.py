"""What of the platform is on a cluster that a destroy has to undo, or has left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.application import APPLICATIONS, PART_OF, find_delegated, read_applications
from platform_cli.cluster.discovery import Capabilities, discover
from platform_cli.cluster.item import describe, key_of
from platform_cli.cluster.mark import restore
from platform_cli.cluster.observation import Sight, read_releases
from platform_cli.cluster.ownership import Ownership, read_ownership
from platform_cli.cluster.secret import MANAGED_BY, list_secrets
from platform_cli.cluster.stages import list_namespaces
from platform_cli.cluster.webhook import list_webhooks
from platform_cli.cluster.work import ClusterFacts, KubernetesObject
from platform_cli.tools.kubernetes_kind import (
    CONFIG_MAP,
    NAMESPACE,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)
from platform_cli.workflow.argo_api import RUNNER
from platform_cli.workflow.step_code import PREFIX as STEP_CODE_PREFIX

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.tools.kubernetes import Kubernetes

WORKFLOWS, CRON_WORKFLOWS = "workflows.argoproj.io", "cronworkflows.argoproj.io"
APPLICATION_SETS = "applicationsets.argoproj.io"
_POLICY = "persistentVolumeReclaimPolicy"
_LIVE_PHASES = frozenset({"", "Pending", "Running"})
# What our charts write on everything and we on Applications, and what we write on all else.
_LABELS = (PART_OF, MANAGED_BY)


def observe_destroy(sight: Sight, components: Sequence[Component], forced: Collection[str] = ()) -> ClusterFacts:
    """What a destroy is planned from: everything of ours, and what stands in its way."""
    kubernetes, ownership = sight.kubernetes, look_for_ours(sight.kubernetes, components, forced)
    served = discover(kubernetes)
    owned = dict.fromkeys(crd for component in components for crd in component.owns)
    found = {name: select_ours(kubernetes, served, name, ownership) for name in owned}
    claims = list_claims(kubernetes, ownership)
    return ClusterFacts(
        namespaces=ownership.namespaces,
        borrowed=tuple(item["metadata"]["name"] for item in kubernetes.list(NAMESPACE) if restore(item)),
        crds={name: ownership.crds[name] for name in ownership.list_crds()},
        releases=read_releases(sight, ownership.ours, sight.helm.list()),
        foreign=ownership.foreign,
        applications=list_syncing(kubernetes, served, ownership),
        workflows=list_workflows(kubernetes, served, ownership),
        resources={name: tuple(map(key_of, items)) for name, items in found.items() if items},
        webhooks=tuple(map(describe, list_webhooks(kubernetes, ownership.ours))),
        claims=claims,
        volumes=list_volumes(kubernetes, ownership, claims),
        balancers=list_balancers(kubernetes, ownership),
    )


def look_for_ours(kubernetes: Kubernetes, components: Sequence[Component], forced: Collection[str]) -> Ownership:
    """What is ours; what Argo CD installed for us is, although it bears no mark of a release."""
    delegated = find_delegated_here(kubernetes, components)
    return read_ownership(kubernetes, components, frozenset({*forced, *delegated}))


def find_delegated_here(kubernetes: Kubernetes, components: Sequence[Component]) -> tuple[str, ...]:
    """What Argo CD installed for us."""
    spaces = {item.namespace for item in components if APPLICATIONS in item.owns}
    found = {name for space in spaces for name in read_applications(kubernetes, space)}
    return find_delegated(components, found)


def list_syncing(kubernetes: Kubernetes, served: Capabilities, ownership: Ownership) -> tuple[str, ...]:
    """Argo CD's Applications of ours that sync by themselves, and what generates Applications."""
    applications = select_ours(kubernetes, served, APPLICATIONS, ownership)
    generators = select_ours(kubernetes, served, APPLICATION_SETS, ownership)
    syncing = [item for item in applications if (item["spec"].get("syncPolicy") or {}).get("automated") is not None]
    return tuple(map(describe, (*generators, *syncing)))


def list_workflows(kubernetes: Kubernetes, served: Capabilities, ownership: Ownership) -> tuple[str, ...]:
    """Workflows of ours that have not ended."""
    found = select_ours(kubernetes, served, WORKFLOWS, ownership, labels="workflows.argoproj.io/completed!=true")
    return tuple(key_of(item) for item in found if (item.get("status") or {}).get("phase", "") in _LIVE_PHASES)


def select_ours(
    kubernetes: Kubernetes, served: Capabilities, crd: str, ownership: Ownership, *, labels: str = ""
) -> list[dict[str, Any]]:
    """Custom resources in our namespaces, or the cluster's own, by the name of their CRD; none where it is not served.

    Where somebody else runs their controller, only those that bear our label.
    """
    kind, spaces = served.kinds.get(crd), list_namespaces(ownership.components)
    if kind is None:
        return []
    found = (item for item in kubernetes.list(kind, labels=labels) if _is_within(item, kind, spaces))
    return [item for item in found if ownership.runs(crd) or _is_labelled(item)]


def _is_within(item: KubernetesObject, kind: Kind, spaces: Collection[str]) -> bool:
    return not kind.namespaced or item["metadata"]["namespace"] in spaces


def _is_labelled(item: KubernetesObject) -> bool:
    labels = item["metadata"].get("labels") or {}
    return any(each.items() <= labels.items() for each in _LABELS)


def list_claims(kubernetes: Kubernetes, ownership: Ownership) -> tuple[str, ...]:
    """PersistentVolumeClaims of ours."""
    spaces = list_namespaces(ownership.components)
    found = (item for space in spaces for item in kubernetes.list(PERSISTENT_VOLUME_CLAIM, space))
    return tuple(key_of(item) for item in found if ownership.may_remove(item))


def list_loose(kubernetes: Kubernetes, components: Sequence[Component]) -> tuple[KubernetesObject, ...]:
    """What is ours and goes with no release: Secrets that we made up, the account of runs, the code of steps.

    In a namespace of somebody else's they would outlive us.
    """
    keys = (key.partition("/") for key in list_secrets(components))
    secrets = (kubernetes.get(SECRET, name, space) for space, _, name in keys)
    runs = [item.namespace for item in components if WORKFLOWS in item.owns]
    accounts = (kubernetes.get(SERVICE_ACCOUNT, RUNNER, space) for space in runs)
    maps = (item for space in runs for item in kubernetes.list_metadata(CONFIG_MAP, space))
    code = (item for item in maps if item["metadata"]["name"].startswith(STEP_CODE_PREFIX))
    return tuple(item for item in (*secrets, *accounts, *code) if item is not None and _is_labelled(item))


def list_volumes(kubernetes: Kubernetes, ownership: Ownership, claims: Collection[str]) -> tuple[str, ...]:
    """PersistentVolumes that are, or were last, bound to these claims, or to any in namespaces of ours."""
    spaces = [name for name in list_namespaces(ownership.components) if ownership.namespaces.get(name, True)]
    bound = [(item, _claim_of(item)) for item in kubernetes.list(PERSISTENT_VOLUME)]
    found = [(item, claim) for item, claim in bound if claim in claims or claim.partition("/")[0] in spaces]
    return tuple(f"{item['metadata']['name']} of {claim}" for item, claim in found)


def list_returning(kubernetes: Kubernetes, claims: Collection[str]) -> tuple[str, ...]:
    """PersistentVolumes that their driver deletes once these claims are gone, and has not failed to."""
    found = (item for item in kubernetes.list(PERSISTENT_VOLUME) if _claim_of(item) in claims)
    return tuple(
        f"volume {key_of(item)}" for item in found if item["spec"].get(_POLICY) == "Delete" and not _failed(item)
    )


def _failed(volume: KubernetesObject) -> bool:
    return (volume.get("status") or {}).get("phase") == "Failed"


def _claim_of(volume: KubernetesObject) -> str:
    claim = volume["spec"].get("claimRef") or {}
    return f"{claim.get('namespace', '')}/{claim.get('name', '')}"


def list_balancers(kubernetes: Kubernetes, ownership: Ownership) -> tuple[str, ...]:
    """Services of ours that have, or wait for, a cloud's load balancer."""
    found = (item for space in list_namespaces(ownership.components) for item in kubernetes.list(SERVICE, space))
    balancing = (item for item in found if item["spec"].get("type") == "LoadBalancer")
    return tuple(key_of(item) for item in balancing if ownership.may_remove(item))
