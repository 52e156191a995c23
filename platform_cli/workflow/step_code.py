"""The steps' code as a ConfigMap whose name carries the hash of its content.

A WorkflowTemplate names the ConfigMap in the default of its parameter `step-code`, and the hash of its own text in
`workflow-hash`. `python -m platform_cli.workflow.step_code --write` refreshes both in the training pipeline's file.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

from platform_cli.errors import UsageError

PREFIX = "training-steps-"
MAX_BYTES = 500_000
"""A ConfigMap holds 1 MiB at most, and etcd keeps every version of it."""

_HASH_DIGITS = 10
_DEFAULT = r'(?m)^(\s*- name: {name}\n\s*value: ")([^"\n]*)(")$'


def step_code_files(folder: Path) -> dict[str, bytes]:
    """The Python files of a folder by name, sorted: keys and values of the ConfigMap.

    Raises:
        UsageError: they are too large for a ConfigMap.
    """
    files = {path.name: path.read_bytes() for path in sorted(folder.glob("*.py"))}
    size = sum(map(len, files.values()))
    if size > MAX_BYTES:
        hint = "data belongs into an artifact, libraries into the steps' image; every .py file of that folder is sent"
        raise UsageError(f"{folder}: {size} bytes of step code, a ConfigMap of ours may hold {MAX_BYTES}", hint=hint)
    return files


def step_code_name(folder: Path) -> str:
    """The ConfigMap's name: it changes whenever a name or a byte of the step code does."""
    digest = hashlib.sha256()
    for name, content in step_code_files(folder).items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return PREFIX + digest.hexdigest()[:_HASH_DIGITS]


def refresh_defaults(text: str, code_name: str) -> str:
    """A workflow file's text with both defaults set; the hash covers everything but the defaults themselves.

    Raises:
        ValueError: the file lacks one of the two parameters.
    """
    blank = _set_default(_set_default(text, "workflow-hash", ""), "step-code", "")
    workflow_hash = hashlib.sha256(blank.encode()).hexdigest()[:_HASH_DIGITS]
    return _set_default(_set_default(text, "workflow-hash", workflow_hash), "step-code", code_name)


def _set_default(text: str, name: str, value: str) -> str:
    changed, found = re.subn(_DEFAULT.format(name=re.escape(name)), rf"\g<1>{value}\g<3>", text)
    if found != 1:
        raise ValueError(f"expected one parameter '{name}' with a quoted default, found {found}")
    return changed


def main(arguments: list[str]) -> int:
    """Check that the training pipeline's defaults are fresh; with `--write`, make them so."""
    from platform_cli.layout import Layout, find_assets

    manifest = Layout(assets=find_assets(), project=Path.cwd()).training_workflow
    text = manifest.read_text(encoding="utf-8")
    fresh = refresh_defaults(text, step_code_name(manifest.parent / "src"))
    if "--write" in arguments and fresh != text:
        manifest.write_text(fresh, encoding="utf-8")
        text = fresh
    return int(fresh != text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
