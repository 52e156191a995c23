"""Brings a release that Helm left half done back to where Helm goes on from."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from platform_cli.errors import StateError
from platform_cli.events import Emit, Notice
from platform_cli.tools.kubernetes_kind import SECRET

if TYPE_CHECKING:
    from platform_cli.tools.helm import Helm, Release
    from platform_cli.tools.kubernetes import Kubernetes

_GOOD = ("deployed", "superseded")
PENDING = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")
# Helm writes when a revision was begun; one that is younger may be another command's that still runs.
_FRESH_S = 30.0


def repair(kubernetes: Kubernetes, helm: Helm, release: Release, emit: Emit) -> None:
    """Roll a pending or failed release back to its last good revision; uninstall one that never had any.

    Raises:
        StateError: it was begun moments ago: another command may be at it.
        MlopsError: Helm failed.
    """
    if release.status == "deployed":
        return
    good = find_last_good(kubernetes, release)
    if good is None:
        _say(emit, release, "uninstalled, since no revision of it was ever good")
        helm.uninstall(release.name, release.namespace)
    elif release.status in PENDING:
        _say(emit, release, f"rolled back to revision {good}")
        helm.rollback(release.name, release.namespace, good)


def find_last_good(kubernetes: Kubernetes, release: Release, *, newest: int | None = None) -> int | None:
    """The newest revision, up to `newest`, that was ever deployed; None when none was."""
    found = kubernetes.list(SECRET, release.namespace, labels=f"owner=helm,name={release.name}")
    revisions = [
        int(item["metadata"]["labels"]["version"])
        for item in found
        if item["metadata"]["labels"].get("status") in _GOOD
    ]
    return max((number for number in revisions if newest is None or number <= newest), default=None)


def require_idle(kubernetes: Kubernetes, release: Release) -> None:
    """Refuse to touch a release that another command began moments ago.

    Raises:
        StateError: it did.
    """
    if release.status not in PENDING:
        return
    name = f"sh.helm.release.v1.{release.name}.v{release.revision}"
    found = kubernetes.get(SECRET, name, release.namespace)
    labels = found["metadata"].get("labels") or {} if found else {}
    begun = float(labels.get("modifiedAt") or labels.get("createdAt") or 0)
    age_s = time.time() - begun
    if 0 <= age_s < _FRESH_S:
        raise StateError(
            f"release {release.namespace}/{release.name} is {release.status} since {age_s:.0f} s: "
            "another command may be at it",
            hint=f"wait until it ends; after {_FRESH_S:g} s it counts as left behind, and is mended",
        )


def _say(emit: Emit, release: Release, what: str) -> None:
    text = (
        f"release {release.namespace}/{release.name} was left {release.status} at revision {release.revision}: {what}"
    )
    emit(Notice(level="warning", text=text))
