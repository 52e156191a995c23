"""Moves components to the versions of this mlops, one step at a time, and back when that fails."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from platform_cli.cluster.wait import wait_ready
from platform_cli.cluster.work import Backup, ClusterFacts, HelmRelease
from platform_cli.cluster.workload import Workload
from platform_cli.errors import RefusedError
from platform_cli.events import Emit, Notice
from platform_cli.stage import Stage

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.observation import Sight
    from platform_cli.tools.helm import Release

BACKUP_STAGE = "backup"


def list_upgrades(stages: Sequence[Stage], facts: ClusterFacts, backups: Path) -> tuple[Stage, ...]:
    """The stages of a deploy, after a backup into `backups`; none when no component's version moves.

    Raises:
        RefusedError: a component would skip a major version.
    """
    moves = find_moves(stages, facts)
    if not moves:
        return ()
    for name, (old, new) in moves.items():
        _require_one_step(name, old, new)
    backup = Stage(BACKUP_STAGE, "backup", Backup(tuple(moves), backups))
    return (backup, *(_after(stage) for stage in stages))


def find_moves(stages: Sequence[Stage], facts: ClusterFacts) -> dict[str, tuple[str, str]]:
    """Installed components whose version is another than ours, with both versions."""
    works = [stage.work for stage in stages if isinstance(stage.work, HelmRelease)]
    installed = {work.component: facts.releases[work.key].version for work in works if work.key in facts.releases}
    return {
        work.component: (installed[work.component], work.version)
        for work in works
        if work.component not in facts.foreign and installed.get(work.component, work.version) != work.version
    }


def describe_moves(stages: Sequence[Stage], facts: ClusterFacts, components: Sequence[Component]) -> tuple[str, ...]:
    """One note for each component that moves; a new major version says where to read what it breaks."""
    known = {component.name: component for component in components}
    return tuple(
        f"{name}: {old} to {new}{_warn(known[name], old, new)}"
        for name, (old, new) in find_moves(stages, facts).items()
    )


def _warn(component: Component, old: str, new: str) -> str:
    if _major(old) == _major(new):
        return ""
    place = "CHANGELOG.md" if component.is_ours else f"{component.repository} (chart {component.chart})"
    return f"; a new major version: read what it breaks, {place}"


def roll_back(
    sight: Sight, components: Sequence[Component], before: ClusterFacts, *, deadline_s: float, emit: Emit
) -> tuple[str, ...]:
    """Bring every release that is at another revision than before back to that one; returns their names.

    The backup is not played back: revisions hold what the charts made, and databases move forward only.
    """
    now = {f"{release.namespace}/{release.name}": release for release in sight.helm.list()}
    moved = [item for item in reversed(components) if _has_moved(item, now, before)]
    for component in moved:
        revision = before.releases[f"{component.namespace}/{component.release}"].revision
        emit(Notice(level="warning", text=f"{component.name} goes back to revision {revision}"))
        sight.helm.rollback(component.release, component.namespace, revision)
    for component in reversed(moved):
        workloads = [Workload(component.namespace, *text.split("/")) for text in component.health]
        wait_ready(sight.kubernetes, workloads, what=component.name, deadline_s=deadline_s, emit=emit)
    return tuple(component.name for component in moved)


def _has_moved(component: Component, now: Mapping[str, Release], before: ClusterFacts) -> bool:
    key = f"{component.namespace}/{component.release}"
    return key in before.releases and key in now and now[key].revision > before.releases[key].revision


def _after(stage: Stage) -> Stage:
    return Stage(stage.name, stage.title, stage.work, (BACKUP_STAGE, *stage.needs))


def _require_one_step(name: str, old: str, new: str) -> None:
    if _major(new) > _major(old) + 1:
        raise RefusedError(
            f"{name} would skip a major version: {old} to {new}",
            hint="upgrade with a version of mlops in between first; CHANGELOG.md says which",
        )
    if _numbers(new) < _numbers(old):
        raise RefusedError(
            f"{name} is {old} on the cluster, newer than the {new} of this mlops", hint="use a newer mlops"
        )


def _major(version: str) -> int:
    return _numbers(version)[0]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("-")[0])) or (0,)
