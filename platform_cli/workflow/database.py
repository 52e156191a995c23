"""SQLite as the engine uses it: opened once per process, one transaction per batch, failures named."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platform_cli.contention import code_of, is_busy, outwait
from platform_cli.errors import MlopsError, StateError, ToolError

_VERSION = 1
_BUSY_MS = 10_000
_SCHEMA = """
CREATE TABLE runs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, document BLOB NOT NULL, status BLOB NOT NULL,
    phase TEXT NOT NULL, engine_pid INTEGER NOT NULL DEFAULT 0, engine_created REAL NOT NULL DEFAULT 0
);
CREATE TABLE nodes (
    run TEXT NOT NULL, id TEXT NOT NULL, sequence INTEGER NOT NULL, status BLOB NOT NULL, PRIMARY KEY (run, id)
) WITHOUT ROWID;
CREATE TABLE processes (
    run TEXT NOT NULL, node TEXT NOT NULL, pid INTEGER NOT NULL, created REAL NOT NULL, PRIMARY KEY (run, node)
) WITHOUT ROWID;
CREATE TABLE reuse (
    key TEXT PRIMARY KEY, template TEXT NOT NULL, made REAL NOT NULL, run TEXT NOT NULL, node TEXT NOT NULL,
    ingredients BLOB NOT NULL, outputs BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX reuse_template ON reuse (template, made);
CREATE TABLE memos (
    cache TEXT NOT NULL, key TEXT NOT NULL, made REAL NOT NULL, outputs BLOB NOT NULL, PRIMARY KEY (cache, key)
) WITHOUT ROWID;
CREATE TABLE uses (blob TEXT NOT NULL, owner TEXT NOT NULL, PRIMARY KEY (blob, owner)) WITHOUT ROWID;
CREATE INDEX uses_owner ON uses (owner);
"""


class Database:
    """One connection to a file in write-ahead mode, shared with other processes.

    Raises:
        StateError: the file is locked for longer than the patience, damaged, or from another version.
        ToolError: the disk is full or the file cannot be opened.
    """

    def __init__(self, path: Path, *, busy_ms: int = _BUSY_MS) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ToolError(f"cannot make {path.parent}: {error.strerror}", hint="check the disk") from error
        with self._named_failures():
            self.connection = sqlite3.connect(path, isolation_level=None, timeout=busy_ms / 1000)
            outwait(self._prepare, busy_ms / 1000)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; takes the write lock at once, so two writers wait for each other instead of failing late."""
        with self._named_failures(), self._whole():
            yield self.connection

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """All rows of a query."""
        with self._named_failures():
            return self.connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Close the file; what is committed is safe."""
        self.connection.close()

    def _prepare(self) -> None:
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=NORMAL")
        version = self._version()
        if version == 0:
            with self._whole():
                # Another process may have made it while we waited for the lock.
                if self._version() == 0:
                    for statement in _SCHEMA.split(";"):
                        self.connection.execute(statement)
                    self.connection.execute(f"PRAGMA user_version={_VERSION}")
        elif version != _VERSION:
            hint = f"use the mlops version that wrote it, or move {self.path} away"
            raise StateError(f"{self.path} has format {version}; this mlops knows {_VERSION}", hint=hint)

    def _version(self) -> int:
        return int(self.connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _whole(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.rollback()
            raise
        self.connection.execute("COMMIT")

    @contextmanager
    def _named_failures(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _failure(self.path, error) from error


def _failure(path: Path, error: sqlite3.Error) -> MlopsError:
    code = code_of(error)
    if is_busy(error):
        return StateError(f"{path} is locked by another process", hint="wait for the other command, then try again")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        hint = f"move {path} away to start with an empty history; artifacts and logs stay where they are"
        return StateError(f"{path} is damaged: {error}", hint=hint)
    if code == sqlite3.SQLITE_FULL:
        return ToolError(f"the disk that holds {path} is full", hint="free some space, then resume the run")
    return ToolError(f"cannot use {path}: {error}", hint="check that the folder is writable and has space left")
