"""The commands that change the platform as a whole."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from platform_cli.cli.option import (
    CloudOption,
    ConfigOption,
    Context,
    CredentialsOption,
    EnvOption,
    OutputOption,
    ProfileOption,
    ProjectOption,
    RegionOption,
    SubscriptionOption,
    VerboseOption,
    YesOption,
    load_context,
    name_choices,
)
from platform_cli.errors import LeftoversError, RefusedError
from platform_cli.render.screen import Output

if TYPE_CHECKING:
    from platform_cli.plan import Plan

app = typer.Typer(rich_markup_mode=None)


@app.command()
def init(
    name: Annotated[str | None, typer.Option("--name", help="Name of the project.")] = None,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: Annotated[Path, typer.Option("--config", help="The file to write.")] = Path("platform.yaml"),
    output: OutputOption = Output.TEXT,
    yes: YesOption = False,
) -> None:
    """Write a commented platform.yaml."""
    from platform_cli.cli.question import ask_choice, ask_name
    from platform_cli.config_write import write_config
    from platform_cli.render.screen import open_screen
    from platform_cli.target import CloudName, Env, Target

    asks = sys.stdin.isatty() and not yes
    if config.exists():
        raise RefusedError(f"{config} is there already", hint="edit it, or remove it first")
    target = Target(
        cloud or ask_choice("Where does the platform run", CloudName.EMBEDDED, asks=asks),
        env or ask_choice("Which environment", Env.DEV, asks=asks),
    )
    write_config(config, name=name or ask_name(asks=asks), target=target)
    document = {"type": "Initialised", "file": str(config), "target": str(target)}
    open_screen(output, verbose=False).show(document, [f"wrote {config} for {target}", "next: mlops deploy"])


@app.command()
def deploy(
    file: Annotated[
        Path | None, typer.Argument(help="A plan that `mlops plan --save` wrote: do exactly that.", show_default=False)
    ] = None,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    profile: ProfileOption = None,
    credentials_profile: CredentialsOption = None,
    subscription: SubscriptionOption = None,
    project: ProjectOption = None,
    region: RegionOption = None,
    output: OutputOption = Output.TEXT,
    yes: YesOption = False,
    allow_replace: Annotated[
        bool, typer.Option("--allow-replace", help="Let resources that hold data be replaced or destroyed.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Create or update the platform.

    Shows the plan and asks. A command that was cut off goes on where it stopped; on a platform that is up to date
    nothing is changed.
    """
    import contextlib

    from platform_cli.change import deploy as run_deploy
    from platform_cli.saved import open_saved

    choices = name_choices(profile, credentials_profile, subscription, project, region)
    with (
        load_context(cloud=cloud, env=env, config=config, output=output, verbose=verbose, choices=choices) as context,
        open_saved(file) if file else contextlib.nullcontext() as saved,
    ):
        run_deploy(
            context.cloud,
            context.target,
            context.home,
            confirm=lambda made: _confirm_deploy(context, made, yes=yes),
            emit=context.screen.emit,
            allow_replace=allow_replace,
            saved=saved,
        )


@app.command()
def destroy(
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    profile: ProfileOption = None,
    credentials_profile: CredentialsOption = None,
    subscription: SubscriptionOption = None,
    project: ProjectOption = None,
    region: RegionOption = None,
    output: OutputOption = Output.TEXT,
    yes: YesOption = False,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Keep experiments, models and artifacts; a later deploy adopts them.")
    ] = False,
    delete_crds: Annotated[
        bool, typer.Option("--delete-crds", help="Remove definitions of custom resources too, and all such resources.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Remove the platform and prove that nothing is left.

    Exits with 10 when something is left; the report lists it.
    """
    from dataclasses import asdict

    from platform_cli.change import destroy as run_destroy
    from platform_cli.render.plan import proof_lines

    choices = name_choices(profile, credentials_profile, subscription, project, region)
    with load_context(cloud=cloud, env=env, config=config, output=output, verbose=verbose, choices=choices) as context:
        proof = run_destroy(
            context.cloud,
            context.target,
            context.home,
            keep_data=keep_data,
            delete_crds=delete_crds,
            confirm=lambda made: _confirm_destroy(context, made, yes=yes),
            emit=context.screen.emit,
        )
        context.screen.show({"type": "Proof", "target": str(context.target), **asdict(proof)}, proof_lines(proof))
        if proof.leftovers:
            raise LeftoversError(
                f"{context.target}: {len(proof.leftovers)} left after destroy",
                hint="end or remove them, then run mlops destroy again",
                details=proof.leftovers,
            )


def _confirm_deploy(context: Context, made: Plan, *, yes: bool) -> None:
    from platform_cli.cli.question import confirm

    if context.show_changes(made):
        confirm(f"Deploy {len(made.changes)} changes to {made.target}?", yes=yes)


def _confirm_destroy(context: Context, made: Plan, *, yes: bool) -> None:
    from platform_cli.cli.question import confirm_by_name

    if context.show_changes(made):
        confirm_by_name(context.target.name, yes=yes)
