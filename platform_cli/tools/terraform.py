"""Terraform in one folder: init, plan into a file, apply of that very file; its lines as events, its errors as ours."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from platform_cli.doctor import nearest_folder
from platform_cli.errors import PreflightError, StateError, ToolError
from platform_cli.events import Emit
from platform_cli.process import read_output
from platform_cli.runner import Command, Runner
from platform_cli.tools.terraform_cache import filling, share_providers
from platform_cli.tools.terraform_executable import Executable
from platform_cli.tools.terraform_line import LineReader

_PRIVATE = 0o600
_ERRORS = 5
# They change what a command line means, or where its files are.
_FOREIGN = ("TF_CLI_ARGS", "TF_DATA_DIR", "TF_WORKSPACE", "TF_INPUT", "TF_REATTACH_PROVIDERS")
LOCKED = "another Terraform holds the lock of the state"
_LOCKED = "Error acquiring the state lock"
_STALE = "Saved plan is stale"
# As AWS, Azure and Google word it.
_EXPIRED = re.compile(r"ExpiredToken|token (?:has|is) expired|AADSTS70008|AADSTS700082|invalid_grant")
_RENEW = "your credentials expired: log in again, then run the same command; it goes on from there"
_EXISTS = re.compile(r"already ?exists?|ResourceExists|AlreadyOwnedByYou", re.IGNORECASE)
_ADOPT = (
    "it is in the cloud but not in Terraform's state: a run that was killed made it, or somebody else did; "
    "remove it there, or `terraform import` it in {}, then run the same command"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How Terraform is to run.

    Attributes:
        plugin_dirs: mirrors that providers are taken from, instead of the registry.
        parallelism: resources at a time; None means Terraform's own default.
        lock_timeout_s: how long to wait for another Terraform that holds the state's lock.
    """

    plugin_dirs: tuple[str, ...] = ()
    parallelism: int | None = None
    lock_timeout_s: int = 30


