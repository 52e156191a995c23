"""Workloads by name and whether they are ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from platform_cli.tools.kubernetes_kind import DAEMON_SET, DEPLOYMENT, STATEFUL_SET, Kind

KINDS = {"deployment": DEPLOYMENT, "statefulset": STATEFUL_SET, "daemonset": DAEMON_SET}


class Workload(NamedTuple):
    """What keeps pods running. `kind` is deployment, statefulset or daemonset."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return "/".join(self)

    @property
    def api_kind(self) -> Kind:
        """The kind as the API's paths need it."""
        return KINDS[self.kind]


def parse_workload(text: str) -> Workload:
    """The workload of `namespace/kind/name`."""
    return Workload(*text.split("/"))


def tell_unready(kind: str, found: Mapping[str, Any] | None) -> str:
    """Why a workload is not ready, in a few words; empty when it is."""
    if found is None:
        return "absent"
    if found["metadata"].get("deletionTimestamp"):
        return "being deleted"
    status, spec = found.get("status") or {}, found["spec"]
    if status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
        return "its controller has not seen it yet"
    if kind == "daemonset":
        wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberAvailable", 0)
        updated = status.get("updatedNumberScheduled", 0)
    else:
        wanted, ready = spec.get("replicas", 1), status.get("availableReplicas", 0)
        updated = status.get("updatedReplicas", 0)
    if ready < wanted:
        return f"{ready} of {wanted} ready"
    if updated < wanted:
        return f"{updated} of {wanted} updated"
    # A new revision whose pods do not come up leaves those of the old one ready.
    old = status.get("replicas", 0) - updated if kind == "deployment" else 0
    return f"{old} of the old revision still there" if old > 0 else ""
