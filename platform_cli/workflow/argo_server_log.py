"""Following a step's log by asking Argo's server for the latest lines: its own following ends with the run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from platform_cli.tools.kubernetes_log import LogPosition

Read = Callable[[int | None], Iterable[str]]
"""The log's lines, each with its time in front: those of so many last seconds, or all for None."""

# How far the cluster's clock may be ahead of ours, in seconds; the first is enough where clocks are set.
_SKEWS_S = (5, 120, 3600)


def follow_log(read: Read, has_ended: Callable[[], bool], *, poll_s: float) -> Iterator[str]:
    """The log's lines without their times, each once, until nothing more will be written.

    Args:
        read: asks the server.
        has_ended: whether the step has ended.
        poll_s: how long to wait when all is told.
    """
    position, is_quiet = LogPosition(), True
    while True:
        is_over = is_quiet and has_ended()
        is_quiet = True
        for text in position.tell_unread(_read_latest(read, position)):
            is_quiet = False
            yield text
        if is_over:
            return
        time.sleep(poll_s)


def _read_latest(read: Read, position: LogPosition) -> Iterable[str]:
    """The lines from the last told ones on.

    The server says of a log that the cluster did not give, or gave in part, that it is empty, or short: only when the
    told ones come again are those after them complete.
    """
    if not position.since:
        return read(None)
    age_s = max(0, math.ceil((datetime.now(UTC) - datetime.fromisoformat(position.since)).total_seconds()))
    for skew_s in _SKEWS_S:
        lines = list(read(age_s + skew_s))
        if position.is_within(lines):
            return lines
    return read(None)
