"""The platform on one cluster that can be reached: what a cloud does with Kubernetes, whoever made the cluster."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from platform_cli.cluster import health, stages
from platform_cli.cluster.adopted import NOTHING_ADOPTED, Adopted, read_adopted
from platform_cli.cluster.application import NOTHING, Delegation
from platform_cli.cluster.mark import claim
from platform_cli.cluster.observation import Sight, observe_deploy
from platform_cli.cluster.ownership import read_ownership
from platform_cli.cluster.wait import DEADLINE_S
from platform_cli.cluster.work import (
    Backup,
    ClusterFacts,
    CrdSet,
    GeneratedSecrets,
    GitOpsRoot,
    Healthy,
    HelmRelease,
    Namespaces,
)
from platform_cli.errors import PreflightError
from platform_cli.tools.kubernetes_kind import NAMESPACE

if TYPE_CHECKING:
    from platform_cli.clouds.interface import Proof
    from platform_cli.cluster.access import Access
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.install import Installer
    from platform_cli.cluster.outputs import ClusterOutputs
    from platform_cli.cluster.ownership import Ownership
    from platform_cli.cluster.package import Package
    from platform_cli.cluster.removal import Remover
    from platform_cli.cluster.restore import Saved
    from platform_cli.config import Config
    from platform_cli.events import Emit
    from platform_cli.serving.interface import Serving
    from platform_cli.stage import Stage
    from platform_cli.status import Layer
    from platform_cli.tools.kubernetes import Kubernetes
    from platform_cli.tools.mlflow import Registry
    from platform_cli.workflow.interface import Engine

WORKFLOW_NAMESPACE = "argo"
REMOVAL_S = 120.0


class ClusterPlatform:
    """Nothing is asked of the cluster before a method is called.

    Args:
        access: opens the way to the cluster.
        packages: what is installed, in order of need, given what somebody else runs there.
        components: the same without charts and values, which only a deploy needs.
        registry: what the names of our own images start with.
        delegation: what is left to Argo CD: of that there is no package.
        forced: components that are ours although somebody else's release or CRDs of theirs are there.
        deadline_s: how long one component may take to become ready.
        removal_s: how long what is deleted may take to go.
    """

    def __init__(
        self,
        access: Callable[[], Access],
        packages: Callable[[Adopted], Sequence[Package]],
        components: Callable[[], Sequence[Component]],
        *,
        registry: Callable[[], str] = str,
        delegation: Callable[[], Delegation] = lambda: NOTHING,
        forced: Sequence[str] = (),
        deadline_s: float = DEADLINE_S,
        removal_s: float = REMOVAL_S,
    ) -> None:
        self._open_access = access
        self._open_packages = packages
        self._open_components = components
        self._registry = registry
        self._open_delegation = delegation
        self.forced = forced
        self._deadline_s = deadline_s
        self._removal_s = removal_s
        self._adopted: Adopted | None = None

    @cached_property
    def access(self) -> Access:
        """The way to the cluster."""
        return self._open_access()

    @cached_property
    def kubernetes(self) -> Kubernetes:
        """The cluster's API."""
        from platform_cli.tools.kubernetes import Kubernetes

        return Kubernetes(self.access)

    @cached_property
    def components(self) -> Sequence[Component]:
        """What is installed here, in order of need."""
        return self._open_components()

    def observe(self, *, deploys: bool) -> ClusterFacts:
        """What a deploy or a destroy is planned from; for the latter a cluster that is away is a fact as well.

        Raises:
            PreflightError: a deploy cannot reach the cluster.
        """
        from platform_cli.cluster.remains import observe_destroy

        try:
            if deploys and self.components:
                ownership = self._look()
                return observe_deploy(self._sight, self._packages, ownership, self._delegation)
            return observe_destroy(self._sight, self.components, self.forced) if self.components else ClusterFacts()
        except PreflightError as error:
            if deploys:
                raise
            return ClusterFacts(unreachable=error.message)

    def list_stages(self, after: tuple[str, ...] = ()) -> tuple[Stage, ...]:
        """Everything that should hold, after these stages; as if nobody else were there until that was observed."""
        adopted = self._adopted or NOTHING_ADOPTED
        return stages.list_stages(self._packages, after, self._delegation, adopted.namespaces)

    def list_removals(self, *, keep_data: bool, delete_crds: bool = False) -> tuple[Stage, ...]:
        """Everything that must be undone, in order."""
        return stages.list_removals(self.components, keep_data=keep_data, delete_crds=delete_crds)

    def run_stage(self, stage: Stage, emit: Emit) -> str:
        """Do the work of one stage."""
        match work := stage.work:
            case Backup():
                from platform_cli.cluster.backup import back_up

                return back_up(self.kubernetes, self.components, work, emit)
            case Namespaces() | CrdSet() | GeneratedSecrets() | HelmRelease() | GitOpsRoot() | Healthy():
                if self._adopted is None:
                    self._look()
                if isinstance(work, HelmRelease):
                    # Before Helm begins: a command that is killed after it must not make ours a stranger's.
                    self.kubernetes.patch(NAMESPACE, work.namespace, None, claim(work.release))
                return self._installer.run(work, emit)
            case _:
                from platform_cli.cluster.removal_work import run_removal

                return run_removal(self._remover, stage, emit)

    def inspect(self) -> tuple[Layer, ...]:
        """How each part is; empty when nothing is deployed."""
        try:
            return health.inspect(self._sight, self.components, self._delegation)
        except PreflightError as error:
            return health.unreachable(error)

    def is_deployed(self) -> bool:
        """Whether any component is installed, by us.

        Raises:
            PreflightError: the cluster cannot be reached.
        """
        ours = read_ownership(self.kubernetes, self.components, self.forced).ours
        wanted = {(item.namespace, item.release) for item in ours}
        return any((item.namespace, item.name) in wanted for item in self._sight.helm.list())

    def list_upgrades(self, before: ClusterFacts | None, backups: Path) -> tuple[Stage, ...]:
        """A backup below `backups` and the stages of a deploy; none when no component's version moves.

        Raises:
            RefusedError: a component would skip a major version, or go back.
        """
        from platform_cli.cluster.upgrade import list_upgrades

        return list_upgrades(self.list_stages(), before, backups) if before else ()

    def roll_back(
        self, before: ClusterFacts | None, done: Collection[str], backups: Path, emit: Emit
    ) -> tuple[str, ...]:
        """Bring what did not come up back to its revision of before; returns lines about what moved."""
        from platform_cli.cluster.rollback import roll_back

        if before is None:
            return ()
        deadline_s = self._deadline_s
        return roll_back(
            self._sight, self.components, before, done=done, backups=backups, deadline_s=deadline_s, emit=emit
        )

    def restore(self, saved: Saved, emit: Emit) -> tuple[str, ...]:
        """Put a backup back; returns lines about it."""
        from platform_cli.cluster.restore import restore

        return restore(self._sight, self.components, saved, deadline_s=self._deadline_s, emit=emit)

    def prove_gone(self, before: ClusterFacts | None, *, keep_data: bool) -> Proof:
        """Look for anything that is left; `before` is what was there before the removals."""
        from platform_cli.cluster.proof import prove_gone

        return prove_gone(self._remover, self.components, before, keep_data=keep_data)

    def forward(self, services: Sequence[str], *, port: int | None, shows_credentials: bool, emit: Emit) -> None:
        """See `Cloud.forward`."""
        from platform_cli.cluster.forward_dashboard import forward_services

        forward_services(self.access, services, emit=emit, port=port, shows_credentials=shows_credentials)

    def engine(self) -> Engine:
        """What runs workflows here: Argo."""
        from platform_cli.workflow.argo_engine import ArgoEngine

        return ArgoEngine(self.kubernetes, WORKFLOW_NAMESPACE, registry=self._registry())

    def registry(self) -> Registry:
        """The MLflow of this cluster."""
        from platform_cli.serving.kserve_registry import ClusterRegistry

        return ClusterRegistry(self.access)

    def serving(self) -> Serving:
        """What serves models here: KServe."""
        from platform_cli.serving.kserve_assembly import open_serving

        return open_serving(self.kubernetes, self.registry(), [component.name for component in self.components])

    @cached_property
    def _delegation(self) -> Delegation:
        return self._open_delegation()

    @property
    def _packages(self) -> Sequence[Package]:
        return self._open_packages(self._adopted or NOTHING_ADOPTED)

    def _look(self) -> Ownership:
        """What is ours, of which nothing is left to Argo CD; its values then leave others' namespaces alone."""
        components = [item for item in self.components if item not in self._delegation.components]
        ownership = read_ownership(self.kubernetes, components, self.forced)
        self._adopted = read_adopted(self.kubernetes, ownership)
        return ownership

    @cached_property
    def _sight(self) -> Sight:
        from platform_cli.tools.helm import open_helm, open_renderer

        return Sight(kubernetes=self.kubernetes, helm=open_helm(self.access), renderer=open_renderer())

    @cached_property
    def _installer(self) -> Installer:
        from platform_cli.cluster.install import Installer

        return Installer(
            kubernetes=self.kubernetes,
            helm=self._sight.helm,
            packages={package.component.name: package for package in self._packages},
            deadline_s=self._deadline_s,
            delegation=self._delegation,
        )

    @cached_property
    def _remover(self) -> Remover:
        from platform_cli.cluster.removal import Remover

        return Remover(sight=self._sight, components=self.components, forced=self.forced, deadline_s=self._removal_s)


def open_platform(
    config: Config, *, access: Callable[[], Access], outputs: Callable[[], ClusterOutputs], known: bool = True
) -> ClusterPlatform:
    """The product's own components on a cluster.

    `outputs` is what the infrastructure hands on; they are not `known` while they are only expected.
    """
    from platform_cli.cluster.component import read_components, select_components
    from platform_cli.cluster.gitops import delegate, list_bootstrap
    from platform_cli.cluster.package import open_packages
    from platform_cli.cluster.value_site import registry_of

    # Each is asked for by several of the platform's parts, and reading a state may be a request.
    outputs = cache(outputs)

    @cache
    def components() -> Sequence[Component]:
        return select_components(read_components(), config, outputs())

    @cache
    def packages(adopted: Adopted) -> Sequence[Package]:
        chosen = list_bootstrap(components()) if config.gitops.enabled else components()
        return open_packages(chosen, config, outputs(), known=known, adopted=adopted)

    return ClusterPlatform(
        access,
        packages,
        components,
        registry=lambda: registry_of(config, outputs()),
        delegation=lambda: delegate(components(), config),
        forced=config.components.enable,
        deadline_s=config.components.ready_timeout_s,
    )
