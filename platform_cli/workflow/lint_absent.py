"""Lint of outputs that may not be there: their node can be skipped or omitted while the one that asks for them runs."""

from __future__ import annotations

from platform_cli.workflow.finding import Pointer
from platform_cli.workflow.lint_call import has_value
from platform_cli.workflow.lint_document import Call, Place
from platform_cli.workflow.lint_graph import Graph
from platform_cli.workflow.lint_name import Problem, Setting
from platform_cli.workflow.lint_text import Reference
from platform_cli.workflow.model_template import Task
from platform_cli.workflow.model_value import Parameter

_FREE = frozenset({True, False})
_NOT_RUN = ("Skipped", "Omitted")
_EMPTY_LIST = "its list may be empty"
_HINT = "give the output `valueFrom.default`, or the input a `default`, or write {{=… ?? 'fallback'}}"


class Absence:
    """Which calls of one graph can run although another did not; answers are remembered."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._can_run: dict[tuple[str, str, str], bool] = {}

    def reason(self, producer: Call, consumer: Call | None) -> str:
        """Why `producer` may not have run when `consumer` (or the end of the template) asks; empty when it has."""
        for result in _NOT_RUN:
            if self._may_end(producer, result) and self._is_asked(producer, consumer, result):
                return _cause(producer, result)
        return ""

    def _is_asked(self, producer: Call, consumer: Call | None, result: str) -> bool:
        """Whether somebody asks although `producer` ended with `result`."""
        if consumer is not None:
            return self._runs(consumer.step.name, producer.step.name, result)
        depends = self.graph.depends.get(producer.step.name)
        return result == "Skipped" or (depends is not None and not depends.evaluate(_all_succeeded))

    def _may_end(self, producer: Call, result: str) -> bool:
        if result == "Skipped":
            sequence = producer.step.with_sequence
            is_counted = sequence is not None and "{{" in f"{sequence.count}"
            return bool(_condition(producer)) or bool(producer.step.with_param) or is_counted
        return isinstance(producer.step, Task) and bool(self.graph.needed(producer.step.name))

    def _runs(self, name: str, producer: str, result: str) -> bool:
        """Whether `name` can run when `producer` ended with `result`; what does not lie between them is free."""
        waiting = [name]
        while waiting:
            task = waiting[-1]
            between = [other for other in self.graph.needed(task) if self.graph.is_ancestor(producer, other)]
            unknown = [other for other in between if (other, producer, result) not in self._can_run]
            if unknown:
                waiting.extend(unknown)
            else:
                self._can_run[task, producer, result] = self._evaluate(waiting.pop(), producer, result)
        return self._can_run[name, producer, result]

    def _evaluate(self, name: str, producer: str, result: str) -> bool:
        depends = self.graph.depends.get(name)

        def outcomes(task: str, asked: str) -> frozenset[bool]:
            if task == producer:
                return frozenset({asked == result})
            if self._can_run.get((task, producer, result), True):
                return _FREE
            return frozenset({asked == "Omitted"})

        return depends is None or True in depends.possible(outcomes)


def check_absence(reference: Reference, setting: Setting, absence: Absence) -> Problem | None:
    """Why the output that `reference` names can be absent without anything taking care of it."""
    parts = reference.name.split(".")
    graph = absence.graph
    if reference.is_guarded or reference.is_dynamic or setting.in_hook or parts[0] != graph.place.root:
        return None
    producer = graph.calls.get(parts[1]) if len(parts) > 3 else None  # noqa: PLR2004 - tasks.x.outputs.y
    if producer is None or parts[2] != "outputs" or _is_rescued(reference, parts[3:], setting, producer):
        return None
    if setting.call is not None and _is_twin(producer, setting.call):
        return None
    cause = absence.reason(producer, setting.call)
    if not cause:
        return None
    hint = "make the input artifact `optional: true`" if parts[3] == "artifacts" else _HINT
    message = f"{'.'.join(parts[:2])} may not run ({cause}): the value is then absent and this node fails"
    return Problem(message, hint, "warning" if cause == _EMPTY_LIST else "error")


def _is_rescued(reference: Reference, output: list[str], setting: Setting, producer: Call) -> bool:
    """Whether a default of the producer or the consumer, or `optional`, takes care of an absent value."""
    if reference.is_expression and "nil" in reference.text.value:
        return True
    place = setting.catalog.resolve(producer.owner.document, producer.step)
    name = output[1] if len(output) > 1 else ""
    if place is not None and output[0] == "parameters" and _has_default(place.template.outputs.parameters, name):
        return True
    pointer = reference.text.pointer
    if setting.call is None:
        return setting.place is not None and _is_output_rescued(setting.place, pointer)
    return _is_input_rescued(setting, setting.call, reference)


def _has_default(parameters: tuple[Parameter, ...], name: str) -> bool:
    return any(
        parameter.name == name and parameter.value_from is not None and parameter.value_from.default is not None
        for parameter in parameters
    )


def _is_output_rescued(place: Place, pointer: Pointer) -> bool:
    side, index = pointer[len(place.pointer) + 1 : len(place.pointer) + 3] or ("", 0)
    if side == "parameters" and isinstance(index, int):
        source = place.template.outputs.parameters[index].value_from
        return source is not None and source.default is not None
    return side == "artifacts" and isinstance(index, int) and place.template.outputs.artifacts[index].optional


def _is_input_rescued(setting: Setting, call: Call, reference: Reference) -> bool:
    """An argument that is nothing but the tag, for an input with a default; an artifact for an optional input."""
    inner = reference.text.pointer[len(call.pointer) :]
    place = setting.catalog.resolve(call.owner.document, call.step)
    if place is None or inner[:1] != ("arguments",) or len(inner) < 3 or not isinstance(inner[2], int):  # noqa: PLR2004
        return place is None
    if inner[1] == "artifacts":
        artifact = call.step.arguments.artifacts[inner[2]]
        inputs = place.template.inputs.artifacts
        return artifact.optional or any(taken.optional for taken in inputs if taken.name == artifact.name)
    name = call.step.arguments.parameters[inner[2]].name
    taken = next((parameter for parameter in place.template.inputs.parameters if parameter.name == name), None)
    return reference.is_sole and taken is not None and has_value(taken)


def _is_twin(producer: Call, consumer: Call) -> bool:
    """Whether the consumer runs only when the producer did: the same condition, or one on its status."""
    when = consumer.step.when
    status = f"{producer.owner.root}.{producer.step.name}.status"
    return bool(when) and (when == producer.step.when or status in when)


def _all_succeeded(_task: str, result: str) -> bool:
    return result in ("Succeeded", "AnySucceeded")


def _cause(producer: Call, result: str) -> str:
    if result == "Omitted":
        return "its own dependencies may fail"
    condition = _condition(producer)
    return f"when: {condition}" if condition else _EMPTY_LIST


def _condition(call: Call) -> str:
    """The `when` that decides about the whole call; one on the items of a loop does not."""
    return "" if call.is_loop and "{{item" in call.step.when else call.step.when
