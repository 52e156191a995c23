"""`mlops pipeline`: lint, submit and follow workflow runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from platform_cli.cli.option import (
    CloudOption,
    ConfigOption,
    EnvOption,
    OutputOption,
    VerboseOption,
    YesOption,
    load_context,
)
from platform_cli.errors import UsageError
from platform_cli.render.screen import Output

if TYPE_CHECKING:
    from platform_cli.cli.option import Context
    from platform_cli.workflow.interface import Engine

app = typer.Typer(rich_markup_mode=None, help="Lint, submit and follow workflow runs.")


def _require_name(name: str | None) -> str | None:
    """A name that is there but empty comes from a shell's variable that is not set."""
    if name is not None and not name.strip():
        raise UsageError("the name of the run is empty", hint="name one of: mlops pipeline list, or @latest")
    return name


WorkflowArgument = Annotated[
    str | None, typer.Argument(metavar="[FILE|TEMPLATE]", help="What to run; the training pipeline if not said.")
]
ParameterOption = Annotated[
    list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Set a parameter; repeatable.")
]
ParameterFileOption = Annotated[
    Path | None, typer.Option("--parameter-file", "-f", help="YAML file of parameters; -p wins over it.")
]
NameOption = Annotated[str | None, typer.Option(help="Name of the run; made from the workflow's if not said.")]
EntrypointOption = Annotated[str | None, typer.Option(help="Start with another template of the workflow.")]
ResumeOption = Annotated[
    str | None,
    typer.Option(
        metavar="RUN", help="Go on with a stopped or failed run; what succeeded stays.", callback=_require_name
    ),
]
WaitOption = Annotated[bool, typer.Option("--wait", "-w", help="Follow the run to its end; its outcome is ours.")]
StopOption = Annotated[
    bool, typer.Option("--stop", help="With --wait on a cluster: Ctrl-C stops the run instead of leaving it.")
]
ArtifactsOption = Annotated[
    Path | None, typer.Option("--artifacts", metavar="DIR", help="Copy what the steps gave into DIR/STEP/.")
]
NoCacheOption = Annotated[bool, typer.Option("--no-cache", help="Run every step, even those that did not change.")]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="Name of the run; @latest is the newest.", callback=_require_name)
]


@app.command()
def lint(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Workflow files to check together.")],
    output: OutputOption = Output.TEXT,
) -> None:
    """Check workflow files without running them; warnings do not fail."""
    from platform_cli.render.screen import open_screen
    from platform_cli.workflow.finding import refusal
    from platform_cli.workflow.lint import lint as find_problems
    from platform_cli.workflow.source import load_manifests

    findings = find_problems([manifest for file in files for manifest in load_manifests(file)])
    if any(finding.level == "error" for finding in findings):
        raise refusal(findings)
    document = {"type": "Lint", "files": [str(file) for file in files], "findings": [_fields(f) for f in findings]}
    open_screen(output, verbose=False).show(document, [*map(str, findings), f"✓ {', '.join(map(str, files))}"])


def _fields(finding: Any) -> dict[str, Any]:
    import dataclasses

    return dataclasses.asdict(finding)


@app.command()
def submit(
    workflow: WorkflowArgument = None,
    parameter: ParameterOption = None,
    parameter_file: ParameterFileOption = None,
    name: NameOption = None,
    entrypoint: EntrypointOption = None,
    resume: ResumeOption = None,
    wait: WaitOption = False,
    stop: StopOption = False,
    no_cache: NoCacheOption = False,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
    verbose: VerboseOption = False,
) -> None:
    """Run a workflow: a file, a template by name, or the training pipeline."""
    from platform_cli.cli.outcome import drive_run, leave_run

    if stop and not wait:
        raise UsageError("--stop says what Ctrl-C does to a run that we follow", hint="give --wait as well")
    with load_context(cloud=cloud, env=env, config=config, output=output, verbose=verbose) as context:
        engine = context.cloud.engine()
        if resume is not None:
            _refuse_both(workflow=workflow, parameter=parameter, name=name)
            run = _reopen(engine, resume)
        else:
            parameters = _Parameters(parameter or [], parameter_file)
            run = _submit_new(
                context, engine, workflow, parameters, name=name, entrypoint=entrypoint, reuse=not no_cache
            )
        drive_run(context, engine, run, stops=stop) if wait else leave_run(context, engine, run)


