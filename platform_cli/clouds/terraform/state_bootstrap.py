"""From a state on this machine to one in the cloud, and the removal of the store when nothing is in it any more."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from platform_cli.clouds.terraform.backend import Lock, StateBackend, StateService, StateStore
from platform_cli.clouds.terraform.backend_local import LocalBackend
from platform_cli.clouds.terraform.state import Record, parse_state
from platform_cli.clouds.terraform.state_change import Confirm, open_record
from platform_cli.clouds.terraform.state_choice import Choice, write_choice
from platform_cli.clouds.terraform.state_log import record_intervention
from platform_cli.errors import RefusedError, StateError
from platform_cli.events import Emit, Notice
from platform_cli.whoami import this_user


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What a bootstrap ended with. `changes` has one line for each thing that was made or mended."""

    place: str
    changes: tuple[str, ...]
    migrated: Record | None
    backup: Path | None
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What is to be moved: the local state of one target, into a store of its cloud.

    Attributes:
        arguments: those of the root's `state.tfbackend`.
        choice: the file that records where the state lies.
        current: the store that holds now, by configuration or record; None while the state is local.
        region: the root's own.
    """

    name: str
    local: LocalBackend
    service: StateService
    arguments: dict[str, str]
    choice: Path
    current: Choice | None
    region: str


def bootstrap(move: Move, store_name: str, *, confirm: Confirm, emit: Emit) -> Bootstrap:
    """Have the store as it should be, and the state in it; again and again is fine, and mends what was cut off.

    The state is copied as it is. `terraform init -migrate-state` gives it a new lineage and serial 1 where nothing lies
    at the destination: no backup would fit any more.

    Raises:
        RefusedError: another store holds the state, both places hold one, or the answer was no.
        StateError: what arrived is not what was sent; the local state stays.
    """
    store = _open_store(move, store_name)
    backend = move.service.open_backend(store.settings, move.arguments)
    here = open_record(move.local)
    what = f" and move the state of {move.name} ({_count(here)}) into it" if here and here.resources else ""
    confirm(f"have {store.place}{what}")
    changes = store.ensure()
    for change in changes:
        emit(Notice(level="info", text=f"{store.place}: {change}"))
    moved = _migrate(move, backend, here) if here else None
    write_choice(move.choice, Choice(store.kind, store.settings))
    kept = _put_aside(move.local)
    if changes or moved:
        record_intervention(backend, "bootstrap", "", "; ".join(changes) or "state moved")
    return Bootstrap(backend.place, changes, moved, kept, move.service.hint.format(**store.settings))


def remove_store(move: Move, *, confirm: Callable[[StateStore], None]) -> str:
    """Remove the store with all its versions, when no state in it holds a resource. Returns its place.

    Raises:
        RefusedError: a state in it holds resources, or the answer was no.
        StateError: the state does not lie in a store.
    """
    if move.current is None:
        raise StateError(f"the state of {move.name} is on this machine: there is no store", hint="mlops state show")
    store = move.service.open_store(move.current.settings, move.region)
    for key, content in store.list_states().items():
        held = parse_state(content, place=f"{store.place}/{key}", written=0) if content else None
        if held and held.resources:
            raise RefusedError(
                f"{store.place} still holds a state with resources: {key} ({_count(held)})",
                hint="destroy that target first: its state is the only list of what it made",
            )
    confirm(store)
    store.remove()
    move.choice.unlink(missing_ok=True)
    return store.place


def require_one_state(local: LocalBackend, backend: StateBackend) -> None:
    """Refuse to work with a remote state while one on this machine holds resources.

    Raises:
        StateError: it does.
    """
    left = None if backend.kind == local.kind else open_record(local)
    if left and left.resources:
        raise StateError(
            f"two states: {backend.place} is to be used, but {local.place} holds {len(left.resources)} resources",
            hint="mlops state bootstrap moves it; when it is an old copy, move the file away",
        )


def _open_store(move: Move, name: str) -> StateStore:
    current = move.current.settings if move.current else None
    settings = current if current and not name else move.service.name_store(name, move.region)
    if current and settings != current:
        place = move.service.open_store(current, move.region).place
        raise RefusedError(
            f"the state of {move.name} lies in {place} already", hint="leave --store out, or name that one"
        )
    return move.service.open_store(settings, move.region)


def _migrate(move: Move, backend: StateBackend, here: Record) -> Record | None:
    """Copy and compare; None when the state had arrived before, or holds nothing."""
    there = open_record(backend)
    if there and there.lineage == here.lineage and there.serial >= here.serial:
        return None
    if there and there.resources:
        raise RefusedError(
            f"{backend.place} holds another state ({_count(there)}), and so does {move.local.place} ({_count(here)})",
            hint="decide which one is right: mlops state backup, then move the other file away",
        )
    if not here.resources and there is None:
        return None
    lock = Lock(id=str(uuid.uuid4()), operation="bootstrap", who=this_user(), created=time.time())
    with move.local.hold_lock(lock), backend.hold_lock(lock):
        now = open_record(backend)
        if (now and _essence(now)) != (there and _essence(there)):
            raise StateError(f"{backend.place} was changed meanwhile", hint="mlops state bootstrap again")
        sent = move.local.read()
        backend.write(sent.content if sent else b"")
    arrived = open_record(backend)
    if arrived is None or _essence(arrived) != _essence(here):
        raise StateError(
            f"{backend.place}: what arrived is not what was sent; {move.local.place} stays and holds",
            hint="mlops state bootstrap again",
            details=(f"sent {_essence(here)}", f"arrived {_essence(arrived) if arrived else 'nothing'}"),
        )
    return arrived


def _essence(record: Record) -> tuple[str, int, int]:
    return record.lineage, record.serial, len(record.resources)


def _put_aside(local: LocalBackend) -> Path | None:
    """The local state becomes a backup: two that both look right are a trap."""
    kept = local.keep()
    local.path.unlink(missing_ok=True)
    return local.backups / f"{kept.id}.tfstate" if kept else None


def _count(record: Record | None) -> str:
    return f"serial {record.serial}, {len(record.resources)} resources" if record else "empty"
