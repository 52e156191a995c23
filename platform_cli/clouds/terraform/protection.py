"""What would keep Terraform from destroying a resource, and which resources that is true of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from platform_cli.clouds.terraform.inventory import Item
from platform_cli.errors import RefusedError
from platform_cli.resource import Action, RootPlan

Guards = Mapping[str, Mapping[str, Any]]
"""By resource type: the attributes that guard it, and the value of each that lets it go."""


def find_guarded(items: Collection[Item], guards: Guards) -> tuple[Item, ...]:
    """The resources with an attribute that would refuse a destroy, or leave something of it behind.

    What was not made in full is left out: to lift anything of it would be to make it anew first.
    """
    return tuple(item for item in items if not item.tainted and _is_guarded(item, guards.get(item.type, {})))


def require_harmless(name: str, lift: RootPlan) -> None:
    """Refuse to lift protection when that would make, replace or destroy anything.

    Raises:
        RefusedError: it would; `details` say what.
    """
    wrong = [change for change in lift.changes if change.action not in (Action.UPDATE, Action.READ)]
    if wrong:
        raise RefusedError(
            f"{name}: deletion protection cannot be lifted alone: the configuration changed since the last deploy",
            hint="put back what was deployed, or deploy the change first; then destroy again",
            details=tuple(f"{change.action} {change.address}" for change in wrong),
        )


def _is_guarded(item: Item, guards: Mapping[str, Any]) -> bool:
    return any(key in item.values and item.values[key] != opened for key, opened in guards.items())
