"""Upgrade: look, plan, ask, back up, move the versions, and take back those that do not come up."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from platform_cli.apply import apply_plan
from platform_cli.change import Confirm, changing, holding, refuse_loss
from platform_cli.clouds.interface import Look, Upgrades, ignore
from platform_cli.cluster.work import Backup
from platform_cli.errors import InterruptedByUser, MlopsError, UsageError
from platform_cli.events import Emit, Event, Notice, StageFinished
from platform_cli.journal import Journal
from platform_cli.plan import Operation, Plan, build_plan
from platform_cli.render.record import recorded
from platform_cli.stage import Facts, Stage

if TYPE_CHECKING:
    from platform_cli.clouds.interface import Cloud
    from platform_cli.layout import TargetHome
    from platform_cli.target import Target


def plan_upgrade(cloud: Cloud, target: Target, *, emit: Emit = ignore, artifacts: bool = True) -> tuple[Plan, Facts]:
    """What an upgrade would do now, and what it is planned from; its backup may leave `artifacts` out. Changes nothing.

    Raises:
        UsageError: the cloud has no components with versions of their own.
        RefusedError: a component would skip a major version, or go back.
    """
    if not isinstance(cloud, Upgrades):
        raise UsageError(f"{target} has no components to upgrade", hint="install a newer mlops, then mlops deploy")
    before = cloud.observe(Look(operation=Operation.UPGRADE, emit=emit))
    stages = tuple(_choose(stage, artifacts=artifacts) for stage in cloud.list_upgrades(before))
    notes = cloud.list_notes(stages, before)
    return build_plan(Operation.UPGRADE, str(target), stages, before, notes=notes), before


def _choose(stage: Stage, *, artifacts: bool) -> Stage:
    return replace(stage, work=replace(stage.work, artifacts=artifacts)) if isinstance(stage.work, Backup) else stage


def upgrade(
    cloud: Cloud,
    target: Target,
    home: TargetHome,
    *,
    confirm: Confirm,
    emit: Emit,
    allow_replace: bool = False,
    artifacts: bool = True,
) -> Plan:
    """Move components to the versions of this mlops; what fails goes back, what was interrupted goes on later.

    Raises:
        RefusedError: the answer was no, data would be lost, or a step is too large; nothing was changed.
        MlopsError: a stage failed; what did not come up is at its version of before again, if that is possible, and
            what came up stays: `details` say which.
    """
    with changing(home, target, "mlops upgrade"):
        plan, before = plan_upgrade(cloud, target, emit=emit, artifacts=artifacts)
        if not allow_replace:
            refuse_loss(plan)
        confirm(plan)
        if not plan.changes:
            apply_plan(plan, run=cloud.run_stage, journal=Journal(home.journal), emit=emit)
            return plan
        log = home.logs / "upgrade.log"
        with holding(cloud, "mlops upgrade"), Journal(home.journal) as journal, recorded(emit, log) as emit_twice:
            for note in plan.notes:
                # The plan has shown them to whoever watches: this is for the log and for programs.
                emit_twice(Notice(level="detail", text=note))
            done: set[str] = set()

            def watch(event: Event) -> None:
                emit_twice(event)
                if isinstance(event, StageFinished) and event.outcome != "failed":
                    done.add(event.stage)

            try:
                apply_plan(plan, run=cloud.run_stage, journal=journal, emit=watch)
            except InterruptedByUser:
                raise
            except MlopsError as error:
                _go_back(cloud, before, done, error, emit_twice)
                raise
        return plan


def _go_back(cloud: Cloud, before: Facts, done: Collection[str], error: MlopsError, emit: Emit) -> None:
    """Roll back, and say so in the error; when that fails too, the first reason still counts."""
    try:
        lines = cloud.roll_back(before, done, emit) if isinstance(cloud, Upgrades) else ()
    except MlopsError as second:
        error.details = (*error.details, f"it could not be rolled back: {second.message}", *second.details)
        return
    error.details = (*error.details, *(lines or ("no component had moved",)))
