"""What the scheduler is asked to do, what it asks for, and what it is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from platform_cli.workflow.model_template import Hook, Memoize, Step, Template
from platform_cli.workflow.model_value import Arguments
from platform_cli.workflow.node import Node, NodeInputs, NodeOutputs, Reuse

Done = Callable[[Node], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a template.

    Attributes:
        name: of the node, unique in the run; `display` is its last part, for people.
        boundary: id of the dag or steps node around it; empty at the top.
        callee: names the template.
        arguments: with every tag replaced.
        scope: where the template's name is looked up.
        extra: further names for its tags: `workflow.status` in handlers, `retries` in attempts.
        is_handler: runs whatever happened before, and again when a run is resumed.
        opened: told of the node as soon as there is one.
        done: told when the node is fulfilled; None when it was dropped and never came to be.
    """

    name: str
    display: str
    boundary: str
    callee: Step | Hook
    arguments: Arguments
    scope: str
    extra: Mapping[str, object] = field(default_factory=dict)
    is_handler: bool = False
    opened: Done
    done: Callable[[Node | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A call whose template is found, its inputs bound and its tags replaced as far as they can be by now."""

    call: Call
    template: Template
    inputs: NodeInputs
    scope: str


@dataclass(frozen=True, slots=True)
class RunLeaf:
    """Run a container or script."""

    node: str
    template: Template
    inputs: NodeInputs
    is_handler: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Call `fire(token)` after `seconds`."""

    token: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Ask:
    """A suspended node waits for a person; `fire(node)` lets it go on."""

    node: str


@dataclass(frozen=True, slots=True)
class StopLeaf:
    """End a running leaf; its outcome is Failed with `reason`."""

    node: str
    reason: str


@dataclass(frozen=True, slots=True)
class Memorize:
    """Keep the outputs of a memoized template."""

    memoize: Memoize
    outputs: NodeOutputs


Command = RunLeaf | Wait | Ask | StopLeaf | Memorize


@dataclass(frozen=True, slots=True)
class LeafOutcome:
    """How a leaf ended."""

    phase: str
    message: str = ""
    outputs: NodeOutputs | None = None
    reuse: Reuse | None = None


@dataclass(slots=True)
class Gate:
    """At most `limit` at a time; closed, nobody else gets in."""

    limit: int | None
    active: int = 0
    closed: bool = False
    waiting: deque[tuple[Callable[[], None], Callable[[], None]]] = field(default_factory=deque)

    def enter(self, go: Callable[[], None], drop: Callable[[], None]) -> None:
        """Call `go` as soon as there is room, or `drop` when the gate is closed before."""
        if self.closed:
            drop()
        elif self.limit is None or self.active < self.limit:
            self.active += 1
            go()
        else:
            self.waiting.append((go, drop))

    def leave(self) -> None:
        """One is done: let the next in."""
        self.active -= 1
        while self.waiting and not self.closed and (self.limit is None or self.active < self.limit):
            self.active += 1
            self.waiting.popleft()[0]()

    def close(self) -> None:
        """Turn everyone away who waits or comes."""
        self.closed = True
        while self.waiting:
            self.waiting.popleft()[1]()
