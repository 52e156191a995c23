"""Lint of references: does the name exist where it is used?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from platform_cli.workflow.lint_document import Call, Catalog, Document, Place, did_you_mean
from platform_cli.workflow.lint_graph import Graph
from platform_cli.workflow.lint_leaf import LEAF_KINDS, POD_KINDS
from platform_cli.workflow.lint_text import Reference
from platform_cli.workflow.model_template import Template
from platform_cli.workflow.model_value import Inputs, Outputs

ROOTS = ("workflow", "inputs", "outputs", "tasks", "steps", "item", "retries", "lastRetry", "pod", "node")
_WORKFLOW_NAMES = frozenset(
    {
        "name", "namespace", "uid", "mainEntrypoint", "serviceAccountName", "parameters", "annotations", "labels",
        "outputs", "creationTimestamp", "scheduledTime", "priority", "duration", "status", "failures",
    }
)  # fmt: skip
_HANDLER_NAMES = frozenset({"status", "failures"})
_NODE_NAMES = frozenset({"id", "ip", "status", "exitCode", "startedAt", "finishedAt", "hostNodeName", "outputs"})
_LAST_RETRY_NAMES = frozenset({"exitCode", "status", "duration", "message"})


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a reference."""

    message: str
    hint: str = ""
    level: str = "error"


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a reference stands: its document, and as far as there is one its template, graph and call.

    `is_pod_wide`: each pod replaces it with the names of its own template.
    """

    catalog: Catalog
    document: Document
    place: Place | None = None
    graph: Graph | None = None
    call: Call | None = None
    is_handler: bool = False
    in_hook: bool = False
    is_pod_wide: bool = False


def check_name(reference: Reference, setting: Setting) -> Problem | None:
    """What is wrong with the name, None when it exists here."""
    name = reference.name
    root, _, rest = name.partition(".")
    if root not in ROOTS:
        return _unknown_root(reference, root)
    if setting.is_pod_wide and root != "workflow":
        return None
    check = _CHECKS[root]
    problem = check(rest.split(".") if rest else [], reference, setting)
    if problem is None or not reference.is_expression:
        return problem
    return Problem(problem.message, _dash_hint(reference, setting) or problem.hint, problem.level)


def _unknown_root(reference: Reference, root: str) -> Problem | None:
    hint = did_you_mean(root, ROOTS, " ") if "." in reference.name else ""
    if reference.is_expression:
        return Problem(f"unknown name {reference.name!r}", hint.strip() or f"known: {', '.join(ROOTS)}")
    if reference.text.is_source or not re.fullmatch(r"[\w.\[\]'-]+", reference.name):
        return None
    if hint.strip():
        return Problem(f"{{{{{reference.name}}}}} is not a variable", f"did you mean `{hint.split('`')[1]}.…`?")
    return Problem(f"{{{{{reference.name}}}}} is not a variable and stays as it is", level="warning")


def _dash_hint(reference: Reference, setting: Setting) -> str:
    """The hint for `inputs.parameters.my-name` in an expression, which means a subtraction."""
    parts = reference.name.split(".")
    place = setting.place
    if place is None or parts[:2] != ["inputs", "parameters"] or len(parts) < 3:  # noqa: PLR2004 - inputs.parameters.x
        return ""
    longer = [
        parameter.name for parameter in place.template.inputs.parameters if parameter.name.startswith(f"{parts[2]}-")
    ]
    return f"a dash needs brackets: inputs.parameters['{longer[0]}']" if longer else ""


def _check_workflow(parts: list[str], reference: Reference, setting: Setting) -> Problem | None:
    if not parts:
        return None if reference.is_expression else Problem("{{workflow}} is not text", "write {{workflow.name}}")
    if parts[0] not in _WORKFLOW_NAMES:
        hint = did_you_mean(parts[0], _WORKFLOW_NAMES)
        return Problem(f"there is no variable workflow.{parts[0]}", hint)
    if parts[0] in _HANDLER_NAMES and not setting.is_handler:
        return Problem(f"workflow.{parts[0]} is known in exit handlers and hooks only", "use it in the onExit template")
    if parts[0] == "parameters" and len(parts) > 1 and not reference.is_dynamic:
        return _check_workflow_parameter(parts[1], setting)
    return None


def _check_workflow_parameter(name: str, setting: Setting) -> Problem | None:
    declared = [parameter.name for parameter in setting.document.spec.arguments.parameters]
    base = setting.catalog.base(setting.document)
    if base is not None and base is not setting.document:
        declared += [parameter.name for parameter in base.spec.arguments.parameters]
    if name in declared or name == "json" or base is None:
        return None
    message = f"the workflow declares no parameter {name!r}"
    if setting.document.is_library and not setting.document.spec.entrypoint:
        return Problem(message, "the workflow that calls this template has to have it", "warning")
    return Problem(message, did_you_mean(name, declared, "add it to `arguments.parameters`"))


def _check_inputs(parts: list[str], reference: Reference, setting: Setting) -> Problem | None:
    if setting.place is None:
        return Problem("inputs belong to templates, there are none here", "use {{workflow.parameters.…}}")
    template = setting.place.template
    if reference.is_dynamic or not parts:
        return None
    if setting.call is not None and setting.call.step.inline is not None and "inline" in reference.text.pointer:
        template = setting.call.step.inline
    return _check_side(parts, "input", template.inputs)


def _check_side(parts: list[str], word: str, side: Inputs | Outputs) -> Problem | None:
    """`parameters.x`, `parameters.x.path`, `artifacts.x`, `artifacts.x.path` of a template's own inputs or outputs."""
    if parts[0] not in ("parameters", "artifacts"):
        return Problem(f"{word}s have no {parts[0]!r}", f"write {word}s.parameters.… or {word}s.artifacts.…")
    if len(parts) == 1:
        return None
    names = [value.name for value in getattr(side, parts[0])]
    if parts[1] in names:
        return None
    kind = f"{word} {parts[0][:-1]}"
    where = f"add it to `{word}s.{parts[0]}`"
    return Problem(f"the template declares no {kind} {parts[1]!r}", did_you_mean(parts[1], names, where))


