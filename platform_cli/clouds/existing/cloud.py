"""An existing cluster as every command sees it."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from platform_cli.clouds.embedded import files
from platform_cli.clouds.existing.check import list_checks
from platform_cli.clouds.interface import Proof
from platform_cli.cluster.lease import LEASE_NAME, hold_lease
from platform_cli.errors import NotReadyError
from platform_cli.journal import list_files, read_history
from platform_cli.plan import Operation
from platform_cli.stage import Facts, RemoveFiles, Stage

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from platform_cli.clouds.interface import Look
    from platform_cli.cluster.platform import ClusterPlatform
    from platform_cli.cluster.restore import Saved
    from platform_cli.config import Config
    from platform_cli.doctor import Check
    from platform_cli.events import Emit
    from platform_cli.layout import Layout
    from platform_cli.serving.interface import Serving
    from platform_cli.status import Layer
    from platform_cli.tools.mlflow import Registry
    from platform_cli.workflow.interface import Engine


class ExistingCloud:
    """One target on a cluster that somebody else made: only what we put there is ours.

    `lease` is the Lease that keeps commands on other machines away.
    """

    def __init__(self, config: Config, layout: Layout, platform: ClusterPlatform, *, lease: str = LEASE_NAME) -> None:
        self._config = config
        self._home = layout.home(config.target.name)
        self._platform = platform
        self._lease = lease

    def observe(self, look: Look) -> Facts:
        """See `Cloud.observe`."""
        history = read_history(self._home.journal)
        deploys = look.operation is not Operation.DESTROY
        journal = list_files(self._home.journal)
        return Facts(
            cluster=None if look.offline else self._platform.observe(deploys=deploys),
            entries=frozenset(path for path in files.list_entries(self._home.root) if path not in journal),
            applied=history.applied,
            interrupted=history.interrupted,
        )

    def list_stages(self) -> tuple[Stage, ...]:
        """See `Cloud.list_stages`."""
        return self._platform.list_stages()

    def list_removals(self, *, keep_data: bool, delete_crds: bool = False) -> tuple[Stage, ...]:
        """See `Cloud.list_removals`."""
        removals = self._platform.list_removals(keep_data=keep_data, delete_crds=delete_crds)
        kept = (self._home.backups,) if keep_data else ()
        after = tuple(stage.name for stage in removals)
        return (*removals, Stage("remove-files", "files", RemoveFiles(self._home.root, kept), after))

    def run_stage(self, stage: Stage, emit: Emit) -> str:
        """See `Cloud.run_stage`."""
        if isinstance(stage.work, RemoveFiles):
            keep = (*stage.work.keep, *list_files(self._home.journal))
            return f"{files.remove_tree(stage.work.root, keep=keep)} entries below {stage.work.root}"
        return self._platform.run_stage(stage, emit)

    def prove_gone(self, before: Facts, *, keep_data: bool) -> Proof:
        """See `Cloud.prove_gone`."""
        proof = self._platform.prove_gone(before.cluster, keep_data=keep_data)
        left = [
            str(path) for path in files.list_entries(self._home.root) if path != self._home.backups or not keep_data
        ]
        checked = (*proof.checked, f"no file below {self._home.root}")
        return Proof(checked, (*proof.leftovers, *left), proof.kept, proof.unchecked)

    def hold(self, command: str) -> AbstractContextManager[None]:
        """See `Shared.hold`."""
        return hold_lease(self._platform.kubernetes, self._lease, home=self._home.root, command=command)

    def list_upgrades(self, before: Facts) -> tuple[Stage, ...]:
        """See `Upgrades.list_upgrades`."""
        return self._platform.list_upgrades(before.cluster, self._home.backups)

    def list_notes(self, stages: Sequence[Stage], before: Facts) -> tuple[str, ...]:
        """See `Upgrades.list_notes`."""
        from platform_cli.cluster.upgrade import describe_moves

        return describe_moves(stages, before.cluster, self._platform.components) if before.cluster else ()

    def roll_back(self, before: Facts, done: Collection[str], emit: Emit) -> tuple[str, ...]:
        """See `Upgrades.roll_back`."""
        return self._platform.roll_back(before.cluster, done, self._home.backups, emit)

    def restore(self, saved: Saved, emit: Emit) -> tuple[str, ...]:
        """See `Upgrades.restore`."""
        return self._platform.restore(saved, emit)

    def inspect(self, *, refresh: bool = False) -> tuple[Layer, ...]:  # noqa: ARG002 - it is always asked
        """See `Cloud.inspect`."""
        return self._platform.inspect()

    def list_checks(self, *, offline: bool) -> tuple[Check, ...]:
        """See `Cloud.list_checks`."""
        return list_checks(self._home, self._platform, offline=offline)

    def require_deployed(self) -> None:
        """See `Cloud.require_deployed`."""
        if not self._platform.is_deployed():
            raise NotReadyError(
                f"{self._config.target} is not deployed", hint=f"mlops deploy --cloud existing --env {self._config.env}"
            )

    def forward(self, services: Sequence[str], *, port: int | None, shows_credentials: bool, emit: Emit) -> None:
        """See `Cloud.forward`."""
        self._platform.forward(services, port=port, shows_credentials=shows_credentials, emit=emit)

    def engine(self) -> Engine:
        """See `Cloud.engine`; without any kubeconfig, Argo's server if ARGO_SERVER and ARGO_TOKEN lead to one."""
        from platform_cli.cluster.platform import WORKFLOW_NAMESPACE
        from platform_cli.workflow.argo_engine import open_server_engine

        if self._has_kubeconfig:
            return self._platform.engine()
        registry = self._config.images.registry or ""
        server = open_server_engine(os.environ, namespace=WORKFLOW_NAMESPACE, registry=registry)
        return server or self._platform.engine()

    def registry(self) -> Registry:
        """See `Cloud.registry`."""
        return self._platform.registry()

    def serving(self) -> Serving:
        """See `Cloud.serving`."""
        return self._platform.serving()

    @property
    def _has_kubeconfig(self) -> bool:
        """Whether anything says how to reach the cluster; a wrong one is an error, no reason to go elsewhere."""
        named = self._config.existing.kubeconfig or os.environ.get("KUBECONFIG")
        return bool(named) or (Path.home() / ".kube" / "config").is_file()
