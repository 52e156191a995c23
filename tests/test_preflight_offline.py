"""Plans without credentials, cloud or Terraform: the language, the roots, the command, and what Terraform says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from terraform_fixtures import MIRROR, StandIn
from test_terraform_clouds import schema_mirror

from platform_cli.change import plan_deploy, plan_destroy
from platform_cli.cli.entry import run
from platform_cli.clouds.catalog import limit_to_files
from platform_cli.clouds.registry import open_cloud
from platform_cli.clouds.terraform import TerraformCloud
from platform_cli.clouds.terraform.check import hold_access
from platform_cli.clouds.terraform.offline import Reading
from platform_cli.config import Config
from platform_cli.doctor import Finding, Result, run_checks
from platform_cli.errors import ToolError
from platform_cli.events import Notice
from platform_cli.hcl.module import Module, read_root
from platform_cli.hcl.value import UNKNOWN, HclError
from platform_cli.layout import Layout
from platform_cli.plan import Risk

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "infrastructure" / "terraform" / "environments"
ROOTS = sorted(path.parent.relative_to(ENVIRONMENTS).as_posix() for path in ENVIRONMENTS.glob("*/*/main.tf"))


# --- the language ---

VALUES = """
variable "name" { default = "a" }
variable "size" {
  type = object({ n = optional(number, 3), tags = optional(map(string), {}), zones = optional(set(string)) })
  default = { zones = ["b", "a", "b"] }
}
locals { result = %s }
output "result" { value = local.result }
"""


def value_of(folder: Path, expression: str, more: str = "", **variables: Any) -> Any:
    folder.mkdir(exist_ok=True)
    (folder / "main.tf").write_text(VALUES % expression + more)
    return read_root(folder, variables, {"cloud_facts": {"zones": ["z1", "z2"]}}).attribute("result")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('"${var.name}-x"', "a-x"),
        ('"a\\nb $${x}"', "a\nb ${x}"),
        ("-1 + 2 * 3 - 4 / 2", 3),
        ("(1 + 2) * 3 % 4", 1),
        ("!(1 < 2 && 2 >= 2) || 1 != 1", False),
        ('var.name == "a" ? [1, 2][1] : null', 2),
        ("{ for k, v in { b = 1, a = 2 } : upper(k) => v + 1 if v > 1 }", {"A": 3}),
        ('{ for v in [1, 2, 3] : v % 2 == 0 ? "even" : "odd" => v... }', {"odd": [1, 3], "even": [2]}),
        ('[for i, v in ["a", "b"] : "${i}${v}"]', ["0a", "1b"]),
        ("[{ n = 1 }, { n = 2 }][*].n", [1, 2]),
        ('{ (var.name) = 1, "b" : 2, c = 3 }', {"a": 1, "b": 2, "c": 3}),
        ('try(var.size.nothing, "fallback")', "fallback"),
        ("[can(var.size.nothing), can(var.size.n)]", [False, True]),
        ("var.size", {"n": 3, "tags": {}, "zones": ["a", "b"]}),
        ("data.cloud_facts.here.zones[1]", "z2"),
        ("merge({ a = 1 }, null, { b = 2 })", {"a": 1, "b": 2}),
        ("concat([1], [[2]]...)", [1, 2]),
        ('cidrsubnet("10.0.0.0/16", 8, 225)', "10.0.225.0/24"),
        ('cidrhost("10.0.0.0/16", 5)', "10.0.0.5"),
        ('replace("a.b.c", "/[.](b)/", "-$1")', "a-b.c"),
        ('regex("^([a-z])(.)", "a1")', ["a", "1"]),
        ('substr(sha256("x"), 0, 6)', "2d7116"),
        ('setunion(["b"], ["a", "b"])', ["a", "b"]),
        ('jsonencode({ b = [1], a = "x" })', '{"a":"x","b":[1]}'),
        ('format("%s-%d", "a", 2)', "a-2"),
        ('coalesce(null, "", "x")', "x"),
        ("slice([1, 2, 3], 0, 2)", [1, 2]),
        ("max(1, 3, 2)", 3),
        ('trimsuffix("a-", "-")', "a"),
        ("<<-EOT\n  plain\nEOT\n", "  plain\n"),
    ],
)
def test_an_expression_has_terraforms_value(tmp_path: Path, expression: str, value: Any) -> None:
    assert value_of(tmp_path, expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "data.unheard_of.x.id",
        '"a-${data.unheard_of.x.id}"',
        "data.unheard_of.x.id ? 1 : 2",
        "[for v in data.unheard_of.x.ids : v]",
        "{ for v in [1] : data.unheard_of.x.id => v }",
        "length(data.unheard_of.x.ids)",
        "1 + data.unheard_of.x.n",
        "true && data.unheard_of.x.b",
        'bcrypt("x")',
        "thing.one.id",
    ],
)
def test_what_only_a_cloud_knows_is_unknown(tmp_path: Path, expression: str) -> None:
    assert value_of(tmp_path, expression, 'resource "thing" "one" { name = "x" }') is UNKNOWN


@pytest.mark.parametrize(
    ("expression", "value"), [("false && data.x.y.z", False), ("data.x.y.z || true", True), ("thing.one.name", "x")]
)
def test_what_is_known_in_spite_of_it_is_known(tmp_path: Path, expression: str, value: Any) -> None:
    assert value_of(tmp_path, expression, 'resource "thing" "one" { name = "x" }') == value


@pytest.mark.parametrize(
    "expression",
    ["var.unheard_of", "local.result", "[1][3]", "null.x", "nobody.one", 'regex("x", "a")', "one([1, 2])", '1 + "x"'],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, expression: str) -> None:
    with pytest.raises(HclError):
        value_of(tmp_path, expression)


def test_a_file_that_is_not_terraform_is_told(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text("resource {{")
    with pytest.raises(ToolError, match=r"main\.tf: cannot be read"):
        list(read_root(tmp_path, {}, {}).list_resources())


CALLS = """
variable "zones" { default = ["a", "b"] }
module "net" {
  for_each = toset(var.zones)
  source   = "./net"
  zone     = each.key
  others   = { for key in keys(module.net) : key => key }
}
resource "thing" "some" {
  count = length(var.zones)
  name  = "${count.index}-${module.net[var.zones[count.index]].title}"
  dynamic "part" {
    for_each = { x = 1 }
    content { label = "${part.key}${part.value}" }
  }
  block { size = 2 }
}
resource "thing" "secret" {
  for_each = data.cloud.x.names
  name     = each.value
}
"""
NET = """
variable "zone" { type = string }
variable "others" { type = map(string) }
output "title" { value = upper(var.zone) }
resource "thing" "net" { name = var.zone }
"""


def test_resources_have_terraforms_addresses_and_values(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(CALLS)
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "main.tf").write_text(NET)
    found = {item.address: item for item in read_root(tmp_path, {}, {}).list_resources()}
    assert list(found) == [
        "thing.some[0]",
        "thing.some[1]",
        "thing.secret[?]",
        'module.net["a"].thing.net',
        'module.net["b"].thing.net',
    ]
    assert found["thing.some[1]"].values == {"name": "1-B", "part": [{"label": "x1"}], "block": [{"size": 2}]}
    assert [item.is_counted for item in found.values()] == [True, True, False, True, True]


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
def test_names_are_those_that_terraform_itself_works_out(tmp_path: Path) -> None:
    """The labels module needs no provider: Terraform's own values of all its outputs against ours."""
    labels = ROOT / "infrastructure" / "terraform" / "modules" / "labels"
    (tmp_path / "main.tf").write_text(
        f"""module "labels" {{
  source      = "{os.path.relpath(labels, tmp_path)}"
  environment = "dev"
  tenant      = "averylongtenantname1"
  product     = "averylongproduct"
  scope       = "1/eu-west-1"
  tags        = {{ "CostCenter" = "A.B", a = "b" }}
  resources = {{
    bucket  = {{ kind = "aws_s3", resource = "a-very-long-name-of-a-bucket" }}
    account = {{ kind = "azure_storage", resource = "artifacts" }}
    vault   = {{ kind = "azure_key_vault", resource = "" }}
    role    = {{ kind = "aws_iam_role" }}
  }}
}}
output "all" {{ value = [module.labels.names, module.labels.labels, module.labels.tags, module.labels.deployment_id] }}
"""
    )
    for command in (["init", "-input=false"], ["apply", "-input=false", "-auto-approve"]):
        subprocess.run(["terraform", *command], cwd=tmp_path, check=True, capture_output=True)
    shown = subprocess.run(["terraform", "output", "-json", "all"], cwd=tmp_path, check=True, capture_output=True)
    assert read_root(tmp_path, {}, {}).attribute("all") == json.loads(shown.stdout)


