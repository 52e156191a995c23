"""Upgrade: look, plan, ask, back up, move the versions, and go back when that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_cli.apply import apply_plan
from platform_cli.change import Confirm, changing, holding, refuse_loss
from platform_cli.clouds.interface import Look, Upgrades, ignore
from platform_cli.errors import InterruptedByUser, MlopsError, UsageError
from platform_cli.events import Emit, Notice
from platform_cli.journal import Journal
from platform_cli.plan import Operation, Plan, build_plan
from platform_cli.render.record import recorded
from platform_cli.stage import Facts

if TYPE_CHECKING:
    from platform_cli.clouds.interface import Cloud
    from platform_cli.layout import TargetHome
    from platform_cli.target import Target


def plan_upgrade(cloud: Cloud, target: Target, *, emit: Emit = ignore) -> tuple[Plan, Facts]:
    """What an upgrade would do now, and what it is planned from. Changes nothing.

    Raises:
        UsageError: the cloud has no components with versions of their own.
        RefusedError: a component would skip a major version, or go back.
    """
    if not isinstance(cloud, Upgrades):
        raise UsageError(f"{target} has no components to upgrade", hint="install a newer mlops, then mlops deploy")
    before = cloud.observe(Look(operation=Operation.UPGRADE, emit=emit))
    stages = cloud.list_upgrades(before)
    notes = cloud.list_notes(stages, before)
    return build_plan(Operation.UPGRADE, str(target), stages, before, notes=notes), before


def upgrade(
    cloud: Cloud, target: Target, home: TargetHome, *, confirm: Confirm, emit: Emit, allow_replace: bool = False
) -> Plan:
    """Move components to the versions of this mlops; what fails is rolled back, what was interrupted goes on later.

    Raises:
        RefusedError: the answer was no, data would be lost, or a step is too large; nothing was changed.
        MlopsError: a stage failed; every component is at its version of before again.
    """
    with changing(home, target, "mlops upgrade"):
        plan, before = plan_upgrade(cloud, target, emit=emit)
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
            try:
                apply_plan(plan, run=cloud.run_stage, journal=journal, emit=emit_twice)
            except InterruptedByUser:
                raise
            except MlopsError as error:
                _go_back(cloud, before, error, emit_twice)
                raise
        return plan


def _go_back(cloud: Cloud, before: Facts, error: MlopsError, emit: Emit) -> None:
    """Roll back, and say so in the error; when that fails too, the first reason still counts."""
    try:
        names = cloud.roll_back(before, emit) if isinstance(cloud, Upgrades) else ()
    except MlopsError as second:
        error.details = (*error.details, f"it could not be rolled back: {second.message}", *second.details)
        return
    told = f"rolled back: {', '.join(names)}" if names else "no component had moved"
    error.details = (*error.details, told)
