"""The MLflow model itself: load it, prove that it answers its own example, predict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from open_inference.answer import Answer, read_answer
from open_inference.drift import Drift, read_drift
from open_inference.failure import ModelError
from open_inference.schema import Column, Schema, read_schema

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model.

    Attributes:
        schema: what it takes and gives.
        may_merge: its example proved that rows answered together get the same answer as alone,
            so rows of several requests may share one prediction.
        drift: what is seen of its inputs; None without a profile of its training data.
    """

    schema: Schema
    may_merge: bool
    pyfunc: PyFuncModel
    drift: Drift | None

    def predict(self, columns: Mapping[str, np.ndarray[Any, Any]], parameters: Mapping[str, Any]) -> Answer:
        """Answer rows given as columns. Whatever the model raises passes through."""
        return _predict(self.pyfunc, self.schema, _to_frame(columns), parameters)


def load_model(folder: Path) -> Model:
    """Load a folder written by `mlflow.pyfunc.save_model` and let it answer its own input example.

    Raises:
        ModelError: the folder holds no model that can be served.
    """
    import mlflow.pyfunc

    if not (folder / "MLmodel").is_file():
        raise ModelError(f"{folder} holds no MLflow model (no file MLmodel)")
    pyfunc = mlflow.pyfunc.load_model(str(folder))
    schema = read_schema(pyfunc.metadata.signature)
    drift = read_drift(_find_profile(folder, pyfunc), [column.name for column in schema.inputs])
    example = pyfunc.input_example
    if not isinstance(example, pd.DataFrame):
        return Model(schema, False, pyfunc, drift)
    answer = _predict(pyfunc, schema, example, {})
    if answer.rows != len(example):
        raise ModelError(f"the model answers its example of {len(example)} rows with {answer.rows} rows")
    _leave_checks_to_us(pyfunc)
    proven = replace(schema, outputs=_observe(answer, schema))
    return Model(proven, _is_rowwise(pyfunc, proven, example, answer), pyfunc, drift)


def _find_profile(folder: Path, pyfunc: PyFuncModel) -> Path | None:
    """The file that was packed with the model as its artifact `profile`."""
    artifacts = pyfunc.metadata.flavors["python_function"].get("artifacts") or {}
    return folder / artifacts["profile"]["path"] if "profile" in artifacts else None


def _leave_checks_to_us(pyfunc: PyFuncModel) -> None:
    """Requests are checked against the schema already: MLflow's second check would be a fifth of a prediction."""
    from mlflow.models import ModelSignature

    params = pyfunc.metadata.signature.params
    pyfunc.metadata.signature = None if params is None else ModelSignature(params=params)


def _to_frame(columns: Mapping[str, np.ndarray[Any, Any]]) -> pd.DataFrame:
    arrays = list(columns.values())
    # One block instead of one per column: ten times cheaper for the usual all-numeric row.
    if all(array.dtype == np.float64 for array in arrays):
        return pd.DataFrame(np.stack(arrays, axis=1), columns=list(columns))
    return pd.DataFrame(dict(columns))


def _predict(pyfunc: PyFuncModel, schema: Schema, frame: pd.DataFrame, parameters: Mapping[str, Any]) -> Answer:
    return read_answer(pyfunc.predict(frame, params=dict(parameters) or None), schema.outputs)


def _observe(answer: Answer, schema: Schema) -> tuple[Column, ...]:
    declared = {column.name: column for column in schema.outputs}
    return tuple(declared.get(c.name) or Column(c.name, c.datatype) for c in answer.columns)


def _is_rowwise(pyfunc: PyFuncModel, schema: Schema, example: pd.DataFrame, answer: Answer) -> bool:
    doubled = _predict(pyfunc, schema, pd.concat([example, example], ignore_index=True), {})
    alone = _predict(pyfunc, schema, example.head(1), {})
    rows = answer.rows
    return all(
        doubled.rows == 2 * rows and _is_same(doubled.cut(start, start + count), expected)
        for start, count, expected in ((0, rows, answer), (rows, rows, answer), (0, 1, alone))
    )


def _is_same(left: Answer, right: Answer) -> bool:
    return all(_is_same_column(a.values, b.values) for a, b in zip(left.columns, right.columns, strict=True))


def _is_same_column(left: list[Any], right: list[Any]) -> bool:
    if all(isinstance(value, float) for value in (*left, *right)):
        # Sums in another order differ in the last digits.
        return bool(np.allclose(left, right, rtol=1e-9, atol=1e-12, equal_nan=True))
    return left == right
