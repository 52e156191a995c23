"""docs/benchmarks.md: one section for each target of make, each written anew by its own."""

from __future__ import annotations

import re
from collections.abc import Mapping

_HEAD = "# Benchmarks\n\n<!-- Each section is written by its target of make. -->\n"
_SECTION = re.compile(r"^## `make ([a-z-]+)`\n\n(.*?)(?=\n*^## |\Z)", re.MULTILINE | re.DOTALL)


def read_sections(page: str) -> dict[str, str]:
    """Each section's text, by the target that wrote it."""
    return {name: text.strip() for name, text in _SECTION.findall(page)}


def write_page(sections: Mapping[str, str], method: str) -> str:
    """The page; `method` says how all of it is measured."""
    parts = (f"## `make {name}`\n\n{text}\n" for name, text in sections.items())
    return "\n".join((_HEAD, *parts, f"## How\n\n{method}"))
