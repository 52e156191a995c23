"""Any cluster that a kubeconfig leads to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from platform_cli.clouds.existing.cloud import ExistingCloud

if TYPE_CHECKING:
    from platform_cli.config import Config
    from platform_cli.layout import Layout

__all__ = ["ExistingCloud", "open_existing"]


def open_existing(config: Config, layout: Layout) -> ExistingCloud:
    """The target on the cluster that the configuration, or KUBECONFIG, leads to; nothing is asked before a call."""
    from platform_cli.cluster.access import read_access
    from platform_cli.cluster.outputs import existing_outputs
    from platform_cli.cluster.platform import open_platform

    wish = config.existing
    platform = open_platform(
        config,
        access=lambda: read_access(wish.kubeconfig, wish.context, os.environ),
        outputs=lambda: existing_outputs(config),
    )
    return ExistingCloud(config, layout, platform)
