"""Keeps every event of a command in a file as well, so that what scrolled away can be read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from platform_cli.errors import MlopsError, ToolError
from platform_cli.events import Emit, Event
from platform_cli.render.screen import format_event


@contextlib.contextmanager
def recorded(emit: Emit, log: Path) -> Iterator[Emit]:
    """An emit that appends each event to `log` as a JSON line; an error that ends the block names the log.

    Raises:
        ToolError: the log cannot be begun.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: what a full disk refuses is not tried again when the file is closed.
        file = log.open("ab", buffering=0)
    except OSError as error:
        raise ToolError(f"cannot write {log}: {error.strerror}", hint="mlops doctor") from error

    def emit_twice(event: Event) -> None:
        emit(event)
        # The work matters more than its record: a full disk is told by the stage that it stops.
        with contextlib.suppress(OSError):
            file.write(f"{format_event(event)}\n".encode())

    with file:
        try:
            yield emit_twice
        except MlopsError as error:
            error.details = (*error.details, f"log: {log}")
            raise
