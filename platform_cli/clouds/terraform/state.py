"""Terraform's state as status, destroy and `mlops state` need it: parsed from its text, wherever it lies."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platform_cli.errors import StateError

_FORMAT = 4


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource that Terraform made. A tainted one was not made in full and will be replaced."""

    address: str
    type: str
    tainted: bool


@dataclass(frozen=True, slots=True)
class Record:
    """What the state holds.

    Attributes:
        written: Unix seconds of the last change.
        outputs: values by name, but sensitive ones.
        lineage: the same for all states that came of one another.
        place: where it lies, as people write it.
    """

    serial: int
    written: float
    resources: tuple[Resource, ...]
    outputs: Mapping[str, Any]
    lineage: str = ""
    place: str = ""

    def select(self, types: Collection[str]) -> tuple[Resource, ...]:
        """The resources of these types."""
        return tuple(resource for resource in self.resources if resource.type in types)


def read_state(path: Path) -> Record | None:
    """What the state in a file holds; None when there is none.

    Raises:
        StateError: the file is no state, or of a format we do not know.
    """
    try:
        return parse_state(path.read_bytes(), place=str(path), written=path.stat().st_mtime)
    except FileNotFoundError:
        return None


def parse_state(content: bytes, *, place: str, written: float) -> Record:
    """What a state holds. `place` and `written` (Unix seconds) say where it was read and when it was last changed.

    Raises:
        StateError: it is no state, or of a format we do not know.
    """
    try:
        raw = json.loads(content)
        if raw["version"] != _FORMAT:
            raise StateError(f"{place}: a state of format {raw['version']}", hint="use a newer mlops")
        resources = tuple(_list_resources(raw))
        return Record(raw["serial"], written, resources, _open_outputs(raw), str(raw["lineage"]), place)
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(
            f"{place}: the state cannot be read: {error}",
            hint="mlops state history lists older versions, mlops state restore brings one back",
        ) from error


def _list_resources(raw: Mapping[str, Any]) -> Iterator[Resource]:
    for block in raw.get("resources", []):
        if block["mode"] != "managed":
            continue
        prefix = f"{block['module']}." if block.get("module") else ""
        for instance in block["instances"]:
            key = instance.get("index_key")
            index = "" if key is None else f"[{json.dumps(key)}]"
            address = f"{prefix}{block['type']}.{block['name']}{index}"
            yield Resource(address, block["type"], tainted=instance.get("status") == "tainted")


def _open_outputs(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: item["value"] for name, item in raw.get("outputs", {}).items() if not item.get("sensitive")}
