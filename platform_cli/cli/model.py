"""`mlops model` and `mlops predict`: what is registered, what is served, and what it answers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from platform_cli.cli.option import CloudOption, ConfigOption, EnvOption, OutputOption, VerboseOption, load_context
from platform_cli.render.screen import Output

if TYPE_CHECKING:
    from platform_cli.serving.interface import Endpoint, Serving

app = typer.Typer(rich_markup_mode=None, help="List, deploy and undeploy registered models.")

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
    from platform_cli.tools.mlflow import ModelRef

    started = time.monotonic()
    with load_context(cloud=cloud, env=env, config=config, output=output, verbose=verbose) as context:
        endpoint = context.cloud.serving().deploy(ModelRef.parse(reference), port=port, deadline_s=deadline)
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
