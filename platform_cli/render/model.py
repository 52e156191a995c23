"""Registered and deployed models for people. Pure."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from platform_cli.serving.client import Prediction
    from platform_cli.serving.interface import Endpoint
    from platform_cli.serving.rows import Table
    from platform_cli.tools.mlflow import RegisteredModel

LIST_COLUMNS = ("model", "version", "alias", "registered", "served", "state", "url")


def list_rows(models: Sequence[RegisteredModel], endpoints: Mapping[str, Endpoint]) -> list[tuple[object, ...]]:
    """One row per registered version in `LIST_COLUMNS`, newest first within a model."""
    return [
        (
            model.name,
            version.version,
            ", ".join(version.aliases),
            format_time(version.created),
            *_served(endpoints.get(model.name), version.version),
        )
        for model in models
        for version in model.versions
    ]


def _served(endpoint: Endpoint | None, version: str) -> tuple[str, str, str]:
    if endpoint is None or endpoint.version != version:
        return ("", "", "")
    return ("yes", str(endpoint.state), endpoint.url)


def model_lines(model: RegisteredModel, endpoint: Endpoint | None) -> list[str]:
    """Everything known of one model: where it is served, and each version with its tags."""
    lines = [f"{model.name}: {model.description}" if model.description else model.name]
    lines.append(f"  served: {endpoint_line(endpoint)}" if endpoint else "  served: no (mlops model deploy)")
    for version in model.versions:
        aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
        lines.append(
            f"  version {version.version}{aliases}, registered {format_time(version.created)}, run {version.run_id}"
        )
        lines.extend(f"    {key} = {value}" for key, value in sorted(version.tags.items()))
    return lines


def endpoint_line(endpoint: Endpoint) -> str:
    """Such as `version 3 ready at http://127.0.0.1:8500/v2/models/iris`."""
    reason = f": {endpoint.reason}" if endpoint.reason else ""
    return f"version {endpoint.version} {endpoint.state}{reason} at {endpoint.url}"


def to_document(value: Any) -> dict[str, Any]:
    """A frozen value as plain data."""
    return dataclasses.asdict(value)


def format_time(seconds: float) -> str:
    """Unix seconds as RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def prediction_cells(table: Table, prediction: Prediction) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: what was asked, then what was answered."""
    asked = list(dict.fromkeys(name for row in table.rows for name in row))
    answered = list(dict.fromkeys(name for row in prediction.rows for name in row))
    pairs = zip(table.rows, prediction.rows, strict=True)
    rows = [
        [*(_cell(question.get(n)) for n in asked), *(_cell(answer.get(n)) for n in answered)]
        for question, answer in pairs
    ]
    return [*asked, *answered], rows


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
