"""Does the stages that take something off a cluster; each is safe to repeat, and works on half an installation."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.application import APPLICATIONS
from platform_cli.cluster.discovery import discover
from platform_cli.cluster.item import clear_finalizers, delete_item, describe, is_leaving, patch_item
from platform_cli.cluster.mark import is_ours, of_release, restore, unclaim
from platform_cli.cluster.observation import Sight, find_unready
from platform_cli.cluster.ownership import Ownership
from platform_cli.cluster.release_record import forget_release
from platform_cli.cluster.remains import (
    APPLICATION_SETS,
    CRON_WORKFLOWS,
    WORKFLOWS,
    find_delegated_here,
    list_claims,
    list_loose,
    list_returning,
    list_workflows,
    look_for_ours,
    select_ours,
)
from platform_cli.cluster.webhook import list_webhooks, remove_dead
from platform_cli.cluster.work import DrainResources, RemoveCrds, RemoveNamespaces, RemoveRelease
from platform_cli.errors import DeadlineError, NotFoundError
from platform_cli.events import Emit, Notice
from platform_cli.tools.kubernetes_kind import (
    CUSTOM_RESOURCE_DEFINITION,
    NAMESPACE,
    PERSISTENT_VOLUME_CLAIM,
    Kind,
)

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component

_ENGINE = "argo-workflows"
_PAUSE_S = 0.5
_SPACES_OWN = ("NamespaceContentRemaining", "NamespaceFinalizersRemaining", "NamespaceDeletionContentFailure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remover:
    """Takes components off a cluster.

    Attributes:
        forced: components that are ours although somebody else's release or CRDs of theirs are there.
        deadline_s: how long something that is being deleted may take.
    """

    sight: Sight
    components: Sequence[Component]
    deadline_s: float
    forced: Collection[str] = ()

    def suspend_gitops(self) -> str:
        """Keep Applications of ours from syncing, those that generate them first."""
        kubernetes, served, ownership = self.sight.kubernetes, discover(self.sight.kubernetes), self.look()
        generators = select_ours(kubernetes, served, APPLICATION_SETS, ownership)
        applications = select_ours(kubernetes, served, APPLICATIONS, ownership)
        for item in generators:
            patch = {"spec": {"syncPolicy": {"applicationsSync": "create-only"}}}
            patch_item(kubernetes, item, patch)
        for item in applications:
            patch_item(kubernetes, item, {"spec": {"syncPolicy": {"automated": None}}})
        return f"{len(generators) + len(applications)} suspended"

    def stop_workflows(self, emit: Emit) -> str:
        """End running workflows and wait until they have; without a controller they only get the word."""
        kubernetes, served, ownership = self.sight.kubernetes, discover(self.sight.kubernetes), self.look()
        for item in select_ours(kubernetes, served, CRON_WORKFLOWS, ownership):
            patch_item(kubernetes, item, {"spec": {"suspend": True}})
        running = list_workflows(kubernetes, served, ownership)
        for key in running:
            namespace, _, name = key.partition("/")
            kind = served.kinds[WORKFLOWS]
            # One that its retention removed meanwhile has ended.
            with contextlib.suppress(NotFoundError):
                kubernetes.patch(kind, name, namespace, {"spec": {"shutdown": "Terminate"}})
        if not self._lives(_ENGINE, ownership):
            return f"{len(running)} told to stop; no controller lives that could end them"
        left = self._wait_gone(lambda: list_workflows(kubernetes, served, ownership), "workflows end", emit)
        return f"{len(running) - len(left)} stopped" + (f"; still running: {', '.join(left)}" if left else "")

    def drain(self, work: DrainResources, emit: Emit) -> str:
        """Delete custom resources while their controller lives; without one, clear what holds them.

        Somebody else's controller lets go of those that we made; all others stay.

        Raises:
            DeadlineError: the controller lives and does not let them go.
        """
        kubernetes, served = self.sight.kubernetes, discover(self.sight.kubernetes)
        kinds = [served.kinds[crd] for crd in work.crds if crd in served.kinds]
        ownership = self.look()

        def look() -> list[dict[str, Any]]:
            return [item for crd in work.crds for item in select_ours(kubernetes, served, crd, ownership)]

        lives = self._lives(work.component, ownership)
        if not lives:
            # Nobody answers its webhooks any more, and each would refuse the changes below.
            self._remove_webhooks([item for item in self.components if item.name == work.component])
        remove_dead(kubernetes, ownership.ours, kinds, emit)
        if APPLICATIONS in work.crds:
            self._mark_crds(ownership)
        found = look()
        for item in found:
            delete_item(kubernetes, item)
        if not lives:
            cleared = clear_finalizers(kubernetes, look(), emit)
            return f"{len(found)} deleted, {cleared} of them held by finalizers of a controller that does not live"
        left = self._wait_gone(look, f"{work.component} lets its resources go", emit)
        if left:
            raise self._held(work, left)
        return f"{len(found)} deleted"

    def remove_webhooks(self) -> str:
        """Remove admission webhooks of our components."""
        return self._remove_webhooks(self.look().ours)

    def _remove_webhooks(self, components: Iterable[Component]) -> str:
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
        with contextlib.suppress(NotFoundError):
            self.sight.kubernetes.patch(NAMESPACE, work.namespace, None, unclaim(work.release))
        return "uninstalled"

    def remove_claims(self, emit: Emit) -> str:
        """Delete claims, and wait until their volumes are given back while the storage driver lives."""
        kubernetes, ownership = self.sight.kubernetes, self.look()
        found = list_claims(kubernetes, ownership)
        for key in found:
            namespace, _, name = key.partition("/")
            kubernetes.delete(PERSISTENT_VOLUME_CLAIM, name, namespace)

        def look() -> tuple[str, ...]:
            return (*list_claims(kubernetes, ownership), *list_returning(kubernetes, found))

        left = self._wait_gone(look, "claims and their volumes go", emit)
        gone = [key for key in found if key not in left]
        return f"{len(gone)} deleted" + (f"; still there: {', '.join(left)}" if left else "")

    def remove_crds(self, work: RemoveCrds, emit: Emit) -> str:
        """Delete CRDs that are ours, and with them every resource of theirs; wait until they are gone."""
        ours = self.look().list_crds()
        doomed = [name for name in work.crds if name in ours]
        served = discover(self.sight.kubernetes)
        for name in doomed:
            self.sight.kubernetes.delete(CUSTOM_RESOURCE_DEFINITION, name)

        def look() -> list[str]:
            there = {
                item["metadata"]["name"] for item in self.sight.kubernetes.list_metadata(CUSTOM_RESOURCE_DEFINITION)
            }
            left = [name for name in doomed if name in there]
            # Our controllers are gone by now, and nobody else clears what the API is deleting.
            kinds = [served.kinds[name] for name in left if name in served.kinds]
            items = [item for kind in kinds for item in self._list_served(kind)]
            clear_finalizers(self.sight.kubernetes, filter(is_leaving, items), emit)
            return left

        left = self._wait_gone(look, "CRDs go", emit)
        return f"{len(doomed) - len(left)} deleted" + (f"; still there: {', '.join(left)}" if left else "")

    def _list_served(self, kind: Kind) -> list[dict[str, Any]]:
        """Every resource of a kind; none of one that went meanwhile."""
        try:
            return list(self.sight.kubernetes.list(kind))
        except NotFoundError:
            return []

    def remove_namespaces(self, work: RemoveNamespaces, emit: Emit) -> str:
        """Delete our namespaces; say what holds those that stay."""
        kubernetes = self.sight.kubernetes
        kept = {key.partition("/")[0] for key in list_claims(kubernetes, self.look())} if work.kept else set()
        doomed = [name for name in work.namespaces if name not in kept and self._is_ours(name)]
        if not work.kept:
            for item in list_loose(kubernetes, self.components):
                delete_item(kubernetes, item)
        for name in work.namespaces:
            found = kubernetes.get(NAMESPACE, name)
            if found is not None and (patch := restore(found)):
                patch_item(kubernetes, found, patch)
        left = self._delete_namespaces(doomed, emit)
        stuck = "; ".join(self.explain_namespace(name) for name in left)
        return f"{len(doomed) - len(left)} deleted" + (f"; {stuck}" if stuck else "")

    def explain_namespace(self, name: str) -> str:
        """Why a namespace does not go, in the API's words."""
        found = self.sight.kubernetes.get(NAMESPACE, name) or {}
        conditions = (found.get("status") or {}).get("conditions") or ()
        said = [str(item["message"]) for item in conditions if item["type"] in _SPACES_OWN and item["status"] == "True"]
        return f"namespace {name}: {' '.join(said) or 'it is still there'}"

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
        ours = {crd for item in self.look().ours for crd in (*item.crds, *item.owns)}
        kinds = [kind for name, kind in discover(kubernetes).kinds.items() if name in ours and kind.namespaced]
        items = [item for kind in kinds for name in names for item in kubernetes.list(kind, name)]
        for item in items:
            delete_item(kubernetes, item)
        clear_finalizers(kubernetes, items, emit)

    def look(self) -> Ownership:
        """What is ours by now."""
        return look_for_ours(self.sight.kubernetes, self.components, self.forced)

    def _mark_crds(self, ownership: Ownership) -> None:
        """Write Helm's own words on CRDs that Argo CD applied for us: it leaves them, and nothing else says whose.

        Helm then takes them over as well.
        """
        delegated = find_delegated_here(self.sight.kubernetes, self.components)
        for component in ownership.ours:
            for name in component.crds if component.name in delegated else ():
                if ownership.crds.get(name) == "":
                    patch = of_release(component.namespace, component.release)
                    self.sight.kubernetes.patch(CUSTOM_RESOURCE_DEFINITION, name, None, patch)

    def _is_ours(self, name: str) -> bool:
        found = self.sight.kubernetes.get(NAMESPACE, name)
        return found is not None and is_ours(found)

    def _lives(self, name: str, ownership: Ownership) -> bool:
        """Whether something of a component is up that could let its resources go; somebody else's is not looked at."""
        if name in ownership.foreign:
            return True
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
