"""Drives one run: asks the scheduler what to do, does it, tells it what happened, and writes every turn down."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import msgspec

from platform_cli.errors import InterruptedByUser
from platform_cli.events import Emit, NodeFinished, NodeStarted, Notice, RunFinished, RunStarted
from platform_cli.process import current
from platform_cli.workflow.call import Ask, Command, LeafOutcome, Memorize, RunLeaf, StopLeaf, Wait
from platform_cli.workflow.clock import Clock
from platform_cli.workflow.leaf import LeafEnded, LeafRunner, LeafStarted
from platform_cli.workflow.lifecycle import Lifecycle
from platform_cli.workflow.node import Node, now
from platform_cli.workflow.step_client import StepClient
from platform_cli.workflow.store import (
    INTERRUPTED,
    RESUME_FILE,
    STOPPED,
    Changes,
    Condition,
    Run,
    RunStatus,
    RunStore,
    with_condition,
)


class Driver:
    """One run from its first to its last node.

    Args:
        run: what to drive.
        folder: of the run; holds the file that lets suspended nodes go on.
        leaves: runs the leaves, with `clock` for its deadlines.
    """

    def __init__(
        self,
        run: Run,
        *,
        folder: Path,
        store: RunStore,
        lifecycle: Lifecycle,
        client: StepClient,
        leaves: LeafRunner,
        clock: Clock,
        emit: Emit,
    ) -> None:
        self.run = run
        self.folder = folder
        self.store = store
        self.lifecycle = lifecycle
        self.client = client
        self.leaves = leaves
        self.clock = clock
        self.emit = emit
        self.scheduler = lifecycle.scheduler
        self.changes = Changes()
        self.status = run.status
        self.kept = {node.id for node in self.scheduler.earlier}
        self.asked: list[str] = []
        self.phases: dict[str, str] = {}
        self.interruptions = 0
        self.begun = time.monotonic()

    def drive(self) -> None:
        """Until everything is over. A failure leaves the claim, so that the next command settles what was left behind.

        Raises:
            InterruptedByUser: a signal asked to stop; the run can be resumed.
            StateError: the run database cannot be written; the steps were stopped.
        """
        try:
            with self._signals():
                # Whoever stops the run signals who claimed it: from here on that interrupts us, and does not end us.
                self.store.claim(self.run.name, current())
                self._begin()
                while not self.lifecycle.is_over:
                    self._turn()
                    if self.interruptions:
                        self._interrupt()
                self._end()
        finally:
            self.client.close()

    def _begin(self) -> None:
        self.client.prepare([])
        self.emit(RunStarted(run=self.run.name, workflow=self._workflow_name()))
        self.status = RunStatus(phase="Running", started_at=self.status.started_at or _stamp())
        self.changes.status = self.status
        seconds = self.lifecycle.spec.active_deadline_seconds
        if seconds:
            message = f"the workflow's deadline of {seconds}s exceeded"
            self.clock.later(seconds, lambda: self.scheduler.expire(message))
        self.lifecycle.begin()
        self._settle()

    def _turn(self) -> None:
        """Wait for something to happen, take it in, and write it down."""
        for event in self.client.poll(self.clock.patience()):
            self.leaves.handle(event)
        self.clock.run_due()
        if self.asked and (self.folder / RESUME_FILE).exists():
            (self.folder / RESUME_FILE).unlink()
            asked, self.asked = self.asked, []
            for node in asked:
                self.scheduler.fire(node)
        self._settle()

    def _settle(self) -> None:
        """Do what is asked until nothing more can be done at once."""
        while True:
            commands, changed = self.scheduler.take()
            self._note(changed)
            for command in commands:
                self._carry_out(command)
            if not self.interruptions:
                self.leaves.start_waiting()
            events = self.leaves.take()
            for event in events:
                self._tell(event)
            if not commands and not events:
                break
        if self.changes:
            self.store.write(self.run.name, self.changes)
            self.changes = Changes()

    def _carry_out(self, command: Command) -> None:
        match command:
            case RunLeaf():
                self.leaves.add(command)
            case Wait(token=token, seconds=seconds):
                self.clock.later(seconds, lambda: self.scheduler.fire(token))
            case Ask(node=node):
                self.asked.append(node)
                name = self.scheduler.nodes[node].display_name
                hint = f"continue it with: mlops pipeline submit --resume {self.run.name}"
                self.emit(Notice(level="hint", text=f"{name} waits for a person; {hint}"))
            case StopLeaf(node=node, reason=reason):
                self.leaves.stop(node, reason)
            case Memorize(memoize=memoize, outputs=outputs):
                cache = memoize.cache.config_map.name if memoize.cache else ""
                self.changes.memos.append((cache, memoize.key, time.time(), msgspec.json.encode(outputs)))

    def _tell(self, event: LeafStarted | LeafEnded) -> None:
        match event:
            case LeafStarted(node=node, process=process):
                self.changes.started[node] = process
                self.scheduler.started(node)
            case LeafEnded(node=node, outcome=outcome, blobs=blobs, record=record):
                self.changes.ended.add(node)
                self.changes.blobs |= set(blobs)
                if record is not None:
                    self.changes.reuse.append(record)
                self.scheduler.finish(node, outcome)

    def _note(self, changed: dict[str, Node]) -> None:
        """Remember changed nodes for the next write, and tell about those whose phase changed."""
        self.changes.nodes |= changed
        for node in changed.values():
            before = self.phases.get(node.id)
            if node.phase == before:
                continue
            self.phases[node.id] = node.phase
            if node.fulfilled:
                self.emit(self._finished(node))
            elif node.phase == "Running" and before in (None, "Pending"):
                name, within = node.display_name, node.boundary_id
                self.emit(NodeStarted(run=self.run.name, node=node.id, name=name, kind=_kind(node), within=within))

    def _finished(self, node: Node) -> NodeFinished:
        summary = node.outputs.parameter("summary") if node.outputs is not None else None
        return NodeFinished(
            run=self.run.name,
            node=node.id,
            name=node.display_name,
            kind=_kind(node),
            phase=node.phase,
            seconds=node.seconds,
            message=node.message,
            summary=summary or "",
            reused=self._why_reused(node),
        )

    def _why_reused(self, node: Node) -> str:
        if node.id in self.kept:
            return "succeeded before the run was resumed"
        if node.type == "Retry" and node.children:
            return self._why_reused(self.scheduler.nodes[node.children[-1]])
        return node.reuse.reason if node.reuse is not None and node.reuse.hit else ""

    def _end(self) -> None:
        phase, message = self.lifecycle.phase, self.lifecycle.message
        self.status = msgspec.structs.replace(
            self.status, phase=phase, message=message, finished_at=_stamp(), progress=self._progress()
        )
        self.status = with_condition(self.status, Condition(type="Completed"))
        self.store.write(self.run.name, Changes(status=self.status))
        self.store.claim(self.run.name, None)
        self.emit(
            RunFinished(
                run=self.run.name,
                workflow=self._workflow_name(),
                phase=phase,
                seconds=time.monotonic() - self.begun,
                message=message,
            )
        )

    def _interrupt(self) -> None:
        """Stop the steps in good order, a second signal at once, and leave a run that can be resumed."""
        self.leaves.stop_all(STOPPED)
        stopped: list[LeafEnded] = []
        while not self.leaves.is_idle:
            if self.interruptions > 1:
                self.leaves.kill_all()
            for event in self.client.poll(self.clock.patience()):
                self.leaves.handle(event)
            self.clock.run_due()
            stopped += [event for event in self.leaves.take() if isinstance(event, LeafEnded)]
        self._mark_stopped([*stopped, *(e for e in self.leaves.take() if isinstance(e, LeafEnded))])
        hint = f"continue it with: mlops pipeline submit --resume {self.run.name}"
        raise InterruptedByUser(f"run {self.run.name} was stopped", hint=hint)

    def _mark_stopped(self, ended: list[LeafEnded]) -> None:
        outcomes = {event.node: event.outcome for event in ended}
        for node in self.scheduler.nodes.values():
            if not node.fulfilled:
                _apply(node, outcomes.get(node.id, LeafOutcome("Failed", STOPPED)))
                self.changes.nodes[node.id] = node
                self.changes.ended.add(node.id)
        message = "interrupted; it can be resumed"
        status = msgspec.structs.replace(self.status, phase="Failed", message=message, finished_at=_stamp())
        self.changes.status = with_condition(status, Condition(type=INTERRUPTED, message=message))
        self.store.write(self.run.name, self.changes)
        self.store.claim(self.run.name, None)

    def _progress(self) -> str:
        leaves = [node for node in self.scheduler.nodes.values() if node.type == "Pod"]
        return f"{sum(node.phase == 'Succeeded' for node in leaves)}/{len(leaves)}"

    def _workflow_name(self) -> str:
        labels = self.run.document.metadata.get("labels", {})
        return str(labels.get("workflows.argoproj.io/workflow-template", self.run.name))

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Count interruptions instead of dying of them; only the main thread can."""
        read, write = os.pipe()
        os.set_blocking(write, False)
        self.client.watch(read)

        def note(number: int, _frame: FrameType | None) -> None:
            self.interruptions += number != signal.SIGUSR1
            os.write(write, b"!")

        is_main = threading.current_thread() is threading.main_thread()
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1) if is_main else ()
        before = {number: signal.signal(number, note) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(write)
            os.close(read)


def _apply(node: Node, outcome: LeafOutcome) -> None:
    node.phase, node.message, node.finished_at = outcome.phase, outcome.message, now()


def _kind(node: Node) -> str:
    """The node's type, for events; an attempt of a retried template is told from a step of its own."""
    is_attempt = node.type == "Pod" and node.name.endswith(")") and ":" not in node.name.rpartition("(")[2]
    return "Attempt" if is_attempt else node.type


def _stamp() -> str:
    return now().isoformat().replace("+00:00", "Z")
