"""The one way to standard output: text for people, JSON lines for programs."""

from __future__ import annotations

import dataclasses
import io
import json
import sys
import threading
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol, TextIO

from platform_cli.events import Event
from platform_cli.render.line import describe, format_table

SCHEMA_VERSION = 1


class Output(StrEnum):
    """What standard output holds."""

    TEXT = "text"
    JSON = "json"


class Screen(Protocol):
    """Where commands send what they have to say."""

    def emit(self, event: Event) -> None:
        """Tell an event."""

    def show(self, document: Mapping[str, Any], lines: Sequence[str]) -> None:
        """Tell a result: `document` (plain data, with a `type`) to programs, `lines` to people."""

    def table(self, document: Mapping[str, Any], columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Tell a result as a table to people, as `document` to programs."""

    def close(self) -> None:
        """Leave the terminal as it was found."""


def format_event(event: Event) -> str:
    """An event as one JSON object on one line."""
    return _format({"type": type(event).__name__, **dataclasses.asdict(event)})


def _format(fields: Mapping[str, Any]) -> str:
    return json.dumps({"schema_version": SCHEMA_VERSION, **fields}, ensure_ascii=False, default=str)


class _Lines:
    """Whole lines, whichever thread or signal writes them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        # A signal may tell something in the middle of a line of the same thread.
        self._turn = threading.RLock()

    def write(self, text: str) -> None:
        with self._turn:
            print(text, file=self._stream, flush=True)


class JsonScreen:
    """One JSON object a line, each with `schema_version` and `type`."""

    def __init__(self, stream: TextIO) -> None:
        self._lines = _Lines(stream)

    def emit(self, event: Event) -> None:
        """Write the event under its class' name."""
        self._lines.write(format_event(event))

    def show(self, document: Mapping[str, Any], lines: Sequence[str]) -> None:  # noqa: ARG002 - people's half
        """Write the document."""
        self._write(document)

    def table(self, document: Mapping[str, Any], columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:  # noqa: ARG002
        """Write the document."""
        self._write(document)

    def close(self) -> None:
        """Nothing to put back."""

    def _write(self, fields: Mapping[str, Any]) -> None:
        self._lines.write(_format(fields))


class TextScreen:
    """Plain lines, for pipes, files and CI logs."""

    def __init__(self, stream: TextIO, *, verbose: bool) -> None:
        self._lines = _Lines(stream)
        self._verbose = verbose

    def emit(self, event: Event) -> None:
        """Write the event's line, if it has one."""
        line = describe(event, verbose=self._verbose)
        if line is not None:
            self._write(line.text)

    def show(self, document: Mapping[str, Any], lines: Sequence[str]) -> None:  # noqa: ARG002 - programs' half
        """Write the lines."""
        for line in lines:
            self._write(line)

    def table(self, document: Mapping[str, Any], columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:  # noqa: ARG002
        """Write aligned columns."""
        for line in format_table(columns, rows):
            self._write(line)

    def close(self) -> None:
        """Nothing to put back."""

    def _write(self, text: str) -> None:
        self._lines.write(text)


def open_screen(output: Output, *, verbose: bool, stream: TextIO | None = None) -> Screen:
    """The screen that fits the wish and the place: live progress on a terminal, plain lines elsewhere."""
    stream = stream or sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        # A terminal or pipe that is not UTF-8 gets question marks, not a traceback.
        stream.reconfigure(errors="replace")
    if output is Output.JSON:
        return JsonScreen(stream)
    if stream.isatty():
        from platform_cli.render.live import LiveScreen

        return LiveScreen(stream, verbose=verbose)
    return TextScreen(stream, verbose=verbose)
