"""The lines that `terraform … -json` writes, as events; what is no JSON passes through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from platform_cli.events import Emit, Event, LogLine, Notice, ResourceProgress

_PHASES = {
    "apply_start": "started",
    "apply_progress": "waiting",
    "apply_complete": "finished",
    "apply_errored": "failed",
}
_ACTIONS = {"delete": "destroy"}
_REFRESHED = "refresh_complete"
# Terraform warns of what a destroy does on purpose: some resources first, or some only.
_MEANT = ("Resource targeting is in effect", "Applied changes may be incomplete")


@dataclass(slots=True)
class LineReader:
    """An `Emit` for one Terraform command that turns its lines into events and remembers how it ended.

    Attributes:
        emit: told what the lines mean.
        total: resources that the command will change, where that is known.
        errors: Terraform's error blocks, one text each, in order.
        counts: its own summary: `add`, `change`, `remove`, `import`.
        refreshed: resources whose true state was read.
        planned: changes that a plan announced, of resources and outputs.
    """

    emit: Emit
    total: int = 0
    errors: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    refreshed: int = 0
    planned: int = 0
    _done: int = 0
    _warned: set[str] = field(default_factory=set)

    def __call__(self, event: Event) -> None:
        """Read one line."""
        message = _parse(event)
        if message is None:
            self.emit(event)
            return
        kind = message.get("type")
        if kind in _PHASES:
            self._tell_progress(_PHASES[str(kind)], message.get("hook", {}))
        elif kind == "diagnostic":
            self._tell_diagnostic(message.get("diagnostic", {}))
        elif kind == "change_summary":
            self.counts = {key: n for key, n in message.get("changes", {}).items() if isinstance(n, int)}
        elif kind == _REFRESHED:
            self.refreshed += 1
        elif kind == "planned_change":
            self.planned += 1
        elif kind == "outputs":
            self.planned += sum(found.get("action", "noop") != "noop" for found in message.get("outputs", {}).values())

    @property
    def plans_nothing(self) -> bool:
        """Whether it was a plan that came to its end and would change nothing."""
        return bool(self.counts) and not any(self.counts.values()) and not self.planned

    def _tell_progress(self, phase: str, hook: Mapping[str, Any]) -> None:
        action = str(hook.get("action", ""))
        if action == "read":
            return
        self._done += phase == "finished"
        self.emit(
            ResourceProgress(
                address=str(hook.get("resource", {}).get("addr", "")),
                action=_ACTIONS.get(action, action),
                phase=phase,
                seconds=float(hook.get("elapsed_seconds", 0)),
                done=self._done,
                total=self.total,
            )
        )

    def _tell_diagnostic(self, found: Mapping[str, Any]) -> None:
        text = format_diagnostic(found)
        if found.get("severity") == "error":
            self.errors.append(text)
        elif text not in self._warned:
            self._warned.add(text)
            self.emit(Notice(level="detail" if text.startswith(_MEANT) else "warning", text=text))


def format_diagnostic(found: Mapping[str, Any]) -> str:
    """A diagnostic as people read it: summary, place, resource, detail."""
    place = found.get("range", {})
    where = f" ({place['filename']}:{place.get('start', {}).get('line', 0)})" if place.get("filename") else ""
    subject = f" {found['address']}:" if found.get("address") else ""
    detail = " ".join(str(found.get("detail", "")).split())
    return f"{subject} {found.get('summary', '')}{where}".strip() + (f": {detail}" if detail else "")


def _parse(event: Event) -> dict[str, Any] | None:
    """The JSON message in a line of standard output; None when it is anything else."""
    if not isinstance(event, LogLine) or event.stream != "stdout" or not event.text.startswith("{"):
        return None
    try:
        message = json.loads(event.text)
    except ValueError:
        return None
    return message if isinstance(message, dict) and "@message" in message else None
