"""From the bytes of an infer request to typed columns, with every mistake in the inputs named at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from open_inference import datatype
from open_inference.failure import RequestError, invalid
from open_inference.schema import Column, Schema

_SHOWN_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request that fits the schema.

    Attributes:
        id: echoed in the answer when the client sent one.
        rows: rows in each column, at least 1.
        columns: one array of `rows` values per column that was sent, in the model's order.
        outputs: the outputs asked for, in that order; None means all.
        parameters: those the model's signature declares.
    """

    id: str | None
    rows: int
    columns: Mapping[str, np.ndarray[Any, Any]]
    outputs: tuple[str, ...] | None
    parameters: Mapping[str, Any]


def parse_request(body: bytes, schema: Schema) -> InferRequest:
    """Read and check one request.

    Raises:
        RequestError: 400, and the message names every input that does not fit.
    """
    document = _read_object(body)
    identifier = _optional(document, "id", str, "a string")
    tensors = _read_tensors(document)
    columns, rows = _read_columns(tensors, schema)
    return InferRequest(identifier, rows, columns, _read_outputs(document, schema), _read_parameters(document, schema))


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise invalid(f"the body is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise invalid("the body must be a JSON object")
    return document


def _optional(document: Mapping[str, Any], key: str, kind: type, wanted: str) -> Any:
    value = document.get(key)
    if value is not None and not isinstance(value, kind):
        raise invalid(f"'{key}' must be {wanted}")
    return value


def _read_tensors(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    inputs = _optional(document, "inputs", list, "a list of tensors")
    if not inputs:
        raise invalid("'inputs' is missing or empty")
    tensors: dict[str, dict[str, Any]] = {}
    for index, tensor in enumerate(inputs):
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if not isinstance(name, str):
            raise invalid(f"inputs[{index}] must be an object with a 'name'")
        if name in tensors:
            raise invalid(f"input '{name}' is given twice")
        tensors[name] = tensor
    return tensors


def _read_columns(tensors: dict[str, dict[str, Any]], schema: Schema) -> tuple[dict[str, np.ndarray[Any, Any]], int]:
    problems = _compare_names(tensors, schema)
    columns: dict[str, np.ndarray[Any, Any]] = {}
    for column in schema.inputs:
        tensor = tensors.get(column.name)
        if tensor is None:
            continue
        try:
            columns[column.name] = _read_column(tensor, column)
        except ValueError as error:
            problems.append(f"input '{column.name}' {error}")
    lengths = {len(array) for array in columns.values()}
    if len(lengths) > 1:
        counts = ", ".join(f"'{name}' {len(array)}" for name, array in columns.items())
        problems.append(f"inputs differ in rows: {counts}")
    if problems:
        raise _report(problems)
    return columns, lengths.pop()


def _report(problems: list[str]) -> RequestError:
    rest = len(problems) - _SHOWN_PROBLEMS
    more = [f"and {rest} more"] if rest > 0 else []
    return invalid("; ".join([*problems[:_SHOWN_PROBLEMS], *more]))


def _compare_names(tensors: Mapping[str, Any], schema: Schema) -> list[str]:
    known = {column.name for column in schema.inputs}
    extra = [f"unknown input '{name}'" for name in tensors if name not in known]
    missing = [
        f"missing input '{column.name}'"
        for column in schema.inputs
        if column.is_required and column.name not in tensors
    ]
    return missing + extra


def _read_column(tensor: Mapping[str, Any], column: Column) -> np.ndarray[Any, Any]:
    sent = _read_datatype(tensor, column)
    rows, is_nested = _read_shape(tensor.get("shape"))
    values = _read_data(tensor, rows, may_nest=is_nested)
    array = datatype.to_array(values, sent)
    if column.is_datetime:
        return _to_datetimes(values)
    wanted = datatype.NUMPY_TYPES[column.datatype]
    return array if array.dtype == wanted else array.astype(wanted)


def _read_datatype(tensor: Mapping[str, Any], column: Column) -> str:
    sent = tensor.get("datatype")
    if not isinstance(sent, str) or sent not in datatype.NUMPY_TYPES:
        known = ", ".join(datatype.NUMPY_TYPES)
        raise ValueError(f"has no known datatype: {sent!r} (known: {known})")
    if not datatype.fits(sent, column.datatype):
        raise ValueError(f"wants {column.datatype}, got {sent}")
    return sent


def _read_shape(shape: object) -> tuple[int, bool]:
    # bool is an int to isinstance, and JSON's true is no dimension.
    if not isinstance(shape, list) or not shape or any(type(size) is not int or size < 0 for size in shape):
        raise ValueError(f"has no valid shape: {shape!r}; wanted [rows]")
    if any(size != 1 for size in shape[1:]):
        raise ValueError(f"has shape {shape}; one column has shape [rows] or [rows, 1]")
    if shape[0] == 0:
        raise ValueError("has no rows")
    return shape[0], len(shape) > 1


def _read_data(tensor: Mapping[str, Any], rows: int, *, may_nest: bool) -> list[Any]:
    data = tensor.get("data")
    if type(data) is not list:
        raise ValueError("has no 'data' list (binary tensors are not supported)")
    while may_nest and data and all(type(item) is list and len(item) == 1 for item in data):
        data = [item[0] for item in data]
    if len(data) != rows:
        raise ValueError(f"has {len(data)} values where its shape says {rows}")
    return data


def _to_datetimes(values: list[Any]) -> np.ndarray[Any, Any]:
    import pandas as pd

    try:
        parsed = pd.to_datetime(pd.Series(values, dtype=object), format="ISO8601", utc=True)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"wants dates in ISO 8601: {error}") from error
    # MLflow's datetime has no zone: times are UTC.
    return parsed.dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")


def _read_outputs(document: Mapping[str, Any], schema: Schema) -> tuple[str, ...] | None:
    wanted = _optional(document, "outputs", list, "a list")
    if not wanted:
        return None
    known = [column.name for column in schema.outputs]
    names: dict[str, None] = {}
    for index, item in enumerate(wanted):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str):
            raise invalid(f"outputs[{index}] must be an object with a 'name'")
        if name not in known:
            raise invalid(f"unknown output '{name}' (the model gives: {', '.join(known)})")
        names[name] = None
    return tuple(names)


def _read_parameters(document: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    given = _optional(document, "parameters", dict, "an object") or {}
    return {
        name: _read_parameter(name, given[name], kind)
        for name, kind in schema.parameters.items()
        if given.get(name) is not None
    }


def _read_parameter(name: str, value: Any, kind: type) -> Any:
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise invalid(f"parameter '{name}' must be of type {kind.__name__}")
    return float(value) if kind is float else value
