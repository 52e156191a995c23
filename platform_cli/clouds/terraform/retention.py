"""What `--keep-data` leaves in the cloud: which resources, at what price, and the record that a later deploy adopts."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from platform_cli.clouds.terraform.inventory import Inventory, Item
from platform_cli.clouds.terraform.price import estimate
from platform_cli.errors import StateError
from platform_cli.stage import digest_of

_SUFFIX_DIGITS = 8
_FIELDS = ("addresses", "lines", "names", "snapshots")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What of a cloud outlives a destroy that keeps data.

    Attributes:
        types: resource types that stay, with everything that they need.
        shown: those of them that people know, in lists.
        snapshot: type of the database that leaves a last snapshot instead of staying; empty where it stays.
        variable: the root's variable that names that snapshot (`final`) and the one to begin with (`restore`).
        opened: guards of that type that differ when the snapshot is wanted.
    """

    types: frozenset[str] = frozenset()
    shown: frozenset[str] = frozenset()
    snapshot: str = ""
    variable: str = ""
    opened: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was kept, as it is remembered.

    Attributes:
        addresses: what stays in Terraform's state.
        lines: one for people about each thing.
        names: everything its cloud may call what was kept; what a sweep finds under them is no left-over.
        snapshots: last snapshots of databases, the newest last.
    """

    addresses: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()

    @property
    def restore(self) -> str:
        """The snapshot that a database begins with; empty for an empty one."""
        return self.snapshots[-1] if self.snapshots else ""

    def write(self, path: Path) -> None:
        """Remember it, readable by us alone."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        fresh.chmod(0o600)
        fresh.replace(path)


def read_kept(path: Path) -> Kept:
    """What was kept; nothing when nothing was.

    Raises:
        StateError: the record is there and cannot be read.
    """
    try:
        raw = json.loads(path.read_text("utf-8"))
        return Kept(**{name: tuple(map(str, raw[name])) for name in _FIELDS})
    except FileNotFoundError:
        return Kept()
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(f"{path}: the record of what was kept cannot be read: {error}") from error


def find_kept(inventory: Inventory, retention: Retention) -> tuple[Item, ...]:
    """The resources that stay: those that hold data, and what these need."""
    return inventory.close(inventory.select(retention.types))


def name_snapshot(inventory: Inventory, retention: Retention) -> str:
    """The last snapshot's name: always the same for one database, never the same for two. Empty without a database."""
    for item in inventory.items:
        if item.type == retention.snapshot:
            name = str(item.values["identifier"])
            return f"{name}-kept-{digest_of(item.values.get('resource_id'))[:_SUFFIX_DIGITS]}"
    return ""


def describe(
    items: Collection[Item], retention: Retention, document: Mapping[str, Any], folder: Path, cloud: str
) -> tuple[str, ...]:
    """One line for each thing that people know, with its price of a month, and one for the sum.

    Args:
        items: what stays.
        retention: which of them are shown.
        document: `terraform show -json` of a plan; the region is read from it.
        folder: where the price tables are.
        cloud: the price table's.
    """
    lines = [
        f"{item.type} {_name(item)}: {_price([item], document, folder, cloud)}"
        for item in items
        if item.type in retention.shown
    ]
    return (*lines, f"everything kept: {_price(items, document, folder, cloud, with_source=True)}") if lines else ()


def _name(item: Item) -> str:
    return str(item.values.get("name") or item.values.get("bucket") or item.values.get("id") or item.address)


def _price(
    items: Collection[Item], document: Mapping[str, Any], folder: Path, cloud: str, *, with_source: bool = False
) -> str:
    changes = [
        {"address": item.address, "mode": "managed", "type": item.type, "change": {"after": item.values}}
        for item in items
    ]
    cost = estimate({"variables": document.get("variables", {}), "resource_changes": changes}, folder, cloud)
    if cost is None:
        return "price unknown: no table for this region"
    parts = [f"{cost.after_usd:.2f} USD a month"] if cost.after_usd or not cost.by_use else []
    parts += [f"{', '.join(cost.by_use)} by use"] if cost.by_use and with_source else []
    parts += ["billed by use"] if cost.by_use and not with_source else []
    parts += [f"{len(cost.unknown)} of unknown price"] if cost.unknown else []
    parts += [cost.source] if with_source else []
    return ", ".join(parts)
