"""Upgrades where Terraform made the cluster: the components move, the infrastructure is left to a deploy."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import certifi
import pytest
from closed_port import hold_closed_port
from target_samples import make_outputs

from platform_cli.clouds.interface import Upgrades
from platform_cli.clouds.registry import open_cloud
from platform_cli.clouds.terraform import TerraformCloud
from platform_cli.cluster.component import read_components
from platform_cli.cluster.work import Backup, ClusterFacts, ReleaseFact
from platform_cli.config import Config
from platform_cli.errors import NotReadyError, PreflightError, UsageError
from platform_cli.layout import Layout
from platform_cli.stage import Facts, RemoveFiles, TerraformRoot
from platform_cli.upgrade import plan_upgrade

ROOT = Path(__file__).resolve().parent.parent
CLOUDS = ("aws", "azure", "gcp")
KINDS = {"aws": "aws_eks_cluster", "azure": "azurerm_kubernetes_cluster", "gcp": "google_container_cluster"}
# Only charts that are here: the others would have to be pulled.
THEIRS = [item.name for item in read_components() if not item.is_ours]


def make_config(cloud: str, **components: Any) -> Config:
    skip = [name for name in THEIRS if cloud in {item.name: item.clouds for item in read_components()}[name]]
    return Config.model_validate({"version": 1, "cloud": cloud, "components": {"skip": skip, **components}})


def open_target(config: Config, project: Path) -> TerraformCloud:
    cloud = open_cloud(config, Layout(ROOT, project))
    assert isinstance(cloud, TerraformCloud)
    return cloud


def record_cluster(project: Path, cloud: str, endpoint: str = "https://cluster.example") -> None:
    """What a deploy leaves behind: a state with a cluster in it."""
    authority = base64.b64encode(Path(certifi.where()).read_bytes()).decode()
    given = asdict(make_outputs(cloud, node_pools={}, cluster_endpoint=endpoint, cluster_ca_certificate=authority))
    cluster = {"mode": "managed", "type": KINDS[cloud], "name": "this", "instances": [{}]}
    outputs = {name: {"value": value, "type": "string"} for name, value in given.items()}
    state = {"version": 4, "serial": 1, "lineage": "test", "resources": [cluster], "outputs": outputs}
    file = project / ".mlops" / f"{cloud}-dev" / "terraform" / "state" / "terraform.tfstate"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(state))


def seen(version: str) -> Facts:
    """A cluster on which our chart's first layer is at this version."""
    platform = next(item for item in read_components() if item.name == "platform")
    fact = ReleaseFact(revision=1, status="deployed", version=version)
    return Facts(cluster=ClusterFacts(releases={f"{platform.namespace}/{platform.release}": fact}))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_components_move_after_a_backup_and_terraform_has_no_part_in_it(tmp_path: Path, cloud: str) -> None:
    record_cluster(tmp_path, cloud)
    target = open_target(make_config(cloud), tmp_path)
    assert isinstance(target, Upgrades)
    before = seen("0.0.1")
    stages = target.list_upgrades(before)
    assert stages[0].work == Backup(("platform",), tmp_path / ".mlops" / f"{cloud}-dev" / "backups")
    assert [stage.name for stage in stages[1:2]] == ["namespaces"]
    assert {"platform", "platform-catalog", "health"} < {stage.name for stage in stages}
    assert not any(isinstance(stage.work, TerraformRoot) for stage in stages)
    assert target.list_notes(stages, before) == ("platform: 0.0.1 to 0.1.0",)
    assert target.list_upgrades(seen("0.1.0")) == ()


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_deploy_knows_what_would_move_where_terraform_made_the_cluster(tmp_path: Path, cloud: str) -> None:
    record_cluster(tmp_path, cloud)
    target = open_target(make_config(cloud), tmp_path)
    stages = target.list_stages()
    assert isinstance(stages[0].work, TerraformRoot)
    assert target.list_notes(stages, seen("0.0.1")) == ("platform: 0.0.1 to 0.1.0",)
    assert target.list_notes(stages, seen("0.1.0")) == target.list_notes(stages, Facts()) == ()


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_is_not_there_cannot_be_upgraded(tmp_path: Path, cloud: str) -> None:
    config = make_config(cloud)
    with pytest.raises(NotReadyError, match=f"{cloud}/dev has no components: it is not deployed"):
        plan_upgrade(open_target(config, tmp_path), config.target)
    record_cluster(tmp_path, cloud)
    config = make_config(cloud, install=False)
    with pytest.raises(NotReadyError, match=r"components\.install is false"):
        plan_upgrade(open_target(config, tmp_path), config.target)


@pytest.fixture
def silent_endpoint() -> Iterator[str]:
    """An address on this machine at which nobody answers."""
    with hold_closed_port() as port:
        yield f"https://127.0.0.1:{port}"


def test_a_cluster_that_does_not_answer_is_no_platform_that_is_up_to_date(
    tmp_path: Path, silent_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    record_cluster(tmp_path, "aws", silent_endpoint)
    monkeypatch.chdir(tmp_path)
    config = make_config("aws")
    with pytest.raises(PreflightError, match=r"127\.0\.0\.1"):
        plan_upgrade(open_target(config, tmp_path), config.target)


def test_embedded_has_no_components(tmp_path: Path) -> None:
    config = Config.model_validate({"version": 1, "cloud": "embedded"})
    with pytest.raises(UsageError, match="no components to upgrade"):
        plan_upgrade(open_cloud(config, Layout(ROOT, tmp_path)), config.target)


@pytest.mark.parametrize("keep_data", [True, False])
def test_backups_go_with_the_data_they_are_of(tmp_path: Path, keep_data: bool) -> None:
    target = open_target(make_config("aws"), tmp_path)
    [files] = [stage.work for stage in target.list_removals(keep_data=keep_data) if isinstance(stage.work, RemoveFiles)]
    assert (tmp_path / ".mlops" / "aws-dev" / "backups" in files.keep) == keep_data
