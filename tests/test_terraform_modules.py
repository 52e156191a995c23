"""Terraform for AWS: rules of the house, and every module and root run for real on a stand-in for AWS.

The roots' variables and outputs are compared with the contract in test_terraform_clouds.py, for all clouds at once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import hcl2
import pytest
import yaml
from target_samples import make_config
from terraform_fixtures import REGION, ROOT, TERRAFORM, Folder, StandIn, actions

from platform_cli.cluster.outputs import parse_outputs
from platform_cli.cluster.value_site import image_of

MODULES = sorted(path for path in (TERRAFORM / "modules").iterdir() if re.match(r"(aws-.*|eks|labels)$", path.name))
ROOTS = [TERRAFORM / "environments" / "aws" / name for name in ("dev", "staging", "prod")]
FOLDERS = [*MODULES, *ROOTS]


def name_of(path: Path) -> str:
    return path.relative_to(TERRAFORM).as_posix()


@cache
def parsed(path: Path) -> dict[str, Any]:
    return dict(hcl2.loads(path.read_text("utf-8")))


def variables(folder: Path) -> dict[str, dict[str, Any]]:
    found = parsed(folder / "variables.tf").get("variable", [])
    return {name.strip('"'): body for block in found for name, body in block.items()}


# --- rules of the house ---


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_variables_are_few_typed_described_never_null_and_in_order(folder: Path) -> None:
    declared = variables(folder)
    assert len(declared) <= 20
    assert [
        name
        for name, body in declared.items()
        if not (body.get("type") and body.get("description") and body.get("nullable") is False)
    ] == []
    required = sorted(name for name, body in declared.items() if "default" not in body)
    assert list(declared) == required + sorted(set(declared) - set(required))


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_files_are_the_usual_ones_and_short(folder: Path) -> None:
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in folder.glob("*.tf")}
    assert {"main.tf", "variables.tf", "outputs.tf", "versions.tf"} <= set(lengths)
    assert {name: lines for name, lines in lengths.items() if lines > 200} == {}


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_nothing_forbidden_is_used(folder: Path) -> None:
    forbidden = r"null_resource|local-exec|remote-exec|\btimestamp\(|\buuid\(|\bplantimestamp\(|\"helm_release\""
    text = "".join(path.read_text("utf-8") for path in folder.glob("**/*.tf") if ".terraform" not in path.parts)
    assert re.findall(forbidden, text) == []
    assert folder in ROOTS or not re.search(r'^provider "', text, flags=re.MULTILINE)


@pytest.mark.parametrize("folder", MODULES, ids=name_of)
def test_tests_are_claims_and_every_validation_is_seen_to_refuse(folder: Path) -> None:
    text = "".join(path.read_text("utf-8") for path in folder.glob("tests/*.tftest.hcl"))
    claims = re.findall(r'^run "([^"]+)"', text, flags=re.MULTILINE)
    assert claims
    assert [claim for claim in claims if claim.count("_") < 3] == []
    validated = {name for name, body in variables(folder).items() if body.get("validation")}
    assert validated - set(re.findall(r"expect_failures = \[var\.(\w+)\]", text)) == set()


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_everything_declared_is_used(folder: Path) -> None:
    text = "".join(path.read_text("utf-8") for path in folder.glob("*.tf"))
    local_names = [
        name
        for block in re.findall(r"^locals \{\n(.*?)^\}", text, flags=re.MULTILINE | re.DOTALL)
        for name in re.findall(r"^  (\w+) +=", block, flags=re.MULTILINE)
    ]
    data = re.findall(r'^data "(\w+)" "(\w+)"', text, flags=re.MULTILINE)
    wanted = [
        *(f"var.{name}" for name in variables(folder)),
        *(f"local.{name}" for name in local_names),
        *(f"data.{kind}.{name}" for kind, name in data),
    ]
    assert [name for name in wanted if not re.search(rf"\b{re.escape(name)}\b", text)] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_versions_are_bounded_as_the_contract_says(folder: Path) -> None:
    contract = (TERRAFORM / "CONTRACT.md").read_text("utf-8")
    bounds = dict(re.findall(r"^\| ([\w/]+) \| `([^`]+)` \|", contract, flags=re.MULTILINE))
    text = (folder / "versions.tf").read_text("utf-8")
    assert re.findall(r'required_version = "([^"]+)"', text) == [bounds["terraform"]]
    assert re.findall(r'^      version = "([^"]+)"', text, flags=re.MULTILINE) == (
        [] if folder.name == "labels" else [bounds["hashicorp/aws"]]
    )


def test_every_skipped_check_says_why() -> None:
    lines = [line for folder in FOLDERS for path in folder.glob("**/*.tf") for line in path.read_text().splitlines()]
    skips = [line for line in lines if "checkov:skip" in line]
    assert [line for line in skips if not re.search(r"checkov:skip=CKV2?_AWS_\d+: \S.{10,}", line)] == []


def test_networks_of_the_environments_can_be_peered() -> None:
    ranges = [re.search(r'cidr = "([^"]+)"', (root / "terraform.tfvars").read_text("utf-8")) for root in ROOTS]
    assert len({found[1] for found in ranges if found}) == 3


def test_no_readme_is_stale() -> None:
    done = subprocess.run(
        [sys.executable, TERRAFORM / "docs.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_a_readme_that_lacks_a_variable_is_stale(tmp_path: Path) -> None:
    shutil.copy(TERRAFORM / "docs.py", tmp_path)
    module = tmp_path / "modules" / "eks"
    shutil.copytree(TERRAFORM / "modules" / "eks", module, ignore=shutil.ignore_patterns(".terraform*"))
    (module / "variables.tf").write_text(
        (module / "variables.tf").read_text() + 'variable "new" {\n  type = string\n  description = "a | b"\n}\n'
    )
    command = [sys.executable, tmp_path / "docs.py"]
    checked = subprocess.run([*command, "--check"], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (1, "modules/eks/README.md\n")
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert "| `new` | `string` | required | a \\| b |" in (module / "README.md").read_text()
    assert subprocess.run([*command, "--check"], check=False).returncode == 0


def test_everything_is_formatted() -> None:
    if shutil.which("terraform") is None:
        pytest.skip("terraform is not installed")
    environment = {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", *MODULES, TERRAFORM / "environments" / "aws"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_checkov_finds_nothing_unexplained(tmp_path: Path) -> None:
    checkov = os.environ.get("CHECKOV") or shutil.which("checkov")
    if checkov is None:
        pytest.skip("checkov is not installed (it cannot share our environment): set CHECKOV to its path")
    for folder in FOLDERS:
        ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*")
        shutil.copytree(folder, tmp_path / folder.relative_to(TERRAFORM), ignore=ignored)
    command = [checkov, "-d", tmp_path, "--quiet", "--skip-download", "--framework", "terraform", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert report["summary"]["passed"] > 200
    assert [(check["check_id"], check["file_path"]) for check in report["results"]["failed_checks"]] == []


# --- run for real ---


@pytest.mark.parametrize("terraform_folder", [TERRAFORM / "modules" / "labels"], ids=name_of, indirect=True)
def test_labels_keep_their_claims(terraform_folder: Folder) -> None:
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", terraform_folder.run("test", "-no-color"))


@pytest.mark.terraform
@pytest.mark.parametrize(
    "terraform_folder", [path for path in MODULES if path.name != "labels"], ids=name_of, indirect=True
)
def test_modules_keep_their_claims(terraform_folder: Folder) -> None:
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", terraform_folder.run("test", "-no-color"))


# What an operator may change on a running platform: upgrade, another autoscaler, a budget, a public endpoint.
CHANGES = {
    "dev": [
        "-var=kubernetes_version=1.36",
        "-var=autoscaler=cluster-autoscaler",
        '-var=budget={monthly_usd=500,alert_emails=["team@example.com"]}',
        '-var=cluster_access={public=true,cidrs=["192.0.2.0/24"]}',
    ],
    "staging": ["-var=node_pools={general={max=9}}", "-var=database={storage_gb=40}"],
    "prod": ["-var=deletion_protection=false", "-var=secrets_version=2"],
}
# Changing these loses data; no change above may replace one.
HOLDS_DATA = ("aws_db_instance", "aws_s3_bucket.", "aws_kms_key", "aws_eks_cluster.", "aws_ecr_repository", "aws_vpc.")


@pytest.mark.long
@pytest.mark.terraform
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("terraform_folder", ROOTS, ids=name_of, indirect=True)
def test_root_is_applied_changed_and_destroyed_without_a_trace(terraform_folder: Folder, aws: StandIn) -> None:
    before = aws.inventory()
    change = CHANGES[terraform_folder.path.name]

    first = terraform_folder.plan()
    assert set(actions(first).values()) == {"create"}
    assert_marked(first)
    log = terraform_folder.apply()
    assert_outputs(terraform_folder.outputs(), aws)
    assert actions(terraform_folder.plan()) == {}
    generated = secrets_of(terraform_folder, aws)

    planned = actions(terraform_folder.plan(*change))
    assert planned
    assert [
        name for name, action in planned.items() if "delete" in action and any(kind in name for kind in HOLDS_DATA)
    ] == []
    log += terraform_folder.apply()
    assert actions(terraform_folder.plan(*change)) == {}
    assert_no_secret(terraform_folder, aws, log)
    new = any("secrets_version" in argument for argument in change)
    assert all((value != now) == new for value, now in zip(generated, secrets_of(terraform_folder, aws), strict=True))

    terraform_folder.run("destroy", "-auto-approve", "-no-color", *change)
    assert aws.inventory() == before


def assert_marked(plan: dict[str, Any]) -> None:
    """Whatever can carry tags carries the deployment's id: sweeps search for it."""
    planned = [change for change in plan["resource_changes"] if change["mode"] == "managed"]
    after = {change["address"]: change["change"]["after"] for change in planned}
    taggable = {address: values["tags"] for address, values in after.items() if "tags" in values}
    assert len(taggable) > 40
    assert [address for address, tags in taggable.items() if "deployment-id" not in (tags or {})] == []


