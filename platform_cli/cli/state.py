"""`mlops state`: where Terraform's state lies, who locks it, and how it is kept and mended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from platform_cli.errors import StateError, UsageError
from platform_cli.render.screen import Output

if TYPE_CHECKING:
    from platform_cli.cli.option import Context
    from platform_cli.clouds.terraform.backend import StateBackend, StateStore, Version
    from platform_cli.clouds.terraform.state import Record
    from platform_cli.clouds.terraform.state_place import StatePlace

app = typer.Typer(help="Show, move, unlock and mend Terraform's state.", no_args_is_help=True, rich_markup_mode=None)

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it is kept beside the state.")]
ForceUnlockOption = Annotated[bool, typer.Option("--force", help="Also from a holder of whom nothing is known.")]
ForceRestoreOption = Annotated[bool, typer.Option("--force", help="Also when it is older than the state.")]


@app.command()
def bootstrap(
    store: Annotated[
        str, typer.Option("--store", help="Bucket or storage account; without it the name is made from the account.")
    ] = "",
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
    yes: YesOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Keep the state in the cloud: make its store and move it there.

    The store is encrypted, versioned, private and reachable over TLS only. Again and again is fine: what is missing
    is mended, what was cut off goes on.
    """
    with load_context(cloud=cloud, env=env, config=config, output=output, verbose=verbose) as context:
        place = _open_place(context)
        with _alone(context, "mlops state bootstrap"):
            done = place.bootstrap(store, confirm=_ask(yes=yes), emit=context.screen.emit)
        moved = len(done.migrated.resources) if done.migrated else 0
        document = {
            "type": "StateBootstrapped",
            "target": str(context.target),
            "place": done.place,
            "changes": list(done.changes),
            "resources_moved": moved,
            "backup": str(done.backup) if done.backup else None,
            "config": done.hint,
        }
        lines = [
            f"the state of {context.target} lies in {done.place}" + (f"; {moved} resources moved" if moved else ""),
            *([f"the state that was on this machine is kept as {done.backup}"] if done.backup else []),
            f"so that other machines find it, put into platform.yaml:  {done.hint}",
        ]
        context.screen.show(document, lines)


@app.command("remove-store")
def remove_store(
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
    yes: YesOption = False,
) -> None:
    """Remove the store of states, when no state in it holds a resource."""
    from platform_cli.cli.question import confirm_by_name

    def ask(found: StateStore) -> None:
        confirm_by_name(found.place, yes=yes, purpose="remove it with all versions in it")

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        place = _open_place(context)
        with _alone(context, "mlops state remove-store"):
            removed = place.remove_store(confirm=ask)
        context.screen.show({"type": "StateStoreRemoved", "place": removed}, [f"{removed} is gone"])


