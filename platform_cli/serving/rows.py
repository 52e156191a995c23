"""Rows that people give to `predict`: from JSON, JSON lines, CSV, a file, or standard input. Light: no pandas."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platform_cli.errors import InputError

_FORMATS = "csv, json, jsonl (or ndjson), parquet"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows by column name. In text (CSV) every value is a string still, and an empty one is missing."""

    rows: tuple[Mapping[str, Any], ...]
    is_text: bool = False


def parse_json(text: str, *, origin: str = "--json") -> Table:
    """One object, or a list of objects.

    Raises:
        InputError: it is something else, or empty, or names a column twice.
    """
    found = _load(text, origin)
    rows = found if isinstance(found, list) else [found]
    return _make_table(rows, origin)


def parse_json_lines(text: str, *, origin: str) -> Table:
    """One object per line; empty lines are passed over.

    Raises:
        InputError: a line is no object, or there is none.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    return _make_table([_load(line, f"{origin}, line {number}") for number, line in lines], origin)


def parse_csv(text: str, *, origin: str = "--csv") -> Table:
    """Comma-separated values with a header; any line ends.

    Raises:
        InputError: no header, no rows, a column twice, or a row of another width; all such rows are named.
    """
    lines = [line for line in csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")) if line]
    if not lines:
        raise InputError(f"{origin} is empty", hint="give a header line and at least one row")
    header = [name.strip() for name in lines[0]]
    twice = [name for name, count in Counter(header).items() if count > 1]
    wrong = [f"row {n} has {len(line)} values" for n, line in enumerate(lines[1:], 1) if len(line) != len(header)]
    problems = [*(f"column '{name}' is there twice" for name in twice), *wrong]
    if problems:
        raise InputError(f"{origin} is no table of {len(header)} columns", details=tuple(problems))
    if len(lines) == 1:
        raise InputError(f"{origin} has a header and no rows")
    return Table(tuple(dict(zip(header, line, strict=True)) for line in lines[1:]), is_text=True)


def parse_text(text: str, *, origin: str = "standard input") -> Table:
    """JSON, JSON lines or CSV, told apart by how it begins.

    Raises:
        InputError: it is none of them.
    """
    start = text.lstrip()[:1]
    if start == "[":
        return parse_json(text, origin=origin)
    if start != "{":
        return parse_csv(text, origin=origin)
    lines = [line for line in text.splitlines() if line.strip()]
    is_lines = len(lines) > 1 and all(line.lstrip().startswith("{") for line in lines)
    return parse_json_lines(text, origin=origin) if is_lines else parse_json(text, origin=origin)


def read_file(path: Path) -> Table:
    """Rows of a file, its format told by its extension.

    Raises:
        InputError: it cannot be read, or holds no rows.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _read_parquet(path)
    parsers = {".csv": parse_csv, ".json": parse_json, ".jsonl": parse_json_lines, ".ndjson": parse_json_lines}
    if suffix not in parsers:
        raise InputError(f"{path}: unknown format '{suffix}'", hint=f"known: {_FORMATS}")
    return parsers[suffix](_read_text(path), origin=str(path))


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV with a header; missing values are empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _make_table(rows: list[Any], origin: str) -> Table:
    if not rows:
        raise InputError(f"{origin} has no rows")
    for index, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise InputError(f"{origin}: row {index} is no object", hint='rows look like {"column": value, …}')
    return Table(tuple(rows))


def _load(text: str, origin: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{origin} is not valid JSON: {error}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"column '{twice}' is there twice")
    return row


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON; write null for a missing value")


def _read_text(path: Path) -> str:
    try:
        # newline="": the CSV reader wants line ends as they are.
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _read_parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        rows = pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    return _make_table(rows, str(path))
