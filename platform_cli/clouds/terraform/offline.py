"""What a root makes, read from its files: no Terraform, no provider, no cloud. See ADR 0013."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from platform_cli.clouds.terraform.price import estimate
from platform_cli.clouds.terraform.state import Record, Resource
from platform_cli.errors import ToolError
from platform_cli.hcl.module import Assumed, HclResource, Module, read_root
from platform_cli.hcl.value import UNKNOWN, HclError
from platform_cli.resource import Action, ResourceChange, RootPlan
from platform_cli.stage import digest_of

OFFLINE = (
    "offline: read from the Terraform files and the state on this machine; neither cloud nor cluster was asked: "
    "changes inside a resource are not seen, nor components whose charts are not in a folder"
)


@dataclass(frozen=True, eq=False)
class Reading:
    """One root with its variables set.

    Attributes:
        folder: the root's own folder, such as `environments/aws/dev`.
        variables: what is laid over the root's `terraform.tfvars`.
        assumed: values of data sources, by their type: what only a cloud could tell.
    """

    folder: Path
    variables: Mapping[str, Any]
    assumed: Assumed = field(default_factory=dict)

    @cached_property
    def resources(self) -> tuple[HclResource, ...]:
        """Everything that it makes.

        Raises:
            ToolError: a file cannot be read, or makes no sense.
        """
        with self._explained():
            return tuple(self._root.list_resources())

    def variable(self, name: str) -> Any:
        """The value that a variable of the root has. Errors are as for `resources`."""
        with self._explained():
            return self._root.resolve("var").attribute(name)

    def output(self, name: str) -> Any:
        """The value of an output, as far as files tell it. Errors are as for `resources`."""
        with self._explained():
            return self._root.attribute(name)

    @cached_property
    def _root(self) -> Module:
        return read_root(self.folder, self.variables, self.assumed)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except HclError as error:
            raise ToolError(f"{self.folder}: cannot be read offline: {error}", hint="terraform validate") from error

    def list_new(self, record: Record | None) -> tuple[HclResource, ...]:
        """What it makes and the state does not record."""
        known = {resource.address for resource in record.resources} if record else set()
        stems = {_stem(address) for address in known}
        return tuple(
            resource
            for resource in self.resources
            if resource.address not in known and (resource.is_counted or _stem(resource.address) not in stems)
        )


def plan_offline(
    reading: Reading,
    record: Record | None,
    *,
    file: Path,
    data_types: frozenset[str],
    prices: Path,
    cloud: str,
    destroys: bool,
) -> RootPlan:
    """What would be made and what removed, held against the recorded state. Changes inside a resource are not seen.

    `file` is where a plan that could be applied would be; there is none.
    """
    recorded = {resource.address: resource for resource in record.resources} if record else {}
    wanted = {} if destroys else {resource.address: resource for resource in reading.resources}
    changes = tuple(_list_changes(wanted, recorded, data_types))
    # Prices are held against what stands in the files, also for what is there already.
    read = {resource.address: resource for resource in reading.resources}
    priced = [_describe(address, read[address], recorded, wanted) for address in read.keys() & {*recorded, *wanted}]
    document = {"variables": {"region": {"value": reading.variable("region")}}, "resource_changes": priced}
    return RootPlan(
        file=file,
        digest=digest_of([(change.address, change.action) for change in changes]),
        changes=changes,
        cost=estimate(document, prices, cloud),
    )


def _list_changes(
    wanted: Mapping[str, HclResource], recorded: Mapping[str, Resource], data_types: frozenset[str]
) -> Iterator[ResourceChange]:
    stems = {_stem(address) for address in recorded}
    unsure = {_stem(address) for address, resource in wanted.items() if not resource.is_counted}
    for address, resource in sorted(wanted.items()):
        if address not in recorded and (resource.is_counted or _stem(address) not in stems):
            unknown = tuple(sorted(name for name, value in resource.values.items() if value is UNKNOWN))
            yield ResourceChange(address=address, type=resource.type, action=Action.CREATE, unknown=unknown)
    for address, item in sorted(recorded.items()):
        holds = item.type in data_types
        if address not in wanted and _stem(address) not in unsure:
            yield ResourceChange(address=address, type=item.type, action=Action.DESTROY, holds_data=holds)
        elif item.tainted:
            yield ResourceChange(address=address, type=item.type, action=Action.REPLACE, holds_data=holds)


def _stem(address: str) -> str:
    """What those whose number only the cloud knows have in common."""
    return address.partition("[")[0]


def _describe(
    address: str, resource: HclResource, recorded: Mapping[str, Resource], wanted: Mapping[str, HclResource]
) -> dict[str, Any]:
    """As `terraform show -json` does; an unknown value is null there."""
    values = {name: _plain(value) for name, value in resource.values.items()}
    change = {"before": values if address in recorded else None, "after": values if address in wanted else None}
    return {"address": address, "mode": "managed", "type": resource.type, "change": change}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if value is UNKNOWN else value
