"""Who holds a state's lock, and whether that holder still works.

Terraform's lock names a user and a machine, no process. So our commands beat beside the state while they work; what
they write names the process, and on another machine its age tells.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import psutil

from platform_cli.clouds.terraform.backend import Lock, StateBackend
from platform_cli.clouds.terraform.backend_local import LocalBackend
from platform_cli.errors import StateError
from platform_cli.process import ProcessId, current
from platform_cli.tools.terraform import LOCKED

HEARTBEAT = "heartbeat"
BEAT_S = 20.0
STALE_S = 120.0
_NAMESPACE = Path("/proc/self/ns/pid")


class Liveness(StrEnum):
    """What is known of a lock's holder."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Beat:
    """What a command of ours writes while it works. Times are Unix seconds."""

    pid: int
    created: float
    host: str
    machine: str
    command: str
    began: float
    at: float


@dataclass(frozen=True, slots=True)
class Holding:
    """A lock with what is known of its holder; `because` says how it is known."""

    lock: Lock
    liveness: Liveness
    because: str
    beat: Beat | None = None

    @property
    def age_s(self) -> float:
        """Seconds since it was taken; 0 when unknown."""
        return max(0.0, time.time() - self.lock.created) if self.lock.created else 0.0


def this_machine() -> str:
    """Tells machines, their boots and containers apart; two machines may have one name."""
    namespace = _NAMESPACE.stat().st_ino if _NAMESPACE.exists() else 0
    return f"{socket.gethostname()}/{int(psutil.boot_time())}/{namespace}"


def new_beat(command: str) -> Beat:
    """The first beat of this process."""
    me, now = current(), time.time()
    return Beat(me.pid, me.created, socket.gethostname(), this_machine(), command, now, now)


def write_beat(backend: StateBackend, beat: Beat) -> None:
    """Tell whoever finds the lock that we are alive."""
    backend.write_note(HEARTBEAT, json.dumps({**asdict(beat), "at": time.time()}).encode())


def read_beat(backend: StateBackend) -> Beat | None:
    """The last beat; None when there is none that can be read."""
    text = backend.read_note(HEARTBEAT)
    try:
        return Beat(**json.loads(text)) if text else None
    except (ValueError, TypeError):
        return None


def has_ended(beat: Beat, *, silent_s: float) -> bool:
    """Whether the command that beat is gone: on this machine by its process, elsewhere by its silence of that long."""
    if beat.machine == this_machine():
        return not ProcessId(beat.pid, beat.created).alive
    return time.time() - beat.at > silent_s


def find_holding(backend: StateBackend, root: Path) -> Holding | None:
    """The lock and what is known of its holder; None when the state is not locked. `root` is where Terraform works."""
    lock = backend.read_lock()
    if lock is None:
        return None
    if isinstance(backend, LocalBackend):
        if backend.is_held():
            return Holding(lock, Liveness.ALIVE, "the kernel's lock on the file is held")
        return Holding(lock, Liveness.DEAD, "its process has ended: the kernel's lock on the file is free")
    beat = read_beat(backend)
    liveness, because = judge(lock, beat, root, now=time.time())
    # A holder that lets go and ends between the two looks has left nothing.
    if liveness is Liveness.DEAD and backend.read_lock() != lock:
        return find_holding(backend, root)
    return Holding(lock, liveness, because, beat if beat and _belongs(beat, lock) else None)


@contextlib.contextmanager
def explain_lock(backend: StateBackend, root: Path, name: str) -> Iterator[None]:
    """Where Terraform finds the state locked, tell who holds it and whether that command still works.

    Raises:
        StateError: it is locked; told at once, not after Terraform's patience, when the holder is dead.
    """
    found = None if isinstance(backend, LocalBackend) else find_holding(backend, root)
    if found and found.liveness is Liveness.DEAD:
        raise _locked(found, name)
    try:
        yield
    except StateError as error:
        holding = find_holding(backend, root) if LOCKED in error.message else None
        if holding is None:
            raise
        raise _locked(holding, name) from error


def _locked(holding: Holding, name: str) -> StateError:
    hints = {
        Liveness.ALIVE: "wait until it ends, then run the same command again",
        Liveness.DEAD: 'mlops state unlock --reason "…" takes the lock away; then run the same command again',
        Liveness.UNKNOWN: 'ask them; when it has ended: mlops state unlock --force --reason "…"',
    }
    text = f"{name}: the state is locked by {describe(holding.lock)}; {holding.because}; nothing was changed"
    return StateError(text, hint=hints[holding.liveness])


def describe(lock: Lock) -> str:
    """Such as `OperationTypeApply by ann@laptop since 2026-11-21 10:00:00`."""
    since = time.strftime(" since %Y-%m-%d %H:%M:%S", time.localtime(lock.created)) if lock.created else ""
    return f"{lock.operation or 'a command'} by {lock.who or 'somebody unknown'}{since}"


def judge(lock: Lock, beat: Beat | None, root: Path, *, now: float) -> tuple[Liveness, str]:
    """Whether the holder of a remote lock is alive, and how that is known. `now` is Unix seconds."""
    working = _find_working(root)
    if working and lock.host == socket.gethostname():
        return Liveness.ALIVE, f"process {working} works in {root}"
    if beat is None or not _belongs(beat, lock):
        return Liveness.UNKNOWN, "no command of mlops took it: only its holder knows"
    if beat.machine == this_machine():
        if ProcessId(beat.pid, beat.created).alive:
            return Liveness.ALIVE, f"process {beat.pid} on this machine runs `{beat.command}`"
        return Liveness.DEAD, f"process {beat.pid} on this machine, which ran `{beat.command}`, has ended"
    silent = now - beat.at
    told = f"`{beat.command}`, process {beat.pid} on {beat.host}, was last heard of {silent:.0f} s ago"
    return (Liveness.ALIVE if silent < STALE_S else Liveness.DEAD), told


def _belongs(beat: Beat, lock: Lock) -> bool:
    """Whether the lock was taken by the command that beats, not by a later one that is not ours."""
    return beat.host == lock.host and beat.began - 1 <= lock.created <= beat.at + STALE_S


def _find_working(root: Path) -> int:
    """A process other than this one that works in the folder, such as a Terraform whose command was killed; 0: none."""
    wanted = str(root.resolve())
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.cwd() == wanted and process.status() != psutil.STATUS_ZOMBIE:
                return process.pid
        except (psutil.AccessDenied, psutil.NoSuchProcess, OSError):
            continue
    return 0
