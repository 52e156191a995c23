"""The commands for the platform as a whole."""

from __future__ import annotations

import sys
from pathlib import Path
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
from platform_cli.errors import LeftoversError, PreflightError, RefusedError, UsageError
from platform_cli.events import Notice
from platform_cli.render.screen import Output

if TYPE_CHECKING:
    from platform_cli.plan import Plan

app = typer.Typer(rich_markup_mode=None)

NOT_OK = 8
CHANGES = 2


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
def doctor(
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
    offline: Annotated[bool, typer.Option("--offline", help="Leave out what asks the cloud.")] = False,
) -> None:
    """Check that this machine is fit for the target.

    Exits with 4 when a check fails.
    """
    from platform_cli.doctor import run_checks, to_document
    from platform_cli.render.plan import doctor_lines

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        results = run_checks(context.cloud.list_checks(offline=offline))
        context.screen.show(to_document(str(context.target), results), doctor_lines(results))
        failed = [result.name for result in results if result.failed]
        if failed:
            raise PreflightError(f"not fit for {context.target}: {', '.join(failed)}", hint="do what each `fix` says")


@app.command()
def plan(
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
    destroying: Annotated[bool, typer.Option("--destroy", help="Show what destroy would do.")] = False,
    detailed_exitcode: Annotated[
        bool,
        typer.Option("--detailed-exitcode", help="Exit with 2 when there is something to change, as Terraform does."),
    ] = False,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the plan into this file, for `mlops deploy FILE`.")
    ] = None,
    verbose: VerboseOption = False,
) -> int:
    """Show what deploy would do."""
    from platform_cli.change import plan_deploy, plan_destroy
    from platform_cli.render.plan import plan_lines
    from platform_cli.saved import write_saved

    if save is not None and destroying:
        raise UsageError("--save is for deploys: a destroy is planned when it runs", hint="leave one of them out")
    with load_context(cloud=cloud, env=env, config=config, output=output, verbose=verbose) as context:
        made = (
            plan_destroy(context.cloud, context.target, keep_data=False, emit=context.screen.emit)
            if destroying
            else plan_deploy(context.cloud, context.target, emit=context.screen.emit)
        )
        context.screen.show(made.to_document(), plan_lines(made))
        if save is not None:
            write_saved(save, made)
            context.screen.emit(Notice(level="info", text=f"saved; carry it out with: mlops deploy {save}"))
    return CHANGES if detailed_exitcode and made.changes else 0


@app.command()
def deploy(
    file: Annotated[
        Path | None, typer.Argument(help="A plan that `mlops plan --save` wrote: do exactly that.", show_default=False)
    ] = None,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
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

    with (
        load_context(cloud=cloud, env=env, config=config, output=output, verbose=verbose) as context,
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
def status(
    cloud: CloudOption = None, env: EnvOption = None, config: ConfigOption = None, output: OutputOption = Output.TEXT
) -> int:
    """Tell the truth about each layer of the platform.

    Exits with 0 when every layer is ok, with 8 when one is not or nothing is deployed.
    """
    from platform_cli.render.plan import status_lines
    from platform_cli.status import Health, judge, to_document

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        layers = context.cloud.inspect()
        context.screen.show(to_document(str(context.target), layers), status_lines(str(context.target), layers))
    return 0 if layers and judge(layers) is Health.OK else NOT_OK


@app.command()
def destroy(
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
    yes: YesOption = False,
    keep_data: Annotated[
        bool, typer.Option("--keep-data", help="Keep experiments, models and artifacts; a later deploy adopts them.")
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Remove the platform and prove that nothing is left.

    Exits with 10 when something is left; the report lists it.
    """
    from dataclasses import asdict

    from platform_cli.change import destroy as run_destroy
    from platform_cli.render.plan import proof_lines

    with load_context(cloud=cloud, env=env, config=config, output=output, verbose=verbose) as context:
        proof = run_destroy(
            context.cloud,
            context.target,
            context.home,
            keep_data=keep_data,
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
    from platform_cli.render.plan import plan_lines

    if made.changes:
        context.screen.show(made.to_document(), plan_lines(made))
        confirm(f"Deploy {len(made.changes)} changes to {made.target}?", yes=yes)


def _confirm_destroy(context: Context, made: Plan, *, yes: bool) -> None:
    from platform_cli.cli.question import confirm_by_name
    from platform_cli.render.plan import plan_lines

    if made.changes:
        context.screen.show(made.to_document(), plan_lines(made))
        confirm_by_name(context.target.name, yes=yes)
