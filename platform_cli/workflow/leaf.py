"""Leaves as processes: at most so many at a time, each within its deadline, ended with TERM and then KILL."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from platform_cli.errors import StateError
from platform_cli.process import ProcessId
from platform_cli.workflow.artifact import remove_files, remove_tree
from platform_cli.workflow.call import LeafOutcome, RunLeaf
from platform_cli.workflow.duration import parse_duration
from platform_cli.workflow.job import Job, Workshop, artifact_key, describe_error
from platform_cli.workflow.node import NodeOutputs, Reuse
from platform_cli.workflow.reuse import ANNOTATION, ReuseRow, ReuseStore, collect_ingredients
from platform_cli.workflow.scope import BindingError
from platform_cli.workflow.step_channel import StepEvent, StepExited, StepStarted
from platform_cli.workflow.step_client import StepClient
from platform_cli.workflow.step_output import LOG_NAME, StepOutput

_CLEAN_AFTER_S = 60.0
_REFUSED = "reuse refused by --no-cache"


@dataclass(frozen=True, slots=True)
class LeafStarted:
    """A leaf has a process."""

    node: str
    process: ProcessId


@dataclass(frozen=True, slots=True)
class LeafEnded:
    """A leaf is over. `blobs` are the store's files that it needs; `record` is for reuse."""

    node: str
    outcome: LeafOutcome
    blobs: tuple[str, ...] = ()
    record: ReuseRow | None = None


LeafEvent = LeafStarted | LeafEnded
Later = Callable[[float, Callable[[], None]], None]


@dataclass(slots=True)
class _Running:
    job: Job
    output: StepOutput
    reuse: Reuse
    ingredients: dict[str, str] | None
    reason: str = ""


