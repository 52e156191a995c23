"""Keeps one model served: what to start, restart, replace and stop, whatever its servers do."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from platform_cli.errors import StateError
from platform_cli.process import current
from platform_cli.serving.record import Condition, Deployment, Place, Rejection
from platform_cli.serving.server_process import ServerProcess, describe_end, start_server

_READY_DEADLINE_S = 300.0
_DRAIN_S = 15.0
_STEADY_S = 60.0
_LONGEST_PAUSE_S = 30.0
_TICK_S = 5.0


class Supervisor:
    """One deployed model: at most one server that answers, one that is about to, and some that finish their work."""

    def __init__(self, place: Place, listener: socket.socket, *, script: Path, environment: Mapping[str, str]) -> None:
        self._place, self._listener, self._script, self._environment = place, listener, script, environment
        self._wanted = require_deployment(place)
        self._answering: ServerProcess | None = None
        self._coming: ServerProcess | None = None
        self._leaving: list[tuple[ServerProcess, float]] = []
        self._retry_at: float | None = time.monotonic()
        self._failures = 0
        self._restarts = 0
        self._started: float | None = None
        self._reason = ""
        self._rejection: Rejection | None = None
        self._unwritten: Condition | None = None

    def follow_wish(self) -> None:
        """Read again what should run, and act on it."""
        wanted = require_deployment(self._place)
        changed = not wanted.is_same_model(self._wanted)
        self._wanted, self._rejection, self._failures = wanted, None, 0
        if self._coming is not None and changed:
            self._retire(self._coming)
            self._coming = None
        answers = self._answering is not None and self._answering.deployment.is_same_model(wanted)
        if not answers and self._coming is None:
            self._start()
        self._record()

    def tend(self, ready: set[int]) -> None:
        """Take note of servers that became ready, ended, or took too long; start what is due."""
        now = time.monotonic()
        if self._coming is not None:
            self._look_at_coming(self._coming, ready, now)
        if self._answering is not None and self._answering.has_ended:
            self._lose(self._answering)
        self._sweep(now)
        if self._retry_at is not None and self._retry_at <= now and self._coming is None:
            self._start()
        self._write()

    def pipes(self) -> set[int]:
        """What to watch for readiness."""
        return set() if self._coming is None else {self._coming.ready}

    def pause_s(self) -> float:
        """How long nothing is due."""
        due = [] if self._retry_at is None else [self._retry_at - time.monotonic()]
        return max(0.0, min([_TICK_S, *due]))

    def end(self) -> None:
        """Stop all servers, those that answer after their requests in work."""
        servers = [server for server in (self._answering, self._coming) if server is not None]
        for server in servers:
            self._retire(server)
        self._answering = self._coming = self._retry_at = None
        while self._leaving:
            self._sweep(time.monotonic())
            time.sleep(0.02)
        self._started = None
        self._record("stopped")

    def _start(self) -> None:
        self._retry_at = None
        self._coming = start_server(
            self._wanted,
            self._place,
            script=self._script,
            listener=self._listener,
            environment=self._environment,
        )
        self._record()

    def _look_at_coming(self, coming: ServerProcess, ready: set[int], now: float) -> None:
        if coming.ready in ready and os.read(coming.ready, 1):
            self._promote(coming)
        elif coming.has_ended or now - coming.started > _READY_DEADLINE_S:
            reason = describe_end(coming, self._place)
            self._coming = None
            self._retire(coming)
            self._reject(coming, reason)

    def _promote(self, server: ServerProcess) -> None:
        if self._answering is not None:
            self._retire(self._answering)
        self._answering, self._coming, self._reason, self._started = server, None, "", time.time()
        self._record()

    def _reject(self, server: ServerProcess, reason: str) -> None:
        self._rejection = Rejection(self._wanted.generation, reason)
        if self._answering is None:
            self._schedule_retry(reason)
        elif not server.deployment.is_same_model(self._answering.deployment):
            self._go_back(self._answering.deployment)
        self._record()

    def _go_back(self, deployment: Deployment) -> None:
        """Wish for what still answers, unless a command changed the wish meanwhile."""
        # When it cannot be written, the command that waits for us writes it.
        with contextlib.suppress(StateError):
            if require_deployment(self._place).generation == self._wanted.generation:
                self._place.write_deployment(deployment)
        self._wanted = deployment

    def _lose(self, server: ServerProcess) -> None:
        self._answering, self._started = None, None
        if time.monotonic() - server.started > _STEADY_S:
            self._failures = 0
        reason = describe_end(server, self._place)
        server.close()
        if self._coming is None:
            self._schedule_retry(reason)
        self._record()

    def _schedule_retry(self, reason: str) -> None:
        pause_s = min(float(2**self._failures) - 1, _LONGEST_PAUSE_S)
        self._failures += 1
        self._restarts += 1
        self._reason = reason
        self._retry_at = time.monotonic() + pause_s

    def _retire(self, server: ServerProcess) -> None:
        server.ask_to_end()
        self._leaving.append((server, time.monotonic() + _DRAIN_S))

    def _sweep(self, now: float) -> None:
        for server, until in list(self._leaving):
            if server.has_ended:
                server.close()
                self._leaving.remove((server, until))
                self._record()
            elif now > until:
                server.kill()

    def _record(self, phase: str = "") -> None:
        servers = [server for server in (self._answering, self._coming, *(s for s, _ in self._leaving)) if server]
        answering = self._answering.deployment if self._answering else self._wanted
        self._unwritten = Condition(
            supervisor=current(),
            phase=phase or self._name_phase(),
            version=answering.version,
            source=answering.source,
            generation=self._wanted.generation,
            port=self._listener.getsockname()[1],
            wanted_port=self._wanted.port,
            reason=self._reason,
            servers=tuple(server.identity for server in servers),
            started=self._started,
            restarts=self._restarts,
            rejection=self._rejection,
        )
        self._write()

    def _write(self) -> None:
        """Write down what is not yet written; a full disk must not end a model that answers, so try again later."""
        if self._unwritten is not None:
            with contextlib.suppress(StateError):
                self._place.write_condition(self._unwritten)
                self._unwritten = None

    def _name_phase(self) -> str:
        if self._answering is not None:
            return "ready"
        return "waiting" if self._coming is None else "starting"


def require_deployment(place: Place) -> Deployment:
    """What should run there.

    Raises:
        StateError: nothing was deployed.
    """
    deployment = place.read_deployment()
    if deployment is None:
        raise StateError(f"nothing is deployed in {place.folder}")
    return deployment
