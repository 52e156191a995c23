"""Downloads charts from repositories and OCI registries, with the library or else with the program."""

from __future__ import annotations

import os
from pathlib import Path

from platform_cli.errors import ToolError
from platform_cli.tools.helm import find_helm, has_library, require_library


def pull(reference: str, *, repository: str, version: str, folder: Path) -> Path:
    """Download one chart as an archive into `folder`.

    Args:
        reference: a name in a repository, or `oci://…`.
        repository: URL of the repository; empty with `oci://`.
        version: exact.
        folder: empty.

    Raises:
        ToolError: it cannot be had; the message has Helm's reason.
        PreflightError: there is no Helm on this machine.
    """
    executable = None if has_library() else find_helm(os.environ)
    if executable is not None:
        _pull_by_program(executable, reference, repository, version, folder)
    else:
        require_library()
        _pull_by_library(reference, repository, version, folder)
    found = sorted(folder.glob("*.tgz"))
    if len(found) != 1:
        raise ToolError(f"chart {reference} {version}: Helm left {len(found)} archives")
    return found[0]


def _pull_by_library(reference: str, repository: str, version: str, folder: Path) -> None:
    import helm_python

    try:
        helm_python.pull(reference, destination=folder, repo_url=repository or None, version=version)
    except helm_python.HelmError as error:
        raise _refuse(reference, version, error.detail) from error


def _pull_by_program(executable: str, reference: str, repository: str, version: str, folder: Path) -> None:
    import asyncio

    from pyhelm3 import Command
    from pyhelm3.errors import Error

    words = ["pull", reference, "--version", version, "--destination", folder]
    words += ["--repo", repository] if repository else []
    try:
        asyncio.run(Command(executable=executable).run(words))
    except Error as error:
        raise _refuse(reference, version, error.stderr.decode("utf-8", "replace")) from error


def _refuse(reference: str, version: str, reason: str) -> ToolError:
    lines = reason.strip().splitlines() or ["no reason given"]
    first = lines[-1].removeprefix("Error: ")
    hint = "in a closed network: mlops charts mirror on a machine that reaches it, then charts.source: folder"
    return ToolError(f"chart {reference} {version} cannot be downloaded: {first}", hint=hint)