def assert_outputs(outputs: dict[str, Any], aws: StandIn) -> None:
    """What later stages build on is there, in the cloud as in the outputs."""
    cluster = aws.client("eks").describe_cluster(name=outputs["cluster_name"])["cluster"]
    assert cluster["endpoint"] == outputs["cluster_endpoint"]
    assert cluster["certificateAuthority"]["data"] == outputs["cluster_ca_certificate"]
    assert cluster["accessConfig"]["authenticationMode"] == "API"
    repositories = {one["repositoryUri"] for one in aws.client("ecr").describe_repositories()["repositories"]}
    config, given = make_config("aws"), parse_outputs(outputs)
    pulled = {image_of(name, config, given).rpartition(":")[0] for name in ("serving", "tracking", "training")}
    assert pulled == repositories
    for store in outputs["artifact_stores"].values():
        aws.client("s3").head_bucket(Bucket=store["name"])
    bound = aws.client("eks").list_pod_identity_associations(clusterName=outputs["cluster_name"])["associations"]
    accounts = {(association["namespace"], association["serviceAccount"]) for association in bound}
    promised = {(one["namespace"], one["service_account"]) for one in outputs["identities"].values()}
    assert promised <= accounts
    assert "null" not in json.dumps(outputs)


def secrets_of(folder: Folder, aws: StandIn) -> list[str]:
    """The generated values, from the store: the only place where they may be."""
    manager = aws.client("secretsmanager")
    names = sorted(folder.outputs()["secrets"].values())
    generated = [json.loads(manager.get_secret_value(SecretId=name)["SecretString"]) for name in names]
    return [secret.get("password") or secret["key"] for secret in generated]


