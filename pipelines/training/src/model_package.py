"""One deployable MLflow model: transform and estimator, signature, input example, pinned requirements."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

from columns import BOOLEAN, CLASSIFICATION, NUMERIC, TEXT, to_frame
from dataset import read_table
from features import DESCRIPTION, HOLDOUT, Features

_HERE = Path(__file__).resolve().parent
_TYPES: Mapping[str, str] = {NUMERIC: "double", TEXT: "string", BOOLEAN: "boolean"}
_NEEDED = ("mlflow", "numpy", "pandas", "scipy", "scikit-learn", "joblib")
_EXAMPLE_ROWS = 2


def log_package(run_id: str, features: Features, pipeline: Path, library: str, profile: Path | None) -> ModelInfo:
    """Write the model to the run's artifacts.

    Args:
        run_id: an MLflow run of the tracking store in use.
        features: columns, classes and the raw rows that the example is taken from.
        pipeline: the joblib file with the fitted pipeline.
        library: the distribution that the estimator comes from.
        profile: what the data looked like, for whoever serves the model; None is a model whose drift nobody measures.
    """
    artifacts = {"pipeline": pipeline, "features": features.folder / DESCRIPTION, "profile": profile}
    with mlflow.start_run(run_id=run_id), warnings.catch_warnings():
        # MLflow wants type hints that would make it check the input twice.
        warnings.filterwarnings("ignore", message=".*type hint", category=UserWarning)
        return mlflow.pyfunc.log_model(
            name="model",
            python_model=str(_HERE / "serving_model.py"),
            code_paths=[str(_HERE / "raw_columns.py")],
            artifacts={name: str(path) for name, path in artifacts.items() if path is not None},
            signature=signature(features),
            input_example=raw_rows(features).head(_EXAMPLE_ROWS),
            pip_requirements=requirements(library),
        )


def load_model(uri: str) -> mlflow.pyfunc.PyFuncModel:
    """A logged or registered model, as a server would load it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*type hint", category=UserWarning)
        return mlflow.pyfunc.load_model(uri)


def raw_rows(features: Features) -> pd.DataFrame:
    """The holdout as callers send rows: raw columns, whole numbers as doubles."""
    frame = to_frame(read_table(features.folder / HOLDOUT))[list(features.kinds)]
    numbers = [name for name, kind in features.kinds.items() if kind == NUMERIC]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def signature(features: Features) -> ModelSignature:
    """The raw columns by name, and what comes back. All numbers are doubles: an integer cannot be missing."""
    inputs = Schema([ColSpec(_TYPES[kind], name) for name, kind in features.kinds.items()])
    if features.task != CLASSIFICATION:
        return ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double", "prediction")]))
    outputs = Schema([ColSpec(_class_type(features.classes), "prediction"), ColSpec("double", "probability")])
    params = ParamSchema([ParamSpec("probabilities", "boolean", default=False)])
    return ModelSignature(inputs=inputs, outputs=outputs, params=params)


def requirements(library: str) -> list[str]:
    """What a server has to install, in exactly the versions that trained the model."""
    return [f"{name}=={version(name)}" for name in dict.fromkeys((*_NEEDED, library))]


def _class_type(classes: tuple[Any, ...]) -> str:
    names = {bool: "boolean", int: "long", float: "double"}
    return names.get(type(classes[0]), "string")
