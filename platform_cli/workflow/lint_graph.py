"""Lint of dags and steps: names, dependencies, cycles, loops, hooks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from platform_cli.workflow.depends import ITEM_RESULTS, Depends, DependsError, task_depends
from platform_cli.workflow.finding import Pointer
from platform_cli.workflow.lint_document import Call, Document, Place, did_you_mean
from platform_cli.workflow.lint_value import NAME, lint_names, lint_number
from platform_cli.workflow.model_template import Hook, Task
from platform_cli.workflow.model_template import Sequence as Numbers

_VERB = re.compile(r"%[-+ 0#]*\d*(?:\.\d+)?[bcdoOqxXUv]")


class Graph:
    """The calls of one dag or steps template and what each waits for.

    `ancestors` holds, for each call by name, a bit for each call that is over before it starts; `bits` tells which.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.calls = {call.step.name: call for call in reversed(list(place.calls()))}
        self.bits = {name: 1 << index for index, name in enumerate(self.calls)}
        self.depends: dict[str, Depends] = {}
        self.ancestors: dict[str, int] = {}
        self.has_cycle = False

    def is_ancestor(self, name: str, of: str) -> bool:
        """Whether the call `name` is over before `of` starts."""
        return bool(self.ancestors.get(of, 0) & self.bits.get(name, 0))

    def knows_order(self, name: str) -> bool:
        """Whether what `name` waits for could be read."""
        return not self.has_cycle and (self.place.template.dag is None or name in self.depends)

    def needed(self, name: str) -> tuple[str, ...]:
        """The calls of this graph that `name` names in its condition."""
        depends = self.depends.get(name)
        return () if depends is None else tuple(task for task in depends.tasks if task in self.calls)


def lint_graph(place: Place) -> Graph:
    """Findings about the calls of a dag or steps template, and the graph they make."""
    graph = Graph(place)
    calls = list(place.calls())
    word = place.root[:-1]
    names = ((call.step.name, (*call.pointer, "name")) for call in calls)
    lint_names(place.document, names, word, NAME)
    if not calls and place.template.kind in ("dag", "steps"):
        place.document.error(place.pointer, f"there is no {word}", f"add a {word}, or remove the template")
    for call in calls:
        _lint_loop(call)
        _lint_hooks(place.document, call.step.hooks, (*call.pointer, "hooks"))
    if place.template.dag is not None:
        _lint_dag(graph)
    else:
        _order_steps(graph, calls)
    return graph


def _lint_hooks(document: Document, hooks: Mapping[str, Hook], pointer: Pointer) -> None:
    for name, hook in hooks.items():
        if name != "exit" and not hook.expression:
            hint = "add `expression:`; only the hook `exit` runs without one"
            document.error((*pointer, name), "the hook has no expression", hint)


def lint_spec_hooks(document: Document) -> None:
    """Findings about the hooks of the whole workflow."""
    _lint_hooks(document, document.spec.hooks, (*document.pointer, "hooks"))


def _lint_loop(call: Call) -> None:
    step, document = call.step, call.owner.document
    given = {"withItems": step.with_items, "withParam": step.with_param, "withSequence": step.with_sequence is not None}
    used = [name for name, is_given in given.items() if is_given]
    if len(used) > 1:
        document.error((*call.pointer, used[1]), f"loops twice: {' and '.join(used)}", "keep one of them")
    if step.with_sequence is not None:
        _lint_sequence(document, step.with_sequence, (*call.pointer, "withSequence"))
    if step.with_param and "{{" not in step.with_param and not step.with_param.lstrip().startswith("["):
        document.error(
            (*call.pointer, "withParam"), f"{step.with_param!r} is not a JSON list", 'write "{{…}}" or [1, 2]'
        )


def _lint_sequence(document: Document, numbers: Numbers, pointer: Pointer) -> None:
    if numbers.count is not None and numbers.end is not None:
        document.error((*pointer, "end"), "has both `count` and `end`", "keep one of them")
    if numbers.count is None and numbers.end is None:
        document.error(pointer, "has neither `count` nor `end`", "add `count:`")
    if numbers.count is not None:
        lint_number(document, numbers.count, (*pointer, "count"), least=0)
    for member, value in (("start", numbers.start), ("end", numbers.end)):
        if value is not None:
            lint_number(document, value, (*pointer, member), least=-(2**63))
    verbs = _VERB.findall(numbers.format.replace("%%", ""))
    if numbers.format and (len(verbs) != 1 or numbers.format.replace("%%", "").count("%") != 1):
        document.error((*pointer, "format"), f"{numbers.format!r} does not print one number", "write such as %03d")


