"""The `mlops` command itself: finds the noun that is asked for, imports it alone, and turns errors into exit codes."""

from __future__ import annotations

import importlib
import itertools
import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from platform_cli.errors import InterruptedByUser, MlopsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a command lives. `verb` is None for a noun, whose module holds a group of its own."""

    module: str
    summary: str
    verb: str | None = None


_PLATFORM = "platform_cli.cli.platform"
_REPORT = "platform_cli.cli.report"
# Summaries stand here so that `mlops --help` imports no command; a test holds them against the commands' own.
COMMANDS: dict[str, _Entry] = {
    "init": _Entry(_PLATFORM, "Write a commented platform.yaml.", "init"),
    "doctor": _Entry(_REPORT, "Check that this machine is fit for the target.", "doctor"),
    "plan": _Entry(_REPORT, "Show what deploy would do.", "plan"),
    "deploy": _Entry(_PLATFORM, "Create or update the platform.", "deploy"),
    "status": _Entry(_REPORT, "Tell the truth about each layer of the platform.", "status"),
    "upgrade": _Entry("platform_cli.cli.upgrade", "Move components to the versions of this mlops.", "upgrade"),
    "restore": _Entry("platform_cli.cli.upgrade", "Put a backup of an upgrade back.", "restore"),
    "destroy": _Entry(_PLATFORM, "Remove the platform and prove that nothing is left.", "destroy"),
    "port-forward": _Entry("platform_cli.cli.forward", "Bring dashboards and models to this machine.", "port-forward"),
    "pipeline": _Entry("platform_cli.cli.pipeline", "Lint, submit and follow workflow runs."),
    "model": _Entry("platform_cli.cli.model", "List, deploy and undeploy registered models."),
    "predict": _Entry("platform_cli.cli.model", "Ask a deployed model.", "predict"),
    "state": _Entry("platform_cli.cli.state", "Show, move, unlock and mend Terraform's state."),
    "charts": _Entry("platform_cli.cli.charts", "The target's Helm charts, and bundles of them."),
    "gitops": _Entry("platform_cli.cli.gitops", "The tree that Argo CD installs from."),
    "kube": _Entry("platform_cli.cli.kube", "Tokens and kubeconfigs for the target's cluster."),
    "config": _Entry("platform_cli.cli.config", "Show, check and describe the configuration."),
    "version": _Entry("platform_cli.cli.version", "Print the version and what it runs on.", "version"),
}


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they run or are asked for help, not before."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is Typer's
        """Every command, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the signature is Typer's
        """The real command, imported now; None when there is no such."""
        entry = COMMANDS.get(cmd_name)
        return None if entry is None else _load(cmd_name, entry)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature is Typer's
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, or say which one may have been meant."""
        if args[0] not in COMMANDS:
            raise _unknown("command", args[0], COMMANDS, "mlops --help")
        return super().resolve_command(ctx, args)


def _load(name: str, entry: _Entry) -> Any:
    group = typer.main.get_group(importlib.import_module(entry.module).app)
    if entry.verb is not None:
        return group.commands[entry.verb]
    group.name = name
    for other in COMMANDS.values():
        if other.module == entry.module and other.verb is not None:
            del group.commands[other.verb]
    return group


def _unknown(kind: str, word: str, known: Sequence[str] | dict[str, _Entry], help_command: str) -> UsageError:
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1)
    meant = f"did you mean `{near[0]}`?" if near else f"see `{help_command}`"
    return UsageError(f"there is no {kind} `{word}`", hint=meant)


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="First steps: mlops init, mlops deploy, mlops pipeline submit --wait.",
)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        from platform_cli.cli.version import version

        version()
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """One command from nothing to a running ML platform, and from data to a served model."""


def main() -> None:
    """Run the command line of this process and exit with its code."""
    sys.exit(run(sys.argv[1:] or ["--help"]))


def run(argv: Sequence[str]) -> int:
    """Run one command line; the only place where our errors are caught.

    Returns:
        The exit code: 0, or the code of the error's class.
    """
    as_json = _wants_json(argv)
    try:
        result = typer.main.get_command(app).main(args=list(argv), prog_name="mlops", standalone_mode=False)
    except MlopsError as error:
        return report(error, as_json=as_json)
    except TyperException as error:
        return report(_usage_error(error), as_json=as_json)
    except typer.Abort:
        result = InterruptedByUser.exit_code
    # Typer makes a mere exit code of a Ctrl-C that nobody else made an error of.
    if result == InterruptedByUser.exit_code:
        return report(InterruptedByUser("interrupted"), as_json=as_json)
    return result if isinstance(result, int) else 0


def _wants_json(argv: Sequence[str]) -> bool:
    """Told from the words alone: the error to be reported may be that they could not be parsed."""
    pairs = itertools.pairwise(argv)
    return any(word in ("--output=json", "-ojson") for word in argv) or any(
        option in ("--output", "-o") and value == "json" for option, value in pairs
    )


def _usage_error(error: TyperException) -> UsageError:
    """Typer's own complaint in our words: what, where, and the nearest word that exists."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "mlops"
    message = error.format_message().replace("Value error, ", "")
    return UsageError(message, hint=_nearest_choice(error.message) or f"see `{command} --help`")


def _nearest_choice(complaint: str) -> str:
    """From Typer's words, since its exception does not hold the choices: `'embeded' is not one of 'embedded', …`."""
    if " is not one of " not in complaint:
        return ""
    import difflib

    word, *choices = re.findall(r"'([^']*)'", complaint)
    near = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean `{near[0]}`?" if near else ""


def report(error: MlopsError, *, as_json: bool) -> int:
    """Write an error to standard error (as one JSON line when asked) and return its exit code."""
    if as_json:
        import json

        fields = {"message": error.message, "hint": error.hint, "details": list(error.details)}
        line = {"schema_version": 1, "type": type(error).__name__, "exit_code": error.exit_code, **fields}
        typer.echo(json.dumps(line, ensure_ascii=False), err=True)
        return error.exit_code
    label = "error: " if os.environ.get("NO_COLOR") else typer.style("error: ", fg="red", bold=True)
    typer.echo(label + error.message, err=True)
    for detail in error.details:
        typer.echo(f"  {detail}", err=True)
    if error.hint:
        typer.echo(f"  next: {error.hint}", err=True)
    return error.exit_code
