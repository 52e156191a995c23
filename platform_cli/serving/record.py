"""What is written down about a deployed model: what should run (by commands) and what runs (by its supervisor)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from platform_cli.errors import StateError, UsageError
from platform_cli.process import ProcessId


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """What should run.

    Attributes:
        source: where the registry has this version's files; tells two versions of one number apart.
        port: the port that was asked for; when not `is_exact`, the next free one does.
        generation: grows with each command that changes or confirms the wish.
    """

    name: str
    version: str
    source: str
    host: str
    port: int
    is_exact: bool
    generation: int

    def is_same_model(self, other: Deployment) -> bool:
        """Whether both mean the very same files."""
        return (self.name, self.version, self.source) == (other.name, other.version, other.source)


class Rejection(msgspec.Struct, frozen=True):
    """A deployment that did not come up."""

    generation: int
    reason: str


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What runs, as its supervisor last saw it.

    Attributes:
        phase: starting, ready, waiting (for the next try), stopped (on request) or failed (cannot even listen).
        version: of the server that answers, else of the one that is tried.
        source: where that version's files came from.
        generation: of the deployment that this is about.
        servers: model servers, the answering one first.
        wanted_port: what `port` was found from.
    """

    supervisor: ProcessId
    phase: str
    version: str
    source: str
    generation: int
    port: int
    wanted_port: int
    reason: str = ""
    servers: tuple[ProcessId, ...] = ()
    started: float | None = None
    restarts: int = 0
    rejection: Rejection | None = None


_Record = TypeVar("_Record", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of one deployed model."""

    folder: Path

    @classmethod
    def of(cls, serving: Path, name: str) -> Place:
        """Where a model of this name is kept; the folder's name is the model's, quoted.

        Raises:
            UsageError: no model can have such a name.
        """
        quoted = urllib.parse.quote(name, safe=" ")
        if not quoted or quoted.startswith("."):
            raise UsageError(f"'{name}' is no name of a model")
        return cls(serving / quoted)

    @property
    def name(self) -> str:
        """The model's name."""
        return urllib.parse.unquote(self.folder.name)

    @property
    def lock(self) -> Path:
        """Held by the command that changes the deployment; beside the folder, which comes and goes."""
        return self.folder.parent / f".{self.folder.name}.lock"

    @property
    def server_log(self) -> Path:
        """What the model server wrote."""
        return self.folder / "server.log"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor wrote."""
        return self.folder / "supervisor.log"

    def model(self, deployment: Deployment) -> Path:
        """The files of a version. A registry that was created anew may use a number again, but not a source."""
        source = hashlib.sha256(deployment.source.encode()).hexdigest()[:8]
        return self.folder / "versions" / f"{deployment.version}-{source}"

    def read_deployment(self) -> Deployment | None:
        """What should run, or None when nothing was deployed."""
        return _read(self.folder / "desired.json", Deployment)

    def write_deployment(self, deployment: Deployment) -> None:
        """Change what should run."""
        _write(self.folder / "desired.json", deployment)

    def read_condition(self) -> Condition | None:
        """What runs, or None when no supervisor ever started."""
        return _read(self.folder / "actual.json", Condition)

    def write_condition(self, condition: Condition) -> None:
        """Write down what runs."""
        _write(self.folder / "actual.json", condition)


def list_places(serving: Path) -> tuple[Place, ...]:
    """The places of all deployed models, by name."""
    folders = sorted(serving.iterdir()) if serving.is_dir() else []
    return tuple(Place(folder) for folder in folders if folder.is_dir() and not folder.name.startswith("."))


def read_tail(path: Path, *, lines: int, limit: int = 16_384) -> tuple[str, ...]:
    """The last lines of a log; nothing when there is none."""
    if not path.is_file():
        return ()
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - limit))
        return tuple(file.read().decode("utf-8", "replace").splitlines()[-lines:])


def _read(path: Path, kind: type[_Record]) -> _Record | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise StateError(f"{path} is broken: {error}", hint="mlops model undeploy, then deploy again") from error


def _write(path: Path, record: msgspec.Struct) -> None:
    # Synced, then renamed: a reader, or a machine that lost power, sees the old or the new record, never a part.
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(record))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise StateError(f"cannot write {path}: {error.strerror}") from error
