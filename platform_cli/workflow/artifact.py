"""Artifacts, kept by content: the same bytes are stored once, and a key tells whether they are still intact.

A file's key is `sha256/ab/<digest>`; a folder's is the key of its manifest, `sha256/ab/<digest>.dir`: a JSON list of
entries whose files are kept like any other file. Copying the store's folder into a bucket keeps every key valid.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from platform_cli.errors import StateError

_CHUNK_BYTES = 1 << 20
_FOLDER_SUFFIX = ".dir"
_READ_ONLY = 0o444


class ArtifactStore:
    """Content-addressed files and folders below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, path: Path) -> str:
        """Keep a file or folder; returns its key.

        Raises:
            OSError: it cannot be read, is neither a file nor a folder, or the disk is full.
        """
        if not path.is_dir():
            return self._put_file(path)
        manifest = [self._put_entry(path, entry) for entry in sorted(path.rglob("*"))]
        return self._put_bytes(json.dumps(manifest, sort_keys=True).encode(), _FOLDER_SUFFIX)

    def get(self, key: str, target: Path, *, mode: int | None = None) -> None:
        """Copy what `key` stands for to `target`, which the caller may change freely.

        Raises:
            StateError: it is gone from the store.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        if key.endswith(_FOLDER_SUFFIX):
            target.mkdir(exist_ok=True)
            for entry in self._manifest(key):
                self._get_entry(entry, target / entry["path"])
        else:
            self._copy(key, target, 0o644)
        if mode is not None:
            target.chmod(mode)

    def blobs(self, key: str) -> tuple[str, ...]:
        """The keys of all files that `key` needs, itself included."""
        if not key.endswith(_FOLDER_SUFFIX):
            return (key,)
        return (key, *(entry["key"] for entry in self._manifest(key) if "key" in entry))

    def is_intact(self, key: str) -> bool:
        """Whether everything `key` needs is there and still has its digest."""
        try:
            return all(_digest(self.root / blob) == Path(blob).stem for blob in self.blobs(key))
        except (OSError, StateError, ValueError):
            return False

    def discard(self, key: str) -> None:
        """Remove one file of the store."""
        (self.root / key).unlink(missing_ok=True)

    def _put_entry(self, folder: Path, path: Path) -> dict[str, Any]:
        entry: dict[str, Any] = {"path": str(path.relative_to(folder))}
        if path.is_symlink():
            return entry | {"link": str(path.readlink())}
        if path.is_dir():
            return entry | {"folder": True}
        return entry | {"key": self._put_file(path), "mode": path.stat().st_mode & 0o777}

    def _get_entry(self, entry: dict[str, Any], target: Path) -> None:
        if "link" in entry:
            target.symlink_to(entry["link"])
        elif "folder" in entry:
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._copy(entry["key"], target, entry["mode"])

    def _copy(self, key: str, target: Path, mode: int) -> None:
        try:
            target.unlink(missing_ok=True)
            shutil.copyfile(self.root / key, target)
        except FileNotFoundError as error:
            raise StateError(f"artifact {key} is gone from {self.root}", hint="run again with --no-cache") from error
        target.chmod(mode)

    def _manifest(self, key: str) -> list[dict[str, Any]]:
        try:
            manifest: list[dict[str, Any]] = json.loads((self.root / key).read_bytes())
        except FileNotFoundError as error:
            raise StateError(f"artifact {key} is gone from {self.root}", hint="run again with --no-cache") from error
        return manifest

    def _put_file(self, path: Path) -> str:
        digest = hashlib.sha256()
        with path.open("rb") as source, self._temporary() as target:
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
                target.write(chunk)
            return self._keep(target, digest.hexdigest(), "")

    def _put_bytes(self, data: bytes, suffix: str) -> str:
        with self._temporary() as target:
            target.write(data)
            return self._keep(target, hashlib.sha256(data).hexdigest(), suffix)

    def _temporary(self) -> Any:
        self.root.mkdir(parents=True, exist_ok=True)
        return _Temporary(self.root)

    def _keep(self, target: Any, digest: str, suffix: str) -> str:
        key = f"sha256/{digest[:2]}/{digest}{suffix}"
        home = self.root / key
        home.parent.mkdir(parents=True, exist_ok=True)
        target.rename_to(home)
        return key


class _Temporary:
    """A file that is gone after the block unless it was given its final name."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.NamedTemporaryFile(dir=folder, delete=False)  # noqa: SIM115 - closed in __exit__

    def __enter__(self) -> Self:
        return self

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def rename_to(self, path: Path) -> None:
        self._file.close()
        Path(self._file.name).chmod(_READ_ONLY)
        Path(self._file.name).replace(path)

    def __exit__(self, *_: object) -> None:
        self._file.close()
        Path(self._file.name).unlink(missing_ok=True)


def unpack(path: Path) -> None:
    """Replace a tar archive (compressed or not) by what is in it: one member becomes `path` itself, more a folder.

    As the executor on a cluster does with an input that came as an archive.
    """
    folder = Path(tempfile.mkdtemp(dir=path.parent))
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    path.unlink()
    members = list(folder.iterdir())
    if len(members) == 1:
        members[0].replace(path)
        folder.rmdir()
    else:
        folder.replace(path)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK_BYTES):
            yield chunk


def remove_tree(path: Path) -> None:
    """Delete a folder whatever permissions a step has put on what is in it."""

    def allow(_function: Any, name: str, _error: Any) -> None:
        blocked = Path(name)
        if blocked.parent.is_relative_to(path):
            blocked.parent.chmod(0o700)
        if blocked.is_dir() and not blocked.is_symlink():
            blocked.chmod(0o700)
            shutil.rmtree(blocked)
        else:
            blocked.unlink(missing_ok=True)

    if path.exists():
        if sys.version_info >= (3, 12):
            shutil.rmtree(path, onexc=allow)
        else:
            shutil.rmtree(path, onerror=allow)


def remove_files(path: Path) -> None:
    """Delete what takes space below a folder, not the folders; what cannot be deleted stays."""
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                os.unlink(f"{folder}/{name}")  # noqa: PTH108 - os.walk has text
