"""One command at a time changes a target.

The lock is the kernel's (flock), so it ends with its holder, whatever ends the holder; the file's text only says who
it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from platform_cli.errors import StateError

_PATIENCE_S = 1.0
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock. `since` is Unix seconds."""

    pid: int
    host: str
    since: float
    command: str

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"`{self.command}` (process {self.pid} on {self.host}, since {since})"


@contextlib.contextmanager
def hold_lock(path: Path, *, target: str, command: str) -> Iterator[None]:
    """Hold the lock at `path` while the block runs; the file is gone afterwards.

    Raises:
        StateError: another living process holds it; the message says which.
    """
    file = _acquire(path, target)
    try:
        holder = Holder(os.getpid(), socket.gethostname(), time.time(), command)
        # The lock itself needs no space: on a full disk only the holder's name is missing.
        with contextlib.suppress(OSError):
            os.ftruncate(file, 0)
            os.pwrite(file, json.dumps(asdict(holder)).encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def read_holder(path: Path) -> Holder | None:
    """Who holds, or last held, the lock; None when nobody or unknown."""
    try:
        return Holder(**json.loads(path.read_text("utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _acquire(path: Path, target: str) -> int:
    given_up = time.monotonic() + _PATIENCE_S
    while True:
        file = _open(path, given_up)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(file)
            who = read_holder(path)
            # Nobody's name: the lock was only just taken, or left.
            if who is None and time.monotonic() < given_up:
                time.sleep(_POLL_S)
                continue
            raise StateError(
                f"{target} is being changed by {who or 'another command'}",
                hint="wait until it ends, or stop it; nothing was changed",
            ) from error
        if _is_still(path, file):
            return file
        # The last holder removed the file between our open and our lock: ours is nobody's lock any more.
        os.close(file)


def _open(path: Path, given_up: float) -> int:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except (FileNotFoundError, FileExistsError):
            # The last holder removed the folder, too, just when we had found it.
            if time.monotonic() > given_up:
                raise


def _is_still(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
