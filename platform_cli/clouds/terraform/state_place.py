"""Where one target's state lies, and what can be done with it: the way in for `mlops state`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from platform_cli.clouds.terraform.backend import StateBackend, StateService, StateStore
from platform_cli.clouds.terraform.backend_local import LocalBackend
from platform_cli.clouds.terraform.state_bootstrap import Bootstrap, Move, bootstrap, remove_store
from platform_cli.clouds.terraform.state_change import Confirm, TargetState
from platform_cli.clouds.terraform.state_choice import Choice, read_choice
from platform_cli.errors import UsageError

if TYPE_CHECKING:
    from platform_cli.clouds.terraform.work_copy import WorkCopy
    from platform_cli.events import Emit


class StatePlace:
    """Platform.yaml says where the state lies, else what bootstrap recorded, else it is on this machine."""

    def __init__(self, copy: WorkCopy, service: StateService | None) -> None:
        self._copy, self._service = copy, service

    @cached_property
    def backend(self) -> StateBackend:
        """The backend that holds now."""
        choice = self._choice
        if choice is None or self._service is None:
            return self._local
        return self._service.open_backend(choice.settings, self._copy.backend_arguments)

    @cached_property
    def target(self) -> TargetState:
        """The state itself."""
        return TargetState(self._copy.name, self.backend, self._copy.root, self._local.backups)

    def bootstrap(self, store_name: str, *, confirm: Confirm, emit: Emit) -> Bootstrap:
        """Have the store, and the state in it.

        Raises:
            UsageError: states of this cloud stay on this machine.
            MlopsError: see `state_bootstrap.bootstrap`.
        """
        return bootstrap(self._move, store_name, confirm=confirm, emit=emit)

    def remove_store(self, *, confirm: Callable[[StateStore], None]) -> str:
        """Remove the store; see `state_bootstrap.remove_store`."""
        return remove_store(self._move, confirm=confirm)

    def list_kept(self) -> tuple[str, ...]:
        """What a destroy leaves on purpose: the store, where there is one."""
        if self.backend.kind == self._local.kind:
            return ()
        return (f"{self.backend.place}: the state's store stays; mlops state remove-store takes it away",)

    @property
    def _move(self) -> Move:
        if self._service is None:
            raise UsageError(
                f"the state of {self._copy.name} stays on this machine, as what it describes does",
                hint="mlops state backup FILE copies it",
            )
        return Move(
            name=self._copy.name,
            local=self._local,
            service=self._service,
            arguments=self._copy.backend_arguments,
            choice=self._copy.home.state_choice,
            current=self._choice,
            region=self._copy.region,
        )

    @property
    def _local(self) -> LocalBackend:
        return LocalBackend(self._copy.state)

    @property
    def _choice(self) -> Choice | None:
        named = self._service.configured(self._copy.region) if self._service else None
        if self._service is not None and named:
            return Choice(self._service.kind, named)
        return read_choice(self._copy.home.state_choice)
