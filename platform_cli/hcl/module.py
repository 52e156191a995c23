"""A module with its variables set: what its names mean, and the resources it makes.

Nothing is fetched and nobody is asked: what only a cloud knows is unknown, but for the data sources that are assumed.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from platform_cli.hcl.block import Block, list_files, read_blocks, read_values
from platform_cli.hcl.expression import Inner, Scope, evaluate
from platform_cli.hcl.kind import convert
from platform_cli.hcl.value import UNKNOWN, HclError, as_number, as_pairs

Assumed = Mapping[str, Mapping[str, Any]]
"""Values of data sources by their type, such as `{"aws_caller_identity": {"account_id": "123"}}`."""


@dataclass(frozen=True, slots=True)
class HclResource:
    """A resource that a module makes.

    Attributes:
        address: such as `module.platform.aws_vpc.this["a"]`; it ends in `[?]` when their number is unknown.
        values: what is written in it; `UNKNOWN` where only an apply tells.
    """

    address: str
    type: str
    values: Mapping[str, Any]

    @property
    def is_counted(self) -> bool:
        """Whether it is exactly one."""
        return "[?]" not in self.address


class Lazy:
    """Attributes that are worked out once, when they are first asked for."""

    def __init__(self, work: Callable[[str], Any]) -> None:
        self._work = work
        self._known: dict[str, Any] = {}
        self._open: set[str] = set()

    def attribute(self, name: str) -> Any:
        """See `Attributes.attribute`."""
        if name not in self._known:
            if name in self._open:
                raise HclError(f"{name} depends on itself")
            self._open.add(name)
            try:
                self._known[name] = self._work(name)
            finally:
                self._open.discard(name)
        return self._known[name]


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One of what a block makes."""

    block: Block
    scope: Scope

    def attribute(self, name: str) -> Any:
        """See `Attributes.attribute`; what is not written is for the cloud to say."""
        return self.block.find_value(name, self.scope)