# --- plans ---


def cloud_of(project: Path, name: str, **infrastructure: Any) -> tuple[TerraformCloud, Config]:
    cloud, env = name.split("/")
    config = limit_to_files(
        Config.model_validate({"version": 1, "cloud": cloud, "env": env, "infrastructure": infrastructure})
    )
    opened = open_cloud(config, Layout(assets=ROOT, project=project))
    assert isinstance(opened, TerraformCloud)
    return opened, config


@pytest.mark.parametrize("name", ROOTS)
def test_a_root_is_planned_offline_with_its_cost(tmp_path: Path, name: str) -> None:
    heard: list[object] = []
    cloud, config = cloud_of(tmp_path, name)
    plan = plan_deploy(cloud, config.target, emit=heard.append, offline=True)
    stage = plan.stages[0]
    assert stage.risk is Risk.CREATE
    assert stage.resources
    assert "offline" in next(event.text for event in heard if isinstance(event, Notice))
    assert (stage.cost is None) == name.startswith("local")
    assert not (tmp_path / ".mlops").exists()


def test_what_is_wanted_changes_what_is_made_and_what_it_costs(tmp_path: Path) -> None:
    def look(**wanted: Any) -> tuple[set[str], float]:
        cloud, config = cloud_of(tmp_path, "aws/dev", **wanted)
        stage = plan_deploy(cloud, config.target, offline=True).stages[0]
        assert stage.cost
        return {change.type for change in stage.resources}, stage.cost.after_usd

    small, cheap = look()
    large, dear = look(database="postgres", budget_usd=100)
    assert large - small == {
        "aws_budgets_budget",
        "aws_db_instance",
        "aws_db_parameter_group",
        "aws_db_subnet_group",
        "aws_security_group",
        "aws_vpc_security_group_ingress_rule",
    }
    assert dear > cheap > 100
    assert look(profile="production")[1] > look(profile="standard")[1] > cheap


