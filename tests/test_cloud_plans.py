"""Clouds that Terraform makes: plans with their resources, saved plans, guards, status, destroy and its proof.

The quick tests run the real engine on a root of Terraform's builtin provider; what is marked `terraform` runs
`mlops` on the real AWS root against the stand-in.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from terraform_fixtures import MIRROR, StandIn
from test_terraform_clouds import schema_mirror

from platform_cli import change
from platform_cli.clouds.aws.sweep import sweep
from platform_cli.clouds.interface import Look, Proof
from platform_cli.clouds.registry import CLOUDS, open_cloud
from platform_cli.clouds.terraform import Deployment, Provider, Swept, TerraformCloud, state_change
from platform_cli.clouds.terraform.price import estimate
from platform_cli.clouds.terraform.state import read_state
from platform_cli.clouds.terraform.variable import list_variables
from platform_cli.config import Config
from platform_cli.config_load import load_settings
from platform_cli.errors import (
    ConfigError,
    MlopsError,
    NotFoundError,
    NotReadyError,
    RefusedError,
    StateError,
    UsageError,
)
from platform_cli.events import Event, ResourceProgress
from platform_cli.layout import Layout, TargetHome
from platform_cli.plan import Plan
from platform_cli.render.plan import plan_lines
from platform_cli.resource import MonthlyCost
from platform_cli.risk import Risk
from platform_cli.saved import open_saved, write_saved
from platform_cli.status import Health
from platform_cli.target import CloudName, Env, Target

ROOT = Path(__file__).resolve().parent.parent
TERRAFORM = ROOT / "infrastructure" / "terraform"
TARGET = Target(CloudName.AWS, Env.DEV)
PAPER = """
variable "environment" { type = string }
variable "product" { type = string }
variable "owner" { default = "nobody" }
variable "tenant" { default = "core" }
resource "terraform_data" "cluster" { input = var.owner }
module "store" {
  source = "../../../modules/store"
  tenant = var.tenant
}
output "deployment_id" { value = "paper-${var.environment}" }
output "region" { value = "here" }
output "password" {
  value     = "hunter2-never-shown"
  sensitive = true
}
"""
STORE = """
variable "tenant" { type = string }
resource "terraform_data" "bucket" { triggers_replace = var.tenant }
"""

needs_terraform = pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
pytestmark = needs_terraform


@dataclasses.dataclass
class Paper:
    """A target whose cloud is Terraform's own builtin provider."""

    folder: Path
    left: tuple[str, ...] = ()
    swept: list[Deployment] = dataclasses.field(default_factory=list)
    heard: list[Event] = dataclasses.field(default_factory=list)
    shown: list[Plan] = dataclasses.field(default_factory=list)

    @property
    def assets(self) -> Path:
        return self.folder / "assets" / "infrastructure" / "terraform"

    @property
    def layout(self) -> Layout:
        return Layout(assets=self.folder / "assets", project=self.folder / "project")

    @property
    def home(self) -> TargetHome:
        return self.layout.home(TARGET.name)

    def cloud(self, **infrastructure: Any) -> TerraformCloud:
        config = Config.model_validate(
            {
                "version": 1,
                "cloud": "aws",
                "infrastructure": infrastructure,
                "components": {"install": False},
            }
        )
        provider = Provider(
            data_types=frozenset({"terraform_data"}),
            layers={"cluster": frozenset({"terraform_data"}), "database": frozenset({"paper_database"})},
            environment={"TF_CLI_CONFIG_FILE": os.devnull},
            sweep=self.sweep,
        )
        return TerraformCloud(config, self.layout, provider)

    def sweep(self, deployment: Deployment) -> Swept:
        self.swept.append(deployment)
        return Swept(checked=("nothing on paper",), leftovers=self.left)

    def deploy(self, cloud: TerraformCloud, **options: Any) -> Plan:
        return change.deploy(cloud, TARGET, self.home, confirm=self.shown.append, emit=self.heard.append, **options)

    def destroy(self, cloud: TerraformCloud) -> Proof:
        return change.destroy(
            cloud, TARGET, self.home, keep_data=False, confirm=self.shown.append, emit=self.heard.append
        )


