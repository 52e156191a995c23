"""Tells what on a cluster is ours and what somebody else's: alike for a deploy, a destroy, the status, the doctor."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from platform_cli.cluster.mark import is_claimed, is_known, is_ours, read_crd_mark, read_mark, release_of
from platform_cli.cluster.work import KubernetesObject
from platform_cli.tools.kubernetes_kind import CUSTOM_RESOURCE_DEFINITION, NAMESPACE, SECRET

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.tools.kubernetes import Kubernetes

Key = tuple[str, str]
"""Namespace and name of a release."""

_BY_HELM = "owner=helm,status notin (uninstalled,superseded)"
_INSTANCE = "app.kubernetes.io/instance"
_PART_OF = ("app.kubernetes.io/part-of", "mlops")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Whose everything is.

    Attributes:
        components: those that were asked about.
        namespaces: whether each namespace that is there is ours, by name.
        crds: the mark of each CRD that is there, by name; empty for those that are not ours.
        foreign: components that somebody else runs, and how we know.
    """

    components: tuple[Component, ...] = ()
    namespaces: Mapping[str, bool] = field(default_factory=dict)
    crds: Mapping[str, str] = field(default_factory=dict)
    foreign: Mapping[str, str] = field(default_factory=dict)

    @property
    def ours(self) -> tuple[Component, ...]:
        """The components that nobody else runs."""
        return tuple(item for item in self.components if item.name not in self.foreign)

    @property
    def adopted(self) -> frozenset[str]:
        """Namespaces that were there before us, in which somebody else runs a component: not ours to seal."""
        theirs = {item.namespace for item in self.components if item.name in self.foreign}
        return frozenset(name for name in theirs if self.namespaces.get(name) is False)

    def list_crds(self) -> tuple[str, ...]:
        """CRDs that are there and that we applied, or a component of ours brought."""
        named = dict.fromkeys(crd for item in self.ours for crd in (*item.crds, *item.owns))
        return tuple(name for name in named if self.crds.get(name))

    def runs(self, crd: str) -> bool:
        """Whether the controller of these custom resources is ours."""
        return any(crd in item.owns for item in self.ours)

    def may_remove(self, item: KubernetesObject) -> bool:
        """Whether a claim or a Service is ours: it lies in a namespace of ours, or a component of ours made it."""
        namespace = item["metadata"]["namespace"]
        if self.namespaces.get(namespace, True):
            return True
        labels = item["metadata"].get("labels") or {}
        if labels.get(_PART_OF[0]) == _PART_OF[1]:
            return True
        here = [component for component in self.ours if component.namespace == namespace]
        return any(_is_made_by(component, item, labels) for component in here)


def _is_made_by(component: Component, item: KubernetesObject, labels: Mapping[str, str]) -> bool:
    """By what Helm or its chart wrote, or by the name that a StatefulSet gives to its claims."""
    sets = (name.partition("/")[2] for name in component.health if name.startswith("statefulset/"))
    name = str(item["metadata"]["name"]).rpartition("-")[0]
    return (
        release_of(item) == (component.namespace, component.release)
        or labels.get(_INSTANCE) in (component.name, component.release)
        or any(name.endswith(f"-{each}") for each in sets)
    )


def read_ownership(kubernetes: Kubernetes, components: Iterable[Component], forced: Collection[str] = ()) -> Ownership:
    """Look at the cluster: three lists, two of them without content.

    `forced` are components that count as ours whoever brought what is there.
    """
    secrets = kubernetes.list_metadata(SECRET, labels=_BY_HELM)
    releases = {(item["metadata"]["namespace"], item["metadata"]["labels"]["name"]) for item in secrets}
    crds = kubernetes.list_metadata(CUSTOM_RESOURCE_DEFINITION)
    return tell_ownership(components, releases, list(kubernetes.list(NAMESPACE)), crds, forced)


def tell_ownership(
    components: Iterable[Component],
    releases: Collection[Key],
    namespaces: Sequence[KubernetesObject],
    crds: Iterable[KubernetesObject],
    forced: Collection[str] = (),
) -> Ownership:
    """Hold the releases, namespaces and CRDs that are there against the components."""
    components = tuple(components)
    definitions = {item["metadata"]["name"]: item for item in crds}
    spaces = {item["metadata"]["name"]: item for item in namespaces}
    strangers = {
        item.name
        for item in components
        if _key(item) in releases and item.name not in forced and not _is_release_ours(item, spaces, definitions)
    }
    keys = {_key(item) for item in components if item.name not in strangers}
    marks = {name: read_crd_mark(item, keys) for name, item in definitions.items()}
    foreign = {
        item.name: why for item in components if (why := _tell_foreign(item, strangers, releases, marks, forced))
    }
    return Ownership(
        components=components,
        namespaces={name: is_ours(item) for name, item in spaces.items()},
        crds=marks,
        foreign=foreign,
    )


def _is_release_ours(
    component: Component, spaces: Mapping[str, KubernetesObject], crds: Mapping[str, KubernetesObject]
) -> bool:
    """Whether we installed a release that has a component's name.

    An mlops before this one claimed nothing: then a namespace that we made tells it, or one that we remember together
    with a CRD that we applied. What is for our own clusters alone can be nobody else's.
    """
    space = spaces.get(component.namespace, {"metadata": {}})
    is_applied = any(read_mark(crds[name]) for name in component.crds if name in crds)
    return (
        is_claimed(space, component.release)
        or is_ours(space)
        or (is_known(space) and is_applied)
        or "existing" not in component.clouds
    )


def _tell_foreign(
    component: Component,
    strangers: Collection[str],
    releases: Collection[Key],
    crds: Mapping[str, str],
    forced: Collection[str],
) -> str:
    """How we know that somebody else runs a component; empty when nobody does."""
    if component.name in forced:
        return ""
    if component.name in strangers:
        return f"release {component.namespace}/{component.release} is there and not ours"
    theirs = [crd for crd in (*component.crds, *component.owns) if crds.get(crd) == ""]
    return f"{theirs[0]} is there and not ours" if theirs and _key(component) not in releases else ""


def _key(component: Component) -> Key:
    return component.namespace, component.release