def assert_no_secret(folder: Folder, aws: StandIn, log: str) -> None:
    """No generated value is in a plan, a state, what lies beside them, or what was printed."""
    values = secrets_of(folder, aws)
    assert len(values) >= 3
    assert [len(value) for value in values] == [32] * len(values)
    written = "".join(path.read_text(errors="replace") for path in folder.path.glob("*tfstate*"))
    written += folder.run("show", "-json", "plan") + log
    assert [value for value in values if value in written] == []


@pytest.mark.long
@pytest.mark.terraform
@pytest.mark.parametrize("terraform_folder", [ROOTS[0]], ids=name_of, indirect=True)
def test_profiles_change_sizes_and_high_availability_only(terraform_folder: Folder) -> None:
    """The same kinds of things in every profile, but for the database and its parts, NAT and flow logs."""
    kinds = {
        profile: {
            change["type"]
            for change in terraform_folder.plan(f"-var=profile={profile}")["resource_changes"]
            if change["mode"] == "managed"
        }
        for profile in ("minimal", "standard", "production")
    }
    assert kinds["standard"] == kinds["production"]
    assert kinds["standard"] - kinds["minimal"] == {
        "aws_db_instance",
        "aws_db_parameter_group",
        "aws_db_subnet_group",
        "aws_flow_log",
        "aws_security_group",
        "aws_vpc_security_group_ingress_rule",
    }
    assert kinds["minimal"] - kinds["standard"] == set()


