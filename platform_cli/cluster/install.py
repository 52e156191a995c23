"""Does the stages that put something on a cluster; each is safe to repeat."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from platform_cli.cluster.application import NOTHING, Delegation
from platform_cli.cluster.difference import index
from platform_cli.cluster.mark import is_known, make_namespace, mark, mark_crd, remember
from platform_cli.cluster.package import Package
from platform_cli.cluster.release_record import forget_release
from platform_cli.cluster.repair import PENDING, repair, require_idle
from platform_cli.cluster.secret import make_secret
from platform_cli.cluster.wait import wait_ready
from platform_cli.cluster.work import CrdSet, GeneratedSecrets, GitOpsRoot, Healthy, HelmRelease, Namespaces
from platform_cli.cluster.workload import Workload, parse_workload
from platform_cli.errors import MlopsError, PreflightError, StateError, ToolError
from platform_cli.events import Emit, Notice
from platform_cli.tools.kubernetes_error import is_conflict
from platform_cli.tools.kubernetes_kind import CUSTOM_RESOURCE_DEFINITION, NAMESPACE

if TYPE_CHECKING:
    from platform_cli.tools.helm import Helm, Release
    from platform_cli.tools.kubernetes import Kubernetes

InstallWork = Namespaces | CrdSet | GeneratedSecrets | HelmRelease | GitOpsRoot | Healthy
_ESTABLISHED_S, _LOOK_AGAIN_S = 60.0, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """Puts components on a cluster. `packages` are by component; `deadline_s` is for each to become ready."""

    kubernetes: Kubernetes
    helm: Helm
    packages: Mapping[str, Package]
    deadline_s: float
    delegation: Delegation = NOTHING

    def run(self, work: InstallWork, emit: Emit) -> str:
        """Do the work; returns what was done."""
        match work:
            case Namespaces():
                return self.make_namespaces(work)
            case CrdSet():
                return self.apply_crds(work)
            case GeneratedSecrets():
                return self.make_secrets(work)
            case HelmRelease():
                return self.apply_release(work, emit)
            case GitOpsRoot():
                return self.apply_root(work)
            case Healthy():
                return self.wait_healthy(work, emit)

    def make_namespaces(self, work: Namespaces) -> str:
        """Make those that are missing; remember what somebody else's are like."""
        found = {name: self.kubernetes.get(NAMESPACE, name) for name in work.namespaces}
        missing = [name for name, item in found.items() if item is None]
        for name in missing:
            self.kubernetes.apply(make_namespace(name))
        for name, item in found.items():
            if item is not None and not is_known(item):
                self.kubernetes.patch(NAMESPACE, name, None, remember(item))
        return f"{len(missing)} made: {', '.join(missing)}" if missing else f"all {len(found)} there"

    def apply_crds(self, work: CrdSet) -> str:
        """Apply a component's CRDs and wait until the API serves them.

        Definitions that an older mlops installed as a Helm release are taken over; the release goes first, so that no
        uninstall can take them along whenever this command ends.

        Raises:
            StateError: the chart is another than was planned.
        """
        package = self._package(work.component)
        if work.digests and package.crd_digests != dict(work.digests):
            raise self._changed(work.component)
        component, forgotten = package.component, 0
        if not component.is_release:
            forgotten = forget_release(self.kubernetes, component.release, component.namespace)
        for crd in package.crds:
            self.kubernetes.apply(mark_crd(crd))
        self._wait_served(crd["metadata"]["name"] for crd in package.crds)
        return f"{len(package.crds)} applied" + (", taken over from their Helm release" if forgotten else "")

    def make_secrets(self, work: GeneratedSecrets) -> str:
        """Make those that are missing; one that is there keeps its content."""
        made = 0
        for key in work.secrets:
            try:
                self.kubernetes.create(make_secret(key))
                made += 1
            except MlopsError as error:
                if not is_conflict(error):
                    raise
        return f"{made} made, {len(work.secrets) - made} kept"

    def apply_release(self, work: HelmRelease, emit: Emit) -> str:
        """Install or upgrade a component and wait until it is ready.

        Raises:
            StateError: chart or values are others than were planned, or another command is at the release.
            DeadlineError: it does not become ready; the message begins with the reason.
        """
        package = self._package(work.component)
        if work.inputs and package.inputs != work.inputs:
            raise self._changed(work.component)
        before = self._find(work)
        if before is not None:
            require_idle(self.kubernetes, before)
            repair(self.kubernetes, self.helm, before, emit)
        self._delete_replaced(work, emit)
        emit(Notice(level="detail", text=f"{work.component}: Helm applies {work.chart} {work.version}"))
        done = self._apply(package, work, emit)
        workloads = [Workload(work.namespace, *text.split("/")) for text in package.component.health]
        wait_ready(self.kubernetes, workloads, what=work.component, deadline_s=self.deadline_s, emit=emit)
        there = {item["metadata"]["name"] for item in self.kubernetes.list_metadata(CUSTOM_RESOURCE_DEFINITION)}
        self._wait_served(name for name in package.component.crds if name in there)
        return f"{done.version}, revision {done.revision}"

    def apply_root(self, work: GitOpsRoot) -> str:
        """Apply the Application that holds all others; Argo CD goes on from there.

        Raises:
            StateError: it is another than was planned.
        """
        if self.delegation.digest != work.digest:
            raise self._changed("the root application")
        for item in self.delegation.objects:
            self.kubernetes.apply(mark(item, work.digest))
        return f"{self.delegation.root} in {self.delegation.namespace}"

    def wait_healthy(self, work: Healthy, emit: Emit) -> str:
        """Wait until every workload is ready."""
        workloads = [parse_workload(name) for name in work.workloads]
        wait_ready(self.kubernetes, workloads, what="health", deadline_s=self.deadline_s, emit=emit)
        return f"{len(workloads)} workloads ready"

    def _apply(self, package: Package, work: HelmRelease, emit: Emit) -> Release:
        """Let Helm apply a chart, and do it again when the API went away under it: it gives up at the first request."""
        apply = partial(self.helm.apply, package.chart, name=work.release, namespace=work.namespace)
        try:
            return apply(values=package.values or {})
        except (PreflightError, ToolError) as error:
            # What Helm could write down is failed; it is pending where the API did not even take that.
            left = self._find_later(work)
            if left is None or left.status not in PENDING:
                raise
            emit(Notice(level="warning", text=f"{work.component}: begun anew, since Helm was cut off: {error.message}"))
            repair(self.kubernetes, self.helm, left, emit)
            return apply(values=package.values or {})

    def _find_later(self, work: HelmRelease) -> Release | None:
        """The release, once the API answers again; Helm itself would not wait for that."""
        self.kubernetes.version()
        return self._find(work)

    def _find(self, work: HelmRelease) -> Release | None:
        found = [item for item in self.helm.list() if (item.namespace, item.name) == (work.namespace, work.release)]
        return found[0] if found else None

    def _delete_replaced(self, work: HelmRelease, emit: Emit) -> None:
        """Delete what cannot be changed into what it should be; volumes that a StatefulSet claimed stay."""
        if not work.replaces:
            return
        running = index(self.helm.manifest(work.release, work.namespace), work.namespace)
        for ref in work.replaces:
            kind = self.kubernetes.find_kind(running[ref]["apiVersion"], ref.kind) if ref in running else None
            if kind is not None:
                emit(Notice(level="info", text=f"{ref} cannot be changed in place: deleted, to be made anew"))
                self.kubernetes.delete(kind, ref.name, ref.namespace)

    def _wait_served(self, names: Iterable[str]) -> None:
        """Wait until what CRDs define can be asked for: Helm takes kinds that it looks for earlier for unknown."""
        kinds = [kind for name in names for kind in self._wait_established(name)]
        deadline = time.monotonic() + _ESTABLISHED_S
        while missing := self._find_missing(kinds):
            if time.monotonic() > deadline:
                raise ToolError(f"the API does not serve {missing}", hint="kubectl api-resources")
            time.sleep(_LOOK_AGAIN_S)

    def _wait_established(self, name: str) -> list[tuple[str, str]]:
        """The kind in each version that will be served, as (group/version, kind)."""
        changes = self.kubernetes.watch(CUSTOM_RESOURCE_DEFINITION, name=name, timeout_s=_ESTABLISHED_S)
        for _, found in changes:
            conditions = (found.get("status") or {}).get("conditions") or ()
            if any(item["type"] == "Established" and item["status"] == "True" for item in conditions):
                spec = found["spec"]
                served = [version["name"] for version in spec["versions"] if version["served"]]
                return [(f"{spec['group']}/{version}", spec["names"]["kind"]) for version in served]
        raise ToolError(f"CRD {name} is not served after {_ESTABLISHED_S:g} s", hint=f"kubectl describe crd {name}")

    def _find_missing(self, kinds: Iterable[tuple[str, str]]) -> str:
        """The first kind that the API does not list yet."""
        missing = (f"{kind} ({version})" for version, kind in kinds if self.kubernetes.find_kind(version, kind) is None)
        return next(missing, "")

    def _package(self, component: str) -> Package:
        try:
            return self.packages[component]
        except KeyError as error:
            raise self._changed(component) from error

    def _changed(self, component: str) -> StateError:
        return StateError(f"{component}: chart or values changed since the plan was made", hint="run the command again")
