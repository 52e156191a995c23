"""What people do with a state by hand: unlock, back up, restore."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from platform_cli.clouds.terraform.backend import Blob, Lock, StateBackend
from platform_cli.clouds.terraform.state import Record, parse_state
from platform_cli.clouds.terraform.state_lock import Holding, Liveness, describe, find_holding
from platform_cli.clouds.terraform.state_log import record_intervention
from platform_cli.errors import NotFoundError, RefusedError, StateError, ToolError
from platform_cli.whoami import this_user

Confirm = Callable[[str], None]
"""Asks whether to do what the text says; raises when the answer is no."""


@dataclass(frozen=True, slots=True)
class TargetState:
    """The state of one target.

    Attributes:
        name: such as `aws/dev`.
        root: the folder that Terraform works in.
        backups: the folder on this machine where copies go before a state is touched.
    """

    name: str
    backend: StateBackend
    root: Path
    backups: Path

    def read(self) -> Record | None:
        """What it holds; None when there is none.

        Raises:
            StateError: it cannot be read.
        """
        return open_record(self.backend)

    def find_holding(self) -> Holding | None:
        """Who holds its lock; None when nobody."""
        return find_holding(self.backend, self.root)


def open_record(backend: StateBackend, version: str = "") -> Record | None:
    """What a backend's state, or an older version of it, holds.

    Raises:
        StateError: it cannot be read.
    """
    found = backend.read(version)
    return parse_state(found.content, place=backend.place, written=found.written) if found else None


def unlock(state: TargetState, *, reason: str, force: bool, confirm: Confirm) -> Holding | None:
    """Take the lock from a holder that is gone; returns who that was, None when the state was not locked.

    With `force` also from one of whom nothing is known, never from a live one.

    Raises:
        RefusedError: the holder lives or may live, or the answer was no; nothing was changed.
    """
    holding = state.find_holding()
    if holding is None:
        return None
    _refuse_living(state, holding, force=force)
    confirm(f"unlock {state.name}, which {describe(holding.lock)} holds ({holding.because})")
    keep_copy(state)
    state.backend.break_lock(holding.lock)
    record_intervention(state.backend, "unlock", reason, f"{describe(holding.lock)}; {holding.because}")
    return holding


def backup(state: TargetState, file: Path | None) -> Path:
    """Copy the state into a new file that only its owner can read: a state holds secrets. Returns its path.

    Raises:
        NotFoundError: there is no state.
        RefusedError: there is such a file already.
    """
    found = state.backend.read()
    if found is None:
        raise NotFoundError(f"{state.name} has no state", hint="mlops deploy makes it")
    return _write_new(file or _name_copy(state), found)


def keep_copy(state: TargetState) -> Path | None:
    """Copy the state, readable or not, before it is touched; None when there is none."""
    found = state.backend.read()
    return _write_new(_name_copy(state), found) if found else None


def restore(state: TargetState, source: str, *, reason: str, force: bool, confirm: Confirm) -> Record:
    """Bring a file or an older version back; returns what the state then holds.

    Its serial becomes one more than that of the state it replaces, so that plans made from that one are stale.

    Raises:
        NotFoundError: there is no such file or version.
        StateError: it is no state, or the state is locked.
        RefusedError: it is another deployment's state, or older and `force` is not given, or the answer was no, or the
            state changed before it was locked.
    """
    wanted, content = _open_source(state, source)
    current = _read_current(state)
    _refuse_misfit(state, source, wanted, current, force=force)
    confirm(
        f"replace the state of {state.name} by {source} (serial {wanted.serial}, {len(wanted.resources)} resources)"
    )
    lock = Lock(id=str(uuid.uuid4()), operation="restore", who=this_user(), created=time.time())
    serial = wanted.serial if current is None else max(wanted.serial, current.serial + 1)
    with state.backend.hold_lock(lock):
        _refuse_changed(state, current)
        keep_copy(state)
        state.backend.write(_with_serial(content, serial))
    record_intervention(state.backend, "restore", reason, f"{source}, now serial {serial}")
    restored = state.read()
    if restored is None:
        raise ToolError(f"{state.backend.place}: what was written cannot be read back", hint="look at the store")
    return restored


def _refuse_living(state: TargetState, holding: Holding, *, force: bool) -> None:
    if holding.liveness is Liveness.ALIVE:
        raise RefusedError(
            f"{state.name} is locked by {describe(holding.lock)}, which is alive: {holding.because}",
            hint="wait until it ends, or end it: breaking a live lock breaks the state",
        )
    if holding.liveness is Liveness.UNKNOWN and not force:
        raise RefusedError(
            f"{state.name} is locked by {describe(holding.lock)}; {holding.because}",
            hint="ask them; when you are sure that it has ended, give --force",
        )


def _refuse_misfit(state: TargetState, source: str, wanted: Record, current: Record | None, *, force: bool) -> None:
    if current is None:
        return
    if wanted.lineage != current.lineage and current.resources:
        raise RefusedError(
            f"{source} is the state of another deployment (lineage {wanted.lineage}, not {current.lineage})",
            hint=f"mlops state history lists those of {state.name}",
        )
    if wanted.serial < current.serial and not force:
        raise RefusedError(
            f"{source} is older (serial {wanted.serial}) than the state (serial {current.serial}): "
            "what was made since would be forgotten, and stay in the cloud",
            hint="when that is what you want, give --force; mlops plan then shows the difference",
        )


def _refuse_changed(state: TargetState, before: Record | None) -> None:
    """Refuse to replace another state than the one that was looked at: somebody may have applied until the answer."""
    now = _read_current(state)
    if (now and (now.lineage, now.serial)) != (before and (before.lineage, before.serial)):
        raise RefusedError(
            f"the state of {state.name} was changed meanwhile; nothing was restored", hint="run the same command again"
        )


def _open_source(state: TargetState, source: str) -> tuple[Record, bytes]:
    path = Path(source)
    if path.is_file():
        found: Blob | None = Blob(path.read_bytes(), "", path.stat().st_mtime)
    else:
        found = state.backend.read(source)
    if found is None:
        raise NotFoundError(f"there is no file and no version {source}", hint="mlops state history")
    return parse_state(found.content, place=source, written=found.written), found.content


def _read_current(state: TargetState) -> Record | None:
    """What would be replaced; None when there is nothing, or nothing that can be read."""
    try:
        return state.read()
    except StateError:
        return None


def _with_serial(content: bytes, serial: int) -> bytes:
    return json.dumps({**json.loads(content), "serial": serial}, indent=2).encode()


def _name_copy(state: TargetState) -> Path:
    """Names sort by time; two within a second get a number."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    paths = (state.backups / f"{stamp}{f'-{count}' if count else ''}.tfstate" for count in range(1000))
    return next(path for path in paths if not path.exists())


def _write_new(path: Path, found: Blob) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(found.content)
    except FileExistsError as error:
        raise RefusedError(f"{path} is there already", hint="name another file") from error
    except OSError as error:
        raise ToolError(f"cannot write {path}: {error.strerror}") from error
    return path
