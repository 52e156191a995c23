"""From a file and a few values to a complete, checked run."""

from __future__ import annotations

import difflib
import random
import re
import string
import sys
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from platform_cli.errors import UsageError
from platform_cli.workflow.finding import refusal
from platform_cli.workflow.interface import Submission
from platform_cli.workflow.lint import lint
from platform_cli.workflow.lint_local import lint_local
from platform_cli.workflow.model import RUNNABLE_KINDS, TEMPLATE_KINDS, Metadata, Spec, Workflow, parse
from platform_cli.workflow.model_value import Arguments, Parameter
from platform_cli.workflow.neighbour import load_library
from platform_cli.workflow.node import now
from platform_cli.workflow.source import Manifest, load_manifests
from platform_cli.workflow.store import Document

NAMESPACE = "argo"
_MOST_LETTERS = 63
_SUFFIX_LETTERS = 5
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")
_REFERENCES = ('"templateRef"', '"workflowTemplateRef"')


def build_document(submission: Submission) -> tuple[str, Document]:
    """The run's name and everything it needs.

    Raises:
        LintError: the manifest is not valid, or refers to what is not there.
        UsageError: unknown, missing or refused parameters; an unknown entrypoint; a name that cannot be one.
    """
    manifests = load_manifests(submission.manifest)
    library = load_library(submission.manifest, manifests)
    borrowed = [finding for manifest in library for finding in lint_local(manifest)]
    found = [*lint(manifests, available=library), *borrowed]
    if any(finding.level == "error" for finding in found):
        raise refusal(found)
    main = choose_main(manifests)
    others = [parse(manifest) for manifest in (*manifests, *library) if manifest.data.get("kind") in TEMPLATE_KINDS]
    spec = _spec(parse(main), others)
    entrypoint = choose_entrypoint(spec.entrypoint, [template.name for template in spec.templates], submission)
    spec = msgspec.structs.replace(spec, entrypoint=entrypoint, arguments=fill_arguments(spec.arguments, submission))
    workflow = parse(main)
    name = name_run(workflow.kind, workflow.metadata, submission)
    document = Document(
        metadata=_metadata(name, workflow, spec, submission.labels),
        spec=msgspec.to_builtins(spec),
        library=[msgspec.to_builtins(other) for other in others if _refers(spec, others)],
        reuse=submission.reuse,
        source=str(submission.manifest.resolve()),
    )
    return name, document


def read_spec(document: Document) -> Spec:
    """The typed spec of a stored run."""
    return msgspec.convert(document.spec, Spec)


def read_library(document: Document) -> dict[tuple[str, bool], Spec]:
    """The specs that a stored run may refer to, by name and whether they are cluster-wide."""
    workflows = (msgspec.convert(data, Workflow) for data in document.library)
    return {(other.metadata.name, other.kind == "ClusterWorkflowTemplate"): other.spec for other in workflows}


def _refers(spec: Spec, others: Iterable[Workflow]) -> bool:
    texts = (msgspec.json.encode(part).decode() for part in (spec, *(other.spec for other in others)))
    return any(reference in text for text in texts for reference in _REFERENCES)


def choose_main(manifests: tuple[Manifest, ...]) -> Manifest:
    """The document to run: a Workflow if there is one, else the first template with an entrypoint."""
    runnable = [manifest for manifest in manifests if manifest.data.get("kind") in RUNNABLE_KINDS]
    workflows = [manifest for manifest in runnable if manifest.data["kind"] == "Workflow"]
    entered = [manifest for manifest in runnable if manifest.data.get("spec", {}).get("entrypoint")]
    for candidates in (workflows, entered, runnable, manifests):
        if candidates:
            return candidates[0]
    raise UsageError("the file holds nothing to run")


def _spec(workflow: Workflow, others: Iterable[Workflow]) -> Spec:
    """The spec to run; that of a referenced template with what the Workflow adds to it."""
    reference = workflow.spec.workflow_template_ref
    if reference is None:
        return workflow.spec
    kind = "ClusterWorkflowTemplate" if reference.cluster_scope else "WorkflowTemplate"
    templates = {other.metadata.name: other for other in others if other.kind == kind}
    under = msgspec.to_builtins(templates[reference.name].spec)
    over = msgspec.to_builtins(workflow.spec)
    merged = {**under, **over}
    merged["arguments"] = merge_arguments(under.get("arguments", {}), over.get("arguments", {}))
    del merged["workflowTemplateRef"]
    return msgspec.convert(merged, Spec)


