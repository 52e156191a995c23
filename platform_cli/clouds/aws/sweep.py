"""Searches an AWS account for what carries a deployment's tag, whatever Terraform's state says."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from platform_cli.clouds.aws.account import open_client
from platform_cli.clouds.terraform.deployment import Deployment
from platform_cli.clouds.terraform.provider import Swept
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
    account = _Account(profile, deployment.region)
    try:
        found = account.search(deployment.id)
        while found[0] and time.monotonic() < deadline:
            time.sleep(min(_POLL_S, patience_s))
            found = account.search(deployment.id)
    except (BotoCoreError, ClientError) as error:
        raise ToolError(f"AWS could not be searched for left-overs: {error}", hint="mlops destroy again") from error
    checked = f"nothing with the tag {_TAG}={deployment.id} in {deployment.region}"
    return Swept(checked=(checked,), leftovers=found[0], kept=found[1])


@dataclass(frozen=True, slots=True)
class _Account:
    """One region of an account."""

    profile: str | None
    region: str

    def search(self, deployment_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is left, and the keys that AWS itself deletes when their waiting period ends."""
        pages = self._open("resourcegroupstaggingapi").get_paginator("get_resources")
        tagged = pages.paginate(TagFilters=[{"Key": _TAG, "Values": [deployment_id]}])
        arns = sorted(item["ResourceARN"] for page in tagged for item in page["ResourceTagMappingList"])
        pending = {arn: when for arn in arns if (when := self._find_deletion_date(arn))}
        kept = tuple(f"{arn}: AWS deletes it on {when}" for arn, when in pending.items())
        return tuple(arn for arn in arns if arn not in pending and not self._is_gone(arn)), kept

    def _is_gone(self, arn: str) -> bool:
        """Whether it is listed though it ended: EC2 shows what was deleted for about an hour."""
        kind, _, name = arn.rpartition(":")[2].partition("/")
        if kind == "natgateway":
            found = self._open("ec2").describe_nat_gateways(NatGatewayIds=[name])["NatGateways"]
            return all(item["State"] == "deleted" for item in found)
        if kind == "instance" and ":ec2:" in arn:
            found = self._open("ec2").describe_instances(InstanceIds=[name])["Reservations"]
            return all(item["State"]["Name"] == "terminated" for group in found for item in group["Instances"])
        return False

    def _find_deletion_date(self, arn: str) -> str:
        """The day on which a key goes; empty when it stays, or is no key."""
        if ":kms:" not in arn:
            return ""
        key = self._open("kms").describe_key(KeyId=arn)["KeyMetadata"]
        return f"{key['DeletionDate']:%Y-%m-%d}" if key["KeyState"] == _PENDING else ""

    def _open(self, service: str) -> Any:
        return open_client(service, profile=self.profile, region=self.region)
