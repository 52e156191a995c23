"""Holds each stage against the facts: what it does to what is there, and why. Pure."""

from __future__ import annotations

from platform_cli.cluster.assessment import assess_cluster, count_actions
from platform_cli.resource import HARMLESS
from platform_cli.risk import Assessment, Risk, if_any, worst_of
from platform_cli.stage import (
    ConfigMap,
    Facts,
    Folders,
    ModelServers,
    RemoveFiles,
    Stage,
    StopDashboards,
    StopModelServers,
    StopRuns,
    TerraformRoot,
    TrackingDatabase,
    Work,
    digest_of,
)


def assess(stage: Stage, facts: Facts) -> Assessment:  # noqa: PLR0911 - one return per kind of work
    """What the stage's work does to what is there, and why."""
    work: Work = stage.work
    match work:
        case Folders():
            return _assess_folders(work, facts)
        case ConfigMap():
            return _assess_config_map(work, facts)
        case TrackingDatabase():
            return _assess_tracking(stage, facts)
        case ModelServers():
            return if_any(Risk.CHANGE, "not running", facts.servers_down, "every deployed model is served")
        case StopModelServers():
            return if_any(Risk.DESTROY, "deployed", facts.servers, "no model is deployed")
        case StopRuns():
            return if_any(Risk.DESTROY, "running", facts.runs, "no workflow runs")
        case StopDashboards():
            return if_any(Risk.DESTROY, "open", facts.dashboards, "no dashboard is open")
        case RemoveFiles():
            doomed = facts.entries - set(work.keep)
            return (Risk.DESTROY, str(work.root)) if doomed else (Risk.NONE, "no files")
        case TerraformRoot():
            return _assess_root(work, facts)
        case _:
            return assess_cluster(work, facts.cluster)


def _assess_root(work: TerraformRoot, facts: Facts) -> Assessment:
    found = facts.roots.get(work.root)
    if found is None:
        return Risk.NONE, "Terraform's state is empty"
    harmful = [change for change in found.changes if change.action not in HARMLESS]
    if harmful:
        return worst_of(change.action for change in harmful), count_actions(harmful)
    if found.outputs:
        return Risk.CHANGE, f"outputs change: {', '.join(found.outputs)}"
    return Risk.NONE, "Terraform has nothing to change"


def _assess_folders(work: Folders, facts: Facts) -> Assessment:
    missing = [path for path in work.paths if path not in facts.folders]
    if not missing:
        return Risk.NONE, "all there"
    if len(missing) == len(work.paths):
        return Risk.CREATE, "none is there"
    return Risk.CHANGE, f"{len(missing)} of {len(work.paths)} missing or open to other users"


def _assess_config_map(work: ConfigMap, facts: Facts) -> Assessment:
    present = facts.config_maps.get(work.config_map)
    if present is None:
        return Risk.CREATE, f"{work.config_map} is absent"
    if present != digest_of(dict(work.data)):
        return Risk.CHANGE, f"{work.config_map} differs"
    return Risk.NONE, f"{work.config_map} is the same"


def _assess_tracking(stage: Stage, facts: Facts) -> Assessment:
    if not facts.tracking:
        return Risk.CREATE, "there is no database"
    applied = facts.applied.get(stage.name)
    if applied is None:
        return Risk.CHANGE, "an existing database is adopted, its schema checked"
    if applied != stage.digest:
        return Risk.CHANGE, "made for another MLflow version or place"
    return Risk.NONE, "at the installed MLflow's schema"