def merge_arguments(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a template with those of the Workflow that refers to it, which win by name."""
    return {
        kind: list({item["name"]: item for item in (*under.get(kind, ()), *over.get(kind, ()))}.values())
        for kind in ("parameters", "artifacts")
    }


def choose_entrypoint(own: str, names: list[str], submission: Submission) -> str:
    """The template to start with: the one that was asked for, else the workflow's `own`.

    Raises:
        UsageError: there is no template of that name among `names`.
    """
    wanted = submission.entrypoint or own
    if wanted in names:
        return wanted
    if not wanted:
        raise UsageError(f"{submission.manifest} names no entrypoint", hint=f"give one: {', '.join(names)}")
    raise UsageError(f"there is no template {wanted} to start with", hint=_suggest(wanted, names))


def fill_arguments(arguments: Arguments, submission: Submission) -> Arguments:
    """The declared arguments with the submission's values.

    Raises:
        UsageError: unknown, missing or refused parameters; all are listed.
    """
    declared = {parameter.name: parameter for parameter in arguments.parameters}
    problems = [
        f"unknown parameter {name}: {_suggest(name, declared)}"
        for name in submission.parameters
        if name not in declared
    ]
    given = [_given(parameter, submission.parameters, problems) for parameter in declared.values()]
    if problems:
        hint = "parameters are given as -p name=value"
        raise UsageError(f"the parameters do not fit {submission.manifest.name}", hint=hint, details=tuple(problems))
    return msgspec.structs.replace(arguments, parameters=tuple(given))


def _given(parameter: Parameter, values: Mapping[str, str], problems: list[str]) -> Parameter:
    source = parameter.value_from
    own = parameter.value if parameter.value is not None else parameter.default
    value = values.get(parameter.name, own)
    if value is None and (source is None or source.config_map_key_ref is None):
        problems.append(f"parameter {parameter.name} has no value")
    if value is not None and parameter.enum and value not in parameter.enum:
        problems.append(f"parameter {parameter.name} is {value!r}; it may be {', '.join(parameter.enum)}")
    return msgspec.structs.replace(parameter, value=value)


def can_be_name(text: str) -> bool:
    """Whether a Kubernetes object may be called so; a path or nothing at all leads elsewhere in an address."""
    return _NAME.fullmatch(text) is not None


def name_run(kind: str, metadata: Metadata, submission: Submission) -> str:
    """The name that was asked for, else the Workflow's own, else the manifest's with five random letters.

    Raises:
        UsageError: it cannot be the name of a Kubernetes object.
    """
    if submission.name:
        if not can_be_name(submission.name) or len(submission.name) > _MOST_LETTERS:
            hint = "use lower-case letters, digits and dashes, at most 63 of them"
            raise UsageError(f"{submission.name!r} cannot be the name of a run", hint=hint)
        return submission.name
    if kind == "Workflow" and metadata.name:
        return metadata.name
    prefix = metadata.generate_name or f"{metadata.name}-"
    letters = string.ascii_lowercase + string.digits
    suffix = "".join(random.SystemRandom().choices(letters, k=_SUFFIX_LETTERS))
    return prefix[: _MOST_LETTERS - _SUFFIX_LETTERS] + suffix


def _metadata(name: str, workflow: Workflow, spec: Spec, labels: Mapping[str, str]) -> dict[str, Any]:
    given = workflow.metadata
    added = spec.workflow_metadata
    template = {"workflows.argoproj.io/workflow-template": given.name} if workflow.kind != "Workflow" else {}
    metadata = {
        "name": name,
        "namespace": given.namespace or NAMESPACE,
        "uid": str(uuid.uuid4()),
        "creationTimestamp": now().isoformat().replace("+00:00", "Z"),
        "labels": {**given.labels, **template, **(added.labels if added else {}), **labels},
        "annotations": {**given.annotations, **(added.annotations if added else {}), **_image_note(spec)},
    }
    return {key: value for key, value in metadata.items() if value}


def _image_note(spec: Spec) -> dict[str, str]:
    """What became of the images: without a container engine a step runs with what is installed here."""
    containers = (template.container or template.script for template in spec.templates)
    images = sorted({container.image for container in containers if container is not None and container.image})
    version = ".".join(map(str, sys.version_info[:3]))
    return (
        {"mlops.dev/images-not-used": f"{', '.join(images)}; ran on this machine, Python {version}"} if images else {}
    )


def _suggest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(names) or 'none'}"
