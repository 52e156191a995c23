"""How each part of the platform is on its cluster, asked of the API with a number of requests that does not grow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from platform_cli.cluster.application import inspect_applications, read_applications
from platform_cli.cluster.observation import find_unready
from platform_cli.cluster.ownership import read_ownership
from platform_cli.errors import MlopsError
from platform_cli.render.line import count_of
from platform_cli.serving.kserve_inspection import group_pods, is_served, is_stopped, place_of, tell_unready
from platform_cli.serving.kserve_manifest import INFERENCE_SERVICE, SERVICE_LABEL
from platform_cli.status import Health, Layer
from platform_cli.tools.kubernetes_kind import POD, Kind

if TYPE_CHECKING:
    from platform_cli.cluster.application import Delegation
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.observation import Sight
    from platform_cli.tools.helm import Release
    from platform_cli.tools.kubernetes import Kubernetes

WORKFLOW = Kind("argoproj.io/v1alpha1", "Workflow", "workflows", namespaced=True)
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
        looked = pool.submit(read_ownership, kubernetes, components)
        unready = pool.submit(find_unready, kubernetes, workloads)
        counts = pool.submit(_count_workflows, kubernetes), pool.submit(inspect_models, kubernetes)
        others = pool.submit(_inspect_delegated, kubernetes, delegation)
        releases = {(item.namespace, item.name): item for item in listed.result()}
        ownership = looked.result()
        if not any((item.namespace, item.release) in releases for item in ownership.ours):
            return ()
        return (
            Layer("cluster", Health.OK, f"Kubernetes {version.result()}"),
            *(
                _inspect_component(item, releases, ownership.foreign, unready.result())
                if item.is_release or item.name in ownership.foreign
                else _inspect_definitions(item, ownership.crds)
                for item in components
            ),
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


def _inspect_definitions(item: Component, crds: Collection[str]) -> Layer:
    missing = [name for name in item.crds if name not in crds]
    if missing:
        return Layer(item.name, Health.DOWN, f"not installed: {_some(missing)}; mlops deploy goes on")
    there = f"{count_of(len(item.crds), 'definition')} there" if item.crds else "its definitions are not looked at"
    return Layer(item.name, Health.OK, there)


def _is_down(reason: str) -> bool:
    return reason == "absent" or reason.startswith("0 of ")


def _some(broken: Sequence[str]) -> str:
    more = len(broken) - _SHOWN
    return "; ".join(broken[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def inspect_models(kubernetes: Kubernetes, namespace: str | None = None) -> tuple[Layer, ...]:
    """How the models are, in all namespaces or in one; no layer where KServe is not served.

    One list in pages, and a second one, of their pods, when there is something to explain. Models that somebody stopped
    are as they should be.
    """
    if kubernetes.find_kind(INFERENCE_SERVICE.api_version, INFERENCE_SERVICE.kind) is None:
        return ()
    try:
        return (_judge_models(kubernetes, namespace),)
    except MlopsError as error:
        return (Layer("models", Health.UNKNOWN, error.message),)


def _judge_models(kubernetes: Kubernetes, namespace: str | None) -> Layer:
    services = list(kubernetes.list(INFERENCE_SERVICE, namespace))
    wanted = [service for service in services if not is_stopped(service)]
    broken = [service for service in wanted if not is_served(service)]
    if broken:
        pods = group_pods(kubernetes.list(POD, namespace, labels=SERVICE_LABEL))
        reasons = sorted(f"{'/'.join(place_of(item))}: {tell_unready(item, pods[place_of(item)])}" for item in broken)
        health = Health.DOWN if len(broken) == len(wanted) else Health.DEGRADED
        return Layer("models", health, f"{len(broken)} of {len(wanted)} not ready: {_some(reasons)}")
    stopped = len(services) - len(wanted)
    return Layer("models", Health.OK, count_of(len(services), "model") + (f", {stopped} stopped" if stopped else ""))


def _count_workflows(kubernetes: Kubernetes) -> tuple[Layer, ...]:
    """How many there are, from one object and what the API says remains; none where the kind is not served."""
    if kubernetes.find_kind(WORKFLOW.api_version, WORKFLOW.kind) is None:
        return ()
    try:
        page = kubernetes.list_page(WORKFLOW, None, {"limit": 1})
        total = len(page.get("items") or ()) + int(page["metadata"].get("remainingItemCount") or 0)
        live = sum(1 for _ in kubernetes.list(WORKFLOW, labels=_RUNNING)) if total else 0
    except MlopsError as error:
        return (Layer("pipelines", Health.UNKNOWN, error.message),)
    return (Layer("pipelines", Health.OK, f"{count_of(total, 'workflow')}, {live} running"),)
