"""Writes a first `platform.yaml`, its comments taken from the model, and the schema that editors check it with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from platform_cli.config import Config, Leaf, find_section, list_leaves
from platform_cli.errors import RefusedError, ToolError
from platform_cli.layout import STATE_FOLDER
from platform_cli.target import Target

SCHEMA_NAME = "platform.schema.json"


def schema_text() -> str:
    """The JSON Schema of `platform.yaml`."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}
    return json.dumps(schema, indent=2) + "\n"


def write_config(path: Path, *, name: str, target: Target) -> None:
    """Write a commented configuration, and its schema into `.mlops/` beside it.

    Raises:
        RefusedError: there is such a file already.
        ToolError: it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(config_text(name=name, target=target))
        schema = path.parent / STATE_FOLDER / SCHEMA_NAME
        schema.parent.mkdir(exist_ok=True)
        schema.write_text(schema_text(), encoding="utf-8")
    except FileExistsError as error:
        raise RefusedError(f"{path} is there already", hint="edit it, or remove it first") from error
    except OSError as error:
        raise ToolError(f"cannot write {error.filename}: {error.strerror}") from error


def config_text(*, name: str, target: Target) -> str:
    """A valid configuration for one target: every key that it can use, with what it means."""
    values = Config.model_validate({"version": 1, "name": name, "cloud": target.cloud, "env": target.env})
    data = values.model_dump(mode="json")
    section = target.cloud.value
    top = [leaf for leaf in list_leaves() if len(leaf.path) == 1]
    others = [key for key, field in Config.model_fields.items() if find_section(field.annotation) and key != section]
    lines = [
        f"# yaml-language-server: $schema={STATE_FOLDER}/{SCHEMA_NAME}",
        "# Flags win over MLOPS_* variables, these over this file, this file over defaults: mlops config show.",
        *(_line(leaf, data[leaf.key], "") for leaf in top),
        "",
        f"# {Config.model_fields[section].description}",
        f"{section}:",
        *_section_lines(Config.model_fields[section].annotation, data[section], "  "),
        "",
        f"# Other places to run have sections of their own: {', '.join(others)}. See: mlops config schema.",
    ]
    return "\n".join(lines) + "\n"


def _section_lines(annotation: Any, data: dict[str, Any], indent: str) -> Iterator[str]:
    """A section's keys, each below what it means; sections in it are indented further."""
    model = find_section(annotation)
    for name, field in model.model_fields.items() if model else ():
        if find_section(field.annotation):
            yield f"{indent}# {field.description}\n{indent}{name}:"
            yield from _section_lines(field.annotation, data[name], indent + "  ")
        else:
            yield _line(Leaf((name,), field.description or "", is_text=False), data[name], indent)


def _line(leaf: Leaf, value: object, indent: str) -> str:
    text = yaml.safe_dump({leaf.path[-1]: value}, allow_unicode=True).strip()
    return f"{indent}# {leaf.description}\n{indent}{text}"
