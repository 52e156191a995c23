"""What a plan changes in a month's bill, from a dated table of list prices (`infrastructure/prices/`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platform_cli.errors import ConfigError
from platform_cli.resource import MonthlyCost

_DAYS_PER_MONTH = 365 / 12


def estimate(document: Mapping[str, Any], folder: Path, cloud: str) -> MonthlyCost | None:
    """The month's list price before and after a plan (`terraform show -json`); None where there is no table.

    Raises:
        ConfigError: the table cannot be read.
    """
    region = document.get("variables", {}).get("region", {}).get("value", "")
    path = folder / f"{cloud}-{region}.yaml"
    if not path.is_file():
        return None
    table = _Table(_read(path))
    changes = [item for item in document.get("resource_changes", []) if item["mode"] == "managed"]
    before = [(item, table.price(item["type"], item["change"].get("before"))) for item in changes]
    after = [(item, table.price(item["type"], item["change"].get("after"))) for item in changes]
    stays = [item for item in changes if item["change"].get("after") is not None]
    return MonthlyCost(
        before_usd=round(sum(price or 0.0 for _, price in before), 2),
        after_usd=round(sum(price or 0.0 for _, price in after), 2),
        unknown=tuple(dict.fromkeys(item["address"] for item, price in (*before, *after) if price is None)),
        unlisted=tuple(sorted({item["type"] for item in stays} - table.types)),
        by_use=tuple(sorted({item["type"] for item in stays} & set(table.raw.get("usage", {})))),
        source=table.source,
    )


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        return dict(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: the price table cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class _Table:
    """One cloud's and region's prices as they stand in the file."""

    raw: Mapping[str, Any]

    @property
    def types(self) -> frozenset[str]:
        """Resource types of which something is known."""
        return frozenset(self.raw["prices"]) | frozenset(self.raw.get("usage", {}))

    @property
    def source(self) -> str:
        """Where and when the prices are from, and whether anybody checked them."""
        checked = "" if self.raw.get("verified") else ", not verified"
        return f"list prices of {self.raw['date']} for {self.raw['region']}{checked}"

    def price(self, kind: str, values: Mapping[str, Any] | None) -> float | None:
        """US dollars a month; 0 for what is not there or not in the table, None where it cannot be told."""
        if values is None:
            return 0.0
        parts = list(self._price_parts(self.raw["prices"].get(kind, ()), values))
        return None if None in parts else sum(part for part in parts if part is not None)

    def _price_parts(self, entries: Sequence[Mapping[str, Any]], values: Mapping[str, Any]) -> Iterator[float | None]:
        for entry in entries:
            unit = _find_unit(entry, values)
            amount = _find_amount(entry, values)
            if unit == 0:
                yield 0.0
            elif unit is None or amount is None:
                yield None
            else:
                yield unit * amount * self._per_month(entry["per"])

    def _per_month(self, per: str) -> float:
        return {"hour": float(self.raw["hours_per_month"]), "day": _DAYS_PER_MONTH}.get(per, 1.0)


def _find_unit(entry: Mapping[str, Any], values: Mapping[str, Any]) -> float | None:
    if any(_dig(values, path) != wanted for path, wanted in entry.get("when", {}).items()):
        return None
    found = (
        entry.get("value")
        if "value" in entry
        else entry["values"].get(str(_dig(values, entry["by"]) or entry.get("unset")))
    )
    return None if found is None else float(found)


def _find_amount(entry: Mapping[str, Any], values: Mapping[str, Any]) -> float | None:
    amount = 1.0
    if "times" in entry:
        times = _dig(values, entry["times"])
        if not isinstance(times, int | float):
            return None
        amount = times * float(entry.get("scale", 1.0))
    if "count" in entry:
        items = _dig(values, entry["count"])
        if not isinstance(items, list):
            return None
        amount *= len(items)
    return amount * (2.0 if _is_doubled(entry.get("doubled_by"), values) else 1.0)


def _is_doubled(by: str | Mapping[str, Any] | None, values: Mapping[str, Any]) -> bool:
    """By a path whose value is true (or a block that is there), or by paths with the values that they must have."""
    if isinstance(by, str):
        return bool(_dig(values, by))
    return bool(by) and all(_dig(values, path) == wanted for path, wanted in (by or {}).items())


def _dig(values: Any, path: str) -> Any:
    """The value at a dotted path; a block's list means its first item where the path has no index."""
    for part in path.split("."):
        if isinstance(values, list):
            index = int(part) if part.isdigit() else 0
            values = values[index] if index < len(values) else None
            if part.isdigit():
                continue
        values = values.get(part) if isinstance(values, dict) else None
    return values
