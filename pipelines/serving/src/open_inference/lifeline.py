"""How a supervisor and its server stay tied: two pipes, no polling, on any Unix.

The server's standard input is a pipe that its supervisor never writes to: when it closes, the supervisor is gone
(killed, even), and a server nobody watches must not go on. Readiness goes the other way, one newline on a pipe.
"""

from __future__ import annotations

import os
import signal
import sys
import threading


def stop_with_supervisor() -> None:
    """Send ourselves TERM when standard input closes."""
    threading.Thread(target=_wait_for_close, name="lifeline", daemon=True).start()


def _wait_for_close() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def report_ready(descriptor: int) -> None:
    """Tell the supervisor on this file descriptor that we answer; closes it."""
    os.write(descriptor, b"\n")
    os.close(descriptor)