@pytest.mark.terraform
@pytest.mark.parametrize("terraform_folder", [ROOTS[0]], ids=name_of, indirect=True)
def test_state_lies_in_a_bucket_and_is_locked_there(terraform_folder: Folder, aws: StandIn) -> None:
    """With a `backend.tf` as `mlops state bootstrap` writes it, and the `state.tfbackend` of the root."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": REGION})
    (terraform_folder.path / "backend.tf").write_text('terraform {\n  backend "s3" {}\n}\n')
    terraform_folder.init(
        "-backend-config=state.tfbackend", "-backend-config=bucket=state", f"-backend-config=region={REGION}"
    )
    only = "-target=module.platform.module.encryption"
    terraform_folder.plan(only)
    terraform_folder.apply()
    key = "aws/dev/terraform.tfstate"
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="state")["Contents"]] == [key]
    assert not list(terraform_folder.path.glob("*.tfstate"))

    s3.put_object(Bucket="state", Key=f"{key}.tflock", Body=b'{"ID": "1", "Who": "somebody@elsewhere"}')
    refused = terraform_folder.run("plan", "-no-color", "-input=false", only, expect=1)
    assert "Error acquiring the state lock" in refused
    assert "somebody@elsewhere" in refused

    s3.delete_object(Bucket="state", Key=f"{key}.tflock")
    terraform_folder.run("destroy", "-auto-approve", "-no-color")
    for item in s3.list_objects_v2(Bucket="state")["Contents"]:
        s3.delete_object(Bucket="state", Key=item["Key"])
    s3.delete_bucket(Bucket="state")


def prices() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "infrastructure" / "prices" / "aws-eu-west-1.yaml").read_text("utf-8")))


def test_the_prices_name_their_source_and_say_whether_it_was_checked() -> None:
    table = prices()
    assert (table["region"], table["currency"]) == ("eu-west-1", "USD")
    assert isinstance(table["verified"], bool)
    assert table["source"]
    assert table["date"]


def test_every_size_of_a_profile_has_a_price() -> None:
    profiles = (TERRAFORM / "modules" / "aws-platform" / "profiles.tf").read_text("utf-8")
    sizes = set(re.findall(r'"((?:db\.)?[a-z][a-z0-9]+\.[0-9]*[a-z]+)"', profiles))
    assert {"t3.large", "db.t4g.small", "g6.xlarge"} <= sizes
    known = prices()["prices"]
    priced = {size for kind in ("aws_eks_node_group", "aws_db_instance") for size in known[kind][0]["values"]}
    assert sizes - priced == set()
