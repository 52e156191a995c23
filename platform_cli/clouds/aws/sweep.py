"""Searches an AWS account for what a deployment left, whatever Terraform's state says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from platform_cli.clouds.aws.account import open_client
from platform_cli.clouds.aws.sweep_name import list_named_probes
from platform_cli.clouds.aws.sweep_network import list_compute_probes
from platform_cli.clouds.terraform.deployment import Deployment
from platform_cli.clouds.terraform.provider import Swept
from platform_cli.clouds.terraform.search import Probe, Search
from platform_cli.errors import PreflightError

_TAG = "deployment-id"
# The tagging API tells of what is gone for a while, and network interfaces of load balancers linger.
_PATIENCE_S = 120.0
_PENDING = "PendingDeletion"


def sweep(deployment: Deployment, profile: str | None, *, patience_s: float = _PATIENCE_S) -> Swept:
    """Search the deployment's region by tags, by the cluster's tags and by names.

    Without good credentials nothing is searched, which is told.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    # A client costs a quarter of a second to make, and there are dozens of questions.
    open_cached = cache(lambda service: open_client(service, profile=profile, region=deployment.region))
    account = _Account(open_cached, deployment)
    try:
        account.open("sts").get_caller_identity()
    except (BotoCoreError, ClientError, PreflightError) as error:
        return Swept(unchecked=(f"AWS: {error}",))
    search = Search(errors=(BotoCoreError, ClientError), kept=deployment.kept, patience_s=patience_s)
    compute, named = list_compute_probes(account.open, deployment), list_named_probes(account.open, deployment)
    tagged = Probe(f"resources with the tag {_TAG}={deployment.id} in {deployment.region}", account.list_tagged)
    found = search.run([*compute, *named, tagged])
    unchecked = () if deployment.prefix else ("names: what all begin with is not known",)
    return replace(found, kept=tuple(account.list_pending()), unchecked=(*found.unchecked, *unchecked))


@dataclass(frozen=True, slots=True)
class _Account:
    """One region of an account."""

    open: Callable[[str], Any]
    deployment: Deployment

    def list_tagged(self) -> Iterator[str]:
        """ARNs of what carries the tag and has not ended."""
        yield from (arn for arn in self._list_arns() if not self._find_deletion_date(arn) and not self._is_gone(arn))

    def list_pending(self) -> Iterator[str]:
        """The keys that AWS itself deletes when their waiting period ends. That they cannot be read is told above."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            dates = {arn: self._find_deletion_date(arn) for arn in self._list_arns()}
        except (BotoCoreError, ClientError):
            return
        yield from (f"{arn}: AWS deletes it on {when}" for arn, when in dates.items() if when)

    def _list_arns(self) -> list[str]:
        pages = self.open("resourcegroupstaggingapi").get_paginator("get_resources")
        tagged = pages.paginate(TagFilters=[{"Key": _TAG, "Values": [self.deployment.id]}])
        return sorted(item["ResourceARN"] for page in tagged for item in page["ResourceTagMappingList"])

    def _is_gone(self, arn: str) -> bool:
        """Whether it is listed though it ended: EC2 shows what was deleted for about an hour."""
        kind, _, name = arn.rpartition(":")[2].partition("/")
        if kind == "natgateway":
            found = self.open("ec2").describe_nat_gateways(NatGatewayIds=[name])["NatGateways"]
            return all(item["State"] == "deleted" for item in found)
        if kind == "instance" and ":ec2:" in arn:
            found = self.open("ec2").describe_instances(InstanceIds=[name])["Reservations"]
            return all(item["State"]["Name"] == "terminated" for group in found for item in group["Instances"])
        return False

    def _find_deletion_date(self, arn: str) -> str:
        """The day on which a key goes; empty when it stays, or is no key."""
        if ":kms:" not in arn:
            return ""
        key = self.open("kms").describe_key(KeyId=arn)["KeyMetadata"]
        return f"{key['DeletionDate']:%Y-%m-%d}" if key["KeyState"] == _PENDING else ""
