"""The program behind `LocalEngine.start`: drives one run until it ends, with nobody watching."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from platform_cli.errors import MlopsError
from platform_cli.events import Event
from platform_cli.layout import TargetHome
from platform_cli.workflow.local_engine import LocalEngine


def main(arguments: list[str]) -> None:
    """Drive run `arguments[1]` of the target whose state lies at `arguments[0]`; the log is our standard output."""
    home, run = arguments
    engine = LocalEngine(TargetHome(Path(home)), environment=os.environ)
    try:
        engine.run(run, _log)
    except MlopsError as error:
        sys.stdout.write(f"{error.message}\n{error.hint}\n")
        raise SystemExit(error.exit_code) from error


def _log(event: Event) -> None:
    sys.stdout.write(f"{event}\n")
    sys.stdout.flush()
