"""MLflow: where runs are recorded and models are registered. Slow to import: only the steps that need it do."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

# Nothing phones home. Read by MLflow while it is imported, so these come first.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
# A container's user has no entry in the password database, and MLflow asks for a name.
os.environ.setdefault("USER", "mlops")

from mlflow import MlflowClient
from mlflow.entities import Experiment, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models.model import ModelInfo

from sources import public_name
from step import ParameterError, UnreachableError, read_json

T = TypeVar("T")
TRAINING = "training.json"
PICTURES = "pictures"
PIPELINE = "pipeline.joblib"
WORKFLOW_RUN = "mlops.workflow_run"
_MOST_CHARACTERS = 500


@contextmanager
def explained() -> Iterator[None]:
    """Turn what MLflow raises into a failure that says where and is worth a retry.

    Raises:
        UnreachableError: MLflow, its database or its artifact store failed.
    """
    try:
        yield
    except _failures() as error:
        place = os.environ.get("MLFLOW_TRACKING_URI", "")
        raise UnreachableError(public_name(f"MLflow at {place}: {str(error).splitlines()[0]}")) from error


def _failures() -> tuple[type[Exception], ...]:
    """What MLflow raises; and what its database does before MLflow is there to wrap it. Evaluated after the fact."""
    database = sys.modules.get("sqlalchemy.exc")
    return (MlflowException, database.SQLAlchemyError) if database else (MlflowException,)


def connect() -> MlflowClient:
    """A client of the tracking server or database that the environment names.

    Raises:
        ParameterError: MLFLOW_TRACKING_URI is not set.
        UnreachableError: it cannot be reached.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        raise ParameterError("MLFLOW_TRACKING_URI is not set; it names the MLflow server or its database")
    if uri.startswith("sqlite:"):
        _load_database_stores()
    with explained():
        return MlflowClient(tracking_uri=uri)


def _load_database_stores() -> None:
    """Load what MLflow itself loads at its first call: named here, a server that forks steps can load it ahead."""
    import mlflow.store.model_registry.sqlalchemy_store
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401


def log_training(client: MlflowClient, experiment: str, folder: Path) -> str:
    """Record a training as a finished run: parameters, scores, pictures.

    Args:
        client: of the MLflow to write to.
        experiment: its name; made when it does not exist.
        folder: what `train_model.py` wrote.

    Returns:
        The run's id.
    """
    training = read_json(folder / TRAINING)
    with explained():
        experiment_id = _ensure_experiment(client, experiment)
        tags = {"mlflow.user": os.environ["USER"]}
        run = client.create_run(experiment_id, run_name=training["model_type"], tags=tags)
        log_values(client, run.info.run_id, metrics=training["metrics"], params=_params(training))
        client.log_artifact(run.info.run_id, str(folder / TRAINING))
        client.log_artifacts(run.info.run_id, str(folder / PICTURES))
        client.set_terminated(run.info.run_id)
    return str(run.info.run_id)


def log_values(
    client: MlflowClient,
    run_id: str,
    *,
    metrics: Mapping[str, float] | None = None,
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Add scores, parameters and tags to a run, in one go."""
    now = time.time_ns() // 1_000_000
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, now, 0) for name, value in (metrics or {}).items()],
        params=[Param(name, str(value)[:_MOST_CHARACTERS]) for name, value in (params or {}).items()],
        tags=[RunTag(name, value) for name, value in (tags or {}).items()],
    )


def find_run(client: MlflowClient, run_id: str) -> Run | None:
    """A run that exists and was not deleted."""
    run = found(client.get_run, run_id)
    return run if run is not None and run.info.lifecycle_stage == "active" else None


def found(ask: Callable[..., T], *arguments: str) -> T | None:
    """The answer of a client's method, or None when there is no such thing.

    Raises:
        UnreachableError: MLflow cannot be asked.
    """
    with explained():
        try:
            return ask(*arguments)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
    return None


def find_version(client: MlflowClient, name: str, run_id: str, workflow: str) -> str | None:
    """The version that a workflow run has registered of a training, if any."""
    quoted = name.replace("'", "\\'")
    found = client.search_model_versions(f"name = '{quoted}' and run_id = '{run_id}'")
    own = [version for version in found if workflow and version.tags.get(WORKFLOW_RUN) == workflow]
    return str(own[0].version) if own else None


def create_version(client: MlflowClient, name: str, packaged: ModelInfo, run_id: str, tags: Mapping[str, str]) -> str:
    """Register a logged model; its provenance is there from the first moment."""
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    uri, model_id = packaged.model_uri, packaged.model_id
    return str(client.create_model_version(name, uri, run_id, tags=dict(tags), model_id=model_id).version)


def tag_outcome(client: MlflowClient, experiment: str, workflow: str, status: str) -> int:
    """Tag the runs that belong to a workflow run with how it ended; their number."""
    with explained():
        runs = find_runs(client, experiment, workflow)
        for run in runs:
            client.set_tag(run.info.run_id, "mlops.outcome", status)
    return len(runs)


def find_runs(client: MlflowClient, experiment: str, workflow: str) -> list[Run]:
    """The runs of an experiment that belong to a workflow run."""
    known = client.get_experiment_by_name(experiment)
    quoted = workflow.replace("'", "\\'")
    return list(client.search_runs([known.experiment_id], f"tags.`{WORKFLOW_RUN}` = '{quoted}'")) if known else []


def _ensure_experiment(client: MlflowClient, name: str) -> str:
    known = client.get_experiment_by_name(name)
    if known is None:
        known = _create_experiment(client, name)
    if known.lifecycle_stage != "active":
        client.restore_experiment(known.experiment_id)
    return str(known.experiment_id)


def _create_experiment(client: MlflowClient, name: str) -> Experiment:
    # A database, unlike a server, knows no place for artifacts; the platform says where they go.
    root = os.environ.get("MLFLOW_ARTIFACT_ROOT", "").rstrip("/")
    try:
        client.create_experiment(name, artifact_location=f"{root}/{name}" if root else None)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another run was faster
            raise
    return client.get_experiment_by_name(name)


def _params(training: Mapping[str, Any]) -> dict[str, Any]:
    shared = {name: training[name] for name in ("model_type", "estimator", "task", "seed", "folds", "training_rows")}
    return shared | {f"hyperparameter.{name}": value for name, value in training["hyperparameters"].items()}
