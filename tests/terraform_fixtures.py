"""Terraform with the real AWS provider on a stand-in for AWS: fixtures for the tests of the roots and modules."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
TERRAFORM = ROOT / "infrastructure" / "terraform"
REGION = "eu-west-1"
# A filesystem mirror with hashicorp/aws; elsewhere Terraform asks the public registry.
MIRROR = Path(os.environ.get("TERRAFORM_MIRROR", "/opt/tf-plugins"))


@cache
def client_of(url: str, service: str) -> Any:
    """AWS' own SDK, pointed at the stand-in."""
    import boto3

    return boto3.client(
        service, region_name=REGION, endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test"
    )


@dataclass(frozen=True)
class StandIn:
    """A running stand-in for AWS and what points clients at it."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "MLOPS_COMPONENTS_INSTALL": "false",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_MAX_ATTEMPTS": "2",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def client(self, service: str) -> Any:
        return client_of(self.url, service)

    def inventory(self) -> dict[str, list[str]]:
        """What is there, by kind: identifiers as the API lists them, without what AWS keeps by itself."""
        found = {f"{service}.{call}": self.listed(service, call, key, name) for service, call, key, name in LISTS}
        kms = self.client("kms")
        found["kms.keys"] = [
            key["KeyId"]
            for key in kms.list_keys()["Keys"]
            if kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] != "PendingDeletion"
        ]
        account = self.client("sts").get_caller_identity()["Account"]
        budgets = self.client("budgets").describe_budgets(AccountId=account).get("Budgets", [])
        found["budgets.budgets"] = [budget["BudgetName"] for budget in budgets]
        return found

    def listed(self, service: str, call: str, key: str, name: str) -> list[str]:
        arguments = {"Scope": "Local"} if call == "list_policies" else {}
        items = getattr(self.client(service), call)(**arguments).get(key, [])
        return sorted(
            item if isinstance(item, str) else item[name]
            for item in items
            if isinstance(item, str) or item.get("State") != "deleted"
        )


# Service, call, list in the answer, identifier in an item: one row for each kind the modules make.
LISTS = [
    ("ec2", "describe_addresses", "Addresses", "AllocationId"),
    ("ec2", "describe_flow_logs", "FlowLogs", "FlowLogId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
    ("ec2", "describe_nat_gateways", "NatGateways", "NatGatewayId"),
    ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ecr", "describe_repositories", "repositories", "repositoryName"),
    ("eks", "list_clusters", "clusters", ""),
    ("events", "list_rules", "Rules", "Name"),
    ("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    ("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList", "Arn"),
    ("iam", "list_policies", "Policies", "Arn"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("kms", "list_aliases", "Aliases", "AliasName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    ("rds", "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"),
    ("rds", "describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier"),
    ("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("secretsmanager", "list_secrets", "SecretList", "Name"),
    ("sqs", "list_queues", "QueueUrls", ""),
]


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A stand-in of the session's own; its first line of output is its URL, its log is kept with the test's files."""
    command = [sys.executable, "-m", "aws_stand_in"]
    with (
        (tmp_path_factory.mktemp("aws") / "log").open("w") as log,
        subprocess.Popen(command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout
        try:
            yield StandIn(process.stdout.readline().strip())
        finally:
            process.terminate()


@dataclass(frozen=True)
class Folder:
    """A copy of the Terraform tree, and Terraform run in one folder of it."""

    path: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, expect: int = 0) -> str:
        """Output and errors of `terraform ARGUMENTS`, which has to end with the code expected."""
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.path,
            env={**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, "TF_IN_AUTOMATION": "1", **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == expect, f"terraform {' '.join(arguments)}: {done.returncode}\n{done.stdout[-6000:]}"
        return done.stdout

    def init(self, *arguments: str) -> None:
        mirror = [f"-plugin-dir={MIRROR}"] if MIRROR.is_dir() else []
        self.run("init", "-input=false", "-no-color", *mirror, *arguments)

    def plan(self, *arguments: str) -> dict[str, Any]:
        """The plan, kept as `plan` in the folder."""
        self.run("plan", "-input=false", "-no-color", "-out=plan", *arguments)
        return dict(json.loads(self.run("show", "-json", "plan")))

    def apply(self) -> str:
        return self.run("apply", "-input=false", "-no-color", "plan")

    def outputs(self) -> dict[str, Any]:
        return {name: output["value"] for name, output in json.loads(self.run("output", "-json")).items()}


def actions(plan: dict[str, Any]) -> dict[str, str]:
    """What a plan does, by address: `create`, `update`, `delete` or both of a replacement; nothing else."""
    found = {change["address"]: "+".join(change["change"]["actions"]) for change in plan.get("resource_changes", [])}
    return {address: action for address, action in found.items() if action not in {"no-op", "read"}}


@pytest.fixture
def terraform_folder(request: pytest.FixtureRequest, tmp_path: Path, aws: StandIn) -> Folder:
    """The folder named by the test's parameter, in a copy of the tree, initialised."""
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    named: Path = request.param
    ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*")
    for part in ("modules", "environments"):
        shutil.copytree(TERRAFORM / part, tmp_path / part, ignore=ignored)
    folder = Folder(tmp_path / named.relative_to(TERRAFORM), aws.environment)
    try:
        folder.init()
    except AssertionError as error:
        if MIRROR.is_dir() or "Failed to query available provider packages" not in str(error):
            raise
        pytest.skip(f"no provider for AWS: no mirror in {MIRROR} (TERRAFORM_MIRROR names another) and no registry")
    return folder
