"""The names that a template's tags may use, and their values.

Only what a text mentions is collected: a DAG of a thousand tasks must not cost a thousand lookups per task.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from platform_cli.workflow.json_text import json_text
from platform_cli.workflow.model_value import Artifact, Outputs, Parameter
from platform_cli.workflow.node import Node, NodeInputs

Values = dict[str, object]
_MENTION = r"\b{root}(?:\.([\w-]+)|\[\\?[\"']([\w-]+)\\?[\"']\])"
_STAMP_FORMATS = {
    "Y": "%Y",
    "m": "%m",
    "d": "%d",
    "H": "%H",
    "M": "%M",
    "S": "%S",
    "s": "%s",
    "RFC3339": "%Y-%m-%dT%H:%M:%SZ",
}


class BindingError(ValueError):
    """A value that a template needs and nobody gives, or one that does not fit."""


def mentioned(text: str, root: str) -> set[str]:
    """The names of tasks (`root` is tasks) or steps that `text` talks about."""
    if root not in text:
        return set()
    return {dotted or quoted for dotted, quoted in re.findall(_MENTION.format(root=root), text)}


def workflow_values(metadata: Mapping[str, Any], parameters: Mapping[str, str], entrypoint: str) -> Values:
    """`workflow.*`, from the run's own metadata and arguments."""
    from datetime import datetime

    created = datetime.fromisoformat(metadata["creationTimestamp"])
    values: Values = {
        "workflow.name": metadata["name"],
        "workflow.namespace": metadata["namespace"],
        "workflow.uid": metadata["uid"],
        "workflow.serviceAccountName": "default",
        "workflow.priority": "0",
        "workflow.mainEntrypoint": entrypoint,
        "workflow.creationTimestamp": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    values |= {f"workflow.creationTimestamp.{key}": created.strftime(form) for key, form in _STAMP_FORMATS.items()}
    for kind in ("labels", "annotations"):
        found = {str(key): str(value) for key, value in metadata.get(kind, {}).items()}
        values |= {f"workflow.{kind}.{key}": value for key, value in found.items()}
        values |= {f"workflow.{kind}": json_text(found), f"workflow.{kind}.json": json_text(found)}
    listed = json_text([{"name": name, "value": value} for name, value in parameters.items()])
    values |= {f"workflow.parameters.{name}": value for name, value in parameters.items()}
    return values | {"workflow.parameters": listed, "workflow.parameters.json": listed}


def input_values(inputs: NodeInputs) -> Values:
    """`inputs.*` of a template that is called with `inputs`."""
    values: Values = {f"inputs.parameters.{parameter.name}": parameter.value for parameter in inputs.parameters}
    listed = [{"name": parameter.name, "value": parameter.value} for parameter in inputs.parameters]
    values["inputs.parameters"] = json_text(listed)
    return values | {f"inputs.artifacts.{a.name}.path": a.path for a in inputs.artifacts if a.path}


def output_path_values(outputs: Outputs) -> Values:
    """`outputs.*.path`: where a template's own program has to write."""
    values: Values = {f"outputs.artifacts.{artifact.name}.path": artifact.path for artifact in outputs.artifacts}
    sources = ((parameter.name, parameter.value_from) for parameter in outputs.parameters)
    return values | {
        f"outputs.parameters.{name}.path": source.path for name, source in sources if source and source.path
    }


def node_values(prefix: str, node: Node, declared: Outputs) -> Values:
    """`tasks.NAME.*` of a finished node; an output that it declares and did not make has its default, or is absent."""
    values: Values = {f"{prefix}.{name}": value for name, value in _plain_values(node).items()}
    for parameter in declared.parameters:
        default = parameter.value_from.default if parameter.value_from else None
        values[f"{prefix}.outputs.parameters.{parameter.name}"] = default
    if node.outputs is None:
        return values | {f"{prefix}.outputs.result": None, f"{prefix}.outputs.exitCode": None}
    found = {parameter.name: parameter.value for parameter in node.outputs.parameters}
    values |= {f"{prefix}.outputs.parameters.{name}": value for name, value in found.items()}
    values |= {f"{prefix}.outputs.result": node.outputs.result, f"{prefix}.exitCode": node.outputs.exit_code}
    return values | {f"{prefix}.outputs.exitCode": node.outputs.exit_code}


def loop_values(prefix: str, group: Node, children: Iterable[Node]) -> Values:
    """`tasks.NAME.*` of a task with items: lists over the children that succeeded, in order.

    There is no `outputs.result` when a child's result is not JSON, since the list would not be either.
    """
    values: Values = {f"{prefix}.{name}": value for name, value in _plain_values(group).items()}
    outputs = [child.outputs for child in children if child.phase == "Succeeded" and child.outputs is not None]
    maps = [{parameter.name: parameter.value for parameter in output.parameters} for output in outputs]
    values[f"{prefix}.outputs.parameters"] = json_text(maps)
    for name in {name for found in maps for name in found}:
        values[f"{prefix}.outputs.parameters.{name}"] = _listed([found[name] for found in maps if name in found])
    results = [output.result for output in outputs if output.result is not None]
    try:
        parsed = [json.loads(result) for result in results]
    except ValueError:
        return values
    return values | {f"{prefix}.outputs.result": json_text(parsed)}


def collect_artifacts(prefix: str, artifacts: Iterable[Artifact]) -> dict[str, Artifact]:
    """Artifacts by the name that `from` gives them."""
    return {f"{prefix}.{artifact.name}": artifact for artifact in artifacts}


def resolve_artifact(wanted: Artifact, known: Mapping[str, Artifact], values: Values) -> Artifact | None:
    """`wanted` with the location that its `from` or `fromExpression` leads to; None when that is absent.

    Raises:
        BindingError: the name means nothing, or it is absent and the artifact is not optional.
    """
    if wanted.from_expression:
        found = _evaluated_artifact(wanted, known, values)
    elif wanted.from_:
        name = wanted.from_.strip().removeprefix("{{").removesuffix("}}").strip()
        found = known.get(name)
    else:
        return wanted
    if found is None and not wanted.optional:
        origin = wanted.from_expression or wanted.from_
        raise BindingError(f"artifact {wanted.name}: {origin} leads to no artifact")
    if found is None:
        return None
    place = {"s3": found.s3, "raw": found.raw, "archive": found.archive}
    return msgspec.structs.replace(wanted, from_="", from_expression="", sub_path=wanted.sub_path, **place)


def bind_inputs(
    declared_parameters: Iterable[Parameter],
    declared_artifacts: Iterable[Artifact],
    given_parameters: Mapping[str, Parameter],
    given_artifacts: Mapping[str, Artifact],
    config_value: Callable[[Any], str | None],
) -> NodeInputs:
    """What a template gets: the given values, else its own.

    Raises:
        BindingError: a parameter without any value, a value that `enum` does not allow, a missing artifact.
    """
    parameters = tuple(_bound_parameter(wanted, given_parameters, config_value) for wanted in declared_parameters)
    artifacts = (_bound_artifact(wanted, given_artifacts) for wanted in declared_artifacts)
    return NodeInputs(parameters=parameters, artifacts=tuple(artifact for artifact in artifacts if artifact))


def parameter_value(parameter: Parameter, config_value: Callable[[Any], str | None]) -> str | None:
    """A parameter's own value: written down, from a ConfigMap, or its default."""
    if parameter.value is not None:
        return parameter.value
    source = parameter.value_from
    if source is not None and source.config_map_key_ref is not None:
        found = config_value(source.config_map_key_ref)
        return found if found is not None else source.default
    return parameter.default


def _bound_parameter(
    wanted: Parameter, given: Mapping[str, Parameter], config_value: Callable[[Any], str | None]
) -> Parameter:
    argument = given.get(wanted.name)
    value = None if argument is None else parameter_value(argument, config_value)
    if value is None:
        value = parameter_value(wanted, config_value)
    if value is None:
        raise BindingError(f"inputs.parameters.{wanted.name} was not supplied")
    if wanted.enum and value not in wanted.enum:
        raise BindingError(f"inputs.parameters.{wanted.name} is {value!r}; it may be {', '.join(wanted.enum)}")
    return Parameter(name=wanted.name, value=value)


def _bound_artifact(wanted: Artifact, given: Mapping[str, Artifact]) -> Artifact | None:
    argument = given.get(wanted.name)
    if argument is None and wanted.raw is None and wanted.s3 is None:
        if wanted.optional:
            return None
        raise BindingError(f"inputs.artifacts.{wanted.name} was not supplied")
    if argument is None:
        return wanted
    place = {"s3": argument.s3, "raw": argument.raw, "archive": argument.archive, "sub_path": argument.sub_path}
    return msgspec.structs.replace(wanted, **place)


def _plain_values(node: Node) -> Values:
    times = {"startedAt": node.started_at, "finishedAt": node.finished_at}
    stamps = {name: "" if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ") for name, time in times.items()}
    return {"id": node.id, "status": node.phase, "ip": "", "hostNodeName": "localhost", **stamps}


def _listed(values: list[str | None]) -> str:
    """Texts as a JSON list, unless every one is itself a JSON object or list."""
    try:
        parsed = [json.loads(value or "") for value in values]
    except ValueError:
        return json_text(values)
    return json_text(parsed if all(isinstance(value, (dict, list)) for value in parsed) else values)


def _evaluated_artifact(wanted: Artifact, known: Mapping[str, Artifact], values: Values) -> Artifact | None:
    from platform_cli.workflow.expression import ExpressionError, evaluate, expand

    environment = expand({**values, **{name: msgspec.to_builtins(artifact) for name, artifact in known.items()}})
    try:
        found = evaluate(wanted.from_expression, environment)
        return None if found is None else msgspec.convert(found, Artifact)
    except (ExpressionError, msgspec.ValidationError) as error:
        raise BindingError(f"artifact {wanted.name}: fromExpression: {error}") from error
