"""What a workflow needs from the submitting machine: its step code, its commit, and paths that hold everywhere.

A workflow asks for each by declaring it, so nothing here knows a workflow's name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.errors import UsageError
from platform_cli.workflow.source import load_manifests

if TYPE_CHECKING:
    from platform_cli.workflow.interface import Engine

STEP_CODE_PARAMETER = "step-code"
COMMIT_PARAMETER = "git-commit"
PATHS_ANNOTATION = "mlops.dev/path-parameters"
_HASH_DIGITS = 12


def prepare_parameters(manifest: Path, given: Mapping[str, str], engine: Engine) -> dict[str, str]:
    """The parameters to submit with: those given, with relative paths made absolute, and those we can fill in.

    Steps that run elsewhere see no file of this machine: a relative path is refused.

    A declared `step-code` gets the folder `src` beside the file, put on the target as a ConfigMap; a declared
    `git-commit` gets the file's checkout, as `COMMIT` or `COMMIT+HASH` of what is not committed.

    Raises:
        UsageError: a path that the steps cannot see.
    """
    documents = [document.data for document in load_manifests(manifest)]
    missing = {name for document in documents for name in _declared_parameters(document)} - set(given)
    paths = {name for document in documents for name in _path_parameters(document)}
    place = _refuse_relative if engine.is_remote else _absolute
    parameters = {name: place(name, value) if name in paths else value for name, value in given.items()}
    if STEP_CODE_PARAMETER in missing and (manifest.parent / "src").is_dir():
        parameters[STEP_CODE_PARAMETER] = _apply_step_code(manifest.parent / "src", engine)
    if COMMIT_PARAMETER in missing:
        parameters[COMMIT_PARAMETER] = describe_commit(manifest.parent)
    return parameters


def _declared_parameters(document: Mapping[str, Any]) -> Iterable[str]:
    listed = _member(_member(document, "spec"), "arguments").get("parameters")
    return [str(item["name"]) for item in listed or () if isinstance(item, dict) and "name" in item]


def _path_parameters(document: Mapping[str, Any]) -> list[str]:
    annotations = _member(_member(document, "metadata"), "annotations")
    return str(annotations.get(PATHS_ANNOTATION, "")).split()


def _member(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _absolute(_name: str, value: str) -> str:
    """A relative path as seen from here; a URL, and a plain word that is no file (a built-in data set), stay."""
    return str(Path(value).absolute()) if _is_path(value) else value


def _refuse_relative(name: str, value: str) -> str:
    if _is_path(value) and not value.startswith("/"):
        hint = "give a URL (s3://…, gs://…, https://…), or an absolute path that exists in the step's image"
        raise UsageError(f"parameter {name}: the cluster cannot see {value}, a path on this machine", hint=hint)
    return value


def _is_path(value: str) -> bool:
    return "://" not in value and (Path(value).is_file() or any(sign in value for sign in "/.*?["))


def _apply_step_code(folder: Path, engine: Engine) -> str:
    from platform_cli.workflow.step_code import step_code_files, step_code_name

    name = step_code_name(folder)
    engine.apply_config_map(name, step_code_files(folder))
    return name


def describe_commit(folder: Path) -> str:
    """The commit that is checked out around `folder`; empty outside a checkout or without git."""
    from platform_cli.process import read_output

    commit = read_output(("git", "rev-parse", "HEAD"), cwd=folder)
    if commit is None:
        return ""
    difference = read_output(("git", "diff", "HEAD"), cwd=folder) or b""
    dirty = f"+{hashlib.sha256(difference).hexdigest()[:_HASH_DIGITS]}" if difference else ""
    return commit.decode().strip() + dirty
