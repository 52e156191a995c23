"""Write the tables of every module's README from its HCL.

`python infrastructure/terraform/docs.py` writes them; with `--check` it only names the stale ones and ends with 1.
What stands above the marker in a README is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hcl2

HERE = Path(__file__).resolve().parent
MARKER = "<!-- The tables below are generated: python infrastructure/terraform/docs.py -->"


def blocks(path: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and body of every block `kind "name" {...}` of a file, in order."""
    for block in hcl2.loads(path.read_text("utf-8")).get(kind, []):
        [(name, body)] = block.items()
        yield name.strip('"'), body


def text(value: object) -> str:
    """A value as one cell of a table."""
    plain = str(value).lower() if isinstance(value, bool) else str(value)
    plain = re.sub(r"^\$\{(.*)\}$", r"\1", plain.strip(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", plain.removeprefix('"').removesuffix('"')).replace("|", "\\|").replace('\\"', '"')


def variables(module: Path) -> Iterator[str]:
    """The table of variables, in the order of the file."""
    yield from ("| variable | type | default | meaning |", "|---|---|---|---|")
    for name, body in blocks(module / "variables.tf", "variable"):
        default = f"`{text(body['default']) or chr(34) * 2}`" if "default" in body else "required"
        yield f"| `{name}` | `{text(body['type'])}` | {default} | {text(body['description'])} |"


def outputs(module: Path) -> Iterator[str]:
    """The table of outputs."""
    yield from ("| output | meaning |", "|---|---|")
    for name, body in blocks(module / "outputs.tf", "output"):
        yield f"| `{name}` | {text(body['description'])} |"


def made(module: Path) -> Iterator[str]:
    """Types of resources and modules, once each."""
    written = "".join(path.read_text("utf-8") for path in sorted(module.glob("*.tf")))
    resources = sorted(set(re.findall(r'^resource "(\w+)"', written, flags=re.MULTILINE)))
    modules = sorted(set(re.findall(r'^  source += "\.\./([\w-]+)"', written, flags=re.MULTILINE)))
    yield from (f"Resources: {', '.join(f'`{name}`' for name in resources)}.", "") if resources else ()
    yield from (f"Modules: {', '.join(f'[{name}](../{name})' for name in modules)}.", "") if modules else ()


def readme(module: Path) -> str:
    """The README as it should be: the part by hand, then the tables."""
    path = module / "README.md"
    by_hand = path.read_text("utf-8").partition(MARKER)[0].rstrip() if path.exists() else f"# {module.name}"
    lines = [by_hand, "", MARKER, "", *made(module), *variables(module), "", *outputs(module)]
    return "\n".join(lines).rstrip() + "\n"


def stale() -> list[Path]:
    """The READMEs that are not what the HCL says."""
    modules = sorted(path.parent for path in (HERE / "modules").glob("*/variables.tf"))
    return [path / "README.md" for path in modules if not current(path)]


def current(module: Path) -> bool:
    """Whether a module's README is what it should be."""
    path = module / "README.md"
    return path.exists() and path.read_text("utf-8") == readme(module)


def main(arguments: list[str]) -> int:
    """Name the stale READMEs and write them, or with `--check` leave them; the exit code."""
    found = stale()
    for path in found:
        sys.stdout.write(f"{path.relative_to(HERE)}\n")
        if "--check" not in arguments:
            path.write_text(readme(path.parent), "utf-8")
    return int(bool(found) and "--check" in arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
