"""After the last step, whatever happened: record how the run ended, as a file and on the run in MLflow."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import step

_REGISTER = "register-model"
_SUCCEEDED = "Succeeded"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step on command line arguments; `step.StepError` says why it failed."""
    arguments = _parser().parse_args(argv)
    failures = parse_failures(arguments.failures)
    outcome = {
        "format": 1,
        "workflow": arguments.workflow,
        "status": arguments.status,
        "failures": failures,
        "model": arguments.model_name,
        "data_source": public_source(arguments.data_source),
        "git_commit": arguments.git_commit,
        "step_code": arguments.step_code,
    }
    step.write_json(arguments.output, outcome)
    if arguments.status == _SUCCEEDED or any(failure["step"] == _REGISTER for failure in failures):
        _tag_run(arguments)
    step.finish(_summary(arguments.status, failures), arguments.summary)


def parse_failures(text: str) -> list[dict[str, str]]:
    """The failed steps with their reasons, from Argo's `workflow.failures`: a JSON list, a quoted one, or null."""
    try:
        failures = json.loads(text or "null")
        failures = json.loads(failures) if isinstance(failures, str) else failures
    except json.JSONDecodeError:
        return [{"step": "unknown", "reason": text}]
    return [_failure(item) for item in failures or []]


def public_source(source: str) -> str:
    """A data source without credentials."""
    from sources import public_name

    return public_name(source)


def _failure(item: Mapping[str, Any]) -> dict[str, str]:
    name = item.get("templateName") or item.get("displayName") or "unknown"
    return {"step": str(name), "reason": str(item.get("message") or item.get("phase") or "")}


def _tag_run(arguments: argparse.Namespace) -> None:
    """Say on the MLflow run how its workflow ended. The record above stands even where this fails."""
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        step.log("MLFLOW_TRACKING_URI is not set: the outcome is in the record only")
        return
    import tracking

    try:
        tagged = tracking.tag_outcome(tracking.connect(), arguments.model_name, arguments.workflow, arguments.status)
    except step.UnreachableError as error:
        step.log(f"the outcome is in the record only: {error}")
        return
    step.log(f"{step.count(tagged, 'MLflow run')} tagged with the outcome")


def _summary(status: str, failures: Sequence[Mapping[str, str]]) -> str:
    if not failures:
        return f"{status}, recorded"
    return f"{status} in {failures[0]['step']}, recorded: {failures[0]['reason']}"


def _parser() -> step.Arguments:
    parser = step.Arguments(prog="record_outcome.py", description=__doc__)
    parser.add_argument("--workflow", required=True, help="the run's name")
    parser.add_argument("--status", required=True, help="Succeeded, Failed or Error")
    parser.add_argument("--failures", default="", help="JSON list of failed nodes, as Argo writes it")
    for name in ("model-name", "data-source", "git-commit", "step-code"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--summary", type=Path, help="text file to write: one line for people")
    return parser


if __name__ == "__main__":
    step.run(main)
