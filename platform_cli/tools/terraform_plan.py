"""A saved Terraform plan, as `terraform show -json` prints it, parsed to values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from platform_cli.resource import HARMLESS, Action, ResourceChange, RootPlan
from platform_cli.stage import digest_of

_ACTIONS = {
    ("no-op",): Action.NONE,
    ("read",): Action.READ,
    ("create",): Action.CREATE,
    ("update",): Action.UPDATE,
    ("delete",): Action.DESTROY,
    ("forget",): Action.FORGET,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
    # The old one stays in the cloud, unknown to the state, and a new one is made.
    ("create", "forget"): Action.REPLACE,
}
# Provisioners are forbidden in our roots: nothing else taints.
_UNFINISHED = "replace_because_tainted"


def parse_plan(document: Mapping[str, Any], file: Path, *, data_types: Collection[str]) -> RootPlan:
    """The plan in `file`. `data_types` are the resource types that hold data.

    Raises:
        KeyError: the document is no plan, or of a format we do not know.
    """
    raw = document.get("resource_changes", [])
    changes = tuple(_parse_change(item, data_types) for item in raw)
    outputs = tuple(
        sorted(name for name, change in document.get("output_changes", {}).items() if change["actions"] != ["no-op"])
    )
    done = tuple(change for change in changes if change.action not in HARMLESS)
    if not done and not outputs:
        return plan_nothing(file)
    return RootPlan(
        file=file,
        digest=_digest(document),
        changes=tuple(change for change in changes if change.action is not Action.NONE),
        outputs=outputs,
    )


def plan_nothing(file: Path) -> RootPlan:
    """The plan in `file`, which changes nothing, whatever there is."""
    return RootPlan(file=file, digest=digest_of([]), changes=())


def _digest(document: Mapping[str, Any]) -> str:
    """What happens to each resource and output, with all values before and after; not when it was planned."""
    changes = [[item["address"], item.get("deposed", ""), item["change"]] for item in document["resource_changes"]]
    return digest_of([sorted(changes, key=lambda item: item[:2]), document.get("output_changes", {})])


def _parse_change(item: Mapping[str, Any], data_types: Collection[str]) -> ResourceChange:
    change = item["change"]
    unfinished = item.get("action_reason") == _UNFINISHED
    deposed = f" (deposed {item['deposed']})" if item.get("deposed") else ""
    return ResourceChange(
        address=f"{item['address']}{deposed}",
        type=item["type"],
        action=_ACTIONS[tuple(change["actions"])],
        # What was never made in full was never used: an interrupted deploy goes on without another word.
        holds_data=item["mode"] == "managed" and item["type"] in data_types and not unfinished,
        unknown=tuple(_unknown(change.get("after_unknown"))),
        because=(
            ("an unfinished creation",)
            if unfinished
            else tuple(".".join(map(str, path)) for path in change.get("replace_paths", ()))
        ),
    )


def _unknown(after: Any) -> Iterator[str]:
    """Names of the attributes that are unknown, in whole or in part."""
    if isinstance(after, dict):
        yield from sorted(name for name, value in after.items() if _has_unknown(value))


def _has_unknown(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_unknown(item) for item in value)
    return value is True
