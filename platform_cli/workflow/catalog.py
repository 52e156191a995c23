"""Which workflow file is meant, and what has to exist on the target before it can run."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from platform_cli.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from platform_cli.layout import Layout
    from platform_cli.workflow.interface import Engine

STEP_CODE_PARAMETER = "step-code"
_SUFFIXES = (".yaml", ".yml")


def find_manifest(wanted: str | None, layout: Layout) -> Path:
    """The file behind `wanted`: a path, the name of a WorkflowTemplate, or None for the training pipeline.

    Raises:
        NotFoundError: no such file and no template of that name.
    """
    from pathlib import Path

    if wanted is None:
        return layout.training_workflow
    path = Path(wanted)
    if path.exists() or path.suffix in _SUFFIXES:
        return path
    return _find_template(wanted, layout)


def _find_template(name: str, layout: Layout) -> Path:
    templates = dict(_list_templates(layout))
    if name in templates:
        return templates[name]
    near = difflib.get_close_matches(name, templates, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"known templates: {', '.join(sorted(templates))}"
    raise NotFoundError(f"there is no file and no WorkflowTemplate `{name}`", hint=hint)


def _list_templates(layout: Layout) -> Iterable[tuple[str, Path]]:
    """The product's own templates and those in the project's `workflows/` folder, which win."""
    from platform_cli.workflow.source import load_manifests

    folders = (layout.assets / "pipelines", layout.project / "workflows")
    for file in (file for folder in folders for file in sorted(folder.rglob("*.yaml"))):
        for manifest in load_manifests(file):
            if manifest.data.get("kind") == "WorkflowTemplate":
                yield manifest.data["metadata"]["name"], file


def parse_parameters(pairs: Iterable[str], file: Path | None) -> dict[str, str]:
    """Parameters as Argo takes them: text by name. What stands on the command line wins over the file.

    Raises:
        UsageError: a pair has no `=`, or the file is not a mapping of names to plain values.
    """
    values = {} if file is None else _read_parameters(file)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"parameter `{pair}` is not of the form name=value", hint="write -p seed=7")
        values[name] = value
    return values


def locate_files(parameters: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Parameters in which values that name files below `folder` are absolute paths: a step runs in a folder of its own.

    A value is a path when it has a `.` or `/` in it and names a file, or is a glob that matches some.
    """
    return {name: str(folder / value) if _names_file(folder, value) else value for name, value in parameters.items()}


def _names_file(folder: Path, value: str) -> bool:
    import glob

    if "://" in value or not {".", "/"} & set(value):
        return False
    matches = glob.glob(value, root_dir=folder)  # noqa: PTH207 - it takes any text, Path.glob refuses some
    return any((folder / match).is_file() for match in matches)


def _read_parameters(file: Path) -> dict[str, str]:
    import json

    from platform_cli.workflow.source import load_manifests

    (manifest, *rest) = load_manifests(file)
    if rest:
        raise UsageError(f"{file} holds {len(rest) + 1} documents, one mapping of parameters is wanted")
    return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in manifest.data.items()}


def apply_step_code(manifest: Path, parameters: Mapping[str, str], engine: Engine) -> dict[str, str]:
    """Put the step code that lies beside a workflow file on the target, and tell the workflow its name.

    A workflow takes part when it declares the parameter `step-code` and has a folder `src` beside it.

    Returns:
        The parameters, with `step-code` where it was not given.
    """
    from platform_cli.workflow.source import load_manifests
    from platform_cli.workflow.step_code import step_code_files, step_code_name

    folder = manifest.parent / "src"
    declared = {name for document in load_manifests(manifest) for name in _declared_parameters(document.data)}
    if STEP_CODE_PARAMETER in parameters or STEP_CODE_PARAMETER not in declared or not folder.is_dir():
        return dict(parameters)
    name = step_code_name(folder)
    engine.apply_config_map(name, step_code_files(folder))
    return {**parameters, STEP_CODE_PARAMETER: name}


def _declared_parameters(data: Mapping[str, object]) -> list[str]:
    spec = data.get("spec")
    arguments = spec.get("arguments") if isinstance(spec, dict) else None
    listed = arguments.get("parameters") if isinstance(arguments, dict) else None
    return [item["name"] for item in listed or () if isinstance(item, dict) and "name" in item]
