"""What a cluster serves: its version, and every kind that is not Kubernetes' own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_cli.tools.kubernetes_kind import Kind
from platform_cli.tools.kubernetes_transport import Request

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

_AT_ONCE = 8
# Groups below Kubernetes' own domain that are CRDs nevertheless.
_CUSTOM = ("gateway.networking.k8s.io", "x-k8s.io", "snapshot.storage.k8s.io")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What charts may ask about a cluster. `kinds` are custom resources, by the name of their CRD."""

    version: str
    kinds: dict[str, Kind]

    @property
    def api_versions(self) -> tuple[str, ...]:
        """As charts ask for them: `group/version` and `group/version/Kind`."""
        versions = {kind.api_version for kind in self.kinds.values()}
        return (*sorted(versions), *sorted(f"{kind.api_version}/{kind.kind}" for kind in self.kinds.values()))


def discover(kubernetes: Kubernetes) -> Capabilities:
    """Ask the cluster; one request for each group of custom resources, a few at once."""
    versions = list(_list_versions(kubernetes))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(kubernetes.list_kinds, versions))
    kinds = {kind.resource: kind for served in found for kind in served.values()}
    return Capabilities(kubernetes.version(), kinds)


def _list_versions(kubernetes: Kubernetes) -> Iterator[str]:
    from platform_cli.tools.kubernetes import decode

    request = Request(method="GET", path="/apis", verb="get", what="the API's groups")
    for group in decode(kubernetes.transport.send(request).data)["groups"]:
        if _is_custom(group["name"]):
            yield group["preferredVersion"]["groupVersion"]


def _is_custom(group: str) -> bool:
    return group.endswith(_CUSTOM) or ("." in group and not group.endswith(".k8s.io"))
