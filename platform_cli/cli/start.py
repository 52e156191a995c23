"""Where the `mlops` program starts: the help that everybody asks for first is printed before anything is loaded.

Typer takes most of the time of `mlops --help`. Its text for the usual width is kept in `help.txt`, which `make docs`
writes and a test holds against Typer's own; a narrower terminal, and every other command line, is left to Typer.
"""

from __future__ import annotations

import os
import sys

HELP_FILE = os.path.join(os.path.dirname(__file__), "help.txt")  # noqa: PTH118, PTH120 - pathlib costs a tenth of the time
HELP_WIDTH = 80
_ASKS_FOR_HELP: tuple[list[str], ...] = ([], ["--help"], ["-h"])
_COMPLETION = "_MLOPS_COMPLETE"


def main() -> None:
    """Run the command line of this process and exit with its code."""
    if sys.argv[1:] in _ASKS_FOR_HELP and _COMPLETION not in os.environ and _width() >= HELP_WIDTH:
        with open(HELP_FILE, encoding="utf-8") as text:  # noqa: PTH123 - as above
            sys.stdout.write(text.read())
        return
    from platform_cli.cli.entry import main as run

    run()


def _width() -> int:
    """Columns of the terminal, as Typer finds them; a pipe has the usual width."""
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(1).columns)
    except (ValueError, OSError):
        return HELP_WIDTH


if __name__ == "__main__":
    main()
