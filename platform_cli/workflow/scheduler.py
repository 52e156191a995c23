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
    Memorize,
    RunLeaf,
    StopLeaf,
    Wait,
)
from platform_cli.workflow.condition import ConditionError
from platform_cli.workflow.depends import DependsError
from platform_cli.workflow.duration import parse_duration
from platform_cli.workflow.expression import ExpressionError
from platform_cli.workflow.library import Library
from platform_cli.workflow.model_container import KeySelector
from platform_cli.workflow.model_template import Memoize, RetryStrategy
from platform_cli.workflow.model_value import Artifact, Parameter
from platform_cli.workflow.node import Node, NodeInputs, NodeOutputs, Reuse, node_id
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
    _kept: dict[str, Node] = field(default_factory=dict)
    _kept_inside: dict[str, list[Node]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pods = Gate(self.parallelism)
        for node in self.earlier:
            self._kept_inside.setdefault(node.boundary_id, []).append(node)
            if node.phase == "Succeeded":
                self._kept[node.name] = node

    # ── events ──────────────────────────────────────────────────────────────

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

    # ── for the parts of the scheduler ──────────────────────────────────────

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

    # ── calls ───────────────────────────────────────────────────────────────

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
        if self._adopt(call):
            return
        try:
            invocation = self._invocation(call)
        except BROKEN as error:
            self.fail(call, str(error))
            return
        if self._remembered(invocation):
            return
        invocation = self._remembering(invocation)
        if not self._retried(invocation):
            self.invoke(invocation)

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

    def _adopt(self, call: Call) -> bool:
        """Take over what an earlier attempt at this run finished."""
        node = None if call.is_handler else self._kept.get(call.name)
        if node is None:
            return False
        for part in self._subtree(node):
            self.nodes[part.id] = part
            self.touch(part)
            self._publish(part)
        call.opened(node)
        self.later(lambda: call.done(node))
        return True

    def _subtree(self, node: Node) -> Iterable[Node]:
        yield node
        for inner in self._kept_inside.get(node.id, ()):
            yield from self._subtree(inner)
        if node.type == "Retry":
            attempts = (f"{node.name}({index})" for index in range(len(node.children)))
            yield from (self._kept[name] for name in attempts if name in self._kept)

    def _remembered(self, invocation: Invocation) -> bool:
        memoize = invocation.template.memoize
        outputs = self.world.recall(memoize) if memoize is not None and memoize.cache is not None else None
        if outputs is None or memoize is None or memoize.cache is None:
            return False
        node = self.open(invocation.call, "Pod", "Running", invocation.inputs)
        cache = memoize.cache.config_map.name
        node.outputs, node.reuse = outputs, Reuse(True, f"memoized in {cache} as {memoize.key}", memoize.key)
        self.close(invocation.call, node, "Succeeded")
        return True

    def _remembering(self, invocation: Invocation) -> Invocation:
        """`invocation`, its outputs to be kept when it succeeds."""
        memoize, call = invocation.template.memoize, invocation.call
        if memoize is None or memoize.cache is None:
            return invocation

        def done(node: Node | None) -> None:
            if node is not None and node.phase == "Succeeded":
                self.ask(Memorize(memoize, node.outputs or NodeOutputs()))
            call.done(node)

        return replace(invocation, call=replace(call, done=done))

    def _retried(self, invocation: Invocation) -> bool:
        from platform_cli.workflow.retry import RetryFrame

        is_leaf = invocation.template.kind in ("container", "script")
        strategy = invocation.template.retry_strategy or (self.retry_strategy if is_leaf else None)
        if strategy is None:
            return False
        RetryFrame(self, invocation, strategy).begin()
        return True

    def invoke(self, invocation: Invocation) -> None:
        """Run the template itself, after retries and memory were asked."""
        from platform_cli.workflow.dag import DagFrame
        from platform_cli.workflow.steps import StepsFrame

        match invocation.template.kind:
            case "container" | "script":
                self._leaf(invocation)
            case "suspend":
                self._suspend(invocation)
            case "dag":
                DagFrame(self, invocation).begin()
            case "steps":
                StepsFrame(self, invocation).begin()
            case kind:
                self.fail(invocation.call, f"the local engine does not run {kind or 'empty'} templates")

    def _leaf(self, invocation: Invocation) -> None:
        call = invocation.call

        def run() -> None:
            node = self.open(call, "Pod", "Pending", invocation.inputs)
            self._leaves[node.id] = call
            self.ask(RunLeaf(node.id, invocation.template, invocation.inputs, call.is_handler))

        self._pods.enter(run, lambda: call.done(None))

    def _suspend(self, invocation: Invocation) -> None:
        call, suspend = invocation.call, invocation.template.suspend
        try:
            seconds = parse_duration(suspend.duration) if suspend and suspend.duration else None
        except ValueError as error:
            self.fail(call, str(error))
            return
        node = self.open(call, "Suspend", "Running", invocation.inputs)

        def resume() -> None:
            given = tuple(_supplied(parameter) for parameter in invocation.template.outputs.parameters)
            node.outputs = NodeOutputs(parameters=given) if given else None
            phase = "Failed" if self.expired and not call.is_handler else "Succeeded"
            self.close(call, node, phase, self.expired if phase == "Failed" else "")

        if seconds is not None:
            self.wait(node.id, seconds, resume)
            return
        self._timers[node.id] = resume
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


def _supplied(parameter: Parameter) -> Parameter:
    source = parameter.value_from
    value = parameter.value if parameter.value is not None else (source.default if source else None)
    return Parameter(name=parameter.name, value=value or "", global_name=parameter.global_name)
