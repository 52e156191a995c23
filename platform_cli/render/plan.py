"""Plans, status, checks and proofs as lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from platform_cli.render.line import Line, count_of, format_table

if TYPE_CHECKING:
    from platform_cli.clouds.interface import Proof
    from platform_cli.doctor import Result
    from platform_cli.plan import Plan
    from platform_cli.resource import MonthlyCost, ResourceChange
    from platform_cli.status import Layer

_ACTION_MARKS = {"create": "+", "update": "~", "replace": "±", "destroy": "-", "forget": "x"}
_HEALTH_MARKS = {"ok": "✓", "unknown": "?", "degraded": "!", "down": "✗"}


def plan_lines(plan: Plan) -> list[str]:
    """The stages in order, each with its risk and reason."""
    rows = [(planned.risk.value, planned.stage.name, planned.reason) for planned in plan.stages]
    total = f"{count_of(len(plan.stages), 'stage')}, {count_of(len(plan.changes), 'change')}"
    return [
        f"{plan.operation} {plan.target}: {total}",
        *(f"  {line}" for line in format_table(("risk", "stage", "why"), rows)),
        *(line for planned in plan.stages for line in map(_resource_line, planned.resources)),
        *(line for planned in plan.stages if planned.cost for line in _cost_lines(planned.cost)),
        *(f"  note: {note}" for note in plan.notes),
    ]


def _cost_lines(cost: MonthlyCost) -> list[str]:
    """The difference first; then what is not in it."""
    change = cost.after_usd - cost.before_usd
    lines = [f"  monthly cost: {change:+.2f} USD (from {cost.before_usd:.2f} to {cost.after_usd:.2f}), {cost.source}"]
    notes = {"price unknown": cost.unknown, "billed by use on top": cost.by_use}
    lines += [f"    {note}: {', '.join(names)}" for note, names in notes.items() if names]
    if cost.unlisted:
        lines.append(f"    not in the price table: {count_of(len(cost.unlisted), 'resource type')}")
    return lines


def _resource_line(change: ResourceChange) -> str:
    """Such as `! replace  aws_db_instance.this (because of engine; DANGER: its data is lost; after apply: arn)`."""
    because = f"because of {', '.join(change.because)}" if change.because else ", ".join(change.changed)
    danger = "DANGER: its data is lost" if change.endangers_data else ""
    unknown = f"known after apply: {', '.join(change.unknown)}" if change.unknown else ""
    notes = "; ".join(note for note in (danger, because, unknown) if note)
    return f"    {_ACTION_MARKS[change.action]} {change.action:<8} {change.address}" + (f" ({notes})" if notes else "")


def target_rows(plans: Sequence[Plan]) -> list[tuple[str, ...]]:
    """One row for each target: changes, resources, monthly cost, where the prices are from."""
    return [_target_row(plan) for plan in plans]


def _target_row(plan: Plan) -> tuple[str, ...]:
    resources = sum(len(planned.resources) for planned in plan.stages)
    costs = [planned.cost for planned in plan.stages if planned.cost]
    usd = sum(cost.after_usd for cost in costs)
    unknown = sum(len(set(cost.unknown)) for cost in costs)
    more = f" and {count_of(unknown, 'unknown price')}" if unknown else ""
    price = f"{usd:.2f}{more}" if costs else "-"
    return (plan.target, str(len(plan.changes)), str(resources), price, costs[0].source if costs else "")


def status_lines(target: str, layers: Sequence[Layer]) -> list[str]:
    """One line for each layer."""
    if not layers:
        cloud, _, env = target.partition("/")
        return [f"{target} is not deployed", f"next: mlops deploy --cloud {cloud} --env {env}"]
    return [line for layer in layers for line in _layer_lines(layer)]


def _layer_lines(layer: Layer) -> list[str]:
    return [Line(layer.reason, _HEALTH_MARKS[layer.health], layer.name).text, *(f"    {item}" for item in layer.items)]


def doctor_lines(results: Sequence[Result]) -> list[str]:
    """One line for each check, and for each that is not fine what to do."""
    return [line for result in results for line in _result_lines(result)]


def proof_lines(proof: Proof) -> list[str]:
    """What was looked for, what is left, what was kept."""
    return [
        *(f"  proof: {line}" for line in proof.checked if not proof.leftovers),
        *(f"  left: {line}" for line in proof.leftovers),
        *(f"  kept: {line}" for line in proof.kept),
        *(f"  not checked: {line}" for line in proof.unchecked),
    ]


def _result_lines(result: Result) -> list[str]:
    finding = result.finding
    mark = "✓" if finding.ok else "!" if finding.advises else "✗"
    line = Line(finding.found, mark, result.name).text
    return [line] if finding.ok or not finding.fix else [line, f"    fix: {finding.fix}"]
