"""Step 4: cross-validate, search when asked to, fit, and record it all in MLflow."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import step

if TYPE_CHECKING:
    from features import Features
    from training import Settings, Trained


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step on command line arguments; `step.StepError` says why it failed."""
    arguments = _parser().parse_args(argv)
    hyperparameters = step.parse_json_object(arguments.hyperparameters, "hyperparameters")
    from features import read_features
    from training import Settings, train

    settings = Settings(
        model_type=arguments.model_type,
        hyperparameters=hyperparameters,
        folds=arguments.cv_folds,
        search_iterations=arguments.search_iterations,
        search_seconds=arguments.search_seconds,
        seed=arguments.seed,
    )
    features = read_features(arguments.features)
    trained = train(features, settings)
    step.log(f"{trained.candidate.described}: {dict(trained.hyperparameters) or 'its own defaults'}")
    _write(trained, features, settings, arguments.output)
    import tracking

    run_id = tracking.log_training(tracking.connect(), arguments.experiment, arguments.output)
    step.log(f"MLflow run {run_id} in experiment {arguments.experiment}")
    step.write_text(arguments.run_id, run_id + "\n")
    step.finish(_summary(arguments, trained, features.task), arguments.summary)


def _write(trained: Trained, features: Features, settings: Settings, folder: Path) -> None:
    import joblib

    import pictures

    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(trained.pipeline, folder / "pipeline.joblib")
    step.write_json(folder / "training.json", _record(trained, features, settings))
    shown = folder / "pictures"
    pictures.draw_importances(trained.importances, shown / "feature-importance.png")
    predicted = trained.validation.predicted
    if features.classes:
        pictures.draw_confusion(trained.truth, predicted, features.classes, shown / "confusion-matrix.png")
    else:
        pictures.draw_predictions(trained.truth, predicted, shown / "predictions.png")


def _record(trained: Trained, features: Features, settings: Settings) -> dict[str, Any]:
    """All there is to know about the training; free of times, so the same training has the same record."""
    return {
        "format": 1,
        "task": features.task,
        "model_type": settings.model_type,
        "estimator": trained.candidate.described,
        "library": trained.candidate.library,
        "hyperparameters": dict(trained.hyperparameters),
        "seed": settings.seed,
        "folds": len(trained.validation.folds),
        "training_rows": len(trained.truth),
        "metrics": trained.validation.summary(),
        "importances": dict(trained.importances),
        "search": list(trained.trials),
    }


def _summary(arguments: argparse.Namespace, trained: Trained, task: str) -> str:
    from scores import MAIN_SCORE, SHOWN

    main = MAIN_SCORE[task]
    cross_validated = f"{trained.validation.mean(main):.3f} ± {trained.validation.std(main):.2f}"
    library = f" ({trained.candidate.library})" if arguments.model_type == "gradient-boosting" else ""
    return f"{arguments.model_type}{library}, cv {SHOWN[main]} {cross_validated}"


def _parser() -> step.Arguments:
    parser = step.Arguments(prog="train_model.py", description=__doc__)
    parser.add_argument("--features", type=Path, required=True, help="folder of feature_engineering.py")
    parser.add_argument("--model-type", default="random-forest", help="random-forest, gradient-boosting, …")
    parser.add_argument("--hyperparameters", default="{}", help="JSON object of the estimator's own parameters")
    parser.add_argument("--cv-folds", type=step.whole, default=5)
    parser.add_argument("--search-iterations", type=step.whole, default=0, help="candidates to try; 0 is no search")
    parser.add_argument("--search-seconds", type=step.whole, default=120, help="start no candidate after this time")
    parser.add_argument("--seed", type=step.whole, default=1)
    parser.add_argument("--experiment", default="iris", help="MLflow experiment")
    parser.add_argument("--output", type=Path, required=True, help="folder to write: pipeline, record, pictures")
    parser.add_argument("--run-id", type=Path, required=True, help="text file to write: the MLflow run's id")
    parser.add_argument("--summary", type=Path, help="text file to write: one line for people")
    return parser


if __name__ == "__main__":
    step.run(main)
