"""From rows to a request of the Open Inference Protocol and back, with every misfit found before anything is sent."""

from __future__ import annotations

import datetime
import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from platform_cli.errors import InputError
from platform_cli.serving.rows import Table

_ABSENT_NUMBERS = frozenset({"", "na", "nan", "null", "none"})
_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_SHOWN_ROWS = 3


@dataclass(frozen=True, slots=True)
class Column:
    """An input column of a model, as its metadata tells."""

    name: str
    datatype: str
    is_required: bool
    is_datetime: bool

    @property
    def may_be_missing(self) -> bool:
        """Whether a row may have no value here: only numbers with a point and text have a way to say so."""
        return self.datatype.startswith("FP") or self.datatype == "BYTES"

    def __str__(self) -> str:
        kind = "datetime" if self.is_datetime else self.datatype
        return f"{self.name} ({kind}{'' if self.is_required else ', optional'})"


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """What a served model says about itself."""

    name: str
    version: str
    inputs: tuple[Column, ...]


def read_metadata(document: Mapping[str, Any]) -> ModelMetadata:
    """The model's metadata from its protocol form."""
    inputs = tuple(_read_column(tensor) for tensor in document["inputs"])
    return ModelMetadata(document["name"], (document.get("versions") or [""])[0], inputs)


def build_request(metadata: ModelMetadata, table: Table) -> dict[str, Any]:
    """Rows as an infer request.

    Raises:
        InputError: rows do not fit; `details` names every missing, unknown and mistyped column at once.
    """
    problems = _compare_columns(metadata, table)
    tensors: list[dict[str, Any]] = []
    for column in metadata.inputs:
        if any(column.name in row for row in table.rows):
            values, found = _convert_column(column, table)
            problems.extend(found)
            shape = [len(values)]
            tensors.append({"name": column.name, "shape": shape, "datatype": column.datatype, "data": values})
    if problems:
        raise InputError(
            f"the rows do not fit model '{metadata.name}' version {metadata.version}",
            hint=f"its columns: {', '.join(str(column) for column in metadata.inputs)}",
            details=tuple(problems),
        )
    return {"inputs": tensors}


def read_rows(response: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of an infer response, by output name."""
    outputs = response["outputs"]
    names = [output["name"] for output in outputs]
    return [dict(zip(names, values, strict=True)) for values in zip(*(o["data"] for o in outputs), strict=True)]


def _read_column(tensor: Mapping[str, Any]) -> Column:
    parameters = tensor.get("parameters") or {}
    is_datetime = parameters.get("content_type") == "datetime"
    return Column(tensor["name"], tensor["datatype"], bool(parameters.get("required", True)), is_datetime)


def _compare_columns(metadata: ModelMetadata, table: Table) -> list[str]:
    known = [column.name for column in metadata.inputs]
    given = dict.fromkeys(name for row in table.rows for name in row)
    missing = [c.name for c in metadata.inputs if c.is_required and c.name not in given]
    problems: list[str] = []
    for name in (name for name in given if name not in known):
        near = _find_near(name, missing) or _find_near(name, known)
        problems.append(f"unknown column '{name}'" + (f", did you mean '{near}'?" if near else ""))
        missing = [other for other in missing if other != near]
    return problems + [f"missing column '{name}'" for name in missing]


def _find_near(name: str, names: Sequence[str]) -> str | None:
    folded = {other.casefold(): other for other in names}
    near = difflib.get_close_matches(name.casefold(), list(folded), n=1)
    return folded[near[0]] if near else None


def _convert_column(column: Column, table: Table) -> tuple[list[Any], list[str]]:
    values: list[Any] = []
    wrong: list[str] = []
    for index, row in enumerate(table.rows, 1):
        try:
            values.append(_convert(column, _find(column, row), is_text=table.is_text))
        except ValueError as error:
            values.append(None)
            wrong.append(f"{error} (row {index})")
    if not wrong:
        return values, []
    rest = f" and {len(wrong) - _SHOWN_ROWS} more rows" if len(wrong) > _SHOWN_ROWS else ""
    return values, [f"column '{column.name}' {'; '.join(wrong[:_SHOWN_ROWS])}{rest}"]


def _find(column: Column, row: Mapping[str, Any]) -> Any:
    if column.is_required and column.name not in row:
        raise ValueError("is missing")
    return row.get(column.name)


def _convert(column: Column, value: Any, *, is_text: bool) -> Any:
    if is_text and isinstance(value, str):
        value = _parse(column, value.strip())
    if value is None or (isinstance(value, float) and math.isnan(value)):
        if column.may_be_missing:
            return None
        raise ValueError(f"has no value, and {column.datatype} cannot be missing")
    if column.datatype == "BYTES":
        return _convert_text(column, value)
    if column.datatype == "BOOL":
        return _expect(value, bool, "true or false")
    if column.datatype.startswith("FP"):
        return _convert_number(value)
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    return _expect(whole, int, "a whole number")


def _parse(column: Column, text: str) -> Any:
    """A CSV value as what its column holds; what cannot be parsed stays text, which is then refused."""
    if column.datatype == "BYTES":
        return text or None
    if text.casefold() in _ABSENT_NUMBERS:
        return None
    if column.datatype == "BOOL":
        return _TRUTHS.get(text.casefold(), text)
    for parse in (int, float):
        try:
            return parse(text)
        except ValueError:
            continue
    return text


def _convert_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"wants a number, got {value!r}")
    return value


def _convert_text(column: Column, value: Any) -> str:
    if isinstance(value, datetime.date):
        return value.isoformat()
    text = str(_expect(value, str, "a date" if column.is_datetime else "text"))
    if column.is_datetime:
        try:
            datetime.datetime.fromisoformat(text)
        except ValueError as error:
            raise ValueError(f"wants a date like 2026-01-31T12:00:00, got {text!r}") from error
    return text


def _expect(value: Any, kind: type, wanted: str) -> Any:
    if type(value) is not kind:
        raise ValueError(f"wants {wanted}, got {value!r}")
    return value
