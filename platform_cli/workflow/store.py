"""Where runs and their nodes are kept, and read back as Workflow objects."""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from platform_cli.errors import NotFoundError, StateError
from platform_cli.process import ProcessId
from platform_cli.workflow.database import Database
from platform_cli.workflow.node import Node
from platform_cli.workflow.preparation import COMMIT_PARAMETER
from platform_cli.workflow.reuse import ReuseRow

LATEST = "@latest"
INTERRUPTED = "Interrupted"
"""The condition of a run that can be resumed."""
STOPPED = "stopped before it was over"
"""The message of a node that was not over when its run was interrupted."""
RESUME_FILE = "resume"
"""In the run's folder: lets suspended nodes go on."""
MemoRow = tuple[str, str, float, bytes]
"""Cache, key, time and outputs of a memoized template."""
_LAST = (1 << 63) - 1
_COLUMNS = "name, document, status, engine_pid, engine_created"


class Condition(msgspec.Struct, omit_defaults=True, frozen=True):
    """One entry of `status.conditions`."""

    type: str
    status: str = "True"
    message: str = ""


class RunStatus(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    """A run's own status, without its nodes; times are RFC 3339."""

    phase: str = "Pending"
    started_at: str = ""
    finished_at: str = ""
    message: str = ""
    progress: str = ""
    conditions: tuple[Condition, ...] = ()


class Document(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    """What was submitted, complete: the run needs no other file. `library` holds the manifests that it may refer to."""

    metadata: dict[str, Any]
    spec: dict[str, Any]
    library: list[dict[str, Any]] = []
    reuse: bool = True
    source: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One row: a run, and which engine drives it now."""

    name: str
    document: Document
    status: RunStatus
    engine: ProcessId | None = None

    def as_workflow(self, nodes: Iterable[Node] | None = None) -> dict[str, Any]:
        """The Workflow object, as a cluster would show it."""
        status = {"phase": self.status.phase, **_plain(self.status)}
        if nodes is not None:
            status["nodes"] = {node.id: _plain(node) for node in nodes}
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": self.document.metadata,
            "spec": self.document.spec,
            "status": status,
        }


@dataclass(slots=True)
class Changes:
    """What one turn of an engine's loop changed; written in one transaction."""

    nodes: dict[str, Node] = field(default_factory=dict)
    started: dict[str, ProcessId] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    blobs: set[str] = field(default_factory=set)
    reuse: list[ReuseRow] = field(default_factory=list)
    memos: list[MemoRow] = field(default_factory=list)
    status: RunStatus | None = None

    def __bool__(self) -> bool:
        return bool(self.nodes or self.started or self.ended or self.blobs or self.reuse or self.memos or self.status)


class RunStore:
    """Runs and nodes in `Database`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._encode = msgspec.json.Encoder().encode

    def create(self, name: str, document: Document) -> None:
        """Add a Pending run. A name that is taken by the same work is that run, and stays as it is.

        Raises:
            StateError: another run has that name.
        """
        with self.database.transaction() as connection:
            row = (name, self._encode(document), self._encode(RunStatus()), "Pending")
            statement = "INSERT OR IGNORE INTO runs (name, document, status, phase) VALUES (?, ?, ?, ?)"
            is_new = connection.execute(statement, row).rowcount == 1
        if not is_new and _work_of(self.run(name).document) != _work_of(document):
            raise StateError(f"another run named {name} exists", hint="choose another --name, or delete that run")

    def run(self, name: str) -> Run:
        """The run called `name`, or the newest for `@latest`.

        Raises:
            NotFoundError: there is none; the hint has the nearest names.
        """
        if name == LATEST:
            rows = self.database.rows(f"SELECT {_COLUMNS} FROM runs ORDER BY sequence DESC LIMIT 1")  # noqa: S608
        else:
            rows = self.database.rows(f"SELECT {_COLUMNS} FROM runs WHERE name = ?", name)  # noqa: S608 - constant columns
        if not rows:
            raise self._unknown(name)
        return _run(rows[0])

    def runs(self, *, limit: int) -> list[Run]:
        """The newest runs first."""
        query = f"SELECT {_COLUMNS} FROM runs ORDER BY sequence DESC LIMIT ?"  # noqa: S608 - constant columns
        return [_run(row) for row in self.database.rows(query, limit)]

    def unfinished(self) -> list[Run]:
        """Runs that an engine claimed and did not bring to an end."""
        query = f"SELECT {_COLUMNS} FROM runs WHERE engine_pid != 0"  # noqa: S608 - constant columns
        return [_run(row) for row in self.database.rows(query)]

    def nodes(self, name: str) -> list[Node]:
        """A run's nodes in the order in which they came to be."""
        rows = self.database.rows("SELECT status FROM nodes WHERE run = ? ORDER BY sequence", name)
        decode = msgspec.json.Decoder(Node).decode
        return [decode(_blob(row[0])) for row in rows]

    def processes(self, name: str) -> dict[str, ProcessId]:
        """Step processes that were running when last heard of, by node id."""
        rows = self.database.rows("SELECT node, pid, created FROM processes WHERE run = ?", name)
        return {str(node): ProcessId(int(str(pid)), float(str(created))) for node, pid, created in rows}

    def write(self, name: str, changes: Changes) -> None:
        """Everything in `changes`, in one transaction."""
        with self.database.transaction() as connection:
            rows = [(name, id_, time.time_ns(), self._encode(node)) for id_, node in changes.nodes.items()]
            statement = (
                "INSERT INTO nodes VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET status = excluded.status, sequence = min(sequence, excluded.sequence)"
            )
            connection.executemany(statement, rows)
            started = [(name, node, process.pid, process.created) for node, process in changes.started.items()]
            connection.executemany("INSERT OR REPLACE INTO processes VALUES (?, ?, ?, ?)", started)
            ended = [(name, node) for node in changes.ended]
            connection.executemany("DELETE FROM processes WHERE run = ? AND node = ?", ended)
            connection.executemany("INSERT OR IGNORE INTO uses VALUES (?, ?)", [(blob, name) for blob in changes.blobs])
            connection.executemany("INSERT OR REPLACE INTO reuse VALUES (?, ?, ?, ?, ?, ?, ?)", changes.reuse)
            connection.executemany("INSERT OR REPLACE INTO memos VALUES (?, ?, ?, ?)", changes.memos)
            if changes.status is not None:
                update = (self._encode(changes.status), changes.status.phase, name)
                connection.execute("UPDATE runs SET status = ?, phase = ? WHERE name = ?", update)

    def claim(self, name: str, engine: ProcessId | None) -> None:
        """Record which engine drives the run; None when it has let go."""
        process = engine or ProcessId(0, 0.0)
        with self.database.transaction() as connection:
            statement = "UPDATE runs SET engine_pid = ?, engine_created = ? WHERE name = ?"
            connection.execute(statement, (process.pid, process.created, name))

    def forget_nodes(self, name: str, ids: Iterable[str]) -> None:
        """Remove nodes that are to be made anew; the others find their place when they are next written."""
        with self.database.transaction() as connection:
            rows = [(name, id_) for id_ in ids]
            connection.executemany("DELETE FROM nodes WHERE run = ? AND id = ?", rows)
            connection.executemany("DELETE FROM processes WHERE run = ? AND node = ?", rows)
            connection.execute("UPDATE nodes SET sequence = ? WHERE run = ?", (_LAST, name))

    def delete(self, name: str) -> tuple[str, ...]:
        """Remove a run; returns the artifact keys that nothing uses any more."""
        with self.database.transaction() as connection:
            for table in ("nodes", "processes", "reuse"):
                connection.execute(f"DELETE FROM {table} WHERE run = ?", (name,))  # noqa: S608 - constant names
            connection.execute("DELETE FROM runs WHERE name = ?", (name,))
            owned = [row[0] for row in connection.execute("SELECT blob FROM uses WHERE owner = ?", (name,))]
            connection.execute("DELETE FROM uses WHERE owner = ?", (name,))
            still = "SELECT 1 FROM uses WHERE blob = ? LIMIT 1"
            return tuple(blob for blob in owned if connection.execute(still, (blob,)).fetchone() is None)

    def _unknown(self, name: str) -> NotFoundError:
        if name == LATEST:
            return NotFoundError("there is no run yet", hint="start one: mlops pipeline submit")
        known = [str(row[0]) for row in self.database.rows("SELECT name FROM runs ORDER BY sequence DESC LIMIT 1000")]
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "see them all: mlops pipeline list"
        return NotFoundError(f"no run named {name}", hint=hint)


def with_condition(status: RunStatus, condition: Condition) -> RunStatus:
    """`status` with `condition` in place of an older one of the same type."""
    others = tuple(known for known in status.conditions if known.type != condition.type)
    return msgspec.structs.replace(status, conditions=(*others, condition))


def _work_of(document: Document) -> bytes:
    """Everything that decides what a run does; who submits it and from which commit does not."""
    arguments = document.spec.get("arguments") or {}
    given = [item for item in arguments.get("parameters", ()) if item["name"] != COMMIT_PARAMETER]
    spec = {**document.spec, "arguments": {**arguments, "parameters": given}}
    return msgspec.json.encode((spec, document.library, document.reuse), order="deterministic")


def _run(row: tuple[object, ...]) -> Run:
    name, document, status, pid, created = row
    engine = ProcessId(int(str(pid)), float(str(created))) if pid else None
    decoded = msgspec.json.decode(_blob(document), type=Document)
    run = Run(str(name), decoded, msgspec.json.decode(_blob(status), type=RunStatus))
    return replace(run, engine=engine)


def _plain(value: RunStatus | Node) -> dict[str, Any]:
    """As JSON has it: lists, not tuples; times as text."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return plain


def _blob(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
