"""Lint of a document as a whole: its name, entry, arguments, and what is never used."""

from __future__ import annotations

import re
from collections.abc import Iterator

from platform_cli.workflow.lint_call import has_value, lint_entry, lint_hooks
from platform_cli.workflow.lint_document import Call, Catalog, Document, Place, did_you_mean
from platform_cli.workflow.lint_graph import lint_spec_hooks
from platform_cli.workflow.lint_leaf import lint_operating_system
from platform_cli.workflow.lint_value import NAME, VALUE_NAME, lint_enum, lint_names, lint_retry
from platform_cli.workflow.model import CronWorkflow

MAX_NAME, MAX_CRON_NAME = 63, 52
_OBJECT_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_CRON_FIELDS = 5


def lint_spec(catalog: Catalog, document: Document, *, local: bool) -> None:
    """Findings about one document that do not belong to one template."""
    spec, pointer = document.spec, document.pointer
    _lint_metadata(document)
    names = (
        (place.template.name, (*place.pointer, "name")) for place in document.places if place.pointer[-1] != "inline"
    )
    lint_names(document, names, "template", NAME)
    _lint_arguments(document)
    _lint_template_reference(catalog, document)
    needs_entry = not document.is_library and spec.workflow_template_ref is None
    entry = lint_entry(catalog, document, spec.entrypoint, "entrypoint", required=needs_entry)
    if entry is not None:
        _lint_entry_inputs(catalog, document, entry)
    lint_entry(catalog, document, spec.on_exit, "onExit", required=False)
    lint_spec_hooks(document)
    lint_hooks(catalog, document, spec.hooks, (*pointer, "hooks"), local=local)
    lint_operating_system(document, spec.node_selector, (*pointer, "nodeSelector"))
    if spec.retry_strategy is not None:
        lint_retry(document, spec.retry_strategy, (*pointer, "retryStrategy"))
    for member, value in (("parallelism", spec.parallelism), ("activeDeadlineSeconds", spec.active_deadline_seconds)):
        if value is not None and value < 1:
            document.error((*pointer, member), f"{value} is not possible", "write at least 1, or remove it")
    if entry is not None:
        _lint_recursion(catalog, entry)
    _lint_unused_templates(catalog, document)


def _lint_metadata(document: Document) -> None:
    metadata, pointer = document.parsed.metadata, ("metadata",)
    limit = MAX_CRON_NAME if isinstance(document.parsed, CronWorkflow) else MAX_NAME
    name, prefix = metadata.name, metadata.generate_name
    if not name and (document.is_library or not prefix):
        document.error(pointer, "the object has no name", "add `name:`")
    elif name and not _OBJECT_NAME.fullmatch(name):
        hint = "use lower-case letters, digits and `-`, with a letter or digit at both ends"
        document.error((*pointer, "name"), f"{name!r} cannot be the name of an object", hint)
    elif prefix and not _OBJECT_NAME.fullmatch(f"{prefix}x"):
        hint = "use lower-case letters, digits and `-`"
        document.error((*pointer, "generateName"), f"{prefix!r} cannot begin the name of an object", hint)
    if len(name) > limit:
        document.error((*pointer, "name"), f"the name is {len(name)} characters long", f"at most {limit} are possible")
    if isinstance(document.parsed, CronWorkflow):
        _lint_schedules(document, document.parsed)


def _lint_schedules(document: Document, cron: CronWorkflow) -> None:
    here = ("spec", "schedules")
    if not cron.spec.schedules:
        document.error(here, "there is no schedule", 'add such as "0 3 * * *"')
    for index, schedule in enumerate(cron.spec.schedules):
        if not schedule.startswith("@") and len(schedule.split()) != _CRON_FIELDS:
            hint = "write minute, hour, day, month, weekday, such as 0 3 * * *"
            document.error((*here, index), f"{schedule!r} is not a schedule", hint)


def _lint_arguments(document: Document) -> None:
    here = (*document.pointer, "arguments", "parameters")
    parameters = document.spec.arguments.parameters
    names = ((parameter.name, (*here, index, "name")) for index, parameter in enumerate(parameters))
    lint_names(document, names, "parameter", VALUE_NAME)
    for index, parameter in enumerate(parameters):
        lint_enum(document, parameter, (*here, index))


