"""How every step talks to the workflow: exit codes, log lines, a one-line summary, files."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn


class StepError(Exception):
    """A failure we expect: its text is the one-line reason that people see."""

    exit_code: ClassVar[int] = 1


class UnreachableError(StepError):
    """A network or storage problem: the same step may succeed a minute later."""


class DataRefusedError(StepError):
    """The data is missing, unreadable, malformed or fails a check; a retry changes nothing."""

    exit_code = 3


class ParameterError(StepError):
    """A parameter has a value that makes no sense; a retry changes nothing."""

    exit_code = 4


class GateMissedError(StepError):
    """The model is not good enough to be registered; a retry changes nothing."""

    exit_code = 5


class Arguments(argparse.ArgumentParser):
    """A parser whose complaints are parameter errors (exit code 4) instead of usage texts."""

    def error(self, message: str) -> NoReturn:
        """Refuse a command line.

        Raises:
            ParameterError: always.
        """
        raise ParameterError(message)


def fraction(text: str) -> float:
    """A number from 0 to 1, as an argparse type."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a fraction: expected a number from 0 to 1")
    return value


def inner_fraction(text: str) -> float:
    """A number above 0 and below 1, as an argparse type."""
    value = _number(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} does not split anything: expected a number between 0 and 1")
    return value


def real(text: str) -> float:
    """A finite number, as an argparse type."""
    return _number(text)


def whole(text: str) -> int:
    """A whole number >= 0 (seeds, counts, sizes), as an argparse type."""
    if not text.isascii() or not text.isdigit() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 to {2**32 - 1}")
    return int(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None
    if value - value != 0:  # inf and NaN
        raise argparse.ArgumentTypeError(f"'{text}' is not a finite number")
    return value


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint such as `, did you mean 'species'?`, or nothing when no known word is close."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f", did you mean '{close[0]}'?" if close else ""


def some(items: Sequence[object], limit: int = 10) -> str:
    """The first items as text, with the number of those left out: `3, 7, 9 and 4 more`."""
    shown = ", ".join(str(item) for item in items[:limit])
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"


def count(number: int, noun: str) -> str:
    """A number and its noun: `1 row`, `2 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def read_json(path: Path) -> Any:
    """What a JSON file of an earlier step holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, content: object) -> None:
    """Write JSON for people and machines; the same content always gives the same bytes."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, and the folder it belongs to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def parse_json_object(text: str, parameter: str) -> dict[str, Any]:
    """The JSON object that a parameter holds; nothing at all is an empty object.

    Raises:
        ParameterError: the text is not JSON, or not an object.
    """
    try:
        value = json.loads(text) if text.strip() else {}
    except json.JSONDecodeError as error:
        raise ParameterError(f"{parameter}: not JSON: {error.msg} at character {error.pos + 1}") from None
    if not isinstance(value, dict):
        raise ParameterError(f'{parameter}: expected a JSON object such as {{"name": value}}, got {text.strip()[:40]}')
    return value


def parse_names(text: str, parameter: str) -> tuple[str, ...]:
    """Names from `a,b` or, where a name holds a comma, from the JSON list `["a", "b,c"]`."""
    if not text.strip().startswith("["):
        return tuple(name.strip() for name in text.split(",") if name.strip())
    try:
        names = json.loads(text)
    except json.JSONDecodeError as error:
        raise ParameterError(f"{parameter}: not JSON: {error.msg} at character {error.pos + 1}") from None
    if not all(isinstance(name, str) for name in names):
        raise ParameterError(f"{parameter}: expected a JSON list of names, got {text.strip()[:40]}")
    return tuple(names)


def log(line: str) -> None:
    """One line of the step's log, written at once: a killed step leaves everything it said."""
    print(line, flush=True)


def finish(summary: str, path: Path | None) -> None:
    """Say in one line what the step did, for the log and for the workflow's output parameter."""
    log(summary)
    if path is not None:
        write_text(path, summary + "\n")


def run(main: Callable[[Sequence[str] | None], None]) -> NoReturn:
    """Run a step as a program; the last line of its standard error is the reason of a failure."""
    try:
        main(None)
    except StepError as error:
        sys.stdout.flush()
        print(" ".join(str(error).split()), file=sys.stderr, flush=True)
        sys.exit(error.exit_code)
    sys.exit(0)
