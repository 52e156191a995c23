"""The way to each target's cluster."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from platform_cli.cluster.access import Access, TokenSource, access_of, read_access
from platform_cli.cluster.outputs import ClusterOutputs, parse_outputs
from platform_cli.errors import NotReadyError, UsageError
from platform_cli.target import CloudName

if TYPE_CHECKING:
    from platform_cli.config import Config
    from platform_cli.layout import Layout


def open_access(config: Config, layout: Layout) -> Access:
    """The access to the target's cluster; nothing is asked of the cluster.

    Raises:
        UsageError: the target's cloud has no cluster.
        NotReadyError: there is no cluster yet.
        PreflightError: the kubeconfig does not lead to it.
    """
    way = _WAYS.get(config.cloud)
    if way is None:
        raise UsageError(f"{config.target} has no cluster", hint=f"--cloud is one of {', '.join(_WAYS)}")
    return way(config, layout)


def read_outputs(config: Config, layout: Layout) -> ClusterOutputs:
    """What the target's infrastructure handed on when it was last deployed.

    Raises:
        NotReadyError: it is not deployed.
        StateError: the state cannot be read, or was written by another version.
    """
    from platform_cli.clouds.registry import open_cloud
    from platform_cli.clouds.terraform import TerraformCloud

    cloud = open_cloud(config, layout)
    record = cloud.read_record() if isinstance(cloud, TerraformCloud) else None
    if record is None or "cluster_endpoint" not in record.outputs:
        flags = f"--cloud {config.cloud} --env {config.env}"
        raise NotReadyError(f"{config.target} has no cluster yet", hint=f"mlops deploy {flags}")
    return parse_outputs(record.outputs)


def _existing(config: Config, _layout: Layout) -> Access:
    return read_access(config.existing.kubeconfig, config.existing.context, os.environ)


def _kind(config: Config, layout: Layout) -> Access:
    """Kind writes the administrator's certificate into the user's kubeconfig, and nowhere else."""
    return read_access(None, f"kind-{read_outputs(config, layout).cluster_name}", os.environ)


def _aws(config: Config, layout: Layout) -> Access:
    token = TokenSource(config.cloud, config.env, config.aws.credentials_profile or "")
    return access_of(read_outputs(config, layout), token)


def _other(config: Config, layout: Layout) -> Access:
    return access_of(read_outputs(config, layout), TokenSource(config.cloud, config.env))


_WAYS: dict[CloudName, Callable[[Config, Layout], Access]] = {
    CloudName.EXISTING: _existing,
    CloudName.LOCAL: _kind,
    CloudName.AWS: _aws,
    CloudName.AZURE: _other,
    CloudName.GCP: _other,
}
