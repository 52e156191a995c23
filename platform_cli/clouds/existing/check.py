"""What must be true before the platform is put on a cluster that somebody else made."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from platform_cli import doctor
from platform_cli.cluster.check import list_cluster_checks
from platform_cli.doctor import Check, Finding
from platform_cli.errors import MlopsError

if TYPE_CHECKING:
    from platform_cli.cluster.platform import ClusterPlatform
    from platform_cli.layout import TargetHome


def list_checks(home: TargetHome, platform: ClusterPlatform, *, offline: bool) -> tuple[Check, ...]:
    """Every check, the cheapest first; `offline` leaves out those that ask the cluster."""
    here = (
        Check("python", doctor.check_python),
        Check("folder", partial(doctor.check_folder, home.root)),
        Check("kubeconfig", partial(check_kubeconfig, platform)),
    )
    if offline:
        return here
    return (*here, *list_cluster_checks(lambda: platform.kubernetes, platform.components, platform.forced))


def check_kubeconfig(platform: ClusterPlatform) -> Finding:
    """Whether there is a kubeconfig, and the context in it."""
    try:
        return Finding(ok=True, found=f"context {platform.access.context} leads to {platform.access.server}")
    except MlopsError as error:
        return Finding(ok=False, found=error.message, fix=error.hint)
