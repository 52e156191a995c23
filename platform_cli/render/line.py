"""One event, one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from platform_cli.events import (
    Event,
    Forwarded,
    LogLine,
    NodeFinished,
    NodeStarted,
    Notice,
    PlanFinished,
    PlanStarted,
    ResourceProgress,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
)

_LABEL_WIDTH = 22
_DETAIL_WIDTH = 54
STEP_KINDS = ("Pod", "Retry", "Suspend", "HTTP", "Skipped")
_RESOURCE_MARKS = {"finished": "✓", "failed": "✗"}
_MARKS = {"Succeeded": "✓", "Failed": "✗", "Error": "✗", "failed": "✗", "Skipped": "-", "Omitted": "-"}


@dataclass(frozen=True, slots=True)
class Line:
    """A mark (✓ ✗ - or none), a label, a detail and a duration in seconds (negative: not told)."""

    detail: str
    mark: str = ""
    label: str = ""
    seconds: float = -1.0

    @property
    def text(self) -> str:
        """The aligned line."""
        if not self.mark:
            return self.detail
        duration = format_seconds(self.seconds) if self.seconds >= 0 else ""
        body = f"{self.mark} {self.label:<{_LABEL_WIDTH}} {self.detail:<{_DETAIL_WIDTH}} {duration:>8}"
        return body.rstrip()


def describe(event: Event, *, verbose: bool) -> Line | None:  # noqa: PLR0911 - one return per kind of event
    """The line of an event; None when it is not worth one."""
    match event:
        case PlanStarted() | StageStarted() | NodeStarted():
            return None
        case StageFinished():
            return _describe_stage(event) if verbose or event.outcome != "unchanged" else None
        case PlanFinished():
            return Line(summarise(event), "✓", event.operation, event.seconds)
        case RunStarted():
            return Line(f"run {event.run} of {event.workflow}") if verbose else None
        case NodeFinished():
            return _describe_node(event) if verbose or event.kind in STEP_KINDS else None
        case RunFinished():
            message = plain_message(event.message)
            detail = ": ".join(part for part in (f"{event.run} {event.phase}", message) if part)
            return Line(detail, _MARKS.get(event.phase, "✗"), "pipeline", event.seconds)
        case LogLine():
            return Line(f"{event.source} | {event.text}") if verbose else None
        case ResourceProgress() | Forwarded():
            return _describe_progress(event)
        case Notice():
            return (
                None
                if event.level == "detail" and not verbose
                else Line(f"{event.level}: {event.text}" if event.level == "warning" else event.text)
            )
        case _:
            assert_never(event)


def summarise(event: PlanFinished) -> str:
    """Such as `embedded/dev: 5 stages, 5 created`."""
    stages = sum(event.outcomes.values())
    done = {outcome: count for outcome, count in event.outcomes.items() if outcome != "unchanged" and count}
    if not done:
        if event.operation == "destroy":
            return f"{event.target}: nothing to destroy"
        return f"{event.target} is up to date: {count_of(stages, 'stage')}, 0 changes"
    parts = ", ".join(f"{count} {outcome}" for outcome, count in done.items())
    return f"{event.target}: {count_of(stages, 'stage')}, {parts}"


def plain_message(message: str) -> str:
    """Argo's message of a node without the words that tell people nothing."""
    return message.replace("retryStrategy.expression evaluated to false: ", "")


def format_seconds(seconds: float) -> str:
    """Such as `0.2 s`, `41 s` or `3 min 05 s`."""
    if seconds < 9.95:  # noqa: PLR2004 - below ten, the tenth matters
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def count_of(number: int, noun: str) -> str:
    """Such as `1 stage` or `5 stages`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def format_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Aligned columns with two spaces between; numbers stand right."""
    cells = [list(columns), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    right = [bool(rows) and all(isinstance(row[index], int | float) for row in rows) for index in range(len(columns))]
    return ["  ".join(_pad(*piece) for piece in zip(line, widths, right, strict=True)).rstrip() for line in cells]


def _pad(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


def _cell(value: object) -> str:
    return "-" if value is None else f"{value:.1f}" if isinstance(value, float) else str(value)


def _describe_stage(event: StageFinished) -> Line:
    detail = ": ".join(part for part in (event.outcome, event.detail) if part)
    return Line(detail, _MARKS.get(event.outcome, "✓"), f"  {event.title}", event.seconds)


def _describe_progress(event: ResourceProgress | Forwarded) -> Line | None:
    if isinstance(event, Forwarded):
        return Line(f"{event.service}: {describe_forward(event)}")
    if event.phase not in _RESOURCE_MARKS:
        return None
    count = f"{event.done}/{event.total} " if event.total and event.phase == "finished" else ""
    return Line(f"{count}{event.address}", _RESOURCE_MARKS[event.phase], f"    {event.action}", event.seconds)


def _describe_notice(event: Notice) -> Line:
    return Line(f"{event.level}: {event.text}" if event.level == "warning" else event.text)


def _describe_node(event: NodeFinished) -> Line:
    reused = f"(reused: {event.reused})" if event.reused else ""
    text = event.summary if event.phase == "Succeeded" else plain_message(event.message) or event.phase
    return Line(
        " ".join(part for part in (text, reused) if part),
        _MARKS.get(event.phase, "✓"),
        event.name.removeprefix(f"{event.run}."),
        event.seconds,
    )


def describe_forward(event: Forwarded) -> str:
    """Such as `http://127.0.0.1:3000 (user admin, password in Secret …)`, or why there is none at the moment."""
    notes = [event.credentials] if event.credentials and event.state == "open" else []
    notes += [f"{event.state}: {event.detail}"] if event.detail else []
    return event.url + (f" ({'; '.join(notes)})" if notes else "")
