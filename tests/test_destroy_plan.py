"""A destroy on a cloud that Terraform makes: protection is lifted first, data can be kept, nothing is forgotten.

The real engine with Terraform's builtin provider; the AWS root against the stand-in is in test_terraform_destroy.py.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from platform_cli import change
from platform_cli.clouds.terraform import Deployment, Guards, Provider, Retention, Swept, TerraformCloud
from platform_cli.clouds.terraform.deployment import Deployment as Remembered
from platform_cli.clouds.terraform.deployment import describe_deployment, recall, remember
from platform_cli.clouds.terraform.inventory import Inventory, Item
from platform_cli.clouds.terraform.protection import find_guarded, require_harmless
from platform_cli.clouds.terraform.retention import Kept, describe, find_kept, name_snapshot, read_kept
from platform_cli.config import Config
from platform_cli.errors import RefusedError, StateError, ToolError
from platform_cli.events import Event
from platform_cli.layout import Layout, TargetHome
from platform_cli.plan import Plan
from platform_cli.render.plan import plan_lines
from platform_cli.resource import Action, ResourceChange, RootPlan
from platform_cli.stage import Stage, TerraformRoot
from platform_cli.target import CloudName, Env, Target

TARGET = Target(CloudName.AWS, Env.DEV)
PAPER = """
variable "environment" { type = string }
variable "product" { type = string }
variable "owner" { default = "nobody" }
variable "deletion_protection" { default = true }
resource "terraform_data" "key" { input = "key" }
resource "terraform_data" "network" { input = var.owner }
module "store" {
  source    = "../../../modules/store"
  protected = var.deletion_protection
  key       = terraform_data.key.id
}
resource "terraform_data" "cluster" {
  input      = terraform_data.network.id
  depends_on = [module.store]
}
output "deployment_id" { value = "paper-${var.environment}" }
output "region" { value = "here" }
"""
# The type is the same for all that the builtin provider makes: what holds data is told by the module.
STORE = """
variable "protected" { type = bool }
variable "key" { type = string }
resource "terraform_data" "bucket" {
  for_each         = toset(["argo", "mlflow"])
  input            = var.protected
  triggers_replace = var.key
}
"""

pytestmark = pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")


@dataclasses.dataclass
class PaperCloud:
    """A target whose cloud is Terraform's builtin provider, and what was asked of its sweep."""

    folder: Path
    left: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    fails: bool = False
    guards: Guards = dataclasses.field(default_factory=lambda: {"terraform_data": {"input": False}})
    retention: Retention | None = None
    swept: list[Deployment] = dataclasses.field(default_factory=list)
    dropped: list[tuple[str, ...]] = dataclasses.field(default_factory=list)
    heard: list[Event] = dataclasses.field(default_factory=list)
    shown: list[Plan] = dataclasses.field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.folder / "assets" / "infrastructure" / "terraform" / "environments" / "aws" / "dev"

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
            layers={"cluster": frozenset({"terraform_data"})},
            environment={"TF_CLI_CONFIG_FILE": os.devnull},
            sweep=self.sweep,
            guards=self.guards,
            retention=self.retention,
            drop_snapshots=lambda _deployment, names: self.dropped.append(names),
        )
        return TerraformCloud(config, self.layout, provider)

    def sweep(self, deployment: Deployment) -> Swept:
        self.swept.append(deployment)
        if self.fails:
            raise ToolError("the cloud could not be searched")
        return Swept(checked=("nothing on paper",), leftovers=self.left, unchecked=self.unchecked)

    def deploy(self, **infrastructure: Any) -> Plan:
        return change.deploy(
            self.cloud(**infrastructure), TARGET, self.home, confirm=self.shown.append, emit=self.heard.append
        )

    def destroy(self, *, keep_data: bool = False, confirm: Callable[[Plan], None] | None = None) -> Any:
        return change.destroy(
            self.cloud(),
            TARGET,
            self.home,
            keep_data=keep_data,
            confirm=confirm or self.shown.append,
            emit=self.heard.append,
        )

    def state(self) -> list[str]:
        path = self.home.terraform / "state" / "terraform.tfstate"
        blocks = json.loads(path.read_text())["resources"]
        return sorted(f"{block.get('module', '')}.{block['name']}" for block in blocks for _ in block["instances"])


@pytest.fixture
def paper(tmp_path: Path) -> PaperCloud:
    made = PaperCloud(tmp_path)
    for path, text in (
        (made.root / "main.tf", PAPER),
        (made.root.parents[2] / "modules" / "store" / "main.tf", STORE),
    ):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    (tmp_path / "project").mkdir()
    return made


