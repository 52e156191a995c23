"""From what should hold and what does, to what will be done: no clock, no environment, no network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, assert_never

from platform_cli.resource import HARMLESS, Action, MonthlyCost, ResourceChange, RootPlan
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

SCHEMA_VERSION = 1


class Operation(StrEnum):
    """What a plan is for."""

    DEPLOY = "deploy"
    DESTROY = "destroy"


class Risk(StrEnum):
    """What a stage does to what is there, from harmless to not."""

    NONE = "none"
    CREATE = "create"
    CHANGE = "change"
    REPLACE = "replace"
    DESTROY = "destroy"


_RISKS = {
    Action.CREATE: Risk.CREATE,
    Action.UPDATE: Risk.CHANGE,
    Action.FORGET: Risk.CHANGE,
    Action.REPLACE: Risk.REPLACE,
    Action.DESTROY: Risk.DESTROY,
}


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage, what it does to what is there, and why; with Terraform also what happens to each resource."""

    stage: Stage
    risk: Risk
    reason: str
    resources: tuple[ResourceChange, ...] = ()
    cost: MonthlyCost | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that one command will do to one target (`embedded/dev`), in order."""

    operation: Operation
    target: str
    stages: tuple[PlannedStage, ...]

    @property
    def changes(self) -> tuple[PlannedStage, ...]:
        """The stages that do something."""
        return tuple(planned for planned in self.stages if planned.risk is not Risk.NONE)

    @property
    def dangers(self) -> tuple[ResourceChange, ...]:
        """The resources whose data is lost by it."""
        return tuple(change for planned in self.stages for change in planned.resources if change.endangers_data)

    @property
    def digest(self) -> str:
        """SHA-256 of the plan: equal plans, equal digest."""
        stages = [(planned.stage.name, planned.stage.digest, planned.risk) for planned in self.stages]
        return digest_of([self.operation, self.target, stages])

    def to_document(self) -> dict[str, Any]:
        """The plan as plain data; contents stand as their SHA-256."""
        return {
            "schema_version": SCHEMA_VERSION,
            "type": "Plan",
            "operation": self.operation.value,
            "target": self.target,
            "digest": self.digest,
            "changes": len(self.changes),
            "stages": [_stage_document(planned) for planned in self.stages],
        }


def build_plan(operation: Operation, target: str, stages: Sequence[Stage], facts: Facts) -> Plan:
    """Hold every stage against the facts. `stages` are in order; each names only earlier ones in its `needs`."""
    return Plan(operation, target, tuple(_plan_stage(stage, facts) for stage in stages))


def _plan_stage(stage: Stage, facts: Facts) -> PlannedStage:
    risk, reason = _assess(stage, facts)
    if isinstance(stage.work, TerraformRoot) and stage.work.root in facts.roots:
        found = facts.roots[stage.work.root]
        return _plan_root(stage, stage.work, found, (risk, reason), doubted=stage.name in facts.interrupted)
    if risk is Risk.NONE and stage.name in facts.interrupted:
        return PlannedStage(stage, Risk.CHANGE, "did not end the last time")
    return PlannedStage(stage, risk, reason)


def _assess(stage: Stage, facts: Facts) -> tuple[Risk, str]:  # noqa: PLR0911 - one return per kind of work
    work: Work = stage.work
    match work:
        case Folders():
            return _assess_folders(work, facts)
        case ConfigMap():
            return _assess_config_map(work, facts)
        case TrackingDatabase():
            return _assess_tracking(stage, facts)
        case ModelServers():
            return _if_any(Risk.CHANGE, "not running", facts.servers_down, "every deployed model is served")
        case StopModelServers():
            return _if_any(Risk.DESTROY, "deployed", facts.servers, "no model is deployed")
        case StopRuns():
            return _if_any(Risk.DESTROY, "running", facts.runs, "no workflow runs")
        case StopDashboards():
            return _if_any(Risk.DESTROY, "open", facts.dashboards, "no dashboard is open")
        case RemoveFiles():
            doomed = facts.entries - set(work.keep)
            return (Risk.DESTROY, str(work.root)) if doomed else (Risk.NONE, "no files")
        case TerraformRoot():
            return _assess_root(work, facts)
        case _:
            assert_never(work)


def _plan_root(
    stage: Stage, work: TerraformRoot, found: RootPlan, assessed: tuple[Risk, str], *, doubted: bool
) -> PlannedStage:
    """The stage with the saved plan it will apply. In doubt it is applied even when it changes nothing."""
    risk, reason = assessed
    if risk is Risk.NONE and doubted:
        risk, reason = Risk.CHANGE, "did not end the last time"
    resources = tuple(change for change in found.changes if change.action not in HARMLESS)
    saved = replace(work, plan=found.file, changes=found.digest, resources=len(resources))
    return PlannedStage(replace(stage, work=saved), risk, reason, resources, found.cost)


def _assess_root(work: TerraformRoot, facts: Facts) -> tuple[Risk, str]:
    found = facts.roots.get(work.root)
    if found is None:
        return Risk.NONE, "Terraform's state is empty"
    counts = Counter(change.action for change in found.changes if change.action not in HARMLESS)
    if counts:
        return max((_RISKS[action] for action in counts), key=list(Risk).index), _count(counts)
    if found.outputs:
        return Risk.CHANGE, f"outputs change: {', '.join(found.outputs)}"
    return Risk.NONE, "Terraform has nothing to change"


def _count(counts: Counter[Action]) -> str:
    """Such as `98 to create, 1 to replace`."""
    return ", ".join(f"{counts[action]} to {action}" for action in Action if counts[action])


def _assess_folders(work: Folders, facts: Facts) -> tuple[Risk, str]:
    missing = [path for path in work.paths if path not in facts.folders]
    if not missing:
        return Risk.NONE, "all there"
    if len(missing) == len(work.paths):
        return Risk.CREATE, "none is there"
    return Risk.CHANGE, f"{len(missing)} of {len(work.paths)} missing or open to other users"


def _assess_config_map(work: ConfigMap, facts: Facts) -> tuple[Risk, str]:
    present = facts.config_maps.get(work.config_map)
    if present is None:
        return Risk.CREATE, f"{work.config_map} is absent"
    if present != digest_of(dict(work.data)):
        return Risk.CHANGE, f"{work.config_map} differs"
    return Risk.NONE, f"{work.config_map} is the same"


def _assess_tracking(stage: Stage, facts: Facts) -> tuple[Risk, str]:
    if not facts.tracking:
        return Risk.CREATE, "there is no database"
    applied = facts.applied.get(stage.name)
    if applied is None:
        return Risk.CHANGE, "an existing database is adopted, its schema checked"
    if applied != stage.digest:
        return Risk.CHANGE, "made for another MLflow version or place"
    return Risk.NONE, "at the installed MLflow's schema"


def _if_any(risk: Risk, state: str, names: tuple[str, ...], otherwise: str) -> tuple[Risk, str]:
    return (risk, f"{state}: {', '.join(names)}") if names else (Risk.NONE, otherwise)


def _stage_document(planned: PlannedStage) -> dict[str, Any]:
    stage = planned.stage
    return {
        "name": stage.name,
        "title": stage.title,
        "kind": type(stage.work).__name__,
        "needs": list(stage.needs),
        "risk": planned.risk.value,
        "reason": planned.reason,
        "digest": stage.digest,
        "inputs": _inputs(stage.work),
        **({"resources": [_resource_document(change) for change in planned.resources]} if planned.resources else {}),
        **({"monthly_cost": asdict(planned.cost)} if planned.cost else {}),
    }


def _resource_document(change: ResourceChange) -> dict[str, Any]:
    return {**asdict(change), "action": change.action.value, "danger": change.endangers_data}


def _inputs(work: Work) -> dict[str, Any]:
    if isinstance(work, ConfigMap):
        return {"config_map": work.config_map, "data": {key: digest_of(text) for key, text in work.data.items()}}
    return {name: _plain(getattr(work, name)) for name in work.__slots__}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
