"""Blocks of `.tf` files: what stands in them, and what they hold when it is worked out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from lark import Token, Tree
from lark.exceptions import LarkError

from platform_cli.errors import PreflightError, ToolError
from platform_cli.hcl.expression import Inner, Node, Scope, children, evaluate, text_of
from platform_cli.hcl.value import UNKNOWN, HclError, as_pairs

_META = frozenset({"count", "for_each", "depends_on", "lifecycle", "provider", "providers", "source", "provisioner"})


@dataclass(frozen=True, eq=False)
class Block:
    """One block: `kind "label" "label" {…}`."""

    kind: str
    labels: tuple[str, ...]
    body: Node

    @cached_property
    def attributes(self) -> dict[str, Node]:
        """Expressions by the name of their attribute."""
        return {
            text_of(children(item)[0]): children(item)[1] for item in children(self.body) if item.data == "attribute"
        }

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks inside it."""
        return tuple(_list_blocks(self.body))

    def find_value(self, name: str, scope: Scope) -> Any:
        """The value of an attribute, or of the blocks of that name as a list; unknown when there is neither.

        Raises:
            HclError: its expression makes no sense.
        """
        if name in self.attributes:
            return evaluate(self.attributes[name], scope)
        found = self._list_nested(scope).get(name)
        return UNKNOWN if found is None else found

    def list_values(self, scope: Scope) -> dict[str, Any]:
        """Everything that is written in it, but what is about it; what cannot be worked out is unknown."""
        known = {name: _try(node, scope) for name, node in self.attributes.items() if name not in _META}
        return {**known, **{name: found for name, found in self._list_nested(scope).items() if name not in _META}}

    def _list_nested(self, scope: Scope) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for block in self.blocks:
            name = block.labels[0] if block.kind == "dynamic" else block.kind
            made = block.list_rounds(scope) if block.kind == "dynamic" else [block.list_values(scope)]
            found[name] = UNKNOWN if made is UNKNOWN or found.get(name) is UNKNOWN else [*found.get(name, []), *made]
        return found

    def list_rounds(self, scope: Scope) -> Any:
        """What a `dynamic` block makes; unknown when what it goes over is."""
        source = _try(self.attributes["for_each"], scope)
        content = next(block for block in self.blocks if block.kind == "content")
        if source is UNKNOWN or source is None:
            return UNKNOWN
        pairs = [{"key": key, "value": value} for key, value in as_pairs(source)]
        return [content.list_values(Inner(scope, {self.labels[0]: pair})) for pair in pairs]


def list_files(folder: Path) -> list[Path]:
    """The `.tf` files of a folder, in order."""
    return sorted(folder.glob("*.tf"))


def read_blocks(path: Path) -> tuple[Block, ...]:
    """The blocks of one file.

    Raises:
        ToolError: it is not Terraform's language, or uses what the reader does not know.
    """
    return _read_blocks(path.read_text("utf-8", "replace"), path.name)


@lru_cache(maxsize=512)
def _read_blocks(text: str, name: str) -> tuple[Block, ...]:
    """Equal files, such as those of a cloud's environments, are read once."""
    return tuple(_list_blocks(_parse(text, name)))


def read_values(path: Path, scope: Scope) -> dict[str, Any]:
    """The values of a `.tfvars` file.

    Raises:
        ToolError: see `read_blocks`.
    """
    body = Block("", (), _parse(path.read_text("utf-8", "replace"), path.name))
    return {name: evaluate(node, scope) for name, node in body.attributes.items()}


def _parse(text: str, name: str) -> Node:
    try:
        import hcl2
    except ImportError as error:
        raise PreflightError("python-hcl2 is not installed", hint="pip install 'mlops[terraform]'") from error
    try:
        return children(hcl2.parses_to_tree(text))[0]
    except LarkError as error:
        raise ToolError(f"{name}: cannot be read: {str(error).splitlines()[0]}", hint="terraform validate") from error


def _list_blocks(body: Node) -> Iterator[Block]:
    for item in children(body):
        if item.data == "block":
            kind, *labels = [child for child in children(item) if child.data != "body"]
            inner = next(child for child in children(item) if child.data == "body")
            yield Block(text_of(kind), tuple(map(_read_label, labels)), inner)


def _read_label(node: Node) -> str:
    if node.data != "string":
        return text_of(node)
    return "".join(str(part.children[0]) for part in children(node))


def _try(node: Node | Token | Tree[Token], scope: Scope) -> Any:
    try:
        return evaluate(node, scope)
    except HclError:
        return UNKNOWN
