"""Time whole commands in turn, so that a busy moment of the machine hits all of them alike.

hyperfine and pyperf run one command to its end before the next, which is what has to be avoided here.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A command that is timed from its start to its end."""

    name: str
    argv: Sequence[str | Path]
    cwd: Path
    env: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of every timed run of one contender."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one, in seconds."""
        return statistics.median(self.seconds)


def race(contenders: Sequence[Contender], *, rounds: int, warmups: int = 1) -> dict[str, Times]:
    """Run every contender once per round, in an order that alternates.

    Raises:
        SystemExit: a contender failed; its output is in the message.
    """
    taken: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for turn in range(-warmups, rounds):
        for contender in contenders if turn % 2 == 0 else reversed(contenders):
            seconds = _time(contender)
            if turn >= 0:
                taken[contender.name].append(seconds)
    return {name: Times(tuple(seconds)) for name, seconds in taken.items()}


def _time(contender: Contender) -> float:
    argv = [str(part) for part in contender.argv]
    before = time.perf_counter()
    done = subprocess.run(
        argv,
        cwd=contender.cwd,
        env=contender.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - before
    if done.returncode != 0:
        sys.exit(f"{contender.name}: exit code {done.returncode}: {' '.join(argv)}\n{done.stdout}{done.stderr}")
    return seconds
