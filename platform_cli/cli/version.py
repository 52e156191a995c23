"""`mlops version`."""

from __future__ import annotations

import typer

app = typer.Typer(rich_markup_mode=None)


@app.callback()
def _group() -> None:
    """A group, so that the command keeps its name."""


@app.command()
def version() -> None:
    """Print the version and what it runs on."""
    import platform
    from importlib.metadata import version as installed

    typer.echo(
        f"mlops {installed('mlops')}, Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    )