@dataclass(slots=True)
class LeafRunner:
    """Runs leaves one after another as there is room.

    Attributes:
        later: calls a function after so many seconds.
        may_reuse: False when a person refused it; what is made is remembered nevertheless.
        grace_s: between TERM and KILL.
        log_limit_bytes: of each stream.
    """

    run: str
    client: StepClient
    workshop: Workshop
    reuse: ReuseStore
    later: Later
    workers: int
    may_reuse: bool
    grace_s: float
    log_limit_bytes: int
    prepare: Callable[[], None]
    waiting: deque[RunLeaf] = field(default_factory=deque)
    events: list[LeafEvent] = field(default_factory=list)
    _running: dict[int, _Running] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _last: int = 0
    _has_prepared: bool = False
    _spent: deque[tuple[float, Path]] = field(default_factory=deque)

    @property
    def is_idle(self) -> bool:
        """Whether no process runs."""
        return not self._running

    def add(self, leaf: RunLeaf) -> None:
        """Run it when there is room."""
        self.waiting.append(leaf)

    def start_waiting(self) -> None:
        """Start as many as there is room for."""
        while self.waiting and len(self._running) < self.workers:
            self._start(self.waiting.popleft())

    def stop(self, node: str, reason: str) -> None:
        """End one leaf; its outcome is Failed with `reason`."""
        if node not in self._numbers:
            kept = [leaf for leaf in self.waiting if leaf.node != node]
            if len(kept) < len(self.waiting):
                self.waiting = deque(kept)
                self.events.append(LeafEnded(node, LeafOutcome("Failed", reason)))
            return
        number = self._numbers[node]
        self._running[number].reason = self._running[number].reason or reason
        self.client.signal(number, signal.SIGTERM)
        self.later(self.grace_s, lambda: self.client.signal(number, signal.SIGKILL))

    def stop_all(self, reason: str) -> None:
        """End every leaf, and start none of those that wait."""
        for leaf in tuple(self.waiting):
            self.stop(leaf.node, reason)
        for running in tuple(self._running.values()):
            self.stop(running.job.leaf.node, reason)

    def kill_all(self) -> None:
        """End every process at once."""
        for number in tuple(self._running):
            self.client.signal(number, signal.SIGKILL)

    def handle(self, event: StepEvent) -> None:
        """Take what the client reports."""
        running = self._running.get(event.step)
        if running is None:
            return
        match event:
            case StepStarted(process=process):
                self.events.append(LeafStarted(running.job.leaf.node, process))
            case StepExited():
                del self._running[event.step]
                del self._numbers[running.job.leaf.node]
                self._end(running, event)

    def take(self) -> list[LeafEvent]:
        """What happened since the last time."""
        events, self.events = self.events, []
        return events

    def _clean(self, folder: Path) -> None:
        """Delete the files of a step that succeeded, and the folders of those that did so a while ago.

        A folder takes the kernel milliseconds to delete while the step's mounts are still being taken apart. Fresh ones
        stay, empty, until the run itself is deleted.
        """
        remove_files(folder)
        self._spent.append((time.monotonic(), folder))
        while self._spent[0][0] <= time.monotonic() - _CLEAN_AFTER_S:
            remove_tree(self._spent.popleft()[1])

    def _start(self, leaf: RunLeaf) -> None:
        try:
            job = self.workshop.prepare(leaf)
            reuse, outputs, ingredients = self._remembered(job)
            if outputs is not None:
                self._skip(job, reuse, outputs)
                return
            self.workshop.place_inputs(job)
        except OSError as error:
            self._refuse(leaf, describe_error(error))
        except (BindingError, StateError, ValueError) as error:
            self._refuse(leaf, str(error))
        else:
            self._spawn(job, reuse, ingredients)

    def _refuse(self, leaf: RunLeaf, message: str) -> None:
        self.events.append(LeafEnded(leaf.node, LeafOutcome("Error", message)))

    def _remembered(self, job: Job) -> tuple[Reuse, NodeOutputs | None, dict[str, str] | None]:
        """Why it is reused or not, the outputs if it is, and what they depend on if they may be kept."""
        metadata = job.leaf.template.metadata
        given = {**job.leaf.template.annotations, **(metadata.annotations if metadata else {})}
        if job.leaf.is_handler:
            return Reuse(False, "handlers always run"), None, None
        if given.get(ANNOTATION) == "false":
            return Reuse(False, f"the template says {ANNOTATION}: false"), None, None
        if job.has_state:
            return Reuse(False, "a persistent volume is mounted"), None, None
        ingredients = collect_ingredients(job)
        if not self.may_reuse:
            return Reuse(False, _REFUSED), None, ingredients
        reuse, outputs = self.reuse.find(self.run, job.leaf.template.name, ingredients)
        return reuse, outputs, ingredients

    def _skip(self, job: Job, reuse: Reuse, outputs: NodeOutputs) -> None:
        self._clean(job.folder)
        self.events.append(LeafEnded(job.leaf.node, LeafOutcome("Succeeded", "", outputs, reuse), self._blobs(outputs)))

    def _spawn(self, job: Job, reuse: Reuse, ingredients: dict[str, str] | None) -> None:
        self._last += 1
        number, node = self._last, job.leaf.node
        output = StepOutput(job.folder / LOG_NAME, limit_bytes=self.log_limit_bytes)
        self._running[number] = _Running(job, output, reuse, ingredients)
        self._numbers[node] = number
        if job.request.python and not self._has_prepared:
            self._has_prepared = True
            self.prepare()
        self.client.start(number, job.request, output)
        for limit in (job.leaf.template.active_deadline_seconds, job.leaf.template.timeout):
            if limit:
                self._set_deadline(node, number, parse_duration(limit))

    def _set_deadline(self, node: str, number: int, seconds: float) -> None:
        def expire() -> None:
            if self._numbers.get(node) == number:
                self.stop(node, f"deadline of {seconds:g}s exceeded")

        self.later(seconds, expire)

    def _end(self, running: _Running, event: StepExited) -> None:
        job, output = running.job, running.output
        try:
            outcome = self._outcome(running, event)
        except OSError as error:
            outcome = LeafOutcome("Error", describe_error(error), reuse=running.reuse)
        except BindingError as error:
            exited = NodeOutputs(result=output.result, exit_code=str(event.code))
            outcome = LeafOutcome("Error", str(error), exited, running.reuse)
        record = None
        if outcome.phase == "Succeeded":
            self._clean(job.sandbox.root)
            if running.ingredients is not None and outcome.outputs is not None:
                leaf = job.leaf
                record = self.reuse.row(self.run, leaf.node, leaf.template.name, running.ingredients, outcome.outputs)
        blobs = self._blobs(outcome.outputs) if outcome.outputs is not None else ()
        self.events.append(LeafEnded(job.leaf.node, outcome, blobs, record))

    def _outcome(self, running: _Running, event: StepExited) -> LeafOutcome:
        output = running.output
        if event.problem:
            return LeafOutcome("Error", event.problem, reuse=running.reuse)
        outputs = self.workshop.collect(running.job, code=event.code, result=output.result)
        if running.reason:
            return LeafOutcome("Failed", running.reason, outputs, running.reuse)
        if event.code:
            return LeafOutcome("Failed", _blame(event.code, output.complaint), outputs, running.reuse)
        return LeafOutcome("Succeeded", output.problem, outputs, running.reuse)

    def _blobs(self, outputs: NodeOutputs) -> tuple[str, ...]:
        return tuple(blob for a in outputs.artifacts for blob in self.workshop.artifacts.blobs(artifact_key(a)))


def _blame(code: int, complaint: str) -> str:
    reason = f"killed by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"exit code {code}"
    return f"{reason}: {complaint}" if complaint else reason
