"""What a release would do to each object: what a chart makes now, held against what its last revision applied. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from platform_cli.cluster.work import KubernetesObject, Ref, ReleaseFact, Rendered
from platform_cli.resource import Action, ResourceChange

# What the API lets change in an object whose other fields are fixed once it exists.
_CHANGEABLE: Mapping[str, tuple[str, ...]] = {
    "StatefulSet": (
        "spec.replicas",
        "spec.ordinals",
        "spec.template",
        "spec.updateStrategy",
        "spec.revisionHistoryLimit",
        "spec.persistentVolumeClaimRetentionPolicy",
        "spec.minReadySeconds",
    ),
    "PersistentVolumeClaim": ("spec.resources", "spec.volumeAttributesClassName"),
    "StorageClass": ("allowVolumeExpansion", "metadata"),
}
# What the API does not let change in an object whose other fields may.
_FIXED: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "Job": ("spec.selector", "spec.template", "spec.completions", "spec.completionMode"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "Service": ("spec.clusterIP",),
    "Secret": ("type",),
    "PriorityClass": ("value", "preemptionPolicy"),
}
_HOLDS_DATA = frozenset(
    {"StatefulSet", "PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition", "Namespace"}
)
_HOOK, _POLICY = "helm.sh/hook", "helm.sh/resource-policy"
_SHOWN_PATHS = 8


def compare(rendered: Rendered, release: ReleaseFact | None, namespace: str) -> tuple[ResourceChange, ...]:
    """Every object that is created, changed, replaced or deleted, in the chart's order; deletions last.

    Args:
        rendered: what the chart makes.
        release: the release as it is; None when there is none.
        namespace: the release's, where objects go that name none.
    """
    wanted = index(rendered.objects, namespace)
    running = index(release.running, namespace) if release else {}
    absent = release.absent if release else frozenset()
    changes = [
        change
        for ref, obj in wanted.items()
        if (change := _change(ref, obj, None if ref in absent else running.get(ref), rendered.varying))
    ]
    gone = [_removal(ref, obj) for ref, obj in running.items() if ref not in wanted and ref not in absent]
    return (*changes, *gone)


def index(objects: Iterable[KubernetesObject], namespace: str) -> dict[Ref, KubernetesObject]:
    """The objects by what they are; Helm's hooks are left out, since no revision holds them."""
    return {ref_of(obj, namespace): obj for obj in objects if _HOOK not in _annotations(obj)}


def ref_of(obj: KubernetesObject, namespace: str) -> Ref:
    """Which object it is; without a namespace of its own it counts to the release's."""
    group = obj["apiVersion"].rpartition("/")[0]
    metadata = obj["metadata"]
    return Ref(group, obj["kind"], metadata.get("namespace") or namespace, metadata["name"])


def find_varying(
    first: Iterable[KubernetesObject], second: Iterable[KubernetesObject], namespace: str
) -> frozenset[tuple[Ref, str]]:
    """What differs between two renderings of the same: keys and passwords that the chart makes up each time."""
    other = index(second, namespace)
    return frozenset(
        (ref, path)
        for ref, obj in index(first, namespace).items()
        if ref in other
        for path in differing_paths(obj, other[ref])
    )


def differing_paths(before: Any, after: Any, prefix: str = "") -> Iterator[str]:
    """Paths such as `spec.replicas` at which two values differ, the deepest ones; a list counts as one value."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}, key=str):
            yield from differing_paths(before.get(key), after.get(key), f"{prefix}.{key}" if prefix else str(key))
    elif not _same(before, after):
        yield prefix


def _same(before: Any, after: Any) -> bool:
    """Helm leaves out what is empty when it stores a manifest, so absent and empty are alike."""
    return before == after or (before in (None, {}, [], "") and after in (None, {}, [], ""))


def _change(
    ref: Ref, wanted: KubernetesObject, running: KubernetesObject | None, varying: Collection[tuple[Ref, str]]
) -> ResourceChange | None:
    if running is None:
        return ResourceChange(address=str(ref), type=ref.kind, action=Action.CREATE)
    paths = [path for path in differing_paths(running, wanted) if (ref, path) not in varying]
    if not paths:
        return None
    fixed = tuple(path for path in paths if _is_fixed(ref.kind, path))
    return ResourceChange(
        address=str(ref),
        type=ref.kind,
        action=Action.REPLACE if fixed else Action.UPDATE,
        holds_data=ref.kind in _HOLDS_DATA,
        because=fixed,
        changed=() if fixed else tuple(paths[:_SHOWN_PATHS]),
    )


def _is_fixed(kind: str, path: str) -> bool:
    if kind in _CHANGEABLE:
        return not _is_below(path, ("metadata", "apiVersion", *_CHANGEABLE[kind]))
    return _is_below(path, _FIXED.get(kind, ()))


def _is_below(path: str, roots: Collection[str]) -> bool:
    return any(path == root or path.startswith(f"{root}.") for root in roots)


def _removal(ref: Ref, obj: KubernetesObject) -> ResourceChange:
    kept = _annotations(obj).get(_POLICY) == "keep"
    action = Action.FORGET if kept else Action.DESTROY
    return ResourceChange(address=str(ref), type=ref.kind, action=action, holds_data=ref.kind in _HOLDS_DATA)


def _annotations(obj: KubernetesObject) -> Mapping[str, Any]:
    return obj["metadata"].get("annotations") or {}
