"""Progress on a terminal: what runs, for how long, and what comes next, below the lines of what is done."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from platform_cli.events import (
    Event,
    Forwarded,
    NodeFinished,
    NodeStarted,
    PlanFinished,
    PlanStarted,
    ResourceProgress,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
)
from platform_cli.render.line import STEP_KINDS, describe, format_seconds
from platform_cli.render.screen import TextScreen

_STYLES = {"✓": "green", "✗": "bold red", "-": "dim"}
_STATES = {"open": "green", "waiting": "yellow", "lost": "bold red"}
_REFRESH_PER_SECOND = 8


class LiveScreen(TextScreen):
    """Text with a live foot; colours as NO_COLOR and TERM allow."""

    def __init__(self, stream: TextIO, *, verbose: bool) -> None:
        super().__init__(stream, verbose=verbose)
        self._console = Console(file=stream, highlight=False, soft_wrap=True)
        self._running: dict[str, tuple[str, float]] = {}
        self._graphs: dict[str, tuple[str, str]] = {}
        self._within: dict[str, str] = {}
        self._waiting: list[str] = []
        self._forwards: dict[str, Forwarded] = {}
        self._live: Live | None = None

    def emit(self, event: Event) -> None:
        """Write the event's line, if it has one, and keep the foot true."""
        if isinstance(event, Forwarded):
            self._forwards[event.service] = event
            self._open()
            return
        line = describe(event, verbose=self._verbose)
        if line is not None:
            text = Text(line.text)
            text.stylize(_STYLES.get(line.mark, ""), 0, len(line.mark))
            self._console.print(text)
        self._follow(event)

    def close(self) -> None:
        """End the live foot."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __rich__(self) -> Table:
        """The foot."""
        if self._forwards:
            return _forward_table(self._forwards.values())
        table = Table.grid(padding=(0, 1))
        shown: set[str] = set()
        for key, (label, since) in tuple(self._running.items()):
            around = self._list_around(key)
            for depth, graph in enumerate(around):
                if graph not in shown:
                    shown.add(graph)
                    table.add_row("", Text("  " * depth + self._graphs[graph][0], "dim"), "")
            indented = "  " * len(around) + label
            table.add_row(Spinner("dots"), indented, Text(format_seconds(time.monotonic() - since), "dim"))
        if self._waiting:
            table.add_row("", Text(f"next: {self._waiting[0]}", "dim"), "")
        return table

    def _list_around(self, key: str) -> list[str]:
        """The graphs around a step, the outermost first; the run's own is not worth a line."""
        found: list[str] = []
        graph = self._within.get(key, "")
        while graph in self._graphs and self._graphs[graph][1]:
            found.insert(0, graph)
            graph = self._graphs[graph][1]
        return found

    def _begin(self, event: NodeStarted) -> None:
        if event.kind in STEP_KINDS:
            self._within[event.node] = event.within
            self._running[event.node] = (event.name, time.monotonic())
        else:
            self._graphs[event.node] = (event.name, event.within)

    def _follow(self, event: Event) -> None:
        match event:
            case PlanStarted():
                self._waiting = list(event.titles)
                self._open()
            case RunStarted():
                self._open()
            case StageStarted():
                self._waiting = (
                    self._waiting[self._waiting.index(event.title) + 1 :] if event.title in self._waiting else []
                )
                self._running[event.stage] = (f"{event.index}/{event.total} {event.title}", time.monotonic())
            case NodeStarted():
                self._begin(event)
            case ResourceProgress() if event.phase == "started":
                self._running[event.address] = (f"{event.action} {event.address}", time.monotonic())
            case ResourceProgress() if event.phase in ("finished", "failed"):
                self._running.pop(event.address, None)
            case StageFinished():
                self._running.pop(event.stage, None)
            case NodeFinished():
                self._running.pop(event.node, None)
            case PlanFinished() | RunFinished():
                self.close()
            case _:
                return

    def _open(self) -> None:
        if self._live is None:
            self._live = Live(self, console=self._console, refresh_per_second=_REFRESH_PER_SECOND, transient=True)
            self._live.start()

    def _write(self, text: str) -> None:
        self._console.print(Text(text))


def _forward_table(forwards: Iterable[Forwarded]) -> Table:
    table = Table(
        "service", "state", "address", "log in with", box=None, caption="Ctrl-C ends it", caption_justify="left"
    )
    for forward in forwards:
        state = Text(": ".join(part for part in (forward.state, forward.detail) if part), _STATES[forward.state])
        table.add_row(forward.service, state, forward.url, forward.credentials)
    return table
