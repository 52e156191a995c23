"""Takes back what an upgrade that failed has begun: what came up stays, and what cannot go back is not broken by it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.backup import read_schema
from platform_cli.cluster.observation import find_unready
from platform_cli.cluster.repair import find_last_good
from platform_cli.cluster.upgrade import MLFLOW, read_server_image, read_tag
from platform_cli.cluster.value_mapping import MIGRATION
from platform_cli.cluster.wait import wait_ready
from platform_cli.cluster.work import ClusterFacts
from platform_cli.cluster.workload import Workload
from platform_cli.events import Emit, Notice
from platform_cli.tools.kubernetes_kind import POD

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.observation import Sight
    from platform_cli.tools.helm import Release

_MIGRATIONS = (MIGRATION, "mlflow-db-migration")
"""Ours for SQLite, and the chart's for database servers."""
_SAID = re.compile(r"tracking_server: schema (\w+)$")


def roll_back(
    sight: Sight,
    components: Sequence[Component],
    before: ClusterFacts,
    *,
    done: Collection[str],
    backups: Path,
    deadline_s: float,
    emit: Emit,
) -> tuple[str, ...]:
    """Bring components that moved and did not come up back to their last good revision; returns lines about all.

    The backup is not played back: revisions hold what the charts made, and databases move forward only. An MLflow whose
    database has another schema than in the newest of the `backups` stays, since its old server would refuse that. What
    is `done` was seen ready by the upgrade, and stays unless it is down by now.
    """
    now = {f"{release.namespace}/{release.name}": release for release in sight.helm.list()}
    moved = [item for item in components if _has_moved(item, now, before)]
    failed = [item for item in moved if item.name not in done or _is_down(sight, item)]
    stuck = [item for item in failed if item.name == MLFLOW and _is_migrated(sight, item, before, read_schema(backups))]
    back = [item for item in failed if item not in stuck]
    for component in reversed(back):
        _revert(sight, component, now[_key(component)], before.releases[_key(component)].revision, emit)
    for component in back:
        wait_ready(sight.kubernetes, _list_workloads(component), what=component.name, deadline_s=deadline_s, emit=emit)
    stay = [item.name for item in moved if item not in failed]
    return (
        *([f"rolled back: {', '.join(item.name for item in reversed(back))}"] if back else ()),
        *(_tell_stuck(item) for item in stuck),
        *([f"came up and stay at their new versions: {', '.join(stay)}"] if stay else ()),
    )


def _tell_stuck(component: Component) -> str:
    return (
        f"{component.name} stays at its new version: its database was migrated, and the old server would refuse it; "
        "mend what keeps it from starting, then mlops upgrade and mlops deploy, or restore the backup"
    )


def _revert(sight: Sight, component: Component, release: Release, newest: int, emit: Emit) -> None:
    """Back to the newest revision that was good before the upgrade; before one that was cut off, that is an older."""
    revision = find_last_good(sight.kubernetes, release, newest=newest) or newest
    emit(Notice(level="warning", text=f"{component.name} goes back to revision {revision}"))
    sight.helm.rollback(component.release, component.namespace, revision)


def _key(component: Component) -> str:
    return f"{component.namespace}/{component.release}"


def _has_moved(component: Component, now: Mapping[str, Release], before: ClusterFacts) -> bool:
    key = _key(component)
    return key in before.releases and key in now and now[key].revision > before.releases[key].revision


def _list_workloads(component: Component) -> list[Workload]:
    return [Workload(component.namespace, *text.split("/")) for text in component.health]


def _is_down(sight: Sight, component: Component) -> bool:
    return bool(find_unready(sight.kubernetes, [str(item) for item in _list_workloads(component)]))


def _is_migrated(sight: Sight, component: Component, before: ClusterFacts, schema: str) -> bool:
    """Whether the new server's migration ended, and left another schema than the backup's; in doubt it did."""
    running = sight.helm.manifest(component.release, component.namespace)
    image = read_server_image(running)
    if read_tag(running) == read_tag(before.releases[_key(component)].running):
        return False
    pods = sight.kubernetes.list(POD, component.namespace, labels=f"app.kubernetes.io/name={MLFLOW}")
    newer = [pod for pod in pods if image in {item["image"] for item in pod["spec"]["containers"]}]
    ended = [(pod, name) for pod in newer for name in _list_ended(pod)]
    return any(not schema or _read_said(sight, component, pod, name) != schema for pod, name in ended)


def _list_ended(pod: Mapping[str, Any]) -> list[str]:
    """The pod's migrations that ended well."""
    return [
        status["name"]
        for status in pod["status"].get("initContainerStatuses") or ()
        if status["name"] in _MIGRATIONS
        and (status.get("state") or {}).get("terminated", {"exitCode": None})["exitCode"] == 0
    ]


def _read_said(sight: Sight, component: Component, pod: Mapping[str, Any], container: str) -> str:
    """The schema that a migration says it left; empty when it says none, as the chart's own."""
    lines = sight.kubernetes.logs(pod["metadata"]["name"], component.namespace, container=container)
    said = [found.group(1) for line in lines if (found := _SAID.search(line.rstrip()))]
    return said[-1] if said else ""
