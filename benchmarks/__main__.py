"""`python -m benchmarks [GROUP|CONTEST…]`: race, print the table and, after a whole group, write docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.contest import GROUPS
from benchmarks.figure import HEAD, Figure, Skipped, markdown
from benchmarks.ground import CACHE, ROOT, Project, close_project
from benchmarks.page import read_sections, write_page
from benchmarks.site import close_site

PAGE = ROOT / "docs" / "benchmarks.md"
METHOD = """\
Every figure is the median of whole commands, from process start to exit. Contenders run in turn (A B, then B A, …)
after one warm-up round, so that a busy moment of the machine hits all of them. Ratios are what carries over to
another machine.

* *Nothing reused* means `--no-cache`: every step runs, in a new process, and each contender starts its Python anew.
  The operating system's file cache is warm for both sides. The engine's five steps and the five scripts are the same
  code with the same arguments, taken from the workflow file.
* Metaflow (2.19.39) runs in an environment of its own, with its local datastore and local metadata, and no network.
* The cost of a step in a DAG is (time of N steps - time of one step) / (N - 1): the start of the command is taken
  off both sizes.
* On a cluster: charts that cannot be had are the tests' stand-ins, which are smaller, but for KServe's own. The two
  controllers of Argo run at the same time, each for a namespace of its own, and differ in the values below
  `controller` alone. Argo writes whole seconds; *without the workflow's own time* is a median for that reason.
"""


def main(names: list[str]) -> int:
    """Race; the exit code is 1 when a target was missed. Names are contests, or groups of them by their make target."""
    CACHE.mkdir(parents=True, exist_ok=True)
    missed = False
    try:
        for group, contests in _select(names or ["bench"]):
            held = [(name, *_hold(name)) for name in contests]
            figures = [figure for _, found, _ in held for figure in found]
            skipped = [f"{name} is left out: {why}" for name, _, why in held if why]
            _print(figures, skipped)
            missed = missed or any(figure.verdict == "miss" for figure in figures)
            if group:
                _write(group, figures, skipped)
    finally:
        close_site()
        _close_projects()
    return 1 if missed else 0


def _select(names: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Groups with all their contests; contests that were named alone belong to none."""
    for name in names:
        yield (name, list(GROUPS[name])) if name in GROUPS else ("", [name])


def _hold(name: str) -> tuple[list[Figure], str]:
    """The figures; and why there are none."""
    contest, rounds = next(contests[name] for contests in GROUPS.values() if name in contests)
    Console(stderr=True).print(f"{name}: {rounds} rounds …", style="dim")
    try:
        return contest(rounds), ""
    except Skipped as reason:
        return [], str(reason)


def _print(figures: list[Figure], skipped: list[str]) -> None:
    table = Table(*HEAD)
    for figure in figures:
        table.add_row(*figure.cells())
    Console().print(table, *skipped, sep="\n")


def _close_projects() -> None:
    for folder in sorted((CACHE / "projects").glob("*")):
        close_project(Project(folder))


def _write(group: str, figures: list[Figure], skipped: list[str]) -> None:
    """Put the group's section into the page; those of the others stay."""
    sections = read_sections(PAGE.read_text("utf-8"))
    sections[group] = "\n\n".join((_tell_ground(), markdown(figures), *skipped))
    PAGE.write_text(write_page({name: sections[name] for name in GROUPS if name in sections}, METHOD), "utf-8")
    Console().print(f"written: {PAGE.relative_to(ROOT)}")


def _tell_ground() -> str:
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    load = f"load {os.getloadavg()[1]:.1f} at the end"
    machine = f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, {load}"
    return f"{when}, on {machine}; Python {platform.python_version()}, mlops {version('mlops')}."


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text("utf-8").splitlines() if info.is_file() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
