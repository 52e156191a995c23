"""Checks that a machine or an account is fit, each with what to do when it is not."""

from __future__ import annotations

import importlib.metadata
import shutil
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from platform_cli.errors import MlopsError, ToolError

SCHEMA_VERSION = 1
_OLDEST_PYTHON = (3, 11)
_NEEDED_BYTES = 2 * 1024**3
_PATIENCE_S = 45.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: `fix` says what to do when it is not ok; a finding that only `advises` fails nothing."""

    ok: bool
    found: str
    fix: str = ""
    advises: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be true.

    Attributes:
        look: called when the checks run.
        asks: whether it asks somebody over a network; such checks run at the same time, in threads.
        is_settled: whether a deploy has no use for the answer, as everything is there already.
    """

    name: str
    look: Callable[[], Finding]
    asks: bool = False
    is_settled: Callable[[], bool] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A check's name and what it found."""

    name: str
    finding: Finding

    @property
    def failed(self) -> bool:
        """Whether a deploy would fail because of it."""
        return not self.finding.ok and not self.finding.advises


def run_checks(checks: Iterable[Check], *, thorough: bool = True, timeout_s: float = _PATIENCE_S) -> tuple[Result, ...]:
    """Run every check, failed ones included; all that ask have `timeout_s` together.

    Without `thorough` a check whose answer changes nothing is not asked.
    """
    listed = tuple(checks)
    deadline = time.monotonic() + timeout_s
    answers = {check.name: _ask(check, thorough=thorough) for check in listed if check.asks}
    return tuple(
        Result(check.name, _await(answers[check.name], deadline, timeout_s) if check.asks else check.look())
        for check in listed
    )


def _ask(check: Check, *, thorough: bool) -> Future[Finding]:
    """Look in a thread that ends with the process, whether it has an answer or not."""
    answer: Future[Finding] = Future()

    def look() -> None:
        try:
            is_settled = not thorough and check.is_settled is not None and check.is_settled()
            answer.set_result(Finding(ok=True, found="nothing new is made") if is_settled else check.look())
        except MlopsError as error:
            answer.set_exception(error)
        finally:
            if not answer.done():
                answer.set_exception(ToolError(f"the check {check.name} broke"))

    threading.Thread(target=look, name=f"check {check.name}", daemon=True).start()
    return answer


def _await(answer: Future[Finding], deadline: float, timeout_s: float) -> Finding:
    try:
        return answer.result(timeout=max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        return Finding(ok=False, found=f"no answer within {timeout_s:g} s", fix="try again", advises=True)
    except MlopsError as error:
        return Finding(ok=False, found=f"not checked: {error.message}", fix=error.hint, advises=True)


def to_document(target: str, results: Sequence[Result]) -> dict[str, Any]:
    """The results as plain data."""
    return {
        "schema_version": SCHEMA_VERSION,
        "type": "Doctor",
        "target": target,
        "failed": [result.name for result in results if result.failed],
        "checks": [{"name": result.name, **asdict(result.finding)} for result in results],
    }


def check_python() -> Finding:
    """Whether this Python is new enough."""
    found = sys.version.split()[0]
    ok = sys.version_info >= _OLDEST_PYTHON
    return Finding(ok, f"Python {found}", "install Python 3.11 or newer and make the environment again")


def check_extra(distributions: Sequence[str], extra: str) -> Finding:
    """Whether the packages of an extra are installed."""
    installed = {name: _version(name) for name in distributions}
    missing = [name for name, version in installed.items() if version is None]
    if missing:
        return Finding(ok=False, found=f"missing: {', '.join(missing)}", fix=f"pip install 'mlops[{extra}]'")
    return Finding(ok=True, found=", ".join(f"{name} {version}" for name, version in installed.items()))


def check_folder(folder: Path) -> Finding:
    """Whether we may write where the target's files go, or would go."""
    place = nearest_folder(folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            return Finding(ok=True, found=f"{place} is writable")
    except OSError as error:
        return Finding(ok=False, found=f"{place}: {error.strerror}", fix="run in a folder that you may write to")


def check_disk(folder: Path) -> Finding:
    """Whether there is room for runs and models."""
    free = shutil.disk_usage(nearest_folder(folder)).free
    return Finding(free >= _NEEDED_BYTES, f"{free / 1024**3:.1f} GiB free", "free at least 2 GiB", advises=free > 0)


def check_wal(folder: Path) -> Finding:
    """Whether SQLite's write-ahead log works there; on many network file systems it does not."""
    try:
        with tempfile.TemporaryDirectory(dir=nearest_folder(folder), prefix=".mlops-doctor-") as place:
            database = sqlite3.connect(Path(place) / "probe.db")
            mode = database.execute("pragma journal_mode = wal").fetchone()[0]
            database.execute("create table probe (id integer)")
            database.close()
    except (OSError, sqlite3.Error) as error:
        return Finding(ok=False, found=str(error), fix="use a folder on a local disk")
    return Finding(
        mode == "wal", f"SQLite {sqlite3.sqlite_version}, journal mode {mode}", "use a folder on a local disk"
    )


def check_port(host: str, port: int) -> Finding:
    """Whether a port is free; where it is not, the next free one is taken, so this only advises."""
    if is_port_free(host, port):
        return Finding(ok=True, found=f"{host}:{port} is free")
    fix = "another one is taken; choose your own in platform.yaml"
    return Finding(ok=False, found=f"{host}:{port} is taken", fix=fix, advises=True)


def is_port_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def nearest_folder(folder: Path) -> Path:
    """The folder itself, or its nearest parent that exists."""
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
