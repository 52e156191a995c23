"""What differs from cloud to cloud, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from platform_cli.clouds.terraform.account import Probe
from platform_cli.clouds.terraform.backend import StateService
from platform_cli.clouds.terraform.deployment import Deployment
from platform_cli.clouds.terraform.protection import Guards
from platform_cli.clouds.terraform.retention import Retention


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a search by tags found.

    Attributes:
        checked: what was searched for, one line each.
        kept: what goes by itself later, and when.
        unchecked: what could not be searched for, and why.
    """

    checked: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()


Sweep = Callable[[Deployment], Swept]
"""Asks the cloud itself, beside Terraform's state, for what carries the deployment's tag."""

DropSnapshots = Callable[[Deployment, tuple[str, ...]], None]
"""Deletes the snapshots of these names; one that is not there is fine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One cloud.

    Attributes:
        variables: the root's variables that only this cloud has, and the region where one is chosen.
        environment: what Terraform's environment has beside ours.
        data_types: resource types whose loss loses data.
        layers: resource types that make up each layer of `status`, in order.
        probe: how the account is asked before a deploy; None where there is no account.
        sweep: how to search by tags; None where nothing but Terraform makes anything.
        guards: what refuses a destroy until it is lifted.
        retention: what `--keep-data` keeps; None where nothing can outlive the rest.
        drop_snapshots: how the snapshots that were kept go with everything else.
        states: how the cloud keeps Terraform's states; None where they stay on this machine.
    """

    variables: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    data_types: frozenset[str]
    layers: Mapping[str, frozenset[str]]
    probe: Probe | None = None
    sweep: Sweep | None = None
    guards: Guards = field(default_factory=dict)
    retention: Retention | None = None
    drop_snapshots: DropSnapshots | None = None
    states: StateService | None = None
