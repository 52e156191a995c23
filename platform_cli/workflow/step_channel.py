"""What the engine and the step server say to each other, and how the server is started."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platform_cli.process import ProcessId

_END_S = 10.0
_POLL_S = 0.005
_READ_BYTES = 1 << 16
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
_BOOT = (
    "import sys; sys.path.insert(0, {root!r}); from platform_cli.workflow.step_server import main; "
    "sys.path.remove({root!r}); main()"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRequest:
    """A process to start.

    Attributes:
        argv: the program and its arguments; `python` is True when it is Python code that may run in a fork.
        env: the complete environment.
        cwd: as the process sees it.
        binds: what its mount namespace shows (see `mount.enter`); empty for none.
        root: the folder to make `/`, or empty.
        modules: what the code imports, so that it can start in a process that has them.
        limits: such as {"RLIMIT_CORE": 0}.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    binds: Sequence[tuple[str, str, bool]] = ()
    root: str = ""
    python: bool = False
    modules: frozenset[str] = frozenset()
    limits: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepStarted:
    """Step `step` has a process."""

    step: int
    process: ProcessId


@dataclass(frozen=True, slots=True)
class StepExited:
    """Step `step` is over: `code` is negative for a signal. `problem` says why it never ran, or was lost."""

    step: int
    code: int
    problem: str = ""
    max_rss: int = 0


StepEvent = StepStarted | StepExited


def spawn_server(channel: socket.socket, env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a server that answers on the other end of `channel`; its complaints go to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = channel.fileno()
    with log.open("ab") as complaints:
        # A session of its own keeps the terminal's Ctrl-C away from it: stopping steps is the engine's decision.
        return subprocess.Popen(
            [sys.executable, "-P", "-c", _BOOT.format(root=str(_PACKAGE_PARENT)), str(descriptor)],
            stdin=subprocess.DEVNULL,
            stdout=complaints,
            stderr=complaints,
            env=dict(env),
            pass_fds=(descriptor,),
            start_new_session=True,
        )


def start_message(step: int, request: StepRequest, *, fork: bool) -> dict[str, Any]:
    """The request to start `step`; with `fork`, Python code runs in a fork of the server."""
    return {
        "do": "start",
        "id": step,
        "mode": "python" if request.python and fork else "exec",
        "argv": list(request.argv),
        "env": dict(request.env),
        "cwd": request.cwd,
        "binds": list(request.binds),
        "root": request.root,
        "limits": dict(request.limits),
    }


def send(channel: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send a message and open files. Where the other side is gone, reading says so, after all that it still said."""
    data = json.dumps(message).encode() + b"\n"
    try:
        sent = socket.send_fds(channel, [data], list(descriptors)) if descriptors else 0
        channel.sendall(data[sent:])
    except (BrokenPipeError, ConnectionResetError):
        return


def await_end(channel: socket.socket, process: ProcessId | None) -> None:
    """Wait until the other side is gone, whatever it still says; not for ever, since it may be held by a debugger."""
    given_up = time.monotonic() + _END_S
    channel.settimeout(_END_S)
    with contextlib.suppress(ConnectionResetError, TimeoutError):
        while channel.recv(_READ_BYTES):
            pass
    # It closes its files a moment before it is no more.
    while process is not None and process.alive and time.monotonic() < given_up:
        time.sleep(_POLL_S)
