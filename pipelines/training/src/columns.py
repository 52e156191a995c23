"""What the columns of a table are: their kinds, the target, and the task that follows from it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import types

NUMERIC, TEXT, BOOLEAN, DATE, NESTED, EMPTY = "numeric", "text", "boolean", "date", "nested", "empty"
FEATURE_KINDS = (NUMERIC, TEXT, BOOLEAN)
CLASSIFICATION, REGRESSION = "classification", "regression"
UNUSABLE = {DATE: "dates or times", NESTED: "lists, structures or bytes", EMPTY: "no value at all"}
TASKS = ("auto", CLASSIFICATION, REGRESSION)
_MOST_CLASSES = 20
"""Whole numbers with more distinct values than this are a quantity, not a class, unless `task` says so."""


def column_kinds(table: pa.Table) -> dict[str, str]:
    """The kind of every column, by name."""
    return {field.name: _kind(field.type) for field in table.schema}


def to_frame(table: pa.Table) -> pd.DataFrame:
    """The table in pandas; decimals become floats, missing text is NaN, missing booleans are None."""
    frame = table.to_pandas()
    for name, field in zip(frame.columns, table.schema, strict=True):
        if types.is_decimal(field.type):
            frame[name] = frame[name].astype("float64")
    return frame


def numeric_values(series: pd.Series) -> np.ndarray:
    """A numeric column as float64, missing values as NaN."""
    return series.to_numpy(dtype="float64", na_value=np.nan)


def detect_task(target: pd.Series, kind: str) -> str:
    """Classification for text, booleans and few whole numbers; regression for all other numbers.

    Args:
        target: the target column; missing values are ignored.
        kind: its kind.
    """
    if kind != NUMERIC:
        return CLASSIFICATION
    values = numeric_values(target.dropna())
    whole = bool(np.all(np.isfinite(values))) and bool(np.all(values == np.floor(values)))
    return CLASSIFICATION if whole and len(np.unique(values)) <= _MOST_CLASSES else REGRESSION


def class_labels(target: pd.Series, kind: str) -> np.ndarray:
    """The target of a classification without missing values: text, booleans or int64."""
    if kind == NUMERIC:
        values = numeric_values(target)
        return values.astype("int64") if np.all(values == np.floor(values)) else values
    return target.to_numpy(dtype=bool if kind == BOOLEAN else object)


def feature_names(kinds: Mapping[str, str], target: str) -> tuple[str, ...]:
    """The columns a model can learn from, in their order."""
    return tuple(name for name, kind in kinds.items() if name != target and kind in FEATURE_KINDS)


def _kind(type_: pa.DataType) -> str:
    known = {
        NUMERIC: (types.is_integer, types.is_floating, types.is_decimal),
        TEXT: (types.is_string, types.is_large_string, types.is_string_view, types.is_dictionary),
        BOOLEAN: (types.is_boolean,),
        EMPTY: (types.is_null,),
        DATE: (types.is_temporal,),
    }
    return next((kind for kind, tests in known.items() if any(test(type_) for test in tests)), NESTED)