def _check_outputs(parts: list[str], _reference: Reference, setting: Setting) -> Problem | None:
    if setting.place is None or not parts:
        return Problem("outputs belong to templates", "write {{tasks.NAME.outputs.…}}")
    if parts[0] in ("result", "exitCode"):
        return None
    return _check_side(parts, "output", setting.place.template.outputs)


def _check_item(parts: list[str], reference: Reference, setting: Setting) -> Problem | None:
    call = setting.call
    if call is None or not call.is_loop:
        hint = "add withItems, withParam or withSequence to the task"
        if call is None:
            hint = "pass it to the template as an argument"
        return Problem("there is no loop here, so no item", hint)
    items = call.step.with_items
    if not parts or reference.is_dynamic or not items or any("{{" in str(item) for item in items):
        return None
    maps = [item for item in items if isinstance(item, dict)]
    if maps and all(parts[0] not in item for item in maps):
        return Problem(f"no item has a member {parts[0]!r}", did_you_mean(parts[0], maps[0]))
    return None if maps or call.step.with_param else Problem("the items are not maps", "write {{item}}")


def _check_retry(parts: list[str], reference: Reference, setting: Setting) -> Problem | None:
    place = setting.place
    if place is not None and place.template.retry_strategy is None and place.document.spec.template_defaults is None:
        return Problem(f"{reference.name} needs a retryStrategy", "add `retryStrategy:` to the template")
    if parts and parts[0] not in _LAST_RETRY_NAMES:
        return Problem(f"there is no variable {reference.name}", did_you_mean(parts[0], _LAST_RETRY_NAMES))
    return None


def _check_pod(parts: list[str], reference: Reference, setting: Setting) -> Problem | None:
    if parts != ["name"]:
        return Problem(f"there is no variable {reference.name}", f"write {reference.name.partition('.')[0]}.name")
    if reference.name == "pod.name" and setting.place is not None and setting.place.template.kind not in POD_KINDS:
        return Problem("only container and script templates have a pod", "write {{node.name}}")
    return None


