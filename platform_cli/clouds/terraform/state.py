"""Terraform's state as far as status and destroy need it. Read from the file: no Terraform, no cloud."""

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
    """

    serial: int
    written: float
    resources: tuple[Resource, ...]
    outputs: Mapping[str, Any]

    def select(self, types: Collection[str]) -> tuple[Resource, ...]:
        """The resources of these types."""
        return tuple(resource for resource in self.resources if resource.type in types)


def read_state(path: Path) -> Record | None:
    """What the state holds; None when there is none.

    Raises:
        StateError: the file is no state, or of a format we do not know.
    """
    try:
        raw = json.loads(path.read_text("utf-8"))
        if raw["version"] != _FORMAT:
            raise StateError(f"{path}: a state of format {raw['version']}", hint="use a newer mlops")
        return Record(raw["serial"], path.stat().st_mtime, tuple(_list_resources(raw)), _open_outputs(raw))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        backup = path.with_name(f"{path.name}.backup")
        hint = f"restore it: cp {backup} {path}" if backup.is_file() else "restore it from a backup"
        raise StateError(f"{path}: the state cannot be read: {error}", hint=hint) from error


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
