"""Where Terraform keeps providers for all targets, so that each is fetched once."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator, Mapping
from pathlib import Path

from platform_cli.events import Emit, Notice

_FOLDER = "TF_PLUGIN_CACHE_DIR"
_TRUST = "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE"
_WAITING = "another command fetches providers into {folder}: waiting for it"


def share_providers(environ: Mapping[str, str]) -> dict[str, str]:
    """Variables that make every Terraform use one folder, which is made; none where the user chose another.

    A root has no lock file before its first init. Without the second variable that init would fetch the providers once
    more, and write them over those that the Terraform of another target runs: "text file busy".
    """
    if _FOLDER in environ:
        return {}
    root = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = root / "mlops" / "terraform-plugins"
    folder.mkdir(parents=True, exist_ok=True)
    return {_FOLDER: str(folder), _TRUST: "true"}


@contextlib.contextmanager
def filling(environ: Mapping[str, str], emit: Emit) -> Iterator[None]:
    """Hold the folder of these variables while the block runs: Terraform counts on being the only one that fills it."""
    if not {_FOLDER, _TRUST} <= environ.keys():
        yield
        return
    folder = Path(environ[_FOLDER])
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            emit(Notice(level="info", text=_WAITING.format(folder=folder)))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