def _check_node(parts: list[str], reference: Reference, setting: Setting) -> Problem | None:
    """`tasks.NAME.…` or `steps.NAME.…`."""
    root = reference.name.partition(".")[0]
    graph = setting.graph
    if parts == ["name"]:
        return None
    if graph is None or not graph.calls:
        hint = "pass the value to the template as an argument"
        return Problem(f"{root} are known only in the template that calls them", hint)
    if graph.place.root != root:
        kind = graph.place.template.kind
        return Problem(
            f"in a {kind} template the name is {graph.place.root}.…", f"write {graph.place.root}, not {root}"
        )
    if not parts or reference.is_dynamic:
        return None
    return _check_call_name(parts, reference, setting, graph)


def _check_call_name(parts: list[str], reference: Reference, setting: Setting, graph: Graph) -> Problem | None:
    word, other = graph.place.root[:-1], graph.calls.get(parts[0])
    if other is None:
        return Problem(f"there is no {word} {parts[0]!r}", did_you_mean(parts[0], graph.calls))
    user = setting.call.step.name if setting.call is not None else None
    is_own = parts[0] == user and setting.in_hook
    if user is not None and not is_own and graph.knows_order(user) and not graph.is_ancestor(parts[0], user):
        if word == "step":
            return Problem(f"the step {parts[0]!r} is not above this one", "move it to an earlier group")
        return Problem(f"{user!r} does not wait for {parts[0]!r}", f"add {parts[0]} to its dependencies")
    if len(parts) == 1:
        return None if reference.is_expression else Problem(f"{{{{{reference.name}}}}} is not text", "name an output")
    if parts[1] not in _NODE_NAMES:
        return Problem(f"a {word} has no {parts[1]!r}", did_you_mean(parts[1], _NODE_NAMES))
    return _check_node_output(parts[1:], reference, setting.catalog, other)


def _check_node_output(parts: list[str], reference: Reference, catalog: Catalog, other: Call) -> Problem | None:
    """`outputs.parameters.x` and the like of the call `other`."""
    place = catalog.resolve(other.owner.document, other.step)
    if place is None:
        return None
    template = place.template
    has_process = template.kind in LEAF_KINDS - {"suspend"}
    if parts[0] == "exitCode" or parts[:2] == ["outputs", "result"]:
        message = f"{other.step.name!r} has no {'.'.join(parts)}: it is a {template.kind} template"
        return None if has_process else Problem(message, "declare an output parameter")
    if parts[0] != "outputs" or len(parts) == 1:
        return None
    if parts[1] not in ("parameters", "artifacts"):
        return Problem(
            f"outputs have no {parts[1]!r}", "write outputs.parameters.…, outputs.artifacts.… or outputs.result"
        )
    return _check_declared_output(parts[1:], reference, template, other)


def _check_declared_output(parts: list[str], reference: Reference, template: Template, other: Call) -> Problem | None:
    kind, names = parts[0], [value.name for value in getattr(template.outputs, parts[0])]
    if len(parts) == 1:
        is_list = other.is_loop or reference.is_expression
        hint = "name the parameter"
        return None if is_list else Problem(f"{other.step.name!r} is no loop, so there is no list of outputs", hint)
    if parts[1] not in names:
        where = f"add it to the outputs of {template.name!r}"
        message = f"the template of {other.step.name!r} declares no output {kind[:-1]} {parts[1]!r}"
        return Problem(message, did_you_mean(parts[1], names, where))
    if kind == "artifacts" and other.is_loop:
        message = f"{other.step.name!r} is a loop: its artifacts have no common name"
        return Problem(message, "collect output parameters, or write to one place")
    return None


_CHECKS = {
    "workflow": _check_workflow,
    "inputs": _check_inputs,
    "outputs": _check_outputs,
    "tasks": _check_node,
    "steps": _check_node,
    "item": _check_item,
    "retries": _check_retry,
    "lastRetry": _check_retry,
    "pod": _check_pod,
    "node": _check_pod,
}
