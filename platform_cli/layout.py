"""Where things are: the product's own files, the user's project, and the state of a target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

STATE_FOLDER = ".mlops"
_PACKAGE = Path(__file__).resolve().parent


def find_assets() -> Path:
    """The folder that holds `pipelines/`: the checkout when there is one, else the copy inside the wheel."""
    checkout = _PACKAGE.parent
    return checkout if (checkout / "pipelines" / "training").is_dir() else _PACKAGE / "assets"


def find_project(start: Path) -> Path:
    """The nearest folder, from `start` upwards, that keeps the state of a target; `start` when there is none."""
    return next((folder for folder in (start, *start.parents) if (folder / STATE_FOLDER).is_dir()), start)


@dataclass(frozen=True, slots=True)
class Layout:
    """Absolute paths.

    Attributes:
        assets: the product's own files (`pipelines/`, `infrastructure/`).
        project: the folder of `platform.yaml`, or the working folder when there is none.
    """

    assets: Path
    project: Path

    @property
    def training_workflow(self) -> Path:
        """The five-step training pipeline."""
        return self.assets / "pipelines" / "training" / "ml-training-workflow.yaml"

    @property
    def terraform(self) -> Path:
        """Terraform's modules and environments."""
        return self.assets / "infrastructure" / "terraform"

    def home(self, target: str) -> TargetHome:
        """The state of one target, such as `embedded-dev`."""
        return TargetHome(self.project / STATE_FOLDER / target)


@dataclass(frozen=True, slots=True)
class TargetHome:
    """Everything one target keeps on this machine, below one folder."""

    root: Path

    @property
    def journal(self) -> Path:
        """What was done, stage by stage (SQLite)."""
        return self.root / "journal.db"

    @property
    def lock(self) -> Path:
        """Held by the one command that changes the target; beside the folder, since destroy removes the folder."""
        return self.root.with_name(f"{self.root.name}.lock")

    @property
    def state_choice(self) -> Path:
        """Which store the target's state lies in; beside the folder, since the store outlives the target."""
        return self.root.with_name(f"{self.root.name}.state.json")

    @property
    def logs(self) -> Path:
        """Complete logs of commands and servers."""
        return self.root / "logs"

    @property
    def engine(self) -> Path:
        """The local engine's folder: run database, node folders, logs, artifacts, reuse records."""
        return self.root / "engine"

    @property
    def config_maps(self) -> Path:
        """One folder per ConfigMap, one file per key."""
        return self.root / "configmaps"

    @property
    def terraform(self) -> Path:
        """Terraform's work copy, saved plans and state."""
        return self.root / "terraform"

    @property
    def backups(self) -> Path:
        """One folder per backup that an upgrade took, named for when."""
        return self.root / "backups"

    @property
    def secrets(self) -> Path:
        """One folder per Secret, one file per key, readable by the owner only."""
        return self.root / "secrets"

    @property
    def tracking_database(self) -> Path:
        """MLflow's SQLite file."""
        return self.root / "mlflow" / "mlflow.db"

    @property
    def tracking_artifacts(self) -> Path:
        """MLflow's artifact folder."""
        return self.root / "mlflow" / "artifacts"

    @property
    def dashboards(self) -> Path:
        """One record per dashboard that is open."""
        return self.root / "dashboards"

    @property
    def serving(self) -> Path:
        """One folder per deployed model."""
        return self.root / "serving"
