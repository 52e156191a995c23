"""Which components move to the versions of this mlops, one step at a time. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from platform_cli.cluster.assessment import GOOD, base_of, is_broken_start
from platform_cli.cluster.work import Backup, ClusterFacts, HelmRelease, KubernetesObject
from platform_cli.errors import RefusedError
from platform_cli.stage import Stage

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component

BACKUP_STAGE = "backup"
MLFLOW = "mlflow"
_VERSION = re.compile(r"v?\d+\.\d+")


class Move(NamedTuple):
    """A component that gets another version; `part` says of what, where it is not the chart's."""

    component: str
    old: str
    new: str
    part: str = ""

    @property
    def is_downgrade(self) -> bool:
        """Whether it goes back; tags that are no versions have no order."""
        known = _VERSION.match(self.old) and _VERSION.match(self.new)
        return bool(known) and _numbers(self.new) < _numbers(self.old)

    @property
    def is_major(self) -> bool:
        """Whether it is a step to a new major version."""
        return _major(self.old) != _major(self.new)

    def __str__(self) -> str:
        return f"{self.component}{f' ({self.part})' if self.part else ''}: {self.old} to {self.new}"


def list_upgrades(stages: Sequence[Stage], facts: ClusterFacts, backups: Path) -> tuple[Stage, ...]:
    """The stages of a deploy, after a backup into `backups`.

    None when no component's version moves, and none was left half done.

    Raises:
        RefusedError: a component would skip a major version, or go back.
    """
    moves = find_moves(stages, facts)
    names = tuple(dict.fromkeys((*(move.component for move in moves), *_find_unfinished(stages, facts))))
    if not names:
        return ()
    for move in moves:
        _require_one_step(move)
    backup = Stage(BACKUP_STAGE, "backup", Backup(names, backups))
    return (backup, *(_after(stage) for stage in stages))


def find_moves(stages: Sequence[Stage], facts: ClusterFacts) -> tuple[Move, ...]:
    """Installed components whose version is another than ours.

    MLflow's server is our own image: on the same chart, it moves with mlops. What never came up for the first time is
    made anew, and does not move.
    """
    works = {work.component: work for work in _list_ours(stages, facts)}
    charts = [
        Move(name, release.version, work.version)
        for name, work in works.items()
        if (release := base_of(facts.releases[work.key])) and release.version != work.version
    ]
    server = _find_server_move(works.get(MLFLOW), facts)
    return (*charts, *([server] if server else ()))


def _list_ours(stages: Sequence[Stage], facts: ClusterFacts) -> Iterator[HelmRelease]:
    """Releases that are there and ours."""
    for stage in stages:
        work = stage.work
        if isinstance(work, HelmRelease) and work.key in facts.releases and work.component not in facts.foreign:
            yield work


def _find_unfinished(stages: Sequence[Stage], facts: ClusterFacts) -> Iterator[str]:
    """Components that an upgrade before was killed at: Helm counts them to the new version already."""
    for work in _list_ours(stages, facts):
        release = facts.releases[work.key]
        if release.status != GOOD and not is_broken_start(release):
            yield work.component


def _find_server_move(work: HelmRelease | None, facts: ClusterFacts) -> Move | None:
    release = base_of(facts.releases[work.key]) if work else None
    rendered = facts.rendered.get(MLFLOW)
    if release is None or rendered is None:
        return None
    old, new = read_tag(release.running), read_tag(rendered.objects)
    return Move(MLFLOW, old, new, "server") if old and new and old != new else None


def read_server_image(objects: Sequence[KubernetesObject]) -> str:
    """The image that MLflow's server runs; empty without one."""
    images = [
        str(container["image"])
        for item in objects
        if item["kind"] == "Deployment"
        for container in item["spec"]["template"]["spec"]["containers"]
        if container["name"] == MLFLOW
    ]
    return images[0] if images else ""


def read_tag(objects: Sequence[KubernetesObject]) -> str:
    """The tag of that image."""
    return read_server_image(objects).rpartition("/")[2].partition(":")[2]


def describe_moves(stages: Sequence[Stage], facts: ClusterFacts, components: Sequence[Component]) -> tuple[str, ...]:
    """One note for each component that moves; a new major version says where to read what it breaks."""
    known = {component.name: component for component in components}
    return tuple(f"{move}{_warn(known[move.component], move)}" for move in find_moves(stages, facts))


def _warn(component: Component, move: Move) -> str:
    if move.is_downgrade:
        return "; a downgrade: use the mlops that installed it, or a newer one"
    if not move.is_major:
        return ""
    is_ours = component.is_ours or move.part
    place = "CHANGELOG.md" if is_ours else f"{component.repository} (chart {component.chart})"
    return f"; a new major version: read what it breaks, {place}"


def _after(stage: Stage) -> Stage:
    return Stage(stage.name, stage.title, stage.work, (BACKUP_STAGE, *stage.needs))


def _require_one_step(move: Move) -> None:
    name = f"{move.component} ({move.part})" if move.part else move.component
    if move.is_downgrade:
        raise RefusedError(
            f"{name} is {move.old} on the cluster, newer than the {move.new} of this mlops", hint="use a newer mlops"
        )
    if _major(move.new) > _major(move.old) + 1:
        raise RefusedError(
            f"{name} would skip a major version: {move.old} to {move.new}",
            hint="upgrade with a version of mlops in between first; CHANGELOG.md says which",
        )


def _major(version: str) -> int:
    return _numbers(version)[0]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("-")[0])) or (0,)
