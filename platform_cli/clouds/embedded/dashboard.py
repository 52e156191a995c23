"""Dashboards that `port-forward` serves: MLflow's, in the foreground, with a record that destroy can find."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from platform_cli.clouds.embedded.stages import tracking_uri
from platform_cli.cluster.forward_service import ALL, MODEL_PREFIX, require_known
from platform_cli.doctor import is_port_free
from platform_cli.errors import InterruptedByUser, NotReadyError, PreflightError
from platform_cli.events import Emit, Forwarded, Notice
from platform_cli.layout import TargetHome
from platform_cli.process import ProcessId, current, scrub_environment, stop_tree
from platform_cli.runner import Command, ProcessRunner, Runner
from platform_cli.tools.mlflow_database import QUIET, server_command

Opened = Callable[[str], None]
"""Told the address of a dashboard once it answers."""

_MLFLOW = "mlflow"
_TRIES = 100
_GRACE_S = 5.0
_POLL_S = 0.2
# A dashboard looks; MLflow's job workers would start a dozen processes that nobody here asks for.
_NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard that some `port-forward` serves."""

    service: str
    url: str
    process: ProcessId

    def __str__(self) -> str:
        return f"{self.service} at {self.url} (process {self.process.pid})"


def list_dashboards(folder: Path) -> tuple[Dashboard, ...]:
    """The dashboards that are alive; records of dead ones are passed over."""
    found = [_read(path) for path in sorted(folder.glob("*.json"))] if folder.is_dir() else []
    return tuple(dashboard for dashboard in found if dashboard is not None and dashboard.process.alive)


def stop_dashboards(folder: Path) -> int:
    """End every dashboard; returns how many there were."""
    dashboards = list_dashboards(folder)
    for dashboard in dashboards:
        stop_tree(dashboard.process, grace_s=_GRACE_S)
    return len(dashboards)


def choose_port(host: str, wanted: int, emit: Emit) -> int:
    """The wanted port, or the next free one, which is told.

    Raises:
        PreflightError: none of the next hundred is free either.
    """
    free = next((port for port in range(wanted, min(wanted + _TRIES, 65536)) if is_port_free(host, port)), None)
    if free is None:
        raise PreflightError(f"no free port from {wanted} on {host}", hint="choose one with --port")
    if free != wanted:
        emit(Notice(level="hint", text=f"port {wanted} is taken, using {free}"))
    return free


def require_here(services: Sequence[str]) -> None:
    """Refuse what this platform does not have: it has MLflow's pages only.

    Raises:
        UsageError: there is no such dashboard.
        NotReadyError: it is another cloud's.
    """
    require_known(services)
    for service in services:
        if service.startswith(MODEL_PREFIX):
            hint = "its address: mlops model list"
            raise NotReadyError(f"{service} listens on this machine already, when it is deployed", hint=hint)
        if service not in (ALL, _MLFLOW):
            raise NotReadyError(f"{service} is not part of the embedded platform", hint="mlops port-forward mlflow")


def serve_mlflow(home: TargetHome, *, host: str, port: int, emit: Emit) -> None:
    """Serve MLflow's UI until Ctrl-C. Errors are those of `serve`."""
    port = choose_port(host, port, emit)
    argv = tuple(server_command(tracking_uri(home), home.tracking_artifacts, host=host, port=port))
    command = Command(
        argv=argv, cwd=home.root, title="mlflow", env={**scrub_environment(os.environ), **QUIET, **_NO_JOBS}
    )
    name = f"[{host}]" if ":" in host else host
    log = home.logs / "mlflow-ui.log"
    serve(
        ProcessRunner(),
        command,
        service=_MLFLOW,
        url=f"http://{name}:{port}",
        folder=home.dashboards,
        log=log,
        emit=emit,
        opened=lambda url: emit(Forwarded(service=_MLFLOW, state="open", url=url)),
    )


def serve(
    runner: Runner, command: Command, *, service: str, url: str, folder: Path, log: Path, emit: Emit, opened: Opened
) -> None:
    """Run the dashboard's server until Ctrl-C; `opened` is called from a thread once `url` answers.

    Raises:
        ToolError: the server ended by itself; the message names its log.
    """
    ended = threading.Event()
    watch = threading.Thread(target=_wait_for_answer, args=(url, ended, opened), daemon=True)
    # Ctrl-C is how a dashboard is closed: nothing went wrong.
    with _recorded(folder, service, url), contextlib.suppress(InterruptedByUser):
        watch.start()
        try:
            runner.run(command, emit=emit, log=log)
        finally:
            ended.set()
            watch.join()


def _wait_for_answer(url: str, ended: threading.Event, opened: Opened) -> None:
    while not ended.is_set():
        if _answers(url):
            opened(url)
            return
        time.sleep(_POLL_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_POLL_S * 10):  # noqa: S310 - our own http address
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@contextlib.contextmanager
def _recorded(folder: Path, service: str, url: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    record, process = folder / f"{service}-{os.getpid()}.json", current()
    record.write_text(json.dumps({"service": service, "url": url, "pid": process.pid, "created": process.created}))
    try:
        yield
    finally:
        record.unlink(missing_ok=True)


def _read(path: Path) -> Dashboard | None:
    try:
        fields = json.loads(path.read_text("utf-8"))
        return Dashboard(fields["service"], fields["url"], ProcessId(fields["pid"], fields["created"]))
    except (OSError, ValueError, KeyError):
        return None
