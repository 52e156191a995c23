"""What `mlops restore` refuses before it touches anything; the rest is tried on a real cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from platform_cli.clouds.existing import ExistingCloud
from platform_cli.clouds.registry import open_cloud
from platform_cli.cluster.platform import ClusterPlatform
from platform_cli.cluster.restore import Saved, read_backup
from platform_cli.config import Config
from platform_cli.errors import NotFoundError, RefusedError, StateError, UsageError
from platform_cli.layout import Layout
from platform_cli.restore import restore

NAME = "2026-11-21T19-43-53Z"


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    folder = tmp_path / ".mlops" / "existing-dev" / "backups"
    (folder / NAME).mkdir(parents=True)
    (folder / NAME / "mlflow.json").write_text(json.dumps({"kind": "sqlite", "schema": "a1"}))
    return folder


@pytest.mark.parametrize("by", ["name", "path"])
def test_a_backup_is_found(backups: Path, by: str) -> None:
    saved = read_backup(backups, NAME if by == "name" else str(backups / NAME))
    assert saved == Saved(backups / NAME, {"kind": "sqlite", "schema": "a1"})


def test_one_of_before_mlflow_has_none_of_it(backups: Path) -> None:
    (backups / NAME / "mlflow.json").unlink()
    assert read_backup(backups, NAME).about == {}


def test_a_name_that_is_not_there_tells_those_that_are(backups: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no backup 2020") as caught:
        read_backup(backups, "2020")
    assert caught.value.hint == f"there are: {NAME}"


def test_a_broken_one_is_said_to_be(backups: Path) -> None:
    (backups / NAME / "mlflow.json").write_text("{")
    with pytest.raises(StateError, match=r"mlflow\.json cannot be read"):
        read_backup(backups, NAME)


def refuse(_: Any) -> Any:
    raise RefusedError("not confirmed; nothing was changed")


def test_without_a_yes_nothing_is_asked_of_the_cluster(backups: Path, tmp_path: Path) -> None:
    def open_nothing(*_: Any) -> Any:
        raise AssertionError("nothing is asked of a cluster")

    config, layout = Config(version=1, cloud="existing"), Layout(assets=tmp_path, project=tmp_path)
    cloud = ExistingCloud(config, layout, ClusterPlatform(open_nothing, open_nothing, open_nothing))
    home = layout.home(config.target.name)
    assert home.backups == backups
    with pytest.raises(RefusedError, match="not confirmed"):
        restore(cloud, config.target, home, NAME, confirm=refuse, emit=lambda _: None)


def test_embedded_has_no_backups(tmp_path: Path) -> None:
    config = Config.model_validate({"version": 1, "cloud": "embedded"})
    layout = Layout(assets=tmp_path, project=tmp_path)
    home = layout.home(config.target.name)
    with pytest.raises(UsageError, match="embedded/dev has no components"):
        restore(open_cloud(config, layout), config.target, home, NAME, confirm=refuse, emit=lambda _: None)
