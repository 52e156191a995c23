"""What a submission makes on a cluster: its templates, then its run; nothing while the name is in doubt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from platform_cli.errors import MlopsError, StateError
from platform_cli.whoami import this_user
from platform_cli.workflow.argo_api import MANAGER_LABEL, SPEC_HASH, WorkflowApi
from platform_cli.workflow.argo_manifest import Prepared, Wish, image_of, prepare_workflow
from platform_cli.workflow.interface import Submission, WorkflowObject
from platform_cli.workflow.preparation import COMMIT_PARAMETER, describe_commit


def make_run(api: WorkflowApi, submission: Submission, wish: Wish) -> str:
    """Make a run and the templates that it refers to; returns its name. A name taken by the same work is that run.

    Raises:
        StateError: another run has that name; nothing was changed.
    """
    prepared = _prepare(api, submission, replace(wish, annotations=_describe_submitter(submission)))
    if (known := api.find(prepared.name)) is not None:
        _refuse_other(known, prepared)
        return prepared.name
    for template in prepared.templates:
        api.apply_template(template)
    try:
        api.create(prepared.workflow)
    except MlopsError:
        # The answer was lost on its way and the run is ours, or somebody was faster.
        if (known := api.find(prepared.name)) is None:
            raise
        _refuse_other(known, prepared)
    return prepared.name


def _prepare(api: WorkflowApi, submission: Submission, wish: Wish) -> Prepared:
    """What to make, with the registry that the deployed templates name: who submits may not know it."""
    prepared = prepare_workflow(submission, wish)
    for template in prepared.templates:
        registry = _find_registry(api.find_template(template), template, wish.registry)
        if registry not in ("", wish.registry):
            named = replace(submission, name=prepared.name)
            return prepare_workflow(named, replace(wish, registry=registry))
    return prepared


def _find_registry(deployed: Mapping[str, Any] | None, ours: Mapping[str, Any], registry: str) -> str:
    """What a deployed template has in front of the image that is ours without `registry`; empty when it is another."""
    if deployed is None or MANAGER_LABEL not in (deployed["metadata"].get("labels") or {}):
        return ""
    image = image_of(ours).removeprefix(f"{registry.rstrip('/')}/")
    there = image_of(deployed)
    return there.removesuffix(f"/{image}") if image and there.endswith(f"/{image}") else ""


def _describe_submitter(submission: Submission) -> dict[str, str]:
    """Who submits what, for the run's annotations."""
    from importlib.metadata import version

    commit = submission.parameters.get(COMMIT_PARAMETER)
    commit = describe_commit(submission.manifest.parent) if commit is None else commit
    revision, _, changes = commit.partition("+")
    notes = {
        "mlops.dev/submitted-by": this_user(),
        "mlops.dev/cli-version": version("mlops"),
        "mlops.dev/git-commit": revision,
        "mlops.dev/git-changes": changes,
        "mlops.dev/source": submission.manifest.name,
    }
    return {key: value for key, value in notes.items() if value}


def _refuse_other(known: WorkflowObject, prepared: Prepared) -> None:
    wanted = prepared.workflow["metadata"]["annotations"][SPEC_HASH]
    if (known["metadata"].get("annotations") or {}).get(SPEC_HASH) != wanted:
        hint = "choose another --name, or delete that run"
        raise StateError(f"another run named {prepared.name} exists", hint=hint)
