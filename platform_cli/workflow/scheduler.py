"""Argo's controller as a state machine: told what happened, it says what to do next.

It reads no clock, file or process itself. Each event touches only the nodes it concerns, so a node costs the same in a
run of a thousand as in a run of ten. Given the same outcomes it makes the same nodes, which is how a run is resumed:
everything is played again, and calls that succeeded before are taken over instead of run.
"""

from __future__ import annotations

from collections import ChainMap, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from platform_cli.workflow.call import (
    Ask,
    Call,
    Command,
    Gate,
    Invocation,
    LeafOutcome,
    RunLeaf,
    StopLeaf,
    Wait,
)
from platform_cli.workflow.condition import ConditionError
from platform_cli.workflow.depends import DependsError
from platform_cli.workflow.expression import ExpressionError
from platform_cli.workflow.history import History
from platform_cli.workflow.library import Library
from platform_cli.workflow.model_container import KeySelector
from platform_cli.workflow.model_template import Memoize, RetryStrategy
from platform_cli.workflow.model_value import Artifact
from platform_cli.workflow.node import Node, NodeInputs, NodeOutputs, node_id
from platform_cli.workflow.scope import (
    BindingError,
    Values,
    bind_inputs,
    collect_artifacts,
    input_values,
    output_path_values,
)
from platform_cli.workflow.substitution import SubstitutionError, substitute

BROKEN = (BindingError, SubstitutionError, ConditionError, DependsError, ExpressionError)
"""What is wrong with a workflow and shows only while it runs: the node becomes Error."""