def _lint_template_reference(catalog: Catalog, document: Document) -> None:
    reference, spec = document.spec.workflow_template_ref, document.spec
    if reference is None:
        return
    here = (*document.pointer, "workflowTemplateRef")
    if spec.templates:
        document.error(
            (*document.pointer, "templates"), "a workflow with workflowTemplateRef has no templates", "remove one"
        )
    base = catalog.base(document)
    if base is None:
        message = f"the WorkflowTemplate {reference.name!r} was not given, so this workflow is not checked"
        document.warning((*here, "name"), message, "lint its file together with this one")
        return
    known = {parameter.name: parameter for parameter in base.spec.arguments.parameters}
    for index, parameter in enumerate(spec.arguments.parameters):
        if parameter.name not in known:
            pointer = (*document.pointer, "arguments", "parameters", index, "name")
            document.warning(
                pointer, f"{reference.name!r} has no parameter {parameter.name!r}", did_you_mean(parameter.name, known)
            )


def _lint_entry_inputs(catalog: Catalog, document: Document, entry: Place) -> None:
    """The inputs of the entrypoint take the workflow's parameters of the same name."""
    base = catalog.base(document) or document
    given = {parameter.name for parameter in (*document.spec.arguments.parameters, *base.spec.arguments.parameters)}
    for index, parameter in enumerate(entry.template.inputs.parameters):
        if parameter.name not in given and not has_value(parameter):
            here = (*entry.pointer, "inputs", "parameters", index)
            message = f"{entry.template.name!r} is the entrypoint and needs {parameter.name!r}, which nobody gives"
            report = entry.document.warning if document.is_library else entry.document.error
            report(here, message, "add it to the workflow's `arguments.parameters`, or give it a `default`")


def called(catalog: Catalog, place: Place, *, certain: bool = False) -> Iterator[tuple[Place, Call]]:
    """The templates that a template calls; with `certain` only calls without any condition."""
    for call in place.calls():
        if certain and (call.step.when or call.is_loop or getattr(call.step, "depends", "")):
            continue
        target = catalog.resolve(place.document, call.step)
        if target is not None:
            yield target, call


def reachable(catalog: Catalog, starts: list[Place]) -> set[int]:
    """The ids of all templates (model parts) that `starts` lead to, themselves included, hooks and all."""
    seen: set[int] = set()
    waiting = list(starts)
    while waiting:
        place = waiting.pop()
        if id(place.template) in seen:
            continue
        seen.add(id(place.template))
        waiting.extend(target for target, _ in called(catalog, place))
        waiting.extend(handlers(catalog, place))
    return seen


def handlers(catalog: Catalog, place: Place) -> list[Place]:
    """The templates that hooks and exit handlers of a template's calls use."""
    found: list[Place | None] = []
    base = catalog.base(place.document)
    for call in place.calls():
        found.extend(catalog.resolve(place.document, hook) for hook in call.step.hooks.values())
        if call.step.on_exit and base is not None:
            found.append(base.templates.get(call.step.on_exit))
    return [target for target in found if target is not None]


def spec_handlers(catalog: Catalog, document: Document) -> list[Place]:
    """The templates that the workflow's own hooks and exit handler use."""
    base = catalog.base(document)
    found = [catalog.resolve(document, hook) for hook in document.spec.hooks.values()]
    if document.spec.on_exit and base is not None:
        found.append(base.templates.get(document.spec.on_exit))
    return [target for target in found if target is not None]


def _lint_recursion(catalog: Catalog, entry: Place) -> None:
    """Templates that call each other without any condition never end."""
    done: set[int] = set()
    path: dict[int, Place] = {}
    waiting: list[tuple[Place, Iterator[tuple[Place, Call]]]] = [(entry, called(catalog, entry, certain=True))]
    path[id(entry.template)] = entry
    while waiting:
        place, rest = waiting[-1]
        target, call = next(rest, (None, None))
        if target is None or call is None:
            waiting.pop()
            done.add(id(path.pop(id(place.template)).template))
        elif id(target.template) in path:
            names = [other.template.name for other in path.values()]
            circle = " -> ".join([*names[names.index(target.template.name) :], target.template.name])
            message = f"the templates call each other without end: {circle}"
            call.owner.document.error(call.pointer, message, "give one of the calls a `when:`")
        elif id(target.template) not in done:
            path[id(target.template)] = target
            waiting.append((target, called(catalog, target, certain=True)))


def _lint_unused_templates(catalog: Catalog, document: Document) -> None:
    entry = document.templates.get(document.spec.entrypoint)
    if entry is None or document.spec.workflow_template_ref is not None:
        return
    used = reachable(catalog, [entry, *spec_handlers(catalog, document)])
    others = {
        id(place.template)
        for other in catalog.documents.values()
        if other is not document
        for place in _uses(catalog, other)
    }
    for place in document.places:
        if place.pointer[-1] != "inline" and id(place.template) not in used | others:
            document.warning(
                (*place.pointer, "name"), f"nothing calls the template {place.template.name!r}", "remove it"
            )


def _uses(catalog: Catalog, document: Document) -> Iterator[Place]:
    for place in document.places:
        yield from (target for target, _ in called(catalog, place))
