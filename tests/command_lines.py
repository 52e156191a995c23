"""Command lines of pages, scripts and workflows, held against the commands that there are; nothing is run."""

from __future__ import annotations

import enum
import functools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs.generate import commands

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Line:
    """One command line as a reader would type it."""

    page: Path
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {' '.join(self.words)}"

    @property
    def arguments(self) -> list[str]:
        """The words after the program, without redirections."""
        cut = next((at for at, word in enumerate(self.words) if set(word) & set("<>") and len(word) <= 2), None)
        return list(self.words[1:cut])


@functools.cache
def known() -> dict[str, tuple[Any, Any]]:
    """Every command with its context, by its path such as `mlops pipeline submit`."""
    return {context.command_path: (command, context) for command, context in commands()}


def known_options() -> set[str]:
    """Every option of any command, such as `--cloud`."""
    params = (param for command, _ in known().values() for param in command.params)
    return {"--help"} | {name for param in params for name in param.opts if name.startswith("-")}


def split_lines(page: Path, typed: list[str]) -> Iterator[Line]:
    """Each command of some lines of shell, told apart at `&&`, `|` and `;`."""
    for words in _lex(typed):
        yield from _split_commands(page, words)


def _lex(lines: list[str]) -> Iterator[list[str]]:
    """The words of each command; a quotation may go on over several lines."""
    open_lines: list[str] = []
    for line in lines:
        open_lines.append(line)
        lexer = shlex.shlex("\n".join(open_lines), posix=True, punctuation_chars="&|;<>")
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:
            continue
        open_lines.clear()
        yield words
    assert not open_lines, f"a quotation is not closed: {open_lines[0]}"


def _split_commands(page: Path, words: list[str]) -> Iterator[Line]:
    """Without assignments before a command."""
    part: list[str] = []
    for word in [*words, ";"]:
        if word and set(word) <= set("&|;"):
            while part and re.fullmatch(r"[A-Z_]+=.*", part[0]):
                part.pop(0)
            if part:
                yield Line(page, tuple(part))
            part = []
        else:
            part.append(word)


def check_line(words: list[str], *, is_whole: bool = True) -> None:
    """Parse a line of `mlops` as the command would, without running it.

    Args:
        words: what comes after `mlops`.
        is_whole: nothing that is required may be missing; false for a mention in a sentence.

    Raises:
        TyperException: an option does not exist or lacks its value.
        AssertionError: a command does not exist, or a value is not one of the known ones.
    """
    command, context = known()["mlops"]
    while hasattr(command, "list_commands"):
        if not words or words[0].startswith("-"):
            break
        path = f"{context.command_path} {words[0]}"
        assert path in known(), f"there is no command `{path}`"
        command, context = known()[path]
        words = words[1:]
    if "--help" in words:
        return
    values, rest, _ = command.make_parser(context).parse_args(list(words))
    assert rest == [], f"too many words: {rest}"
    for param in command.params:
        given = values.get(param.name)
        assert not (is_whole and param.required and given in (None, ())), f"`{param.name}` is missing"
        kind = param.type_descriptor.annotation
        if isinstance(kind, type) and issubclass(kind, enum.Enum) and isinstance(given, str):
            assert given in [member.value for member in kind], f"`{given}` is not one of {list(kind)}"
