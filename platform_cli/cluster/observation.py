"""What is on a cluster now, seen without changing anything, with a bounded number of requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from platform_cli.cluster.application import NOTHING, Delegation, read_root
from platform_cli.cluster.difference import find_varying, index
from platform_cli.cluster.discovery import Capabilities, discover
from platform_cli.cluster.mark import BY_HELM, is_known
from platform_cli.cluster.package import Package, list_workloads
from platform_cli.cluster.work import ClusterFacts, Healthy, KubernetesObject, Ref, ReleaseFact, Rendered
from platform_cli.cluster.workload import KINDS, parse_workload, tell_unready
from platform_cli.tools.kubernetes_kind import (
    CUSTOM_RESOURCE_DEFINITION,
    NAMESPACE,
    SECRET,
    Kind,
)

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.ownership import Ownership
    from platform_cli.tools.helm import Helm, Release
    from platform_cli.tools.kubernetes import Kubernetes

T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 8
# Functions that give something else at each rendering.
_RANDOM = (
    "genCA",
    "genSelfSignedCert",
    "genSignedCert",
    "genPrivateKey",
    "rand",
    "uuidv4",
    "now",
    "htpasswd",
    "bcrypt",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one looks with: `helm` asks the cluster, `renderer` renders without."""

    kubernetes: Kubernetes
    helm: Helm
    renderer: Helm


def observe_deploy(
    sight: Sight,
    packages: Sequence[Package],
    ownership: Ownership,
    delegation: Delegation = NOTHING,
) -> ClusterFacts:
    """What a deploy is planned from: releases, objects, CRDs, namespaces, secrets, and how the workloads are."""
    kubernetes, components = sight.kubernetes, [package.component for package in packages]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        served = pool.submit(discover, kubernetes)
        listed = pool.submit(sight.helm.list)
        namespaces = pool.submit(_list_namespaces, kubernetes)
        secrets = pool.submit(_list_secrets, kubernetes, [*components, *delegation.components])
        root = pool.submit(read_root, kubernetes, delegation)
        unready = pool.submit(find_unready, kubernetes, Healthy(list_workloads(packages)).workloads)
        rendered = _render_all(sight, packages, served.result())
        return ClusterFacts(
            namespaces=ownership.namespaces,
            unmarked=frozenset(item["metadata"]["name"] for item in namespaces.result() if not is_known(item)),
            crds=ownership.crds,
            secrets=secrets.result(),
            releases=read_releases(sight, ownership.ours, listed.result()),
            rendered=rendered,
            foreign=ownership.foreign,
            unready=unready.result(),
            gitops_root=root.result(),
        )


def _list_namespaces(kubernetes: Kubernetes) -> list[dict[str, Any]]:
    return list(kubernetes.list(NAMESPACE))


def read_releases(sight: Sight, components: Sequence[Component], listed: Iterable[Release]) -> dict[str, ReleaseFact]:
    """The components' releases as they are, with what their current revision applied and what of it is gone."""
    wanted = {(component.namespace, component.release) for component in components}
    found = [release for release in listed if (release.namespace, release.name) in wanted]
    manifests = in_parallel(lambda release: sight.helm.manifest(release.name, release.namespace), found)
    indexes = [index(objects, release.namespace) for release, objects in zip(found, manifests, strict=True)]
    present = _find_present(sight.kubernetes, {ref: obj for refs in indexes for ref, obj in refs.items()})
    return {
        f"{release.namespace}/{release.name}": ReleaseFact(
            revision=release.revision,
            status=release.status,
            version=release.version,
            running=objects,
            absent=frozenset(ref for ref in refs if not _is_present(ref, present)),
        )
        for release, objects, refs in zip(found, manifests, indexes, strict=True)
    }


def _find_present(kubernetes: Kubernetes, wanted: Mapping[Ref, KubernetesObject]) -> frozenset[Ref]:
    """Which objects that Helm made are there: one list for each kind."""
    versions = sorted({(str(obj["apiVersion"]), str(obj["kind"])) for obj in wanted.values()})

    def look(version: tuple[str, str]) -> list[Ref]:
        kind = kubernetes.find_kind(*version)
        if kind is None:
            return []
        items = kubernetes.list(kind, labels="" if kind == CUSTOM_RESOURCE_DEFINITION else BY_HELM)
        return [_ref(kind, item) for item in items]

    return frozenset(ref for refs in in_parallel(look, versions) for ref in refs)


def _ref(kind: Kind, item: KubernetesObject) -> Ref:
    metadata = item["metadata"]
    return Ref(kind.group, kind.kind, metadata.get("namespace", ""), metadata["name"])


def _is_present(ref: Ref, present: frozenset[Ref]) -> bool:
    """A manifest does not tell whether its kind has a namespace, so that both places count."""
    return ref in present or ref._replace(namespace="") in present


def _render_all(sight: Sight, packages: Sequence[Package], served: Capabilities) -> dict[str, Rendered]:
    packages = [package for package in packages if package.component.is_release]
    rendered = in_parallel(partial(render, sight.renderer, served), packages)
    return {package.component.name: made for package, made in zip(packages, rendered, strict=True)}


def render(renderer: Helm, served: Capabilities, package: Package) -> Rendered:
    """What a chart makes on this cluster; a chart that makes up keys is rendered twice, to know them by it."""
    component = package.component

    def once() -> tuple[dict[str, Any], ...]:
        return renderer.render(
            package.chart,
            name=component.release,
            namespace=component.namespace,
            values=package.values or {},
            kube_version=served.version,
            api_versions=served.api_versions,
        )

    objects = once()
    if not _is_random(package):
        return Rendered(objects=objects)
    return Rendered(objects=objects, varying=find_varying(objects, once(), component.namespace))


def _is_random(package: Package) -> bool:
    """Whether the chart may make something else each time; of an archive we do not know."""
    if package.chart.is_file():
        return True
    texts = (path.read_text("utf-8", "replace") for path in package.chart.rglob("templates/**/*") if path.is_file())
    return any(word in text for text in texts for word in _RANDOM)


def find_unready(kubernetes: Kubernetes, names: Sequence[str]) -> dict[str, str]:
    """The workloads (`namespace/kind/name`) that are not ready, and why: one list for each kind and namespace."""
    workloads = [parse_workload(name) for name in names]
    places = sorted({(workload.namespace, workload.kind) for workload in workloads})
    lists = in_parallel(lambda place: list(kubernetes.list(KINDS[place[1]], place[0])), places)
    found = {
        (*place, item["metadata"]["name"]): item for place, items in zip(places, lists, strict=True) for item in items
    }
    reasons = {str(workload): tell_unready(workload.kind, found.get(workload)) for workload in workloads}
    return {name: reason for name, reason in reasons.items() if reason}


def _list_secrets(kubernetes: Kubernetes, components: Sequence[Component]) -> frozenset[str]:
    """Which of the Secrets that we would make up are there; their content is not looked at."""
    from platform_cli.cluster.secret import list_secrets

    wanted = list_secrets(components)
    found = in_parallel(lambda key: kubernetes.get(SECRET, key.partition("/")[2], key.partition("/")[0]), wanted)
    return frozenset(key for key, item in zip(wanted, found, strict=True) if item is not None)


def in_parallel(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """The results in the order of the items; a few requests at once."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(function, items))
