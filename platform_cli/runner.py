"""Runs a program in the foreground: lines as events, a complete log, secrets masked, Ctrl-C passed on once."""

from __future__ import annotations

import contextlib
import math
import queue
import shlex
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, TextIO

from platform_cli.errors import DeadlineError, InterruptedByUser, PreflightError, ToolError
from platform_cli.events import Emit, LogLine
from platform_cli.process import Child, ProcessId, signal_group, spawn_group, stop_tree
from platform_cli.redact import redact

_TAIL_LINES = 20
_LINE_BYTES = 65_536
_POLL_S = 0.2
# How long a program that has ended may stay silent: a busy machine reads its last lines late.
_LAST_WORDS_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run.

    Attributes:
        argv: the program and its arguments; never a secret.
        env: its whole environment.
        title: what people call it; the program's name when empty.
        secrets: values that must not appear in its log or in events.
        timeout_s: how long it may take; None for as long as it likes.
        outlives: whether it goes on to its end when we are killed; for what must not be cut off midway.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    title: str = ""
    secrets: tuple[str, ...] = ()
    timeout_s: float | None = None
    outlives: bool = False

    @property
    def name(self) -> str:
        """What people call the program."""
        return self.title or Path(self.argv[0]).name


class Runner(Protocol):
    """Runs programs in the foreground."""

    def run(self, command: Command, *, emit: Emit, log: Path) -> None:
        """Run a program to its end, telling each line it writes; the complete output is appended to `log`.

        Raises:
            PreflightError: the program cannot be started.
            ToolError: it ended with another code than 0; `details` has its last lines.
            DeadlineError: it took too long and was stopped.
            InterruptedByUser: Ctrl-C, which is passed on once and waited for; a second one kills.
        """


class ProcessRunner:
    """The real thing. `grace_s` is how long a program may take to end after it was asked to."""

    def __init__(self, *, grace_s: float = 10.0) -> None:
        self._grace_s = grace_s

    def run(self, command: Command, *, emit: Emit, log: Path) -> None:
        """See `Runner.run`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as output, _signals_as_interrupts():
            output.write(redact(f"$ {shlex.join(command.argv)}\n", command.secrets))
            _Run(command, emit, log, output, self._grace_s).finish()


class _Run:
    """One program while it runs."""

    def __init__(self, command: Command, emit: Emit, log: Path, output: TextIO, grace_s: float) -> None:
        self._command, self._emit, self._log, self._output, self._grace_s = command, emit, log, output, grace_s
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._lines: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._child = _start(command)
        self._identity = ProcessId.of(self._child.pid)
        for name, stream in (("stdout", self._child.stdout), ("stderr", self._child.stderr)):
            threading.Thread(target=self._read, args=(name, stream), daemon=True).start()

    def finish(self) -> None:
        """Follow the program to its end."""
        try:
            self._follow(self._command.timeout_s)
        except KeyboardInterrupt as error:
            self._interrupt()
            raise InterruptedByUser(f"{self._command.name} was interrupted", hint=f"log: {self._log}") from error
        finally:
            self._kill()
        code = self._child.wait()
        if code != 0:
            ended = f"exit code {code}" if code > 0 else f"killed by signal {signal.Signals(-code).name}"
            raise ToolError(
                f"{self._command.name} failed: {ended}", hint=f"complete log: {self._log}", details=tuple(self._tail)
            )

    def _follow(self, timeout_s: float | None) -> None:
        deadline = time.monotonic() + timeout_s if timeout_s is not None else math.inf
        open_streams = 2
        while open_streams:
            self._check(deadline)
            has_ended = self._child.poll() is not None
            patience = _LAST_WORDS_S if has_ended else _POLL_S
            try:
                name, text = self._lines.get(timeout=max(0.0, min(patience, deadline - time.monotonic())))
            except queue.Empty:
                # A grandchild that outlives the program may hold its pipes open for ever; a file is read to its end.
                if has_ended and not self._command.outlives:
                    return
                continue
            if text:
                self._tell(name, text)
            open_streams -= not text
        self._wait(deadline)

    def _wait(self, deadline: float) -> None:
        while self._child.poll() is None:
            self._check(deadline)
            time.sleep(_POLL_S / 10)

    def _check(self, deadline: float) -> None:
        if time.monotonic() >= deadline:
            raise DeadlineError(
                f"{self._command.name} took longer than {self._command.timeout_s:g} s and was stopped",
                hint=f"complete log: {self._log}",
                details=tuple(self._tail),
            )

    def _tell(self, name: str, text: str) -> None:
        line = redact(text.rstrip("\r\n"), self._command.secrets)
        self._output.write(f"{line}\n")
        self._output.flush()
        self._tail.append(line)
        self._emit(LogLine(source=self._command.name, stream=name, text=line))

    def _read(self, name: str, stream: IO[bytes]) -> None:
        """Run in a thread of its own; an empty text tells the stream's end."""
        while line := stream.readline(_LINE_BYTES):
            self._lines.put((name, line.decode("utf-8", "replace")))
        self._lines.put((name, ""))

    def _interrupt(self) -> None:
        """Pass the first Ctrl-C on, as a terminal does to the whole group, and wait; a second one kills at once."""
        signal_group(self._child.pid, signal.SIGINT)
        try:
            self._follow(None)
        except KeyboardInterrupt:
            self._grace_s = 0.0
        self._end_group()

    def _end_group(self) -> None:
        """Wait for what the program started and left behind, then kill it."""
        deadline = time.monotonic() + self._grace_s
        while signal_group(self._child.pid, 0) and time.monotonic() < deadline:
            self._child.poll()
            time.sleep(_POLL_S / 10)
        signal_group(self._child.pid, signal.SIGKILL)

    def _kill(self) -> None:
        if self._identity is not None and self._child.poll() is None:
            stop_tree(self._identity, grace_s=self._grace_s)
        self._child.wait()


def _start(command: Command) -> Child:
    try:
        return spawn_group(command.argv, env=command.env, cwd=command.cwd, outlives=command.outlives)
    except OSError as error:
        raise PreflightError(f"cannot start {command.argv[0]}: {error.strerror}", hint="mlops doctor") from error


@contextlib.contextmanager
def _signals_as_interrupts() -> Iterator[None]:
    """A closed terminal or a TERM ends the program as Ctrl-C does, instead of leaving it behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
