"""Lint of the calls: is there such a template, does it get what it needs, does it take what it is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from platform_cli.workflow.finding import Pointer
from platform_cli.workflow.lint_document import Call, Catalog, Document, Place, did_you_mean
from platform_cli.workflow.lint_leaf import lint_location
from platform_cli.workflow.lint_value import VALUE_NAME, lint_names
from platform_cli.workflow.model_template import Hook, Step, TemplateRef
from platform_cli.workflow.model_value import Arguments, Artifact, Parameter

_LOCATIONS = ("raw", "s3", "gcs", "azure", "oss", "hdfs", "http", "git", "artifactory")


def lint_call(catalog: Catalog, call: Call, *, local: bool) -> None:
    """Findings about one task or step, its hooks and exit handler."""
    document, step = call.owner.document, call.step
    given = [name for name in ("template", "template_ref", "inline") if getattr(step, name)]
    if len(given) != 1:
        message = "calls nothing" if not given else "calls two templates"
        document.error(call.pointer, message, "give one of `template`, `templateRef`, `inline`")
        return
    place = lint_use(catalog, document, step, call.pointer)
    if place is not None:
        lint_arguments(document, step.arguments, place, (*call.pointer, "arguments"))
    lint_given(document, step.arguments, (*call.pointer, "arguments"), local=local)
    if step.on_exit:
        _find_named(catalog, document, step.on_exit, (*call.pointer, "onExit"))
    lint_hooks(catalog, document, step.hooks, (*call.pointer, "hooks"), local=local)


def lint_hooks(
    catalog: Catalog, document: Document, hooks: Mapping[str, Hook], pointer: Pointer, *, local: bool
) -> None:
    """Findings about the templates that hooks call."""
    for name, hook in hooks.items():
        here = (*pointer, name)
        if bool(hook.template) == bool(hook.template_ref):
            document.error(here, "the hook calls nothing, or two templates", "give `template` or `templateRef`")
            continue
        place = lint_use(catalog, document, hook, here)
        if place is not None:
            lint_arguments(document, hook.arguments, place, (*here, "arguments"))
        lint_given(document, hook.arguments, (*here, "arguments"), local=local)


def lint_use(catalog: Catalog, document: Document, use: Step | Hook, pointer: Pointer) -> Place | None:
    """The template that is called; a finding and None when there is none."""
    if use.template_ref is not None:
        return _find_referenced(catalog, document, use.template_ref, (*pointer, "templateRef"))
    if isinstance(use, Step) and use.inline is not None:
        return Place(document, use.inline, (*pointer, "inline"))
    return _find_named(catalog, document, use.template, (*pointer, "template"))


def lint_entry(catalog: Catalog, document: Document, name: str, member: str, *, required: bool) -> Place | None:
    """The template that `entrypoint` or `onExit` names."""
    pointer = (*document.pointer, member)
    if name:
        return _find_named(catalog, document, name, pointer)
    if required:
        document.error(pointer, "is missing", "name the template to start with")
    return None


def _find_named(catalog: Catalog, document: Document, name: str, pointer: Pointer) -> Place | None:
    base = catalog.base(document)
    if base is None or "{{" in name:
        return None
    if name not in base.templates:
        document.error(pointer, f"there is no template {name!r}", did_you_mean(name, base.templates))
    return base.templates.get(name)


def _find_referenced(catalog: Catalog, document: Document, reference: TemplateRef, pointer: Pointer) -> Place | None:
    if not reference.name or not reference.template:
        document.error(pointer, "names no template", "give `name` (of the WorkflowTemplate) and `template`")
        return None
    if "{{" in reference.name + reference.template:
        return None
    owner = catalog.find(reference.name, cluster_scope=reference.cluster_scope)
    if owner is None:
        kind = "ClusterWorkflowTemplate" if reference.cluster_scope else "WorkflowTemplate"
        message = f"the {kind} {reference.name!r} was not given, so this call is not checked"
        document.warning((*pointer, "name"), message, "lint its file together with this one")
        return None
    if reference.template not in owner.templates:
        message = f"{reference.name!r} has no template {reference.template!r}"
        document.error((*pointer, "template"), message, did_you_mean(reference.template, owner.templates))
    return owner.templates.get(reference.template)


def lint_given(document: Document, arguments: Arguments, pointer: Pointer, *, local: bool) -> None:
    """Findings about arguments by themselves: names, missing values, sources that arguments do not have."""
    sides: dict[str, Sequence[Parameter | Artifact]] = {
        "parameters": arguments.parameters,
        "artifacts": arguments.artifacts,
    }
    for side, values in sides.items():
        here = (*pointer, side)
        names = ((value.name, (*here, index, "name")) for index, value in enumerate(values))
        lint_names(document, names, side[:-1], VALUE_NAME)
    for index, parameter in enumerate(arguments.parameters):
        _lint_given_parameter(document, parameter, (*pointer, "parameters", index))
    for index, artifact in enumerate(arguments.artifacts):
        _lint_given_artifact(document, artifact, (*pointer, "artifacts", index), local=local)


def _lint_given_parameter(document: Document, parameter: Parameter, pointer: Pointer) -> None:
    source = parameter.value_from
    if parameter.value is None and source is None:
        document.error(pointer, f"the argument {parameter.name!r} has no value", "add `value:`")
    elif source is not None and (source.path or source.parameter or source.expression):
        hint = 'write `value: "{{…}}"`, or `"{{=…}}"` for an expression'
        document.error((*pointer, "valueFrom"), "an argument takes valueFrom.configMapKeyRef or supplied only", hint)


def _lint_given_artifact(document: Document, artifact: Artifact, pointer: Pointer, *, local: bool) -> None:
    is_placed = any(getattr(artifact, location) is not None for location in _LOCATIONS)
    sources = [bool(artifact.from_), bool(artifact.from_expression), is_placed]
    if not any(sources):
        document.error(pointer, f"the artifact {artifact.name!r} comes from nowhere", "add `from:` or `raw:`")
    elif sum(sources) > 1:
        document.error(pointer, f"the artifact {artifact.name!r} has two sources", "keep one of them")
    if local:
        lint_location(document, artifact, pointer)


def lint_arguments(document: Document, arguments: Arguments, place: Place, pointer: Pointer) -> None:
    """Compares what a call gives with what the template takes."""
    inputs, name = place.template.inputs, place.template.name or "the inline template"
    _lint_parameters(document, arguments, inputs.parameters, pointer, name)
    given = {artifact.name: index for index, artifact in enumerate(arguments.artifacts)}
    known = [artifact.name for artifact in inputs.artifacts]
    for other, index in given.items():
        if other not in known:
            here = (*pointer, "artifacts", index, "name")
            document.warning(here, f"{name!r} has no input artifact {other!r}", did_you_mean(other, known))
    for artifact in inputs.artifacts:
        is_placed = any(getattr(artifact, location) is not None for location in _LOCATIONS)
        if artifact.name not in given and not artifact.optional and not is_placed:
            message = f"{name!r} needs the artifact {artifact.name!r}"
            document.error(pointer, message, f'add `{{name: {artifact.name}, from: "{{{{…}}}}"}}` to `artifacts:`')


def _lint_parameters(
    document: Document, arguments: Arguments, inputs: Iterable[Parameter], pointer: Pointer, name: str
) -> None:
    known = {parameter.name: parameter for parameter in inputs}
    given = {parameter.name for parameter in arguments.parameters}
    for index, argument in enumerate(arguments.parameters):
        taken = known.get(argument.name)
        if taken is None:
            hint = did_you_mean(argument.name, known, "it is not used" if not known else "")
            document.warning(
                (*pointer, "parameters", index, "name"), f"{name!r} has no input parameter {argument.name!r}", hint
            )
        elif taken.enum and argument.value is not None and "{{" not in argument.value:
            _lint_choice(document, argument.value, taken, (*pointer, "parameters", index, "value"))
    for parameter in known.values():
        if parameter.name not in given and not has_value(parameter):
            message = f"{name!r} needs the parameter {parameter.name!r}"
            document.error(pointer, message, f"add `{{name: {parameter.name}, value: …}}` to `parameters:`")


def _lint_choice(document: Document, value: str, taken: Parameter, pointer: Pointer) -> None:
    if value not in taken.enum:
        hint = did_you_mean(value, taken.enum, f"one of {', '.join(taken.enum)}")
        document.error(pointer, f"{value!r} is not one of the values that {taken.name!r} takes", hint)


def has_value(parameter: Parameter) -> bool:
    """Whether an input works without an argument."""
    return parameter.value is not None or parameter.default is not None or parameter.value_from is not None
