"""`mlops version`."""

from __future__ import annotations

import typer

from platform_cli.cli.option import OutputOption
from platform_cli.render.screen import Output

app = typer.Typer(rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """A group, so that the command keeps its name."""


@app.command()
def version(output: OutputOption = Output.TEXT) -> None:
    """Print the version and what it runs on."""
    import platform
    from importlib.metadata import version as installed

    from platform_cli.render.screen import open_screen

    facts = {"mlops": installed("mlops"), "python": platform.python_version()}
    machine = f"{platform.system()} {platform.machine()}"
    text = f"mlops {facts['mlops']}, Python {facts['python']} on {machine}"
    open_screen(output, verbose=False).show({"type": "Version", **facts, "machine": machine}, [text])
