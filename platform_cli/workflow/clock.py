"""Functions that are to be called later, by whoever waits for events anyway."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class Clock:
    """Functions to call at their time."""

    _heap: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=itertools.count)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` after `seconds`."""
        heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._order), action))

    def patience(self) -> float | None:
        """Seconds until the next action; None when there is none."""
        return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None

    def run_due(self) -> None:
        """Call what is due."""
        while self._heap and self._heap[0][0] <= time.monotonic():
            heapq.heappop(self._heap)[2]()
