"""`mlops kube`: tokens and kubeconfigs for the target's cluster."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from platform_cli.cli.option import CloudOption, ConfigOption, EnvOption, OutputOption, load_context
from platform_cli.errors import UsageError
from platform_cli.render.screen import Output

if TYPE_CHECKING:
    from platform_cli.cli.option import Context
    from platform_cli.cluster.credential import Wish
    from platform_cli.target import CloudName

app = typer.Typer(help="Tokens and kubeconfigs for the target's cluster.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def token(
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    cluster: Annotated[
        str, typer.Option("--cluster", help="Name of the cluster, instead of the deployed target's.")
    ] = "",
    region: Annotated[str, typer.Option("--region", help="Region of that cluster.")] = "",
    profile: Annotated[str, typer.Option("--profile", help="Profile of ~/.aws that credentials come from.")] = "",
) -> None:
    """Print a token for the cluster, as kubectl asks for it.

    Takes the credentials that the cloud's own SDK finds; aws, az and gcloud need not be installed.
    """
    from platform_cli.cluster.credential import Wish, is_complete, make_token, to_exec_credential

    wish = Wish(cluster, region, profile)
    if cloud is None or not is_complete(cloud, wish):
        with load_context(cloud=cloud, env=env, config=config) as context:
            cloud = context.target.cloud
            wish = _complete(context, cloud, wish)
    typer.echo(json.dumps(to_exec_credential(make_token(cloud, wish))))


@app.command("config")
def write_config(
    merge: Annotated[
        bool, typer.Option("--merge", help="Add it to the file that kubectl uses: KUBECONFIG, else ~/.kube/config.")
    ] = False,
    file: Annotated[Path | None, typer.Option("--file", help="Add it to this file, made when there is none.")] = None,
    name: Annotated[
        str | None, typer.Option("--context", help="Name of the context, instead of PROJECT-CLOUD-ENV.")
    ] = None,
    uses: Annotated[bool, typer.Option("--use", help="Make it the current context.")] = False,
    forces: Annotated[
        bool, typer.Option("--force", help="Replace a context of that name that is not the target's.")
    ] = False,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write the way to the cluster into a kubeconfig.

    Everything else in the file stays, and a copy of it as it was lies beside it. Tokens for a cloud's cluster are made
    when they are needed: the file holds none.
    """
    from platform_cli.clouds.access import open_access
    from platform_cli.cluster.kubeconfig import add_access, default_file

    if merge == (file is not None):
        raise UsageError("say where the kubeconfig goes", hint="--merge, or --file FILE")
    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        access = open_access(context.config, context.layout)
        done = add_access(
            file or default_file(os.environ),
            access,
            name or f"{context.config.name}-{context.target.name}",
            target=str(context.target),
            uses=uses,
            forces=forces,
        )
        document = {
            "type": "Kubeconfig",
            "file": str(done.file),
            "context": done.context,
            "changed": done.changed,
            "backup": str(done.backup) if done.backup else None,
            "current": done.current,
        }
        lines = [f"{done.file}: context {done.context} {'written' if done.changed else 'is up to date'}"]
        lines += [f"as it was: {done.backup}"] if done.backup else []
        hint = "" if done.current == done.context else f" --context {done.context}"
        context.screen.show(document, [*lines, f"next: kubectl{hint} get nodes"])


def _complete(context: Context, cloud: CloudName, wish: Wish) -> Wish:
    """What was not said, from what the target's infrastructure handed on and the configuration."""
    from dataclasses import replace

    from platform_cli.clouds.access import read_outputs
    from platform_cli.cluster.credential import is_complete

    if is_complete(cloud, wish):
        return wish
    outputs = read_outputs(context.config, context.layout)
    profile = wish.profile or context.config.aws.credentials_profile or ""
    return replace(wish, cluster=outputs.cluster_name, region=wish.region or outputs.region, profile=profile)
