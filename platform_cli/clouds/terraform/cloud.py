"""A cloud made by Terraform as every command sees it; what differs between clouds is in its `Provider`."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from platform_cli.clouds.interface import ignore
from platform_cli.clouds.terraform import check, health, removal
from platform_cli.clouds.terraform.composition import Composition
from platform_cli.clouds.terraform.demolition import Demolition
from platform_cli.clouds.terraform.drift import inspect_drift
from platform_cli.clouds.terraform.offline import OFFLINE, Reading, plan_offline
from platform_cli.clouds.terraform.planner import Planner
from platform_cli.clouds.terraform.removal import ROOT_STAGE
from platform_cli.clouds.terraform.retention import read_kept
from platform_cli.clouds.terraform.state import read_state
from platform_cli.clouds.terraform.state_change import open_record
from platform_cli.clouds.terraform.state_place import StatePlace
from platform_cli.clouds.terraform.survey import Survey
from platform_cli.clouds.terraform.variable import choose_variables, list_variables
from platform_cli.clouds.terraform.work_copy import WorkCopy
from platform_cli.errors import NotReadyError
from platform_cli.events import Notice
from platform_cli.journal import read_history
from platform_cli.plan import Operation
from platform_cli.runner import ProcessRunner, Runner
from platform_cli.stage import Facts, RemoveFiles, Stage, TerraformRoot

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from platform_cli.clouds.interface import Look, Proof
    from platform_cli.clouds.terraform.provider import Provider
    from platform_cli.clouds.terraform.state import Record
    from platform_cli.cluster.restore import Saved
    from platform_cli.config import Config
    from platform_cli.doctor import Check
    from platform_cli.events import Emit
    from platform_cli.layout import Layout
    from platform_cli.resource import RootPlan
    from platform_cli.serving.interface import Serving
    from platform_cli.status import Layer
    from platform_cli.tools.mlflow import Registry
    from platform_cli.workflow.interface import Engine


class TerraformCloud:
    """One target on one cloud."""

    def __init__(self, config: Config, layout: Layout, provider: Provider, *, runner: Runner | None = None) -> None:
        self._config = config
        self._provider = provider
        self._home = layout.home(config.target.name)
        self._copy = WorkCopy(layout.terraform, self._home, config.target, is_locked=not config.terraform.plugin_dirs)
        self._runner = runner or ProcessRunner()
        self._composition = Composition(config, layout, self._find_deployed)

    def observe(self, look: Look) -> Facts:
        """See `Cloud.observe`.

        A deploy is always planned by Terraform, a destroy when its state holds something, an upgrade never.
        """
        record = self._recorded(look.emit) if look.offline else self._record()
        history = read_history(self._home.journal)
        if look.offline:
            roots = {self._copy.name: self._plan_offline(look, record)}
        elif look.operation is Operation.DEPLOY:
            roots = {self._copy.name: self._planner.plan(look)}
        else:
            ends = look.operation is Operation.DESTROY and record and record.resources
            roots = self._demolition.plan(look) if ends else {}
        return Facts(
            entries=removal.list_entries(self._home),
            roots=roots,
            cluster=self._composition.observe(look),
            deployment=removal.find_deployment(self._home, record),
            applied=history.applied,
            interrupted=history.interrupted,
        )

    def list_stages(self) -> tuple[Stage, ...]:
        """See `Cloud.list_stages`."""
        self._copy.require_source()
        root = TerraformRoot(self._copy.name, self._copy.digest(self._variables))
        return (Stage(ROOT_STAGE, "infrastructure", root), *self._composition.list_stages())

    def list_removals(self, *, keep_data: bool, delete_crds: bool = False) -> tuple[Stage, ...]:
        """See `Cloud.list_removals`.

        Raises:
            RefusedError: data is to be kept, and there is none that outlives the cluster.
        """
        if keep_data:
            removal.require_retention(self._copy.name, possible=self._provider.retention is not None)
        root = TerraformRoot(self._copy.name, self._copy.digest(self._variables))
        on_cluster = self._composition.list_removals(delete_crds=delete_crds)
        return removal.list_removals(root, self._home, keep_data=keep_data, cluster=on_cluster)

    def run_stage(self, stage: Stage, emit: Emit) -> str:
        """See `Cloud.run_stage`."""
        match stage.work:
            case TerraformRoot(destroys=True):
                return self._demolition.destroy(stage.work, emit)
            case TerraformRoot():
                self._composition.renew()
                return self._planner.apply(stage.work, emit)
            case RemoveFiles():
                drop = self._provider.drop_snapshots
                return removal.remove_files(stage.work, self._home, self._record(), drop)
            case _:
                return self._composition.run_stage(stage, emit)

    def hold(self, command: str) -> AbstractContextManager[None]:
        """See `Shared.hold`; Terraform locks its own state."""
        return self._composition.hold(self._home.root, command)

    def list_upgrades(self, before: Facts) -> tuple[Stage, ...]:
        """See `Upgrades.list_upgrades`; the infrastructure is left to a deploy.

        Raises:
            NotReadyError: there is no cluster, or no components are installed.
        """
        return self._composition.require("components").list_upgrades(before.cluster, self._home.backups)

    def list_notes(self, stages: Sequence[Stage], before: Facts) -> tuple[str, ...]:
        """See `Upgrades.list_notes`."""
        return self._composition.list_notes(stages, before.cluster)

    def roll_back(self, before: Facts, done: Collection[str], emit: Emit) -> tuple[str, ...]:
        """See `Upgrades.roll_back`."""
        return self._composition.platform.roll_back(before.cluster, done, self._home.backups, emit)

    def restore(self, saved: Saved, emit: Emit) -> tuple[str, ...]:
        """See `Upgrades.restore`."""
        return self._composition.require("components").restore(saved, emit)

    def prove_gone(self, before: Facts, *, keep_data: bool) -> Proof:
        """See `Cloud.prove_gone`."""
        sweep = self._provider.sweep
        proof = removal.prove_gone(self._home, self._record(), before.deployment, sweep, keep_data=keep_data)
        return replace(proof, kept=(*proof.kept, *self.state.list_kept()))

    def inspect(self, *, refresh: bool = False) -> tuple[Layer, ...]:
        """See `Cloud.inspect`."""
        record = self._record()
        if record is None:
            return ()
        interrupted = read_history(self._home.journal).interrupted
        layers = health.inspect(record, self._provider.layers, interrupted=bool(interrupted))
        layers = (*layers, *self._composition.inspect())
        if not refresh or not record.resources:
            return layers
        probe = self._provider.probe
        asked = health.ask(probe.open(str(record.outputs.get("region", ""))), record, layers) if probe else layers
        return (*asked, inspect_drift(self._planner, ignore))

    def list_checks(self, *, offline: bool) -> tuple[Check, ...]:
        """See `Cloud.list_checks`."""
        checks = check.list_checks(self._config, self._home, self._copy, self._planner.terraform)
        if self._provider.probe is None:
            return checks
        access = check.hold_access(
            lambda: self._read().variable("cluster_access"),
            installs=self._composition.is_wanted,
            is_there=self._composition.has_cluster,
        )
        checks = (*checks, access)
        if offline or not self._config.preflight.account:
            return checks
        region = str(self._read().variable("region"))
        survey = Survey(self._provider.probe, region, self._read, self._record)
        return (*checks, *survey.list_checks(), check.hold_state(self.state))

    def require_deployed(self) -> None:
        """See `Cloud.require_deployed`."""
        if self._find_deployed() is None:
            raise NotReadyError(f"{self._config.target} is not deployed", hint=f"mlops deploy {self._flags}")

    def forward(self, services: Sequence[str], *, port: int | None, shows_credentials: bool, emit: Emit) -> None:
        """See `Cloud.forward`."""
        platform = self._composition.require(f"dashboard {', '.join(services)}")
        platform.forward(services, port=port, shows_credentials=shows_credentials, emit=emit)

    def engine(self) -> Engine:
        """See `Cloud.engine`."""
        return self._composition.require("workflows").engine()

    def registry(self) -> Registry:
        """See `Cloud.registry`."""
        return self._composition.require("models").registry()

    def serving(self) -> Serving:
        """See `Cloud.serving`."""
        return self._composition.require("serving").serving()

    def _find_deployed(self) -> Record | None:
        """What the state holds, when a cluster is in it; outputs outlive one that data was kept of."""
        record = self._record()
        return record if record and record.select(self._provider.layers["cluster"]) else None

    def read_record(self) -> Record | None:
        """What Terraform's state holds; None when there is none.

        Raises:
            StateError: it cannot be read.
        """
        return self._record()

    @cached_property
    def state(self) -> StatePlace:
        """Where Terraform's state lies, and what can be done with it."""
        return StatePlace(self._copy, self._provider.states)

    def _read(self, account: str = "") -> Reading:
        """The root as its files say, for an account."""
        bare = Reading(self._folder, self._variables)
        probe = self._provider.probe
        return replace(bare, assumed=probe.assume(str(bare.variable("region")), account)) if probe else bare

    def _plan_offline(self, look: Look, record: Record | None) -> RootPlan:
        return plan_offline(
            self._read(),
            record,
            file=self._copy.plans / "offline.tfplan",
            data_types=self._provider.data_types,
            prices=self._copy.source.parent / "prices",
            cloud=self._config.cloud,
            destroys=look.operation is Operation.DESTROY,
        )

    def _recorded(self, emit: Emit) -> Record | None:
        """The state as far as it is on this machine."""
        emit(Notice(level="hint", text=OFFLINE))
        return read_state(self._copy.state)

    def _record(self) -> Record | None:
        return open_record(self.state.backend)

    @property
    def _flags(self) -> str:
        return f"--cloud {self._config.cloud} --env {self._config.env}"

    @cached_property
    def _variables(self) -> dict[str, object]:
        retention = self._provider.retention
        kept = read_kept(removal.kept_file(self._home)) if retention and retention.variable else None
        adopted = {retention.variable: {"restore": kept.restore}} if retention and kept and kept.restore else {}
        given = list_variables(self._config, {**self._provider.variables, **adopted})
        return choose_variables(self._config.terraform.variables, given, self._folder)

    @property
    def _folder(self) -> Path:
        """The root as it is delivered."""
        return self._copy.source / "environments" / self._copy.name

    @property
    def _demolition(self) -> Demolition:
        return Demolition(self._planner, self._provider)

    @cached_property
    def _planner(self) -> Planner:
        return Planner(
            copy=self._copy,
            backend=self.state.backend,
            variables=self._variables,
            data_types=self._provider.data_types,
            config=self._config.terraform,
            runner=self._runner,
            environ={**os.environ, **self._provider.environment},
        )
