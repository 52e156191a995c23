"""Waits until workloads are ready, by watching the API; says meanwhile, and in the end, what keeps them from it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from platform_cli.cluster.explain import Explanation, explain
from platform_cli.cluster.workload import Workload, tell_unready
from platform_cli.errors import DeadlineError
from platform_cli.events import Emit, Notice

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

DEADLINE_S = 600.0
# How long a watch lasts before we say that we still wait: the stage can be stopped at each word.
_ROUND_S = 5.0


def wait_ready(
    kubernetes: Kubernetes, workloads: Sequence[Workload], *, what: str, deadline_s: float, emit: Emit
) -> None:
    """Return once every workload is ready, and its newest revision with it.

    Raises:
        DeadlineError: one is not ready in time; the message begins with the reason.
        InterruptedByUser: `emit` was told to stop.
    """
    deadline = time.monotonic() + deadline_s
    for workload in workloads:
        said: Explanation | None = None
        while _watch_until_ready(kubernetes, workload, min(_ROUND_S, deadline - time.monotonic())):
            # Between two tries a container only says that it is being created.
            found = explain(kubernetes, workload) or said
            if time.monotonic() >= deadline:
                raise _too_late(kubernetes, workload, found, what, deadline_s)
            _tell(workload, found, emit, is_new=found != said)
            said = found


def _watch_until_ready(kubernetes: Kubernetes, workload: Workload, timeout_s: float) -> bool:
    """Whether it is still not ready after that time."""
    changes = kubernetes.watch(workload.api_kind, workload.namespace, name=workload.name, timeout_s=max(0.1, timeout_s))
    return all(change == "DELETED" or tell_unready(workload.kind, found) for change, found in changes)


def _tell(workload: Workload, found: Explanation | None, emit: Emit, *, is_new: bool) -> None:
    """Say a new reason to everybody, an old or a usual one only to those who want every detail."""
    level = "info" if found and is_new and not found.is_usual else "detail"
    emit(Notice(level=level, text=f"waiting for {workload}: {found.reason if found else 'not ready yet'}"))


def _too_late(
    kubernetes: Kubernetes, workload: Workload, found: Explanation | None, what: str, deadline_s: float
) -> DeadlineError:
    state = tell_unready(workload.kind, kubernetes.get(workload.api_kind, workload.name, workload.namespace))
    reason = found.reason if found else f"{workload.kind} {workload.name} is {state}"
    return DeadlineError(
        f"{what}: {reason}",
        hint="mend that, then run the same command again; it goes on from there",
        details=(f"{workload} was not ready within {deadline_s:g} s: {state}", *(found.details if found else ())),
    )
