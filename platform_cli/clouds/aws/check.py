"""Asks an AWS account what a root needs of it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from platform_cli.clouds.aws.account import open_client
from platform_cli.clouds.aws.permission import ACTIONS
from platform_cli.clouds.aws.quota import (
    ADDRESSES,
    CLUSTERS,
    FAMILIES,
    NETWORKS,
    assume,
    find_family,
    list_needs,
    list_pools,
    service_of,
)
from platform_cli.clouds.aws.vital import read_vitals
from platform_cli.clouds.terraform.account import Identity, Offer, Probe, Quota, Use, Vital
from platform_cli.errors import PreflightError, ToolError

_CHUNK = 100
_RUNNING = ["pending", "running", "stopping"]
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_ABSENT = ("ResourceNotFoundException", "DBInstanceNotFound", "NoSuchResourceException")
_FORBIDDEN, _MISSING = 403, 404


def open_probe(profile: str | None) -> Probe:
    """How AWS is asked with the credentials of a profile, or of AWS' own chain."""
    return Probe(
        open=lambda region: AwsAccount(region, profile),
        assume=assume,
        actions=ACTIONS,
        grant="let somebody grant them to {who}; docs/how-to/aws.md has the policy",
        list_pools=list_pools,
        list_needs=list_needs,
        raise_quota="ask AWS for {most} of quota {key} in {region} (Service Quotas; RequestServiceQuotaIncrease)",
        unique={"aws_s3_bucket": "bucket"},
        networks={"aws_vpc": "cidr_block"},
        log_in="aws sso login, or set AWS_PROFILE or aws.credentials_profile",
    )


