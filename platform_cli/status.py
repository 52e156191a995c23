"""The truth about a target, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

SCHEMA_VERSION = 1


class Health(StrEnum):
    """How a layer is, from best to worst but one: unknown is not known to be bad."""

    OK = "ok"
    UNKNOWN = "unknown"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: `reason` says how we know, and what to do when it is not ok; `items` are what it is about."""

    name: str
    health: Health
    reason: str
    items: tuple[str, ...] = ()


def judge(layers: Sequence[Layer]) -> Health:
    """The health of the whole: that of its worst layer."""
    order = list(Health)
    return max((layer.health for layer in layers), key=order.index, default=Health.UNKNOWN)


def to_document(target: str, layers: Sequence[Layer]) -> dict[str, Any]:
    """The status as plain data."""
    return {
        "schema_version": SCHEMA_VERSION,
        "type": "Status",
        "target": target,
        "health": judge(layers).value,
        "layers": [asdict(layer) for layer in layers],
    }
