"""What somebody else runs on the cluster and we use as it is, as far as our own values heed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_cli.cluster.mark import release_of
from platform_cli.tools.kubernetes_kind import CONFIG_MAP, SERVICE_ACCOUNT
from platform_cli.workflow.argo_api import RUNNER

if TYPE_CHECKING:
    from platform_cli.cluster.ownership import Key, Ownership
    from platform_cli.cluster.work import KubernetesObject
    from platform_cli.tools.kubernetes import Kubernetes

_ARGO, _CATALOG = "argo-workflows", "platform-catalog"
_REPOSITORIES = "artifact-repositories"
_CONTROLLER_SETTINGS = "workflow-controller-configmap"
_NO_STORE = frozenset({"archiveLogs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What is others'.

    Attributes:
        namespaces: those that were there before us and hold a component of theirs; nothing of ours closes them.
        needs_runner: their Argo has no service account for our runs, unless we brought it.
        needs_repository: their Argo has no place for artifacts, unless we named it.
    """

    namespaces: frozenset[str] = frozenset()
    needs_runner: bool = False
    needs_repository: bool = False


NOTHING_ADOPTED = Adopted()


def read_adopted(kubernetes: Kubernetes, ownership: Ownership) -> Adopted:
    """Look at what others' Argo has for runs; where Argo is ours nothing is asked."""
    components = {component.name: component for component in ownership.components}
    if _ARGO not in ownership.foreign or _CATALOG not in components:
        return Adopted(namespaces=ownership.adopted)
    catalog, space = components[_CATALOG], components[_ARGO].namespace
    ours = (catalog.namespace, catalog.release)
    return Adopted(
        namespaces=ownership.adopted,
        needs_runner=_is_free(kubernetes.get(SERVICE_ACCOUNT, RUNNER, space), ours),
        needs_repository=not _knows_repository(kubernetes, space, ours),
    )


def _is_free(item: KubernetesObject | None, ours: Key) -> bool:
    """Whether nobody made it, or a release of ours did."""
    return item is None or release_of(item) == ours


def _knows_repository(kubernetes: Kubernetes, space: str, ours: Key) -> bool:
    """Whether others say where artifacts of runs in a namespace go: there, beside their controller, or in its settings.

    ConfigMaps may be large and many: only those with the right name are read.
    """
    items = kubernetes.list_metadata(CONFIG_MAP)
    settings = [item["metadata"] for item in items if item["metadata"]["name"].endswith(_CONTROLLER_SETTINGS)]
    spaces = {space, *(place["namespace"] for place in settings)}
    named = (item for item in items if item["metadata"]["name"] == _REPOSITORIES)
    if any(item["metadata"]["namespace"] in spaces and not _is_free(item, ours) for item in named):
        return True
    found = (kubernetes.get(CONFIG_MAP, place["name"], place["namespace"]) for place in settings)
    return any(item is not None and _names_store(item) for item in found)


def _names_store(settings: KubernetesObject) -> bool:
    """Whether a controller's settings, each a key or all of them under `config`, name a store."""
    from platform_cli.tools.helm_manifest import load_yaml

    data = settings.get("data") or {}
    repository = load_yaml(data.get("artifactRepository") or "") or {}
    older = (load_yaml(data.get("config") or "") or {}).get("artifactRepository") or {}
    return bool({*repository, *older} - _NO_STORE)
