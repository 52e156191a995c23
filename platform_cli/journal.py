"""What was begun and what ended, stage by stage, on disk before and after each: a killed command loses nothing.

SQLite in WAL mode with full synchronisation: an entry that was written survives a kill and a power cut.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from platform_cli.contention import outwait
from platform_cli.errors import StateError

_VERSION = 1
_WAIT_S = 10.0
# What the file that SQLite's readers and writers share needs; without it all it says is `disk I/O error`.
_ROOM = 32 * 1024
_SCHEMA = """
create table if not exists entry (
    id integer primary key,
    at real not null,
    pid integer not null,
    plan text not null,
    stage text not null,
    input text not null,
    phase text not null check (phase in ('started', 'finished', 'failed')),
    detail text not null
)
"""


@dataclass(frozen=True, slots=True)
class History:
    """What the journal knows about the stages.

    Attributes:
        applied: digest with which each stage last ended well, by name.
        interrupted: stages whose last attempt did not end well.
    """

    applied: Mapping[str, str]
    interrupted: frozenset[str]


class Recorder(Protocol):
    """Where apply writes what it begins and ends."""

    def record(self, *, plan: str, stage: str, digest: str, phase: str, detail: str = "") -> None:
        """Write one entry; it is on disk when this returns."""


class Journal:
    """The journal of one target; its file is made by the first entry. Use it in a `with` statement."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: sqlite3.Connection | None = None

    def record(self, *, plan: str, stage: str, digest: str, phase: str, detail: str = "") -> None:
        """Write one entry; it is on disk when this returns.

        `plan` and `digest` (of the stage's inputs) are SHA-256; `phase` is started, finished or failed.

        Raises:
            StateError: it could not be written: a full disk, a broken file, or one from another version.
        """
        with _explained(self._path), self._database:
            self._database.execute(
                "insert into entry (at, pid, plan, stage, input, phase, detail) values (?, ?, ?, ?, ?, ?, ?)",
                (time.time(), os.getpid(), plan, stage, digest, phase, detail),
            )

    def read(self) -> History:
        """What is known about every stage that was ever begun."""
        with _explained(self._path):
            last = self._database.execute(
                "select stage, phase from entry where id in (select max(id) from entry group by stage)"
            ).fetchall()
            good = self._database.execute(
                "select stage, input from entry where phase = 'finished' order by id"
            ).fetchall()
        return History(dict(good), frozenset(stage for stage, phase in last if phase != "finished"))

    def discard(self) -> None:
        """Close and remove the journal: the target is gone."""
        self._close()
        for path in list_files(self._path):
            path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def _database(self) -> sqlite3.Connection:
        if self._opened is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._opened = _open(self._path)
        return self._opened

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def read_history(path: Path) -> History:
    """What a journal knows; nothing when there is none. Creates no file."""
    if not path.is_file():
        return History({}, frozenset())
    with Journal(path) as journal:
        return journal.read()


def list_files(path: Path) -> tuple[Path, ...]:
    """Every file that SQLite keeps for the journal at `path`, the journal last."""
    return (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm"), path)


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_WAIT_S)
    try:
        outwait(lambda: _prepare(path, database), _WAIT_S)
    except BaseException:
        database.close()
        raise
    return database


def _prepare(path: Path, database: sqlite3.Connection) -> None:
    found = int(database.execute("pragma user_version").fetchone()[0])
    _check_version(path, found)
    database.execute("pragma synchronous = full")
    if not found:
        database.execute("pragma journal_mode = wal")
        database.execute(_SCHEMA)
        database.execute(f"pragma user_version = {_VERSION}")
        database.commit()


def _check_version(path: Path, found: int) -> None:
    if found not in (0, _VERSION):
        raise StateError(f"{path}: the journal is from another version ({found})", hint="use that version of mlops")


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        full = "full" in str(error) or _is_full(path.parent)
        reason = "no space left on its disk" if full else str(error)
        hint = "free some disk space" if full else "if it is broken, move it away and deploy again"
        raise StateError(f"{path}: the journal cannot be used: {reason}", hint=hint) from error


def _is_full(folder: Path) -> bool:
    return folder.is_dir() and shutil.disk_usage(folder).free < _ROOM
