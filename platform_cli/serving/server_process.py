"""One model server as its supervisor sees it: start, become ready, end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platform_cli.process import ProcessId
from platform_cli.serving.record import Deployment, Place, read_tail


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A running server. `ready` is the end of a pipe that gets a newline when it answers; `started` is monotonic."""

    deployment: Deployment
    child: subprocess.Popen[bytes]
    identity: ProcessId
    ready: int
    started: float

    @property
    def has_ended(self) -> bool:
        """Whether it ended; reaps it."""
        return self.child.poll() is not None

    def ask_to_end(self) -> None:
        """TERM: it finishes the requests in work."""
        if not self.has_ended:
            self.child.terminate()

    def kill(self) -> None:
        """End it now."""
        if not self.has_ended:
            self.child.kill()

    def close(self) -> None:
        """Give back our ends of its pipes."""
        os.close(self.ready)
        if self.child.stdin is not None:
            self.child.stdin.close()


def start_server(
    deployment: Deployment, place: Place, *, script: Path, listener: socket.socket, environment: Mapping[str, str]
) -> ServerProcess:
    """Start a server on an open socket; it loads its model first and takes no request before that."""
    ready, report = os.pipe()
    descriptors = (listener.fileno(), report)
    argv = [sys.executable, str(script), *_arguments(deployment, place, *descriptors)]
    with place.server_log.open("ab") as log:
        # Standard input is a pipe that we never write to: it closes however we end, and so ends the server.
        child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=dict(environment),
            cwd=place.folder,
            pass_fds=descriptors,
            process_group=0,
        )
    os.close(report)
    identity = ProcessId.of(child.pid) or ProcessId(child.pid, 0.0)
    return ServerProcess(deployment, child, identity, ready, time.monotonic())


def _arguments(deployment: Deployment, place: Place, listener: int, report: int) -> list[str]:
    model = ["--model", str(place.model(deployment)), "--name", deployment.name]
    return [*model, "--version", deployment.version, "--socket", str(listener), "--ready-pipe", str(report)]


def describe_end(server: ServerProcess, place: Place) -> str:
    """Why a server ended: its own last line when it complained, else its exit status or signal."""
    code = server.child.poll()
    if code is None:
        return "it did not become ready in time"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    last = next(iter(read_tail(place.server_log, lines=1)), "")
    said = last.removeprefix("model_server: ") if last.startswith("model_server: ") else ""
    return said or f"ended with status {code}"
