"""The one home of child processes: their identity, detached start, and orderly end.

A process id alone is not an identity, since the system reuses numbers; together with the start time it is.
"""

from __future__ import annotations

import contextlib
import math
import os
import queue
import shlex
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, TextIO

import psutil

from platform_cli.errors import DeadlineError, InterruptedByUser, PreflightError, ToolError
from platform_cli.events import Emit, LogLine
from platform_cli.redact import redact

_CLOCK_TOLERANCE_S = 0.5
_TAIL_LINES = 20
_LINE_BYTES = 65_536
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that cannot be mistaken for a later one with the same number. `created` is Unix seconds."""

    pid: int
    created: float

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The identity of a process that runs now, or None."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    @property
    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return self.find() is not None

    def find(self) -> psutil.Process | None:
        """A handle on this very process, or None when it has ended."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < _CLOCK_TOLERANCE_S
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def spawn_detached(argv: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path) -> ProcessId:
    """Start a program that outlives us, in a session of its own, its output appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    identity = ProcessId.of(child.pid)
    return identity or ProcessId(child.pid, 0.0)


def stop_tree(process_id: ProcessId, *, grace_s: float) -> None:
    """End a process and all it started: TERM, then KILL after `grace_s`.

    Returns when all are gone; a process that is gone already is fine.
    """
    root = process_id.find()
    if root is None:
        return
    family = [root, *_children(root)]
    for process in family:
        _signal(process, kill=False)
    _, stubborn = psutil.wait_procs(family, timeout=grace_s)
    for process in stubborn:
        _signal(process, kill=True)
    psutil.wait_procs(stubborn, timeout=grace_s)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.NoSuchProcess:
        return


def scrub_environment(environment: Mapping[str, str], *, keep: Sequence[str] = ()) -> dict[str, str]:
    """What a child may inherit: what programs need to run at all, and the names in `keep`. Credentials stay behind."""
    needed = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT")
    return {name: environment[name] for name in (*needed, *keep) if name in environment}


def current() -> ProcessId:
    """This process."""
    return ProcessId(os.getpid(), psutil.Process().create_time())


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run.

    Attributes:
        argv: the program and its arguments; never a secret.
        env: its whole environment.
        title: what people call it; the program's name when empty.
        secrets: values that must not appear in its log or in events.
        timeout_s: how long it may take; None for as long as it likes.
    """

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]
    title: str = ""
    secrets: tuple[str, ...] = ()
    timeout_s: float | None = None

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
            try:
                name, text = self._lines.get(timeout=max(0.0, min(_POLL_S, deadline - time.monotonic())))
            except queue.Empty:
                # A grandchild that outlives the program may hold its streams open for ever.
                if self._child.poll() is not None:
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
        """Pass the first Ctrl-C on and wait; a second one kills at once."""
        self._child.send_signal(signal.SIGINT)
        try:
            self._follow(None)
        except KeyboardInterrupt:
            self._grace_s = 0.0

    def _kill(self) -> None:
        if self._identity is not None and self._child.poll() is None:
            stop_tree(self._identity, grace_s=self._grace_s)
        self._child.wait()


def _start(command: Command) -> subprocess.Popen[bytes]:
    try:
        # In a process group of its own the terminal's Ctrl-C reaches us alone, so the program gets it exactly once.
        return subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(command.env),
            cwd=command.cwd,
            process_group=0,
        )
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
