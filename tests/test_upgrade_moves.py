"""Which versions move, and that only an upgrade moves them: on every cloud, by a saved plan too."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from target_samples import select

from platform_cli.change import deploy, plan_deploy
from platform_cli.clouds.existing import ExistingCloud
from platform_cli.cluster.backup_artifacts import is_on_cluster
from platform_cli.cluster.package import Package
from platform_cli.cluster.platform import ClusterPlatform
from platform_cli.cluster.work import Backup, ClusterFacts, ReleaseFact, Rendered
from platform_cli.config import Config
from platform_cli.doctor import Check
from platform_cli.errors import RefusedError
from platform_cli.events import Emit
from platform_cli.layout import Layout
from platform_cli.plan import Plan
from platform_cli.saved import open_saved, write_saved
from platform_cli.stage import Stage
from platform_cli.upgrade import plan_upgrade, upgrade

CHARTS = {"keda": "2.20.1", "mlflow": "1.11.5"}


def server(tag: str, registry: str = "docker.io/library") -> dict[str, Any]:
    """MLflow's Deployment as its chart makes it."""
    containers = [
        {"name": "proxy", "image": "quay.io/proxy:9"},
        {"name": "mlflow", "image": f"{registry}/mlops-tracking:{tag}"},
    ]
    spec = {"template": {"spec": {"containers": containers}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mlflow"}, "spec": spec}


def installed(version: str, *objects: Mapping[str, Any], **fields: Any) -> ReleaseFact:
    return ReleaseFact(**{"revision": 2, "status": "deployed", "version": version, "running": objects, **fields})


class SeenPlatform(ClusterPlatform):
    """KEDA and MLflow on a cluster that looks as it is told, and on which every work succeeds."""

    def __init__(self, rendered: Mapping[str, Any], **releases: ReleaseFact) -> None:
        chosen = [item for item in select("existing") if item.name in CHARTS]
        components = [replace(item, version=CHARTS[item.name], needs=()) for item in chosen]
        packages = [Package(component=item, chart=Path("none"), values=None) for item in components]
        super().__init__(_refuse_access, lambda *_: packages, lambda: components)
        keys = {item.name: f"{item.namespace}/{item.release}" for item in components}
        self.seen = ClusterFacts(
            releases={keys[name]: release for name, release in releases.items()},
            rendered={"mlflow": Rendered(objects=(rendered,))},
        )
        self.done: list[str] = []

    def observe(self, *, deploys: bool) -> ClusterFacts:  # noqa: ARG002 - it is known already
        return self.seen

    def run_stage(self, stage: Stage, emit: Emit) -> str:  # noqa: ARG002 - there is nothing to tell
        self.done.append(stage.name)
        return stage.name


class SeenCloud(ExistingCloud):
    """That cluster, which nobody else changes, from a machine that is fit."""

    def __init__(self, project: Path, rendered: Mapping[str, Any], **releases: ReleaseFact) -> None:
        self.config = Config(version=1, cloud="existing")
        self.layout = Layout(assets=project, project=project)
        self.platform = SeenPlatform(rendered, **releases)
        super().__init__(self.config, self.layout, self.platform)

    def hold(self, command: str) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002 - there is no other
        return contextlib.nullcontext()

    def list_checks(self, *, offline: bool) -> tuple[Check, ...]:  # noqa: ARG002 - every machine is fit
        return ()

    def notes(self) -> tuple[str, ...]:
        return plan_upgrade(self, self.config.target)[0].notes

    def deploy(self, **given: Any) -> Plan:
        target = self.config.target
        home = self.layout.home(target.name)
        return deploy(self, target, home, **{"confirm": lambda _: None, "emit": lambda _: None, **given})


def _refuse_access() -> Any:
    raise AssertionError("nothing is asked of a cluster")


def test_another_server_on_the_same_chart_is_a_move(tmp_path: Path) -> None:
    cloud = SeenCloud(tmp_path, server("0.2.0"), mlflow=installed("1.11.5", server("0.1.0")))
    assert cloud.notes() == ("mlflow (server): 0.1.0 to 0.2.0",)
    stages = plan_upgrade(cloud, cloud.config.target)[0].stages
    assert stages[0].stage.name == "backup"
    assert stages[0].reason == "before mlflow changes"


@pytest.mark.parametrize("registry", ["docker.io/library", "localhost:5000/mine"])
def test_the_same_server_elsewhere_is_no_move(tmp_path: Path, registry: str) -> None:
    cloud = SeenCloud(tmp_path, server("0.1.0", registry), mlflow=installed("1.11.5", server("0.1.0")))
    assert cloud.notes() == ()


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("0.2.0", "0.1.0", r"mlflow \(server\) is 0\.2\.0 on the cluster, newer than the 0\.1\.0 of this mlops"),
        ("0.2.0", "2.0.0", r"mlflow \(server\) would skip a major version: 0\.2\.0 to 2\.0\.0"),
    ],
)
def test_a_server_neither_goes_back_nor_skips_a_major_version(tmp_path: Path, old: str, new: str, why: str) -> None:
    cloud = SeenCloud(tmp_path, server(new), mlflow=installed("1.11.5", server(old)))
    with pytest.raises(RefusedError, match=why):
        cloud.notes()


