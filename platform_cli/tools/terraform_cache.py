"""Where Terraform keeps providers for all targets, so that each is fetched once."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from platform_cli.events import Emit, Notice

_FOLDER = "TF_PLUGIN_CACHE_DIR"
_TRUST = "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE"
# Host, namespace, name, version, system.
_PACKAGES = "*/*/*/*/*"
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
    """Hold the folder of these variables while the block runs: Terraform counts on being the only one that fills it.

    What the block adds stays when it succeeds. When it fails, or is killed, the next one takes it away first: Terraform
    would trust half a provider like a whole one.
    """
    if not {_FOLDER, _TRUST} <= environ.keys():
        yield
        return
    folder = Path(environ[_FOLDER])
    with (folder / ".lock").open("a+") as lock:
        _hold(lock, folder, emit)
        whole = _read_whole(lock, folder)
        for package in _list_packages(folder) - whole:
            _remove(folder / package)
        _write(lock, json.dumps(sorted(whole)))
        yield
        _write(lock, "")


def _hold(lock: TextIO, folder: Path, emit: Emit) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        emit(Notice(level="info", text=_WAITING.format(folder=folder)))
        fcntl.flock(lock, fcntl.LOCK_EX)


def _read_whole(lock: TextIO, folder: Path) -> set[str]:
    """The packages that were there before a block that did not succeed; all of them when the last one did."""
    lock.seek(0)
    text = lock.read()
    return set(json.loads(text)) & _list_packages(folder) if text else _list_packages(folder)


def _list_packages(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.glob(_PACKAGES)}


def _remove(package: Path) -> None:
    # Of a mirror that has them unpacked, Terraform keeps links.
    if package.is_symlink():
        package.unlink()
    else:
        shutil.rmtree(package)


def _write(lock: TextIO, text: str) -> None:
    lock.truncate(0)
    lock.write(text)
    lock.flush()
