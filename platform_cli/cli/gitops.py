"""`mlops gitops`: the tree that Argo CD reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from platform_cli.cli.charts import list_target
from platform_cli.cli.option import CloudOption, ConfigOption, EnvOption, OutputOption, load_context
from platform_cli.render.line import count_of
from platform_cli.render.screen import Output

app = typer.Typer(help="The tree that Argo CD installs from.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _root() -> None:
    """The tree that Argo CD installs from."""


@app.command()
def render(
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where to write, instead of gitops.path beside platform.yaml.")
    ] = None,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Write one root application, one application per component, and their values.

    The same configuration and infrastructure give the same bytes: what Git shows as changed is changed.
    """
    from platform_cli.cluster.gitops import render_tree, write_tree

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        target = list_target(context)
        place = folder or context.layout.project / context.config.gitops.path
        tree = render_tree(target.components, context.config, target.outputs)
        changed = write_tree(tree, place)
        document = {"type": "GitOpsTree", "folder": str(place), "files": sorted(tree), "changed": list(changed)}
        summary = f"{count_of(len(tree), 'file')} in {place}, {len(changed)} changed"
        push = "next: commit and push it; mlops deploy leads Argo CD there"
        context.screen.show(document, [*changed, summary, *([push] if changed else [])])
