"""Terraform's state, its lock and its versions: as plain data for programs and lines for people."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from platform_cli.render.line import count_of, format_seconds

if TYPE_CHECKING:
    from platform_cli.clouds.terraform.backend import StateBackend, Version
    from platform_cli.clouds.terraform.state import Record
    from platform_cli.clouds.terraform.state_lock import Holding
    from platform_cli.clouds.terraform.state_log import Intervention

VERSION_COLUMNS = ("version", "written", "serial", "resources")


def record_document(backend: StateBackend, record: Record | None) -> dict[str, Any]:
    """The state; values in it may be secret and are left out."""
    found = {"backend": backend.kind, "place": backend.place, "exists": record is not None}
    if record is None:
        return found
    resources = [asdict(resource) for resource in record.resources]
    return {
        **found,
        "serial": record.serial,
        "lineage": record.lineage,
        "written": record.written,
        "resources": resources,
        "outputs": sorted(record.outputs),
    }


def record_lines(backend: StateBackend, record: Record | None) -> list[str]:
    """Where the state lies and what it holds, by type."""
    place = f"{backend.place} ({'on this machine only' if backend.kind == 'local' else backend.kind})"
    if record is None:
        return [f"no state in {place}"]
    counts = Counter(resource.type for resource in record.resources)
    tainted = [f"  not made in full: {resource.address}" for resource in record.resources if resource.tainted]
    return [
        f"state in {place}",
        f"  serial {record.serial}, lineage {record.lineage}, written {format_time(record.written)}",
        f"  {count_of(len(record.resources), 'resource')}",
        *(f"    {count:>4} {kind}" for kind, count in sorted(counts.items())),
        *tainted,
    ]


def holding_document(holding: Holding | None) -> dict[str, Any]:
    """The lock; `locked` tells whether there is one."""
    if holding is None:
        return {"locked": False}
    lock = asdict(holding.lock)
    return {
        "locked": True,
        **lock,
        "host": holding.lock.host,
        "age_s": round(holding.age_s, 1),
        "holder": holding.liveness.value,
        "because": holding.because,
        "heartbeat": asdict(holding.beat) if holding.beat else None,
    }


def holding_lines(holding: Holding | None) -> list[str]:
    """Who holds the lock, since when, and whether that command still works."""
    if holding is None:
        return ["not locked"]
    lock = holding.lock
    age = f", {format_seconds(holding.age_s)} ago" if lock.created else ""
    return [
        f"locked for {lock.operation or 'an unknown operation'} by {lock.who or 'somebody unknown'}",
        f"  since   {format_time(lock.created) if lock.created else 'unknown'}{age}",
        f"  holder  {holding.liveness}: {holding.because}",
        f"  lock    {lock.id}",
    ]


def intervention_lines(found: Sequence[Intervention]) -> list[str]:
    """Who stepped in, the last one last."""
    return [
        f"  {format_time(item.at)}  {item.action} by {item.who}: {item.detail}"
        + (f" (reason: {item.reason})" if item.reason else "")
        for item in found
    ]


def version_document(version: Version, record: Record | None) -> dict[str, Any]:
    """One version; `readable` is false for one that is broken."""
    held = {"serial": record.serial, "resources": len(record.resources)} if record else {}
    return {**asdict(version), "readable": record is not None, **held}


def version_row(version: Version, record: Record | None) -> tuple[object, ...]:
    """One version as cells of `VERSION_COLUMNS`."""
    name = f"{version.id} (current)".strip() if version.current else version.id
    held = (record.serial, len(record.resources)) if record else ("broken", "?")
    return (name, format_time(version.written), *held)


def format_time(at: float) -> str:
    """A moment (Unix seconds) in the machine's own time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
