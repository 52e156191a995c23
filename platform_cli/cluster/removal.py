"""Does the stages that take something off a cluster; each is safe to repeat, and works on half an installation."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.adoption import forget_release
from platform_cli.cluster.discovery import discover
from platform_cli.cluster.mark import is_ours, restore
from platform_cli.cluster.observation import Sight, find_foreign, find_unready, read_crds
from platform_cli.cluster.remains import (
    describe,
    list_claims,
    list_resources,
    list_webhooks,
    list_workflows,
    select,
)
from platform_cli.cluster.stages import list_namespaces
from platform_cli.cluster.work import (
    DrainResources,
    RemoveClaims,
    RemoveCrds,
    RemoveNamespaces,
    RemoveRelease,
    StopWorkflows,
)
from platform_cli.errors import DeadlineError, NotFoundError
from platform_cli.events import Emit, Notice
from platform_cli.tools.kubernetes_kind import CUSTOM_RESOURCE_DEFINITION, NAMESPACE, PERSISTENT_VOLUME_CLAIM

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.tools.kubernetes import Kubernetes

_PAUSE_S = 0.5
_SPACES_OWN = ("NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remover:
    """Takes components off a cluster. `deadline_s` is how long something that is being deleted may take."""

    sight: Sight
    components: Sequence[Component]
    deadline_s: float

    def suspend_gitops(self) -> str:
        """Keep Argo CD's Applications in our namespaces from syncing, those that generate them first."""
        kubernetes, served, spaces = self.sight.kubernetes, discover(self.sight.kubernetes), self._spaces
        generators = select(kubernetes, served, "applicationsets.argoproj.io", spaces)
        applications = select(kubernetes, served, "applications.argoproj.io", spaces)
        for item in generators:
            patch = {"spec": {"syncPolicy": {"applicationsSync": "create-only"}}}
            patch_item(kubernetes, item, patch)
        for item in applications:
            patch_item(kubernetes, item, {"spec": {"syncPolicy": {"automated": None}}})
        return f"{len(generators) + len(applications)} suspended"

    def stop_workflows(self, work: StopWorkflows, emit: Emit) -> str:
        """End running workflows and wait until they have; without a controller they only get the word."""
        kubernetes, served = self.sight.kubernetes, discover(self.sight.kubernetes)
        for item in select(kubernetes, served, "cronworkflows.argoproj.io", work.namespaces):
            patch_item(kubernetes, item, {"spec": {"suspend": True}})
        running = list_workflows(kubernetes, served, work.namespaces)
        for key in running:
            namespace, _, name = key.partition("/")
            kind = served.kinds["workflows.argoproj.io"]
            kubernetes.patch(kind, name, namespace, {"spec": {"shutdown": "Terminate"}})
        if not self._is_alive("argo-workflows"):
            return f"{len(running)} told to stop; no controller lives that could end them"
        left = self._wait_gone(lambda: list_workflows(kubernetes, served, work.namespaces), "workflows end", emit)
        return f"{len(running) - len(left)} stopped" + (f"; still running: {', '.join(left)}" if left else "")

    def drain(self, work: DrainResources, emit: Emit) -> str:
        """Delete custom resources while their controller lives; without one, clear what holds them.

        Raises:
            DeadlineError: the controller lives and does not let them go.
        """
        kubernetes, served = self.sight.kubernetes, discover(self.sight.kubernetes)
        kinds = [served.kinds[crd] for crd in work.crds if crd in served.kinds]

        def look() -> list[dict[str, Any]]:
            return [item for kind in kinds for item in list_resources(kubernetes, kind, self._spaces)]

        lives = self._is_alive(work.component)
        if not lives:
            # Nobody answers its webhooks any more, and each would refuse the changes below.
            self.remove_webhooks([item for item in self.components if item.name == work.component])
        found = look()
        for item in found:
            delete_item(kubernetes, item)
        if not lives:
            cleared = self.clear_finalizers(look(), emit)
            return f"{len(found)} deleted, {cleared} of them held by finalizers of a controller that does not live"
        left = self._wait_gone(look, f"{work.component} lets its resources go", emit)
        if left:
            raise self._held(work, left)
        return f"{len(found)} deleted"

    def remove_webhooks(self, components: Iterable[Component]) -> str:
        """Remove admission webhooks of these components."""
        found = list_webhooks(self.sight.kubernetes, components)
        for item in found:
            delete_item(self.sight.kubernetes, item)
        return f"{len(found)} removed"

    def remove_release(self, work: RemoveRelease) -> str:
        """Uninstall a release in whatever state, or let Helm forget it."""
        if work.keeps:
            forget_release(self.sight.kubernetes, work.release, work.namespace)
            return "forgotten; what it made stays"
        self.sight.helm.uninstall(work.release, work.namespace)
        return "uninstalled"

    def remove_claims(self, work: RemoveClaims, emit: Emit) -> str:
        """Delete claims, and wait until their volumes are given back while the storage driver lives."""
        kubernetes = self.sight.kubernetes
        found = list_claims(kubernetes, work.namespaces)
        for key in found:
            namespace, _, name = key.partition("/")
            kubernetes.delete(PERSISTENT_VOLUME_CLAIM, name, namespace)
        left = self._wait_gone(lambda: list_claims(kubernetes, work.namespaces), "claims go", emit)
        return f"{len(found) - len(left)} deleted" + (f"; still there: {', '.join(left)}" if left else "")

    def remove_crds(self, work: RemoveCrds, emit: Emit) -> str:
        """Delete CRDs that are ours, and with them every resource of theirs."""
        ours = [name for name, mark in read_crds(self.sight.kubernetes, self.components).items() if mark]
        doomed = [name for name in work.crds if name in ours]
        served = discover(self.sight.kubernetes)
        for name in doomed:
            self.sight.kubernetes.delete(CUSTOM_RESOURCE_DEFINITION, name)
        kinds = [served.kinds[name] for name in doomed if name in served.kinds]
        items = [item for kind in kinds for item in self.sight.kubernetes.list(kind)]
        self.clear_finalizers([item for item in items if _is_leaving(item)], emit)
        return f"{len(doomed)} deleted"

    def remove_namespaces(self, work: RemoveNamespaces, emit: Emit) -> str:
        """Delete our namespaces; say what holds those that stay."""
        kubernetes = self.sight.kubernetes
        kept = {key.partition("/")[0] for key in list_claims(kubernetes, work.namespaces)} if work.kept else set()
        doomed = [name for name in work.namespaces if name not in kept and self._is_ours(name)]
        for name in work.namespaces:
            found = kubernetes.get(NAMESPACE, name)
            if found is not None and (patch := restore(found)):
                kubernetes.patch(NAMESPACE, name, None, patch)
        left = self._delete_namespaces(doomed, emit)
        stuck = "; ".join(self.explain_namespace(name) for name in left)
        return f"{len(doomed) - len(left)} deleted" + (f"; {stuck}" if stuck else "")

    def explain_namespace(self, name: str) -> str:
        """Why a namespace does not go, in the API's words."""
        found = self.sight.kubernetes.get(NAMESPACE, name) or {}
        conditions = (found.get("status") or {}).get("conditions") or ()
        said = [str(item["message"]) for item in conditions if item["type"] in _SPACES_OWN and item["status"] == "True"]
        return f"namespace {name}: {' '.join(said) or 'it is still there'}"

    def clear_finalizers(self, items: Iterable[dict[str, Any]], emit: Emit) -> int:
        """Take finalizers off objects whose controller is gone; each is named. Returns how many there were."""
        held = [item for item in items if item["metadata"].get("finalizers")]
        for item in held:
            names = ", ".join(item["metadata"]["finalizers"])
            text = f"{describe(item)} is cleared of finalizers that no living controller clears: {names}"
            emit(Notice(level="warning", text=text))
            patch_item(self.sight.kubernetes, item, {"metadata": {"finalizers": None}})
        return len(held)

    def _delete_namespaces(self, names: Sequence[str], emit: Emit) -> list[str]:
        """Those that are still there in the end."""
        kubernetes = self.sight.kubernetes
        for name in names:
            kubernetes.delete(NAMESPACE, name)
        cleared = False

        def look() -> list[str]:
            nonlocal cleared
            left = [name for name in names if kubernetes.get(NAMESPACE, name) is not None]
            # Our controllers are gone by now, and nobody else clears their resources' finalizers.
            if left and not cleared:
                self._clear_ours(left, emit)
                cleared = True
            return left

        return self._wait_gone(look, "namespaces go", emit)

    def _clear_ours(self, names: Sequence[str], emit: Emit) -> None:
        kubernetes = self.sight.kubernetes
        crds = read_crds(kubernetes, self.components)
        foreign = find_foreign(self.components, self.sight.helm.list(), crds)
        ours = {crd for item in self.components if item.name not in foreign for crd in (*item.crds, *item.owns)}
        kinds = [kind for name, kind in discover(kubernetes).kinds.items() if name in ours and kind.namespaced]
        items = [item for kind in kinds for name in names for item in kubernetes.list(kind, name)]
        for item in items:
            delete_item(kubernetes, item)
        self.clear_finalizers(items, emit)

    def _is_ours(self, name: str) -> bool:
        found = self.sight.kubernetes.get(NAMESPACE, name)
        return found is not None and is_ours(found)

    def _is_alive(self, name: str) -> bool:
        """Whether something of a component is up that could let its resources go."""
        found = [item for item in self.components if item.name == name]
        workloads = [f"{item.namespace}/{workload}" for item in found for workload in item.health]
        return len(find_unready(self.sight.kubernetes, workloads)) < len(workloads)

    def _wait_gone(self, look: Callable[[], Sequence[Any]], what: str, emit: Emit) -> list[Any]:
        """Look until nothing is there any more, or the time is up; returns what is left."""
        deadline = time.monotonic() + self.deadline_s
        pause = _PAUSE_S
        while (left := list(look())) and time.monotonic() < deadline:
            emit(Notice(level="detail", text=f"waiting until {what}: {len(left)} left"))
            time.sleep(pause)
            pause = min(2 * pause, 4 * _PAUSE_S)
        return left

    def _held(self, work: DrainResources, left: Sequence[dict[str, Any]]) -> DeadlineError:
        held = [
            f"{describe(item)}: {', '.join(item['metadata'].get('finalizers') or ('held by nobody',))}" for item in left
        ]
        return DeadlineError(
            f"{work.component} does not let go of {describe(left[0])} within {self.deadline_s:g} s",
            hint=f"look at the log of {work.component}'s controller, then destroy again",
            details=tuple(held),
        )

    @property
    def _spaces(self) -> tuple[str, ...]:
        return list_namespaces(self.components)


def _is_leaving(item: dict[str, Any]) -> bool:
    return bool(item["metadata"].get("deletionTimestamp"))


def delete_item(kubernetes: Kubernetes, item: Mapping[str, Any]) -> None:
    """Ask for the end of an object, as a list gave it."""
    kind = kubernetes.find_kind(item["apiVersion"], item["kind"])
    if kind is not None:
        kubernetes.delete(kind, item["metadata"]["name"], item["metadata"].get("namespace"))


def patch_item(kubernetes: Kubernetes, item: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
    """Change an object, as a list gave it; one that went meanwhile is fine."""
    kind = kubernetes.find_kind(item["apiVersion"], item["kind"])
    if kind is not None:
        with contextlib.suppress(NotFoundError):
            kubernetes.patch(kind, item["metadata"]["name"], item["metadata"].get("namespace"), patch)