@app.command()
def show(
    cloud: CloudOption = None, env: EnvOption = None, config: ConfigOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Show where the state lies, what it holds and who stepped in."""
    from platform_cli.clouds.terraform.state_log import read_interventions
    from platform_cli.render import state as render

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        state = _open_place(context).target
        record, holding = state.read(), state.find_holding()
        steps = read_interventions(state.backend)
        document = {
            "type": "State",
            "target": str(context.target),
            **render.record_document(state.backend, record),
            "lock": render.holding_document(holding),
            "interventions": [asdict(step) for step in steps],
        }
        lines = [*render.record_lines(state.backend, record), *render.holding_lines(holding)]
        context.screen.show(document, [*lines, *render.intervention_lines(steps)])


@app.command()
def lock(
    cloud: CloudOption = None, env: EnvOption = None, config: ConfigOption = None, output: OutputOption = Output.TEXT
) -> None:
    """Tell who holds the state's lock, and whether that command still works."""
    from platform_cli.render.state import holding_document, holding_lines

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        holding = _open_place(context).target.find_holding()
        document = {"type": "StateLock", "target": str(context.target), **holding_document(holding)}
        context.screen.show(document, holding_lines(holding))


@app.command()
def unlock(
    reason: ReasonOption = "",
    force: ForceUnlockOption = False,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
    yes: YesOption = False,
) -> None:
    """Take the lock from a command that is gone; one that works keeps it.

    The state is copied first. Who did it and why is kept beside the state.
    """
    from platform_cli.clouds.terraform.state_change import unlock as take
    from platform_cli.render.state import holding_document

    if not reason:
        raise UsageError("an unlock needs a reason", hint='--reason "the runner died"')
    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        state = _open_place(context).target
        ended = take(state, reason=reason, force=force, confirm=_ask(yes=yes, name=context.target.name))
        document = {"type": "StateUnlocked", "target": str(context.target), "was": holding_document(ended)}
        context.screen.show(document, [f"{context.target} {'is unlocked' if ended else 'was not locked'}"])


@app.command()
def history(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many versions.")] = 10,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """List the versions of the state, the newest first."""
    from platform_cli.render.state import VERSION_COLUMNS, version_document, version_row

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        backend = _open_place(context).target.backend
        found = [(version, _read_version(backend, version)) for version in backend.list_versions()[:limit]]
        document = {
            "type": "StateHistory",
            "target": str(context.target),
            "place": backend.place,
            "versions": [version_document(version, record) for version, record in found],
        }
        context.screen.table(document, VERSION_COLUMNS, [version_row(version, record) for version, record in found])


@app.command()
def backup(
    file: Annotated[Path | None, typer.Argument(help="The file to write.", show_default=False)] = None,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Copy the state into a file that only you can read: it holds secrets."""
    from platform_cli.clouds.terraform.state_change import backup as copy

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        written = copy(_open_place(context).target, file)
        document = {"type": "StateBackup", "target": str(context.target), "file": str(written)}
        context.screen.show(document, [f"the state of {context.target} is copied to {written}"])


@app.command()
def restore(
    source: Annotated[str, typer.Argument(metavar="FILE|VERSION", help="A copy, or a version that history lists.")],
    reason: ReasonOption = "",
    force: ForceRestoreOption = False,
    cloud: CloudOption = None,
    env: EnvOption = None,
    config: ConfigOption = None,
    output: OutputOption = Output.TEXT,
    yes: YesOption = False,
) -> None:
    """Bring an older state back; the present one is copied first.

    A state of another deployment is refused; one that is older needs --force.
    """
    from platform_cli.clouds.terraform.state_change import restore as bring_back

    with load_context(cloud=cloud, env=env, config=config, output=output) as context:
        state = _open_place(context).target
        with _alone(context, "mlops state restore"):
            ask = _ask(yes=yes, name=context.target.name)
            record = bring_back(state, source, reason=reason, force=force, confirm=ask)
        document = {"type": "StateRestored", "target": str(context.target), "serial": record.serial}
        text = f"the state of {context.target} is {source} again, serial {record.serial}"
        context.screen.show({**document, "resources": len(record.resources)}, [text, "next: mlops plan"])


def _open_place(context: Context) -> StatePlace:
    from platform_cli.clouds.interface import KeepsState

    cloud = context.cloud
    if not isinstance(cloud, KeepsState):
        raise UsageError(f"{context.target} has no Terraform state", hint="--cloud aws, azure, gcp or local")
    return cloud.state


def _alone(context: Context, command: str) -> AbstractContextManager[None]:
    from platform_cli.lock import hold_lock

    return hold_lock(context.home.lock, target=str(context.target), command=command)


def _ask(*, yes: bool, name: str = "") -> Callable[[str], None]:
    """Asks for a yes, or for the name to be typed where one is given."""
    from platform_cli.cli.question import confirm, confirm_by_name

    def ask(text: str) -> None:
        if name:
            confirm_by_name(name, yes=yes, purpose=text)
        else:
            confirm(f"{text[:1].upper()}{text[1:]}?", yes=yes)

    return ask


def _read_version(backend: StateBackend, version: Version) -> Record | None:
    """What a version holds; None for one that cannot be read."""
    from platform_cli.clouds.terraform.state_change import open_record

    try:
        return open_record(backend, "" if version.current else version.id)
    except StateError:
        return None
