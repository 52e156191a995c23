"""Looks for anything that a destroy has left on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from platform_cli.clouds.interface import Proof
from platform_cli.cluster.remains import observe_destroy
from platform_cli.cluster.stages import list_namespaces

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.removal import Remover
    from platform_cli.cluster.work import ClusterFacts


def prove_gone(
    remover: Remover, components: Sequence[Component], before: ClusterFacts | None, *, keep_data: bool
) -> Proof:
    """Look into the cluster again; what was there before tells which volumes and load balancers to look for."""
    if before is None or before.unreachable:
        return Proof((), (), (), (f"the cluster: {before.unreachable if before else 'there is none'}",))
    now = observe_destroy(remover.sight, components)
    spaces = [name for name in list_namespaces(components) if now.namespaces.get(name)]
    held = {claim.partition("/")[0] for claim in now.claims} if keep_data else set()
    stuck = [remover.explain_namespace(name) for name in spaces if name not in held]
    releases = [f"release {key}" for key in now.releases if _component_of(key, components) not in now.foreign]
    resources = [f"{crd} {key}" for crd, keys in now.resources.items() for key in keys]
    volumes = () if keep_data else tuple(f"volume {name}" for name in now.volumes)
    balancers = tuple(f"load balancer of service {key}" for key in now.balancers if key in before.balancers)
    theirs = {crd for item in components for crd in (*item.crds, *item.owns)}
    crds = [name for name, mark in now.crds.items() if mark and name in theirs]
    kept = (*(f"volume claim {key}" for key in now.claims if keep_data), *_tell_crds(crds))
    return Proof(_list_checked(keep_data=keep_data), (*stuck, *releases, *resources, *volumes, *balancers), kept)


def _component_of(key: str, components: Sequence[Component]) -> str:
    return next(item.name for item in components if f"{item.namespace}/{item.release}" == key)


def _tell_crds(crds: Sequence[str]) -> tuple[str, ...]:
    return (f"{len(crds)} CRDs, such as {crds[0]}; --delete-crds removes them as well",) if crds else ()


def _list_checked(*, keep_data: bool) -> tuple[str, ...]:
    return (
        "no release of a component",
        "no custom resource of theirs",
        "no namespace of ours" + (" but those that hold volumes" if keep_data else ""),
        *(() if keep_data else ("no volume that was bound there",)),
        "no load balancer",
    )
