"""What a model takes and gives, read from its MLflow signature: named columns with protocol datatypes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from open_inference.failure import ModelError

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

# MLflow's column types; `binary` has no agreed JSON form in the protocol and is refused.
_DATATYPES = {
    "boolean": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
    "string": "BYTES",
    "datetime": "BYTES",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One named column. A datetime travels as BYTES in ISO 8601."""

    name: str
    datatype: str
    is_required: bool = True
    is_datetime: bool = False

    def describe(self) -> dict[str, Any]:
        """The protocol's metadata of the column; the shape is `[rows]`."""
        parameters: dict[str, Any] = {} if self.is_required else {"required": False}
        if self.is_datetime:
            parameters["content_type"] = "datetime"
        extra = {"parameters": parameters} if parameters else {}
        return {"name": self.name, "datatype": self.datatype, "shape": [-1], **extra}


@dataclass(frozen=True, slots=True)
class Schema:
    """A model's columns, in the model's order. `parameters` maps a parameter's name to its Python type."""

    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    parameters: dict[str, type]


def read_schema(signature: ModelSignature | None) -> Schema:
    """The columns of a signature.

    Raises:
        ModelError: there is no signature, or it is not made of named columns of simple types.
    """
    if signature is None or signature.inputs is None:
        raise ModelError("the model has no signature: log it with one (mlflow.models.infer_signature)")
    inputs = tuple(_read_column(spec, "input") for spec in signature.inputs.inputs)
    outputs = () if signature.outputs is None else tuple(_read_outputs(signature.outputs.inputs))
    declared = signature.params.params if signature.params is not None else ()
    parameters = {spec.name: spec.dtype.to_python() for spec in declared if spec.shape is None}
    return Schema(inputs, outputs, parameters)


def _read_outputs(specs: list[Any]) -> list[Column]:
    # A signature inferred from a bare array has one column without a name, or a tensor: the answer itself tells more.
    return [
        _read_column(spec, "output") for spec in specs if getattr(spec, "name", None) and not hasattr(spec, "shape")
    ]


def _read_column(spec: Any, place: str) -> Column:
    kind = getattr(spec.type, "name", None)
    if spec.name is None or hasattr(spec, "shape"):
        raise ModelError(f"the signature's {place} has no named columns; log the model with a DataFrame signature")
    if kind not in _DATATYPES:
        raise ModelError(f"the signature's {place} '{spec.name}' is of type {spec.type}, which cannot be served")
    return Column(spec.name, _DATATYPES[kind], bool(spec.required), kind == "datetime")
