"""Step 1: read data from wherever it is and hand it on as one Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import step

MAX_BYTES = 1_073_741_824


def main(argv: Sequence[str] | None = None) -> None:
    """Run the step on command line arguments; `step.StepError` says why it failed."""
    arguments = _parser().parse_args(argv)
    if not arguments.data_source.strip():
        raise step.ParameterError("data-source is empty; expected 'iris', a path, a glob or a URL")
    import dataset

    drop = step.parse_names(arguments.drop_columns, "drop-columns")
    table, metadata = dataset.load(arguments.data_source, max_bytes=arguments.max_bytes, drop=drop)
    for file in metadata["files"]:
        step.log(f"{file['name']}: {step.count(file['rows'], 'row')}, {file['bytes']} bytes, sha256 {file['sha256']}")
    for column in metadata["columns"]:
        step.log(f"  {column['name']}: {column['type']}")
    dataset.write_table(table, arguments.output)
    step.write_json(arguments.metadata, metadata)
    shape = f"{step.count(table.num_rows, 'row')}, {step.count(table.num_columns, 'column')}"
    step.finish(f"{shape}, sha256 {metadata['sha256'][:8]}…", arguments.summary)


def _parser() -> step.Arguments:
    parser = step.Arguments(prog="load_data.py", description=__doc__)
    parser.add_argument("--data-source", required=True, help="iris, a CSV or Parquet file, a glob, a URL")
    parser.add_argument("--drop-columns", default="", help="columns to leave out: a,b or a JSON list")
    parser.add_argument("--max-bytes", type=step.whole, default=MAX_BYTES, help="refuse more data than this")
    parser.add_argument("--output", type=Path, required=True, help="Parquet file to write")
    parser.add_argument("--metadata", type=Path, required=True, help="JSON file to write: source, sha256, columns")
    parser.add_argument("--summary", type=Path, help="text file to write: one line for people")
    return parser


if __name__ == "__main__":
    step.run(main)
