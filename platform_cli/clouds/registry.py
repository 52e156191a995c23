"""Every cloud that this version can run on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from platform_cli.errors import UsageError
from platform_cli.target import CloudName

if TYPE_CHECKING:
    from platform_cli.clouds.interface import Cloud
    from platform_cli.config import Config
    from platform_cli.layout import Layout


def _open_embedded(config: Config, layout: Layout) -> Cloud:
    from platform_cli.clouds.embedded import EmbeddedCloud

    return EmbeddedCloud(config, layout)


def _open_local(config: Config, layout: Layout) -> Cloud:
    from platform_cli.clouds.local import open_local

    return open_local(config, layout)


def _open_existing(config: Config, layout: Layout) -> Cloud:
    from platform_cli.clouds.existing import open_existing

    return open_existing(config, layout)


def _open_aws(config: Config, layout: Layout) -> Cloud:
    from platform_cli.clouds.aws import open_aws

    return open_aws(config, layout)


def _open_azure(config: Config, layout: Layout) -> Cloud:
    from platform_cli.clouds.azure import open_azure

    return open_azure(config, layout)


def _open_gcp(config: Config, layout: Layout) -> Cloud:
    from platform_cli.clouds.gcp import open_gcp

    return open_gcp(config, layout)


# A cloud is imported when it is opened, so that no command pays for another cloud's libraries.
CLOUDS: dict[CloudName, Callable[[Config, Layout], Cloud]] = {
    CloudName.EMBEDDED: _open_embedded,
    CloudName.LOCAL: _open_local,
    CloudName.EXISTING: _open_existing,
    CloudName.AWS: _open_aws,
    CloudName.AZURE: _open_azure,
    CloudName.GCP: _open_gcp,
}


def open_cloud(config: Config, layout: Layout) -> Cloud:
    """The cloud that the configuration names.

    Raises:
        UsageError: this version cannot run on it.
    """
    try:
        return CLOUDS[config.cloud](config, layout)
    except KeyError as error:
        known = ", ".join(CLOUDS)
        raise UsageError(f"this version cannot run on {config.cloud}", hint=f"--cloud {known}") from error
