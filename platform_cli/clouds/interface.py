"""What a cloud must be able to do. A new cloud is a module with such a class and a line in `registry.CLOUDS`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from platform_cli.plan import Operation

if TYPE_CHECKING:
    from platform_cli.clouds.terraform.state_place import StatePlace
    from platform_cli.cluster.restore import Saved
    from platform_cli.doctor import Check
    from platform_cli.events import Emit, Event
    from platform_cli.serving.interface import Serving
    from platform_cli.stage import Facts, Stage
    from platform_cli.status import Layer
    from platform_cli.tools.mlflow import Registry
    from platform_cli.workflow.interface import Engine


def ignore(event: Event) -> None:
    """An `Emit` for whom nobody listens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Why and how a target is looked at.

    Attributes:
        operation: what is to be planned from it.
        emit: told how it goes; with Terraform a look takes a while.
        saved: Terraform's saved plan to take instead of a new one.
        keep_data: of a destroy, whether what holds data stays.
        offline: whether neither cloud nor Terraform is asked; what cannot be seen so is told by a `Notice`.
    """

    operation: Operation = Operation.DEPLOY
    emit: Emit = ignore
    saved: Path | None = None
    keep_data: bool = False
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """What was looked for after a destroy.

    Attributes:
        checked: what was looked for and not found, one line each.
        leftovers: what is still there, one line each; empty means clean.
        kept: what was kept on purpose, and where.
        unchecked: what could not be looked for, and why.
    """

    checked: tuple[str, ...]
    leftovers: tuple[str, ...]
    kept: tuple[str, ...]
    unchecked: tuple[str, ...] = ()


class Cloud(Protocol):
    """One target on one cloud. Nothing is read or changed before a method is called."""

    def observe(self, look: Look) -> Facts:
        """Look at what is there. Changes nothing but the target's folder on this machine."""

    def list_stages(self) -> tuple[Stage, ...]:
        """Everything that should hold once deployed, in order. Pure."""

    def list_removals(self, *, keep_data: bool, delete_crds: bool = False) -> tuple[Stage, ...]:
        """Everything that must be undone, in order; with `delete_crds` definitions of custom resources too. Pure."""

    def run_stage(self, stage: Stage, emit: Emit) -> str:
        """Do the work of one stage; safe to repeat. Returns one line about it.

        Raises:
            MlopsError: the work failed; what was done stays, and the next run goes on from there.
        """

    def prove_gone(self, before: Facts, *, keep_data: bool) -> Proof:
        """Look for anything that is left after the removals; `before` is what was there before them."""

    def inspect(self, *, refresh: bool = False) -> tuple[Layer, ...]:
        """Tell how each layer is; empty when nothing is deployed.

        With `refresh` the cloud is asked, and a layer `drift` lists what changed behind our back; without it what the
        last command recorded is told.
        """

    def list_checks(self, *, offline: bool) -> tuple[Check, ...]:
        """What must be true of this machine and, unless `offline`, of the account before a deploy."""

    def require_deployed(self) -> None:
        """Refuse to go on without a platform.

        Raises:
            NotReadyError: the target is not deployed.
        """

    def forward(self, services: Sequence[str], *, port: int | None, shows_credentials: bool, emit: Emit) -> None:
        """Serve dashboards and models on this machine until Ctrl-C; each tells how it does as `Forwarded` events.

        Args:
            services: names such as `mlflow`, `grafana` or `model/iris`; `all` stands for every dashboard.
            port: port on this machine, for a single service; None means the service's usual one, or the next free one.
            shows_credentials: whether passwords are told, rather than where they are.
            emit: may be called from threads.

        Raises:
            UsageError: there is no such service.
            NotReadyError: the platform is not up, or has no such part.
        """

    def engine(self) -> Engine:
        """What runs workflows on this target.

        Raises:
            NotReadyError: the target is not deployed.
        """

    def registry(self) -> Registry:
        """Where models are registered on this target.

        Raises:
            NotReadyError: the platform is not up.
        """

    def serving(self) -> Serving:
        """What serves models on this target.

        Raises:
            NotReadyError: the target is not deployed.
        """


@runtime_checkable
class Shared(Protocol):
    """A cloud that is changed from several machines, so that the target's own lock is not enough."""

    def hold(self, command: str) -> AbstractContextManager[None]:
        """Keep others from changing the same place.

        Raises:
            StateError: another command changes it; the message says which.
        """


@runtime_checkable
class Upgrades(Protocol):
    """A cloud whose components have versions of their own."""

    def list_upgrades(self, before: Facts) -> tuple[Stage, ...]:
        """A backup, then everything that should hold; none when no component's version moves. Pure.

        Raises:
            RefusedError: a component would skip a major version, or go back.
        """

    def list_notes(self, stages: Sequence[Stage], before: Facts) -> tuple[str, ...]:
        """One line for each component that these stages move, such as where to read what a new version breaks. Pure."""

    def roll_back(self, before: Facts, done: Collection[str], emit: Emit) -> tuple[str, ...]:
        """Bring what moved since `before` back, but the stages that are `done`; returns lines about what moved."""

    def restore(self, saved: Saved, emit: Emit) -> tuple[str, ...]:
        """Put a backup back; returns lines about it."""


@runtime_checkable
class KeepsState(Protocol):
    """A cloud that Terraform makes, and whose state is therefore to be kept."""

    @property
    def state(self) -> StatePlace:
        """Where the state lies, and what can be done with it."""
