"""Who stepped in, when and why: kept beside the state, so that a team sees what one of them did."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass

from platform_cli.clouds.terraform.backend import StateBackend
from platform_cli.whoami import this_user

_NOTE = "interventions"
_KEPT = 200


@dataclass(frozen=True, slots=True)
class Intervention:
    """One step that a person took with a state. `at` is Unix seconds."""

    at: float
    who: str
    action: str
    reason: str
    detail: str


def record_intervention(backend: StateBackend, action: str, reason: str, detail: str) -> Intervention:
    """Write one down."""
    made = Intervention(time.time(), this_user(), action, reason, detail)
    kept = [*read_interventions(backend), made][-_KEPT:]
    backend.write_note(_NOTE, json.dumps([asdict(item) for item in kept], indent=1).encode())
    return made


def read_interventions(backend: StateBackend) -> tuple[Intervention, ...]:
    """All that are known, the oldest first; a note that cannot be read says nothing."""
    text = backend.read_note(_NOTE)
    try:
        return tuple(Intervention(**item) for item in json.loads(text)) if text else ()
    except (ValueError, TypeError):
        return ()
