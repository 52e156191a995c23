"""One problem in a workflow file, and how a list of them becomes an error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from platform_cli.errors import LintError

Pointer = tuple[str | int, ...]
"""Path of a value inside a document: mapping keys and list indices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem at one place. `line` and `column` count from 1; `level` is error or warning."""

    file: str
    line: int
    column: int
    field: str
    message: str
    hint: str = ""
    level: str = "error"

    def __str__(self) -> str:
        level = "" if self.level == "error" else f"{self.level}: "
        field = f"{self.field}: " if self.field else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {level}{field}{self.message}{hint}"


def field_text(pointer: Pointer) -> str:
    """The pointer as people write it: `spec.templates[0].name`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in pointer)
    return text.removeprefix(".")


def refusal(findings: Iterable[Finding]) -> LintError:
    """The error that lists `findings`, in the order of the file."""
    ordered = sorted(findings, key=lambda finding: (finding.file, finding.line, finding.column))
    errors = [finding for finding in ordered if finding.level == "error"]
    files = ", ".join(dict.fromkeys(finding.file for finding in errors)) or "the workflow"
    count = "1 problem" if len(errors) == 1 else f"{len(errors)} problems"
    return LintError(
        f"{files}: {count} in the workflow",
        hint="correct the lines below, then check with `mlops pipeline lint FILE`",
        details=tuple(str(finding) for finding in ordered),
    )
