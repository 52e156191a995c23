"""The engine's side of the step server: starts steps, collects what they write, learns how they end.

Everything happens in `poll`: one selector for the servers' answers, the steps' output and the caller's wake-ups.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platform_cli.process import ProcessId
from platform_cli.workflow.step_channel import (
    StepEvent,
    StepExited,
    StepRequest,
    StepStarted,
    await_end,
    send,
    spawn_server,
    start_message,
)
from platform_cli.workflow.step_output import StepOutput

_READ_BYTES = 1 << 16


@dataclass(slots=True, eq=False)
class _Generation:
    channel: socket.socket
    modules: frozenset[str] = frozenset()
    ready: bool = False
    process: ProcessId | None = None
    buffer: bytes = b""
    steps: set[int] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class _Step:
    request: StepRequest
    output: StepOutput
    pipes: dict[int, str] = field(default_factory=dict)
    pid: int = 0
    problem: str = ""


class StepClient:
    """Starts steps and reports their events.

    Args:
        env: the servers' own environment; steps bring theirs.
        log: where the servers' own complaints go.
        fork_python: whether Python steps may run in forks of a server that has their imports.
    """

    def __init__(self, *, env: Mapping[str, str], log: Path, fork_python: bool = sys.platform == "linux") -> None:
        self._env = dict(env)
        self._log = log
        self._fork_python = fork_python
        self._selector = selectors.DefaultSelector()
        self._generations: list[_Generation] = []
        self._to_import: list[frozenset[str]] = []
        self._waiting: list[int] = []
        self._steps: dict[int, _Step] = {}
        self._events: list[StepEvent] = []
        self._server: subprocess.Popen[bytes] | None = None

    def prepare(self, groups: Sequence[frozenset[str]]) -> None:
        """Start the server; where it may fork Python, import `groups` of modules one after another meanwhile."""
        self._first()
        if self._fork_python:
            self._to_import += [group for group in groups if group]
            self._grow()

    def start(self, step: int, request: StepRequest, output: StepOutput) -> None:
        """Start a process; `poll` tells when it started and ended. `step` is the caller's number for it."""
        self._first()
        self._steps[step] = _Step(request, output)
        self._waiting.append(step)
        self._dispatch()

    def signal(self, step: int, number: int) -> None:
        """Send a signal to the step's whole process group; nothing happens when it is over."""
        if step in self._waiting:
            self._waiting.remove(step)
            self._end(step, StepExited(step, -number))
            return
        for generation in self._generations:
            if step in generation.steps:
                send(generation.channel, {"do": "signal", "id": step, "signal": number})

    def watch(self, descriptor: int) -> None:
        """Let `poll` return early when `descriptor` can be read; its content is thrown away."""
        self._selector.register(descriptor, selectors.EVENT_READ, "wake")

    def poll(self, timeout_s: float | None) -> list[StepEvent]:
        """What happened, waiting at most `timeout_s` (None: for ever) when nothing has yet."""
        for key, _ in self._selector.select(0 if self._events else timeout_s):
            match key.data:
                case _Generation():
                    self._receive(key.data)
                case int():
                    self._drain(key.data, key.fd)
                case _:
                    os.read(key.fd, _READ_BYTES)
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """End the servers, and with them every step that still runs; returns when they are gone."""
        for generation in self._generations:
            send(generation.channel, {"do": "end"})
        for generation in self._generations:
            await_end(generation.channel, generation.process)
            generation.channel.close()
        for step in self._steps.values():
            step.output.finish()
            for descriptor in step.pipes:
                os.close(descriptor)
        self._generations, self._steps = [], {}
        self._selector.close()
        if self._server is not None:
            self._server.wait()

    def _first(self) -> _Generation:
        if not self._generations:
            ours, theirs = socket.socketpair()
            with theirs:
                self._server = spawn_server(theirs, self._env, self._log)
            self._adopt(_Generation(ours, ready=True))
        return self._generations[0]

    def _adopt(self, generation: _Generation) -> None:
        self._generations.append(generation)
        self._selector.register(generation.channel, selectors.EVENT_READ, generation)

    def _grow(self) -> None:
        """Begin the next generation, if the last one is done importing and there is more to import."""
        last = self._generations[-1]
        while self._to_import and last.ready:
            wanted = self._to_import.pop(0) - last.modules
            if wanted:
                ours, theirs = socket.socketpair()
                with theirs:
                    send(last.channel, {"do": "grow", "modules": sorted(wanted)}, [theirs.fileno()])
                self._adopt(_Generation(ours, modules=last.modules | wanted))
                return

    def _dispatch(self) -> None:
        for step in tuple(self._waiting):
            generation = self._choose(self._steps[step].request)
            if generation is not None:
                self._waiting.remove(step)
                self._send_start(step, generation)

    def _choose(self, request: StepRequest) -> _Generation | None:
        """The smallest server that has the imports; None while one that will have them is being made."""
        if not (request.python and self._fork_python):
            return self._first()
        fit = next((g for g in self._generations if request.modules <= g.modules), None)
        if fit is None:
            return [g for g in self._generations if g.ready][-1]
        return fit if fit.ready else None

    def _send_start(self, step: int, generation: _Generation) -> None:
        known = self._steps[step]
        pipes = {stream: os.pipe() for stream in ("stdout", "stderr")}
        for stream, (read, _) in pipes.items():
            os.set_blocking(read, False)
            known.pipes[read] = stream
            self._selector.register(read, selectors.EVENT_READ, step)
        writers = [write for _, write in pipes.values()]
        generation.steps.add(step)
        send(generation.channel, start_message(step, known.request, fork=self._fork_python), writers)
        for descriptor in writers:
            os.close(descriptor)

    def _receive(self, generation: _Generation) -> None:
        try:
            data = generation.channel.recv(_READ_BYTES)
        except ConnectionResetError:
            data = b""
        *lines, generation.buffer = (generation.buffer + data).split(b"\n")
        for line in lines:
            self._handle(generation, json.loads(line))
        if not data:
            self._lose(generation)

    def _handle(self, generation: _Generation, message: dict[str, Any]) -> None:
        match message["event"]:
            case "ready":
                generation.ready, generation.process = message["fit"], ProcessId.of(message["pid"])
                self._grow()
                self._dispatch()
            case "started":
                self._started(message)
            case "problem":
                self._steps[message["id"]].problem = message["text"]
            case _:
                generation.steps.discard(message["id"])
                self._exited(message)

    def _started(self, message: dict[str, Any]) -> None:
        step = self._steps[message["id"]]
        step.pid = message["pid"]
        process = ProcessId.of(step.pid) or ProcessId(step.pid, time.time())
        self._events.append(StepStarted(message["id"], process))

    def _exited(self, message: dict[str, Any]) -> None:
        step = self._steps[message["id"]]
        report = StepExited(message["id"], message["status"], step.problem, message["max_rss"])
        self._end(message["id"], report)

    def _end(self, number: int, report: StepExited) -> None:
        """Take what is left in the pipes: nothing of the step's group is alive to write more."""
        step = self._steps[number]
        for descriptor in tuple(step.pipes):
            while self._drain(number, descriptor):
                pass
            self._close_pipe(step, descriptor)
        step.output.finish()
        del self._steps[number]
        self._events.append(report)

    def _drain(self, number: int, descriptor: int) -> bool:
        """Read once; False when there is nothing (more) to read."""
        step = self._steps.get(number)
        if step is None or descriptor not in step.pipes:
            return False
        try:
            data = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return False
        if data:
            step.output.feed(step.pipes[descriptor], data)
        else:
            self._close_pipe(step, descriptor)
        return bool(data)

    def _close_pipe(self, step: _Step, descriptor: int) -> None:
        if step.pipes.pop(descriptor, None) is not None:
            self._selector.unregister(descriptor)
            os.close(descriptor)

    def _lose(self, generation: _Generation) -> None:
        """A server is gone: its steps are lost; one that was still importing only costs time."""
        self._generations.remove(generation)
        self._selector.unregister(generation.channel)
        generation.channel.close()
        for number in generation.steps:
            _kill_group(self._steps[number].pid)
            self._end(number, StepExited(number, -9, "the step server ended unexpectedly; see its log"))
        if self._waiting:
            self._first()
            self._dispatch()
        if self._generations:
            self._grow()


def _kill_group(pid: int) -> None:
    try:
        if pid:
            os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
