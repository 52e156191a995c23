"""One task of a DAG or one step: its `when`, its arguments, its items, its hooks."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from platform_cli.workflow.call import Call
from platform_cli.workflow.condition import evaluate_condition
from platform_cli.workflow.expression import evaluate_bool, expand
from platform_cli.workflow.loop import expand_items, has_items, item_name, item_values
from platform_cli.workflow.model_template import Hook, Step
from platform_cli.workflow.model_value import Arguments, Artifact, Parameter
from platform_cli.workflow.node import Node, node_id
from platform_cli.workflow.scheduler import BROKEN, Scheduler
from platform_cli.workflow.scope import Values, node_values, resolve_artifact
from platform_cli.workflow.substitution import sole_tag, substitute, substitute_text

EXIT_HOOK = "exit"


class Frame(Protocol):
    """The dag or steps around a site. `root` is the first word of its siblings' names: tasks or steps."""

    scheduler: Scheduler
    root: str
    scope: str
    is_handler: bool
    groups_items: bool

    def names(self, text: str) -> Values:
        """The names that `text` mentions, with their values."""

    def known_artifacts(self, text: str) -> dict[str, Artifact]:
        """The artifacts that `text` may mean."""

    def link(self, site: Site, node: Node) -> None:
        """Put `node` behind what came before the site."""