def reasons(plan: Plan) -> dict[str, str]:
    return {planned.stage.name: planned.reason for planned in plan.stages}


# --- protection ---


def test_what_protects_is_lifted_and_shown_before_anything_goes(paper: PaperCloud) -> None:
    paper.deploy()
    assert not paper.destroy().leftovers
    plan = paper.shown[-1]
    assert reasons(plan) == {
        "lift-protection": "2 to update",
        "infrastructure": "5 to destroy",
        "remove-files": str(paper.home.root),
    }
    lines = plan_lines(plan)
    lifted = [line for line in lines if line.startswith("    ~ update   module.store.terraform_data.bucket")]
    assert len(lifted) == 2
    assert not paper.home.root.parent.exists()


def test_without_protection_the_very_plan_that_was_shown_is_applied(paper: PaperCloud) -> None:
    paper.guards = {}
    paper.deploy()
    paper.destroy()
    assert reasons(paper.shown[-1])["lift-protection"] == "Terraform has nothing to change"


def test_a_change_that_lifting_would_drag_in_is_refused(paper: PaperCloud) -> None:
    paper.deploy()
    (paper.root / "main.tf").write_text(PAPER.replace('{ input = "key" }', '{ triggers_replace = "new" }'))
    with pytest.raises(RefusedError, match="cannot be lifted alone") as caught:
        paper.destroy()
    assert any("terraform_data.key" in line for line in caught.value.details)
    assert len(paper.state()) == 5


def test_a_no_changes_nothing(paper: PaperCloud) -> None:
    def refuse(plan: Plan) -> None:
        raise RefusedError("no")

    paper.deploy()
    before = (paper.home.terraform / "state" / "terraform.tfstate").read_text()
    with pytest.raises(RefusedError):
        paper.destroy(confirm=refuse)
    assert (paper.home.terraform / "state" / "terraform.tfstate").read_text() == before
    assert paper.swept == []


def test_a_destroy_that_grew_after_it_was_confirmed_is_refused(paper: PaperCloud) -> None:
    paper.deploy()
    confirmed = Stage("infrastructure", "infrastructure", TerraformRoot("aws/dev", "", destroys=True, resources=4))
    with pytest.raises(StateError, match="was changed meanwhile"):
        paper.cloud().run_stage(confirmed, paper.heard.append)
    assert len(paper.state()) == 5


def test_only_what_differs_is_guarded() -> None:
    items = [
        Item("a", "db", {"protected": True, "skip": True}, ()),
        Item("b", "db", {"protected": False, "skip": True}, ()),
        Item("c", "db", {}, ()),
        Item("d", "other", {"protected": True}, ()),
    ]
    assert [item.address for item in find_guarded(items, {"db": {"protected": False, "skip": True}})] == ["a"]


@pytest.mark.parametrize("action", [Action.CREATE, Action.REPLACE, Action.DESTROY])
def test_lifting_only_updates(action: Action) -> None:
    changes = (ResourceChange(address="x.y", type="x", action=action),)
    with pytest.raises(RefusedError):
        require_harmless("aws/dev", RootPlan(file=Path("p"), digest="", changes=changes))


# --- what a sweep has to know is known until it was clean ---


def test_the_deployment_is_known_until_a_sweep_was_clean(paper: PaperCloud) -> None:
    paper.deploy()
    paper.fails = True
    with pytest.raises(ToolError, match="could not be searched"):
        paper.destroy()
    paper.fails, paper.left = False, ("arn:of:something",)
    assert paper.destroy().leftovers == ("arn:of:something",)
    paper.left, paper.unchecked = (), ("disks: not allowed",)
    assert paper.destroy().unchecked == ("disks: not allowed",)
    paper.unchecked = ()
    assert not paper.destroy().unchecked
    assert [found.id for found in paper.swept] == ["paper-dev"] * 4
    assert not paper.home.root.parent.exists()
    assert paper.destroy().unchecked == ("the cloud: no deployment is known",)


def test_what_was_half_made_is_known_by_its_tags() -> None:
    tags = {"deployment-id": "d1", "product": "mlops", "tenant": "core", "environment": "dev"}
    arn = "arn:aws:sqs:eu-west-1:123456789012:q"
    item = Item("aws_sqs_queue.q", "aws_sqs_queue", {"tags": tags, "arn": arn}, ())
    found = describe_deployment(Inventory((Item("x.y", "x", {}, ()), item), {}))
    assert found == Deployment(id="d1", region="eu-west-1", prefix="mlops-core-dev")
    assert describe_deployment(Inventory((Item("x.y", "x", {}, ()),), {})) is None


