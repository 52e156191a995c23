"""A copy of the Terraform root in the target's folder: the checkout stays clean, and two projects stay apart."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platform_cli.clouds.terraform.backend import StateBackend
from platform_cli.errors import NotReadyError, UsageError
from platform_cli.layout import TargetHome
from platform_cli.stage import digest_of
from platform_cli.target import Target

_SUFFIXES = (".tf", ".tfvars", ".tfbackend", ".tpl", ".json", ".yaml", ".hcl")
_LEFT_OUT = ("tests", "examples", ".terraform")
_BACKEND = "mlops_backend.tf"
_VARIABLES = "mlops.auto.tfvars.json"
_LOCK_FILE = ".terraform.lock.hcl"
_OURS = (_BACKEND, _VARIABLES, _LOCK_FILE)
_ARGUMENTS = "state.tfbackend"
_ARGUMENT = re.compile(r'^\s*(\w+)\s*=\s*"?([^"\n]*?)"?\s*$', re.MULTILINE)
_LOCAL = {"path": "../../../state/terraform.tfstate"}


@dataclass(frozen=True, slots=True)
class WorkCopy:
    """Where the root of one target is worked in.

    Attributes:
        source: `infrastructure/terraform`.
        is_locked: the versions of the root's own lock file hold; a mirror may have others, or other files.
    """

    source: Path
    home: TargetHome
    target: Target
    is_locked: bool = True

    @property
    def name(self) -> str:
        """The root, such as `aws/dev`."""
        return str(self.target)

    @property
    def root(self) -> Path:
        """The folder that Terraform works in."""
        return self.home.terraform / "environments" / self.target.cloud / self.target.env

    @property
    def state(self) -> Path:
        """Terraform's state."""
        return self.home.terraform / "state" / "terraform.tfstate"

    @property
    def backend_file(self) -> Path:
        """The root's own arguments for a remote backend: the state's key and its locking."""
        return self.root / _ARGUMENTS

    @property
    def backend_arguments(self) -> dict[str, str]:
        """What the root's `state.tfbackend` says; empty when there is none."""
        return _read_arguments(self._source_root / _ARGUMENTS)

    @property
    def region(self) -> str:
        """The region in the root's own `terraform.tfvars`; empty when it names none."""
        return _read_arguments(self._source_root / "terraform.tfvars").get("region", "")

    @property
    def plans(self) -> Path:
        """Saved plans, each named for what it does."""
        return self.home.terraform / "plans"

    @property
    def lock(self) -> Path:
        """Held while Terraform works in the copy."""
        return self.home.terraform / "work.lock"

    def require_source(self) -> None:
        """Refuse what this version has no root for.

        Raises:
            UsageError: there is no such environment of that cloud.
            NotReadyError: the root has a backend of its own.
        """
        if not (self._source_root / "main.tf").is_file():
            known = ", ".join(sorted(path.parent.name for path in self._source_root.parent.glob("*/main.tf")))
            raise UsageError(
                f"there is no {self.name}", hint=f"--env {known}" if known else f"no root in {self.source}"
            )
        if (self._source_root / "backend.tf").exists():
            raise NotReadyError(
                f"{self._source_root / 'backend.tf'}: mlops writes the backend itself, and there can be only one",
                hint="remove the file; `mlops state bootstrap` says where the state lies",
            )

    def digest(self, variables: Mapping[str, Any]) -> str:
        """SHA-256 of everything Terraform is given: files and variables."""
        files = {name: digest_of(path.read_bytes().decode("utf-8", "replace")) for name, path in self._list_sources()}
        return digest_of([files, dict(variables)])

    def write(self, variables: Mapping[str, Any], backend: StateBackend) -> None:
        """Make the copy as the source is, its state in the backend; local state, providers and plans in it stay.

        Raises:
            UsageError: there is no such environment of that cloud.
            NotReadyError: the root has a backend of its own.
        """
        self.require_source()
        self.make_folders()
        wanted = {self.home.terraform / name: path.read_bytes() for name, path in self._list_sources()}
        wanted[self.root / _BACKEND] = _format_backend(backend).encode()
        wanted[self.root / _VARIABLES] = json.dumps(dict(variables), indent=2, sort_keys=True).encode() + b"\n"
        for path, content in wanted.items():
            _write_if_new(path, content)
        for path in self._list_copies():
            if path not in wanted and path.name not in _OURS:
                path.unlink()

    def make_folders(self) -> None:
        """Have the folders of copy, state and plans, closed to other users."""
        for folder in (self.home.terraform, self.state.parent, self.plans):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def list_code(self) -> list[Path]:
        """Every .tf file in the copy."""
        return [path for path in self._list_copies() if path.suffix == ".tf"]

    @property
    def _source_root(self) -> Path:
        return self.source / "environments" / self.target.cloud / self.target.env

    def _list_sources(self) -> Iterator[tuple[str, Path]]:
        for folder in (self.source / "modules", self._source_root):
            for path in _list_files(folder):
                if self.is_locked or path.name != _LOCK_FILE:
                    yield path.relative_to(self.source).as_posix(), path

    def _list_copies(self) -> list[Path]:
        return [*_list_files(self.home.terraform / "modules"), *_list_files(self.root)]


def _format_backend(backend: StateBackend) -> str:
    """The backend block; the local path is relative, so that the project's folder can be moved."""
    settings = _LOCAL if backend.kind == "local" else backend.settings
    lines = "".join(f"    {name} = {json.dumps(value)}\n" for name, value in sorted(settings.items()))
    return f'terraform {{\n  backend "{backend.kind}" {{\n{lines}  }}\n}}\n'


def _read_arguments(path: Path) -> dict[str, str]:
    """Lines such as `key = "value"`; empty when there is no such file."""
    return dict(_ARGUMENT.findall(path.read_text("utf-8"))) if path.is_file() else {}


def _list_files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        yield from (Path(place) / name for name in sorted(names) if name.endswith(_SUFFIXES))


def _write_if_new(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    fresh.chmod(0o600)
    fresh.replace(path)
