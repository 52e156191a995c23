"""Where a model comes from: code, data, environment, seed, workflow."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from importlib.metadata import distributions
from pathlib import Path

UNKNOWN = "unknown"
_DIGITS = 12
_GIT_SECONDS = 10


def git_commit(folder: Path) -> str:
    """The commit that is checked out in a folder, `+` a hash of what differs from it; `unknown` without git."""
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "diff", "HEAD", "--binary")
    if commit is None or changes is None:
        return UNKNOWN
    return commit.strip() + (f"+{hashlib.sha256(changes.encode()).hexdigest()[:_DIGITS]}" if changes else "")


def environment_lock() -> tuple[str, str]:
    """All installed distributions, one `name==version` a line and sorted; and the hash of that text and of Python."""
    lines = sorted({f"{item.name.lower().replace('_', '-')}=={item.version}" for item in distributions()})
    text = "\n".join((f"# Python {platform.python_version()}", *lines)) + "\n"
    return text, hashlib.sha256(text.encode()).hexdigest()


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            check=True,
            timeout=_GIT_SECONDS,
            encoding="utf-8",
            errors="replace",
        )
    except (OSError, subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    return done.stdout
