"""One command at a time changes a cluster, from whichever machine: a Lease on the cluster says who does.

A lease that its holder no longer renews, since it was killed or lost its network, runs out by itself.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.errors import MlopsError, StateError
from platform_cli.tools.kubernetes_error import is_conflict
from platform_cli.tools.kubernetes_kind import Kind
from platform_cli.whoami import this_user

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

LEASE_NAME = "mlops"
"""Whoever changes the platform on a cluster holds this one."""
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases", namespaced=True)
NAMESPACE = "kube-system"
_LASTS_S = 30
_RENEW_S = 8.0
_PATIENCE_S = 5.0


@contextlib.contextmanager
def hold_lease(kubernetes: Kubernetes, name: str, *, home: Path, command: str) -> Iterator[None]:
    """Hold the lease `name` while the block runs.

    Args:
        kubernetes: the cluster.
        name: of the lease; commands that may not meet use the same.
        home: the target's folder, whose own lock is held: a lease from there was left behind, and is taken over.
        command: what people know the holder by.

    Raises:
        StateError: another command holds it; the message says which.
    """
    from platform_cli.tools.kubernetes import Kubernetes

    holder = f"{this_user()}:{home}"
    try:
        _acquire(kubernetes, name, holder, f"{command} (process {os.getpid()})")
    except MlopsError as error:
        if not is_conflict(error):
            raise
        # Ours after all when the answer to a first try was lost on its way.
        found = kubernetes.get(LEASE, name, NAMESPACE) or {}
        if found.get("spec", {}).get("holderIdentity") != holder:
            raise _taken(found) from error
    # A cluster that is gone by the end, with its lease, is not waited for.
    held = _Held(Kubernetes(kubernetes.access, timeout_s=_PATIENCE_S, patience_s=_PATIENCE_S), name, holder)
    ended = threading.Event()
    renewing = threading.Thread(target=held.keep, args=(ended,), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        with contextlib.suppress(MlopsError):
            held.drop()


@dataclass(frozen=True, slots=True)
class _Held:
    """A lease of ours; one that ran out while we could not renew it may be somebody else's, and is left alone."""

    kubernetes: Kubernetes
    name: str
    holder: str

    def keep(self, ended: threading.Event) -> None:
        """Renew it until the end, in a thread of its own; an API that is away for a moment is tried again."""
        while not ended.wait(_RENEW_S):
            with contextlib.suppress(MlopsError):
                found = self._find()
                if found is None:
                    return
                metadata = {"resourceVersion": found["metadata"]["resourceVersion"]}
                body = {"metadata": metadata, "spec": {"renewTime": _now()}}
                self.kubernetes.patch(LEASE, self.name, NAMESPACE, body)

    def drop(self) -> None:
        """Let others have it at once."""
        if self._find() is not None:
            self.kubernetes.delete(LEASE, self.name, NAMESPACE)

    def _find(self) -> dict[str, Any] | None:
        found = self.kubernetes.get(LEASE, self.name, NAMESPACE)
        return found if found and found["spec"].get("holderIdentity") == self.holder else None


def _acquire(kubernetes: Kubernetes, name: str, holder: str, command: str) -> None:
    """Make the lease, or take over one that ran out; the API refuses whoever comes second."""
    found = kubernetes.get(LEASE, name, NAMESPACE)
    spec = {"holderIdentity": holder, "leaseDurationSeconds": _LASTS_S, "renewTime": _now()}
    annotations = {"mlops.io/command": command}
    if found is None:
        metadata = {"name": name, "namespace": NAMESPACE, "annotations": annotations}
        kubernetes.create({"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": spec})
        return
    if found["spec"].get("holderIdentity") != holder and not _has_run_out(found["spec"]):
        raise _taken(found)
    metadata = {"resourceVersion": found["metadata"]["resourceVersion"], "annotations": annotations}
    kubernetes.patch(LEASE, name, NAMESPACE, {"metadata": metadata, "spec": spec})


def _has_run_out(spec: Mapping[str, Any]) -> bool:
    renewed = datetime.datetime.fromisoformat(str(spec.get("renewTime", "1970-01-01T00:00:00.0Z")))
    age = datetime.datetime.now(datetime.UTC) - renewed
    return age.total_seconds() > int(spec.get("leaseDurationSeconds", _LASTS_S))


def _taken(found: Mapping[str, Any]) -> StateError:
    command = (found.get("metadata", {}).get("annotations") or {}).get("mlops.io/command", "another command")
    spec = found.get("spec", {})
    who = spec.get("holderIdentity", "somebody")
    return StateError(
        f"the cluster is being changed by {who}: {command}, renewed {spec.get('renewTime', 'just now')}",
        hint=f"wait until it ends; {_LASTS_S} s after it was killed it no longer counts; nothing was changed",
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
