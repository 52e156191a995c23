"""Draw a picture of `make demo` as it really ran here: `python scripts/picture.py docs/demo.svg`."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text


def main(picture: Path) -> int:
    """Run the demo, and save what it printed as an SVG. Returns the demo's exit code; a failed demo draws nothing."""
    demo = subprocess.run(["make", "--no-print-directory", "demo"], capture_output=True, text=True, check=False)
    if demo.returncode:
        sys.stderr.write(demo.stdout + demo.stderr)
        return demo.returncode
    console = Console(record=True, width=110, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ make demo", style="bold"))
    console.print(Text.from_ansi(demo.stdout.rstrip()))
    console.save_svg(str(picture), title="from nothing to a prediction")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
