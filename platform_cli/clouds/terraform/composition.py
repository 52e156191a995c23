"""What comes on top of the infrastructure: the platform's components, on the cluster that Terraform made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from platform_cli.clouds.terraform.removal import ROOT_STAGE
from platform_cli.cluster.lease import LEASE_NAME, hold_lease
from platform_cli.cluster.work import ClusterFacts, HelmRelease
from platform_cli.errors import NotReadyError, PreflightError
from platform_cli.events import Emit, Notice
from platform_cli.plan import Operation
from platform_cli.target import CloudName

if TYPE_CHECKING:
    from pathlib import Path

    from platform_cli.clouds.interface import Look
    from platform_cli.clouds.terraform.state import Record
    from platform_cli.cluster.outputs import ClusterOutputs
    from platform_cli.cluster.platform import ClusterPlatform
    from platform_cli.config import Config
    from platform_cli.layout import Layout
    from platform_cli.stage import Stage
    from platform_cli.status import Layer

_ENDPOINT = "cluster_endpoint"
# What decides which components there are, as each cloud's roots have it unless their tfvars say otherwise.
_EXPECTED = {
    CloudName.AWS: ("aws-secrets-manager", "karpenter"),
    CloudName.AZURE: ("azure-key-vault", "cluster-autoscaler"),
    CloudName.GCP: ("gcp-secret-manager", "cluster-autoscaler"),
}


class Composition:
    """The components of one target. `read_record` tells what Terraform's state holds.

    While there is no cluster its components are planned from the configuration alone: what their values are is known
    once the infrastructure is there.
    """

    def __init__(self, config: Config, layout: Layout, read_record: Callable[[], Record | None]) -> None:
        self._config = config
        self._layout = layout
        self._read_record = read_record
        self._is_renewed = False

    @property
    def is_wanted(self) -> bool:
        """Whether components are installed at all."""
        return self._config.components.install

    def has_cluster(self) -> bool:
        """Whether Terraform made a cluster, and it was not taken away again."""
        record = self._read_record()
        return bool(record and record.resources and record.outputs.get(_ENDPOINT))

    @cached_property
    def platform(self) -> ClusterPlatform:
        """The platform on the cluster as the infrastructure is now."""
        from platform_cli.clouds.access import open_access, read_outputs
        from platform_cli.cluster.platform import open_platform

        known = self.has_cluster()
        return open_platform(
            self._config,
            access=lambda: open_access(self._config, self._layout),
            outputs=lambda: read_outputs(self._config, self._layout) if known else expect_outputs(self._config),
            known=known,
        )

    @contextmanager
    def hold(self, home: Path, command: str) -> Iterator[None]:
        """Keep commands of other machines, with other target folders than `home`, from changing the cluster.

        One that is yet to be made, or cannot be reached, is nobody's.

        Raises:
            StateError: another command changes it; the message says which.
        """
        with ExitStack() as held:
            if self.is_wanted and self.has_cluster():
                with suppress(PreflightError):
                    lease = hold_lease(self.platform.kubernetes, LEASE_NAME, home=home, command=command)
                    held.enter_context(lease)
            yield

    def renew(self) -> None:
        """Forget what was known of the infrastructure: it has changed."""
        self.__dict__.pop("platform", None)
        self._is_renewed = True

    def observe(self, look: Look) -> ClusterFacts | None:
        """What is on the cluster; None where there is none, or where a deploy cannot ask it.

        Raises:
            PreflightError: an upgrade cannot ask it.
        """
        if look.offline or not self.is_wanted or not self.has_cluster():
            return None
        try:
            return self.platform.observe(deploys=look.operation is not Operation.DESTROY)
        except PreflightError as error:
            if look.operation is Operation.UPGRADE:
                raise
            # The infrastructure may be what has to be mended first.
            text = f"{error.message}; its components are planned as if they were not there"
            look.emit(Notice(level="warning", text=text))
            return None

    def list_stages(self) -> tuple[Stage, ...]:
        """Everything that should hold on the cluster, after the infrastructure."""
        return self.platform.list_stages((ROOT_STAGE,)) if self.is_wanted else ()

    def list_notes(self, stages: Sequence[Stage], before: ClusterFacts | None) -> tuple[str, ...]:
        """One line for each component that these stages move."""
        from platform_cli.cluster.upgrade import describe_moves

        return describe_moves(stages, before, self.platform.components) if before else ()

    def list_removals(self, *, delete_crds: bool = False) -> tuple[Stage, ...]:
        """What must go before the cluster does: whatever holds resources of the cloud that Terraform does not know.

        Volumes go with it whatever is kept: what outlives a cluster lies in buckets and in the database. CRDs go with
        the cluster as well, unless somebody wants to see them gone before.
        """
        if not self.is_wanted or not self.has_cluster():
            return ()
        return self.platform.list_removals(keep_data=False, delete_crds=delete_crds)

    def run_stage(self, stage: Stage, emit: Emit) -> str:
        """Do the work of one stage on the cluster; values follow from the infrastructure as it is by now."""
        if self._is_renewed and isinstance(stage.work, HelmRelease):
            stage = replace(stage, work=replace(stage.work, inputs=""))
        return self.platform.run_stage(stage, emit)

    def inspect(self) -> tuple[Layer, ...]:
        """How each component is; nothing where there is no cluster."""
        return self.platform.inspect() if self.is_wanted and self.has_cluster() else ()

    def require(self, what: str) -> ClusterPlatform:
        """The platform, for who uses a part of it.

        Raises:
            NotReadyError: there is no cluster, or no components are installed.
        """
        target = self._config.target
        if not self.is_wanted:
            raise NotReadyError(f"{target} has no {what}: components.install is false", hint="set it to true, deploy")
        if not self.has_cluster():
            hint = f"mlops deploy --cloud {target.cloud} --env {target.env}"
            raise NotReadyError(f"{target} has no {what}: it is not deployed", hint=hint)
        return self.platform


def expect_outputs(config: Config) -> ClusterOutputs:
    """What the infrastructure will probably hand on, as far as it decides which components there are."""
    from platform_cli.cluster.outputs import Autoscaler, SecretStore, existing_outputs

    store, autoscaler = _EXPECTED.get(config.cloud, ("kubernetes", "none"))
    return replace(
        existing_outputs(config), secret_store=SecretStore(kind=store), autoscaler=Autoscaler(kind=autoscaler)
    )
