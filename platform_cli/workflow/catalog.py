"""Which workflow file is meant, and which parameters a person gave it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from platform_cli.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from platform_cli.layout import Layout

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


def _read_parameters(file: Path) -> dict[str, str]:
    import json

    from platform_cli.workflow.source import load_manifests

    (manifest, *rest) = load_manifests(file)
    if rest:
        raise UsageError(f"{file} holds {len(rest) + 1} documents, one mapping of parameters is wanted")
    return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in manifest.data.items()}