Recall = Callable[[Memoize], NodeOutputs | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the scheduler may ask about the world.

    Attributes:
        clock: the time.
        config_value: the value of a ConfigMap's key, or None.
        recall: what a memoized template gave before, or None.
    """

    clock: Callable[[], datetime]
    config_value: Callable[[KeySelector], str | None]
    recall: Recall = lambda _memoize: None


@dataclass(slots=True)
class Scheduler:
    """The state of one run's nodes.

    Attributes:
        run: its name.
        values: `workflow.*`; grows by global outputs.
        earlier: nodes of an earlier attempt at this run.
        nodes: every node by id.
        changed: nodes since the last `take`.
    """

    run: str
    library: Library
    values: Values
    world: Surroundings
    parallelism: int | None = None
    retry_strategy: RetryStrategy | None = None
    earlier: Iterable[Node] = ()
    nodes: dict[str, Node] = field(default_factory=dict)
    changed: dict[str, Node] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    expired: str = ""
    _commands: list[Command] = field(default_factory=list)
    _queue: deque[Callable[[], None]] = field(default_factory=deque)
    _gates: dict[str, Gate] = field(default_factory=dict)
    _pods: Gate = field(default_factory=lambda: Gate(None))
    _leaves: dict[str, Call] = field(default_factory=dict)
    _timers: dict[str, Callable[[], None]] = field(default_factory=dict)
    _history: History = field(default_factory=History)

    def __post_init__(self) -> None:
        self._pods = Gate(self.parallelism)
        self._history = History(self.earlier)

    def begin(self, call: Call) -> None:
        """Start with `call`, the entrypoint or a handler."""
        self.later(lambda: self.execute(call))
        self.pump()

    def started(self, node: str) -> None:
        """A leaf has a process."""
        self.nodes[node].phase = "Running"
        self.nodes[node].started_at = self.world.clock()
        self.touch(self.nodes[node])

    def finish(self, node: str, outcome: LeafOutcome) -> None:
        """A leaf is over."""
        call = self._leaves.pop(node)
        self.nodes[node].reuse = outcome.reuse
        self.nodes[node].outputs = outcome.outputs
        self._pods.leave()
        self.close(call, self.nodes[node], outcome.phase, outcome.message)
        self.pump()

    def fire(self, token: str) -> None:
        """A wait is over."""
        then = self._timers.pop(token, None)
        if then is not None:
            self.later(then)
        self.pump()

    def expire(self, message: str) -> None:
        """The run's own deadline has passed: what runs is stopped, nothing new starts but handlers."""
        self.expired = message
        for node, call in tuple(self._leaves.items()):
            if not call.is_handler:
                self._commands.append(StopLeaf(node, message))
        for token in tuple(self._timers):
            self.later(self._timers.pop(token))
        self.pump()

    def take(self) -> tuple[list[Command], dict[str, Node]]:
        """What to do now, and which nodes changed."""
        commands, self._commands = self._commands, []
        changed, self.changed = self.changed, {}
        return commands, changed

    def later(self, action: Callable[[], None]) -> None:
        """Do it after what is being done now: long chains must not become deep stacks."""
        self._queue.append(action)

    def pump(self) -> None:
        """Do everything that can be done."""
        while self._queue:
            self._queue.popleft()()

    def ask(self, command: Command) -> None:
        """Ask for something."""
        self._commands.append(command)

    def wait(self, token: str, seconds: float, then: Callable[[], None]) -> None:
        """Do `then` after `seconds`."""
        self._timers[token] = then
        self._commands.append(Wait(token, seconds))

    def touch(self, node: Node) -> None:
        """`node` has changed."""
        self.changed[node.id] = node

    def open(self, call: Call, kind: str, phase: str, inputs: NodeInputs | None = None) -> Node:
        """Make the call's node, or find the one that a retry already made."""
        callee = call.callee
        reference = callee.template_ref.template if callee.template_ref else callee.template
        node = Node(
            id=node_id(self.run, call.name),
            name=call.name,
            display_name=call.display,
            type=kind,
            phase=phase,
            template_name=reference,
            template_scope=call.scope,
            boundary_id=call.boundary,
            started_at=self.world.clock(),
            inputs=inputs if inputs and (inputs.parameters or inputs.artifacts) else None,
        )
        self.nodes[node.id] = node
        self.touch(node)
        call.opened(node)
        return node

    def close(self, call: Call, node: Node, phase: str, message: str = "") -> None:
        """The call's node is fulfilled."""
        self.settle(node, phase, message)
        self.later(lambda: call.done(node))

    def settle(self, node: Node, phase: str, message: str = "") -> None:
        """Give `node` its last phase and make its global outputs known."""
        node.phase, node.message, node.finished_at = phase, message, self.world.clock()
        self.touch(node)
        self._publish(node)

    def fail(self, call: Call, message: str) -> None:
        """The call cannot be carried out."""
        self.close(call, self.open(call, "Skipped", "Running"), "Error", message)

    def gate(self, boundary: str, gate: Gate) -> None:
        """Calls inside `boundary` go through `gate`."""
        self._gates[boundary] = gate

    def close_gate(self, boundary: str) -> None:
        """Nothing new starts inside `boundary`."""
        self._gates[boundary].close()

    def execute(self, call: Call) -> None:
        """Carry out a call, now or when its boundary has room."""
        gate = self._gates.get(call.boundary)
        if gate is None:
            self._resolve(call)
            return

        def leave(node: Node | None) -> None:
            gate.leave()
            call.done(node)

        inner = replace(call, done=leave)
        gate.enter(lambda: self._resolve(inner), lambda: self.later(lambda: call.done(None)))

    def _resolve(self, call: Call) -> None:
        if self.expired and not call.is_handler:
            self.close(call, self.open(call, "Skipped", "Running"), "Failed", self.expired)
            return
        if not call.is_handler and self._take_over(call):
            return
        try:
            invocation = self._invocation(call)
        except BROKEN as error:
            self.fail(call, str(error))
            return
        # Composites call the scheduler in turn, so their modules are not known yet while this one is loaded.
        from platform_cli.workflow.invoke import perform

        perform(self, invocation)

    def _invocation(self, call: Call) -> Invocation:
        template, scope = self.library.resolve(call.callee, call.scope)
        inputs = bind_inputs(
            template.inputs.parameters,
            template.inputs.artifacts,
            {parameter.name: parameter for parameter in call.arguments.parameters},
            {artifact.name: artifact for artifact in call.arguments.artifacts},
            self.world.config_value,
        )
        local: Values = {
            "node.name": call.name,
            "pod.name": node_id(self.run, call.name),
            **input_values(inputs),
            **output_path_values(template.outputs),
        }
        names = ChainMap(local, dict(call.extra), self.values)
        replaced = substitute(template, names, allow_unresolved=True)
        return Invocation(call=call, template=replaced, inputs=inputs, scope=scope)

    def _take_over(self, call: Call) -> bool:
        """Take over what an earlier attempt at this run finished."""
        kept = self._history.kept(call.name)
        for part in kept:
            self.nodes[part.id] = part
            self.touch(part)
            self._publish(part)
        if kept:
            call.opened(kept[0])
            self.later(lambda: call.done(kept[0]))
        return bool(kept)

    def run_leaf(self, invocation: Invocation) -> None:
        """Ask for a process, as soon as the run may have another."""
        call = invocation.call

        def run() -> None:
            node = self.open(call, "Pod", "Pending", invocation.inputs)
            self._leaves[node.id] = call
            self.ask(RunLeaf(node.id, invocation.template, invocation.inputs, call.is_handler))

        self._pods.enter(run, lambda: call.done(None))

    def wait_for_person(self, node: Node, then: Callable[[], None]) -> None:
        """Do `then` once someone lets the suspended node go on."""
        self._timers[node.id] = then
        self.ask(Ask(node.id))

    def _publish(self, node: Node) -> None:
        if node.outputs is None:
            return
        for parameter in node.outputs.parameters:
            if parameter.global_name and parameter.value is not None:
                self.values[f"workflow.outputs.parameters.{parameter.global_name}"] = parameter.value
        named = [
            msgspec.structs.replace(found, name=found.global_name)
            for found in node.outputs.artifacts
            if found.global_name
        ]
        self.artifacts |= collect_artifacts("workflow.outputs.artifacts", named)
