"""Database snapshots that `--keep-data` left."""

from __future__ import annotations

import contextlib

from platform_cli.clouds.aws.account import open_client
from platform_cli.clouds.terraform.deployment import Deployment
from platform_cli.errors import ToolError


def drop_snapshots(deployment: Deployment, names: tuple[str, ...], profile: str | None) -> None:
    """Delete these snapshots; one that is not there is fine.

    Raises:
        PreflightError: the SDK or the credentials are missing.
        ToolError: AWS refused or could not be reached.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    rds = open_client("rds", profile=profile, region=deployment.region)
    for name in names:
        try:
            with contextlib.suppress(rds.exceptions.DBSnapshotNotFoundFault):
                rds.delete_db_snapshot(DBSnapshotIdentifier=name)
        except (BotoCoreError, ClientError) as error:
            raise ToolError(f"AWS did not delete the snapshot {name}: {error}", hint="mlops destroy again") from error
