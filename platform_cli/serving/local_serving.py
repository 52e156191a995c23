"""Models served by processes on this machine: one supervisor with one model server each."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import psutil

from platform_cli.clouds.interface import ignore
from platform_cli.errors import DeadlineError, MlopsError, NotFoundError, ToolError, UsageError
from platform_cli.events import Emit
from platform_cli.layout import TargetHome
from platform_cli.lock import hold_lock
from platform_cli.process import ProcessId, scrub_environment, spawn_detached, stop_tree
from platform_cli.serving.inspection import holds, inspect_place, suggest_place
from platform_cli.serving.interface import Endpoint, ServingState, Size
from platform_cli.serving.port import require_free
from platform_cli.serving.record import Condition, Deployment, Place, list_places, read_tail
from platform_cli.tools.mlflow import ModelRef, ModelVersion, Registry
from platform_cli.tools.mlflow_database import QUIET

_SUPERVISOR = "platform_cli.serving.supervisor_process"
_SERVER = "pipelines/serving/src/model_server.py"
_GRACE_S = 20.0
_ORPHAN_GRACE_S = 3.0
_POLL_S = 0.05
_SHOWN_LINES = 20
_INHERITED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


class LocalServing:
    """See `interface.Serving`.

    Args:
        home: the target's state; models are copied to it, so they run on when the registry's files go.
        environment: what the servers' environment is taken from; credentials stay behind.
        assets: the folder that holds `pipelines/serving`.
        host: the address that servers listen on.
        first_port: where the search for a free port begins when none is asked for.
    """

    def __init__(
        self,
        home: TargetHome,
        *,
        environment: Mapping[str, str],
        assets: Path,
        host: str = "127.0.0.1",
        first_port: int = 8500,
    ) -> None:
        self._home = home
        self._environment = {**scrub_environment(environment, keep=_INHERITED), **QUIET, "PYTHONUNBUFFERED": "1"}
        self._script = assets / _SERVER
        self._host = host
        self._first_port = first_port
        self._registry = Registry(f"sqlite:///{home.tracking_database}")

    def deploy(
        self,
        ref: ModelRef,
        *,
        port: int | None = None,
        deadline_s: float = 120.0,
        size: Size | None = None,
        emit: Emit = ignore,  # noqa: ARG002 - nothing here is told but by the result
    ) -> Endpoint:
        """See `Serving.deploy`."""
        if size not in (None, Size()):
            raise UsageError("replicas, cpu and memory are for models on a cluster", hint="leave them out here")
        version = self._registry.resolve(ref)
        place = Place.of(self._home.serving, version.name)
        with hold_lock(place.lock, target=f"model '{version.name}'", command=f"mlops model deploy {ref}"):
            before = place.read_deployment()
            wish = self._wish(version, before, port)
            present = None if before is None else inspect_place(place, before)
            if before and present and holds(wish, before, present):
                return replace(present, outcome="unchanged")
            if port is not None and (present is None or not present.pids or present.port != port):
                require_free(self._host, port)
            return self._roll_out(place, version, wish, before, deadline_s)

    def list(self) -> tuple[Endpoint, ...]:
        """See `Serving.list`."""
        found = ((place, place.read_deployment()) for place in list_places(self._home.serving))
        return tuple(inspect_place(place, deployment) for place, deployment in found if deployment is not None)

    def get(self, name: str) -> Endpoint:
        """See `Serving.get`."""
        place, deployment = self._require(name)
        return inspect_place(place, deployment)

    @contextlib.contextmanager
    def connect(self, name: str) -> Iterator[str]:
        """See `Serving.connect`."""
        yield self.get(name).url

    def undeploy(self, name: str) -> None:
        """See `Serving.undeploy`."""
        place = Place.of(self._home.serving, name)
        if not place.folder.is_dir():
            raise self._unknown(name)
        with hold_lock(place.lock, target=f"model '{name}'", command=f"mlops model undeploy {name}"):
            _stop(place)
            shutil.rmtree(place.folder)

    def undeploy_all(self) -> int:
        """Undeploy every model; returns how many there were."""
        places = list_places(self._home.serving)
        for place in places:
            self.undeploy(place.name)
        return len(places)

    def restore(self, *, deadline_s: float = 120.0) -> tuple[Endpoint, ...]:
        """See `Serving.restore`.

        Raises:
            ToolError: a model does not come up; the others were started all the same.
            DeadlineError: a model is not ready in time; likewise.
        """
        failures: list[MlopsError] = []
        endpoints: list[Endpoint] = []
        for place in list_places(self._home.serving):
            try:
                endpoints.extend(self._restore(place, deadline_s))
            except (ToolError, DeadlineError) as error:
                failures.append(error)
        if failures:
            raise failures[0]
        return tuple(endpoints)

    def _restore(self, place: Place, deadline_s: float) -> tuple[Endpoint, ...]:
        with hold_lock(place.lock, target=f"model '{place.name}'", command="mlops deploy"):
            deployment = place.read_deployment()
            if deployment is None:
                return ()
            present = inspect_place(place, deployment)
            if present.state is ServingState.READY:
                return (replace(present, outcome="unchanged"),)
            wish = msgspec.structs.replace(deployment, generation=deployment.generation + 1)
            place.write_deployment(wish)
            supervisor = self._start(place, wish)
            endpoint = self._await(place, wish, supervisor, deadline_s, log=place.server_log)
            return (replace(endpoint, outcome="changed"),)

    def _roll_out(
        self, place: Place, version: ModelVersion, wish: Deployment, before: Deployment | None, deadline_s: float
    ) -> Endpoint:
        with contextlib.ExitStack() as undo:
            undo.callback(self._roll_back, place, before)
            if not place.model(wish).is_dir():
                self._registry.fetch(version, place.model(wish))
            place.write_deployment(wish)
            supervisor = self._start(place, wish)
            endpoint = self._await(place, wish, supervisor, deadline_s, log=self._failed_log(place))
            undo.pop_all()
        _prune(place, wish)
        return replace(endpoint, outcome="created" if before is None else "changed")

    def _roll_back(self, place: Place, before: Deployment | None) -> None:
        """After a failed deploy: what was served before goes on; what was not leaves only its log."""
        if place.server_log.is_file():
            self._home.logs.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place.server_log, self._failed_log(place))
        if before is None:
            _stop(place)
            shutil.rmtree(place.folder, ignore_errors=True)
            return
        wish = place.read_deployment() or before
        again = msgspec.structs.replace(before, generation=max(wish.generation, before.generation) + 1)
        place.write_deployment(again)
        self._start(place, again)

    def _failed_log(self, place: Place) -> Path:
        return self._home.logs / f"serving-{place.folder.name}.log"

    def _wish(self, version: ModelVersion, before: Deployment | None, port: int | None) -> Deployment:
        kept_port = (before.port, before.is_exact) if before else (self._first_port, False)
        wanted_port, is_exact = kept_port if port is None else (port, True)
        return Deployment(
            name=version.name,
            version=version.version,
            source=version.source,
            host=self._host,
            port=wanted_port,
            is_exact=is_exact,
            generation=before.generation + 1 if before else 1,
        )

    def _start(self, place: Place, wish: Deployment) -> ProcessId:
        """Have a supervisor that follows the wish."""
        condition = place.read_condition()
        supervisor = condition.supervisor.find() if condition else None
        if condition and supervisor and wish.port in (condition.wanted_port, condition.port):
            # One that ends meanwhile is replaced.
            with contextlib.suppress(psutil.NoSuchProcess):
                supervisor.send_signal(signal.SIGHUP)
                return condition.supervisor
        _stop(place)
        argv = [sys.executable, "-m", _SUPERVISOR, str(place.folder), str(self._script)]
        return spawn_detached(argv, log=place.supervisor_log, env=self._environment, cwd=place.folder)

    def _await(
        self, place: Place, wish: Deployment, supervisor: ProcessId, deadline_s: float, *, log: Path
    ) -> Endpoint:
        deadline = time.monotonic() + deadline_s
        while time.monotonic() < deadline:
            condition = place.read_condition()
            rejection = condition.rejection if condition else None
            if rejection is not None and rejection.generation == wish.generation:
                raise _explain(place, rejection.reason, log)
            if condition is not None and _is_up(condition, wish):
                endpoint = inspect_place(place, wish)
                if endpoint.state is ServingState.READY:
                    return endpoint
            if not supervisor.alive:
                last = read_tail(place.supervisor_log, lines=1)
                raise _explain(place, last[0] if last else "its supervisor ended at once", log)
            time.sleep(_POLL_S)
        raise DeadlineError(
            f"model '{wish.name}' version {wish.version} was not ready within {deadline_s:g} s",
            hint=f"the server's log: {log}",
            details=read_tail(place.server_log, lines=_SHOWN_LINES),
        )

    def _require(self, name: str) -> tuple[Place, Deployment]:
        place = Place.of(self._home.serving, name)
        deployment = place.read_deployment()
        if deployment is None:
            raise self._unknown(name)
        return place, deployment

    def _unknown(self, name: str) -> NotFoundError:
        return suggest_place(name, list_places(self._home.serving))


def leftovers(home: TargetHome) -> list[str]:
    """What is still there of model servers after all were undeployed: files, processes and their ports."""
    files = [f"file {path}" for path in sorted(home.serving.rglob("*"))] if home.serving.is_dir() else []
    return files + [_describe(process) for process in _find_processes(home.serving)]


def _find_processes(folder: Path) -> Iterator[psutil.Process]:
    """Supervisors and servers of what is in or below a folder, whether anybody wrote them down or not."""
    for process in psutil.process_iter():
        try:
            argv = process.cmdline()
        except psutil.Error:
            continue
        is_ours = _SUPERVISOR in argv or any(part.endswith(_SERVER) for part in argv)
        if is_ours and any(part == str(folder) or part.startswith(f"{folder}/") for part in argv):
            yield process


def _describe(process: psutil.Process) -> str:
    try:
        ports = [str(c.laddr.port) for c in process.net_connections("tcp") if c.status == "LISTEN" and c.laddr]
        return f"process {process.pid}" + (f" on port {', '.join(ports)}" if ports else "")
    except psutil.Error:
        return f"process {process.pid}"


def _explain(place: Place, reason: str, log: Path) -> ToolError:
    return ToolError(
        f"model '{place.name}' does not come up: {reason}",
        hint=f"the server's log: {log}",
        details=read_tail(place.server_log, lines=_SHOWN_LINES),
    )


def _is_up(condition: Condition, wish: Deployment) -> bool:
    is_this = condition.generation == wish.generation and condition.source == wish.source
    # While an old server still finishes its requests, it may take another from the shared socket.
    return is_this and condition.phase == "ready" and len(condition.servers) == 1


def _stop(place: Place) -> None:
    condition = place.read_condition()
    if condition is not None:
        stop_tree(condition.supervisor, grace_s=_GRACE_S)
        for orphan in condition.servers:
            stop_tree(orphan, grace_s=_ORPHAN_GRACE_S)
    # One that was only just started has not written itself down.
    for process in list(_find_processes(place.folder)):
        identity = ProcessId.of(process.pid)
        if identity is not None:
            stop_tree(identity, grace_s=_GRACE_S)


def _prune(place: Place, kept: Deployment) -> None:
    for folder in place.model(kept).parent.iterdir():
        if folder != place.model(kept):
            shutil.rmtree(folder)
