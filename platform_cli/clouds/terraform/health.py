"""How each layer is: as Terraform last recorded it, and as the cloud has it now."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from platform_cli.clouds.terraform.account import Account, Vital
from platform_cli.clouds.terraform.state import Record
from platform_cli.errors import MlopsError
from platform_cli.render.line import count_of
from platform_cli.status import Health, Layer

_MEND = "mlops deploy goes on"
_SHOWN = 3


def inspect(record: Record, layers: Mapping[str, frozenset[str]], *, interrupted: bool) -> tuple[Layer, ...]:
    """The state, then each layer. `interrupted`: the last deploy or destroy did not end well."""
    if not record.resources:
        return (Layer("state", Health.DOWN, "the state is empty; mlops deploy makes everything"),)
    found = [_inspect_layer(name, types, record) for name, types in layers.items()]
    return (_inspect_state(record, interrupted=interrupted), *_show_registry(found, record.outputs))


def ask(account: Account, record: Record, layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The same layers, those of the infrastructure as the cloud has them now."""
    return tuple(layer if layer.name == "state" else _ask_layer(account, record, layer) for layer in layers)


def _ask_layer(account: Account, record: Record, layer: Layer) -> Layer:
    if layer.health is Health.OK and layer.name == "database" and _has_no_server(record):
        return layer
    try:
        found = account.read_vitals(layer.name, record.outputs)
    except MlopsError as error:
        return replace(layer, health=Health.UNKNOWN, reason=f"not asked: {error.message}")
    if not found:
        return replace(layer, health=Health.DOWN, reason=f"the cloud has none; {_MEND}")
    told = _some([f"{vital.name} is {vital.state}" for vital in found])
    return replace(layer, health=judge_vitals(found), reason=told)


def judge_vitals(found: Sequence[Vital]) -> Health:
    """Down when none is well, degraded when some are not."""
    well = sum(vital.is_well for vital in found)
    return Health.OK if well == len(found) else Health.DEGRADED if well else Health.DOWN


def _inspect_state(record: Record, *, interrupted: bool) -> Layer:
    written = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.written))
    facts = (
        f"in {record.place}, {count_of(len(record.resources), 'resource')}, serial {record.serial}, written {written}"
    )
    if interrupted:
        return Layer("state", Health.DEGRADED, f"the last command did not end; {_MEND}; {facts}")
    return Layer("state", Health.OK, facts)


def _inspect_layer(name: str, types: frozenset[str], record: Record) -> Layer:
    found = record.select(types)
    tainted = [resource.address for resource in found if resource.tainted]
    if tainted:
        return Layer(name, Health.DEGRADED, f"not made in full: {_some(tainted)}; {_MEND}")
    if found:
        return Layer(name, Health.OK, f"{_some([resource.address for resource in found])}, as of the last deploy")
    if name == "database" and _has_no_server(record):
        return Layer(name, Health.OK, "sqlite: there is no server")
    return Layer(name, Health.DOWN, f"not in the state; {_MEND}")


def _show_registry(layers: Sequence[Layer], outputs: Mapping[str, Any]) -> tuple[Layer, ...]:
    """Where our own images are pushed stands at what keeps things, else at what pulls them."""
    url = outputs.get("registry_url")
    if not url or not layers:
        return tuple(layers)
    place = next((layer for layer in layers if layer.name == "storage"), layers[-1])
    shown = replace(place, items=(*place.items, f"images: make images REGISTRY={url} PUSH=yes"))
    return tuple(shown if layer is place else layer for layer in layers)


def _has_no_server(record: Record) -> bool:
    database = record.outputs.get("database")
    return isinstance(database, dict) and database.get("engine") == "sqlite"


def _some(addresses: list[str]) -> str:
    short = [address.rpartition("module.")[2] for address in addresses[:_SHOWN]]
    more = len(addresses) - len(short)
    return ", ".join(short) + (f" and {more} more" if more else "")
