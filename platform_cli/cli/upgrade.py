"""The commands that move components to newer versions, and put back what was before."""

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


@app.command()
def restore(
    backup: Annotated[str, typer.Argument(help="Name below backups, such as 2026-11-21T19-43-53Z, or its path.")],
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
    yes: YesOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Put a backup of an upgrade back.

    Custom resources are applied again, and MLflow gets its SQLite file and the server that the file fits.
    """
    from platform_cli.cli.question import confirm
    from platform_cli.restore import restore as run_restore

    with load_context(cloud=cloud, env=env, config=config, output=output, verbose=verbose) as context:
        question = f"Put {backup} back on {context.target}? What MLflow got since then is lost."
        run_restore(
            context.cloud,
            context.target,
            context.home,
            backup,
            confirm=lambda _: confirm(question, yes=yes),
            emit=context.screen.emit,
        )


def _confirm(context: Context, made: Plan, *, yes: bool) -> None:
    from platform_cli.cli.question import confirm

    if context.show_changes(made):
        confirm(f"Upgrade {made.target} with {len(made.changes)} changes?", yes=yes)
