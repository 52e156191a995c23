"""Processes that belong to a target, found by what they use, not by what we remember."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from platform_cli.process import ProcessId, stop_tree

_GRACE_S = 5.0


def find_strays(root: Path) -> tuple[ProcessId, ...]:
    """Living processes, but this one and its parents, that were started for `root` or have a file of it open."""
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = [process for process in psutil.process_iter() if process.pid not in ours and _uses(process, str(root))]
    identities = [ProcessId.of(process.pid) for process in found]
    return tuple(identity for identity in identities if identity is not None and identity.alive)


def stop_strays(root: Path) -> int:
    """End every stray; returns how many there were."""
    strays = find_strays(root)
    for stray in strays:
        stop_tree(stray, grace_s=_GRACE_S)
    return len(strays)


def describe_stray(stray: ProcessId) -> str:
    """Such as `process 4711 (python -m …)`."""
    process = stray.find()
    command = " ".join(process.cmdline())[:80] if process else "ended meanwhile"
    return f"process {stray.pid} ({command})"


def _uses(process: psutil.Process, root: str) -> bool:
    try:
        named = any(_is_below(part, root) for part in process.cmdline())
        # Linux marks a folder that was removed under a process.
        folder = process.cwd().removesuffix(" (deleted)")
        return named or _is_below(folder, root) or _has_open(process, root)
    except psutil.Error:
        # Another user's process, or one that ended while we looked.
        return False


def _has_open(process: psutil.Process, root: str) -> bool:
    return any(_is_below(file.path, root) for file in process.open_files())


def _is_below(text: str, root: str) -> bool:
    """Whether a path, or a URL such as `sqlite:////…`, leads to the root or below it."""
    start = text.find(root)
    return start >= 0 and text[start + len(root) : start + len(root) + 1] in ("", "/")
