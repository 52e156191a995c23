"""SQLite waits for most locks by itself, but not for the one that turns on write-ahead mode."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

_RETRY_S = 0.01


def outwait(work: Callable[[], None], patience_s: float) -> None:
    """Do the work, again and again while another process holds the lock it needs.

    Raises:
        sqlite3.OperationalError: it was still locked when patience ended, or something else failed.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            if not is_busy(error) or time.monotonic() >= deadline:
                raise
        time.sleep(_RETRY_S)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another process' lock was in the way."""
    return code_of(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def code_of(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where Python raised the error itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
