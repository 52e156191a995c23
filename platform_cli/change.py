"""Deploy and destroy: look, plan, ask, do, and after a destroy prove it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from platform_cli.apply import apply_plan
from platform_cli.clouds.interface import Look, Shared, Upgrades, ignore
from platform_cli.doctor import run_checks
from platform_cli.errors import PreflightError, RefusedError, StateError
from platform_cli.events import Emit, Notice
from platform_cli.journal import Journal, read_history
from platform_cli.layout import TargetHome
from platform_cli.lock import hold_lock
from platform_cli.plan import Operation, Plan, build_plan
from platform_cli.render.record import recorded
from platform_cli.target import Target

if TYPE_CHECKING:
    from platform_cli.clouds.interface import Cloud, Proof
    from platform_cli.saved import SavedPlan

_LEFT = "mlops deploy refuses to move a version: mlops upgrade does, after a backup"
Confirm = Callable[[Plan], None]
"""Shows a plan and asks; raises when the answer is no."""


def plan_deploy(
    cloud: Cloud, target: Target, *, emit: Emit = ignore, saved: SavedPlan | None = None, offline: bool = False
) -> Plan:
    """What a deploy would do now, or what the saved plan does. Changes nothing; `offline` asks no cloud.

    Its notes are the components that would get another version: a deploy refuses those.

    Raises:
        RefusedError: the saved plan is stale or for another target.
    """
    look = Look(operation=Operation.DEPLOY, emit=emit, saved=saved.terraform if saved else None, offline=offline)
    # What others run on a cluster decides what is made there: it is seen first.
    facts = cloud.observe(look)
    stages = cloud.list_stages()
    moves = cloud.list_notes(stages, facts) if isinstance(cloud, Upgrades) else ()
    notes = (*moves, _LEFT) if moves else ()
    plan = build_plan(Operation.DEPLOY, str(target), stages, facts, notes=notes)
    if saved is not None:
        saved.require_same(plan)
    return plan


def plan_destroy(cloud: Cloud, target: Target, *, keep_data: bool, emit: Emit = ignore, offline: bool = False) -> Plan:
    """What a destroy would do now. Changes nothing; `offline` asks no cloud."""
    look = Look(operation=Operation.DESTROY, emit=emit, keep_data=keep_data, offline=offline)
    return build_plan(Operation.DESTROY, str(target), cloud.list_removals(keep_data=keep_data), cloud.observe(look))


def deploy(
    cloud: Cloud,
    target: Target,
    home: TargetHome,
    *,
    confirm: Confirm,
    emit: Emit,
    allow_replace: bool = False,
    saved: SavedPlan | None = None,
) -> Plan:
    """Make the platform as it should be; on one that is, nothing is changed or written.

    With `allow_replace` resources that hold data may be replaced or destroyed; `saved` is carried out instead of a new
    plan.

    Raises:
        RefusedError: the answer was no, data would be lost, a component would get another version, or the saved plan
            is stale; nothing was changed.
        StateError: another command changes the target.
        PreflightError: the machine is not fit; nothing was changed.
        MlopsError: a stage failed; the next deploy goes on from there.
    """
    with changing(home, target, "mlops deploy"):
        _require_fit(cloud, target, emit)
        plan = plan_deploy(cloud, target, emit=emit, saved=saved)
        _refuse_moves(plan)
        if not allow_replace:
            refuse_loss(plan)
        confirm(plan)
        if not plan.changes:
            apply_plan(plan, run=cloud.run_stage, journal=Journal(home.journal), emit=emit)
            return plan
        log = home.logs / "deploy.log"
        with holding(cloud, "mlops deploy"), Journal(home.journal) as journal, recorded(emit, log) as emit_twice:
            apply_plan(plan, run=cloud.run_stage, journal=journal, emit=emit_twice)
        return plan


def destroy(
    cloud: Cloud,
    target: Target,
    home: TargetHome,
    *,
    keep_data: bool,
    confirm: Confirm,
    emit: Emit,
    delete_crds: bool = False,
) -> Proof:
    """Take the platform away and look for anything that is left; nothing there is fine.

    Raises:
        StateError: another command changes the target.
        MlopsError: a stage failed; the next destroy goes on from there.
    """
    with changing(home, target, "mlops destroy"):
        _drop_broken_journal(home)
        before = cloud.observe(Look(operation=Operation.DESTROY, emit=emit, keep_data=keep_data))
        removals = cloud.list_removals(keep_data=keep_data, delete_crds=delete_crds)
        plan = build_plan(Operation.DESTROY, str(target), removals, before)
        confirm(plan)
        with holding(cloud, "mlops destroy"), Journal(home.journal) as journal:
            apply_plan(plan, run=cloud.run_stage, journal=journal, emit=emit)
            journal.discard()
        _remove_if_empty(home.root)
        return cloud.prove_gone(before, keep_data=keep_data)


def holding(cloud: Cloud, command: str) -> contextlib.AbstractContextManager[None]:
    """Keep commands on other machines from changing the same cloud, where there can be any."""
    return cloud.hold(command) if isinstance(cloud, Shared) else contextlib.nullcontext()


@contextlib.contextmanager
def changing(home: TargetHome, target: Target, command: str) -> Iterator[None]:
    """Hold the target's lock; a folder that only the lock was in goes with it."""
    try:
        with hold_lock(home.lock, target=str(target), command=command):
            yield
    finally:
        _remove_if_empty(home.lock.parent)


def _drop_broken_journal(home: TargetHome) -> None:
    """What cannot be read cannot say what to remove; the stages look for themselves."""
    try:
        read_history(home.journal)
    except StateError:
        Journal(home.journal).discard()


def _refuse_moves(plan: Plan) -> None:
    """Leave versions to the command that backs up before it moves them, and can go back."""
    if plan.notes:
        raise RefusedError(
            f"{plan.target}: installed components would get another version; nothing was changed",
            hint="mlops upgrade moves them, after a backup",
            details=tuple(note for note in plan.notes if note != _LEFT),
        )


def refuse_loss(plan: Plan) -> None:
    """Refuse a plan that loses data.

    Raises:
        RefusedError: it does.
    """
    if plan.dangers:
        raise RefusedError(
            f"{plan.target}: data would be lost; nothing was changed",
            hint="keep a copy of the data, then give --allow-replace",
            details=tuple(f"{change.action} {change.address}" for change in plan.dangers),
        )


def _require_fit(cloud: Cloud, target: Target, emit: Emit) -> None:
    """Before anything is planned. What only advises is told, where the account was asked."""
    checks = cloud.list_checks(offline=False)
    results = run_checks(checks, thorough=False)
    asked = {check.name for check in checks if check.asks}
    failed = [result for result in results if result.failed]
    for result in results:
        if result.name in asked and not result.finding.ok and result not in failed:
            emit(Notice(level="warning", text=f"{result.name}: {result.finding.found}; {result.finding.fix}"))
    if failed:
        lines = tuple(f"{result.name}: {result.finding.found}; {result.finding.fix}" for result in failed)
        raise PreflightError(f"this machine is not fit for {target}", hint="mlops doctor", details=lines)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
