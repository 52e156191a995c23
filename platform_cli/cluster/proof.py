"""Looks for anything that a destroy has left on a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from platform_cli.clouds.interface import Proof
from platform_cli.cluster.item import describe, is_leaving
from platform_cli.cluster.remains import list_loose, list_volumes, observe_destroy
from platform_cli.cluster.stages import list_namespaces
from platform_cli.cluster.work import KubernetesObject
from platform_cli.tools.kubernetes_kind import CUSTOM_RESOURCE_DEFINITION

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.removal import Remover
    from platform_cli.cluster.work import ClusterFacts
    from platform_cli.tools.kubernetes import Kubernetes


def prove_gone(
    remover: Remover, components: Sequence[Component], before: ClusterFacts | None, *, keep_data: bool
) -> Proof:
    """Look into the cluster again; what was there before tells which volumes and load balancers to look for."""
    if before is None or before.unreachable:
        return Proof((), (), (), (f"the cluster: {before.unreachable if before else 'there is none'}",))
    now = observe_destroy(remover.sight, components, remover.forced)
    spaces = [name for name in list_namespaces(components) if now.namespaces.get(name)]
    held = {claim.partition("/")[0] for claim in now.claims} if keep_data else set()
    stuck = [remover.explain_namespace(name) for name in spaces if name not in held]
    releases = [f"release {key}" for key in now.releases]
    resources = [f"{crd} {key}" for crd, keys in now.resources.items() for key in keys]
    gone = () if keep_data else list_volumes(remover.sight.kubernetes, remover.look(), before.claims)
    volumes = tuple(f"volume {name}" for name in gone)
    loose = () if keep_data else map(describe, list_loose(remover.sight.kubernetes, components))
    balancers = tuple(f"load balancer of service {key}" for key in now.balancers if key in before.balancers)
    leaving = _find_leaving(remover.sight.kubernetes, now.crds)
    crds = [name for name in now.crds if name not in leaving]
    kept = (*(f"volume claim {key}" for key in now.claims if keep_data), *_tell_crds(crds))
    left = (*stuck, *releases, *resources, *volumes, *loose, *balancers, *leaving.values())
    return Proof(_list_checked(keep_data=keep_data), left, kept)


def _find_leaving(kubernetes: Kubernetes, crds: Iterable[str]) -> dict[str, str]:
    """CRDs that are being deleted and do not go, and why, in the API's words."""
    found = (kubernetes.get(CUSTOM_RESOURCE_DEFINITION, name) for name in crds)
    return {item["metadata"]["name"]: _explain(item) for item in found if item and is_leaving(item)}


def _explain(crd: KubernetesObject) -> str:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    said = [str(item.get("message", "")) for item in conditions if item["type"] == "Terminating"]
    return f"CRD {crd['metadata']['name']}: {' '.join(said) or 'it is still there'}"


def _tell_crds(crds: Sequence[str]) -> tuple[str, ...]:
    return (f"{len(crds)} CRDs, such as {crds[0]}; --delete-crds removes them as well",) if crds else ()


def _list_checked(*, keep_data: bool) -> tuple[str, ...]:
    return (
        "no release of a component",
        "no custom resource of theirs",
        "no namespace of ours" + (" but those that hold volumes" if keep_data else ""),
        *(() if keep_data else ("no volume that was bound there", "no Secret, account or code of steps of ours")),
        "no load balancer",
    )
