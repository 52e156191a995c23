"""What should hold on the embedded cloud, and what must be undone. Pure: settings in, stages out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platform_cli.layout import TargetHome
from platform_cli.stage import (
    ConfigMap,
    Folders,
    ModelServers,
    RemoveFiles,
    Stage,
    StopDashboards,
    StopModelServers,
    StopRuns,
    TrackingDatabase,
)
from platform_cli.target import Target

PLATFORM_CONFIG = "mlops-platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """All that the stages follow from.

    Attributes:
        step_code: name of the ConfigMap with the training steps' code.
        steps: its content, file name to text.
        mlflow: version of the installed MLflow.
    """

    target: Target
    home: TargetHome
    step_code: str
    steps: Mapping[str, str]
    mlflow: str


def tracking_uri(home: TargetHome) -> str:
    """MLflow's address of the target's database."""
    return f"sqlite:///{home.tracking_database}"


def list_stages(wish: Wish) -> tuple[Stage, ...]:
    """Everything that should hold once deployed."""
    home = wish.home
    return (
        Stage("folders", "folders", Folders(list_folders(home))),
        Stage("platform-config", "platform config", ConfigMap(PLATFORM_CONFIG, _platform_config(wish)), ("folders",)),
        Stage(
            "tracking-database",
            "tracking database",
            TrackingDatabase(home.tracking_database, home.tracking_artifacts, wish.mlflow),
            ("folders",),
        ),
        Stage("training-steps", "training steps", ConfigMap(wish.step_code, wish.steps), ("folders",)),
        Stage("model-servers", "model servers", ModelServers(), ("platform-config", "tracking-database")),
    )


def list_removals(home: TargetHome, *, keep_data: bool) -> tuple[Stage, ...]:
    """Everything that must be undone, what uses the files first."""
    keep = (home.tracking_database.parent,) if keep_data else ()
    stops = ("stop-model-servers", "stop-runs", "stop-dashboards")
    return (
        Stage("stop-model-servers", "model servers", StopModelServers()),
        Stage("stop-runs", "workflow runs", StopRuns()),
        Stage("stop-dashboards", "dashboards", StopDashboards()),
        Stage("remove-files", "files", RemoveFiles(home.root, keep), stops),
    )


def list_folders(home: TargetHome) -> tuple[Path, ...]:
    """The folders that must exist, the outer ones first."""
    artifacts = home.tracking_artifacts
    return (
        home.root,
        home.logs,
        home.engine,
        home.config_maps,
        home.secrets,
        artifacts.parent,
        artifacts,
        home.serving,
    )


def _platform_config(wish: Wish) -> dict[str, str]:
    return {
        "cloud": wish.target.cloud.value,
        "environment": wish.target.env.value,
        "mlflow-artifact-root": str(wish.home.tracking_artifacts),
        "mlflow-tracking-uri": tracking_uri(wish.home),
    }
