"""What Argo CD says of the components that it installs: one Application for each, and the one that holds them all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.mark import read_mark
from platform_cli.stage import digest_of
from platform_cli.status import Health, Layer
from platform_cli.tools.kubernetes_kind import Kind

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.tools.kubernetes import Kubernetes

APPLICATION = Kind("argoproj.io/v1alpha1", "Application", "applications", namespaced=True)
APPLICATIONS = "applications.argoproj.io"
PART_OF = {"app.kubernetes.io/part-of": "mlops"}
_HEALTH = {
    "Healthy": Health.OK,
    "Progressing": Health.DEGRADED,
    "Suspended": Health.DEGRADED,
    "Degraded": Health.DEGRADED,
    "Missing": Health.DOWN,
}
_SHORT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """What is left to Argo CD.

    Attributes:
        root: the Application that holds those of the components, in `namespace`.
        objects: that Application, and the project of all of them; what begins it all.
    """

    root: str = ""
    namespace: str = ""
    components: Sequence[Component] = ()
    objects: Sequence[Mapping[str, Any]] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the objects."""
        return digest_of(list(self.objects))


NOTHING = Delegation()


def read_applications(kubernetes: Kubernetes, namespace: str) -> dict[str, Mapping[str, Any]]:
    """Our Applications by name: one list; none where the kind is not served."""
    if kubernetes.find_kind(APPLICATION.api_version, APPLICATION.kind) is None:
        return {}
    labels = ",".join(f"{key}={value}" for key, value in PART_OF.items())
    return {item["metadata"]["name"]: item for item in kubernetes.list(APPLICATION, namespace, labels=labels)}


def read_root(kubernetes: Kubernetes, delegation: Delegation) -> str | None:
    """What we applied as the root, by its mark: see `ClusterFacts.gitops_root`."""
    root = read_applications(kubernetes, delegation.namespace).get(delegation.root) if delegation.objects else None
    return None if root is None else read_mark(root)


def find_delegated(components: Iterable[Component], applications: Collection[str]) -> tuple[str, ...]:
    """The components that an Application of ours installs."""
    return tuple(item.name for item in components if item.name in applications)


def inspect_applications(delegation: Delegation, found: Mapping[str, Mapping[str, Any]]) -> tuple[Layer, ...]:
    """How Argo CD sees the root and each component."""
    root = found.get(delegation.root)
    if root is None:
        text = "there is no root application; mlops deploy makes it"
        return (Layer("gitops", Health.DOWN, text), *(_wait(item) for item in delegation.components))
    return (
        inspect_application("gitops", root),
        *(
            inspect_application(item.name, found[item.name], item.version) if item.name in found else _wait(item)
            for item in delegation.components
        ),
    )


def inspect_application(name: str, application: Mapping[str, Any], version: str = "") -> Layer:
    """One Application as a layer: what Argo CD says is wrong comes first."""
    status = application.get("status") or {}
    health, sync = status.get("health") or {}, status.get("sync") or {}
    state = _HEALTH.get(health.get("status", ""), Health.UNKNOWN)
    words = f"{health.get('status') or 'not looked at yet'}, {sync.get('status') or 'Unknown'}"
    trouble = _find_trouble(application)
    if trouble:
        return Layer(name, _worse(state, Health.DEGRADED), f"{trouble} ({words})")
    if state is Health.OK and sync.get("status") != "Synced":
        return Layer(name, Health.DEGRADED, words)
    running = _tell_version(application, sync) or version
    return Layer(name, state, f"{running}, {words}" if running else words)


def _wait(item: Component) -> Layer:
    return Layer(item.name, Health.DOWN, "Argo CD has no application for it yet")


def _worse(one: Health, other: Health) -> Health:
    order = list(Health)
    return max(one, other, key=order.index)


def _find_trouble(application: Mapping[str, Any]) -> str:
    """The first line of why it cannot be compared or synced, or of why it is not healthy; empty when nothing is."""
    status = application.get("status") or {}
    errors = [item for item in status.get("conditions") or () if str(item.get("type", "")).endswith("Error")]
    operation, health = status.get("operationState") or {}, status.get("health") or {}
    texts = [
        *(f"{item['type']}: {item.get('message', '')}" for item in errors),
        *([str(operation.get("message", ""))] if operation.get("phase") in ("Failed", "Error") else ()),
        *([str(health.get("message", ""))] if health.get("status") != "Healthy" else ()),
    ]
    return next((text.strip().splitlines()[0] for text in texts if text.strip()), "")


def _tell_version(application: Mapping[str, Any], sync: Mapping[str, Any]) -> str:
    """The chart's version that is synced, or the commit of what comes from Git alone."""
    revisions = sync.get("revisions") or ([sync["revision"]] if sync.get("revision") else [])
    if not revisions:
        return ""
    sources = application["spec"].get("sources") or [application["spec"].get("source") or {}]
    first = str(revisions[0])
    return first if sources[0].get("chart") else first[:_SHORT]
