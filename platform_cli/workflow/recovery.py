"""What becomes of runs whose engine was killed or told to stop, and how an ended run is opened again."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import psutil

from platform_cli.errors import DeadlineError, StateError
from platform_cli.process import ProcessId
from platform_cli.workflow.artifact import remove_tree
from platform_cli.workflow.drive_lock import try_hold
from platform_cli.workflow.node import Node, now
from platform_cli.workflow.store import (
    INTERRUPTED,
    STOPPED,
    Changes,
    Condition,
    Run,
    RunStatus,
    RunStore,
    with_condition,
)

DIED = "engine died"
_HANDLERS = (".onExit", ".hooks.")
_POLL_S = 0.05


def reconcile_runs(store: RunStore, folder: Callable[[str], Path]) -> None:
    """Settle every run whose engine is gone: end what it left running, mark what was not over, allow to resume."""
    for name in [run.name for run in store.unfinished() if _is_abandoned(run)]:
        with try_hold(folder(name)) as held:
            # Asked again: until we held it, its engine may have brought it to its end, or another one taken it on.
            runs = [run for run in store.unfinished() if held and run.name == name and _is_abandoned(run)]
            for run in runs:
                _end_orphans(store.processes(name).values())
                store.write(name, _post_mortem(run, store.nodes(name)))
                store.claim(name, None)


def _is_abandoned(run: Run) -> bool:
    # Our own claim without the lock is left from a drive that an error ended.
    return run.engine is not None and (not run.engine.alive or run.engine.pid == os.getpid())


def stop_run(store: RunStore, run: Run, folder: Callable[[str], Path], *, grace_s: float) -> None:
    """End a run; one that nobody drives is only marked.

    Raises:
        StateError: it has ended already.
        DeadlineError: its engine does not react.
    """
    deadline = time.monotonic() + 2 * grace_s + 10
    told: ProcessId | None = None
    while time.monotonic() < deadline:
        run = store.run(run.name)
        if run.engine is not None and run.engine.alive and told != run.engine:
            told = run.engine
            _ask_to_end(told)
        with try_hold(folder(run.name)) as held:
            if held:
                return _close(store, store.run(run.name), was_told=told is not None)
        # Driven, or about to be: an engine that has not written down yet who it is cannot be told.
        time.sleep(_POLL_S)
    owner = f"kill process {told.pid}; the next command settles the run" if told else "try again"
    raise DeadlineError(f"the engine of run {run.name} does not stop", hint=owner)


def _ask_to_end(engine: ProcessId) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(engine.pid, signal.SIGTERM)


def _close(store: RunStore, run: Run, *, was_told: bool) -> None:
    """Mark a run that nobody drove; one whose engine was told has been marked by that."""
    if was_told:
        return
    if run.status.phase != "Pending":
        raise StateError(f"run {run.name} has ended: {run.status.phase}", hint="see it with: mlops pipeline get")
    status = msgspec.structs.replace(run.status, phase="Failed", message="stopped before it started")
    store.write(run.name, Changes(status=with_condition(status, Condition(type=INTERRUPTED))))


def reopen(store: RunStore, run: Run, folder: Path) -> None:
    """Make an ended run Pending again, without the nodes that have to be made anew.

    Raises:
        StateError: it succeeded, so nothing is left to do.
    """
    if run.status.phase == "Succeeded":
        raise StateError(f"run {run.name} succeeded; there is nothing to resume", hint="submit it again instead")
    nodes = store.nodes(run.name)
    for node in nodes:
        if node.type == "Suspend" and node.message in (STOPPED, DIED):
            # Whoever resumes the run lets it go on.
            node.phase, node.message, node.finished_at = "Succeeded", "", now()
    kept = _kept(nodes)
    gone = [node.id for node in nodes if node.id not in kept]
    for id_ in gone:
        remove_tree(folder / id_)
    store.forget_nodes(run.name, gone)
    changes = Changes(nodes={node.id: node for node in nodes if node.id in kept and node.type == "Suspend"})
    changes.status = RunStatus(phase="Pending", started_at=run.status.started_at)
    store.write(run.name, changes)


def _kept(nodes: list[Node]) -> set[str]:
    """What succeeded, with everything inside it; handlers always run again."""
    inside: dict[str, list[Node]] = {}
    for node in nodes:
        inside.setdefault(node.boundary_id, []).append(node)
    by_id = {node.id: node for node in nodes}
    stack = [n for n in nodes if n.phase == "Succeeded" and not any(word in n.name for word in _HANDLERS)]
    kept: set[str] = set()
    while stack:
        node = stack.pop()
        if node.id not in kept:
            kept.add(node.id)
            stack += inside.get(node.id, ())
            if node.type == "Retry":
                stack += [by_id[child] for child in node.children if child in by_id]
    return kept


def _post_mortem(run: Run, nodes: Iterable[Node]) -> Changes:
    changes = Changes()
    for node in nodes:
        if not node.fulfilled:
            node.phase, node.message, node.finished_at = "Error", DIED, now()
            changes.nodes[node.id] = node
            changes.ended.add(node.id)
    if run.status.phase in ("Pending", "Running"):
        stamp = now().isoformat().replace("+00:00", "Z")
        status = msgspec.structs.replace(run.status, phase="Error", message=DIED, finished_at=stamp)
        changes.status = with_condition(status, Condition(type=INTERRUPTED, message=DIED))
    return changes


def _end_orphans(processes: Iterable[ProcessId]) -> None:
    """Kill what is left of steps. Their first process may be gone while others of its session still run."""
    wanted = {process.pid: process for process in processes}
    for pid in psutil.pids() if wanted else ():
        leader = _session(pid)
        known = wanted.get(leader)
        # A live leader that is not ours means that the system has given the number to someone else.
        if known is not None and (known.alive or not psutil.pid_exists(leader)):
            _kill(pid)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return -1


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
