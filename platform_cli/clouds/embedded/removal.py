"""Taking a target away, and looking for anything that is left."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psutil

from platform_cli.clouds.embedded import files
from platform_cli.clouds.embedded.observation import list_live_runs
from platform_cli.clouds.embedded.strays import describe_stray, find_strays, stop_strays
from platform_cli.clouds.interface import Proof
from platform_cli.errors import StateError
from platform_cli.journal import list_files
from platform_cli.layout import TargetHome
from platform_cli.process import ProcessId
from platform_cli.stage import RemoveFiles

if TYPE_CHECKING:
    from platform_cli.workflow.interface import Engine


_CONNECT_S = 1.0


def stop_runs(home: TargetHome, engine: Callable[[], Engine]) -> str:
    """End every run in order; what a broken run database hides is ended with the strays."""
    try:
        runs = list_live_runs(home, engine)
    except StateError as error:
        return error.message
    for run in runs:
        # A run may end between our look and our word.
        with contextlib.suppress(StateError):
            engine().stop(run)
    return f"{len(runs)} stopped"


def remove_files(work: RemoveFiles, home: TargetHome) -> str:
    """Remove the files; the journal goes last, by the command that writes it."""
    strays = stop_strays(home.root)
    count = files.remove_tree(work.root, keep=(*work.keep, *list_files(home.journal)))
    ended = f", {strays} stray processes ended" if strays else ""
    return f"{count} entries below {work.root}{ended}"


def prove_gone(home: TargetHome, listeners: Collection[str], keep: Collection[Path]) -> Proof:
    """Look for processes, listeners and files of the target.

    Args:
        home: the target's folder.
        listeners: addresses (URLs) where servers of the target listened before.
        keep: paths that are to stay.
    """
    strays = find_strays(home.root)
    processes = [describe_stray(stray) for stray in strays]
    listening = [f"{url} still answers" for url in listeners if _answers(url) and not _is_foreign(url, strays)]
    left = [str(path) for path in files.list_entries(home.root) if path not in keep]
    if not keep and home.root.exists():
        left.append(str(home.root))
    checked = (
        f"no process uses {home.root}",
        f"nothing answers at {', '.join(listeners)}" if listeners else "no port was in use",
        f"no file below {home.root}" + (" but what was kept" if keep else ""),
    )
    return Proof(checked, (*processes, *listening, *left), tuple(str(path) for path in keep if path.exists()))


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=_CONNECT_S):
            return True
    except OSError:
        return False


def _is_foreign(url: str, strays: Collection[ProcessId]) -> bool:
    """Whether only processes that do not use the target listen there: somebody took the port after our server left."""
    port = urlsplit(url).port
    ours = {os.getpid(), *(stray.pid for stray in strays)}
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        # macOS tells this to root only; then what answers counts as left.
        return False
    listening = [found for found in connections if found.status == psutil.CONN_LISTEN]
    holders = {found.pid for found in listening if getattr(found.laddr, "port", None) == port}
    return bool(holders) and not holders & ours