def state_of(resources: list[str]) -> str:
    items = []
    for address in resources:
        *path, kind, name = address.split(".")
        module = {"module": ".".join(path)} if path else {}
        items.append({"mode": "managed", "type": kind, "name": name, "instances": [{"attributes": {}}], **module})
    return json.dumps({"version": 4, "serial": 3, "lineage": "x", "outputs": {}, "resources": items})


def test_a_recorded_state_is_held_against_the_files(tmp_path: Path) -> None:
    cloud, config = cloud_of(tmp_path, "aws/dev")
    state = tmp_path / ".mlops" / "aws-dev" / "terraform" / "state" / "terraform.tfstate"
    state.parent.mkdir(parents=True)
    kept, gone = "module.platform.module.network.aws_vpc.this", "module.platform.aws_db_instance.old"
    state.write_text(state_of([kept, gone]))
    changes = {change.address: change for change in plan_deploy(cloud, config.target, offline=True).stages[0].resources}
    assert kept not in changes
    assert (changes[gone].action, changes[gone].endangers_data) == ("destroy", True)
    destroyed = plan_destroy(cloud, config.target, keep_data=False, offline=True)
    assert {change.address for planned in destroyed.stages for change in planned.resources} == {kept, gone}


# --- the command ---


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_all_targets_in_one_command(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--offline", "--all", "--output", "json"]) == 0
    plans = {made["target"]: made for made in told(capsys)[-1]["plans"]}
    assert {*ROOTS, "embedded/dev"} <= set(plans)
    assert plans["aws/dev"]["stages"][0]["monthly_cost"]["after_usd"] > 0
    assert run(["plan", "--offline", "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["target", "changes", "resources", "USD", "a", "month", "prices"]
    assert next(line for line in lines if line.startswith("aws/dev")).split()[2] == str(
        len(plans["aws/dev"]["stages"][0]["resources"])
    )


def test_a_profile_by_flag_is_a_size(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    costs = {}
    for profile in ("minimal", "production"):
        assert run(["plan", "--offline", "-c", "aws", "--profile", profile, "--output", "json"]) == 0
        costs[profile] = told(capsys)[-1]["stages"][0]["monthly_cost"]["after_usd"]
    assert costs["production"] > costs["minimal"] > 0
    assert run(["plan", "--offline", "-c", "aws", "--profile", "minimal"]) == 0
    assert f"monthly cost: +{costs['minimal']:.2f} USD" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["-c", "aws", "--profile", "myteam"], "--profile takes minimal", "--credentials-profile myteam"),
        (["-c", "embedded", "--profile", "minimal"], "--profile says nothing on embedded", "Terraform"),
        (["-c", "aws", "--project", "p"], "--project says nothing on aws", "--cloud gcp"),
        (["-c", "gcp", "--subscription", "s"], "--subscription says nothing on gcp", "--cloud azure"),
        (["-c", "azure", "--credentials-profile", "p"], "--credentials-profile says nothing on azure", "--cloud aws"),
        (["-c", "local", "--region", "r"], "--region says nothing on local", "--cloud aws or azure or gcp"),
        (["-c", "aws", "--all"], "--all goes with --offline", "--offline --all"),
        (["-c", "aws", "--offline", "--save", "x"], "a plan made offline cannot be carried out", "leave"),
    ],
)
def test_a_flag_of_another_cloud_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str, hint: str
) -> None:
    assert run(["plan", *arguments]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert hint in told


@pytest.mark.parametrize("command", ["deploy", "plan", "status", "destroy", "doctor"])
def test_every_command_takes_the_account_by_flag(here: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run([command, "-c", "gcp", "--subscription", "s"]) == 2
    assert "--subscription says nothing on gcp" in capsys.readouterr().err


def test_a_flag_is_checked_as_the_key_that_it_sets(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--offline", "-c", "aws", "--region", "Not A Region"]) == 3
    assert "--region: aws.region" in capsys.readouterr().err
    assert run(["plan", "--offline", "-c", "gcp", "--project", "my-project", "--region", "us-east1"]) == 0
    assert "google_container_cluster" in capsys.readouterr().out


# --- Terraform's own word ---


def addresses_of(folder: Path, environment: dict[str, str], mirror: Path) -> set[str]:
    """What a real plan makes, by address."""
    env = {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, "TF_IN_AUTOMATION": "1", **environment}
    for command in (["init", "-input=false", f"-plugin-dir={mirror}"], ["plan", "-input=false", "-out=plan"]):
        done = subprocess.run(["terraform", *command], cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    shown = subprocess.run(["terraform", "show", "-json", "plan"], cwd=folder, env=env, capture_output=True, check=True)
    return {item["address"] for item in json.loads(shown.stdout)["resource_changes"] if item["mode"] == "managed"}


def copy_of(tmp_path: Path, name: str) -> Path:
    shutil.copytree(
        ROOT / "infrastructure" / "terraform", tmp_path / "terraform", ignore=shutil.ignore_patterns(".terraform*")
    )
    return tmp_path / "terraform" / "environments" / name


def compare(real: set[str], project: Path, name: str) -> None:
    """The same addresses; where only the cloud knows how many, the same up to the index."""
    cloud, _ = cloud_of(project, name)
    found = cloud._read().resources
    unsure = stems({item.address for item in found if not item.is_counted})
    assert {item.address for item in found if item.is_counted} == {
        address for address in real if not stems({address}) & unsure
    }
    assert stems({item.address for item in found}) == stems(real)
    assert len(unsure) <= 2


def stems(addresses: set[str]) -> set[str]:
    return {address.partition("[")[0] for address in addresses}


@pytest.mark.terraform
@pytest.mark.timeout(600)
@pytest.mark.skipif(not MIRROR.is_dir(), reason="no mirror with the AWS provider")
@pytest.mark.parametrize("name", [name for name in ROOTS if name.startswith("aws/")])
def test_terraform_plans_the_same_on_aws(tmp_path: Path, aws: StandIn, name: str) -> None:
    compare(addresses_of(copy_of(tmp_path, name), aws.environment, MIRROR), tmp_path, name)


@pytest.mark.terraform
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [name for name in ROOTS if not name.startswith("aws/")])
def test_terraform_plans_the_same_on_the_other_clouds(tmp_path: Path, name: str) -> None:
    environment = {"ARM_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000000", "GOOGLE_PROJECT": "mlops-test"}
    real = addresses_of(copy_of(tmp_path, name), environment, schema_mirror())
    compare(real, tmp_path, name)


def test_a_module_reads_nothing_before_it_is_asked(tmp_path: Path) -> None:
    module = Module(tmp_path / "absent", {}, {})
    assert list(module.list_resources()) == []


def test_a_root_that_makes_no_sense_is_told_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "a" "b" { count = local.unheard_of }')
    with pytest.raises(ToolError, match="cannot be read offline: there is no local unheard_of"):
        _ = Reading(tmp_path, {}).resources


# --- the way to the API ---


def access_of(folder: Path, cloud: str, *, thorough: bool = True, **sections: Any) -> list[Result]:
    config = Config.model_validate({"version": 1, "cloud": cloud, **sections})
    checks = open_cloud(config, Layout(ROOT, folder)).list_checks(offline=True)
    return list(run_checks([check for check in checks if check.name == "access"], thorough=thorough))


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_a_private_api_that_components_must_pass_is_warned_of(tmp_path: Path, cloud: str) -> None:
    [result] = access_of(tmp_path, cloud)
    assert (result.finding.ok, result.failed) == (False, False)
    assert "stays private" in result.finding.found
    assert "infrastructure.cluster_cidrs" in result.finding.fix
    open_to = {"infrastructure": {"cluster_cidrs": ["203.0.113.7/32", "198.51.100.0/24"]}}
    [result] = access_of(tmp_path, cloud, **open_to)
    assert result.finding == Finding(ok=True, found="the cluster's API answers to 198.51.100.0/24, 203.0.113.7/32")
    by_hand = {"terraform": {"variables": {"cluster_access": {"public": True, "cidrs": ["203.0.113.7/32"]}}}}
    [result] = access_of(tmp_path, cloud, **by_hand)
    assert result.finding == Finding(ok=True, found="the cluster's API answers to 203.0.113.7/32")
    [result] = access_of(tmp_path, cloud, components={"install": False})
    assert result.finding.ok


def test_the_api_of_a_cluster_on_this_machine_is_always_near(tmp_path: Path) -> None:
    assert access_of(tmp_path, "local") == []


@pytest.mark.parametrize(("is_there", "ok"), [(False, False), (True, True)])
def test_a_deploy_warns_of_a_private_api_until_there_is_a_cluster_to_ask(is_there: bool, ok: bool) -> None:
    check = hold_access(lambda: {"public": False, "cidrs": []}, installs=True, is_there=lambda: is_there)
    assert [result.finding.ok for result in run_checks([check], thorough=False)] == [ok]
    assert [result.finding.ok for result in run_checks([check])] == [False]