@dataclass(frozen=True)
class Terraform:
    """One root module's folder and the Terraform that works in it.

    Attributes:
        name: what people call the root, such as `aws/dev`.
        log: every line of every command is appended to it.
        environ: the environment; credentials come from it and from the providers' own chains.
    """

    name: str
    folder: Path
    executable: Executable
    runner: Runner
    environ: Mapping[str, str]
    log: Path
    options: Options = Options()

    def init(self, emit: Emit, *, backend_file: Path | None = None) -> None:
        """Fetch providers and modules, and open the state where the root now says it lies.

        `backend_file` has arguments that the backend's block leaves open.

        Raises:
            ToolError: it failed; `details` are Terraform's own words.
            StateError: another Terraform holds the state's lock.
        """
        with filling(self._environment, emit):
            self._run(
                "init",
                emit,
                input=False,
                no_color=True,
                plugin_dir=[str(Path(path).expanduser()) for path in self.options.plugin_dirs],
                backend_config=str(backend_file) if backend_file else None,
                reconfigure=True,
                lock_timeout=f"{self.options.lock_timeout_s}s",
            )

    def plan(
        self, file: Path, emit: Emit, *, destroy: bool = False, targets: Sequence[str] = (), refresh: bool = True
    ) -> LineReader:
        """Refresh (unless told not to), and write what is to be done into `file`, readable by us alone.

        With `targets` (addresses) only these are planned, and what they need or, in a destroy, what needs them.

        Raises:
            ToolError: it failed; `details` are Terraform's own words.
            StateError: another Terraform holds the state's lock.
        """
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=_PRIVATE)
        return self._run(
            "plan",
            emit,
            input=False,
            json=True,
            out=str(file),
            destroy=destroy or None,
            refresh=None if refresh else False,
            target=list(targets),
            lock_timeout=f"{self.options.lock_timeout_s}s",
            parallelism=self.options.parallelism,
        )

    def apply(self, file: Path, emit: Emit, *, total: int = 0) -> LineReader:
        """Do what a saved plan says, and nothing else; `total` resources change by it.

        Raises:
            ToolError: it failed; what was done is in the state.
            StateError: the plan is stale, or another Terraform holds the state's lock.
        """
        return self._run(
            "apply",
            emit,
            str(file),
            total=total,
            input=False,
            json=True,
            lock_timeout=f"{self.options.lock_timeout_s}s",
            parallelism=self.options.parallelism,
        )

    def find_drift(self, file: Path, emit: Emit) -> dict[str, Any]:
        """Refresh without planning anything: what is not as the state records it, as `resource_drift` of plain data.

        `file` is written on the way. It holds sensitive values in clear, as what is returned does.

        Raises:
            ToolError: it failed; `details` are Terraform's own words.
            StateError: another Terraform holds the state's lock.
        """
        file.touch(mode=_PRIVATE)
        self._run(
            "plan",
            emit,
            input=False,
            json=True,
            out=str(file),
            refresh_only=True,
            lock_timeout=f"{self.options.lock_timeout_s}s",
            parallelism=self.options.parallelism,
        )
        return self.show_plan(file)

    def show_plan(self, file: Path) -> dict[str, Any]:
        """A saved plan as plain data. It holds sensitive values in clear: it is never logged.

        Raises:
            ToolError: Terraform cannot read the file.
        """
        shown = self._read("show", str(file), json=True, no_color=True)
        if shown is None:
            raise ToolError(f"{self.name}: Terraform cannot read {file.name}", hint="make the plan again")
        return shown

    def version(self) -> str:
        """The version, such as `1.11.4`; empty when it does not say."""
        return str((self._read("version", json=True) or {}).get("terraform_version", ""))

    def _read(self, command: str, *arguments: str, **flags: Any) -> dict[str, Any] | None:
        argv = build_argv(self.executable, command, *arguments, **flags)
        output = read_output(argv, cwd=nearest_folder(self.folder), env=self._environment)
        return dict(json.loads(output)) if output else None

    def _run(self, command: str, emit: Emit, *arguments: str, total: int = 0, **flags: Any) -> LineReader:
        reader = LineReader(emit, total)
        argv = build_argv(self.executable, command, *arguments, **flags)
        try:
            self.runner.run(
                Command(
                    argv=argv,
                    cwd=self.folder,
                    env=self._environment,
                    title=f"terraform {command}",
                    outlives=True,
                ),
                emit=reader,
                log=self.log,
            )
        except ToolError as error:
            raise self._explain(error, command, reader.errors) from error
        return reader

    def _explain(self, error: ToolError, command: str, found: Sequence[str]) -> ToolError | StateError:
        """Our error with Terraform's own words in place of the raw lines."""
        details = tuple(found) or find_error_block(error.details)
        if any(_LOCKED in text for text in details):
            return StateError(
                f"{self.name}: {LOCKED}",
                hint="wait until it ends, then run the same command again",
                details=details,
            )
        if any(_STALE in text for text in found):
            return StateError(
                f"{self.name}: the plan is stale: the state was changed after it was made; nothing was changed",
                hint="make the plan again",
            )
        known = ((_EXPIRED, _RENEW), (_EXISTS, _ADOPT.format(self.folder)))
        hints = (hint for pattern, hint in known for text in details if pattern.search(text))
        more = (f"and {len(details) - _ERRORS} more in the log",) if len(details) > _ERRORS and found else ()
        shown = details[:_ERRORS] + more if found else details
        return ToolError(f"{self.name}: terraform {command} failed", hint=next(hints, error.hint), details=shown)

    @cached_property
    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in self.environ.items() if not name.startswith(_FOREIGN)}
        # A remote state is otherwise written every 20 s only: what was made since would be lost in a kill.
        fixed = {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "TF_STATE_PERSIST_INTERVAL": "1"}
        shared = {} if self.options.plugin_dirs else share_providers(kept)
        return {**kept, **fixed, **shared}


def build_argv(executable: Executable, command: str, *arguments: str, **flags: Any) -> tuple[str, ...]:
    """A command line: `True` for a bare flag, `None` for none, lists for repeated ones.

    Raises:
        PreflightError: the package that builds it is not installed.
    """
    try:
        from python_terraform import IsFlagged
        from python_terraform import Terraform as Builder
    except ImportError as error:
        raise PreflightError("python-terraform is not installed", hint="pip install 'mlops[terraform]'") from error

    program, *first = executable.argv
    given = {name: IsFlagged if value is True else value for name, value in flags.items()}
    built = Builder(terraform_bin_path=program).generate_cmd_string(command, *arguments, **given)
    return (program, *first, *built[1:])


def find_error_block(lines: Sequence[str]) -> tuple[str, ...]:
    """Terraform's boxed error among plain lines, without the box; all lines when there is none."""
    bare = [line.lstrip("│╷╵ ").rstrip() for line in lines]
    start = next((index for index, line in enumerate(bare) if line.startswith("Error:")), 0)
    return tuple(line for line in bare[start:] if line)
