"""The state as a file on this machine; Terraform's lock is the kernel's on the file, the holder's text lies beside."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from platform_cli.clouds.terraform.backend import Blob, Lock, Settings, Version, parse_lock
from platform_cli.errors import StateError

_KEPT = 30


class LocalBackend:
    """A state file. Older versions are copies in `backups` beside it, which our commands make.

    The kernel's lock ends with the first of our handles on the file that is closed: while we hold it there is only one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held: IO[bytes] | None = None

    @property
    def kind(self) -> str:
        """See `StateBackend.kind`."""
        return "local"

    @property
    def place(self) -> str:
        """See `StateBackend.place`."""
        return str(self.path)

    @property
    def settings(self) -> Settings:
        """See `StateBackend.settings`."""
        return {"path": str(self.path)}

    @property
    def backups(self) -> Path:
        """Where copies lie."""
        return self.path.parent / "backups"

    def read(self, version: str = "") -> Blob | None:
        """See `StateBackend.read`."""
        path = self._find(version) if version else self.path
        if path is None or not path.is_file() or not path.stat().st_size:
            return None
        if self._held is not None and not version:
            self._held.seek(0)
            return Blob(self._held.read(), version, path.stat().st_mtime)
        return Blob(path.read_bytes(), version, path.stat().st_mtime)

    def write(self, content: bytes) -> None:
        """See `StateBackend.write`."""
        self.keep()
        with contextlib.ExitStack() as stack:
            file = self._held or stack.enter_context(_open_private(self.path))
            # In place: a Terraform that waits for the lock has the file open already.
            file.seek(0)
            file.truncate()
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def keep(self) -> Version | None:
        """Copy the state to the backups, unless the newest copy is the same; None when there is no state."""
        found = self.read()
        if found is None:
            return None
        newest = next(iter(self._list_copies()), None)
        if newest is None or newest.read_bytes() != found.content:
            stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(found.written))
            newest = self._free_name(stamp)
            _write_private(newest, found.content)
            for old in self._list_copies()[_KEPT:]:
                old.unlink()
        return Version(newest.stem, newest.stat().st_mtime)

    def list_versions(self) -> tuple[Version, ...]:
        """See `StateBackend.list_versions`."""
        copies = tuple(Version(path.stem, path.stat().st_mtime) for path in self._list_copies())
        found = self.read()
        return (Version("", found.written, current=True), *copies) if found else copies

    def read_lock(self) -> Lock | None:
        """See `StateBackend.read_lock`. The text stays when its writer was killed; the kernel's lock does not."""
        held = self.is_held()
        if self._lock_text.is_file():
            return parse_lock(self._lock_text.read_bytes())
        return Lock(id="") if held else None

    def is_held(self) -> bool:
        """Whether a living process holds the lock: the kernel knows."""
        if self._held is not None or not self.path.is_file():
            return self._held is not None
        with self.path.open("r+b") as file:
            return not _try_lock(file)

    @contextlib.contextmanager
    def hold_lock(self, lock: Lock) -> Iterator[None]:
        """See `StateBackend.hold_lock`."""
        with _open_private(self.path) as file:
            if self._held is not None or not _try_lock(file):
                raise StateError(f"{self.place} is locked", hint="mlops state lock tells by whom")
            self._held = file
            _write_private(self._lock_text, lock.to_text(str(self.path)))
            try:
                yield
            finally:
                self._held = None
                self._lock_text.unlink(missing_ok=True)

    def break_lock(self, lock: Lock) -> None:
        """See `StateBackend.break_lock`. Only the text can be taken away; the kernel's lock ends with its holder."""
        found = self.read_lock()
        if found is not None and found.id == lock.id and not self.is_held():
            self._lock_text.unlink(missing_ok=True)

    def read_note(self, name: str) -> bytes | None:
        """See `StateBackend.read_note`."""
        path = self._note(name)
        return path.read_bytes() if path.is_file() else None

    def write_note(self, name: str, content: bytes) -> None:
        """See `StateBackend.write_note`."""
        _write_private(self._note(name), content)

    def remove_note(self, name: str) -> None:
        """See `StateBackend.remove_note`."""
        self._note(name).unlink(missing_ok=True)

    @property
    def _lock_text(self) -> Path:
        return self.path.with_name(f".{self.path.name}.lock.info")

    def _note(self, name: str) -> Path:
        return self.path.with_name(f"{name}.json")

    def _find(self, version: str) -> Path | None:
        return next((path for path in self._list_copies() if path.stem == version), None)

    def _list_copies(self) -> list[Path]:
        """The newest first."""
        return sorted(self.backups.glob("*.tfstate"), key=lambda path: path.stem, reverse=True)

    def _free_name(self, stamp: str) -> Path:
        """Names sort by time: a second copy within a second gets a number."""
        count = sum(path.stem.startswith(stamp) for path in self._list_copies())
        return self.backups / (f"{stamp}-{count}.tfstate" if count else f"{stamp}.tfstate")


def _open_private(path: Path) -> IO[bytes]:
    """Open for reading and writing; made, readable by its owner alone, when it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _write_private(path: Path, content: bytes) -> None:
    """Replace a file at once; only its owner can read it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    fresh.replace(path)
