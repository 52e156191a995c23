"""`python -m benchmarks [CONTEST…]`: race, print the table and, after all contests, write docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.contest import CLOUD_CONTESTS, CONTESTS
from benchmarks.figure import HEAD, Figure, markdown
from benchmarks.ground import CACHE, METAFLOW, ROOT, Project, close_project

PAGE = ROOT / "docs" / "benchmarks.md"
METHOD = """\
Every figure is the median of whole commands, from process start to exit. Contenders run in turn (A B, then B A, …)
after one warm-up round, so that a busy moment of the machine hits all of them. Ratios are what carries over to
another machine.

* *Nothing reused* means `--no-cache`: every step runs, in a new process, and each contender starts its Python anew.
  The operating system's file cache is warm for both sides. The engine's five steps and the five scripts are the same
  code with the same arguments, taken from the workflow file.
* Metaflow runs in an environment of its own, with its local datastore and local metadata, and no network.
* The cost of a step in a DAG is (time of N steps - time of one step) / (N - 1): the start of the command is taken
  off both sizes.
"""


def main(names: list[str]) -> int:
    """Race; the exit code is 1 when a target was missed."""
    CACHE.mkdir(parents=True, exist_ok=True)
    figures = [figure for name in names or CONTESTS for figure in _hold(name)]
    _print(figures)
    _close_projects()
    if not names:
        PAGE.write_text(_page(figures), "utf-8")
        Console().print(f"written: {PAGE.relative_to(ROOT)}")
    return 1 if any(figure.verdict == "miss" for figure in figures) else 0


def _hold(name: str) -> list[Figure]:
    contest, rounds = {**CONTESTS, **CLOUD_CONTESTS}[name]
    Console(stderr=True).print(f"{name}: {rounds} rounds …", style="dim")
    return contest(rounds)


def _print(figures: list[Figure]) -> None:
    table = Table(*HEAD)
    for figure in figures:
        table.add_row(*figure.cells())
    Console().print(table)


def _close_projects() -> None:
    for folder in sorted((CACHE / "projects").glob("*")):
        close_project(Project(folder))


def _page(figures: list[Figure]) -> str:
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    load = f"load {os.getloadavg()[1]:.1f} at the end"
    machine = f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, {load}"
    python = f"Python {platform.python_version()}, mlops {version('mlops')}, {METAFLOW.replace('==', ' ')}"
    return (
        f"# Benchmarks\n\n<!-- Written by `make bench`. -->\n\n`make bench`, {when}, on {machine}; {python}.\n\n"
        f"{markdown(figures)}\n\n## How\n\n{METHOD}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
