"""Which deployment a sweep searches for: remembered on this machine from a destroy's start until a sweep was clean."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from platform_cli.clouds.embedded import files
from platform_cli.clouds.terraform.inventory import Inventory
from platform_cli.errors import StateError

REMEMBERED = "left-overs.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment as its cloud knows it: everything that was made carries `id` as the tag `deployment-id`.

    Attributes:
        prefix: what all names start with, such as `mlops-core-dev`; empty when unknown.
        cluster: the cluster's name, which what Kubernetes makes by itself is tagged with; empty when unknown.
        scope: the account's part that was deployed into: a project or a subscription; empty where credentials say it.
        kept: names of what is there on purpose.
    """

    id: str
    region: str
    prefix: str = ""
    cluster: str = ""
    scope: str = ""
    kept: frozenset[str] = frozenset()


def describe_deployment(inventory: Inventory) -> Deployment | None:
    """The deployment that a state belongs to; None when nothing in it says.

    What failed before its outputs were written is known by the tags of what it made.
    """
    tags, outputs = inventory.tags, inventory.outputs
    known = str(outputs.get("deployment_id") or tags.get("deployment-id") or "")
    if not known:
        return None
    parts = [str(tags[key]) for key in ("product", "tenant", "environment") if tags.get(key)]
    return Deployment(
        id=known,
        region=str(outputs.get("region") or _find_region(inventory)),
        prefix="-".join(parts) if parts else "",
        cluster=str(outputs.get("cluster_name") or ""),
        scope=_find_scope(inventory),
    )


def remember(root: Path, deployment: Deployment) -> None:
    """Write it into the target's folder, where it stays until a sweep was clean."""
    files.make_folders([root])
    known = {name: value for name, value in asdict(deployment).items() if name != "kept"}
    fresh = root / f".{REMEMBERED}.new"
    fresh.write_text(json.dumps(known) + "\n", encoding="utf-8")
    fresh.replace(root / REMEMBERED)


def recall(root: Path) -> Deployment | None:
    """What was remembered; None when nothing was.

    Raises:
        StateError: the file is there and cannot be read.
    """
    path = root / REMEMBERED
    try:
        raw: dict[str, Any] = json.loads(path.read_text("utf-8"))
        names = {field.name for field in fields(Deployment)} - {"kept"}
        known = {name: str(raw.get(name, "")) for name in names}
        return Deployment(**known, kept=frozenset())
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, AttributeError) as error:
        raise StateError(
            f"{path}: cannot be read: {error}", hint="search the cloud by the tag deployment-id, then remove the file"
        ) from error


def _find_region(inventory: Inventory) -> str:
    """From what was made: a name of its own, or the part of an ARN."""
    for item in inventory.items:
        for key in ("region", "location"):
            if item.values.get(key):
                return str(item.values[key])
        parts = str(item.values.get("arn") or "").split(":")
        if len(parts) > 3 and parts[3]:  # noqa: PLR2004 - arn:partition:service:region
            return parts[3]
    return ""


def _find_scope(inventory: Inventory) -> str:
    """The project, or the subscription that ids begin with."""
    for item in inventory.items:
        if item.values.get("project"):
            return str(item.values["project"])
        parts = str(item.values.get("id") or "").split("/")
        if parts[:2] == ["", "subscriptions"]:
            return parts[2]
    return ""
