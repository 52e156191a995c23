"""The command that moves components to newer versions."""

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
    YesOption,
    load_context,
)
from platform_cli.render.screen import Output

if TYPE_CHECKING:
    from platform_cli.plan import Plan

app = typer.Typer(rich_markup_mode=None)


@app.command()
def upgrade(
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
    yes: YesOption = False,
    allow_replace: Annotated[
        bool, typer.Option("--allow-replace", help="Let resources that hold data be replaced or destroyed.")
    ] = False,
    no_artifacts: Annotated[
        bool, typer.Option("--no-artifacts", help="Leave MLflow's artifacts on the cluster out of the backup.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Move components to the versions of this mlops.

    Takes a backup first and checks health after each component; one that does not come up goes back.
    """
    from platform_cli.upgrade import upgrade as run_upgrade

    with load_context(cloud=cloud, env=env, config=config, output=output, verbose=verbose) as context:
        run_upgrade(
            context.cloud,
            context.target,
            context.home,
            confirm=lambda made: _confirm(context, made, yes=yes),
            emit=context.screen.emit,
            allow_replace=allow_replace,
            artifacts=not no_artifacts,
        )


def _confirm(context: Context, made: Plan, *, yes: bool) -> None:
    from platform_cli.cli.question import confirm

    if context.show_changes(made):
        confirm(f"Upgrade {made.target} with {len(made.changes)} changes?", yes=yes)