@dataclass(frozen=True, slots=True)
class _Parameters:
    """Parameters as they were given: `name=value` pairs, and a file."""

    pairs: list[str]
    file: Path | None


def _reopen(engine: Engine, run: str) -> str:
    name = str(engine.get(run)["metadata"]["name"])
    engine.resume(name)
    return name


def _refuse_both(*, workflow: str | None, parameter: list[str] | None, name: str | None) -> None:
    if workflow or parameter or name:
        raise UsageError(
            "--resume goes on with a run as it was submitted; it takes no workflow, parameter or name",
            hint="leave them out, or submit a new run without --resume",
        )


def _submit_new(
    context: Context,
    engine: Engine,
    workflow: str | None,
    given: _Parameters,
    *,
    name: str | None,
    entrypoint: str | None,
    reuse: bool,
) -> str:
    from platform_cli.workflow.catalog import find_manifest, parse_parameters
    from platform_cli.workflow.interface import Submission
    from platform_cli.workflow.preparation import prepare_parameters

    manifest = find_manifest(workflow, context.layout)
    parameters = prepare_parameters(manifest, parse_parameters(given.pairs, given.file), engine)
    return engine.submit(
        Submission(manifest=manifest, parameters=parameters, name=name, entrypoint=entrypoint, reuse=reuse)
    )


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(min=1, help="How many runs at most, newest first.")] = 20,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List runs, newest first."""
    from platform_cli.render.run import LIST_COLUMNS, list_row

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        rows = [list_row(workflow) for workflow in context.cloud.engine().list(limit=limit)]
        runs = [dict(zip(LIST_COLUMNS, row, strict=True)) for row in rows]
        context.screen.table({"type": "Runs", "runs": runs}, LIST_COLUMNS, rows)


@app.command()
def get(
    run: RunArgument = "@latest",
    wait: WaitOption = False,
    artifacts: ArtifactsOption = None,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
    verbose: VerboseOption = False,
) -> None:
    """Show one run: its steps, what they did, and how long they took; with --wait, as they do it.

    A step that was reused says why; with --verbose, so does one that was not.
    """
    from platform_cli.cli.outcome import require_success
    from platform_cli.render.run import tree_lines

    with load_context(cloud=cloud, env=env, config=config, output=output, verbose=verbose) as context:
        engine = context.cloud.engine()
        workflow = engine.watch(run, context.emit) if wait else engine.get(run)
        copied = engine.fetch_artifacts(workflow["metadata"]["name"], artifacts) if artifacts is not None else ()
        document = {"type": "Workflow", **workflow, **({"artifacts": list(map(str, copied))} if copied else {})}
        tree = [] if wait else tree_lines(workflow, verbose=verbose)
        context.screen.show(document, [*tree, *map(str, copied)])
        if wait:
            require_success(workflow)


@app.command()
def logs(
    run: RunArgument = "@latest",
    step: Annotated[str | None, typer.Argument(help="Only this step.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-F", help="Go on until the run ends.")] = False,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Print what the steps of a run wrote."""
    with load_context(cloud=cloud, env=env, config=config, output=output, verbose=True) as context:
        for line in context.cloud.engine().logs(run, step=step, follow=follow):
            context.screen.emit(line)


@app.command()
def stop(
    run: RunArgument,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Stop a run in order; `submit --resume` goes on with it."""
    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        engine = context.cloud.engine()
        engine.stop(run)
        name = engine.get(run)["metadata"]["name"]
        hint = f"next: mlops pipeline submit --resume {name} --wait"
        context.screen.show({"type": "Stopped", "run": name}, [f"stopped {name}", context.complete(hint)])


@app.command()
def delete(
    run: RunArgument,
    yes: YesOption = False,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Remove a run that has ended, with its logs; a cluster's bucket keeps the artifacts until its retention ends."""
    from platform_cli.cli.question import confirm

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        engine = context.cloud.engine()
        name = str(engine.get(run)["metadata"]["name"])
        what = "its pods (artifacts stay in the bucket)" if engine.is_remote else "its logs and artifacts"
        confirm(f"Remove run {name} with {what}?", yes=yes)
        engine.delete(name)
        context.screen.show({"type": "Deleted", "run": name}, [f"deleted {name}"])
