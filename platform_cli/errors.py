"""Everything that can go wrong on purpose: one class, one exit code, one hint."""

from __future__ import annotations

from typing import ClassVar


class MlopsError(Exception):
    """Root of every failure we expect; caught only in the command's entry point.

    Attributes:
        exit_code: the process' exit status; unique to each subclass.
        message: names the thing that failed.
        hint: what to do next; may be empty.
        details: further lines (findings, the tool's own error block), printed below the message.
    """

    exit_code: ClassVar[int]
    summary: ClassVar[str]

    def __init__(self, message: str, *, hint: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details


class UsageError(MlopsError):
    """The command line makes no sense."""

    exit_code = 2
    summary = "the command line makes no sense (unknown command, option or value)"


class ConfigError(MlopsError):
    """`platform.yaml`, an environment variable or a flag holds something we cannot accept."""

    exit_code = 3
    summary = "the configuration is not valid; every problem is listed"


class PreflightError(MlopsError):
    """The machine, the account or the cluster is not fit for the plan; nothing was changed."""

    exit_code = 4
    summary = "a check before the change failed; nothing was changed"


class ToolError(MlopsError):
    """A program or service we drive failed."""

    exit_code = 5
    summary = "a program or service that the command drives failed"


class DeadlineError(MlopsError):
    """Something took longer than it may."""

    exit_code = 6
    summary = "something took longer than it may"


class StateError(MlopsError):
    """State is locked, broken or from another version."""

    exit_code = 7
    summary = "state is locked by another command, broken, or from another version"


class NotReadyError(MlopsError):
    """The platform, or the part of it that is asked for, is not up."""

    exit_code = 8
    summary = "the platform, or the part that is asked for, is not up"


class RefusedError(MlopsError):
    """We could, but we will not: nobody confirmed, or the guard says no."""

    exit_code = 9
    summary = "refused: not confirmed, or a guard said no"


class LeftoversError(MlopsError):
    """Destroy ran and something is still there."""

    exit_code = 10
    summary = "destroy ended and something is left; the report lists it"


class WorkflowError(MlopsError):
    """A workflow run ended Failed or Error."""

    exit_code = 11
    summary = "a workflow run failed; the message names the step, its reason and its log"


class LintError(MlopsError):
    """A workflow file is not valid, or uses what the engine does not support."""

    exit_code = 12
    summary = "a workflow file is not valid; every finding names file, line and field"


class NotFoundError(MlopsError):
    """No model, run, template or version of that name."""

    exit_code = 13
    summary = "no model, run, template or version of that name"


class InputError(MlopsError):
    """Rows given to `predict` do not fit the model's signature."""

    exit_code = 14
    summary = "the rows given to a model do not fit its signature"


class InterruptedByUser(MlopsError):  # noqa: N818 - it is a decision of the user's, not an error
    """Ctrl-C."""

    exit_code = 130
    summary = "interrupted (Ctrl-C)"
