"""`mlops model` and `mlops predict`: what is registered, what is served, and what it answers."""

from __future__ import annotations

import json
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from platform_cli.cli.option import CloudOption, ConfigOption, EnvOption, OutputOption, VerboseOption, load_context
from platform_cli.errors import UsageError
from platform_cli.render.screen import Output

if TYPE_CHECKING:
    from platform_cli.cli.option import Context
    from platform_cli.serving.client import Prediction
    from platform_cli.serving.interface import Endpoint, Serving
    from platform_cli.serving.rows import Table

app = typer.Typer(rich_markup_mode=None, help="List, deploy and undeploy registered models.")


class RowFormat(StrEnum):
    """How predicted rows are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


ReferenceArgument = Annotated[str, typer.Argument(metavar="NAME[@ALIAS|/VERSION]", help="iris, iris@champion, iris/3.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the model.")]


@app.command("list")
def list_models(
    cloud: CloudOption = None, env: EnvOption = None, config: ConfigOption = None, output: OutputOption = Output.TEXT
) -> None:
    """List registered versions, and which of them are served."""
    from platform_cli.render.model import LIST_COLUMNS, list_rows, to_document

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        endpoints = {endpoint.name: endpoint for endpoint in context.cloud.serving().list()}
        models = context.cloud.registry().list_models()
        document = {
            "type": "Models",
            "models": [to_document(model) for model in models],
            "endpoints": [to_document(endpoint) for endpoint in endpoints.values()],
        }
        context.screen.table(document, LIST_COLUMNS, list_rows(models, endpoints))


@app.command()
def get(
    name: NameArgument,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show one model: its versions, their provenance, and where it is served."""
    from platform_cli.render.model import model_lines, to_document

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        endpoint = _find_endpoint(context.cloud.serving(), name)
        model = context.cloud.registry().get_model(name)
        served = to_document(endpoint) if endpoint else None
        document = {"type": "Model", "model": to_document(model), "endpoint": served}
        context.screen.show(document, model_lines(model, endpoint))


def _find_endpoint(serving: Serving, name: str) -> Endpoint | None:
    return next((endpoint for endpoint in serving.list() if endpoint.name == name), None)


@app.command()
def deploy(
    reference: ReferenceArgument,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port; the next free one if not said.")] = None,
    deadline: Annotated[float, typer.Option(min=1, help="Seconds until it must be ready.")] = 120.0,
    min_replicas: Annotated[int | None, typer.Option(min=0, help="On a cluster: pods at least.")] = None,
    max_replicas: Annotated[int | None, typer.Option(min=1, help="On a cluster: pods at most.")] = None,
    cpu: Annotated[str | None, typer.Option(help="On a cluster: cores for each pod, such as 500m.")] = None,
    memory: Annotated[str | None, typer.Option(help="On a cluster: memory of each pod, such as 1Gi.")] = None,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
    verbose: VerboseOption = False,
) -> None:
    """Serve a registered model and wait until it answers its own example.

    A version that is served already goes on until the new one is ready, and stays when that fails.
    """
    from platform_cli.render.line import Line
    from platform_cli.render.model import endpoint_line, to_document
    from platform_cli.serving.interface import Size
    from platform_cli.tools.mlflow import ModelRef

    started = time.monotonic()
    with load_context(cloud=cloud, env=env, config=config, output=output, verbose=verbose) as context:
        size = Size(min_replicas=min_replicas, max_replicas=max_replicas, cpu=cpu, memory=memory)
        serving = context.cloud.serving()
        meant, emit = ModelRef.parse(reference), context.screen.emit
        endpoint = serving.deploy(meant, port=port, deadline_s=deadline, size=size, emit=emit)
        document = {"type": "Deployed", "endpoint": to_document(endpoint)}
        line = Line(f"{endpoint.name} {endpoint_line(endpoint)}", "✓", "serve", time.monotonic() - started)
        context.screen.show(document, [line.text])


@app.command()
def undeploy(
    name: NameArgument,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Stop serving a model; it stays registered."""
    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        context.cloud.serving().undeploy(name)
        context.screen.show({"type": "Undeployed", "model": name}, [f"{name} is no longer served"])


@app.command()
def predict(
    name: NameArgument,
    json_rows: Annotated[
        str | None, typer.Option("--json", help="One row as a JSON object, or a list of rows.")
    ] = None,
    csv_rows: Annotated[str | None, typer.Option("--csv", help="Rows as CSV text with a header line.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="A csv, json, jsonl or parquet file of rows.")] = None,
    row_format: Annotated[RowFormat, typer.Option("--format", help="How rows are written.")] = RowFormat.TABLE,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for an answer.")] = 60.0,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Ask a deployed model; rows come from --json, --csv, --file or standard input."""
    from platform_cli.serving.client import predict as ask

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        table = _read_table(json_rows, csv_rows, file)
        with context.cloud.serving().connect(name) as url:
            prediction = ask(url, table, timeout_s=timeout)
        _show(context, table, prediction, row_format)


def _read_table(json_rows: str | None, csv_rows: str | None, file: Path | None) -> Table:
    """The rows from the one place that was named; standard input when none was."""
    from platform_cli.serving import rows

    given = [value for value in (json_rows, csv_rows, file) if value is not None]
    if len(given) > 1:
        raise UsageError("--json, --csv and --file exclude each other", hint="give one of them, or pipe rows in")
    if json_rows is not None:
        return rows.parse_json(json_rows)
    if csv_rows is not None:
        return rows.parse_csv(csv_rows)
    if file is not None:
        return rows.read_file(file)
    if sys.stdin.isatty():
        raise UsageError("there are no rows", hint="give --json, --csv or --file, or pipe rows in")
    return rows.parse_text(sys.stdin.read())


def _show(context: Context, table: Table, prediction: Prediction, row_format: RowFormat) -> None:
    from platform_cli.render.model import prediction_cells
    from platform_cli.serving.rows import to_csv

    rows = [dict(row) for row in prediction.rows]
    document = {"type": "Prediction", "model": prediction.model, "version": prediction.version, "rows": rows}
    match row_format:
        case RowFormat.TABLE:
            context.screen.table(document, *prediction_cells(table, prediction))
        case RowFormat.CSV:
            context.screen.show(document, to_csv(prediction.rows).splitlines())
        case RowFormat.JSON:
            context.screen.show(document, [json.dumps(rows, ensure_ascii=False)])
