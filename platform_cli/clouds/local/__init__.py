"""A Kind cluster on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_cli.clouds.terraform import Provider, TerraformCloud

if TYPE_CHECKING:
    from platform_cli.config import Config
    from platform_cli.layout import Layout

_CLUSTER = frozenset({"kind_cluster"})


def open_local(config: Config, layout: Layout) -> TerraformCloud:
    """The target as a Kind cluster. Its nodes, volumes and databases all live and die with the cluster."""
    own = {"registry": True} if config.local.registry else None
    provider = Provider(
        variables={"kind": own},
        data_types=_CLUSTER,
        layers={"cluster": _CLUSTER, "nodes": _CLUSTER},
    )
    return TerraformCloud(config, layout, provider)