@dataclass(eq=False)
class AwsAccount:
    """One region of an AWS account, through AWS' own SDK."""

    region: str
    profile: str | None
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def identify(self) -> Identity:
        """See `Account.identify`."""
        fix = "log in (aws sso login, or set AWS_PROFILE or aws.credentials_profile), then try again"
        try:
            found = self.ask("sts", lambda sts: sts.get_caller_identity())
        except ToolError as error:
            raise PreflightError(error.message, hint=fix) from error
        return Identity(found["Account"], found["Arn"])

    def list_denied(self, actions: Collection[str]) -> tuple[str, ...]:
        """See `Account.list_denied`: IAM simulates them, without service control policies and boundaries of others."""
        principal = self._find_principal(self.identify())
        if principal.endswith(":root"):
            return ()
        chunks = _split(sorted(actions), _CHUNK)
        return tuple(action for chunk in chunks for action in self.ask("iam", _simulate(principal, chunk)))

    def list_offers(self, types: Collection[str]) -> Mapping[str, Offer]:
        """See `Account.list_offers`."""
        wanted = [{"Name": "instance-type", "Values": sorted(types)}]
        zones: dict[str, set[str]] = {}
        found = self._list(
            "ec2",
            "describe_instance_type_offerings",
            "InstanceTypeOfferings",
            LocationType="availability-zone",
            Filters=wanted,
        )
        for item in found:
            zones.setdefault(item["InstanceType"], set()).add(item["Location"])
        described = self._list("ec2", "describe_instance_types", "InstanceTypes", Filters=wanted) if zones else ()
        return {
            item["InstanceType"]: Offer(
                zones=frozenset(zones.get(item["InstanceType"], ())),
                vcpus=item["VCpuInfo"]["DefaultVCpus"],
                gpus=sum(gpu.get("Count", 0) for gpu in item.get("GpuInfo", {}).get("Gpus", ())),
                family=item["InstanceType"].partition(".")[0],
            )
            for item in described
        }

    def read_quotas(self, keys: Collection[str]) -> Mapping[str, Quota]:
        """See `Account.read_quotas`. AWS does not tell what is used; it is counted."""
        used = self._count_used(keys)
        limits = {key: self._read_limit(key) for key in keys}
        return {key: Quota(limit, used.get(key, 0.0)) for key, limit in limits.items() if limit is not None}

    def list_versions(self) -> tuple[str, ...]:
        """See `Account.list_versions`."""
        found = self._list("eks", "describe_cluster_versions", "clusterVersions")
        return tuple(item["clusterVersion"] for item in found)

    def list_networks(self) -> tuple[tuple[str, str], ...]:
        """See `Account.list_networks`."""
        found = self._list("ec2", "describe_vpcs", "Vpcs")
        return tuple((vpc["VpcId"], vpc["CidrBlock"]) for vpc in found)

    def find_use(self, kind: str, name: str) -> Use:  # noqa: ARG002 - buckets are all there is
        """See `Account.find_use`: a bucket that we may not look into is somebody else's."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._open("s3").head_bucket(Bucket=name)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == _MISSING:
                return Use.FREE
            if status == _FORBIDDEN:
                return Use.TAKEN
            raise ToolError(f"AWS: {error}") from error
        except BotoCoreError as error:
            raise ToolError(f"AWS: {error}") from error
        return Use.OURS

    def read_vitals(self, layer: str, outputs: Mapping[str, Any]) -> tuple[Vital, ...]:
        """See `Account.read_vitals`."""
        return read_vitals(self, layer, outputs)

    def ask(self, service: str, question: Callable[[Any], Any]) -> Any:
        """The answer of a client of a service; None when there is no such thing."""
        from botocore.exceptions import BotoCoreError, ClientError

        client = self._open(service)
        try:
            return question(client)
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                return None
            raise _explain(error) from error
        except BotoCoreError as error:
            raise _explain(error) from error

    def _count_used(self, keys: Collection[str]) -> dict[str, float]:
        used: dict[str, float] = {}
        if any(key in {family.on_demand, family.spot} for family in FAMILIES for key in keys):
            used |= self._count_vcpus()
        if ADDRESSES in keys:
            used[ADDRESSES] = len(self.ask("ec2", lambda ec2: ec2.describe_addresses())["Addresses"])
        if NETWORKS in keys:
            used[NETWORKS] = len(self.list_networks())
        if CLUSTERS in keys:
            used[CLUSTERS] = len(self._list("eks", "list_clusters", "clusters"))
        return used

    def _count_vcpus(self) -> dict[str, float]:
        """VCPUs of what runs, by the code of their quota."""
        running = [{"Name": "instance-state-name", "Values": _RUNNING}]
        used: dict[str, float] = {}
        for group in self._list("ec2", "describe_instances", "Reservations", Filters=running):
            for item in group["Instances"]:
                family = find_family(item["InstanceType"])
                if family is not None:
                    key = family.spot if item.get("InstanceLifecycle") == "spot" else family.on_demand
                    cpus = item.get("CpuOptions", {})
                    used[key] = used.get(key, 0.0) + cpus.get("CoreCount", 0) * cpus.get("ThreadsPerCore", 1)
        return used

    def _read_limit(self, key: str) -> float | None:
        """None for a quota that AWS does not know in this region."""
        wanted = {"ServiceCode": service_of(key), "QuotaCode": key}
        found = self.ask("service-quotas", lambda quotas: quotas.get_service_quota(**wanted))
        return float(found["Quota"]["Value"]) if found else None

    def _find_principal(self, identity: Identity) -> str:
        """What IAM simulates: of an assumed role the role itself, whose path only IAM knows."""
        *_, resource = identity.name.split(":", 5)
        kind, *rest = resource.split("/")
        if kind != "assumed-role":
            return identity.name
        return str(self.ask("iam", lambda iam: iam.get_role(RoleName=rest[0]))["Role"]["Arn"])

    def _list(self, service: str, call: str, key: str, **arguments: Any) -> list[Any]:
        """Every item of every page."""

        def ask(client: Any) -> list[Any]:
            pages = client.get_paginator(call).paginate(**arguments)
            return [item for page in pages for item in page.get(key, ())]

        return list(self.ask(service, ask) or ())

    def _open(self, service: str) -> Any:
        """One client for each service; opening one is not safe in threads, using it is."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = open_client(service, profile=self.profile, region=self.region)
            return self._clients[service]


def _simulate(principal: str, actions: list[str]) -> Callable[[Any], list[str]]:
    def ask(iam: Any) -> list[str]:
        pages = iam.get_paginator("simulate_principal_policy").paginate(PolicySourceArn=principal, ActionNames=actions)
        results = [item for page in pages for item in page["EvaluationResults"]]
        return [item["EvalActionName"] for item in results if item["EvalDecision"] != "allowed"]

    return ask


def _explain(error: Exception) -> ToolError:
    code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    if code in _DENIED:
        return ToolError(f"AWS does not let us ask: {error}", hint="grant it, or look at it yourself")
    return ToolError(f"AWS: {error}", hint="look at AWS' health and at your network, then try again")


def _split(items: list[str], size: int) -> Iterator[list[str]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
