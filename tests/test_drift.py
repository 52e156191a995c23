"""What changed behind Terraform's back: its lines, the layer, and a real cloud's stand-in that somebody changes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from cloud_account_fakes.memory import FakeAccount
from terraform_fixtures import MIRROR, StandIn

from platform_cli import change
from platform_cli.clouds.aws.check import open_probe
from platform_cli.clouds.interface import ignore
from platform_cli.clouds.terraform import Provider, TerraformCloud
from platform_cli.clouds.terraform.account import Vital
from platform_cli.clouds.terraform.drift import list_drift
from platform_cli.config import Config
from platform_cli.layout import Layout
from platform_cli.render.plan import status_lines
from platform_cli.status import Health, Layer, to_document
from platform_cli.target import CloudName, Env, Target

TARGET = Target(CloudName.AWS, Env.DEV)
ROOT = """
terraform {
  required_providers { aws = { source = "hashicorp/aws" } }
}
provider "aws" { region = var.region }
variable "environment" { type = string }
variable "product" { type = string }
variable "region" { default = "eu-west-1" }
resource "aws_vpc" "this" {
  cidr_block = "10.77.0.0/16"
  tags       = { Name = "drift" }
}
resource "aws_s3_bucket" "store" { bucket = "drift-test-store" }
output "region" { value = var.region }
"""


def drifted(address: str, before: object, after: object) -> dict[str, object]:
    return {"address": address, "change": {"actions": ["update"], "before": before, "after": after}}


def test_what_differs_is_named_and_what_is_empty_is_no_difference() -> None:
    document = {
        "resource_drift": [
            drifted("a.same", {"tags": None, "rules": [], "n": 1}, {"tags": {}, "rules": None, "n": 1}),
            drifted("a.changed", {"tags": {"a": "1"}, "secret": "x", "n": 1}, {"tags": {}, "secret": "y", "n": 1}),
            drifted("a.gone", {"n": 1}, None),
        ]
    }
    assert list(list_drift(document)) == ["changed a.changed (secret, tags)", "removed a.gone"]
    assert list(list_drift({})) == []


def test_a_layer_lists_its_items_to_people_and_programs() -> None:
    layer = Layer("drift", Health.DEGRADED, "2 resources not as recorded", ("changed aws_vpc.this", "removed b"))
    assert status_lines("aws/dev", (layer,))[1:] == ["    changed aws_vpc.this", "    removed b"]
    assert to_document("aws/dev", (layer,))["layers"][0]["items"] == ("changed aws_vpc.this", "removed b")


def make_root(folder: Path) -> Layout:
    root = folder / "assets" / "infrastructure" / "terraform" / "environments" / "aws" / "dev"
    root.mkdir(parents=True)
    (root / "main.tf").write_text(ROOT)
    (folder / "project").mkdir()
    return Layout(assets=folder / "assets", project=folder / "project")


@pytest.mark.terraform
@pytest.mark.timeout(600)
@pytest.mark.skipif(not MIRROR.is_dir(), reason="no mirror with the AWS provider")
def test_what_somebody_changes_in_the_cloud_is_listed(
    aws: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    layout = make_root(tmp_path)
    account = FakeAccount(vitals={"network": (Vital("vpc", "available", True),)})
    config = Config.model_validate(
        {
            "version": 1,
            "cloud": "aws",
            "components": {"install": False},
            "preflight": {"account": False},
            "terraform": {"plugin_dirs": [str(MIRROR)]},
        }
    )
    provider = Provider(
        data_types=frozenset({"aws_s3_bucket"}),
        layers={"network": frozenset({"aws_vpc"})},
        environment={"TF_CLI_CONFIG_FILE": os.devnull},
        probe=replace(open_probe(None), open=lambda _region: account),
    )
    cloud = TerraformCloud(config, layout, provider)
    assert cloud.inspect(refresh=True) == ()
    change.deploy(cloud, TARGET, layout.home(TARGET.name), confirm=print, emit=ignore)

    before = {layer.name: layer for layer in cloud.inspect(refresh=True)}
    assert (before["drift"].health, before["drift"].items) == (Health.OK, ())
    assert before["network"].reason == "vpc is available"
    assert "drift" not in {layer.name for layer in cloud.inspect()}

    ec2 = aws.client("ec2")
    vpc = ec2.describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.77.0.0/16"]}])["Vpcs"][0]["VpcId"]
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "changed-by-hand"}])
    aws.client("s3").delete_bucket(Bucket="drift-test-store")
    after = {layer.name: layer for layer in cloud.inspect(refresh=True)}
    assert after["drift"].health is Health.DEGRADED
    assert set(after["drift"].items) == {"changed aws_vpc.this (tags, tags_all)", "removed aws_s3_bucket.store"}
    assert after["drift"].reason.startswith("2 resources not as recorded; mlops plan shows")

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    unreachable = {layer.name: layer for layer in TerraformCloud(config, layout, provider).inspect(refresh=True)}
    assert unreachable["drift"].health is Health.UNKNOWN
    ec2.delete_vpc(VpcId=vpc)
