"""Step 5: register the model when it is good enough, as champion when it beats the one in charge."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import step

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from features import Features
    from gate import Champion, Decision


@dataclass(frozen=True, slots=True)
class _Job:
    """What is registered, and with which provenance."""

    client: MlflowClient
    arguments: argparse.Namespace
    features: Features
    run_id: str
    tags: Mapping[str, str]

    @property
    def name(self) -> str:
        return str(self.arguments.model_name)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step on command line arguments; `step.StepError` says why it failed."""
    arguments = _parser().parse_args(argv)
    if not arguments.model_name.strip() or set(arguments.model_name) & set("/:"):
        raise step.ParameterError(f"model-name '{arguments.model_name}': a name without '/' and ':' is needed")
    import tracking
    from features import read_features

    client = tracking.connect()
    features = read_features(arguments.features)
    job = _Job(client, arguments, features, _run_of(client, arguments), provenance_tags(arguments))
    scores = _score_holdout(features, arguments.model)
    with tracking.explained():
        metrics = {f"holdout_{name}": value for name, value in scores.items()}
        tracking.log_values(client, job.run_id, metrics=metrics, tags=job.tags)
        _log_evidence(client, job.run_id, arguments)
    registration = _register(job, scores)
    step.write_json(arguments.output, registration)
    step.finish(registration["summary"], arguments.summary)


def provenance_tags(arguments: argparse.Namespace) -> dict[str, str]:
    """Everything that is needed to make this model again, as tags of the run and the model version."""
    import provenance

    metadata = step.read_json(arguments.metadata)
    _, lock = provenance.environment_lock()
    return {
        "mlops.git_commit": arguments.git_commit or provenance.git_commit(Path(__file__).resolve().parent),
        "mlops.data_source": metadata["source"],
        "mlops.data_sha256": metadata["sha256"],
        "mlops.environment_lock": lock,
        "mlops.seed": str(arguments.seed),
        "mlops.step_code": arguments.step_code or provenance.UNKNOWN,
        "mlops.workflow_hash": arguments.workflow_hash or provenance.UNKNOWN,
        "mlops.workflow_run": arguments.workflow or provenance.UNKNOWN,
    }


def _run_of(client: MlflowClient, arguments: argparse.Namespace) -> str:
    """The training's run, or a new record of it: where that one was deleted, or tells of another workflow run.

    A training that is reused keeps the run it was recorded in, with the scores and provenance of that time.
    """
    import tracking

    with tracking.explained():
        own = tracking.find_runs(client, arguments.model_name, arguments.workflow) if arguments.workflow else []
    if own:
        return str(own[0].info.run_id)
    run = tracking.find_run(client, arguments.run_id)
    if run is not None and run.data.tags.get(tracking.WORKFLOW_RUN) in (None, arguments.workflow):
        return str(arguments.run_id)
    run_id = tracking.log_training(client, arguments.model_name, arguments.model)
    reason = "is gone" if run is None else "tells of another workflow run"
    step.log(f"MLflow run {arguments.run_id} {reason}; the training is recorded again as run {run_id}")
    return run_id


def _score_holdout(features: Features, model: Path) -> dict[str, float]:
    import joblib

    from features import HOLDOUT
    from scores import score

    rows, truth = features.part(HOLDOUT)
    scores = score(features.task, truth, joblib.load(model / "pipeline.joblib").predict(rows))
    for name, value in scores.items():
        step.log(f"holdout {name}: {value:.4f} ({len(rows)} rows)")
    return scores


def _log_evidence(client: MlflowClient, run_id: str, arguments: argparse.Namespace) -> None:
    import provenance

    lock, _ = provenance.environment_lock()
    client.log_text(run_id, lock, "environment.txt")
    for path in (arguments.metadata, arguments.report, arguments.profile):
        if path is not None:
            client.log_artifact(run_id, str(path))


