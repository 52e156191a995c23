"""Fixtures of the training pipeline: real data, real steps, a real MLflow on SQLite."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

MEASURES = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]


@dataclass(frozen=True)
class MlflowStore:
    """An MLflow of its own: a SQLite file and a folder for artifacts."""

    folder: Path

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def artifact_root(self) -> str:
        return str(self.folder / "artifacts")

    def enter(self, patch: pytest.MonkeyPatch) -> None:
        """Make it the one that steps and MLflow itself use."""
        patch.setenv("MLFLOW_TRACKING_URI", self.uri)
        patch.setenv("MLFLOW_ARTIFACT_ROOT", self.artifact_root)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")

    def client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri)


@dataclass(frozen=True)
class Steps:
    """The five steps in one folder, each called with the arguments it has on the command line."""

    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / name

    def load(self, source: str | Path, *more: str) -> str:
        import load_data

        load_data.main(
            [
                f"--data-source={source}",
                f"--output={self.path('data.parquet')}",
                f"--metadata={self.path('data.json')}",
                f"--summary={self.path('summary')}",
                *more,
            ]
        )
        return self.summary()

    def validate(self, target: str, *more: str) -> str:
        import validate_data

        validate_data.main(
            [
                f"--dataset={self.path('data.parquet')}",
                f"--metadata={self.path('data.json')}",
                f"--target-column={target}",
                f"--report={self.path('report.html')}",
                f"--report-json={self.path('report.json')}",
                f"--profile={self.path('profile.json')}",
                f"--summary={self.path('summary')}",
                *more,
            ]
        )
        return self.summary()

    def features(self, target: str, *more: str) -> str:
        import feature_engineering

        feature_engineering.main(
            [
                f"--dataset={self.path('data.parquet')}",
                f"--target-column={target}",
                f"--output={self.path('features')}",
                f"--summary={self.path('summary')}",
                *more,
            ]
        )
        return self.summary()

    def train(self, *more: str) -> str:
        import train_model

        train_model.main(
            [
                f"--features={self.path('features')}",
                f"--output={self.path('model')}",
                f"--run-id={self.path('run-id')}",
                f"--summary={self.path('summary')}",
                *more,
            ]
        )
        return self.summary()

    def register(self, *more: str) -> str:
        import register_model

        register_model.main(
            [
                f"--features={self.path('features')}",
                f"--model={self.path('model')}",
                f"--metadata={self.path('data.json')}",
                f"--run-id={self.path('run-id').read_text().strip()}",
                f"--output={self.path('registration.json')}",
                f"--summary={self.path('summary')}",
                *more,
            ]
        )
        return self.summary()

    def summary(self) -> str:
        return self.path("summary").read_text(encoding="utf-8").strip()

    def copy(self, folder: Path) -> Steps:
        """The same files in another folder, for a test that changes some."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        return Steps(folder)


@dataclass(frozen=True)
class TrainedModel:
    """What a whole run over iris left behind."""

    store: MlflowStore
    steps: Steps
    name: str
    version: str
    summaries: dict[str, str]

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.version}"


@pytest.fixture(scope="session")
def iris_dataframe() -> pd.DataFrame:
    """Iris as the `iris` data source gives it: four measures and `species`."""
    from sklearn.datasets import load_iris

    raw = load_iris(as_frame=True)
    return raw.data.assign(species=raw.target_names[raw.target])


@pytest.fixture
def iris_csv_path(iris_dataframe: pd.DataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "iris.csv"
    iris_dataframe.to_csv(path, index=False)
    return path


@pytest.fixture
def sample_features() -> pd.DataFrame:
    """One flower, a setosa."""
    return pd.DataFrame([[5.1, 3.5, 1.4, 0.2]], columns=MEASURES)


@pytest.fixture
def sample_batch_features() -> pd.DataFrame:
    """Three flowers: a setosa, a versicolor, a virginica."""
    return pd.DataFrame([[5.1, 3.5, 1.4, 0.2], [5.9, 2.8, 4.3, 1.3], [6.7, 3.1, 5.6, 2.4]], columns=MEASURES)


@pytest.fixture
def csv_with_nulls_path(iris_dataframe: pd.DataFrame, tmp_path: Path) -> Path:
    """Iris with every third `sepal width (cm)` missing, from row 3 on."""
    frame = iris_dataframe.copy()
    frame.loc[2::3, MEASURES[1]] = None
    path = tmp_path / "nulls.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def malformed_csv_path(tmp_path: Path) -> Path:
    """Line 4 has a value too many."""
    path = tmp_path / "malformed.csv"
    path.write_text("a,b,species\n1,2,x\n3,4,y\n5,6,7,z\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def migrated_store(tmp_path_factory: pytest.TempPathFactory) -> MlflowStore:
    """An empty MLflow with all its tables; making them takes seconds, copying them does not."""
    store = MlflowStore(tmp_path_factory.mktemp("mlflow"))
    store.client().search_experiments()
    return store


@pytest.fixture
def mlflow_store(migrated_store: MlflowStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowStore:
    """A real, empty MLflow that steps and MLflow itself use in this test."""
    store = MlflowStore(tmp_path / "tracking")
    store.folder.mkdir()
    shutil.copy(migrated_store.folder / "mlflow.db", store.folder / "mlflow.db")
    store.enter(monkeypatch)
    return store


@pytest.fixture
def steps(tmp_path: Path) -> Steps:
    """The five steps in an empty folder."""
    folder = tmp_path / "steps"
    folder.mkdir()
    return Steps(folder)


@pytest.fixture(scope="session")
def iris_run(migrated_store: MlflowStore, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """The five steps over iris, once per session."""
    root = tmp_path_factory.mktemp("iris-run")
    store, steps = MlflowStore(root), Steps(root / "steps")
    steps.folder.mkdir()
    shutil.copy(migrated_store.folder / "mlflow.db", root / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        store.enter(patch)
        summaries = {
            "load-data": steps.load("iris"),
            "validate-data": steps.validate("species"),
            "feature-engineering": steps.features("species"),
            "train-model": steps.train(),
            "register-model": steps.register(
                "--workflow=iris-run-1", "--git-commit=abc123", f"--profile={steps.path('profile.json')}"
            ),
        }
    return TrainedModel(store, steps, "iris", "1", summaries)


@pytest.fixture
def trained_model_artifacts(iris_run: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> TrainedModel:
    """The run over iris, with its MLflow in use; tests must not change it."""
    iris_run.store.enter(monkeypatch)
    return iris_run
