"""Runs the stages of a plan in order and writes each into the journal before and after."""

from __future__ import annotations

import contextlib
import errno
import time
from collections import Counter
from collections.abc import Callable

from platform_cli.errors import InterruptedByUser, MlopsError, StateError, ToolError
from platform_cli.events import Emit, PlanFinished, PlanStarted, StageFinished, StageStarted
from platform_cli.journal import Recorder
from platform_cli.plan import Plan, PlannedStage, Risk
from platform_cli.stage import Stage

RunStage = Callable[[Stage, Emit], str]

_OUTCOMES = {
    Risk.NONE: "unchanged",
    Risk.CREATE: "created",
    Risk.CHANGE: "changed",
    Risk.REPLACE: "replaced",
    Risk.DESTROY: "destroyed",
}


def apply_plan(plan: Plan, *, run: RunStage, journal: Recorder, emit: Emit) -> None:
    """Run every stage that changes something; a stage that failed or was cut off runs again in the next plan.

    `run` does the work of one stage and returns one line about it.

    Raises:
        MlopsError: what the stage that failed said; later stages did not run.
        InterruptedByUser: Ctrl-C.
    """
    began = time.monotonic()
    titles = tuple(planned.stage.title for planned in plan.changes)
    emit(PlanStarted(operation=plan.operation, target=plan.target, stages=len(plan.stages), titles=titles))
    for index, planned in enumerate(plan.stages, start=1):
        if planned.risk is Risk.NONE:
            _finish(planned, "unchanged", time.monotonic(), planned.reason, emit)
        else:
            stage = planned.stage
            emit(StageStarted(stage=stage.name, title=stage.title, index=index, total=len(plan.stages)))
            _run_stage(plan, planned, run, journal, emit)
    outcomes = Counter(_OUTCOMES[planned.risk] for planned in plan.stages)
    emit(
        PlanFinished(
            operation=plan.operation,
            target=plan.target,
            outcomes=dict(outcomes),
            seconds=time.monotonic() - began,
        )
    )


def _run_stage(plan: Plan, planned: PlannedStage, run: RunStage, journal: Recorder, emit: Emit) -> None:
    began, stage = time.monotonic(), planned.stage
    journal.record(plan=plan.digest, stage=stage.name, digest=stage.digest, phase="started")
    try:
        detail = _explain_failures(stage, run, emit)
    except MlopsError as error:
        _finish(planned, "failed", began, error.message, emit)
        # On a full disk this cannot be written either; the entry `started` then says the same.
        with contextlib.suppress(StateError):
            journal.record(
                plan=plan.digest, stage=stage.name, digest=stage.digest, phase="failed", detail=error.message
            )
        raise
    journal.record(plan=plan.digest, stage=stage.name, digest=stage.digest, phase="finished", detail=detail)
    _finish(planned, _OUTCOMES[planned.risk], began, detail, emit)


def _explain_failures(stage: Stage, run: RunStage, emit: Emit) -> str:
    try:
        return run(stage, emit)
    except KeyboardInterrupt as error:
        raise InterruptedByUser(
            f"interrupted in stage {stage.name}", hint="run the same command again; it goes on from there"
        ) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "free some disk space, then run the same command again" if full else "mlops doctor"
        raise ToolError(f"stage {stage.name}: {error}", hint=hint) from error


def _finish(planned: PlannedStage, outcome: str, began: float, detail: str, emit: Emit) -> None:
    stage = planned.stage
    seconds = time.monotonic() - began
    emit(StageFinished(stage=stage.name, title=stage.title, outcome=outcome, seconds=seconds, detail=detail))