def test_what_was_remembered_comes_back_and_rubbish_is_told(tmp_path: Path) -> None:
    known = Remembered(id="d", region="r", prefix="p", cluster="c", scope="s")
    remember(tmp_path, known)
    assert recall(tmp_path) == known
    (tmp_path / "left-overs.json").write_text("{")
    with pytest.raises(StateError, match="left-overs"):
        recall(tmp_path)
    assert recall(tmp_path / "absent") is None


# --- data that is kept ---


def test_what_holds_data_and_what_that_needs_stays() -> None:
    items = (
        Item("key[0]", "key", {"id": "k"}, ()),
        Item('module.a["x"].bucket.b["one"]', "bucket", {"arn": "a1", "id": "b1"}, ("key",)),
        Item("network", "network", {}, ()),
        Item("cluster", "cluster", {}, ("network", "key")),
    )
    kept = find_kept(Inventory(items, {}), Retention(types=frozenset({"bucket"})))
    assert [item.address for item in kept] == ["key[0]", 'module.a["x"].bucket.b["one"]']
    assert kept[1].names == {"a1", "b1"}


def test_a_database_s_last_snapshot_has_a_name_of_its_own() -> None:
    retention = Retention(snapshot="db")
    names = {
        name_snapshot(Inventory((Item("d", "db", {"identifier": "mlflow", "resource_id": life}, ()),), {}), retention)
        for life in ("one", "one", "two")
    }
    assert len(names) == 2
    assert all(name.startswith("mlflow-kept-") for name in names)
    assert name_snapshot(Inventory((), {}), retention) == ""


def test_what_is_kept_is_priced(tmp_path: Path) -> None:
    (tmp_path / "aws-here.yaml").write_text(
        "region: here\ndate: 2026-11-21\nverified: false\nhours_per_month: 730\n"
        "prices: {x_server: [{per: month, value: 12.5}]}\nusage: {x_bucket: {per: gb_month, value: 0.02}}\n"
    )
    items = [Item("a", "x_server", {"name": "s"}, ()), Item("b", "x_bucket", {"bucket": "b1"}, ())]
    retention = Retention(shown=frozenset({"x_server", "x_bucket"}))
    document = {"variables": {"region": {"value": "here"}}}
    assert describe(items, retention, document, tmp_path, "aws") == (
        "x_server s: 12.50 USD a month",
        "x_bucket b1: billed by use",
        "everything kept: 12.50 USD a month, x_bucket by use, list prices of 2026-11-21 for here, not verified",
    )
    assert describe(items, retention, {}, tmp_path, "aws")[0] == "x_server s: price unknown: no table for this region"


def test_the_record_of_what_was_kept_comes_back(tmp_path: Path) -> None:
    kept = Kept(addresses=("a",), lines=("l",), names=("n",), snapshots=("s1", "s2"))
    kept.write(tmp_path / "kept.json")
    assert read_kept(tmp_path / "kept.json") == kept
    assert kept.restore == "s2"
    assert (tmp_path / "kept.json").stat().st_mode & 0o777 == 0o600
    assert read_kept(tmp_path / "absent") == Kept()
    (tmp_path / "kept.json").write_text("[]")
    with pytest.raises(StateError, match="cannot be read"):
        read_kept(tmp_path / "kept.json")


def test_where_nothing_outlives_the_cluster_data_cannot_be_kept(paper: PaperCloud) -> None:
    paper.deploy()
    with pytest.raises(RefusedError, match="--keep-data"):
        paper.destroy(keep_data=True)
    assert len(paper.state()) == 5


def test_where_all_is_kept_nothing_goes_and_a_later_destroy_takes_it(paper: PaperCloud) -> None:
    """Terraform, asked to destroy no address at all, would destroy everything."""
    kinds = frozenset({"terraform_data"})
    paper.retention = Retention(types=kinds, shown=kinds)
    paper.deploy()
    for _ in range(2):
        proof = paper.destroy(keep_data=True)
        assert not proof.leftovers
        assert reasons(paper.shown[-1])["infrastructure"] == "Terraform has nothing to change"
        assert len(paper.state()) == 5
    assert not paper.deploy().changes
    assert not paper.destroy().leftovers
    assert not paper.home.root.parent.exists()


def test_what_was_half_made_is_destroyed(paper: PaperCloud) -> None:
    (paper.root / "broken.tf").write_text(
        'resource "terraform_data" "late" {\n'
        "  depends_on = [module.store]\n"
        '  provisioner "local-exec" { command = "exit 3" }\n}\n'
    )
    with pytest.raises(ToolError, match="terraform apply failed"):
        paper.deploy()
    assert not paper.destroy().leftovers
    assert [found.id for found in paper.swept] == ["paper-dev"]
    assert not paper.home.root.parent.exists()