def _order_steps(graph: Graph, calls: Sequence[Call]) -> None:
    """Steps wait for every group above theirs."""
    above, group, number = 0, 0, -1
    for call in calls:
        if call.order != number:
            above, group, number = above | group, 0, call.order
        group |= graph.bits[call.step.name]
        graph.ancestors[call.step.name] = above


def _lint_dag(graph: Graph) -> None:
    calls = list(graph.place.calls())
    _lint_dag_style(graph, calls)
    continue_on = {call.step.name: call.step.continue_on for call in calls}
    for call in calls:
        if not isinstance(call.step, Task):
            continue
        try:
            depends = task_depends(call.step, continue_on)
        except DependsError as error:
            graph.place.document.error((*call.pointer, "depends"), str(error), 'write such as "a && (b || c.Failed)"')
            continue
        graph.depends.setdefault(call.step.name, depends)
        _lint_terms(graph, call, depends)
    _lint_cycles(graph)
    _lint_targets(graph)


def _lint_dag_style(graph: Graph, calls: Sequence[Call]) -> None:
    """The two ways to write dependencies do not mix."""
    document = graph.place.document
    tasks = [(call, call.step) for call in calls if isinstance(call.step, Task)]
    uses_depends = any(task.depends for _, task in tasks)
    uses_order = uses_depends or any(task.dependencies for _, task in tasks)
    for call, task in tasks:
        if uses_depends and task.dependencies:
            message = "a dag uses `depends` or `dependencies`, not both"
            hint = f'write depends: "{" && ".join(task.dependencies)}"'
            document.error((*call.pointer, "dependencies"), message, hint)
        if uses_depends and task.continue_on is not None:
            hint = f'write "{task.name} || {task.name}.Failed" where others wait for it'
            document.error((*call.pointer, "continueOn"), "does nothing in a dag that uses `depends`", hint)
        if uses_order and task.name[:1].isdigit():
            message = f"{task.name!r} starts with a digit, which dependencies cannot name"
            document.error((*call.pointer, "name"), message, f"write task-{task.name}")


def _lint_terms(graph: Graph, call: Call, depends: Depends) -> None:
    document = graph.place.document
    member = "depends" if isinstance(call.step, Task) and call.step.depends else "dependencies"
    for name in depends.tasks:
        if name not in graph.calls:
            others = [other for other in graph.calls if other != call.step.name]
            document.error((*call.pointer, member), f"there is no task {name!r}", did_you_mean(name, others))
    for name, result in depends.terms:
        other = graph.calls.get(name)
        if other is not None and result in ITEM_RESULTS and not other.is_loop:
            message = f"{name}.{result} asks about items, and {name!r} has none"
            document.error((*call.pointer, member), message, f"write {name}.Succeeded or {name}.Failed")


def _lint_targets(graph: Graph) -> None:
    dag = graph.place.template.dag
    if dag is None or "{{" in dag.target:
        return
    for name in dag.target.split():
        if name not in graph.calls:
            pointer = (*graph.place.pointer, "dag", "target")
            graph.place.document.error(pointer, f"there is no task {name!r}", did_you_mean(name, graph.calls))


def _lint_cycles(graph: Graph) -> None:
    """Reports each cycle by its path and fills the ancestors; an edge that closes a cycle counts as absent."""
    needed = {name: dict.fromkeys(graph.needed(name)) for name in graph.calls}
    while (cycle := _find_cycle(needed)) is not None:
        first, second = cycle[0], cycle[1]
        graph.has_cycle = True
        del needed[second][first]
        _report_cycle(graph, cycle)
    for name in TopologicalSorter(needed).static_order():
        reach = 0
        for other in needed[name]:
            reach |= graph.ancestors[other] | graph.bits[other]
        graph.ancestors[name] = reach


def _find_cycle(needed: Mapping[str, Mapping[str, None]]) -> list[str] | None:
    """The names along a cycle, the first again at the end; each is needed by the one behind it."""
    try:
        TopologicalSorter(needed).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        return cycle
    return None


def _report_cycle(graph: Graph, cycle: list[str]) -> None:
    call = graph.calls[cycle[1]]
    path = " -> ".join(reversed(cycle))
    member = "depends" if isinstance(call.step, Task) and call.step.depends else "dependencies"
    message = f"the tasks wait for each other in a circle: {path}"
    graph.place.document.error((*call.pointer, member), message, "remove one of these dependencies")