class Module:
    """One call of a module."""

    def __init__(
        self, folder: Path, inputs: Mapping[str, Callable[[], Any]], assumed: Assumed, *, address: str = ""
    ) -> None:
        self._folder, self._inputs, self._assumed, self._address = folder, inputs, assumed, address
        self._names: dict[str, Any] = {
            "var": Lazy(self._work_variable),
            "local": Lazy(self._work_local),
            "module": Lazy(self._work_call),
            "data": Lazy(lambda kind: Lazy(lambda _name: self._find_assumed(kind))),
            "ephemeral": UNKNOWN,
            "path": {"module": str(folder), "root": str(folder), "cwd": str(folder)},
            "terraform": {"workspace": "default"},
        }

    def resolve(self, name: str) -> Any:
        """See `Scope.resolve`."""
        if name not in self._names:
            if not any(kind == name for kind, _ in self._resources):
                raise HclError(f"there is no {name}")
            self._names[name] = Lazy(lambda label: self._work_resource(name, label))
        return self._names[name]

    def attribute(self, name: str) -> Any:
        """An output. See `Attributes.attribute`."""
        if name not in self._outputs:
            raise HclError(f"{self._folder.name} has no output {name}")
        return evaluate(self._outputs[name].attributes["value"], self)

    def list_resources(self) -> Iterator[HclResource]:
        """Everything that it and the modules in it make, in the order of their files."""
        for (kind, name), block in self._resources.items():
            for index, instance in _list_instances(self._work_resource(kind, name)):
                values = block.list_values(instance.scope)
                yield HclResource(f"{self._address}{kind}.{name}{index}", kind, values)
        for name in self._calls:
            for _, module in _list_instances(self._names["module"].attribute(name)):
                yield from module.list_resources()

    # --- what stands in the files ---

    @cached_property
    def _blocks(self) -> tuple[Block, ...]:
        return tuple(block for path in list_files(self._folder) for block in read_blocks(path))

    def _select(self, kind: str) -> Iterator[Block]:
        return (block for block in self._blocks if block.kind == kind)

    @cached_property
    def _variables(self) -> dict[str, Block]:
        return {block.labels[0]: block for block in self._select("variable")}

    @cached_property
    def _outputs(self) -> dict[str, Block]:
        return {block.labels[0]: block for block in self._select("output")}

    @cached_property
    def _calls(self) -> dict[str, Block]:
        return {block.labels[0]: block for block in self._select("module")}

    @cached_property
    def _resources(self) -> dict[tuple[str, str], Block]:
        return {(block.labels[0], block.labels[1]): block for block in self._select("resource")}

    @cached_property
    def _locals(self) -> dict[str, Any]:
        return {name: node for block in self._select("locals") for name, node in block.attributes.items()}

    # --- what names mean ---

    def _work_variable(self, name: str) -> Any:
        written = self._variables.get(name)
        if written is None:
            raise HclError(f"there is no variable {name}")
        attributes = written.attributes
        value = self._inputs[name]() if name in self._inputs else None
        if value is None and "default" in attributes:
            value = evaluate(attributes["default"], self)
        return convert(value, attributes["type"], self) if "type" in attributes else value

    def _work_local(self, name: str) -> Any:
        if name not in self._locals:
            raise HclError(f"there is no local {name}")
        return evaluate(self._locals[name], self)

    def _work_resource(self, kind: str, name: str) -> Any:
        block = self._resources.get((kind, name))
        if block is None:
            raise HclError(f"there is no {kind}.{name}")
        return self._expand(block, lambda scope: Instance(block, scope))

    def _work_call(self, name: str) -> Any:
        block = self._calls.get(name)
        if block is None:
            raise HclError(f"there is no module {name}")
        source = (self._folder / str(evaluate(block.attributes["source"], self))).resolve()

        def open_module(scope: Scope) -> Module:
            index = _index_of(scope, self)
            inputs = {key: partial(evaluate, node, scope) for key, node in block.attributes.items()}
            return Module(source, inputs, self._assumed, address=f"{self._address}module.{name}{index}.")

        return self._expand(block, open_module)

    def _find_assumed(self, kind: str) -> Lazy:
        return Lazy(lambda name: self._assumed.get(kind, {}).get(name, UNKNOWN))

    def _expand(self, block: Block, make: Callable[[Scope], Any]) -> Any:
        """One, a list (`count`) or a map (`for_each`) of what `make` makes; under `?` where the number is unknown."""
        attributes = block.attributes
        if "count" in attributes:
            count = evaluate(attributes["count"], self)
            if count is UNKNOWN:
                return {"?": make(Inner(self, {"count": {"index": UNKNOWN}}))}
            return [make(Inner(self, {"count": {"index": index}})) for index in range(int(as_number(count)))]
        if "for_each" not in attributes:
            return make(self)
        each = evaluate(attributes["for_each"], self)
        if each is UNKNOWN:
            return {"?": make(Inner(self, {"each": {"key": UNKNOWN, "value": UNKNOWN}}))}
        pairs = as_pairs(each) if isinstance(each, dict) else [(item, item) for item in each]
        return {str(key): make(Inner(self, {"each": {"key": key, "value": value}})) for key, value in pairs}


def read_root(folder: Path, variables: Mapping[str, Any], assumed: Assumed) -> Module:
    """A root with its own `terraform.tfvars`, and `variables` over it.

    Raises:
        ToolError: a file cannot be read.
    """
    own = folder / "terraform.tfvars"
    values = {**(read_values(own, Module(folder, {}, {})) if own.is_file() else {}), **variables}
    return Module(folder, {name: partial(copy.copy, value) for name, value in values.items()}, assumed)


def _list_instances(made: Any) -> Iterator[tuple[str, Any]]:
    """Each with its index as it stands in an address."""
    if isinstance(made, dict):
        for key, one in made.items():
            yield ("[?]" if key == "?" else f'["{key}"]'), one
    elif isinstance(made, list):
        yield from ((f"[{index}]", one) for index, one in enumerate(made))
    else:
        yield "", made


def _index_of(scope: Scope, module: Module) -> str:
    if scope is module or not isinstance(scope, Inner):
        return ""
    index = scope.names["count"]["index"] if "count" in scope.names else scope.names["each"]["key"]
    if index is UNKNOWN:
        return "[?]"
    return f"[{index}]" if "count" in scope.names else f'["{index}"]'
