"""Which part of the remover does which work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_cli.cluster.work import (
    DrainResources,
    RemoveClaims,
    RemoveCrds,
    RemoveNamespaces,
    RemoveRelease,
    RemoveWebhooks,
    StopWorkflows,
    SuspendGitOps,
)
from platform_cli.errors import UsageError

if TYPE_CHECKING:
    from platform_cli.cluster.removal import Remover
    from platform_cli.events import Emit
    from platform_cli.stage import Stage


def run_removal(remover: Remover, stage: Stage, emit: Emit) -> str:  # noqa: PLR0911 - one return per kind of work
    """Do the work of one stage of a destroy; returns what was done."""
    match work := stage.work:
        case SuspendGitOps():
            return remover.suspend_gitops()
        case StopWorkflows():
            return remover.stop_workflows(emit)
        case DrainResources():
            return remover.drain(work, emit)
        case RemoveWebhooks():
            return remover.remove_webhooks()
        case RemoveRelease():
            return remover.remove_release(work)
        case RemoveClaims():
            return remover.remove_claims(emit)
        case RemoveNamespaces():
            return remover.remove_namespaces(work, emit)
        case RemoveCrds():
            return remover.remove_crds(work, emit)
        case _:
            raise UsageError(f"{stage.name} is no stage of a cluster")
