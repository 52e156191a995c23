"""The command that brings dashboards and models to this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from platform_cli.cli.option import (
    CloudOption,
    ConfigOption,
    Context,
    EnvOption,
    OutputOption,
    VerboseOption,
    load_context,
)
from platform_cli.cluster.forward_service import ALL
from platform_cli.errors import UsageError
from platform_cli.events import Event, Forwarded
from platform_cli.render.screen import Output

if TYPE_CHECKING:
    from platform_cli.events import Emit

app = typer.Typer(rich_markup_mode=None)


@app.callback()
def _root() -> None:
    """A group, so that Typer keeps the command's name."""


@app.command("port-forward")
def port_forward(
    services: Annotated[
        list[str] | None,
        typer.Argument(help="mlflow, argocd, grafana, argo-wf, prometheus, model/NAME, or all (the default)."),
    ] = None,
    port: Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port on this machine.")] = None,
    opens: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    shows_credentials: Annotated[
        bool, typer.Option("--show-credentials", help="Tell passwords, not only where they are.")
    ] = False,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
    verbose: VerboseOption = False,
) -> None:
    """Bring dashboards and models to this machine.

    Runs until Ctrl-C, and reconnects when pods restart or the network drops. Takes the next free port when the wanted
    one is taken.
    """
    wanted = services or [ALL]
    if port is not None and (len(set(wanted)) > 1 or ALL in wanted):
        raise UsageError("--port is for one service", hint="name that one, or leave --port out")
    with load_context(cloud=cloud, env=env, config=config, output=output, verbose=verbose) as context:
        emit = _launching(context) if opens else context.screen.emit
        context.cloud.forward(wanted, port=port, shows_credentials=shows_credentials, emit=emit)


def _launching(context: Context) -> Emit:
    """Opens the browser when a service answers for the first time."""
    launched: set[str] = set()

    def emit(event: Event) -> None:
        context.screen.emit(event)
        if isinstance(event, Forwarded) and event.state == "open" and event.service not in launched:
            launched.add(event.service)
            typer.launch(event.url)

    return emit
