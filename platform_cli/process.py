"""The one home of child processes: their identity, their start, and orderly end.

A process id alone is not an identity, since the system reuses numbers; together with the start time it is.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import psutil

Child = subprocess.Popen[bytes]
_CLOCK_TOLERANCE_S = 0.5
_FOLLOW_S = 0.02
_POLL_S = 0.02


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


def read_output(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> bytes | None:
    """What a quick program writes to standard output; None when it cannot be started or fails."""
    try:
        done = subprocess.run(list(argv), cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


@dataclass(frozen=True, slots=True)
class Answer:
    """How a quick program ended and what it wrote."""

    code: int
    stdout: bytes
    stderr: str


def ask_program(argv: Sequence[str], *, env: Mapping[str, str], timeout_s: float) -> Answer:
    """Run a quick program that asks nobody anything, and hand back all that it wrote.

    Raises:
        OSError: it cannot be started.
        TimeoutError: it took too long and was killed.
    """
    try:
        done = subprocess.run(
            list(argv), env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=timeout_s
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"no answer within {timeout_s:g} s") from error
    return Answer(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace"))


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
    for process in _wait_for_end(family, grace_s):
        _signal(process, kill=True)
    _wait_for_end(family, grace_s)


def _wait_for_end(processes: Sequence[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait until all have ended; returns those that have not in time. One that nobody reaps has ended all the same."""
    deadline = time.monotonic() + timeout_s
    while (left := [process for process in processes if _lives(process)]) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    return left


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


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


def spawn_group(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, outlives: bool = False) -> Child:
    """Start a program in a process group of its own, its output in pipes.

    The terminal's Ctrl-C then reaches us alone, and whoever runs the program passes it on exactly once. A program that
    `outlives` us goes on to its end when we are killed: it writes into files without a name, not into pipes, which
    would end it once nobody reads them any more. `stdout` and `stderr` are read alike in both cases.

    Raises:
        OSError: it cannot be started.
    """
    if outlives:
        return _spawn_into_files(argv, env=env, cwd=cwd)
    return subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(env),
        cwd=cwd,
        process_group=0,
    )


def _spawn_into_files(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Child:
    import tempfile

    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(tempfile.NamedTemporaryFile()) for _ in range(2)]
        readers = [open(writer.name, "rb") for writer in writers]  # noqa: PTH123, SIM115 - read until the child ends
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=writers[0],
            stderr=writers[1],
            env=dict(env),
            cwd=cwd,
            process_group=0,
        )
    child.stdout, child.stderr = (cast("IO[bytes]", GrowingFile(reader, child)) for reader in readers)
    return child


class GrowingFile:
    """A file that a program writes, read like a pipe: the end is reached when the program has ended."""

    def __init__(self, file: IO[bytes], writer: Child) -> None:
        self._file, self._writer = file, writer

    def readline(self, limit: int) -> bytes:
        """The next line, once it is whole, or its first `limit` bytes; empty at the end."""
        line = self._file.readline(limit)
        while not line.endswith(b"\n") and len(line) < limit:
            ended = self._writer.poll() is not None
            more = self._file.readline(limit - len(line))
            if ended and not more:
                return line
            if not more:
                time.sleep(_FOLLOW_S)
            line += more
        return line


def signal_group(leader: int, number: int) -> bool:
    """Send a signal (0 only asks) to a process group; returns whether it had a living member."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        # macOS forbids to signal a group of zombies.
        return False
    return True
