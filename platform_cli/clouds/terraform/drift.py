"""What changed behind Terraform's back, resource by resource."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from platform_cli.errors import MlopsError
from platform_cli.render.line import count_of
from platform_cli.status import Health, Layer

if TYPE_CHECKING:
    from platform_cli.clouds.terraform.planner import Planner
    from platform_cli.events import Emit

_MEND = "mlops plan shows what a deploy would put right"


def inspect_drift(planner: Planner, emit: Emit) -> Layer:
    """The layer `drift`: ok, or degraded with one item for each resource that is not as the state has it."""
    try:
        items = tuple(list_drift(planner.find_drift(emit)))
    except MlopsError as error:
        return Layer("drift", Health.UNKNOWN, f"not asked: {error.message}", error.details)
    if not items:
        return Layer("drift", Health.OK, "everything is as the state records it")
    return Layer("drift", Health.DEGRADED, f"{count_of(len(items), 'resource')} not as recorded; {_MEND}", items)


def list_drift(document: Mapping[str, Any]) -> Iterator[str]:
    """One line for each resource that is gone or differs, with the names of what differs, never values."""
    for item in document.get("resource_drift", ()):
        change = item["change"]
        if change["after"] is None:
            yield f"removed {item['address']}"
        elif names := _list_differences(change["before"] or {}, change["after"]):
            yield f"changed {item['address']} ({', '.join(names)})"


def _list_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Providers read back an empty map or list where nothing was written; that is no difference."""
    names = sorted({*before, *after})
    return [name for name in names if (before.get(name) or None) != (after.get(name) or None)]
