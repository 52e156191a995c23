"""What a Python step will import, read from its source: a server can then import it before the step starts."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

_MOST_FILES = 100


def third_party_imports(source: str, folder: Path | None) -> frozenset[str]:
    """Dotted names of modules outside the standard library that the program imports.

    Args:
        source: the program.
        folder: where it lies; modules beside it are followed, not returned.
    """
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [source]
    while waiting and len(seen) < _MOST_FILES:
        for name in _imports(waiting.pop()):
            top = name.partition(".")[0]
            local = folder / f"{top}.py" if folder is not None else None
            if local is not None and local.is_file():
                if top not in seen:
                    seen.add(top)
                    waiting.append(_read(local))
            elif top not in sys.stdlib_module_names:
                found.add(name)
    return frozenset(found)


def read_program(path: Path) -> str:
    """The text of a program; empty when it cannot be read, which the step itself will report."""
    return _read(path) if path.is_file() else ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


@lru_cache(maxsize=256)
def _imports(source: str) -> tuple[str, ...]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return ()
    return tuple(_names(tree.body))


def _names(statements: list[ast.stmt]) -> Iterator[str]:
    """Imports that happen as soon as the program runs, and those its functions do.

    What stands under `try` or `if` is somebody's second choice: importing it for nothing would cost more than it saves.
    """
    for statement in statements:
        match statement:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield module
                # A name may be a module of its own; if it is not, importing it fails fast and is ignored.
                yield from (f"{module}.{alias.name}" for alias in names if alias.name.islower())
            case ast.FunctionDef(body=body) | ast.With(body=body):
                yield from _names(body)