def _register(job: _Job, scores: Mapping[str, float]) -> dict[str, Any]:
    from gate import check_gate, decide, measure_champion
    from model_package import raw_rows
    from scores import MAIN_SCORE

    task = job.features.task
    reached = scores[MAIN_SCORE[task]]
    check_gate(task, reached, least=job.arguments.min_accuracy)
    version = _ensure_version(job)
    # As late as can be: another run may be registering at the same time.
    champion = measure_champion(job.client, job.name, task, raw_rows(job.features), _truth(job.features))
    decision = decide(version, reached, champion)
    _set_aliases(job, version, decision, champion)
    return {
        "format": 1,
        "model": job.name,
        "version": version,
        "alias": decision.alias,
        "uri": f"models:/{job.name}/{version}",
        "mlflow_run": job.run_id,
        "scores": dict(scores),
        "champion_before": None if champion is None else {"version": champion.version, "score": champion.score},
        "provenance": dict(job.tags),
        "summary": summary(task, job.arguments, version, reached, decision),
    }


def summary(task: str, arguments: argparse.Namespace, version: str, reached: float, decision: Decision) -> str:
    """The outcome in one line, such as `iris v1, holdout accuracy 0.967, gate 0.90: champion`."""
    from gate import format_gate
    from scores import MAIN_SCORE, SHOWN

    outcome = f"{arguments.model_name} v{version}, holdout {SHOWN[MAIN_SCORE[task]]} {reached:.3f}"
    reason = f" ({decision.reason})" if decision.reason else ""
    return f"{outcome}, gate {format_gate(arguments.min_accuracy)}: {decision.alias}{reason}"


def _truth(features: Features) -> Any:
    from dataset import read_table
    from features import HOLDOUT

    return read_table(features.folder / HOLDOUT).column(features.target).to_pandas().to_numpy()


def _ensure_version(job: _Job) -> str:
    """A new version; or the one that this workflow run has made already, before it was interrupted."""
    import tracking
    from model_package import log_package

    model = job.arguments.model
    with tracking.explained():
        known = tracking.find_version(job.client, job.name, job.run_id, job.arguments.workflow)
        if known is not None:
            step.log(f"version {known} was made by an earlier attempt of this run")
            return known
        library = step.read_json(model / "training.json")["library"]
        packaged = log_package(job.run_id, job.features, model / "pipeline.joblib", library, job.arguments.profile)
        _check_package(packaged.model_uri, job.features, model)
        return tracking.create_version(job.client, job.name, packaged, job.run_id, job.tags)


def _check_package(uri: str, features: Features, model: Path) -> None:
    """The package must predict what the trained pipeline does.

    Raises:
        StepError: it does not.
    """
    import joblib
    import numpy as np

    from features import HOLDOUT
    from model_package import load_model, raw_rows

    rows, _ = features.part(HOLDOUT)
    expected = joblib.load(model / "pipeline.joblib").predict(rows)
    served = load_model(uri).predict(raw_rows(features))["prediction"]
    if not np.array_equal(features.encode(served), expected):
        raise step.StepError("the packaged model predicts something else than the trained one; nothing was registered")


def _set_aliases(job: _Job, version: str, decision: Decision, champion: Champion | None) -> None:
    import tracking
    from gate import CHAMPION, PREVIOUS

    with tracking.explained():
        if decision.alias == CHAMPION and champion is not None and champion.version != version:
            job.client.set_registered_model_alias(job.name, PREVIOUS, champion.version)
        job.client.set_registered_model_alias(job.name, decision.alias, version)


def _parser() -> step.Arguments:
    parser = step.Arguments(prog="register_model.py", description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="folder of feature_engineering.py")
    parser.add_argument("--model", type=Path, required=True, help="folder of train_model.py")
    parser.add_argument("--metadata", type=Path, required=True, help="JSON file of load_data.py")
    parser.add_argument("--report", type=Path, help="HTML report of validate_data.py")
    parser.add_argument("--profile", type=Path, help="data profile of validate_data.py")
    parser.add_argument("--run-id", required=True, help="MLflow run of train_model.py")
    parser.add_argument("--model-name", default="iris", help="name in the registry")
    parser.add_argument("--min-accuracy", type=step.real, default=0.9, help="accuracy, or R² of a regression")
    parser.add_argument("--seed", type=step.whole, default=1)
    for name in ("git-commit", "step-code", "workflow-hash", "workflow"):
        parser.add_argument(f"--{name}", default="", help="provenance")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write: version, alias, provenance")
    parser.add_argument("--summary", type=Path, help="text file to write: one line for people")
    return parser


if __name__ == "__main__":
    step.run(main)
