"""The five training steps as a person would type them: one script after another, in one folder."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import yaml

from benchmarks.ground import ROOT, Project, clean_environment

TRAINING = ROOT / "pipelines" / "training"
STEPS = ("load-data", "validate-data", "feature-engineering", "train-model", "register-model")


def write_script(project: Project) -> Path:
    """Write the five command lines, taken from the workflow file with its defaults."""
    workflow = yaml.safe_load((TRAINING / "ml-training-workflow.yaml").read_text("utf-8"))
    templates = {template["name"]: template for template in workflow["spec"]["templates"]}
    values = {item["name"]: str(item["value"]) for item in workflow["spec"]["arguments"]["parameters"]}
    lines = [_command_line(templates[step], values, project.folder / "out") for step in STEPS]
    script = project.folder / "by-hand.sh"
    script.write_text("\n".join(("rm -rf out && mkdir out", *lines)) + "\n", "utf-8")
    return script


def environment(project: Project) -> dict[str, str]:
    """The registry of the project, as a step would see it."""
    return clean_environment(
        MLFLOW_TRACKING_URI=f"sqlite:///{project.home / 'mlflow' / 'mlflow.db'}",
        MLFLOW_ARTIFACT_ROOT=str(project.home / "mlflow" / "artifacts"),
        MLFLOW_DISABLE_TELEMETRY="true",
    )


def _command_line(template: dict[str, Any], values: dict[str, str], folder: Path) -> str:
    program = template["container"]["command"][1].replace("/opt/mlops/steps", str(TRAINING / "src"))
    words = (_fill(word, values, folder) for word in template["container"]["args"])
    return " ".join((shlex.quote(sys.executable), shlex.quote(program), *words))


def _fill(word: str, values: dict[str, str], folder: Path) -> str:
    """One argument: parameters filled in, the container's folders replaced, an earlier step's output read."""
    word = re.sub(r"/mnt/(?:in|out)(?=/)", str(folder), word)
    word = re.sub(r"\{\{workflow\.parameters\.([\w-]+)\}\}", lambda found: values[found[1]], word)
    word = word.replace("{{workflow.name}}", "by-hand")
    before, read, output = word.partition("{{inputs.parameters.")
    if not read:
        return shlex.quote(word)
    return f'{shlex.quote(before)}"$(cat {shlex.quote(str(folder / output.removesuffix("}}")))})"'