def test_tags_that_are_no_versions_have_no_order(tmp_path: Path) -> None:
    cloud = SeenCloud(tmp_path, server("0.1.0"), mlflow=installed("1.11.5", server("our-own")))
    assert cloud.notes() == ("mlflow (server): our-own to 0.1.0",)


@pytest.mark.parametrize(
    ("release", "note"),
    [
        ({"keda": installed("2.19.0")}, "keda: 2.19.0 to 2.20.1"),
        (
            {"keda": installed("2.21.0")},
            "keda: 2.21.0 to 2.20.1; a downgrade: use the mlops that installed it, or a newer one",
        ),
        ({"mlflow": installed("1.11.5", server("0.1.0"))}, "mlflow (server): 0.1.0 to 0.2.0"),
    ],
    ids=["newer", "older", "server"],
)
def test_a_deploy_moves_no_version(tmp_path: Path, release: dict[str, ReleaseFact], note: str) -> None:
    cloud = SeenCloud(tmp_path, server("0.2.0"), **release)
    with pytest.raises(RefusedError, match="existing/dev: installed components would get another version") as caught:
        cloud.deploy()
    assert (caught.value.details, cloud.platform.done) == ((note,), [])
    assert caught.value.hint == "mlops upgrade moves them, after a backup"


def test_a_saved_plan_moves_none_either(tmp_path: Path) -> None:
    cloud = SeenCloud(tmp_path, server("0.2.0"), keda=installed("2.19.0"))
    plan = plan_deploy(cloud, cloud.config.target)
    assert plan.notes == (
        "keda: 2.19.0 to 2.20.1",
        "mlops deploy refuses to move a version: mlops upgrade does, after a backup",
    )
    write_saved(tmp_path / "plan", plan)
    with open_saved(tmp_path / "plan") as saved, pytest.raises(RefusedError, match="would get another version"):
        cloud.deploy(saved=saved)
    assert cloud.platform.done == []


def test_a_first_deploy_that_was_cut_off_goes_on_with_another_mlops_too(tmp_path: Path) -> None:
    broken = installed("2.19.0", revision=1, status="pending-install")
    cloud = SeenCloud(tmp_path, server("0.2.0"), keda=broken)
    assert plan_deploy(cloud, cloud.config.target).notes == ()
    cloud.deploy()
    assert {"keda", "mlflow"} < set(cloud.platform.done)


def test_an_upgrade_that_was_cut_off_goes_on_and_a_deploy_waits_for_it(tmp_path: Path) -> None:
    half = installed("1.11.5", server("0.2.0"), revision=3, status="pending-upgrade")
    cloud = SeenCloud(tmp_path, server("0.2.0"), mlflow=half, keda=installed("2.19.0"))
    with pytest.raises(RefusedError, match="would get another version"):
        cloud.deploy()
    target = cloud.config.target
    upgrade(cloud, target, cloud.layout.home(target.name), confirm=lambda _: None, emit=lambda _: None)
    assert cloud.platform.done[0] == "backup"
    assert {"keda", "mlflow"} < set(cloud.platform.done)


def test_an_upgrade_that_was_cut_off_at_its_last_component_goes_on_as_well(tmp_path: Path) -> None:
    half = installed("1.11.5", server("0.2.0"), revision=3, status="pending-upgrade")
    cloud = SeenCloud(tmp_path, server("0.2.0"), mlflow=half, keda=installed("2.20.1"))
    stages = plan_upgrade(cloud, cloud.config.target)[0].stages
    assert (stages[0].stage.name, stages[0].reason) == ("backup", "before mlflow changes")


SERVER = {"name": "mlflow", "args": ["server", "--artifacts-destination=s3://mlflow/"]}


@pytest.mark.parametrize(
    ("server", "is_copied"),
    [
        ({"env": [{"name": "MLFLOW_S3_ENDPOINT_URL", "value": "http://object-store.mlops-system.svc:7070"}]}, True),
        ({"env": [{"name": "MLFLOW_S3_ENDPOINT_URL", "value": "https://minio.example.com"}]}, False),
        ({}, False),
        ({"args": ["--artifacts-destination=gs://bucket/"]}, False),
        ({"env": [{"name": "AWS_ACCESS_KEY_ID", "valueFrom": {}}]}, False),
    ],
    ids=["ours", "minio", "amazon", "google", "keys"],
)
def test_only_artifacts_on_the_platforms_own_volume_are_copied(server: dict[str, Any], is_copied: bool) -> None:
    assert is_on_cluster({**SERVER, **server}) == is_copied


def test_a_backup_may_leave_artifacts_out(tmp_path: Path) -> None:
    cloud = SeenCloud(tmp_path, server("0.2.0"), keda=installed("2.19.0"))
    for wanted in (True, False):
        work = plan_upgrade(cloud, cloud.config.target, artifacts=wanted)[0].stages[0].stage.work
        assert isinstance(work, Backup)
        assert work.artifacts == wanted
