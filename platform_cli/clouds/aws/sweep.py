"""Searches an AWS account for what carries a deployment's tag, whatever Terraform's state says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from platform_cli.clouds.aws.account import open_client
from platform_cli.clouds.terraform.provider import Deployment, Swept
from platform_cli.errors import ToolError

_TAG = "deployment-id"
_POLL_S = 5.0
# The tagging API tells of what is gone for a while.
_PATIENCE_S = 120.0
_PENDING = "PendingDeletion"


def sweep(deployment: Deployment, profile: str | None, *, patience_s: float = _PATIENCE_S) -> Swept:
    """Search the deployment's region, again and again while something is found and patience lasts.

    Raises:
        PreflightError: the SDK or the credentials are missing.
        ToolError: AWS refused or could not be reached.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    deadline = time.monotonic() + patience_s
    client = open_client("resourcegroupstaggingapi", profile=profile, region=deployment.region)
    keys = open_client("kms", profile=profile, region=deployment.region)
    try:
        found = _search(client, keys, deployment.id)
        while found[0] and time.monotonic() < deadline:
            time.sleep(min(_POLL_S, patience_s))
            found = _search(client, keys, deployment.id)
    except (BotoCoreError, ClientError) as error:
        raise ToolError(f"AWS could not be searched for left-overs: {error}", hint="mlops destroy again") from error
    checked = f"nothing with the tag {_TAG}={deployment.id} in {deployment.region}"
    return Swept(checked=checked, leftovers=found[0], kept=found[1])


def _search(client: Any, keys: Any, deployment_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What is left, and the keys that AWS itself deletes when their waiting period ends."""
    pages = client.get_paginator("get_resources").paginate(TagFilters=[{"Key": _TAG, "Values": [deployment_id]}])
    arns = sorted(item["ResourceARN"] for page in pages for item in page["ResourceTagMappingList"])
    pending = {arn: when for arn in arns if ":kms:" in arn and (when := _deletion_date(keys.describe_key, arn))}
    kept = tuple(f"{arn}: AWS deletes it on {when}" for arn, when in pending.items())
    return tuple(arn for arn in arns if arn not in pending), kept


def _deletion_date(describe_key: Callable[..., Any], arn: str) -> str:
    """The day on which a key goes; empty when it stays."""
    key = describe_key(KeyId=arn)["KeyMetadata"]
    return f"{key['DeletionDate']:%Y-%m-%d}" if key["KeyState"] == _PENDING else ""