@dataclass(slots=True, eq=False)
class Site:
    """A task or step being carried out.

    Attributes:
        name: of its node; `boundary` the id of the dag or steps node around it.
        node: set when it has one; `children` its nodes per item.
        done: told once everything of it, hooks included, is over.
    """

    frame: Frame
    step: Step
    name: str
    boundary: str
    done: Callable[[Site], None]
    node: Node | None = None
    children: list[Node] = field(default_factory=list)
    dropped: bool = False
    _open: int = 0

    @property
    def is_loop(self) -> bool:
        """Whether it has items."""
        return has_items(self.step)

    def begin(self) -> None:
        """Decide on `when`, resolve arguments, expand items, and call the template."""
        try:
            text = msgspec.json.encode(self.step).decode()
            names = ChainMap(self.frame.names(text), self.frame.scheduler.values) if "{{" in text else {}
            condition = substitute_text(self.step.when, names, allow_unresolved=True, strict=(self.frame.root,))
            if not self._holds(condition):
                self.skip(f"when '{condition}' evaluated false")
                return
            self._call(self._resolved(names, text), condition if "{{" in condition else "", names)
        except BROKEN as error:
            self._end_without_call("Error", str(error))

    def skip(self, message: str, phase: str = "Skipped") -> None:
        """It does not run."""
        self._end_without_call(phase, message)

    def _holds(self, condition: str) -> bool:
        # What still has a tag talks about `item` and is decided for each.
        waits = self.is_loop and "{{" in condition
        return waits or not condition or evaluate_condition(condition)

    def _resolved(self, names: Mapping[str, object], text: str) -> Step:
        """The step with its arguments and items resolved; hooks and `when` have their own time."""
        bare = msgspec.structs.replace(self.step, when="", hooks={}, arguments=self._present(names))
        step = substitute(bare, names, allow_unresolved=True, strict=(self.frame.root,))
        known = self.frame.known_artifacts(text) if step.arguments.artifacts else {}
        artifacts = (resolve_artifact(wanted, known, dict(names)) for wanted in step.arguments.artifacts)
        found = tuple(artifact for artifact in artifacts if artifact is not None)
        arguments = msgspec.structs.replace(step.arguments, artifacts=found)
        return msgspec.structs.replace(step, arguments=arguments)

    def _present(self, names: Mapping[str, object]) -> Arguments:
        """Arguments without those that are nothing but an absent value where the template has a default."""
        absent = {p.name for p in self.step.arguments.parameters if _is_absent(p, names)}
        if not absent:
            return self.step.arguments
        template, _ = self.frame.scheduler.library.resolve(self.step, self.frame.scope)
        defaults = {p.name for p in template.inputs.parameters if p.value is not None or p.default is not None}
        kept = tuple(p for p in self.step.arguments.parameters if p.name not in absent & defaults)
        return msgspec.structs.replace(self.step.arguments, parameters=kept)

    def _call(self, step: Step, condition: str, names: Mapping[str, object]) -> None:
        if not self.is_loop:
            self._begin_call(self.name, step, in_loop=False)
            return
        items = expand_items(step)
        if not items:
            self.skip("Skipped, empty params")
            return
        if self.frame.groups_items:
            self.node = self._make_node("TaskGroup", "Running")
            self.frame.link(self, self.node)
        single = msgspec.structs.replace(step, with_items=(), with_param="", with_sequence=None)
        self._open = len(items)
        for index, item in enumerate(items):
            self._begin_item(single, condition, ChainMap(item_values(item), dict(names)), index, item)

    def _begin_item(self, step: Step, condition: str, names: Mapping[str, object], index: int, item: Any) -> None:
        name = item_name(self.name, index, item)
        try:
            decided = substitute_text(condition, names)
            if condition and not evaluate_condition(decided):
                self._end_item(name, "Skipped", f"when '{decided}' evaluated false")
                return
            resolved = substitute(step, names, allow_unresolved=True)
        except BROKEN as error:
            self._end_item(name, "Error", str(error))
            return
        self._begin_call(name, resolved, in_loop=True)

    def _end_item(self, name: str, phase: str, message: str) -> None:
        node = self._make_node("Skipped", phase, name)
        self.frame.scheduler.settle(node, phase, message)
        self._opened_item(node)
        self.frame.scheduler.later(lambda: self._item_done(node))

    def _begin_call(self, name: str, step: Step, *, in_loop: bool) -> None:
        scheduler = self.frame.scheduler

        def opened(node: Node) -> None:
            if in_loop:
                self._opened_item(node)
            else:
                self.node = node
                self.frame.link(self, node)
            self._run_hooks(node, "Running")

        call = Call(
            name=name,
            display=name.removeprefix(self._parent_name),
            boundary=self.boundary,
            callee=step,
            arguments=step.arguments,
            scope=self.frame.scope,
            is_handler=self.frame.is_handler,
            opened=opened,
            done=self._item_done if in_loop else self._single_done,
        )
        if not in_loop:
            self._open = 1
        scheduler.execute(call)

    @property
    def _parent_name(self) -> str:
        return self.name[: len(self.name) - len(self.step.name)]

    def _opened_item(self, node: Node) -> None:
        self.children.append(node)
        if self.node is not None:
            self.node.children.append(node.id)
            self.frame.scheduler.touch(self.node)
        else:
            self.frame.link(self, node)

    def _single_done(self, node: Node | None) -> None:
        self._item_done(node)

    def _item_done(self, node: Node | None) -> None:
        if node is None:
            self.dropped = True
        elif node.phase in ("Succeeded", "Failed", "Error"):
            self._run_hooks(node, node.phase)
        self._leave()

    def _leave(self) -> None:
        self._open -= 1
        if self._open:
            return
        if self.is_loop and self.node is not None and self.node.type == "TaskGroup":
            failed = [child for child in self.children if child.failed]
            message = f"{failed[-1].display_name}: {failed[-1].message}" if failed else ""
            self.node.outbound_nodes = [child.id for child in self.children]
            self.frame.scheduler.settle(self.node, failed[-1].phase if failed else "Succeeded", message)
        self.done(self)

    def _end_without_call(self, phase: str, message: str) -> None:
        if self.node is None or self.node.fulfilled:
            self.node = self._make_node("Skipped", phase)
            self.frame.link(self, self.node)
        self.frame.scheduler.settle(self.node, phase, message)
        self.frame.scheduler.later(lambda: self.done(self))

    def _make_node(self, kind: str, phase: str, name: str = "") -> Node:
        scheduler, own = self.frame.scheduler, name or self.name
        node = Node(
            id=node_id(scheduler.run, own),
            name=own,
            display_name=own.removeprefix(self._parent_name),
            type=kind,
            phase=phase,
            template_name=self.step.template,
            template_scope=self.frame.scope,
            boundary_id=self.boundary,
            started_at=scheduler.world.clock(),
        )
        scheduler.nodes[node.id] = node
        scheduler.touch(node)
        return node

    def _run_hooks(self, node: Node, phase: str) -> None:
        for name, hook in self._due_hooks(node, phase):
            self._open += 1
            suffix = "onExit" if name == EXIT_HOOK else f"hooks.{name}"
            self._begin_hook(f"{node.name}.{suffix}", node, hook)

    def _due_hooks(self, node: Node, phase: str) -> Iterable[tuple[str, Hook]]:
        is_over = phase != "Running"
        if self.step.on_exit and is_over:
            yield EXIT_HOOK, Hook(template=self.step.on_exit)
        for name, hook in self.step.hooks.items():
            if name == EXIT_HOOK:
                if is_over:
                    yield name, hook
            elif node_id(self.frame.scheduler.run, f"{node.name}.hooks.{name}") not in self.frame.scheduler.nodes:
                names = ChainMap(self._own_names(node, phase), self.frame.scheduler.values)
                if evaluate_bool(hook.expression, expand(names)):
                    yield name, hook

    def _own_names(self, node: Node, phase: str) -> Values:
        template, _ = self.frame.scheduler.library.resolve(self.step, self.frame.scope)
        prefix = f"{self.frame.root}.{self.step.name}"
        return node_values(prefix, node, template.outputs) | {f"{prefix}.status": phase}

    def _begin_hook(self, name: str, node: Node, hook: Hook) -> None:
        scheduler = self.frame.scheduler
        names = ChainMap(self._own_names(node, node.phase), scheduler.values)
        known = self.frame.known_artifacts(f"{self.frame.root}.{self.step.name}")
        given = substitute(hook.arguments, names, allow_unresolved=True)
        artifacts = (resolve_artifact(wanted, known, dict(names)) for wanted in given.artifacts)
        arguments = msgspec.structs.replace(given, artifacts=tuple(a for a in artifacts if a is not None))

        def opened(made: Node) -> None:
            node.children.append(made.id)
            scheduler.touch(node)

        call = Call(
            name=name,
            display=name.removeprefix(self._parent_name),
            boundary=self.boundary,
            callee=hook,
            arguments=arguments,
            scope=self.frame.scope,
            is_handler=True,
            opened=opened,
            done=lambda _node: self._leave(),
        )
        scheduler.later(lambda: scheduler.execute(call))


def _is_absent(parameter: Parameter, names: Mapping[str, object]) -> bool:
    tag = sole_tag(parameter.value) if parameter.value else None
    return tag is not None and tag in names and names[tag] is None
