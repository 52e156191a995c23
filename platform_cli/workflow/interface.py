"""What every engine can do: the local one here, the Argo controller on a cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from platform_cli.errors import InterruptedByUser
from platform_cli.events import Emit, LogLine

WorkflowObject = dict[str, Any]
"""A Workflow as the API shows it: apiVersion, kind, metadata, spec, status with nodes by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a person asks to run.

    Attributes:
        manifest: a file with a Workflow or WorkflowTemplate; its folder is where referenced templates are looked for.
        parameters: values for the workflow's arguments, by name.
        name: the run's name; made from the manifest's when None.
        entrypoint: another template to start with.
        labels: put on the run.
        reuse: whether unchanged steps may take the outputs of earlier ones.
    """

    manifest: Path
    parameters: Mapping[str, str]
    name: str | None = None
    entrypoint: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    reuse: bool = True


class Engine(Protocol):
    """Runs workflows and tells about them. A run's name may be given as `@latest`."""

    @property
    def is_remote(self) -> bool:
        """Whether steps run elsewhere: they see no file of this machine, and go on when whoever watches them ends."""

    def submit(self, submission: Submission) -> str:
        """Check and record a run, Pending; returns its name.

        Raises:
            LintError: the file is not valid or uses what the engine does not support.
            UsageError: an unknown parameter or entrypoint, or a required parameter without a value.
        """

    def run(self, name: str, emit: Emit) -> WorkflowObject:
        """Drive or watch a run to its end and return it; its phase tells how it ended.

        Raises:
            InterruptedByUser: Ctrl-C; the steps were stopped and the run can be resumed. A remote run goes on.
            StateError: another engine drives it, or it has ended (a remote run that has ended is returned).
        """

    def watch(self, name: str, emit: Emit) -> WorkflowObject:
        """Tell a run from its beginning to its end and return it; whoever drives it goes on when we are interrupted.

        Raises:
            InterruptedByUser: Ctrl-C; the run goes on.
            StateError: nobody drives it.
        """

    def start(self, name: str) -> None:
        """Let the run go on without us."""

    def list(self, *, limit: int = 50) -> list[WorkflowObject]:
        """The newest runs first, without their nodes."""

    def get(self, name: str) -> WorkflowObject:
        """One run with its nodes.

        Raises:
            NotFoundError: there is no such run; the hint has near names.
        """

    def logs(self, name: str, *, step: str | None = None, follow: bool = False) -> Iterator[LogLine]:
        """What the steps wrote, step by step; with `follow`, until the run ends."""

    def stop(self, name: str) -> None:
        """End a running run; it can be resumed."""

    def delete(self, name: str) -> None:
        """Remove a run that has ended, with its logs; its artifacts, too, where they are not in a shared bucket."""

    def resume(self, name: str) -> None:
        """Open an ended run again: what succeeded stays, the rest is Pending. Call `run` or `start` next."""

    def fetch_artifacts(self, name: str, folder: Path) -> tuple[Path, ...]:
        """Copy what the steps of a run gave to `folder`, as `STEP/FILE`; returns the new files and folders.

        Raises:
            StateError: an artifact is gone.
        """

    def apply_config_map(self, name: str, files: Mapping[str, bytes]) -> None:
        """Make a ConfigMap of the target, or replace all of it."""


def leave(run: str) -> InterruptedByUser:
    """The error of a command that was interrupted while it only watched a run."""
    return InterruptedByUser(f"run {run} goes on without us", hint=f"follow it again: mlops pipeline get {run} --wait")
