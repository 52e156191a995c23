"""Beats beside a remote state while one of our commands works with it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from platform_cli.clouds.terraform.backend import StateBackend
from platform_cli.clouds.terraform.backend_local import LocalBackend
from platform_cli.clouds.terraform.state_lock import (
    BEAT_S,
    HEARTBEAT,
    STALE_S,
    Beat,
    has_ended,
    new_beat,
    read_beat,
    write_beat,
)
from platform_cli.errors import MlopsError

# Before anybody takes the silence for our own end.
_GONE_S = STALE_S - 2 * BEAT_S


@contextlib.contextmanager
def beating(backend: StateBackend, command: str) -> Iterator[None]:
    """Beat while the block runs. A beat that cannot be written stops nothing: Terraform itself tells of such trouble.

    The kernel watches over a local state; nothing beats there.
    """
    if isinstance(backend, LocalBackend):
        yield
        return
    over, beat = threading.Event(), new_beat(command)
    thread = threading.Thread(target=_beat, args=(backend, beat, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    # Only after a good end: the last beat is what tells whose lock it was that a killed Terraform left.
    with contextlib.suppress(MlopsError):
        if not _is_anothers(read_beat(backend), beat):
            backend.remove_note(HEARTBEAT)


def _beat(backend: StateBackend, beat: Beat, over: threading.Event) -> None:
    while True:
        with contextlib.suppress(MlopsError):
            if _may_beat(backend, beat):
                write_beat(backend, beat)
        if over.wait(BEAT_S):
            return


def _may_beat(backend: StateBackend, ours: Beat) -> bool:
    """Whether the last beat explains nothing any more that ours does not."""
    last = read_beat(backend)
    if last is None or not _is_anothers(last, ours):
        return True
    # Who beats already has the lock, or had it a moment ago: Terraform will tell us.
    if not has_ended(last, silent_s=_GONE_S):
        return False
    # What a command left locked when it was killed, its last beat tells; a lock that came since is ours.
    lock = backend.read_lock()
    return lock is None or lock.created >= ours.began


def _is_anothers(found: Beat | None, ours: Beat) -> bool:
    return found is not None and (found.machine, found.pid, found.created) != (ours.machine, ours.pid, ours.created)
