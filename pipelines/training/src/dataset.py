"""A data set on its way between steps: one Parquet file and what is known about it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

from csv_text import check_names, parse_csv
from sources import SourceFile, public_name, read_source
from step import DataRefusedError, ParameterError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

IRIS = "iris"
_DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": ","}
_PARQUET = (".parquet", ".pq")


def load(source: str, *, max_bytes: int, drop: Sequence[str] = ()) -> tuple[pa.Table, dict[str, Any]]:
    """Read a source completely.

    Args:
        source: `iris`, a path, a glob or a URL.
        max_bytes: the most that its files may hold together.
        drop: columns that are left out (row numbers, keys).

    Returns:
        The table, and its metadata: source, sha256, bytes, files, rows, columns with their Arrow types.

    Raises:
        DataRefusedError: the data cannot be read as a table.
        ParameterError: a column to drop does not exist.
        UnreachableError: the network or the storage failed.
    """
    files = (_iris_file(),) if source == IRIS else read_source(source, max_bytes=max_bytes)
    tables = [_parse(file) for file in files]
    table = _without(_concatenated(files, tables), drop)
    return table, _metadata(source, files, tables, table)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet; the same table always gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path)


def read_table(path: Path) -> pa.Table:
    """The table that an earlier step wrote."""
    return parquet.ParquetFile(path).read()


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as Parquet, without its index."""
    write_table(pa.Table.from_pandas(frame, preserve_index=False), path)


def _iris_file() -> SourceFile:
    """Fisher's iris data as scikit-learn carries it: 4 measures in cm and the class `species`."""
    from sklearn.datasets import load_iris

    raw = load_iris(as_frame=True)
    frame = raw.data.assign(species=raw.target_names[raw.target])
    content = frame.to_csv(index=False, lineterminator="\n").encode()
    return SourceFile(name=f"{IRIS}.csv", content=content, sha256=hashlib.sha256(content).hexdigest())


def _parse(file: SourceFile) -> pa.Table:
    suffix = Path(file.name).suffix.lower()
    if suffix in _PARQUET or file.content.startswith(b"PAR1"):
        return _parse_parquet(file)
    if suffix in _DELIMITERS or not suffix or file.name.startswith(("http://", "https://")):
        return parse_csv(file, delimiter=_DELIMITERS.get(suffix, ","))
    known = ", ".join((*_DELIMITERS, *_PARQUET))
    raise DataRefusedError(f"{file.name}: files of type '{suffix}' cannot be read; expected one of {known}")


def _parse_parquet(file: SourceFile) -> pa.Table:
    if not file.content:
        raise DataRefusedError(f"{file.name}: the file is empty")
    try:
        table = parquet.ParquetFile(pa.BufferReader(file.content)).read()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataRefusedError(f"{file.name}: cannot be read as Parquet: {error}") from None
    check_names(file.name, table.column_names)
    if not table.num_rows:
        raise DataRefusedError(f"{file.name}: has columns but no rows")
    return table.replace_schema_metadata(None)


def _concatenated(files: Sequence[SourceFile], tables: Sequence[pa.Table]) -> pa.Table:
    first = tables[0]
    for file, table in zip(files[1:], tables[1:], strict=True):
        missing = [name for name in first.column_names if name not in table.column_names]
        extra = [name for name in table.column_names if name not in first.column_names]
        if missing or extra:
            detail = f"lacks '{missing[0]}'" if missing else f"has '{extra[0]}'"
            raise DataRefusedError(f"{file.name}: {detail}, unlike {files[0].name}: all files need the same columns")
    try:
        return pa.concat_tables([_text_where_mixed(table, tables) for table in tables], promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        raise DataRefusedError(f"{files[0].name} and the others: columns of different types: {error}") from None


def _text_where_mixed(table: pa.Table, tables: Sequence[pa.Table]) -> pa.Table:
    """A column that is text in one file stays text in all, so that validation can name the rows."""
    for position, field in enumerate(table.schema):
        types = {other.schema.field(field.name).type for other in tables}
        if len(types) > 1 and pa.string() in types:
            table = table.set_column(position, field.name, table.column(position).cast(pa.string()))
    return table


def _without(table: pa.Table, drop: Sequence[str]) -> pa.Table:
    for name in drop:
        if name not in table.column_names:
            raise ParameterError(f"drop-columns: no column '{name}'{did_you_mean(name, table.column_names)}")
    return table.drop_columns(list(drop))


def _metadata(source: str, files: Sequence[SourceFile], tables: Sequence[pa.Table], table: pa.Table) -> dict[str, Any]:
    return {
        "format": 1,
        "source": public_name(source),
        "sha256": _combined_sha256(files),
        "bytes": sum(len(file.content) for file in files),
        "files": [
            {"name": file.name, "sha256": file.sha256, "bytes": len(file.content), "rows": part.num_rows}
            for file, part in zip(files, tables, strict=True)
        ],
        "rows": table.num_rows,
        "columns": [{"name": field.name, "type": str(field.type)} for field in table.schema],
    }


def _combined_sha256(files: Sequence[SourceFile]) -> str:
    """One file: the digest of its bytes; several: of the lines that `sha256sum` prints for their base names."""
    if len(files) == 1:
        return files[0].sha256
    lines = "".join(f"{file.sha256}  {Path(file.name).name}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()
