"""Who drives or changes a run: the kernel's lock on a file in the run's folder, which ends with its holder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def try_hold(folder: Path) -> Iterator[bool]:
    """Be the only one who drives or changes the run in `folder` while the block runs; False when somebody else is."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
