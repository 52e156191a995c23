"""How each part of the platform is on its cluster, asked of the API with a number of requests that does not grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from platform_cli.cluster.application import inspect_applications, read_applications
from platform_cli.cluster.observation import find_foreign, find_unready, read_crds
from platform_cli.errors import MlopsError
from platform_cli.render.line import count_of
from platform_cli.status import Health, Layer
from platform_cli.tools.kubernetes_kind import Kind

if TYPE_CHECKING:
    from platform_cli.cluster.application import Delegation
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.observation import Sight
    from platform_cli.tools.helm import Release
    from platform_cli.tools.kubernetes import Kubernetes

WORKFLOW = Kind("argoproj.io/v1alpha1", "Workflow", "workflows", namespaced=True)
INFERENCE_SERVICE = Kind("serving.kserve.io/v1beta1", "InferenceService", "inferenceservices", namespaced=True)
_RUNNING = "workflows.argoproj.io/phase=Running"
_SHOWN = 3


def inspect(sight: Sight, components: Sequence[Component], delegation: Delegation) -> tuple[Layer, ...]:
    """The cluster, each component, pipelines and models; empty when none of the components is installed.

    Of components that are left to Argo CD it tells what their Applications say.
    """
    kubernetes = sight.kubernetes
    components = [item for item in components if item not in delegation.components]
    workloads = [f"{item.namespace}/{workload}" for item in components for workload in item.health]
    with ThreadPoolExecutor() as pool:
        version = pool.submit(kubernetes.version)
        listed = pool.submit(sight.helm.list)
        crds = pool.submit(read_crds, kubernetes, components)
        unready = pool.submit(find_unready, kubernetes, workloads)
        counts = pool.submit(_count_workflows, kubernetes), pool.submit(_count_models, kubernetes)
        others = pool.submit(_inspect_delegated, kubernetes, delegation)
        releases = {(item.namespace, item.name): item for item in listed.result()}
        foreign = find_foreign(components, listed.result(), crds.result())
        if not any((item.namespace, item.release) in releases for item in components):
            return ()
        return (
            Layer("cluster", Health.OK, f"Kubernetes {version.result()}"),
            *(_inspect_component(item, releases, foreign, unready.result()) for item in components),
            *others.result(),
            *(layer for count in counts for layer in count.result()),
        )


def _inspect_delegated(kubernetes: Kubernetes, delegation: Delegation) -> tuple[Layer, ...]:
    if not delegation.components:
        return ()
    return inspect_applications(delegation, read_applications(kubernetes, delegation.namespace))


def unreachable(error: MlopsError) -> tuple[Layer, ...]:
    """The one layer of a cluster that cannot be asked."""
    return (Layer("cluster", Health.DOWN, f"{error.message}; {error.hint}"),)


def _inspect_component(
    item: Component,
    releases: Mapping[tuple[str, str], Release],
    foreign: Mapping[str, str],
    unready: Mapping[str, str],
) -> Layer:
    if item.name in foreign:
        return Layer(item.name, Health.OK, f"somebody else's: {foreign[item.name]}; it is not looked after")
    release = releases.get((item.namespace, item.release))
    if release is None:
        return Layer(item.name, Health.DOWN, "not installed; mlops deploy goes on")
    workloads = [f"{item.namespace}/{workload}" for workload in item.health]
    broken = [f"{name}: {unready[name]}" for name in workloads if name in unready]
    if broken:
        down = all(_is_down(unready.get(name, "")) for name in workloads)
        return Layer(item.name, Health.DOWN if down else Health.DEGRADED, _some(broken))
    if release.status != "deployed":
        return Layer(item.name, Health.DEGRADED, f"the release is {release.status}; mlops deploy mends it")
    ready = f", {count_of(len(workloads), 'workload')} ready" if workloads else ""
    return Layer(item.name, Health.OK, f"{release.version}{ready}")


def _is_down(reason: str) -> bool:
    return reason == "absent" or reason.startswith("0 of ")


def _some(broken: Sequence[str]) -> str:
    more = len(broken) - _SHOWN
    return "; ".join(broken[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _count_workflows(kubernetes: Kubernetes) -> tuple[Layer, ...]:
    return _count(kubernetes, WORKFLOW, "pipelines", "workflow", _RUNNING)


def _count_models(kubernetes: Kubernetes) -> tuple[Layer, ...]:
    return _count(kubernetes, INFERENCE_SERVICE, "models", "model", "")


def _count(kubernetes: Kubernetes, kind: Kind, name: str, noun: str, running: str) -> tuple[Layer, ...]:
    """How many there are, from one object and what the API says remains; none where the kind is not served."""
    if kubernetes.find_kind(kind.api_version, kind.kind) is None:
        return ()
    try:
        page = kubernetes.list_page(kind, None, {"limit": 1})
        total = len(page.get("items") or ()) + int(page["metadata"].get("remainingItemCount") or 0)
        live = sum(1 for _ in kubernetes.list(kind, labels=running)) if running and total else 0
    except MlopsError as error:
        return (Layer(name, Health.UNKNOWN, error.message),)
    return (Layer(name, Health.OK, f"{count_of(total, noun)}" + (f", {live} running" if running else "")),)
