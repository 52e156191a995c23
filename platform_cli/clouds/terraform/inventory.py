"""What Terraform's state holds, with its values: read from a plan, wherever the state lies."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_INDEX = re.compile(r"\[[^\]]*\]")
_TAG = "deployment-id"
_NAMED_BY = ("arn", "id", "name", "self_link")


@dataclass(frozen=True, slots=True)
class Item:
    """One resource in the state.

    Attributes:
        values: its attributes; some are secrets, so that they are never logged nor kept.
        needs: what it depends on, without indices.
        tainted: whether it was not made in full: Terraform changes it by a replacement only.
    """

    address: str
    type: str
    values: Mapping[str, Any]
    needs: tuple[str, ...]
    tainted: bool = False

    @property
    def block(self) -> str:
        """The address without indices: the block that it was made from."""
        return _INDEX.sub("", self.address)

    @property
    def names(self) -> frozenset[str]:
        """Everything its cloud may call it."""
        return frozenset(str(self.values[key]) for key in _NAMED_BY if self.values.get(key))


@dataclass(frozen=True, slots=True)
class Inventory:
    """Every resource in the state and the values of its outputs, as they were before a plan."""

    items: tuple[Item, ...]
    outputs: Mapping[str, Any]

    def select(self, types: Collection[str]) -> tuple[Item, ...]:
        """The resources of these types."""
        return tuple(item for item in self.items if item.type in types)

    def close(self, items: Collection[Item]) -> tuple[Item, ...]:
        """These and everything that they need, and that what they need needs."""
        by_block: dict[str, list[Item]] = {}
        for item in self.items:
            by_block.setdefault(item.block, []).append(item)
        found: dict[str, Item] = {}
        queue = list(items)
        while queue:
            item = queue.pop()
            if item.address not in found:
                found[item.address] = item
                queue += [needed for block in item.needs for needed in by_block.get(block, ())]
        return tuple(item for item in self.items if item.address in found)

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags, or labels, that everything of the deployment carries; empty when nothing carries any."""
        for item in self.items:
            for key in ("tags", "labels", "resource_labels", "user_labels"):
                tags = item.values.get(key)
                if isinstance(tags, Mapping) and tags.get(_TAG):
                    return tags
        return {}


def read_inventory(document: Mapping[str, Any]) -> Inventory:
    """What was there before a plan; `document` is `terraform show -json` of it."""
    values = document.get("prior_state", {}).get("values", {})
    outputs = {name: item.get("value") for name, item in values.get("outputs", {}).items() if not item.get("sensitive")}
    return Inventory(tuple(_list_items(values.get("root_module", {}))), outputs)


def _list_items(module: Mapping[str, Any]) -> Iterator[Item]:
    for raw in module.get("resources", ()):
        if raw["mode"] == "managed":
            needs = tuple(_INDEX.sub("", address) for address in raw.get("depends_on", ()))
            yield Item(raw["address"], raw["type"], raw.get("values", {}), needs, bool(raw.get("tainted")))
    for child in module.get("child_modules", ()):
        yield from _list_items(child)
