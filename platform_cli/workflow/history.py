"""What an earlier attempt at a run finished."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from platform_cli.workflow.node import Node


class History:
    """Nodes of earlier attempts, by name."""

    def __init__(self, nodes: Iterable[Node] = ()) -> None:
        self._succeeded: dict[str, Node] = {}
        self._inside: dict[str, list[Node]] = {}
        for node in nodes:
            self._inside.setdefault(node.boundary_id, []).append(node)
            if node.phase == "Succeeded":
                self._succeeded[node.name] = node

    def kept(self, name: str) -> list[Node]:
        """The node called `name` and everything inside it, if it succeeded; else nothing."""
        node = self._succeeded.get(name)
        return [] if node is None else list(self._subtree(node))

    def _subtree(self, node: Node) -> Iterator[Node]:
        yield node
        for inner in self._inside.get(node.id, ()):
            yield from self._subtree(inner)
        if node.type == "Retry":
            attempts = (f"{node.name}({index})" for index in range(len(node.children)))
            yield from (self._succeeded[name] for name in attempts if name in self._succeeded)
