"""The commands that look and change nothing: doctor, plan, status."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
    load_context,
    name_choices,
)
from platform_cli.errors import PreflightError, UsageError
from platform_cli.events import Notice
from platform_cli.render.screen import Output

app = typer.Typer(rich_markup_mode=None)

NOT_OK = 8
CHANGES = 2


@app.command()
def doctor(
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    profile: ProfileOption = None,
    credentials_profile: CredentialsOption = None,
    subscription: SubscriptionOption = None,
    project: ProjectOption = None,
    region: RegionOption = None,
    output: OutputOption = Output.TEXT,
    offline: Annotated[bool, typer.Option("--offline", help="Leave out what asks the cloud.")] = False,
) -> None:
    """Check that this machine is fit for the target.

    Exits with 4 when a check fails.
    """
    from platform_cli.doctor import run_checks, to_document
    from platform_cli.render.plan import doctor_lines

    choices = name_choices(profile, credentials_profile, subscription, project, region)
    with load_context(cloud=cloud, env=env, config=config, output=output, choices=choices) as context:
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
    profile: ProfileOption = None,
    credentials_profile: CredentialsOption = None,
    subscription: SubscriptionOption = None,
    project: ProjectOption = None,
    region: RegionOption = None,
    output: OutputOption = Output.TEXT,
    destroying: Annotated[bool, typer.Option("--destroy", help="Show what destroy would do.")] = False,
    detailed_exitcode: Annotated[
        bool,
        typer.Option("--detailed-exitcode", help="Exit with 2 when there is something to change, as Terraform does."),
    ] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no cloud and run no Terraform: read files and recorded state.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="With --offline: one line for each target there is, with its monthly cost.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the plan into this file, for `mlops deploy FILE`.")
    ] = None,
    verbose: VerboseOption = False,
) -> int:
    """Show what deploy would do."""
    from platform_cli.change import plan_deploy, plan_destroy
    from platform_cli.clouds.catalog import limit_to_files
    from platform_cli.clouds.registry import open_cloud
    from platform_cli.render.plan import plan_lines
    from platform_cli.saved import write_saved

    if save is not None and (destroying or offline):
        what = "a destroy is planned when it runs" if destroying else "a plan made offline cannot be carried out"
        raise UsageError(f"--save is for deploys: {what}", hint="leave one of them out")
    if everything and (destroying or not offline):
        raise UsageError("--all goes with --offline and deploys only", hint="mlops plan --offline --all")
    choices = name_choices(profile, credentials_profile, subscription, project, region)
    with load_context(cloud=cloud, env=env, config=config, output=output, verbose=verbose, choices=choices) as context:
        if everything:
            return _plan_all(context)
        cloud_meant = open_cloud(limit_to_files(context.config), context.layout) if offline else context.cloud
        made = (
            plan_destroy(cloud_meant, context.target, keep_data=False, emit=context.screen.emit, offline=offline)
            if destroying
            else plan_deploy(cloud_meant, context.target, emit=context.screen.emit, offline=offline)
        )
        context.screen.show(made.to_document(), plan_lines(made))
        if save is not None:
            write_saved(save, made)
            context.screen.emit(Notice(level="info", text=f"saved; carry it out with: mlops deploy {save}"))
    return CHANGES if detailed_exitcode and made.changes else 0


@app.command()
def status(
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    profile: ProfileOption = None,
    credentials_profile: CredentialsOption = None,
    subscription: SubscriptionOption = None,
    project: ProjectOption = None,
    region: RegionOption = None,
    output: OutputOption = Output.TEXT,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask the cloud, and list what changed behind Terraform's back.")
    ] = False,
) -> int:
    """Tell the truth about each layer of the platform.

    Without --refresh it is told as the last command recorded it, where the platform is in a cloud.
    Exits with 0 when every layer is ok, with 8 when one is not or nothing is deployed.
    """
    from platform_cli.render.plan import status_lines
    from platform_cli.status import Health, judge, to_document

    choices = name_choices(profile, credentials_profile, subscription, project, region)
    with load_context(cloud=cloud, env=env, config=config, output=output, choices=choices) as context:
        layers = context.cloud.inspect(refresh=refresh)
        context.screen.show(to_document(str(context.target), layers), status_lines(str(context.target), layers))
    return 0 if layers and judge(layers) is Health.OK else NOT_OK


def _plan_all(context: Context) -> int:
    """Every target that can be told of offline: what it makes and what it costs a month."""
    from platform_cli.clouds.catalog import plan_targets
    from platform_cli.render.plan import target_rows

    plans = plan_targets(context.config, context.layout)
    document = {"type": "Plans", "plans": [made.to_document() for made in plans]}
    context.screen.table(document, ("target", "changes", "resources", "USD a month", "prices"), target_rows(plans))
    return 0
