"""Accounts of every cloud: the same tests over the fake in memory and over the real clients on stand-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aws_stand_in.server import AwsStandIn
from closed_port import hold_closed_port
from cloud_account_fakes import azure as azure_api
from cloud_account_fakes import gcp as gcp_api
from cloud_account_fakes.memory import FakeAccount
from cloud_account_fakes.server import serving

from platform_cli.clouds.aws import permission as aws_permission
from platform_cli.clouds.aws.check import AwsAccount
from platform_cli.clouds.aws.quota import find_family
from platform_cli.clouds.azure import account as azure_account
from platform_cli.clouds.azure import permission as azure_permission
from platform_cli.clouds.azure.check import AzureAccount
from platform_cli.clouds.gcp import account as gcp_account
from platform_cli.clouds.gcp import permission as gcp_permission
from platform_cli.clouds.gcp.check import GcpAccount
from platform_cli.clouds.terraform.account import Account, Identity, Offer, Quota, Use, Vital
from platform_cli.errors import PreflightError, ToolError

ROOT = Path(__file__).resolve().parent.parent
REGION = "eu-west-1"


@dataclass(frozen=True)
class World:
    """An account and what a test may do to it.

    Attributes:
        kinds: an instance type that is there, and its vCPUs.
        quota: a quota's key, its limit and what is used.
        network: the range of a network that is there.
        name: a resource type whose names are unique in the cloud.
        vitals: outputs by layer, of a deployment that is well.
    """

    account: Account
    identity: str
    kind: tuple[str, int]
    quota: tuple[str, float, float]
    network: str
    name: str
    action: str
    deny: Callable[[], None]
    forbid: Callable[[], None]
    refuse: Callable[[], None]
    take: Callable[[str, Use], None]
    tells_ours: bool = True


def fake_world(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> World:
    account = FakeAccount(
        identity=Identity("123", "somebody"),
        offers={"big": Offer(zones=frozenset("abc"), vcpus=8)},
        quotas={"cpus": Quota(10, 2)},
        networks=[("one", "10.1.0.0/16")],
    )
    return World(
        account=account,
        identity="somebody in account 123",
        kind=("big", 8),
        quota=("cpus", 10, 2),
        network="10.1.0.0/16",
        name="bucket",
        action="do:something",
        deny=lambda: account.denied.add("do:something"),
        forbid=lambda: setattr(account, "forbids", True),
        refuse=lambda: setattr(account, "knows_nobody", True),
        take=account.uses.__setitem__,
    )


def aws_world(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> World:
    stand_in = AwsStandIn()
    url = stack.enter_context(serving(stand_in))
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": url,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    import boto3

    boto3.client("ec2", region_name=REGION).create_vpc(CidrBlock="10.1.0.0/16")
    s3 = boto3.client("s3", region_name=REGION)
    place = {"LocationConstraint": REGION}

    def take(name: str, use: Use) -> None:
        if use is Use.TAKEN:
            stand_in.account.taken.add(name)
        else:
            s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)

    return World(
        account=AwsAccount(REGION, None),
        identity="arn:aws:sts::123456789012:user/moto in account 123456789012",
        kind=("m7i.2xlarge", 8),
        quota=("L-0263D0A3", 5, 0),
        network="10.1.0.0/16",
        name="aws_s3_bucket",
        action="eks:CreateCluster",
        deny=lambda: stand_in.account.denied.add("eks:CreateCluster"),
        forbid=lambda: setattr(stand_in.account, "forbids", True),
        refuse=lambda: setattr(stand_in.account, "knows_nobody", True),
        take=take,
    )


def gcp_world(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> World:
    types = {"e2-standard-4": 4, "n2-standard-16": 16}
    api = gcp_api.GcpApi(machines={name: {"name": name, "guestCpus": cpus} for name, cpus in types.items()})
    api.networks["one"] = "10.1.0.0/16"
    url = stack.enter_context(serving(api.app()))
    rest = gcp_account.Rest(gcp_api.PROJECT, gcp_api.StaticCredentials(), url)
    return World(
        account=GcpAccount(gcp_api.REGION, rest),
        identity="tester@mlops-test.iam.gserviceaccount.com in project mlops-test",
        kind=("n2-standard-16", 16),
        quota=("CPUS", 24, 4),
        network="10.1.0.0/16",
        name="google_storage_bucket",
        action="container.clusters.create",
        deny=lambda: api.denied.add("container.clusters.create"),
        forbid=lambda: setattr(api, "forbids", True),
        refuse=lambda: setattr(api, "token", "another"),
        take=lambda name, use: (api.ours if use is Use.OURS else api.taken).add(name),
    )


def azure_world(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> World:
    api = azure_api.AzureApi(
        skus=[
            azure_api.sku("Standard_D4ds_v5", "standardDDSv5Family", 4),
            azure_api.sku("Standard_D8ds_v5", "standardDDSv5Family", 8),
        ],
        networks={"one": "10.1.0.0/16"},
    )
    url = stack.enter_context(serving(api.app()))
    credential = azure_api.StaticCredential()
    action = "Microsoft.ContainerService/managedClusters/write"
    return World(
        account=AzureAccount(azure_api.REGION, azure_account.Rest(azure_api.SUBSCRIPTION, credential, url)),
        identity=f"tester@example.org in subscription {azure_api.SUBSCRIPTION}",
        kind=("Standard_D8ds_v5", 8),
        quota=("cores", 100, 4),
        network="10.1.0.0/16",
        name="azurerm_storage_account",
        action=action,
        deny=lambda: api.roles.__setitem__(0, {"actions": ["*"], "notActions": ["microsoft.containerservice/*"]}),
        forbid=lambda: setattr(api, "forbids", True),
        refuse=lambda: setattr(credential, "token", None),
        take=lambda name, _use: api.taken.add(name),
        tells_ours=False,
    )


WORLDS = {"fake": fake_world, "aws": aws_world, "azure": azure_world, "gcp": gcp_world}


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with ExitStack() as stack:
        yield WORLDS[request.param](stack, monkeypatch)


def test_whose_credentials_they_are(world: World) -> None:
    assert str(world.account.identify()) == world.identity


def test_credentials_that_are_refused(world: World) -> None:
    world.refuse()
    with pytest.raises(PreflightError) as caught:
        world.account.identify()
    assert caught.value.hint


def test_what_is_not_allowed(world: World) -> None:
    others = {f"{world.action}.other{number}" for number in range(150)}
    assert world.account.list_denied({world.action, *others}) == ()
    world.deny()
    assert world.action in world.account.list_denied({world.action})


def test_not_being_allowed_to_ask_is_told(world: World) -> None:
    world.forbid()
    with pytest.raises(ToolError, match="does not let us ask") as caught:
        world.account.list_denied({world.action})
    assert caught.value.hint


def test_the_instance_types_of_a_region(world: World) -> None:
    kind, vcpus = world.kind
    found = world.account.list_offers({kind, "no-such-type"})
    assert set(found) == {kind}
    assert found[kind].vcpus == vcpus
    assert len(found[kind].zones) == 3


def test_quotas_and_what_is_used(world: World) -> None:
    key, limit, used = world.quota
    assert world.account.read_quotas({key, "L-00000000"}) == {key: Quota(limit, used)}


def test_the_versions_of_kubernetes(world: World) -> None:
    assert "1.35" in world.account.list_versions()


def test_the_networks_there_are(world: World) -> None:
    assert world.network in [cidr for _, cidr in world.account.list_networks()]


def test_who_has_a_name(world: World) -> None:
    assert world.account.find_use(world.name, "mlops-free") is Use.FREE
    world.take("mlops-taken", Use.TAKEN)
    assert world.account.find_use(world.name, "mlops-taken") is Use.TAKEN
    world.take("mlops-ours", Use.OURS)
    assert world.account.find_use(world.name, "mlops-ours") is (Use.OURS if world.tells_ours else Use.TAKEN)


# --- how a deployment is now ---


def test_how_a_deployment_on_google_cloud_is(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = {"name": "c", "status": "RUNNING", "nodePools": [{"name": "general", "status": "ERROR"}]}
    address = [{"ipAddress": "10.0.0.3"}]
    api = gcp_api.GcpApi(cluster=cluster, ours={"argo"}, instances=[{"name": "db", "state": "RUNNABLE"}])
    api.instances[0]["ipAddresses"] = address
    outputs = {
        "cluster_name": "c",
        "artifact_stores": {"argo": {"name": "argo"}, "mlflow": {"name": "mlflow"}},
        "database": {"host": "10.0.0.3"},
    }
    with serving(api.app()) as url:
        rest = gcp_account.Rest(gcp_api.PROJECT, gcp_api.StaticCredentials(), url)
        account = GcpAccount(gcp_api.REGION, rest)
        assert account.read_vitals("cluster", outputs) == (Vital("c", "RUNNING", True),)
        assert account.read_vitals("nodes", outputs) == (Vital("general", "ERROR", False),)
        assert [vital.is_well for vital in account.read_vitals("storage", outputs)] == [True, False]
        assert account.read_vitals("database", outputs) == (Vital("db", "RUNNABLE", True),)
        api.cluster = None
        assert account.read_vitals("cluster", outputs) == ()


def test_how_a_deployment_on_azure_is() -> None:
    tags = {"deployment-id": "d"}
    pools = [
        {"name": "general", "provisioningState": "Succeeded", "powerState": {"code": "Running"}},
        {"name": "gpu", "provisioningState": "Succeeded", "powerState": {"code": "Stopped"}},
    ]
    made = {"provisioningState": "Succeeded", "powerState": {"code": "Stopped"}, "agentPoolProfiles": pools}
    api = azure_api.AzureApi(
        clusters=[{"name": "c", "tags": tags, "properties": made}, {"name": "other", "properties": made}],
        accounts=[{"name": "s", "tags": tags, "properties": {"statusOfPrimary": "available"}}],
        servers=[{"name": "db", "tags": tags, "properties": {"state": "Dropping"}}],
    )
    outputs = {"deployment_id": "d"}
    with serving(api.app()) as url:
        rest = azure_account.Rest(azure_api.SUBSCRIPTION, azure_api.StaticCredential(), url)
        account = AzureAccount(azure_api.REGION, rest)
        assert account.read_vitals("cluster", outputs) == (Vital("c", "Stopped", False),)
        assert [vital.is_well for vital in account.read_vitals("nodes", outputs)] == [True, False]
        assert account.read_vitals("storage", outputs) == (Vital("s", "available", True),)
        assert account.read_vitals("database", outputs) == (Vital("db", "Dropping", False),)
        assert account.read_vitals("cluster", {"deployment_id": "gone"}) == ()


def test_how_a_deployment_on_aws_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as stack:
        account = aws_world(stack, monkeypatch).account
        import boto3

        eks = boto3.client("eks", region_name=REGION)
        subnets = [net["SubnetId"] for net in boto3.client("ec2", region_name=REGION).describe_subnets()["Subnets"]]
        role = "arn:aws:iam::123456789012:role/r"
        eks.create_cluster(name="c", roleArn=role, resourcesVpcConfig={"subnetIds": subnets[:2]})
        eks.create_nodegroup(clusterName="c", nodegroupName="general", subnets=subnets[:2], nodeRole=role)
        s3 = boto3.client("s3", region_name=REGION)
        s3.create_bucket(Bucket="vital-argo", CreateBucketConfiguration={"LocationConstraint": REGION})
        outputs: dict[str, Any] = {
            "cluster_name": "c",
            "artifact_stores": {"argo": {"name": "vital-argo"}, "mlflow": {"name": "vital-gone"}},
            "database": {"host": "db.x.eu-west-1.rds.amazonaws.com"},
        }
        assert account.read_vitals("cluster", outputs) == (Vital("c", "ACTIVE", True),)
        assert account.read_vitals("nodes", outputs) == (Vital("general", "ACTIVE", True),)
        assert [vital.is_well for vital in account.read_vitals("storage", outputs)] == [True, False]
        assert account.read_vitals("database", outputs) == ()
        assert account.read_vitals("cluster", {**outputs, "cluster_name": "gone"}) == ()


# --- data ---


def made_types() -> set[str]:
    import re

    text = "\n".join(path.read_text() for path in (ROOT / "infrastructure/terraform/modules").rglob("*.tf"))
    return set(re.findall(r'^resource "(\w+)"', text, re.MULTILINE))


def test_every_resource_type_has_its_permissions() -> None:
    tables = (aws_permission.ACTIONS, azure_permission.ACTIONS, gcp_permission.ACTIONS)
    listed = set().union(*tables)
    made = {kind for kind in made_types() if kind.startswith(("aws_", "azurerm_", "google_"))}
    assert made - listed == set()
    assert listed - made == set()


def test_actions_of_aws_are_ones_that_its_sdk_knows() -> None:
    """A misspelt action is denied to everybody. What the SDK has no call for is listed by hand."""
    import botocore.session

    session = botocore.session.get_session()
    services = {"budgets": "budgets", "eks": "eks", "iam": "iam", "kms": "kms", "logs": "logs", "sqs": "sqs"}
    calls = {
        prefix: {name.lower() for name in session.get_service_model(service).operation_names}
        for prefix, service in {**services, "ec2": "ec2", "rds": "rds", "ecr": "ecr", "events": "events"}.items()
    }
    actions = {action for actions in aws_permission.ACTIONS.values() for action in actions}
    without_call = {"budgets:ModifyBudget", "budgets:ViewBudget", "iam:PassRole"}
    unknown = {
        action
        for action in actions - without_call
        if action.split(":")[0] in calls and action.split(":")[1].lower() not in calls[action.split(":")[0]]
    }
    assert unknown == set()


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("m7i.2xlarge", "Standard instances"),
        ("t3a.large", "Standard instances"),
        ("im4gn.large", "Standard instances"),
        ("g6.xlarge", "G and VT instances"),
        ("gr6.4xlarge", "G and VT instances"),
        ("p5.48xlarge", "P instances"),
        ("inf2.xlarge", "Inf instances"),
    ],
)
def test_instance_types_fall_into_families(kind: str, title: str) -> None:
    family = find_family(kind)
    assert family is not None
    assert family.title == title


def test_a_type_of_no_known_family_has_none() -> None:
    assert find_family("mac2.metal") is None


@pytest.mark.parametrize(
    ("roles", "is_allowed"),
    [
        ([], False),
        ([{"actions": ["*/read"]}], False),
        ([{"actions": ["Microsoft.Network/*"]}], True),
        ([{"actions": ["*"], "notActions": ["Microsoft.Network/*/write"]}], False),
        ([{"actions": ["*"], "notActions": ["Microsoft.Network/*/write"]}, {"actions": ["microsoft.network/*"]}], True),
    ],
)
def test_roles_of_azure_grant_with_stars_and_take_out_again(roles: list[dict[str, Any]], is_allowed: bool) -> None:
    assert azure_permission.is_allowed("Microsoft.Network/virtualNetworks/write", roles) is is_allowed


def test_a_location_that_azure_keeps_from_us_offers_nothing() -> None:
    kept = azure_api.sku("Standard_D8ds_v5", "f", 8, restrictions=[{"type": "Location", "restrictionInfo": {}}])
    narrow = azure_api.sku(
        "Standard_D4ds_v5", "f", 4, restrictions=[{"type": "Zone", "restrictionInfo": {"zones": ["1", "2"]}}]
    )
    with serving(azure_api.AzureApi(skus=[kept, narrow]).app()) as url:
        rest = azure_account.Rest(azure_api.SUBSCRIPTION, azure_api.StaticCredential(), url)
        found = AzureAccount(azure_api.REGION, rest).list_offers({"Standard_D8ds_v5", "Standard_D4ds_v5"})
    assert {name: offer.zones for name, offer in found.items()} == {"Standard_D4ds_v5": frozenset({"3"})}


def test_a_project_that_nobody_names_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(PreflightError, match="no Google project is named") as caught:
        GcpAccount("r", gcp_account.Rest(None, gcp_api.StaticCredentials())).identify()
    assert "--project" in caught.value.hint


def test_what_cannot_be_reached_is_told(closed_address: str) -> None:
    rest = gcp_account.Rest("p", gcp_api.StaticCredentials(), closed_address)
    with pytest.raises(PreflightError, match="cannot be reached"):
        GcpAccount("r", rest).identify()


@pytest.fixture
def closed_address() -> Iterator[str]:
    """Where nobody listens."""
    with hold_closed_port() as port:
        yield f"http://127.0.0.1:{port}"