@pytest.fixture
def paper(tmp_path: Path) -> Paper:
    made = Paper(tmp_path)
    for name, text in (("environments/aws/dev/main.tf", PAPER), ("modules/store/main.tf", STORE)):
        path = made.assets / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (tmp_path / "project").mkdir()
    return made


def files_of(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_from_nothing_to_deployed_to_changed_to_nothing(paper: Paper) -> None:
    before = files_of(paper.assets)
    plan = paper.deploy(paper.cloud())
    assert (plan.stages[0].risk, plan.stages[0].reason) == (Risk.CREATE, "2 to create")
    assert "    + create   module.store.terraform_data.bucket (known after apply: id)" in plan_lines(plan)
    finished = [event for event in paper.heard if isinstance(event, ResourceProgress) and event.phase == "finished"]
    assert [(event.done, event.total) for event in finished] == [(1, 2), (2, 2)]
    assert not paper.deploy(paper.cloud()).changes
    changed = paper.deploy(paper.cloud(owner="team-a"))
    assert (changed.stages[0].risk, changed.stages[0].reason) == (Risk.CHANGE, "1 to update")
    assert [(layer.name, layer.health) for layer in paper.cloud().inspect()] == [
        ("state", Health.OK),
        ("cluster", Health.OK),
        ("database", Health.DOWN),
    ]
    proof = paper.destroy(paper.cloud())
    assert not proof.leftovers
    assert paper.swept == [Deployment(id="paper-dev", region="here")]
    assert not paper.home.root.parent.exists()
    assert files_of(paper.assets) == before


def test_state_plans_and_variables_are_closed_and_no_log_has_a_secret(paper: Paper) -> None:
    paper.deploy(paper.cloud())
    change.plan_deploy(paper.cloud(owner="x"), TARGET)
    found = [path for path in paper.home.terraform.rglob("*") if path.is_file() and ".terraform" not in path.parts]
    assert {path.suffix for path in found} >= {".tfstate", ".tfplan", ".json", ".tf"}
    assert {str(path): oct(path.stat().st_mode & 0o777) for path in found if path.stat().st_mode & 0o077} == {}
    assert paper.home.terraform.stat().st_mode & 0o077 == 0
    assert "hunter2" not in "".join(files_of(paper.home.logs).values())
    assert "hunter2" not in json.dumps([plan.to_document() for plan in paper.shown])


def test_losing_data_needs_a_word_of_its_own(paper: Paper) -> None:
    paper.deploy(paper.cloud())
    before = paper.home.terraform.joinpath("state/terraform.tfstate").read_text()
    with pytest.raises(RefusedError, match="data would be lost") as caught:
        paper.deploy(paper.cloud(tenant="other"))
    assert caught.value.details == ("replace module.store.terraform_data.bucket",)
    assert paper.home.terraform.joinpath("state/terraform.tfstate").read_text() == before
    plan = change.plan_deploy(paper.cloud(tenant="other"), TARGET)
    assert plan.to_document()["stages"][0]["resources"][0]["danger"] is True
    assert any("DANGER: its data is lost; because of triggers_replace" in line for line in plan_lines(plan))
    assert paper.deploy(paper.cloud(tenant="other"), allow_replace=True).stages[0].risk is Risk.REPLACE


def test_a_saved_plan_is_carried_out_exactly_and_once(paper: Paper, tmp_path: Path) -> None:
    file = tmp_path / "a.plan"
    plan = change.plan_deploy(paper.cloud(), TARGET)
    write_saved(file, plan)
    assert file.stat().st_mode & 0o777 == 0o600
    with open_saved(file) as saved:
        done = paper.deploy(paper.cloud(), saved=saved)
    assert done.digest == plan.digest
    with open_saved(file) as saved, pytest.raises(StateError, match="the plan is stale"):
        paper.deploy(paper.cloud(), saved=saved)


def test_a_saved_plan_of_other_files_or_targets_is_refused(paper: Paper, tmp_path: Path) -> None:
    file = tmp_path / "a.plan"
    write_saved(file, change.plan_deploy(paper.cloud(), TARGET))
    with open_saved(file) as saved:
        with pytest.raises(RefusedError, match="is stale"):
            paper.deploy(paper.cloud(owner="x"), saved=saved)
        with pytest.raises(RefusedError, match="not to deploy aws/prod"):
            change.plan_deploy(paper.cloud(), Target(CloudName.AWS, Env.PROD), saved=saved)
    (paper.assets / "modules" / "store" / "more.tf").write_text('output "x" { value = 1 }\n')
    with open_saved(file) as saved, pytest.raises(RefusedError, match="is stale"):
        paper.deploy(paper.cloud(), saved=saved)
    assert read_state(paper.home.terraform / "state" / "terraform.tfstate") is None


@pytest.mark.parametrize("content", [b"", b"not a zip"])
def test_what_is_no_saved_plan_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.plan"
    file.write_bytes(content)
    with pytest.raises(StateError, match="no saved plan"), open_saved(file):
        pass
    with pytest.raises(NotFoundError), open_saved(tmp_path / "absent"):
        pass


def test_a_deploy_that_failed_midway_goes_on(paper: Paper) -> None:
    broken = paper.assets / "environments" / "aws" / "dev" / "broken.tf"
    broken.write_text(
        'resource "terraform_data" "late" {\n'
        "  depends_on = [terraform_data.cluster, module.store]\n"
        '  provisioner "local-exec" { command = "exit 3" }\n}\n'
    )
    with pytest.raises(MlopsError, match="terraform apply failed") as caught:
        paper.deploy(paper.cloud())
    assert "exit status 3" in caught.value.details[0]
    layers = {layer.name: layer for layer in paper.cloud().inspect()}
    assert layers["state"].health is Health.DEGRADED
    assert "not made in full" in layers["cluster"].reason
    # It is of a type that holds data, and made anew without another word: it never held any.
    broken.write_text(broken.read_text().replace("exit 3", "exit 0"))
    done = paper.deploy(paper.cloud())
    assert any("terraform_data.late (because of an unfinished creation;" in line for line in plan_lines(done))
    assert {layer.name: layer.health for layer in paper.cloud().inspect()}["state"] is Health.OK


def test_what_is_left_is_reported_and_searched_for_again(paper: Paper) -> None:
    paper.deploy(paper.cloud())
    paper.left = ("arn:of:something",)
    assert paper.destroy(paper.cloud()).leftovers == ("arn:of:something",)
    paper.left = ()
    assert not paper.destroy(paper.cloud()).leftovers
    assert [deployment.id for deployment in paper.swept] == ["paper-dev", "paper-dev"]
    assert not paper.home.root.exists()


def test_destroy_of_nothing_and_of_what_was_only_planned(paper: Paper) -> None:
    assert not paper.destroy(paper.cloud()).leftovers
    change.plan_deploy(paper.cloud(), TARGET)
    assert not paper.destroy(paper.cloud()).leftovers
    assert not paper.home.root.exists()
    assert paper.swept == []


def test_a_broken_state_is_told_and_can_be_restored(paper: Paper) -> None:
    paper.deploy(paper.cloud())
    paper.deploy(paper.cloud(owner="b"))
    state = paper.home.terraform / "state" / "terraform.tfstate"
    state.write_text("{")
    for act in (paper.cloud().inspect, lambda: paper.deploy(paper.cloud()), lambda: paper.destroy(paper.cloud())):
        with pytest.raises(StateError, match="cannot be read") as caught:
            act()
        assert "mlops state restore" in caught.value.hint
    held = paper.cloud().state.target
    newest = next(version.id for version in held.backend.list_versions() if not version.current)
    restored = state_change.restore(held, newest, reason="", force=False, confirm=lambda _: None)
    assert len(restored.resources) == 2
    assert paper.deploy(paper.cloud(owner="b")).changes


def test_a_root_with_a_backend_of_its_own_is_refused(paper: Paper) -> None:
    (paper.assets / "environments" / "aws" / "dev" / "backend.tf").write_text("")
    with pytest.raises(NotReadyError, match="there can be only one"):
        change.plan_deploy(paper.cloud(), TARGET)


def test_what_there_is_not_without_components_is_told(paper: Paper) -> None:
    cloud = paper.cloud()
    for act in (cloud.engine, cloud.registry, cloud.serving):
        with pytest.raises(NotReadyError, match=r"components\.install is false"):
            act()
    with pytest.raises(NotReadyError, match="not deployed"):
        cloud.require_deployed()
    with pytest.raises(RefusedError, match="--keep-data"):
        cloud.list_removals(keep_data=True)


# --- prices ---

PRICES = """
cloud: aws
region: here
date: 2026-11-21
verified: false
hours_per_month: 100
prices:
  x_server:
    - by: size
      when: {spot: false}
      per: hour
      times: pool.0.nodes
      doubled_by: standby
      values: {small: 0.5, free: 0.0}
    - {per: gb_month, times: disk.mb, scale: 0.001, value: 1.0}
  x_endpoint:
    - {per: day, count: subnets, value: 1.0}
usage:
  x_bucket: {per: gb_month, value: 0.02}
"""


def resource(kind: str, before: object, after: object) -> dict[str, Any]:
    return {"address": f"{kind}.a", "mode": "managed", "type": kind, "change": {"before": before, "after": after}}


def server(**fields: object) -> dict[str, object]:
    return {"size": "small", "spot": False, "pool": [{"nodes": 2}], "disk": [{"mb": 5000}], **fields}


def cost_of(folder: Path, *changes: dict[str, Any]) -> MonthlyCost | None:
    (folder / "aws-here.yaml").write_text(PRICES)
    document = {"variables": {"region": {"value": "here"}}, "resource_changes": list(changes)}
    return estimate(document, folder, "aws")


@pytest.mark.parametrize(
    ("values", "usd"),
    [
        (server(), 0.5 * 2 * 100 + 5),
        (server(standby=True), 0.5 * 2 * 100 * 2 + 5),
        (server(size="free", pool=None), 5),
        (server(size="odd"), None),
        (server(spot=True), None),
        (server(pool=None), None),
        (server(disk=[]), None),
    ],
)
def test_a_price_is_chosen_and_multiplied_or_unknown(
    tmp_path: Path, values: dict[str, object], usd: float | None
) -> None:
    cost = cost_of(tmp_path, resource("x_server", None, values))
    assert cost is not None
    assert (cost.before_usd, cost.after_usd) == (0, usd or 0)
    assert cost.unknown == (("x_server.a",) if usd is None else ())


def test_what_stays_without_a_price_is_told_once(tmp_path: Path) -> None:
    cost = cost_of(tmp_path, resource("x_server", server(size="odd"), server(size="odd", spot=True)))
    assert cost is not None
    assert cost.unknown == ("x_server.a",)


def test_a_plan_tells_the_difference_and_what_is_not_in_it(tmp_path: Path) -> None:
    gone = resource("x_endpoint", {"subnets": ["a", "b"]}, None)
    cost = cost_of(tmp_path, gone, resource("x_bucket", None, {}), resource("x_role", {}, {}))
    assert cost is not None
    assert (cost.before_usd, cost.after_usd) == (round(2 * 365 / 12, 2), 0)
    assert (cost.by_use, cost.unlisted) == (("x_bucket",), ("x_role",))
    assert cost.source == "list prices of 2026-11-21 for here, not verified"


def test_without_a_table_there_is_no_price(tmp_path: Path) -> None:
    assert estimate({"resource_changes": []}, tmp_path, "aws") is None
    (tmp_path / "aws-there.yaml").write_text("[")
    with pytest.raises(ConfigError, match="price table"):
        estimate({"variables": {"region": {"value": "there"}}}, tmp_path, "aws")


def test_a_plan_with_prices_shows_them(paper: Paper) -> None:
    folder = paper.assets.parent / "prices"
    folder.mkdir()
    (folder / "aws-here.yaml").write_text(
        PRICES.replace("x_endpoint", "terraform_data").replace("count: subnets, ", "")
    )
    root = paper.assets / "environments" / "aws" / "dev" / "region.tf"
    root.write_text('variable "region" { default = "here" }\n')
    plan = change.plan_deploy(paper.cloud(), TARGET)
    expected = "  monthly cost: +60.83 USD (from 0.00 to 60.83), list prices of 2026-11-21 for here, not verified"
    assert expected in plan_lines(plan)
    assert plan.to_document()["stages"][0]["monthly_cost"]["after_usd"] == 60.83


# --- the real clouds ---

TERRAFORM_CLOUDS = [cloud for cloud in CLOUDS if cloud not in (CloudName.EMBEDDED, CloudName.EXISTING)]


def full_config(cloud: CloudName) -> Config:
    infrastructure = {
        "profile": "minimal",
        "owner": "team-a",
        "tenant": "a",
        "kubernetes_version": "1.35",
        "cidr": "10.20.0.0/16",
        "cluster_cidrs": ["203.0.113.0/24"],
        "cluster_admins": ["arn:x"],
        "database": "postgres",
        "deletion_protection": True,
        "budget_usd": 10,
        "budget_emails": ["a@example.org"],
        "tags": {"a": "b"},
    }
    return Config.model_validate(
        {
            "version": 1,
            "cloud": cloud,
            "local": {"registry": True},
            "aws": {"region": "eu-west-1"},
            "azure": {"region": "westeurope", "subscription": "s"},
            "gcp": {"region": "europe-west4", "project": "p"},
            "infrastructure": infrastructure,
        }
    )


@pytest.mark.parametrize("cloud", TERRAFORM_CLOUDS)
def test_every_variable_that_is_given_is_one_of_the_root(cloud: CloudName, tmp_path: Path) -> None:
    config = full_config(cloud)
    opened = open_cloud(config, Layout(assets=ROOT, project=tmp_path))
    assert isinstance(opened, TerraformCloud)
    given = list_variables(config, opened._provider.variables)
    text = (TERRAFORM / "environments" / cloud / "dev" / "variables.tf").read_text()
    assert set(given) <= set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    assert given["cluster_access"] == {"public": True, "cidrs": ["203.0.113.0/24"], "admins": ["arn:x"]}


@pytest.mark.parametrize("cloud", TERRAFORM_CLOUDS)
def test_the_tables_name_resource_types_that_the_modules_make(cloud: CloudName, tmp_path: Path) -> None:
    opened = open_cloud(full_config(cloud), Layout(assets=ROOT, project=tmp_path))
    assert isinstance(opened, TerraformCloud)
    text = "\n".join(path.read_text() for path in (TERRAFORM / "modules").rglob("*.tf"))
    made = set(re.findall(r'^resource "(\w+)"', text, re.MULTILINE))
    provider = opened._provider
    assert provider.data_types <= made
    assert set().union(*provider.layers.values()) <= made


def test_unset_keys_leave_the_roots_own_values() -> None:
    assert list_variables(Config(version=1), {"region": None}) == {"environment": "dev", "product": "mlops"}


def test_wrong_infrastructure_is_told_with_its_key(tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text("version: 1\ninfrastructure:\n  cidr: 10.0.0.1/16\n  budget_usd: lots\n  profile: huge\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(file=file, environ={}, flags={})
    told = "\n".join(caught.value.details)
    assert all(f"platform.yaml:{line}: infrastructure.{key}" in told for line, key in ((3, "cidr"), (4, "budget_usd")))
    assert "profile" in told


def mlops(project: Path, *arguments: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    fixed = {"TF_CLI_CONFIG_FILE": os.devnull, "XDG_CACHE_HOME": str(project / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", "from platform_cli.cli.entry import main; main()", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT), **fixed, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == code, f"mlops {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "no-mirror").mkdir()
    settings = {"version": 1, "terraform": {"plugin_dirs": [str(tmp_path / "no-mirror")]}}
    (tmp_path / "platform.yaml").write_text(yaml.safe_dump(settings))
    yield tmp_path


@pytest.mark.parametrize("cloud", TERRAFORM_CLOUDS)
def test_a_cloud_without_its_provider_ends_with_terraforms_reason(project: Path, cloud: CloudName) -> None:
    told = mlops(project, "plan", "--cloud", cloud, code=5).stderr
    assert f"{cloud}/dev: terraform init failed" in told
    assert "Error: " in told
    assert "not deployed" in mlops(project, "status", "--cloud", cloud, code=8).stdout
    checked = json.loads(mlops(project, "doctor", "--offline", "-c", cloud, "--output", "json").stdout)
    last = "terraform" if cloud is CloudName.LOCAL else "access"
    assert [check["name"] for check in checked["checks"]][-1] == last


def test_an_environment_without_a_root_and_unfit_settings_are_told(project: Path) -> None:
    assert "there is no local/staging" in mlops(project, "plan", "-c", "local", "-e", "staging", code=2).stderr
    environment = {"MLOPS_NAME": "too-long-a-name-for-a-cloud", "MLOPS_INFRASTRUCTURE_CIDR": "8.8.0.0/28"}
    told = mlops(project, "doctor", "--offline", "--cloud", "aws", code=4, **environment)
    assert "not fit for aws/dev: name, network" in told.stderr
    with pytest.raises(UsageError):
        open_cloud(full_config(CloudName.LOCAL).model_copy(update={"env": Env.PROD}), Layout(ROOT, project)).observe(
            Look()
        )


def test_a_destroy_is_not_saved(project: Path) -> None:
    assert "--save is for deploys" in mlops(project, "plan", "--destroy", "--save", "x", code=2).stderr


@pytest.mark.terraform
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not MIRROR.is_dir(), reason="no mirror with the AWS provider")
def test_aws_dev_from_nothing_to_nothing(aws: StandIn, tmp_path: Path) -> None:
    settings = {"version": 1, "cloud": "aws", "terraform": {"plugin_dirs": [str(MIRROR)]}}
    file = tmp_path / "platform.yaml"
    file.write_text(yaml.safe_dump(settings))
    before = aws.inventory()
    run = aws.environment
    assert "in account" in mlops(tmp_path, "doctor", **run).stdout
    assert "to create" in mlops(tmp_path, "plan", "--detailed-exitcode", code=2, **run).stdout
    mlops(tmp_path, "deploy", "--yes", **run)
    assert aws.inventory() != before
    status = json.loads(mlops(tmp_path, "status", "--output", "json", **run).stdout)
    assert {layer["name"]: layer["health"] for layer in status["layers"]} == dict.fromkeys(
        ("state", "cluster", "nodes", "storage", "database"), "ok"
    )
    [[shown]] = [layer["items"] for layer in status["layers"] if layer["name"] == "storage"]
    registry = r"\d+\.dkr\.ecr\.eu-west-1\.amazonaws\.com/mlops-core-dev"
    assert re.fullmatch(rf"images: make images REGISTRY={registry} PUSH=yes", shown)
    assert "0 changes" in mlops(tmp_path, "deploy", "--yes", **run).stdout
    file.write_text(yaml.safe_dump({**settings, "infrastructure": {"cluster_cidrs": ["203.0.113.0/24"]}}))
    assert "to update" in mlops(tmp_path, "plan", "--save", "my.plan", **run).stdout
    assert "changed" in mlops(tmp_path, "deploy", "my.plan", "--yes", **run).stdout
    assert "stale" in mlops(tmp_path, "deploy", "my.plan", "--yes", code=7, **run).stderr
    assert "--yes" in mlops(tmp_path, "destroy", code=9, **run).stderr
    destroyed = mlops(tmp_path, "destroy", "--yes", **run).stdout
    (searched,) = re.findall(r"proof: no (instances, .*)", destroyed)
    assert "resources with the tag deployment-id=" in searched
    assert "not checked" not in destroyed
    assert aws.inventory() == before
    assert not (tmp_path / ".mlops").exists()


@pytest.mark.terraform
@pytest.mark.parametrize("cloud", [cloud for cloud in TERRAFORM_CLOUDS if cloud is not CloudName.AWS])
def test_other_clouds_from_nothing_to_nothing_on_their_schemas(tmp_path: Path, cloud: CloudName) -> None:
    # The schema provider has no account that could be asked, and its clusters have no API.
    settings = {
        "version": 1,
        "cloud": cloud.value,
        "components": {"install": False},
        "preflight": {"account": False},
        "terraform": {"plugin_dirs": [str(schema_mirror())]},
    }
    file = tmp_path / "platform.yaml"
    file.write_text(yaml.safe_dump(settings))
    run = {"ARM_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000000", "GOOGLE_PROJECT": "mlops-test"}
    mlops(tmp_path, "deploy", "--yes", **run)
    mlops(tmp_path, "status", **run)
    assert "0 changes" in mlops(tmp_path, "deploy", "--yes", **run).stdout
    file.write_text(yaml.safe_dump({**settings, "name": "renamed"}))
    told = mlops(tmp_path, "deploy", "--yes", code=9, **run).stderr
    assert "data would be lost" in told
    assert "--allow-replace" in told
    proof = mlops(tmp_path, "destroy", "--yes", **run).stdout
    assert "proof: no resource in Terraform's state" in proof
    # Nobody is logged in here: what to search for is remembered, where the cloud has anything beside the cluster.
    searches = cloud is not CloudName.LOCAL
    assert ("not checked: " in proof) == searches
    assert sorted(path.name for path in (tmp_path / ".mlops").rglob("*.json")) == ["left-overs.json"] * searches


@pytest.mark.terraform
@pytest.mark.parametrize("cloud", [CloudName.AZURE, CloudName.GCP])
def test_protected_data_outlives_a_destroy_and_is_adopted(tmp_path: Path, cloud: CloudName) -> None:
    settings = {
        "version": 1,
        "cloud": cloud.value,
        "env": "prod",
        "components": {"install": False},
        "preflight": {"account": False},
        "terraform": {"plugin_dirs": [str(schema_mirror())]},
    }
    (tmp_path / "platform.yaml").write_text(yaml.safe_dump(settings))
    run = {"ARM_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000000", "GOOGLE_PROJECT": "mlops-test"}
    first = re.search(r"(\d+) added, 0 changed", mlops(tmp_path, "deploy", "--yes", **run).stdout)
    kept = mlops(tmp_path, "destroy", "--yes", "--keep-data", **run)
    assert "-mlflow-" in kept.stdout
    assert "everything kept: " in kept.stdout
    assert "targeting" not in kept.stdout + kept.stderr
    gone = re.search(r"0 added, 0 changed, (\d+) destroyed", kept.stdout)
    again = re.search(r"(\d+) added, 0 changed", mlops(tmp_path, "deploy", "--yes", **run).stdout)
    assert first
    assert gone
    assert again
    assert 0 < int(again[1]) == int(gone[1]) < int(first[1])
    destroyed = mlops(tmp_path, "destroy", "--yes", **run).stdout
    assert f"0 added, 0 changed, {first[1]} destroyed" in destroyed
    assert "proof: no resource in Terraform's state" in destroyed


def test_the_sweep_finds_what_carries_the_tag(aws: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    deployment = Deployment(id="sweep-test", region="eu-west-1")
    tags = [{"Key": "deployment-id", "Value": deployment.id}]
    ec2, kms = aws.client("ec2"), aws.client("kms")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16", TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}])
    key = kms.create_key(Tags=[{"TagKey": "deployment-id", "TagValue": deployment.id}])["KeyMetadata"]["KeyId"]
    found = sweep(deployment, None, patience_s=0.0)
    assert len(found.leftovers) == 2
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    ec2.delete_vpc(VpcId=vpc["Vpc"]["VpcId"])
    found = sweep(deployment, None, patience_s=0.0)
    assert found.leftovers == ()
    assert [key in line and "AWS deletes it on" in line for line in found.kept] == [True]
