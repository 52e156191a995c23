"""Whether a work copy needs `terraform init` again: not while all that init depends on is as it was."""

from __future__ import annotations

from pathlib import Path

from platform_cli.clouds.terraform.work_copy import WorkCopy
from platform_cli.stage import digest_of
from platform_cli.tools.terraform import Terraform

_STAMP = "mlops-ready"
_LOCK_FILE = ".terraform.lock.hcl"


def is_ready(copy: WorkCopy, terraform: Terraform) -> bool:
    """Whether the last init still holds, and what it fetched is still there."""
    data = copy.root / ".terraform"
    stamp = data / _STAMP
    if not stamp.is_file() or stamp.read_text("utf-8") != _digest(copy, terraform):
        return False
    # Providers are links into mirrors and caches, which others may have emptied.
    return all(path.is_dir() and any(path.iterdir()) for path in data.glob("providers/*/*/*/*/*"))


def remember(copy: WorkCopy, terraform: Terraform) -> None:
    """Note that init went well with what there is now."""
    stamp = copy.root / ".terraform" / _STAMP
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(_digest(copy, terraform), encoding="utf-8")


def forget(copy: WorkCopy) -> None:
    """Let the next plan begin with init."""
    (copy.root / ".terraform" / _STAMP).unlink(missing_ok=True)


def _digest(copy: WorkCopy, terraform: Terraform) -> str:
    """Of the program, its mirrors, the lock file and every .tf file: modules and providers are named in any of them."""
    program = Path(terraform.executable.argv[0])
    found = program.stat() if program.is_file() else None
    texts = {str(path): _read(path) for path in (*copy.list_code(), copy.backend_file, copy.root / _LOCK_FILE)}
    return digest_of([terraform.executable.argv, found and found.st_mtime, terraform.options.plugin_dirs, texts])


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() else ""
