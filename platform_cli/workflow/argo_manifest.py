"""From a file and a few values to the objects that Argo wants. Pure but for reading the files."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from platform_cli.errors import UsageError
from platform_cli.workflow.argo_api import API_VERSION, MANAGED, RUNNER, SPEC_HASH, TEMPLATE_LABEL
from platform_cli.workflow.finding import Finding, refusal
from platform_cli.workflow.interface import Submission, WorkflowObject
from platform_cli.workflow.lint import lint
from platform_cli.workflow.model import TEMPLATE_KINDS, Metadata
from platform_cli.workflow.model_refused import CLUSTER_ONLY
from platform_cli.workflow.model_text import parameters_as_text
from platform_cli.workflow.model_value import Arguments
from platform_cli.workflow.neighbour import load_library
from platform_cli.workflow.preparation import COMMIT_PARAMETER, STEP_CODE_PARAMETER
from platform_cli.workflow.source import Manifest, load_manifests
from platform_cli.workflow.step_code import step_code_name
from platform_cli.workflow.submission import (
    choose_entrypoint,
    choose_main,
    fill_arguments,
    merge_arguments,
    name_run,
)

IMAGE_PARAMETER = "image"
_HASH_DIGITS = 16
_REGISTRY_SIGNS = (".", ":")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How this cluster wants its runs.

    Attributes:
        namespace: where they go.
        service_account: what their pods run as when the file does not say.
        registry: put in front of images that a parameter `image` names without one; may be empty.
        annotations: who submits, from which commit, with which version.
    """

    namespace: str
    service_account: str = RUNNER
    registry: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run and the templates that it refers to, in the order in which to make them."""

    templates: tuple[dict[str, Any], ...]
    workflow: WorkflowObject

    @property
    def name(self) -> str:
        """The run's."""
        return str(self.workflow["metadata"]["name"])


def prepare_workflow(submission: Submission, wish: Wish) -> Prepared:
    """The Workflow of a submission, and the templates of its file and of those that it refers to.

    Raises:
        LintError: the manifest is not valid, or refers to what is not there.
        UsageError: unknown, missing or refused parameters; an unknown entrypoint; a name that cannot be one; reuse is
            not wanted but the file itself memoizes.
    """
    manifests = load_manifests(submission.manifest)
    library = load_library(submission.manifest, manifests)
    _check(manifests, library)
    main = _plain(choose_main(manifests))
    templates = [_plain(manifest) for manifest in (*manifests, *library) if manifest.data.get("kind") in TEMPLATE_KINDS]
    if not submission.reuse:
        _refuse_memoized([main, *templates])
    for document in (main, *templates):
        _set_defaults(document, submission, wish.registry)
    workflow = _build_workflow(main, templates, submission, wish)
    placed = tuple(_place(template, wish) for template in templates)
    workflow["metadata"]["annotations"][SPEC_HASH] = _hash(placed, workflow)
    return Prepared(placed, workflow)


def _check(manifests: Iterable[Manifest], library: Iterable[Manifest]) -> None:
    """Refuse what is wrong everywhere; what only a cluster can run is fine here."""
    found = [finding for finding in lint(manifests, available=library, local=False) if not _is_local_matter(finding)]
    if any(finding.level == "error" for finding in found):
        raise refusal(found)


def _is_local_matter(finding: Finding) -> bool:
    return CLUSTER_ONLY in finding.message


def _plain(manifest: Manifest) -> dict[str, Any]:
    return copy.deepcopy(parameters_as_text(manifest)[0])


def _refuse_memoized(documents: Iterable[Mapping[str, Any]]) -> None:
    memoized = [t["name"] for d in documents for t in d["spec"].get("templates") or () if t.get("memoize")]
    if memoized:
        hint = "on a cluster the file itself says what is reused: remove `memoize`, or change its key"
        raise UsageError(f"--no-cache: {', '.join(memoized)} would be reused all the same", hint=hint)


def _set_defaults(document: dict[str, Any], submission: Submission, registry: str) -> None:
    """Make the defaults true on the cluster, so that `argo submit --from` works with them, too."""
    source = submission.manifest.parent / "src"
    for parameter in (document["spec"].get("arguments") or {}).get("parameters") or ():
        if parameter["name"] == STEP_CODE_PARAMETER and source.is_dir():
            parameter["value"] = step_code_name(source)
        elif parameter["name"] == IMAGE_PARAMETER and registry and not _has_registry(str(parameter.get("value", ""))):
            parameter["value"] = f"{registry.rstrip('/')}/{parameter.get('value', '')}"


