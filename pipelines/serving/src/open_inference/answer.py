"""A model's answer as named columns, whatever pandas or numpy shape the model chose, and its JSON form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from open_inference import datatype
from open_inference.schema import Column

_UNNAMED = "prediction"


@dataclass(frozen=True, slots=True)
class AnswerColumn:
    """Values of one output, one per row, ready for JSON."""

    name: str
    datatype: str
    values: list[Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """All outputs of a prediction."""

    columns: tuple[AnswerColumn, ...]

    @property
    def rows(self) -> int:
        """Rows in each column; 0 without columns."""
        return len(self.columns[0].values) if self.columns else 0

    def cut(self, start: int, stop: int) -> Answer:
        """Rows `start` to `stop`, without `stop`."""
        return Answer(tuple(AnswerColumn(c.name, c.datatype, c.values[start:stop]) for c in self.columns))

    def describe(self, names: Iterable[str] | None) -> list[dict[str, Any]]:
        """The protocol's output tensors: those named, in that order, or all."""
        by_name = {column.name: column for column in self.columns}
        chosen = self.columns if names is None else [by_name[name] for name in names]
        return [{"name": c.name, "shape": [len(c.values)], "datatype": c.datatype, "data": c.values} for c in chosen]


def read_answer(prediction: object, declared: Sequence[Column]) -> Answer:
    """Give a prediction's columns their names and datatypes.

    Raises:
        ValueError: the prediction is no table, or a column does not hold what the signature declares.
    """
    table = _to_table(prediction, [column.name for column in declared])
    types = {column.name: column.datatype for column in declared}
    return Answer(tuple(_read_column(str(name), table[name], types.get(str(name))) for name in table.columns))


def _to_table(prediction: object, names: list[str]) -> pd.DataFrame:
    if isinstance(prediction, pd.DataFrame):
        return prediction
    if isinstance(prediction, pd.Series):
        return prediction.to_frame(name=prediction.name or _first(names))
    array = np.asarray(prediction)
    if array.ndim == 1:
        return pd.DataFrame({_first(names): array})
    if array.ndim != 2:  # noqa: PLR2004 - a table has two dimensions
        raise ValueError(f"the model answered with a {type(prediction).__name__} of {array.ndim} dimensions")
    width = array.shape[1]
    return pd.DataFrame(array, columns=names if len(names) == width else [f"{_UNNAMED}-{i}" for i in range(width)])


def _first(names: list[str]) -> str:
    return names[0] if len(names) == 1 else _UNNAMED


def _read_column(name: str, series: pd.Series[Any], declared: str | None) -> AnswerColumn:
    kind = series.dtype.kind
    if kind == "M":
        return AnswerColumn(name, "BYTES", [None if pd.isna(v) else v.isoformat() for v in series])
    if isinstance(series.dtype, np.dtype) and kind in "biuf":
        return _read_numbers(name, series.to_numpy(), declared)
    values = series.tolist()
    if all(isinstance(value, str) or value is None for value in values):
        return AnswerColumn(name, "BYTES", values)
    return _read_objects(name, values, declared)


def _read_numbers(name: str, array: np.ndarray[Any, Any], declared: str | None) -> AnswerColumn:
    actual = datatype.name_of(array.dtype)
    if declared in (None, actual):
        return AnswerColumn(name, actual, array.tolist())
    if not datatype.fits(actual, str(declared)):
        raise ValueError(f"output '{name}' is declared {declared} and holds {actual}")
    return AnswerColumn(name, str(declared), array.astype(datatype.NUMPY_TYPES[str(declared)]).tolist())


def _read_objects(name: str, values: list[Any], declared: str | None) -> AnswerColumn:
    # Columns of dtype object or an extension type: missing values of any kind are null.
    plain = [None if pd.api.types.is_scalar(v) and pd.isna(v) else v for v in values]
    present = [value for value in plain if value is not None]
    found = next((n for kind, n in ((bool, "BOOL"), (int, "INT64"), (float, "FP64")) if _all(present, kind)), "BYTES")
    if found == "BYTES":
        return AnswerColumn(name, declared or found, [None if v is None else str(v) for v in plain])
    return AnswerColumn(name, declared or found, plain)


def _all(values: list[Any], kind: type) -> bool:
    return bool(values) and all(type(value) is kind for value in values)
