"""A DAG of any number of steps that do nothing: rows of ten, each step after the one above it."""

from __future__ import annotations

from pathlib import Path

import yaml

ROW = 10


def write_wide(folder: Path, nodes: int) -> Path:
    """Write the workflow with `nodes` steps and return its path."""
    tasks = [
        {"name": f"n{index}", "template": "noop", **({"dependencies": [f"n{index - ROW}"]} if index >= ROW else {})}
        for index in range(nodes)
    ]
    noop = {"name": "noop", "container": {"image": "docker.io/library/busybox:1.37", "command": ["true"]}}
    workflow = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": f"wide{nodes}-"},
        "spec": {"entrypoint": "main", "templates": [{"name": "main", "dag": {"tasks": tasks}}, noop]},
    }
    path = folder / f"wide{nodes}.yaml"
    path.write_text(yaml.safe_dump(workflow, sort_keys=False), "utf-8")
    return path
