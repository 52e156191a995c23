"""From what should hold and what does, to what will be done: no clock, no environment, no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from platform_cli.cluster.assessment import plan_health, plan_release
from platform_cli.cluster.work import CrdSet, Healthy, HelmRelease, Ref
from platform_cli.plan_assess import assess
from platform_cli.resource import HARMLESS, MonthlyCost, ResourceChange, RootPlan
from platform_cli.risk import Assessment, Risk
from platform_cli.stage import ConfigMap, Facts, Stage, TerraformRoot, Work, digest_of

SCHEMA_VERSION = 1


class Operation(StrEnum):
    """What a plan is for."""

    DEPLOY = "deploy"
    DESTROY = "destroy"
    UPGRADE = "upgrade"


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
    """Everything that one command will do to one target (`embedded/dev`), in order; `notes` are to be read before."""

    operation: Operation
    target: str
    stages: tuple[PlannedStage, ...]
    notes: tuple[str, ...] = ()

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
            **({"notes": list(self.notes)} if self.notes else {}),
        }


def build_plan(
    operation: Operation, target: str, stages: Sequence[Stage], facts: Facts, *, notes: tuple[str, ...] = ()
) -> Plan:
    """Hold every stage against the facts. `stages` are in order; each names only earlier ones in its `needs`."""
    return Plan(operation, target, tuple(_plan_stage(stage, facts) for stage in stages), notes)


def _plan_stage(stage: Stage, facts: Facts) -> PlannedStage:
    risk, reason = assess(stage, facts)
    doubted = stage.name in facts.interrupted and not _is_foreign(stage, facts)
    if isinstance(stage.work, HelmRelease):
        return _plan_release(stage, stage.work, facts, (risk, reason), doubted=doubted)
    if isinstance(stage.work, Healthy):
        stage = replace(stage, work=plan_health(stage.work, facts.cluster))
    if isinstance(stage.work, TerraformRoot) and stage.work.root in facts.roots:
        return _plan_root(stage, stage.work, facts.roots[stage.work.root], (risk, reason), doubted=doubted)
    if risk is Risk.NONE and doubted:
        return PlannedStage(stage, Risk.CHANGE, "did not end the last time")
    return PlannedStage(stage, risk, reason)


def _is_foreign(stage: Stage, facts: Facts) -> bool:
    """What somebody else runs is never touched, in doubt neither."""
    return isinstance(stage.work, CrdSet | HelmRelease) and stage.work.component in (
        facts.cluster.foreign if facts.cluster else ()
    )


def _plan_release(
    stage: Stage, work: HelmRelease, facts: Facts, assessed: Assessment, *, doubted: bool
) -> PlannedStage:
    """The stage with what it does to each object."""
    risk, reason = assessed
    planned, changes = plan_release(work, facts.cluster)
    if risk is Risk.NONE and doubted:
        risk, reason = Risk.CHANGE, "did not end the last time"
    return PlannedStage(replace(stage, work=planned), risk, reason, changes)


def _plan_root(
    stage: Stage, work: TerraformRoot, found: RootPlan, assessed: Assessment, *, doubted: bool
) -> PlannedStage:
    """The stage with the saved plan it will apply. In doubt it is applied even when it changes nothing."""
    risk, reason = assessed
    if risk is Risk.NONE and doubted:
        risk, reason = Risk.CHANGE, "did not end the last time"
    resources = tuple(change for change in found.changes if change.action not in HARMLESS)
    saved = replace(work, plan=found.file, changes=found.digest, resources=len(resources))
    return PlannedStage(replace(stage, work=saved), risk, reason, resources, found.cost)


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
    if isinstance(value, Path | Ref):
        return str(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