def image_of(template: Mapping[str, Any]) -> str:
    """The default of a template's parameter `image`; empty when it has none."""
    parameters = (template["spec"].get("arguments") or {}).get("parameters") or ()
    return next((str(item.get("value") or "") for item in parameters if item["name"] == IMAGE_PARAMETER), "")


def _has_registry(image: str) -> bool:
    first, slash, _ = image.partition("/")
    return bool(slash) and any(sign in first for sign in _REGISTRY_SIGNS)


def _build_workflow(
    main: Mapping[str, Any], templates: Iterable[Mapping[str, Any]], submission: Submission, wish: Wish
) -> WorkflowObject:
    metadata = msgspec.convert(main.get("metadata", {}), Metadata)
    _refuse_other_namespace(metadata.namespace, submission, wish)
    is_template = main["kind"] in TEMPLATE_KINDS
    own = {"workflowTemplateRef": _reference(main)} if is_template else dict(main["spec"])
    under = main["spec"] if is_template else _find_reference(own, templates)
    whole = {**under, **own}
    arguments = merge_arguments(under.get("arguments", {}), own.get("arguments", {}))
    filled = fill_arguments(msgspec.convert(arguments, Arguments), submission)
    spec = {**own, "arguments": _drop_empty(msgspec.to_builtins(filled))}
    names = [template["name"] for template in whole.get("templates") or ()]
    entrypoint = choose_entrypoint(whole.get("entrypoint", ""), names, submission)
    if entrypoint != under.get("entrypoint"):
        spec["entrypoint"] = entrypoint
    spec.setdefault("serviceAccountName", whole.get("serviceAccountName") or wish.service_account)
    label = {TEMPLATE_LABEL: metadata.name} if is_template else {}
    return {
        "apiVersion": API_VERSION,
        "kind": "Workflow",
        "metadata": {
            "name": name_run(main["kind"], metadata, submission),
            "namespace": wish.namespace,
            "labels": {**metadata.labels, **label, **MANAGED, **submission.labels},
            "annotations": {**metadata.annotations, **wish.annotations},
        },
        "spec": spec,
    }


def _refuse_other_namespace(named: str, submission: Submission, wish: Wish) -> None:
    if named and named != wish.namespace:
        hint = f"remove metadata.namespace from {submission.manifest.name}"
        raise UsageError(f"the file names namespace {named}, runs of this platform go to {wish.namespace}", hint=hint)


def _reference(main: Mapping[str, Any]) -> dict[str, Any]:
    scope = {"clusterScope": True} if main["kind"] == "ClusterWorkflowTemplate" else {}
    return {"name": main["metadata"]["name"], **scope}


def _find_reference(spec: Mapping[str, Any], templates: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The spec of the template that a Workflow refers to; empty when it refers to none."""
    wanted = spec.get("workflowTemplateRef")
    found = (template["spec"] for template in templates if wanted == _reference(template))
    return next(found, {})


def _drop_empty(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if value}


def _place(template: Mapping[str, Any], wish: Wish) -> dict[str, Any]:
    """A template as it goes to the cluster, without what a cluster may have written into its metadata.

    Who looks after it is not said: Helm finds by that label what it made, and a deploy may have made this one.
    """
    given = template["metadata"]
    place = {} if template["kind"] == "ClusterWorkflowTemplate" else {"namespace": wish.namespace}
    return {
        "apiVersion": API_VERSION,
        "kind": template["kind"],
        "metadata": {
            "name": given["name"],
            **place,
            "labels": dict(given.get("labels", {})),
            "annotations": {**given.get("annotations", {}), **wish.annotations},
        },
        "spec": template["spec"],
    }


def _hash(templates: Iterable[Mapping[str, Any]], workflow: Mapping[str, Any]) -> str:
    """Of everything that decides what a run does; who submits it and from which commit does not."""
    spec = copy.deepcopy(workflow["spec"])
    arguments = spec["arguments"]
    arguments["parameters"] = [p for p in arguments.get("parameters", ()) if p["name"] != COMMIT_PARAMETER]
    parts = [[template["kind"], template["metadata"]["name"], template["spec"]] for template in templates]
    text = json.dumps([parts, spec], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]
