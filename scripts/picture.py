"""Draw a picture of `make demo` as it really ran here: `python scripts/picture.py docs/demo.svg`."""

from __future__ import annotations

import io
import re
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
    picture.write_text(draw(demo.stdout.rstrip()), encoding="utf-8")
    return 0


def draw(output: str) -> str:
    """The terminal as an SVG that loads nothing: a picture in a README must not fetch fonts from anywhere."""
    console = Console(record=True, width=118, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ make demo", style="bold"))
    lines = Text(output)
    lines.highlight_regex(r"(?m)^✓", "green")
    console.print(lines)
    svg = console.export_svg(title="from nothing to a prediction")
    return re.sub(r"@font-face \{[^}]*\}", "", svg).replace("Fira Code", "DejaVu Sans Mono")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
