"""A supervisor's process: `python -m platform_cli.serving.supervisor_process FOLDER SERVER_SCRIPT`.

It holds the listening socket, so the port stays ours while servers come and go: after a crash, requests wait for the
next server, and a new version takes over from the old one without a refused connection. HUP makes it read what should
run again; TERM ends it and its servers. When it is killed, its servers end by themselves (their input pipe closes).
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from platform_cli.errors import MlopsError, StateError
from platform_cli.lock import hold_lock
from platform_cli.process import current, stop_tree
from platform_cli.serving.port import open_listener
from platform_cli.serving.record import Condition, Deployment, Place, Rejection
from platform_cli.serving.supervisor import Supervisor, require_deployment

LOG_BYTES = 5 * 2**20
_ORPHAN_GRACE_S = 3.0


def supervise(place: Place, script: Path, environment: Mapping[str, str]) -> None:
    """Keep a model served until TERM.

    Raises:
        MlopsError: no port can be had, or another supervisor runs.
    """
    with hold_lock(place.folder / "supervisor.lock", target=f"model '{place.name}'", command="model supervisor"):
        _stop_orphans(place)
        wish, before = require_deployment(place), place.read_condition()
        favourite = before.port if before and before.wanted_port == wish.port and not wish.is_exact else None
        try:
            listener = open_listener(wish.host, wish.port, is_exact=wish.is_exact, favourite=favourite or None)
        except MlopsError as error:
            _record_failure(place, wish, error.message)
            raise
        with listener, _signals() as (alarm, received):
            _run(Supervisor(place, listener, script=script, environment=environment), place, alarm, received)


def _run(supervisor: Supervisor, place: Place, alarm: int, received: set[int]) -> None:
    supervisor.tend(set())
    while signal.SIGTERM not in received:
        ready = _wait(alarm, supervisor.pipes(), supervisor.pause_s())
        if signal.SIGHUP in received:
            received.discard(signal.SIGHUP)
            # An unreadable wish changes nothing: what answers goes on.
            with contextlib.suppress(StateError):
                supervisor.follow_wish()
        supervisor.tend(ready)
        for log in (place.server_log, place.supervisor_log):
            rotate(log)
    supervisor.end()


def rotate(log: Path, *, limit: int = LOG_BYTES) -> None:
    """Move a log that grew past `limit` bytes aside, keeping one; its writers append, so they go on at the start."""
    if log.is_file() and log.stat().st_size > limit:
        # On a full disk the old lines are lost: that is what makes room.
        with contextlib.suppress(OSError):
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


def _wait(alarm: int, pipes: set[int], pause_s: float) -> set[int]:
    with selectors.DefaultSelector() as selector:
        for descriptor in (alarm, *pipes):
            selector.register(descriptor, selectors.EVENT_READ)
        ready = {key.fd for key, _ in selector.select(pause_s)}
    if alarm in ready:
        os.read(alarm, 512)
    return ready - {alarm}


@contextlib.contextmanager
def _signals() -> Iterator[tuple[int, set[int]]]:
    """A pipe that wakes us on a signal, and the signals that came. INT is the terminal's business, not ours."""
    received: set[int] = set()
    alarm, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda got, _frame: received.add(got))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield alarm, received


def _stop_orphans(place: Place) -> None:
    before = place.read_condition()
    for server in before.servers if before else ():
        stop_tree(server, grace_s=_ORPHAN_GRACE_S)


def _record_failure(place: Place, wish: Deployment, reason: str) -> None:
    place.write_condition(
        Condition(
            supervisor=current(),
            phase="failed",
            version=wish.version,
            source=wish.source,
            generation=wish.generation,
            port=wish.port,
            wanted_port=wish.port,
            reason=reason,
            rejection=Rejection(wish.generation, reason),
        )
    )


if __name__ == "__main__":
    try:
        supervise(Place(Path(sys.argv[1])), Path(sys.argv[2]), os.environ)
    except MlopsError as failure:
        sys.exit(f"supervisor: {failure.message}")
