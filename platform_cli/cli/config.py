"""`mlops config`: what holds, whether it is right, and what may be written."""

from __future__ import annotations

import typer

from platform_cli.cli.option import (
    CloudOption,
    ConfigOption,
    EnvOption,
    OutputOption,
    load_context,
)
from platform_cli.render.screen import Output

app = typer.Typer(help="Show, check and describe the configuration.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def show(
    cloud: CloudOption = None, env: EnvOption = None, config: ConfigOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Show every value and where it comes from."""
    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        values = context.settings.list_values()
        document = {"type": "Config", "values": {key: {"value": value, "origin": at} for key, value, at in values}}
        rows = [(key, "null" if value is None else str(value), at) for key, value, at in values]
        context.screen.table(document, ("key", "value", "origin"), rows)


@app.command()
def validate(
    cloud: CloudOption = None, env: EnvOption = None, config: ConfigOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Check the configuration; every problem is listed at once."""
    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        file = context.settings.file
        text = f"{file} is valid" if file else "there is no platform.yaml; the defaults hold"
        document = {"type": "ConfigValid", "file": str(file) if file else None, "target": str(context.target)}
        context.screen.show(document, [f"{text} (target {context.target})"])


@app.command()
def schema() -> None:
    """Print the JSON Schema of platform.yaml, for editors."""
    from platform_cli.config_write import schema_text
    from platform_cli.render.screen import open_screen

    open_screen(Output.TEXT, verbose=False).show({}, [schema_text().rstrip()])
