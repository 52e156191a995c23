"""Runs the stages of a plan in order and writes each into the journal before and after."""

from __future__ import annotations

import contextlib
import errno
import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence

from platform_cli.cluster.work import CONCURRENT
from platform_cli.errors import InterruptedByUser, MlopsError, StateError, ToolError
from platform_cli.events import Emit, PlanFinished, PlanStarted, StageFinished, StageStarted
from platform_cli.journal import Recorder
from platform_cli.plan import Plan, PlannedStage
from platform_cli.risk import Risk
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

    `run` does the work of one stage and returns one line about it. Neighbours that may run at the same time do, in
    threads, as far as `needs` allows; the journal is written and events are emitted by the caller's thread only.

    Raises:
        MlopsError: what the first stage that failed said; later stages did not run.
        InterruptedByUser: Ctrl-C.
    """
    began = time.monotonic()
    titles = tuple(planned.stage.title for planned in plan.changes)
    emit(PlanStarted(operation=plan.operation, target=plan.target, stages=len(plan.stages), titles=titles))
    book = Book(plan, journal, emit)
    for concurrent, group in itertools.groupby(plan.stages, key=_is_concurrent):
        _run_group(tuple(group), run, book, concurrent=concurrent)
    outcomes = Counter(_OUTCOMES[planned.risk] for planned in plan.stages)
    emit(
        PlanFinished(
            operation=plan.operation,
            target=plan.target,
            outcomes=dict(outcomes),
            seconds=time.monotonic() - began,
        )
    )


class Book:
    """Writes what begins and ends into the journal and tells it. Used by one thread."""

    def __init__(self, plan: Plan, journal: Recorder, emit: Emit) -> None:
        self._plan, self._journal, self.emit = plan, journal, emit
        self._indexes = {planned.stage.name: index for index, planned in enumerate(plan.stages, start=1)}
        self._began: dict[str, float] = {}

    def skip(self, planned: PlannedStage) -> None:
        """Tell a stage that changes nothing."""
        self._began[planned.stage.name] = time.monotonic()
        self._tell(planned, "unchanged", planned.reason)

    def start(self, planned: PlannedStage) -> None:
        """Write and tell that a stage begins."""
        stage = planned.stage
        self.emit(
            StageStarted(stage=stage.name, title=stage.title, index=self._indexes[stage.name], total=len(self._indexes))
        )
        self._began[stage.name] = time.monotonic()
        self._record(stage, "started")

    def finish(self, planned: PlannedStage, detail: str) -> None:
        """Write and tell that a stage ended well."""
        self._record(planned.stage, "finished", detail)
        self._tell(planned, _OUTCOMES[planned.risk], detail)

    def fail(self, planned: PlannedStage, error: MlopsError) -> None:
        """Tell and write that a stage did not end well."""
        self._tell(planned, "failed", error.message)
        # On a full disk this cannot be written either; the entry `started` then says the same.
        with contextlib.suppress(StateError):
            self._record(planned.stage, "failed", error.message)

    def _record(self, stage: Stage, phase: str, detail: str = "") -> None:
        self._journal.record(plan=self._plan.digest, stage=stage.name, digest=stage.digest, phase=phase, detail=detail)

    def _tell(self, planned: PlannedStage, outcome: str, detail: str) -> None:
        stage = planned.stage
        seconds = time.monotonic() - self._began[stage.name]
        self.emit(StageFinished(stage=stage.name, title=stage.title, outcome=outcome, seconds=seconds, detail=detail))


def run_explained(stage: Stage, run: RunStage, emit: Emit) -> str:
    """Run a stage; what the machine or the user did to it becomes an error that says what to do."""
    try:
        return run(stage, emit)
    except KeyboardInterrupt as error:
        raise interrupted_in(stage.name) from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "free some disk space, then run the same command again" if full else "mlops doctor"
        raise ToolError(f"stage {stage.name}: {error}", hint=hint) from error


def interrupted_in(name: str) -> InterruptedByUser:
    """The error that Ctrl-C in a stage becomes."""
    return InterruptedByUser(f"interrupted in stage {name}", hint="run the same command again; it goes on from there")


def _is_concurrent(planned: PlannedStage) -> bool:
    return isinstance(planned.stage.work, CONCURRENT)


def _run_group(group: Sequence[PlannedStage], run: RunStage, book: Book, *, concurrent: bool) -> None:
    if concurrent:
        from platform_cli.apply_concurrent import run_concurrently

        run_concurrently(group, run, book)
        return
    for planned in group:
        try:
            _run_stage(planned, run, book)
        except KeyboardInterrupt as error:
            # Between what the stage does and what the journal says of it.
            raise interrupted_in(planned.stage.name) from error


def _run_stage(planned: PlannedStage, run: RunStage, book: Book) -> None:
    if planned.risk is Risk.NONE:
        book.skip(planned)
        return
    book.start(planned)
    try:
        detail = run_explained(planned.stage, run, book.emit)
    except MlopsError as error:
        book.fail(planned, error)
        raise
    book.finish(planned, detail)
