"""CSV to an Arrow table, refusing whatever a lenient reader would quietly misread."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.csv as arrow_csv

from sources import SourceFile
from step import DataRefusedError

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_QUOTED = re.compile(rb'"(?:[^"]|"")*"')
_LINE_END_NAMES = {b"\r\n": "CRLF (Windows)", b"\n": "LF (Unix)", b"\r": "CR"}


def parse_csv(file: SourceFile, *, delimiter: str) -> pa.Table:
    """Read one CSV file; types are inferred per column, the usual spellings of nothing become nulls.

    Raises:
        DataRefusedError: empty, not UTF-8, NUL bytes, mixed line ends, bad header, ragged or no rows.
    """
    content = file.content.removeprefix(_BOM)
    _check_bytes(file.name, content)
    _check_line_ends(file.name, content)
    _check_quotes(file.name, content)
    _check_header(file.name, _header(content, delimiter), delimiter)
    table = _read_rows(file.name, content, delimiter)
    if not table.num_rows:
        raise DataRefusedError(f"{file.name}: has a header but no rows")
    return table


def check_names(name: str, columns: Sequence[str]) -> None:
    """Every column needs a name of its own.

    Raises:
        DataRefusedError: a name is missing or used twice.
    """
    for position, column in enumerate(columns, start=1):
        if not column.strip():
            raise DataRefusedError(f"{name}: line 1: column {position} has no name")
        first = columns.index(column) + 1
        if first != position:
            raise DataRefusedError(f"{name}: line 1: column '{column}' appears twice (columns {first} and {position})")


def _check_bytes(name: str, content: bytes) -> None:
    if not content.strip():
        raise DataRefusedError(f"{name}: the file is empty")
    if content.startswith(_UTF16):
        raise DataRefusedError(f"{name}: line 1: UTF-16 text; save the file as UTF-8")
    if (position := content.find(b"\0")) >= 0:
        raise DataRefusedError(f"{name}: {_place(content, position)}: a NUL byte; this is not a text file")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = content[error.start]
        where = _place(content, error.start)
        raise DataRefusedError(f"{name}: {where}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8") from None


def _place(content: bytes, position: int) -> str:
    before = _LINE_END.split(content[:position])
    return f"line {len(before)}, byte {len(before[-1]) + 1}"


def _check_line_ends(name: str, content: bytes) -> None:
    if content.count(b"\r") in (0, content.count(b"\r\n")) and content.count(b"\n") in (0, content.count(b"\r\n")):
        return
    if b"\r" not in content:
        return
    # Line ends inside quotes are data; blanking them keeps all line numbers.
    bare = _QUOTED.sub(lambda quoted: quoted.group().replace(b"\r", b" ").replace(b"\n", b" "), content)
    ends = [match.group() for match in _LINE_END.finditer(bare)]
    other = next((number for number, end in enumerate(ends, start=1) if end != ends[0]), None)
    if other is not None:
        first, second = _LINE_END_NAMES[ends[0]], _LINE_END_NAMES[ends[other - 1]]
        raise DataRefusedError(
            f"{name}: line {other}: mixed line ends: this one ends with {second}, those before with {first}"
        )


def _check_quotes(name: str, content: bytes) -> None:
    if content.count(b'"') % 2 == 0:
        return
    reader = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
    good = 1
    try:
        for _ in reader:
            good = reader.line_num + 1
    except csv.Error as error:
        raise DataRefusedError(f"{name}: line {good}: a quote that is never closed ({error})") from None


def _header(content: bytes, delimiter: str) -> list[str]:
    text = io.StringIO(content.decode("utf-8"), newline="")
    return next(csv.reader(text, delimiter=delimiter))


def _check_header(name: str, columns: list[str], delimiter: str) -> None:
    if not columns:
        raise DataRefusedError(f"{name}: line 1: expected a header with the names of the columns")
    check_names(name, columns)
    if len(columns) == 1 and (other := next((mark for mark in ";\t|" if mark in columns[0]), None)):
        raise DataRefusedError(
            f"{name}: line 1: one column called '{columns[0][:60]}'; "
            f"the columns seem to be separated by {other!r} instead of {delimiter!r}"
        )


def _read_rows(name: str, content: bytes, delimiter: str) -> pa.Table:
    invalid: list[arrow_csv.InvalidRow] = []

    def collect(row: arrow_csv.InvalidRow) -> str:
        invalid.append(row)
        return "skip"

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(content),
            # Only one thread numbers the rows that are refused.
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=max(len(content), 1)),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=collect
            ),
            convert_options=arrow_csv.ConvertOptions(strings_can_be_null=True),
        )
    except pa.ArrowInvalid as error:
        raise DataRefusedError(f"{name}: cannot be read as CSV: {error}") from None
    if invalid:
        raise DataRefusedError(f"{name}: {_ragged(content, invalid)}")
    return table


def _ragged(content: bytes, invalid: list[arrow_csv.InvalidRow]) -> str:
    first = invalid[0]
    line = _line_of(content, first.text, first.number)
    others = "" if len(invalid) == 1 else f" ({len(invalid)} such rows)"
    plural = "value" if first.actual_columns == 1 else "values"
    return f"line {line}: {first.actual_columns} {plural}, expected {first.expected_columns} as in the header{others}"


def _line_of(content: bytes, text: str, number: int) -> int:
    """Arrow counts rows; blank lines and line ends inside quotes make that another number than the line's."""
    lines = [line.strip() for line in _LINE_END.split(content)]
    start = text.encode().splitlines()[0].strip()
    return next((at for at, line in enumerate(lines, start=1) if at >= number and line == start), number)
