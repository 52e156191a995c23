"""What changed behind Terraform's back, resource by resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_cli.errors import MlopsError
from platform_cli.render.line import count_of
from platform_cli.status import Health, Layer

if TYPE_CHECKING:
    from platform_cli.clouds.terraform.planner import Planner
    from platform_cli.events import Emit

_VERBS = {"delete": "removed", "update": "changed"}
_MEND = "mlops plan shows what a deploy would put right"


def inspect_drift(planner: Planner, emit: Emit) -> Layer:
    """The layer `drift`: ok, or degraded with one item for each resource that is not as the state has it."""
    try:
        found = planner.find_drift(emit)
    except MlopsError as error:
        return Layer("drift", Health.UNKNOWN, f"not asked: {error.message}", error.details)
    if not found:
        return Layer("drift", Health.OK, "everything is as the state records it")
    items = tuple(f"{_VERBS.get(action, action)} {address}" for address, action in found)
    return Layer("drift", Health.DEGRADED, f"{count_of(len(items), 'resource')} not as recorded; {_MEND}", items)
