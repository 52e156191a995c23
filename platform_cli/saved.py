"""A plan in a file: what `mlops plan --save` writes and `mlops deploy FILE` carries out, or refuses when it is stale.

A zip of `plan.json` and, where Terraform has a part in it, Terraform's own saved plan, which holds secrets in clear:
only its owner can read the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from platform_cli.errors import NotFoundError, RefusedError, StateError, ToolError
from platform_cli.plan import SCHEMA_VERSION, Plan
from platform_cli.stage import TerraformRoot

_DOCUMENT = "plan.json"
_TERRAFORM = "terraform.tfplan"


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan that was read from a file.

    Attributes:
        target: such as `aws/dev`.
        digest: the plan's SHA-256: what is carried out must have the same.
        terraform: Terraform's saved plan, in a temporary file; None when it has no part in it.
    """

    file: Path
    operation: str
    target: str
    digest: str
    terraform: Path | None

    def require_same(self, plan: Plan) -> None:
        """Refuse to go on when what would be done now is not what was saved.

        Raises:
            RefusedError: it is for another target, or stale.
        """
        if (self.operation, self.target) != (plan.operation.value, plan.target):
            raise RefusedError(
                f"{self.file} is a plan to {self.operation} {self.target}, not to {plan.operation} {plan.target}",
                hint="name its target with --cloud and --env",
            )
        if self.digest != plan.digest:
            raise RefusedError(
                f"{self.file} is stale: files, configuration or the platform changed since; nothing was changed",
                hint="look at a new one: mlops plan --save FILE",
            )


def write_saved(path: Path, plan: Plan) -> None:
    """Write a plan into a file that only its owner can read; an older one is replaced.

    Raises:
        ToolError: it cannot be written.
    """
    works = [planned.stage.work for planned in plan.stages]
    roots = [work.plan for work in works if isinstance(work, TerraformRoot) and work.plan is not None]
    fresh = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_DOCUMENT, json.dumps(plan.to_document()))
            for root in roots:
                archive.write(root, _TERRAFORM)
        fresh.replace(path)
    except OSError as error:
        raise ToolError(f"cannot write {path}: {error.strerror}") from error


@contextlib.contextmanager
def open_saved(path: Path) -> Iterator[SavedPlan]:
    """Read a saved plan; Terraform's part is in a temporary file while the block runs.

    Raises:
        NotFoundError: there is no such file.
        StateError: it is no saved plan, or one of another version.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-plan-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                found = json.loads(archive.read(_DOCUMENT))
                names = archive.namelist()
                terraform = Path(archive.extract(_TERRAFORM, folder)) if _TERRAFORM in names else None
            if found["schema_version"] != SCHEMA_VERSION:
                raise StateError(f"{path} is a plan of another version of mlops", hint="make it again")
            saved = SavedPlan(path, found["operation"], found["target"], found["digest"], terraform)
        except FileNotFoundError as error:
            raise NotFoundError(f"there is no {path}", hint="mlops plan --save FILE writes one") from error
        except (zipfile.BadZipFile, ValueError, KeyError, TypeError, OSError) as error:
            raise StateError(f"{path} is no saved plan", hint="mlops plan --save FILE writes one") from error
        yield saved
