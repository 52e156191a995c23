"""Questions to a person; without a terminal nobody is there to answer, and a flag must."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import typer

from platform_cli.errors import RefusedError

Choice = TypeVar("Choice", bound=StrEnum)


def confirm(question: str, *, yes: bool) -> None:
    """Ask for a yes.

    Raises:
        RefusedError: the answer is no, or nobody can answer and `--yes` was not given.
    """
    if yes:
        return
    _require_terminal()
    if not typer.confirm(question, err=True):
        raise RefusedError("not confirmed; nothing was changed")


def confirm_by_name(name: str, *, yes: bool, purpose: str = "destroy it") -> None:
    """Ask to type a name; `purpose` completes "Type NAME to …".

    Raises:
        RefusedError: something else was typed, or nobody can answer and `--yes` was not given.
    """
    if yes:
        return
    _require_terminal()
    if typer.prompt(f"Type {name} to {purpose}", err=True, default="", show_default=False) != name:
        raise RefusedError("not confirmed; nothing was changed")


def ask_choice(question: str, default: Choice, *, asks: bool) -> Choice:
    """One member of an enumeration; the default when nobody is asked."""
    if not asks:
        return default
    kind = type(default)
    known = [member.value for member in kind]
    answer = ""
    while answer not in known:
        answer = typer.prompt(f"{question} ({', '.join(known)})", default=default.value, err=True)
    return kind(answer)


def ask_name(*, asks: bool) -> str:
    """The project's name; from the working folder when nobody is asked and the folder's name will do."""
    from pydantic import TypeAdapter, ValidationError

    from platform_cli.config import Label

    try:
        name = TypeAdapter[str](Label).validate_python(Path.cwd().name.lower())
    except ValidationError:
        name = "mlops"
    return str(typer.prompt("Name of the project", default=name, err=True)) if asks else name


def _require_terminal() -> None:
    if not sys.stdin.isatty():
        raise RefusedError("nobody can confirm: this is not a terminal", hint="give --yes to do it without asking")
